// SPDX-License-Identifier: GPL-2.0
// Do not edit: generated from Documentation/netlink/specs/ovnet.yaml
// by scripts/generate.

//! The reasons to drop a packet: one word each, the same in counters, events, tools
//! and documents (requirement OP5).

/// Why a packet was dropped. The same word stands in counters, events, tools and documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
    /// ARP that calls for no answer: a probe of the asker's own address, an announcement, a reply.
    ArpUnanswered = 7,
    /// Multicast or broadcast, which this network does not carry.
    Multicast = 8,
    /// No mapping of the destination is known.
    NoMapping = 9,
    /// The destination MAC is not that of the destination's mapping.
    DestinationMac = 10,
    /// IPv4 options, a fragment, the reserved flag, or a protocol whose number means something else
    /// in IPv6 (IGMP among them): the fast form cannot restore it.
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
    /// A source address that no sender there can have: loopback, unspecified, a group, reserved,
    /// link-local, or inside the translation prefix.
    MartianSource = 25,
    /// An IPv4 source route or an IPv6 routing header that is not used up.
    SourceRoute = 26,
    /// The TTL or hop limit runs out at this hop.
    TtlExceeded = 27,
    /// IPv6 extension headers that IPv4 cannot have: too many, too long, or behind a Fragment
    /// header.
    ExtensionHeaders = 28,
    /// An ICMP message without a counterpart in the other protocol.
    IcmpUntranslatable = 29,
    /// A fragment of an ICMP message, whose checksum covers bytes that are not there.
    IcmpFragment = 30,
    /// An ICMP error whose checksum is wrong.
    IcmpChecksum = 31,
    /// An ICMP error that quotes another ICMP error, or too little of a packet to tell whose it
    /// was.
    IcmpQuote = 32,
    /// A UDP datagram without a checksum, which IPv6 asks for.
    UdpZeroChecksum = 33,
    /// An escaped packet whose own addresses are not those of the packet around it.
    EscapeMismatch = 34,
}

impl DropReason {
    /// How many reasons there are; every reason as a number is smaller.
    pub const COUNT: usize = 35;

    /// Every reason, in the order of its number.
    pub const ALL: [DropReason; DropReason::COUNT] = [
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
        DropReason::MartianSource,
        DropReason::SourceRoute,
        DropReason::TtlExceeded,
        DropReason::ExtensionHeaders,
        DropReason::IcmpUntranslatable,
        DropReason::IcmpFragment,
        DropReason::IcmpChecksum,
        DropReason::IcmpQuote,
        DropReason::UdpZeroChecksum,
        DropReason::EscapeMismatch,
    ];

    /// The word of the netlink specification.
    #[must_use]
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
            DropReason::MartianSource => "martian-source",
            DropReason::SourceRoute => "source-route",
            DropReason::TtlExceeded => "ttl-exceeded",
            DropReason::ExtensionHeaders => "extension-headers",
            DropReason::IcmpUntranslatable => "icmp-untranslatable",
            DropReason::IcmpFragment => "icmp-fragment",
            DropReason::IcmpChecksum => "icmp-checksum",
            DropReason::IcmpQuote => "icmp-quote",
            DropReason::UdpZeroChecksum => "udp-zero-checksum",
            DropReason::EscapeMismatch => "escape-mismatch",
        }
    }

    /// What the reason means, as a sentence.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            DropReason::Malformed => "A header is truncated or contradicts the packet's length.",
            DropReason::NoHost => "This host has no locator yet.",
            DropReason::PortUnconfigured => "The port belongs to no network yet.",
            DropReason::PortDown => "The port of the destination is not up.",
            DropReason::SpoofMac => "The source MAC is not the port's.",
            DropReason::SpoofAddress => "The source address is not the port's.",
            DropReason::NotIpv4 => "A frame of a type this network does not carry.",
            DropReason::ArpUnanswered => {
                "ARP that calls for no answer: a probe of the asker's own address, an \
                 announcement, a reply."
            }
            DropReason::Multicast => "Multicast or broadcast, which this network does not carry.",
            DropReason::NoMapping => "No mapping of the destination is known.",
            DropReason::DestinationMac => {
                "The destination MAC is not that of the destination's mapping."
            }
            DropReason::NeedsEscape => {
                "IPv4 options, a fragment, the reserved flag, or a protocol whose number means \
                 something else in IPv6 (IGMP among them): the fast form cannot restore it."
            }
            DropReason::Ttl => "The packet's TTL is 0.",
            DropReason::TooBig => "The packet exceeds the path's MTU.",
            DropReason::Offload => {
                "A kind of offload the translation cannot carry (GSO type, LRO)."
            }
            DropReason::NoRoute => "The substrate has no route to the remote host.",
            DropReason::NoMemory => "Memory ran out.",
            DropReason::UnknownNetwork => "The packet's network is not on this host.",
            DropReason::NetworkMismatch => "Source and destination are of different networks.",
            DropReason::AddressForm => "Reserved or unsupported slot, U or G bits in an address.",
            DropReason::NextHeader => "A next header that is not of the fast form.",
            DropReason::SubstrateIcmp => "An ICMPv6 message of the substrate to a node's address.",
            DropReason::NotHere => "The destination node is not on this host.",
            DropReason::UnknownSource => "No mapping of the source node is known.",
            DropReason::ForgedSource => "The source locator is not where the source node is.",
            DropReason::MartianSource => {
                "A source address that no sender there can have: loopback, unspecified, a group, \
                 reserved, link-local, or inside the translation prefix."
            }
            DropReason::SourceRoute => {
                "An IPv4 source route or an IPv6 routing header that is not used up."
            }
            DropReason::TtlExceeded => "The TTL or hop limit runs out at this hop.",
            DropReason::ExtensionHeaders => {
                "IPv6 extension headers that IPv4 cannot have: too many, too long, or behind a \
                 Fragment header."
            }
            DropReason::IcmpUntranslatable => {
                "An ICMP message without a counterpart in the other protocol."
            }
            DropReason::IcmpFragment => {
                "A fragment of an ICMP message, whose checksum covers bytes that are not there."
            }
            DropReason::IcmpChecksum => "An ICMP error whose checksum is wrong.",
            DropReason::IcmpQuote => {
                "An ICMP error that quotes another ICMP error, or too little of a packet to tell \
                 whose it was."
            }
            DropReason::UdpZeroChecksum => {
                "A UDP datagram without a checksum, which IPv6 asks for."
            }
            DropReason::EscapeMismatch => {
                "An escaped packet whose own addresses are not those of the packet around it."
            }
        }
    }

    /// The reason of a netlink number, if this version knows it.
    #[must_use]
    pub const fn from_u32(value: u32) -> Option<DropReason> {
        match value {
            0 => Some(DropReason::Malformed),
            1 => Some(DropReason::NoHost),
            2 => Some(DropReason::PortUnconfigured),
            3 => Some(DropReason::PortDown),
            4 => Some(DropReason::SpoofMac),
            5 => Some(DropReason::SpoofAddress),
            6 => Some(DropReason::NotIpv4),
            7 => Some(DropReason::ArpUnanswered),
            8 => Some(DropReason::Multicast),
            9 => Some(DropReason::NoMapping),
            10 => Some(DropReason::DestinationMac),
            11 => Some(DropReason::NeedsEscape),
            12 => Some(DropReason::Ttl),
            13 => Some(DropReason::TooBig),
            14 => Some(DropReason::Offload),
            15 => Some(DropReason::NoRoute),
            16 => Some(DropReason::NoMemory),
            17 => Some(DropReason::UnknownNetwork),
            18 => Some(DropReason::NetworkMismatch),
            19 => Some(DropReason::AddressForm),
            20 => Some(DropReason::NextHeader),
            21 => Some(DropReason::SubstrateIcmp),
            22 => Some(DropReason::NotHere),
            23 => Some(DropReason::UnknownSource),
            24 => Some(DropReason::ForgedSource),
            25 => Some(DropReason::MartianSource),
            26 => Some(DropReason::SourceRoute),
            27 => Some(DropReason::TtlExceeded),
            28 => Some(DropReason::ExtensionHeaders),
            29 => Some(DropReason::IcmpUntranslatable),
            30 => Some(DropReason::IcmpFragment),
            31 => Some(DropReason::IcmpChecksum),
            32 => Some(DropReason::IcmpQuote),
            33 => Some(DropReason::UdpZeroChecksum),
            34 => Some(DropReason::EscapeMismatch),
            _ => None,
        }
    }
}
