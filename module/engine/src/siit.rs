// SPDX-License-Identifier: GPL-2.0

//! The standard form: stateless translation between IPv4 and IPv6 (RFC 7915) for peers that know nothing
//! of the overlay.
//!
//! ```text
//! buffer   | spare bytes  | IPv4 header [options]     | transport ...     to6: a new header right
//!          |       | IPv6 header [Fragment header]    | transport ...          before the transport
//!
//! buffer   | IPv6 header [extension headers]          | transport ...     to4: likewise
//!          |                       | IPv4 header      | transport ...
//! ```
//!
//! What is behind the transport header is never touched, so a [`View`] needs only the head of a packet. ICMP
//! errors are the exception: the packet they quote changes its size. They are written anew, by
//! [`error_to6`] and [`error_to4`], and are short.
//!
//! A packet that is not translated is left as it was.

mod error4;
mod error6;
mod extension;
mod fragments;
pub(crate) mod icmp;
mod multipart;
mod options;
mod reply;
mod to4;
mod to6;
pub(crate) mod transport;

use core::net::Ipv4Addr;

use crate::checksum;
use crate::embed::Prefix;
use crate::fast::L4Checksum;
use crate::DropReason;

pub use error4::error_to4;
pub use error6::error_to6;
pub use fragments::{Fragments, Piece};
use reply::Refused;
pub use reply::Reply;
pub use to4::to4;
pub use to6::to6;

/// The smallest MTU of an IPv6 link, and the largest ICMPv6 error (RFC 4443 §2.4 (c)).
pub const MIN_MTU6: u32 = 1280;

/// The largest ICMPv4 error (RFC 1812 §4.3.2.3).
pub const MAX_ERROR4: usize = 576;

/// The largest ICMPv6 error.
pub const MAX_ERROR6: usize = MIN_MTU6 as usize;

/// The smallest MTU of an IPv4 link (RFC 791 §3.2).
pub const MIN_MTU4: u32 = 68;

/// How many spare bytes [`to6`] needs before an IPv4 header without options: an IPv6 header and a Fragment
/// header take its place.
pub const HEADROOM: usize = 28;

/// How many bytes from the IP header on must be in a [`View`], unless the packet is shorter: the largest
/// header that is looked through and a TCP header behind it.
pub const HEAD: usize = 40 + extension::MAX_LEN + 20;

/// What to do with a UDP datagram that has no checksum (RFC 7915 §4.5). IPv6 asks for one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UdpZero {
    /// Drop it.
    #[default]
    Drop,
    /// Compute the checksum, if the datagram is whole.
    Compute,
    /// Let it pass, in both directions: between managed peers (RFC 6935, RFC 6936).
    Keep,
}

/// What to do with a packet from one host behind the translator to another (RFC 7757 §4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hairpin {
    /// Nothing in particular.
    #[default]
    Off,
    /// The packet comes back as IPv4; the way back is through the translation prefix.
    Simple,
    /// The packet is translated back at once: [`Packet::hairpin`] says so.
    Intrinsic,
}

/// How a translator is set up.
#[derive(Clone, Copy, Debug)]
pub struct Siit<'a> {
    /// The translation prefix, for addresses without an explicit mapping.
    pub pool6: Option<Prefix>,
    /// MTU of the next hop on the IPv6 side.
    pub mtu6: u32,
    /// MTU of the next hop on the IPv4 side.
    pub mtu4: u32,
    /// The size that packets which may be fragmented are fragmented to; at least [`MIN_MTU6`].
    pub lowest_ipv6_mtu: u32,
    /// Write traffic class 0 instead of the type of service.
    pub reset_traffic_class: bool,
    /// The type of service to write instead of the traffic class.
    pub tos: Option<u8>,
    /// UDP without a checksum.
    pub udp_zero: UdpZero,
    /// Adjust the checksums of DCCP and UDP-Lite too. Off by default: the standard leaves it open, and where
    /// packets are translated twice both translators must do it or neither.
    pub adjust_others: bool,
    /// Whether the translator sends ICMP errors of its own.
    pub errors: bool,
    /// Whether it owns the addresses around it, so that one without a mapping is unreachable rather than
    /// somebody else's to route.
    pub owner: bool,
    /// Refuse sources within the translation prefix from the IPv6 side.
    pub ingress_filter: bool,
    /// Sources of translated errors from IPv6 routers that have no mapping (RFC 6791).
    pub routers4: &'a [Ipv4Addr],
    /// Append the address of such a router to its errors (RFC 5837), unless they have objects already.
    pub name_routers: bool,
    /// Source of translated errors from IPv4 routers that have no mapping.
    pub router6: Option<[u8; 16]>,
    /// The translator's own IPv4 address.
    pub own4: Option<Ipv4Addr>,
    /// The translator's own IPv6 address.
    pub own6: Option<[u8; 16]>,
    /// Packets from behind the translator to behind the translator.
    pub hairpin: Hairpin,
}

impl Default for Siit<'_> {
    fn default() -> Self {
        Siit {
            pool6: None,
            mtu6: 1500,
            mtu4: 1500,
            lowest_ipv6_mtu: MIN_MTU6,
            reset_traffic_class: false,
            tos: None,
            udp_zero: UdpZero::Drop,
            adjust_others: false,
            errors: true,
            owner: false,
            ingress_filter: false,
            routers4: &[],
            name_routers: false,
            router6: None,
            own4: None,
            own6: None,
            hairpin: Hairpin::Off,
        }
    }
}

impl Siit<'_> {
    /// The largest IPv6 packet on the next hop, and never less than IPv6 allows.
    const fn mtu6(&self) -> u32 {
        if self.mtu6 < MIN_MTU6 {
            MIN_MTU6
        } else {
            self.mtu6
        }
    }

    /// The largest IPv4 packet on the next hop, and never less than IPv4 allows.
    const fn mtu4(&self) -> u32 {
        if self.mtu4 < MIN_MTU4 {
            MIN_MTU4
        } else {
            self.mtu4
        }
    }

    /// The size beyond which an IPv4 packet that may be fragmented is.
    const fn limit6(&self) -> u32 {
        let (mtu, limit) = (self.mtu6(), self.lowest_ipv6_mtu);
        if limit < MIN_MTU6 {
            MIN_MTU6
        } else if limit < mtu {
            limit
        } else {
            mtu
        }
    }

    /// The traffic class of a type of service.
    const fn traffic_class(&self, tos: u8) -> u8 {
        if self.reset_traffic_class {
            0
        } else {
            tos
        }
    }

    /// The type of service of a traffic class.
    const fn type_of_service(&self, traffic_class: u8) -> u8 {
        match self.tos {
            Some(tos) => tos,
            None => traffic_class,
        }
    }

    /// The IPv6 address of an IPv4 address: an explicit mapping wins over the prefix.
    fn v6_of(&self, maps: &impl Maps, address: Ipv4Addr) -> Option<[u8; 16]> {
        maps.v4_to_v6(address).or_else(|| self.embed(address))
    }

    /// The IPv4 address of an IPv6 address.
    fn v4_of(&self, maps: &impl Maps, address: &[u8; 16]) -> Option<Ipv4Addr> {
        maps.v6_to_v4(address)
            .or_else(|| self.pool6?.extract(address))
    }

    /// The IPv6 address of an IPv4 address by the prefix alone.
    fn embed(&self, address: Ipv4Addr) -> Option<[u8; 16]> {
        self.pool6?.embed(address)
    }

    /// Whether packets between these two hosts, both mapped explicitly, turn around here: then the first one
    /// is known to the other by the prefix alone (RFC 7757 §4.2). In intrinsic mode only packets that are
    /// on their second half do, which do not count a hop.
    fn turns(&self, maps: &impl Maps, hop: bool, one: Ipv4Addr, other: Ipv4Addr) -> bool {
        let mode = match self.hairpin {
            Hairpin::Off => false,
            Hairpin::Simple => true,
            Hairpin::Intrinsic => !hop,
        };
        mode && maps.v4_to_v6(one).is_some() && maps.v4_to_v6(other).is_some()
    }

    /// Whether a packet that was sent to `dst6` and is translated to `dst4` turns around at once: its sender
    /// knows by the prefix a host that is explicitly mapped.
    fn turns_at_once(&self, maps: &impl Maps, dst6: &[u8; 16], dst4: Ipv4Addr) -> bool {
        self.hairpin == Hairpin::Intrinsic
            && maps.v6_to_v4(dst6).is_none()
            && maps.v4_to_v6(dst4).is_some()
    }
}

/// The explicit address mappings. One call may see another table than the call before only if the caller
/// lets it: a packet should be translated by one.
pub trait Maps {
    /// The IPv6 address that an IPv4 address is mapped to.
    fn v4_to_v6(&self, address: Ipv4Addr) -> Option<[u8; 16]>;

    /// The IPv4 address that an IPv6 address is mapped to.
    fn v6_to_v4(&self, address: &[u8; 16]) -> Option<Ipv4Addr>;
}

/// The bytes of a packet that are not in its [`View`].
pub trait Beyond {
    /// The folded sum of `len` bytes from `offset` on, counted from the IP header; `None` if they cannot
    /// be read.
    fn sum(&self, offset: u32, len: u32) -> Option<u16>;
}

/// There are none: the view holds the whole packet.
#[derive(Clone, Copy, Debug)]
pub struct Nothing;

impl Beyond for Nothing {
    fn sum(&self, _: u32, _: u32) -> Option<u16> {
        None
    }
}

/// A packet to translate.
pub struct View<'a> {
    /// Spare bytes, then the packet: at least its first [`HEAD`] bytes, or all.
    pub buf: &'a mut [u8],
    /// Where in `buf` the IP header starts; [`to6`] needs [`HEADROOM`] bytes before it.
    pub start: usize,
    /// Bytes from the IP header to the packet's end, in `buf` or not; padding may be among them.
    pub len: u32,
    /// Bytes of the largest packet on the wire, IP header included, if this one stands for several (GSO).
    pub segment: Option<u32>,
    /// What the checksum field of the packet's own transport header holds.
    pub csum: L4Checksum,
    /// The bytes that are not in `buf`.
    pub beyond: &'a dyn Beyond,
    /// Whether this hop counts: not on the second half of an intrinsic hairpin.
    pub hop: bool,
    /// A fresh IPv4 identification, unique for a while between these two hosts (RFC 6864).
    pub id: u16,
}

impl<'a> View<'a> {
    /// A view of a whole packet in a buffer, checksums finished.
    pub fn new(buf: &'a mut [u8], start: usize) -> View<'a> {
        let len = u32::try_from(buf.len().saturating_sub(start)).unwrap_or(u32::MAX);
        View {
            buf,
            start,
            len,
            segment: None,
            csum: L4Checksum::Complete,
            beyond: &Nothing,
            hop: true,
            id: 0,
        }
    }

    /// What of the packet can be read.
    fn head(&self) -> &[u8] {
        let head = self.buf.get(self.start..).unwrap_or_default();
        let len = usize::try_from(self.len).unwrap_or(usize::MAX);
        head.get(..len).unwrap_or(head)
    }

    /// The sum of `len` bytes from the even `offset` on.
    fn sum(&self, offset: usize, len: usize) -> Option<u16> {
        let bytes = self.head().get(offset..)?;
        if let Some(bytes) = bytes.get(..len) {
            return Some(checksum::sum(bytes));
        }
        // The part beyond must start at an even place for its sum to fit.
        let here = bytes.get(..bytes.len() & !1)?;
        let rest = len.checked_sub(here.len())?;
        let from = offset.checked_add(here.len())?;
        let beyond = self
            .beyond
            .sum(u32::try_from(from).ok()?, u32::try_from(rest).ok()?)?;
        Some(checksum::add(checksum::sum(here), beyond))
    }

    /// Whether something in the packet is left to a device, which must be done before it can be taken apart.
    const fn is_offloaded(&self) -> bool {
        self.segment.is_some() || matches!(self.csum, L4Checksum::Partial)
    }
}

/// A translated packet, in the buffer of the [`View`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Where in the buffer its IP header starts.
    pub start: usize,
    /// Where in the buffer its transport header starts: where it was before.
    pub transport: usize,
    /// Bytes from the IP header on; what follows was padding.
    pub len: u32,
    /// Its destination is behind the translator too: hand it to [`to6`], with `hop` false.
    pub hairpin: bool,
}

/// What becomes of a packet.
#[derive(Debug)]
pub enum Verdict {
    /// It leaves in the other protocol.
    Packet(Packet),
    /// It leaves in pieces.
    Fragments(Fragments),
    /// It is an ICMP error: [`error_to6`] or [`error_to4`] write its translation.
    Error,
    /// A device was to split it or finish its checksum, and it must be fragmented: do that in software,
    /// then translate what comes of it.
    Software,
    /// It is dropped, and its sender is told.
    Reply(DropReason, Reply),
    /// It is dropped.
    Drop(DropReason),
}

impl From<DropReason> for Verdict {
    fn from(reason: DropReason) -> Verdict {
        Verdict::Drop(reason)
    }
}

/// Whether packets of this IPv4 address are forwarded by no router: because no host can have it as its own
/// (RFC 1812 §5.3.7), or only on its link (RFC 3927 §2.7).
const fn is_martian4(address: Ipv4Addr) -> bool {
    matches!(address.octets(), [0 | 127 | 224..=255, ..] | [169, 254, ..])
}

/// Whether an IPv4 address is that of a group or of everyone.
const fn is_group4(address: Ipv4Addr) -> bool {
    matches!(address.octets(), [224..=239, ..] | [255, 255, 255, 255])
}

/// Whether packets from this IPv6 address are forwarded by no router: unspecified, loopback, link-local,
/// group.
const fn is_martian6(address: &[u8; 16]) -> bool {
    let bits = u128::from_be_bytes(*address);
    bits <= 1 || bits >> 118 == 0xfe80 >> 6 || is_group6(address)
}

/// Whether an IPv6 address is that of a group.
const fn is_group6(address: &[u8; 16]) -> bool {
    matches!(*address, [0xff, ..])
}

/// The address of a pool that stands for an IPv6 router: always the same one, so that the hops of a trace
/// stay apart.
fn pick(pool: &[Ipv4Addr], router: &[u8; 16]) -> Option<Ipv4Addr> {
    // FNV-1a: any hash that depends on every byte will do.
    let hash = router.iter().fold(0x811c_9dc5u32, |hash, &byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let place = (hash as usize).checked_rem(pool.len())?;
    pool.get(place).copied()
}
