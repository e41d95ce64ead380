// SPDX-License-Identifier: GPL-2.0

//! The moves that a manager knows of.

use std::collections::{BTreeMap, BTreeSet};

use ovnet_engine::Locator;

use crate::core::moves::MoveId;
use crate::core::record::Move;
use crate::core::NodeId;
use crate::store::Revision;

/// The moves that are under way, and those that ended not long ago. What costs memory is only
/// there for moves there are.
#[derive(Debug, Default)]
pub struct Moves {
    all: BTreeMap<MoveId, (Move, Revision)>,
    /// Those that are not over.
    by_node: BTreeMap<NodeId, MoveId>,
    by_host: BTreeSet<(Locator, MoveId)>,
    /// Those that are over, and since when.
    over: BTreeSet<(u64, MoveId)>,
}

/// When a move got into its state.
fn since(it: &Move) -> u64 {
    it.times.last().map_or(0, |(_, at)| *at)
}

impl Moves {
    /// Replaces a move, or removes it; returns what it was.
    pub(super) fn set(&mut self, id: MoveId, after: Option<(Move, Revision)>) -> Option<Move> {
        let before = self.all.remove(&id).map(|(before, _)| before);
        if let Some(before) = &before {
            if self.by_node.get(&before.node) == Some(&id) {
                self.by_node.remove(&before.node);
            }
            self.by_host.remove(&(before.from.host, id));
            self.by_host.remove(&(before.to.host, id));
            self.over.remove(&(since(before), id));
        }
        if let Some((after, revision)) = after {
            if after.state.is_over() {
                self.over.insert((since(&after), id));
            } else {
                self.by_node.insert(after.node, id);
                self.by_host.insert((after.from.host, id));
                self.by_host.insert((after.to.host, id));
            }
            self.all.insert(id, (after, revision));
        }
        before
    }

    /// All that are known, those that are over included.
    pub fn iter(&self) -> impl Iterator<Item = (MoveId, &Move, Revision)> + '_ {
        self.all.iter().map(|(id, (it, at))| (*id, it, *at))
    }

    /// Those that are not over.
    pub(super) fn under_way(&self) -> impl Iterator<Item = (MoveId, &Move, Revision)> + '_ {
        let ids = self.by_node.values();
        ids.filter_map(|id| self.get(*id).map(|(it, revision)| (*id, it, revision)))
    }

    /// Those that were over at a time.
    pub(super) fn over_before(&self, time: u64) -> impl Iterator<Item = (MoveId, Revision)> + '_ {
        self.over
            .range(..(time, MoveId(0)))
            .filter_map(|(_, id)| self.get(*id).map(|(_, revision)| (*id, revision)))
    }

    /// Those that got over after a time, and when.
    pub(super) fn over_since(&self, time: u64) -> impl Iterator<Item = (u64, &Move)> + '_ {
        self.over
            .range((time, MoveId(0))..)
            .filter_map(|(since, id)| self.get(*id).map(|(it, _)| (*since, it)))
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = MoveId> + '_ {
        self.all.keys().copied()
    }

    /// A move and the revision of its record.
    #[must_use]
    pub fn get(&self, id: MoveId) -> Option<(&Move, Revision)> {
        self.all.get(&id).map(|(it, revision)| (it, *revision))
    }

    /// The move of a node that is not over.
    #[must_use]
    pub fn of_node(&self, node: NodeId) -> Option<(MoveId, &Move)> {
        let id = *self.by_node.get(&node)?;
        self.get(id).map(|(it, _)| (id, it))
    }

    /// The moves from and to a host that are not over.
    pub fn of_host(&self, host: Locator) -> impl Iterator<Item = (MoveId, &Move)> + '_ {
        self.by_host
            .range((host, MoveId(0))..=(host, MoveId(u64::MAX)))
            .filter_map(|(_, id)| self.get(*id).map(|(it, _)| (*id, it)))
    }
}

#[cfg(test)]
mod tests {
    use ovnet_engine::Vni;

    use super::*;
    use crate::core::moves::{Reason, Seat, State};

    #[test]
    fn moves_are_found_by_node_and_host_until_they_are_over() {
        let host = |host| Locator::new(0xfd00_000a, host).unwrap();
        let seat = |it| Seat {
            host: host(it),
            epoch: 1,
        };
        let mut it = Move {
            node: NodeId(5),
            vni: Vni::new(7).unwrap(),
            addresses: Vec::new(),
            from: seat(1),
            to: seat(2),
            reason: Reason::Operator,
            state: State::Prepare,
            times: Vec::new(),
            endpoint: String::new(),
            bound: Vec::new(),
            peers: None,
            failure: String::new(),
        };
        let id = MoveId(9);
        let mut moves = Moves::default();
        let of_host = |moves: &Moves, it| moves.of_host(host(it)).count();
        assert_eq!(moves.set(id, Some((it.clone(), 3))), None);
        assert_eq!(moves.of_node(NodeId(5)), Some((id, &it)));
        let counts = |moves: &Moves| [1, 2, 3].map(|it| of_host(moves, it));
        assert_eq!(counts(&moves), [1, 1, 0]);
        let before = it.clone();
        it.state = State::Aborted;
        assert_eq!(moves.set(id, Some((it.clone(), 4))), Some(before));
        assert_eq!((moves.of_node(NodeId(5)), counts(&moves)), (None, [0; 3]));
        assert_eq!(moves.get(id), Some((&it, 4)));
        assert_eq!(moves.set(id, None), Some(it));
        assert_eq!(moves.iter().count(), 0);
    }
}
