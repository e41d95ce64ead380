// SPDX-License-Identifier: GPL-2.0

//! What the kernel and the agent say to each other.

use std::net::Ipv4Addr;

use ovnet_engine::{Locator, Mac, Vni};

use crate::core::{Generation, Key, NodeId};

/// What the kernel says. It limits the rate of all but the last four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A packet needs a mapping that is not there, of its destination or of its source; or its
    /// source came from another locator than the mapping says.
    Miss {
        /// The address.
        key: Key,
        /// Where the packet came from, if it is about the source of one.
        from: Option<Locator>,
    },
    /// A mapping of another host's node was not used for long, or an address of a port here was
    /// silent for long.
    Idle(Key),
    /// The node with the address `port` uses another address as well.
    NewAddress {
        /// The address that it has.
        port: Key,
        /// The address that it uses.
        address: Ipv4Addr,
    },
    /// The node with this address sent from a MAC or an address that it must not use.
    Spoof(Key),
    /// A packet said to be from this address came from a locator where it is not.
    Forged(Key),
    /// A node announced this address, which is another node's.
    Claim(Key),
    /// A packet came for a node that is not here, or not any more.
    Stale {
        /// The node's address.
        key: Key,
        /// The host that sent it.
        sender: Locator,
    },
    /// A node is attached. It is not reachable before its mapping is set to [`Place::Local`].
    PortUp {
        /// Its address.
        key: Key,
        /// The node.
        node: NodeId,
    },
    /// A node is detached. Its mapping, if it was local, is [`Place::Pending`] now.
    PortDown(Key),
    /// A node's address is frozen for a move, and what arrives for it is sent on.
    Frozen(Key),
    /// A node's address is [`Place::Local`].
    Active(Key),
    /// What was asked for with that number by [`Output::Guard`](super::Output::Guard) is so.
    Guarded(u32),
    /// The end of a lease has stopped the port with this address. It carries nothing before a mapping
    /// with a greater generation says that its node is here, and a lease lasts if it is under one.
    /// Said again when what stood in the way may do so no more.
    Fenced(Key),
}

/// What the agent wants the kernel to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Installs a mapping if its generation is greater than that of the one there is.
    Set(Key, Mapping),
    /// Removes a mapping: nothing is known of the key any more.
    Forget(Key),
}

/// A mapping in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Its generation.
    pub generation: Generation,
    /// Where the node is.
    pub place: Place,
    /// The MAC others see, if not the derived one.
    pub mac: Option<Mac>,
}

/// Where a node is, for the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A port of this host.
    Local,
    /// Behind another host's locator.
    Remote(Locator),
    /// Behind another host's locator since a short while: what still arrives here is forwarded.
    Moved(Locator),
    /// In another network, behind the locator of another host or of this one.
    Peer(Locator, Vni),
    /// Nowhere for the moment: what arrives is held, within bounds.
    Pending,
    /// Nowhere.
    Negative,
}
