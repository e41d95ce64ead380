// SPDX-License-Identifier: GPL-2.0

//! What only one manager does.

use super::*;

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
fn what_is_asked_of_a_new_store_waits_for_its_first_leader() {
    let mut rig = Rig {
        shard: Shard::new(Config::default(), 9, 1, NOW),
        revision: 1,
        out: Vec::new(),
    };
    rig.input(Input::Load {
        range: Range::all(),
        entries: Vec::new(),
        revision: 1,
        last: true,
    });
    let organisation = record::Organisation {
        title: String::new(),
    };
    rig.order(Order::SetOrganisation("o".into(), organisation), None);
    assert!(!rig.is_writing() && rig.reply().is_none());
    let term = Term {
        number: 1,
        leader: 8,
    };
    rig.change(Name::Term, Some(record::encode(&term)));
    assert!(rig.is_writing());
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
