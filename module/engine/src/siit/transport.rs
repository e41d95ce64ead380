// SPDX-License-Identifier: GPL-2.0

//! Transport headers as far as translation touches them: their least length, and the checksum that covers
//! the addresses.

use core::net::Ipv4Addr;

use crate::bytes;
use crate::checksum;
use crate::fast::L4Checksum;

pub(crate) const ICMP: u8 = 1;
pub(crate) const IGMP: u8 = 2;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const DCCP: u8 = 33;
pub(crate) const ICMPV6: u8 = 58;
pub(crate) const UDP_LITE: u8 = 136;

/// Where a UDP header keeps its length.
const UDP_LEN: usize = 4;

/// Where a UDP header keeps its checksum.
pub(crate) const UDP_CHECKSUM: usize = 6;

/// Whether the first bytes of a datagram are too few for the header that is translated. `icmp` is the number of
/// the ICMP that means something here.
///
/// A datagram that is `empty` is none of ours to judge, unless it is ICMP.
pub(crate) fn is_truncated(protocol: u8, icmp: u8, empty: bool, l4: &[u8]) -> bool {
    let min_len = match protocol {
        _ if protocol == icmp => 8,
        _ if empty => 0,
        TCP => 20,
        UDP => 8,
        _ => 0,
    };
    l4.len() < min_len
}

/// Where a protocol keeps a checksum that covers the addresses, `others` than TCP and UDP included or not.
const fn checksum_at(protocol: u8, others: bool) -> Option<usize> {
    match protocol {
        TCP => Some(16),
        UDP => Some(6),
        UDP_LITE | DCCP if others => Some(6),
        _ => None,
    }
}

/// What a sum over an IPv4 pseudo-header grows by when the addresses become those of IPv6. Never 0x0000,
/// for the reason that [`checksum::negate`] gives.
pub(crate) fn delta(src4: Ipv4Addr, dst4: Ipv4Addr, src6: &[u8; 16], dst6: &[u8; 16]) -> u16 {
    let new = checksum::add(checksum::sum(src6), checksum::sum(dst6));
    let old = checksum::add(checksum::sum(&src4.octets()), checksum::sum(&dst4.octets()));
    nonzero(checksum::add(new, !old))
}

/// The same number, written 0xFFFF if it is 0.
pub(crate) const fn nonzero(delta: u16) -> u16 {
    if delta == 0 {
        0xffff
    } else {
        delta
    }
}

/// Adds `delta` to what the checksum of a transport header covers, if it has such a checksum and `l4` holds
/// it. `others` says whether checksums of others than TCP and UDP are touched.
pub(crate) fn adjust(l4: &mut [u8], protocol: u8, others: bool, delta: u16, csum: L4Checksum) {
    let Some(at) = checksum_at(protocol, others) else {
        return;
    };
    let Some(old) = bytes::word(l4, at) else {
        return;
    };
    let new = match csum {
        L4Checksum::Partial => checksum::add(old, delta),
        // There is no checksum (RFC 768).
        L4Checksum::Complete if protocol == UDP && old == 0 => return,
        L4Checksum::Complete => match checksum::adjust(old, delta) {
            // 0 would say that there is none.
            0 if matches!(protocol, UDP | UDP_LITE) => 0xffff,
            new => new,
        },
    };
    let _ = bytes::write(l4, at, new.to_be_bytes());
}

/// Whether a UDP header says that there is no checksum.
pub(crate) fn is_udp_zero(l4: &[u8], csum: L4Checksum) -> bool {
    matches!(csum, L4Checksum::Complete) && bytes::word(l4, UDP_CHECKSUM) == Some(0)
}

/// The length that a UDP header gives, if the packet has as much.
pub(crate) fn udp_len(l4: &[u8], payload_len: u16) -> Option<u16> {
    bytes::word(l4, UDP_LEN).filter(|len| (8..=payload_len).contains(len))
}

/// The sum of an IPv6 pseudo-header (RFC 8200 §8.1).
pub(crate) fn pseudo6(src: &[u8; 16], dst: &[u8; 16], protocol: u8, len: u16) -> u16 {
    let addresses = checksum::add(checksum::sum(src), checksum::sum(dst));
    checksum::add(addresses, checksum::add(len, u16::from(protocol)))
}
