// SPDX-License-Identifier: GPL-2.0

//! On which host a node is to be: the choice, and plans of many (`MV6`).
//!
//! A host that a node must not be on is refused for one named reason. Of those left the best is
//! the nearest to where the node was, then the cheapest, then the emptiest, then the one with the
//! lowest locator, so that the same world always gives the same choice; those that the node would
//! load beyond their measure come last. A plan is a list of choices, each made in the world that
//! the ones before it lead to. Nothing here is carried out.

mod fill;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ovnet_engine::{Locator, Topology};

use super::load::Load;
use super::NodeId;
pub use fill::{Fill, Measure};

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
    /// How busy it is, if that is known.
    pub load: Option<Load>,
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
    /// It may be moved for no other reason than that its host is too full.
    pub balance: bool,
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
    /// What the move is good for, if it is to even hosts out.
    pub relief: Option<Relief>,
}

/// How full the host is that a node is to leave, and how full the other one will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relief {
    /// The one that it leaves, before.
    pub from: Fill,
    /// The one that it goes to, after.
    pub to: Fill,
}

impl fmt::Display for Relief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} where it is, {} there with it", self.from, self.to)
    }
}

/// When hosts are evened out without anybody's asking for each move.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    /// Only hosts that are fuller than so many thousandths are relieved.
    pub above: u32,
    /// The other host stays by so many thousandths less full than the first one was.
    pub margin: u32,
    /// Nothing leaves these hosts or goes to them.
    pub resting: BTreeSet<Locator>,
    /// These nodes stay.
    pub settled: BTreeSet<NodeId>,
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

    /// Puts a node elsewhere. It takes along its share of the load.
    pub fn put(&mut self, id: NodeId, to: Locator) {
        if let Some(mut node) = self.nodes.remove(&id) {
            let share = self.share(&node);
            for (at, change) in [
                (node.at, Load::without as fn(Load, Load) -> Load),
                (Some(to), Load::with),
            ] {
                if let Some(host) = at.and_then(|at| self.hosts.get_mut(&at)) {
                    host.load = host.load.map(|load| change(load, share));
                }
            }
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

    /// What a node has to do with the load of its host: as much as its size of all sizes there.
    /// Nothing better is known, and hosts are taken to be as strong as each other.
    fn share(&self, node: &Node) -> Load {
        let load = node
            .at
            .and_then(|at| Some((self.hosts.get(&at)?.load?, self.used(at))));
        load.map_or_else(Load::default, |(load, all)| load.share(node.size, all))
    }

    /// How full a host is.
    fn fill(&self, at: Locator) -> Fill {
        let host = self.hosts.get(&at);
        let (capacity, load) = host.map_or((0, None), |host| (host.capacity, host.load));
        Fill::new(capacity, self.used(at), load)
    }

    /// How full it is with a node that is elsewhere.
    fn fill_with(&self, at: Locator, node: &Node) -> Fill {
        let host = self.hosts.get(&at);
        let (capacity, load) = host.map_or((0, None), |host| (host.capacity, host.load));
        let load = load.map(|load| load.with(self.share(node)));
        Fill::new(capacity, self.used(at).saturating_add(node.size), load)
    }

    /// How full it is without a node that is there.
    fn fill_without(&self, at: Locator, node: &Node) -> Fill {
        let host = self.hosts.get(&at);
        let (capacity, load) = host.map_or((0, None), |host| (host.capacity, host.load));
        let load = load.map(|load| load.without(self.share(node)));
        Fill::new(capacity, self.used(at).saturating_sub(node.size), load)
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
            relief: None,
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
            let fill = self.fill_with(at, node);
            let rank = (fill.is_over(), far, host.cost, fill.rank(), at);
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

    /// Evens out how full the hosts are, by at most so many moves: from the fullest that can be
    /// relieved to wherever a node leaves both less full than the first one was.
    #[must_use]
    pub fn balance(&self, moves: usize) -> Vec<Choice> {
        let mut world = self.clone();
        let mut plan = Vec::new();
        while plan.len() < moves {
            let fullest = world.fullest();
            let choice = |from: Locator| world.relieve(from, 0, |_, _| true, |_| true);
            let Some(choice) = fullest.into_iter().find_map(choice) else {
                break;
            };
            if let Some(to) = choice.to {
                world.put(choice.node, to);
            }
            plan.push(choice);
        }
        plan
    }

    /// Relieves each host that is too full by one node that may be moved for that. What is not
    /// measured, in loads or by a capacity, is neither a reason nor a place to go to.
    #[must_use]
    pub fn relief(&self, bounds: &Bounds) -> Vec<Choice> {
        let mut world = self.clone();
        let mut resting = bounds.resting.clone();
        let mut plan = Vec::new();
        for from in self.fullest() {
            let fill = world.fill(from);
            let full = fill.is_measured() && fill.thousandths > u64::from(bounds.above);
            if !full || resting.contains(&from) {
                continue;
            }
            let may = |id, node: &Node| node.balance && !bounds.settled.contains(&id);
            let open = |at| !resting.contains(&at) && world.fill(at).is_measured();
            let Some(choice) = world.relieve(from, bounds.margin, may, open) else {
                continue;
            };
            if let Some(to) = choice.to {
                world.put(choice.node, to);
                resting.extend([from, to]);
            }
            plan.push(choice);
        }
        plan
    }

    /// The hosts that nodes may leave to even them out, the fullest first.
    fn fullest(&self) -> Vec<Locator> {
        let usable = self
            .hosts
            .iter()
            .filter(|(_, host)| host.alive && !host.draining);
        let mut order: Vec<_> = usable
            .map(|(at, _)| (std::cmp::Reverse(self.fill(*at).thousandths), *at))
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(_, at)| at).collect()
    }

    /// The node of a host, of those that may go, and the place for it, of those that are open,
    /// which together leave the fuller of both hosts the least full.
    fn relieve(
        &self,
        from: Locator,
        margin: u32,
        may: impl Fn(NodeId, &Node) -> bool,
        open: impl Fn(Locator) -> bool,
    ) -> Option<Choice> {
        let before = self.fill(from);
        let mut best = None;
        for id in self.residents(from) {
            let node = &self.nodes[&id];
            let left = self.fill_without(from, node).thousandths;
            if node.moving || !may(id, node) || left >= before.thousandths {
                continue;
            }
            for (&at, host) in &self.hosts {
                if self.refuses(at, host, node).is_some() || !open(at) {
                    continue;
                }
                let there = self.fill_with(at, node).thousandths;
                let rank = (left.max(there), there, distance(from, at), id, at);
                if there < before.thousandths
                    && there + u64::from(margin) <= before.thousandths
                    && best.is_none_or(|best| rank < best)
                {
                    best = Some(rank);
                }
            }
        }
        let (.., node, to) = best?;
        Some(Choice {
            node,
            from: Some(from),
            to: Some(to),
            refused: Vec::new(),
            relief: Some(Relief {
                from: before,
                to: self.fill_with(to, &self.nodes[&node]),
            }),
        })
    }

    /// Empties as many hosts as can be emptied wholly, the emptiest and most expensive first, onto
    /// hosts that have nodes already and are not loaded beyond their measure by that; by at most so
    /// many moves.
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
            let fits = |to| !tried.fill(to).is_over();
            let all = choices.iter().all(|choice| choice.to.is_some_and(fits));
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
