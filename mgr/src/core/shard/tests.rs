// SPDX-License-Identifier: GPL-2.0

//! A manager, told by hand what the store holds and what agents say.

use std::net::Ipv4Addr;
use std::time::Duration;

use ovnet_engine::{Locator, Vni};

use super::*;
use crate::core::message::{Denial, Report, Settings, Sighting, Verdict};
use crate::core::record::{self, Address, At, Epoch, Home, Node, Term};
use crate::core::NodeId;
use crate::store::Write;

const NOW: Time = Time::from_micros(0);

fn host(n: u32) -> Locator {
    Locator::new(0xfd00_000a, n).unwrap()
}

fn vni(n: u32) -> Vni {
    Vni::new(n).unwrap()
}

fn key(network: u32, n: u8) -> Key {
    Key::new(vni(network), Ipv4Addr::new(10, 0, 0, n))
}

fn after(millis: u64) -> Time {
    NOW + Duration::from_millis(millis)
}

fn at(n: u32, epoch: u32, held: bool) -> Option<At> {
    Some(At {
        host: host(n),
        epoch,
        held,
    })
}

/// A node of host `home`, bound as told.
fn mapping(node: u64, home: u32, at: Option<At>) -> Mapping {
    Mapping {
        term: 1,
        node: NodeId(node),
        home: Home::Host(host(home)),
        at,
        mac: None,
    }
}

/// Networks 1 and 2 know each other, 3 is alone; hosts 1 to 4.
fn records() -> Vec<(Name, Vec<u8>)> {
    let organisation = record::Organisation {
        title: String::new(),
    };
    let mut records = vec![
        (
            Name::Term,
            record::encode(&Term {
                number: 1,
                leader: 9,
            }),
        ),
        (Name::Leader, b"9".to_vec()),
        (
            Name::Organisation("o".into()),
            record::encode(&organisation),
        ),
    ];
    for n in 1..=3 {
        let network = record::Network {
            name: String::new(),
            organisation: "o".into(),
            prefixes: vec![(Ipv4Addr::new(10, 0, 0, 0), 29)],
            learn: n == 1,
            exact: false,
            admits: if n == 1 { vec![vni(2)] } else { Vec::new() },
            rules: Vec::new(),
        };
        records.push((Name::Network(vni(n)), record::encode(&network)));
    }
    for n in 1..=4 {
        let epoch = Epoch {
            current: 1,
            fenced: 0,
        };
        let record = record::Host {
            name: String::new(),
            organisation: "o".into(),
        };
        records.push((Name::Host(host(n)), record::encode(&record)));
        records.push((Name::Epoch(host(n)), record::encode(&epoch)));
    }
    records
}

struct Rig {
    shard: Shard,
    revision: Revision,
    out: Vec<Output>,
}

impl Rig {
    /// The mappings are written at revision 10, the rest at 1.
    fn new(config: Config, mappings: &[(Key, Mapping)]) -> Rig {
        let mut rig = Rig {
            shard: Shard::new(config, 9, 1, NOW),
            revision: 10,
            out: Vec::new(),
        };
        let entry = |(name, value): (Name, Vec<u8>), modified| Entry {
            key: name.bytes(),
            value,
            created: modified,
            lease: None,
            modified,
        };
        let mut entries: Vec<_> = records()
            .into_iter()
            .map(|record| entry(record, 1))
            .collect();
        for (key, mapping) in mappings {
            entries.push(entry((Name::Mapping(*key), record::encode(mapping)), 10));
        }
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        let range = Range::all();
        rig.input(Input::Load {
            range,
            entries,
            revision: 10,
            last: true,
        });
        rig
    }

    /// With host `n` on session `n`.
    fn with_hosts(config: Config, mappings: &[(Key, Mapping)], hosts: &[u32]) -> Rig {
        let mut rig = Rig::new(config, mappings);
        for &n in hosts {
            rig.hello(n, 1, Generation::NONE);
        }
        rig.out.clear();
        rig
    }

    fn hello(&mut self, n: u32, epoch: u32, seen: Generation) {
        self.input(Input::Opened(SessionId(n), host(n)));
        self.say(n, ToManager::Hello { epoch, seen });
    }

    fn input(&mut self, input: Input) {
        self.shard.handle(input, NOW, &mut self.out);
    }

    fn say(&mut self, session: u32, message: ToManager) {
        self.input(Input::Received(SessionId(session), message));
    }

    fn claim(&mut self, session: u32, key: Key, node: u64, held: Generation) {
        let claim = Claim {
            key,
            node: NodeId(node),
            attempt: 7,
            held,
        };
        self.say(session, ToManager::Claim(vec![claim]));
    }

    /// The store says that something is written, or deleted.
    fn change(&mut self, name: Name, value: Option<Vec<u8>>) {
        self.revision += 1;
        let modified = self.revision;
        let key = name.bytes();
        let event = match value {
            Some(value) => Event::Put(Entry {
                key,
                value,
                created: modified,
                lease: None,
                modified,
            }),
            None => Event::Delete(key),
        };
        self.input(Input::Changed(Change {
            revision: modified,
            events: vec![event],
        }));
    }

    fn map(&mut self, key: Key, mapping: Option<Mapping>) {
        self.change(
            Name::Mapping(key),
            mapping.map(|mapping| record::encode(&mapping)),
        );
    }

    fn sent(&mut self, session: u32) -> Vec<ToAgent> {
        let mut sent = Vec::new();
        self.out.retain(|output| match output {
            Output::Send(to, message) if *to == SessionId(session) => {
                sent.push(message.clone());
                false
            }
            _ => true,
        });
        sent
    }

    fn alarms(&self) -> Vec<Alarm> {
        let alarm = |output: &Output| match output {
            Output::Alarm(alarm) => Some(*alarm),
            _ => None,
        };
        self.out.iter().filter_map(alarm).collect()
    }

    /// The one transaction that is under way.
    fn transaction(&mut self) -> (Flight, Transaction) {
        let commit = |output: &Output| match output {
            Output::Commit(flight, transaction) => Some((*flight, transaction.clone())),
            _ => None,
        };
        let mut commits: Vec<_> = self.out.iter().filter_map(commit).collect();
        self.out.clear();
        assert_eq!(commits.len(), 1, "{commits:?}");
        commits.remove(0)
    }

    fn is_writing(&self) -> bool {
        self.out
            .iter()
            .any(|output| matches!(output, Output::Commit(..)))
    }

    /// Asks for a change of a node, and answers that the store holds this one.
    fn order(&mut self, order: Order, node: Option<(Node, Revision)>) {
        self.input(Input::Order(5, order, super::Terms::default()));
        let read = self.out.iter().find_map(|output| match output {
            Output::Read(flight, name) => Some((*flight, name.bytes())),
            _ => None,
        });
        if let Some((flight, key)) = read {
            let entry = node.map(|(node, modified)| Entry {
                key,
                value: record::encode(&node),
                created: modified,
                lease: None,
                modified,
            });
            self.input(Input::Read(flight, Some(entry)));
        }
    }

    fn reply(&self) -> Option<Result<Done, Refusal>> {
        self.out.iter().find_map(|output| match output {
            Output::Reply(5, result) => Some(result.clone()),
            _ => None,
        })
    }
}

fn written(transaction: &Transaction, key: Key) -> Option<Mapping> {
    let name = Name::Mapping(key).bytes();
    transaction.writes.iter().find_map(|write| match write {
        Write::Put { key, value, .. } if *key == name => record::decode(value),
        _ => None,
    })
}

fn generation(revision: Revision) -> Generation {
    Generation::new(1, revision)
}

#[test]
fn a_host_hears_of_networks_it_has_nodes_in_and_of_their_peers() {
    let mappings = [
        (key(1, 1), mapping(1, 1, at(1, 1, false))),
        (key(2, 2), mapping(2, 2, at(2, 1, false))),
        (key(3, 3), mapping(3, 3, at(3, 1, false))),
    ];
    let mut rig = Rig::with_hosts(Config::default(), &mappings, &[1, 2, 4]);
    let ask = |rig: &mut Rig, session, key| {
        rig.say(session, ToManager::Resolve(vec![(key, Generation::NONE)]));
        match &rig.sent(session)[..] {
            [ToAgent::Answer { as_of, items }] => {
                assert_eq!((*as_of, items.len()), (generation(10), 1));
                items[0].1
            }
            other => panic!("{other:?}"),
        }
    };
    let found = |n| Verdict::Found {
        generation: generation(10),
        locator: host(n),
        mac: None,
    };
    // One of the two admits the other, and each has to check where the other's packets are from.
    assert_eq!(ask(&mut rig, 1, key(2, 2)), found(2));
    assert_eq!(ask(&mut rig, 2, key(1, 1)), found(1));
    assert_eq!(ask(&mut rig, 1, key(3, 3)), Verdict::Refused);
    assert_eq!(ask(&mut rig, 4, key(1, 1)), Verdict::Refused);
    assert_eq!(
        ask(&mut rig, 1, key(1, 5)),
        Verdict::Absent {
            generation: generation(10)
        }
    );
}

#[test]
fn a_grant_is_a_transaction_that_depends_on_term_epoch_and_mapping() {
    let mappings = [(key(1, 1), mapping(1, 1, None))];
    let mut rig = Rig::with_hosts(Config::default(), &mappings, &[1]);
    rig.claim(1, key(1, 1), 1, Generation::NONE);
    assert_eq!(rig.sent(1), [], "nothing is granted before it is written");
    let (flight, transaction) = rig.transaction();
    for name in [Name::Term, Name::Epoch(host(1))] {
        assert!(
            transaction
                .conditions
                .contains(&Condition::Modified(name.bytes(), 1)),
            "{name:?}"
        );
    }
    let mapped = Name::Mapping(key(1, 1)).bytes();
    assert!(transaction
        .conditions
        .contains(&Condition::Modified(mapped, 10)));
    assert_eq!(
        written(&transaction, key(1, 1)),
        Some(mapping(1, 1, at(1, 1, false)))
    );
    rig.input(Input::Committed(flight, Some(Outcome::Committed(11))));
    let granted = ToAgent::Granted {
        key: key(1, 1),
        attempt: 7,
        generation: generation(11),
    };
    assert_eq!(rig.sent(1), [granted]);
}

#[test]
fn a_grant_has_the_term_its_transaction_was_made_for() {
    let mappings = [(key(1, 1), mapping(1, 1, None))];
    let mut rig = Rig::with_hosts(Config::default(), &mappings, &[1]);
    rig.claim(1, key(1, 1), 1, Generation::NONE);
    let (flight, _) = rig.transaction();
    // The news of a new term overtakes the answer.
    rig.revision = 11;
    rig.change(
        Name::Term,
        Some(record::encode(&Term {
            number: 2,
            leader: 8,
        })),
    );
    rig.input(Input::Committed(flight, Some(Outcome::Committed(11))));
    let granted = ToAgent::Granted {
        key: key(1, 1),
        attempt: 7,
        generation: generation(11),
    };
    assert!(rig.sent(1).contains(&granted));
}

#[test]
fn only_the_host_and_the_node_that_are_provisioned_get_an_address() {
    let mappings = [
        (key(1, 1), mapping(1, 1, None)),
        (key(1, 2), mapping(2, 2, None)),
    ];
    let mut rig = Rig::with_hosts(Config::default(), &mappings, &[1, 2]);
    let denied = |key, reason| ToAgent::Denied {
        key,
        attempt: 7,
        reason,
    };
    rig.claim(2, key(1, 1), 1, Generation::NONE);
    assert_eq!(rig.sent(2), [denied(key(1, 1), Denial::OtherHost)]);
    rig.claim(1, key(1, 1), 66, Generation::NONE);
    assert_eq!(rig.sent(1), [denied(key(1, 1), Denial::Duplicate)]);
    rig.claim(1, key(1, 5), 1, Generation::NONE);
    assert_eq!(rig.sent(1), [denied(key(1, 5), Denial::NotProvisioned)]);
    let forged = Alarm::ForgedClaim(host(2), key(1, 1), NodeId(1));
    let duplicate = Alarm::Duplicate(host(1), key(1, 1), NodeId(66));
    assert_eq!(rig.alarms(), [forged, duplicate]);
    assert!(!rig.is_writing());
}

#[test]
fn a_claim_waits_until_the_host_that_has_the_node_lets_go_or_is_dead() {
    let elsewhere = mapping(1, 1, at(2, 1, false));
    let mut rig = Rig::with_hosts(Config::default(), &[(key(1, 1), elsewhere)], &[1]);
    rig.claim(1, key(1, 1), 1, Generation::NONE);
    let wait = ToAgent::Denied {
        key: key(1, 1),
        attempt: 7,
        reason: Denial::Wait,
    };
    assert_eq!(rig.sent(1), [wait]);

    rig.map(key(1, 1), Some(mapping(1, 1, at(2, 1, true))));
    rig.claim(1, key(1, 1), 1, Generation::NONE);
    let (_, transaction) = rig.transaction();
    assert_eq!(
        written(&transaction, key(1, 1)),
        Some(mapping(1, 1, at(1, 1, false)))
    );

    for over in [
        Epoch {
            current: 2,
            fenced: 0,
        },
        Epoch {
            current: 1,
            fenced: 1,
        },
    ] {
        let mut rig = Rig::with_hosts(Config::default(), &[(key(1, 1), elsewhere)], &[1]);
        rig.change(Name::Epoch(host(2)), Some(record::encode(&over)));
        rig.claim(1, key(1, 1), 1, Generation::NONE);
        assert!(rig.is_writing(), "{over:?}");
    }
}

#[test]
fn a_claim_that_confirms_writes_nothing_and_a_fresh_one_makes_a_new_binding() {
    let mappings = [(key(1, 1), mapping(1, 1, at(1, 1, false)))];
    let mut rig = Rig::with_hosts(Config::default(), &mappings, &[1]);
    rig.claim(1, key(1, 1), 1, generation(10));
    let granted = ToAgent::Granted {
        key: key(1, 1),
        attempt: 7,
        generation: generation(10),
    };
    assert_eq!(rig.sent(1), [granted]);
    assert!(!rig.is_writing());
    rig.claim(1, key(1, 1), 1, Generation::NONE);
    assert!(rig.is_writing());
}

#[test]
fn a_release_ends_just_the_binding_it_names() {
    let moving = mapping(1, 2, at(1, 1, false));
    let mut rig = Rig::with_hosts(Config::default(), &[(key(1, 1), moving)], &[1, 2]);
    let release = |generation| ToManager::Release {
        key: key(1, 1),
        generation,
    };
    rig.say(1, release(generation(9)));
    rig.say(2, release(generation(10)));
    assert!(!rig.is_writing());
    rig.say(1, release(generation(10)));
    let (flight, transaction) = rig.transaction();
    // It is to appear on host 2, so host 1 holds its traffic.
    assert_eq!(
        written(&transaction, key(1, 1)),
        Some(mapping(1, 2, at(1, 1, true)))
    );
    rig.input(Input::Committed(flight, Some(Outcome::Committed(11))));
    let generation = generation(11);
    let held = Verdict::Yours {
        generation,
        epoch: 1,
        leave: true,
        held: true,
    };
    let answer = ToAgent::Answer {
        as_of: generation,
        items: vec![(key(1, 1), held)],
    };
    assert_eq!(rig.sent(1), [answer]);
}

#[test]
fn what_changes_is_pushed_to_those_who_asked_and_to_the_hosts_concerned() {
    let mappings = [
        (key(1, 1), mapping(1, 1, at(1, 1, false))),
        (key(1, 2), mapping(2, 2, at(2, 1, false))),
        (key(1, 3), mapping(3, 3, at(3, 1, false))),
        (key(1, 4), mapping(4, 4, at(4, 1, false))),
    ];
    let mut rig = Rig::with_hosts(Config::default(), &mappings, &[1, 2, 3, 4]);
    rig.say(2, ToManager::Resolve(vec![(key(1, 1), Generation::NONE)]));
    rig.out.clear();
    rig.map(key(1, 1), Some(mapping(1, 3, at(1, 1, false))));
    let push = |verdict| ToAgent::Push {
        number: 1,
        as_of: generation(11),
        items: vec![(key(1, 1), verdict)],
    };
    let generation = generation(11);
    let found = Verdict::Found {
        generation,
        locator: host(1),
        mac: None,
    };
    let leave = Verdict::Yours {
        generation,
        epoch: 1,
        leave: true,
        held: false,
    };
    assert_eq!(rig.sent(1), [push(leave)]);
    assert_eq!(rig.sent(2), [push(found)]);
    assert_eq!(rig.sent(3), [push(found)]);
    assert_eq!(rig.sent(4), []);
}

#[test]
fn an_address_that_was_nobodys_is_pushed_when_it_becomes_somebodys() {
    let mappings = [(key(1, 1), mapping(1, 1, at(1, 1, false)))];
    let mut rig = Rig::with_hosts(Config::default(), &mappings, &[1]);
    rig.say(1, ToManager::Resolve(vec![(key(1, 2), Generation::NONE)]));
    rig.out.clear();
    rig.map(key(1, 2), Some(mapping(2, 2, at(2, 1, false))));
    let generation = generation(11);
    let found = Verdict::Found {
        generation,
        locator: host(2),
        mac: None,
    };
    let items = vec![(key(1, 2), found)];
    assert_eq!(
        rig.sent(1),
        [ToAgent::Push {
            number: 1,
            as_of: generation,
            items
        }]
    );
}

#[test]
fn an_agent_that_is_slow_is_told_to_ask_and_one_that_is_dead_is_dropped() {
    let config = Config {
        queue: 2,
        window: 1,
        ..Config::default()
    };
    let node = |n: u8| (key(1, n), mapping(n.into(), 2, at(2, 1, false)));
    let mappings = [
        (key(1, 7), mapping(7, 1, at(1, 1, false))),
        node(1),
        node(2),
        node(3),
        node(4),
    ];
    let mut rig = Rig::with_hosts(config, &mappings, &[1]);
    let items = (1..=4).map(|n| (key(1, n), Generation::NONE)).collect();
    rig.say(1, ToManager::Resolve(items));
    rig.out.clear();
    for n in 1..=4 {
        rig.map(key(1, n), Some(mapping(n.into(), 3, at(3, 1, false))));
    }
    assert!(matches!(rig.sent(1)[..], [ToAgent::Push { number: 1, .. }]));
    rig.say(1, ToManager::Ack(1));
    assert_eq!(rig.sent(1), [ToAgent::Invalidate(2)]);
    rig.shard.wake(after(9_000), &mut rig.out);
    assert!(!rig
        .out
        .iter()
        .any(|output| matches!(output, Output::Close(_))));
    rig.shard.wake(after(10_500), &mut rig.out);
    assert!(rig
        .out
        .iter()
        .any(|output| matches!(output, Output::Close(SessionId(1)))));
}

#[test]
fn too_many_questions_are_put_off() {
    let config = Config {
        rate: 10,
        burst: 2,
        ..Config::default()
    };
    let mappings = [(key(1, 1), mapping(1, 1, at(1, 1, false)))];
    let mut rig = Rig::with_hosts(config, &mappings, &[1]);
    let items = (1..=5).map(|n| (key(1, n), Generation::NONE)).collect();
    rig.say(1, ToManager::Resolve(items));
    match &rig.sent(1)[..] {
        [ToAgent::Busy { keys, after }, ToAgent::Answer { items, .. }] => {
            assert_eq!((keys.len(), *after, items.len()), (3, 300, 2));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_piece_takes_away_what_it_lacks_and_nothing_else() {
    let mappings = [
        (key(1, 1), mapping(1, 1, at(1, 1, false))),
        (key(1, 2), mapping(2, 2, at(2, 1, false))),
    ];
    let mut rig = Rig::new(Config::default(), &mappings);
    let range = Range::key(Name::Mapping(key(1, 1)).bytes());
    rig.input(Input::Load {
        range,
        entries: Vec::new(),
        revision: 20,
        last: false,
    });
    assert!(rig.shard.table().mapping(key(1, 1)).is_none());
    assert!(rig.shard.table().mapping(key(1, 2)).is_some());
    assert!(rig.shard.table().network(vni(1)).is_some());
    assert_eq!(
        rig.shard.as_of(),
        Some(generation(10)),
        "there is more to come"
    );
}

#[test]
fn a_host_is_welcome_if_it_is_known_alive_and_not_ahead() {
    let welcome = |n, epoch, seen| {
        let mut rig = Rig::new(Config::default(), &[]);
        rig.hello(n, epoch, seen);
        let welcomed = rig.sent(n).contains(&ToAgent::Welcome(generation(10)));
        (welcomed, rig.alarms(), rig.is_writing())
    };
    assert_eq!(welcome(1, 1, generation(10)), (true, vec![], false));
    let behind = Alarm::Behind(host(1), generation(11));
    assert_eq!(welcome(1, 1, generation(11)), (false, vec![behind], false));
    assert_eq!(
        welcome(5, 1, Generation::NONE),
        (false, vec![Alarm::UnknownHost(host(5))], false)
    );
    assert_eq!(
        welcome(1, 0, Generation::NONE),
        (false, vec![Alarm::DeadHost(host(1), 0)], false)
    );
    // A new epoch is written first.
    assert_eq!(welcome(1, 2, Generation::NONE), (false, vec![], true));
}

#[test]
fn sightings_are_raised() {
    let mut rig = Rig::with_hosts(Config::default(), &[], &[1]);
    let sightings = vec![(Sighting::Spoof, key(1, 1), 3)];
    rig.say(
        1,
        ToManager::Report(Report {
            sightings,
            ..Report::default()
        }),
    );
    assert_eq!(
        rig.alarms(),
        [Alarm::Sighted(host(1), Sighting::Spoof, key(1, 1), 3)]
    );
}

fn node(addresses: &[(u8, bool)]) -> Node {
    let address = |(n, learned): &(u8, bool)| Address {
        address: Ipv4Addr::new(10, 0, 0, *n),
        learned: *learned,
    };
    Node {
        name: "n".into(),
        vni: vni(1),
        addresses: addresses.iter().map(address).collect(),
        mac: None,
        home: Some(host(1)),
        moving: None,
    }
}

fn create(address: Option<u8>) -> Order {
    Order::CreateNode {
        id: NodeId(8),
        name: "n".into(),
        vni: vni(1),
        address: address.map(|n| Ipv4Addr::new(10, 0, 0, n)),
        mac: None,
        home: Some(host(1)),
    }
}

#[test]
fn addresses_are_given_once_and_free_ones_are_found() {
    let mappings = [
        (key(1, 1), mapping(1, 1, None)),
        (key(1, 2), mapping(2, 2, None)),
    ];
    let mut rig = Rig::new(Config::default(), &mappings);
    rig.order(create(None), None);
    let (flight, transaction) = rig.transaction();
    assert!(transaction
        .conditions
        .contains(&Condition::Absent(Name::Node(NodeId(8)).bytes())));
    let absent = Condition::Absent(Name::Mapping(key(1, 3)).bytes());
    assert!(transaction.conditions.contains(&absent));
    assert_eq!(written(&transaction, key(1, 3)), Some(mapping(8, 1, None)));
    rig.input(Input::Committed(flight, Some(Outcome::Committed(11))));
    let done = Done {
        generation: generation(11),
        address: Some(key(1, 3).address),
    };
    assert_eq!(rig.reply(), Some(Ok(done)));

    let refused = |address, node| {
        let mut rig = Rig::new(Config::default(), &mappings);
        rig.order(create(address), node);
        rig.reply().and_then(Result::err)
    };
    assert_eq!(
        refused(Some(1), None),
        Some(Refusal::AddressTaken(key(1, 1)))
    );
    assert_eq!(
        refused(Some(9), None),
        Some(Refusal::OutsideNetwork(key(1, 9)))
    );
    let other = Node {
        name: "other".into(),
        ..node(&[(3, false)])
    };
    assert_eq!(
        refused(None, Some((other, 5))),
        Some(Refusal::NodeExists(NodeId(8)))
    );
    // The same order again is done already.
    let mut rig = Rig::new(Config::default(), &mappings);
    rig.order(create(None), Some((node(&[(3, false)]), 5)));
    assert_eq!(
        rig.reply().unwrap().unwrap().address,
        Some(key(1, 3).address)
    );
}

#[test]
fn a_network_without_a_free_address_says_so() {
    let mappings: Vec<_> = (1..=6)
        .map(|n| (key(1, n), mapping(n.into(), 1, None)))
        .collect();
    let mut rig = Rig::new(Config::default(), &mappings);
    rig.order(create(None), None);
    assert_eq!(rig.reply(), Some(Err(Refusal::NoAddress(vni(1)))));
}

#[test]
fn a_deleted_nodes_address_is_free_once_its_host_lets_go() {
    let deleted = |at| {
        let mappings = [(key(1, 1), mapping(8, 1, at))];
        let mut rig = Rig::new(Config::default(), &mappings);
        rig.order(Order::DeleteNode(NodeId(8)), Some((node(&[(1, false)]), 5)));
        let (_, transaction) = rig.transaction();
        written(&transaction, key(1, 1)).map(|mapping| mapping.home)
    };
    assert_eq!(deleted(at(1, 1, false)), Some(Home::Leaving));
    assert_eq!(deleted(None), None);
    assert_eq!(deleted(at(1, 0, false)), None, "that boot is over");
}

#[test]
fn an_order_that_met_a_change_is_planned_again_with_it() {
    let mut rig = Rig::new(Config::default(), &[]);
    rig.order(create(Some(1)), None);
    let (flight, _) = rig.transaction();
    rig.input(Input::Committed(
        flight,
        Some(Outcome::Refused { revision: 11 }),
    ));
    assert!(rig.out.is_empty(), "the change is not known yet");
    rig.map(key(1, 1), Some(mapping(4, 2, None)));
    let read = rig.out.iter().find_map(|output| match output {
        Output::Read(flight, _) => Some(*flight),
        _ => None,
    });
    rig.input(Input::Read(read.unwrap(), Some(None)));
    assert_eq!(rig.reply(), Some(Err(Refusal::AddressTaken(key(1, 1)))));
}

#[test]
fn an_organisation_cannot_go_while_something_becomes_its_own() {
    let mut rig = Rig::new(Config::default(), &[]);
    rig.order(Order::DeleteOrganisation("o".into()), None);
    assert_eq!(
        rig.reply(),
        Some(Err(Refusal::OrganisationInUse("o".into())))
    );
    let record = record::Host {
        name: "new".into(),
        organisation: "o".into(),
    };
    rig.order(Order::SetHost(host(9), record), None);
    let (_, transaction) = rig.transaction();
    let organisation = Name::Organisation("o".into()).bytes();
    let puts = |write: &Write| matches!(write, Write::Put { key, .. } if *key == organisation);
    assert!(transaction.writes.iter().any(puts));
}

#[test]
fn a_used_address_is_learned_if_the_network_says_so_and_the_silent_one_goes() {
    let mappings = [
        (key(1, 1), mapping(8, 1, at(1, 1, false))),
        (key(1, 2), mapping(9, 2, at(2, 1, false))),
        (key(2, 1), mapping(7, 1, at(1, 1, false))),
    ];
    let learn = |of, n, node| {
        let mut rig = Rig::with_hosts(Config::default(), &mappings, &[1]);
        let address = Ipv4Addr::new(10, 0, 0, n);
        rig.say(
            1,
            ToManager::Learn {
                of,
                address,
                attempt: 7,
            },
        );
        let read = rig.out.iter().find_map(|output| match output {
            Output::Read(flight, name) => Some((*flight, name.bytes())),
            _ => None,
        });
        let (flight, key) = read.unwrap();
        let value = record::encode(&node);
        let entry = Entry {
            key,
            value,
            created: 5,
            lease: None,
            modified: 5,
        };
        rig.input(Input::Read(flight, Some(Some(entry))));
        rig
    };
    let own = node(&[(1, false)]);
    let mut rig = learn(key(1, 1), 3, own.clone());
    let (_, transaction) = rig.transaction();
    assert_eq!(
        written(&transaction, key(1, 3)),
        Some(mapping(8, 1, at(1, 1, false)))
    );
    let denied = |rig: &mut Rig| match rig.sent(1)[..] {
        [ToAgent::Denied { reason, .. }] => reason,
        ref other => panic!("{other:?}"),
    };
    let mut rig = learn(key(1, 1), 2, own.clone());
    assert_eq!(denied(&mut rig), Denial::Duplicate);
    assert_eq!(
        rig.alarms().len(),
        1,
        "the owner keeps it, and people are told"
    );
    assert_eq!(denied(&mut learn(key(2, 1), 3, own)), Denial::Policy);

    let silent = |addresses: &[(u8, bool)]| {
        let mut rig = Rig::new(Config::default(), &mappings);
        let address = key(1, 1).address;
        let order = Order::SilentAddress {
            id: NodeId(8),
            address,
        };
        rig.order(order, Some((node(addresses), 5)));
        rig.is_writing()
    };
    assert!(silent(&[(1, false), (3, true)]), "a change of address");
    assert!(!silent(&[(1, false), (3, false)]), "both are provisioned");
    assert!(!silent(&[(1, false)]), "its only one");
}

#[test]
fn a_manager_with_a_lease_campaigns_when_nobody_leads() {
    let mut rig = Rig::new(Config::default(), &[]);
    rig.input(Input::Leased(Lease(3)));
    rig.shard.wake(after(2_000), &mut rig.out);
    assert!(!rig.is_writing(), "there is a leader");
    rig.change(Name::Leader, None);
    rig.shard.wake(after(4_000), &mut rig.out);
    let (_, transaction) = rig.transaction();
    assert!(transaction
        .conditions
        .contains(&Condition::Absent(Name::Leader.bytes())));
    assert!(transaction
        .conditions
        .contains(&Condition::Modified(Name::Term.bytes(), 1)));
    let term = transaction.writes.iter().find_map(|write| match write {
        Write::Put {
            key,
            value,
            lease: None,
        } if *key == Name::Term.bytes() => record::decode::<Term>(value),
        _ => None,
    });
    assert_eq!(
        term,
        Some(Term {
            number: 2,
            leader: 9
        })
    );
}

#[test]
fn the_leader_takes_away_what_the_dead_left() {
    let gone = Mapping {
        home: Home::Leaving,
        ..mapping(1, 1, at(1, 0, false))
    };
    let unplaced = Mapping {
        home: Home::Nowhere,
        ..mapping(2, 1, at(1, 0, false))
    };
    let waiting = mapping(3, 1, at(1, 0, false));
    let mappings = [
        (key(1, 1), gone),
        (key(1, 2), unplaced),
        (key(1, 3), waiting),
    ];
    let mut rig = Rig::new(Config::default(), &mappings);
    rig.shard.wake(after(1_000), &mut rig.out);
    assert!(!rig.is_writing(), "another one may lead");
    rig.input(Input::Leased(Lease(3)));
    rig.shard.wake(after(2_000), &mut rig.out);
    let (_, transaction) = rig.transaction();
    assert_eq!(transaction.writes.len(), 2, "{transaction:?}");
    assert_eq!(written(&transaction, key(1, 1)), None);
    assert_eq!(
        written(&transaction, key(1, 2)).map(|mapping| mapping.at),
        Some(None)
    );
}

/// The networks that a session was told of.
fn networks(rig: &mut Rig, session: u32) -> Vec<(u32, Settings)> {
    let told = rig.sent(session).into_iter();
    let told = told.filter_map(|message| match message {
        ToAgent::Network { vni, settings, .. } => Some((vni.get(), settings)),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_host_hears_of_a_network_with_its_first_node_and_of_each_change_from_then_on() {
    let mut rig = Rig::with_hosts(Config::default(), &[], &[1]);
    assert_eq!(networks(&mut rig, 1), []);
    rig.map(key(1, 1), Some(mapping(1, 1, None)));
    let first = networks(&mut rig, 1);
    let [(1, settings)] = &first[..] else {
        panic!("{first:?}");
    };
    assert_eq!(
        (settings.learn, &settings.admits[..]),
        (true, &[vni(2)][..])
    );
    rig.map(key(1, 2), Some(mapping(2, 1, None)));
    assert_eq!(networks(&mut rig, 1), [], "it knows");
    // What changes while no node is there, it is told when there is one again.
    rig.map(key(1, 1), None);
    rig.map(key(1, 2), None);
    let network = |admits| record::Network {
        name: String::new(),
        organisation: "o".into(),
        prefixes: vec![(Ipv4Addr::new(10, 0, 0, 0), 29)],
        learn: false,
        exact: true,
        admits,
        rules: Vec::new(),
    };
    rig.change(
        Name::Network(vni(1)),
        Some(record::encode(&network(vec![]))),
    );
    assert_eq!(networks(&mut rig, 1), []);
    rig.map(key(1, 1), Some(mapping(1, 1, None)));
    let again = networks(&mut rig, 1);
    assert!(matches!(&again[..], [(1, it)] if it.exact && !it.learn && it.admits.is_empty()));
}

#[test]
fn the_hosts_of_a_network_hear_which_others_admit_it() {
    let mut rig = Rig::with_hosts(Config::default(), &[(key(2, 1), mapping(1, 1, None))], &[1]);
    let network = |admits| record::Network {
        name: String::new(),
        organisation: "o".into(),
        prefixes: vec![(Ipv4Addr::new(10, 0, 0, 0), 29)],
        learn: false,
        exact: false,
        admits,
        rules: Vec::new(),
    };
    for (admits, wanted) in [(vec![vni(2)], vec![vni(1), vni(3)]), (vec![], vec![vni(1)])] {
        rig.change(
            Name::Network(vni(3)),
            Some(record::encode(&network(admits))),
        );
        let told = networks(&mut rig, 1);
        assert!(
            matches!(&told[..], [(2, it)] if it.admitted_by == wanted),
            "{told:?}"
        );
    }
}
