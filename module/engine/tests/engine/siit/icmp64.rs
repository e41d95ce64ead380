// SPDX-License-Identifier: GPL-2.0

//! Rows J: ICMPv6 messages.

use super::wire::*;
use ovnet_engine::DropReason;

/// A packet that the IPv4 side sent, as the IPv6 side quotes it.
fn quoted(protocol: u8, l4: Vec<u8>) -> V6 {
    V6::new(protocol, l4)
}

/// The same in IPv4, small enough to have an ID.
fn quoted4(protocol: u8, l4: Vec<u8>) -> V4 {
    V4 {
        id: FRESH,
        df: false,
        ttl: 63,
        ..V4::new(protocol, l4)
    }
}

fn error(kind: u8, code: u8, word: u32) -> V6 {
    V6::back(
        ICMPV6,
        icmp(kind, code, word, &quoted(UDP, udp(40)).bytes()),
    )
}

fn error4(kind: u8, code: u8, word: u32) -> V4 {
    V4::back(ICMP, icmp(kind, code, word, &quoted4(UDP, udp(40)).bytes()))
}

/// A host unreachable that quotes these bytes, and what it becomes if it quotes those.
#[track_caller]
fn sends(quote: &[u8], expected: &[u8]) {
    edge().sends4(
        &V6::back(ICMPV6, icmp(1, 3, 0, quote)),
        &V4::back(ICMP, icmp(3, 1, 0, expected)),
    );
}

#[test]
fn j01_echo() {
    for (kind, kind4) in [(128, 8), (129, 0)] {
        for len in [0, 1, 56, 1200] {
            edge().sends4(
                &V6::back(ICMPV6, echo(kind, len)),
                &V4::back(ICMP, echo(kind4, len)),
            );
        }
    }
}

#[test]
fn j02_other_queries_are_dropped() {
    for kind in [
        130, 131, 132, 143, 133, 134, 135, 136, 137, 139, 140, 151, 152, 153, 200, 255,
    ] {
        edge().drops4(
            &V6::back(ICMPV6, echo(kind, 24)),
            DropReason::IcmpUntranslatable,
        );
    }
}

#[test]
fn j03_unreachable() {
    for code in [0, 2, 3] {
        edge().sends4(&error(1, code, 0xff_ffff), &error4(3, 1, 0));
    }
}

#[test]
fn j04_prohibited() {
    edge().sends4(&error(1, 1, 0), &error4(3, 10, 0));
}

#[test]
fn j05_unreachable_port() {
    edge().sends4(&error(1, 4, 0), &error4(3, 3, 0));
}

#[test]
fn j06_unreachable_for_other_reasons_is_dropped() {
    for code in [5, 6, 7, 255] {
        edge().drops4(&error(1, code, 0), DropReason::IcmpUntranslatable);
    }
}

#[test]
fn j07_packet_too_big_gives_the_smallest_mtu() {
    for (mtu, mtu6, mtu4, expected) in [
        (1500, 1500, 1500, 1480),
        (1400, 1500, 1500, 1380),
        (9000, 1500, 1500, 1480),
        (9000, 9000, 1300, 1300),
        (9000, 1400, 9000, 1380),
    ] {
        let edge = with(|siit| (siit.mtu6, siit.mtu4) = (mtu6, mtu4));
        edge.sends4(&error(2, 0, mtu), &error4(3, 4, expected));
    }
}

#[test]
fn j08_small_and_huge_mtus_are_clamped() {
    for (mtu, expected) in [
        (1279, 1259),
        (600, 580),
        (89, 69),
        (88, 68),
        (87, 68),
        (0, 68),
    ] {
        edge().sends4(&error(2, 0, mtu), &error4(3, 4, expected));
    }
    let edge = with(|siit| (siit.mtu6, siit.mtu4) = (1 << 20, 1 << 20));
    edge.sends4(&error(2, 0, u32::MAX), &error4(3, 4, 65535));
}

#[test]
fn j09_time_exceeded() {
    for code in [0, 1] {
        edge().sends4(&error(3, code, 0), &error4(11, code, 0));
    }
    edge().drops4(&error(3, 2, 0), DropReason::IcmpUntranslatable);
}

#[test]
fn j10_pointers_follow_the_field() {
    for pointer in (0u32..64).chain([255, 256, u32::MAX]) {
        let expected = match pointer {
            0 => Some(0u32),
            1 => Some(1),
            4 | 5 => Some(2),
            6 => Some(9),
            7 => Some(8),
            8..=23 => Some(12),
            24..=39 => Some(16),
            _ => None,
        };
        match expected {
            Some(to) => edge().sends4(&error(4, 0, pointer), &error4(12, 0, to << 24)),
            None => edge().drops4(&error(4, 0, pointer), DropReason::IcmpUntranslatable),
        }
    }
}

#[test]
fn j11_an_unknown_next_header_is_an_unreachable_protocol() {
    for pointer in [6, 40] {
        edge().sends4(&error(4, 1, pointer), &error4(3, 2, 0));
    }
}

#[test]
fn j12_other_errors_are_dropped() {
    for (kind, code) in [(4, 2), (4, 3), (4, 255), (0, 0), (5, 0), (100, 0), (127, 0)] {
        edge().drops4(&error(kind, code, 0), DropReason::IcmpUntranslatable);
    }
}

#[test]
fn j13_an_error_with_a_wrong_checksum_is_dropped() {
    let mut packet = error(1, 0, 0);
    for place in [2, 3, 4, 20, 60] {
        packet.l4[place] ^= 0x10;
        edge().drops4(&packet, DropReason::IcmpChecksum);
        packet.l4[place] ^= 0x10;
    }
}

#[test]
fn j14_the_quoted_packet_is_translated() {
    let quote = V6 {
        hop: 3,
        class: 0x2e,
        label: 0x1234,
        headers: vec![
            (0, vec![0; 8]),
            (60, vec![0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ],
        ..quoted(TCP, tcp(60))
    };
    let expected = V4 {
        ttl: 3,
        tos: 0x2e,
        ..quoted4(TCP, tcp(60))
    };
    sends(&quote.bytes(), &expected.bytes());
    for (kind, kind4) in [(128, 8), (129, 0)] {
        let quote = quoted(ICMPV6, echo(kind, 60)).bytes();
        let expected = quoted4(ICMP, echo(kind4, 60)).bytes();
        for len in [0, 1, 4, 8, 68] {
            sends(&quote[..40 + len], &expected[..20 + len]);
        }
    }
    let unmapped = V6 {
        dst: STRANGER6,
        ..quoted(UDP, udp(20))
    };
    let packet = V6::back(ICMPV6, icmp(1, 0, 0, &unmapped.bytes()));
    edge().drops4(&packet, DropReason::NoMapping);
}

#[test]
fn j15_flags_of_the_quoted_packet_are_those_of_its_declared_length() {
    let quote = quoted(TCP, tcp(1241)).bytes();
    let expected = V4 {
        df: true,
        id: 0,
        ..quoted4(TCP, tcp(1241))
    }
    .bytes();
    sends(&quote[..100], &expected[..80]);
    let (quote, expected) = (
        quoted(TCP, tcp(1240)).bytes(),
        quoted4(TCP, tcp(1240)).bytes(),
    );
    sends(&quote[..100], &expected[..80]);
}

#[test]
fn j16_the_translated_error_has_at_most_576_bytes() {
    let (quote, expected) = (
        quoted(UDP, udp(1000)).bytes(),
        quoted4(UDP, udp(1000)).bytes(),
    );
    for len in [567, 568, 569, 1000] {
        sends(&quote[..len], &expected[..(len - 20).min(548)]);
    }
}

#[test]
fn j17_a_quote_cut_within_its_headers_is_dropped() {
    let quote = V6 {
        headers: vec![(0, vec![0; 8]), (60, vec![0; 8])],
        ..quoted(TCP, tcp(60))
    }
    .bytes();
    for len in 0..56 {
        let packet = V6::back(ICMPV6, icmp(1, 0, 0, &quote[..len]));
        edge().drops4(&packet, DropReason::IcmpQuote);
    }
    sends(&quote[..56], &quoted4(TCP, tcp(60)).bytes()[..20]);
}

#[test]
fn j18_an_error_about_an_error_is_dropped() {
    for kind in [1, 2, 3, 4, 100] {
        let quote = quoted(ICMPV6, icmp(kind, 0, 0, &data(60)));
        let packet = V6::back(ICMPV6, icmp(1, 0, 0, &quote.bytes()));
        edge().drops4(&packet, DropReason::IcmpQuote);
    }
    let redirect = quoted(ICMPV6, echo(137, 40));
    let packet = V6::back(ICMPV6, icmp(1, 0, 0, &redirect.bytes()));
    edge().drops4(&packet, DropReason::IcmpUntranslatable);
}

#[test]
fn j19_a_quoted_fragment_stays_one() {
    let whole = (V4::new(UDP, udp(900)).l4, V6::new(UDP, udp(900)).l4);
    for (offset, more) in [(0, true), (9, true), (9, false), (0, false)] {
        let first = offset == 0;
        let quote = V6 {
            headers: vec![fragment(offset, more, 0xaaaa_5566)],
            l4: whole.1[..88].to_vec(),
            ..quoted(UDP, udp(8))
        };
        let expected = V4 {
            id: 0x5566,
            offset,
            mf: more,
            l4: if first { &whole.0 } else { &whole.1 }[..88].to_vec(),
            ..quoted4(UDP, udp(8))
        };
        sends(&quote.bytes(), &expected.bytes());
    }
}

#[test]
fn j19_a_later_fragment_of_icmpv6_has_no_type() {
    for kind in [1, 128, 130] {
        let l4 = icmp(kind, 0, 0, &data(40));
        let quote = V6 {
            headers: vec![fragment(5, false, 0xaaaa_5566)],
            l4: l4.clone(),
            ..quoted(ICMPV6, l4.clone())
        };
        let expected = V4 {
            id: 0x5566,
            offset: 5,
            l4: l4.clone(),
            ..quoted4(ICMP, l4)
        };
        sends(&quote.bytes(), &expected.bytes());
    }
}
