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
