// SPDX-License-Identifier: GPL-2.0

//! On which host a node is to be: the choice, and plans of many (`MV6`).
//!
//! A host that a node must not be on is refused for one named reason. Of those left the best is
//! the nearest to where the node was, then the cheapest, then the emptiest, then the one with the
//! lowest locator, so that the same world always gives the same choice. A plan is a list of
//! choices, each made in the world that the ones before it lead to. Nothing here is carried out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ovnet_engine::{Locator, Topology};

use super::NodeId;

/// A host, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    /// The sizes of its nodes may add up to so much; 0: to anything.
    pub capacity: u32,
    /// What it costs compared to others.
    pub cost: u32,
    /// It is to be emptied.
    pub draining: bool,
    /// It is connected, and not suspected to be dead.
    pub alive: bool,
    /// What nodes on it take that are not in the [`World`].
    pub others: u32,
}

/// A node, as far as it matters here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// Where it is.
    pub at: Option<Locator>,
    /// What it takes of a host's capacity.
    pub size: u32,
    /// The one host that it may be on.
    pub pin: Option<Locator>,
    /// No two nodes of a group are to be on one host; empty: of none.
    pub group: String,
    /// It is being moved already.
    pub moving: bool,
    /// Hosts that it was to be moved to not long ago, which came to nothing.
    pub failed: BTreeSet<Locator>,
}

/// Why a node must not be on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// It is there.
    Same,
    /// It may only be on that other one.
    Pinned(Locator),
    /// The host is dead, or may be.
    Dead,
    /// The host is to be emptied.
    Draining,
    /// A move of the node there has come to nothing not long ago.
    Failed,
    /// That node of its group is there.
    Group(NodeId),
    /// The host is full: so much is free.
    Full(u32),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Same => f.write_str("the node is there"),
            Refusal::Pinned(host) => write!(f, "the node may be on host {host} only"),
            Refusal::Dead => f.write_str("the host is not connected"),
            Refusal::Draining => f.write_str("the host is to be emptied"),
            Refusal::Failed => f.write_str("the last move of the node there was aborted"),
            Refusal::Group(node) => write!(f, "node {node} of the same group is there"),
            Refusal::Full(free) => write!(f, "the host has room for {free} only"),
        }
    }
}

/// Where a node is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The node.
    pub node: NodeId,
    /// Where it is.
    pub from: Option<Locator>,
    /// The best host; none if there is none.
    pub to: Option<Locator>,
    /// Why it is none of these.
    pub refused: Vec<(Locator, Refusal)>,
}

/// All hosts and nodes.
#[derive(Clone, Debug, Default)]
pub struct World {
    hosts: BTreeMap<Locator, Host>,
    nodes: BTreeMap<NodeId, Node>,
    /// What follows from where nodes are: the sum of sizes, and who is where.
    used: BTreeMap<Locator, u32>,
    residents: BTreeMap<Locator, BTreeSet<NodeId>>,
}

/// How far apart two hosts are: 0 on one rack, then one more for another rack, area, locale,
/// layout, organisation.
#[must_use]
pub fn distance(one: Locator, other: Locator) -> u32 {
    if one.organisation() != other.organisation() {
        return 5;
    }
    match (one.topology(), other.topology()) {
        (
            Ok(Topology::Host {
                locale, area, rack, ..
            }),
            Ok(Topology::Host {
                locale: l,
                area: a,
                rack: r,
                ..
            }),
        ) => match () {
            () if locale != l => 3,
            () if area != a => 2,
            () => u32::from(rack != r),
        },
        (Ok(Topology::Rack { locale, rack }), Ok(Topology::Rack { locale: l, rack: r })) => {
            match () {
                () if locale != l => 3,
                () => u32::from(rack != r),
            }
        }
        _ => 4,
    }
}

impl World {
    /// Adds a host.
    pub fn host(&mut self, at: Locator, host: Host) {
        self.hosts.insert(at, host);
    }

    /// Adds a node.
    pub fn node(&mut self, id: NodeId, node: Node) {
        if let Some(at) = node.at {
            *self.used.entry(at).or_default() += node.size;
            self.residents.entry(at).or_default().insert(id);
        }
        self.nodes.insert(id, node);
    }

    /// Puts a node elsewhere.
    pub fn put(&mut self, id: NodeId, to: Locator) {
        if let Some(mut node) = self.nodes.remove(&id) {
            if let Some(at) = node.at.replace(to) {
                if let Some(used) = self.used.get_mut(&at) {
                    *used -= node.size;
                }
                if let Some(residents) = self.residents.get_mut(&at) {
                    residents.remove(&id);
                }
            }
            node.moving = true;
            self.node(id, node);
        }
    }

    fn used(&self, host: Locator) -> u32 {
        let others = self.hosts.get(&host).map_or(0, |host| host.others);
        others + self.used.get(&host).copied().unwrap_or(0)
    }

    fn residents(&self, host: Locator) -> impl Iterator<Item = NodeId> + '_ {
        self.residents.get(&host).into_iter().flatten().copied()
    }

    /// How full a host is, in thousandths; one that takes anything counts its nodes.
    fn fill(&self, at: Locator, more: u32) -> u64 {
        let used = u64::from(self.used(at)) + u64::from(more);
        match self.hosts.get(&at).map_or(0, |host| host.capacity) {
            0 => used,
            capacity => used * 1000 / u64::from(capacity),
        }
    }

    /// Why a node must not be on a host, if it must not.
    fn refuses(&self, at: Locator, host: &Host, node: &Node) -> Option<Refusal> {
        let of_group = |other: &NodeId| {
            let same = |other: &Node| other.group == node.group;
            !node.group.is_empty() && self.nodes.get(other).is_some_and(same)
        };
        let free = host.capacity.saturating_sub(self.used(at));
        match node.pin {
            _ if node.at == Some(at) => Some(Refusal::Same),
            Some(pin) if pin != at => Some(Refusal::Pinned(pin)),
            _ if !host.alive => Some(Refusal::Dead),
            _ if host.draining => Some(Refusal::Draining),
            _ if node.failed.contains(&at) => Some(Refusal::Failed),
            _ => match self.residents(at).find(of_group) {
                Some(other) => Some(Refusal::Group(other)),
                None if host.capacity > 0 && node.size > free => Some(Refusal::Full(free)),
                None => None,
            },
        }
    }

    /// Chooses another host for a node.
    #[must_use]
    pub fn choose(&self, id: NodeId) -> Choice {
        let mut choice = Choice {
            node: id,
            from: None,
            to: None,
            refused: Vec::new(),
        };
        let Some(node) = self.nodes.get(&id) else {
            return choice;
        };
        choice.from = node.at;
        let mut best = None;
        for (&at, host) in &self.hosts {
            if let Some(refusal) = self.refuses(at, host, node) {
                choice.refused.push((at, refusal));
                continue;
            }
            let far = node.at.map_or(0, |from| distance(from, at));
            let rank = (far, host.cost, self.fill(at, node.size), at);
            if best.is_none_or(|best| rank < best) {
                best = Some(rank);
            }
        }
        choice.to = best.map(|(.., at)| at);
        choice
    }

    /// Whether a node may be on that host, and why not.
    ///
    /// # Errors
    ///
    /// The reason.
    pub fn check(&self, id: NodeId, to: Locator) -> Result<(), Refusal> {
        let (Some(host), Some(node)) = (self.hosts.get(&to), self.nodes.get(&id)) else {
            return Err(Refusal::Dead);
        };
        self.refuses(to, host, node).map_or(Ok(()), Err)
    }

    /// Chooses hosts for all nodes of a host; larger ones first, since they fit in fewer places.
    /// Those that are being moved already, or have nowhere to go, stay where they are.
    #[must_use]
    pub fn drain(&self, from: Locator) -> Vec<Choice> {
        let mut world = self.clone();
        if let Some(host) = world.hosts.get_mut(&from) {
            host.draining = true;
        }
        let mut leaving: Vec<_> = world
            .residents(from)
            .filter(|id| !world.nodes[id].moving)
            .collect();
        leaving.sort_by_key(|id| (std::cmp::Reverse(world.nodes[id].size), *id));
        world.place(leaving)
    }

    /// Chooses for each in turn.
    fn place(&mut self, nodes: Vec<NodeId>) -> Vec<Choice> {
        let choose = |id| {
            let choice = self.choose(id);
            if let Some(to) = choice.to {
                self.put(id, to);
            }
            choice
        };
        nodes.into_iter().map(choose).collect()
    }

    /// Evens out how full the hosts are, by at most so many moves: from the fullest to wherever a
    /// node leaves both less full than the fullest was.
    #[must_use]
    pub fn balance(&self, moves: usize) -> Vec<Choice> {
        let mut world = self.clone();
        let mut plan = Vec::new();
        while plan.len() < moves {
            let Some(choice) = world.relieve() else {
                break;
            };
            if let Some(to) = choice.to {
                world.put(choice.node, to);
            }
            plan.push(choice);
        }
        plan
    }

    fn relieve(&self) -> Option<Choice> {
        let usable = |(_, host): &(&Locator, &Host)| host.alive && !host.draining;
        let (&fullest, _) = self
            .hosts
            .iter()
            .filter(usable)
            .max_by_key(|(at, _)| (self.fill(**at, 0), std::cmp::Reverse(**at)))?;
        let most = self.fill(fullest, 0);
        let mut best = None;
        for id in self.residents(fullest) {
            let node = &self.nodes[&id];
            if node.moving {
                continue;
            }
            for (&at, host) in &self.hosts {
                if self.refuses(at, host, node).is_none() {
                    let rank = (self.fill(at, node.size), distance(fullest, at), id, at);
                    if rank.0 < most && best.is_none_or(|best| rank < best) {
                        best = Some(rank);
                    }
                }
            }
        }
        let (.., id, at) = best?;
        Some(Choice {
            node: id,
            from: Some(fullest),
            to: Some(at),
            refused: Vec::new(),
        })
    }

    /// Empties as many hosts as can be emptied wholly, the emptiest and most expensive first, onto
    /// hosts that have nodes already; by at most so many moves.
    #[must_use]
    pub fn consolidate(&self, moves: usize) -> Vec<Choice> {
        let mut world = self.clone();
        let mut order: Vec<_> = world
            .hosts
            .iter()
            .filter(|(at, host)| host.alive && world.used(**at) > 0)
            .map(|(at, host)| (world.used(*at), std::cmp::Reverse(host.cost), *at))
            .collect();
        order.sort_unstable();
        let mut plan = Vec::new();
        let mut receivers = BTreeSet::new();
        for (.., from) in order {
            if receivers.contains(&from) {
                continue;
            }
            let mut tried = world.clone();
            for (at, host) in &mut tried.hosts {
                // One that is empty stays so.
                host.draining |= *at == from || world.used(*at) == 0;
            }
            let leaving: Vec<_> = tried.residents(from).collect();
            if leaving.iter().any(|id| tried.nodes[id].moving) {
                continue;
            }
            let choices = tried.place(leaving);
            let all = choices.iter().all(|choice| choice.to.is_some());
            if !all || plan.len() + choices.len() > moves {
                continue;
            }
            for choice in &choices {
                if let Some(to) = choice.to {
                    world.put(choice.node, to);
                    receivers.insert(to);
                }
            }
            plan.extend(choices);
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(locale: u8, area: u8, rack: u8, host: u8) -> Locator {
        let topology = Topology::Host {
            locale,
            area,
            rack,
            host,
        };
        Locator::new(0xfd00_000a, topology.encode().unwrap()).unwrap()
    }

    fn rack(host: u8) -> Locator {
        at(1, 1, 1, host)
    }

    fn host(capacity: u32) -> Host {
        Host {
            capacity,
            alive: true,
            ..Host::default()
        }
    }

    fn node(on: Locator, size: u32) -> Node {
        Node {
            at: Some(on),
            size,
            ..Node::default()
        }
    }

    fn world(hosts: &[(Locator, Host)], nodes: &[(u64, Node)]) -> World {
        let mut world = World::default();
        for (at, host) in hosts {
            world.host(*at, host.clone());
        }
        for (id, node) in nodes {
            world.node(NodeId(*id), node.clone());
        }
        world
    }

    fn moves(plan: &[Choice]) -> Vec<(u64, Option<Locator>)> {
        plan.iter().map(|it| (it.node.0, it.to)).collect()
    }

    #[test]
    fn the_nearest_is_chosen_then_the_cheapest_then_the_emptiest() {
        let (near, far) = (at(1, 1, 2, 1), at(1, 2, 1, 1));
        let mut hosts = vec![(rack(1), host(10)), (near, host(10)), (far, host(10))];
        let one = [(1, node(rack(1), 1))];
        assert_eq!(world(&hosts, &one).choose(NodeId(1)).to, Some(near));
        // One on the same rack is nearer, whatever it costs.
        hosts.push((
            rack(2),
            Host {
                cost: 9,
                ..host(10)
            },
        ));
        assert_eq!(world(&hosts, &one).choose(NodeId(1)).to, Some(rack(2)));
        hosts.push((
            rack(3),
            Host {
                cost: 8,
                ..host(10)
            },
        ));
        assert_eq!(world(&hosts, &one).choose(NodeId(1)).to, Some(rack(3)));
        // Of equals the emptier one, and of those the first.
        hosts.push((
            rack(4),
            Host {
                cost: 8,
                ..host(20)
            },
        ));
        let two = [(1, node(rack(1), 1)), (2, node(rack(3), 1))];
        assert_eq!(world(&hosts, &two).choose(NodeId(1)).to, Some(rack(4)));
        hosts.push((
            rack(5),
            Host {
                cost: 8,
                ..host(20)
            },
        ));
        assert_eq!(world(&hosts, &two).choose(NodeId(1)).to, Some(rack(4)));
    }

    #[test]
    fn every_other_host_is_refused_for_one_reason() {
        let hosts = [
            (rack(1), host(0)),
            (
                rack(2),
                Host {
                    alive: false,
                    ..host(0)
                },
            ),
            (
                rack(3),
                Host {
                    draining: true,
                    ..host(0)
                },
            ),
            (rack(4), host(0)),
            (
                rack(5),
                Host {
                    others: 1,
                    ..host(6)
                },
            ),
            (rack(6), host(0)),
        ];
        let grouped = |on, size| Node {
            group: "g".into(),
            ..node(on, size)
        };
        let nodes = [
            (
                1,
                Node {
                    failed: BTreeSet::from([rack(6)]),
                    ..grouped(rack(1), 3)
                },
            ),
            (2, grouped(rack(4), 1)),
            (3, node(rack(5), 3)),
        ];
        let choice = world(&hosts, &nodes).choose(NodeId(1));
        let refused = [
            (rack(1), Refusal::Same),
            (rack(2), Refusal::Dead),
            (rack(3), Refusal::Draining),
            (rack(4), Refusal::Group(NodeId(2))),
            (rack(5), Refusal::Full(2)),
            (rack(6), Refusal::Failed),
        ];
        assert_eq!((choice.to, &choice.refused[..]), (None, &refused[..]));
        let mut pinned = nodes.clone();
        pinned[0].1.pin = Some(rack(5));
        pinned[0].1.size = 2;
        let world = world(&hosts, &pinned);
        let choice = world.choose(NodeId(1));
        assert_eq!(choice.to, Some(rack(5)));
        assert_eq!(choice.refused[1], (rack(2), Refusal::Pinned(rack(5))));
        assert_eq!(world.check(NodeId(1), rack(5)), Ok(()));
        assert_eq!(
            world.check(NodeId(1), rack(4)),
            Err(Refusal::Pinned(rack(5)))
        );
        assert_eq!(world.check(NodeId(9), rack(4)), Err(Refusal::Dead));
    }

    #[test]
    fn a_drain_fills_others_as_far_as_they_have_room() {
        let hosts = [(rack(1), host(0)), (rack(2), host(4)), (rack(3), host(3))];
        let nodes = [
            (1, node(rack(1), 1)),
            (2, node(rack(1), 3)),
            (3, node(rack(1), 3)),
            (4, node(rack(1), 3)),
            (
                5,
                Node {
                    moving: true,
                    ..node(rack(1), 1)
                },
            ),
        ];
        let plan = world(&hosts, &nodes).drain(rack(1));
        assert_eq!(
            moves(&plan),
            [
                (2, Some(rack(2))),
                (3, Some(rack(3))),
                (4, None),
                (1, Some(rack(2)))
            ]
        );
        let full = [
            (rack(1), Refusal::Same),
            (rack(2), Refusal::Full(1)),
            (rack(3), Refusal::Full(0)),
        ];
        assert_eq!(plan[2].refused, full);
        // No two of a group come together by the drain.
        let group = |id: u64| {
            let group = "g".to_owned();
            (
                id,
                Node {
                    group,
                    ..node(rack(1), 1)
                },
            )
        };
        let plan = world(&hosts, &[group(1), group(2), group(3)]).drain(rack(1));
        assert_eq!(
            moves(&plan),
            [(1, Some(rack(2))), (2, Some(rack(3))), (3, None)]
        );
    }

    #[test]
    fn balancing_ends_and_makes_no_host_fuller_than_the_fullest_was() {
        let hosts = [
            (rack(1), host(10)),
            (rack(2), host(10)),
            (rack(3), host(10)),
        ];
        let nodes: Vec<_> = (0..9).map(|id| (id, node(rack(1), 1))).collect();
        let world_before = world(&hosts, &nodes);
        let plan = world_before.balance(100);
        assert_eq!(plan.len(), 6);
        let to = |at| plan.iter().filter(|it| it.to == Some(at)).count();
        assert_eq!((to(rack(2)), to(rack(3))), (3, 3));
        assert_eq!(world_before.balance(2).len(), 2);
        // A node that would only make another host the fullest stays.
        let big = [(1, node(rack(1), 8)), (2, node(rack(2), 1))];
        assert_eq!(world(&hosts[..2], &big).balance(100), []);
    }

    #[test]
    fn consolidation_empties_whole_hosts_or_leaves_them() {
        let hosts = [
            (rack(1), host(4)),
            (rack(2), host(4)),
            (rack(3), host(4)),
            (rack(4), host(4)),
        ];
        let nodes = [
            (1, node(rack(1), 3)),
            (2, node(rack(2), 2)),
            (3, node(rack(3), 1)),
        ];
        // The emptiest goes to one that is not; nothing goes to the empty one.
        let plan = world(&hosts, &nodes).consolidate(100);
        assert_eq!(moves(&plan), [(3, Some(rack(2)))]);
        assert_eq!(world(&hosts, &nodes).consolidate(0), []);
        let two = [
            (1, node(rack(1), 3)),
            (2, node(rack(2), 1)),
            (3, node(rack(2), 1)),
        ];
        // One of the two would have to stay.
        assert_eq!(world(&hosts, &two).consolidate(100), []);
    }

    #[test]
    fn hosts_are_as_far_apart_as_their_topology_says() {
        let here = at(1, 1, 1, 1);
        let rack = |locale, rack| {
            let topology = Topology::Rack { locale, rack };
            Locator::new(0xfd00_000a, topology.encode().unwrap()).unwrap()
        };
        for (other, apart) in [
            (at(1, 1, 1, 2), 0),
            (at(1, 1, 2, 1), 1),
            (at(1, 2, 1, 1), 2),
            (at(2, 1, 1, 1), 3),
            (rack(1, 1), 4),
            (Locator::new(0xfd00_000b, here.bits() as u32).unwrap(), 5),
        ] {
            assert_eq!(distance(here, other), apart, "{other}");
            assert_eq!(distance(other, here), apart, "{other}");
        }
        assert_eq!(distance(rack(1, 1), rack(1, 1)), 0);
        assert_eq!(distance(rack(1, 1), rack(1, 2)), 1);
        assert_eq!(distance(rack(1, 1), rack(2, 1)), 3);
    }
}
