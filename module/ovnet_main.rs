// SPDX-License-Identifier: GPL-2.0

//! ovnet: an overlay network without encapsulation.
//!
//! This file registers the parts, in order. The way of a packet: `tx` for what a node sends, `rx` for what
//! the substrate brings, both over the tables of `host`. The way of a command: `control`.

#![deny(missing_docs)]

use kernel::prelude::*;

// All unsafe code is in `net`; the root itself has that of the macro below.
#[deny(unsafe_code)]
mod control;
#[deny(unsafe_code)]
mod events;
#[deny(unsafe_code)]
mod expiry;
#[deny(unsafe_code)]
mod express;
#[deny(unsafe_code)]
mod external;
#[deny(unsafe_code)]
mod hold;
#[deny(unsafe_code)]
mod host;
#[deny(unsafe_code)]
mod icmp;
#[deny(unsafe_code)]
mod lease;
#[deny(unsafe_code)]
mod misses;
mod net;
mod observer;
#[deny(unsafe_code)]
mod policy;
#[deny(unsafe_code)]
mod port;
#[deny(unsafe_code)]
mod rx;
#[deny(unsafe_code)]
mod stats;
#[deny(unsafe_code)]
mod tx;

module! {
    type: Ovnet,
    name: "ovnet",
    authors: ["The ovnet developers"],
    description: "Overlay network by IPv4/IPv6 header translation",
    license: "GPL",
    alias: ["rtnl-link-ovnet", "net-pf-16-proto-16-family-ovnet"],
}

/// What the module has registered. Dropped in this order: nobody can ask, then no device is left, then no
/// namespace has state, then no callback is pending, then nobody asks for our names of drop reasons.
#[pin_data]
struct Ovnet {
    family: net::FamilyRegistration,
    #[pin]
    link: net::device::LinkKind<port::Port>,
    hosts: net::namespace::Registration<host::Host>,
    callbacks: net::rcu::Callbacks,
    drop_reasons: net::drop_reason::Registration,
}

impl kernel::InPlaceModule for Ovnet {
    fn init(_module: &'static ThisModule) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            drop_reasons: net::drop_reason::Registration::new(),
            callbacks: net::rcu::Callbacks,
            hosts: net::namespace::Registry::register()?,
            link <- net::device::LinkKind::register(),
            family: net::FamilyRegistration::new()?,
        })
    }
}
