// SPDX-License-Identifier: GPL-2.0

//! The nodes that are attached here, as the kernel's ports tell: what has come and gone since it was looked
//! at last.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use ovnet_engine::{Mac, Vni};
use ovnet_uapi::{Device, Port, PortState, Source};

use crate::core::agent::kernel::Event;
use crate::core::{Key, NodeId};

/// A device, by its index and the id of the namespace it lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct DeviceId {
    ifindex: u32,
    netns_id: Option<i32>,
}

impl DeviceId {
    /// The id of its namespace, if that is not the agent's own.
    pub(super) fn netns_id(self) -> Option<i32> {
        self.netns_id
    }

    /// As requests name it.
    pub(super) fn device(self) -> Device<'static> {
        Device {
            netns_id: self.netns_id,
            ..Device::here(self.ifindex)
        }
    }
}

/// A port with a node id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Managed {
    pub(super) device: DeviceId,
    pub(super) ifname: String,
    pub(super) node: NodeId,
    /// The address that is the port's own.
    pub(super) key: Key,
    pub(super) mac: Option<Mac>,
    pub(super) state: PortState,
    /// Frozen for a move: what arrives is sent on.
    pub(super) forwards: bool,
    /// Whether it reports new addresses.
    pub(super) learns: bool,
    /// Whether it stops at the end of the host's lease.
    pub(super) leased: bool,
    pub(super) sources: Vec<Source>,
}

impl Managed {
    /// The managed port that this is, if so.
    fn of(port: Port) -> Option<Managed> {
        Some(Managed {
            device: DeviceId {
                ifindex: port.ifindex,
                netns_id: port.netns_id,
            },
            ifname: port.ifname,
            node: NodeId(port.node?),
            key: Key::new(port.vni?, port.address?),
            mac: port.mac,
            state: port.state?,
            forwards: port.locator.is_some(),
            learns: port.source_check == Some(ovnet_uapi::SourceCheck::Learn),
            leased: port.lease,
            sources: port.sources,
        })
    }

    /// The port's own address and the further ones of its node. Prefixes behind it are none.
    pub(super) fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        let further = self.sources.iter().filter(|source| source.prefix_len == 32);
        let further = further.map(|source| Key::new(self.key.vni, source.address));
        std::iter::once(self.key).chain(further)
    }

    /// Whether its node is here, or about to be, or has paused to move.
    fn has_node(&self) -> bool {
        self.is_attached() || self.state == PortState::Frozen && self.forwards
    }

    /// Whether its node is here, or about to be. The one of a port that the end of the lease has stopped
    /// may be.
    pub(super) fn is_attached(&self) -> bool {
        matches!(
            self.state,
            PortState::Active | PortState::Standby | PortState::Fenced
        )
    }
}

/// An attached node, by one of its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Attached {
    device: DeviceId,
    node: NodeId,
    /// It was made reachable.
    active: bool,
}

/// The managed ports of the host.
#[derive(Debug, Default)]
pub(super) struct Ports {
    ports: BTreeMap<DeviceId, Managed>,
    /// What the agent was told is attached.
    attached: BTreeMap<Key, Attached>,
    /// Whose the addresses are that were reported as new.
    learning: BTreeMap<Key, DeviceId>,
}

impl Ports {
    /// Takes a look at all ports; what has changed.
    pub(super) fn look(&mut self, ports: impl Iterator<Item = Port>) -> Vec<Event> {
        let ports = ports
            .filter_map(Managed::of)
            .map(|port| (port.device, port));
        self.ports = ports.collect();
        let mut now = BTreeMap::new();
        for port in self.ports.values() {
            for key in port.keys() {
                let known = self.attached.get(&key);
                let known = known.filter(|it| it.device == port.device && it.node == port.node);
                // A node that is said to be elsewhere, or pauses, is not one that comes.
                if port.has_node() || known.is_some() {
                    let was = known.is_some_and(|it| it.active);
                    let active = match port.state {
                        PortState::Active => true,
                        PortState::Standby => false,
                        _ => was || port.has_node(),
                    };
                    now.insert(
                        key,
                        Attached {
                            device: port.device,
                            node: port.node,
                            active,
                        },
                    );
                }
            }
        }
        let mut events = Vec::new();
        // A port that stands by again is another one than the one that was made active.
        let same = |old: &Attached, new: &Attached| {
            old.device == new.device && old.node == new.node && (new.active || !old.active)
        };
        for (key, old) in &self.attached {
            if !now.get(key).is_some_and(|new| same(old, new)) {
                events.push(Event::PortDown(*key));
            }
        }
        for (key, new) in &now {
            if !self.attached.get(key).is_some_and(|old| same(old, new)) {
                let node = new.node;
                events.push(Event::PortUp { key: *key, node });
            }
        }
        self.attached = now;
        let devices = &self.ports;
        self.learning
            .retain(|_, device| devices.contains_key(device));
        events
    }

    /// All managed ports.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Managed> {
        self.ports.values()
    }

    /// A port was put under lease, or is under none any more.
    pub(super) fn leased(&mut self, device: DeviceId, leased: bool) {
        if let Some(port) = self.ports.get_mut(&device) {
            port.leased = leased;
        }
    }

    /// What is attached, as [`crate::core::agent::Inherited::ports`] wants it.
    pub(super) fn attached(&self) -> Vec<(Key, NodeId)> {
        self.attached
            .iter()
            .map(|(key, it)| (*key, it.node))
            .collect()
    }

    /// How many addresses are attached.
    pub(super) fn len(&self) -> usize {
        self.attached.len()
    }

    /// The ports that have one of these addresses.
    pub(super) fn having(&self, keys: &[Key]) -> Vec<Managed> {
        let has = |port: &&Managed| port.keys().any(|key| keys.contains(&key));
        self.ports.values().filter(has).cloned().collect()
    }

    /// The attached addresses whose node has paused to move.
    pub(super) fn frozen(&self) -> Vec<Key> {
        let frozen = |port: &&Managed| port.state == PortState::Frozen && port.forwards;
        self.ports
            .values()
            .filter(frozen)
            .flat_map(Managed::keys)
            .collect()
    }

    /// A port was put into a state.
    pub(super) fn set_state(&mut self, device: DeviceId, state: PortState, forwards: bool) {
        if let Some(port) = self.ports.get_mut(&device) {
            (port.state, port.forwards) = (state, forwards);
        }
    }

    /// Whether an address is attached, and whether it was made reachable.
    pub(super) fn find(&self, key: Key) -> Option<(&Managed, bool)> {
        let attached = self.attached.get(&key)?;
        Some((self.ports.get(&attached.device)?, attached.active))
    }

    /// The port of an event: devices of two namespaces may share index and name.
    pub(super) fn of_event(
        &self,
        (ifindex, ifname): (u32, &str),
        vni: Vni,
        mac: Option<Mac>,
    ) -> Option<&Managed> {
        let same = |port: &&Managed| {
            port.device.ifindex == ifindex && port.ifname == ifname && port.key.vni == vni
        };
        let mut candidates = self.ports.values().filter(same);
        match (candidates.next(), candidates.next()) {
            (Some(one), None) => Some(one),
            (Some(_), Some(_)) => self
                .ports
                .values()
                .filter(same)
                .find(|port| port.mac == mac),
            (None, _) => None,
        }
    }

    /// A node was made reachable.
    pub(super) fn activated(&mut self, key: Key) {
        if let Some(attached) = self.attached.get_mut(&key) {
            attached.active = true;
        }
    }

    /// A node has got another MAC.
    pub(super) fn renamed(&mut self, device: DeviceId, mac: Mac) {
        if let Some(port) = self.ports.get_mut(&device) {
            port.mac = Some(mac);
        }
    }

    /// A port's own address and its further ones are these now.
    pub(super) fn keeps(&mut self, device: DeviceId, key: Key, sources: Vec<Source>) {
        if let Some(port) = self.ports.get_mut(&device) {
            (port.key, port.sources) = (key, sources);
        }
    }

    /// A node is to be taken for gone, though its port is there still.
    pub(super) fn gone(&mut self, key: Key) {
        self.attached.remove(&key);
    }

    /// A node uses that address and asks for it.
    pub(super) fn learn(&mut self, address: Key, device: DeviceId) {
        self.learning.insert(address, device);
    }

    /// The port whose node asked for an address, if it did; asked once.
    pub(super) fn learned(&mut self, address: Key) -> Option<&Managed> {
        let device = self.learning.remove(&address)?;
        self.ports.get(&device)
    }

    /// An address was given to a port's node.
    pub(super) fn given(&mut self, key: Key, device: DeviceId) {
        if let Some(port) = self.ports.get_mut(&device) {
            port.sources.push(Source::new(key.address, 32));
            let node = port.node;
            self.attached.insert(
                key,
                Attached {
                    device,
                    node,
                    active: true,
                },
            );
        }
    }
}

/// The sources of a port without an address.
pub(super) fn without(sources: &[Source], address: Ipv4Addr) -> Vec<Source> {
    let other = |source: &&Source| source.address != address || source.prefix_len != 32;
    sources.iter().filter(other).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> Key {
        Key::new(Vni::new(7).unwrap(), Ipv4Addr::new(10, 0, 0, n))
    }

    fn port(ifindex: u32, n: u8, node: Option<u64>, state: PortState) -> Port {
        Port {
            ifindex,
            netns_id: Some(1),
            ifname: "v0".into(),
            vni: Some(key(n).vni),
            address: Some(key(n).address),
            mac: Some(Mac::of(key(n).address)),
            gen: None,
            state: Some(state),
            locator: None,
            source_check: None,
            slot: None,
            sources: vec![],
            parked: None,
            idle: None,
            node,
            lease: false,
        }
    }

    fn up(n: u8, node: u64) -> Event {
        Event::PortUp {
            key: key(n),
            node: NodeId(node),
        }
    }

    #[test]
    fn ports_with_a_node_come_and_go_and_others_are_nobodys_business() {
        let mut ports = Ports::default();
        let standby = || port(5, 2, Some(0xaa), PortState::Standby);
        let plain = || port(6, 3, None, PortState::Active);
        assert_eq!(ports.look([standby(), plain()].into_iter()), [up(2, 0xaa)]);
        assert_eq!(ports.look([standby(), plain()].into_iter()), []);
        assert_eq!(ports.look([plain()].into_iter()), [Event::PortDown(key(2))]);
    }

    #[test]
    fn a_port_that_was_set_anew_goes_and_comes() {
        let mut ports = Ports::default();
        let at = |ifindex, node, state| [port(ifindex, 2, Some(node), state)].into_iter();
        ports.look(at(5, 0xaa, PortState::Standby));
        ports.activated(key(2));
        assert_eq!(ports.look(at(5, 0xaa, PortState::Active)), []);
        let again = [Event::PortDown(key(2)), up(2, 0xaa)];
        assert_eq!(ports.look(at(5, 0xaa, PortState::Standby)), again);
        assert_eq!(ports.look(at(6, 0xaa, PortState::Standby)), again);
        let other = [Event::PortDown(key(2)), up(2, 0xbb)];
        assert_eq!(ports.look(at(6, 0xbb, PortState::Standby)), other);
    }

    #[test]
    fn a_node_that_pauses_or_is_elsewhere_neither_comes_nor_goes() {
        let mut ports = Ports::default();
        let at = |state| [port(5, 2, Some(0xaa), state)].into_iter();
        assert_eq!(ports.look(at(PortState::Inactive)), []);
        assert_eq!(ports.look(at(PortState::Active)), [up(2, 0xaa)]);
        assert_eq!(ports.look(at(PortState::Inactive)), []);
        assert_eq!(ports.look(at(PortState::Frozen)), []);
        ports.gone(key(2));
        assert_eq!(ports.look(at(PortState::Frozen)), []);
    }

    #[test]
    fn further_addresses_are_the_nodes_and_prefixes_behind_it_are_not() {
        let mut ports = Ports::default();
        let mut more = port(5, 2, Some(0xaa), PortState::Active);
        more.sources = vec![
            Source::new(key(9).address, 32),
            Source::new(Ipv4Addr::new(10, 1, 0, 0), 24),
        ];
        let events = ports.look([more.clone()].into_iter());
        assert_eq!(events, [up(2, 0xaa), up(9, 0xaa)]);
        more.sources = without(&more.sources, key(9).address);
        assert_eq!(more.sources.len(), 1);
        assert_eq!(ports.look([more].into_iter()), [Event::PortDown(key(9))]);
    }

    #[test]
    fn an_event_is_about_the_port_of_its_device_and_mac() {
        let mut ports = Ports::default();
        let mut other = port(5, 3, Some(0xbb), PortState::Active);
        other.netns_id = Some(2);
        ports.look([port(5, 2, Some(0xaa), PortState::Active), other].into_iter());
        let vni = key(2).vni;
        let found = ports.of_event((5, "v0"), vni, Some(Mac::of(key(3).address)));
        assert_eq!(found.map(|port| port.key), Some(key(3)));
        assert!(ports.of_event((5, "v1"), vni, None).is_none());
    }

    #[test]
    fn a_learned_address_is_given_once() {
        let mut ports = Ports::default();
        ports.look([port(5, 2, Some(0xaa), PortState::Active)].into_iter());
        let device = ports.find(key(2)).unwrap().0.device;
        ports.learn(key(9), device);
        assert_eq!(ports.learned(key(9)).map(|port| port.key), Some(key(2)));
        assert!(ports.learned(key(9)).is_none());
        ports.given(key(9), device);
        assert!(ports.find(key(9)).is_some_and(|(_, active)| active));
        let mut known = port(5, 2, Some(0xaa), PortState::Active);
        known.sources = vec![Source::new(key(9).address, 32)];
        assert_eq!(ports.look([known].into_iter()), []);
    }
}
