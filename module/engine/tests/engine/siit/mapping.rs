// SPDX-License-Identifier: GPL-2.0

//! Rows I: addresses by explicit mapping and by prefix, and packets that turn around; rows M: addresses of
//! routers that have neither.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::wire::*;
use ovnet_engine::embed::{Eam, EamError, Prefix, PrefixError};
use ovnet_engine::siit::Hairpin;
use ovnet_engine::DropReason;

fn ip4(text: &str) -> Ipv4Addr {
    text.parse().expect("an IPv4 address")
}

fn ip6(text: &str) -> [u8; 16] {
    text.parse::<Ipv6Addr>().expect("an IPv6 address").octets()
}

fn eam(v4: &str, v4_len: u8, v6: &str, v6_len: u8) -> Eam {
    Eam::new(ip4(v4), v4_len, ip6(v6), v6_len).expect("a mapping")
}

#[test]
fn i01_single_addresses() {
    let eam = eam("192.0.2.1", 32, "2001:db8:aaaa::", 128);
    assert_eq!(eam.to_v6(ip4("192.0.2.1")), Some(ip6("2001:db8:aaaa::")));
    assert_eq!(eam.to_v4(&ip6("2001:db8:aaaa::")), Some(ip4("192.0.2.1")));
    assert_eq!(eam.to_v6(ip4("192.0.2.2")), None);
    assert_eq!(eam.to_v4(&ip6("2001:db8:aaaa::1")), None);
}

#[test]
fn i02_equal_suffixes_are_moved() {
    let eam = eam("192.0.2.0", 24, "2001:db8:aaaa::4200", 120);
    for host in [0, 1, 77, 255u8] {
        let v6 = ip6(&format!("2001:db8:aaaa::42{host:02x}"));
        assert_eq!(eam.to_v6(Ipv4Addr::new(192, 0, 2, host)), Some(v6));
        assert_eq!(eam.to_v4(&v6), Some(Ipv4Addr::new(192, 0, 2, host)));
    }
    let all = self::eam("0.0.0.0", 0, "2001:db8::", 96);
    assert_eq!(all.to_v6(ip4("255.1.2.3")), Some(ip6("2001:db8::ff01:203")));
    assert_eq!(
        all.to_v4(&ip6("2001:db8::ff01:203")),
        Some(ip4("255.1.2.3"))
    );
}

#[test]
fn i03_a_short_ipv4_suffix_stands_behind_the_ipv6_prefix() {
    let eam = eam("192.0.2.0", 24, "2001:db8:dddd::", 64);
    assert_eq!(
        eam.to_v6(ip4("192.0.2.171")),
        Some(ip6("2001:db8:dddd:0:ab00::"))
    );
    // What is behind the suffix is nobody's business.
    assert_eq!(
        eam.to_v4(&ip6("2001:db8:dddd:0:ab12:3456:789a:bcde")),
        Some(ip4("192.0.2.171"))
    );
    // A suffix may start within a byte.
    let eam = self::eam("192.0.2.128", 28, "2001:db8:eeee:8::", 62);
    assert_eq!(
        eam.to_v6(ip4("192.0.2.137")),
        Some(ip6("2001:db8:eeee:a:4000::"))
    );
    // No suffix at all.
    let eam = self::eam("192.0.2.9", 32, "::", 0);
    assert_eq!(eam.to_v6(ip4("192.0.2.9")), Some(ip6("::")));
    assert_eq!(eam.to_v4(&ip6("ff::1")), Some(ip4("192.0.2.9")));
}

#[test]
fn i04_an_ipv6_prefix_that_is_too_small_is_refused() {
    let new = |v4, v4_len, v6, v6_len| Eam::new(ip4(v4), v4_len, ip6(v6), v6_len);
    assert_eq!(
        new("192.0.2.0", 24, "2001:db8::", 121),
        Err(EamError::Suffix)
    );
    assert_eq!(
        new("192.0.2.0", 31, "2001:db8::", 128),
        Err(EamError::Suffix)
    );
    assert_eq!(
        new("192.0.2.1", 24, "2001:db8::", 64),
        Err(EamError::LowBits)
    );
    assert_eq!(
        new("192.0.2.0", 24, "2001:db8::1", 64),
        Err(EamError::LowBits)
    );
    assert_eq!(
        new("192.0.2.0", 33, "2001:db8::", 64),
        Err(EamError::Length)
    );
    assert_eq!(
        new("192.0.2.0", 24, "2001:db8::", 129),
        Err(EamError::Length)
    );
}

#[test]
fn i06_an_explicit_mapping_wins_over_the_prefix() {
    let mut edge = edge();
    let own = v6(&[0x2001, 0xdb8, 0xaaaa, 0, 0, 0, 0, 5]);
    edge.maps = vec![(B4, own)];
    let expected = V6 {
        dst: own,
        ..V6::new(TCP, tcp(40))
    };
    edge.sends6(&V4::new(TCP, tcp(40)), &expected.sealed());
    let packet = V6 {
        src: own,
        ..V6::back(TCP, tcp(40))
    };
    edge.sends4(&packet.sealed(), &V4::back(TCP, tcp(40)));
    // The embedded form is still understood.
    edge.sends4(&V6::back(TCP, tcp(40)), &V4::back(TCP, tcp(40)));
}

#[test]
fn i07_all_prefix_lengths() {
    // The table of RFC 6052 §2.4.
    for (prefix, len, address) in [
        ("2001:db8::", 32, "2001:db8:c000:221::"),
        ("2001:db8:100::", 40, "2001:db8:1c0:2:21::"),
        ("2001:db8:122::", 48, "2001:db8:122:c000:2:2100::"),
        ("2001:db8:122:300::", 56, "2001:db8:122:3c0:0:221::"),
        ("2001:db8:122:344::", 64, "2001:db8:122:344:c0:2:2100::"),
        ("2001:db8:122:344::", 96, "2001:db8:122:344::192.0.2.33"),
    ] {
        let prefix = Prefix::new(ip6(prefix), len).expect("a prefix");
        assert_eq!(prefix.embed(A4), Some(ip6(address)), "/{len}");
        assert_eq!(prefix.extract(&ip6(address)), Some(A4), "/{len}");
        assert!(prefix.contains(&ip6(address)));
        let mut other = ip6(address);
        other[3] ^= 1;
        assert_eq!(prefix.extract(&other), None, "/{len}");
        // The suffix is not looked at, the octet of bits 64 to 71 is.
        if len < 96 {
            let mut suffix = ip6(address);
            suffix[15] = 0xff;
            assert_eq!(prefix.extract(&suffix), Some(A4), "/{len}");
            let mut octet = ip6(address);
            octet[8] = 1;
            assert_eq!(prefix.extract(&octet), None, "/{len}");
        }
    }
    for len in [0, 31, 33, 65, 95, 97, 128] {
        assert_eq!(Prefix::new(ip6("::"), len), Err(PrefixError::Length));
    }
    assert_eq!(
        Prefix::new(ip6("2001:db8:100:1::"), 40),
        Err(PrefixError::LowBits)
    );
    assert_eq!(
        Prefix::new(ip6("2001:db8:0:0:100::"), 96),
        Err(PrefixError::UOctet)
    );
}

#[test]
fn i08_the_well_known_prefix_holds_global_addresses_only() {
    let prefix = Prefix::new(ip6("64:ff9b::"), 96).expect("a prefix");
    for address in [
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "127.0.0.1",
        "169.254.1.1",
        "100.64.0.1",
        "100.127.255.255",
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
        "198.18.0.1",
        "224.0.0.1",
        "0.0.0.0",
    ] {
        let embedded = ip6(&format!("64:ff9b::{address}"));
        assert_eq!(prefix.embed(ip4(address)), None, "{address}");
        assert_eq!(prefix.extract(&embedded), None, "{address}");
        assert_eq!(
            prefix.with_any().embed(ip4(address)),
            Some(embedded),
            "{address}"
        );
        assert_eq!(
            prefix.with_any().extract(&embedded),
            Some(ip4(address)),
            "{address}"
        );
    }
    for address in [
        "8.8.8.8",
        "172.15.0.1",
        "172.32.0.1",
        "100.128.0.1",
        "11.0.0.1",
        "223.255.255.255",
    ] {
        let embedded = ip6(&format!("64:ff9b::{address}"));
        assert_eq!(prefix.embed(ip4(address)), Some(embedded), "{address}");
        assert_eq!(prefix.extract(&embedded), Some(ip4(address)), "{address}");
    }
    let edge = with(|siit| siit.pool6 = Some(prefix));
    edge.drops6(&V4::new(TCP, tcp(20)), DropReason::NoMapping);
}

/// Two hosts behind the edge, both with explicit addresses.
fn neighbours(hairpin: Hairpin) -> (Edge, [u8; 16], [u8; 16]) {
    let mut edge = with(|siit| siit.hairpin = hairpin);
    let (a, b) = (v6(&[0xfd00, 0xa]), v6(&[0xfd00, 0xb]));
    edge.maps = vec![(A4, a), (B4, b)];
    (edge, a, b)
}

#[test]
fn i11_simple_hairpins_come_back_through_the_prefix() {
    let (edge, a, b) = neighbours(Hairpin::Simple);
    // Host A only knows B by the prefix.
    let packet = V6 {
        src: a,
        dst: B6,
        hop: 64,
        ..V6::new(TCP, tcp(40))
    }
    .sealed();
    let crossing = V4 {
        df: false,
        id: FRESH,
        ttl: 63,
        ..V4::new(TCP, tcp(40))
    };
    edge.sends4(&packet, &crossing);
    let expected = V6 {
        src: A6,
        dst: b,
        hop: 62,
        ..V6::new(TCP, tcp(40))
    }
    .sealed();
    edge.sends6(&crossing, &expected);
    // Without hairpins the explicit address is the source.
    let (edge, ..) = neighbours(Hairpin::Off);
    let expected = V6 { src: a, ..expected }.sealed();
    edge.sends6(&crossing, &expected);
}

#[test]
fn i12_errors_about_hairpins_name_the_address_that_was_used() {
    let (edge, a, b) = neighbours(Hairpin::Simple);
    // B tells A that a port is closed. A sent to B by the prefix, so it must see that address.
    let quoted = V4 {
        src: A4,
        dst: B4,
        ttl: 62,
        ..V4::new(UDP, udp(40))
    }
    .sealed();
    let error = V4 {
        src: B4,
        dst: A4,
        ..V4::new(ICMP, icmp(3, 3, 0, &quoted.bytes()))
    };
    let inner = V6 {
        src: a,
        dst: B6,
        hop: 62,
        ..V6::new(UDP, udp(40))
    }
    .sealed();
    let expected = V6 {
        src: B6,
        dst: a,
        ..V6::new(ICMPV6, icmp(1, 4, 0, &inner.bytes()))
    }
    .sealed();
    edge.sends6(&error, &expected);
    // A router between is none of the two hosts.
    let error = V4 {
        src: [203, 0, 113, 3].into(),
        ..error
    };
    let router = pool()
        .embed([203, 0, 113, 3].into())
        .expect("the pool takes any");
    let expected = V6 {
        src: router,
        ..expected
    }
    .sealed();
    edge.sends6(&error, &expected);
    assert_ne!(b, B6);
    // Nor is a third host, whose address is its explicit one.
    let (third4, third6) = ([203, 0, 113, 4].into(), v6(&[0xfd00, 0xc]));
    let mut edge = edge;
    edge.maps.push((third4, third6));
    let error = V4 {
        src: third4,
        ..error
    };
    let expected = V6 {
        src: third6,
        ..expected
    }
    .sealed();
    edge.sends6(&error, &expected);
}

#[test]
fn i13_intrinsic_hairpins_turn_around_at_once() {
    let (edge, a, b) = neighbours(Hairpin::Intrinsic);
    let packet = V6 {
        src: a,
        dst: B6,
        hop: 64,
        ..V6::new(TCP, tcp(40))
    }
    .sealed();
    let expected = V6 {
        src: A6,
        dst: b,
        hop: 63,
        ..V6::new(TCP, tcp(40))
    }
    .sealed();
    same(
        edge.to4(&packet.bytes()),
        Out::Packets(vec![expected.bytes()]),
    );
    // An error about it, from B.
    let quoted = V6 {
        src: A6,
        dst: b,
        hop: 63,
        ..V6::new(UDP, udp(40))
    }
    .sealed();
    let error = V6 {
        src: b,
        dst: A6,
        hop: 64,
        ..V6::new(ICMPV6, icmp(1, 4, 0, &quoted.bytes()))
    }
    .sealed();
    let inner = V6 {
        src: a,
        dst: B6,
        hop: 63,
        ..V6::new(UDP, udp(40))
    }
    .sealed();
    let expected = V6 {
        src: B6,
        dst: a,
        hop: 63,
        ..V6::new(ICMPV6, icmp(1, 4, 0, &inner.bytes()))
    }
    .sealed();
    same(
        edge.to4(&error.bytes()),
        Out::Packets(vec![expected.bytes()]),
    );
    // What comes from the IPv4 side is none of it, nor is what is sent to an explicit address.
    let packet4 = V4::new(TCP, tcp(40));
    let explicit = V6 {
        src: a,
        dst: b,
        ..V6::new(TCP, tcp(40))
    }
    .sealed();
    edge.sends6(&packet4, &explicit);
    let crossing = V4 {
        df: false,
        id: FRESH,
        ttl: 62,
        ..packet4
    };
    edge.sends4(&explicit, &crossing);
    // What goes to the IPv4 side does not turn.
    let packet = V6 {
        src: a,
        dst: pool().embed([203, 0, 113, 3].into()).expect("any"),
        ..packet
    }
    .sealed();
    let expected = V4 {
        src: A4,
        dst: [203, 0, 113, 3].into(),
        ttl: 63,
        df: false,
        id: FRESH,
        ..V4::new(TCP, tcp(40))
    };
    edge.sends4(&packet, &expected.sealed());
}

#[test]
fn i16_a_border_maps_both_addresses_in_one_pass() {
    let mut edge = edge();
    let service = v6(&[0x2001, 0xdb8, 0x5e, 0, 0, 0, 0, 0x80]);
    edge.maps = vec![(B4, service)];
    let expected = V6 {
        dst: service,
        ..V6::new(TCP, tcp(40))
    }
    .sealed();
    edge.sends6(&V4::new(TCP, tcp(40)), &expected);
    let answer = V6 {
        src: service,
        ..V6::back(TCP, tcp(40))
    }
    .sealed();
    edge.sends4(&answer, &V4::back(TCP, tcp(40)));
}

#[test]
fn i17_sources_in_the_prefix_are_refused_from_the_ipv6_side() {
    let edge = with(|siit| siit.ingress_filter = true);
    edge.drops4(&V6::back(TCP, tcp(40)), DropReason::MartianSource);
    let mut edge = edge;
    let own = v6(&[0xfd00, 7]);
    edge.maps = vec![(B4, own)];
    let packet = V6 {
        src: own,
        ..V6::back(TCP, tcp(40))
    };
    edge.sends4(&packet.sealed(), &V4::back(TCP, tcp(40)));
}

/// An error from a router without a mapping, and what it becomes with this source.
fn from_router(router: [u8; 16], src: Ipv4Addr) -> (V6, V4) {
    let quoted = V6::new(UDP, udp(40)).bytes();
    let quoted4 = V4 {
        id: FRESH,
        df: false,
        ttl: 63,
        ..V4::new(UDP, udp(40))
    }
    .bytes();
    (
        V6 {
            src: router,
            ..V6::back(ICMPV6, icmp(3, 0, 0, &quoted))
        }
        .sealed(),
        V4 {
            src,
            ..V4::back(ICMP, icmp(11, 0, 0, &quoted4))
        },
    )
}

const ROUTERS: [Ipv4Addr; 3] = [
    Ipv4Addr::new(10, 255, 0, 1),
    Ipv4Addr::new(10, 255, 0, 2),
    Ipv4Addr::new(10, 255, 0, 3),
];

#[test]
fn g14_m01_m05_an_error_from_a_router_without_a_mapping_has_the_pools_address() {
    let edge = with(|siit| siit.routers4 = &ROUTERS[..1]);
    let (packet, expected) = from_router(STRANGER6, ROUTERS[0]);
    edge.sends4(&packet, &expected);
}

#[test]
fn m02_each_router_keeps_its_address_of_the_pool() {
    let edge = with(|siit| siit.routers4 = &ROUTERS);
    let source = |router| {
        let (packet, _) = from_router(router, A4);
        match edge.to4(&packet.bytes()) {
            Out::Packets(packets) => Ipv4Addr::new(
                packets[0][12],
                packets[0][13],
                packets[0][14],
                packets[0][15],
            ),
            other => panic!("{other:?}"),
        }
    };
    let mut seen = std::collections::HashSet::new();
    for last in 0..64 {
        let router = v6(&[0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, last]);
        let address = source(router);
        assert!(ROUTERS.contains(&address));
        assert_eq!(address, source(router), "the choice is stable");
        seen.insert(address);
    }
    assert_eq!(
        seen.len(),
        ROUTERS.len(),
        "every address of the pool is used"
    );
}

#[test]
fn m03_without_a_pool_the_edge_stands_for_the_router() {
    let (packet, expected) = from_router(STRANGER6, OWN4);
    edge().sends4(&packet, &expected);
    with(|siit| siit.own4 = None).drops4(&packet, DropReason::UnknownSource);
    // An address that no host has is none.
    let loopback = pool().embed([127, 0, 0, 1].into()).expect("any");
    let (packet, expected) = from_router(loopback, OWN4);
    edge().sends4(&packet, &expected);
}

#[test]
fn m04_an_ipv4_router_without_a_mapping_has_a_fallback() {
    let router = v6(&[0x2001, 0xdb8, 0, 0xff]);
    let mut edge = with(|siit| {
        siit.pool6 = None;
        siit.router6 = Some(router);
    });
    edge.maps = vec![(A4, A6), (B4, B6)];
    let packet = V4 {
        src: [203, 0, 113, 3].into(),
        ..V4::new(ICMP, icmp(11, 0, 0, &V4::back(UDP, udp(40)).bytes()))
    };
    let inner = V6 {
        hop: 63,
        ..V6::back(UDP, udp(40))
    }
    .bytes();
    let expected = V6 {
        src: router,
        ..V6::new(ICMPV6, icmp(3, 0, 0, &inner))
    }
    .sealed();
    edge.sends6(&packet, &expected);
    edge.siit.router6 = None;
    let expected = V6 {
        src: OWN6,
        ..expected
    }
    .sealed();
    edge.sends6(&packet, &expected);
    edge.siit.own6 = None;
    edge.drops6(&packet, DropReason::UnknownSource);
}
