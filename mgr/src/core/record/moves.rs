// SPDX-License-Identifier: GPL-2.0

//! Moves, as they are written.

use std::net::Ipv4Addr;

use ovnet_engine::{Locator, Vni};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::core::moves::{MoveId, Reason, Seat, Side, State};
use crate::core::{Key, NodeId};

/// The move of a node from one host to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The node.
    #[serde(with = "node")]
    pub node: NodeId,
    /// Its network.
    #[serde(with = "super::vni")]
    pub vni: Vni,
    /// Its addresses. None is given or taken while the node is moved.
    pub addresses: Vec<Ipv4Addr>,
    /// Where it comes from.
    #[serde(with = "seat")]
    pub from: Seat,
    /// Where it goes to.
    #[serde(with = "seat")]
    pub to: Seat,
    /// Why.
    pub reason: Reason,
    /// How far it has come.
    pub state: State,
    /// When it got into each state, in milliseconds since 1970.
    pub times: Vec<(State, u64)>,
    /// Where the destination receives the node; empty if it did not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub endpoint: String,
    /// The revisions of the node's mappings when it was to be frozen. A claim that is granted after
    /// that makes its address active again, whatever the source has said before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bound: Vec<u64>,
    /// Whom the node was in conversation with, at most [`Move::PEERS`]; none as long as the source
    /// has not said.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "peers")]
    pub peers: Option<Vec<Key>>,
    /// Why it was aborted; empty if it was not.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub failure: String,
}

impl Move {
    /// More peers are not told to the destination in advance.
    pub const PEERS: usize = 256;
    /// No text in the record is longer, in bytes.
    pub const TEXT: usize = 1024;

    /// The keys of the node's mappings.
    pub fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.addresses
            .iter()
            .map(|address| Key::new(self.vni, *address))
    }

    /// The part that a host has.
    #[must_use]
    pub fn side(&self, host: Locator) -> Option<Side> {
        match host {
            _ if host == self.from.host => Some(Side::Source),
            _ if host == self.to.host => Some(Side::Destination),
            _ => None,
        }
    }
}

/// What the managers of a store know of each other. The record is bound to the manager's lease.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manager {
    /// All hosts connected to the manager have acknowledged what had changed up to this revision,
    /// at least.
    pub acked: u64,
}

/// A node's id, as 16 hexadecimal digits: JSON's numbers are not that precise for everybody.
mod node {
    use super::*;

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(
        node: &NodeId,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(node)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<NodeId, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        super::super::hex(&text, 16)
            .map(NodeId)
            .ok_or_else(|| D::Error::custom("no node id"))
    }
}

/// A host and its epoch, as a pair.
mod seat {
    use super::*;

    pub(super) fn serialize<S: Serializer>(seat: &Seat, serializer: S) -> Result<S::Ok, S::Error> {
        (format!("{:016x}", seat.host.bits()), seat.epoch).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Seat, D::Error> {
        let (text, epoch) = <(String, u32)>::deserialize(deserializer)?;
        super::super::locator(&text)
            .map(|host| Seat { host, epoch })
            .ok_or_else(|| D::Error::custom("no locator"))
    }
}

/// Keys, as pairs of numbers of networks and addresses.
mod peers {
    use super::*;

    #[allow(clippy::ref_option, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(
        peers: &Option<Vec<Key>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let pairs = peers.iter().flatten();
        serializer.collect_seq(pairs.map(|key| (key.vni.get(), key.address)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Vec<Key>>, D::Error> {
        let pairs = <Vec<(u32, Ipv4Addr)>>::deserialize(deserializer)?;
        let key = |(vni, address)| Some(Key::new(Vni::new(vni)?, address));
        let keys: Option<Vec<_>> = pairs.into_iter().map(key).collect();
        keys.map(Some)
            .ok_or_else(|| D::Error::custom("no network id"))
    }
}

/// The id of a node's move, as 16 hexadecimal digits.
pub(super) mod moving {
    use super::*;

    #[allow(clippy::ref_option, reason = "serde's signature")]
    pub(in super::super) fn serialize<S: Serializer>(
        id: &Option<MoveId>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => serializer.collect_str(id),
            None => serializer.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<MoveId>, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map(Some).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::record::{decode, encode};

    #[test]
    fn a_move_is_read_as_it_is_written() {
        let seat = |host, epoch| Seat {
            host: Locator::new(0xfd00_000a, host).unwrap(),
            epoch,
        };
        let vni = Vni::new(7).unwrap();
        let peer = Key::new(Vni::new(8).unwrap(), Ipv4Addr::new(10, 0, 0, 9));
        let mut moved = Move {
            node: NodeId(u64::MAX),
            vni,
            addresses: vec![Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(10, 0, 0, 3)],
            from: seat(1, 4),
            to: seat(2, 1),
            reason: Reason::Leak,
            state: State::Prepare,
            times: vec![(State::Prepare, 1_700_000_000_000)],
            endpoint: String::new(),
            bound: vec![3, 4],
            peers: None,
            failure: String::new(),
        };
        assert_eq!(decode(&encode(&moved)), Some(moved.clone()));
        assert_eq!(moved.keys().count(), 2);
        assert_eq!(moved.side(moved.from.host), Some(Side::Source));
        assert_eq!(moved.side(moved.to.host), Some(Side::Destination));
        assert_eq!(moved.side(seat(3, 0).host), None);
        for peers in [vec![], vec![peer]] {
            moved.peers = Some(peers);
            moved.endpoint = "[fd00::1]:9".into();
            moved.failure = "no room".into();
            assert_eq!(decode(&encode(&moved)), Some(moved.clone()));
        }
        for state in State::ALL {
            moved.state = state;
            assert_eq!(decode(&encode(&moved)), Some(moved.clone()));
        }
        let damaged = String::from_utf8(encode(&moved)).unwrap();
        let damaged = damaged.replace("fd00000a", "00000000");
        assert_eq!(decode::<Move>(damaged.as_bytes()), None);
    }
}
