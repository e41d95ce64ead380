// SPDX-License-Identifier: GPL-2.0

//! The forms between two hosts of the overlay.

use std::net::Ipv4Addr;

use ovnet_engine::escape::{self, Carried};
use ovnet_engine::fast::{self, Fidelity, Form, L4Checksum, Path};
use ovnet_engine::header::{Ipv4, Ipv6};
use ovnet_engine::{SubstrateAddress, SubstratePrefix};

use crate::{check, known, signature, transport_sum};

const FROM: [u8; 12] = [0xfd, 0, 0, 0xa, 0, 1, 0, 1, 0, 0, 0, 7];
const TO: [u8; 12] = [0xfd, 0, 0, 0xa, 0, 1, 0, 2, 0, 0, 0, 7];

fn address(prefix: [u8; 12], node: Ipv4Addr) -> [u8; 16] {
    let mut address = [0; 16];
    address[..12].copy_from_slice(&prefix);
    address[12..].copy_from_slice(&node.octets());
    address
}

/// An IPv4 packet goes to the other host and comes back.
pub(crate) fn fast(packet: &[u8]) -> u64 {
    let Ok(ip) = Ipv4::parse(packet, packet.len() as u32) else {
        return 1;
    };
    let packet = &packet[..usize::from(ip.total_len)];
    let (src, dst) = (address(FROM, ip.src), address(TO, ip.dst));
    let form = fast::form(&ip, false, Fidelity::Exact);
    match form {
        Form::Fast => {
            let path = Path::new(SubstratePrefix::of(&src), SubstratePrefix::of(&dst));
            let mut buf = [&[0; fast::GROWTH][..], packet].concat();
            if fast::to_ipv6(&mut buf, &ip, &path, 5, L4Checksum::Complete).is_err() {
                return 2;
            }
            check(&buf);
            let back = Ipv6::parse(&buf, buf.len() as u32).expect("the engine wrote it");
            fast::to_ipv4(&mut buf, &back, &path, 1, 0, L4Checksum::Complete)
                .expect("the engine wrote it");
            let restored = &buf[fast::GROWTH..];
            check(restored);
            // Of the two zeros of a TCP checksum only one is ever written.
            let second_zero = ip.protocol == 6 && packet.get(36..38) == Some(&[0xff, 0xff]);
            if !second_zero {
                assert_eq!(restored, packet);
            }
        }
        Form::Escape => {
            let carried = Carried::Ipv4 { tos: ip.tos };
            let header =
                escape::wrap(carried, src, dst, ip.total_len.into(), 5).expect("it fits a header");
            let outer = Ipv6::parse(&header, u32::MAX).expect("the engine wrote it");
            assert_eq!(escape::ipv4(&outer, packet), Ok(ip));
        }
    }
    signature((form == Form::Fast, known(ip.protocol), ip.is_fragment()))
}

/// Anything arrives from the substrate.
pub(crate) fn arrival(packet: &[u8]) -> u64 {
    let Ok(ip) = Ipv6::parse(packet, packet.len() as u32) else {
        return 1;
    };
    let end = 40 + usize::from(ip.payload_len);
    let (src, dst) = (
        SubstrateAddress::decode(&ip.src),
        SubstrateAddress::decode(&ip.dst),
    );
    let admitted = fast::check_arrival(&src, &dst);
    let carried = escape::ipv4(&ip, &packet[40..end]);
    if let Ok(inner) = carried {
        check(&packet[40..end]);
        assert_eq!((inner.src, inner.dst), (src.node, dst.node));
    }
    let frame = escape::ethernet(&ip, &packet[40..end]);
    let path = Path::new(SubstratePrefix::of(&ip.src), SubstratePrefix::of(&ip.dst));
    let mut buf = packet[..end].to_vec();
    let restored = fast::to_ipv4(&mut buf, &ip, &path, 64, 9, L4Checksum::Complete);
    match restored {
        Ok(restored) => {
            assert_eq!(usize::from(restored.total_len), end - fast::GROWTH);
            check(&buf[fast::GROWTH..]);
        }
        Err(_) => assert_eq!(buf, packet[..end]),
    }
    signature((
        admitted.err(),
        carried.err(),
        frame.err(),
        restored.map(|restored| restored.scrubbed),
    ))
}

/// An ICMPv6 error about any bytes: its head and checksum are made right, so that the rest is looked at.
pub(crate) fn substrate(input: &[u8]) -> u64 {
    let Some((&[kind, code], quote)) = input.split_first_chunk::<2>() else {
        return 0;
    };
    let quote = &quote[..quote.len().min(1232)];
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((8 + quote.len() as u16).to_be_bytes());
    packet.extend([58, 64]);
    packet.extend(address(TO, Ipv4Addr::new(0, 0, 0, 1)));
    packet.extend(address(FROM, Ipv4Addr::new(10, 0, 0, 2)));
    packet.extend([kind % 8, code % 8, 0, 0, 0, 0, 5, kind]);
    packet.extend(quote);
    let sum = !transport_sum(&packet).expect("it has a pseudo-header");
    packet[42..44].copy_from_slice(&sum.to_be_bytes());
    let mut out = [0; 576];
    let gateway = Ipv4Addr::new(10, 0, 0, 1);
    let report = ovnet_engine::substrate::report(&packet, Some(gateway), 7, &mut out);
    if let Ok(report) = report {
        check(&out[..report.len]);
        assert_eq!(transport_sum(&out[..report.len]), Some(0xffff));
        assert!(report.mtu.is_none_or(|mtu| mtu >= 1280));
    }
    signature(report.map(|report| (out[20], out[21], known(out[37]), report.len == 576)))
}
