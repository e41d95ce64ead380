// SPDX-License-Identifier: GPL-2.0

//! What a move of a node asks of the kernel beside mappings: that a port pauses or goes on, and what is to be
//! known of a node before it leaves.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::AsFd;

use ovnet_engine::Locator;
use ovnet_uapi::{MappingSet, MappingState, NetnsIds, PortSet, PortState};

use super::executor::Task;
use super::kernel::{all, remote, Kernel, News};
use super::ports::Managed;
use crate::core::agent::executor::{Errand, Role};
use crate::core::agent::kernel::Event as Told;
use crate::core::agent::Input;
use crate::core::moves::MoveId;
use crate::core::{Key, NodeId};

/// Where `ip netns` keeps its names.
const NAMESPACES: &str = "/run/netns";

impl Kernel {
    /// The node pauses: what arrives for it is sent on from now on.
    pub(super) fn freeze(&mut self, keys: &[Key], node: NodeId, to: Locator) {
        for port in self.ports.having(keys) {
            if port.node != node {
                continue;
            }
            let frozen = PortSet {
                state: Some(PortState::Frozen),
                locator: Some(to),
                ..PortSet::new(port.device.device(), port.key.vni, port.key.address)
            };
            let result = self.client.port_set(&frozen);
            if result.is_ok() {
                tracing::info!(key = %port.key, %node, %to, "the node's port is frozen");
                self.ports.set_state(port.device, PortState::Frozen, true);
                let own = port.keys().filter(|key| keys.contains(key));
                self.told(own.map(Told::Frozen).collect());
            }
            self.done("freeze a port", result);
        }
    }

    /// The node stays, and goes on.
    pub(super) fn thaw(&mut self, keys: &[Key]) {
        for port in self.ports.having(keys) {
            let device = port.device.device();
            let frozen = match self.client.port_get(device) {
                Ok(now) => now.state == Some(PortState::Frozen) && now.locator.is_some(),
                Err(_) => false,
            };
            if !frozen {
                continue;
            }
            let active = PortSet {
                state: Some(PortState::Active),
                ..PortSet::new(device, port.key.vni, port.key.address)
            };
            let result = self.client.port_set(&active);
            if result.is_ok() {
                tracing::info!(key = %port.key, node = %port.node, "the node stays");
                self.ports.set_state(port.device, PortState::Active, false);
            }
            self.done("thaw a port", result);
        }
    }

    /// The node does not come: what waits at its ports goes where it is.
    pub(super) fn give_back(&mut self, keys: &[Key], to: Locator) {
        for port in self.ports.having(keys) {
            let device = port.device.device();
            let now = self.client.port_get(device);
            if !now.is_ok_and(|now| now.state == Some(PortState::Standby)) {
                continue;
            }
            for key in port.keys() {
                // What waits must not be lost because nobody here ever asked where the node is.
                let known = self.client.mapping_get(key.vni, key.address);
                if !known.is_ok_and(|known| known.locator.is_some()) {
                    let there = MappingSet::remote(key.vni, key.address, to);
                    let result = self.client.mapping_set(&there);
                    self.done("set a mapping", result);
                }
            }
            let result = self.client.port_del(device);
            if result.is_ok() {
                tracing::info!(key = %port.key, node = %port.node, "the node does not come");
                let gone: Vec<_> = port.keys().collect();
                for key in &gone {
                    self.ports.gone(*key);
                }
                self.told(gone.into_iter().map(Told::PortDown).collect());
            }
            self.done("give a port up", result);
        }
    }

    /// Names the nodes of its network that a node here is likely to talk to: those whose mappings were used
    /// last, then the others that this host has.
    pub(super) fn list_peers(&mut self, id: MoveId, keys: &[Key]) {
        let Some(vni) = keys.first().map(|key| key.vni) else {
            return;
        };
        let mappings = all(&mut self.client, |client| {
            Ok(client.mappings(Some(vni))?.collect())
        });
        match mappings {
            Ok(mappings) => {
                let peers = peers(&mappings, keys);
                self.tell(News::Input(Input::Peers(id, peers)));
            }
            Err(error) => tracing::warn!(%error, "the mappings cannot be read"),
        }
    }

    /// Has the program run, now that all is set that was to be set before.
    pub(super) fn describe(&mut self, errand: Errand) {
        if errand.role != Role::Source {
            for vni in errand
                .keys
                .iter()
                .map(|key| key.vni)
                .collect::<BTreeSet<_>>()
            {
                self.need_network(vni);
            }
        }
        let ports = self.ports.having(&errand.keys);
        let port = ports.into_iter().find(|port| port.node == errand.node);
        let device = port.map(|port: Managed| {
            let namespace = port.device.netns_id().and_then(namespace);
            (port.ifname, namespace)
        });
        self.tell(News::Run(Task { errand, device }));
    }
}

/// The addresses in a network that are not a node's own and that a manager knows, those used last first.
fn peers(mappings: &[ovnet_uapi::Mapping], own: &[Key]) -> Vec<Key> {
    let mut found: Vec<_> = mappings
        .iter()
        .filter(|it| it.state == MappingState::Local || remote(it).is_some())
        .map(|it| (it.idle.is_none(), it.idle, Key::new(it.vni, it.address)))
        .filter(|(.., key)| !own.contains(key))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(.., key)| key).collect()
}

/// The name of the namespace with that id.
fn namespace(id: i32) -> Option<String> {
    let mut ids = NetnsIds::open().ok()?;
    let mut entries = std::fs::read_dir(NAMESPACES).ok()?.flatten();
    let found = entries.find(|entry| {
        let file = File::open(entry.path());
        file.is_ok_and(|file| ids.id(file.as_fd()).is_ok_and(|it| it == Some(id)))
    })?;
    Some(found.file_name().to_string_lossy().into_owned())
}
