// SPDX-License-Identifier: GPL-2.0

//! Counters of the host. tx and rx are seen from the node.

use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use ovnet_engine::{DropReason, Locator, Vni};

use crate::attrs::{require, Reader, Writer};
use crate::connection::Record;
use crate::generated::{DropAttr, StatsAttr, StatsScope};
use crate::host::locator;
use crate::network::vni;
use crate::{Device, Error};

/// Counters, since what they are about exists. Those that do not exist for it are 0.
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

/// What counters are about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// This host.
    Host,
    /// A port.
    Port {
        /// Id of the device's namespace as seen from the socket's; absent when it is the same one.
        netns_id: Option<i32>,
        /// Interface index there.
        ifindex: u32,
    },
    /// A network on this host.
    Network(Vni),
    /// What is exchanged with a remote host.
    Remote(Locator),
}

/// The counters of one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// What they are about.
    pub subject: Subject,
    /// Name of a port's device.
    pub ifname: Option<String>,
    /// The network of a port that is configured.
    pub vni: Option<Vni>,
    /// The address of a port that is configured.
    pub address: Option<Ipv4Addr>,
    /// The counters.
    pub stats: Stats,
}

/// Whose counters to ask for.
#[derive(Clone, Copy, Debug)]
pub enum StatsOf<'fd> {
    /// This host's.
    Host,
    /// A port's.
    Port(Device<'fd>),
    /// A network's.
    Network(Vni),
    /// A remote host's.
    Remote(Locator),
}

impl StatsOf<'_> {
    pub(crate) fn attrs(&self) -> Result<Writer<StatsAttr>, Error> {
        let mut attrs = Writer::new();
        match self {
            StatsOf::Host => {}
            StatsOf::Port(device) => {
                attrs.put(StatsAttr::Ifindex, device.ifindex.to_ne_bytes())?;
                let fd = device.netns.map(|netns| netns.as_raw_fd().to_ne_bytes());
                attrs.put_some(StatsAttr::NetnsFd, fd)?;
                attrs.put_some(StatsAttr::NetnsId, device.netns_id.map(i32::to_ne_bytes))?;
            }
            StatsOf::Network(vni) => attrs.put(StatsAttr::Vni, vni.get().to_ne_bytes())?,
            StatsOf::Remote(locator) => attrs.put(StatsAttr::Locator, locator.to_prefix())?,
        }
        Ok(attrs)
    }
}

impl Record for Counted {
    type Attr = StatsAttr;

    fn from_attrs(attrs: &Reader<StatsAttr>) -> Result<Counted, Error> {
        let scope = attrs.u32(StatsAttr::Scope)?.map(StatsScope::from);
        let vni = vni(attrs, StatsAttr::Vni)?;
        let subject = match require(StatsAttr::Scope, scope)? {
            StatsScope::Host => Subject::Host,
            StatsScope::Port => Subject::Port {
                netns_id: attrs.i32(StatsAttr::NetnsId)?,
                ifindex: require(StatsAttr::Ifindex, attrs.u32(StatsAttr::Ifindex)?)?,
            },
            StatsScope::Network => Subject::Network(require(StatsAttr::Vni, vni)?),
            StatsScope::Remote => {
                let locator = locator(attrs, StatsAttr::Locator)?;
                Subject::Remote(require(StatsAttr::Locator, locator)?)
            }
            StatsScope::UnrecognizedConst(number) => {
                return Err(Error::Malformed(format!(
                    "counters of unknown scope {number}"
                )));
            }
        };
        Ok(Counted {
            subject,
            ifname: attrs.string(StatsAttr::Ifname),
            vni,
            address: attrs.ipv4(StatsAttr::Address)?,
            stats: Stats::from_attrs(attrs)?,
        })
    }
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
    fn counters_of_a_port_name_device_and_node() {
        #[rustfmt::skip]
        let bytes = [
            14, 1, 0, 0,
            8, 0, 12, 0, 1, 0, 0, 0,
            8, 0, 13, 0, 5, 0, 0, 0,
            8, 0, 15, 0, 2, 0, 0, 0,
            7, 0, 16, 0, b'v', b'0', 0, 0,
            8, 0, 17, 0, 7, 0, 0, 0,
            8, 0, 18, 0, 10, 0, 0, 2,
            12, 0, 3, 0, 4, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert_eq!(
            Counted::parse(&bytes).unwrap(),
            Counted {
                subject: Subject::Port {
                    netns_id: Some(2),
                    ifindex: 5
                },
                ifname: Some("v0".into()),
                vni: Vni::new(7),
                address: Some(Ipv4Addr::new(10, 0, 0, 2)),
                stats: Stats {
                    rx_packets: 4,
                    ..Stats::default()
                },
            }
        );
    }

    #[test]
    fn counters_without_what_they_are_about_are_refused() {
        let scope = |scope| [14, 1, 0, 0, 8, 0, 12, 0, scope, 0, 0, 0];
        assert_eq!(Counted::parse(&scope(0)).unwrap().subject, Subject::Host);
        for number in 1..5 {
            assert!(Counted::parse(&scope(number)).is_err(), "{number}");
        }
    }

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
