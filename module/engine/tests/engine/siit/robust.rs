// SPDX-License-Identifier: GPL-2.0

//! Rows N: packets cut, damaged, and sent there and back.

use super::wire::*;
use crate::packet::{pseudo_v4, pseudo_v6, reference_sum};
use ovnet_engine::siit::UdpZero;
use ovnet_engine::DropReason;
use proptest::prelude::*;

/// One packet of every kind to IPv6.
fn kinds4() -> Vec<Vec<u8>> {
    let quote = V4::back(UDP, udp(200)).bytes();
    vec![
        V4::new(TCP, tcp(60)).bytes(),
        V4::new(UDP, udp(60)).bytes(),
        V4 {
            df: false,
            ..V4::new(UDP, udp(1300))
        }
        .bytes(),
        V4::new(ICMP, echo(8, 20)).bytes(),
        V4::new(47, data(30)).bytes(),
        V4 {
            options: vec![1, 131, 7, 8, 1, 2, 3, 4],
            ..V4::new(UDP, udp(30))
        }
        .bytes(),
        V4 {
            df: false,
            mf: true,
            ..V4::new(UDP, udp(64))
        }
        .bytes(),
        V4::new(ICMP, icmp(3, 4, 1400, &quote)).bytes(),
        V4::new(
            ICMP,
            icmp(3, 1, 35 << 16, &[&quote[..140], &[0x20; 12]].concat()),
        )
        .bytes(),
        V4::new(ICMP, icmp(11, 0, 0, &V4::back(ICMP, echo(8, 20)).bytes())).bytes(),
    ]
}

/// One packet of every kind to IPv4.
fn kinds6() -> Vec<Vec<u8>> {
    let quote = V6::new(UDP, udp(200)).bytes();
    let options = (60, vec![0; 8]);
    let routing = (43, vec![0; 8]);
    vec![
        V6::back(TCP, tcp(60)).bytes(),
        V6::back(UDP, udp(60)).bytes(),
        V6::back(ICMPV6, echo(128, 20)).bytes(),
        V6::back(47, data(30)).bytes(),
        V6 {
            headers: vec![options.clone(), routing],
            ..V6::back(UDP, udp(30))
        }
        .bytes(),
        V6 {
            headers: vec![options, fragment(0, true, 9)],
            ..V6::back(UDP, udp(64))
        }
        .bytes(),
        V6::back(ICMPV6, icmp(2, 0, 1400, &quote)).bytes(),
        V6::back(
            ICMPV6,
            icmp(1, 0, 20 << 24, &[&quote[..160], &[0x20; 12]].concat()),
        )
        .bytes(),
        V6::back(
            ICMPV6,
            icmp(3, 0, 0, &V6::new(ICMPV6, echo(128, 20)).bytes()),
        )
        .bytes(),
    ]
}

/// What leaves is whole: lengths agree, and so does the header checksum.
fn consistent(packet: &[u8]) {
    match packet[0] >> 4 {
        6 => assert_eq!(
            usize::from(u16::from_be_bytes([packet[4], packet[5]])),
            packet.len() - 40
        ),
        4 => {
            assert_eq!(packet[0], 0x45);
            assert_eq!(
                usize::from(u16::from_be_bytes([packet[2], packet[3]])),
                packet.len()
            );
            assert_eq!(reference_sum(&packet[..20]), 0xffff);
        }
        version => panic!("version {version}"),
    }
}

fn check(edge: &Edge, packet: &[u8], v6: bool) {
    match edge.run(packet, v6, true) {
        Out::Packets(packets) => {
            assert!(!packets.is_empty());
            packets.iter().for_each(|packet| consistent(packet));
        }
        Out::Reply(_, reply) => consistent(&reply),
        Out::Drop(_) => {}
        Out::Software => panic!("nothing was left to a device"),
    }
}

fn edges() -> [Edge; 2] {
    let mut other = with(|siit| {
        siit.udp_zero = UdpZero::Compute;
        siit.owner = true;
        siit.mtu4 = 100;
        siit.hairpin = ovnet_engine::siit::Hairpin::Intrinsic;
    });
    other.maps = vec![(A4, A6), (B4, B6)];
    [edge(), other]
}

#[test]
fn n03_every_truncation_is_dropped_or_consistent() {
    for edge in edges() {
        for (packets, v6) in [(kinds4(), false), (kinds6(), true)] {
            for packet in packets {
                for len in 0..=packet.len() {
                    check(&edge, &packet[..len], v6);
                    // The same with a header that knows of it.
                    let mut cut = packet[..len].to_vec();
                    if v6 && len >= 40 {
                        cut[4..6].copy_from_slice(&(len as u16 - 40).to_be_bytes());
                    } else if !v6 && len >= 4 * usize::from(packet[0] & 15) {
                        cut[2..4].copy_from_slice(&(len as u16).to_be_bytes());
                        crate::packet::fix_header(&mut cut);
                    }
                    check(&edge, &cut, v6);
                }
            }
        }
    }
}

#[test]
fn n04_every_corruption_is_dropped_or_consistent() {
    for edge in edges() {
        for (packets, v6) in [(kinds4(), false), (kinds6(), true)] {
            for packet in packets {
                for place in 0..packet.len().min(120) {
                    for value in 0..=255u8 {
                        let mut damaged = packet.clone();
                        damaged[place] = value;
                        check(&edge, &damaged, v6);
                        if !v6
                            && place < 20
                            && damaged[0] >> 4 == 4
                            && usize::from(damaged[0] & 15) * 4 <= damaged.len()
                            && damaged[0] & 15 >= 5
                        {
                            crate::packet::fix_header(&mut damaged);
                            check(&edge, &damaged, v6);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn n09_a_sender_that_obeys_gets_through() {
    let edge = with(|siit| siit.mtu6 = 1400);
    let packet = V4::new(TCP, tcp(1361));
    edge.replies4(&packet, DropReason::TooBig, (3, 4, 1380));
    let packet = V4::new(TCP, tcp(1360));
    assert_eq!(packet.bytes().len(), 1380);
    edge.sends6(&packet, &V6::new(TCP, tcp(1360)));
}

#[test]
fn n10_the_smallest_mtu_passes_whole() {
    for df in [false, true] {
        let edge = with(|siit| (siit.mtu6, siit.mtu4) = (1280, 1260));
        let packet = V4 {
            df,
            ..V4::new(TCP, tcp(1240))
        };
        edge.sends6(&packet, &V6::new(TCP, tcp(1240)));
        edge.sends4(&V6::back(TCP, tcp(1240)), &V4::back(TCP, tcp(1240)));
    }
}

/// Any packet that two edges carry, built with right checksums.
fn any_packet() -> impl Strategy<Value = V4> {
    let protocol = prop_oneof![Just(TCP), Just(UDP), Just(ICMP), Just(50), Just(132)];
    (
        (any::<u8>(), any::<u16>(), any::<bool>(), 3u8.., protocol),
        any::<[u8; 2]>(),
        prop::collection::vec(any::<u8>(), 20..200),
    )
        .prop_map(|((tos, id, df, ttl, protocol), hosts, mut l4)| {
            if protocol == ICMP {
                l4[0] = if l4[0] & 1 == 0 { 8 } else { 0 };
            }
            let [a, b] = hosts;
            V4 {
                tos,
                id: if df { id } else { FRESH },
                df,
                ttl,
                src: [192, 0, 2, a].into(),
                dst: [198, 51, 100, b].into(),
                ..V4::new(protocol, l4)
            }
            .sealed()
        })
}

fn one(out: Out) -> Vec<u8> {
    match out {
        Out::Packets(mut packets) if packets.len() == 1 => packets.remove(0),
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn n08_two_edges_change_only_what_ipv6_cannot_hold(packet in any_packet()) {
        let edge = edge();
        let v6 = one(edge.to6(&packet.bytes()));
        consistent(&v6);
        // The transport's checksum is the one a sender would have computed.
        let protocol = v6[6];
        if matches!(protocol, TCP | UDP | ICMPV6) {
            let (src, dst) = (v6[8..24].try_into().expect("16"), v6[24..40].try_into().expect("16"));
            let pseudo = pseudo_v6(src, dst, protocol, v6.len() - 40);
            prop_assert_eq!(reference_sum(&[&pseudo, &v6[40..]].concat()), 0xffff);
        }
        let v4 = one(edge.to4(&v6));
        // At this size DF is gone and the identification is a fresh one.
        let expected = V4 { ttl: packet.ttl - 2, df: false, id: FRESH, ..packet };
        prop_assert_eq!(&v4, &expected.bytes());
        if matches!(v4[9], TCP | UDP) {
            let pseudo = pseudo_v4(expected.src, expected.dst, v4[9], v4.len() - 20);
            prop_assert_eq!(reference_sum(&[&pseudo, &v4[20..]].concat()), 0xffff);
        }
    }

    #[test]
    fn n04_arbitrary_bytes_are_dropped_or_consistent(
        mut bytes in prop::collection::vec(any::<u8>(), 0..300), v6: bool, shaped: bool, other: bool,
    ) {
        if shaped && v6 && bytes.len() >= 40 {
            bytes[0] = 0x60;
            let len = bytes.len() as u16 - 40;
            bytes[4..6].copy_from_slice(&len.to_be_bytes());
            bytes[8..24].copy_from_slice(&B6);
            bytes[24..40].copy_from_slice(&A6);
        } else if shaped && bytes.len() >= 60 {
            bytes[0] = 0x40 | bytes[0].clamp(5, 15);
            let len = bytes.len() as u16;
            bytes[2..4].copy_from_slice(&len.to_be_bytes());
            bytes[12..16].copy_from_slice(&A4.octets());
            bytes[16..20].copy_from_slice(&B4.octets());
            crate::packet::fix_header(&mut bytes);
        }
        check(&edges()[usize::from(other)], &bytes, v6);
    }
}
