// SPDX-License-Identifier: GPL-2.0

//! The copy of the store that a manager answers from.
//!
//! A million mappings are a normal load, so one takes 32 bytes beside its key: hosts, and hosts in an epoch, are
//! numbers here, and MACs that are not derived are kept apart, since few are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use ovnet_engine::{Locator, Mac, Vni};

use super::moves::Moves;
use super::pages::{self, Pages};
use super::placements::Placements;
use super::presence::Presence;
use super::subscribers::Subscribers;
use super::SessionId;
use crate::core::moves::MoveId;
use crate::core::record::{
    self, At, Epoch, Home, Host, HostLoad, Manager, Move, Name, Network, Organisation, Session,
    Term,
};
use crate::core::{Generation, Key, NodeId};
use crate::store::{self, Range, Revision};

/// The copy of the store that a manager answers from.
#[derive(Debug, Default)]
pub struct Table {
    mappings: Pages<Slot>,
    macs: BTreeMap<Key, Mac>,
    places: Places,
    networks: BTreeMap<Vni, (Network, Revision)>,
    /// Each network that is admitted, with each that admits it.
    admitted: BTreeSet<(Vni, Vni)>,
    hosts: BTreeMap<Locator, (Host, Revision)>,
    epochs: BTreeMap<Locator, (Epoch, Revision)>,
    organisations: BTreeMap<String, (Organisation, Revision)>,
    moves: Moves,
    managers: BTreeMap<u32, (Manager, Revision)>,
    loads: BTreeMap<Locator, (HostLoad, Revision)>,
    placements: Placements,
    sessions: BTreeMap<Locator, (Session, Revision)>,
    presence: Presence,
    /// Hosts that have nothing to do with a network any more, and were not told yet.
    left: Vec<(Locator, Vni)>,
    /// Where to look for a free address next.
    next_free: BTreeMap<Vni, u32>,
    term: (Term, Revision),
    leader: bool,
}

/// A mapping, as small as it can be.
#[derive(Clone, Debug)]
struct Slot {
    generation: Generation,
    node: NodeId,
    home: u32,
    at: u32,
    subscribers: Subscribers,
}

/// The least number of a network.
const FIRST: Vni = match Vni::new(1) {
    Some(vni) => vni,
    None => panic!("a network has the number 1"),
};
/// In place of a host's number.
const NOWHERE: u32 = u32::MAX;
/// In place of a home's number.
const LEAVING: u32 = u32::MAX - 1;
/// With the number of a seat: the binding was released and is held.
const HELD: u32 = 1 << 31;

/// Numbers of hosts, and of their seats: a host in one epoch.
#[derive(Debug, Default)]
struct Places {
    hosts: Vec<Locator>,
    host_numbers: BTreeMap<Locator, u32>,
    seats: Vec<(Locator, u32)>,
    seat_numbers: BTreeMap<(Locator, u32), u32>,
}

impl Places {
    fn home(&mut self, home: Home) -> u32 {
        match home {
            Home::Nowhere => NOWHERE,
            Home::Leaving => LEAVING,
            Home::Host(host) => *self.host_numbers.entry(host).or_insert_with(|| {
                self.hosts.push(host);
                self.hosts.len() as u32 - 1
            }),
        }
    }

    fn at(&mut self, at: Option<At>) -> u32 {
        let Some(at) = at else {
            return NOWHERE;
        };
        let seat = (at.host, at.epoch);
        let number = *self.seat_numbers.entry(seat).or_insert_with(|| {
            self.seats.push(seat);
            self.seats.len() as u32 - 1
        });
        number | if at.held { HELD } else { 0 }
    }

    fn home_of(&self, number: u32) -> Home {
        match number {
            LEAVING => Home::Leaving,
            _ => match self.hosts.get(number as usize) {
                Some(host) => Home::Host(*host),
                None => Home::Nowhere,
            },
        }
    }

    fn at_of(&self, number: u32) -> Option<At> {
        if number == NOWHERE {
            return None;
        }
        let (host, epoch) = *self.seats.get((number & !HELD) as usize)?;
        Some(At {
            host,
            epoch,
            held: number & HELD != 0,
        })
    }
}

impl Table {
    /// A mapping and its generation.
    #[must_use]
    pub fn mapping(&self, key: Key) -> Option<(Generation, record::Mapping)> {
        self.mappings
            .get(key)
            .map(|slot| (slot.generation, self.mapping_of(key, slot)))
    }

    fn mapping_of(&self, key: Key, slot: &Slot) -> record::Mapping {
        record::Mapping {
            term: slot.generation.term(),
            node: slot.node,
            home: self.places.home_of(slot.home),
            at: self.places.at_of(slot.at),
            mac: if self.macs.is_empty() {
                None
            } else {
                self.macs.get(&key).copied()
            },
        }
    }

    /// The mappings from a key on.
    pub(super) fn mappings_from(
        &self,
        from: Key,
    ) -> impl Iterator<Item = (Key, Generation, record::Mapping)> + '_ {
        let mapping =
            |(key, slot): (Key, &Slot)| (key, slot.generation, self.mapping_of(key, slot));
        self.mappings.range(from..=pages::LAST).map(mapping)
    }

    /// How many mappings there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.mappings.len()
    }

    /// Whether there is no mapping.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mappings.len() == 0
    }

    /// Replaces a mapping, keeping who wants to hear of it; returns what it was, and those. None if
    /// it is known already. A million are looked for in the tree once, not once for each question.
    pub(super) fn set_mapping(
        &mut self,
        key: Key,
        mapping: &record::Mapping,
        revision: Revision,
    ) -> Option<(Option<record::Mapping>, Vec<SessionId>)> {
        let generation = Generation::new(mapping.term, revision);
        let places = &mut self.places;
        let mut now = |subscribers| Slot {
            generation,
            node: mapping.node,
            home: places.home(mapping.home),
            at: places.at(mapping.at),
            subscribers,
        };
        let mut subscribers = Vec::new();
        let known = self
            .mappings
            .get_or_insert(key, || now(Subscribers::default()));
        let before = match known {
            (_, true) => None,
            (slot, false) if slot.generation == generation => return None,
            (slot, false) => {
                subscribers.extend(slot.subscribers.iter());
                let now = now(std::mem::take(&mut slot.subscribers));
                Some(std::mem::replace(slot, now))
            }
        };
        let before = before.map(|slot| self.mapping_of(key, &slot));
        self.recount(key, before.as_ref(), Some(mapping));
        if let Some(before) = before {
            self.placements.forget(before.node, key);
        }
        self.placements.learn(mapping.node, key);
        match mapping.mac {
            Some(mac) => {
                self.macs.insert(key, mac);
            }
            None if !self.macs.is_empty() => {
                self.macs.remove(&key);
            }
            None => {}
        }
        Some((before, subscribers))
    }

    /// Removes a mapping; returns what it was, and who wanted to hear of it.
    pub(super) fn remove_mapping(&mut self, key: Key) -> Option<(record::Mapping, Subscribers)> {
        let (_, before) = self.mapping(key)?;
        self.recount(key, Some(&before), None);
        self.placements.forget(before.node, key);
        self.macs.remove(&key);
        let slot = self.mappings.remove(key)?;
        Some((before, slot.subscribers))
    }

    pub(super) fn subscribers(&self, key: Key) -> impl Iterator<Item = SessionId> + '_ {
        self.mappings
            .get(key)
            .into_iter()
            .flat_map(|slot| slot.subscribers.iter())
    }

    pub(super) fn subscribers_mut(&mut self, key: Key) -> Option<&mut Subscribers> {
        self.mappings.get_mut(key).map(|slot| &mut slot.subscribers)
    }

    /// A mapping is another one now: counts where it is and is to be, as far as that is new.
    fn recount(
        &mut self,
        key: Key,
        before: Option<&record::Mapping>,
        after: Option<&record::Mapping>,
    ) {
        let hosts = |mapping: Option<&record::Mapping>| {
            let home = mapping.and_then(|mapping| match mapping.home {
                Home::Host(host) => Some(host),
                Home::Nowhere | Home::Leaving => None,
            });
            let at = mapping.and_then(|mapping| mapping.at);
            [home, at.map(|at| at.host)]
        };
        for (before, after) in hosts(before).into_iter().zip(hosts(after)) {
            if before == after {
                continue;
            }
            if let Some(host) = after {
                self.count_at(host, key.vni, true);
            }
            if let Some(host) = before {
                self.count_at(host, key.vni, false);
            }
        }
    }

    fn count_at(&mut self, host: Locator, vni: Vni, up: bool) {
        match up {
            true => self.presence.add(host, vni),
            false if self.presence.remove(host, vni) => self.left.push((host, vni)),
            false => {}
        }
    }

    fn count_move(&mut self, it: &Move, up: bool) {
        if !it.state.is_over() {
            for host in [it.from.host, it.to.host] {
                self.count_at(host, it.vni, up);
            }
        }
    }

    /// Replaces a move, or removes it; returns what it was, and whether the record is one. Both
    /// hosts have to do with the node's network as long as it is under way.
    pub(super) fn set_move(
        &mut self,
        id: MoveId,
        value: Option<(&[u8], Revision)>,
    ) -> (Option<Move>, bool) {
        let after = value.map(|(bytes, revision)| (record::decode::<Move>(bytes), revision));
        let after = match after {
            Some((None, _)) => return (None, false),
            Some((Some(after), revision)) => Some((after, revision)),
            None => None,
        };
        if let Some((after, _)) = &after {
            self.count_move(after, true);
        }
        let before = self.moves.set(id, after);
        if let Some(before) = &before {
            self.count_move(before, false);
        }
        (before, true)
    }

    /// The moves that are under way, and those that ended not long ago.
    #[must_use]
    pub fn moves(&self) -> &Moves {
        &self.moves
    }

    /// What is said of where nodes may be.
    #[must_use]
    pub fn placements(&self) -> &Placements {
        &self.placements
    }

    /// Finds the addresses of nodes that something is said of only now.
    pub(super) fn find_placed(&mut self) {
        if self.placements.begin() {
            for (key, slot) in self.mappings.range(pages::FIRST..=pages::LAST) {
                self.placements.learn(slot.node, key);
            }
        }
    }

    /// Who grants leases to a host, and the revision of the record.
    #[must_use]
    pub fn session(&self, host: Locator) -> Option<&(Session, Revision)> {
        self.sessions.get(&host)
    }

    /// Hosts under lease.
    pub fn sessions(&self) -> impl Iterator<Item = (Locator, &Session, Revision)> + '_ {
        self.sessions
            .iter()
            .map(|(host, (session, revision))| (*host, session, *revision))
    }

    /// How busy a host is, and the revision of the record.
    #[must_use]
    pub fn load(&self, host: Locator) -> Option<(HostLoad, Revision)> {
        self.loads.get(&host).copied()
    }

    /// The hosts of which it is known how busy they are.
    pub fn loads(&self) -> impl Iterator<Item = (Locator, HostLoad, Revision)> + '_ {
        self.loads
            .iter()
            .map(|(host, (load, revision))| (*host, *load, *revision))
    }

    /// All hosts.
    pub fn hosts(&self) -> impl Iterator<Item = (Locator, &Host)> + '_ {
        self.hosts.iter().map(|(at, (host, _))| (*at, host))
    }

    /// Whether a manager is alive.
    #[must_use]
    pub fn is_manager(&self, id: u32) -> bool {
        self.managers.contains_key(&id)
    }

    pub(super) fn manager(&self, id: u32) -> Option<Manager> {
        self.managers.get(&id).map(|(manager, _)| *manager)
    }

    /// The managers that are alive.
    pub fn managers(&self) -> impl Iterator<Item = (u32, Manager)> + '_ {
        self.managers
            .iter()
            .map(|(id, (manager, _))| (*id, *manager))
    }

    /// Takes over a record that is no mapping and no node; false if it is none.
    pub(super) fn apply(&mut self, name: Name, value: Option<(&[u8], Revision)>) -> bool {
        fn set<K: Ord, T: serde::de::DeserializeOwned>(
            map: &mut BTreeMap<K, (T, Revision)>,
            key: K,
            value: Option<(&[u8], Revision)>,
        ) -> bool {
            let Some((bytes, revision)) = value else {
                map.remove(&key);
                return true;
            };
            let record = record::decode(bytes);
            record.is_some_and(|record| {
                map.insert(key, (record, revision));
                true
            })
        }
        match name {
            Name::Network(vni) => {
                let admits = |table: &Table| {
                    let network = table.network(vni);
                    network.map_or_else(Vec::new, |(network, _)| network.admits.clone())
                };
                for peer in admits(self) {
                    self.admitted.remove(&(peer, vni));
                }
                let sound = set(&mut self.networks, vni, value);
                for peer in admits(self) {
                    self.admitted.insert((peer, vni));
                }
                sound
            }
            Name::Host(host) => set(&mut self.hosts, host, value),
            Name::Epoch(host) => set(&mut self.epochs, host, value),
            Name::Organisation(name) => set(&mut self.organisations, name, value),
            Name::Leader => {
                self.leader = value.is_some();
                true
            }
            Name::Term => match value {
                Some((bytes, revision)) => record::decode(bytes).is_some_and(|term| {
                    self.term = (term, revision);
                    true
                }),
                None => true,
            },
            Name::Load(host) => set(&mut self.loads, host, value),
            Name::Manager(id) => set(&mut self.managers, id, value),
            Name::Placement(node) => self.placements.set(node, value),
            Name::Session(host) => set(&mut self.sessions, host, value),
            Name::Mapping(_) | Name::Move(_) | Name::Node(_) => true,
        }
    }

    /// The keys of the table that are in a range, but not among the entries of all of it.
    pub(super) fn absent(&self, range: &Range, entries: &[store::Entry]) -> Vec<Vec<u8>> {
        let has = |key: &[u8]| {
            entries
                .binary_search_by(|entry| entry.key[..].cmp(key))
                .is_ok()
        };
        let within = |prefix: &str| {
            let all = Range::prefix(prefix);
            let begins = all.end().is_none_or(|end| range.start() < end);
            begins && range.end().is_none_or(|end| all.start() < end)
        };
        let mut names = Vec::new();
        if within("network/") {
            names.extend(self.networks.keys().map(|vni| Name::Network(*vni)));
        }
        if within("host/") {
            names.extend(self.hosts.keys().map(|host| Name::Host(*host)));
        }
        if within("epoch/") {
            names.extend(self.epochs.keys().map(|host| Name::Epoch(*host)));
        }
        if within("organisation/") {
            names.extend(self.organisations.keys().cloned().map(Name::Organisation));
        }
        if within("load/") {
            names.extend(self.loads.keys().map(|host| Name::Load(*host)));
        }
        if within("manager/") {
            names.extend(self.managers.keys().map(|id| Name::Manager(*id)));
        }
        if within("move/") {
            names.extend(self.moves.ids().map(Name::Move));
        }
        if within("placement/") {
            names.extend(self.placements.nodes().map(Name::Placement));
        }
        if within("session/") {
            names.extend(self.sessions.keys().map(|host| Name::Session(*host)));
        }
        names.extend(self.leader.then_some(Name::Leader));
        let names = names.into_iter().map(|name| name.bytes());
        let names = names.filter(|key| range.contains(key) && !has(key));
        self.absent_mappings(range, entries).chain(names).collect()
    }

    /// Those of [`Table::absent`] that are mappings. There are many, so both sides are gone through
    /// once, in order.
    fn absent_mappings<'a>(
        &'a self,
        range: &'a Range,
        entries: &'a [store::Entry],
    ) -> impl Iterator<Item = Vec<u8>> + 'a {
        let from = match Name::parse(range.start()) {
            Some(Name::Mapping(key)) => key,
            _ => pages::FIRST,
        };
        let known = self.mappings.range(from..=pages::LAST);
        let known = known.map(|(key, _)| record::mapping_key(key));
        let known = known.skip_while(|name| name[..] < *range.start());
        let known = known.take_while(|name| range.end().is_none_or(|end| name[..] < *end));
        let mut rest = entries.iter().peekable();
        let absent = move |name: &[u8; 23]| {
            while rest.next_if(|entry| entry.key[..] < name[..]).is_some() {}
            rest.next_if(|entry| entry.key[..] == name[..]).is_none()
        };
        known.filter(absent).map(|name| name.to_vec())
    }

    /// A network and the revision of its record.
    #[must_use]
    pub fn network(&self, vni: Vni) -> Option<&(Network, Revision)> {
        self.networks.get(&vni)
    }

    /// A host and the revision of its record.
    #[must_use]
    pub fn host(&self, host: Locator) -> Option<&(Host, Revision)> {
        self.hosts.get(&host)
    }

    /// An organisation and the revision of its record.
    #[must_use]
    pub fn organisation(&self, name: &str) -> Option<&(Organisation, Revision)> {
        self.organisations.get(name)
    }

    /// A network or a host of an organisation, and the revision of its record.
    pub(super) fn belonging_to(&self, organisation: &str) -> Option<(Name, Revision)> {
        let network = self.networks.iter().find_map(|(vni, (network, revision))| {
            (network.organisation == organisation).then_some((Name::Network(*vni), *revision))
        });
        network.or_else(|| {
            self.hosts.iter().find_map(|(locator, (host, revision))| {
                (host.organisation == organisation).then_some((Name::Host(*locator), *revision))
            })
        })
    }

    /// The boots of a host, and the revision of the record; 0 if there is none.
    #[must_use]
    pub fn epoch(&self, host: Locator) -> (Epoch, Revision) {
        self.epochs.get(&host).copied().unwrap_or_default()
    }

    /// Whether a node is certainly no more where it is bound. A boot that was fenced by the end of
    /// its lease is over for the nodes under lease alone; of the others one has to know better.
    #[must_use]
    pub fn is_gone(&self, node: NodeId, at: At) -> bool {
        let (epoch, _) = self.epoch(at.host);
        if at.epoch < epoch.current || !epoch.by_lease {
            return epoch.is_over(at.epoch);
        }
        epoch.is_over(at.epoch)
            && self.session(at.host).is_some_and(|(session, _)| {
                session.epoch == at.epoch && session.guarded.contains(&node)
            })
    }

    /// The term.
    #[must_use]
    pub const fn term(&self) -> Term {
        self.term.0
    }

    pub(super) const fn term_revision(&self) -> Revision {
        self.term.1
    }

    /// Whether some manager's lease as leader is alive.
    #[must_use]
    pub const fn has_leader(&self) -> bool {
        self.leader
    }

    /// Whether a node of a network is provisioned or bound to a host.
    #[must_use]
    pub fn is_present(&self, host: Locator, vni: Vni) -> bool {
        self.presence.has(host, vni)
    }

    /// The networks that a host has nodes in.
    pub(super) fn networks_of(&self, host: Locator) -> impl Iterator<Item = Vni> + '_ {
        self.presence.of_host(host)
    }

    /// Whether a host may know where nodes of a network are (`AU4`): it has a node in it, or in a
    /// network that one of the two lets talk to the other.
    #[must_use]
    pub fn may_know(&self, host: Locator, vni: Vni) -> bool {
        if self.is_present(host, vni) {
            return true;
        }
        let admits = |from: Vni, to: Vni| {
            self.network(to)
                .is_some_and(|(network, _)| network.admits.contains(&from))
        };
        self.networks_of(host)
            .any(|own| admits(own, vni) || admits(vni, own))
    }

    /// The networks whose nodes nodes of this one may talk to.
    pub(super) fn admitting(&self, vni: Vni) -> impl Iterator<Item = Vni> + '_ {
        let from = self.admitted.range((vni, FIRST)..);
        from.take_while(move |(admitted, _)| *admitted == vni)
            .map(|(_, admitting)| *admitting)
    }

    /// The networks that a network has a peering with, in either direction.
    pub(super) fn peers(&self, vni: Vni) -> BTreeSet<Vni> {
        let admits = self.network(vni).map(|(network, _)| &network.admits);
        let admits = admits.into_iter().flatten().copied();
        let peers = admits.chain(self.admitting(vni));
        peers.filter(|peer| *peer != vni).collect()
    }

    /// The mapping that an address stands for which is no node's of its network: that of the first
    /// network among the peers that has it.
    pub(super) fn beyond(&self, key: Key) -> Option<Key> {
        if self.mappings.contains(key) {
            return None;
        }
        let peers = self.peers(key.vni).into_iter();
        let mut there = peers.map(|peer| Key::new(peer, key.address));
        there.find(|there| self.mappings.contains(*there))
    }

    /// By which keys a host may know a mapping: its own, which it may have asked for although it
    /// has no node in its network, and its address in the networks of the host that have a peering
    /// with its own.
    pub(super) fn names(&self, key: Key, host: Locator) -> Vec<Key> {
        let peers = self.peers(key.vni).into_iter();
        let peers = peers.filter(|peer| self.is_present(host, *peer));
        let names = peers.map(|peer| Key::new(peer, key.address));
        let mut names: Vec<_> = names
            .filter(|name| !self.mappings.contains(*name))
            .collect();
        names.push(key);
        names
    }

    /// Hosts that had to do with a network when this was asked last, and have not now.
    pub(super) fn take_left(&mut self) -> Vec<(Locator, Vni)> {
        let mut left = std::mem::take(&mut self.left);
        left.retain(|(host, vni)| !self.is_present(*host, *vni));
        left
    }

    /// Whether a network has an address.
    pub(super) fn is_network_used(&self, vni: Vni) -> bool {
        let first = Key::new(vni, Ipv4Addr::UNSPECIFIED);
        let last = Key::new(vni, Ipv4Addr::BROADCAST);
        self.mappings.range(first..=last).next().is_some()
    }

    /// An address of a network that is no node's: the next one after that found last, so that an
    /// address rests before it is given to another node.
    pub(super) fn free_address(&mut self, vni: Vni) -> Option<Ipv4Addr> {
        let (network, _) = self.networks.get(&vni)?;
        let from = self.next_free.get(&vni).copied().unwrap_or(0);
        let ranges: Vec<_> = network.addresses().collect();
        let later = ranges.iter().map(|r| (*r.start()).max(from)..=*r.end());
        let earlier = ranges.iter().map(|r| *r.start()..=(*r.end()).min(from));
        let free = later
            .chain(earlier)
            .find_map(|range| self.first_free(vni, range))?;
        self.next_free.insert(vni, free.saturating_add(1));
        Some(Ipv4Addr::from_bits(free))
    }

    fn first_free(&self, vni: Vni, range: std::ops::RangeInclusive<u32>) -> Option<u32> {
        if range.is_empty() {
            return None;
        }
        let key = |bits: u32| Key::new(vni, Ipv4Addr::from_bits(bits));
        let mut candidate = *range.start();
        for taken in self.mappings.range(key(*range.start())..=key(*range.end())) {
            if taken.0.address.to_bits() != candidate {
                return Some(candidate);
            }
            candidate = candidate.checked_add(1)?;
        }
        (candidate <= *range.end()).then_some(candidate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_takes_32_bytes_and_its_key_8() {
        assert_eq!(std::mem::size_of::<Slot>(), 32);
        assert_eq!(std::mem::size_of::<Key>(), 8);
    }
}
