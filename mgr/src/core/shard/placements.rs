// SPDX-License-Identifier: GPL-2.0

//! What is said of where nodes may be, and which addresses those nodes have.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::record::{self, Placement};
use crate::core::{Key, NodeId};
use crate::store::Revision;

/// The nodes that something is said of. They are few, so that only their addresses are kept by
/// node.
#[derive(Debug, Default)]
pub struct Placements {
    all: BTreeMap<NodeId, (Placement, Revision)>,
    keys: BTreeMap<NodeId, BTreeSet<Key>>,
    /// Some are not looked for yet.
    unknown: bool,
}

impl Placements {
    /// Replaces what is said of a node, or removes it; false if the bytes say nothing.
    pub(super) fn set(&mut self, node: NodeId, value: Option<(&[u8], Revision)>) -> bool {
        let Some((bytes, revision)) = value else {
            self.all.remove(&node);
            self.keys.remove(&node);
            return true;
        };
        let Some(placement) = record::decode(bytes) else {
            return false;
        };
        let known = self.all.insert(node, (placement, revision)).is_some();
        self.unknown |= !known;
        true
    }

    /// Whether all mappings have to be gone through for the keys of new ones, which is taken to
    /// happen now.
    pub(super) fn begin(&mut self) -> bool {
        std::mem::take(&mut self.unknown)
    }

    /// A node has an address.
    pub(super) fn learn(&mut self, node: NodeId, key: Key) {
        if !self.all.is_empty() && self.all.contains_key(&node) {
            self.keys.entry(node).or_default().insert(key);
        }
    }

    /// A node has it no more.
    pub(super) fn forget(&mut self, node: NodeId, key: Key) {
        if let Some(keys) = self.keys.get_mut(&node) {
            keys.remove(&key);
        }
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.all.keys().copied()
    }

    /// What is said of a node, and the revision of the record.
    #[must_use]
    pub fn get(&self, node: NodeId) -> Option<(&Placement, Revision)> {
        self.all.get(&node).map(|(it, revision)| (it, *revision))
    }

    /// What is said of a node, and its addresses.
    #[must_use]
    pub fn with_keys(&self, node: NodeId) -> Option<(&Placement, &BTreeSet<Key>)> {
        let (it, _) = self.all.get(&node)?;
        Some((it, self.keys.get(&node)?))
    }

    /// All of them, with the addresses of the nodes.
    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Placement, &BTreeSet<Key>)> + '_ {
        static NONE: BTreeSet<Key> = BTreeSet::new();
        self.all
            .iter()
            .map(|(node, (it, _))| (*node, it, self.keys.get(node).unwrap_or(&NONE)))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use ovnet_engine::Vni;

    use super::*;

    #[test]
    fn only_nodes_that_something_is_said_of_are_known_by_their_addresses() {
        let key = |n| Key::new(Vni::new(7).unwrap(), Ipv4Addr::new(10, 0, 0, n));
        let mut placements = Placements::default();
        placements.learn(NodeId(1), key(1));
        assert!(!placements.begin() && placements.keys.is_empty());
        let bytes = record::encode(&Placement::default());
        assert!(placements.set(NodeId(1), Some((&bytes, 5))));
        assert!(placements.begin() && !placements.begin());
        placements.learn(NodeId(1), key(1));
        placements.learn(NodeId(2), key(2));
        let keys = |it: &Placements, node| -> Vec<Key> {
            let found = it.iter().find(|(id, ..)| *id == NodeId(node));
            found.map_or(vec![], |(.., keys)| keys.iter().copied().collect())
        };
        assert_eq!(keys(&placements, 1), [key(1)]);
        assert_eq!(keys(&placements, 2), []);
        // What is said anew of a node that is known.
        assert!(placements.set(NodeId(1), Some((&bytes, 6))) && !placements.begin());
        assert!(!placements.set(NodeId(1), Some((b"x", 7))));
        placements.forget(NodeId(1), key(1));
        assert_eq!(keys(&placements, 1), []);
        assert!(placements.set(NodeId(1), None) && placements.get(NodeId(1)).is_none());
    }
}
