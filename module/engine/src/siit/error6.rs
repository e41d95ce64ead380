// SPDX-License-Identifier: GPL-2.0

//! ICMPv4 errors to ICMPv6 (RFC 7915 §4.2 and §4.3).

use super::icmp::{self, Icmp};
use super::multipart::Parts;
use super::to6::{self, translate_query};
use super::transport::{self, ICMP, ICMPV6};
use super::{Maps, Packet, Siit, MAX_ERROR6};
use crate::bytes::{self, Writer};
use crate::checksum;
use crate::fast::L4Checksum;
use crate::header::{Fragment, Ipv4, Ipv6, IPV4_LEN, IPV6_LEN};
use crate::DropReason;

/// ICMPv6 gives the length of a quote in units of 8 bytes.
const UNIT: usize = 8;

/// Where the quoted packet starts.
const QUOTE: usize = IPV6_LEN + 8;

/// Writes the translation of an ICMPv4 error to the start of `out`, which should have [`MAX_ERROR6`] bytes.
///
/// `packet` is the whole IPv4 packet. `hop` says whether this hop counts.
///
/// # Errors
///
/// Why there is no translation. No error is ever sent about an error.
pub fn error_to6(
    packet: &[u8],
    siit: &Siit<'_>,
    maps: &impl Maps,
    hop: bool,
    out: &mut [u8],
) -> Result<Packet, DropReason> {
    let available = u32::try_from(packet.len()).unwrap_or(u32::MAX);
    let ip = Ipv4::parse(packet, available)?;
    let message = packet
        .get(usize::from(ip.header_len)..usize::from(ip.total_len))
        .ok_or(DropReason::Malformed)?;
    if ip.protocol != ICMP {
        return Err(DropReason::IcmpUntranslatable);
    }
    if ip.is_fragment() {
        return Err(DropReason::IcmpFragment);
    }
    if hop && ip.ttl <= 1 {
        return Err(DropReason::TtlExceeded);
    }
    let (head, body) = message
        .split_first_chunk::<8>()
        .ok_or(DropReason::Malformed)?;
    if !checksum::verify(message) {
        return Err(DropReason::IcmpChecksum);
    }
    let &[kind, code, _, _, w0, length, w2, w3] = head;
    let length = if icmp::has_length4(kind) { length } else { 0 };
    let parts = Parts::split(body, usize::from(length).wrapping_mul(4))?;
    let inner = Inner::parse(parts.quote)?;
    let word = u32::from_be_bytes([w0, length, w2, w3]);
    let mut icmp = icmp::error_to6(Icmp { kind, code, word }, inner.ip.total_len, siit)
        .ok_or(DropReason::IcmpUntranslatable)?;

    let turned = siit.turns(maps, hop, inner.ip.dst, inner.ip.src);
    let by_prefix = |turned, address| {
        if turned {
            siit.embed(address)
        } else {
            siit.v6_of(maps, address)
        }
    };
    let inner_src = siit
        .v6_of(maps, inner.ip.src)
        .ok_or(DropReason::NoMapping)?;
    let inner_dst = by_prefix(turned, inner.ip.dst).ok_or(DropReason::NoMapping)?;
    let dst = to6::unicast(ip.dst, siit, maps).ok_or(DropReason::NoMapping)?;
    let src = by_prefix(turned && ip.src == inner.ip.dst, ip.src)
        .or(siit.router6)
        .or(siit.own6)
        .ok_or(DropReason::UnknownSource)?;

    let mut out = Writer::new(out, MAX_ERROR6);
    out.push(&[0; QUOTE]).ok_or(DropReason::Malformed)?;
    let end = parts
        .quote_end(&out, QUOTE, UNIT)
        .filter(|_| icmp::has_length6(icmp.kind));
    inner.write(
        &mut out,
        end.unwrap_or(MAX_ERROR6),
        siit,
        (inner_src, inner_dst),
    )?;
    if end.is_some() {
        let units = parts
            .append(&mut out, QUOTE, UNIT)
            .ok_or(DropReason::Malformed)?;
        icmp.word |= units << 24;
    }

    let len = u32::try_from(out.len()).unwrap_or(u32::MAX);
    let payload_len = u16::try_from(out.len().saturating_sub(IPV6_LEN)).unwrap_or(u16::MAX);
    let header = Ipv6 {
        traffic_class: siit.traffic_class(ip.tos),
        flow_label: 0,
        payload_len,
        next_header: ICMPV6,
        hop_limit: ip.ttl.saturating_sub(u8::from(hop)),
        src,
        dst,
    };
    let _ = bytes::write(out.written_mut(0), 0, header.bytes());
    let message = out.written_mut(IPV6_LEN);
    let _ = bytes::write(message, 0, icmp.bytes());
    icmp.seal(message, transport::pseudo6(&src, &dst, ICMPV6, payload_len));
    Ok(Packet {
        start: 0,
        transport: IPV6_LEN,
        len,
        hairpin: false,
    })
}

/// A quoted IPv4 packet.
struct Inner<'a> {
    ip: Ipv4,
    /// What the header says is behind it.
    payload_len: u16,
    /// What of it is there.
    payload: &'a [u8],
    /// The type that an ICMP query gets.
    query: Option<u8>,
}

impl<'a> Inner<'a> {
    fn parse(quote: &'a [u8]) -> Result<Inner<'a>, DropReason> {
        let ip = Ipv4::quoted(quote).map_err(|_| DropReason::IcmpQuote)?;
        let header_len = usize::from(ip.header_len).max(IPV4_LEN);
        let payload = quote.get(header_len..).ok_or(DropReason::IcmpQuote)?;
        let payload_len = ip
            .total_len
            .checked_sub(u16::from(ip.header_len))
            .ok_or(DropReason::Malformed)?;
        let query = match payload.first() {
            Some(&kind) if ip.protocol == ICMP && ip.fragment_offset == 0 => {
                if icmp::is_error4(kind) {
                    return Err(DropReason::IcmpQuote);
                }
                Some(icmp::query_to6(kind).ok_or(DropReason::IcmpUntranslatable)?)
            }
            _ => None,
        };
        Ok(Inner {
            ip,
            payload_len,
            payload,
            query,
        })
    }

    /// Appends the packet in IPv6, as much as there is room before `end`.
    fn write(
        &self,
        out: &mut Writer<'_>,
        end: usize,
        siit: &Siit<'_>,
        (src, dst): ([u8; 16], [u8; 16]),
    ) -> Result<(), DropReason> {
        let fragment = to6::fragment(&self.ip);
        let (next_header, extra) = match fragment {
            Some(_) => (Fragment::NUMBER, Fragment::LEN as u16),
            None => (to6::next_header(self.ip.protocol), 0),
        };
        let header = Ipv6 {
            traffic_class: siit.traffic_class(self.ip.tos),
            flow_label: 0,
            payload_len: self
                .payload_len
                .checked_add(extra)
                .ok_or(DropReason::Malformed)?,
            next_header,
            hop_limit: self.ip.ttl,
            src,
            dst,
        };
        out.push(&header.bytes()).ok_or(DropReason::Malformed)?;
        if let Some(fragment) = fragment {
            out.push(&fragment.bytes()).ok_or(DropReason::Malformed)?;
        }
        let start = out.len();
        out.fill_to(self.payload, end);
        let l4 = out.written_mut(start);
        match self.query {
            Some(kind) => {
                let pseudo = transport::pseudo6(&src, &dst, ICMPV6, self.payload_len);
                translate_query(l4, kind, pseudo, 0);
            }
            None if self.ip.fragment_offset == 0 => {
                let delta = transport::delta(self.ip.src, self.ip.dst, &src, &dst);
                transport::adjust(
                    l4,
                    self.ip.protocol,
                    siit.adjust_others,
                    delta,
                    L4Checksum::Complete,
                );
            }
            None => {}
        }
        Ok(())
    }
}
