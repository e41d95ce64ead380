// SPDX-License-Identifier: GPL-2.0

//! Questions to the manager: one per key at a time, repeated until answered.

use std::time::Duration;

use super::{Agent, Output, Timer};
use crate::core::message::ToManager;
use crate::core::{Key, Time};

/// A question under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    /// When to repeat it; none if it was not sent yet.
    pub(super) due: Option<Time>,
    /// How often it was sent.
    tries: u32,
    /// The manager has too much to do.
    busy: bool,
}

/// A question about something unknown is given up after so many tries: the kernel asks again if
/// it still matters.
const TRIES: u32 = 6;

impl Agent {
    /// Asks about a key, unless that is under way (single flight, `TX3`).
    /// False if there is no room for the question.
    pub(super) fn ask(&mut self, key: Key) -> bool {
        if self.asks.contains_key(&key) {
            return true;
        }
        if self.asks.len() >= self.config.asks {
            self.counters.dropped += 1;
            return false;
        }
        self.asks.insert(
            key,
            Ask {
                due: None,
                tries: 0,
                busy: false,
            },
        );
        self.outbox.resolve.push(key);
        true
    }

    pub(super) fn answered(&mut self, key: Key) {
        self.asks.remove(&key);
        self.is_told_from_now(key);
    }

    pub(super) fn is_busy(&self, key: Key) -> bool {
        self.asks.get(&key).is_some_and(|ask| ask.busy)
    }

    pub(super) fn busy(&mut self, keys: &[Key], after: u32, now: Time) {
        for key in keys {
            // Whoever knows nothing has to wait long enough without those who only make sure.
            if self.is_told_of(*key) {
                self.asks.remove(key);
                self.put_off(*key, now);
                continue;
            }
            let after = self.random.jitter(Duration::from_millis(after.into()));
            if let Some(ask) = self.asks.get_mut(key) {
                let due = now + after;
                (ask.due, ask.busy) = (Some(due), true);
                self.set_timer(due, Timer::Ask(*key));
            } else {
                self.postpone_claim(*key, now + after);
            }
        }
    }

    pub(super) fn ask_due(&mut self, key: Key, due: Time, now: Time, out: &mut Vec<Output>) {
        let Some(ask) = self.asks.get(&key).filter(|ask| ask.due == Some(due)) else {
            return;
        };
        if !self.link.is_up() {
            return;
        }
        if !ask.busy && self.link.is_silent(&self.config, now) {
            return self.give_up_link(now, out);
        }
        if ask.tries >= TRIES && !self.cache.contains_key(&key) {
            self.asks.remove(&key);
            return;
        }
        self.outbox.resolve.push(key);
    }

    /// Sends all questions anew: nothing of the last connection is answered on this one.
    pub(super) fn resend_asks(&mut self) {
        self.outbox.resolve = self.asks.keys().copied().collect();
        for ask in self.asks.values_mut() {
            *ask = Ask {
                due: None,
                tries: 0,
                busy: false,
            };
        }
    }

    pub(super) fn flush_asks(&mut self, now: Time, out: &mut Vec<Output>) {
        let keys = std::mem::take(&mut self.outbox.resolve);
        if !self.link.is_up() {
            return;
        }
        for keys in keys.chunks(self.config.batch) {
            let mut items = Vec::with_capacity(keys.len());
            for key in keys {
                let Some(ask) = self.asks.get_mut(key) else {
                    continue;
                };
                let wait = self.config.timeout * (1 << ask.tries.min(16));
                let due = now + self.random.jitter(wait.min(self.config.longest));
                ask.tries += 1;
                (ask.due, ask.busy) = (Some(due), false);
                self.set_timer(due, Timer::Ask(*key));
                let held = self.cache.get(key).map(|entry| entry.generation);
                items.push((*key, held.unwrap_or_default()));
            }
            self.counters.asked += items.len() as u64;
            if !items.is_empty() {
                out.push(Output::Send(ToManager::Resolve(items)));
            }
        }
    }
}
