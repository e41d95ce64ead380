// SPDX-License-Identifier: GPL-2.0

//! The escape form: which packets take it, and that they come out as they went in.

use crate::packet::hex;
use crate::siit::wire::{data, echo, tcp, udp, v6, ICMP, TCP, UDP, V4};
use ovnet_engine::escape::{self, Carried};
use ovnet_engine::fast::{form, Fidelity, Form};
use ovnet_engine::header::{Ipv4, Ipv6};
use ovnet_engine::{DropReason, Mac};
use proptest::prelude::*;

const SRC: [u8; 16] = v6(&[0xfd00, 0xa, 0x102, 0x304, 0x0012, 0x3456, 0xc000, 0x0221]);
const DST: [u8; 16] = v6(&[0xfd00, 0xa, 0x4005, 0x0009, 0x0012, 0x3456, 0xc633, 0x6402]);

/// Packets that the fast form cannot restore.
fn odd() -> Vec<V4> {
    vec![
        V4 {
            options: vec![7, 7, 4, 0, 0, 0, 0, 0],
            ..V4::new(UDP, udp(40))
        },
        V4 {
            df: false,
            mf: true,
            ..V4::new(UDP, udp(64))
        },
        V4 {
            df: false,
            offset: 100,
            ..V4::new(UDP, udp(64))
        },
        V4 {
            rf: true,
            ..V4::new(TCP, tcp(40))
        },
        V4 {
            ttl: 0,
            ..V4::new(TCP, tcp(40))
        },
        V4::new(2, data(8)),
        V4::new(4, V4::new(TCP, tcp(40)).bytes()),
        V4::new(58, data(30)),
        V4::new(44, data(30)),
    ]
}

fn parse(packet: &V4) -> Ipv4 {
    let bytes = packet.bytes();
    Ipv4::parse(&bytes, bytes.len() as u32).expect("the packet was built to be valid")
}

#[test]
fn what_the_fast_form_cannot_restore_escapes() {
    for packet in odd() {
        for fidelity in [Fidelity::Semantic, Fidelity::Exact] {
            assert_eq!(
                form(&parse(&packet), false, fidelity),
                Form::Escape,
                "{packet:?}"
            );
        }
    }
}

#[test]
fn identifications_matter_in_exact_networks_only() {
    for (id, df, exact) in [
        (0, true, Form::Fast),
        (1, true, Form::Escape),
        (0, false, Form::Escape),
        (9, false, Form::Escape),
    ] {
        for packet in [V4::new(TCP, tcp(40)), V4::new(ICMP, echo(8, 40))] {
            let ip = parse(&V4 { id, df, ..packet });
            assert_eq!(form(&ip, false, Fidelity::Semantic), Form::Fast);
            assert_eq!(form(&ip, true, Fidelity::Semantic), Form::Fast);
            assert_eq!(form(&ip, false, Fidelity::Exact), exact, "{id} {df}");
            // The first of several is 0, the others are not.
            assert_eq!(form(&ip, true, Fidelity::Exact), Form::Escape, "{id} {df}");
        }
    }
}

/// Wraps an IPv4 packet and gives back the whole.
fn wrapped(packet: &[u8]) -> Vec<u8> {
    let carried = Carried::Ipv4 { tos: packet[1] };
    let len = packet.len() as u32;
    let header = escape::wrap(carried, SRC, DST, len, 0xf_1234).expect("a length that fits");
    [&header[..], packet].concat()
}

#[test]
fn an_escaped_packet_to_the_byte() {
    let packet = V4 {
        tos: 0xbb,
        ..odd()[0].clone()
    }
    .bytes();
    let expected = [
        hex("6b8f1234 0044 04 40"),
        SRC.to_vec(),
        DST.to_vec(),
        packet.clone(),
    ]
    .concat();
    assert_eq!(packet.len(), 0x44);
    assert_eq!(wrapped(&packet), expected);
}

#[test]
fn escaped_packets_come_out_as_they_went_in() {
    for packet in odd() {
        let bytes = packet.bytes();
        let whole = wrapped(&bytes);
        let outer = Ipv6::parse(&whole, whole.len() as u32).expect("the engine wrote it");
        let ip = escape::ipv4(&outer, &whole[escape::GROWTH..]).expect("it is intact");
        assert_eq!(ip, parse(&packet));
        assert_eq!(whole[escape::GROWTH..], bytes);
    }
}

#[test]
fn an_escaped_packet_of_somebody_else_is_refused() {
    let whole = wrapped(&odd()[0].bytes());
    let outer = Ipv6::parse(&whole, whole.len() as u32).expect("the engine wrote it");
    let inner = &whole[escape::GROWTH..];
    for place in [12, 15] {
        let mut src = outer;
        src.src[place] ^= 1;
        assert_eq!(escape::ipv4(&src, inner), Err(DropReason::EscapeMismatch));
        let mut dst = outer;
        dst.dst[place] ^= 1;
        assert_eq!(escape::ipv4(&dst, inner), Err(DropReason::EscapeMismatch));
    }
    let other = Ipv6 {
        next_header: 143,
        ..outer
    };
    assert_eq!(escape::ipv4(&other, inner), Err(DropReason::NextHeader));
    assert_eq!(escape::ethernet(&outer, inner), Err(DropReason::NextHeader));
    for payload_len in [outer.payload_len - 1, outer.payload_len + 1, 0] {
        let outer = Ipv6 {
            payload_len,
            ..outer
        };
        assert_eq!(escape::ipv4(&outer, inner), Err(DropReason::Malformed));
    }
    for len in 0..28 {
        assert_eq!(
            escape::ipv4(&outer, &inner[..len]),
            Err(DropReason::Malformed)
        );
    }
}

#[test]
fn frames_are_carried_whole() {
    let frame = [hex("02760a000002 020000000009 88cc"), data(46)].concat();
    let header = escape::wrap(Carried::Ethernet, SRC, DST, frame.len() as u32, 0)
        .expect("a length that fits");
    assert_eq!(header[..8], hex("60000000 003c 8f 40"));
    let outer = Ipv6::parse(&header, 100).expect("the engine wrote it");
    let ethernet = escape::ethernet(&outer, &frame).expect("a frame");
    assert_eq!(ethernet.dst, Mac([2, 0x76, 10, 0, 0, 2]));
    assert_eq!(ethernet.ethertype, 0x88cc);
    assert_eq!(
        escape::ethernet(&outer, &frame[..13]),
        Err(DropReason::Malformed)
    );
    let short = Ipv6 {
        payload_len: 13,
        ..outer
    };
    assert_eq!(escape::ethernet(&short, &frame), Err(DropReason::Malformed));
}

#[test]
fn what_does_not_fit_a_header_is_too_big() {
    let carried = Carried::Ipv4 { tos: 0 };
    assert!(escape::wrap(carried, SRC, DST, 65535, 0).is_ok());
    assert_eq!(
        escape::wrap(carried, SRC, DST, 65536, 0),
        Err(DropReason::TooBig)
    );
}

proptest! {
    #[test]
    fn a_mark_can_never_be_lost(tos: u8, entropy: u32, len: u16) {
        let header = escape::wrap(Carried::Ipv4 { tos }, SRC, DST, len.into(), entropy)
            .expect("a length that fits");
        let outer = Ipv6::parse(&header, u32::MAX).expect("the engine wrote it");
        prop_assert_eq!(outer.traffic_class, tos & 0xfc);
        prop_assert_eq!(outer.flow_label, entropy & 0xf_ffff);
        prop_assert_eq!(outer.payload_len, len);
    }
}
