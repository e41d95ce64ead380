// SPDX-License-Identifier: GPL-2.0

//! Where a node may be, and which hosts are under lease, as they are written.

use ovnet_engine::Locator;
use serde::{Deserialize, Serialize};

use crate::core::NodeId;

/// Where a node may be, and what becomes of it when its host dies. A node without this record may
/// be anywhere, takes room for one, and stays with its host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// It is started elsewhere if its host dies (`MV6`). Hence its host stops it when it may be
    /// taken for dead.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub evacuate: bool,
    /// It is moved to another host when its own is too full (`MV6`).
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub balance: bool,
    /// The one host that it may be on.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "super::host")]
    pub pin: Option<Locator>,
    /// No two nodes of a group are put on one host; empty: of none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// What it takes of a host's capacity.
    #[serde(default = "one")]
    pub size: u32,
}

impl Default for Placement {
    fn default() -> Placement {
        Placement {
            evacuate: false,
            balance: false,
            pin: None,
            group: String::new(),
            size: one(),
        }
    }
}

const fn one() -> u32 {
    1
}

/// A host under lease: which manager grants it, and what stops at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The id of the one manager that may grant the host leases.
    pub manager: u32,
    /// The host's epoch.
    pub epoch: u32,
    /// The nodes whose ports stop there when the lease ends, as the host has confirmed.
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "nodes")]
    pub guarded: Vec<NodeId>,
}

/// Node ids, as 16 hexadecimal digits.
mod nodes {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::super::hex;
    use super::NodeId;

    pub(super) fn serialize<S: Serializer>(
        nodes: &[NodeId],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(nodes.iter().map(ToString::to_string))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<NodeId>, D::Error> {
        let texts = <Vec<String>>::deserialize(deserializer)?;
        let ids = texts.iter().map(|text| hex(text, 16).map(NodeId));
        ids.collect::<Option<_>>()
            .ok_or_else(|| D::Error::custom("no node id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::record::{decode, encode};

    #[test]
    fn what_is_said_of_a_place_is_read_as_it_is_written() {
        assert_eq!(decode(b"{}"), Some(Placement::default()));
        let placement = Placement {
            evacuate: true,
            balance: true,
            pin: Locator::new(0xfd00_000a, 2).ok(),
            group: "db".into(),
            size: 4,
        };
        assert_eq!(decode(&encode(&placement)), Some(placement));
        let mut session = Session {
            manager: u32::MAX,
            epoch: 3,
            guarded: vec![],
        };
        assert_eq!(decode(&encode(&session)), Some(session.clone()));
        session.guarded = vec![NodeId(1), NodeId(u64::MAX)];
        assert_eq!(decode(&encode(&session)), Some(session.clone()));
        let text = String::from_utf8(encode(&session)).unwrap();
        let damaged = text.replace("ffffffffffffffff", "fff");
        assert_eq!(decode::<Session>(damaged.as_bytes()), None);
    }
}
