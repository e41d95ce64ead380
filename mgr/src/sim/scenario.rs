// SPDX-License-Identifier: GPL-2.0

//! What is simulated: how large, how long, and what goes wrong.

use std::time::Duration;

use crate::core::{agent, shard, Random};

/// What is simulated. Everything random in a run comes from the seed.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Where everything random comes from.
    pub seed: u64,
    /// Hosts, with an agent each.
    pub hosts: u32,
    /// System managers.
    pub managers: u32,
    /// Virtual networks, with the nodes spread over them.
    pub networks: u32,
    /// Nodes at the beginning, spread over the hosts.
    pub nodes: u32,
    /// How long there is work and trouble.
    pub busy: Duration,
    /// How long everything rests before the last look.
    pub quiet: Duration,
    /// One in so many messages is lost; 0 for none: then a partition delays them.
    pub loss: u64,
    /// One in so many messages arrives twice.
    pub duplication: u64,
    /// Messages of a connection overtake each other.
    pub reordering: bool,
    /// The mean time between faults: crashes, partitions, clocks that jump. None for none.
    pub faults: Option<Duration>,
    /// The mean time between orders: nodes that come, move, change their addresses, go.
    pub orders: Duration,
    /// The mean time between bursts of packets.
    pub bursts: Duration,
    /// Packets in a burst, which one host sends.
    pub packets: u32,
    /// One in so many nodes may be started elsewhere when its host dies; 0 for none.
    pub guarded: u64,
    /// One in so many nodes may be moved because its host is too full; 0 for none.
    pub balanced: u64,
    /// Something that crashes at a certain step, besides.
    pub crash: Option<(u64, Victim)>,
    /// Keep what happens, for [`super::Failure::trace`].
    pub trace: bool,
    /// Times and bounds of agents.
    pub agent: agent::Config,
    /// Times and bounds of managers.
    pub shard: shard::Config,
}

/// Mappings that a manager of a data centre reviews in a second.
const REVIEWED: usize = 10_000;

/// What crashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Victim {
    /// The agent of a host; the kernel stays.
    Agent(u32),
    /// A host.
    Host(u32),
    /// A manager.
    Manager(u32),
}

impl Scenario {
    /// A few hosts with everything that can go wrong; the seed decides how much of it does.
    #[must_use]
    pub fn small(seed: u64) -> Scenario {
        let mut random = Random::new(seed ^ 0x5ca1_ab1e);
        let mut one_in = |choices: [u64; 3]| choices[random.below(3) as usize];
        let loss = one_in([0, 200, 20]);
        let duplication = one_in([0, 100, 10]);
        let reordering = one_in([0, 1, 1]) == 1;
        let faults = Duration::from_millis(one_in([100, 400, 2000]));
        let managers = one_in([1, 2, 3]) as u32;
        let queue = one_in([2, 16, 1024]) as usize;
        let rate = one_in([20, 1000, 100_000]) as u32;
        let guarded = one_in([0, 2, 5]);
        let balanced = one_in([0, 1, 3]);
        let millis = Duration::from_millis;
        Scenario {
            seed,
            hosts: 6,
            managers,
            networks: 3,
            nodes: 30,
            busy: Duration::from_secs(20),
            quiet: Duration::from_secs(30),
            loss,
            duplication,
            reordering,
            faults: Some(faults),
            orders: millis(100),
            bursts: millis(20),
            packets: 6,
            guarded,
            balanced,
            crash: None,
            trace: false,
            agent: agent::Config {
                soft_ttl: Duration::from_secs(4),
                hard_ttl: Duration::from_secs(12),
                negative_ttl: millis(500),
                drain: Duration::from_secs(2),
                timeout: millis(200),
                longest: Duration::from_secs(2),
                reconnect: millis(50),
                silence: Duration::from_secs(2),
                spread: Duration::from_secs(1),
                hint_interval: millis(500),
                hints: 20,
                report: Duration::from_secs(2),
                learn_interval: Duration::from_secs(2),
                peers_wait: millis(100),
                executor: false,
                batch: 8,
                mappings: 40,
                asks: 32,
            },
            shard: shard::Config {
                tick: millis(200),
                rate,
                burst: rate.min(200),
                longest_wait: Duration::from_secs(1),
                queue,
                window: 2,
                ack_timeout: Duration::from_secs(2),
                batch: 8,
                vacancy: millis(600),
                vacancies: 32,
                sweep: 50,
                tries: 10,
                campaign: millis(100),
                emptying: shard::Emptying::default(),
                balance: Some(shard::Balance {
                    rest: Duration::from_secs(2),
                    stay: Duration::from_secs(4),
                    interval: millis(500),
                    ..shard::Balance::above(600)
                }),
                moves: shard::Patience {
                    prepare: Duration::from_secs(3),
                    armed: Duration::from_secs(6),
                    freeze: Duration::from_secs(1),
                    commit: Duration::from_secs(4),
                    over: Duration::from_secs(8),
                },
                wall: 0,
            },
        }
    }

    /// A data centre: 10,000 hosts with 100 nodes each. It rests for as long as a manager takes to
    /// review all mappings, since only that finds what dead hosts have left behind.
    #[must_use]
    pub fn large(seed: u64) -> Scenario {
        Scenario {
            seed,
            hosts: 10_000,
            managers: 3,
            networks: 100,
            nodes: 1_000_000,
            busy: Duration::from_secs(30),
            quiet: Duration::from_secs(50 + 1_000_000 / REVIEWED as u64),
            loss: 0,
            duplication: 1000,
            reordering: true,
            faults: Some(Duration::from_millis(50)),
            orders: Duration::from_millis(2),
            bursts: Duration::from_micros(500),
            packets: 16,
            guarded: 0,
            balanced: 0,
            crash: None,
            trace: false,
            agent: agent::Config {
                drain: Duration::from_secs(10),
                ..agent::Config::default()
            },
            shard: shard::Config {
                rate: 500_000,
                burst: 500_000,
                sweep: REVIEWED,
                ..shard::Config::default()
            },
        }
    }
}
