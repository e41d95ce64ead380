// SPDX-License-Identifier: GPL-2.0

//! The fast form: an IPv6 header in the place of the IPv4 header, payload untouched but for one
//! constant added to the transport checksum.
//!
//! ```text
//! buffer   0                   20                  40
//! IPv4     :   20 spare bytes   | IPv4 header 20    | transport ...
//! IPv6     | IPv6 header 40                         | transport ...
//!
//! IPv6     class = TOS | label = [virtual TTL 8][DF 1][entropy 11] | next header = protocol | hop limit 64
//! ```
//!
//! Nothing in the IPv6 header varies within a flow: receivers merge segments and senders split them
//! only if it is so. That is why the IPv4 ID does not travel, and why ICMPv4 keeps its number 1: without
//! a pseudo-header its payload needs no change and every type of message survives.
//!
//! An operation that fails leaves the buffer as it was.

use crate::addr::{SubstrateAddress, SubstratePrefix};
use crate::checksum;
use crate::header::{Ipv4, Ipv6, IPV4_LEN, IPV6_LEN};
use crate::DropReason;

/// Hop limit on the substrate. The virtual TTL travels in the flow label: a LAN does not decrement it.
pub const HOP_LIMIT: u8 = 64;

/// How far the IPv6 form starts before the IPv4 form, and by how many bytes it is longer.
pub const GROWTH: usize = IPV6_LEN - IPV4_LEN;

/// The protocol number of TCP.
pub const TCP: u8 = 6;
/// The protocol number of UDP.
pub const UDP: u8 = 17;
/// The next header of ICMPv6.
pub const ICMPV6: u8 = 58;

const LABEL_TTL_SHIFT: u32 = 12;
const LABEL_DF: u32 = 1 << 11;
const LABEL_ENTROPY: u32 = 0x7ff;

/// The way from one substrate prefix to another: all that the packets of two nodes, or of all nodes of
/// two hosts in one network, have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    from: SubstratePrefix,
    to: SubstratePrefix,
    /// What the IPv6 pseudo-header sums to beyond the IPv4 one. The virtual addresses are in both and
    /// cancel; lengths and protocol are the same. Never 0x0000.
    delta: u16,
}

impl Path {
    /// The path of packets whose source address starts with `from` and destination address with `to`.
    pub fn new(from: SubstratePrefix, to: SubstratePrefix) -> Path {
        let sum = checksum::add(checksum::sum(from.octets()), checksum::sum(to.octets()));
        // 0x0000 and 0xFFFF are the same number; see `checksum::negate` for why it is the latter.
        let delta = if sum == 0 { 0xffff } else { sum };
        Path { from, to, delta }
    }

    /// The prefix of source addresses.
    #[inline]
    pub const fn from(&self) -> SubstratePrefix {
        self.from
    }

    /// The prefix of destination addresses.
    #[inline]
    pub const fn to(&self) -> SubstratePrefix {
        self.to
    }

    /// What a transport checksum's sum grows by from IPv4 to IPv6.
    #[inline]
    pub const fn delta(&self) -> u16 {
        self.delta
    }
}

/// What the checksum field of TCP or UDP holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum L4Checksum {
    /// A finished checksum.
    Complete,
    /// The folded sum of the pseudo-header, not complemented: a device will finish it (the kernel's
    /// `CHECKSUM_PARTIAL`).
    Partial,
}

/// What came of restoring an IPv4 packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// Bytes of the IPv4 packet, header included.
    pub total_len: u16,
    /// The substrate cleared the flow label, so TTL and DF are not the sender's.
    pub scrubbed: bool,
}

/// Whether the fast form carries an IPv4 protocol under the same number.
///
/// It does not carry IGMP, which IPv6 has no use for and which comes with the router alert option, nor
/// numbers that mean something else behind an IPv6 header: the extension headers (0, 43, 44, 60, 135,
/// 139, 140), ICMPv6 (58), and the escape forms (4 and 143).
#[inline]
pub const fn carries(protocol: u8) -> bool {
    !matches!(
        protocol,
        0 | 2 | 4 | 43 | 44 | 58 | 60 | 135 | 139 | 140 | 143
    )
}

/// Whether the fast form can restore this packet at the far edge.
///
/// # Errors
///
/// [`DropReason::NeedsEscape`] for options, fragments, the reserved flag and protocols that are not
/// carried; [`DropReason::Ttl`] for TTL 0, which on the wire would mean a cleared flow label.
#[inline(always)]
pub const fn eligible(ip: &Ipv4) -> Result<(), DropReason> {
    if ip.has_options() || ip.is_fragment() || ip.reserved || !carries(ip.protocol) {
        return Err(DropReason::NeedsEscape);
    }
    if ip.ttl == 0 {
        return Err(DropReason::Ttl);
    }
    Ok(())
}

/// What a network promises of the packets it carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fidelity {
    /// All that means something arrives. The identification of a packet that is no fragment does not
    /// (RFC 6864 §4.1).
    #[default]
    Semantic,
    /// Every byte of the packet arrives. The one exception is a TCP checksum of 0xFFFF, which no sender
    /// writes: it arrives as the other zero.
    Exact,
}

/// How a packet travels between two hosts of the overlay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Its header becomes an IPv6 header.
    Fast,
    /// It is carried whole: see [`escape`](crate::escape).
    Escape,
}

/// The form of a packet: the fast one if the far edge can restore it. `several`: it stands for several
/// that are cut later.
///
/// TTL 0 escapes, for a LAN does not look at it. In an exact network so does a packet whose
/// identification the far edge would not restore: any but 0 with DF, or several in a row.
#[inline]
pub const fn form(ip: &Ipv4, several: bool, fidelity: Fidelity) -> Form {
    let restored = match fidelity {
        Fidelity::Semantic => true,
        Fidelity::Exact => ip.df && ip.id == 0 && !several,
    };
    if restored && eligible(ip).is_ok() {
        Form::Fast
    } else {
        Form::Escape
    }
}

/// How many bytes of the transport header must be in the buffer so that its checksum can be changed.
///
/// A packet whose transport part is shorter than that keeps its bytes, at both edges alike.
#[inline]
pub const fn touched(protocol: u8) -> usize {
    match protocol {
        TCP => 18,
        UDP => 8,
        _ => 0,
    }
}

/// How many bytes from the IPv6 header on the translation reads and writes, for a packet with
/// `payload_len` bytes behind its IP header.
#[inline]
pub const fn head_len(protocol: u8, payload_len: u16) -> usize {
    let touched = touched(protocol);
    if payload_len as usize >= touched {
        IPV6_LEN + touched
    } else {
        IPV6_LEN
    }
}

/// Whether the sender had DF set.
#[inline]
pub const fn df(ip: &Ipv6) -> bool {
    ip.flow_label & LABEL_DF != 0
}

/// Whether the substrate cleared the flow label: a virtual TTL is never 0.
#[inline]
pub const fn scrubbed(ip: &Ipv6) -> bool {
    ip.flow_label >> LABEL_TTL_SHIFT == 0
}

/// Turns an IPv4 packet into the fast form.
///
/// `buf` holds 20 spare bytes, the 20-byte IPv4 header that `ip` was parsed from, and at least the
/// [`touched`] bytes of the transport header if the packet has that many. Of `entropy`, a value constant
/// per flow, 11 bits are used.
///
/// # Errors
///
/// Those of [`eligible`], and [`DropReason::Malformed`] if `buf` is too short.
#[inline]
pub fn to_ipv6(
    buf: &mut [u8],
    ip: &Ipv4,
    path: &Path,
    entropy: u16,
    csum: L4Checksum,
) -> Result<(), DropReason> {
    eligible(ip)?;
    let (head, l4) = buf
        .split_first_chunk_mut::<IPV6_LEN>()
        .ok_or(DropReason::Malformed)?;
    let payload_len = ip.payload_len();
    fix_checksum(l4, ip.protocol, payload_len, path.delta, csum)?;
    let df = if ip.df { LABEL_DF } else { 0 };
    let label = u32::from(ip.ttl) << LABEL_TTL_SHIFT | df | (u32::from(entropy) & LABEL_ENTROPY);
    let first = 6 << 28 | u32::from(ip.tos) << 20 | label;
    head[0..4].copy_from_slice(&first.to_be_bytes());
    head[4..6].copy_from_slice(&payload_len.to_be_bytes());
    head[6] = ip.protocol;
    head[7] = HOP_LIMIT;
    head[8..20].copy_from_slice(path.from.octets());
    head[20..24].copy_from_slice(&ip.src.octets());
    head[24..36].copy_from_slice(path.to.octets());
    head[36..40].copy_from_slice(&ip.dst.octets());
    Ok(())
}

/// Restores the IPv4 packet from the fast form; its header is written to `buf[20..40]`.
///
/// `buf` holds the IPv6 header that `ip` was parsed from and at least the [`touched`] bytes of the
/// transport header if the packet has that many. `path` is that of the packet's own addresses.
/// `default_ttl` is for a packet whose flow label the substrate cleared; `id` is used unless DF is set
/// (RFC 6864 §4.1: then it means nothing) and should be fresh.
///
/// # Errors
///
/// [`DropReason::SubstrateIcmp`] for ICMPv6, [`DropReason::NextHeader`] for others that the fast form
/// does not carry, [`DropReason::Malformed`] if the packet is too long for IPv4 or `buf` is too short.
#[inline]
pub fn to_ipv4(
    buf: &mut [u8],
    ip: &Ipv6,
    path: &Path,
    default_ttl: u8,
    id: u16,
    csum: L4Checksum,
) -> Result<Restored, DropReason> {
    let protocol = ip.next_header;
    if !carries(protocol) {
        return Err(match protocol {
            ICMPV6 => DropReason::SubstrateIcmp,
            _ => DropReason::NextHeader,
        });
    }
    let total_len = ip
        .payload_len
        .checked_add(IPV4_LEN as u16)
        .ok_or(DropReason::Malformed)?;
    let (head, l4) = buf
        .split_first_chunk_mut::<IPV6_LEN>()
        .ok_or(DropReason::Malformed)?;
    fix_checksum(
        l4,
        protocol,
        ip.payload_len,
        checksum::negate(path.delta),
        csum,
    )?;
    let scrubbed = scrubbed(ip);
    let df = df(ip);
    let label_ttl = (ip.flow_label >> LABEL_TTL_SHIFT) as u8;
    let ttl = if scrubbed { default_ttl } else { label_ttl };
    let second = if df { 0x4000 } else { u32::from(id) << 16 };
    let [_, _, _, _, _, _, _, _, _, _, _, _, sa, sb, sc, sd] = ip.src;
    let [_, _, _, _, _, _, _, _, _, _, _, _, da, db, dc, dd] = ip.dst;
    // Whole words, as that is how the CPU moves them.
    let first = 0x45 << 24 | u32::from(ip.traffic_class) << 16 | u32::from(total_len);
    let third = u32::from(ttl) << 24 | u32::from(protocol) << 16;
    let mut header = [0; IPV4_LEN];
    header[0..4].copy_from_slice(&first.to_be_bytes());
    header[4..8].copy_from_slice(&second.to_be_bytes());
    header[8..12].copy_from_slice(&third.to_be_bytes());
    header[12..16].copy_from_slice(&[sa, sb, sc, sd]);
    header[16..20].copy_from_slice(&[da, db, dc, dd]);
    let check = checksum::ipv4_header(&header);
    header[10..12].copy_from_slice(&check.to_be_bytes());
    head[GROWTH..].copy_from_slice(&header);
    Ok(Restored {
        total_len,
        scrubbed,
    })
}

/// Sends a packet on to another host: its destination's prefix becomes `to`, and a hop is counted.
///
/// `buf` holds the IPv6 header that `ip` was parsed from and, if the packet is in the fast form, at least the
/// [`touched`] bytes of the transport header if the packet has that many. An escaped packet keeps all that is
/// behind the header.
///
/// # Errors
///
/// [`DropReason::ForwardLoop`] if the packet may go no further, [`DropReason::Malformed`] if `buf` is too
/// short.
#[inline]
pub fn redirect(
    buf: &mut [u8],
    ip: &Ipv6,
    to: SubstratePrefix,
    csum: L4Checksum,
) -> Result<(), DropReason> {
    if ip.hop_limit <= 1 {
        return Err(DropReason::ForwardLoop);
    }
    let (head, l4) = buf
        .split_first_chunk_mut::<IPV6_LEN>()
        .ok_or(DropReason::Malformed)?;
    let from = SubstratePrefix::of(&ip.dst);
    if carries(ip.next_header) {
        let (old, new) = (checksum::sum(from.octets()), checksum::sum(to.octets()));
        // Adding 0xFFFF instead of 0 keeps a sum from becoming 0; see `checksum::negate`.
        let delta = match checksum::add(new, !old) {
            0 => 0xffff,
            delta => delta,
        };
        fix_checksum(l4, ip.next_header, ip.payload_len, delta, csum)?;
    }
    head[7] = ip.hop_limit.saturating_sub(1);
    head[24..36].copy_from_slice(to.octets());
    Ok(())
}

/// Whether a packet between these addresses is one for a node by its address, within one network.
///
/// # Errors
///
/// [`DropReason::AddressForm`] if a slot, U or G bit is set in either, [`DropReason::NetworkMismatch`]
/// if they are of different networks.
#[inline]
pub const fn check_arrival(
    src: &SubstrateAddress,
    dst: &SubstrateAddress,
) -> Result<(), DropReason> {
    if let Err(reason) = check_form(src, dst) {
        return Err(reason);
    }
    if src.vni != dst.vni {
        return Err(DropReason::NetworkMismatch);
    }
    Ok(())
}

/// Whether a packet between these addresses is one from a node for a node, by their addresses.
///
/// # Errors
///
/// [`DropReason::AddressForm`] if a slot, U or G bit is set in either.
#[inline]
pub const fn check_form(src: &SubstrateAddress, dst: &SubstrateAddress) -> Result<(), DropReason> {
    if src.is_plain() && dst.is_plain() {
        Ok(())
    } else {
        Err(DropReason::AddressForm)
    }
}

/// Adds `delta` to what the checksum of TCP or UDP covers. `l4_len` is the length of the transport part
/// by the IP header, of which `l4` holds at least the bytes touched.
#[inline]
fn fix_checksum(
    l4: &mut [u8],
    protocol: u8,
    l4_len: u16,
    delta: u16,
    csum: L4Checksum,
) -> Result<(), DropReason> {
    let touched = touched(protocol);
    if touched == 0 || (l4_len as usize) < touched {
        return Ok(());
    }
    // In both protocols the checksum is the last field touched.
    let field = l4
        .get_mut(..touched)
        .and_then(|l4| l4.last_chunk_mut::<2>())
        .ok_or(DropReason::Malformed)?;
    fix_field(field, protocol == UDP, delta, csum);
    Ok(())
}

/// Adds `delta` to what the checksum in `field` covers.
#[inline(always)]
pub(crate) fn fix_field(field: &mut [u8; 2], is_udp: bool, delta: u16, csum: L4Checksum) {
    let old = u16::from_be_bytes(*field);
    let new = match csum {
        L4Checksum::Partial => checksum::add(old, delta),
        // The sender chose to have no checksum (RFC 768); between two hosts of the overlay that holds.
        L4Checksum::Complete if is_udp && old == 0 => 0,
        L4Checksum::Complete => match checksum::adjust(old, delta) {
            // 0 would say that there is no checksum (RFC 768, RFC 8200 §8.1).
            0 if is_udp => 0xffff,
            new => new,
        },
    };
    *field = new.to_be_bytes();
}
