// SPDX-License-Identifier: GPL-2.0

//! The library behind `ovmgrd`, the daemon of the overlay.
//!
//! The daemon has two roles, alone or together: *system* keeps the provisioning data in a
//! [`store`] and answers the API and the agents; *agent* keeps one host's kernel module up to date.

pub mod agent;
mod api;
pub mod command;
pub mod config;
mod connect;
pub mod core;
pub mod daemon;
mod identity;
mod listen;
pub mod log;
mod metrics;
mod secret;
pub mod sim;
pub mod southbound;
pub mod store;
mod system;
pub mod systemd;
mod tls;
