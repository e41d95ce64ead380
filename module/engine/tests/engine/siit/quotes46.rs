// SPDX-License-Identifier: GPL-2.0

//! Rows E: packets quoted by ICMPv4 errors.

use super::wire::*;
use ovnet_engine::DropReason;

/// A host unreachable that quotes these bytes, and what it becomes if it quotes those.
#[track_caller]
fn sends(quoted: &[u8], expected: &[u8]) {
    edge().sends6(
        &V4::new(ICMP, icmp(3, 1, 0, quoted)),
        &V6::new(ICMPV6, icmp(1, 0, 0, expected)),
    );
}

#[track_caller]
fn drops(quoted: &[u8], reason: DropReason) {
    edge().drops6(&V4::new(ICMP, icmp(3, 1, 0, quoted)), reason);
}

/// A quoted packet: its hop limit is that of the quoted TTL.
fn inner6(protocol: u8, l4: Vec<u8>) -> V6 {
    V6 {
        hop: 63,
        ..V6::back(protocol, l4)
    }
}

#[test]
fn e01_the_quoted_ttl_is_kept() {
    for ttl in [0, 1, 200] {
        let quoted = V4 {
            ttl,
            tos: 0x2e,
            ..V4::back(UDP, udp(60))
        };
        let expected = V6 {
            hop: ttl,
            class: 0x2e,
            ..V6::back(UDP, udp(60))
        };
        sends(&quoted.bytes(), &expected.bytes());
    }
}

#[test]
fn e02_quoted_addresses_need_mappings() {
    let mut edge = with(|siit| siit.pool6 = None);
    let packet = V4::new(ICMP, icmp(3, 1, 0, &V4::back(UDP, udp(60)).bytes()));
    let expected = V6::new(ICMPV6, icmp(1, 0, 0, &inner6(UDP, udp(60)).bytes()));
    edge.maps = vec![(A4, A6), (B4, B6)];
    edge.sends6(&packet, &expected);
    let elsewhere = V4 {
        src: [203, 0, 113, 7].into(),
        ..V4::back(UDP, udp(60))
    };
    let packet = V4::new(ICMP, icmp(3, 1, 0, &elsewhere.bytes()));
    edge.drops6(&packet, DropReason::NoMapping);
    let elsewhere = V4 {
        dst: [203, 0, 113, 7].into(),
        ..V4::back(UDP, udp(60))
    };
    let packet = V4::new(ICMP, icmp(3, 1, 0, &elsewhere.bytes()));
    edge.drops6(&packet, DropReason::NoMapping);
}

#[test]
fn e03_lengths_are_those_of_the_whole_quoted_packet() {
    let (quoted, expected) = (
        V4::back(TCP, tcp(1000)).bytes(),
        inner6(TCP, tcp(1000)).bytes(),
    );
    for len in [20, 28, 48, 500] {
        sends(&quoted[..20 + len], &expected[..40 + len]);
    }
}

#[test]
fn e04_eight_bytes_of_transport_are_enough() {
    let (quoted, expected) = (
        V4::back(UDP, udp(100)).bytes(),
        inner6(UDP, udp(100)).bytes(),
    );
    assert_ne!(quoted[26..28], expected[46..48]);
    sends(&quoted[..28], &expected[..48]);
    let (quoted, expected) = (
        V4::back(TCP, tcp(100)).bytes(),
        inner6(TCP, tcp(100)).bytes(),
    );
    for len in 0..=20 {
        // A checksum is there whole or not at all.
        let len = if len == 17 { 16 } else { len };
        sends(&quoted[..20 + len], &expected[..40 + len]);
    }
}

#[test]
fn e05_quoted_fragments_get_a_fragment_header() {
    let l4 = V4::back(UDP, udp(900)).l4;
    let l6 = V6::back(UDP, udp(900)).l4;
    for (offset, mf) in [(0, true), (20, true), (20, false)] {
        let quoted = V4 {
            offset,
            mf,
            id: 0x7788,
            l4: l4[..64].to_vec(),
            ..V4::back(UDP, udp(900))
        };
        let l6 = if offset == 0 { &l6 } else { &l4 };
        let expected = V6 {
            headers: vec![fragment(offset, mf, 0x7788)],
            l4: l6[..64].to_vec(),
            ..inner6(UDP, udp(900))
        };
        sends(&quoted.bytes(), &expected.bytes());
    }
}

#[test]
fn e05_a_later_fragment_of_icmp_has_no_type() {
    for kind in [0, 3, 8, 13] {
        let l4 = icmp(kind, 0, 0, &data(40));
        let quoted = V4 {
            offset: 5,
            id: 0x7788,
            l4: l4.clone(),
            ..V4::back(ICMP, l4.clone())
        };
        let expected = V6 {
            headers: vec![fragment(5, false, 0x7788)],
            l4: l4.clone(),
            ..inner6(ICMPV6, l4)
        };
        sends(&quoted.bytes(), &expected.bytes());
    }
}

#[test]
fn e06_quoted_options_are_removed() {
    let quoted = V4 {
        options: vec![7, 7, 4, 0, 0, 0, 0, 0],
        ..V4::back(UDP, udp(60))
    };
    sends(&quoted.bytes(), &inner6(UDP, udp(60)).bytes());
    // Even if they are nonsense.
    let quoted = V4 {
        options: vec![7, 0, 0, 0],
        ..V4::back(UDP, udp(60))
    };
    sends(&quoted.bytes(), &inner6(UDP, udp(60)).bytes());
}

#[test]
fn e07_quoted_echo() {
    for (kind, kind6) in [(8, 128), (0, 129)] {
        let quoted = V4::back(ICMP, echo(kind, 80)).bytes();
        let expected = inner6(ICMPV6, echo(kind6, 80)).bytes();
        for len in [0, 1, 4, 8, 88] {
            sends(&quoted[..20 + len], &expected[..40 + len]);
        }
    }
    drops(
        &V4::back(ICMP, echo(13, 12)).bytes(),
        DropReason::IcmpUntranslatable,
    );
}

#[test]
fn e08_an_error_about_an_error_is_dropped() {
    for kind in [3, 4, 5, 11, 12] {
        let quoted = V4::back(ICMP, icmp(kind, 0, 0, &V4::new(UDP, udp(20)).bytes()));
        drops(&quoted.bytes(), DropReason::IcmpQuote);
        drops(&quoted.bytes()[..28], DropReason::IcmpQuote);
    }
}

#[test]
fn e09_the_quote_is_trimmed_to_1280_bytes() {
    let (quoted, expected) = (
        V4::back(TCP, tcp(1400)).bytes(),
        inner6(TCP, tcp(1400)).bytes(),
    );
    for len in [1191, 1192, 1193, 1400] {
        sends(&quoted[..20 + len], &expected[..40 + len.min(1192)]);
    }
    assert_eq!(expected[4..6], 1400u16.to_be_bytes());
}

#[test]
fn e10_a_quoted_udp_checksum_of_zero_stays() {
    let mut quoted = V4::back(UDP, udp(60));
    let mut expected = inner6(UDP, udp(60));
    quoted.l4[6..8].fill(0);
    expected.l4[6..8].fill(0);
    sends(&quoted.bytes(), &expected.bytes());
}

#[test]
fn e11_less_than_a_header_is_dropped() {
    let quoted = V4 {
        options: vec![1, 1, 1, 0],
        ..V4::back(UDP, udp(60))
    }
    .bytes();
    for len in 0..24 {
        drops(&quoted[..len], DropReason::IcmpQuote);
    }
    let mut other = quoted.clone();
    other[0] = 0x66;
    drops(&other, DropReason::IcmpQuote);
    // A length that does not cover the header makes no sense in IPv6.
    let mut short = quoted;
    short[2..4].copy_from_slice(&[0, 19]);
    drops(&short, DropReason::Malformed);
}

#[test]
fn e12_the_quoted_header_checksum_is_not_judged() {
    let mut quoted = V4::back(UDP, udp(60)).bytes();
    quoted[10] ^= 0x55;
    sends(&quoted, &inner6(UDP, udp(60)).bytes());
}

#[test]
fn e13_a_quoted_icmpv6_number_is_left() {
    let message = icmp(1, 2, 3, &data(20));
    let quoted = V4 {
        l4: message.clone(),
        ..V4::back(ICMPV6, message.clone())
    };
    let expected = V6 {
        l4: message.clone(),
        ..inner6(ICMPV6, message)
    };
    sends(&quoted.bytes(), &expected.bytes());
}
