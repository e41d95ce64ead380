// SPDX-License-Identifier: GPL-2.0

//! ICMPv6 errors to ICMPv4 (RFC 7915 §5.2 and §5.3).

use core::net::Ipv4Addr;

use super::extension::Chain;
use super::icmp::{self, Icmp};
use super::multipart::{self, Parts};
use super::to4;
use super::to6::translate_query;
use super::transport::{self, ICMP, ICMPV6};
use super::{is_group4, is_martian4, pick, Maps, Packet, Siit, MAX_ERROR4};
use crate::bytes::{self, Writer};
use crate::checksum;
use crate::fast::L4Checksum;
use crate::header::{Ipv4, Ipv6, IPV4_LEN};
use crate::DropReason;

/// ICMPv4 gives the length of a quote in units of 4 bytes.
const UNIT: usize = 4;

/// Where the quoted packet starts.
const QUOTE: usize = IPV4_LEN + 8;

/// Writes the translation of an ICMPv6 error to the start of `out`, which should have [`MAX_ERROR4`] bytes.
///
/// `packet` is the whole IPv6 packet. `hop` says whether this hop counts; `id` is a fresh identification.
///
/// # Errors
///
/// Why there is no translation. No error is ever sent about an error.
pub fn error_to4(
    packet: &[u8],
    siit: &Siit<'_>,
    maps: &impl Maps,
    hop: bool,
    id: u16,
    out: &mut [u8],
) -> Result<Packet, DropReason> {
    let available = u32::try_from(packet.len()).unwrap_or(u32::MAX);
    let ip = Ipv6::parse(packet, available)?;
    let chain = Chain::walk(packet, &ip)?;
    let payload_len = to4::payload_len(&ip, &chain)?;
    let message = packet
        .get(chain.len..)
        .and_then(|rest| rest.get(..usize::from(payload_len)))
        .ok_or(DropReason::Malformed)?;
    if chain.protocol != ICMPV6 {
        return Err(DropReason::IcmpUntranslatable);
    }
    if chain.is_fragment() {
        return Err(DropReason::IcmpFragment);
    }
    if hop && ip.hop_limit <= 1 {
        return Err(DropReason::TtlExceeded);
    }
    let (head, body) = message
        .split_first_chunk::<8>()
        .ok_or(DropReason::Malformed)?;
    let pseudo = transport::pseudo6(&ip.src, &ip.dst, ICMPV6, payload_len);
    if checksum::add(pseudo, checksum::sum(message)) != 0xffff {
        return Err(DropReason::IcmpChecksum);
    }
    let &[kind, code, _, _, length, w1, w2, w3] = head;
    let word = u32::from_be_bytes([length, w1, w2, w3]);
    let mut icmp =
        icmp::error_to4(Icmp { kind, code, word }, siit).ok_or(DropReason::IcmpUntranslatable)?;
    let length = if icmp::has_length6(kind) { length } else { 0 };
    let parts = Parts::split(body, usize::from(length).wrapping_mul(8))?;
    let inner = Inner::parse(parts.quote)?;

    let mapped = |address| siit.v4_of(maps, address).ok_or(DropReason::NoMapping);
    let addresses = (mapped(&inner.ip.src)?, mapped(&inner.ip.dst)?);
    let dst = mapped(&ip.dst)?;
    if is_group4(dst) || is_martian4(dst) {
        return Err(DropReason::NoMapping);
    }
    let own = siit.v4_of(maps, &ip.src).filter(|&src| !is_martian4(src));
    let src = own
        .or_else(|| pick(siit.routers4, &ip.src))
        .or(siit.own4)
        .ok_or(DropReason::UnknownSource)?;
    let origin = multipart::origin(&ip.src);
    let parts = match own {
        None if siit.name_routers && parts.extension.is_empty() => Parts {
            extension: &origin,
            ..parts
        },
        _ => parts,
    };

    let limit = usize::try_from(siit.mtu4()).unwrap_or(MAX_ERROR4);
    let mut out = Writer::new(out, MAX_ERROR4.min(limit));
    out.push(&[0; QUOTE]).ok_or(DropReason::Malformed)?;
    // Every ICMPv4 error that an ICMPv6 error becomes can say how long its quote is.
    let end = parts.quote_end(&out, QUOTE, UNIT);
    inner.write(&mut out, end.unwrap_or(MAX_ERROR4), siit, id, addresses)?;
    if end.is_some() {
        let units = parts
            .append(&mut out, QUOTE, UNIT)
            .ok_or(DropReason::Malformed)?;
        icmp.word |= units << 16;
    }

    let total_len = u16::try_from(out.len()).unwrap_or(u16::MAX);
    let header = Ipv4 {
        header_len: IPV4_LEN as u8,
        tos: siit.type_of_service(ip.traffic_class),
        total_len,
        id: chain.fragment.map_or(id, |fragment| fragment.id as u16),
        reserved: false,
        df: false,
        mf: false,
        fragment_offset: 0,
        ttl: ip.hop_limit.saturating_sub(u8::from(hop)),
        protocol: ICMP,
        src,
        dst,
    };
    let _ = bytes::write(out.written_mut(0), 0, header.bytes());
    let message = out.written_mut(IPV4_LEN);
    let _ = bytes::write(message, 0, icmp.bytes());
    icmp.seal(message, 0);
    Ok(Packet {
        start: 0,
        transport: IPV4_LEN,
        len: u32::from(total_len),
        hairpin: siit.turns_at_once(maps, &ip.dst, dst),
    })
}

/// A quoted IPv6 packet.
struct Inner<'a> {
    ip: Ipv6,
    chain: Chain,
    /// What the headers say is behind them.
    payload_len: u16,
    /// What of it is there.
    payload: &'a [u8],
    /// The type that an ICMP query gets.
    query: Option<u8>,
}

impl<'a> Inner<'a> {
    fn parse(quote: &'a [u8]) -> Result<Inner<'a>, DropReason> {
        let ip = Ipv6::quoted(quote).map_err(|_| DropReason::IcmpQuote)?;
        let chain = Chain::walk(quote, &ip).map_err(|reason| match reason {
            // The router did not quote enough.
            DropReason::Malformed => DropReason::IcmpQuote,
            other => other,
        })?;
        if chain.behind_fragment {
            return Err(DropReason::ExtensionHeaders);
        }
        let payload = quote.get(chain.len..).ok_or(DropReason::IcmpQuote)?;
        let query = match payload.first() {
            Some(&kind) if chain.protocol == ICMPV6 && chain.offset() == 0 => {
                if icmp::is_error6(kind) {
                    return Err(DropReason::IcmpQuote);
                }
                Some(icmp::query_to4(kind).ok_or(DropReason::IcmpUntranslatable)?)
            }
            _ => None,
        };
        Ok(Inner {
            ip,
            chain,
            payload_len: to4::payload_len(&ip, &chain)?,
            payload,
            query,
        })
    }

    /// Appends the packet in IPv4, as much as there is room before `end`.
    fn write(
        &self,
        out: &mut Writer<'_>,
        end: usize,
        siit: &Siit<'_>,
        id: u16,
        (src, dst): (Ipv4Addr, Ipv4Addr),
    ) -> Result<(), DropReason> {
        let header = to4::quoted_header(
            &self.ip,
            &self.chain,
            self.payload_len,
            None,
            id,
            siit,
            (src, dst),
        )?;
        out.push(&header.bytes()).ok_or(DropReason::Malformed)?;
        let start = out.len();
        out.fill_to(self.payload, end);
        let l4 = out.written_mut(start);
        match self.query {
            Some(kind) => {
                let gone =
                    !transport::pseudo6(&self.ip.src, &self.ip.dst, ICMPV6, self.payload_len);
                translate_query(l4, kind, 0, gone);
            }
            None if self.chain.offset() == 0 => {
                let delta = transport::delta(src, dst, &self.ip.src, &self.ip.dst);
                let delta = transport::nonzero(!delta);
                transport::adjust(
                    l4,
                    self.chain.protocol,
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
