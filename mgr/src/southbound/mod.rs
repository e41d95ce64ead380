// SPDX-License-Identifier: GPL-2.0

//! Between managers and agents: gRPC streams over mutual TLS.

pub mod client;
mod convert;
#[rustfmt::skip]
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod generated;
pub(crate) mod server;

use std::time::Duration;

/// A side that hears nothing for so long asks whether the other one is there.
const ALIVE: Duration = Duration::from_secs(5);
/// Messages are not larger than this: a batch has 64 keys.
const MAX_MESSAGE: usize = 256 << 10;
