// SPDX-License-Identifier: GPL-2.0

//! IPv4 packets to IPv6 (RFC 7915 §4).

use core::net::Ipv4Addr;

use super::fragments::Fragments;
use super::transport::{self, ICMP, ICMPV6, IGMP, UDP};
use super::{icmp, is_group4, is_martian4, options};
use super::{Maps, Packet, Refused, Reply, Siit, UdpZero, Verdict, View};
use crate::bytes;
use crate::checksum;
use crate::header::{Fragment, Ipv4, Ipv6, IPV4_LEN, IPV6_LEN};
use crate::DropReason;

/// Translates an IPv4 packet in place, or says what else becomes of it.
pub fn to6(mut view: View<'_>, siit: &Siit<'_>, maps: &impl Maps) -> Verdict {
    match translate(&mut view, siit, maps) {
        Ok(verdict) | Err(verdict) => verdict,
    }
}

fn translate(view: &mut View<'_>, siit: &Siit<'_>, maps: &impl Maps) -> Result<Verdict, Verdict> {
    let head = view.head();
    let ip = Ipv4::parse(head, view.len)?;
    let header_len = usize::from(ip.header_len);
    let payload_len = ip.payload_len();
    let l4 = head.get(header_len..).ok_or(DropReason::Malformed)?;
    let l4 = l4.get(..usize::from(payload_len)).unwrap_or(l4);
    let is_error = ip.protocol == ICMP && icmp::starts_error4(ip.fragment_offset, l4);
    let refused = Refused::new(siit, is_error, ip.fragment_offset);

    if is_group4(ip.dst) || ip.protocol == IGMP {
        return Err(DropReason::Multicast.into());
    }
    if is_martian4(ip.src) && !is_error {
        return Err(DropReason::MartianSource.into());
    }
    let route = head
        .get(IPV4_LEN..header_len)
        .ok_or(DropReason::Malformed)?;
    if options::source_route(route)? {
        return Err(refused.reply(DropReason::SourceRoute, Reply::SOURCE_ROUTE_FAILED4));
    }
    if view.hop && ip.ttl <= 1 {
        return Err(refused.reply(DropReason::TtlExceeded, Reply::TTL_EXCEEDED4));
    }
    if ip.protocol == ICMP {
        if ip.is_fragment() {
            return Err(DropReason::IcmpFragment.into());
        }
        if is_error {
            return Ok(Verdict::Error);
        }
    }
    let empty = payload_len == 0 && !ip.is_fragment();
    if ip.fragment_offset == 0 && transport::is_truncated(ip.protocol, ICMP, empty, l4) {
        return Err(DropReason::Malformed.into());
    }
    let query = match l4.first() {
        Some(&kind) if ip.protocol == ICMP => {
            Some(icmp::query_to6(kind).ok_or(DropReason::IcmpUntranslatable)?)
        }
        _ => None,
    };
    let (src, dst) =
        addresses(&ip, view.hop, siit, maps).map_err(|unmapped| unmapped.verdict(&refused))?;
    let udp_zero =
        ip.protocol == UDP && ip.fragment_offset == 0 && transport::is_udp_zero(l4, view.csum);
    if udp_zero {
        let allowed = match siit.udp_zero {
            UdpZero::Drop => false,
            UdpZero::Compute => !ip.mf && transport::udp_len(l4, payload_len).is_some(),
            UdpZero::Keep => true,
        };
        if !allowed {
            return Err(refused.reply(DropReason::UdpZeroChecksum, Reply::PROHIBITED4));
        }
    }

    let fragment = fragment(&ip);
    let fits = fit(view, &ip, siit, &refused)?;
    if !fits && view.is_offloaded() {
        return Ok(Verdict::Software);
    }

    // From here on the packet is changed, and nothing fails but for a buffer that is not as the caller said.
    let delta = transport::delta(ip.src, ip.dst, &src, &dst);
    let computed = if udp_zero && siit.udp_zero == UdpZero::Compute {
        Some(udp_checksum(view, &ip, l4, &src, &dst).ok_or(DropReason::Malformed)?)
    } else {
        None
    };
    let header = Ipv6 {
        traffic_class: siit.traffic_class(ip.tos),
        flow_label: 0,
        payload_len,
        next_header: next_header(ip.protocol),
        hop_limit: ip.ttl.saturating_sub(u8::from(view.hop)),
        src,
        dst,
    };
    let transport = view.start.wrapping_add(header_len);
    let growth = if fragment.is_some() { 48 } else { 40 };
    let start = transport.checked_sub(growth).ok_or(DropReason::Malformed)?;
    let l4 = view.buf.get_mut(transport..).ok_or(DropReason::Malformed)?;
    match (query, computed) {
        (Some(kind), _) => {
            translate_query(
                l4,
                kind,
                transport::pseudo6(&src, &dst, ICMPV6, payload_len),
                0,
            );
        }
        (_, Some(sum)) => {
            let _ = bytes::write(l4, transport::UDP_CHECKSUM, sum.to_be_bytes());
        }
        _ if ip.fragment_offset == 0 => {
            transport::adjust(l4, ip.protocol, siit.adjust_others, delta, view.csum)
        }
        _ => {}
    }
    if !fits {
        return Ok(Verdict::Fragments(Fragments::new6(
            header,
            fragment.unwrap_or_else(|| first_fragment(&ip)),
            transport,
            siit.limit6(),
        )));
    }
    let len = write_header(view.buf, start, header, fragment).ok_or(DropReason::Malformed)?;
    Ok(Verdict::Packet(Packet {
        start,
        transport,
        len: u32::from(payload_len).wrapping_add(len),
        hairpin: false,
    }))
}

/// Writes the headers at `start` and says how long they are.
fn write_header(
    buf: &mut [u8],
    start: usize,
    header: Ipv6,
    fragment: Option<Fragment>,
) -> Option<u32> {
    let Some(fragment) = fragment else {
        bytes::write(buf, start, header.bytes())?;
        return Some(IPV6_LEN as u32);
    };
    let payload_len = header.payload_len.checked_add(Fragment::LEN as u16)?;
    let header = Ipv6 {
        payload_len,
        next_header: Fragment::NUMBER,
        ..header
    };
    bytes::write(buf, start.checked_add(IPV6_LEN)?, fragment.bytes())?;
    bytes::write(buf, start, header.bytes())?;
    Some((IPV6_LEN + Fragment::LEN) as u32)
}

/// Whether the translated packet fits the IPv6 side as it is; if not, it may be fragmented.
fn fit(
    view: &View<'_>,
    ip: &Ipv4,
    siit: &Siit<'_>,
    refused: &Refused<'_>,
) -> Result<bool, Verdict> {
    let extra: u32 = if ip.is_fragment() { 48 } else { 40 };
    let largest = view.segment.unwrap_or_else(|| u32::from(ip.total_len));
    let size = largest
        .saturating_sub(u32::from(ip.header_len))
        .saturating_add(extra);
    if ip.df {
        if size > siit.mtu6() {
            // Also about a fragment, which needs 8 bytes more: that is what the standard says (RFC 7915 §4.4).
            let mtu = siit.mtu6().saturating_sub(20);
            return Err(refused.reply(DropReason::TooBig, Reply::too_big4(mtu)));
        }
        // The limit is for packets that may be fragmented (RFC 7915 §4).
        return Ok(true);
    }
    // Pieces behind the largest offset that a header can hold cannot be written.
    let end = u32::from(ip.fragment_offset)
        .wrapping_mul(8)
        .wrapping_add(u32::from(ip.payload_len()));
    let fits = size <= siit.limit6();
    if !fits && end > 0xffff {
        return Err(DropReason::Malformed.into());
    }
    Ok(fits)
}

/// The next header number of an IPv4 protocol.
pub(super) const fn next_header(protocol: u8) -> u8 {
    match protocol {
        ICMP => ICMPV6,
        other => other,
    }
}

/// The Fragment header of a packet that is a fragment; no other gets one (RFC 8021).
pub(super) fn fragment(ip: &Ipv4) -> Option<Fragment> {
    ip.is_fragment().then(|| first_fragment(ip))
}

fn first_fragment(ip: &Ipv4) -> Fragment {
    Fragment {
        next_header: next_header(ip.protocol),
        offset: ip.fragment_offset,
        more: ip.mf,
        id: u32::from(ip.id),
    }
}

/// Rewrites the type of an ICMP query and adjusts its checksum by that and by `delta`: the sum of the
/// pseudo-header that is new, or the complement of one that is gone. `l4` may be short.
pub(super) fn translate_query(l4: &mut [u8], kind: u8, pseudo: u16, gone: u16) {
    let Some([old, code]) = bytes::read(l4, 0) else {
        if let Some(first) = l4.first_mut() {
            *first = kind;
        }
        return;
    };
    let change = checksum::add(
        u16::from_be_bytes([kind, code]),
        !u16::from_be_bytes([old, code]),
    );
    let delta = checksum::add(change, checksum::add(pseudo, gone));
    let _ = bytes::write(l4, 0, [kind, code]);
    if let Some(field) = bytes::word(l4, 2) {
        let sum = checksum::adjust(field, transport::nonzero(delta));
        let _ = bytes::write(l4, 2, sum.to_be_bytes());
    }
}

/// The checksum of a whole UDP datagram that had none.
fn udp_checksum(
    view: &View<'_>,
    ip: &Ipv4,
    l4: &[u8],
    src: &[u8; 16],
    dst: &[u8; 16],
) -> Option<u16> {
    let len = transport::udp_len(l4, ip.payload_len())?;
    let pseudo = transport::pseudo6(src, dst, UDP, len);
    let sum = view.sum(usize::from(ip.header_len), usize::from(len))?;
    Some(match !checksum::add(pseudo, sum) {
        0 => 0xffff,
        sum => sum,
    })
}

/// Which address has no counterpart.
enum Unmapped {
    Source,
    Destination,
}

impl Unmapped {
    fn verdict(self, refused: &Refused<'_>) -> Verdict {
        let (reason, reply) = match self {
            Unmapped::Source => (DropReason::UnknownSource, Reply::PROHIBITED4),
            Unmapped::Destination => (DropReason::NoMapping, Reply::UNREACHABLE4),
        };
        if refused.siit.owner {
            refused.reply(reason, reply)
        } else {
            Verdict::Drop(reason)
        }
    }
}

/// Source and destination in IPv6, the destination first.
fn addresses(
    ip: &Ipv4,
    hop: bool,
    siit: &Siit<'_>,
    maps: &impl Maps,
) -> Result<([u8; 16], [u8; 16]), Unmapped> {
    let dst = unicast(ip.dst, siit, maps).ok_or(Unmapped::Destination)?;
    let src = if siit.turns(maps, hop, ip.src, ip.dst) {
        siit.embed(ip.src)
    } else {
        siit.v6_of(maps, ip.src)
    };
    Ok((src.ok_or(Unmapped::Source)?, dst))
}

/// The IPv6 address of a destination; none of an address that no packet may be forwarded to.
pub(super) fn unicast(address: Ipv4Addr, siit: &Siit<'_>, maps: &impl Maps) -> Option<[u8; 16]> {
    if is_martian4(address) {
        return None;
    }
    siit.v6_of(maps, address)
}
