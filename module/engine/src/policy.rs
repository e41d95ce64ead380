// SPDX-License-Identifier: GPL-2.0

//! Which packets a rule is about (`AU3`), and which rule of many decides about a packet.
//!
//! A rule's [`Criteria`] say what a packet must be; a [`Subject`] is what they can see of one. The rule
//! with the lowest rank whose criteria fit decides: [`index`] finds it without looking at the others.
//!
//! Nothing is remembered from packet to packet. A fragment behind the first has no ports and no ICMP
//! type: criteria that ask for them do not fit it.

use core::net::Ipv4Addr;

use crate::bytes;
use crate::header::Ipv4;
use crate::Vni;

pub mod index;

/// ICMP.
pub const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const DCCP: u8 = 33;
const SCTP: u8 = 132;
const UDP_LITE: u8 = 136;

/// The bytes behind the IPv4 header that a subject is made of.
pub const L4_LEN: usize = 14;

/// Whether packets of the protocol start with a source and a destination port.
#[inline]
pub const fn has_ports(protocol: u8) -> bool {
    matches!(protocol, TCP | UDP | DCCP | SCTP | UDP_LITE)
}

/// An IPv4 prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    bits: u32,
    len: u8,
}

impl Prefix {
    /// Every address.
    pub const ALL: Prefix = Prefix { bits: 0, len: 0 };

    /// The prefix with this address and length, unless the length exceeds 32 or bits are set beyond it.
    #[inline]
    pub const fn new(address: Ipv4Addr, len: u8) -> Option<Prefix> {
        let bits = address.to_bits();
        if len > 32 || bits & !mask(len) != 0 {
            return None;
        }
        Some(Prefix { bits, len })
    }

    /// The first address.
    #[inline]
    pub const fn address(self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.bits)
    }

    /// The length.
    #[inline]
    pub const fn length(self) -> u8 {
        self.len
    }

    /// Whether the address is in it.
    #[inline]
    pub const fn contains(self, address: Ipv4Addr) -> bool {
        address.to_bits() & mask(self.len) == self.bits
    }
}

/// The mask of a prefix length up to 32.
const fn mask(len: u8) -> u32 {
    match u32::MAX.checked_shl(32u32.wrapping_sub(len as u32)) {
        Some(mask) => mask,
        None => 0,
    }
}

/// A range of numbers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    first: u16,
    last: u16,
}

impl Span {
    /// Every number.
    pub const ALL: Span = Span {
        first: 0,
        last: u16::MAX,
    };

    /// The range, unless it is empty.
    #[inline]
    pub const fn new(first: u16, last: u16) -> Option<Span> {
        if first > last {
            return None;
        }
        Some(Span { first, last })
    }

    /// The first number.
    #[inline]
    pub const fn first(self) -> u16 {
        self.first
    }

    /// The last number.
    #[inline]
    pub const fn last(self) -> u16 {
        self.last
    }

    /// Whether the number is in it.
    #[inline]
    pub const fn contains(self, number: u16) -> bool {
        self.first <= number && number <= self.last
    }

    /// Whether all of the other range is in it.
    #[inline]
    pub const fn covers(self, other: Span) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

/// What a rule says of a packet's protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Nothing.
    Any,
    /// Its number.
    Protocol(u8),
    /// Its ports, and its number if that matters. Fits no packet of a protocol without ports.
    Ports {
        /// The number.
        protocol: Option<u8>,
        /// The source port.
        src: Span,
        /// The destination port.
        dst: Span,
    },
    /// ICMP of a type, and of a code if that matters.
    Icmp {
        /// The type.
        kind: u8,
        /// The code.
        code: Option<u8>,
    },
}

/// What a packet must be for a rule to be about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Criteria {
    /// Where it comes from.
    pub src: Prefix,
    /// Where it goes to.
    pub dst: Prefix,
    /// Its protocol.
    pub transport: Transport,
    /// Its length by the IPv4 header; of a packet that stands for several, that of each.
    pub size: Span,
    /// The network of the node at the other end.
    pub peer: Option<Vni>,
}

impl Criteria {
    /// What fits every packet.
    pub const ALL: Criteria = Criteria {
        src: Prefix::ALL,
        dst: Prefix::ALL,
        transport: Transport::Any,
        size: Span::ALL,
        peer: None,
    };

    /// Whether the packet is what they say.
    #[inline]
    pub fn fit(&self, subject: &Subject) -> bool {
        self.src.contains(subject.src)
            && self.dst.contains(subject.dst)
            && self.size.contains(subject.len)
            && self.peer.is_none_or(|peer| peer == subject.peer)
            && self.transport.fits(subject)
    }
}

impl Transport {
    /// Whether it can fit a packet at all: one of a protocol without ports has none. Only what is sound goes
    /// into an [`index`].
    pub const fn is_sound(&self) -> bool {
        match *self {
            Transport::Ports {
                protocol: Some(protocol),
                ..
            } => has_ports(protocol),
            _ => true,
        }
    }

    #[inline]
    fn fits(&self, subject: &Subject) -> bool {
        match (*self, subject.l4) {
            (Transport::Any, _) => true,
            (Transport::Protocol(number), _) => number == subject.protocol,
            // All ports is no criterion, so that it fits fragments and protocols without ports too.
            (Transport::Ports { protocol, src, dst }, _)
                if src == Span::ALL && dst == Span::ALL =>
            {
                protocol.is_none_or(|number| number == subject.protocol)
            }
            (Transport::Ports { protocol, src, dst }, L4::Ports(from, to)) => {
                protocol.is_none_or(|number| number == subject.protocol)
                    && src.contains(from)
                    && dst.contains(to)
            }
            (Transport::Icmp { kind, code }, L4::Icmp(is, with)) => {
                kind == is && code.is_none_or(|code| code == with)
            }
            _ => false,
        }
    }
}

/// What of the transport header a rule can see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum L4 {
    /// Nothing: another protocol, a fragment behind the first, or too short.
    None,
    /// Source and destination port.
    Ports(u16, u16),
    /// Type and code.
    Icmp(u8, u8),
}

/// What a rule can see of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
    /// Protocol.
    pub protocol: u8,
    /// What the protocol's header says.
    pub l4: L4,
    /// Length by the IPv4 header.
    pub len: u16,
    /// The network of the node at the other end.
    pub peer: Vni,
}

impl Subject {
    /// What a rule sees of a packet with this header, of which `l4` holds the [`L4_LEN`] bytes behind it,
    /// or as many as there are. `segment` is the payload of each segment that the packet stands for, 0 if
    /// it is one.
    #[inline]
    pub fn new(ip: &Ipv4, l4: &[u8], segment: u16, peer: Vni) -> Subject {
        Subject {
            src: ip.src,
            dst: ip.dst,
            protocol: ip.protocol,
            l4: L4::of(ip, l4),
            len: length(ip, l4, segment),
            peer,
        }
    }
}

impl L4 {
    #[inline]
    fn of(ip: &Ipv4, l4: &[u8]) -> L4 {
        if ip.fragment_offset != 0 {
            return L4::None;
        }
        match bytes::read(l4, 0) {
            Some([s0, s1, d0, d1]) if has_ports(ip.protocol) => {
                L4::Ports(u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]))
            }
            Some([kind, code, ..]) if ip.protocol == ICMP => L4::Icmp(kind, code),
            _ => L4::None,
        }
    }
}

/// The length of the packet, or of each but the last of those it stands for: what a rule decides does not
/// depend on which offloads are on.
#[inline]
fn length(ip: &Ipv4, l4: &[u8], segment: u16) -> u16 {
    if segment == 0 {
        return ip.total_len;
    }
    let header = match (ip.protocol, l4.get(12)) {
        (TCP, Some(offset)) => u16::from(offset >> 4).wrapping_mul(4),
        _ => 8,
    };
    let whole = u16::from(ip.header_len)
        .saturating_add(header)
        .saturating_add(segment);
    whole.min(ip.total_len)
}
