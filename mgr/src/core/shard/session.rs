// SPDX-License-Identifier: GPL-2.0

//! Connections of agents, and what they are told without asking.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use ovnet_engine::{Locator, Vni};

use super::{Alarm, Deferred, Output, SessionId, Shard, Task};
use crate::core::message::{Report, Settings, ToAgent, ToManager, Verdict};
use crate::core::moves::MoveId;
use crate::core::record::{self, Epoch, Home, Mapping, Name};
use crate::core::{Generation, Key, Time};
use crate::store::{Condition, Revision, Transaction};

/// A connection of an agent.
#[derive(Debug)]
pub(super) struct Session {
    host: Locator,
    /// What the agent said first.
    hello: Option<(u32, Generation)>,
    /// The agent was welcomed.
    pub(super) ready: bool,
    /// Mappings to tell of because a node is, was or is to be on the host. They are never left
    /// out, and no more than the host has nodes.
    own: BTreeSet<Key>,
    /// Mappings to tell of because the agent asked.
    news: BTreeSet<Key>,
    /// More of these changed than could be queued.
    invalidate: bool,
    /// Moves to tell of.
    moves: BTreeSet<MoveId>,
    /// Networks to tell of.
    networks: BTreeSet<Vni>,
    /// Networks to tell that the host has no node in them any more.
    left: BTreeSet<Vni>,
    /// Networks that were told of, and have not changed without the host since.
    told: BTreeSet<Vni>,
    /// Pushes sent and acknowledged.
    sent: u32,
    acked: u32,
    /// Since when one is waited for.
    waiting: Time,
    /// With which pushes the agent had been sent all there was of a revision.
    marks: VecDeque<(u32, Revision)>,
    /// The last of these that it has acknowledged.
    until: Revision,
}

impl Session {
    /// The agent has acknowledged all that had changed until a revision, of those up to `reached`.
    pub(super) fn acked_until(&self, reached: Revision) -> Revision {
        match self.is_idle() && self.sent == self.acked {
            true => reached,
            false => self.until,
        }
    }

    /// There is nothing to be told.
    fn is_idle(&self) -> bool {
        self.own.is_empty() && self.news.is_empty() && !self.invalidate
    }

    fn acknowledge(&mut self, number: u32) {
        self.acked = number;
        while let Some((_, until)) = self.marks.front().filter(|(sent, _)| *sent <= number) {
            self.until = *until;
            self.marks.pop_front();
        }
    }
}

impl Shard {
    pub(super) fn host_of(&self, session: SessionId) -> Option<Locator> {
        self.sessions
            .get(&session)
            .filter(|s| s.ready)
            .map(|session| session.host)
    }

    pub(super) fn epoch_of(&self, session: SessionId) -> Option<u32> {
        self.sessions
            .get(&session)
            .and_then(|s| s.hello)
            .map(|(epoch, _)| epoch)
    }

    pub(super) fn opened(
        &mut self,
        id: SessionId,
        host: Locator,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        // A host has one agent: the connection before is dead, only not known to be.
        if let Some(former) = self.by_host.insert(host, id) {
            self.sessions.remove(&former);
            out.push(Output::Close(former));
        }
        let session = Session {
            host,
            hello: None,
            ready: false,
            own: BTreeSet::new(),
            news: BTreeSet::new(),
            invalidate: false,
            moves: BTreeSet::new(),
            networks: BTreeSet::new(),
            left: BTreeSet::new(),
            told: BTreeSet::new(),
            sent: 0,
            acked: 0,
            waiting: now,
            marks: VecDeque::new(),
            until: 0,
        };
        self.sessions.insert(id, session);
    }

    pub(super) fn closed(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.remove(&id) {
            if self.by_host.get(&session.host) == Some(&id) {
                self.by_host.remove(&session.host);
            }
        }
        self.dirty.remove(&id);
    }

    pub(super) fn received(
        &mut self,
        id: SessionId,
        message: ToManager,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        if let ToManager::Hello {
            epoch,
            seen,
            frozen,
        } = message
        {
            if session.hello.is_some() {
                return;
            }
            session.hello = Some((epoch, seen));
            if !frozen {
                return self.greet(id, out);
            }
            // Whatever is read, the answer is not older than the question.
            let flight = self.new_flight(Task::Look(id));
            out.push(Output::Read(flight, Name::Term));
            return;
        }
        if !session.ready {
            return;
        }
        match message {
            ToManager::Hello { .. } => {}
            ToManager::Resolve(items) => self.resolve(id, &items, now, out),
            ToManager::Claim(claims) => {
                let batch = self.config.batch;
                self.claims(id, claims, batch, out);
            }
            ToManager::Release { key, generation } => self.release(id, key, generation, out),
            ToManager::Learn {
                of,
                address,
                attempt,
            } => {
                self.learn(id, of, address, attempt, now, out);
            }
            ToManager::Silent(key) => self.silent(id, key, now, out),
            ToManager::Forget(keys) => self.forget(id, &keys),
            ToManager::Ack(number) => {
                if number > session.acked && number <= session.sent {
                    session.acknowledge(number);
                    session.waiting = now;
                    self.dirty.insert(id);
                }
            }
            ToManager::Report(report) => self.reported(id, &report, now, out),
            ToManager::Beat(number) => self.beat(id, number, now, out),
            ToManager::Guarded(number) => self.guarded(id, number, out),
            ToManager::Step { id: of, step, note } => self.stepped(id, of, step, note, now, out),
            ToManager::Peers { id: of, keys } => self.peers(id, of, keys, now, out),
        }
    }

    /// The store is at a revision, or does not say.
    pub(super) fn looked(
        &mut self,
        id: SessionId,
        revision: Option<Revision>,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let waits = |session: &&Session| !session.ready;
        match (revision, self.sessions.get(&id).filter(waits)) {
            (_, None) => {}
            (Some(revision), _) => self.defer(revision, Deferred::Greet(id), now, out),
            (None, _) => self.turn_away(id, Duration::from_millis(200), out),
        }
    }

    /// Welcomes an agent, once the store has its host's epoch.
    pub(super) fn greet(&mut self, id: SessionId, out: &mut Vec<Output>) {
        let Some(session) = self.sessions.get(&id).filter(|session| !session.ready) else {
            return;
        };
        let (host, Some((epoch, seen))) = (session.host, session.hello) else {
            return;
        };
        let Some(as_of) = self.as_of.filter(|_| self.table.term().number > 0) else {
            return self.turn_away(id, Duration::from_millis(200), out);
        };
        if self.table.host(host).is_none() {
            out.push(Output::Alarm(Alarm::UnknownHost(host)));
            return self.turn_away(id, self.config.longest_wait, out);
        }
        if seen > as_of {
            out.push(Output::Alarm(Alarm::Behind(host, seen)));
            return self.turn_away(id, Duration::from_millis(200), out);
        }
        let (known, revision) = self.table.epoch(host);
        if known.is_over(epoch) {
            out.push(Output::Alarm(Alarm::DeadHost(host, epoch)));
            return self.turn_away(id, self.config.longest_wait, out);
        }
        if epoch > known.current {
            let key = Name::Epoch(host).bytes();
            let value = record::encode(&Epoch {
                current: epoch,
                ..known
            });
            let transaction = Transaction::new()
                .when(unchanged(key.clone(), revision))
                .put(key, value);
            return self.commit(Task::Greet(id), transaction, out);
        }
        let networks: BTreeSet<_> = self.table.networks_of(host).collect();
        if let Some(session) = self.sessions.get_mut(&id) {
            session.ready = true;
            session.networks = networks;
            self.dirty.insert(id);
            self.tell_all_moves(id, host, out);
            out.push(Output::Send(id, ToAgent::Welcome(as_of)));
            self.lease_changed();
        }
    }

    fn turn_away(&mut self, id: SessionId, wait: Duration, out: &mut Vec<Output>) {
        out.push(Output::Send(id, ToAgent::Later(wait.as_millis() as u32)));
        out.push(Output::Close(id));
        self.closed(id);
    }

    fn reported(&mut self, id: SessionId, report: &Report, now: Time, out: &mut Vec<Output>) {
        if let Some(load) = report.load {
            self.load_reported(id, load, now);
        }
        if let Some(host) = self.host_of(id) {
            for (sighting, key, count) in &report.sightings {
                out.push(Output::Alarm(Alarm::Sighted(host, *sighting, *key, *count)));
            }
        }
    }

    /// A mapping is another one now, or none: whoever wants to hear of it will, and the hosts that
    /// the node comes from and goes to.
    pub(super) fn apply_mapping(&mut self, key: Key, value: Option<(&[u8], Revision)>, now: Time) {
        let (before, after) = match value {
            Some((bytes, revision)) => {
                let Some(after) = record::decode::<Mapping>(bytes) else {
                    self.counters.damaged += 1;
                    return;
                };
                let set = self.table.set_mapping(key, &after, revision);
                let Some((before, mut subscribers)) = set else {
                    return;
                };
                if before.is_none() {
                    self.take_name_back(key);
                    let asked = self.vacancies.asked.remove(&key).unwrap_or_default();
                    if let Some(known) = self.table.subscribers_mut(key) {
                        asked.into_iter().for_each(|session| known.add(session));
                    }
                    subscribers = self.table.subscribers(key).collect();
                }
                self.announce(key, subscribers);
                (before, Some(after))
            }
            None => {
                let Some((before, subscribers)) = self.table.remove_mapping(key) else {
                    return;
                };
                let subscribers: Vec<_> = subscribers.iter().collect();
                if !subscribers.is_empty() && !self.vacancies.asked.contains_key(&key) {
                    self.vacancies.order.push_back((now, key));
                    self.vacancies.asked.insert(key, subscribers.clone());
                }
                self.lend_name(key, &subscribers);
                self.announce(key, subscribers);
                (Some(before), None)
            }
        };
        if self.by_host.is_empty() {
            return;
        }
        let mut told = Vec::with_capacity(4);
        for mapping in [before, after].into_iter().flatten() {
            let home = match mapping.home {
                Home::Host(host) => Some(host),
                Home::Nowhere | Home::Leaving => None,
            };
            for host in [home, mapping.at.map(|at| at.host)].into_iter().flatten() {
                if !told.contains(&host) {
                    told.push(host);
                    self.announce_to_host(key, host);
                }
            }
        }
    }

    /// Who knows an address as that of another network's node is to hear that it is this network's.
    fn take_name_back(&mut self, key: Key) {
        if self.sessions.is_empty() {
            return;
        }
        for peer in self.table.peers(key.vni) {
            let there = Key::new(peer, key.address);
            let sessions: Vec<_> = self.table.subscribers(there).collect();
            for id in sessions {
                let host = self.sessions.get(&id).map(|session| session.host);
                if host.is_some_and(|host| self.table.is_present(host, key.vni)) {
                    if let Some(subscribers) = self.table.subscribers_mut(key) {
                        subscribers.add(id);
                    }
                }
            }
        }
    }

    /// Who knows an address that is no longer this network's may come to know it as another network's.
    fn lend_name(&mut self, key: Key, sessions: &[SessionId]) {
        if sessions.is_empty() {
            return;
        }
        let Some(there) = self.table.beyond(key) else {
            return;
        };
        if let Some(subscribers) = self.table.subscribers_mut(there) {
            for session in sessions {
                subscribers.add(*session);
            }
        }
    }

    fn announce(&mut self, key: Key, subscribers: Vec<SessionId>) {
        if subscribers.is_empty() {
            return;
        }
        let alone = self.table.peers(key.vni).is_empty();
        for id in subscribers {
            let host = self.sessions.get(&id).map(|session| session.host);
            match host.filter(|_| !alone) {
                Some(host) => {
                    for name in self.table.names(key, host) {
                        self.enqueue(id, name, false);
                    }
                }
                None => self.enqueue(id, key, false),
            }
        }
    }

    pub(super) fn announce_to_host(&mut self, key: Key, host: Locator) {
        if let Some(session) = self.by_host.get(&host).copied() {
            self.enqueue(session, key, true);
            // The first node of a network that is to be on the host.
            let told = |session: &Session| !session.ready || session.told.contains(&key.vni);
            if !self.sessions.get(&session).is_none_or(told) {
                self.announce_network(key.vni, host);
            }
        }
    }

    pub(super) fn announce_move(&mut self, of: MoveId, vni: Vni, host: Locator) {
        let Some(id) = self.by_host.get(&host) else {
            return;
        };
        if let Some(session) = self.sessions.get_mut(id).filter(|session| session.ready) {
            session.moves.insert(of);
            self.dirty.insert(*id);
            if !session.told.contains(&vni) {
                self.announce_network(vni, host);
            }
        }
    }

    fn enqueue(&mut self, id: SessionId, key: Key, own: bool) {
        let Some(session) = self.sessions.get_mut(&id) else {
            if let Some(subscribers) = self.table.subscribers_mut(key) {
                subscribers.remove(id);
            }
            return;
        };
        if !session.ready {
            return;
        }
        if own {
            session.own.insert(key);
        } else if session.news.len() < self.config.queue {
            session.news.insert(key);
        } else {
            // A bounded queue, and one message that stands for all that would have been in it.
            session.invalidate = true;
            session.news.clear();
        }
        self.dirty.insert(id);
    }

    pub(super) fn network_changed(&mut self, vni: Vni) {
        let present = |session: &Session| self.table.is_present(session.host, vni);
        for (id, session) in &mut self.sessions {
            if session.ready && present(session) {
                session.networks.insert(vni);
                self.dirty.insert(*id);
            } else {
                session.told.remove(&vni);
            }
        }
    }

    pub(super) fn announce_network(&mut self, vni: Vni, host: Locator) {
        if let Some(id) = self.by_host.get(&host) {
            if let Some(session) = self.sessions.get_mut(id).filter(|session| session.ready) {
                session.networks.insert(vni);
                self.dirty.insert(*id);
            }
        }
    }

    /// Tells agents what has changed, as far as they keep up.
    pub(super) fn flush(&mut self, now: Time, out: &mut Vec<Output>) {
        let Some(as_of) = self.as_of else {
            return;
        };
        self.networks_left();
        for id in std::mem::take(&mut self.dirty) {
            self.flush_networks(id, as_of, out);
            self.flush_left(id, out);
            self.flush_moves(id, out);
            self.flush_pushes(id, as_of, now, out);
        }
    }

    fn flush_networks(&mut self, id: SessionId, as_of: Generation, out: &mut Vec<Output>) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        for vni in std::mem::take(&mut session.networks) {
            if let Some((network, _)) = self.table.network(vni) {
                session.told.insert(vni);
                let settings = Settings {
                    learn: network.learn,
                    exact: network.exact,
                    admits: network.admits.clone(),
                    admitted_by: self.table.admitting(vni).collect(),
                    rules: network.rules.clone(),
                };
                let message = ToAgent::Network {
                    vni,
                    generation: as_of,
                    settings,
                };
                out.push(Output::Send(id, message));
            }
        }
    }

    /// Those hosts that have lost their last node of a network are told so: what they know there
    /// is not said to them again, hence would never be taken back (`AU4`). What they may know of the
    /// networks that it has a peering with has changed as well.
    fn networks_left(&mut self) {
        for (host, vni) in self.table.take_left() {
            let Some(id) = self.by_host.get(&host) else {
                continue;
            };
            if let Some(session) = self.sessions.get_mut(id).filter(|session| session.ready) {
                session.left.insert(vni);
                session.left.extend(self.table.peers(vni));
                self.dirty.insert(*id);
            }
        }
    }

    fn flush_left(&mut self, id: SessionId, out: &mut Vec<Output>) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        for vni in std::mem::take(&mut session.left) {
            if !self.table.is_present(session.host, vni) {
                out.push(Output::Send(id, ToAgent::NoNetwork(vni)));
            }
        }
    }

    fn flush_moves(&mut self, id: SessionId, out: &mut Vec<Output>) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        for of in std::mem::take(&mut session.moves) {
            self.tell_move(id, of, out);
        }
    }

    fn flush_pushes(&mut self, id: SessionId, as_of: Generation, now: Time, out: &mut Vec<Output>) {
        loop {
            let Some(session) = self.sessions.get_mut(&id) else {
                return;
            };
            let room = session.sent - session.acked < self.config.window;
            if session.is_idle() {
                let mark = (session.sent, as_of.revision());
                match session.marks.back_mut() {
                    Some(last) if last.0 == mark.0 => *last = mark,
                    _ if session.sent == session.acked => session.until = mark.1,
                    _ => session.marks.push_back(mark),
                }
                return;
            }
            if !room {
                return;
            }
            if session.sent == session.acked {
                session.waiting = now;
            }
            session.sent += 1;
            let number = session.sent;
            if std::mem::take(&mut session.invalidate) {
                self.counters.invalidated += 1;
                out.push(Output::Send(id, ToAgent::Invalidate(number)));
                continue;
            }
            let host = session.host;
            let mut keys = Vec::new();
            while keys.len() < self.config.batch {
                let own = session.own.pop_first().map(|key| (key, true));
                let Some(key) = own.or_else(|| session.news.pop_first().map(|key| (key, false)))
                else {
                    break;
                };
                keys.push(key);
            }
            let mut items = Vec::with_capacity(keys.len());
            for (key, own) in keys {
                // Also if the host has no node of the network any more: it has to forward.
                let verdict = match own {
                    true => self.true_verdict(host, key, as_of),
                    false => self.verdict(host, key, as_of),
                };
                if verdict == Verdict::Refused {
                    if let Some(subscribers) = self.table.subscribers_mut(key) {
                        subscribers.remove(id);
                    }
                }
                items.push((key, verdict));
            }
            self.counters.pushed += items.len() as u64;
            out.push(Output::Send(
                id,
                ToAgent::Push {
                    number,
                    as_of,
                    items,
                },
            ));
        }
    }

    /// An agent that does not keep up at all is better off with a new connection.
    pub(super) fn end_slow_sessions(&mut self, now: Time, out: &mut Vec<Output>) {
        let timeout = self.config.ack_timeout;
        let slow =
            |session: &Session| session.sent > session.acked && now - session.waiting >= timeout;
        let slow: Vec<_> = self
            .sessions
            .iter()
            .filter(|(_, s)| slow(s))
            .map(|(id, _)| *id)
            .collect();
        for id in slow {
            self.counters.slow += 1;
            out.push(Output::Close(id));
            self.closed(id);
        }
    }
}

/// The key was last modified at this revision, or is absent if that is 0.
pub(super) fn unchanged(key: Vec<u8>, revision: Revision) -> Condition {
    match revision {
        0 => Condition::Absent(key),
        revision => Condition::Modified(key, revision),
    }
}
