// SPDX-License-Identifier: GPL-2.0

//! What agents are answered, and what they are told unasked.

use super::*;

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
        gone: false,
        held: false,
    };
    assert_eq!(rig.sent(1), [push(leave)]);
    assert_eq!(rig.sent(2), [push(found)]);
    assert_eq!(rig.sent(3), [push(found)]);
    assert_eq!(rig.sent(4), []);
}

#[test]
fn a_host_is_told_whether_a_node_leaves_or_loses_an_address() {
    let own = mapping(1, 1, at(1, 1, false));
    let mut rig = Rig::with_hosts(Config::default(), &[(key(1, 1), own)], &[1]);
    for (home, gone) in [(Home::Nowhere, false), (Home::Leaving, true)] {
        rig.out.clear();
        rig.map(key(1, 1), Some(Mapping { home, ..own }));
        let told = rig.sent(1);
        let [ToAgent::Push { items, .. }] = &told[..] else {
            panic!("{told:?}");
        };
        assert!(
            matches!(items[..], [(_, Verdict::Yours { leave: true, gone: it, .. })] if it == gone),
            "{items:?}"
        );
    }
}

#[test]
fn a_host_is_told_of_an_address_that_is_to_be_there() {
    let of = |home| mapping(1, home, None);
    let mut rig = Rig::with_hosts(Config::default(), &[(key(1, 1), of(2))], &[1, 2]);
    rig.map(key(1, 1), Some(of(1)));
    let generation = generation(11);
    let due = Verdict::Due {
        generation,
        node: NodeId(1),
    };
    let told = rig.sent(1);
    assert!(
        matches!(&told[..], [.., ToAgent::Push { items, .. }] if items[..] == [(key(1, 1), due)]),
        "{told:?}"
    );
    rig.say(2, ToManager::Resolve(vec![(key(1, 1), Generation::NONE)]));
    assert!(!format!("{:?}", rig.sent(2)).contains("Due"));
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

/// The node of network 2 with that address, as network 1 knows it, or the other way round.
fn peer(revision: u64, n: u32, network: u32) -> Verdict {
    Verdict::Peer {
        generation: generation(revision),
        locator: host(n),
        mac: None,
        vni: vni(network),
    }
}

#[test]
fn an_address_of_a_peered_network_is_found_there() {
    let mappings = [
        (key(1, 1), mapping(1, 1, at(1, 1, false))),
        (key(2, 2), mapping(2, 2, at(2, 1, false))),
        (key(3, 3), mapping(3, 3, at(3, 1, false))),
        (key(2, 4), mapping(4, 2, None)),
    ];
    let mut rig = Rig::with_hosts(Config::default(), &mappings, &[1, 2, 3]);
    let mut ask = |session, key| {
        rig.say(session, ToManager::Resolve(vec![(key, Generation::NONE)]));
        match &rig.sent(session)[..] {
            [ToAgent::Answer { items, .. }] => items[0].1,
            other => panic!("{other:?}"),
        }
    };
    let absent = Verdict::Absent {
        generation: generation(10),
    };
    // Who may send, and who has to look where it comes from.
    assert_eq!(ask(1, key(1, 2)), peer(10, 2, 2));
    assert_eq!(ask(2, key(2, 1)), peer(10, 1, 1));
    // Its node is attached nowhere; no peering leads to network 3, and none from it.
    assert_eq!(ask(1, key(1, 4)), absent);
    assert_eq!(ask(1, key(1, 3)), absent);
    assert_eq!(ask(3, key(3, 1)), absent);
    // Host 2 has no node in network 1, whose peers are none of its business.
    assert_eq!(ask(2, key(1, 2)), absent);
    // Without the peering there is nothing to find.
    let alone = record::Network {
        admits: Vec::new(),
        ..rig.shard.table().network(vni(1)).unwrap().0.clone()
    };
    rig.change(Name::Network(vni(1)), Some(record::encode(&alone)));
    rig.out.clear();
    rig.say(1, ToManager::Resolve(vec![(key(1, 2), Generation::NONE)]));
    let gone = Verdict::Absent {
        generation: generation(11),
    };
    assert_eq!(
        rig.sent(1),
        [ToAgent::Answer {
            as_of: generation(11),
            items: vec![(key(1, 2), gone)],
        }]
    );
}

#[test]
fn who_knows_an_address_by_a_peering_hears_what_becomes_of_it() {
    let mappings = [
        (key(1, 1), mapping(1, 1, at(1, 1, false))),
        (key(2, 2), mapping(2, 2, at(2, 1, false))),
    ];
    let mut rig = Rig::with_hosts(Config::default(), &mappings, &[1]);
    rig.say(1, ToManager::Resolve(vec![(key(1, 2), Generation::NONE)]));
    rig.out.clear();
    let mut told = 0;
    let here = key(1, 2);
    let mut change = |rig: &mut Rig, key, mapping| -> Vec<_> {
        rig.map(key, mapping);
        told += 1;
        match &rig.sent(1)[..] {
            [ToAgent::Push { number, items, .. }] => {
                assert_eq!(*number, told);
                let items = items.iter().filter(|(key, _)| *key == here);
                items.copied().collect()
            }
            other => panic!("{other:?}"),
        }
    };
    // The node moves.
    let moved = change(&mut rig, key(2, 2), Some(mapping(2, 3, at(3, 1, false))));
    assert_eq!(moved, [(here, peer(11, 3, 2))]);
    // Network 1 gets a node with that address, which comes first.
    let own = change(&mut rig, here, Some(mapping(9, 4, at(4, 1, false))));
    let found = Verdict::Found {
        generation: generation(12),
        locator: host(4),
        mac: None,
    };
    assert_eq!(own, [(here, found)]);
    // That one goes, and the other is what the address stands for, under a newer generation.
    let back = change(&mut rig, here, None);
    assert_eq!(back, [(here, peer(13, 3, 2))]);
    let again = change(&mut rig, key(2, 2), Some(mapping(2, 2, at(2, 1, false))));
    assert_eq!(again, [(here, peer(14, 2, 2))]);
    let gone = change(&mut rig, key(2, 2), None);
    let absent = Verdict::Absent {
        generation: generation(15),
    };
    assert_eq!(gone, [(here, absent)]);
    // Who forgets it hears no more.
    rig.map(key(2, 2), Some(mapping(2, 2, at(2, 1, false))));
    rig.out.clear();
    rig.say(1, ToManager::Forget(vec![here, key(2, 2)]));
    rig.map(key(2, 2), Some(mapping(2, 3, at(3, 1, false))));
    assert_eq!(rig.sent(1), []);
}

#[test]
fn a_node_of_a_peered_network_is_told_of_by_each_name_it_may_be_known_by() {
    let mappings = [
        (key(1, 1), mapping(1, 1, at(1, 1, false))),
        (key(2, 2), mapping(2, 2, at(2, 1, false))),
    ];
    let mut rig = Rig::with_hosts(Config::default(), &mappings, &[1, 2]);
    rig.say(1, ToManager::Resolve(vec![(key(2, 2), Generation::NONE)]));
    rig.out.clear();
    let named = |rig: &mut Rig| -> Vec<Key> {
        match &rig.sent(1)[..] {
            [ToAgent::Push { items, .. }] => items.iter().map(|(key, _)| *key).collect(),
            _ => Vec::new(),
        }
    };
    rig.map(key(2, 2), Some(mapping(2, 3, at(2, 1, false))));
    assert_eq!(named(&mut rig), [key(1, 2), key(2, 2)]);
    // Which one it has no use for says nothing of the other.
    rig.say(1, ToManager::Forget(vec![key(1, 2)]));
    rig.map(key(2, 2), Some(mapping(2, 4, at(2, 1, false))));
    assert_eq!(named(&mut rig), [key(1, 2), key(2, 2)]);
    rig.say(1, ToManager::Forget(vec![key(1, 2), key(2, 2)]));
    rig.map(key(2, 2), Some(mapping(2, 3, at(2, 1, false))));
    assert_eq!(named(&mut rig), []);
}
