// SPDX-License-Identifier: GPL-2.0

//! The times and bounds of a manager.

use std::time::Duration;

use super::Balance;

/// The times and bounds of a manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// The interval of what is done from time to time.
    pub tick: Duration,
    /// Keys resolved in a second; more are put off.
    pub rate: u32,
    /// Keys resolved at once before the rate counts.
    pub burst: u32,
    /// An agent told to come back later waits no longer than this.
    pub longest_wait: Duration,
    /// Changes queued for an agent; more make one invalidation of all it knows.
    pub queue: usize,
    /// Pushes under way to an agent.
    pub window: u32,
    /// An agent that acknowledges nothing for so long is disconnected.
    pub ack_timeout: Duration,
    /// Keys in a message, and mappings in a transaction.
    pub batch: usize,
    /// Who asked for an address that is no node's hears of it for so long if it becomes one's.
    pub vacancy: Duration,
    /// Addresses that are no node's and somebody asked for.
    pub vacancies: usize,
    /// Mappings reviewed in a tick (`SM9`).
    pub sweep: usize,
    /// How often an order is tried again because something changed meanwhile.
    pub tries: u32,
    /// Managers wait up to this long before they campaign, so that not all do at once.
    pub campaign: Duration,
    /// How long moves may take, by state.
    pub moves: Patience,
    /// How many nodes leave hosts at a time that are dead or to be emptied.
    pub emptying: Emptying,
    /// Whether and when nodes leave hosts that are too full.
    pub balance: Option<Balance>,
    /// Milliseconds between 1970 and the start of the manager's clock.
    pub wall: u64,
}

/// How long a move may be in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For the destination to be ready; then the move is aborted.
    pub prepare: Duration,
    /// For the node to be copied; then the move is aborted.
    pub armed: Duration,
    /// For the node to be paused; then the move is aborted.
    pub freeze: Duration,
    /// For the node to go on at the destination; then an alarm is raised, and again each time.
    pub commit: Duration,
    /// How long moves are kept that are over.
    pub over: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            prepare: Duration::from_secs(30),
            armed: Duration::from_secs(600),
            freeze: Duration::from_secs(3),
            commit: Duration::from_secs(30),
            over: Duration::from_secs(24 * 3600),
        }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            tick: Duration::from_secs(1),
            rate: 100_000,
            burst: 200_000,
            longest_wait: Duration::from_secs(10),
            queue: 1024,
            window: 8,
            ack_timeout: Duration::from_secs(10),
            batch: 64,
            vacancy: Duration::from_secs(2),
            vacancies: 65_536,
            sweep: 10_000,
            tries: 10,
            campaign: Duration::from_millis(200),
            moves: Patience::default(),
            emptying: Emptying::default(),
            balance: None,
            wall: 0,
        }
    }
}

/// How many nodes leave hosts at a time that are dead or to be emptied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emptying {
    /// Of one host that is to be emptied.
    pub each: usize,
    /// Of all such hosts.
    pub all: usize,
    /// Of hosts that are dead.
    pub rescues: usize,
}

impl Default for Emptying {
    fn default() -> Emptying {
        Emptying {
            each: 2,
            all: 32,
            rescues: 64,
        }
    }
}
