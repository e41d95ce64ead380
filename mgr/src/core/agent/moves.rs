// SPDX-License-Identifier: GPL-2.0

//! A host's part in moves of nodes (`MV1`).
//!
//! What is told of a move is its state, never what to do: [`Agent::next_of_move`] says what a state
//! asks of this host that is not done yet, and nothing else decides. Hence it does not matter what
//! was said before, to which agent of the host, or how often. What has to be told to the manager is
//! repeated until it tells of a later state.

use std::collections::BTreeSet;
use std::time::Duration;

use ovnet_engine::Locator;

use super::executor::{Command, Errand, Notice, Role};
use super::kernel::Place;
use super::port::{Port, State as PortState};
use super::{Agent, Output, Timer};
use crate::core::message::{Move, ToManager};
use crate::core::moves::{MoveId, Reason, Seat, Side, State, Step};
use crate::core::{Generation, Key, Time};

/// A move that this host has a part in.
#[derive(Clone, Debug)]
pub(super) struct Moving {
    told: Move,
    side: Side,
    /// It was told of on this connection.
    current: bool,
    /// It is known only because an earlier agent has run the program for it.
    left: bool,
    since: Time,
    /// When it was told of last.
    heard: Time,
    /// What arrives for the node is sent on to the destination, or has been.
    departed: bool,
    /// What is being done about it, how often, and when to do that again.
    doing: Todo,
    tries: u32,
    pub(super) due: Option<Time>,
    program: Program,
    /// Whether the kernel was asked for the node's peers, and whom it named.
    peers: Option<Vec<Key>>,
    /// The addresses for which the kernel has done what was asked of it last: frozen at the source,
    /// local at the destination.
    done: BTreeSet<Key>,
    /// The addresses that the end of a lease has stopped at the destination since the commit.
    stopped: BTreeSet<Key>,
    /// Why it cannot be.
    failure: Option<String>,
}

/// What is known of the program that moves the node.
#[derive(Clone, Debug, Default)]
struct Program {
    runs: bool,
    /// It has ended well, when nothing was left for it to do.
    over: bool,
    /// How often it was run, and when it may be again.
    count: u32,
    again: Time,
    /// What it was told last.
    told: Option<Command>,
    prepared: bool,
    endpoint: String,
    received: bool,
    resumed: bool,
    converged: bool,
    paused: bool,
}

/// What a move asks of this host next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Todo {
    /// Nothing, until something happens.
    Wait,
    /// Nothing, until then at the latest.
    Until(Time),
    /// The program is to run.
    Run,
    /// The program is to be told.
    Say(Command),
    /// The kernel is asked whom the node is in conversation with.
    ListPeers,
    /// The manager is told who that is.
    TellPeers,
    /// The kernel holds the node, and sends on what arrives for it.
    Freeze,
    /// The node's addresses are made local.
    Bind,
    /// The manager is told of a step.
    Step(Step),
}

impl Todo {
    /// Whether it is to be repeated until something happens.
    const fn is_repeated(&self) -> bool {
        !matches!(self, Todo::Wait | Todo::Until(_) | Todo::Run | Todo::Say(_))
    }
}

/// The longest interval between two repetitions; and a move that the manager has not told of for so
/// long, as it does again and again, is over.
const LONGEST: Duration = Duration::from_secs(4);

impl Agent {
    /// The manager tells how far a move has come.
    pub(super) fn move_told(&mut self, told: Move, now: Time, out: &mut Vec<Output>) {
        let late = told.as_of < self.seen;
        self.see(told.as_of);
        let (seat, side) = match self.seat.host {
            own if own == told.from.host => (told.from, Side::Source),
            own if own == told.to.host => (told.to, Side::Destination),
            _ => return,
        };
        // What an earlier boot of this host had to do with it is gone; but a node that was to be
        // here is to be here again.
        let again = side == Side::Destination && told.state.is_committed();
        if seat.epoch != self.seat.epoch && !again {
            return self.no_move(told.id, now, out);
        }
        let id = told.id;
        if let Some(known) = self.moves.get_mut(&id) {
            (known.current, known.heard) = (true, now);
            known.left &= told.state.is_over();
            if told.as_of < known.told.as_of {
                return;
            }
            if known.told.state != told.state {
                known.done.clear();
            }
            known.told = told;
        } else if late || told.state.is_over() {
            // It may be over since; if it is not, this host is told again.
            return;
        } else {
            self.moves.insert(id, Moving::new(told, side, now));
        }
        if self.moves[&id].told.state.is_over() {
            return self.end_move(id, now, out);
        }
        match side {
            Side::Destination => self.expect_node(id, now),
            Side::Source if self.moves[&id].told.state == State::Freeze => self.hold(id),
            Side::Source => {}
        }
        self.advance_move(id, now, out);
    }

    /// Programs that an earlier agent has run are to hear how their moves have ended.
    pub(super) fn take_over_moves(&mut self, errands: &[Errand], now: Time) {
        for errand in errands {
            let peer = Seat {
                host: errand.peer,
                epoch: 0,
            };
            let (side, from, to) = match errand.role {
                Role::Source => (Side::Source, self.seat, peer),
                _ => (Side::Destination, peer, self.seat),
            };
            let told = Move {
                id: errand.id,
                as_of: Generation::NONE,
                node: errand.node,
                keys: errand
                    .keys
                    .iter()
                    .map(|key| (*key, Generation::NONE))
                    .collect(),
                from,
                to,
                reason: match errand.role {
                    Role::Start => Reason::Failure,
                    _ => Reason::Operator,
                },
                state: State::Prepare,
                endpoint: errand.endpoint.clone(),
                peers: None,
                failure: String::new(),
            };
            let known = Moving {
                current: false,
                left: true,
                ..Moving::new(told, side, now)
            };
            self.moves.insert(errand.id, known);
        }
    }

    /// The manager knows of no such move any more: whose the node is, the claims of its addresses
    /// show.
    pub(super) fn no_move(&mut self, id: MoveId, now: Time, out: &mut Vec<Output>) {
        let Some(known) = self.moves.get_mut(&id) else {
            return;
        };
        // A program whose node may be anywhere is told nothing.
        if known.left {
            let keys: Vec<_> = known.keys().collect();
            self.moves.remove(&id);
            return self.outbox.claim.extend(keys);
        }
        match (known.side, known.told.state.is_committed()) {
            (Side::Source, false) => {
                let keys: Vec<_> = known.keys().collect();
                self.moves.remove(&id);
                self.frozen.extend(&keys);
                return self.outbox.claim.extend(keys);
            }
            (_, true) => known.told.state = State::Settled,
            (Side::Destination, false) => known.told.state = State::Aborted,
        }
        self.end_move(id, now, out);
    }

    /// The node of a port that an earlier agent has frozen is this host's, and stays.
    pub(super) fn thaw(&mut self, key: Key, out: &mut Vec<Output>) {
        if self.is_departing(key).is_none() && self.frozen.remove(&key) {
            self.stay(vec![key], out);
        }
    }

    /// The node with these addresses stays: the kernel hears of what was bound meanwhile.
    fn stay(&mut self, keys: Vec<Key>, out: &mut Vec<Output>) {
        for key in &keys {
            let bound = self.ports.get(key);
            if let Some(port) = bound.filter(|port| port.state == PortState::Bound) {
                let generation = port.generation;
                self.set(*key, generation, Place::Local);
            }
        }
        out.push(Output::Thaw(keys));
    }

    /// The node is to be frozen as it is bound now: a grant of that binding, or of one before, that
    /// is still on its way must not have the kernel bring the port back.
    fn hold(&mut self, id: MoveId) {
        let it = &self.moves[&id].told;
        for (key, generation) in &it.keys {
            if let Some(port) = self.ports.get_mut(key) {
                if port.node == it.node && port.state == PortState::Bound {
                    port.generation = port.generation.max(*generation);
                }
            }
        }
    }

    /// Nothing that was told before counts on a new connection.
    pub(super) fn suspend_moves(&mut self) {
        for known in self.moves.values_mut() {
            known.current = false;
        }
    }

    /// All moves that are not over have been told of. How others ended is asked.
    pub(super) fn resume_moves(&mut self, now: Time, out: &mut Vec<Output>) {
        for id in self.moves.keys().copied().collect::<Vec<_>>() {
            if let Some(known) = self.moves.get_mut(&id) {
                known.doing = Todo::Wait;
            }
            self.advance_move(id, now, out);
        }
    }

    /// The kernel has done what a move asked for.
    pub(super) fn moved_in_kernel(
        &mut self,
        key: Key,
        side: Side,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let of_key = |(id, it): (&MoveId, &mut Moving)| {
            (it.side == side && it.has(key)).then(|| (*id, it.done.insert(key)))
        };
        let found = self.moves.iter_mut().find_map(of_key);
        if let Some((id, true)) = found {
            self.advance_move(id, now, out);
        }
    }

    /// The kernel says whom a node is in conversation with.
    pub(super) fn peers_listed(
        &mut self,
        id: MoveId,
        mut peers: Vec<Key>,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        if let Some(known) = self.moves.get_mut(&id) {
            peers.retain(|key| !known.has(*key));
            peers.truncate(crate::core::record::Move::PEERS);
            known.peers = Some(peers);
            self.advance_move(id, now, out);
        }
    }

    /// The program of a move says something.
    pub(super) fn notice(&mut self, id: MoveId, notice: Notice, now: Time, out: &mut Vec<Output>) {
        let retry = self.config.timeout;
        let Some(known) = self.moves.get_mut(&id) else {
            return;
        };
        let program = &mut known.program;
        match notice {
            Notice::Prepared(endpoint) => (program.prepared, program.endpoint) = (true, endpoint),
            Notice::Received => program.received = true,
            Notice::Resumed => program.resumed = true,
            Notice::Converged => program.converged = true,
            Notice::Paused => program.paused = true,
            Notice::Sent => {}
            Notice::Failed(why) => {
                if !known.told.state.is_committed() {
                    known.failure.get_or_insert(why);
                }
            }
            Notice::Ended(status) => {
                let done = match known.side {
                    Side::Source => program.told == Some(Command::Done),
                    Side::Destination => program.resumed,
                };
                let wait = retry * (1 << program.count.saturating_sub(1).min(4));
                *program = Program {
                    over: done && status.is_none(),
                    count: program.count,
                    again: now + wait,
                    resumed: program.resumed,
                    ..Program::default()
                };
                if !known.told.state.is_committed() {
                    let why = status.unwrap_or_else(|| "the executor ended too early".into());
                    known.failure.get_or_insert(why);
                }
            }
        }
        self.advance_move(id, now, out);
    }

    pub(super) fn move_due(&mut self, id: MoveId, due: Time, now: Time, out: &mut Vec<Output>) {
        if let Some(known) = self.moves.get_mut(&id).filter(|it| it.due == Some(due)) {
            known.due = None;
            self.advance_move(id, now, out);
        }
    }

    /// Something has happened to a key; a move may have waited for that.
    pub(super) fn key_changed(&mut self, key: Key, now: Time, out: &mut Vec<Output>) {
        let waits = |it: &Moving| {
            it.side == Side::Destination
                && (it.has(key) || it.told.peers.iter().flatten().any(|peer| *peer == key))
        };
        let of_key = |(id, it): (&MoveId, &Moving)| waits(it).then_some(*id);
        for id in self.moves.iter().filter_map(of_key).collect::<Vec<_>>() {
            self.advance_move(id, now, out);
        }
    }

    /// Whether a node with this address is about to come here, so that there is nothing to claim:
    /// the move says when it is this host's.
    pub(super) fn is_arriving(&self, key: Key) -> bool {
        let whole = |it: &Moving| {
            let program = &it.program;
            !self.config.executor || program.received || program.resumed
        };
        let arrives = |it: &Moving| {
            it.side == Side::Destination
                && it.has(key)
                && it.told.state <= State::Commit
                && !(self.is_to_claim(it, key) && whole(it))
        };
        self.moves.values().any(arrives)
    }

    /// Whether an address of a node that comes here is not bound to this boot of the host by the
    /// commit, or not any more.
    fn is_to_claim(&self, it: &Moving, key: Key) -> bool {
        let lost =
            |(own, generation): &(Key, Generation)| *own == key && *generation == Generation::NONE;
        let committed = it.told.state == State::Commit;
        let lost = it.stopped.contains(&key) || it.told.keys.iter().any(lost);
        self.is_later(it) || committed && lost
    }

    /// The generation of the commit does not bring an address back that the end of a lease has stopped.
    pub(super) fn arrival_stopped(&mut self, key: Key) {
        for it in self.moves.values_mut() {
            if it.side == Side::Destination && it.has(key) {
                it.stopped.insert(key);
            }
        }
    }

    /// Whether this is a later boot of the destination than the one that was to have the node.
    fn is_later(&self, it: &Moving) -> bool {
        it.told.to.epoch != self.seat.epoch
    }

    /// Where a node of this host goes, and whether what arrives for it is sent on there.
    pub(super) fn is_departing(&self, key: Key) -> Option<(Locator, bool)> {
        let departs = |it: &&Moving| it.side == Side::Source && it.has(key);
        let it = self.moves.values().find(departs)?;
        Some((it.told.to.host, it.told.reason != Reason::Leak))
    }

    /// Does what is to be done, as far as it can be done now.
    fn advance_move(&mut self, id: MoveId, now: Time, out: &mut Vec<Output>) {
        loop {
            let Some(known) = self.moves.get(&id) else {
                return;
            };
            if known.side == Side::Source && known.told.state.is_committed() {
                self.depart(id, now);
            }
            let todo = self.next_of_move(&self.moves[&id], now);
            let Some(known) = self.moves.get_mut(&id) else {
                return;
            };
            if todo != known.doing {
                (known.doing, known.tries, known.due) = (todo.clone(), 0, None);
            } else if known.due.is_some() {
                return;
            }
            match &todo {
                Todo::Wait | Todo::Until(_) => {
                    let due = match todo {
                        Todo::Until(due) => due,
                        _ => known.heard.max(now) + LONGEST,
                    };
                    known.due = Some(due);
                    return self.set_timer(due, Timer::Move(id));
                }
                Todo::Run => {
                    let program = &mut known.program;
                    *program = Program {
                        runs: true,
                        count: program.count.saturating_add(1),
                        resumed: program.resumed,
                        ..Program::default()
                    };
                    out.push(Output::Executor(known.errand()));
                }
                Todo::Say(command) => {
                    known.program.told = Some(*command);
                    out.push(Output::ExecutorSay(id, *command));
                }
                Todo::ListPeers => out.push(Output::Peers(id, known.keys().collect())),
                Todo::TellPeers => {
                    let keys = known.peers.clone().unwrap_or_default();
                    self.tell_of_move(ToManager::Peers { id, keys }, out);
                }
                Todo::Freeze => out.push(Output::Freeze {
                    keys: known.keys().collect(),
                    node: known.told.node,
                    to: known.told.to.host,
                }),
                Todo::Bind => self.bind(id),
                Todo::Step(step) => {
                    let note = match step {
                        Step::Ready => known.program.endpoint.clone(),
                        Step::Abort => known.failure.clone().unwrap_or_default(),
                        _ => String::new(),
                    };
                    self.tell_of_move(
                        ToManager::Step {
                            id,
                            step: *step,
                            note,
                        },
                        out,
                    );
                }
            }
            if todo.is_repeated() {
                return self.repeat_move(id, now);
            }
        }
    }

    fn tell_of_move(&self, message: ToManager, out: &mut Vec<Output>) {
        if self.link.is_up() {
            out.push(Output::Send(message));
        }
    }

    fn repeat_move(&mut self, id: MoveId, now: Time) {
        let first = self.config.timeout / 4;
        if let Some(known) = self.moves.get_mut(&id) {
            let wait = (first * (1 << known.tries.min(16))).min(LONGEST);
            let due = now + self.random.jitter(wait);
            known.tries = known.tries.saturating_add(1);
            known.due = Some(due);
            self.set_timer(due, Timer::Move(id));
        }
    }

    /// What a move asks of this host next.
    fn next_of_move(&self, it: &Moving, now: Time) -> Todo {
        if it.left && !self.link.is_up() {
            return Todo::Wait;
        }
        // It is over, and that is what the answer to a step says that the other side makes.
        let question = Todo::Step(match it.side {
            Side::Source => Step::Resumed,
            Side::Destination => Step::Frozen,
        });
        if self.link.is_up() && !it.current {
            return question;
        }
        if it.failure.is_some() && !it.told.state.is_committed() {
            return Todo::Step(Step::Abort);
        }
        let todo = match it.side {
            Side::Source => self.next_of_source(it, now),
            Side::Destination => self.next_of_destination(it, now),
        };
        match todo {
            Todo::Run | Todo::Say(_) | Todo::Step(_) => todo,
            _ if self.link.is_up() && now - it.heard >= LONGEST => question,
            todo => todo,
        }
    }

    fn next_of_source(&self, it: &Moving, now: Time) -> Todo {
        let frozen = it.keys().all(|key| it.done.contains(&key));
        let program = self.config.executor.then_some(&it.program);
        match (it.told.state, program) {
            (State::Prepare, _) => match (&it.told.peers, &it.peers) {
                (Some(_), _) => Todo::Wait,
                (None, Some(_)) => Todo::TellPeers,
                (None, None) => Todo::ListPeers,
            },
            (State::Armed, None) => Todo::Step(Step::Converged),
            (State::Freeze, None) if frozen => Todo::Step(Step::Frozen),
            (State::Freeze, None) => Todo::Freeze,
            (_, None) => Todo::Wait,
            (_, Some(program)) if program.over => Todo::Wait,
            (_, Some(program)) if !program.runs => program.run(now),
            (State::Armed, Some(program)) if program.converged => Todo::Step(Step::Converged),
            (State::Armed, _) => Todo::Wait,
            (State::Active, Some(program)) => program.say(Command::Done),
            (_, Some(program)) if program.told.is_none() => Todo::Say(Command::Pause),
            (_, Some(program)) if !program.paused => Todo::Wait,
            (State::Freeze, _) if !frozen => Todo::Freeze,
            (_, Some(program)) if program.told == Some(Command::Pause) => {
                Todo::Say(Command::Frozen)
            }
            (State::Freeze, _) => Todo::Step(Step::Frozen),
            _ => Todo::Wait,
        }
    }

    fn next_of_destination(&self, it: &Moving, now: Time) -> Todo {
        let program = self.config.executor.then_some(&it.program);
        let local = it.keys().all(|key| it.done.contains(&key));
        match (it.told.state, program) {
            (State::Prepare, Some(program)) if !program.runs => program.run(now),
            (State::Prepare, Some(program)) if !program.prepared => Todo::Wait,
            (State::Prepare, _) if !self.stands_by(it) => Todo::Wait,
            (State::Prepare, _) => {
                match (self.knows_peers(it), it.since + self.config.peers_wait) {
                    (false, until) if now < until => Todo::Until(until),
                    _ => Todo::Step(Step::Ready),
                }
            }
            (State::Armed | State::Freeze, Some(program)) if !program.runs => program.run(now),
            (State::Commit, Some(program)) if !program.runs && !program.resumed => program.run(now),
            (State::Commit, Some(program)) if !program.received && !program.resumed => Todo::Wait,
            (State::Commit, _) if !local => Todo::Bind,
            (State::Commit, Some(program)) if !program.resumed => match program.told {
                None => Todo::Say(Command::Resume),
                Some(_) => Todo::Wait,
            },
            (State::Commit, _) => Todo::Step(Step::Resumed),
            (State::Active, Some(program)) if program.runs => program.say(Command::Done),
            _ => Todo::Wait,
        }
    }

    /// Whether a port of the node waits for each of its addresses.
    fn stands_by(&self, it: &Moving) -> bool {
        it.keys().all(|key| {
            let port = self.ports.get(&key);
            let here = |port: &Port| port.node == it.told.node && port.state != PortState::Left;
            port.is_some_and(here)
        })
    }

    /// Whether all that was asked about the node's peers, and about the node, was answered.
    fn knows_peers(&self, it: &Moving) -> bool {
        let asked = |key: &Key| self.asks.contains_key(key);
        let peers = it.told.peers.as_ref();
        peers.is_some_and(|peers| !peers.iter().any(asked)) && !it.keys().any(|key| asked(&key))
    }

    /// What a node that comes here will need is asked for: where it is, so that what waits for it
    /// can be given back, and where its peers are, so that its first packets miss nothing.
    fn expect_node(&mut self, id: MoveId, now: Time) {
        let it = &self.moves[&id];
        if it.told.state >= State::Commit {
            return;
        }
        let (keys, peers): (Vec<_>, Vec<_>) = (
            it.keys().collect(),
            it.told.peers.iter().flatten().copied().collect(),
        );
        for key in keys {
            // Nobody sends what would have to be sent on any more: the last move has settled.
            if let Some((generation, host, mac)) = self.redirect(key) {
                self.insert(key, generation, Place::Remote(host), mac, now);
                self.set(key, generation, Place::Remote(host));
                // The manager does not say when it changes before it was asked.
                self.ask(key);
            } else if !self.cache.contains_key(&key) {
                self.ask(key);
            }
        }
        for key in peers {
            if !self.cache.contains_key(&key) && !self.is_attached(key) {
                self.ask(key);
            }
        }
    }

    /// The node's addresses are local, with the generations of the commit. A later boot claims
    /// them.
    fn bind(&mut self, id: MoveId) {
        let it = &self.moves[&id];
        let keys = it.told.keys.iter();
        let keys = keys.map(|(key, generation)| (*key, *generation, self.is_to_claim(it, *key)));
        let keys: Vec<_> = keys.collect();
        for (key, generation, claims) in keys {
            if claims {
                let bound = self.ports.get(&key);
                match bound.filter(|port| port.state == PortState::Bound) {
                    // The kernel says once more that it has it.
                    Some(port) => self.set(key, port.generation, Place::Local),
                    None => self.outbox.claim.push(key),
                }
                continue;
            }
            let Some(port) = self.ports.get_mut(&key) else {
                continue;
            };
            if !matches!(port.state, PortState::Claiming | PortState::Bound) {
                continue;
            }
            port.state = PortState::Bound;
            port.generation = port.generation.max(generation);
            port.tries = 0;
            let generation = port.generation;
            self.cache.remove(&key);
            self.asks.remove(&key);
            self.set(key, generation, Place::Local);
        }
    }

    /// The node is the destination's: what still arrives here is sent on there, but for a node that
    /// flees.
    fn depart(&mut self, id: MoveId, now: Time) {
        let Some(it) = self.moves.get_mut(&id).filter(|it| !it.departed) else {
            return;
        };
        it.departed = true;
        let (keys, to) = (it.told.keys.clone(), it.told.to.host);
        for (key, generation) in keys {
            let known = self.cache.get(&key).map(|entry| entry.generation);
            let bound = self.ports.get(&key).map(|port| port.generation);
            if generation == Generation::NONE {
                // It has left the destination as well, and the answer says where it is.
                self.outbox.claim.push(key);
            } else if known.max(bound).is_none_or(|known| known < generation) {
                self.send_on(key, generation, to, None, now);
            }
        }
    }

    /// A node of this host has moved to another one.
    pub(super) fn send_on(
        &mut self,
        key: Key,
        generation: Generation,
        to: Locator,
        mac: Option<ovnet_engine::Mac>,
        now: Time,
    ) {
        let on = self.is_departing(key).is_some_and(|(_, on)| on);
        self.leave_port(key, generation);
        let place = match on {
            true => Place::Moved(to),
            false => Place::Remote(to),
        };
        self.make_room(key);
        self.insert(key, generation, place, mac, now);
        self.set(key, generation, place);
        if !on {
            // Whether others of this host may talk to it, the manager says.
            self.ask(key);
        }
    }

    /// A move is over.
    fn end_move(&mut self, id: MoveId, now: Time, out: &mut Vec<Output>) {
        if self
            .moves
            .get(&id)
            .is_some_and(|it| it.side == Side::Source && it.told.state.is_committed())
        {
            self.depart(id, now);
        }
        let Some(it) = self.moves.remove(&id) else {
            return;
        };
        let keys: Vec<_> = it.keys().collect();
        if it.program.runs || it.left {
            if it.left {
                out.push(Output::Executor(it.errand()));
            }
            let command = match it.told.state {
                State::Aborted => Command::Abort,
                _ => Command::Done,
            };
            if it.program.told != Some(command) {
                out.push(Output::ExecutorSay(id, command));
            }
        }
        match (it.side, it.told.state) {
            (Side::Source, State::Aborted) => self.stay(keys, out),
            (Side::Destination, State::Aborted) => out.push(Output::GiveBack {
                keys,
                to: it.told.from.host,
            }),
            (Side::Source, _) => {
                for key in keys {
                    self.drain(key, now);
                }
            }
            // Whatever is not bound yet, because this host was not told in time, is claimed.
            (Side::Destination, _) => self.outbox.claim.extend(keys),
        }
    }
}

impl Program {
    fn run(&self, now: Time) -> Todo {
        match now < self.again {
            true => Todo::Until(self.again),
            false => Todo::Run,
        }
    }

    fn say(&self, command: Command) -> Todo {
        match self.told == Some(command) {
            true => Todo::Wait,
            false => Todo::Say(command),
        }
    }
}

impl Moving {
    fn new(told: Move, side: Side, now: Time) -> Moving {
        Moving {
            told,
            side,
            current: true,
            left: false,
            since: now,
            heard: now,
            departed: false,
            doing: Todo::Wait,
            tries: 0,
            due: None,
            program: Program::default(),
            peers: None,
            done: BTreeSet::new(),
            stopped: BTreeSet::new(),
            failure: None,
        }
    }

    fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        self.told.keys.iter().map(|(key, _)| *key)
    }

    fn has(&self, key: Key) -> bool {
        self.keys().any(|other| other == key)
    }

    fn errand(&self) -> Errand {
        let told = &self.told;
        let (role, peer) = match self.side {
            Side::Source => (Role::Source, told.to.host),
            Side::Destination if told.reason == Reason::Failure => (Role::Start, told.from.host),
            Side::Destination => (Role::Destination, told.from.host),
        };
        Errand {
            id: told.id,
            role,
            node: told.node,
            keys: self.keys().collect(),
            peer,
            endpoint: told.endpoint.clone(),
        }
    }
}
