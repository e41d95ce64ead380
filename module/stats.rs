// SPDX-License-Identifier: GPL-2.0

//! The counters of a host. Any context.

use crate::net::counters::Counters;
use kernel::prelude::*;
use ovnet_engine::DropReason;

/// What is counted beside drops. Bytes come right behind the packets they are of.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    /// Packets onto the substrate.
    TxPackets,
    /// Their IPv4 bytes.
    TxBytes,
    /// Packets from the substrate.
    RxPackets,
    /// Their IPv4 bytes.
    RxBytes,
    /// Packets between two ports of the host.
    LocalPackets,
    /// Their IPv4 bytes.
    LocalBytes,
    /// ARP requests answered.
    ArpReplies,
    /// Errors of the substrate told to nodes.
    IcmpErrors,
    /// Received packets whose flow label the substrate cleared.
    LabelsCleared,
    /// Packets for nodes that have moved, sent on to where they are.
    Forwarded,
}

/// The number of variants of [`Count`]; drop reasons come after them.
const COUNTS: usize = Count::Forwarded as usize + 1;

/// The counters.
pub(crate) struct Stats(Counters<{ COUNTS + DropReason::ALL.len() }>);

impl Stats {
    /// Counters that are all 0.
    pub(crate) fn new() -> Result<Self> {
        Ok(Stats(Counters::new()?))
    }

    /// Adds to a counter.
    #[inline]
    pub(crate) fn add(&self, count: Count, n: u64) {
        self.0.add(count as usize, n);
    }

    /// Counts a packet, and its bytes in the counter behind that of packets.
    #[inline]
    pub(crate) fn add_packet(&self, packets: Count, len: u64) {
        self.0.add_two(packets as usize, 1, len);
    }

    /// Counts a drop.
    #[inline]
    pub(crate) fn add_drop(&self, reason: DropReason) {
        self.0.add(COUNTS + reason as usize, 1);
    }

    /// A counter's value.
    pub(crate) fn get(&self, count: Count) -> u64 {
        self.0.sum(count as usize)
    }

    /// How many packets were dropped for this reason.
    pub(crate) fn drops(&self, reason: DropReason) -> u64 {
        self.0.sum(COUNTS + reason as usize)
    }
}
