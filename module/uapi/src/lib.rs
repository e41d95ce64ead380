// SPDX-License-Identifier: GPL-2.0

//! Client of the netlink family `ovnet`: the constants generated from
//! `Documentation/netlink/specs/ovnet.yaml`, and a typed, blocking client for them.
//!
//! All state belongs to the network namespace of the socket, which is that of the thread that
//! calls [`Client::connect`]: that namespace is the host.
//!
//! ```no_run
//! use ovnet_uapi::{Client, NetworkSet, Vni};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = Client::connect()?;
//! let vni = Vni::new(7).expect("in 1..=16777215");
//! client.network_set(&NetworkSet::new(vni))?;
//! for mapping in client.mappings(None)? {
//!     println!("{:?}", mapping?);
//! }
//! # Ok(())
//! # }
//! ```

mod attrs;
mod client;
mod connection;
mod error;
mod event;
mod family;
pub mod generated;
mod host;
mod mapping;
mod message;
mod netns;
mod network;
mod peering;
mod port;
mod rule;
mod stats;
mod trace;

pub use client::Client;
pub use connection::Dump;
pub use error::{Error, Kind, Refusal};
pub use event::{Event, Events};
pub use generated::{
    Action, Direction, EventKind, Fidelity, Form, MappingState, PortState, ResolverState,
    SourceCheck, StatsScope, TraceStepKind, TraceVerdict,
};
pub use host::{Host, HostSet, Lease};
pub use mapping::{BatchResult, Mapping, MappingSet};
pub use netns::NetnsIds;
pub use network::{Network, NetworkSet};
pub use ovnet_engine::policy::{Criteria, Prefix, Span, Transport};
pub use ovnet_engine::{DropReason, Locator, Mac, Vni};
pub use peering::Peering;
pub use port::{Device, Port, PortSet, Source};
pub use rule::{Rule, RuleSet};
pub use stats::{Counted, DropCount, Stats, StatsOf, Subject};
pub use trace::{Trace, TraceOf, TraceStep};
