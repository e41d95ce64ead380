// SPDX-License-Identifier: GPL-2.0

//! Rows C: fragments and sizes from IPv4 to IPv6.

use super::wire::*;
use ovnet_engine::DropReason;

/// A fragment of a large UDP datagram.
fn piece(offset: u16, mf: bool, l4: &[u8]) -> V4 {
    V4 {
        df: false,
        mf,
        offset,
        l4: l4.to_vec(),
        ..V4::new(UDP, udp(8))
    }
}

/// Its translation.
fn piece6(offset: u16, more: bool, l4: &[u8]) -> V6 {
    V6 {
        headers: vec![fragment(offset, more, 0x4321)],
        l4: l4.to_vec(),
        ..V6::new(UDP, udp(8))
    }
}

/// A whole datagram in both forms.
fn datagram(len: usize) -> (Vec<u8>, Vec<u8>) {
    (V4::new(UDP, udp(len)).l4, V6::new(UDP, udp(len)).l4)
}

fn out(pieces: &[V6]) -> Out {
    Out::Packets(pieces.iter().map(V6::bytes).collect())
}

#[test]
fn c01_a_fragment_gets_a_fragment_header() {
    let (v4, v6) = datagram(1000);
    edge().sends6(&piece(0, true, &v4[..400]), &piece6(0, true, &v6[..400]));
    edge().sends6(
        &piece(50, true, &v4[400..800]),
        &piece6(50, true, &v6[400..800]),
    );
    edge().sends6(
        &piece(100, false, &v4[800..]),
        &piece6(100, false, &v6[800..]),
    );
    let bytes = piece6(100, false, &v6[800..]).bytes();
    assert_eq!(bytes[6], 44);
    assert_eq!(bytes[40..48], [17, 0, 3, 0x20, 0, 0, 0x43, 0x21]);
}

#[test]
fn c02_df_makes_no_difference_to_a_fragment_that_fits() {
    let (v4, v6) = datagram(1000);
    let packet = V4 {
        df: true,
        ..piece(0, true, &v4[..400])
    };
    edge().sends6(&packet, &piece6(0, true, &v6[..400]));
}

#[test]
fn c03_the_transport_of_later_fragments_is_untouched() {
    for protocol in [TCP, UDP, 33, 136] {
        let packet = V4 {
            protocol,
            ..piece(3, true, &data(40))
        };
        let expected = V6 {
            protocol,
            ..piece6(3, true, &data(40))
        };
        edge().sends6(&packet, &expected);
    }
}

#[test]
fn c04_the_checksum_of_a_first_fragment_is_adjusted() {
    let (v4, v6) = (V4::new(TCP, tcp(2000)).l4, V6::new(TCP, tcp(2000)).l4);
    let packet = V4 {
        protocol: TCP,
        ..piece(0, true, &v4[..800])
    };
    let expected = V6 {
        protocol: TCP,
        ..piece6(0, true, &v6[..800])
    };
    edge().sends6(&packet, &expected);
}

#[test]
fn c05_large_packets_are_fragmented() {
    let (v4, v6) = datagram(3000);
    // Each piece of at most 1280 bytes holds 1232.
    let packet = piece(0, false, &v4);
    let expected = [
        piece6(0, true, &v6[..1232]),
        piece6(154, true, &v6[1232..2464]),
        piece6(308, false, &v6[2464..]),
    ];
    same(edge().to6(&packet.bytes()), out(&expected));
    // Pieces of a fragment count on from its offset, and its last piece is not the last of all.
    let packet = piece(100, true, &v4[..2400]);
    let expected = [
        piece6(100, true, &v4[..1232]),
        piece6(254, true, &v4[1232..2400]),
    ];
    same(edge().to6(&packet.bytes()), out(&expected));
    // A piece behind the largest offset cannot be written.
    let packet = piece(0x1fff, false, &v4[..2400]);
    edge().drops6(&packet, DropReason::Malformed);
}

#[test]
fn c06_one_byte_more_than_fits() {
    let (v4, v6) = (V4::new(TCP, tcp(1241)).l4, V6::new(TCP, tcp(1241)).l4);
    let packet = V4 {
        df: false,
        l4: v4,
        ..V4::new(TCP, tcp(1241))
    };
    assert_eq!(packet.bytes().len(), 1261);
    let expected = [(0, true, &v6[..1232]), (154, false, &v6[1232..])];
    let expected = expected.map(|(offset, more, l4)| V6 {
        protocol: TCP,
        ..piece6(offset, more, l4)
    });
    same(edge().to6(&packet.bytes()), out(&expected));
    assert_eq!(expected.map(|piece| piece.bytes().len()), [1280, 57]);
}

#[test]
fn c07_pieces_are_rounded_down_to_eight_bytes() {
    let (v4, v6) = datagram(1363);
    let edge = with(|siit| siit.lowest_ipv6_mtu = 1402);
    let packet = piece(0, false, &v4);
    assert_eq!(packet.bytes().len(), 1383);
    let expected = [
        piece6(0, true, &v6[..1352]),
        piece6(169, false, &v6[1352..]),
    ];
    same(edge.to6(&packet.bytes()), out(&expected));
    assert_eq!(expected.map(|piece| piece.bytes().len()), [1400, 59]);
}

#[test]
fn c08_what_must_not_be_fragmented_and_does_not_fit_is_reported() {
    let edge = with(|siit| siit.mtu6 = 1400);
    let fits = V4::new(UDP, udp(1360));
    edge.sends6(&fits, &V6::new(UDP, udp(1360)));
    let packet = V4::new(UDP, udp(1361));
    edge.replies4(&packet, DropReason::TooBig, (3, 4, 1380));
    let packet = V4 {
        mf: true,
        ..V4::new(UDP, udp(1360))
    };
    edge.replies4(&packet, DropReason::TooBig, (3, 4, 1380));
    let packet = V4 {
        offset: 5,
        ..V4::new(UDP, udp(1360))
    };
    edge.drops6(&packet, DropReason::TooBig);
}

#[test]
fn c09_the_limit_is_for_packets_without_df() {
    edge().sends6(&V4::new(UDP, udp(1460)), &V6::new(UDP, udp(1460)));
}

#[test]
fn c10_a_packet_at_the_limit_is_whole() {
    for limit in [1280, 1380, 1500] {
        let edge = with(|siit| siit.lowest_ipv6_mtu = limit);
        let len = limit as usize - 40;
        let packet = V4 {
            df: false,
            ..V4::new(UDP, udp(len))
        };
        edge.sends6(&packet, &V6::new(UDP, udp(len)));
    }
}

#[test]
fn c11_a_fragment_at_the_limit_stays_one() {
    let (v4, v6) = datagram(3000);
    edge().sends6(&piece(0, true, &v4[..1232]), &piece6(0, true, &v6[..1232]));
    let expected = [
        piece6(0, true, &v6[..1232]),
        piece6(154, true, &v6[1232..1240]),
    ];
    same(
        edge().to6(&piece(0, true, &v4[..1240]).bytes()),
        out(&expected),
    );
}

#[test]
fn c12_no_limit_is_below_1280() {
    for (limit, mtu6) in [(576, 1500), (1280, 576), (0, 0)] {
        let edge = with(|siit| (siit.lowest_ipv6_mtu, siit.mtu6) = (limit, mtu6));
        let packet = V4 {
            df: false,
            ..V4::new(UDP, udp(1240))
        };
        edge.sends6(&packet, &V6::new(UDP, udp(1240)));
    }
}

#[test]
fn c13_pieces_keep_the_identification() {
    let (v4, v6) = datagram(1300);
    let packet = V4 {
        id: 0xfedc,
        ..piece(0, false, &v4)
    };
    let expected = [(0, true, &v6[..1232]), (154, false, &v6[1232..])];
    let expected = expected.map(|(offset, more, l4)| V6 {
        headers: vec![fragment(offset, more, 0xfedc)],
        ..piece6(0, true, l4)
    });
    same(edge().to6(&packet.bytes()), out(&expected));
}

#[test]
fn c14_odd_fragments_are_translated_and_tiny_first_ones_are_not() {
    // Beyond the largest datagram, and not a multiple of 8.
    edge().sends6(
        &piece(0x1fff, true, &data(13)),
        &piece6(0x1fff, true, &data(13)),
    );
    for (protocol, len) in [(TCP, 8), (TCP, 16), (UDP, 0), (UDP, 7)] {
        let packet = V4 {
            protocol,
            ..piece(0, true, &data(len))
        };
        edge().drops6(&packet, DropReason::Malformed);
    }
}

#[test]
fn c15_fragments_of_icmp_are_dropped() {
    for (offset, mf) in [(0, true), (7, true), (7, false)] {
        let packet = V4 {
            offset,
            mf,
            df: false,
            ..V4::new(ICMP, echo(8, 64))
        };
        edge().drops6(&packet, DropReason::IcmpFragment);
    }
}

#[test]
fn c16_a_translated_error_is_trimmed_and_never_fragmented() {
    let quoted = V4::back(UDP, udp(1400));
    let packet = V4 {
        df: false,
        ..V4::new(ICMP, icmp(3, 1, 0, &quoted.bytes()))
    };
    let inner = V6 {
        hop: 63,
        ..V6::back(UDP, udp(1400))
    };
    let expected = V6::new(ICMPV6, icmp(1, 0, 0, &inner.bytes()[..1232]));
    assert_eq!(expected.bytes().len(), 1280);
    edge().sends6(&packet, &expected);
}
