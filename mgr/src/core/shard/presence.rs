// SPDX-License-Identifier: GPL-2.0

//! Which hosts have to do with which networks.

use std::collections::BTreeMap;

use ovnet_engine::{Locator, Vni};

/// For each host the networks in order, and how many mappings of it are to be there or are, as many
/// as have the host as their home and as are bound to it. A pair takes 8 bytes.
#[derive(Debug, Default)]
pub(super) struct Presence(BTreeMap<Locator, Vec<(Vni, u32)>>);

impl Presence {
    pub(super) fn add(&mut self, host: Locator, vni: Vni) {
        let networks = self.0.entry(host).or_default();
        match networks.binary_search_by_key(&vni, |(vni, _)| *vni) {
            Ok(place) => networks[place].1 += 1,
            Err(place) => networks.insert(place, (vni, 1)),
        }
    }

    /// Whether that was the last mapping of the network there.
    pub(super) fn remove(&mut self, host: Locator, vni: Vni) -> bool {
        let Some(networks) = self.0.get_mut(&host) else {
            return false;
        };
        let Ok(place) = networks.binary_search_by_key(&vni, |(vni, _)| *vni) else {
            return false;
        };
        networks[place].1 -= 1;
        let last = networks[place].1 == 0;
        if last {
            networks.remove(place);
        }
        if networks.is_empty() {
            self.0.remove(&host);
        }
        last
    }

    pub(super) fn has(&self, host: Locator, vni: Vni) -> bool {
        let networks = self.0.get(&host);
        networks.is_some_and(|all| all.binary_search_by_key(&vni, |(vni, _)| *vni).is_ok())
    }

    pub(super) fn of_host(&self, host: Locator) -> impl Iterator<Item = Vni> + '_ {
        let networks = self.0.get(&host).into_iter().flatten();
        networks.map(|(vni, _)| *vni)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_there_as_long_as_any_mapping_is() {
        let host = |n| Locator::new(0xfd00_000a, n).unwrap();
        let vni = |n| Vni::new(n).unwrap();
        let mut presence = Presence::default();
        for (h, n) in [(1, 9), (1, 3), (2, 3), (1, 9), (1, 5)] {
            presence.add(host(h), vni(n));
        }
        let last = [9, 3, 8].map(|n| presence.remove(host(1), vni(n)));
        assert_eq!(last, [false, true, false]);
        let networks = |h| presence.of_host(host(h)).map(Vni::get).collect::<Vec<_>>();
        assert_eq!(
            (networks(1), networks(2), networks(3)),
            (vec![5, 9], vec![3], vec![])
        );
        assert!(presence.has(host(1), vni(9)) && !presence.has(host(1), vni(3)));
        assert!(presence.remove(host(2), vni(3)));
        assert_eq!(presence.0.len(), 1);
    }
}
