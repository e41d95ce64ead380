// SPDX-License-Identifier: GPL-2.0

//! Nodes that have to go elsewhere without anybody's asking for each (`MV6`): those under lease of
//! a host whose lease has ended, and all of a host that is to be emptied. The leader looks at what
//! is still to be done once in a tick and begins some of it, so that nothing is forgotten and
//! nothing done twice.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ovnet_engine::{Locator, Vni};

use super::job::{Job, Origin};
use super::{Alarm, Order, Output, Shard};
use crate::core::moves::{MoveId, Reason, State};
use crate::core::placement::{self, Choice, World};
use crate::core::record::{Home, Mapping};
use crate::core::{Key, NodeId, Time};

/// Who has to go, and why.
type Leaving = BTreeMap<NodeId, (Locator, Reason)>;

impl Shard {
    /// Begins to move what has to go elsewhere, and what had better, as much at a time as the bounds
    /// admit.
    pub(super) fn empty_hosts(&mut self, now: Time, out: &mut Vec<Output>) {
        if !self.is_leader() {
            return;
        }
        let mut room = self.room();
        self.empty(&mut room, now, out);
        self.balance_hosts(&mut room, now, out);
    }

    fn empty(&mut self, room: &mut Room, now: Time, out: &mut Vec<Output>) {
        let leaving = self.leaving();
        let moving = |node: &NodeId| self.table.moves().of_node(*node).is_some();
        let waiting: Vec<_> = leaving
            .iter()
            .filter(|(node, _)| !moving(node))
            .map(|(node, (host, reason))| (*node, *host, *reason))
            .collect();
        if waiting.is_empty() {
            return;
        }
        let drained: BTreeSet<_> = waiting.iter().map(|(_, host, _)| *host).collect();
        let mut world = self.world(Some(&drained));
        for (node, host, reason) in waiting {
            if !room.take(host, reason) {
                continue;
            }
            let choice = world.choose(node);
            let Some(to) = choice.to else {
                if reason == Reason::Failure {
                    out.push(Output::Alarm(Alarm::NoPlace(node, host)));
                }
                continue;
            };
            world.put(node, to);
            let id = MoveId(self.random.next_u64());
            let order = Order::StartMove {
                id,
                node,
                to,
                reason,
            };
            self.start(Job::new(Origin::Shard, order), now, out);
        }
    }

    fn leaving(&self) -> Leaving {
        let mut leaving = Leaving::new();
        for (host, session, _) in self.table.sessions() {
            if !self.table.epoch(host).0.is_over(session.epoch) {
                continue;
            }
            for node in &session.guarded {
                let evacuate = |(it, keys): (_, &BTreeSet<Key>)| {
                    let it: &crate::core::record::Placement = it;
                    let there = |key: &Key| {
                        let at = self.table.mapping(*key).and_then(|(_, it)| it.at);
                        at.is_some_and(|at| at.host == host && at.epoch == session.epoch)
                    };
                    it.evacuate && keys.iter().any(there)
                };
                if self
                    .table
                    .placements()
                    .with_keys(*node)
                    .is_some_and(evacuate)
                {
                    leaving.insert(*node, (host, Reason::Failure));
                }
            }
        }
        let draining: BTreeSet<_> = self
            .table
            .hosts()
            .filter(|(_, host)| host.draining)
            .map(|(at, _)| at)
            .collect();
        if !draining.is_empty() {
            for (_, mapping) in self.all_mappings() {
                let at = mapping.at.filter(|at| draining.contains(&at.host));
                if let Some(at) = at.filter(|at| mapping.home == Home::Host(at.host)) {
                    leaving
                        .entry(mapping.node)
                        .or_insert((at.host, Reason::Drain));
                }
            }
        }
        leaving
    }

    fn all_mappings(&self) -> impl Iterator<Item = (Key, Mapping)> + '_ {
        let first = Vni::new(1).map(|vni| Key::new(vni, Ipv4Addr::UNSPECIFIED));
        first
            .into_iter()
            .flat_map(|first| self.table.mappings_from(first))
            .map(|(key, _, mapping)| (key, mapping))
    }

    /// Hosts and nodes as they are: all nodes of these hosts, or of all hosts, by name, and of the
    /// others those that something is said of.
    #[must_use]
    pub fn world(&self, of: Option<&BTreeSet<Locator>>) -> World {
        let mut world = World::default();
        let mut others: BTreeMap<Locator, u32> = BTreeMap::new();
        let mut nodes: BTreeMap<NodeId, Locator> = BTreeMap::new();
        for (_, mapping) in self.all_mappings() {
            let home = match mapping.home {
                Home::Host(home) => home,
                Home::Nowhere | Home::Leaving => continue,
            };
            let named = of.is_none_or(|of| of.contains(&home));
            if named || self.table.placements().get(mapping.node).is_some() {
                nodes.entry(mapping.node).or_insert(home);
            } else {
                *others.entry(home).or_default() += 1;
            }
        }
        for (at, host) in self.table.hosts() {
            let (epoch, seen) = self.table.epoch(at);
            let alive = seen > 0 && !epoch.is_over(epoch.current) && !self.is_suspect(at);
            let host = placement::Host {
                capacity: host.capacity,
                cost: host.cost,
                draining: host.draining,
                alive,
                others: others.get(&at).copied().unwrap_or(0),
                load: self.table.load(at).map(|(load, _)| load.load()),
            };
            world.host(at, host);
        }
        let mut failed: BTreeMap<NodeId, BTreeSet<Locator>> = BTreeMap::new();
        for (_, it, _) in self.table.moves().iter() {
            if it.state == State::Aborted {
                failed.entry(it.node).or_default().insert(it.to.host);
            }
        }
        for (node, home) in nodes {
            let said = self.table.placements().get(node).map(|(it, _)| it.clone());
            let said = said.unwrap_or_default();
            let record = placement::Node {
                at: Some(home),
                size: said.size,
                pin: said.pin,
                group: said.group,
                moving: self.table.moves().of_node(node).is_some(),
                failed: failed.remove(&node).unwrap_or_default(),
                balance: said.balance,
            };
            world.node(node, record);
        }
        world
    }

    /// What may be begun now.
    fn room(&self) -> Room {
        let limits = self.config.emptying;
        let mut room = Room {
            each: limits.each,
            left: limits.all,
            rescues: limits.rescues,
            per_host: BTreeMap::new(),
        };
        for (_, it, _) in self.table.moves().under_way() {
            if !matches!(it.state, State::Active) {
                room.take(it.from.host, it.reason);
            }
        }
        room
    }

    /// What would go where. Nothing is moved.
    #[must_use]
    pub fn plan_moves(&self, plan: Plan) -> Vec<Choice> {
        match plan {
            Plan::Drain(host) => self.world(Some(&BTreeSet::from([host]))).drain(host),
            Plan::Balance(moves) => self.world(None).balance(moves),
            Plan::Consolidate(moves) => self.world(None).consolidate(moves),
        }
    }
}

/// What a plan is to come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// The host is empty.
    Drain(Locator),
    /// Hosts are as full as each other, by at most so many moves.
    Balance(usize),
    /// Fewer hosts have nodes, by at most so many moves.
    Consolidate(usize),
}

/// How many moves may begin.
pub(super) struct Room {
    each: usize,
    left: usize,
    rescues: usize,
    per_host: BTreeMap<Locator, usize>,
}

impl Room {
    /// Takes the place of a move from a host, if there is one.
    pub(super) fn take(&mut self, host: Locator, reason: Reason) -> bool {
        if reason == Reason::Failure {
            let some = self.rescues > 0;
            self.rescues = self.rescues.saturating_sub(1);
            return some;
        }
        let of_host = self.per_host.entry(host).or_default();
        if self.left == 0 || *of_host >= self.each {
            return false;
        }
        *of_host += 1;
        self.left -= 1;
        true
    }
}
