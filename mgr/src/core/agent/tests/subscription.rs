// SPDX-License-Identifier: GPL-2.0

//! What a host knows of other hosts' nodes its manager tells it again when it changes: it has asked
//! for all of it, and no other news stands for an answer.

use super::*;

fn miss(rig: &mut Rig, key: Key) {
    rig.kernel(Event::Miss { key, from: None });
    assert_eq!(rig.asked(key), 1);
}

#[test]
fn what_is_known_of_a_network_without_a_node_here_is_asked_again() {
    let mut rig = Rig::new();
    let other = Key::new(Vni::new(8).unwrap(), key(1).address);
    for key in [key(1), other] {
        miss(&mut rig, key);
        rig.answer(key, found(20, 2));
    }
    rig.hear(ToAgent::NoNetwork(key(1).vni));
    rig.operations();
    rig.pass(Config::default().spread * 5 / 4);
    let asked = |key| {
        rig.out.iter().any(|output| match output {
            Output::Send(ToManager::Resolve(items)) => items.iter().any(|item| item.0 == key),
            _ => false,
        })
    };
    assert!(asked(key(1)) && !asked(other));
    rig.answer(key(1), Verdict::Refused);
    assert_eq!(rig.operations()[0], Operation::Forget(key(1)));
}

#[test]
fn news_that_was_not_asked_for_settles_no_question() {
    let mut rig = Rig::new();
    miss(&mut rig, key(1));
    // The node is to be here: that is said to the host, and nothing that follows would be.
    rig.push(key(1), found(20, 2));
    rig.pass(SECOND * 5 / 4);
    assert_eq!(rig.asked(key(1)), 1);
    rig.answer(key(1), found(20, 2));
    rig.pass(SECOND * 60);
    assert_eq!(rig.asked(key(1)), 0);
}

#[test]
fn news_of_what_was_refused_is_a_reason_to_ask() {
    let mut rig = Rig::new();
    miss(&mut rig, key(1));
    rig.answer(key(1), Verdict::Refused);
    rig.operations();
    rig.push(key(1), found(20, 2));
    assert_eq!(rig.operations(), [set(key(1), 20, Place::Remote(host(2)))]);
    assert_eq!(rig.asked(key(1)), 1);
}

#[test]
fn where_a_node_is_that_was_bound_here_is_asked_for() {
    let mut rig = Rig::new();
    rig.bind(key(1), 20);
    rig.push(key(1), found(21, 2));
    assert_eq!(rig.asked(key(1)), 1);
    rig.out.clear();
    // As a claim is answered that is in vain.
    rig.bind(key(2), 20);
    rig.answer(key(2), found(21, 2));
    assert_eq!(rig.asked(key(2)), 1);
}

#[test]
fn a_question_there_is_no_room_for_is_asked_soon() {
    let config = Config {
        asks: 1,
        ..Config::default()
    };
    let mut rig = Rig::start(config, &[], &[], None);
    rig.welcome();
    miss(&mut rig, key(1));
    rig.answer(key(1), found(20, 2));
    miss(&mut rig, key(2));
    rig.hear(ToAgent::NoNetwork(key(1).vni));
    rig.live(13);
    assert_eq!(rig.asked(key(1)), 0, "there is no room");
    rig.answer(key(2), found(20, 2));
    rig.live(1);
    assert!(rig.asked(key(1)) > 0);
}
