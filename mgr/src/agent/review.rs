// SPDX-License-Identifier: GPL-2.0

//! What the kernel's tables tell that no event does: mappings that nobody uses, addresses that are silent.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use ovnet_uapi::{Mapping, MappingState, Port};

use super::kernel::remote;
use crate::core::agent::kernel::Event;
use crate::core::Key;

/// What was seen so far.
#[derive(Debug)]
pub(super) struct Review {
    /// Nothing is given up before.
    idle: Duration,
    /// Mappings that nothing has used yet, and since when they are known.
    unused: BTreeMap<Key, Instant>,
}

impl Review {
    /// What was not used for so long is given up.
    pub(super) fn new(idle: Duration) -> Review {
        Review {
            idle,
            unused: BTreeMap::new(),
        }
    }

    /// Looks at all mappings and ports.
    pub(super) fn look(
        &mut self,
        mappings: &[Mapping],
        ports: &[Port],
        now: Instant,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        let mut unused = BTreeMap::new();
        let mut known = BTreeSet::new();
        for (mapping, key) in mappings.iter().filter_map(|it| Some((it, remote(it)?.0))) {
            known.insert(key);
            let idle = mapping.idle.unwrap_or_else(|| {
                let since = self.unused.get(&key).copied().unwrap_or(now);
                unused.insert(key, since);
                now - since
            });
            if idle >= self.idle {
                events.push(Event::Idle(key));
            }
        }
        self.unused = unused;
        // Questions whose event was lost.
        let pending = mappings
            .iter()
            .filter(|it| it.state == MappingState::Pending && it.gen.is_none());
        let pending = pending.map(|it| Key::new(it.vni, it.address));
        events.extend(
            pending
                .filter(|key| !known.contains(key))
                .map(|key| Event::Miss { key, from: None }),
        );
        events.extend(ports.iter().flat_map(|port| self.silent(port)));
        events
    }

    /// The addresses of a managed port that its node does not send from any more, if it has several.
    fn silent(&self, port: &Port) -> Vec<Event> {
        let (Some(vni), Some(address), Some(_)) = (port.vni, port.address, port.node) else {
            return Vec::new();
        };
        let further = port.sources.iter().filter(|source| source.prefix_len == 32);
        let further: Vec<_> = further
            .map(|source| (source.address, source.idle))
            .collect();
        if further.is_empty() {
            return Vec::new();
        }
        let own = (address, port.idle);
        let all = further.into_iter().chain([own]);
        let silent = all.filter(|(_, idle)| idle.is_some_and(|idle| idle >= self.idle));
        silent
            .map(|(address, _)| Event::Idle(Key::new(vni, address)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use ovnet_engine::{Locator, Vni};
    use ovnet_uapi::{PortState, Source};

    use super::*;
    use crate::core::Generation;

    const IDLE: Duration = Duration::from_secs(600);

    fn vni() -> Vni {
        Vni::new(7).unwrap()
    }

    fn key(n: u8) -> Key {
        Key::new(vni(), Ipv4Addr::new(10, 0, 0, n))
    }

    fn mapping(n: u8, state: MappingState, idle: Option<u64>) -> Mapping {
        let remote = state == MappingState::Remote;
        Mapping {
            vni: vni(),
            address: key(n).address,
            locator: Locator::new(0xfd00_000a, 2).ok().filter(|_| remote),
            mac: None,
            gen: remote.then(|| Generation::new(1, 1).get()),
            state,
            ifindex: None,
            netns_id: None,
            peer_vni: None,
            soft_ttl: None,
            hard_ttl: None,
            idle: idle.map(Duration::from_secs),
            parked: None,
            external: None,
            slot: None,
        }
    }

    #[test]
    fn a_mapping_that_nobody_uses_is_idle_one_day() {
        let mut review = Review::new(IDLE);
        let start = Instant::now();
        let mappings = [
            mapping(1, MappingState::Remote, Some(599)),
            mapping(2, MappingState::Remote, Some(600)),
            mapping(3, MappingState::Remote, None),
            mapping(4, MappingState::Deleted, Some(900)),
        ];
        assert_eq!(review.look(&mappings, &[], start), [Event::Idle(key(2))]);
        let later = review.look(&mappings[2..], &[], start + IDLE);
        assert_eq!(later, [Event::Idle(key(3))]);
        // One that comes again begins anew.
        review.look(&[], &[], start + IDLE);
        assert_eq!(review.look(&mappings[2..], &[], start + IDLE), []);
    }

    #[test]
    fn what_is_asked_for_is_asked_for_again() {
        let mut review = Review::new(IDLE);
        let asked = [mapping(1, MappingState::Pending, None)];
        let miss = Event::Miss {
            key: key(1),
            from: None,
        };
        assert_eq!(review.look(&asked, &[], Instant::now()), [miss]);
        let both = [asked[0], mapping(1, MappingState::Remote, Some(0))];
        assert_eq!(review.look(&both, &[], Instant::now()), []);
    }

    #[test]
    fn of_several_addresses_the_silent_ones_are_told() {
        let mut review = Review::new(IDLE);
        let mut port = Port {
            ifindex: 5,
            netns_id: None,
            ifname: "v0".into(),
            vni: Some(vni()),
            address: Some(key(2).address),
            mac: None,
            gen: None,
            state: Some(PortState::Active),
            locator: None,
            source_check: None,
            slot: None,
            sources: vec![],
            parked: None,
            idle: Some(IDLE),
            node: Some(1),
            lease: false,
        };
        assert_eq!(review.look(&[], &[port.clone()], Instant::now()), []);
        port.sources = vec![Source::new(key(3).address, 32)];
        let silent = [Event::Idle(key(2))];
        assert_eq!(review.look(&[], &[port], Instant::now()), silent);
    }
}
