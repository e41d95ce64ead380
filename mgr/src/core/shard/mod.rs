// SPDX-License-Identifier: GPL-2.0

//! What every system manager runs: answers agents from a copy of the store, tells them what
//! changes, and turns claims and orders into transactions.
//!
//! Several managers over one store are equal: each answers and each writes, because a
//! transaction names the revisions of all it depends on. One of them leads, for what only one
//! should do (housekeeping), and its term is part of every generation. The copy changes in one
//! way only: by what the store says has happened.

mod alarm;
mod balance;
mod claim;
mod config;
mod job;
mod leader;
mod learn;
mod lease;
mod load;
mod moves;
mod moving;
mod nodes;
mod objects;
mod order;
mod pages;
mod placements;
mod presence;
mod refusal;
mod resolve;
mod session;
mod subscribers;
mod sweep;
mod table;
mod takeover;
mod telling;
mod tending;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ovnet_engine::Locator;

use super::message::{Claim, ToAgent, ToManager};
use super::record::{Mapping, Name};
use super::{Generation, Key, Random, Time};
use crate::store::{Change, Condition, Entry, Event, Lease, Outcome, Range, Revision, Transaction};
pub use alarm::Alarm;
pub use balance::Balance;
pub use config::{Config, Emptying, Patience};
use job::{Job, Origin};
pub use moves::Moves;
pub use order::{Done, Order, Terms};
pub use placements::Placements;
pub use refusal::Refusal;
use resolve::Bucket;
use session::Session;
pub use table::Table;
pub use takeover::Plan;

/// The id of a connection of an agent to this manager; none is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionId(pub u32);

/// The id of an operation of the store, of one manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flight(pub u64);

/// What happens to a manager.
#[derive(Clone, Debug)]
pub enum Input {
    /// An agent has connected; its certificate says that it is this host's.
    Opened(SessionId, Locator),
    /// An agent says something.
    Received(SessionId, ToManager),
    /// An agent's connection has ended.
    Closed(SessionId),
    /// A piece of [`record::cached`](super::record::cached): all there is of a range.
    Load {
        /// The range, as far as it was read.
        range: Range,
        /// Everything in it.
        entries: Vec<Entry>,
        /// The revision that it was read at, the same for all pieces.
        revision: Revision,
        /// There are no more pieces.
        last: bool,
    },
    /// A transaction has happened. All are told of, in order, from the revision after that of the
    /// pieces on.
    Changed(Change),
    /// What became of [`Output::Commit`]; none if that is not known.
    Committed(Flight, Option<Outcome>),
    /// The answer to [`Output::Read`], and the revision it is of; none if the store did not answer.
    Read(Flight, Option<(Option<Entry>, Revision)>),
    /// The lease of this manager, which the driver keeps alive.
    Leased(Lease),
    /// The lease is lost.
    LeaseLost,
    /// Somebody who may asks for a change of the provisioning data.
    Order(u64, Order, Terms),
}

/// What a manager wants done, in this order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send to an agent.
    Send(SessionId, ToAgent),
    /// End a connection; no [`Input::Closed`] is expected.
    Close(SessionId),
    /// Carry a transaction out.
    Commit(Flight, Transaction),
    /// Read a key as it is now.
    Read(Flight, Name),
    /// What became of an [`Input::Order`].
    Reply(u64, Result<Done, Refusal>),
    /// Something that people should look at.
    Alarm(Alarm),
}

/// Counts of what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Keys answered.
    pub answered: u64,
    /// Keys refused because the host may not know.
    pub refused: u64,
    /// Keys put off because there was too much to do.
    pub busy: u64,
    /// Keys pushed.
    pub pushed: u64,
    /// Invalidations in place of pushes.
    pub invalidated: u64,
    /// Connections ended because the agent did not acknowledge.
    pub slow: u64,
    /// Claims granted.
    pub granted: u64,
    /// Claims denied.
    pub denied: u64,
    /// Transactions that met a change they did not know of.
    pub conflicts: u64,
    /// Records that are not what a manager writes.
    pub damaged: u64,
}

/// The state machine.
#[derive(Debug)]
pub struct Shard {
    config: Config,
    /// This manager's id among those of the store.
    id: u32,
    random: Random,
    table: Table,
    /// The state of the store that the table is; none before it was loaded.
    as_of: Option<Generation>,
    sessions: BTreeMap<SessionId, Session>,
    by_host: BTreeMap<Locator, SessionId>,
    /// Sessions that have something to be told.
    dirty: BTreeSet<SessionId>,
    /// Who asked for addresses that are no node's, for a short time.
    vacancies: Vacancies,
    /// What each flight is for, and the term it was begun in.
    flights: BTreeMap<Flight, (u32, Task)>,
    last_flight: Flight,
    /// What waits until the table is of that revision.
    deferred: Vec<(Revision, Deferred)>,
    bucket: Bucket,
    /// Keys put off since the last tick.
    put_off: usize,
    lease: Option<Lease>,
    /// When to campaign, if there is no leader.
    campaign: Option<Time>,
    sweep: sweep::Sweep,
    leases: lease::Leases,
    loads: load::Loads,
    clocks: tending::Clocks,
    presence: tending::Presence,
    /// Something has changed that moves depend on.
    tend: bool,
    /// A host was said to have stopped: its nodes do not wait for the next tick.
    rescue: bool,
    /// When to look next whether hosts are too full.
    next_balance: Time,
    next_tick: Time,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Vacancies {
    asked: BTreeMap<Key, Vec<SessionId>>,
    order: VecDeque<(Time, Key)>,
}

/// What a flight is for.
#[derive(Debug)]
enum Task {
    BePresent(Lease),
    Campaign,
    Clean,
    Claims(SessionId, Vec<Claim>),
    Greet(SessionId),
    Look(SessionId),
    Release(SessionId, Key, Option<Mapping>),
    Work(Box<Job>),
}

#[derive(Debug)]
enum Deferred {
    Claims(SessionId, Vec<Claim>),
    Greet(SessionId),
    Work(Box<Job>),
}

impl Shard {
    /// A manager that knows nothing yet. No two that are alive have the same id.
    #[must_use]
    pub fn new(config: Config, id: u32, seed: u64, now: Time) -> Shard {
        Shard {
            id,
            random: Random::new(seed),
            table: Table::default(),
            as_of: None,
            sessions: BTreeMap::new(),
            by_host: BTreeMap::new(),
            dirty: BTreeSet::new(),
            vacancies: Vacancies::default(),
            flights: BTreeMap::new(),
            last_flight: Flight(0),
            deferred: Vec::new(),
            bucket: Bucket::new(config.rate, config.burst, now),
            put_off: 0,
            lease: None,
            campaign: None,
            sweep: sweep::Sweep::default(),
            leases: lease::Leases::default(),
            loads: load::Loads::default(),
            clocks: tending::Clocks::default(),
            presence: tending::Presence::default(),
            tend: false,
            rescue: false,
            next_balance: now,
            next_tick: now + config.tick,
            counters: Counters::default(),
            config,
        }
    }

    /// Takes one input.
    pub fn handle(&mut self, input: Input, now: Time, out: &mut Vec<Output>) {
        match input {
            Input::Opened(session, host) => self.opened(session, host, now, out),
            Input::Received(session, message) => self.received(session, message, now, out),
            Input::Closed(session) => self.closed(session),
            Input::Load {
                range,
                entries,
                revision,
                last,
            } => {
                self.load(&range, entries, revision, last, now, out);
            }
            Input::Changed(change) => self.changed(change, now, out),
            Input::Committed(flight, outcome) => self.committed(flight, outcome, now, out),
            Input::Read(flight, found) => self.read(flight, found, now, out),
            Input::Leased(lease) => self.leased(lease, now, out),
            Input::LeaseLost => self.lease = None,
            Input::Order(request, order, terms) => {
                self.start(
                    Job::new(Origin::Request(request), order).on(terms),
                    now,
                    out,
                );
            }
        }
        self.flush_leases(now, out);
        self.flush(now, out);
    }

    /// Does what is due. To be called at [`Shard::next_wake`]; any other time does no harm.
    pub fn wake(&mut self, now: Time, out: &mut Vec<Output>) {
        self.check_leases(now, out);
        if now < self.next_tick {
            return;
        }
        self.next_tick = now + self.config.tick;
        self.end_slow_sessions(now, out);
        self.forget_vacancies(now);
        self.campaign_due(now, out);
        self.sweep(now, out);
        self.moves_due(now, out);
        self.review_leases(now, out);
        self.write_loads(now, out);
        self.empty_hosts(now, out);
        self.flush(now, out);
    }

    /// When there is something to do at the latest.
    #[must_use]
    pub fn next_wake(&self) -> Time {
        let check = self.next_lease_check();
        check.map_or(self.next_tick, |check| check.min(self.next_tick))
    }

    /// What happened so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The copy of the store.
    #[must_use]
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// The state of the store that the table is; none before it was loaded.
    #[must_use]
    pub const fn as_of(&self) -> Option<Generation> {
        self.as_of
    }

    /// Whether this manager does what only one should do.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.lease.is_some() && self.table.term().leader == self.id && self.table.has_leader()
    }

    fn load(
        &mut self,
        range: &Range,
        entries: Vec<Entry>,
        revision: Revision,
        last: bool,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        // Until the last piece the table is of no revision, and nothing can be said from it.
        self.as_of = None;
        // Only what the range says is not there is taken away: a missing piece deletes nothing.
        for key in self.table.absent(range, &entries) {
            self.apply(Event::Delete(key), now);
        }
        for entry in entries {
            self.apply(Event::Put(entry), now);
        }
        if last {
            self.reached(revision, now, out);
        }
    }

    fn changed(&mut self, change: Change, now: Time, out: &mut Vec<Output>) {
        if self
            .as_of
            .is_some_and(|as_of| as_of.revision() >= change.revision)
        {
            return;
        }
        for event in change.events {
            self.apply(event, now);
        }
        self.reached(change.revision, now, out);
    }

    fn apply(&mut self, event: Event, now: Time) {
        let Some(name) = Name::parse(event.key()) else {
            return;
        };
        let value = match &event {
            Event::Put(entry) => Some((&entry.value[..], entry.modified)),
            Event::Delete(_) => None,
        };
        match name {
            Name::Mapping(key) => self.apply_mapping(key, value, now),
            Name::Move(id) => {
                self.apply_move(id, value, now);
                self.tend = true;
            }
            Name::Node(_) => {}
            Name::Session(_) => {
                self.counters.damaged += u64::from(!self.table.apply(name, value));
                self.lease_changed();
            }
            Name::Network(vni) => {
                let admitted = |table: &Table| {
                    let network = table.network(vni);
                    network.map_or_else(Vec::new, |(network, _)| network.admits.clone())
                };
                let before = admitted(&self.table);
                self.counters.damaged += u64::from(!self.table.apply(name, value));
                let after = admitted(&self.table);
                self.network_changed(vni);
                // What nodes of these may do is another matter as well now.
                for peer in before.iter().filter(|peer| !after.contains(peer)) {
                    self.network_changed(*peer);
                }
                for peer in after.iter().filter(|peer| !before.contains(peer)) {
                    self.network_changed(*peer);
                }
            }
            Name::Epoch(host) => {
                self.counters.damaged += u64::from(!self.table.apply(name, value));
                self.tend = true;
                self.rescue |= self.table.epoch(host).0.by_lease;
            }
            _ => {
                self.tend |= matches!(name, Name::Manager(_));
                self.counters.damaged += u64::from(!self.table.apply(name, value));
            }
        }
    }

    /// The table is that of a revision now.
    fn reached(&mut self, revision: Revision, now: Time, out: &mut Vec<Output>) {
        self.as_of = Some(Generation::new(self.table.term().number, revision));
        self.leader_changed(now);
        let deferred = std::mem::take(&mut self.deferred);
        let (ready, waiting) = deferred
            .into_iter()
            .partition(|(wanted, _)| *wanted <= revision);
        self.deferred = waiting;
        let ready: Vec<(Revision, Deferred)> = ready;
        for (_, deferred) in ready {
            match deferred {
                Deferred::Claims(session, claims) => self.claims(session, claims, 1, out),
                Deferred::Greet(session) => self.greet(session, out),
                Deferred::Work(job) => self.start(*job, now, out),
            }
        }
        if std::mem::take(&mut self.tend) {
            self.tend_moves(now, out);
        }
        if std::mem::take(&mut self.rescue) {
            self.empty_hosts(now, out);
        }
    }

    /// Runs a transaction, on the condition that the term is still what it is.
    fn commit(&mut self, task: Task, mut transaction: Transaction, out: &mut Vec<Output>) {
        let term = Name::Term.bytes();
        transaction
            .conditions
            .push(match self.table.term_revision() {
                0 => Condition::Absent(term),
                revision => Condition::Modified(term, revision),
            });
        let flight = self.new_flight(task);
        out.push(Output::Commit(flight, transaction));
    }

    fn new_flight(&mut self, task: Task) -> Flight {
        self.last_flight.0 += 1;
        self.flights
            .insert(self.last_flight, (self.table.term().number, task));
        self.last_flight
    }

    fn committed(
        &mut self,
        flight: Flight,
        outcome: Option<Outcome>,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let Some((term, task)) = self.flights.remove(&flight) else {
            return;
        };
        match outcome {
            Some(Outcome::Committed(revision)) => {
                let generation = Generation::new(term, revision);
                self.succeeded(task, generation, now, out);
            }
            Some(Outcome::Refused { revision }) => {
                self.counters.conflicts += 1;
                self.conflicted(task, revision, now, out);
            }
            // Agents repeat what was not answered, and an order that did happen is seen to have
            // happened when it is tried again.
            None => match task {
                Task::Work(job) => self.finish(job.origin, Err(Refusal::Unavailable), out),
                Task::BePresent(_) => self.was_present(None),
                _ => {}
            },
        }
    }

    fn succeeded(&mut self, task: Task, generation: Generation, now: Time, out: &mut Vec<Output>) {
        match task {
            Task::Campaign | Task::Clean | Task::Look(_) => {}
            Task::BePresent(lease) => self.was_present(Some((lease, generation.revision()))),
            Task::Claims(session, claims) => self.claimed(session, &claims, generation, out),
            Task::Greet(session) => {
                self.defer(generation.revision(), Deferred::Greet(session), now, out);
            }
            Task::Release(session, key, after) => {
                self.released(session, key, after, generation, out);
            }
            Task::Work(job) => {
                let done = Done {
                    generation,
                    address: job.address,
                };
                self.finish(job.origin, Ok(done), out);
            }
        }
    }

    fn conflicted(&mut self, task: Task, revision: Revision, now: Time, out: &mut Vec<Output>) {
        match task {
            Task::Campaign | Task::Clean | Task::Look(_) => {}
            Task::BePresent(_) => self.was_present(None),
            Task::Claims(session, claims) => {
                self.defer(revision, Deferred::Claims(session, claims), now, out);
            }
            Task::Greet(session) => self.defer(revision, Deferred::Greet(session), now, out),
            // The agent repeats it, with what it is told of the change that was met.
            Task::Release(..) => {}
            Task::Work(mut job) => {
                job.tries += 1;
                if job.tries > self.config.tries {
                    self.finish(job.origin, Err(Refusal::Conflict), out);
                } else {
                    self.defer(revision, Deferred::Work(job), now, out);
                }
            }
        }
    }

    /// Goes on as soon as the table is of a revision.
    fn defer(&mut self, revision: Revision, task: Deferred, now: Time, out: &mut Vec<Output>) {
        self.deferred.push((revision, task));
        if let Some(as_of) = self.as_of.filter(|as_of| as_of.revision() >= revision) {
            self.reached(as_of.revision(), now, out);
        }
    }
}
