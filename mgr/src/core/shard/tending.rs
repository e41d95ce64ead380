// SPDX-License-Identifier: GPL-2.0

//! What the leader does about moves: it ends those that do not come on, takes from dead hosts what
//! is to appear elsewhere, settles moves that everybody knows of, and forgets those that are over.
//!
//! A move is settled when every host that is connected to any manager has acknowledged all news up
//! to it. Each manager that is alive has a record with the revision that its hosts have got to,
//! which it writes when a move waits for that.

use std::collections::BTreeMap;
use std::time::Duration;

use super::job::{Job, Origin};
use super::{Alarm, Order, Output, Shard, Task};
use crate::core::moves::{MoveId, Reason, State, Step};
use crate::core::record::{self, Manager, Move, Name};
use crate::core::Time;
use crate::store::{Condition, Lease, Revision, Transaction};

/// What this manager knows of moves that are not over, by its own clock.
#[derive(Debug, Default)]
pub(super) struct Clocks(BTreeMap<MoveId, Clock>);

#[derive(Debug)]
struct Clock {
    state: State,
    /// Since when the move is in that state, or an alarm was raised about it.
    since: Time,
    /// When its hosts were told of it last.
    told: Time,
    /// Something was done about it since the last tick.
    tended: bool,
}

impl Clocks {
    /// A move is in a state, or over.
    pub(super) fn saw(&mut self, id: MoveId, state: Option<State>, now: Time) {
        match state.filter(|state| !state.is_over()) {
            Some(state) if self.0.get(&id).is_some_and(|clock| clock.state == state) => {}
            Some(state) => {
                let clock = Clock {
                    state,
                    since: now,
                    told: now,
                    tended: false,
                };
                self.0.insert(id, clock);
            }
            None => {
                self.0.remove(&id);
            }
        }
    }

    /// What was done may have been in vain. Returns the moves that are to be told of again.
    fn tick(&mut self, now: Time) -> Vec<MoveId> {
        let mut again = Vec::new();
        for (id, clock) in &mut self.0 {
            clock.tended = false;
            if now - clock.told >= AGAIN {
                clock.told = now;
                again.push(*id);
            }
        }
        again
    }
}

/// Hosts that wait for each other are told again how far their move has come after so long, as a
/// message may have been lost.
const AGAIN: Duration = Duration::from_secs(2);

/// What this manager has said of itself.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// The lease that its record is bound to, and the revision from which on it was.
    said: Option<(Lease, Revision)>,
    /// It is being written.
    writing: bool,
}

impl Shard {
    /// Time has passed.
    pub(super) fn moves_due(&mut self, now: Time, out: &mut Vec<Output>) {
        for id in self.clocks.tick(now) {
            let it = self.table.moves().get(id).map(|(it, _)| it);
            if let Some((vni, hosts)) = it.map(|it| (it.vni, [it.from.host, it.to.host])) {
                for host in hosts {
                    self.announce_move(id, vni, host);
                }
            }
        }
        self.tend_moves(now, out);
    }

    pub(super) fn tend_moves(&mut self, now: Time, out: &mut Vec<Output>) {
        self.be_present(out);
        if !self.is_leader() {
            return;
        }
        let settled = self.acked_by_all();
        let due: Vec<_> = self
            .table
            .moves()
            .under_way()
            .filter_map(|(id, it, since)| Some((id, self.due(id, it, since, settled, now)?)))
            .collect();
        for (id, due) in due {
            if let Some(clock) = self.clocks.0.get_mut(&id) {
                clock.tended = true;
            }
            match due {
                Due::Step(step, note) => {
                    let note = note.into();
                    let order = Order::StepMove { id, step, note };
                    self.start(Job::new(Origin::Shard, order), now, out);
                }
                Due::Alarm(alarm) => {
                    if let Some(clock) = self.clocks.0.get_mut(&id) {
                        clock.since = now;
                    }
                    out.push(Output::Alarm(alarm));
                }
            }
        }
        self.forget_moves(now, out);
    }

    fn due(
        &self,
        id: MoveId,
        it: &Move,
        since: Revision,
        settled: Revision,
        now: Time,
    ) -> Option<Due> {
        let limits = self.config.moves;
        let clock = self.clocks.0.get(&id).filter(|clock| !clock.tended)?;
        let waited = now - clock.since;
        let late = |limit, note| (waited >= limit).then_some(Due::Step(Step::Abort, note));
        let failure = it.reason == Reason::Failure;
        let obstacle = match self.is_over(it.from) && !failure {
            true => Some("the host that the node was to leave was booted or fenced"),
            false => self.obstacle(it),
        };
        let obstacle = obstacle.map(|why| Due::Step(Step::Abort, why));
        match it.state {
            State::Prepare => {
                obstacle.or_else(|| late(limits.prepare, "the destination was not ready in time"))
            }
            State::Armed if failure => obstacle.or(Some(Due::Step(Step::Fenced, ""))),
            State::Armed => {
                obstacle.or_else(|| late(limits.armed, "the node was not copied in time"))
            }
            State::Freeze => {
                obstacle.or_else(|| late(limits.freeze, "the node was not paused in time"))
            }
            State::Commit => {
                let (epoch, _) = self.table.epoch(it.to.host);
                if epoch.is_over(epoch.current) {
                    return Some(Due::Step(Step::Fenced, ""));
                }
                let late = waited >= limits.commit;
                late.then_some(Due::Alarm(Alarm::Stuck(id, it.node, it.to.host)))
            }
            State::Active => (settled >= since).then_some(Due::Step(Step::Settled, "")),
            State::Settled | State::Aborted => None,
        }
    }

    /// All hosts of all managers that are alive have acknowledged what had changed until then.
    fn acked_by_all(&self) -> Revision {
        let acked = self.table.managers().map(|(_, manager)| manager.acked);
        acked.min().unwrap_or(0)
    }

    /// All hosts of this manager have.
    fn acked_here(&self) -> Revision {
        let reached = self.as_of.map_or(0, |as_of| as_of.revision());
        let sessions = self.sessions.values().filter(|session| session.ready);
        let acked = sessions.map(|session| session.acked_until(reached));
        acked.min().unwrap_or(reached)
    }

    /// Says that this manager is alive, and how far its hosts have got if a move waits for it.
    fn be_present(&mut self, out: &mut Vec<Output>) {
        let Some(lease) = self.lease.filter(|_| self.table.term().number > 0) else {
            return;
        };
        if self.as_of.is_none() || self.presence.writing {
            return;
        }
        let said = self.table.manager(self.id);
        let waits = |known: Revision| {
            let mut active = self.table.moves().under_way();
            active.any(|(_, it, since)| it.state == State::Active && known < since)
        };
        let bound = self.presence.said.is_some_and(|(of, _)| of == lease);
        let known = said.filter(|_| bound);
        if known.is_some_and(|known| !waits(known.acked)) {
            return;
        }
        // Many sessions are looked at, hence only now.
        let acked = self.acked_here();
        if known.is_some_and(|known| acked <= known.acked) {
            return;
        }
        self.presence.writing = true;
        let value = record::encode(&Manager { acked });
        let name = Name::Manager(self.id).bytes();
        let transaction = Transaction::new().put_leased(name, value, lease);
        self.commit(Task::BePresent(lease), transaction, out);
    }

    pub(super) fn was_present(&mut self, said: Option<(Lease, Revision)>) {
        self.presence.writing = false;
        let lease = |said: Option<(Lease, Revision)>| said.map(|(lease, _)| lease);
        if said.is_some() && lease(said) != lease(self.presence.said) {
            self.presence.said = said;
        }
    }

    /// Whether the store says that this manager is alive, by its present lease, and this manager
    /// knows all that anybody has done before, for example while it was taken for dead.
    pub(super) fn is_alive(&self) -> bool {
        let reached = self.as_of.map_or(0, |as_of| as_of.revision());
        let said = |(lease, since)| self.lease == Some(lease) && reached >= since;
        self.presence.said.is_some_and(said) && self.table.is_manager(self.id)
    }

    /// Deletes what was over long ago.
    fn forget_moves(&mut self, now: Time, out: &mut Vec<Output>) {
        let kept = self.config.moves.over.as_millis() as u64;
        let before = self.wall(now).saturating_sub(kept);
        let old = self.table.moves().over_before(before);
        let mut transaction = Transaction::new();
        for (id, revision) in old.take(self.config.batch / 2) {
            let name = Name::Move(id).bytes();
            transaction = transaction
                .when(Condition::Modified(name.clone(), revision))
                .delete(name);
        }
        if !transaction.writes.is_empty() {
            self.commit(Task::Clean, transaction, out);
        }
    }
}

/// What is to be done about a move.
enum Due {
    Step(Step, &'static str),
    Alarm(Alarm),
}
