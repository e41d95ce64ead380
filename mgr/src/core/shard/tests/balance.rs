// SPDX-License-Identifier: GPL-2.0

//! Nodes that leave hosts which are too full.

use super::*;
use crate::core::moves::{MoveId, Reason, Seat, State};
use crate::core::record::{HostLoad, Move, Placement};
use crate::store::Lease;

/// A node that is moved by somebody.
const OTHER: u64 = 9;

/// Nodes on host 1 that may be moved for that, by their number and the last part of their address.
fn rig(balance: Option<Balance>, nodes: &[u8], hosts: &[u32]) -> Rig {
    let config = Config {
        balance,
        ..Config::default()
    };
    let on = |n: &u8| (key(1, *n), mapping(u64::from(*n), 1, at(1, 1, false)));
    let mappings: Vec<_> = nodes.iter().map(on).collect();
    let mut rig = Rig::with_hosts(config, &mappings, hosts);
    rig.input(Input::Leased(Lease(4)));
    for n in nodes {
        rig.place(*n, true);
    }
    rig.out.clear();
    rig
}

impl Rig {
    fn place(&mut self, n: u8, balance: bool) {
        let placement = Placement {
            balance,
            ..Placement::default()
        };
        let name = Name::Placement(NodeId(n.into()));
        self.change(name, Some(record::encode(&placement)));
    }

    fn busy(&mut self, n: u32, cpu: u32) {
        let load = HostLoad {
            manager: 9,
            cpu,
            memory: 100,
        };
        self.change(Name::Load(host(n)), Some(record::encode(&load)));
        self.out.clear();
    }

    /// The nodes that it begins to move at a time, but for the one that is moved already.
    fn begins(&mut self, seconds: u64) -> Vec<u64> {
        self.out.clear();
        self.at(after(seconds * 1000));
        let nodes = self.reads().into_iter().map(|(_, node)| node.0);
        nodes.filter(|node| *node != OTHER).collect()
    }

    /// What is known of a move of a node from one host to another, which got into that state then.
    fn recorded(&mut self, id: u64, node: u64, from: u32, to: u32, state: State, seconds: u64) {
        let seat = |n| Seat {
            host: host(n),
            epoch: 1,
        };
        let it = Move {
            node: NodeId(node),
            vni: vni(1),
            addresses: Vec::new(),
            from: seat(from),
            to: seat(to),
            reason: Reason::Operator,
            state,
            times: vec![(state, seconds * 1000)],
            endpoint: String::new(),
            bound: Vec::new(),
            peers: None,
            failure: String::new(),
        };
        self.change(Name::Move(MoveId(id)), Some(record::encode(&it)));
        self.out.clear();
    }
}

/// Hosts 1 and 2, of which the first is busy.
fn uneven(nodes: &[u8]) -> Rig {
    let mut rig = rig(Some(Balance::above(800)), nodes, &[1, 2]);
    rig.busy(1, 900);
    rig.busy(2, 100);
    rig
}

#[test]
fn a_node_leaves_a_host_that_is_too_busy() {
    let mut rig = uneven(&[1, 2]);
    rig.at(after(1000));
    let reads = rig.reads();
    // One, although the host would still be too busy for two.
    assert_eq!(reads.len(), 1, "{reads:?}");
    rig.out.clear();
    rig.answer(reads[0].0, reads[0].1, 1);
    let moved = rig.moved();
    assert_eq!(moved.reason, Reason::Balance);
    assert_eq!((moved.from.host, moved.to.host), (host(1), host(2)));
}

#[test]
fn nobody_leaves_whom_nobody_told_to() {
    let mut rig = rig(None, &[1, 2], &[1, 2]);
    rig.busy(1, 900);
    rig.busy(2, 100);
    assert_eq!(rig.begins(1), [0; 0], "it is not configured");
    let mut rig = uneven(&[1, 2]);
    rig.place(1, false);
    assert_eq!(rig.begins(1), [2]);
    let mut rig = uneven(&[1, 2]);
    rig.place(1, false);
    rig.place(2, false);
    assert_eq!(rig.begins(1), [0; 0], "no node may");
    let mut rig = uneven(&[1, 2]);
    rig.busy(1, 800);
    assert_eq!(rig.begins(1), [0; 0], "it is not above the threshold");
    let mut rig = uneven(&[1, 2]);
    rig.input(Input::LeaseLost);
    assert_eq!(rig.begins(1), [0; 0], "it does not lead");
}

#[test]
fn a_host_rests_while_a_move_is_under_way_and_two_minutes_after() {
    for (from, to) in [(1, 3), (3, 2)] {
        let mut rig = uneven(&[1, 2]);
        rig.recorded(7, OTHER, from, to, State::Armed, 100);
        assert_eq!(rig.begins(100), [0; 0], "{from} {to}");
        rig.recorded(7, OTHER, from, to, State::Settled, 100);
        assert_eq!(rig.begins(219), [0; 0], "{from} {to}");
        assert_eq!(rig.begins(225).len(), 1, "{from} {to}");
    }
    // What moves elsewhere is no matter.
    let mut rig = uneven(&[1, 2]);
    rig.recorded(7, OTHER, 3, 4, State::Settled, 1000);
    assert_eq!(rig.begins(1000).len(), 1);
}

#[test]
fn a_node_that_was_moved_stays_for_ten_minutes() {
    let mut rig = uneven(&[1, 2]);
    rig.place(2, false);
    rig.recorded(7, 1, 3, 1, State::Settled, 1000);
    assert_eq!(rig.begins(1599), [0; 0]);
    assert_eq!(rig.begins(1605), [1]);
}

#[test]
fn no_more_moves_begin_than_of_hosts_that_are_emptied() {
    let mut rig = uneven(&[1, 2]);
    rig.shard.config.emptying.all = 1;
    rig.recorded(7, OTHER, 3, 4, State::Armed, 100);
    assert_eq!(rig.begins(100), [0; 0]);
    rig.recorded(7, OTHER, 3, 4, State::Settled, 100);
    assert_eq!(rig.begins(110).len(), 1);
}

/// Six equal nodes on host 1, all of which may be moved, and host 2 beside it; what hosts report
/// is what their nodes really do. The moves of an hour, as when and to which host.
fn moves_of_an_hour(balance: Balance) -> Vec<(u64, u32)> {
    let nodes = [1, 2, 3, 4, 5, 6];
    let mut rig = rig(Some(balance), &nodes, &[1, 2]);
    let mut homes: BTreeMap<u64, u32> = nodes.map(|n| (n.into(), 1)).into();
    let mut moves = Vec::new();
    for second in 1..=3600 {
        let now = after(second * 1000);
        if second % 10 == 0 {
            for n in [1, 2] {
                let there = homes.values().filter(|home| **home == n).count() as u32;
                rig.report(now, n, 50 + 150 * there);
            }
        }
        rig.at(now);
        while !rig.out.is_empty() {
            for output in std::mem::take(&mut rig.out) {
                match output {
                    Output::Read(flight, Name::Node(node)) => {
                        let home = homes[&node.0];
                        let record = Node {
                            name: String::new(),
                            vni: vni(1),
                            addresses: vec![Address {
                                address: key(1, node.0 as u8).address,
                                learned: false,
                            }],
                            mac: None,
                            home: Some(host(home)),
                            moving: None,
                        };
                        let entry = Entry {
                            key: Name::Node(node).bytes(),
                            value: record::encode(&record),
                            created: 1,
                            lease: None,
                            modified: 1,
                        };
                        let found = Some((Some(entry), rig.revision));
                        rig.shard
                            .handle(Input::Read(flight, found), now, &mut rig.out);
                    }
                    Output::Commit(flight, mut transaction) => {
                        for write in &mut transaction.writes {
                            let Write::Put { key, value, .. } = write else {
                                continue;
                            };
                            if let Some(Name::Move(_)) = Name::parse(key) {
                                let it: Move = record::decode(value).unwrap();
                                let to = if it.to.host == host(1) { 1 } else { 2 };
                                homes.insert(it.node.0, to);
                                moves.push((second, to));
                                // It is there at once.
                                let times = vec![(State::Settled, second * 1000)];
                                let state = State::Settled;
                                *value = record::encode(&Move { state, times, ..it });
                            }
                        }
                        rig.happens(flight, transaction, now);
                        for (node, home) in &homes {
                            let it = mapping(*node, *home, at(*home, 1, false));
                            let key = key(1, *node as u8);
                            if rig.shard.table().mapping(key).map(|(_, it)| it.home)
                                != Some(it.home)
                            {
                                rig.map(key, Some(it));
                            }
                        }
                    }
                    Output::Send(SessionId(n), ToAgent::Push { number, .. }) => {
                        rig.hear(now, n, ToManager::Ack(number));
                    }
                    _ => {}
                }
            }
        }
    }
    moves
}

#[test]
fn loads_that_follow_late_send_nobody_to_and_fro() {
    let usual = Balance::above(600);
    let calm = moves_of_an_hour(usual);
    assert_eq!(calm, [(21, 2), (141, 2)]);
    // The same hour without rest.
    let hasty = moves_of_an_hour(Balance {
        margin: 0,
        rest: Duration::ZERO,
        stay: Duration::ZERO,
        ..usual
    });
    let back = hasty.iter().filter(|(_, to)| *to == 1).count();
    assert!(hasty.len() > 20 && back > 5, "{hasty:?}");
}
