// SPDX-License-Identifier: GPL-2.0

//! What hosts hear of networks.

use super::*;

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

#[test]
fn a_host_hears_that_its_last_node_of_a_network_is_gone() {
    let mappings = [
        (key(1, 1), mapping(1, 1, at(1, 1, false))),
        (key(1, 2), mapping(2, 1, None)),
        (key(3, 3), mapping(3, 1, None)),
        (key(3, 4), mapping(4, 2, None)),
    ];
    let mut rig = Rig::with_hosts(Config::default(), &mappings, &[1, 2]);
    let left = |rig: &mut Rig, session| {
        let told = rig.sent(session).into_iter();
        let told = told.filter_map(|message| match message {
            ToAgent::NoNetwork(vni) => Some(vni.get()),
            _ => None,
        });
        told.collect::<Vec<_>>()
    };
    rig.map(key(1, 2), None);
    rig.map(key(1, 1), Some(mapping(1, 2, at(1, 1, true))));
    assert!(left(&mut rig, 1).is_empty(), "it has one to release");
    rig.map(key(1, 1), Some(mapping(1, 2, at(2, 1, false))));
    // By network 1 it might know of network 2.
    assert_eq!(left(&mut rig, 1), [1, 2]);
    rig.map(key(3, 3), None);
    assert_eq!(left(&mut rig, 1), [3]);
    assert!(left(&mut rig, 2).is_empty());
}
