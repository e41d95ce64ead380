// SPDX-License-Identifier: GPL-2.0

//! A manager, and how it reaches the store.

use std::time::Duration;

use super::{Broken, Event, ManagerEvent, World};
use crate::core::record::{self, Name};
use crate::core::shard::{Counters, Flight, Input, Output};
use crate::core::{Shard, Time};
use crate::store::{Lease, Revision, Transaction};

/// A manager.
#[derive(Debug)]
pub(super) struct Manager {
    id: u32,
    /// Counts the times it was started.
    pub(super) life: u32,
    pub(super) shard: Option<Shard>,
    pub(super) ahead: Duration,
    /// It cannot reach the store.
    pub(super) cut: bool,
    /// The revision of the last change that was on its way to it.
    watched: Revision,
    watching: bool,
    lease: Option<(Lease, Time)>,
    counters: Counters,
}

/// An operation of the store.
#[derive(Debug)]
pub(super) enum Operation {
    Commit(Flight, Transaction),
    Read(Flight, Name),
}

/// How long a lease lives if it is not kept alive.
const LEASE: Duration = Duration::from_secs(2);
/// How long a manager waits for the store.
const STORE_TIMEOUT: Duration = Duration::from_millis(500);

impl Manager {
    pub(super) fn new(id: u32) -> Manager {
        Manager {
            id,
            life: 0,
            shard: None,
            ahead: Duration::ZERO,
            cut: false,
            watched: 0,
            watching: false,
            lease: None,
            counters: Counters::default(),
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.shard.is_some()
    }

    pub(super) fn counters(&self) -> Counters {
        let now = self
            .shard
            .as_ref()
            .map(|shard| *shard.counters())
            .unwrap_or_default();
        Counters {
            pushed: self.counters.pushed + now.pushed,
            invalidated: self.counters.invalidated + now.invalidated,
            busy: self.counters.busy + now.busy,
            ..now
        }
    }
}

impl World {
    pub(super) fn manager_event(
        &mut self,
        manager: u32,
        life: u32,
        event: ManagerEvent,
    ) -> Result<(), Broken> {
        // What is on its way to the store gets there, whether or not the manager still lives.
        if let ManagerEvent::Store(operation) = event {
            return self.at_store(manager, life, operation);
        }
        if self.managers[manager as usize].life != life {
            return Ok(());
        }
        match event {
            ManagerEvent::Start => self.start_manager(manager),
            ManagerEvent::Wake => {
                let now = self.manager_time(manager);
                let mut out = Vec::new();
                if let Some(shard) = &mut self.managers[manager as usize].shard {
                    shard.wake(now, &mut out);
                    let wait = shard.next_wake() - now;
                    self.after(wait, Event::Manager(manager, life, ManagerEvent::Wake));
                }
                self.manager_output(manager, out);
            }
            ManagerEvent::Input(input) => self.manager_input(manager, *input),
            ManagerEvent::Watch => self.watch(manager),
            ManagerEvent::Lease => return self.keep_alive(manager),
            ManagerEvent::Store(_) => {}
        }
        Ok(())
    }

    fn manager_time(&self, manager: u32) -> Time {
        self.now + self.managers[manager as usize].ahead
    }

    pub(super) fn start_manager(&mut self, manager: u32) {
        let seed = self.random.next_u64();
        let now = self.manager_time(manager);
        let this = &mut self.managers[manager as usize];
        // Not even its id is what it was: two managers with one id must not be able to lead.
        this.id += 100;
        this.shard = Some(Shard::new(self.scenario.shard, this.id, seed, now));
        this.lease = None;
        let life = this.life;
        self.tell(None, || format!("manager {manager} starts"));
        self.load(manager);
        for event in [ManagerEvent::Wake, ManagerEvent::Lease] {
            let wait = self.within(1_000, 20_000);
            self.after(wait, Event::Manager(manager, life, event));
        }
    }

    /// Gives a manager the whole store; also if it had to begin anew.
    pub(super) fn load(&mut self, manager: u32) {
        let revision = self.store.revision();
        self.managers[manager as usize].watched = revision;
        let ranges = record::cached();
        for (i, range) in ranges.iter().enumerate() {
            let mut rest = range.clone();
            loop {
                let (range, entries) = self.store.piece(&rest, 20_000);
                let complete = range.end() == rest.end();
                let last = complete && i + 1 == ranges.len();
                rest = crate::store::Range::between(
                    range.end().unwrap_or_default(),
                    rest.end().unwrap_or_default(),
                );
                self.manager_input(
                    manager,
                    Input::Load {
                        range,
                        entries,
                        revision,
                        last,
                    },
                );
                if complete {
                    break;
                }
            }
        }
    }

    pub(super) fn manager_input(&mut self, manager: u32, input: Input) {
        let now = self.manager_time(manager);
        let mut out = Vec::new();
        if let Some(shard) = &mut self.managers[manager as usize].shard {
            shard.handle(input, now, &mut out);
        }
        self.manager_output(manager, out);
    }

    fn manager_output(&mut self, manager: u32, out: Vec<Output>) {
        let life = self.managers[manager as usize].life;
        for output in out {
            let operation = match output {
                Output::Send(session, message) => {
                    self.send_to_agent(session, message);
                    continue;
                }
                Output::Close(session) => {
                    self.end_at_manager(session);
                    continue;
                }
                Output::Reply(_, result) => {
                    match result {
                        Ok(_) => self.stats.orders += 1,
                        Err(_) => self.stats.refused += 1,
                    }
                    continue;
                }
                Output::Alarm(_) => {
                    self.stats.alarms += 1;
                    continue;
                }
                Output::Commit(flight, transaction) => Operation::Commit(flight, transaction),
                Output::Read(flight, name) => Operation::Read(flight, name),
            };
            let lost = self.managers[manager as usize].cut || self.one_in(self.scenario.loss);
            if lost {
                let answer = unanswered(&operation);
                let event = Event::Manager(manager, life, ManagerEvent::Input(Box::new(answer)));
                self.after(STORE_TIMEOUT, event);
            } else {
                let wait = self.within(100, 3_000);
                let event = ManagerEvent::Store(operation);
                self.after(wait, Event::Manager(manager, life, event));
            }
        }
    }

    fn at_store(&mut self, manager: u32, life: u32, operation: Operation) -> Result<(), Broken> {
        let lost = self.managers[manager as usize].cut || self.one_in(self.scenario.loss);
        let unanswered = unanswered(&operation);
        let answer = match operation {
            Operation::Commit(flight, transaction) => {
                let committed = self.store.commit(transaction);
                let (outcome, changed) = committed.map_err(|what| (None, what))?;
                if let Some(crate::store::Outcome::Committed(_)) = outcome {
                    self.stats.transactions += 1;
                    self.announce_changes();
                }
                self.stored(changed);
                Input::Committed(flight, outcome)
            }
            Operation::Read(flight, name) => {
                let found = (self.store.read(&name), self.store.revision());
                Input::Read(flight, Some(found))
            }
        };
        let (wait, answer) = match lost {
            true => (STORE_TIMEOUT, unanswered),
            false => (self.within(100, 1_000), answer),
        };
        let event = ManagerEvent::Input(Box::new(answer));
        self.after(wait, Event::Manager(manager, life, event));
        Ok(())
    }

    /// The store has changed, and each manager hears of it in its time.
    pub(super) fn announce_changes(&mut self) {
        let last = self.managers.iter().map(|manager| manager.watched).min();
        self.store.compact(last.unwrap_or_default());
        for manager in 0..self.managers.len() as u32 {
            self.plan_watch(manager);
        }
    }

    pub(super) fn plan_watch(&mut self, manager: u32) {
        let this = &self.managers[manager as usize];
        let life = this.life;
        if !this.watching && !this.cut && this.is_alive() && this.watched < self.store.revision() {
            self.managers[manager as usize].watching = true;
            let most = if self.one_in(20) { 200_000 } else { 3_000 };
            let wait = self.within(100, most);
            self.after(wait, Event::Manager(manager, life, ManagerEvent::Watch));
        }
    }

    fn watch(&mut self, manager: u32) {
        let this = &mut self.managers[manager as usize];
        this.watching = false;
        if this.cut {
            return;
        }
        let changes: Vec<_> = self.store.changes_after(this.watched).cloned().collect();
        for change in changes {
            self.managers[manager as usize].watched = change.revision;
            self.manager_input(manager, Input::Changed((*change).clone()));
        }
        self.plan_watch(manager);
    }

    fn keep_alive(&mut self, manager: u32) -> Result<(), Broken> {
        let now = self.now;
        let this = &mut self.managers[manager as usize];
        let life = this.life;
        if !this.cut {
            match this.lease {
                Some((lease, until)) if until > now => {
                    this.lease = Some((lease, now + LEASE));
                    self.after(LEASE, Event::Expire(lease, now + LEASE));
                }
                lost => {
                    self.last_lease += 1;
                    let lease = Lease(self.last_lease);
                    self.store.grant(lease);
                    this.lease = Some((lease, now + LEASE));
                    if lost.is_some() {
                        self.manager_input(manager, Input::LeaseLost);
                    }
                    self.after(LEASE, Event::Expire(lease, now + LEASE));
                    self.manager_input(manager, Input::Leased(lease));
                }
            }
        } else if this
            .lease
            .is_some_and(|(_, until)| until <= now + LEASE / 3)
        {
            // Whoever keeps a lease alive gives it up before the store can.
            this.lease = None;
            self.manager_input(manager, Input::LeaseLost);
        }
        self.after(
            LEASE / 3,
            Event::Manager(manager, life, ManagerEvent::Lease),
        );
        Ok(())
    }

    /// A lease may be over, if it was not kept alive since.
    pub(super) fn expire(&mut self, lease: Lease, due: Time) -> Result<(), Broken> {
        let kept = |manager: &super::Manager| {
            manager
                .lease
                .is_some_and(|(own, until)| own == lease && until > due)
        };
        if !self.managers.iter().any(kept) {
            let changed = self.store.expire(lease).map_err(|what| (None, what))?;
            self.announce_changes();
            self.stored(changed);
        }
        Ok(())
    }

    pub(super) fn manager_dies(&mut self, manager: u32) {
        for session in self.sessions_of(manager) {
            self.end_at_manager(session);
        }
        let this = &mut self.managers[manager as usize];
        this.counters = this.counters();
        this.shard = None;
        this.life += 1;
        this.watching = false;
        this.lease = None;
        // Nothing is kept for it: it loads the store when it starts.
        this.watched = Revision::MAX;
    }
}

fn unanswered(operation: &Operation) -> Input {
    match operation {
        Operation::Commit(flight, _) => Input::Committed(*flight, None),
        Operation::Read(flight, _) => Input::Read(*flight, None),
    }
}
