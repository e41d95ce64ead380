// SPDX-License-Identifier: GPL-2.0

//! Nodes that leave hosts because these are too full (`MV6`), if the operator wants that: of hosts
//! above a threshold, nodes that may be moved for no other reason.
//!
//! Loads follow a move late, and what a node has to do with the load of its host is a guess. So
//! that nodes do not go to and fro, a host rests after each move from or to it until its load is a
//! new one, a node stays for a while where it was moved to, and the host that it goes to must stay
//! clearly below what the other one was. What moves there were the store says: a new leader knows
//! it as well.

use std::collections::BTreeSet;
use std::time::Duration;

use super::job::{Job, Origin};
use super::takeover::Room;
use super::{Order, Output, Shard};
use crate::core::moves::{MoveId, Reason};
use crate::core::placement::Bounds;
use crate::core::Time;

/// When nodes are moved because their hosts are too full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    /// Only from hosts that are fuller than so many thousandths.
    pub above: u32,
    /// The other host stays by so many thousandths less full than the first one was.
    pub margin: u32,
    /// After a move from or to a host no other one of this kind begins there for so long: the mean
    /// of its reports is of a minute, and a new one has to be told.
    pub rest: Duration,
    /// A node that was moved, for whatever reason, stays for so long.
    pub stay: Duration,
    /// How often hosts are looked at, since all mappings are gone through.
    pub interval: Duration,
}

impl Balance {
    /// As usual, for hosts above so many thousandths.
    #[must_use]
    pub const fn above(above: u32) -> Balance {
        Balance {
            above,
            margin: 200,
            rest: Duration::from_secs(120),
            stay: Duration::from_secs(600),
            interval: Duration::from_secs(5),
        }
    }
}

impl Shard {
    /// Begins to relieve hosts that are too full, as far as there is room for moves.
    pub(super) fn balance_hosts(&mut self, room: &mut Room, now: Time, out: &mut Vec<Output>) {
        let Some(balance) = self.config.balance.filter(|_| now >= self.next_balance) else {
            return;
        };
        self.next_balance = now + balance.interval;
        let some = self.table.placements().iter().any(|(_, it, _)| it.balance);
        if !some {
            return;
        }
        let bounds = self.bounds(&balance, now);
        // Of nodes that nothing is said of only the sizes matter.
        for choice in self.world(Some(&BTreeSet::new())).relief(&bounds) {
            let (Some(from), Some(to)) = (choice.from, choice.to) else {
                continue;
            };
            if !room.take(from, Reason::Balance) {
                continue;
            }
            let order = Order::StartMove {
                id: MoveId(self.random.next_u64()),
                node: choice.node,
                to,
                reason: Reason::Balance,
            };
            self.start(Job::new(Origin::Shard, order), now, out);
        }
    }

    fn bounds(&self, balance: &Balance, now: Time) -> Bounds {
        let wall = self.wall(now);
        let ago = |time: Duration| wall.saturating_sub(time.as_millis() as u64);
        let (rested, stayed) = (ago(balance.rest), ago(balance.stay));
        let mut bounds = Bounds {
            above: balance.above,
            margin: balance.margin,
            ..Bounds::default()
        };
        for (_, it, _) in self.table.moves().under_way() {
            bounds.resting.extend([it.from.host, it.to.host]);
        }
        for (since, it) in self.table.moves().over_since(rested.min(stayed)) {
            if since > rested {
                bounds.resting.extend([it.from.host, it.to.host]);
            }
            if since > stayed {
                bounds.settled.insert(it.node);
            }
        }
        bounds
    }
}
