// SPDX-License-Identifier: GPL-2.0

//! Rows H: fragments from IPv6 to IPv4.

use super::wire::*;
use ovnet_engine::DropReason;

const ID: u32 = 0xdead_7788;

fn piece(offset: u16, more: bool, l4: &[u8]) -> V6 {
    V6 {
        headers: vec![fragment(offset, more, ID)],
        l4: l4.to_vec(),
        ..V6::back(UDP, udp(8))
    }
}

fn piece4(offset: u16, mf: bool, l4: &[u8]) -> V4 {
    V4 {
        offset,
        mf,
        id: 0x7788,
        l4: l4.to_vec(),
        ..V4::back(UDP, udp(8))
    }
}

fn datagram(len: usize) -> (Vec<u8>, Vec<u8>) {
    (V4::back(UDP, udp(len)).l4, V6::back(UDP, udp(len)).l4)
}

#[test]
fn h01_fragments_stay_fragments() {
    let (v4, v6) = datagram(1000);
    edge().sends4(&piece(0, true, &v6[..400]), &piece4(0, true, &v4[..400]));
    edge().sends4(
        &piece(50, true, &v6[400..800]),
        &piece4(50, true, &v4[400..800]),
    );
    edge().sends4(
        &piece(100, false, &v6[800..]),
        &piece4(100, false, &v4[800..]),
    );
    let large = data(1400);
    edge().sends4(&piece(100, true, &large), &piece4(100, true, &large));
}

#[test]
fn h02_an_atomic_fragment_is_a_whole_packet() {
    let (v4, v6) = datagram(400);
    edge().sends4(&piece(0, false, &v6), &piece4(0, false, &v4));
    let (v4, v6) = datagram(1400);
    edge().sends4(&piece(0, false, &v6), &piece4(0, false, &v4));
    let packet = V6 {
        headers: vec![fragment(0, false, ID)],
        ..V6::back(ICMPV6, echo(128, 40))
    };
    let expected = V4 {
        id: 0x7788,
        ..V4::back(ICMP, echo(8, 40))
    };
    edge().sends4(&packet, &expected);
}

#[test]
fn h02_an_error_in_an_atomic_fragment_keeps_its_identification() {
    let quoted = V6::new(UDP, udp(40)).bytes();
    let packet = V6 {
        headers: vec![fragment(0, false, ID)],
        ..V6::back(ICMPV6, icmp(1, 0, 0, &quoted))
    };
    let quoted = V4 {
        id: FRESH,
        df: false,
        ttl: 63,
        ..V4::new(UDP, udp(40))
    }
    .bytes();
    let expected = V4 {
        id: 0x7788,
        ..V4::back(ICMP, icmp(3, 1, 0, &quoted))
    };
    edge().sends4(&packet, &expected);
}

#[test]
fn h03_headers_behind_the_fragment_header_are_refused() {
    for number in [0, 43, 60, 51, 44] {
        let packet = |offset, more| V6 {
            headers: vec![fragment(offset, more, ID), (number, vec![0; 8])],
            ..V6::back(TCP, tcp(40))
        };
        edge().replies6(&packet(0, true), DropReason::ExtensionHeaders, (1, 1, 0));
        edge().replies6(&packet(0, false), DropReason::ExtensionHeaders, (1, 1, 0));
        edge().drops4(&packet(8, true), DropReason::ExtensionHeaders);
    }
}

#[test]
fn h04_encrypted_fragments_pass() {
    let packet = V6 {
        protocol: 50,
        ..piece(0, true, &data(80))
    };
    let expected = V4 {
        protocol: 50,
        ..piece4(0, true, &data(80))
    };
    edge().sends4(&packet, &expected);
}

#[test]
fn h05_headers_before_the_fragment_header_are_skipped() {
    let (v4, v6) = datagram(1000);
    let mut packet = piece(0, true, &v6[..400]);
    packet.headers.insert(0, (60, vec![0; 8]));
    packet.headers.insert(0, (0, vec![0; 8]));
    edge().sends4(&packet, &piece4(0, true, &v4[..400]));
}

#[test]
fn h06_fragments_of_icmpv6_are_dropped() {
    for (offset, more) in [(0, true), (5, true), (5, false)] {
        let packet = V6 {
            headers: vec![fragment(offset, more, ID)],
            ..V6::back(ICMPV6, echo(128, 40))
        };
        edge().drops4(&packet, DropReason::IcmpFragment);
    }
}

#[test]
fn h07_lengths_are_copied_without_judgement() {
    edge().sends4(&piece(10, true, &data(43)), &piece4(10, true, &data(43)));
}

#[test]
fn h08_a_fragment_that_does_not_fit() {
    let (_, v6) = datagram(1400);
    let edge = with(|siit| siit.mtu4 = 1300);
    edge.replies6(
        &piece(0, true, &v6[..1288]),
        DropReason::TooBig,
        (2, 0, 1320),
    );
    edge.drops4(&piece(1, true, &v6[..1288]), DropReason::TooBig);
    edge.drops4(&piece(1, false, &v6[..1288]), DropReason::TooBig);
}

#[test]
fn h09_a_fragment_beyond_the_largest_packet_is_dropped() {
    let last = (65535 - 20) / 8;
    let room = (65535 - 20) % 8;
    edge().sends4(
        &piece(last, false, &data(room)),
        &piece4(last, false, &data(room)),
    );
    edge().drops4(&piece(last, false, &data(room + 1)), DropReason::Malformed);
}
