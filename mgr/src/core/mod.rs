// SPDX-License-Identifier: GPL-2.0

//! What the daemon decides, without sockets, clocks or threads.
//!
//! Two state machines talk to each other: an [`Agent`] on every host, which keeps the mappings
//! that host uses, and a [`Shard`] in every system manager, which answers agents and turns what
//! they and operators ask for into transactions of the store. A machine takes an input and the
//! time, changes its state and appends outputs; whoever runs it carries the outputs out and feeds
//! what comes of them back. The daemon does so on sockets, [`crate::sim`] on a virtual clock with
//! faults.
//!
//! The one rule that orders all news is that of the [`Generation`]; `Documentation/manager.md`
//! tells the whole.

pub mod agent;
mod clock;
mod generation;
mod key;
pub mod lease;
pub mod load;
pub mod message;
pub mod moves;
pub mod placement;
mod random;
pub mod record;
pub mod shard;

pub use agent::Agent;
pub use clock::Time;
pub use generation::Generation;
pub use key::{Key, NodeId};
pub use random::Random;
pub use shard::Shard;
