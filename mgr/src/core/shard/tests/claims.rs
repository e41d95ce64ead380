// SPDX-License-Identifier: GPL-2.0

//! Who gets an address, and who gives it back.

use super::*;

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
        mac: None,
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
        mac: None,
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
fn a_host_that_claims_what_it_is_bound_to_but_is_to_leave_hears_that_and_is_no_forger() {
    let leaving = mapping(1, 2, at(1, 1, false));
    let mut rig = Rig::with_hosts(Config::default(), &[(key(1, 1), leaving)], &[1]);
    rig.claim(1, key(1, 1), 1, Generation::NONE);
    let leave = |verdict: &Verdict| matches!(verdict, Verdict::Yours { leave: true, .. });
    let told = rig.sent(1);
    assert!(
        matches!(&told[..], [ToAgent::Answer { items, .. }] if leave(&items[0].1)),
        "{told:?}"
    );
    assert!(!rig.is_writing() && rig.alarms().is_empty());
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
            by_lease: false,
        },
        Epoch {
            current: 1,
            fenced: 1,
            by_lease: false,
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
        mac: None,
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
        gone: false,
        held: true,
    };
    let answer = ToAgent::Answer {
        as_of: generation,
        items: vec![(key(1, 1), held)],
    };
    assert_eq!(rig.sent(1), [answer]);
}

#[test]
fn a_grant_has_the_mac_that_was_provisioned() {
    let mac = Some(ovnet_engine::Mac([2, 0, 0, 0, 0, 9]));
    let named = Mapping {
        mac,
        ..mapping(1, 1, None)
    };
    let mut rig = Rig::with_hosts(Config::default(), &[(key(1, 1), named)], &[1]);
    rig.claim(1, key(1, 1), 1, Generation::NONE);
    let (flight, _) = rig.transaction();
    rig.input(Input::Committed(flight, Some(Outcome::Committed(11))));
    assert_eq!(
        rig.sent(1),
        [ToAgent::Granted {
            key: key(1, 1),
            attempt: 7,
            generation: generation(11),
            mac,
        }]
    );
}
