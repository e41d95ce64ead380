// SPDX-License-Identifier: GPL-2.0

//! IPv6 packets to IPv4 (RFC 7915 §5).

use core::net::Ipv4Addr;

use super::extension::Chain;
use super::fragments::Fragments;
use super::to6::translate_query;
use super::transport::{self, ICMP, ICMPV6, UDP};
use super::{icmp, is_group4, is_group6, is_martian4, is_martian6};
use super::{Maps, Packet, Refused, Reply, Siit, UdpZero, Verdict, View};
use crate::bytes;
use crate::header::{Ipv4, Ipv6, IPV4_LEN, IPV6_LEN};
use crate::DropReason;

/// The largest IPv4 packet whose IPv6 form every IPv6 link carries: larger ones must not be fragmented, for
/// the sender can only then learn the path's MTU (RFC 7915 §5.1).
const MAX_WITHOUT_DF: u32 = 1260;

/// Translates an IPv6 packet in place, or says what else becomes of it.
pub fn to4(mut view: View<'_>, siit: &Siit<'_>, maps: &impl Maps) -> Verdict {
    match translate(&mut view, siit, maps) {
        Ok(verdict) | Err(verdict) => verdict,
    }
}

fn translate(view: &mut View<'_>, siit: &Siit<'_>, maps: &impl Maps) -> Result<Verdict, Verdict> {
    let head = view.head();
    let ip = Ipv6::parse(head, view.len)?;
    let chain = Chain::walk(head, &ip)?;
    let payload_len = payload_len(&ip, &chain)?;
    let l4 = head.get(chain.len..).ok_or(DropReason::Malformed)?;
    let l4 = l4.get(..usize::from(payload_len)).unwrap_or(l4);
    let is_error = chain.protocol == ICMPV6 && icmp::starts_error6(chain.offset(), l4);
    let refused = Refused::new(siit, is_error, chain.offset());

    if is_group6(&ip.dst) {
        return Err(DropReason::Multicast.into());
    }
    if is_martian6(&ip.src) {
        return Err(DropReason::MartianSource.into());
    }
    if siit.ingress_filter && siit.pool6.is_some_and(|pool| pool.contains(&ip.src)) {
        return Err(DropReason::MartianSource.into());
    }
    if view.hop && ip.hop_limit <= 1 {
        return Err(refused.reply(DropReason::TtlExceeded, Reply::TTL_EXCEEDED6));
    }
    if let Some(pointer) = chain.segments_left {
        return Err(refused.reply(DropReason::SourceRoute, Reply::parameter6(pointer)));
    }
    if chain.behind_fragment {
        return Err(refused.reply(DropReason::ExtensionHeaders, Reply::PROHIBITED6));
    }
    if chain.protocol == ICMPV6 {
        if chain.is_fragment() {
            return Err(DropReason::IcmpFragment.into());
        }
        if is_error {
            return Ok(Verdict::Error);
        }
    }
    let empty = payload_len == 0 && !chain.is_fragment();
    if chain.offset() == 0 && transport::is_truncated(chain.protocol, ICMPV6, empty, l4) {
        return Err(DropReason::Malformed.into());
    }
    let query = match l4.first() {
        Some(&kind) if chain.protocol == ICMPV6 => {
            Some(icmp::query_to4(kind).ok_or(DropReason::IcmpUntranslatable)?)
        }
        _ => None,
    };
    let (src, dst) = addresses(&ip, siit, maps).map_err(|error| error.verdict(&refused))?;
    let udp_zero =
        chain.protocol == UDP && chain.offset() == 0 && transport::is_udp_zero(l4, view.csum);
    if udp_zero && siit.udp_zero != UdpZero::Keep {
        return Err(DropReason::UdpZeroChecksum.into());
    }

    let header = header(&ip, &chain, payload_len, view, siit, (src, dst))?;
    let largest = match view.segment {
        Some(segment) => size4(segment, &chain),
        None => u32::from(header.total_len),
    };
    let fits = largest <= siit.mtu4();
    if !fits && (header.df || chain.fragment.is_some()) {
        let mtu = siit.mtu4().saturating_add(20);
        return Err(refused.reply(DropReason::TooBig, Reply::too_big6(mtu)));
    }
    if !fits && view.is_offloaded() {
        return Ok(Verdict::Software);
    }

    // From here on the packet is changed, and nothing fails but for a buffer that is not as the caller said.
    let transport = view.start.wrapping_add(chain.len);
    let start = transport
        .checked_sub(IPV4_LEN)
        .ok_or(DropReason::Malformed)?;
    let l4 = view.buf.get_mut(transport..).ok_or(DropReason::Malformed)?;
    if let Some(kind) = query {
        let gone = !transport::pseudo6(&ip.src, &ip.dst, ICMPV6, payload_len);
        translate_query(l4, kind, 0, gone);
    } else if chain.offset() == 0 {
        let delta = transport::nonzero(!transport::delta(src, dst, &ip.src, &ip.dst));
        transport::adjust(l4, chain.protocol, siit.adjust_others, delta, view.csum);
    }
    if !fits {
        return Ok(Verdict::Fragments(Fragments::new4(
            header,
            transport,
            siit.mtu4(),
        )));
    }
    bytes::write(view.buf, start, header.bytes()).ok_or(DropReason::Malformed)?;
    Ok(Verdict::Packet(Packet {
        start,
        transport,
        len: u32::from(header.total_len),
        hairpin: siit.turns_at_once(maps, &ip.dst, dst),
    }))
}

/// Bytes behind the headers that are skipped.
pub(super) fn payload_len(ip: &Ipv6, chain: &Chain) -> Result<u16, DropReason> {
    let extensions = u16::try_from(chain.len.saturating_sub(IPV6_LEN)).unwrap_or(u16::MAX);
    ip.payload_len
        .checked_sub(extensions)
        .ok_or(DropReason::Malformed)
}

/// The size in IPv4 of a packet of this size.
fn size4(size: u32, chain: &Chain) -> u32 {
    let headers = u32::try_from(chain.len).unwrap_or(u32::MAX);
    size.saturating_sub(headers).saturating_add(20)
}

/// The protocol number of an IPv6 next header.
pub(super) const fn protocol(next_header: u8) -> u8 {
    match next_header {
        ICMPV6 => ICMP,
        other => other,
    }
}

/// The IPv4 header.
fn header(
    ip: &Ipv6,
    chain: &Chain,
    payload_len: u16,
    view: &View<'_>,
    siit: &Siit<'_>,
    (src, dst): (Ipv4Addr, Ipv4Addr),
) -> Result<Ipv4, DropReason> {
    let end = u32::from(chain.offset())
        .wrapping_mul(8)
        .wrapping_add(u32::from(payload_len));
    if end > 65535 - 20 {
        return Err(DropReason::Malformed);
    }
    let size = view.segment.map(|segment| size4(segment, chain));
    let ttl = ip.hop_limit.saturating_sub(u8::from(view.hop));
    quoted_header(ip, chain, payload_len, size, view.id, siit, (src, dst))
        .map(|header| Ipv4 { ttl, ..header })
}

/// The IPv4 header with the TTL as it is, for any offset. `size` is that of the largest packet on the
/// wire, if it is not this one.
pub(super) fn quoted_header(
    ip: &Ipv6,
    chain: &Chain,
    payload_len: u16,
    size: Option<u32>,
    id: u16,
    siit: &Siit<'_>,
    (src, dst): (Ipv4Addr, Ipv4Addr),
) -> Result<Ipv4, DropReason> {
    let total_len = payload_len
        .checked_add(IPV4_LEN as u16)
        .ok_or(DropReason::Malformed)?;
    let header = Ipv4 {
        header_len: IPV4_LEN as u8,
        tos: siit.type_of_service(ip.traffic_class),
        total_len,
        id: 0,
        reserved: false,
        df: false,
        mf: false,
        fragment_offset: 0,
        ttl: ip.hop_limit,
        protocol: protocol(chain.protocol),
        src,
        dst,
    };
    let df = size.unwrap_or_else(|| u32::from(total_len)) > MAX_WITHOUT_DF;
    Ok(match chain.fragment {
        Some(fragment) => Ipv4 {
            id: fragment.id as u16,
            mf: fragment.more,
            fragment_offset: fragment.offset,
            ..header
        },
        None if df => Ipv4 { df, ..header },
        None => Ipv4 { id, ..header },
    })
}

/// Why the addresses have no counterparts.
enum Unmapped {
    Source,
    Destination,
    /// The counterpart is an address that no host can have.
    Martian,
    Group,
}

impl Unmapped {
    fn verdict(self, refused: &Refused<'_>) -> Verdict {
        let (reason, reply) = match self {
            Unmapped::Source => (DropReason::UnknownSource, Reply::SOURCE_POLICY6),
            Unmapped::Destination => (DropReason::NoMapping, Reply::UNREACHABLE6),
            Unmapped::Martian => return DropReason::MartianSource.into(),
            Unmapped::Group => return DropReason::Multicast.into(),
        };
        if refused.siit.owner {
            refused.reply(reason, reply)
        } else {
            Verdict::Drop(reason)
        }
    }
}

/// Source and destination in IPv4, the destination first.
fn addresses(
    ip: &Ipv6,
    siit: &Siit<'_>,
    maps: &impl Maps,
) -> Result<(Ipv4Addr, Ipv4Addr), Unmapped> {
    let dst = siit.v4_of(maps, &ip.dst).ok_or(Unmapped::Destination)?;
    if is_group4(dst) {
        return Err(Unmapped::Group);
    }
    if is_martian4(dst) {
        return Err(Unmapped::Destination);
    }
    let src = siit.v4_of(maps, &ip.src).ok_or(Unmapped::Source)?;
    if is_martian4(src) {
        return Err(Unmapped::Martian);
    }
    Ok((src, dst))
}
