// SPDX-License-Identifier: GPL-2.0

//! The mappings of other hosts' nodes that this host uses.

use std::net::Ipv4Addr;
use std::time::Duration;

use ovnet_engine::{Locator, Mac, Vni};

use super::kernel::{self, Operation, Place};
use super::{Agent, Output, Timer};
use crate::core::message::{ToManager, Verdict};
use crate::core::{Generation, Key, NodeId, Time};

/// What is known of a mapping of another host's node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its generation; none if the host may not know.
    pub generation: Generation,
    /// Where the node is: [`Place::Remote`], [`Place::Moved`], [`Place::Peer`] or [`Place::Negative`].
    pub place: Place,
    /// The MAC others see, if not the derived one.
    pub mac: Option<Mac>,
    /// When this was confirmed last, or came to be [`Place::Moved`].
    fresh: Time,
    /// The manager has answered a question about it since it knows what this host uses, and so tells of
    /// what changes. What it said without being asked means nothing of the kind.
    told: bool,
    /// When it is given up if it is not confirmed until then.
    hard: Time,
    /// When to look at it again.
    pub(super) due: Time,
}

/// What survives the agent, if the daemon writes it down from time to time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    /// The newest state of the store that was seen.
    pub seen: Generation,
    /// The mappings of other hosts' nodes.
    pub mappings: Vec<(Key, Generation, Locator, Option<Mac>)>,
}

impl Agent {
    /// What an agent that is started later would like to know.
    #[must_use]
    pub fn image(&self) -> Image {
        let mapping = |(key, entry): (&Key, &Entry)| match entry.place {
            Place::Remote(host) | Place::Moved(host) => {
                Some((*key, entry.generation, host, entry.mac))
            }
            // One of another network is as well asked for after a boot.
            Place::Peer(..) | Place::Local | Place::Pending | Place::Negative => None,
        };
        Image {
            seen: self.seen,
            mappings: self.cache.iter().filter_map(mapping).collect(),
        }
    }

    /// Begins with what the kernel has.
    pub(super) fn take_over(
        &mut self,
        mappings: &[(Key, kernel::Mapping)],
        ports: &[(Key, NodeId)],
        now: Time,
    ) {
        for (key, node) in ports {
            let local = |(k, m): &&(Key, kernel::Mapping)| k == key && m.place == Place::Local;
            let bound = mappings.binary_search_by_key(key, |(key, _)| *key);
            let bound = bound.ok().and_then(|i| mappings.get(i)).filter(local);
            self.take_over_port(*key, *node, bound.map(|(_, mapping)| mapping.generation));
        }
        for (key, mapping) in mappings {
            self.see(mapping.generation);
            match mapping.place {
                Place::Remote(_) | Place::Moved(_) | Place::Peer(..) => {
                    self.insert(*key, mapping.generation, mapping.place, mapping.mac, now);
                }
                // Nobody is there to release it any more, so it is asked what became of it.
                Place::Pending | Place::Local => self.take_over_pending(*key, mapping.generation),
                Place::Negative => {
                    self.insert(*key, mapping.generation, mapping.place, None, now);
                }
            }
        }
    }

    /// Installs what the kernel lost when the host was booted. A kernel that has anything knows
    /// better than what was written down some time ago.
    pub(super) fn restore(&mut self, image: &Image, now: Time) {
        self.see(image.seen);
        if !self.cache.is_empty() {
            return;
        }
        for (key, generation, host, mac) in &image.mappings {
            if !self.ports.contains_key(key) {
                self.insert(*key, *generation, Place::Remote(*host), *mac, now);
                self.set(*key, *generation, Place::Remote(*host));
            }
        }
    }

    pub(super) fn miss(&mut self, key: Key, from: Option<Locator>, now: Time) {
        if self.is_attached(key) {
            return;
        }
        let Some(entry) = self.cache.get(&key) else {
            self.ask(key);
            return;
        };
        let known = match entry.place {
            Place::Remote(host) | Place::Moved(host) | Place::Peer(host, _) => Some(host),
            Place::Local | Place::Pending | Place::Negative => None,
        };
        if from.is_some() && from != known {
            // The node may be there by now, and this host was not told.
            self.recheck(key, now);
        } else {
            // The kernel has lost it, or had no room when it was set.
            let (generation, place) = (entry.generation, entry.place);
            self.set(key, generation, place);
        }
    }

    pub(super) fn idle(&mut self, key: Key, out: &mut Vec<Output>) {
        if self.cache.contains_key(&key) {
            self.evict(key);
        } else if self.ports.contains_key(&key) && self.link.is_up() {
            out.push(Output::Send(ToManager::Silent(key)));
        }
    }

    /// Somebody says that what is known is old. That is no news, only a reason to ask (`MV4`).
    pub(super) fn hint(&mut self, key: Key, now: Time) {
        let (since, count) = &mut self.hints;
        if now - *since >= Duration::from_secs(1) {
            (*since, *count) = (now, 0);
        }
        let asked = *count < self.config.hints && self.recheck(key, now);
        if asked {
            self.hints.1 += 1;
            self.counters.hints += 1;
        } else {
            self.counters.hints_ignored += 1;
        }
    }

    /// Asks again about something known, unless it was confirmed just now.
    pub(super) fn recheck(&mut self, key: Key, now: Time) -> bool {
        let old = |entry: &Entry| now - entry.fresh >= self.config.hint_interval;
        let asked = self.cache.get(&key).is_some_and(old) && !self.asks.contains_key(&key);
        if asked {
            self.ask(key);
        }
        asked
    }

    /// What a manager says about a mapping, asked for or pushed; whether that settles a question
    /// about it.
    pub(super) fn verdict(
        &mut self,
        key: Key,
        verdict: Verdict,
        as_of: Generation,
        pushed: bool,
        now: Time,
        out: &mut Vec<Output>,
    ) -> bool {
        if let Verdict::Due { node, .. } = verdict {
            self.due(key, node, out);
        }
        if self.port_verdict(key, verdict, as_of, now, out) {
            return true;
        }
        let known = self.cache.contains_key(&key);
        let (generation, place, mac) = match verdict {
            Verdict::Found {
                generation,
                locator,
                mac,
            } => (generation, Place::Remote(locator), mac),
            Verdict::Peer {
                generation,
                locator,
                mac,
                vni,
            } => (generation, Place::Peer(locator, vni), mac),
            Verdict::Absent { generation } | Verdict::Due { generation, .. } => {
                (generation, Place::Negative, None)
            }
            Verdict::Refused => return self.refuse(key, as_of, now),
            Verdict::Yours {
                generation, held, ..
            } => {
                if !held && !self.is_learning(key) && !self.is_arriving(key) {
                    // No port has that address: what bound it is long gone.
                    self.release_leaked(key, generation, out);
                }
                return true;
            }
        };
        if !known && !self.asks.contains_key(&key) {
            if pushed {
                self.outbox.forget.push(key);
            }
            return false;
        }
        // Old news of what was forgotten, or of what was refused, which has no generation.
        let entry = self.cache.get(&key);
        let refused = entry.is_some_and(|entry| entry.generation == Generation::NONE);
        let floor = match entry {
            Some(_) if !refused => Generation::NONE,
            _ => self.floor,
        };
        if as_of < floor {
            self.counters.stale += 1;
            return false;
        }
        let settled = self.install(key, generation, place, mac, now);
        if pushed && refused {
            // Said because a node is to be here: who was refused is not told of what follows.
            self.ask(key);
        }
        settled
    }

    /// The rule of generations: greater installs, equal confirms, smaller is ignored. Returns
    /// whether it was not.
    fn install(
        &mut self,
        key: Key,
        generation: Generation,
        place: Place,
        mac: Option<Mac>,
        now: Time,
    ) -> bool {
        match self.cache.get(&key) {
            Some(entry) if generation < entry.generation => {
                // The question stays open: the one who answered is behind.
                self.counters.stale += 1;
                return false;
            }
            Some(entry) if generation == entry.generation => {
                if !matches!(entry.place, Place::Moved(_)) {
                    let (place, mac) = (entry.place, entry.mac);
                    self.insert(key, generation, place, mac, now);
                }
            }
            // Whoever forwards goes on doing so, to the new place.
            Some(Entry {
                place: Place::Moved(_),
                fresh,
                ..
            }) => {
                let since = *fresh;
                let place = match place {
                    Place::Remote(host) => Place::Moved(host),
                    other => other,
                };
                self.insert(key, generation, place, mac, since);
                self.set(key, generation, place);
            }
            _ => {
                self.make_room(key);
                self.insert(key, generation, place, mac, now);
                self.set(key, generation, place);
            }
        }
        true
    }

    /// The manager says that this host must not know. That is no news of the mapping, so it has
    /// no generation; but what was known must not be used on. Returns whether it is taken for true.
    fn refuse(&mut self, key: Key, as_of: Generation, now: Time) -> bool {
        let known = self.cache.get(&key);
        if known.map_or(self.floor, |entry| entry.generation) > as_of {
            self.counters.stale += 1;
            return false;
        }
        if known.is_none() && !self.asks.contains_key(&key) {
            return false;
        }
        // It was the last node of its network here; what still arrives for it is forwarded all the
        // same, until its time is over.
        let moved = known.is_some_and(|entry| matches!(entry.place, Place::Moved(_)));
        if moved {
            return true;
        }
        if let Some(entry) = self.cache.get(&key) {
            self.floor = self.floor.max(entry.generation);
            self.outbox.kernel.push(Operation::Forget(key));
        }
        self.make_room(key);
        self.insert(key, Generation::NONE, Place::Negative, None, now);
        self.set(key, Generation::NONE, Place::Negative);
        true
    }

    pub(super) fn insert(
        &mut self,
        key: Key,
        generation: Generation,
        place: Place,
        mac: Option<Mac>,
        fresh: Time,
    ) {
        let due = fresh
            + match place {
                Place::Negative => self.config.negative_ttl,
                Place::Moved(_) => self.config.drain,
                _ => self.random.jitter(self.config.soft_ttl),
            };
        let hard = fresh + self.config.hard_ttl;
        let told = self
            .cache
            .get(&key)
            .is_some_and(|entry| entry.told && entry.generation != Generation::NONE);
        self.cache.insert(
            key,
            Entry {
                generation,
                place,
                mac,
                fresh,
                told,
                hard,
                due,
            },
        );
        self.set_timer(due, Timer::Entry(key));
    }

    pub(super) fn entry_due(&mut self, key: Key, due: Time, now: Time) {
        let Some(entry) = self.cache.get(&key).filter(|entry| entry.due == due) else {
            return;
        };
        match entry.place {
            // Others may not have heard yet that the node is there.
            Place::Moved(_) if self.is_departing(key).is_some() => return self.drain(key, now),
            // Whoever still needs it misses it, and is answered with the place alone.
            Place::Negative | Place::Moved(_) => return self.evict(key),
            _ => {}
        }
        let hard = entry.hard;
        if now >= hard && self.link.is_up() && !self.is_busy(key) {
            self.counters.expired += 1;
            self.asks.remove(&key);
            return self.evict(key);
        }
        let due = match self.ask(key) {
            true if now < hard => hard,
            true => now + self.config.soft_ttl,
            // Nobody tells of what was not asked for: as soon as there is room for the question.
            false => now + self.config.timeout,
        };
        self.reschedule(key, due);
    }

    /// Where what arrives for a node that was here is sent on to.
    pub(super) fn redirect(&self, key: Key) -> Option<(Generation, Locator, Option<Mac>)> {
        let entry = self.cache.get(&key)?;
        match entry.place {
            Place::Moved(host) => Some((entry.generation, host, entry.mac)),
            _ => None,
        }
    }

    /// What arrives for a node that was here is sent on for its time from now on.
    pub(super) fn drain(&mut self, key: Key, now: Time) {
        if self.redirect(key).is_some() {
            self.reschedule(key, now + self.config.drain);
        }
    }

    /// Something arrived for a node that is not here. If it was sent on, that goes on for longer.
    pub(super) fn stray(&mut self, key: Key, now: Time) {
        let soon = now + self.config.drain * 3 / 4;
        let ends = |entry: &Entry| matches!(entry.place, Place::Moved(_)) && entry.due <= soon;
        if self.cache.get(&key).is_some_and(ends) {
            self.drain(key, now);
        }
    }

    fn reschedule(&mut self, key: Key, due: Time) {
        if let Some(entry) = self.cache.get_mut(&key) {
            entry.due = due;
            self.set_timer(due, Timer::Entry(key));
        }
    }

    /// Asks about everything again, a little at a time.
    pub(super) fn refresh_all(&mut self, now: Time) {
        for entry in self.cache.values_mut() {
            entry.told = false;
        }
        let keys: Vec<_> = self
            .cache
            .iter()
            .map(|(key, entry)| (*key, entry.place))
            .collect();
        for (key, place) in keys {
            match place {
                Place::Negative => {}
                // These must hear of a further move, and their time runs on.
                Place::Moved(_) => {
                    self.ask(key);
                }
                _ => {
                    // The hard TTL did not run while there was nobody to ask.
                    let hard = now + (self.config.hard_ttl - self.config.soft_ttl);
                    let due = now + self.random.within(self.config.spread);
                    if let Some(entry) = self.cache.get_mut(&key) {
                        entry.hard = entry.hard.max(hard);
                    }
                    self.reschedule(key, due);
                }
            }
        }
    }

    /// The last node of a network here is gone. What was said before may still be on its way.
    pub(super) fn network_left(&mut self, vni: Vni, now: Time) {
        let due = now + self.random.jitter(self.config.spread);
        self.left.insert(vni, due);
        self.set_timer(due, Timer::Network(vni));
    }

    /// Asks again about what is known of a network. What was here is forwarded for its time, whoever
    /// may know of it.
    pub(super) fn network_due(&mut self, vni: Vni, due: Time, now: Time) {
        if self.left.get(&vni) != Some(&due) {
            return;
        }
        self.left.remove(&vni);
        let of = |address| Key::new(vni, address);
        let all = of(Ipv4Addr::UNSPECIFIED)..=of(Ipv4Addr::BROADCAST);
        let known = self.cache.range(all);
        let known = known.filter(|(_, it)| matches!(it.place, Place::Remote(_) | Place::Peer(..)));
        let keys: Vec<_> = known.map(|(key, _)| *key).collect();
        for key in keys {
            // It will not be said when it changes.
            if let Some(entry) = self.cache.get_mut(&key) {
                entry.told = false;
            }
            self.reschedule(key, now);
        }
    }

    /// Whether the manager will say when a mapping changes.
    pub(super) fn is_told_of(&self, key: Key) -> bool {
        let told =
            |entry: &Entry| matches!(entry.place, Place::Remote(_) | Place::Peer(..)) && entry.told;
        self.cache.get(&key).is_some_and(told)
    }

    /// The manager has answered a question: from now on it tells of what changes.
    pub(super) fn is_told_from_now(&mut self, key: Key) {
        if let Some(entry) = self.cache.get_mut(&key) {
            entry.told = true;
        }
    }

    /// Makes sure of a mapping another time, and does not give it up before that.
    pub(super) fn put_off(&mut self, key: Key, now: Time) {
        let due = now + self.random.jitter(self.config.soft_ttl);
        if let Some(entry) = self.cache.get_mut(&key) {
            entry.hard = entry
                .hard
                .max(due + (self.config.hard_ttl - self.config.soft_ttl));
        }
        self.reschedule(key, due);
    }

    /// Removes a mapping that nothing is wrong with.
    fn evict(&mut self, key: Key) {
        if let Some(entry) = self.cache.remove(&key) {
            self.floor = self.floor.max(entry.generation);
            self.outbox.kernel.push(Operation::Forget(key));
            if entry.place != Place::Negative {
                self.outbox.forget.push(key);
            }
        }
    }

    /// If the cache is full and `key` not in it, what comes next in the order of keys makes room:
    /// as good as any, since the agent does not see which mappings are in use.
    pub(super) fn make_room(&mut self, key: Key) {
        if self.cache.len() < self.config.mappings || self.cache.contains_key(&key) {
            return;
        }
        let next = self
            .cache
            .range(key..)
            .next()
            .or_else(|| self.cache.iter().next());
        if let Some((&victim, _)) = next {
            self.counters.evicted += 1;
            self.asks.remove(&victim);
            self.evict(victim);
        }
    }
}
