// SPDX-License-Identifier: GPL-2.0

//! Moves: one or two managers on one store, which carries out what they ask of it.

use super::*;
use crate::core::message::Move as Told;
use crate::core::moves::{MoveId, Reason, Seat, State, Step};
use crate::core::record::{Manager, Move};

const ID: MoveId = MoveId(0xa1);
/// The node that is moved, its address, and one of a peer's.
const NODE: NodeId = NodeId(1);
const PEER: u8 = 4;

/// Managers on one store. The sessions of hosts have the hosts' numbers.
struct Desk {
    records: BTreeMap<Vec<u8>, (Vec<u8>, Revision, Option<Lease>)>,
    revision: Revision,
    shards: Vec<Shard>,
    pending: VecDeque<(usize, Output)>,
    sent: Vec<(usize, u32, ToAgent)>,
    replies: Vec<Result<Done, Refusal>>,
    alarms: Vec<Alarm>,
    /// The number of the last push that was not acknowledged.
    unheard: u32,
    now: Time,
}

impl Desk {
    /// One manager that leads; the node on host 1, a peer of its on host 3, and nothing on host 2.
    fn new() -> Desk {
        let mut desk = Desk {
            records: BTreeMap::new(),
            revision: 1,
            shards: Vec::new(),
            pending: VecDeque::new(),
            sent: Vec::new(),
            replies: Vec::new(),
            alarms: Vec::new(),
            unheard: 0,
            now: NOW,
        };
        for (name, value) in records() {
            desk.records.insert(name.bytes(), (value, 1, None));
        }
        for (node, home, last) in [(1, 1, 1), (4, 3, PEER)] {
            let bound = mapping(node, home, at(home, 1, false));
            desk.put(Name::Mapping(key(1, last)), record::encode(&bound));
            let address = Address {
                address: Ipv4Addr::new(10, 0, 0, last),
                learned: false,
            };
            let node_record = Node {
                name: String::new(),
                vni: vni(1),
                addresses: vec![address],
                mac: None,
                home: Some(host(home)),
                moving: None,
            };
            desk.put(Name::Node(NodeId(node)), record::encode(&node_record));
        }
        desk.manager(9);
        desk.input(0, Input::Leased(Lease(9)));
        desk.pass(Duration::from_secs(1));
        for n in 1..=3 {
            desk.hello(0, n, 1);
        }
        desk.sent.clear();
        desk
    }

    fn put(&mut self, name: Name, value: Vec<u8>) {
        self.revision += 1;
        self.records
            .insert(name.bytes(), (value, self.revision, None));
    }

    fn entry(&self, key: &[u8]) -> Option<Entry> {
        let (value, modified, lease) = self.records.get(key)?.clone();
        Some(Entry {
            key: key.to_vec(),
            value,
            created: modified,
            modified,
            lease,
        })
    }

    /// A manager starts; its number.
    fn manager(&mut self, id: u32) -> usize {
        self.shards
            .push(Shard::new(Config::default(), id, 1, self.now));
        let entries = self.records.keys().filter_map(|key| self.entry(key));
        let cached: Vec<_> = entries
            .filter(|entry| !entry.key.starts_with(b"node/"))
            .collect();
        let shard = self.shards.len() - 1;
        let load = Input::Load {
            range: Range::all(),
            entries: cached,
            revision: self.revision,
            last: true,
        };
        self.input(shard, load);
        shard
    }

    fn hello(&mut self, shard: usize, n: u32, epoch: u32) {
        self.input(shard, Input::Opened(SessionId(n), host(n)));
        let seen = Generation::NONE;
        self.say(
            shard,
            n,
            ToManager::Hello {
                epoch,
                seen,
                frozen: false,
            },
        );
    }

    fn say(&mut self, shard: usize, n: u32, message: ToManager) {
        self.input(shard, Input::Received(SessionId(n), message));
    }

    fn step(&mut self, n: u32, step: Step) {
        let note = match step {
            Step::Ready => "[fd00::2]:9".into(),
            Step::Abort => "no room".into(),
            _ => String::new(),
        };
        self.say(0, n, ToManager::Step { id: ID, step, note });
    }

    /// Gives a manager an input and has the store do what comes of it.
    fn input(&mut self, shard: usize, input: Input) {
        self.begin(shard, input);
        self.work();
    }

    /// Gives a manager an input; what comes of it waits.
    fn begin(&mut self, shard: usize, input: Input) {
        let mut out = Vec::new();
        self.shards[shard].handle(input, self.now, &mut out);
        self.pending
            .extend(out.into_iter().map(|output| (shard, output)));
    }

    fn work(&mut self) {
        while let Some((shard, output)) = self.pending.pop_front() {
            match output {
                Output::Commit(flight, transaction) => {
                    let outcome = self.carry_out(transaction);
                    self.begin(shard, Input::Committed(flight, Some(outcome)));
                }
                Output::Read(flight, name) => {
                    let entry = self.entry(&name.bytes());
                    self.begin(shard, Input::Read(flight, Some((entry, self.revision))));
                }
                Output::Send(session, message) => {
                    // Agents acknowledge at once, but for one.
                    let number = match &message {
                        ToAgent::Push { number, .. } => Some(*number),
                        _ => None,
                    };
                    self.sent.push((shard, session.0, message));
                    match number {
                        Some(number) if session.0 == SILENT => self.unheard = number,
                        Some(number) => {
                            self.begin(shard, Input::Received(session, ToManager::Ack(number)));
                        }
                        None => {}
                    }
                }
                Output::Reply(_, reply) => self.replies.push(reply),
                Output::Alarm(alarm) => self.alarms.push(alarm),
                Output::Close(_) => {}
            }
        }
    }

    fn carry_out(&mut self, transaction: Transaction) -> Outcome {
        let holds = |condition: &Condition| {
            let record = self.records.get(condition.key());
            match condition {
                Condition::Absent(_) => record.is_none(),
                Condition::Exists(_) => record.is_some(),
                Condition::Modified(_, at) => record.is_some_and(|(_, m, _)| m == at),
                Condition::Value(_, value) => record.is_some_and(|(v, ..)| v == value),
            }
        };
        if !transaction.conditions.iter().all(holds) {
            let revision = self.revision;
            return Outcome::Refused { revision };
        }
        self.write(transaction.writes);
        Outcome::Committed(self.revision)
    }

    fn write(&mut self, writes: Vec<Write>) {
        self.revision += 1;
        let mut events = Vec::new();
        for write in writes {
            match write {
                Write::Put { key, value, lease } => {
                    self.records
                        .insert(key.clone(), (value, self.revision, lease));
                    events.extend(self.entry(&key).map(Event::Put));
                }
                Write::Delete(range) => {
                    let keys = self.records.keys().filter(|key| range.contains(key));
                    let keys: Vec<_> = keys.cloned().collect();
                    for key in keys {
                        self.records.remove(&key);
                        events.push(Event::Delete(key));
                    }
                }
            }
        }
        let revision = self.revision;
        for shard in 0..self.shards.len() {
            let events = events.clone();
            self.begin(shard, Input::Changed(Change { revision, events }));
        }
    }

    /// Somebody else writes a record, or deletes it.
    fn change(&mut self, name: Name, value: Option<Vec<u8>>) {
        let key = name.bytes();
        self.write(vec![match value {
            Some(value) => Write::Put {
                key,
                value,
                lease: None,
            },
            None => Write::Delete(Range::key(key)),
        }]);
        self.work();
    }

    fn boot(&mut self, n: u32, current: u32, fenced: u32) {
        let epoch = Epoch {
            current,
            fenced,
            by_lease: false,
        };
        self.change(Name::Epoch(host(n)), Some(record::encode(&epoch)));
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        for shard in 0..self.shards.len() {
            let mut out = Vec::new();
            self.shards[shard].wake(self.now, &mut out);
            self.pending
                .extend(out.into_iter().map(|output| (shard, output)));
        }
        self.work();
    }

    fn order(&mut self, order: Order) -> Result<Done, Refusal> {
        self.replies.clear();
        self.input(0, Input::Order(5, order, super::Terms::default()));
        self.replies.remove(0)
    }

    fn start(&mut self) -> Result<Done, Refusal> {
        self.order(start(2))
    }

    /// With a move that has come so far.
    fn at(state: State) -> Desk {
        let mut desk = Desk::new();
        desk.start().unwrap();
        desk.lead_to(state);
        desk.sent.clear();
        desk
    }

    fn lead_to(&mut self, state: State) {
        let way = [
            (2, Step::Ready),
            (1, Step::Converged),
            (1, Step::Frozen),
            (2, Step::Resumed),
        ];
        let steps = match state {
            State::Prepare => 0,
            State::Armed => 1,
            State::Freeze => 2,
            State::Commit => 3,
            State::Active | State::Settled => 4,
            State::Aborted => {
                self.step(1, Step::Abort);
                0
            }
        };
        // A host that does not acknowledge keeps the move from settling.
        if state == State::Active {
            self.subscribe_silently();
        }
        for (n, step) in way.into_iter().take(steps) {
            self.step(n, step);
        }
        self.pass(Duration::from_secs(1));
        assert_eq!(self.state(), state);
    }

    /// Host 4 wants to hear of the node and never says that it did.
    fn subscribe_silently(&mut self) {
        let neighbour = mapping(9, 4, at(4, 1, false));
        self.change(Name::Mapping(key(1, 5)), Some(record::encode(&neighbour)));
        self.hello(0, SILENT, 1);
        let wanted = vec![(key(1, 1), Generation::NONE)];
        self.say(0, SILENT, ToManager::Resolve(wanted));
    }

    fn moved(&self) -> Move {
        record::decode(&self.records[&Name::Move(ID).bytes()].0).unwrap()
    }

    fn state(&self) -> State {
        self.moved().state
    }

    fn node(&self) -> Option<Node> {
        let (bytes, ..) = self.records.get(&Name::Node(NODE).bytes())?;
        record::decode(bytes)
    }

    /// Where the node is to be, and where it is bound.
    fn place(&self) -> (Home, Option<At>) {
        let (bytes, ..) = &self.records[&Name::Mapping(key(1, 1)).bytes()];
        let mapping: Mapping = record::decode(bytes).unwrap();
        (mapping.home, mapping.at)
    }

    fn told(&mut self, n: u32) -> Vec<Told> {
        let told = |(_, to, message): &(usize, u32, ToAgent)| match message {
            ToAgent::Move(told) if *to == n => Some(told.clone()),
            _ => None,
        };
        let all = self.sent.iter().filter_map(told).collect();
        self.sent.clear();
        all
    }

    fn claim(&mut self, shard: usize, n: u32, held: Generation) -> Vec<ToAgent> {
        self.sent.clear();
        let claim = Claim {
            key: key(1, 1),
            node: NODE,
            attempt: 7,
            held,
        };
        self.say(shard, n, ToManager::Claim(vec![claim]));
        let answers = |(_, to, message): &(usize, u32, ToAgent)| {
            let answer = matches!(message, ToAgent::Granted { .. } | ToAgent::Denied { .. });
            (*to == n && answer).then(|| message.clone())
        };
        self.sent.iter().filter_map(answers).collect()
    }
}

const SILENT: u32 = 4;

fn start(to: u32) -> Order {
    Order::StartMove {
        id: ID,
        node: NODE,
        to: host(to),
        reason: Reason::Operator,
    }
}

fn seat(n: u32, epoch: u32) -> Seat {
    Seat {
        host: host(n),
        epoch,
    }
}

fn at_source() -> (Home, Option<At>) {
    (Home::Host(host(1)), at(1, 1, false))
}

fn at_destination() -> (Home, Option<At>) {
    (Home::Host(host(2)), at(2, 1, false))
}

#[test]
fn a_node_is_moved_step_by_step() {
    let mut desk = Desk::new();
    desk.start().unwrap();
    let told = desk.told(1);
    assert_eq!(told.len(), 1);
    let first = &told[0];
    assert_eq!((first.from, first.to), (seat(1, 1), seat(2, 1)));
    assert_eq!((first.state, first.peers.as_ref()), (State::Prepare, None));
    assert_eq!(desk.node().unwrap().moving, Some(ID));

    let keys = vec![key(1, PEER)];
    desk.say(0, 1, ToManager::Peers { id: ID, keys });
    let told = desk.told(2);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].peers, Some(vec![key(1, PEER)]));

    desk.step(2, Step::Ready);
    let told = desk.told(1);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].state, State::Armed);
    assert_eq!(told[0].endpoint, "[fd00::2]:9");

    desk.step(1, Step::Converged);
    assert_eq!(desk.told(1)[0].state, State::Freeze);
    assert_eq!(desk.place(), at_source());

    desk.subscribe_silently();
    desk.sent.clear();
    desk.step(1, Step::Frozen);
    assert_eq!(desk.place(), at_destination());
    assert_eq!(desk.node().unwrap().home, Some(host(2)));
    let told = desk.told(2);
    assert_eq!(told[0].state, State::Commit);
    let (generation, _) = desk.shards[0].table().mapping(key(1, 1)).unwrap();
    assert_eq!(told[0].keys, vec![(key(1, 1), generation)]);

    desk.step(2, Step::Resumed);
    assert_eq!(desk.told(1)[0].state, State::Active);
    assert_eq!(desk.node().unwrap().moving, Some(ID));

    // The one who asked for the node has not said that it heard.
    desk.pass(Duration::from_secs(5));
    assert_eq!(desk.state(), State::Active);
    desk.say(0, SILENT, ToManager::Ack(desk.unheard));
    desk.pass(Duration::from_secs(1));
    desk.pass(Duration::from_secs(1));
    assert_eq!(desk.state(), State::Settled);
    assert_eq!(desk.told(1).last().unwrap().state, State::Settled);
    assert_eq!(desk.node().unwrap().moving, None);
    let moved = desk.moved();
    assert_eq!(moved.peers, None);
    assert!(moved.times.is_sorted_by_key(|(_, at)| *at));
    let states: Vec<_> = moved.times.iter().map(|(state, _)| *state).collect();
    assert_eq!(states[..], State::ALL[..6]);
}

/// Whatever a host says in whatever state: only what the table has, from the one who may say it,
/// changes anything, and who says it is told how far the move has come.
#[test]
fn only_the_steps_of_the_table_lead_on() {
    for state in State::ALL {
        for step in Step::ALL {
            for (n, side) in [
                (1, Some(crate::core::moves::Side::Source)),
                (2, Some(crate::core::moves::Side::Destination)),
                (3, None),
            ] {
                let mut desk = Desk::new();
                if state.is_committed() && !state.is_over() {
                    desk.subscribe_silently();
                }
                desk.start().unwrap();
                desk.lead_to(state);
                desk.sent.clear();
                desk.step(n, step);
                let may = side.is_some_and(|side| step.is_of(side));
                let next = state.after(step).filter(|_| may).unwrap_or(state);
                assert_eq!(desk.state(), next, "{state} {step:?} by {n}");
                let answered = desk.sent.iter().any(|(_, to, message)| match message {
                    ToAgent::Move(told) => *to == n && told.state == next && n != 3,
                    ToAgent::NoMove(id) => *to == n && *id == ID && n == 3,
                    _ => false,
                });
                assert!(answered, "{state} {step:?} by {n}");
                let expected = match next.is_committed() {
                    true => at_destination(),
                    false => at_source(),
                };
                assert_eq!(desk.place(), expected, "{state} {step:?} by {n}");
            }
        }
    }
}

/// The host was booted, which the store does not have yet.
#[test]
fn another_boot_than_that_of_the_move_leads_nothing_on() {
    for (n, state, step) in [
        (1, State::Armed, Step::Converged),
        (2, State::Prepare, Step::Ready),
        (1, State::Freeze, Step::Abort),
    ] {
        let mut desk = Desk::at(state);
        desk.input(0, Input::LeaseLost);
        desk.hello(0, n, 2);
        desk.sent.clear();
        desk.step(n, step);
        assert_eq!(desk.state(), state);
        assert_eq!(desk.told(n).len(), 1);
    }
}

#[test]
fn what_cannot_be_moved_is_refused() {
    let mut desk = Desk::new();
    let order = |id: u64, to: u32, reason| Order::StartMove {
        id: ID,
        node: NodeId(id),
        to: host(to),
        reason,
    };
    let refused = |desk: &mut Desk, it| desk.order(it).unwrap_err();
    let operator = Reason::Operator;
    assert_eq!(
        refused(&mut desk, order(77, 2, operator)),
        Refusal::NoNode(NodeId(77))
    );
    assert_eq!(
        refused(&mut desk, order(1, 1, operator)),
        Refusal::AlreadyThere(NODE, host(1))
    );
    assert_eq!(
        refused(&mut desk, order(1, 8, operator)),
        Refusal::NoHost(host(8))
    );
    assert_eq!(
        refused(&mut desk, order(1, 2, Reason::Failure)),
        Refusal::NotFenced(host(1))
    );
    desk.boot(2, 1, 1);
    assert_eq!(
        refused(&mut desk, order(1, 2, operator)),
        Refusal::NotSeen(host(2))
    );
    desk.boot(2, 2, 1);
    desk.boot(1, 2, 0);
    assert_eq!(
        refused(&mut desk, order(1, 2, operator)),
        Refusal::SourceOver(host(1))
    );
    let unbound = mapping(1, 1, None);
    desk.change(Name::Mapping(key(1, 1)), Some(record::encode(&unbound)));
    assert_eq!(
        refused(&mut desk, order(1, 2, operator)),
        Refusal::NotAttached(NODE)
    );
    let missing = refused(&mut desk, Order::AbortMove(ID, String::new()));
    assert_eq!(missing, Refusal::NoMove(ID));
}

#[test]
fn a_node_has_one_move_at_a_time_and_an_order_twice_is_one() {
    let mut desk = Desk::at(State::Armed);
    assert!(desk.start().is_ok());
    assert_eq!(desk.state(), State::Armed);
    assert_eq!(desk.order(start(3)), Err(Refusal::MoveExists(ID)));
    let second = Order::StartMove {
        id: MoveId(2),
        node: NODE,
        to: host(3),
        reason: Reason::Operator,
    };
    assert_eq!(desk.order(second.clone()), Err(Refusal::Moving(NODE, ID)));
    desk.step(1, Step::Abort);
    assert!(desk.order(second).is_ok());
}

/// Two managers are asked for a move of the same node at the same time.
#[test]
fn of_two_moves_of_a_node_one_is_refused() {
    let mut desk = Desk::new();
    let other = desk.manager(8);
    for (shard, id) in [(0, ID), (other, MoveId(2))] {
        let order = Order::StartMove {
            id,
            node: NODE,
            to: host(2),
            reason: Reason::Operator,
        };
        desk.begin(shard, Input::Order(5, order, super::Terms::default()));
    }
    desk.work();
    desk.replies.sort_by_key(Result::is_err);
    assert!(desk.replies[0].is_ok());
    assert_eq!(desk.replies[1], Err(Refusal::Moving(NODE, ID)));
}

#[test]
fn a_node_that_is_moved_keeps_its_addresses_and_its_home() {
    let another = Ipv4Addr::new(10, 0, 0, 5);
    for state in [State::Prepare, State::Freeze, State::Commit, State::Active] {
        let mut desk = Desk::at(state);
        for order in [
            Order::MoveNode(NODE, Some(host(3))),
            Order::AddAddress(NODE, Some(Ipv4Addr::new(10, 0, 0, 6))),
            Order::RemoveAddress(NODE, Ipv4Addr::new(10, 0, 0, 1)),
        ] {
            let reply = desk.order(order.clone());
            assert_eq!(reply, Err(Refusal::Moving(NODE, ID)), "{state} {order:?}");
        }
        let learn = ToManager::Learn {
            of: key(1, 1),
            address: another,
            attempt: 3,
        };
        desk.say(0, if state.is_committed() { 2 } else { 1 }, learn);
        let (places, denied) = (desk.node().unwrap().addresses.len(), |m: &ToAgent| {
            matches!(m, ToAgent::Denied { attempt: 3, .. })
        });
        assert_eq!(places, 1);
        assert!(
            desk.sent.iter().any(|(.., message)| denied(message)),
            "{state}"
        );
        let host_in_use = desk.order(Order::DeleteHost(host(2)));
        assert_eq!(host_in_use, Err(Refusal::HostInUse(host(2))), "{state}");
    }
    let mut desk = Desk::at(State::Aborted);
    assert!(desk.order(Order::AddAddress(NODE, None)).is_ok());
}

#[test]
fn the_move_of_a_node_that_is_deleted_ends() {
    for state in State::ALL.into_iter().filter(|state| !state.is_over()) {
        let mut desk = Desk::at(state);
        desk.order(Order::DeleteNode(NODE)).unwrap();
        let end = match state.is_committed() {
            true => State::Settled,
            false => State::Aborted,
        };
        assert_eq!(desk.state(), end, "{state}");
        assert_eq!(desk.moved().failure, "the node was deleted");
        assert_eq!(desk.node(), None);
        assert_eq!(desk.place().0, Home::Leaving);
        assert!([1, 2].iter().all(|n| {
            let end_told = |(_, to, message): &(usize, u32, ToAgent)| {
                to == n && matches!(message, ToAgent::Move(told) if told.state == end)
            };
            desk.sent.iter().any(end_told)
        }));
        // What is left of the node is told to go from where it is.
        desk.pass(Duration::from_secs(2));
        assert_eq!(desk.state(), end);
    }
}

/// One manager is told that the node is frozen, another one that the move is to end.
#[test]
fn of_an_abort_and_a_commit_the_first_counts() {
    for abort_first in [true, false] {
        let mut desk = Desk::at(State::Freeze);
        let other = desk.manager(8);
        let frozen = ToManager::Step {
            id: ID,
            step: Step::Frozen,
            note: String::new(),
        };
        let commit = Input::Received(SessionId(1), frozen);
        let abort = Order::AbortMove(ID, "changed my mind".into());
        let abort = Input::Order(5, abort, super::Terms::default());
        // Both have planned what they want before either is written.
        let inputs = match abort_first {
            true => [(other, abort), (0, commit)],
            false => [(0, commit), (other, abort)],
        };
        for (shard, input) in inputs {
            desk.begin(shard, input);
        }
        desk.work();
        if abort_first {
            assert_eq!(desk.state(), State::Aborted);
            assert_eq!(desk.moved().failure, "changed my mind");
            assert_eq!(desk.place(), at_source());
            assert_eq!(desk.node().unwrap().moving, None);
            assert_eq!(desk.told(1).last().unwrap().state, State::Aborted);
            assert!(desk.replies[0].is_ok());
        } else {
            assert_eq!(desk.state(), State::Commit);
            assert_eq!(desk.place(), at_destination());
            assert_eq!(desk.replies, [Err(Refusal::TooLate(ID))]);
        }
    }
}

#[test]
fn what_does_not_come_on_is_aborted_and_after_the_commit_reported() {
    for (state, limit) in [
        (State::Prepare, 30),
        (State::Armed, 600),
        (State::Freeze, 3),
    ] {
        let mut desk = Desk::at(state);
        desk.pass(Duration::from_secs(limit - 2));
        assert_eq!(desk.state(), state);
        desk.pass(Duration::from_secs(2));
        assert_eq!(desk.state(), State::Aborted, "{state}");
        assert!(desk.moved().failure.ends_with("in time"));
        assert_eq!(desk.place(), at_source());
        assert_eq!(desk.told(2).last().unwrap().state, State::Aborted);
    }
    let mut desk = Desk::at(State::Commit);
    for _ in 0..2 {
        desk.pass(Duration::from_secs(28));
        assert_eq!(desk.alarms, []);
        desk.pass(Duration::from_secs(2));
        assert_eq!(desk.alarms, [Alarm::Stuck(ID, NODE, host(2))]);
        desk.alarms.clear();
    }
    assert_eq!(desk.state(), State::Commit);
}

/// The destination has nothing to say while it waits, so nobody would notice that it has not heard.
#[test]
fn hosts_are_told_again_what_may_have_been_lost() {
    let mut desk = Desk::at(State::Commit);
    desk.pass(Duration::from_secs(3));
    let told: Vec<_> = [1, 2]
        .iter()
        .map(|n| {
            let to = |(_, to, message): &&(usize, u32, ToAgent)| {
                to == n && matches!(message, ToAgent::Move(told) if told.state == State::Commit)
            };
            desk.sent.iter().filter(to).count()
        })
        .collect();
    assert_eq!(told, [1, 1]);
}

#[test]
fn a_manager_that_does_not_lead_aborts_nothing() {
    let mut desk = Desk::at(State::Freeze);
    desk.input(0, Input::LeaseLost);
    desk.pass(Duration::from_secs(60));
    assert_eq!(desk.state(), State::Freeze);
}

#[test]
fn a_boot_of_either_host_before_the_commit_aborts() {
    for state in [State::Prepare, State::Armed, State::Freeze] {
        for n in [1, 2] {
            let mut desk = Desk::at(state);
            desk.boot(n, 2, 0);
            assert_eq!(desk.state(), State::Aborted, "{state}, host {n}");
            assert!(desk.moved().failure.contains("booted"));
            assert_eq!(desk.place(), at_source());
        }
        let mut desk = Desk::at(state);
        desk.change(Name::Host(host(2)), None);
        desk.pass(Duration::from_secs(1));
        assert_eq!(desk.state(), State::Aborted, "{state}");
        assert!(desk.moved().failure.contains("not provisioned"));
        // The node was stopped where it is.
        let mut desk = Desk::at(state);
        let unbound = mapping(1, 1, None);
        desk.change(Name::Mapping(key(1, 1)), Some(record::encode(&unbound)));
        desk.pass(Duration::from_secs(1));
        assert_eq!(desk.state(), State::Aborted, "{state}");
    }
}

/// The boot gets into the store after the commit was planned and before it is written. Nobody
/// leads, so that it is the commit itself that must not happen.
#[test]
fn a_commit_does_not_happen_with_another_boot() {
    for n in [1, 2] {
        let mut desk = Desk::at(State::Freeze);
        desk.input(0, Input::LeaseLost);
        let frozen = ToManager::Step {
            id: ID,
            step: Step::Frozen,
            note: String::new(),
        };
        desk.begin(0, Input::Received(SessionId(1), frozen));
        // The answer to the read of the node, so that the commit is on its way.
        let (shard, read) = desk.pending.pop_front().unwrap();
        let Output::Read(flight, name) = read else {
            panic!("{read:?}");
        };
        let entry = desk.entry(&name.bytes());
        desk.begin(shard, Input::Read(flight, Some((entry, desk.revision))));
        let commit = desk.pending.pop_front().unwrap();
        assert!(matches!(commit, (_, Output::Commit(..))));
        desk.boot(n, 2, 0);
        desk.pending.push_back(commit);
        desk.work();
        assert_eq!(desk.state(), State::Aborted, "host {n}");
        assert_eq!(desk.place(), at_source());
    }
}

#[test]
fn a_later_boot_of_the_destination_may_fetch_the_node_after_the_commit() {
    let mut desk = Desk::at(State::Commit);
    desk.hello(0, 2, 2);
    assert_eq!(desk.state(), State::Commit);
    // The manager has it that the boot before has the node.
    desk.step(2, Step::Resumed);
    assert_eq!(desk.state(), State::Commit);
    assert!(matches!(
        desk.claim(0, 2, Generation::NONE)[..],
        [ToAgent::Granted { .. }]
    ));
    desk.step(2, Step::Resumed);
    assert!(matches!(desk.state(), State::Active | State::Settled));
    assert_eq!(desk.place(), (Home::Host(host(2)), at(2, 2, false)));
}

#[test]
fn a_destination_that_is_fenced_is_not_waited_for() {
    let mut desk = Desk::at(State::Commit);
    desk.boot(2, 1, 1);
    desk.pass(Duration::from_secs(1));
    desk.pass(Duration::from_secs(1));
    assert_eq!(desk.state(), State::Settled);
    assert_eq!(desk.place(), at_destination());
    // From there the node can be started elsewhere.
    let order = Order::StartMove {
        id: MoveId(2),
        node: NODE,
        to: host(3),
        reason: Reason::Failure,
    };
    assert!(desk.order(order).is_ok());
}

#[test]
fn a_node_of_a_dead_host_is_taken_as_soon_as_the_destination_is_ready() {
    let mut desk = Desk::new();
    desk.boot(1, 1, 1);
    let order = Order::StartMove {
        id: ID,
        node: NODE,
        to: host(2),
        reason: Reason::Failure,
    };
    desk.order(order).unwrap();
    let told = desk.told(2);
    assert_eq!(told[0].peers, Some(Vec::new()));
    desk.step(2, Step::Ready);
    assert_eq!(desk.state(), State::Commit);
    assert_eq!(desk.place(), at_destination());
    desk.step(2, Step::Resumed);
    assert!(desk.state().is_committed());
}

/// A claim that was on its way for long makes the node's address active again at the source, which
/// said before that it is frozen.
#[test]
fn a_node_that_is_bound_anew_while_it_is_frozen_does_not_leave() {
    let mut desk = Desk::at(State::Freeze);
    let granted = desk.claim(0, 1, Generation::NONE);
    assert!(matches!(granted[..], [ToAgent::Granted { .. }]));
    desk.step(1, Step::Frozen);
    assert_eq!(desk.state(), State::Aborted);
    assert_eq!(desk.place(), at_source());
}

/// The host of a node that is to be taken from it is back in time: the node is its own again.
#[test]
fn a_host_that_is_back_keeps_its_node() {
    let mut desk = Desk::new();
    desk.boot(1, 1, 1);
    let order = Order::StartMove {
        id: ID,
        node: NODE,
        to: host(2),
        reason: Reason::Failure,
    };
    desk.order(order).unwrap();
    desk.hello(0, 1, 2);
    let answers = desk.claim(0, 1, Generation::NONE);
    assert!(
        matches!(answers[..], [ToAgent::Granted { .. }]),
        "{answers:?}"
    );
    desk.step(2, Step::Ready);
    desk.pass(Duration::from_secs(1));
    assert_eq!(desk.state(), State::Aborted);
    assert_eq!(desk.place(), (Home::Host(host(1)), at(1, 2, false)));
}

/// At every state another manager takes over, hears both hosts, and brings the move to its end.
#[test]
fn a_move_goes_on_with_another_manager() {
    for state in State::ALL.into_iter().filter(|state| !state.is_over()) {
        let mut desk = Desk::at(state);
        // The first manager is gone: what it said of itself, too, with its lease.
        desk.shards.clear();
        desk.records.remove(&Name::Manager(9).bytes());
        desk.records.remove(&Name::Leader.bytes());
        let shard = desk.manager(8);
        desk.input(shard, Input::Leased(Lease(8)));
        desk.pass(Duration::from_secs(1));
        desk.sent.clear();
        for n in [1, 2] {
            desk.hello(shard, n, 1);
            let to = |(_, to, message): &(usize, u32, ToAgent)| match message {
                ToAgent::Move(told) if *to == n => Some(Some(told.state)),
                ToAgent::Welcome(_) if *to == n => Some(None),
                _ => None,
            };
            let told: Vec<_> = desk.sent.iter().filter_map(to).take(2).collect();
            assert_eq!(told, [Some(state), None], "{state}");
        }
        for (n, step) in [
            (2, Step::Ready),
            (1, Step::Converged),
            (1, Step::Frozen),
            (2, Step::Resumed),
        ] {
            desk.step(n, step);
        }
        desk.pass(Duration::from_secs(1));
        desk.pass(Duration::from_secs(1));
        assert_eq!(desk.state(), State::Settled, "{state}");
        assert_eq!(desk.place(), at_destination());
    }
}

#[test]
fn the_destination_waits_with_its_claim_until_the_commit() {
    for state in [State::Prepare, State::Armed, State::Freeze] {
        let mut desk = Desk::at(state);
        let denied = desk.claim(0, 2, Generation::NONE);
        assert!(
            matches!(
                denied[..],
                [ToAgent::Denied {
                    reason: Denial::Wait,
                    ..
                }]
            ),
            "{denied:?}"
        );
        assert_eq!((desk.alarms.len(), desk.place()), (0, at_source()));
    }
    for state in [State::Commit, State::Active] {
        let mut desk = Desk::at(state);
        let (generation, _) = desk.shards[0].table().mapping(key(1, 1)).unwrap();
        let granted = desk.claim(0, 2, generation);
        assert!(
            matches!(granted[..], [ToAgent::Granted { .. }]),
            "{granted:?}"
        );
        let denied = desk.claim(0, 1, Generation::NONE);
        assert!(
            matches!(
                denied[..],
                [ToAgent::Denied {
                    reason: Denial::Wait,
                    ..
                }]
            ),
            "{denied:?}"
        );
        assert_eq!((desk.alarms.len(), desk.place()), (0, at_destination()));
    }
    // Who has no part in the move still makes an alarm.
    let mut desk = Desk::at(State::Freeze);
    desk.claim(0, 3, Generation::NONE);
    assert_eq!(desk.alarms, [Alarm::ForgedClaim(host(3), key(1, 1), NODE)]);
}

/// A manager that lags has not heard that the node has left when its former host's agent is started
/// anew. It must not have that agent believe that the node is still there.
#[test]
fn a_host_with_frozen_ports_is_welcomed_by_who_knows_all() {
    let mut desk = Desk::at(State::Freeze);
    let entries = desk.records.keys().filter_map(|key| desk.entry(key));
    let before: Vec<_> = entries.filter(|e| !e.key.starts_with(b"node/")).collect();
    let before = Input::Load {
        range: Range::all(),
        entries: before,
        revision: desk.revision,
        last: true,
    };
    desk.step(1, Step::Frozen);
    let lags = Shard::new(Config::default(), 8, 1, NOW);
    desk.shards.push(lags);
    desk.input(1, before);
    for frozen in [false, true] {
        desk.sent.clear();
        desk.input(1, Input::Opened(SessionId(1), host(1)));
        let seen = Generation::NONE;
        let hello = ToManager::Hello {
            epoch: 1,
            seen,
            frozen,
        };
        desk.say(1, 1, hello);
        let told = desk.told(1);
        match frozen {
            false => assert_eq!(told[0].state, State::Freeze),
            true => assert_eq!(told, []),
        }
    }
    let written = [Name::Mapping(key(1, 1)), Name::Move(ID)];
    let events = written.iter().filter_map(|name| desk.entry(&name.bytes()));
    let events = events.map(Event::Put).collect();
    let revision = desk.revision;
    desk.input(1, Input::Changed(Change { revision, events }));
    assert_eq!(desk.told(1)[0].state, State::Commit);
    // A store that does not answer is no reason to believe anything.
    let mut out = Vec::new();
    let (session, now) = (SessionId(7), desk.now);
    let shard = &mut desk.shards[1];
    shard.handle(Input::Opened(session, host(1)), now, &mut out);
    let hello = ToManager::Hello {
        epoch: 1,
        seen: Generation::NONE,
        frozen: true,
    };
    shard.handle(Input::Received(session, hello), now, &mut out);
    let Some(Output::Read(flight, _)) = out.pop() else {
        panic!("{out:?}");
    };
    shard.handle(Input::Read(flight, None), now, &mut out);
    let later = |output: &Output| matches!(output, Output::Send(_, ToAgent::Later(_)));
    assert!(out.iter().any(later));
}

#[test]
fn a_move_settles_when_the_hosts_of_all_managers_know() {
    let mut desk = Desk::at(State::Commit);
    let other = desk.manager(8);
    desk.input(other, Input::Leased(Lease(8)));
    desk.pass(Duration::from_secs(1));
    let neighbour = mapping(9, 4, at(4, 1, false));
    desk.change(Name::Mapping(key(1, 5)), Some(record::encode(&neighbour)));
    desk.hello(other, SILENT, 1);
    let wanted = vec![(key(1, 1), Generation::NONE)];
    desk.say(other, SILENT, ToManager::Resolve(wanted));
    let neighbour = mapping(9, 4, at(4, 1, true));
    desk.change(Name::Mapping(key(1, 5)), Some(record::encode(&neighbour)));
    desk.step(2, Step::Resumed);
    for _ in 0..3 {
        desk.pass(Duration::from_secs(1));
    }
    assert_eq!(desk.state(), State::Active);
    let said = |desk: &Desk, id| -> Manager {
        record::decode(&desk.records[&Name::Manager(id).bytes()].0).unwrap()
    };
    assert!(said(&desk, 8).acked < said(&desk, 9).acked);
    // The other manager dies, and its record with it.
    desk.shards.truncate(1);
    desk.change(Name::Manager(8), None);
    desk.pass(Duration::from_secs(1));
    assert_eq!(desk.state(), State::Settled);
}

#[test]
fn the_destination_may_know_the_network_as_long_as_the_move_is_under_way() {
    let ask = |desk: &mut Desk| {
        desk.sent.clear();
        let wanted = vec![(key(1, PEER), Generation::NONE)];
        desk.say(0, 2, ToManager::Resolve(wanted));
        let answer = desk.sent.iter().find_map(|(_, to, message)| match message {
            ToAgent::Answer { items, .. } if *to == 2 => Some(items[0].1),
            _ => None,
        });
        answer.unwrap()
    };
    let mut desk = Desk::new();
    assert_eq!(ask(&mut desk), Verdict::Refused);
    desk.start().unwrap();
    let network = |(_, to, message): &(usize, u32, ToAgent)| {
        *to == 2 && matches!(message, ToAgent::Network { .. })
    };
    assert!(desk.sent.iter().any(network));
    assert!(matches!(ask(&mut desk), Verdict::Found { .. }));
    desk.step(2, Step::Abort);
    assert_eq!(desk.moved().failure, "no room");
    assert_eq!(ask(&mut desk), Verdict::Refused);
}

#[test]
fn moves_that_are_over_are_kept_for_a_day() {
    for state in [State::Settled, State::Aborted] {
        let mut desk = Desk::at(state);
        desk.pass(Duration::from_secs(24 * 3600 - 10));
        assert_eq!(desk.state(), state);
        desk.pass(Duration::from_secs(60));
        assert!(!desk.records.contains_key(&Name::Move(ID).bytes()));
        assert_eq!(desk.shards[0].table().moves().iter().count(), 0);
        desk.step(1, Step::Abort);
        assert!(desk.sent.iter().any(|sent| sent.2 == ToAgent::NoMove(ID)));
    }
}
