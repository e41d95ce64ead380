// SPDX-License-Identifier: GPL-2.0

//! The times and bounds of an agent.

use std::time::Duration;

/// The times and bounds of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// A mapping that was not confirmed for so long is asked for again, and used on.
    pub soft_ttl: Duration,
    /// A mapping that was not confirmed for so long is given up, if a manager is there to ask.
    pub hard_ttl: Duration,
    /// "No such node" is remembered for so long.
    pub negative_ttl: Duration,
    /// A moved node's traffic is forwarded for so long.
    pub drain: Duration,
    /// A question is repeated if it was not answered for so long, and later at doubled intervals.
    pub timeout: Duration,
    /// The longest interval between two repetitions, and between two attempts to connect.
    pub longest: Duration,
    /// The first interval between two attempts to connect.
    pub reconnect: Duration,
    /// A connection on which nothing was heard for so long while something was asked is given up.
    pub silence: Duration,
    /// The refreshes after a new connection or an invalidation are spread over this time.
    pub spread: Duration,
    /// A hint is ignored if the mapping was confirmed within that time.
    pub hint_interval: Duration,
    /// More hints in a second are ignored.
    pub hints: u32,
    /// The interval of reports.
    pub report: Duration,
    /// A learned address that was denied is not asked for again for so long.
    pub learn_interval: Duration,
    /// A node that comes here waits no longer for the mappings of its peers.
    pub peers_wait: Duration,
    /// There is a program that moves nodes themselves.
    pub executor: bool,
    /// Keys in a message.
    pub batch: usize,
    /// Mappings of other hosts' nodes, negative ones included.
    pub mappings: usize,
    /// Questions under way.
    pub asks: usize,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            soft_ttl: Duration::from_secs(300),
            hard_ttl: Duration::from_secs(1800),
            negative_ttl: Duration::from_secs(1),
            drain: Duration::from_secs(30),
            timeout: Duration::from_secs(1),
            longest: Duration::from_secs(30),
            reconnect: Duration::from_millis(100),
            silence: Duration::from_secs(10),
            spread: Duration::from_secs(10),
            hint_interval: Duration::from_secs(1),
            hints: 100,
            report: Duration::from_secs(10),
            learn_interval: Duration::from_secs(10),
            peers_wait: Duration::from_millis(500),
            executor: false,
            batch: 64,
            mappings: 262_144,
            asks: 4096,
        }
    }
}
