// SPDX-License-Identifier: GPL-2.0

//! Safe abstractions over the kernel's networking C API: every `unsafe` of the module is here.
//!
//! Each file owns one kernel object and says in which context it may be used. The rest of the module
//! sees owned socket buffers, reference-counted devices, tables read under RCU, per-namespace state,
//! and netlink requests, none of which it can misuse.

pub(crate) mod alarm;
pub(crate) mod bindings;
pub(crate) mod counters;
pub(crate) mod device;
pub(crate) mod drop_reason;
pub(crate) mod ethtool;
mod family;
pub(crate) mod hook;
pub(crate) mod lock;
pub(crate) mod namespace;
pub(crate) mod netlink;
pub(crate) mod once;
pub(crate) mod queue;
pub(crate) mod ratelimit;
pub(crate) mod rcu;
pub(crate) mod route;
pub(crate) mod skb;
pub(crate) mod table;
#[cfg(CONFIG_KUNIT = "y")]
mod tests;
pub(crate) mod time;
pub(crate) mod trace;
pub(crate) mod work;

pub(crate) use family::FamilyRegistration;
