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
    /// The port belongs to no network yet.
    PortUnconfigured = 1,
    /// The port of the destination is not up.
    PortDown = 2,
    /// The source MAC is not the port's.
    SpoofMac = 3,
    /// The source address is not the port's.
    SpoofAddress = 4,
    /// A frame of a type this network does not carry.
    NotIpv4 = 5,
    /// ARP that calls for no answer: a probe of the asker's own address, an announcement, a reply.
    ArpUnanswered = 6,
    /// Multicast or broadcast, which this network does not carry.
    Multicast = 7,
    /// No mapping of the destination is known.
    NoMapping = 8,
    /// The destination MAC is not that of the destination's mapping.
    DestinationMac = 9,
    /// IPv4 options, a fragment, the reserved flag, or a protocol whose number means something else
    /// in IPv6 (IGMP among them): the fast form cannot restore it.
    NeedsEscape = 10,
    /// The packet's TTL is 0.
    Ttl = 11,
    /// The packet exceeds the path's MTU.
    TooBig = 12,
    /// A kind of offload the translation cannot carry (GSO type, LRO).
    Offload = 13,
    /// The substrate has no route to the remote host.
    NoRoute = 14,
    /// Memory ran out.
    NoMemory = 15,
    /// The packet's network is not on this host.
    UnknownNetwork = 16,
    /// Source and destination are of different networks.
    NetworkMismatch = 17,
    /// Reserved or unsupported slot, U or G bits in an address.
    AddressForm = 18,
    /// A next header that is not of the fast form.
    NextHeader = 19,
    /// An ICMPv6 message to a node's address that is about no packet of a node here, or one more
    /// than the rate limit admits.
    SubstrateIcmp = 20,
    /// The destination node is not on this host.
    NotHere = 21,
    /// No mapping of the source node is known.
    UnknownSource = 22,
    /// The source locator is not where the source node is.
    ForgedSource = 23,
    /// A source address that no sender there can have: loopback, unspecified, a group, reserved,
    /// link-local, or inside the translation prefix.
    MartianSource = 24,
    /// An IPv4 source route or an IPv6 routing header that is not used up.
    SourceRoute = 25,
    /// The TTL or hop limit runs out at this hop.
    TtlExceeded = 26,
    /// IPv6 extension headers that IPv4 cannot have: too many, too long, or behind a Fragment
    /// header.
    ExtensionHeaders = 27,
    /// An ICMP message without a counterpart in the other protocol.
    IcmpUntranslatable = 28,
    /// A fragment of an ICMP message, whose checksum covers bytes that are not there.
    IcmpFragment = 29,
    /// An ICMP error whose checksum is wrong.
    IcmpChecksum = 30,
    /// An ICMP error that quotes another ICMP error, or too little of a packet to tell whose it
    /// was.
    IcmpQuote = 31,
    /// A UDP datagram without a checksum, which IPv6 asks for.
    UdpZeroChecksum = 32,
    /// An escaped packet whose own addresses are not those of the packet around it.
    EscapeMismatch = 33,
    /// The packet waited for a mapping that did not come in time.
    Unresolved = 34,
    /// More packets wait for this mapping or this node than are kept.
    ParkedOverflow = 35,
    /// More addresses are being asked for, by this port or on this host, than is allowed at a time.
    MissLimit = 36,
    /// The address is known not to exist, for a while.
    NoSuchNode = 37,
    /// A source address that the port has not been given yet.
    NewAddress = 38,
    /// The port's node is not here, or pauses.
    PortInactive = 39,
    /// A packet for a node that has moved on, which was sent on too often.
    ForwardLoop = 40,
    /// No peering lets nodes of the one network send to those of the other.
    NotAuthorised = 41,
    /// A rule of the network, or what it does without one, refuses the packet.
    Policy = 42,
    /// The port is under the lease of this host, which has ended: its node may be elsewhere by now.
    Fenced = 43,
}

impl DropReason {
    /// How many reasons there are; every reason as a number is smaller.
    pub const COUNT: usize = 44;

    /// Every reason, in the order of its number.
    pub const ALL: [DropReason; DropReason::COUNT] = [
        DropReason::Malformed,
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
        DropReason::Unresolved,
        DropReason::ParkedOverflow,
        DropReason::MissLimit,
        DropReason::NoSuchNode,
        DropReason::NewAddress,
        DropReason::PortInactive,
        DropReason::ForwardLoop,
        DropReason::NotAuthorised,
        DropReason::Policy,
        DropReason::Fenced,
    ];

    /// The word of the netlink specification.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            DropReason::Malformed => "malformed",
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
            DropReason::Unresolved => "unresolved",
            DropReason::ParkedOverflow => "parked-overflow",
            DropReason::MissLimit => "miss-limit",
            DropReason::NoSuchNode => "no-such-node",
            DropReason::NewAddress => "new-address",
            DropReason::PortInactive => "port-inactive",
            DropReason::ForwardLoop => "forward-loop",
            DropReason::NotAuthorised => "not-authorised",
            DropReason::Policy => "policy",
            DropReason::Fenced => "fenced",
        }
    }

    /// What the reason means, as a sentence.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            DropReason::Malformed => "A header is truncated or contradicts the packet's length.",
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
            DropReason::SubstrateIcmp => {
                "An ICMPv6 message to a node's address that is about no packet of a node here, or \
                 one more than the rate limit admits."
            }
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
            DropReason::Unresolved => "The packet waited for a mapping that did not come in time.",
            DropReason::ParkedOverflow => {
                "More packets wait for this mapping or this node than are kept."
            }
            DropReason::MissLimit => {
                "More addresses are being asked for, by this port or on this host, than is \
                 allowed at a time."
            }
            DropReason::NoSuchNode => "The address is known not to exist, for a while.",
            DropReason::NewAddress => "A source address that the port has not been given yet.",
            DropReason::PortInactive => "The port's node is not here, or pauses.",
            DropReason::ForwardLoop => {
                "A packet for a node that has moved on, which was sent on too often."
            }
            DropReason::NotAuthorised => {
                "No peering lets nodes of the one network send to those of the other."
            }
            DropReason::Policy => {
                "A rule of the network, or what it does without one, refuses the packet."
            }
            DropReason::Fenced => {
                "The port is under the lease of this host, which has ended: its node may be \
                 elsewhere by now."
            }
        }
    }

    /// The reason of a netlink number, if this version knows it.
    #[must_use]
    pub const fn from_u32(value: u32) -> Option<DropReason> {
        match value {
            0 => Some(DropReason::Malformed),
            1 => Some(DropReason::PortUnconfigured),
            2 => Some(DropReason::PortDown),
            3 => Some(DropReason::SpoofMac),
            4 => Some(DropReason::SpoofAddress),
            5 => Some(DropReason::NotIpv4),
            6 => Some(DropReason::ArpUnanswered),
            7 => Some(DropReason::Multicast),
            8 => Some(DropReason::NoMapping),
            9 => Some(DropReason::DestinationMac),
            10 => Some(DropReason::NeedsEscape),
            11 => Some(DropReason::Ttl),
            12 => Some(DropReason::TooBig),
            13 => Some(DropReason::Offload),
            14 => Some(DropReason::NoRoute),
            15 => Some(DropReason::NoMemory),
            16 => Some(DropReason::UnknownNetwork),
            17 => Some(DropReason::NetworkMismatch),
            18 => Some(DropReason::AddressForm),
            19 => Some(DropReason::NextHeader),
            20 => Some(DropReason::SubstrateIcmp),
            21 => Some(DropReason::NotHere),
            22 => Some(DropReason::UnknownSource),
            23 => Some(DropReason::ForgedSource),
            24 => Some(DropReason::MartianSource),
            25 => Some(DropReason::SourceRoute),
            26 => Some(DropReason::TtlExceeded),
            27 => Some(DropReason::ExtensionHeaders),
            28 => Some(DropReason::IcmpUntranslatable),
            29 => Some(DropReason::IcmpFragment),
            30 => Some(DropReason::IcmpChecksum),
            31 => Some(DropReason::IcmpQuote),
            32 => Some(DropReason::UdpZeroChecksum),
            33 => Some(DropReason::EscapeMismatch),
            34 => Some(DropReason::Unresolved),
            35 => Some(DropReason::ParkedOverflow),
            36 => Some(DropReason::MissLimit),
            37 => Some(DropReason::NoSuchNode),
            38 => Some(DropReason::NewAddress),
            39 => Some(DropReason::PortInactive),
            40 => Some(DropReason::ForwardLoop),
            41 => Some(DropReason::NotAuthorised),
            42 => Some(DropReason::Policy),
            43 => Some(DropReason::Fenced),
            _ => None,
        }
    }
}
