// SPDX-License-Identifier: GPL-2.0

//! Rows D: ICMPv4 messages.

use super::wire::*;
use ovnet_engine::DropReason;

/// An ICMPv4 error about a packet that came from the IPv6 side.
fn error(kind: u8, code: u8, word: u32) -> V4 {
    V4::new(
        ICMP,
        icmp(kind, code, word, &V4::back(UDP, udp(40)).bytes()),
    )
}

/// What it becomes.
fn error6(kind: u8, code: u8, word: u32) -> V6 {
    let quoted = V6 {
        hop: 63,
        ..V6::back(UDP, udp(40))
    };
    V6::new(ICMPV6, icmp(kind, code, word, &quoted.bytes()))
}

#[test]
fn d01_echo() {
    for len in [0, 1, 56, 1400] {
        edge().sends6(
            &V4::new(ICMP, echo(8, len)),
            &V6::new(ICMPV6, echo(128, len)),
        );
    }
}

#[test]
fn d02_echo_reply() {
    for len in [0, 1, 56] {
        edge().sends6(
            &V4::new(ICMP, echo(0, len)),
            &V6::new(ICMPV6, echo(129, len)),
        );
    }
}

#[test]
fn d03_other_queries_are_dropped() {
    for kind in [13, 14, 15, 16, 17, 18, 9, 10] {
        edge().drops6(
            &V4::new(ICMP, echo(kind, 12)),
            DropReason::IcmpUntranslatable,
        );
    }
}

#[test]
fn d04_other_messages_are_dropped() {
    for kind in [4, 5, 6, 30, 40, 42, 43, 1, 2, 7, 19, 128, 255] {
        edge().drops6(&error(kind, 0, 0), DropReason::IcmpUntranslatable);
    }
}

#[test]
fn d05_unreachable_networks_and_hosts() {
    for code in [0, 1, 5, 6, 7, 8, 11, 12] {
        edge().sends6(&error(3, code, 0), &error6(1, 0, 0));
    }
}

#[test]
fn d06_unreachable_protocol_points_at_the_next_header() {
    edge().sends6(&error(3, 2, 0), &error6(4, 1, 6));
}

#[test]
fn d07_unreachable_port() {
    edge().sends6(&error(3, 3, 0), &error6(1, 4, 0));
}

#[test]
fn d08_fragmentation_needed_gives_the_smallest_mtu() {
    for (mtu, mtu6, mtu4, expected) in [
        (1400, 1500, 1500, 1420),
        (1480, 1500, 1500, 1500),
        (9000, 1500, 1500, 1500),
        (9000, 9000, 1400, 1420),
        (9000, 1300, 9000, 1300),
        (100, 1500, 1500, 1280),
    ] {
        let edge = with(|siit| (siit.mtu6, siit.mtu4) = (mtu6, mtu4));
        edge.sends6(&error(3, 4, mtu), &error6(2, 0, expected));
    }
}

#[test]
fn d09_an_mtu_of_zero_is_guessed_from_the_plateaus() {
    // (total length of the quoted packet, MTU)
    for (len, expected) in [
        (65535, 32020),
        (32001, 32020),
        (32000, 17934),
        (8167, 8186),
        (4353, 4372),
        (2003, 2022),
        (1500, 1512),
        (1492, 1280),
        (576, 1280),
        (68, 1280),
        (28, 1280),
    ] {
        let edge = with(|siit| (siit.mtu6, siit.mtu4) = (65535, 65535));
        let mut quoted = V4::back(UDP, udp(40)).bytes();
        quoted[2..4].copy_from_slice(&(len as u16).to_be_bytes());
        let mut inner = V6 {
            hop: 63,
            ..V6::back(UDP, udp(40))
        }
        .bytes();
        inner[4..6].copy_from_slice(&(len as u16 - 20).to_be_bytes());
        edge.sends6(
            &V4::new(ICMP, icmp(3, 4, 0, &quoted)),
            &V6::new(ICMPV6, icmp(2, 0, expected, &inner)),
        );
    }
}

#[test]
fn d10_the_mtu_is_at_least_1280() {
    for (mtu, expected) in [(1259, 1280), (1260, 1280), (1261, 1281)] {
        edge().sends6(&error(3, 4, mtu), &error6(2, 0, expected));
    }
}

#[test]
fn d11_prohibited() {
    for code in [9, 10, 13, 15] {
        edge().sends6(&error(3, code, 0), &error6(1, 1, 0));
    }
}

#[test]
fn d12_unreachable_for_other_reasons_is_dropped() {
    for code in [14, 16, 17, 255] {
        edge().drops6(&error(3, code, 0), DropReason::IcmpUntranslatable);
    }
}

#[test]
fn d13_time_exceeded() {
    for code in [0, 1] {
        edge().sends6(&error(11, code, 0), &error6(3, code, 0));
    }
    edge().drops6(&error(11, 2, 0), DropReason::IcmpUntranslatable);
}

#[test]
fn d14_pointers_follow_the_field() {
    let table = [
        (0, 0),
        (1, 1),
        (2, 4),
        (3, 4),
        (8, 7),
        (9, 6),
        (12, 8),
        (13, 8),
        (14, 8),
        (15, 8),
        (16, 24),
        (17, 24),
        (18, 24),
        (19, 24),
    ];
    for pointer in 0..=255 {
        for code in [0, 2] {
            let packet = error(12, code, pointer << 24);
            match table.iter().find(|pair| pair.0 == pointer) {
                Some(pair) => edge().sends6(&packet, &error6(4, 0, pair.1)),
                None => edge().drops6(&packet, DropReason::IcmpUntranslatable),
            }
        }
    }
}

#[test]
fn d15_other_parameter_problems_are_dropped() {
    for code in [1, 3, 255] {
        edge().drops6(&error(12, code, 0), DropReason::IcmpUntranslatable);
    }
}

#[test]
fn d16_the_unused_word_is_cleared() {
    edge().sends6(&error(3, 1, 0xff00_ffff), &error6(1, 0, 0));
    edge().sends6(&error(11, 0, 0xff00_ffff), &error6(3, 0, 0));
}

#[test]
fn d17_a_wrong_checksum_of_a_query_stays_as_wrong() {
    for wrong in [1u16, 0x100, 0x7fff, 0xfffe] {
        let mut packet = V4::new(ICMP, echo(8, 40));
        let mut expected = V6::new(ICMPV6, echo(128, 40));
        for l4 in [&mut packet.l4, &mut expected.l4] {
            let sum = u32::from(l4[2]) << 8 | u32::from(l4[3]);
            let sum = (sum + u32::from(wrong)) % 0xffff;
            l4[2..4].copy_from_slice(&(sum as u16).to_be_bytes());
        }
        edge().sends6(&packet, &expected);
    }
}

#[test]
fn d18_an_error_with_a_wrong_checksum_is_dropped() {
    let mut packet = error(3, 1, 0);
    for place in [2, 3, 4, 20, 40] {
        packet.l4[place] ^= 0x10;
        edge().drops6(&packet, DropReason::IcmpChecksum);
        packet.l4[place] ^= 0x10;
    }
}

#[test]
fn d19_igmp_is_dropped() {
    edge().drops6(&V4::new(2, data(8)), DropReason::Multicast);
}

#[test]
fn d20_messages_of_less_than_eight_bytes_are_dropped() {
    for kind in [0, 3, 8, 11] {
        for len in 0..8 {
            let mut packet = error(kind, 0, 0);
            packet.l4.truncate(len);
            edge().drops6(&packet.sealed(), DropReason::Malformed);
        }
    }
}
