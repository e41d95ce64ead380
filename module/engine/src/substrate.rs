// SPDX-License-Identifier: GPL-2.0

//! ICMPv6 errors of the substrate about packets of the overlay, told to the node that sent them as the ICMPv4
//! errors it would have had (`RX5`, `TX10`).
//!
//! ```text
//! node ---- host ---- substrate router: "packet too big, MTU 1400", quoting the fast or the escape form
//!      <---  "fragmentation needed, MTU 1380 or 1360", quoting the IPv4 packet as the node sent it
//! ```

use core::net::Ipv4Addr;

use crate::checksum;
use crate::escape;
use crate::fast::{self, L4Checksum, Path};
use crate::header::{Ipv4, Ipv6, IPV4_LEN, IPV6_LEN};
use crate::siit::icmp::{self, Icmp};
use crate::siit::transport::{self, ICMP, ICMPV6};
use crate::siit::{MIN_MTU4, MIN_MTU6};
use crate::{DropReason, SubstrateAddress, SubstratePrefix};

/// An error, written for the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Who sent the packet that the error is about. Nobody vouches for this: the caller must find the node
    /// on this host.
    pub src: SubstrateAddress,
    /// Where it was to go.
    pub dst: SubstrateAddress,
    /// The MTU of the path on the substrate, if that was the matter.
    pub mtu: Option<u32>,
    /// Bytes of the ICMPv4 error.
    pub len: usize,
}

/// Writes the ICMPv4 error for the node to the start of `out`, which should have 576 bytes.
///
/// `packet` is the whole ICMPv6 error, `gateway` the address that the node gets errors from (None: the
/// destination of its packet, where there is no gateway), and `id` the IPv4 identification of the error.
///
/// # Errors
///
/// [`DropReason::IcmpUntranslatable`] for messages that a node has no use for,
/// [`DropReason::IcmpChecksum`], [`DropReason::Malformed`], [`DropReason::NetworkMismatch`],
/// [`DropReason::EscapeMismatch`] if the quoted packet is not between the nodes of the addresses around it, and
/// [`DropReason::IcmpQuote`] if too little is quoted or nothing may be said about it.
pub fn report(
    packet: &[u8],
    gateway: Option<Ipv4Addr>,
    id: u16,
    out: &mut [u8],
) -> Result<Report, DropReason> {
    let available = u32::try_from(packet.len()).unwrap_or(u32::MAX);
    let ip = Ipv6::parse(packet, available)?;
    if ip.next_header != ICMPV6 {
        return Err(DropReason::NextHeader);
    }
    let message = packet
        .get(IPV6_LEN..)
        .and_then(|rest| rest.get(..usize::from(ip.payload_len)))
        .ok_or(DropReason::Malformed)?;
    let pseudo = transport::pseudo6(&ip.src, &ip.dst, ICMPV6, ip.payload_len);
    if checksum::add(pseudo, checksum::sum(message)) != 0xffff {
        return Err(DropReason::IcmpChecksum);
    }
    let (&[kind, code, _, _, w0, w1, w2, w3], quote) = message
        .split_first_chunk::<8>()
        .ok_or(DropReason::Malformed)?;
    // What is no error is about nothing that was sent.
    if kind >= 128 {
        return Err(DropReason::SubstrateIcmp);
    }
    let quote = unextended(kind, w0, quote)?;
    let outer = Ipv6::quoted(quote).map_err(|_| DropReason::IcmpQuote)?;
    let (src, dst) = (
        SubstrateAddress::decode(&outer.src),
        SubstrateAddress::decode(&outer.dst),
    );
    let sent = Sent::restore(&outer, quote.get(IPV6_LEN..).unwrap_or_default())?;
    if dst.group || !sent.may_be_reported() {
        return Err(DropReason::IcmpQuote);
    }
    let mtu = match kind {
        // No link of IPv6 has less (RFC 8201 §4).
        icmp::TOO_BIG6 => Some(u32::from_be_bytes([w0, w1, w2, w3]).max(MIN_MTU6)),
        _ => None,
    };
    let (kind, code, word) = match (kind, code) {
        (icmp::UNREACHABLE6, 1) => (icmp::UNREACHABLE4, 10, 0),
        // A port is the matter of the node, never of the host that has it: the host cannot deliver.
        (icmp::UNREACHABLE6, 0 | 2..=6) => (icmp::UNREACHABLE4, 1, 0),
        (icmp::TOO_BIG6, _) => {
            let mtu = mtu.unwrap_or(MIN_MTU6).saturating_sub(sent.growth);
            let mtu = mtu.clamp(MIN_MTU4, u32::from(u16::MAX));
            (icmp::UNREACHABLE4, 4, mtu)
        }
        (icmp::TIME_EXCEEDED6, 0) => (icmp::TIME_EXCEEDED4, 0, 0),
        _ => return Err(DropReason::IcmpUntranslatable),
    };
    let len = Icmp { kind, code, word }
        .write4(
            gateway.unwrap_or(sent.ip.dst),
            sent.ip.src,
            id,
            sent.head(),
            sent.payload,
            out,
        )
        .ok_or(DropReason::Malformed)?;
    if let Some(delta) = sent.delta {
        let l4 = out
            .get_mut(..len)
            .and_then(|out| out.get_mut(IPV4_LEN + 8 + IPV4_LEN..))
            .unwrap_or_default();
        // The fast form touches TCP and UDP alone.
        transport::adjust(l4, sent.ip.protocol, false, delta, L4Checksum::Complete);
        seal(out.get_mut(IPV4_LEN..len).unwrap_or_default());
    }
    Ok(Report { src, dst, mtu, len })
}

/// The quoted packet without the objects that may be behind it (RFC 4884 §4).
fn unextended(kind: u8, length: u8, quote: &[u8]) -> Result<&[u8], DropReason> {
    match usize::from(length).wrapping_mul(8) {
        len if len > 0 && icmp::has_length6(kind) => quote.get(..len).ok_or(DropReason::Malformed),
        _ => Ok(quote),
    }
}

/// Computes the checksum of an ICMPv4 message anew.
fn seal(message: &mut [u8]) {
    if let Some([_, _, field @ ..]) = message.first_chunk_mut::<4>() {
        *field = [0, 0];
    }
    let sum = !checksum::sum(message);
    if let Some([_, _, field @ ..]) = message.first_chunk_mut::<4>() {
        *field = sum.to_be_bytes();
    }
}

/// The packet as the node sent it.
struct Sent<'a> {
    ip: Ipv4,
    /// The header, where it is not in `payload`.
    header: Option<[u8; IPV4_LEN]>,
    payload: &'a [u8],
    /// Bytes that it grew by on the substrate.
    growth: u32,
    /// What the sum of the transport grows by from the fast form to IPv4.
    delta: Option<u16>,
}

impl<'a> Sent<'a> {
    fn restore(outer: &Ipv6, payload: &'a [u8]) -> Result<Sent<'a>, DropReason> {
        if outer.next_header == escape::IPV4 {
            let ip = Ipv4::quoted(payload).map_err(|_| DropReason::IcmpQuote)?;
            escape::check_nodes(outer, &ip)?;
            return Ok(Sent {
                ip,
                header: None,
                payload,
                growth: escape::GROWTH as u32,
                delta: None,
            });
        }
        if !fast::carries(outer.next_header) {
            return Err(DropReason::NextHeader);
        }
        let mut header = [0; IPV6_LEN];
        header.copy_from_slice(&outer.bytes());
        // Only the header is restored here: the payload is in the quote, and not to be changed in there.
        let nothing = Ipv6 {
            payload_len: 0,
            ..*outer
        };
        let path = Path::new(
            SubstratePrefix::of(&outer.src),
            SubstratePrefix::of(&outer.dst),
        );
        fast::to_ipv4(&mut header, &nothing, &path, 1, 0, L4Checksum::Complete)?;
        let total_len = outer
            .payload_len
            .checked_add(IPV4_LEN as u16)
            .ok_or(DropReason::Malformed)?;
        let restored = Ipv4::quoted(header.get(fast::GROWTH..).unwrap_or_default())?;
        let ip = Ipv4 {
            total_len,
            ..restored
        };
        Ok(Sent {
            ip,
            header: Some(ip.bytes()),
            payload,
            growth: fast::GROWTH as u32,
            delta: Some(checksum::negate(path.delta())),
        })
    }

    fn head(&self) -> &[u8] {
        match &self.header {
            Some(header) => header,
            None => &[],
        }
    }

    /// Nothing is said about errors and about fragments behind the first (RFC 1812 §4.3.2.7).
    fn may_be_reported(&self) -> bool {
        let skip = match self.header {
            Some(_) => 0,
            None => usize::from(self.ip.header_len),
        };
        let kind = self.payload.get(skip);
        let is_error = self.ip.protocol == ICMP && kind.is_some_and(|&kind| icmp::is_error4(kind));
        self.ip.fragment_offset == 0 && !is_error
    }
}
