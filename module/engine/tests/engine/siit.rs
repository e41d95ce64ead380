// SPDX-License-Identifier: GPL-2.0

//! The standard form, row by row of its conformance table (Documentation/conformance.md): the name of a test
//! starts with the row that it shows.

mod fragments46;
mod fragments64;
mod header46;
mod header64;
mod icmp46;
mod icmp64;
mod mapping;
mod multipart;
mod options;
mod quotes46;
mod replies;
mod robust;
mod transport;
pub(crate) mod wire;
