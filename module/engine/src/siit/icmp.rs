// SPDX-License-Identifier: GPL-2.0

//! The types, codes, pointers and MTUs of ICMPv4 and ICMPv6 (RFC 7915 §4.2 and §5.2).

use super::{Siit, MIN_MTU4, MIN_MTU6};

pub(crate) const ECHO4: u8 = 8;
pub(crate) const ECHO_REPLY4: u8 = 0;
pub(crate) const UNREACHABLE4: u8 = 3;
pub(crate) const TIME_EXCEEDED4: u8 = 11;
pub(crate) const PARAMETER4: u8 = 12;

pub(crate) const UNREACHABLE6: u8 = 1;
pub(crate) const TOO_BIG6: u8 = 2;
pub(crate) const TIME_EXCEEDED6: u8 = 3;
pub(crate) const PARAMETER6: u8 = 4;
pub(crate) const ECHO6: u8 = 128;
pub(crate) const ECHO_REPLY6: u8 = 129;

/// MTUs that links have had (RFC 1191 §7), for routers that do not say theirs.
const PLATEAUS: [u16; 11] = [
    65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68,
];

/// The first eight bytes of an ICMP message without the checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Icmp {
    pub(crate) kind: u8,
    pub(crate) code: u8,
    /// The last four bytes: unused, MTU or pointer.
    pub(crate) word: u32,
}

/// Whether a type of ICMPv4 is an error. Redirects and source quench are too: nothing is sent about them.
pub(crate) const fn is_error4(kind: u8) -> bool {
    matches!(kind, UNREACHABLE4 | 4 | 5 | TIME_EXCEEDED4 | PARAMETER4)
}

/// Whether a type of ICMPv6 is an error (RFC 4443 §2.1).
pub(crate) const fn is_error6(kind: u8) -> bool {
    kind < 128
}

/// Whether ICMP bytes at this offset of a datagram are the start of an error.
pub(crate) fn starts_error4(offset: u16, message: &[u8]) -> bool {
    offset == 0 && message.first().is_some_and(|&kind| is_error4(kind))
}

/// Whether ICMPv6 bytes at this offset of a datagram are the start of an error.
pub(crate) fn starts_error6(offset: u16, message: &[u8]) -> bool {
    offset == 0 && message.first().is_some_and(|&kind| is_error6(kind))
}

/// The type of an informational message in ICMPv6.
pub(crate) const fn query_to6(kind: u8) -> Option<u8> {
    match kind {
        ECHO4 => Some(ECHO6),
        ECHO_REPLY4 => Some(ECHO_REPLY6),
        _ => None,
    }
}

/// The type of an informational message in ICMPv4.
pub(crate) const fn query_to4(kind: u8) -> Option<u8> {
    match kind {
        ECHO6 => Some(ECHO4),
        ECHO_REPLY6 => Some(ECHO_REPLY4),
        _ => None,
    }
}

/// Whether ICMPv4 messages of this type give the length of the packet they quote (RFC 4884 §4).
pub(crate) const fn has_length4(kind: u8) -> bool {
    matches!(kind, UNREACHABLE4 | TIME_EXCEEDED4 | PARAMETER4)
}

/// Whether ICMPv6 messages of this type give the length of the packet they quote.
pub(crate) const fn has_length6(kind: u8) -> bool {
    matches!(kind, UNREACHABLE6 | TIME_EXCEEDED6)
}

/// An ICMPv4 error in ICMPv6, if there is such an error. `quoted` is the total length of the packet that
/// it quotes.
pub(crate) fn error_to6(icmp: Icmp, quoted: u16, siit: &Siit<'_>) -> Option<Icmp> {
    let (kind, code, word) = match (icmp.kind, icmp.code) {
        (UNREACHABLE4, 0 | 1 | 5..=8 | 11 | 12) => (UNREACHABLE6, 0, 0),
        // Nobody takes the protocol: the Next Header byte of an IPv6 header.
        (UNREACHABLE4, 2) => (PARAMETER6, 1, 6),
        (UNREACHABLE4, 3) => (UNREACHABLE6, 4, 0),
        (UNREACHABLE4, 4) => (TOO_BIG6, 0, mtu_to6(icmp.word as u16, quoted, siit)),
        (UNREACHABLE4, 9 | 10 | 13 | 15) => (UNREACHABLE6, 1, 0),
        (TIME_EXCEEDED4, 0 | 1) => (TIME_EXCEEDED6, icmp.code, 0),
        (PARAMETER4, 0 | 2) => (PARAMETER6, 0, pointer_to6((icmp.word >> 24) as u8)?),
        _ => return None,
    };
    Some(Icmp { kind, code, word })
}

/// An ICMPv6 error in ICMPv4, if there is such an error.
pub(crate) fn error_to4(icmp: Icmp, siit: &Siit<'_>) -> Option<Icmp> {
    let (kind, code, word) = match (icmp.kind, icmp.code) {
        (UNREACHABLE6, 0 | 2 | 3) => (UNREACHABLE4, 1, 0),
        (UNREACHABLE6, 1) => (UNREACHABLE4, 10, 0),
        (UNREACHABLE6, 4) => (UNREACHABLE4, 3, 0),
        // The receiver ignores the code (RFC 4443 §3.2).
        (TOO_BIG6, _) => (UNREACHABLE4, 4, mtu_to4(icmp.word, siit)),
        (TIME_EXCEEDED6, 0 | 1) => (TIME_EXCEEDED4, icmp.code, 0),
        (PARAMETER6, 0) => (PARAMETER4, 0, u32::from(pointer_to4(icmp.word)?) << 24),
        (PARAMETER6, 1) => (UNREACHABLE4, 2, 0),
        _ => return None,
    };
    Some(Icmp { kind, code, word })
}

fn mtu_to6(mtu: u16, quoted: u16, siit: &Siit<'_>) -> u32 {
    let mtu = match mtu {
        0 => PLATEAUS
            .into_iter()
            .find(|&plateau| plateau < quoted)
            .unwrap_or(MIN_MTU4 as u16),
        mtu => mtu,
    };
    u32::from(mtu)
        .wrapping_add(20)
        .min(siit.mtu6())
        .min(siit.mtu4().saturating_add(20))
        .max(MIN_MTU6)
}

fn mtu_to4(mtu: u32, siit: &Siit<'_>) -> u32 {
    mtu.saturating_sub(20)
        .min(siit.mtu4())
        .min(siit.mtu6().saturating_sub(20))
        .clamp(MIN_MTU4, u32::from(u16::MAX))
}

/// The field of an IPv6 header that a field of an IPv4 header became.
const fn pointer_to6(pointer: u8) -> Option<u32> {
    Some(match pointer {
        0 => 0,
        1 => 1,
        2 | 3 => 4,
        8 => 7,
        9 => 6,
        12..=15 => 8,
        16..=19 => 24,
        _ => return None,
    })
}

/// The field of an IPv4 header that a field of an IPv6 header became.
const fn pointer_to4(pointer: u32) -> Option<u8> {
    Some(match pointer {
        0 => 0,
        1 => 1,
        4 | 5 => 2,
        6 => 9,
        7 => 8,
        8..=23 => 12,
        24..=39 => 16,
        _ => return None,
    })
}
