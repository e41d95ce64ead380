// SPDX-License-Identifier: GPL-2.0

//! What holds for every packet of the fast form: it comes back as it left, and at both edges its checksum
//! is the one a sender would have computed from scratch.

use crate::packet::{checksum_offset, complete, partial, pseudo_v4, pseudo_v6, Fields, TCP, UDP};
use ovnet_engine::fast::{self, L4Checksum, Path};
use ovnet_engine::header::{Ipv4, Ipv6};
use ovnet_engine::{DropReason, SubstrateAddress, SubstratePrefix};
use proptest::prelude::*;

const MODES: [L4Checksum; 2] = [L4Checksum::Complete, L4Checksum::Partial];

/// Any header that is eligible; most are TCP or UDP.
fn fields() -> impl Strategy<Value = Fields> {
    let protocol = prop_oneof![
        Just(TCP),
        Just(UDP),
        any::<u8>().prop_filter("not carried", |&protocol| fast::carries(protocol)),
    ];
    (
        any::<u8>(),
        any::<u16>(),
        any::<bool>(),
        1u8..,
        protocol,
        any::<u32>(),
        any::<u32>(),
    )
        .prop_map(|(tos, id, df, ttl, protocol, src, dst)| Fields {
            tos,
            id: if df { 0 } else { id },
            df,
            ttl,
            protocol,
            src: src.into(),
            dst: dst.into(),
        })
}

fn l4() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..96)
}

fn path() -> impl Strategy<Value = Path> {
    (any::<[u8; 16]>(), any::<[u8; 16]>())
        .prop_map(|(from, to)| Path::new(SubstratePrefix::of(&from), SubstratePrefix::of(&to)))
}

fn to_ipv6(v4: &[u8], path: &Path, entropy: u16, csum: L4Checksum) -> Vec<u8> {
    let ip = Ipv4::parse(v4, v4.len() as u32).expect("the packet was built to be valid");
    let mut buf = [&[0; 20][..], v4].concat();
    fast::to_ipv6(&mut buf, &ip, path, entropy, csum).expect("the packet was built to be eligible");
    buf
}

fn to_ipv4(v6: &[u8], path: &Path, id: u16, csum: L4Checksum) -> Vec<u8> {
    let ip = Ipv6::parse(v6, v6.len() as u32).expect("the engine wrote it");
    let mut buf = v6.to_vec();
    let restored = fast::to_ipv4(&mut buf, &ip, path, 1, id, csum).expect("the engine wrote it");
    let v4 = buf.split_off(20);
    assert!(!restored.scrubbed);
    assert_eq!(usize::from(restored.total_len), v4.len());
    v4
}

/// Lets a wrong checksum be any but the second zero, which no sender writes and which comes back as the
/// first: for TCP 0xFFFF, for a sum left to a device 0x0000.
fn avoid_second_zero(l4: &mut [u8], protocol: u8, csum: L4Checksum) {
    let field = checksum_offset(protocol).and_then(|at| l4.get_mut(at..at + 2));
    match (field, csum) {
        (Some(field), L4Checksum::Complete) if protocol == TCP && field == [0xff; 2] => {
            field.fill(0)
        }
        (Some(field), L4Checksum::Partial) if field == [0; 2] => field.fill(0xff),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn every_packet_comes_back(
        fields in fields(), mut l4 in l4(), path in path(), entropy: u16, csum in prop::sample::select(&MODES[..]),
    ) {
        avoid_second_zero(&mut l4, fields.protocol, csum);
        let v4 = fields.packet(&l4);
        let v6 = to_ipv6(&v4, &path, entropy, csum);
        prop_assert_eq!(v6.len(), v4.len() + 20);
        let ip = Ipv6::parse(&v6, v6.len() as u32).expect("a valid IPv6 packet");
        prop_assert_eq!(ip.src, path.from().address(fields.src));
        prop_assert_eq!(ip.dst, path.to().address(fields.dst));
        prop_assert_eq!(ip.hop_limit, 64);
        prop_assert_eq!(ip.flow_label & 0x7ff, u32::from(entropy & 0x7ff));
        prop_assert_eq!(to_ipv4(&v6, &path, fields.id, csum), v4);
    }

    #[test]
    fn the_checksum_is_that_of_a_sender(
        fields in fields(), mut l4 in l4(), path in path(), csum in prop::sample::select(&MODES[..]),
    ) {
        let (protocol, len) = (fields.protocol, l4.len());
        prop_assume!(len >= fast::touched(protocol));
        let fill = match csum {
            L4Checksum::Complete => complete,
            L4Checksum::Partial => partial,
        };
        fill(&mut l4, protocol, &pseudo_v4(fields.src, fields.dst, protocol, len));
        let v6 = to_ipv6(&fields.packet(&l4), &path, 0, csum);
        let (src, dst) = (path.from().address(fields.src), path.to().address(fields.dst));
        fill(&mut l4, protocol, &pseudo_v6(src, dst, protocol, len));
        prop_assert_eq!(&v6[40..], &l4[..]);
        let v4 = to_ipv4(&v6, &path, fields.id, csum);
        fill(&mut l4, protocol, &pseudo_v4(fields.src, fields.dst, protocol, len));
        prop_assert_eq!(&v4[20..], &l4[..]);
    }

    #[test]
    fn a_udp_checksum_of_zero_stays(fields in fields(), mut l4 in l4(), path in path()) {
        prop_assume!(l4.len() >= 8);
        let fields = Fields { protocol: UDP, ..fields };
        l4[6..8].fill(0);
        let v6 = to_ipv6(&fields.packet(&l4), &path, 0, L4Checksum::Complete);
        prop_assert_eq!(&v6[40..], &l4[..]);
    }

    #[test]
    fn arbitrary_packets_are_carried_or_refused_whole(
        mut bytes in prop::collection::vec(any::<u8>(), 0..128), path in path(), available in 0u32..70_000,
        valid: bool, id: u16, csum in prop::sample::select(&MODES[..]),
    ) {
        let (v6, v4) = (bytes.clone(), bytes.get(20..).unwrap_or_default());
        if let Ok(ip) = Ipv6::parse(&v6, available) {
            let mut buf = v6.clone();
            if fast::to_ipv4(&mut buf, &ip, &path, 64, id, csum).is_err() {
                prop_assert_eq!(buf, v6);
            }
        }
        let mut v4 = v4.to_vec();
        if valid && v4.len() >= 20 {
            v4[0] = 0x45;
            v4[2] = 0;
            v4[6] &= 0x40;
            v4[7] = 0;
            crate::packet::fix_header(&mut v4);
        }
        if let Ok(ip) = Ipv4::parse(&v4, available) {
            bytes.truncate(20);
            bytes.extend(&v4);
            let before = bytes.clone();
            if fast::to_ipv6(&mut bytes, &ip, &path, id, csum).is_err() {
                prop_assert_eq!(bytes, before);
            }
        }
    }

    #[test]
    fn an_arrival_is_admitted_by_its_bits_alone(mut src: [u8; 16], mut dst: [u8; 16], change in 0usize..64) {
        src[8] = 0;
        dst[8] = 0;
        dst[9..12].copy_from_slice(&[src[9], src[10], src[11]]);
        let check = |src: &[u8; 16], dst: &[u8; 16]| {
            fast::check_arrival(&SubstrateAddress::decode(src), &SubstrateAddress::decode(dst))
        };
        prop_assert_eq!(check(&src, &dst), Ok(()));
        // One bit of slot, U, G or VNI in either address.
        let bit = change % 32;
        let address = if change < 32 { &mut src } else { &mut dst };
        address[8 + bit / 8] ^= 1 << (bit % 8);
        let reason = if bit < 8 { DropReason::AddressForm } else { DropReason::NetworkMismatch };
        prop_assert_eq!(check(&src, &dst), Err(reason));
    }
}
