// SPDX-License-Identifier: GPL-2.0

//! Rows G: the IPv4 header of an IPv6 packet.

use super::wire::*;
use ovnet_engine::siit::UdpZero;
use ovnet_engine::DropReason;

/// A header of the common form with this many 8-byte units beyond the first.
fn header(number: u8, units: u8) -> (u8, Vec<u8>) {
    let mut bytes = vec![0, units, 1, 0];
    bytes.resize(8 * (usize::from(units) + 1), 0);
    (number, bytes)
}

/// A routing header with segments left.
fn routing(kind: u8, left: u8) -> (u8, Vec<u8>) {
    (
        43,
        vec![
            0, 2, kind, left, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
        ],
    )
}

#[test]
fn g01_a_tcp_segment() {
    let packet = V6 {
        class: 0xb9,
        label: 0xabcde,
        ..V6::back(TCP, tcp(60))
    };
    let expected = V4 {
        tos: 0xb9,
        ..V4::back(TCP, tcp(60))
    };
    edge().sends4(&packet, &expected);
}

#[test]
fn g02_the_type_of_service_can_be_fixed() {
    let packet = V6 {
        class: 0xb9,
        ..V6::back(TCP, tcp(60))
    };
    let expected = V4 {
        tos: 0x10,
        ..V4::back(TCP, tcp(60))
    };
    with(|siit| siit.tos = Some(0x10)).sends4(&packet, &expected);
}

/// The translation of a packet of this many bytes of transport, with DF or with a fresh ID.
fn sized(len: usize, df: bool) -> V4 {
    V4 {
        df,
        id: if df { 0 } else { FRESH },
        ..V4::back(TCP, tcp(len))
    }
}

#[test]
fn g03_small_packets_may_be_fragmented_and_have_an_identification() {
    edge().sends4(&V6::back(TCP, tcp(20)), &sized(20, false));
}

#[test]
fn g04_large_packets_must_not_be_fragmented() {
    edge().sends4(&V6::back(TCP, tcp(1460)), &sized(1460, true));
}

#[test]
fn g05_the_border_is_at_1260_bytes() {
    edge().sends4(&V6::back(TCP, tcp(1240)), &sized(1240, false));
    edge().sends4(&V6::back(TCP, tcp(1241)), &sized(1241, true));
}

#[test]
fn g06_a_hop_limit_that_runs_out_is_reported() {
    for hop in [0, 1] {
        let packet = V6 {
            hop,
            ..V6::back(UDP, udp(100))
        };
        edge().replies6(&packet, DropReason::TtlExceeded, (3, 0, 0));
    }
    let packet = V6 {
        hop: 2,
        ..V6::back(UDP, udp(100))
    };
    let expected = V4 {
        ttl: 1,
        ..V4::back(UDP, udp(100))
    };
    edge().sends4(&packet, &expected);
}

#[test]
fn g07_icmpv6_becomes_icmp() {
    edge().sends4(
        &V6::back(ICMPV6, echo(128, 56)),
        &V4::back(ICMP, echo(8, 56)),
    );
}

#[test]
fn g08_extension_headers_are_skipped() {
    let orders = [
        vec![header(0, 0)],
        vec![header(60, 3)],
        vec![routing(0, 0)],
        vec![header(0, 0), header(60, 1), routing(2, 0), header(60, 0)],
        vec![header(60, 0), header(0, 0)],
    ];
    for headers in orders {
        let packet = V6 {
            headers,
            ..V6::back(TCP, tcp(60))
        };
        edge().sends4(&packet, &V4::back(TCP, tcp(60)));
    }
}

#[test]
fn g09_segments_left_are_reported() {
    for kind in [0, 2, 3, 4, 253] {
        let packet = V6 {
            headers: vec![routing(kind, 1)],
            ..V6::back(TCP, tcp(60))
        };
        edge().replies6(&packet, DropReason::SourceRoute, (4, 0, 43));
    }
    let packet = V6 {
        headers: vec![header(0, 1), routing(0, 0), routing(0, 9)],
        ..V6::back(TCP, tcp(60))
    };
    edge().replies6(&packet, DropReason::SourceRoute, (4, 0, 40 + 16 + 24 + 3));
    // Of two the first one counts.
    let packet = V6 {
        headers: vec![routing(0, 1), routing(0, 1)],
        ..V6::back(TCP, tcp(60))
    };
    edge().replies6(&packet, DropReason::SourceRoute, (4, 0, 43));
    // Nothing is said about an error.
    let packet = V6 {
        headers: vec![routing(0, 1)],
        ..V6::back(ICMPV6, icmp(1, 0, 0, &V6::new(UDP, udp(20)).bytes()))
    };
    edge().drops4(&packet, DropReason::SourceRoute);
}

#[test]
fn g10_no_next_header() {
    for len in [0, 5, 100] {
        edge().sends4(&V6::back(59, data(len)), &V4::back(59, data(len)));
    }
}

#[test]
fn g11_authenticated_and_encrypted_packets_are_copied() {
    for protocol in [50, 51, 47, 132, 135, 255] {
        edge().sends4(&V6::back(protocol, data(64)), &V4::back(protocol, data(64)));
    }
}

#[test]
fn g12_sources_that_are_not_forwarded_are_dropped() {
    let sources = [
        v6(&[0, 0, 0, 0, 0, 0, 0, 1]),
        v6(&[]),
        v6(&[0xff02, 0, 0, 0, 0, 0, 0, 1]),
        v6(&[0xfe80, 0, 0, 0, 0, 0, 0, 1]),
        v6(&[0xfebf, 0, 0, 0, 0, 0, 0, 1]),
    ];
    for src in sources {
        let packet = V6 {
            src,
            ..V6::back(TCP, tcp(60))
        };
        edge().drops4(&packet.sealed(), DropReason::MartianSource);
    }
    // Neither is the IPv4 address in it.
    for src in [[127, 0, 0, 1], [169, 254, 1, 1]] {
        let src = pool().embed(src.into()).expect("the pool takes any");
        let packet = V6 {
            src,
            ..V6::back(TCP, tcp(60))
        };
        edge().drops4(&packet.sealed(), DropReason::MartianSource);
    }
}

#[test]
fn g13_a_source_without_a_mapping_is_not_translated() {
    let packet = V6 {
        src: STRANGER6,
        ..V6::back(TCP, tcp(60))
    }
    .sealed();
    edge().drops4(&packet, DropReason::UnknownSource);
    with(|siit| siit.owner = true).replies6(&packet, DropReason::UnknownSource, (1, 5, 0));
}

#[test]
fn g15_a_destination_without_a_mapping_is_not_translated() {
    let packet = V6 {
        dst: STRANGER6,
        ..V6::back(TCP, tcp(60))
    }
    .sealed();
    edge().drops4(&packet, DropReason::NoMapping);
    with(|siit| siit.owner = true).replies6(&packet, DropReason::NoMapping, (1, 0, 0));
    let group = V6 {
        dst: v6(&[0xff0e, 0, 0, 0, 0, 0, 0, 1]),
        ..V6::back(TCP, tcp(60))
    };
    edge().drops4(&group.sealed(), DropReason::Multicast);
    for (dst, reason) in [
        ([224, 0, 0, 9], DropReason::Multicast),
        ([255, 255, 255, 255], DropReason::Multicast),
        ([127, 0, 0, 1], DropReason::NoMapping),
        ([169, 254, 1, 1], DropReason::NoMapping),
    ] {
        let dst = pool().embed(dst.into()).expect("the pool takes any");
        let packet = V6 {
            dst,
            ..V6::back(TCP, tcp(60))
        };
        edge().drops4(&packet.sealed(), reason);
    }
}

#[test]
fn g16_a_udp_checksum_never_becomes_zero() {
    let l4 = zero_sum(|l4| V4::back(UDP, l4).l4, udp(20), 6);
    let packet = V4::back(UDP, l4.clone());
    assert_eq!(packet.l4[6..8], [0xff, 0xff]);
    edge().sends4(&V6::back(UDP, l4), &packet);
}

#[test]
fn g17_udp_without_a_checksum_passes_by_policy_only() {
    let mut packet = V6::back(UDP, udp(40));
    packet.l4[6..8].fill(0);
    edge().drops4(&packet, DropReason::UdpZeroChecksum);
    with(|siit| siit.udp_zero = UdpZero::Compute).drops4(&packet, DropReason::UdpZeroChecksum);
    let mut expected = V4::back(UDP, udp(40));
    expected.l4[6..8].fill(0);
    with(|siit| siit.udp_zero = UdpZero::Keep).sends4(&packet, &expected);
}

#[test]
fn g18_lengths_that_contradict_the_packet_are_dropped() {
    let good = V6 {
        headers: vec![header(60, 1)],
        ..V6::back(TCP, tcp(20))
    }
    .bytes();
    type Damage = fn(&mut Vec<u8>);
    let damages: [Damage; 8] = [
        |packet| packet[5] += 1,
        |packet| packet[0] = 0x50,
        |packet| packet.truncate(39),
        |packet| packet[41] = 4,
        // The header chain ends within the packet but beyond its declared length.
        |packet| packet[5] = 15,
        |packet| packet[5] = 3,
        // A jumbogram.
        |packet| {
            packet[4..7].copy_from_slice(&[0, 0, 0]);
            packet[42..48].copy_from_slice(&[0xc2, 4, 0, 1, 0, 0]);
        },
        |packet| packet.clear(),
    ];
    for damage in damages {
        let mut packet = good.clone();
        damage(&mut packet);
        same(edge().to4(&packet), Out::Drop(DropReason::Malformed));
    }
    // Padding is trimmed.
    let padded = [V6::back(TCP, tcp(20)).bytes(), vec![0; 6]].concat();
    same(
        edge().to4(&padded),
        Out::Packets(vec![V4::back(TCP, tcp(20)).bytes()]),
    );
    for (protocol, len) in [(TCP, 19), (UDP, 7), (ICMPV6, 7), (ICMPV6, 0)] {
        let mut packet = V6::back(protocol, tcp(20));
        packet.l4.truncate(len);
        edge().drops4(&packet, DropReason::Malformed);
    }
}

#[test]
fn g19_what_must_not_be_fragmented_and_does_not_fit_is_reported() {
    let edge = with(|siit| siit.mtu4 = 1400);
    edge.sends4(&V6::back(TCP, tcp(1380)), &sized(1380, true));
    edge.replies6(&V6::back(TCP, tcp(1381)), DropReason::TooBig, (2, 0, 1420));
    let edge = with(|siit| siit.mtu4 = 576);
    edge.replies6(&V6::back(TCP, tcp(1300)), DropReason::TooBig, (2, 0, 1280));
}

#[test]
fn g20_small_packets_are_fragmented_to_fit() {
    let edge = with(|siit| siit.mtu4 = 582);
    let whole = V4::back(UDP, udp(1240));
    let expected = [
        (0, true, 0..560),
        (70, true, 560..1120),
        (140, false, 1120..1240),
    ];
    let expected = expected.map(|(offset, mf, range)| V4 {
        offset,
        mf,
        l4: whole.l4[range].to_vec(),
        ..whole.clone()
    });
    same(
        edge.to4(&V6::back(UDP, udp(1240)).bytes()),
        Out::Packets(expected.iter().map(V4::bytes).collect()),
    );
}

#[test]
fn g21_extension_headers_are_looked_through_within_bounds() {
    let packet = |headers| V6 {
        headers,
        ..V6::back(TCP, tcp(20))
    };
    edge().sends4(&packet(vec![header(60, 0); 8]), &V4::back(TCP, tcp(20)));
    edge().drops4(
        &packet(vec![header(60, 0); 9]),
        DropReason::ExtensionHeaders,
    );
    edge().sends4(&packet(vec![header(60, 31)]), &V4::back(TCP, tcp(20)));
    edge().drops4(&packet(vec![header(60, 32)]), DropReason::ExtensionHeaders);
    edge().drops4(
        &packet(vec![header(60, 16); 2]),
        DropReason::ExtensionHeaders,
    );
}
