// SPDX-License-Identifier: GPL-2.0

//! ICMP errors that the translator itself sends (RFC 7915 §4.4, §5.4; RFC 1812 §4.3.2; RFC 4443 §2.4).

use core::net::Ipv4Addr;

use super::icmp::{self, Icmp};
use super::transport::{self, ICMP, ICMPV6};
use super::{Siit, Verdict, MAX_ERROR4, MAX_ERROR6, MIN_MTU4, MIN_MTU6};
use crate::bytes::{self, Writer};
use crate::checksum;
use crate::header::{Ipv4, Ipv6, IPV4_LEN, IPV6_LEN};
use crate::DropReason;

/// TTL and hop limit of errors: what hosts start with.
const TTL: u8 = 64;

/// The type of service of errors: precedence internetwork control (RFC 1812 §4.3.2.5).
const TOS: u8 = 0xc0;

/// What is told to the sender of a packet that is refused: nothing about errors and about fragments behind
/// the first (RFC 1812 §4.3.2.7, RFC 4443 §2.4 (e)). Groups and sources that no host has are dropped before
/// it could come to that.
pub(super) struct Refused<'a> {
    pub(super) siit: &'a Siit<'a>,
    silent: bool,
}

impl<'a> Refused<'a> {
    /// For a packet that is an ICMP error or not, and a fragment at this offset or whole.
    pub(super) const fn new(siit: &'a Siit<'a>, is_error: bool, offset: u16) -> Refused<'a> {
        let silent = is_error || offset != 0 || !siit.errors;
        Refused { siit, silent }
    }

    /// The verdict about the packet.
    pub(super) const fn reply(&self, reason: DropReason, reply: Reply) -> Verdict {
        if self.silent {
            Verdict::Drop(reason)
        } else {
            Verdict::Reply(reason, reply)
        }
    }
}

/// An ICMP error to send to the sender of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply {
    v6: bool,
    icmp: Icmp,
}

const fn v4(kind: u8, code: u8, word: u32) -> Reply {
    let icmp = Icmp { kind, code, word };
    Reply { v6: false, icmp }
}

const fn v6(kind: u8, code: u8, word: u32) -> Reply {
    let icmp = Icmp { kind, code, word };
    Reply { v6: true, icmp }
}

impl Reply {
    pub(super) const TTL_EXCEEDED4: Reply = v4(icmp::TIME_EXCEEDED4, 0, 0);
    pub(super) const UNREACHABLE4: Reply = v4(icmp::UNREACHABLE4, 1, 0);
    pub(super) const SOURCE_ROUTE_FAILED4: Reply = v4(icmp::UNREACHABLE4, 5, 0);
    pub(super) const PROHIBITED4: Reply = v4(icmp::UNREACHABLE4, 13, 0);
    pub(super) const TTL_EXCEEDED6: Reply = v6(icmp::TIME_EXCEEDED6, 0, 0);
    pub(super) const UNREACHABLE6: Reply = v6(icmp::UNREACHABLE6, 0, 0);
    pub(super) const PROHIBITED6: Reply = v6(icmp::UNREACHABLE6, 1, 0);
    pub(super) const SOURCE_POLICY6: Reply = v6(icmp::UNREACHABLE6, 5, 0);

    /// Fragmentation is needed to pass a link of this MTU.
    pub fn too_big4(mtu: u32) -> Reply {
        v4(
            icmp::UNREACHABLE4,
            4,
            mtu.clamp(MIN_MTU4, u32::from(u16::MAX)),
        )
    }

    /// The packet exceeds a link of this MTU.
    pub(super) fn too_big6(mtu: u32) -> Reply {
        v6(icmp::TOO_BIG6, 0, mtu.max(MIN_MTU6))
    }

    /// The header field at this offset cannot be handled.
    pub(super) const fn parameter6(pointer: u32) -> Reply {
        v6(icmp::PARAMETER6, 0, pointer)
    }

    /// Whether it is an ICMPv6 error.
    pub const fn is_v6(&self) -> bool {
        self.v6
    }

    /// Type, code and the second word of the message.
    pub const fn message(&self) -> (u8, u8, u32) {
        (self.icmp.kind, self.icmp.code, self.icmp.word)
    }

    /// Writes the error about `packet`, of which as much is quoted as fits, to the start of `out`, which
    /// should have [`MAX_ERROR4`] or [`MAX_ERROR6`] bytes; says how long it is. `id` is its IPv4
    /// identification.
    ///
    /// `None` if the translator has no address of its own to send from.
    pub fn write(&self, packet: &[u8], siit: &Siit<'_>, id: u16, out: &mut [u8]) -> Option<usize> {
        if self.v6 {
            self.write6(packet, siit, out)
        } else {
            self.write4(packet, siit, id, out)
        }
    }

    fn write4(&self, packet: &[u8], siit: &Siit<'_>, id: u16, out: &mut [u8]) -> Option<usize> {
        let about = Ipv4::quoted(packet).ok()?;
        let packet = packet.get(..usize::from(about.total_len)).unwrap_or(packet);
        let (src, dst) = (siit.own4?, about.src);
        self.icmp.write4(src, dst, id, &[], packet, out)
    }

    fn write6(&self, packet: &[u8], siit: &Siit<'_>, out: &mut [u8]) -> Option<usize> {
        let about = Ipv6::quoted(packet).ok()?;
        let src = siit.own6?;
        let end = IPV6_LEN.wrapping_add(usize::from(about.payload_len));
        let packet = packet.get(..end).unwrap_or(packet);
        let mut out = Writer::new(out, MAX_ERROR6);
        out.push(&[0; IPV6_LEN])?;
        out.push(&self.icmp.bytes())?;
        out.fill(packet);
        let payload_len = u16::try_from(out.len().checked_sub(IPV6_LEN)?).ok()?;
        let pseudo = transport::pseudo6(&src, &about.src, ICMPV6, payload_len);
        self.icmp.seal(out.written_mut(IPV6_LEN), pseudo);
        let header = Ipv6 {
            traffic_class: 0,
            flow_label: 0,
            payload_len,
            next_header: ICMPV6,
            hop_limit: TTL,
            src,
            dst: about.src,
        };
        bytes::write(out.written_mut(0), 0, header.bytes())?;
        Some(out.len())
    }
}

impl Icmp {
    /// Writes the ICMPv4 error to the start of `out`. It quotes `head` and as much of `tail` as fits.
    pub(crate) fn write4(
        &self,
        src: Ipv4Addr,
        dst: Ipv4Addr,
        id: u16,
        head: &[u8],
        tail: &[u8],
        out: &mut [u8],
    ) -> Option<usize> {
        let mut out = Writer::new(out, MAX_ERROR4);
        out.push(&[0; IPV4_LEN])?;
        out.push(&self.bytes())?;
        out.push(head)?;
        out.fill(tail);
        let total_len = u16::try_from(out.len()).ok()?;
        self.seal(out.written_mut(IPV4_LEN), 0);
        let header = Ipv4 {
            header_len: IPV4_LEN as u8,
            tos: TOS,
            total_len,
            id,
            reserved: false,
            df: false,
            mf: false,
            fragment_offset: 0,
            ttl: TTL,
            protocol: ICMP,
            src,
            dst,
        };
        bytes::write(out.written_mut(0), 0, header.bytes())?;
        Some(out.len())
    }

    /// The head of the message, its checksum 0.
    pub(super) const fn bytes(&self) -> [u8; 8] {
        let [a, b, c, d] = self.word.to_be_bytes();
        [self.kind, self.code, 0, 0, a, b, c, d]
    }

    /// Writes the checksum of a message whose checksum field is 0, over a pseudo-header that sums to
    /// `pseudo`.
    pub(super) fn seal(&self, message: &mut [u8], pseudo: u16) {
        let sum = !checksum::add(checksum::sum(message), pseudo);
        let _ = bytes::write(message, 2, sum.to_be_bytes());
    }
}
