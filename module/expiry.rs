// SPDX-License-Identifier: GPL-2.0

//! How long mappings last: the soft TTL, after which one in use is reported for a refresh, and the hard one,
//! after which it goes; and which one goes first when there is no room.

use crate::{
    control::mapping::remove_mapping,
    host::{unkey, Host, Mapping},
    net::{bindings::*, namespace::Registry, once::ReadOnce, time::Moment},
};
use kernel::sync::{
    atomic::{Atomic, Relaxed},
    rcu,
};
use ovnet_engine::Vni;

/// How often a part of the table is looked at, in milliseconds, while there are mappings with a TTL.
pub(crate) const PERIOD: u32 = 100;
/// How many buckets of the table that part has.
const PART: u32 = 16384;
/// How many mappings may go at a time.
const BATCH: usize = 64;
/// How many buckets are looked into at a time to find the mapping to go when there is no room, and how
/// often if they have none that may.
const SAMPLE: u32 = 64;
const SAMPLES: u32 = 256;

/// For how long a mapping is good, and when it was last used. All are words of moments; 0: never.
pub(crate) struct Expiry {
    used: Atomic<u32>,
    refreshed: Atomic<u32>,
    soft: Atomic<u32>,
    hard: Atomic<u32>,
}

/// TTLs in milliseconds, as asked for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ttl {
    /// After which a mapping in use is reported.
    pub(crate) soft: Option<u32>,
    /// After which it goes.
    pub(crate) hard: Option<u32>,
}

impl Expiry {
    /// That of a mapping made now.
    pub(crate) fn new(ttl: Ttl) -> Self {
        let expiry = Expiry {
            used: Atomic::new(0),
            refreshed: Atomic::new(0),
            soft: Atomic::new(0),
            hard: Atomic::new(0),
        };
        expiry.refresh(ttl);
        expiry
    }

    /// The same mapping was set again.
    pub(crate) fn refresh(&self, ttl: Ttl) {
        let now = Moment::now();
        let word = |ms: Option<u32>| ms.map_or(0, |ms| now.after(ms).word());
        self.refreshed.store(now.word(), Relaxed);
        self.soft.store(word(ttl.soft), Relaxed);
        self.hard.store(word(ttl.hard), Relaxed);
    }

    /// Another mapping takes over what this one knows of its use.
    pub(crate) fn inherit(&self, old: &Expiry) {
        self.used.store(old.used.load(Relaxed), Relaxed);
    }

    /// A packet uses the mapping. Writes at most once a second, so that CPUs share the line in peace.
    #[inline]
    pub(crate) fn touch(&self) {
        let now = Moment::now();
        if now.is_a_second_after(self.used.read_once()) {
            self.used.store(now.word(), Relaxed);
        }
    }

    /// Whether it ends one day.
    pub(crate) fn is_learned(&self) -> bool {
        self.hard.load(Relaxed) != 0
    }

    /// Whether there is anything to look after.
    pub(crate) fn is_mortal(&self) -> bool {
        self.is_learned() || self.soft.load(Relaxed) != 0
    }

    /// Milliseconds that are left of the soft and the hard TTL.
    pub(crate) fn left(&self) -> Ttl {
        let now = Moment::now();
        let left = |word: &Atomic<u32>| Moment::of_word(word.load(Relaxed)).map(|at| at.since(now));
        Ttl {
            soft: left(&self.soft),
            hard: left(&self.hard),
        }
    }

    /// Milliseconds since a packet used it.
    pub(crate) fn idle(&self) -> Option<u32> {
        let used = Moment::of_word(self.used.load(Relaxed))?;
        Some(Moment::now().since(used))
    }

    /// The moment of the last use or refresh.
    fn last(&self) -> Option<Moment> {
        Moment::of_word(self.used.load(Relaxed)).or(Moment::of_word(self.refreshed.load(Relaxed)))
    }

    fn is_over(&self, now: Moment) -> bool {
        Moment::of_word(self.hard.load(Relaxed)).is_some_and(|at| at.is_past(now))
    }

    /// Whether a refresh is due; says so once.
    fn is_soft_over(&self, now: Moment) -> bool {
        let over = Moment::of_word(self.soft.load(Relaxed)).is_some_and(|at| at.is_past(now));
        let used = match (
            Moment::of_word(self.used.load(Relaxed)),
            Moment::of_word(self.refreshed.load(Relaxed)),
        ) {
            // The time of use is known to the second.
            (Some(used), Some(refreshed)) => refreshed.before(1000).is_past(used),
            (used, _) => used.is_some(),
        };
        if over {
            self.soft.store(0, Relaxed);
        }
        over && used
    }
}

/// Where the looking after has come to: the next bucket of the table.
pub(crate) struct Sweep {
    next: Atomic<u32>,
    /// Where room is looked for.
    hand: Atomic<u32>,
    /// Whether any mapping has a TTL: 0 or 1.
    needed: Atomic<u32>,
    /// Whether one was seen since the table's start.
    seen: Atomic<u32>,
}

impl Sweep {
    /// Nothing to look after yet.
    pub(crate) const fn new() -> Self {
        Sweep {
            next: Atomic::new(0),
            hand: Atomic::new(0),
            needed: Atomic::new(0),
            seen: Atomic::new(0),
        }
    }
}

impl Host {
    /// A mapping with a TTL is there.
    pub(crate) fn start_sweep(&self) {
        self.sweep().needed.store(1, Relaxed);
        self.sweep().seen.store(1, Relaxed);
        Registry::<Host>::work_within(self.net(), PERIOD);
    }

    /// Looks after a part of the mappings; says whether there is more to do later.
    pub(crate) fn sweep_mappings(&self) -> bool {
        if self.sweep().needed.load(Relaxed) == 0 {
            return false;
        }
        let now = Moment::now();
        // Without somebody to ask, old news are better than none.
        let mortal = matches!(
            self.resolver(),
            OVNET_RESOLVER_STATE_NONE | OVNET_RESOLVER_STATE_READY
        );
        let mut over = [0; BATCH];
        let mut found = 0;
        let sweep = self.sweep();
        let reader = rcu::read_lock();
        let from = sweep.next.load(Relaxed);
        let next = self
            .mappings()
            .visit(from, PART, (&reader).into(), |key, mapping| {
                if mapping.expiry.is_mortal() {
                    sweep.seen.store(1, Relaxed);
                }
                if mortal && mapping.expiry.is_over(now) {
                    if let Some(slot) = over.get_mut(found) {
                        *slot = key;
                        found = found.wrapping_add(1);
                    }
                } else if mapping.expiry.is_soft_over(now) {
                    self.report_expiry(key, mapping, false);
                }
            });
        drop(reader);
        for &key in over.iter().take(found) {
            self.expire(key, now);
        }
        if found == BATCH {
            // There may be more in this part.
            return true;
        }
        sweep.next.store(next, Relaxed);
        if next == 0 {
            // A table without a single TTL needs nobody until the next one comes.
            let seen = sweep.seen.xchg(0, Relaxed);
            sweep.needed.store(seen, Relaxed);
            return seen != 0;
        }
        true
    }

    /// Ends a mapping whose time is over still.
    fn expire(&self, key: u64, now: Moment) {
        let _control = self.control().lock();
        let reader = rcu::read_lock();
        let over = self
            .mappings()
            .get(key, (&reader).into())
            .filter(|mapping| mapping.expiry.is_over(now));
        match over {
            Some(mapping) => self.report_expiry(key, mapping, true),
            None => return,
        }
        drop(reader);
        remove_mapping(self, key);
    }

    /// Makes room for a mapping: of those that end one day some are compared, and the one that was not
    /// used for the longest time goes. Says whether one did. Under the control lock.
    pub(crate) fn evict(&self) -> bool {
        let mut coldest: Option<(u32, u64)> = None;
        let now = Moment::now();
        let hand = &self.sweep().hand;
        // Provisioned mappings may be in the way.
        for _ in 0..SAMPLES {
            let reader = rcu::read_lock();
            let from = hand.load(Relaxed);
            let next = self
                .mappings()
                .visit(from, SAMPLE, (&reader).into(), |key, mapping| {
                    if !mapping.expiry.is_learned() {
                        return;
                    }
                    let last = mapping.expiry.last();
                    let age = last.map_or(u32::MAX, |last| now.since(last));
                    if coldest.is_none_or(|(known, _)| age > known) {
                        coldest = Some((age, key));
                    }
                });
            hand.store(next, Relaxed);
            if coldest.is_some() {
                break;
            }
        }
        coldest.is_some_and(|(_, key)| remove_mapping(self, key))
    }

    fn report_expiry(&self, key: u64, mapping: &Mapping, gone: bool) {
        let (vni, address) = unkey(key);
        if let Some(vni) = Vni::new(vni) {
            self.report_end(vni, address, mapping, gone);
        }
    }
}
