// SPDX-License-Identifier: GPL-2.0

//! The engine against vectors, properties and sweeps; one module per module of the engine.

mod addr;
mod arp;
mod checksum;
mod drop_reason;
mod escape;
mod fast;
mod fast_properties;
mod header;
mod mac;
mod ordinary;
mod packet;
mod policy;
mod siit;
mod source;
mod substrate;
