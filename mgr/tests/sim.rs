// SPDX-License-Identifier: GPL-2.0

//! Seeds of the simulator, at the small size. `make simulate` runs the large one.

use std::time::Duration;

use ovnet_mgr::sim::{run, Scenario, Stats, Victim};

fn hold(scenario: &Scenario) -> Stats {
    run(scenario).unwrap_or_else(|failure| {
        panic!(
            "{failure}to see it again: make simulate SEED={} SIZE=small",
            failure.seed
        )
    })
}

/// What happened in some runs, to show that the runs are about something.
fn seeds(seeds: std::ops::Range<u64>) -> Stats {
    let mut all = Stats::default();
    for seed in seeds {
        let stats = hold(&Scenario::small(seed));
        all.delivered += stats.delivered;
        all.forwarded += stats.forwarded;
        all.faults += stats.faults;
        all.orders += stats.orders;
        all.invalidated += stats.invalidated;
        all.busy += stats.busy;
        all.alarms += stats.alarms;
        all.settled += stats.settled;
        all.aborted += stats.aborted;
        all.balanced += stats.balanced;
        all.released += stats.released;
    }
    assert!(
        all.delivered > 100_000 && all.forwarded > 50,
        "few packets: {all:?}"
    );
    assert!(all.faults > 1000 && all.orders > 3000, "too calm: {all:?}");
    assert!(all.invalidated > 100 && all.busy > 100, "no load: {all:?}");
    assert!(all.alarms > 100, "no alarms: {all:?}");
    assert!(all.settled > 300 && all.aborted > 300, "few moves: {all:?}");
    assert!(all.balanced > 50, "few hosts are relieved: {all:?}");
    assert!(all.released > 500, "few packets wait: {all:?}");
    all
}

#[test]
fn seeds_1_to_100_hold() {
    seeds(1..101);
}

#[test]
fn seeds_101_to_200_hold() {
    seeds(101..201);
}

/// Of nodes that do not come there are few whose packets wait already: one seed of a hundred has some.
#[test]
fn packets_that_wait_for_a_node_that_does_not_come_are_returned() {
    let mut seeds = 1..601;
    assert!(seeds.any(|seed| hold(&Scenario::small(seed)).returned > 0));
}

#[test]
fn a_run_depends_on_its_seed_alone() {
    let [first, second] = [7, 7].map(|seed| hold(&Scenario::small(seed)));
    assert_eq!(first, second);
    assert_ne!(first.digest, hold(&Scenario::small(8)).digest);
}

/// Whoever crashes, at whatever step of a short run in which nothing else goes wrong.
#[test]
fn a_crash_at_any_step_is_recovered_from() {
    let calm = |step, victim| Scenario {
        loss: 0,
        duplication: 0,
        reordering: false,
        faults: None,
        hosts: 3,
        managers: 2,
        networks: 2,
        nodes: 6,
        busy: Duration::from_millis(600),
        quiet: Duration::from_secs(14),
        orders: Duration::from_millis(40),
        bursts: Duration::from_millis(30),
        guarded: 0,
        balanced: 0,
        crash: Some((step, victim)),
        ..Scenario::small(5)
    };
    let steps = hold(&calm(u64::MAX, Victim::Host(0))).steps;
    assert!(steps > 400, "{steps} steps are not much of a run");
    for step in 1..400 {
        for victim in [Victim::Agent(1), Victim::Host(1), Victim::Manager(0)] {
            if let Err(failure) = run(&calm(step, victim)) {
                panic!("{victim:?} crashes at step {step}: {failure}");
            }
        }
    }
}

/// Nothing that a host knows has to be asked for again because of its age: what it may not know any
/// more, and what has changed, it is told. Messages arrive, and in order, as on a stream.
#[test]
fn what_hosts_know_is_kept_right_without_asking_again() {
    for seed in 1..61 {
        let mut scenario = Scenario {
            loss: 0,
            duplication: 0,
            reordering: false,
            guarded: 0,
            balanced: 0,
            ..Scenario::small(seed)
        };
        scenario.agent.soft_ttl = Duration::from_secs(300);
        scenario.agent.hard_ttl = Duration::from_secs(1800);
        if let Err(failure) = run(&scenario) {
            panic!("{failure}");
        }
    }
}
