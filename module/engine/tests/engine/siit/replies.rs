// SPDX-License-Identifier: GPL-2.0

//! Rows L: errors that the translator sends.

use std::net::Ipv4Addr;

use super::wire::*;
use ovnet_engine::siit::{self, Verdict, View};
use ovnet_engine::DropReason;

#[test]
fn l01_nothing_is_said_about_errors_later_fragments_and_odd_sources() {
    let quoted = V4::back(UDP, udp(40)).bytes();
    let error = V4 {
        ttl: 1,
        ..V4::new(ICMP, icmp(3, 1, 0, &quoted))
    };
    edge().drops6(&error, DropReason::TtlExceeded);
    for kind in [4, 5, 11, 12] {
        let error = V4 {
            ttl: 1,
            ..V4::new(ICMP, icmp(kind, 0, 0, &quoted))
        };
        edge().drops6(&error, DropReason::TtlExceeded);
    }
    let later = V4 {
        ttl: 1,
        df: false,
        offset: 9,
        ..V4::new(UDP, udp(40))
    };
    edge().drops6(&later, DropReason::TtlExceeded);
    let group = V4 {
        ttl: 1,
        dst: [224, 0, 0, 5].into(),
        ..V4::new(UDP, udp(40))
    };
    edge().drops6(&group, DropReason::Multicast);
    let nobody = V4 {
        ttl: 1,
        src: Ipv4Addr::UNSPECIFIED,
        ..V4::new(UDP, udp(40))
    };
    edge().drops6(&nobody, DropReason::MartianSource);
    // A query is no error.
    let query = V4 {
        ttl: 1,
        ..V4::new(ICMP, echo(8, 40))
    };
    edge().replies4(&query, DropReason::TtlExceeded, (11, 0, 0));

    let quoted = V6::new(UDP, udp(40)).bytes();
    for kind in [1, 2, 3, 4, 127] {
        let error = V6 {
            hop: 1,
            ..V6::back(ICMPV6, icmp(kind, 0, 0, &quoted))
        };
        edge().drops4(&error, DropReason::TtlExceeded);
    }
    let later = V6 {
        hop: 1,
        headers: vec![fragment(9, true, 1)],
        ..V6::back(UDP, udp(40))
    };
    edge().drops4(&later, DropReason::TtlExceeded);
    let query = V6 {
        hop: 1,
        ..V6::back(ICMPV6, echo(128, 40))
    };
    edge().replies6(&query, DropReason::TtlExceeded, (3, 0, 0));
}

#[test]
fn l02_other_ipv4_packets_are_prohibited() {
    let mut edge = with(|siit| (siit.pool6, siit.owner) = (None, true));
    edge.maps = vec![(B4, B6)];
    edge.replies4(
        &V4::new(TCP, tcp(20)),
        DropReason::UnknownSource,
        (3, 13, 0),
    );
}

#[test]
fn l03_other_ipv6_packets_are_prohibited() {
    let packet = V6 {
        headers: vec![fragment(0, true, 1), (60, vec![0; 8])],
        ..V6::back(UDP, udp(40))
    };
    edge().replies6(&packet, DropReason::ExtensionHeaders, (1, 1, 0));
    let packet = V6 {
        protocol: ICMPV6,
        ..V6 {
            headers: vec![fragment(0, true, 1)],
            ..V6::back(ICMPV6, echo(128, 40))
        }
    };
    edge().drops4(&packet, DropReason::IcmpFragment);
}

#[test]
fn l04_errors_can_be_turned_off() {
    let edge = with(|siit| siit.errors = false);
    edge.drops6(
        &V4 {
            ttl: 1,
            ..V4::new(UDP, udp(40))
        },
        DropReason::TtlExceeded,
    );
    edge.drops4(
        &V6 {
            hop: 1,
            ..V6::back(UDP, udp(40))
        },
        DropReason::TtlExceeded,
    );
    // Those of others still pass.
    let quoted = V4::back(UDP, udp(40)).bytes();
    let inner = V6 {
        hop: 63,
        ..V6::back(UDP, udp(40))
    }
    .bytes();
    edge.sends6(
        &V4::new(ICMP, icmp(3, 1, 0, &quoted)),
        &V6::new(ICMPV6, icmp(1, 0, 0, &inner)),
    );
}

#[test]
fn l05_an_icmpv4_error_has_at_most_576_bytes() {
    for len in [20, 527, 528, 529, 1400] {
        let packet = V4 {
            ttl: 1,
            ..V4::new(UDP, udp(len))
        };
        edge().replies4(&packet, DropReason::TtlExceeded, (11, 0, 0));
        match edge().to6(&packet.bytes()) {
            Out::Reply(_, reply) => assert_eq!(reply.len(), (48 + len).min(576)),
            other => panic!("{other:?}"),
        }
    }
    // Padding is not quoted.
    let padded = [
        V4 {
            ttl: 1,
            ..V4::new(UDP, udp(8))
        }
        .bytes(),
        vec![9; 18],
    ]
    .concat();
    match edge().to6(&padded) {
        Out::Reply(_, reply) => assert_eq!(reply.len(), 56),
        other => panic!("{other:?}"),
    }
}

#[test]
fn l06_an_icmpv6_error_has_at_most_1280_bytes() {
    for len in [20, 1191, 1192, 1193, 1400] {
        let packet = V6 {
            hop: 1,
            ..V6::back(UDP, udp(len))
        };
        edge().replies6(&packet, DropReason::TtlExceeded, (3, 0, 0));
        match edge().to4(&packet.bytes()) {
            Out::Reply(_, reply) => assert_eq!(reply.len(), (88 + len).min(1280)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn l06_an_edge_without_an_address_says_nothing() {
    let edge = with(|siit| (siit.own4, siit.own6) = (None, None));
    let packet = V4 {
        ttl: 1,
        ..V4::new(UDP, udp(40))
    }
    .bytes();
    let mut buf = [vec![0; siit::HEADROOM], packet.clone()].concat();
    let verdict = siit::to6(View::new(&mut buf, siit::HEADROOM), &edge.siit, &edge);
    let Verdict::Reply(_, reply) = verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(reply.write(&packet, &edge.siit, 0, &mut [0; 1280]), None);
}

#[test]
fn l07_a_truncated_transport_is_dropped_in_silence() {
    let mut packet = V4::new(TCP, tcp(20));
    packet.l4.truncate(12);
    edge().drops6(&packet, DropReason::Malformed);
    let mut packet = V6::back(TCP, tcp(20));
    packet.l4.truncate(12);
    edge().drops4(&packet, DropReason::Malformed);
}
