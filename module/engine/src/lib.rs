// SPDX-License-Identifier: GPL-2.0
#![cfg_attr(not(any(test, MODULE)), no_std)]

//! The pure engine of ovnet: what a packet is, where it may come from, and how it changes form.
//!
//! The same source is built twice: as the cargo crate `ovnet-engine`, and as a second crate
//! inside the kernel module by the kernel's own compiler. It therefore uses `core` alone, allocates
//! nothing, holds no state and cannot panic: arithmetic wraps or is checked, slices are taken apart by
//! pattern, and every refusal is a [`DropReason`]. It runs in any context.
//!
//! Multi-byte values are in host byte order once parsed; byte arrays are as on the wire.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod addr;
pub mod arp;
mod bytes;
pub mod checksum;
pub mod drop_reason;
pub mod embed;
pub mod escape;
pub mod fast;
pub mod header;
pub mod mac;
pub mod ordinary;
pub mod policy;
pub mod siit;
pub mod source;
pub mod substrate;

pub use addr::{Locator, SubstrateAddress, SubstratePrefix, Topology, Vni};
pub use drop_reason::DropReason;
pub use mac::Mac;
pub use source::Identity;
