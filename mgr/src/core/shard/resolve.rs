// SPDX-License-Identifier: GPL-2.0

//! Answers to agents, and what to do when there are too many questions.

use std::time::Duration;

use ovnet_engine::Locator;

use super::{Output, SessionId, Shard};
use crate::core::message::{ToAgent, Verdict};
use crate::core::record::{Home, Mapping};
use crate::core::{Generation, Key, Time};

/// How much can be taken on: tokens that come at a rate and are kept up to a burst.
#[derive(Debug)]
pub(super) struct Bucket {
    rate: u32,
    burst: u32,
    /// Millionths of tokens.
    tokens: u64,
    since: Time,
}

const TOKEN: u64 = 1_000_000;

impl Bucket {
    pub(super) fn new(rate: u32, burst: u32, now: Time) -> Bucket {
        Bucket {
            rate,
            burst,
            tokens: u64::from(burst) * TOKEN,
            since: now,
        }
    }

    /// As many of `wanted` as there are tokens for.
    pub(super) fn take(&mut self, wanted: usize, now: Time) -> usize {
        let micros = (now - self.since).as_micros() as u64;
        self.since = now;
        let more = micros.saturating_mul(self.rate.into());
        let most = u64::from(self.burst) * TOKEN;
        self.tokens = self.tokens.saturating_add(more).min(most);
        let taken = (self.tokens / TOKEN).min(wanted as u64);
        self.tokens -= taken * TOKEN;
        taken as usize
    }

    /// How long until there are tokens for what `waiting` keys want.
    pub(super) fn wait(&self, waiting: usize) -> Duration {
        let missing = (waiting as u64 * TOKEN).saturating_sub(self.tokens);
        Duration::from_micros(missing / u64::from(self.rate.max(1)))
    }
}

impl Shard {
    pub(super) fn resolve(
        &mut self,
        session: SessionId,
        items: &[(Key, Generation)],
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let (Some(host), Some(as_of)) = (self.host_of(session), self.as_of) else {
            return;
        };
        let admitted = self.bucket.take(items.len(), now);
        let (items, put_off) = items.split_at(admitted);
        if !put_off.is_empty() {
            // Those who were put off before come back as well: the wait grows with their number.
            self.counters.busy += put_off.len() as u64;
            self.put_off += put_off.len();
            let wait = self.bucket.wait(self.put_off).min(self.config.longest_wait);
            let after = (wait.as_millis() as u32).max(50);
            let keys = put_off.iter().map(|(key, _)| *key).collect();
            out.push(Output::Send(session, ToAgent::Busy { keys, after }));
        }
        if items.is_empty() {
            return;
        }
        let mut answers = Vec::with_capacity(items.len());
        for (key, _) in items {
            let verdict = self.verdict(host, *key, as_of);
            if verdict == Verdict::Refused {
                self.counters.refused += 1;
            } else {
                self.counters.answered += 1;
                let key = self.table.beyond(*key).unwrap_or(*key);
                self.subscribe(session, key, now);
            }
            answers.push((*key, verdict));
        }
        out.push(Output::Send(
            session,
            ToAgent::Answer {
                as_of,
                items: answers,
            },
        ));
    }

    /// What a host may hear of a mapping.
    pub(super) fn verdict(&self, host: Locator, key: Key, as_of: Generation) -> Verdict {
        if !self.table.may_know(host, key.vni) {
            return Verdict::Refused;
        }
        match self.table.beyond(key) {
            Some(there) if self.table.is_present(host, key.vni) => {
                self.verdict_beyond(host, there, as_of)
            }
            _ => self.true_verdict(host, key, as_of),
        }
    }

    /// What there is to know of a mapping of another network.
    fn verdict_beyond(&self, host: Locator, there: Key, as_of: Generation) -> Verdict {
        let mapping = self.table.mapping(there).map(|(_, mapping)| mapping);
        match mapping.and_then(|mapping| Some((mapping.at?, mapping.mac))) {
            // Its own host would only hold it.
            Some((at, _)) if at.held && at.host == host => Verdict::Absent { generation: as_of },
            Some((at, mac)) => Verdict::Peer {
                generation: as_of,
                locator: at.host,
                mac,
                vni: there.vni,
            },
            None => Verdict::Absent { generation: as_of },
        }
    }

    /// What there is to know of a mapping, from a host's point of view.
    pub(super) fn true_verdict(&self, host: Locator, key: Key, as_of: Generation) -> Verdict {
        let Some((generation, mapping)) = self.table.mapping(key) else {
            return Verdict::Absent { generation: as_of };
        };
        match mapping.at {
            None if self.is_due(host, &mapping) => Verdict::Due {
                generation,
                node: mapping.node,
            },
            None => Verdict::Absent { generation },
            Some(at) if at.host == host => Verdict::Yours {
                generation,
                epoch: at.epoch,
                leave: mapping.home != Home::Host(host),
                gone: mapping.home == Home::Leaving,
                held: at.held,
            },
            Some(at) => Verdict::Found {
                generation,
                locator: at.host,
                mac: mapping.mac,
            },
        }
    }

    /// Whether a node with an address that is bound nowhere is to have it on that host. Where a node that
    /// moves has its addresses, its move says.
    fn is_due(&self, host: Locator, mapping: &Mapping) -> bool {
        mapping.home == Home::Host(host) && !self.takes_part(host, mapping.node)
    }

    /// Whoever asks hears of changes, also of an address that is no node's yet.
    fn subscribe(&mut self, session: SessionId, key: Key, now: Time) {
        if let Some(subscribers) = self.table.subscribers_mut(key) {
            return subscribers.add(session);
        }
        let vacancies = &mut self.vacancies;
        if vacancies.order.len() >= self.config.vacancies {
            if let Some((_, oldest)) = vacancies.order.pop_front() {
                vacancies.asked.remove(&oldest);
            }
        }
        let sessions = vacancies.asked.entry(key).or_insert_with(|| {
            vacancies.order.push_back((now, key));
            Vec::new()
        });
        if !sessions.contains(&session) {
            sessions.push(session);
        }
    }

    pub(super) fn forget_vacancies(&mut self, now: Time) {
        self.put_off = 0;
        while let Some((since, key)) = self.vacancies.order.front().copied() {
            if now - since < self.config.vacancy {
                break;
            }
            self.vacancies.order.pop_front();
            self.vacancies.asked.remove(&key);
        }
    }

    pub(super) fn forget(&mut self, session: SessionId, keys: &[Key]) {
        let Some(host) = self.host_of(session) else {
            return;
        };
        for key in keys {
            let there = self.table.beyond(*key).unwrap_or(*key);
            // It may know the mapping by another name.
            let names = self.table.names(there, host);
            let all = names.iter().all(|name| keys.contains(name));
            if let Some(subscribers) = self.table.subscribers_mut(there).filter(|_| all) {
                subscribers.remove(session);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_admits_a_burst_and_then_the_rate() {
        let at = |millis: u64| Time::from_micros(millis * 1000);
        let mut bucket = Bucket::new(1000, 10, at(0));
        assert_eq!(bucket.take(20, at(0)), 10);
        assert_eq!(bucket.take(1, at(0)), 0);
        assert_eq!(bucket.wait(5), Duration::from_millis(5));
        assert_eq!(bucket.take(20, at(5)), 5);
        assert_eq!(bucket.take(20, at(5000)), 10);
    }
}
