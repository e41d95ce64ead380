// SPDX-License-Identifier: GPL-2.0

//! Choices and plans.

use super::*;

fn at(locale: u8, area: u8, rack: u8, host: u8) -> Locator {
    let topology = Topology::Host {
        locale,
        area,
        rack,
        host,
    };
    Locator::new(0xfd00_000a, topology.encode().unwrap()).unwrap()
}

fn rack(host: u8) -> Locator {
    at(1, 1, 1, host)
}

fn host(capacity: u32) -> Host {
    Host {
        capacity,
        alive: true,
        ..Host::default()
    }
}

fn node(on: Locator, size: u32) -> Node {
    Node {
        at: Some(on),
        size,
        ..Node::default()
    }
}

fn world(hosts: &[(Locator, Host)], nodes: &[(u64, Node)]) -> World {
    let mut world = World::default();
    for (at, host) in hosts {
        world.host(*at, host.clone());
    }
    for (id, node) in nodes {
        world.node(NodeId(*id), node.clone());
    }
    world
}

fn moves(plan: &[Choice]) -> Vec<(u64, Option<Locator>)> {
    plan.iter().map(|it| (it.node.0, it.to)).collect()
}

#[test]
fn the_nearest_is_chosen_then_the_cheapest_then_the_emptiest() {
    let (near, far) = (at(1, 1, 2, 1), at(1, 2, 1, 1));
    let mut hosts = vec![(rack(1), host(10)), (near, host(10)), (far, host(10))];
    let one = [(1, node(rack(1), 1))];
    assert_eq!(world(&hosts, &one).choose(NodeId(1)).to, Some(near));
    // One on the same rack is nearer, whatever it costs.
    hosts.push((
        rack(2),
        Host {
            cost: 9,
            ..host(10)
        },
    ));
    assert_eq!(world(&hosts, &one).choose(NodeId(1)).to, Some(rack(2)));
    hosts.push((
        rack(3),
        Host {
            cost: 8,
            ..host(10)
        },
    ));
    assert_eq!(world(&hosts, &one).choose(NodeId(1)).to, Some(rack(3)));
    // Of equals the emptier one, and of those the first.
    hosts.push((
        rack(4),
        Host {
            cost: 8,
            ..host(20)
        },
    ));
    let two = [(1, node(rack(1), 1)), (2, node(rack(3), 1))];
    assert_eq!(world(&hosts, &two).choose(NodeId(1)).to, Some(rack(4)));
    hosts.push((
        rack(5),
        Host {
            cost: 8,
            ..host(20)
        },
    ));
    assert_eq!(world(&hosts, &two).choose(NodeId(1)).to, Some(rack(4)));
}

#[test]
fn every_other_host_is_refused_for_one_reason() {
    let hosts = [
        (rack(1), host(0)),
        (
            rack(2),
            Host {
                alive: false,
                ..host(0)
            },
        ),
        (
            rack(3),
            Host {
                draining: true,
                ..host(0)
            },
        ),
        (rack(4), host(0)),
        (
            rack(5),
            Host {
                others: 1,
                ..host(6)
            },
        ),
        (rack(6), host(0)),
    ];
    let grouped = |on, size| Node {
        group: "g".into(),
        ..node(on, size)
    };
    let nodes = [
        (
            1,
            Node {
                failed: BTreeSet::from([rack(6)]),
                ..grouped(rack(1), 3)
            },
        ),
        (2, grouped(rack(4), 1)),
        (3, node(rack(5), 3)),
    ];
    let choice = world(&hosts, &nodes).choose(NodeId(1));
    let refused = [
        (rack(1), Refusal::Same),
        (rack(2), Refusal::Dead),
        (rack(3), Refusal::Draining),
        (rack(4), Refusal::Group(NodeId(2))),
        (rack(5), Refusal::Full(2)),
        (rack(6), Refusal::Failed),
    ];
    assert_eq!((choice.to, &choice.refused[..]), (None, &refused[..]));
    let mut pinned = nodes.clone();
    pinned[0].1.pin = Some(rack(5));
    pinned[0].1.size = 2;
    let world = world(&hosts, &pinned);
    let choice = world.choose(NodeId(1));
    assert_eq!(choice.to, Some(rack(5)));
    assert_eq!(choice.refused[1], (rack(2), Refusal::Pinned(rack(5))));
    assert_eq!(world.check(NodeId(1), rack(5)), Ok(()));
    assert_eq!(
        world.check(NodeId(1), rack(4)),
        Err(Refusal::Pinned(rack(5)))
    );
    assert_eq!(world.check(NodeId(9), rack(4)), Err(Refusal::Dead));
}

#[test]
fn a_drain_fills_others_as_far_as_they_have_room() {
    let hosts = [(rack(1), host(0)), (rack(2), host(4)), (rack(3), host(3))];
    let nodes = [
        (1, node(rack(1), 1)),
        (2, node(rack(1), 3)),
        (3, node(rack(1), 3)),
        (4, node(rack(1), 3)),
        (
            5,
            Node {
                moving: true,
                ..node(rack(1), 1)
            },
        ),
    ];
    let plan = world(&hosts, &nodes).drain(rack(1));
    assert_eq!(
        moves(&plan),
        [
            (2, Some(rack(2))),
            (3, Some(rack(3))),
            (4, None),
            (1, Some(rack(2)))
        ]
    );
    let full = [
        (rack(1), Refusal::Same),
        (rack(2), Refusal::Full(1)),
        (rack(3), Refusal::Full(0)),
    ];
    assert_eq!(plan[2].refused, full);
    // No two of a group come together by the drain.
    let group = |id: u64| {
        let group = "g".to_owned();
        (
            id,
            Node {
                group,
                ..node(rack(1), 1)
            },
        )
    };
    let plan = world(&hosts, &[group(1), group(2), group(3)]).drain(rack(1));
    assert_eq!(
        moves(&plan),
        [(1, Some(rack(2))), (2, Some(rack(3))), (3, None)]
    );
}

#[test]
fn balancing_ends_and_makes_no_host_fuller_than_the_fullest_was() {
    let hosts = [
        (rack(1), host(10)),
        (rack(2), host(10)),
        (rack(3), host(10)),
    ];
    let nodes: Vec<_> = (0..9).map(|id| (id, node(rack(1), 1))).collect();
    let world_before = world(&hosts, &nodes);
    let plan = world_before.balance(100);
    assert_eq!(plan.len(), 6);
    let to = |at| plan.iter().filter(|it| it.to == Some(at)).count();
    assert_eq!((to(rack(2)), to(rack(3))), (3, 3));
    assert_eq!(world_before.balance(2).len(), 2);
    // A node that would only make another host the fullest stays.
    let big = [(1, node(rack(1), 8)), (2, node(rack(2), 1))];
    assert_eq!(world(&hosts[..2], &big).balance(100), []);
}

#[test]
fn consolidation_empties_whole_hosts_or_leaves_them() {
    let hosts = [
        (rack(1), host(4)),
        (rack(2), host(4)),
        (rack(3), host(4)),
        (rack(4), host(4)),
    ];
    let nodes = [
        (1, node(rack(1), 3)),
        (2, node(rack(2), 2)),
        (3, node(rack(3), 1)),
    ];
    // The emptiest goes to one that is not; nothing goes to the empty one.
    let plan = world(&hosts, &nodes).consolidate(100);
    assert_eq!(moves(&plan), [(3, Some(rack(2)))]);
    assert_eq!(world(&hosts, &nodes).consolidate(0), []);
    let two = [
        (1, node(rack(1), 3)),
        (2, node(rack(2), 1)),
        (3, node(rack(2), 1)),
    ];
    // One of the two would have to stay.
    assert_eq!(world(&hosts, &two).consolidate(100), []);
}

#[test]
fn hosts_are_as_far_apart_as_their_topology_says() {
    let here = at(1, 1, 1, 1);
    let rack = |locale, rack| {
        let topology = Topology::Rack { locale, rack };
        Locator::new(0xfd00_000a, topology.encode().unwrap()).unwrap()
    };
    for (other, apart) in [
        (at(1, 1, 1, 2), 0),
        (at(1, 1, 2, 1), 1),
        (at(1, 2, 1, 1), 2),
        (at(2, 1, 1, 1), 3),
        (rack(1, 1), 4),
        (Locator::new(0xfd00_000b, here.bits() as u32).unwrap(), 5),
    ] {
        assert_eq!(distance(here, other), apart, "{other}");
        assert_eq!(distance(other, here), apart, "{other}");
    }
    assert_eq!(distance(rack(1, 1), rack(1, 1)), 0);
    assert_eq!(distance(rack(1, 1), rack(1, 2)), 1);
    assert_eq!(distance(rack(1, 1), rack(2, 1)), 3);
}

fn busy(capacity: u32, cpu: u32, memory: u32) -> Host {
    Host {
        load: Some(Load { cpu, memory }),
        ..host(capacity)
    }
}

fn willing(on: Locator, size: u32) -> Node {
    Node {
        balance: true,
        ..node(on, size)
    }
}

fn fill(world: &World, at: Locator) -> (u64, Measure) {
    let fill = world.fill(at);
    (fill.thousandths, fill.of)
}

#[test]
fn a_host_is_as_full_as_what_is_fullest_of_it() {
    let hosts = [
        (rack(1), busy(10, 300, 200)),
        (rack(2), busy(10, 600, 200)),
        (rack(3), busy(0, 100, 700)),
        (rack(4), host(10)),
        (rack(5), host(0)),
    ];
    let nodes: Vec<_> = (1..=5).map(|n| (n.into(), node(rack(n), 5))).collect();
    let world = world(&hosts, &nodes);
    let fills: Vec<_> = (1..=5).map(|n| fill(&world, rack(n))).collect();
    assert_eq!(
        fills,
        [
            (500, Measure::Capacity),
            (600, Measure::Cpu),
            (700, Measure::Memory),
            (500, Measure::Capacity),
            (5, Measure::Sizes),
        ]
    );
}

#[test]
fn a_node_takes_its_share_of_the_load_along() {
    let crowded = Host {
        others: 2,
        ..busy(0, 900, 300)
    };
    let hosts = [
        (rack(1), crowded),
        (rack(2), busy(0, 50, 400)),
        (rack(3), host(0)),
    ];
    let nodes = [(1, node(rack(1), 3)), (2, node(rack(1), 1))];
    let mut world = world(&hosts, &nodes);
    // 3 of 6.
    assert_eq!(
        fill(&world.clone(), rack(2)),
        (400, Measure::Memory),
        "before"
    );
    world.put(NodeId(1), rack(2));
    assert_eq!(fill(&world, rack(1)), (450, Measure::Cpu));
    assert_eq!(fill(&world, rack(2)), (550, Measure::Memory));
    // 1 of 3 of what is left; that of a host of unknown load stays unknown.
    world.put(NodeId(2), rack(3));
    assert_eq!(fill(&world, rack(1)), (300, Measure::Cpu));
    assert_eq!(fill(&world, rack(3)), (1, Measure::Sizes));
}

#[test]
fn the_less_busy_of_the_nearest_is_chosen_and_what_would_be_overloaded_last() {
    let far = at(1, 1, 2, 1);
    let mut hosts = vec![
        (rack(1), busy(0, 600, 0)),
        (rack(2), busy(0, 300, 0)),
        (rack(3), busy(0, 200, 0)),
        (far, busy(0, 100, 0)),
    ];
    let nodes = [(1, node(rack(1), 1))];
    let chosen = |hosts: &[(Locator, Host)]| world(hosts, &nodes).choose(NodeId(1)).to;
    assert_eq!(chosen(&hosts), Some(rack(3)));
    hosts[1].1 = busy(0, 450, 0);
    hosts[2].1 = busy(0, 500, 0);
    assert_eq!(chosen(&hosts), Some(far));
    // A node has to go somewhere.
    hosts[3].1 = busy(0, 900, 0);
    assert_eq!(chosen(&hosts), Some(rack(2)));
    // Those of an idle host do not all go to the first.
    let hosts = [
        (rack(1), busy(0, 0, 0)),
        (rack(2), busy(0, 0, 0)),
        (rack(3), busy(0, 0, 0)),
    ];
    let nodes: Vec<_> = (0..4).map(|id| (id, node(rack(1), 1))).collect();
    let plan = world(&hosts, &nodes).drain(rack(1));
    assert_eq!(plan.iter().filter(|it| it.to == Some(rack(3))).count(), 2);
}

#[test]
fn a_busy_host_is_relieved_though_it_has_room() {
    let hosts = [(rack(1), busy(10, 900, 0)), (rack(2), busy(10, 100, 0))];
    let nodes = [(1, node(rack(1), 1)), (2, node(rack(2), 3))];
    // It would only be busy elsewhere.
    assert_eq!(world(&hosts, &nodes).balance(10), []);
    let nodes = [(1, node(rack(1), 1)), (2, node(rack(1), 1))];
    let plan = world(&hosts, &nodes).balance(10);
    assert_eq!(moves(&plan), [(1, Some(rack(2)))]);
    let relief = plan[0].relief.unwrap();
    assert_eq!((relief.from.thousandths, relief.to.thousandths), (900, 550));
    // A host that cannot be relieved keeps nobody from relieving the next one.
    let hosts = [
        (rack(1), busy(0, 990, 0)),
        (rack(2), busy(0, 900, 0)),
        (rack(3), busy(0, 100, 0)),
    ];
    let nodes = [(1, node(rack(2), 1)), (2, node(rack(2), 1))];
    let plan = world(&hosts, &nodes).balance(10);
    assert_eq!(moves(&plan), [(1, Some(rack(3)))]);
}

#[test]
fn consolidation_overloads_nobody() {
    let nodes = [(1, node(rack(1), 1)), (2, node(rack(2), 2))];
    let plan = |busiest| {
        let hosts = [(rack(1), busy(0, 400, 0)), (rack(2), busy(0, busiest, 0))];
        moves(&world(&hosts, &nodes).consolidate(10))
    };
    assert_eq!(plan(600), [(1, Some(rack(2)))]);
    assert_eq!(plan(601), []);
}

fn above(above: u32) -> Bounds {
    Bounds {
        above,
        margin: 200,
        ..Bounds::default()
    }
}

#[test]
fn relief_is_for_what_is_measured_above_the_threshold() {
    let nodes = [(1, willing(rack(1), 1)), (2, node(rack(1), 1))];
    let plan = |from, to, bounds| {
        let hosts = [(rack(1), from), (rack(2), to)];
        moves(&world(&hosts, &nodes).relief(&bounds))
    };
    let moved = [(1, Some(rack(2)))];
    assert_eq!(plan(busy(0, 801, 0), busy(0, 100, 0), above(800)), moved);
    assert_eq!(plan(busy(0, 0, 801), busy(0, 100, 0), above(800)), moved);
    assert_eq!(plan(busy(0, 800, 0), busy(0, 100, 0), above(800)), []);
    // Capacities are measures as well; the number of nodes is none.
    assert_eq!(plan(host(2), host(4), above(800)), moved);
    assert_eq!(plan(busy(0, 900, 0), host(0), above(800)), []);
    // The other one stays by 200 below what the first was: 450 are taken along.
    assert_eq!(plan(busy(0, 900, 0), busy(0, 250, 0), above(800)), moved);
    assert_eq!(plan(busy(0, 900, 0), busy(0, 251, 0), above(800)), []);
    // Nothing goes that has no share of what the host is full of.
    let crowded = Host {
        others: 1000,
        ..busy(0, 900, 0)
    };
    assert_eq!(plan(crowded, busy(0, 100, 0), above(800)), []);
    let hosts = [(rack(1), host(0)), (rack(2), host(4000))];
    let nodes = [(1, willing(rack(1), 900)), (2, node(rack(1), 900))];
    assert_eq!(world(&hosts, &nodes).relief(&above(800)), []);
}

#[test]
fn relief_is_one_node_a_host_and_not_of_those_that_rest() {
    let hosts = [
        (rack(1), busy(0, 900, 0)),
        (rack(2), busy(0, 850, 0)),
        (rack(3), busy(0, 100, 0)),
        (rack(4), busy(0, 200, 0)),
    ];
    let mut nodes: Vec<_> = (0..4).map(|id| (id, willing(rack(1), 1))).collect();
    nodes.extend((4..8).map(|id| (id, willing(rack(2), 1))));
    let world = world(&hosts, &nodes);
    let plan = |bounds| moves(&world.relief(&bounds));
    // Each host has a part in one move.
    let both = [(0, Some(rack(3))), (4, Some(rack(4)))];
    assert_eq!(plan(above(800)), both);
    let bounds = Bounds {
        resting: [rack(1)].into(),
        ..above(800)
    };
    assert_eq!(plan(bounds), [(4, Some(rack(3)))]);
    let bounds = Bounds {
        resting: [rack(4)].into(),
        ..above(800)
    };
    assert_eq!(plan(bounds), [(0, Some(rack(3)))]);
    let bounds = Bounds {
        resting: [rack(3), rack(4)].into(),
        ..above(800)
    };
    assert_eq!(plan(bounds), []);
    let bounds = Bounds {
        settled: [NodeId(0), NodeId(1)].into(),
        ..above(800)
    };
    assert_eq!(plan(bounds)[0], (2, Some(rack(3))));
}
