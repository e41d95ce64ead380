// SPDX-License-Identifier: GPL-2.0

//! Rows A: the IPv6 header of an IPv4 packet.

use std::net::Ipv4Addr;

use super::wire::*;
use ovnet_engine::DropReason;

#[test]
fn a01_a_tcp_segment() {
    let packet = V4 {
        tos: 0xb9,
        ..V4::new(TCP, tcp(60))
    };
    let expected = V6 {
        class: 0xb9,
        ..V6::new(TCP, tcp(60))
    };
    edge().sends6(&packet, &expected);
}

#[test]
fn a02_the_traffic_class_can_be_reset() {
    let packet = V4 {
        tos: 0xb9,
        ..V4::new(UDP, udp(20))
    };
    with(|siit| siit.reset_traffic_class = true).sends6(&packet, &V6::new(UDP, udp(20)));
}

#[test]
fn a03_protocol_numbers_are_copied() {
    for protocol in [17, 6, 47, 50, 51, 89, 132, 33, 136, 255, 59] {
        let packet = V4::new(protocol, data(64));
        let mut expected = V6::new(protocol, data(64));
        if !matches!(protocol, 6 | 17) {
            expected.l4 = packet.l4.clone();
        }
        edge().sends6(&packet, &expected);
    }
}

#[test]
fn a04_icmp_becomes_icmpv6() {
    edge().sends6(&V4::new(ICMP, echo(8, 56)), &V6::new(ICMPV6, echo(128, 56)));
}

#[test]
fn a05_the_last_ttl_that_passes() {
    let packet = V4 {
        ttl: 2,
        ..V4::new(TCP, tcp(20))
    };
    let expected = V6 {
        hop: 1,
        ..V6::new(TCP, tcp(20))
    };
    edge().sends6(&packet, &expected);
}

#[test]
fn a06_a_ttl_that_runs_out_is_reported() {
    for ttl in [0, 1] {
        let packet = V4 {
            ttl,
            ..V4::new(UDP, udp(100))
        };
        edge().replies4(&packet, DropReason::TtlExceeded, (11, 0, 0));
    }
}

#[test]
fn a07_each_address_has_its_own_mapping() {
    let mut edge = edge();
    edge.maps = vec![
        (A4, v6(&[0xfd00, 1])),
        (B4, v6(&[0xfd00, 2, 0, 0, 0, 0, 0, 7])),
    ];
    let packet = V4::new(TCP, tcp(20));
    let expected = V6 {
        src: v6(&[0xfd00, 1]),
        dst: v6(&[0xfd00, 2, 0, 0, 0, 0, 0, 7]),
        ..V6::new(TCP, tcp(20))
    };
    edge.sends6(&packet, &expected.clone().sealed());
    edge.maps.remove(0);
    let expected = V6 {
        src: A6,
        ..expected
    };
    edge.sends6(&packet, &expected.sealed());
    // Neither address has one: the destination is what is told of.
    edge.maps.clear();
    edge.siit.pool6 = None;
    edge.drops6(&packet, DropReason::NoMapping);
}

const MARTIANS: [Ipv4Addr; 6] = [
    Ipv4Addr::new(127, 0, 0, 1),
    Ipv4Addr::new(169, 254, 1, 1),
    Ipv4Addr::new(0, 0, 0, 0),
    Ipv4Addr::new(224, 0, 0, 1),
    Ipv4Addr::new(240, 0, 0, 1),
    Ipv4Addr::new(255, 255, 255, 255),
];

#[test]
fn a08_sources_no_host_has_are_dropped() {
    for src in MARTIANS {
        let packet = V4 {
            src,
            ..V4::new(UDP, udp(20))
        };
        edge().drops6(&packet.sealed(), DropReason::MartianSource);
    }
}

#[test]
fn a09_errors_from_sources_no_host_has_are_translated() {
    let router = v6(&[0x2001, 0xdb8, 0, 1]);
    let mut edge = with(|siit| {
        siit.pool6 = None;
        siit.router6 = Some(router);
    });
    edge.maps = vec![(A4, A6), (B4, B6)];
    let quoted = V4::back(UDP, udp(20));
    let inner = V6::back(UDP, udp(20));
    for src in MARTIANS {
        let packet = V4 {
            src,
            ..V4::new(ICMP, icmp(11, 0, 0, &quoted.bytes()))
        };
        let inner = V6 {
            hop: 63,
            ..inner.clone()
        };
        let expected = V6 {
            src: router,
            ..V6::new(ICMPV6, icmp(3, 0, 0, &inner.bytes()))
        };
        edge.sends6(&packet, &expected.sealed());
    }
}

#[test]
fn a10_a_destination_without_a_mapping_is_not_translated() {
    let mut edge = with(|siit| siit.pool6 = None);
    edge.maps = vec![(A4, A6)];
    let packet = V4::new(TCP, tcp(20));
    edge.drops6(&packet, DropReason::NoMapping);
    edge.siit.owner = true;
    edge.replies4(&packet, DropReason::NoMapping, (3, 1, 0));
    // Addresses that no packet may be sent to have none, whatever the prefix.
    for dst in [
        [127, 0, 0, 1],
        [169, 254, 1, 1],
        [0, 0, 0, 0],
        [241, 0, 0, 1],
    ] {
        let packet = V4 {
            dst: dst.into(),
            ..packet.clone()
        };
        super::wire::edge().drops6(&packet.sealed(), DropReason::NoMapping);
    }
}

#[test]
fn a11_df_alone_makes_no_fragment_header() {
    for id in [0, 1, 0xffff] {
        let packet = V4 {
            id,
            ..V4::new(TCP, tcp(1000))
        };
        edge().sends6(&packet, &V6::new(TCP, tcp(1000)));
    }
}

#[test]
fn a12_no_atomic_fragment_is_made() {
    let packet = V4 {
        df: false,
        ..V4::new(TCP, tcp(1240))
    };
    edge().sends6(&packet, &V6::new(TCP, tcp(1240)));
}

#[test]
fn a13_headers_that_contradict_themselves_are_dropped() {
    let good = V4::new(TCP, tcp(20)).bytes();
    type Damage = fn(&mut Vec<u8>);
    let damages: [Damage; 7] = [
        |packet| packet[3] = 19,
        |packet| packet[3] = 41,
        |packet| packet[0] = 0x55,
        |packet| packet[0] = 0x44,
        |packet| packet[0] = 0x4f,
        |packet| packet.truncate(19),
        |packet| packet.clear(),
    ];
    for (place, damage) in damages.iter().enumerate() {
        let mut packet = good.clone();
        damage(&mut packet);
        if place < 4 {
            crate::packet::fix_header(&mut packet[..20]);
        }
        same(edge().to6(&packet), Out::Drop(DropReason::Malformed));
    }
    let mut packet = good;
    packet[10] ^= 1;
    same(edge().to6(&packet), Out::Drop(DropReason::Malformed));
}

#[test]
fn a14_padding_is_trimmed() {
    let packet = [V4::new(UDP, udp(9)).bytes(), vec![0xaa; 17]].concat();
    same(
        edge().to6(&packet),
        Out::Packets(vec![V6::new(UDP, udp(9)).bytes()]),
    );
}

#[test]
fn a15_the_reserved_flag_is_ignored() {
    let packet = V4 {
        rf: true,
        ..V4::new(UDP, udp(9))
    };
    edge().sends6(&packet, &V6::new(UDP, udp(9)));
}

#[test]
fn a16_packets_without_a_payload_pass_and_truncated_transports_do_not() {
    for protocol in [59, TCP] {
        edge().sends6(&V4::new(protocol, vec![]), &V6::new(protocol, vec![]));
    }
    for (protocol, len) in [(TCP, 1), (TCP, 19), (UDP, 1), (UDP, 7)] {
        let mut packet = V4::new(TCP, tcp(20));
        packet.protocol = protocol;
        packet.l4.truncate(len);
        edge().drops6(&packet, DropReason::Malformed);
    }
}

#[test]
fn a18_groups_are_dropped() {
    for dst in [[224, 0, 0, 1], [239, 255, 255, 255], [255, 255, 255, 255]] {
        let packet = V4 {
            dst: dst.into(),
            ..V4::new(UDP, udp(20))
        };
        edge().drops6(&packet.sealed(), DropReason::Multicast);
    }
}
