// SPDX-License-Identifier: GPL-2.0

//! Hosts under lease.

use super::*;
use crate::core::lease::{BEAT, SUSPECT, TERM};
use crate::core::record::{Placement, Session};
use crate::store::Lease;

/// Host 1 has node 5, which may be started elsewhere, and node 6, which may not.
fn rig() -> Rig {
    let mappings = [
        (key(1, 1), mapping(5, 1, at(1, 1, false))),
        (key(1, 2), mapping(6, 1, at(1, 1, false))),
    ];
    let mut rig = Rig::with_hosts(Config::default(), &mappings, &[1]);
    rig.is_alive(Lease(4));
    let placement = Placement {
        evacuate: true,
        ..Placement::default()
    };
    rig.change(Name::Placement(NodeId(5)), Some(record::encode(&placement)));
    rig.out.clear();
    rig
}

impl Rig {
    /// The store says that the manager is.
    pub(super) fn is_alive(&mut self, lease: Lease) {
        self.input(Input::Leased(lease));
        self.change(Name::Manager(7), None);
        self.has_said_so(after(0));
    }

    /// What the manager says of itself happens.
    fn has_said_so(&mut self, now: Time) {
        let commit = |output: &Output| match output {
            Output::Commit(flight, it) if is_presence(it) => Some((*flight, it.clone())),
            _ => None,
        };
        let (flight, transaction) = self.out.iter().find_map(commit).unwrap();
        self.happens(flight, transaction, now);
    }

    pub(super) fn at(&mut self, now: Time) {
        self.shard.wake(now, &mut self.out);
    }

    pub(super) fn hear(&mut self, now: Time, session: u32, message: ToManager) {
        let input = Input::Received(SessionId(session), message);
        self.shard.handle(input, now, &mut self.out);
    }

    /// The transaction that is under way happens.
    pub(super) fn carry_out(&mut self, now: Time) {
        let (flight, transaction) = self.transaction();
        self.happens(flight, transaction, now);
    }

    pub(super) fn happens(&mut self, flight: Flight, transaction: Transaction, now: Time) {
        self.revision += 1;
        let modified = self.revision;
        let events = transaction.writes.into_iter().map(|write| match write {
            Write::Put { key, value, lease } => Event::Put(Entry {
                key,
                value,
                created: modified,
                lease,
                modified,
            }),
            Write::Delete(range) => Event::Delete(range.start().to_vec()),
        });
        let change = Change {
            revision: modified,
            events: events.collect(),
        };
        let mut input = |input| self.shard.handle(input, now, &mut self.out);
        input(Input::Changed(change));
        input(Input::Committed(flight, Some(Outcome::Committed(modified))));
    }

    fn session(&self) -> Option<Session> {
        self.shard
            .table()
            .session(host(1))
            .map(|(it, _)| it.clone())
    }

    /// Host 1 is under lease, and has confirmed what is to stop.
    fn under_lease(&mut self) {
        self.at(after(1000));
        self.carry_out(after(1000));
        assert_eq!(self.session().map(|it| it.manager), Some(9));
        let told = self.sent(1);
        let guarded = ToAgent::Guarded {
            number: 1,
            nodes: vec![NodeId(5)],
        };
        assert_eq!(told, [guarded]);
        self.hear(after(1000), 1, ToManager::Guarded(1));
        self.carry_out(after(1000));
        assert_eq!(self.session().map(|it| it.guarded), Some(vec![NodeId(5)]));
        self.out.clear();
    }
}

#[test]
fn a_beat_is_granted_by_the_manager_that_the_store_names_and_no_other() {
    let mut rig = rig();
    rig.hear(after(10), 1, ToManager::Beat(1));
    assert_eq!(rig.sent(1), []);
    rig.under_lease();
    rig.hear(after(1100), 1, ToManager::Beat(2));
    assert_eq!(rig.sent(1), [ToAgent::Lease(2)]);
    // Without a lease of its own with the store.
    rig.input(Input::LeaseLost);
    rig.hear(after(1200), 1, ToManager::Beat(3));
    assert_eq!(rig.sent(1), []);
    // Nor with another one, before the manager knows what was done meanwhile: it may have been taken
    // for dead.
    rig.input(Input::Leased(Lease(5)));
    rig.hear(after(1300), 1, ToManager::Beat(3));
    rig.change(Name::Manager(7), None);
    rig.hear(after(1300), 1, ToManager::Beat(3));
    assert_eq!(rig.sent(1), []);
    rig.has_said_so(after(1300));
    rig.hear(after(1300), 1, ToManager::Beat(4));
    assert_eq!(rig.sent(1), [ToAgent::Lease(4)]);
    // Another manager has the host.
    let other = Session {
        manager: 8,
        epoch: 1,
        guarded: vec![NodeId(5)],
    };
    rig.change(Name::Session(host(1)), Some(record::encode(&other)));
    rig.out.clear();
    rig.hear(after(1400), 1, ToManager::Beat(5));
    assert_eq!(rig.sent(1), []);
}

#[test]
fn a_host_is_told_what_is_under_lease_until_it_confirms_it() {
    let mut rig = rig();
    rig.at(after(1000));
    rig.carry_out(after(1000));
    let guarded = ToAgent::Guarded {
        number: 1,
        nodes: vec![NodeId(5)],
    };
    assert!(rig.sent(1).contains(&guarded));
    rig.out.clear();
    rig.at(after(3000));
    assert!(rig.sent(1).contains(&guarded));
    rig.hear(after(3000), 1, ToManager::Guarded(1));
    rig.carry_out(after(3000));
    rig.out.clear();
    rig.at(after(5000));
    assert!(!rig.sent(1).contains(&guarded));
}

#[test]
fn a_host_that_has_confirmed_nothing_may_be_silent_and_come_back() {
    let mut rig = rig();
    rig.at(after(1000));
    rig.carry_out(after(1000));
    rig.out.clear();
    let mut now = after(1000);
    while now < after(1000) + 2 * TERM {
        now += BEAT;
        rig.at(now);
    }
    let fenced = |output: &Output| matches!(output, Output::Alarm(Alarm::Fenced(..)));
    assert!(!rig.out.iter().any(fenced));
    rig.out.clear();
    rig.hear(now, 1, ToManager::Beat(1));
    assert_eq!(rig.sent(1), [ToAgent::Lease(1)]);
}

#[test]
fn a_host_without_such_nodes_is_under_no_lease() {
    let mut rig = Rig::with_hosts(
        Config::default(),
        &[(key(1, 1), mapping(5, 1, at(1, 1, false)))],
        &[1],
    );
    rig.is_alive(Lease(4));
    rig.out.clear();
    rig.at(after(1000));
    let guarded = |message: &ToAgent| matches!(message, ToAgent::Guarded { .. });
    assert!(!rig.is_writing() && !rig.sent(1).iter().any(guarded));
    assert_eq!(rig.shard.next_wake(), after(2000));
}

#[test]
fn a_silent_host_is_suspect_and_then_its_nodes_under_lease_are_free() {
    let mut rig = rig();
    rig.under_lease();
    rig.hear(after(1100), 1, ToManager::Beat(1));
    rig.at(after(1200));
    assert!(!rig.shard.is_suspect(host(1)));
    rig.at(after(1100) + SUSPECT);
    assert_eq!(rig.alarms(), [Alarm::Suspect(host(1))]);
    assert!(rig.shard.is_suspect(host(1)));
    rig.out.clear();
    rig.at(after(1000) + TERM);
    assert!(!rig.is_writing());
    rig.at(after(1100) + TERM);
    assert_eq!(rig.alarms(), [Alarm::Fenced(host(1), 1)]);
    let closed = |output: &Output| matches!(output, Output::Close(SessionId(1)));
    assert!(rig.out.iter().any(closed));
    // No beat is granted any more, whatever becomes of the transaction.
    rig.input(Input::Opened(SessionId(7), host(1)));
    rig.say(
        7,
        ToManager::Hello {
            epoch: 1,
            seen: Generation::NONE,
            frozen: false,
        },
    );
    rig.hear(after(4200), 7, ToManager::Beat(2));
    assert!(!rig.sent(7).contains(&ToAgent::Lease(2)));
    rig.carry_out(after(4200));
    let table = rig.shard.table();
    let bound = |n| table.mapping(key(1, n)).and_then(|(_, it)| it.at).unwrap();
    assert!(table.is_gone(NodeId(5), bound(1)));
    // Of the other node nobody knows.
    assert!(!table.is_gone(NodeId(6), bound(2)));
    // Until somebody says that the host is dead, or it is booted.
    rig.order(Order::FenceHost(host(1), 1), None);
    rig.carry_out(after(4300));
    assert!(rig.shard.table().is_gone(NodeId(6), bound_of(&rig, 2)));
}

#[test]
fn a_manager_that_was_held_up_listens_before_it_judges() {
    let mut rig = rig();
    rig.under_lease();
    rig.hear(after(1100), 1, ToManager::Beat(1));
    rig.at(after(1200));
    rig.at(after(9000));
    assert!(!rig.is_writing() && rig.alarms().is_empty());
    rig.hear(after(9001), 1, ToManager::Beat(70));
    assert!(rig.sent(1).contains(&ToAgent::Lease(70)));
    rig.at(after(9100));
    assert!(!rig.is_writing() && rig.alarms().is_empty());
    // Whoever has not been heard of by then is as late as the clock says.
    rig.at(after(15_000));
    rig.at(after(15_100));
    assert_eq!(
        rig.alarms(),
        [Alarm::Suspect(host(1)), Alarm::Fenced(host(1), 1)]
    );
}

fn bound_of(rig: &Rig, n: u8) -> At {
    let mapping = rig.shard.table().mapping(key(1, n));
    mapping.and_then(|(_, it)| it.at).unwrap()
}

#[test]
fn a_host_goes_on_to_stop_what_the_store_says_may_start_elsewhere() {
    let mut rig = rig();
    rig.under_lease();
    rig.change(Name::Placement(NodeId(5)), None);
    rig.out.clear();
    rig.at(after(2000));
    let nothing = |number| ToAgent::Guarded {
        number,
        nodes: Vec::new(),
    };
    assert!(!rig.sent(1).contains(&nothing(2)));
    rig.carry_out(after(2000));
    assert_eq!(rig.session().map(|it| it.guarded), Some(Vec::new()));
    rig.out.clear();
    rig.at(after(3000));
    assert!(rig.sent(1).contains(&nothing(2)));
    rig.hear(after(3000), 1, ToManager::Guarded(2));
    rig.carry_out(after(3000));
    assert_eq!(rig.session(), None);
}

#[test]
fn what_a_host_has_not_confirmed_is_not_taken_for_stopped() {
    let mut rig = rig();
    rig.at(after(1000));
    rig.carry_out(after(1000));
    // A confirmation of something else.
    rig.hear(after(1000), 1, ToManager::Guarded(2));
    rig.out.clear();
    for ms in (1000..9000).step_by(100) {
        rig.at(after(ms));
    }
    assert!(!rig.is_writing());
    assert!(!rig.alarms().contains(&Alarm::Fenced(host(1), 1)));
}

#[test]
fn the_hosts_of_a_manager_that_is_gone_are_given_the_time_of_a_lease() {
    let mut rig = rig();
    let orphan = Session {
        manager: 8,
        epoch: 1,
        guarded: vec![NodeId(5)],
    };
    rig.input(Input::Closed(SessionId(1)));
    rig.change(Name::Session(host(1)), Some(record::encode(&orphan)));
    rig.change(
        Name::Manager(8),
        Some(record::encode(&record::Manager::default())),
    );
    rig.out.clear();
    rig.at(after(9000));
    assert!(rig.alarms().is_empty());
    rig.change(Name::Manager(8), None);
    rig.at(after(10_000));
    assert!(rig.shard.is_suspect(host(1)));
    rig.at(after(12_000));
    assert!(!rig.is_writing());
    rig.at(after(13_000));
    assert_eq!(rig.alarms(), [Alarm::Fenced(host(1), 1)]);
    // Not if it has said by then that it is alive, and grants again.
    let gone = Condition::Absent(Name::Manager(8).bytes());
    assert!(rig.transaction().1.conditions.contains(&gone));
}

#[test]
fn many_silent_hosts_at_once_are_left_alone() {
    let mut rig = rig();
    rig.under_lease();
    let session = |manager| Session {
        manager,
        epoch: 1,
        guarded: vec![NodeId(7)],
    };
    rig.change(Name::Session(host(2)), Some(record::encode(&session(9))));
    rig.out.clear();
    for ms in (1000..9000).step_by(100) {
        rig.at(after(ms));
    }
    assert!(rig.alarms().contains(&Alarm::Silence(2, 2)));
    assert!(!rig.is_writing());
    // One is back: the other one is not dead for being the second.
    for ms in (9000..10_500).step_by(100) {
        rig.hear(after(ms), 1, ToManager::Beat(ms as u32 / 100));
        rig.at(after(ms));
    }
    assert!(!rig.shard.is_suspect(host(1)) && rig.shard.is_suspect(host(2)));
    assert!(!rig.is_writing());
}

impl Rig {
    /// Nodes that are read, for orders about them.
    pub(super) fn reads(&mut self) -> Vec<(Flight, NodeId)> {
        let mut reads = Vec::new();
        self.out.retain(|output| match output {
            Output::Read(flight, Name::Node(node)) => {
                reads.push((*flight, *node));
                false
            }
            _ => true,
        });
        reads
    }

    /// The node of network 1 with that address is read, and is on host 1.
    pub(super) fn answer(&mut self, flight: Flight, node: NodeId, n: u8) {
        let record = Node {
            name: String::new(),
            vni: vni(1),
            addresses: vec![Address {
                address: key(1, n).address,
                learned: false,
            }],
            mac: None,
            home: Some(host(1)),
            moving: None,
        };
        let entry = Entry {
            key: Name::Node(node).bytes(),
            value: record::encode(&record),
            created: 1,
            lease: None,
            modified: 1,
        };
        self.input(Input::Read(flight, Some((Some(entry), 1))));
    }

    /// The move that is being written.
    pub(super) fn moved(&mut self) -> record::Move {
        let (_, transaction) = self.transaction();
        let moves = transaction.writes.iter().filter_map(|write| match write {
            Write::Put { key, value, .. } => match Name::parse(key) {
                Some(Name::Move(_)) => record::decode::<record::Move>(value),
                _ => None,
            },
            Write::Delete(_) => None,
        });
        let moves: Vec<_> = moves.collect();
        assert_eq!(moves.len(), 1, "{moves:?}");
        moves[0].clone()
    }
}

#[test]
fn what_was_under_lease_of_a_dead_host_is_started_on_another() {
    let mut rig = rig();
    rig.under_lease();
    rig.at(after(900) + TERM);
    rig.at(after(1000) + TERM);
    rig.out
        .retain(|output| matches!(output, Output::Commit(..)));
    // At once.
    rig.carry_out(after(4100));
    let reads = rig.reads();
    // The other node stays: it may run on.
    assert_eq!(reads.len(), 1, "{reads:?}");
    assert_eq!(reads[0].1, NodeId(5));
    rig.answer(reads[0].0, NodeId(5), 1);
    let moved = rig.moved();
    assert_eq!(moved.reason, crate::core::moves::Reason::Failure);
    assert_eq!((moved.from.host, moved.to.host), (host(1), host(2)));
}

#[test]
fn nobody_starts_what_nobody_has_stopped() {
    let mut rig = rig();
    rig.under_lease();
    rig.at(after(900) + TERM);
    rig.at(after(1000) + TERM);
    rig.carry_out(after(4100));
    rig.out.clear();
    let order = Order::StartMove {
        id: crate::core::moves::MoveId(1),
        node: NodeId(6),
        to: host(2),
        reason: crate::core::moves::Reason::Failure,
    };
    rig.input(Input::Order(5, order, Terms::default()));
    let reads = rig.reads();
    rig.answer(reads[0].0, NodeId(6), 2);
    assert_eq!(rig.reply(), Some(Err(Refusal::NotFenced(host(1)))));
}

#[test]
fn a_host_is_emptied_a_few_nodes_at_a_time() {
    let on = |n| (key(1, n), mapping(u64::from(n), 1, at(1, 1, false)));
    let mut rig = Rig::with_hosts(Config::default(), &[on(1), on(2), on(3)], &[1]);
    rig.input(Input::Leased(Lease(4)));
    let draining = record::Host {
        organisation: "o".into(),
        draining: true,
        ..record::Host::default()
    };
    rig.change(Name::Host(host(1)), Some(record::encode(&draining)));
    rig.out.clear();
    rig.at(after(1000));
    let reads = rig.reads();
    let nodes: Vec<_> = reads.iter().map(|(_, node)| node.0).collect();
    assert_eq!(nodes, [1, 2]);
    rig.out.clear();
    rig.answer(reads[0].0, NodeId(1), 1);
    let moved = rig.moved();
    assert_eq!(moved.reason, crate::core::moves::Reason::Drain);
    // The plan has all of them, and moves nothing.
    let plan = rig.shard.plan_moves(Plan::Drain(host(1)));
    assert_eq!(plan.len(), 3);
    assert!(plan.iter().all(|it| it.to.is_some()));
}
