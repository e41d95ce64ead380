// SPDX-License-Identifier: GPL-2.0

//! The ordinary packet comes out as the fast form would have it, and nothing else passes for one.

use crate::packet::{Fields, TCP, UDP};
use ovnet_engine::fast::{self, L4Checksum, Path};
use ovnet_engine::header::{Ethernet, Ipv4, Ipv6, ETHERTYPE_IPV4};
use ovnet_engine::ordinary::{self, Frame, Packet, BEFORE, FRAME_HEAD};
use ovnet_engine::policy::Subject;
use ovnet_engine::{Mac, SubstrateAddress, SubstratePrefix, Vni};
use proptest::prelude::*;

const MODES: [L4Checksum; 2] = [L4Checksum::Complete, L4Checksum::Partial];

fn fields() -> impl Strategy<Value = Fields> {
    (
        any::<u8>(),
        any::<u16>(),
        any::<bool>(),
        1u8..,
        prop::sample::select(&[TCP, UDP][..]),
        any::<u32>(),
        any::<u32>(),
    )
        .prop_map(|(tos, id, df, ttl, protocol, src, dst)| Fields {
            tos,
            id,
            df,
            ttl,
            protocol,
            src: src.into(),
            dst: dst.into(),
        })
}

fn l4() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 18..96)
}

fn prefix() -> impl Strategy<Value = SubstratePrefix> {
    any::<[u8; 16]>().prop_map(|bytes| SubstratePrefix::of(&bytes))
}

fn path() -> impl Strategy<Value = Path> {
    (prefix(), prefix()).prop_map(|(from, to)| Path::new(from, to))
}

/// A path within one network, by addresses.
fn plain_path() -> impl Strategy<Value = Path> {
    (prefix(), prefix(), 1u32..1 << 24).prop_map(|(from, to, vni)| {
        let [_, network @ ..] = vni.to_be_bytes();
        let plain = |prefix: SubstratePrefix| {
            let mut bytes = prefix.address([0; 4].into());
            bytes[8] = 0;
            bytes[9..12].copy_from_slice(&network);
            SubstratePrefix::of(&bytes)
        };
        Path::new(plain(from), plain(to))
    })
}

fn frame(dst: Mac, src: Mac, ip: &[u8]) -> Vec<u8> {
    let ethernet = Ethernet {
        dst,
        src,
        ethertype: ETHERTYPE_IPV4,
    };
    [&ethernet.bytes()[..], ip].concat()
}

fn seen(frame: &[u8]) -> Option<Frame<'_>> {
    Frame::new(frame.first_chunk::<FRAME_HEAD>()?, frame.len() as u32)
}

fn arrived(packet: &[u8]) -> Option<Packet<'_>> {
    Packet::new(packet.first_chunk()?, packet.len() as u32)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn what_is_sent_is_the_fast_form(
        fields in fields(), l4 in l4(), path in path(), entropy: u16, macs: ([u8; 6], [u8; 6]),
        csum in prop::sample::select(&MODES[..]),
    ) {
        let v4 = fields.packet(&l4);
        let (dst, src) = (Mac(macs.0), Mac(macs.1));
        let whole = frame(dst, src, &v4);
        let ordinary = seen(&whole).expect("an ordinary frame");
        prop_assert_eq!(ordinary.mac_dst(), dst);
        prop_assert_eq!(ordinary.mac_src(), src);
        prop_assert_eq!(ordinary.src(), fields.src);
        prop_assert_eq!(ordinary.dst(), fields.dst);
        prop_assert_eq!(usize::from(ordinary.payload_len), l4.len());
        prop_assert_eq!(ordinary.transport.touched(), fast::touched(fields.protocol));

        let ip = Ipv4::parse(&v4, v4.len() as u32).expect("a valid packet");
        let nodes = (ordinary.src(), ordinary.dst());
        let ports = [l4[0], l4[1], l4[2], l4[3]];
        let vni = Vni::new(7).expect("a network's id");
        let total_len = ordinary.payload_len + 20;
        prop_assert_eq!(
            ordinary::subject(ordinary.transport, nodes, ports, total_len, vni),
            Subject::new(&ip, &l4, 0, vni)
        );
        let mut expected = [&[0; 20][..], &v4].concat();
        fast::to_ipv6(&mut expected, &ip, &path, entropy, csum).expect("an eligible packet");
        let mut buf = [&[0; BEFORE][..], &whole].concat();
        prop_assert!(ordinary::to_ipv6(&mut buf, ordinary.transport, &path, entropy, csum).is_some());
        prop_assert_eq!(buf, expected);
    }

    #[test]
    fn what_arrives_is_restored_alike(
        fields in fields(), l4 in l4(), path in plain_path(), entropy: u16, macs: ([u8; 6], [u8; 6]),
        csum in prop::sample::select(&MODES[..]),
    ) {
        let fields = Fields { id: 0, df: true, ..fields };
        let v4 = fields.packet(&l4);
        let ip = Ipv4::parse(&v4, v4.len() as u32).expect("a valid packet");
        let mut v6 = [&[0; 20][..], &v4].concat();
        fast::to_ipv6(&mut v6, &ip, &path, entropy, csum).expect("an eligible packet");

        let ordinary = arrived(&v6).expect("an ordinary packet");
        let ip = Ipv6::parse(&v6, v6.len() as u32).expect("a valid packet");
        let (src, dst) = (SubstrateAddress::decode(&ip.src), SubstrateAddress::decode(&ip.dst));
        let key = |address: SubstrateAddress| u64::from(address.vni) << 32 | u64::from(address.node.to_bits());
        prop_assert_eq!((ordinary.from, ordinary.to), (key(src), key(dst)));
        prop_assert!(ordinary.is_from(path.from().octets()));

        let mut expected = v6.clone();
        fast::to_ipv4(&mut expected, &ip, &path, 0, 0, csum).expect("the engine wrote it");
        let (from, to) = (Mac(macs.0), Mac(macs.1));
        let transport = ordinary.transport;
        prop_assert!(ordinary::to_frame(&mut v6, transport, &path, (from, to), csum).is_some());
        prop_assert_eq!(&v6[BEFORE..], frame(to, from, &expected[20..]));
    }

    /// One wrong bit in what is looked at, and the packet is not ordinary, or still what it says.
    #[test]
    fn a_frame_that_is_not_intact_is_not_ordinary(
        fields in fields(), l4 in l4(), place in 12usize..FRAME_HEAD, bit in 0u8..8,
    ) {
        let mut whole = frame(Mac([2; 6]), Mac([4; 6]), &fields.packet(&l4));
        whole[place] ^= 1 << bit;
        prop_assert!(seen(&whole).is_none());
    }

    #[test]
    fn only_eligible_frames_are_ordinary(
        bytes in prop::collection::vec(any::<u8>(), FRAME_HEAD..80), padding in 0usize..2, ttl in 0u8..3,
        protocol in prop::sample::select(&[TCP, UDP, 1][..]), flags in 0u8..8, offset in 0u8..2,
    ) {
        let mut bytes = bytes;
        let total_len = (bytes.len() - 14 - padding.min(bytes.len() - FRAME_HEAD)) as u16;
        bytes[12..15].copy_from_slice(&[8, 0, 0x45]);
        bytes[16..18].copy_from_slice(&total_len.to_be_bytes());
        bytes[20..24].copy_from_slice(&[flags << 5, offset, ttl, protocol]);
        bytes[24..26].fill(0);
        let check = ovnet_engine::checksum::ipv4_header(bytes[14..34].first_chunk().expect("20 bytes"));
        bytes[24..26].copy_from_slice(&check.to_be_bytes());
        let ip = Ipv4::parse(&bytes[14..], bytes.len() as u32 - 14).expect("an intact header");
        let eligible = fast::eligible(&ip).is_ok()
            && [TCP, UDP].contains(&ip.protocol)
            && usize::from(ip.total_len) == bytes.len() - 14
            && usize::from(ip.payload_len()) >= fast::touched(ip.protocol);
        prop_assert_eq!(seen(&bytes).is_some(), eligible);
    }

    #[test]
    fn only_plain_packets_of_one_network_are_ordinary(
        fields in fields(), l4 in l4(), path in path(), df: bool, ttl: u8,
    ) {
        let v4 = Fields { df, ttl: ttl.max(1), ..fields }.packet(&l4);
        let ip = Ipv4::parse(&v4, v4.len() as u32).expect("a valid packet");
        let mut v6 = [&[0; 20][..], &v4].concat();
        fast::to_ipv6(&mut v6, &ip, &path, 0, L4Checksum::Complete).expect("an eligible packet");
        if ttl == 0 {
            // The substrate cleared the label.
            v6[1] &= 0xf0;
            v6[2..4].fill(0);
        }
        let ip = Ipv6::parse(&v6, v6.len() as u32).expect("a valid packet");
        let (src, dst) = (SubstrateAddress::decode(&ip.src), SubstrateAddress::decode(&ip.dst));
        let plain = fast::check_arrival(&src, &dst).is_ok() && dst.network().is_some();
        prop_assert_eq!(arrived(&v6).is_some(), plain && fast::df(&ip) && !fast::scrubbed(&ip));
    }
}

/// The label's parts decide alone, where chance would hardly ever have a plain path.
#[test]
fn a_packet_without_df_or_label_is_not_ordinary() {
    let prefix = |bytes: [u8; 12]| {
        let mut address = [0; 16];
        address[..12].copy_from_slice(&bytes);
        SubstratePrefix::of(&address)
    };
    let path = Path::new(
        prefix([0xfd, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7]),
        prefix([0xfd, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 7]),
    );
    let fields = Fields {
        tos: 0,
        id: 0,
        df: true,
        ttl: 64,
        protocol: UDP,
        src: 0x0a00_0001.into(),
        dst: 0x0a00_0002.into(),
    };
    let v4 = fields.packet(&[7; 32]);
    let ip = Ipv4::parse(&v4, v4.len() as u32).expect("a valid packet");
    let mut v6 = [&[0; 20][..], &v4].concat();
    fast::to_ipv6(&mut v6, &ip, &path, 0, L4Checksum::Complete).expect("an eligible packet");
    assert!(arrived(&v6).is_some());
    let changed = |place: usize, value: u8| {
        let mut bytes = v6.clone();
        bytes[place] = value;
        arrived(&bytes).is_none()
    };
    assert!(changed(0, 0x40), "not IPv6");
    assert!(changed(2, v6[2] & !0x08), "no DF");
    assert!(changed(6, 1), "ICMP");
    assert!(changed(5, v6[5] + 1), "longer than it is");
    assert!(changed(16, 0x06), "the source in a slot");
    assert!(changed(32, 0x06), "the destination in a slot");
    assert!(changed(35, 8), "into another network");
    let mut slots = v6.clone();
    (slots[16], slots[32]) = (0x06, 0x06);
    assert!(arrived(&slots).is_none(), "both in a slot");
    let mut host = v6.clone();
    host[17..20].fill(0);
    host[33..36].fill(0);
    assert!(arrived(&host).is_none(), "the host itself");
    let mut cleared = v6.clone();
    cleared[1] &= 0xf0;
    cleared[2..4].copy_from_slice(&[0x08, 0]);
    assert!(arrived(&cleared).is_none(), "no TTL");
}
