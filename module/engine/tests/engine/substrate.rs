// SPDX-License-Identifier: GPL-2.0

//! Errors of the substrate, told to the node.
//!
//! ```text
//! node 192.0.2.33 ---- host fd00:a:102:304::/64 ---- router 2001:db8::1 ---- fd00:a:4005:9::/64
//! ```

use std::net::Ipv4Addr;

use crate::siit::wire::*;
use ovnet_engine::escape::{self, Carried};
use ovnet_engine::fast::{self, L4Checksum, Path};
use ovnet_engine::header::Ipv4;
use ovnet_engine::substrate::{report, Report};
use ovnet_engine::{DropReason, SubstrateAddress, SubstratePrefix};
use proptest::prelude::*;

const SRC: [u8; 16] = v6(&[0xfd00, 0xa, 0x102, 0x304, 0x0012, 0x3456, 0xc000, 0x0221]);
const DST: [u8; 16] = v6(&[0xfd00, 0xa, 0x4005, 0x0009, 0x0012, 0x3456, 0xc633, 0x6402]);
const ROUTER: [u8; 16] = v6(&[0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// The packet in the fast form.
fn fast(packet: &V4) -> Vec<u8> {
    let bytes = packet.bytes();
    let ip = Ipv4::parse(&bytes, bytes.len() as u32).expect("a valid packet");
    let path = Path::new(SubstratePrefix::of(&SRC), SubstratePrefix::of(&DST));
    let mut buf = [&[0; fast::GROWTH][..], &bytes].concat();
    fast::to_ipv6(&mut buf, &ip, &path, 0x55, L4Checksum::Complete).expect("an eligible packet");
    buf
}

/// The packet in the escape form.
fn escaped(packet: &V4) -> Vec<u8> {
    let bytes = packet.bytes();
    let carried = Carried::Ipv4 { tos: packet.tos };
    let header = escape::wrap(carried, SRC, DST, bytes.len() as u32, 7).expect("it fits");
    [&header[..], &bytes].concat()
}

/// A router's error about these bytes.
fn error(kind: u8, code: u8, word: u32, quote: &[u8]) -> V6 {
    V6 {
        src: ROUTER,
        dst: SRC,
        ..V6::new(ICMPV6, icmp(kind, code, word, quote))
    }
    .sealed()
}

fn run(packet: &[u8]) -> Result<(Report, Vec<u8>), DropReason> {
    let mut out = [0xdd; 600];
    let report = report(packet, Some(GATEWAY), FRESH, &mut out)?;
    Ok((report, out[..report.len].to_vec()))
}

/// The error that the node should have.
fn expected(kind: u8, code: u8, word: u32, quote: &[u8]) -> Vec<u8> {
    V4 {
        tos: 0xc0,
        id: FRESH,
        df: false,
        src: GATEWAY,
        dst: A4,
        ..V4::new(ICMP, icmp(kind, code, word, &quote[..quote.len().min(548)]))
    }
    .bytes()
}

/// What a node sends: with DF the identification is 0, as the fast form has it.
fn sent(protocol: u8, l4: Vec<u8>) -> V4 {
    V4 {
        id: 0,
        tos: 0x2e,
        ttl: 17,
        ..V4::new(protocol, l4)
    }
}

#[test]
fn a_packet_too_big_in_the_fast_form() {
    for (mtu, known, told) in [
        (1400, 1400, 1380),
        (1280, 1280, 1260),
        (100, 1280, 1260),
        (0, 1280, 1260),
        (9000, 9000, 8980),
        (u32::MAX, u32::MAX, 65535),
    ] {
        for packet in [
            sent(TCP, tcp(1200)),
            sent(UDP, udp(100)),
            sent(ICMP, echo(8, 900)),
        ] {
            let (report, bytes) =
                run(&error(2, 0, mtu, &fast(&packet)).bytes()).expect("it is told");
            same(
                Out::Packets(vec![bytes]),
                Out::Packets(vec![expected(3, 4, told, &packet.bytes())]),
            );
            assert_eq!(report.mtu, Some(known));
            assert_eq!(report.src, SubstrateAddress::decode(&SRC));
            assert_eq!(report.dst, SubstrateAddress::decode(&DST));
        }
    }
}

#[test]
fn a_packet_too_big_in_the_escape_form() {
    let odd = [
        V4 {
            options: vec![1, 1, 1, 0],
            ..sent(UDP, udp(700))
        },
        V4 {
            mf: true,
            id: 77,
            ..sent(UDP, udp(704))
        },
    ];
    for packet in odd {
        let (report, bytes) =
            run(&error(2, 0, 1400, &escaped(&packet)).bytes()).expect("it is told");
        assert_eq!(bytes, expected(3, 4, 1360, &packet.bytes()));
        assert_eq!(report.mtu, Some(1400));
    }
}

#[test]
fn other_errors() {
    let packet = sent(TCP, tcp(100));
    for (kind, code, kind4, code4) in [
        (1, 0, 3, 1),
        (1, 1, 3, 10),
        (1, 2, 3, 1),
        (1, 3, 3, 1),
        (1, 4, 3, 1),
        (1, 5, 3, 1),
        (1, 6, 3, 1),
        (3, 0, 11, 0),
    ] {
        for quote in [fast(&packet), escaped(&packet)] {
            let (report, bytes) = run(&error(kind, code, 0, &quote).bytes()).expect("it is told");
            assert_eq!(bytes, expected(kind4, code4, 0, &packet.bytes()));
            assert_eq!(report.mtu, None);
        }
    }
    for (kind, code) in [(1, 7), (3, 1), (4, 0), (4, 1)] {
        let packet = error(kind, code, 0, &fast(&packet)).bytes();
        assert_eq!(run(&packet), Err(DropReason::IcmpUntranslatable));
    }
    // What is no error is about nothing.
    for kind in [128, 137, 255] {
        let packet = error(kind, 0, 0, &fast(&packet)).bytes();
        assert_eq!(run(&packet), Err(DropReason::SubstrateIcmp));
    }
}

#[test]
fn a_short_quote_is_told_as_far_as_it_goes() {
    let packet = sent(TCP, tcp(100));
    let (quote, bytes) = (fast(&packet), packet.bytes());
    for len in [0, 1, 8, 16, 18, 20, 100] {
        let (_, told) = run(&error(3, 0, 0, &quote[..40 + len]).bytes()).expect("it is told");
        assert_eq!(told, expected(11, 0, 0, &bytes[..20 + len]));
    }
    for len in 0..40 {
        let packet = error(3, 0, 0, &quote[..len]).bytes();
        assert_eq!(run(&packet), Err(DropReason::IcmpQuote));
    }
    let quote = escaped(&packet);
    for len in 40..60 {
        let packet = error(3, 0, 0, &quote[..len]).bytes();
        assert_eq!(run(&packet), Err(DropReason::IcmpQuote));
    }
}

#[test]
fn objects_behind_the_quote_are_left_out() {
    let packet = sent(UDP, udp(500));
    let body = [&fast(&packet)[..136], &[0x20, 0, 0, 0, 0, 4, 1, 1][..]].concat();
    let (_, told) = run(&error(1, 0, 17 << 24, &body).bytes()).expect("it is told");
    assert_eq!(told, expected(3, 1, 0, &packet.bytes()[..116]));
    let packet = error(1, 0, 200 << 24, &body).bytes();
    assert_eq!(run(&packet), Err(DropReason::Malformed));
}

#[test]
fn nothing_is_said_about_errors_and_later_fragments() {
    let quoted = V4::back(UDP, udp(40)).bytes();
    for kind in [3, 4, 5, 11, 12] {
        let packet = sent(ICMP, icmp(kind, 0, 0, &quoted));
        for quote in [fast(&packet), escaped(&packet)] {
            let packet = error(1, 0, 0, &quote).bytes();
            assert_eq!(run(&packet), Err(DropReason::IcmpQuote));
        }
    }
    let later = V4 {
        offset: 8,
        ..sent(UDP, udp(64))
    };
    let packet = error(1, 0, 0, &escaped(&later)).bytes();
    assert_eq!(run(&packet), Err(DropReason::IcmpQuote));
    // G in the destination: a group.
    let mut quote = fast(&sent(UDP, udp(64)));
    quote[24 + 8] |= 1;
    assert_eq!(
        run(&error(1, 0, 0, &quote).bytes()),
        Err(DropReason::IcmpQuote)
    );
}

#[test]
fn errors_that_are_not_about_the_overlay_are_refused() {
    let quote = fast(&sent(UDP, udp(64)));
    for next_header in [58, 44, 143] {
        let mut other = quote.clone();
        other[6] = next_header;
        assert_eq!(
            run(&error(1, 0, 0, &other).bytes()),
            Err(DropReason::NextHeader)
        );
    }
    // Who is told, and about whom, is looked at in the outer addresses.
    for (src, dst) in [(B4, B4), (A4, A4), (GATEWAY, B4), (A4, GATEWAY)] {
        let other = V4 {
            src,
            dst,
            ..sent(UDP, udp(64))
        };
        assert_eq!(
            run(&error(2, 0, 1400, &escaped(&other)).bytes()),
            Err(DropReason::EscapeMismatch)
        );
    }
    let mut damaged = error(1, 0, 0, &quote).bytes();
    damaged[60] ^= 1;
    assert_eq!(run(&damaged), Err(DropReason::IcmpChecksum));
    assert_eq!(
        run(&V6::back(UDP, udp(20)).bytes()),
        Err(DropReason::NextHeader)
    );
}

proptest! {
    #[test]
    fn arbitrary_quotes_are_refused_or_told_whole(
        kind in 0u8..5, word: u32, mut quote in prop::collection::vec(any::<u8>(), 0..200), shaped: bool,
    ) {
        if shaped && quote.len() >= 40 {
            quote[0] = 0x60;
            quote[6] = if quote[6] & 1 == 0 { 4 } else { 17 };
            quote[8..24].copy_from_slice(&SRC);
            quote[24..40].copy_from_slice(&DST);
            if quote.len() > 40 {
                quote[40] = 0x45;
            }
            if quote[6] == 4 && quote.len() >= 60 {
                quote[52..56].copy_from_slice(&A4.octets());
                quote[56..60].copy_from_slice(&B4.octets());
            }
        }
        if let Ok((_, told)) = run(&error(kind, 0, word, &quote).bytes()) {
            prop_assert_eq!(usize::from(u16::from_be_bytes([told[2], told[3]])), told.len());
            prop_assert_eq!(crate::packet::reference_sum(&told[20..]), 0xffff);
            prop_assert_eq!(crate::packet::reference_sum(&told[..20]), 0xffff);
        }
    }
}
