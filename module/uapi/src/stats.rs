// SPDX-License-Identifier: GPL-2.0

//! Counters of the host. tx and rx are seen from the node.

use ovnet_engine::DropReason;

use crate::attrs::{require, Reader};
use crate::connection::Record;
use crate::generated::{DropAttr, StatsAttr};
use crate::Error;

/// The counters since the host exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Packets of local nodes translated onto the substrate.
    pub tx_packets: u64,
    /// IPv4 bytes of those packets.
    pub tx_bytes: u64,
    /// Packets of the substrate delivered to local nodes.
    pub rx_packets: u64,
    /// IPv4 bytes of those packets.
    pub rx_bytes: u64,
    /// Packets between two ports of this host.
    pub local_packets: u64,
    /// IPv4 bytes of those packets.
    pub local_bytes: u64,
    /// ARP requests answered.
    pub arp_replies: u64,
    /// Errors of the substrate told to the nodes that caused them.
    pub icmp_errors: u64,
    /// Received packets whose flow label the substrate cleared.
    pub labels_cleared: u64,
    /// Received packets sent on to the host where their node is by now.
    pub forwarded: u64,
    /// Packets dropped, one entry per reason that has dropped any.
    pub drop: Vec<DropCount>,
}

/// The packets dropped for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropCount {
    /// The reason; its number, if the kernel is newer than this crate.
    pub reason: Result<DropReason, u32>,
    /// How many packets.
    pub packets: u64,
}

impl Record for Stats {
    type Attr = StatsAttr;

    fn from_attrs(attrs: &Reader<StatsAttr>) -> Result<Stats, Error> {
        let counter = |attr| attrs.u64(attr).map(Option::unwrap_or_default);
        Ok(Stats {
            tx_packets: counter(StatsAttr::TxPackets)?,
            tx_bytes: counter(StatsAttr::TxBytes)?,
            rx_packets: counter(StatsAttr::RxPackets)?,
            rx_bytes: counter(StatsAttr::RxBytes)?,
            local_packets: counter(StatsAttr::LocalPackets)?,
            local_bytes: counter(StatsAttr::LocalBytes)?,
            arp_replies: counter(StatsAttr::ArpReplies)?,
            icmp_errors: counter(StatsAttr::IcmpErrors)?,
            labels_cleared: counter(StatsAttr::LabelsCleared)?,
            forwarded: counter(StatsAttr::Forwarded)?,
            drop: attrs
                .iter()
                .filter(|(attr, _)| *attr == StatsAttr::Drop)
                .map(|(_, nest)| DropCount::parse(nest))
                .collect::<Result<_, _>>()?,
        })
    }
}

impl DropCount {
    fn parse(nest: &[u8]) -> Result<DropCount, Error> {
        let attrs = Reader::<DropAttr>::parse(nest)?;
        let number = require(DropAttr::Reason, attrs.u32(DropAttr::Reason)?)?;
        Ok(DropCount {
            reason: DropReason::from_u32(number).ok_or(number),
            packets: require(DropAttr::Packets, attrs.u64(DropAttr::Packets)?)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_and_every_drop_are_read() {
        #[rustfmt::skip]
        let bytes = [
            13, 1, 0, 0,
            12, 0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0,
            12, 0, 2, 0, 0, 1, 0, 0, 0, 0, 0, 0,
            12, 0, 7, 0, 2, 0, 0, 0, 0, 0, 0, 0,
            24, 0, 8, 0x80,
                8, 0, 1, 0, 8, 0, 0, 0,
                12, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0,
            24, 0, 8, 0x80,
                8, 0, 1, 0, 0xe7, 3, 0, 0,
                12, 0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(
            Stats::parse(&bytes).unwrap(),
            Stats {
                tx_packets: 3,
                tx_bytes: 256,
                arp_replies: 2,
                drop: vec![
                    DropCount {
                        reason: Ok(DropReason::NoMapping),
                        packets: 4
                    },
                    DropCount {
                        reason: Err(999),
                        packets: 1
                    },
                ],
                ..Stats::default()
            }
        );
    }
}
