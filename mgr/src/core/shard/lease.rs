// SPDX-License-Identifier: GPL-2.0

//! Hosts under lease (`MV7`): who grants it, who is suspected, and who is said to have stopped.
//! [`core::lease`](crate::core::lease) says why no node is on two hosts at once by it.
//!
//! ```text
//! a host has nodes that may be started elsewhere
//!   -> the record `session/HOST` names this manager  -> beats are granted
//!   -> the host is told the nodes, and confirms      -> the record has them
//!   -> no beat for the term of a lease               -> the host's epoch is fenced
//! ```
//!
//! Whatever is to be so is looked at from time to time and brought about if it is not, so that
//! nothing depends on one message, one transaction or one manager. All of this is for hosts that
//! have such nodes: no other host costs a message or a record.

use std::collections::{BTreeMap, BTreeSet};

use ovnet_engine::Locator;

use super::session::unchanged;
use super::{Alarm, Output, SessionId, Shard, Task};
use crate::core::lease::{are_too_many, spared, Watch, BEAT, SUSPECT, TERM};
use crate::core::message::ToAgent;
use crate::core::record::{self, Epoch, Home, Name, Session};
use crate::core::{NodeId, Time};
use crate::store::{Condition, Revision, Transaction};

/// Hosts that this manager grants leases to.
#[derive(Debug, Default)]
pub(super) struct Leases {
    held: BTreeMap<Locator, Held>,
    /// Hosts whose manager is gone: since when that is known, and the record that says who it was.
    orphans: BTreeMap<Locator, (Revision, Time)>,
    /// When to look at the hosts next.
    next: Option<Time>,
    /// So many are silent that nothing is done: of the hosts of this manager, and of those whose
    /// manager is gone.
    stopped: [bool; 2],
    /// Something has changed that does not wait for the next tick: a host under lease that has
    /// connected to another manager has little time.
    changed: bool,
}

/// A host that this manager grants leases to.
#[derive(Debug)]
struct Held {
    watch: Watch,
    /// The connection that it was told the nodes on, the number that they were told by, and
    /// whether it has confirmed that.
    session: Option<SessionId>,
    told: Vec<NodeId>,
    /// The nodes that are to be under lease.
    wanted: Vec<NodeId>,
    number: u32,
    confirmed: bool,
    /// When the store was last asked to fence it.
    asked: Option<Time>,
}

impl Held {
    fn new(now: Time) -> Held {
        Held {
            watch: Watch::new(now),
            session: None,
            told: Vec::new(),
            wanted: Vec::new(),
            number: 0,
            confirmed: false,
            asked: None,
        }
    }
}

impl Shard {
    /// When there is something to do for hosts under lease.
    pub(super) fn next_lease_check(&self) -> Option<Time> {
        self.leases.next
    }

    /// Who grants leases to a host has changed, or the host's connection has.
    pub(super) fn lease_changed(&mut self) {
        self.leases.changed = true;
    }

    /// Looks at hosts under lease now if that does not wait.
    pub(super) fn flush_leases(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.leases.changed {
            self.review_leases(now, out);
        }
    }

    /// A host says that it lives.
    pub(super) fn beat(&mut self, id: SessionId, number: u32, now: Time, out: &mut Vec<Output>) {
        let Some(host) = self.host_of(id) else {
            return;
        };
        if !self.is_alive()
            || !self.is_granter(host)
            || self.epoch_of(id) != self.leased_epoch(host)
        {
            return;
        }
        if let Some(held) = self.leases.held.get_mut(&host) {
            if held.watch.beat(now) {
                out.push(Output::Send(id, ToAgent::Lease(number)));
            }
        }
    }

    /// A host's ports will stop as it was told by this number.
    pub(super) fn guarded(&mut self, id: SessionId, number: u32, out: &mut Vec<Output>) {
        let Some(host) = self.host_of(id) else {
            return;
        };
        if let Some(held) = self.leases.held.get_mut(&host) {
            if held.session == Some(id) && held.number == number {
                held.confirmed = true;
                self.write_guarded(host, out);
            }
        }
    }

    /// The epoch in which a host is under lease, if that is not over.
    fn leased_epoch(&self, host: Locator) -> Option<u32> {
        let (session, _) = self.table.session(host)?;
        let over = self.table.epoch(host).0.is_over(session.epoch);
        (!over).then_some(session.epoch)
    }

    /// Whether the store says that this manager grants leases to a host.
    fn is_granter(&self, host: Locator) -> bool {
        self.table
            .session(host)
            .is_some_and(|(session, _)| session.manager == self.id)
    }

    /// Looks at hosts and nodes: who is to be under lease, and what hosts are to know. Once in a
    /// tick.
    pub(super) fn review_leases(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.as_of.is_none() || self.table.term().number == 0 {
            return;
        }
        self.leases.changed = false;
        self.table.find_placed();
        let wanted = self.evacuated();
        let sessions: Vec<_> = self.by_host.iter().map(|(host, id)| (*host, *id)).collect();
        for (host, id) in sessions {
            let nodes = wanted.get(&host).cloned().unwrap_or_default();
            let concerned = !nodes.is_empty() || self.table.session(host).is_some();
            if concerned && self.host_of(id).is_some() {
                self.take_lease(host, id, out);
            }
        }
        self.hold_leases(now);
        for (host, id) in self.by_host.clone() {
            let nodes = wanted.get(&host).cloned().unwrap_or_default();
            if self.host_of(id).is_some() {
                self.tell_guarded(host, id, nodes, out);
                self.write_guarded(host, out);
            }
        }
        self.look_for_orphans(now, out);
        if self.leases.next.is_none() && !self.leases.held.is_empty() {
            self.leases.next = Some(now + BEAT);
        }
    }

    /// The nodes that may be started elsewhere, by the hosts that have them or are to.
    fn evacuated(&self) -> BTreeMap<Locator, Vec<NodeId>> {
        let mut nodes: BTreeMap<Locator, Vec<NodeId>> = BTreeMap::new();
        for (node, placement, keys) in self.table.placements().iter() {
            if !placement.evacuate {
                continue;
            }
            for key in keys {
                let Some((_, mapping)) = self.table.mapping(*key) else {
                    continue;
                };
                let home = match mapping.home {
                    Home::Host(host) => Some(host),
                    Home::Nowhere | Home::Leaving => None,
                };
                for host in [home, mapping.at.map(|at| at.host)].into_iter().flatten() {
                    let there = nodes.entry(host).or_default();
                    if there.last() != Some(&node) {
                        there.push(node);
                    }
                }
            }
        }
        nodes
    }

    /// Has the store say that this manager grants leases to a host that is connected to it. What
    /// the host has confirmed stays so for its boot, whoever asked.
    fn take_lease(&mut self, host: Locator, id: SessionId, out: &mut Vec<Output>) {
        let Some(epoch) = self.epoch_of(id) else {
            return;
        };
        // Whoever is to see that this manager dies has to have seen that it lives.
        if !self.is_alive() {
            return;
        }
        let known = self.table.session(host).cloned();
        let mine = known
            .as_ref()
            .is_some_and(|(it, _)| it.manager == self.id && it.epoch == epoch);
        if mine {
            return;
        }
        let (present, revision) = self.table.epoch(host);
        if present.is_over(epoch) {
            return;
        }
        let (before, at) = known.map_or((None, 0), |(it, at)| (Some(it), at));
        let session = Session {
            manager: self.id,
            epoch,
            guarded: before
                .filter(|it| it.epoch == epoch)
                .map_or_else(Vec::new, |it| it.guarded),
        };
        let key = Name::Session(host).bytes();
        let transaction = Transaction::new()
            .when(unchanged(key.clone(), at))
            .when(unchanged(Name::Epoch(host).bytes(), revision))
            .put(key, record::encode(&session));
        self.commit(Task::Clean, transaction, out);
    }

    /// Watches the hosts that the store says are this manager's, connected or not, and no other.
    fn hold_leases(&mut self, now: Time) {
        let own: Vec<_> = self
            .table
            .sessions()
            .filter(|(host, session, _)| {
                session.manager == self.id && !self.table.epoch(*host).0.is_over(session.epoch)
            })
            .map(|(host, ..)| host)
            .collect();
        self.leases
            .held
            .retain(|host, _| own.binary_search(host).is_ok());
        for host in own {
            self.leases
                .held
                .entry(host)
                .or_insert_with(|| Held::new(now));
        }
    }

    /// Tells a host what is under lease, until it has confirmed that. What the store says may be
    /// started elsewhere has to stop there until the store says so no more.
    fn tell_guarded(
        &mut self,
        host: Locator,
        id: SessionId,
        wanted: Vec<NodeId>,
        out: &mut Vec<Output>,
    ) {
        let (Some(held), Some((session, _))) =
            (self.leases.held.get_mut(&host), self.table.session(host))
        else {
            return;
        };
        let nodes: BTreeSet<_> = wanted.iter().chain(&session.guarded).copied().collect();
        let nodes: Vec<_> = nodes.into_iter().collect();
        held.wanted = wanted;
        if held.session != Some(id) || held.told != nodes {
            held.number = held.number.wrapping_add(1);
            (held.session, held.told, held.confirmed) = (Some(id), nodes.clone(), false);
        } else if held.confirmed {
            return;
        }
        let number = held.number;
        out.push(Output::Send(id, ToAgent::Guarded { number, nodes }));
    }

    /// Has the store know what stops on a host: what it has confirmed, and of that only what is to
    /// be. A host that has nothing to stop any more is under lease no longer.
    fn write_guarded(&mut self, host: Locator, out: &mut Vec<Output>) {
        let (Some(held), Some((session, revision))) =
            (self.leases.held.get(&host), self.table.session(host))
        else {
            return;
        };
        if session.manager != self.id || held.asked.is_some() || held.session.is_none() {
            return;
        }
        let certain = match held.confirmed {
            true => &held.told,
            false => &session.guarded,
        };
        let certain = certain.iter().filter(|node| held.wanted.contains(node));
        let guarded: Vec<_> = certain.copied().collect();
        let ended = held.confirmed && held.told.is_empty();
        if guarded == session.guarded && !ended {
            return;
        }
        let key = Name::Session(host).bytes();
        let transaction = Transaction::new().when(Condition::Modified(key.clone(), *revision));
        let transaction = match ended {
            true => transaction.delete(key),
            false => {
                let session = Session {
                    guarded,
                    ..session.clone()
                };
                transaction.put(key, record::encode(&session))
            }
        };
        self.commit(Task::Clean, transaction, out);
    }

    /// Looks for hosts that are silent: ten times a second, while there are hosts under lease.
    pub(super) fn check_leases(&mut self, now: Time, out: &mut Vec<Output>) {
        let Some(due) = self.leases.next.filter(|next| now >= *next) else {
            return;
        };
        self.leases.next = (!self.leases.held.is_empty()).then(|| now + BEAT);
        // Who was held up listens to what was said meanwhile before judging silence.
        if now - due >= SUSPECT {
            return;
        }
        let mut suspects = 0;
        let mut over = Vec::new();
        for (host, held) in &mut self.leases.held {
            if held.watch.suspects(now) {
                out.push(Output::Alarm(Alarm::Suspect(*host)));
            }
            suspects += usize::from(held.watch.is_suspect());
            // A host that has confirmed nothing has nothing that may be started elsewhere: it need not
            // be said to have stopped, after which it would never be granted anything again.
            let session = self.table.session(*host).map(|(session, _)| session);
            let confirmed = session.is_some_and(|session| !session.guarded.is_empty());
            if confirmed && held.watch.is_over(now) {
                over.push(*host);
            }
        }
        let all = self.leases.held.len();
        if self.are_stopped(0, suspects, all, out) {
            for held in self.leases.held.values_mut() {
                if held.watch.is_suspect() {
                    held.watch.spare(now);
                }
            }
            return;
        }
        for host in over {
            let Some(held) = self.leases.held.get_mut(&host) else {
                continue;
            };
            let again = held.asked.is_none_or(|asked| now - asked >= TERM);
            if again && held.watch.end(now) {
                held.asked = Some(now);
                self.fence(host, out);
            }
        }
    }

    /// Whether so many hosts are silent that the fault is likely to be elsewhere.
    fn are_stopped(
        &mut self,
        which: usize,
        silent: usize,
        all: usize,
        out: &mut Vec<Output>,
    ) -> bool {
        let stopped = are_too_many(silent, all);
        let before = std::mem::replace(&mut self.leases.stopped[which], stopped);
        if stopped && !before {
            out.push(Output::Alarm(Alarm::Silence(silent as u32, all as u32)));
        }
        stopped
    }

    /// The hosts whose manager is gone, which is for the one that leads.
    fn look_for_orphans(&mut self, now: Time, out: &mut Vec<Output>) {
        if !self.is_leader() {
            self.leases.orphans.clear();
            return;
        }
        let mut orphans = BTreeMap::new();
        let mut all = 0;
        for (host, session, revision) in self.table.sessions() {
            if self.table.epoch(host).0.is_over(session.epoch) {
                continue;
            }
            all += 1;
            if session.manager == self.id || self.table.is_manager(session.manager) {
                continue;
            }
            let since = match self.leases.orphans.get(&host) {
                Some((known, since)) if *known == revision => *since,
                _ => now,
            };
            orphans.insert(host, (revision, since));
        }
        let over: Vec<_> = orphans
            .iter()
            .filter(|(_, (_, since))| now - *since >= TERM)
            .map(|(host, _)| *host)
            .collect();
        self.leases.orphans = orphans;
        if self.are_stopped(1, over.len(), all, out) {
            for (_, since) in self.leases.orphans.values_mut() {
                *since = spared(now);
            }
            return;
        }
        for host in over {
            self.fence(host, out);
        }
    }

    /// Says that the boot of a host is over whose lease is. The record of its lease must be what
    /// it was: nobody else may have begun to grant.
    fn fence(&mut self, host: Locator, out: &mut Vec<Output>) {
        let Some((session, revision)) = self.table.session(host) else {
            return;
        };
        let (known, at) = self.table.epoch(host);
        if session.guarded.is_empty() || known.is_over(session.epoch) {
            return;
        }
        let fenced = Epoch {
            fenced: session.epoch,
            by_lease: true,
            ..known
        };
        let key = Name::Epoch(host).bytes();
        let mut transaction = Transaction::new()
            .when(Condition::Modified(Name::Session(host).bytes(), *revision))
            .when(unchanged(key.clone(), at))
            .put(key, record::encode(&fenced));
        if session.manager != self.id {
            // One that is alive again may grant again.
            let manager = Name::Manager(session.manager).bytes();
            transaction = transaction.when(Condition::Absent(manager));
        }
        out.push(Output::Alarm(Alarm::Fenced(host, session.epoch)));
        if let Some(id) = self.by_host.get(&host).copied() {
            out.push(Output::Close(id));
            self.closed(id);
        }
        self.commit(Task::Clean, transaction, out);
    }

    /// Whether a host under lease has been silent for three beats, as far as this manager knows.
    #[must_use]
    pub fn is_suspect(&self, host: Locator) -> bool {
        self.leases.orphans.contains_key(&host)
            || self
                .leases
                .held
                .get(&host)
                .is_some_and(|held| held.watch.is_suspect())
    }
}
