// SPDX-License-Identifier: GPL-2.0

//! The names of everything that can happen to a packet short of delivery: one word per reason, the
//! same in counters, events, tools and documents. Order and words are those of the netlink
//! specification, `Documentation/netlink/specs/ovnet.yaml`.

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum DropReason {
    /// A header is truncated or contradicts the packet's length.
    Malformed = 0,
    /// This host has no locator yet.
    NoHost = 1,
    /// The port belongs to no network yet.
    PortUnconfigured = 2,
    /// The port of the destination is not up.
    PortDown = 3,
    /// The source MAC is not the port's.
    SpoofMac = 4,
    /// The source address is not the port's.
    SpoofAddress = 5,
    /// A frame of a type this network does not carry.
    NotIpv4 = 6,
    /// ARP that calls for no answer: a probe of the asker's own address, an announcement, a
    /// reply.
    ArpUnanswered = 7,
    /// Multicast or broadcast, which this network does not carry.
    Multicast = 8,
    /// No mapping of the destination is known.
    NoMapping = 9,
    /// The destination MAC is not that of the destination's mapping.
    DestinationMac = 10,
    /// IPv4 options, a fragment, the reserved flag, or a protocol whose number means something
    /// else in IPv6 (IGMP among them): the fast form cannot restore it.
    NeedsEscape = 11,
    /// The packet's TTL is 0.
    Ttl = 12,
    /// The packet exceeds the path's MTU.
    TooBig = 13,
    /// A kind of offload the translation cannot carry (GSO type, LRO).
    Offload = 14,
    /// The substrate has no route to the remote host.
    NoRoute = 15,
    /// Memory ran out.
    NoMemory = 16,
    /// The packet's network is not on this host.
    UnknownNetwork = 17,
    /// Source and destination are of different networks.
    NetworkMismatch = 18,
    /// Reserved or unsupported slot, U or G bits in an address.
    AddressForm = 19,
    /// A next header that is not of the fast form.
    NextHeader = 20,
    /// An ICMPv6 message of the substrate to a node's address.
    SubstrateIcmp = 21,
    /// The destination node is not on this host.
    NotHere = 22,
    /// No mapping of the source node is known.
    UnknownSource = 23,
    /// The source locator is not where the source node is.
    ForgedSource = 24,
}

impl DropReason {
    /// Every reason, in the order of its number.
    pub const ALL: [DropReason; 25] = [
        DropReason::Malformed,
        DropReason::NoHost,
        DropReason::PortUnconfigured,
        DropReason::PortDown,
        DropReason::SpoofMac,
        DropReason::SpoofAddress,
        DropReason::NotIpv4,
        DropReason::ArpUnanswered,
        DropReason::Multicast,
        DropReason::NoMapping,
        DropReason::DestinationMac,
        DropReason::NeedsEscape,
        DropReason::Ttl,
        DropReason::TooBig,
        DropReason::Offload,
        DropReason::NoRoute,
        DropReason::NoMemory,
        DropReason::UnknownNetwork,
        DropReason::NetworkMismatch,
        DropReason::AddressForm,
        DropReason::NextHeader,
        DropReason::SubstrateIcmp,
        DropReason::NotHere,
        DropReason::UnknownSource,
        DropReason::ForgedSource,
    ];

    /// The word that stands for this reason everywhere.
    pub const fn name(self) -> &'static str {
        match self {
            DropReason::Malformed => "malformed",
            DropReason::NoHost => "no-host",
            DropReason::PortUnconfigured => "port-unconfigured",
            DropReason::PortDown => "port-down",
            DropReason::SpoofMac => "spoof-mac",
            DropReason::SpoofAddress => "spoof-address",
            DropReason::NotIpv4 => "not-ipv4",
            DropReason::ArpUnanswered => "arp-unanswered",
            DropReason::Multicast => "multicast",
            DropReason::NoMapping => "no-mapping",
            DropReason::DestinationMac => "destination-mac",
            DropReason::NeedsEscape => "needs-escape",
            DropReason::Ttl => "ttl",
            DropReason::TooBig => "too-big",
            DropReason::Offload => "offload",
            DropReason::NoRoute => "no-route",
            DropReason::NoMemory => "no-memory",
            DropReason::UnknownNetwork => "unknown-network",
            DropReason::NetworkMismatch => "network-mismatch",
            DropReason::AddressForm => "address-form",
            DropReason::NextHeader => "next-header",
            DropReason::SubstrateIcmp => "substrate-icmp",
            DropReason::NotHere => "not-here",
            DropReason::UnknownSource => "unknown-source",
            DropReason::ForgedSource => "forged-source",
        }
    }

    /// The reason with this number, if there is one.
    pub fn from_u32(value: u32) -> Option<DropReason> {
        DropReason::ALL.get(value as usize).copied()
    }
}
