// SPDX-License-Identifier: GPL-2.0

//! Rows K: transport checksums.

use super::wire::*;
use crate::packet::{partial, pseudo_v4, pseudo_v6, reference_sum};
use ovnet_engine::fast::L4Checksum;
use ovnet_engine::siit::{self, Beyond, UdpZero, Verdict, View};
use ovnet_engine::DropReason;

#[test]
fn k01_right_stays_right_and_wrong_stays_as_wrong() {
    for (protocol, at, l4) in [(TCP, 16, tcp(60)), (UDP, 6, udp(60))] {
        for wrong in [0u32, 1, 0x8000, 0xfff0] {
            let (mut v4, mut v6) = (V4::new(protocol, l4.clone()), V6::new(protocol, l4.clone()));
            for l4 in [&mut v4.l4, &mut v6.l4] {
                let sum = u32::from(l4[at]) << 8 | u32::from(l4[at + 1]);
                let sum = (sum + wrong) % 0xffff;
                l4[at..at + 2].copy_from_slice(&(sum as u16).to_be_bytes());
            }
            edge().sends6(&v4, &v6);
            let (v4, v6) = (
                V4 {
                    src: B4,
                    dst: A4,
                    ttl: 63,
                    id: FRESH,
                    df: false,
                    ..v4
                },
                V6 {
                    src: B6,
                    dst: A6,
                    hop: 64,
                    ..v6
                },
            );
            // Source and destination are summed alike.
            edge().sends4(&v6, &v4);
        }
    }
}

#[test]
fn k02_a_computed_zero_is_written_as_the_protocol_wants() {
    let l4 = zero_sum(|l4| V6::new(UDP, l4).l4, udp(20), 6);
    let expected = V6::new(UDP, l4.clone());
    assert_eq!(expected.l4[6..8], [0xff, 0xff]);
    edge().sends6(&V4::new(UDP, l4), &expected);
    let l4 = zero_sum(|l4| V6::new(TCP, l4).l4, tcp(40), 16);
    let expected = V6::new(TCP, l4.clone());
    assert_eq!(expected.l4[16..18], [0, 0]);
    edge().sends6(&V4::new(TCP, l4), &expected);
}

/// A datagram without a checksum.
fn unsummed(len: usize) -> V4 {
    let mut packet = V4::new(UDP, udp(len));
    packet.l4[6..8].fill(0);
    packet
}

#[test]
fn k03_udp_without_a_checksum_is_refused_summed_or_kept() {
    for len in [8, 9, 60, 1201] {
        let packet = unsummed(len);
        edge().replies4(&packet, DropReason::UdpZeroChecksum, (3, 13, 0));
        with(|siit| siit.udp_zero = UdpZero::Compute).sends6(&packet, &V6::new(UDP, udp(len)));
        let mut expected = V6::new(UDP, udp(len));
        expected.l4[6..8].fill(0);
        with(|siit| siit.udp_zero = UdpZero::Keep).sends6(&packet, &expected);
    }
    // Also if it is fragmented afterwards.
    let packet = V4 {
        df: false,
        ..unsummed(1300)
    };
    let whole = V6::new(UDP, udp(1300)).l4;
    let expected = [(0, true, &whole[..1232]), (154, false, &whole[1232..])];
    let expected = expected.map(|(offset, more, l4)| V6 {
        headers: vec![fragment(offset, more, 0x4321)],
        l4: l4.to_vec(),
        ..V6::new(UDP, udp(8))
    });
    same(
        with(|siit| siit.udp_zero = UdpZero::Compute).to6(&packet.bytes()),
        Out::Packets(expected.iter().map(V6::bytes).collect()),
    );
}

/// The tail of a packet that is not in the view.
struct Tail(Vec<u8>);

impl Beyond for Tail {
    fn sum(&self, offset: u32, len: u32) -> Option<u16> {
        let bytes = self.0.get(offset as usize..)?.get(..len as usize)?;
        Some(reference_sum(bytes))
    }
}

#[test]
fn k03_the_sum_takes_in_what_is_not_in_the_view() {
    let packet = unsummed(1201).bytes();
    let expected = V6::new(UDP, udp(1201)).bytes();
    let edge = with(|siit| siit.udp_zero = UdpZero::Compute);
    for linear in [28, 29, 30, 333, 1220] {
        let mut buf = vec![0; siit::HEADROOM];
        buf.extend(&packet[..linear]);
        let tail = Tail(packet.clone());
        let view = View {
            len: packet.len() as u32,
            beyond: &tail,
            ..View::new(&mut buf, siit::HEADROOM)
        };
        let Verdict::Packet(out) = siit::to6(view, &edge.siit, &edge) else {
            panic!("the packet is translated");
        };
        assert_eq!(buf[out.start..], expected[..linear + 20]);
    }
}

#[test]
fn k04_a_fragment_without_a_checksum_cannot_be_summed() {
    let first = V4 {
        df: false,
        mf: true,
        ..unsummed(64)
    };
    let later = V4 {
        offset: 8,
        ..first.clone()
    };
    for policy in [UdpZero::Drop, UdpZero::Compute] {
        let edge = with(|siit| siit.udp_zero = policy);
        edge.replies4(&first, DropReason::UdpZeroChecksum, (3, 13, 0));
        let expected = V6 {
            headers: vec![fragment(8, true, 0x4321)],
            l4: later.l4.clone(),
            ..V6::new(UDP, udp(64))
        };
        edge.sends6(&later, &expected);
    }
    let expected = V6 {
        headers: vec![fragment(0, true, 0x4321)],
        l4: first.l4.clone(),
        ..V6::new(UDP, udp(64))
    };
    with(|siit| siit.udp_zero = UdpZero::Keep).sends6(&first, &expected);
}

#[test]
fn k05_a_udp_length_that_is_not_the_payloads_is_forwarded() {
    let (mut v4, mut v6) = (V4::new(UDP, udp(60)), V6::new(UDP, udp(60)));
    for l4 in [&mut v4.l4, &mut v6.l4] {
        l4.extend([0xaa; 5]);
    }
    // The checksum covers the UDP length, so neither is to be sealed again.
    edge().sends6(&v4, &v6);
    v4.l4[6..8].fill(0);
    with(|siit| siit.udp_zero = UdpZero::Compute).sends6(&v4, &v6);
    // A length that cannot be covered cannot be summed.
    v4.l4[4..6].copy_from_slice(&[1, 0]);
    with(|siit| siit.udp_zero = UdpZero::Compute).replies4(
        &v4,
        DropReason::UdpZeroChecksum,
        (3, 13, 0),
    );
}

#[test]
fn k06_other_checksums_over_addresses_are_adjusted_if_asked_and_no_others() {
    let edge = with(|siit| siit.adjust_others = true);
    for protocol in [33, 136] {
        edge.sends6(&V4::new(protocol, data(60)), &V6::new(protocol, data(60)));
        edge.sends4(&V6::back(protocol, data(60)), &V4::back(protocol, data(60)));
        // Otherwise every byte stays.
        let packet = V4::new(protocol, data(60));
        let expected = V6 {
            l4: packet.l4.clone(),
            ..V6::new(protocol, data(60))
        };
        super::wire::edge().sends6(&packet, &expected);
    }
    // The builder leaves SCTP as it is.
    edge.sends6(&V4::new(132, data(60)), &V6::new(132, data(60)));
}

#[test]
fn k07_addresses_of_equal_sums_change_nothing() {
    let mut edge = edge();
    // Both pairs of addresses sum to the same.
    let neutral = |address: std::net::Ipv4Addr| {
        let [a, b, c, d] = address.octets();
        v6(&[
            0xfd00,
            0x02ff,
            0,
            0,
            0,
            0,
            u16::from_be_bytes([a, b]),
            u16::from_be_bytes([c, d]),
        ])
    };
    assert_eq!(reference_sum(&neutral(A4)), reference_sum(&A4.octets()));
    edge.maps = vec![(A4, neutral(A4)), (B4, neutral(B4))];
    for (protocol, l4) in [(TCP, tcp(60)), (UDP, udp(60))] {
        let packet = V4::new(protocol, l4);
        let expected = V6 {
            src: neutral(A4),
            dst: neutral(B4),
            l4: packet.l4.clone(),
            ..V6::new(protocol, packet.l4.clone())
        };
        let sealed = expected.clone().sealed();
        assert_eq!(sealed.l4, packet.l4);
        edge.sends6(&packet, &expected);
    }
}

#[test]
fn k08_a_checksum_left_to_a_device_is_seeded_anew() {
    for (protocol, l4) in [(TCP, tcp(60)), (UDP, udp(60))] {
        let len = l4.len();
        let (mut v4, mut v6) = (V4::new(protocol, l4.clone()), V6::new(protocol, l4));
        partial(&mut v4.l4, protocol, &pseudo_v4(A4, B4, protocol, len));
        partial(&mut v6.l4, protocol, &pseudo_v6(A6, B6, protocol, len));
        let edge = edge();
        let mut buf = [vec![0; siit::HEADROOM], v4.bytes()].concat();
        let view = View {
            csum: L4Checksum::Partial,
            ..View::new(&mut buf, siit::HEADROOM)
        };
        let Verdict::Packet(out) = siit::to6(view, &edge.siit, &edge) else {
            panic!("the packet is translated");
        };
        assert_eq!(buf[out.start..], v6.bytes());
        assert_eq!(out.transport, siit::HEADROOM + 20);
        // And back.
        let mut buf = v6.bytes();
        let view = View {
            csum: L4Checksum::Partial,
            ..View::new(&mut buf, 0)
        };
        let Verdict::Packet(out) = siit::to4(view, &edge.siit, &edge) else {
            panic!("the packet is translated");
        };
        assert_eq!(buf[out.start + 20..], v4.l4);
        assert_eq!(out.transport, 40);
    }
}

#[test]
fn k10_segments_are_measured_and_not_the_packet_that_stands_for_them() {
    let edge = with(|siit| siit.mtu6 = 1500);
    let run = |segment, df| {
        let packet = V4 {
            df,
            ..V4::new(TCP, tcp(9000))
        };
        let mut buf = [vec![0; siit::HEADROOM], packet.bytes()].concat();
        let view = View {
            segment: Some(segment),
            csum: L4Checksum::Partial,
            ..View::new(&mut buf, siit::HEADROOM)
        };
        siit::to6(view, &edge.siit, &edge)
    };
    assert!(matches!(run(1480, true), Verdict::Packet(packet) if packet.len == 9040));
    assert!(
        matches!(run(1481, true), Verdict::Reply(DropReason::TooBig, reply) if reply.message() == (3, 4, 1480))
    );
    assert!(matches!(run(1260, false), Verdict::Packet(_)));
    assert!(matches!(run(1261, false), Verdict::Software));
    let run = |segment| {
        let mut buf = V6::back(TCP, tcp(9000)).bytes();
        let view = View {
            segment: Some(segment),
            csum: L4Checksum::Partial,
            ..View::new(&mut buf, 0)
        };
        siit::to4(view, &edge.siit, &edge)
    };
    assert!(matches!(run(1520), Verdict::Packet(packet) if packet.len == 9020));
    assert!(
        matches!(run(1521), Verdict::Reply(DropReason::TooBig, reply) if reply.message() == (2, 0, 1520))
    );
}
