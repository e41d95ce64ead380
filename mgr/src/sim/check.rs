// SPDX-License-Identifier: GPL-2.0

//! What must hold after a time of rest.

use std::collections::BTreeSet;

use ovnet_engine::{Locator, Vni};

use super::{at_of, home_of, Broken, World};
use crate::core::agent::kernel::Place;
use crate::core::Key;

impl World {
    pub(super) fn check_at_rest(&mut self) -> Result<(), Broken> {
        self.check_machines()?;
        self.check_bindings()?;
        self.check_moves()?;
        self.check_kernels()
    }

    fn check_machines(&self) -> Result<(), Broken> {
        for (i, manager) in self.managers.iter().enumerate() {
            let Some(shard) = &manager.shard else {
                return Err((None, format!("manager {i} does not run")));
            };
            let as_of = shard.as_of().map(|as_of| as_of.revision());
            if as_of != Some(self.store.revision()) {
                let now = self.store.revision();
                return Err((
                    None,
                    format!("manager {i} is at {as_of:?}, the store at {now}"),
                ));
            }
        }
        let leaders = self
            .managers
            .iter()
            .filter_map(|manager| manager.shard.as_ref());
        let leaders = leaders.filter(|shard| shard.is_leader()).count();
        if leaders != 1 {
            return Err((None, format!("{leaders} managers lead")));
        }
        for (i, host) in self.hosts.iter().enumerate() {
            if !host
                .agent
                .as_ref()
                .is_some_and(|agent| agent.is_connected())
            {
                return Err((None, format!("host {i} has no manager")));
            }
        }
        Ok(())
    }

    /// Every node that is provisioned to a host is reachable there, and bound nowhere else.
    fn check_bindings(&self) -> Result<(), Broken> {
        let mut reachable = 0;
        for (key, generation, mapping) in self.store.mappings() {
            let bound = at_of(&mapping);
            let fault = |what: &str| Err((Some(key), format!("{key} {what}: {mapping:?}")));
            let Some(home) = home_of(&mapping) else {
                if bound.is_some() || mapping.home == crate::core::record::Home::Leaving {
                    return fault("is not let go");
                }
                continue;
            };
            let host = self.by_locator[&home];
            let this = &self.hosts[host as usize];
            let right =
                |at: crate::core::record::At| at.host == home && at.epoch == this.epoch && !at.held;
            if !bound.is_some_and(right) {
                return fault("is not bound where it is provisioned to");
            }
            match this.kernel.mappings.get(&key) {
                Some(own) if own.place == Place::Local && own.generation == generation => {}
                own => return fault(&format!("of {generation} is not local but {own:?}")),
            }
            if this.kernel.ports.get(&key) != Some(&mapping.node) {
                return fault("is bound to another node");
            }
            if this.kernel.stopped.contains(&key) {
                return fault("has been stopped by the end of a lease");
            }
            if self.local.get(&key) != Some(&host) {
                return fault("is not active where it is bound");
            }
            reachable += 1;
        }
        if reachable != self.local.len() {
            return Err((
                None,
                format!("{} active addresses, {reachable} nodes", self.local.len()),
            ));
        }
        Ok(())
    }

    /// No move is under way, and no packet waits for a node that will not come.
    fn check_moves(&self) -> Result<(), Broken> {
        if let Some((id, it)) = self.store.moves().find(|(_, it)| !it.state.is_over()) {
            return Err((it.keys().next(), format!("move {id} is not over: {it:?}")));
        }
        if let Some((id, node)) = self.store.nodes().find(|(_, node)| node.moving.is_some()) {
            return Err((None, format!("node {id} is still moved: {node:?}")));
        }
        for (i, host) in self.hosts.iter().enumerate() {
            if let Some(key) = host.kernel.frozen.keys().next() {
                return Err((Some(*key), format!("host {i} still has {key} frozen")));
            }
            if let Some(key) = host.kernel.parked.keys().next() {
                return Err((
                    Some(*key),
                    format!("host {i} still holds packets for {key}"),
                ));
            }
        }
        Ok(())
    }

    /// No kernel has what is not so.
    fn check_kernels(&self) -> Result<(), Broken> {
        for (i, host) in self.hosts.iter().enumerate() {
            let networks: BTreeSet<_> = host.assigned.iter().map(|own| own.vni.get()).collect();
            for (&key, mapping) in &host.kernel.mappings {
                let stored = self.store.mapping(key);
                let in_peer = |at: Locator, vni: Vni| {
                    let there = self.store.mapping(Key::new(vni, key.address));
                    let bound = there.and_then(|(_, there)| at_of(&there));
                    stored.is_none()
                        && may_know(&networks, key)
                        && bound.is_some_and(|bound| bound.host == at && !bound.held)
                };
                let is_there = |at: Locator| {
                    stored.is_some_and(|(generation, stored)| {
                        generation == mapping.generation
                            && at_of(&stored).is_some_and(|bound| bound.host == at && !bound.held)
                    })
                };
                let right = match mapping.place {
                    Place::Local => is_there(host.locator),
                    Place::Remote(at) => is_there(at) && may_know(&networks, key),
                    Place::Peer(at, vni) => in_peer(at, vni),
                    Place::Moved(_) | Place::Pending | Place::Negative => false,
                };
                if !right {
                    let what = format!("host {i} has {key} as {mapping:?}, which is {stored:?}");
                    return Err((Some(key), what));
                }
            }
        }
        Ok(())
    }
}

/// As the networks of [`World::provision`] admit each other.
fn may_know(networks: &BTreeSet<u32>, key: Key) -> bool {
    let vni = key.vni.get();
    let peer = if vni % 2 == 1 { vni + 1 } else { vni - 1 };
    networks.contains(&vni) || networks.contains(&peer)
}
