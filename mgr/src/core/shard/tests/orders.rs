// SPDX-License-Identifier: GPL-2.0

//! Changes of the provisioning data.

use super::*;

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
    rig.input(Input::Read(read.unwrap(), Some((None, 10))));
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
    let host_of = |organisation: &str| record::Host {
        name: "new".into(),
        organisation: organisation.into(),
        ..record::Host::default()
    };
    // It depends on something that keeps the organisation, and does not get in the way of others.
    rig.order(Order::SetHost(host(9), host_of("o")), None);
    let (_, transaction) = rig.transaction();
    let kept = Condition::Modified(Name::Network(vni(1)).bytes(), 1);
    assert!(transaction.conditions.contains(&kept));
    assert_eq!(transaction.writes.len(), 1);
    // There is nothing that keeps one that has nothing.
    let empty = record::Organisation {
        title: String::new(),
    };
    rig.change(Name::Organisation("e".into()), Some(record::encode(&empty)));
    rig.order(Order::SetHost(host(9), host_of("e")), None);
    let (_, transaction) = rig.transaction();
    let organisation = Name::Organisation("e".into()).bytes();
    assert!(transaction
        .conditions
        .contains(&Condition::Modified(organisation.clone(), 11)));
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
        rig.input(Input::Read(flight, Some((Some(entry), 10))));
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
