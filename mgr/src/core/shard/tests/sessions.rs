// SPDX-License-Identifier: GPL-2.0

//! Connections of agents, and the copy of the store behind them.

use super::*;

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
    assert_eq!(rig.shard.as_of(), None, "there is more to come");
}

#[test]
fn nothing_is_said_between_the_pieces_of_the_store() {
    let mappings = [
        (key(1, 1), mapping(1, 1, at(1, 1, false))),
        (key(1, 2), mapping(2, 2, at(2, 1, false))),
    ];
    let mut rig = Rig::with_hosts(Config::default(), &mappings, &[1, 2]);
    let ask = ToManager::Resolve(vec![(key(1, 2), Generation::NONE)]);
    rig.say(1, ask.clone());
    rig.out.clear();
    let piece = |last| Input::Load {
        range: match last {
            false => Range::key(Name::Mapping(key(1, 2)).bytes()),
            true => Range::prefix("placement/"),
        },
        entries: Vec::new(),
        revision: 20,
        last,
    };
    rig.input(piece(false));
    rig.say(1, ask);
    assert_eq!(rig.sent(1), []);
    rig.input(piece(true));
    let gone = Verdict::Absent {
        generation: generation(20),
    };
    assert_eq!(
        rig.sent(1),
        [ToAgent::Push {
            number: 1,
            as_of: generation(20),
            items: vec![(key(1, 2), gone)]
        }]
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
