// SPDX-License-Identifier: GPL-2.0

//! Rows F: ICMP errors with objects behind the quoted packet.

use super::wire::*;
use ovnet_engine::DropReason;

/// An extension header and an object of this many bytes.
fn objects(len: usize) -> Vec<u8> {
    let mut out = vec![0x20, 0, 0x12, 0x34];
    out.extend((len as u16).to_be_bytes());
    out.extend([1, 1]);
    out.extend((0..len - 4).map(|place| 0xc0 | place as u8));
    out
}

/// The packet that the IPv6 side sent, cut to `len` bytes, in both forms.
fn quotes(len4: usize, len6: usize) -> (Vec<u8>, Vec<u8>) {
    let v4 = V4::back(UDP, udp(1200)).bytes();
    let v6 = V6 {
        hop: 63,
        ..V6::back(UDP, udp(1200))
    };
    (v4[..len4].to_vec(), v6.bytes()[..len6].to_vec())
}

/// Quote, zeros up to `len`, objects.
fn body(quote: &[u8], len: usize, objects: &[u8]) -> Vec<u8> {
    let mut body = quote.to_vec();
    assert!(body.len() <= len);
    body.resize(len, 0);
    body.extend(objects);
    body
}

/// An error to IPv6: type, length byte and body of both.
#[track_caller]
fn sends6(kind: (u8, u8), units: u32, body4: &[u8], kind6: (u8, u8), units6: u32, body6: &[u8]) {
    edge().sends6(
        &V4::new(ICMP, icmp(kind.0, kind.1, units << 16, body4)),
        &V6::new(ICMPV6, icmp(kind6.0, kind6.1, units6 << 24, body6)),
    );
}

/// The other way: about a packet that the IPv4 side sent.
#[track_caller]
fn sends4(kind: (u8, u8), units: u32, body6: &[u8], kind4: (u8, u8), units4: u32, body4: &[u8]) {
    edge().sends4(
        &V6::back(ICMPV6, icmp(kind.0, kind.1, units << 24, body6)),
        &V4::back(ICMP, icmp(kind4.0, kind4.1, units4 << 16, body4)),
    );
}

/// The packet that the IPv4 side sent, in both forms.
fn quotes_back(len4: usize, len6: usize) -> (Vec<u8>, Vec<u8>) {
    let v4 = V4 {
        id: FRESH,
        df: false,
        ttl: 63,
        ..V4::new(UDP, udp(1200))
    };
    let v6 = V6::new(UDP, udp(1200)).bytes();
    (v4.bytes()[..len4].to_vec(), v6[..len6].to_vec())
}

#[test]
fn f01_objects_follow_the_quote_to_ipv6() {
    for (kind, kind6) in [((3, 1), (1, 0)), ((11, 0), (3, 0))] {
        let (v4, v6) = quotes(140, 160);
        sends6(
            kind,
            35,
            &body(&v4, 140, &objects(20)),
            kind6,
            20,
            &body(&v6, 160, &objects(20)),
        );
        // 128 and 20 more bytes are no multiple of 8.
        let (v4, v6) = quotes(128, 148);
        sends6(
            kind,
            32,
            &body(&v4, 128, &objects(8)),
            kind6,
            19,
            &body(&v6, 152, &objects(8)),
        );
    }
}

#[test]
fn f02_objects_follow_the_quote_to_ipv4() {
    for (kind, kind4) in [((1, 0), (3, 1)), ((3, 0), (11, 0))] {
        let (v4, v6) = quotes_back(180, 200);
        sends4(
            kind,
            25,
            &body(&v6, 200, &objects(20)),
            kind4,
            45,
            &body(&v4, 180, &objects(20)),
        );
    }
}

#[test]
fn f03_the_quote_before_objects_has_128_bytes() {
    let (v4, v6) = quotes_back(116, 136);
    sends4(
        (1, 0),
        17,
        &body(&v6, 136, &objects(8)),
        (3, 1),
        32,
        &body(&v4, 128, &objects(8)),
    );
}

#[test]
fn f04_a_shorter_quote_is_accepted() {
    let (v4, v6) = quotes(28, 48);
    sends6(
        (3, 1),
        7,
        &body(&v4, 28, &objects(8)),
        (1, 0),
        16,
        &body(&v6, 128, &objects(8)),
    );
    let (v4, v6) = quotes_back(28, 48);
    sends4(
        (1, 0),
        6,
        &body(&v6, 48, &objects(8)),
        (3, 1),
        32,
        &body(&v4, 128, &objects(8)),
    );
}

#[test]
fn f05_a_length_beyond_the_message_is_dropped() {
    let (v4, v6) = quotes(128, 128);
    for units in [33, 255] {
        let packet = V4::new(ICMP, icmp(3, 1, units << 16, &v4));
        edge().drops6(&packet, DropReason::Malformed);
    }
    for units in [17, 255] {
        let packet = V6::back(ICMPV6, icmp(1, 0, units << 24, &v6));
        edge().drops4(&packet, DropReason::Malformed);
    }
}

#[test]
fn f06_a_length_of_the_whole_message_means_no_objects() {
    let (v4, v6) = quotes(140, 160);
    sends6((3, 1), 35, &v4, (1, 0), 0, &v6);
    let (v4, v6) = quotes_back(140, 160);
    sends4((1, 0), 20, &v6, (3, 1), 0, &v4);
}

#[test]
fn f07_the_quote_makes_room_for_objects_or_they_go() {
    // Of 1232 bytes the objects take 44; the quote gets 1184, a multiple of 8.
    let (v4, v6) = quotes(1020, 1184);
    let v4 = [v4, V4::back(UDP, udp(1200)).bytes()[1020..1200].to_vec()].concat();
    let packet = V4::new(
        ICMP,
        icmp(3, 1, 255 << 16, &[&v4[..1020], &objects(40)].concat()),
    );
    let inner6 = [&v6[..1040], &objects(40)].concat();
    edge().sends6(&packet, &V6::new(ICMPV6, icmp(1, 0, 130 << 24, &inner6)));
    let long = V6 {
        hop: 63,
        ..V6::back(UDP, udp(1200))
    }
    .bytes();
    // 1020 bytes of quote and 232 of objects: 1232 - 232 = 1000.
    let packet = V4::new(
        ICMP,
        icmp(3, 1, 255 << 16, &[&v4[..1020], &objects(228)].concat()),
    );
    let inner6 = [&long[..1000], &objects(228)].concat();
    edge().sends6(&packet, &V6::new(ICMPV6, icmp(1, 0, 125 << 24, &inner6)));
    // The objects leave less than 128 bytes: they go, and the quote takes all.
    let packet = V4::new(
        ICMP,
        icmp(3, 1, 255 << 16, &[&v4[..1020], &objects(1104)].concat()),
    );
    edge().sends6(&packet, &V6::new(ICMPV6, icmp(1, 0, 0, &long[..1040])));
    // One byte of room more and they stay.
    let packet = V4::new(
        ICMP,
        icmp(3, 1, 255 << 16, &[&v4[..1020], &objects(1100)].concat()),
    );
    let inner6 = [&long[..128], &objects(1100)].concat();
    edge().sends6(&packet, &V6::new(ICMPV6, icmp(1, 0, 16 << 24, &inner6)));

    // To IPv4 there are 548 bytes.
    let (v4, v6) = quotes_back(500, 800);
    let v4 = [v4, V4::new(UDP, udp(1200)).bytes()[500..800].to_vec()].concat();
    sends4(
        (1, 0),
        100,
        &body(&v6, 800, &objects(96)),
        (3, 1),
        112,
        &body(&v4[..448], 448, &objects(96)),
    );
    sends4(
        (1, 0),
        100,
        &body(&v6, 800, &objects(420)),
        (3, 1),
        0,
        &v4[..548],
    );
    sends4(
        (1, 0),
        100,
        &body(&v6, 800, &objects(416)),
        (3, 1),
        32,
        &body(&v4[..128], 128, &objects(416)),
    );
}

#[test]
fn f08_types_without_a_length_lose_the_objects() {
    let (v4, v6) = quotes(140, 160);
    let with_objects = body(&v4, 140, &objects(20));
    for (kind, word, kind6, word6) in [
        ((3, 2), 0x23_0000, (4, 1), 6),
        ((3, 4), 0x23_0578, (2, 0), 1420),
        ((12, 0), 0x0923_0000, (4, 0), 6),
    ] {
        edge().sends6(
            &V4::new(ICMP, icmp(kind.0, kind.1, word, &with_objects)),
            &V6::new(ICMPV6, icmp(kind6.0, kind6.1, word6, &v6)),
        );
    }
}

#[test]
fn f09_addresses_in_objects_are_not_translated() {
    let (v4, v6) = quotes(140, 160);
    // An interface object with the IPv4 address of the router (RFC 5837).
    let mut object = vec![0x20, 0, 0, 0, 0, 12, 2, 0x0c, 0, 1, 0, 0];
    object.extend(A4.octets());
    sends6(
        (11, 0),
        35,
        &body(&v4, 140, &object),
        (3, 0),
        20,
        &body(&v6, 160, &object),
    );
}

#[test]
fn f10_the_address_of_a_replaced_router_can_be_named() {
    let edge = with(|siit| siit.name_routers = true);
    let (v4, v6) = quotes_back(100, 120);
    let packet = V6 {
        src: STRANGER6,
        ..V6::back(ICMPV6, icmp(3, 0, 0, &v6))
    };
    let mut object = vec![0x20, 0, 0, 0, 0, 24, 2, 4, 0, 2, 0, 0];
    object.extend(STRANGER6);
    let sum = !crate::packet::reference_sum(&object);
    object[2..4].copy_from_slice(&sum.to_be_bytes());
    let expected = |word, body: &[u8]| V4 {
        src: OWN4,
        ..V4::back(ICMP, icmp(11, 0, word, body))
    };
    edge.sends4(
        &packet.clone().sealed(),
        &expected(32 << 16, &body(&v4, 128, &object)),
    );
    // By default it is not, and a router that has a mapping needs none.
    super::wire::edge().sends4(&packet.sealed(), &expected(0, &v4));
    edge.sends4(
        &V6::back(ICMPV6, icmp(3, 0, 0, &v6)),
        &V4::back(ICMP, icmp(11, 0, 0, &v4)),
    );
    // Objects that are there already are left as they are.
    let (v4, v6) = quotes_back(140, 160);
    let packet = V6 {
        src: STRANGER6,
        ..V6::back(ICMPV6, icmp(3, 0, 20 << 24, &body(&v6, 160, &objects(12))))
    };
    edge.sends4(
        &packet.sealed(),
        &expected(35 << 16, &body(&v4, 140, &objects(12))),
    );
}
