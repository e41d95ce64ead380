// SPDX-License-Identifier: GPL-2.0

//! A model of a host's kernel module: its ports, its mappings, and the rule of generations.

use std::collections::{BTreeMap, BTreeSet};

use ovnet_engine::Locator;

use super::Packet;
use crate::core::agent::kernel::{Mapping, Operation, Place};
use crate::core::{Generation, Key, NodeId, Time};

/// A host's kernel.
#[derive(Debug, Default)]
pub(super) struct Kernel {
    pub(super) ports: BTreeMap<Key, NodeId>,
    /// Addresses that nodes here use besides those of their ports.
    pub(super) used: BTreeMap<Key, NodeId>,
    pub(super) mappings: BTreeMap<Key, Mapping>,
    /// Local addresses whose node pauses, and where what arrives is sent on to.
    pub(super) frozen: BTreeMap<Key, Locator>,
    /// What came for nodes whose ports stand by.
    pub(super) parked: BTreeMap<Key, Vec<Packet>>,
    /// The generations of mappings that were forgotten, while the agent lives that had it done.
    forgotten: BTreeMap<Key, Generation>,
    /// Operations that the rule of generations refused.
    pub(super) refused: u64,
    /// Until when the lease lasts, by the host's clock; none: it does not.
    pub(super) lease: Option<Time>,
    /// Nodes whose ports stop at its end.
    pub(super) guarded: BTreeSet<NodeId>,
    /// Those that are to, once there is a lease.
    pub(super) wanted: Option<(u32, BTreeSet<NodeId>)>,
    /// Addresses of ports that have stopped, whose mappings are local still.
    pub(super) stopped: BTreeSet<Key>,
}

/// So many packets are held for an address.
const PARKED: usize = 64;

/// What a packet finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Node(NodeId),
    Host(Locator),
    Forward(Locator),
    Nothing,
    Drop,
}

impl Kernel {
    /// Carries an operation out; an error is a rule that the agent broke.
    pub(super) fn operate(&mut self, operation: Operation) -> Result<(), String> {
        match operation {
            Operation::Set(key, mapping) => self.set(key, mapping),
            Operation::Forget(key) => {
                if let Some(mapping) = self.mappings.remove(&key) {
                    let floor = self.forgotten.entry(key).or_default();
                    *floor = (*floor).max(mapping.generation);
                }
                Ok(())
            }
        }
    }

    fn set(&mut self, key: Key, mapping: Mapping) -> Result<(), String> {
        if mapping.place == Place::Local && !self.ports.contains_key(&key) {
            let Some(node) = self.used.remove(&key) else {
                // The port is gone, and the agent will hear of it.
                self.refused += 1;
                return Ok(());
            };
            self.ports.insert(key, node);
        }
        if let Some(known) = self.mappings.get(&key) {
            let same = mapping.generation == known.generation;
            // Whether a frozen port comes back is for a greater generation to say, or for a thaw.
            let frozen = mapping.place == Place::Local && self.frozen.contains_key(&key);
            if mapping.generation < known.generation
                || same && (frozen || !is_alike(mapping.place, known.place))
            {
                self.refused += 1;
                return Ok(());
            }
        }
        let floor = self.forgotten.get(&key).copied().unwrap_or_default();
        if mapping.generation < floor && mapping.generation != Generation::NONE {
            return Err(format!(
                "{key} goes back from {floor} to {}",
                mapping.generation
            ));
        }
        self.frozen.remove(&key);
        let news = self
            .mappings
            .insert(key, mapping)
            .is_none_or(|known| known.generation < mapping.generation);
        if news {
            self.stopped.remove(&key);
        }
        self.check(key);
        Ok(())
    }

    /// A port under lease carries nothing without one.
    fn check(&mut self, key: Key) {
        let guarded = self
            .ports
            .get(&key)
            .is_some_and(|node| self.guarded.contains(node));
        if self.lease.is_none() && guarded && self.is_local(key) {
            self.stopped.insert(key);
        }
    }

    /// The lease has ended.
    pub(super) fn end_lease(&mut self) {
        self.lease = None;
        for key in self.locals() {
            self.check(key);
        }
    }

    pub(super) fn attach(&mut self, key: Key, node: NodeId) {
        self.ports.insert(key, node);
    }

    /// Detaches a node; whether it was reachable.
    pub(super) fn detach(&mut self, key: Key) -> bool {
        let reachable = self.is_local(key);
        self.ports.remove(&key);
        self.frozen.remove(&key);
        self.parked.remove(&key);
        self.stopped.remove(&key);
        if let Some(mapping) = self.mappings.get_mut(&key) {
            if mapping.place == Place::Local {
                mapping.place = Place::Pending;
            }
        }
        reachable
    }

    /// Freezes a node; which of its addresses are frozen.
    pub(super) fn freeze(&mut self, keys: &[Key], node: NodeId, to: Locator) -> Vec<Key> {
        let here = |key: &Key| self.is_local(*key) && self.ports.get(key) == Some(&node);
        let done: Vec<_> = keys.iter().copied().filter(here).collect();
        self.frozen.extend(done.iter().map(|key| (*key, to)));
        done
    }

    pub(super) fn thaw(&mut self, keys: &[Key]) {
        for key in keys {
            self.frozen.remove(key);
        }
    }

    /// Other nodes of the network that are known.
    pub(super) fn peers(&self, own: &[Key]) -> Vec<Key> {
        let vni = own.first().map(|key| key.vni);
        let others = self.mappings.iter().filter(|(key, mapping)| {
            Some(key.vni) == vni && !own.contains(key) && mapping.place != Place::Negative
        });
        others.map(|(key, _)| *key).collect()
    }

    /// The agent has died, and whoever comes next may know less.
    pub(super) fn agent_died(&mut self) {
        self.forgotten.clear();
    }

    pub(super) fn is_local(&self, key: Key) -> bool {
        self.mappings
            .get(&key)
            .is_some_and(|mapping| mapping.place == Place::Local && !self.stopped.contains(&key))
    }

    /// A node can be reached here under this address.
    pub(super) fn is_active(&self, key: Key) -> bool {
        self.is_local(key) && !self.frozen.contains_key(&key)
    }

    /// Holds a packet for a node whose port stands by; false if there is none, or too much.
    pub(super) fn park(&mut self, packet: Packet) -> bool {
        let key = packet.destination;
        if !self.ports.contains_key(&key) || self.is_local(key) {
            return false;
        }
        let parked = self.parked.entry(key).or_default();
        let room = parked.len() < PARKED;
        if room {
            parked.push(packet);
        }
        room
    }

    pub(super) fn locals(&self) -> BTreeSet<Key> {
        let local = |key: &&Key| self.is_local(**key);
        self.mappings.keys().filter(local).copied().collect()
    }

    pub(super) fn look_up(&self, key: Key) -> Found {
        match self.mappings.get(&key).map(|mapping| mapping.place) {
            None => Found::Nothing,
            Some(Place::Local) if self.stopped.contains(&key) => Found::Drop,
            Some(Place::Local) => match self.ports.get(&key) {
                Some(_) if self.frozen.contains_key(&key) => Found::Forward(self.frozen[&key]),
                Some(node) => Found::Node(*node),
                None => Found::Drop,
            },
            Some(Place::Remote(host)) => Found::Host(host),
            // What arrives waits for the node if its port stands by.
            Some(Place::Moved(host)) if self.ports.contains_key(&key) => Found::Host(host),
            Some(Place::Moved(host)) => Found::Forward(host),
            // What lies in other networks is not looked for here.
            Some(Place::Peer(..) | Place::Pending | Place::Negative) => Found::Drop,
        }
    }
}

/// Whether two places may have one generation: whether strays are forwarded is the host's own
/// affair.
fn is_alike(one: Place, other: Place) -> bool {
    let settled = |place| match place {
        Place::Moved(host) => Place::Remote(host),
        other => other,
    };
    settled(one) == settled(other)
}
