// SPDX-License-Identifier: GPL-2.0

//! What mappings and nodes are called.

use std::fmt;
use std::net::Ipv4Addr;

use ovnet_engine::Vni;

/// The key of a mapping: a virtual address of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The network.
    pub vni: Vni,
    /// The virtual address.
    pub address: Ipv4Addr,
}

impl Key {
    /// The key of an address of a network.
    #[must_use]
    pub const fn new(vni: Vni, address: Ipv4Addr) -> Key {
        Key { vni, address }
    }
}

/// `7/10.0.0.2`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.vni, self.address)
    }
}

/// Tells nodes apart for ever: whoever creates a node chooses a number that no other node has had,
/// so that a request that is sent twice creates one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u64);

/// 16 hexadecimal digits.
impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}
