// SPDX-License-Identifier: GPL-2.0

//! The role *system*: the state machine of a manager on a real store and real time.

mod engine;
pub(crate) mod housekeeping;
pub(crate) mod metered;
mod open;

pub(crate) use engine::{Engine, Handle};
pub(crate) use open::open;
