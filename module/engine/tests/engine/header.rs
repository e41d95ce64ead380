// SPDX-License-Identifier: GPL-2.0

//! Header parsing: vectors, truncation and corruption sweeps, arbitrary bytes.

use std::net::Ipv4Addr;

use crate::packet::{fix_header, hex};
use ovnet_engine::header::{Ethernet, Ipv4, Ipv6, ETHERTYPE_ARP, ETHERTYPE_IPV4};
use ovnet_engine::{DropReason, Mac};
use proptest::prelude::*;

/// TCP from 10.0.0.2 to 10.0.0.3: TOS 0xB9, ID 0xABCD, TTL 63, 4 bytes of payload, then 2 of padding.
const IPV4: &str = "45b9 0018 abcd 0000 3f06 bc50 0a00 0002 0a00 0003 11223344 5566";

/// From fd00:a::1 to fd00:b::2: class 0xB9, label 0x12345, UDP, hop limit 63, 4 bytes of payload, then
/// 2 of padding.
const IPV6: &str = "6b912345 0004 11 3f fd00000a000000000000000000000001
    fd00000b000000000000000000000002 11223344 5566";

fn ipv4() -> Vec<u8> {
    let mut bytes = hex(IPV4);
    fix_header(&mut bytes);
    bytes
}

fn parse4(bytes: &[u8]) -> Result<Ipv4, DropReason> {
    Ipv4::parse(bytes, bytes.len() as u32)
}

fn parse6(bytes: &[u8]) -> Result<Ipv6, DropReason> {
    Ipv6::parse(bytes, bytes.len() as u32)
}

#[test]
fn ethernet() {
    let frame = hex("0276 0a00 0003 0276 0a00 0002 0800 45");
    let header = Ethernet {
        dst: Mac([2, 0x76, 10, 0, 0, 3]),
        src: Mac([2, 0x76, 10, 0, 0, 2]),
        ethertype: ETHERTYPE_IPV4,
    };
    assert_eq!(Ethernet::parse(&frame), Ok(header));
    assert_eq!(header.bytes()[..], frame[..14]);
    for len in 0..14 {
        assert_eq!(
            Ethernet::parse(&frame[..len]),
            Err(DropReason::Malformed),
            "{len}"
        );
    }
    let arp = Ethernet {
        ethertype: ETHERTYPE_ARP,
        ..header
    };
    assert_eq!(arp.bytes()[12..], [0x08, 0x06]);
}

#[test]
fn ipv4_fields() {
    let header = parse4(&ipv4()).expect("a valid packet");
    let expected = Ipv4 {
        header_len: 20,
        tos: 0xb9,
        total_len: 24,
        id: 0xabcd,
        reserved: false,
        df: false,
        mf: false,
        fragment_offset: 0,
        ttl: 63,
        protocol: 6,
        src: Ipv4Addr::new(10, 0, 0, 2),
        dst: Ipv4Addr::new(10, 0, 0, 3),
    };
    assert_eq!(header, expected);
    assert_eq!(header.payload_len(), 4);
    assert!(!header.has_options() && !header.is_fragment());
}

#[test]
fn ipv4_flags_and_offset() {
    // (the word, reserved, DF, MF, offset)
    let vectors = [
        (0x8000, true, false, false, 0),
        (0x4000, false, true, false, 0),
        (0x2000, false, false, true, 0),
        (0x0001, false, false, false, 1),
        (0x1fff, false, false, false, 0x1fff),
        (0xffff, true, true, true, 0x1fff),
    ];
    for (word, reserved, df, mf, offset) in vectors {
        let mut bytes = ipv4();
        bytes[6..8].copy_from_slice(&u16::to_be_bytes(word));
        fix_header(&mut bytes);
        let header = parse4(&bytes).expect("flags do not make a packet invalid");
        let seen = (
            header.reserved,
            header.df,
            header.mf,
            header.fragment_offset,
        );
        assert_eq!(seen, (reserved, df, mf, offset), "{word:#x}");
        assert_eq!(header.is_fragment(), mf || offset != 0, "{word:#x}");
    }
}

#[test]
fn ipv4_options_must_be_in_the_head() {
    let mut bytes = ipv4();
    bytes[0] = 0x46; // The payload's four bytes become options.
    fix_header(&mut bytes);
    let header = parse4(&bytes).expect("a header with options");
    assert_eq!((header.header_len, header.payload_len()), (24, 0));
    assert!(header.has_options());
    assert_eq!(Ipv4::parse(&bytes[..24], 24), Ok(header));
    assert_eq!(Ipv4::parse(&bytes[..23], 24), Err(DropReason::Malformed));
    assert_eq!(Ipv4::parse(&bytes[..20], 24), Err(DropReason::Malformed));
}

/// Version and lengths: each of these changes alone makes the packet invalid.
#[test]
fn ipv4_contradictions() {
    let change = |at: usize, value: u8| {
        let mut bytes = ipv4();
        bytes[at] = value;
        if bytes[0] & 0xf >= 5 && usize::from(bytes[0] & 0xf) * 4 <= bytes.len() {
            fix_header(&mut bytes);
        }
        parse4(&bytes).map(|header| header.total_len)
    };
    assert_eq!(change(0, 0x45), Ok(24));
    for version in (0u8..16).filter(|&version| version != 4) {
        assert_eq!(
            change(0, version << 4 | 5),
            Err(DropReason::Malformed),
            "{version}"
        );
    }
    for ihl in [0, 1, 2, 3, 4, 7, 15] {
        assert_eq!(change(0, 0x40 | ihl), Err(DropReason::Malformed), "{ihl}");
    }
    assert_eq!(change(3, 26), Ok(26));
    assert_eq!(change(3, 27), Err(DropReason::Malformed));
    assert_eq!(change(2, 1), Err(DropReason::Malformed));
    assert_eq!(change(3, 20), Ok(20));
    assert_eq!(change(3, 19), Err(DropReason::Malformed));
    assert_eq!(change(3, 0), Err(DropReason::Malformed));
}

#[test]
fn an_ihl_whose_header_checksum_cannot_hold_is_refused_even_if_it_sums_up() {
    let mut bytes = ipv4();
    bytes[0] = 0x44;
    bytes[10..12].fill(0);
    let sum = !crate::packet::reference_sum(&bytes[..16]);
    bytes[10..12].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(parse4(&bytes), Err(DropReason::Malformed));
}

#[test]
fn what_can_be_read_may_be_less_than_the_packet() {
    let bytes = ipv4();
    assert!(Ipv4::parse(&bytes[..20], 24).is_ok());
    assert_eq!(Ipv4::parse(&bytes, 23), Err(DropReason::Malformed));
    assert!(Ipv4::parse(&bytes[..20], u32::MAX).is_ok());
    let bytes = hex(IPV6);
    assert!(Ipv6::parse(&bytes[..40], 44).is_ok());
    assert_eq!(Ipv6::parse(&bytes, 43), Err(DropReason::Malformed));
    assert!(Ipv6::parse(&bytes[..40], u32::MAX).is_ok());
}

#[test]
fn ipv4_truncations() {
    let bytes = ipv4();
    for len in 0..=bytes.len() {
        // 24 is the packet's length by its header.
        assert_eq!(parse4(&bytes[..len]).is_ok(), len >= 24, "{len}");
    }
}

#[test]
fn ipv4_corruptions() {
    let bytes = ipv4();
    for at in 0..20 {
        for change in 1..=255u8 {
            let mut bytes = bytes.clone();
            bytes[at] ^= change;
            // The ones-complement sum sees every change of one byte.
            assert_eq!(
                parse4(&bytes),
                Err(DropReason::Malformed),
                "{at} {change:#x}"
            );
        }
    }
}

#[test]
fn ipv6_fields() {
    let bytes = hex(IPV6);
    let header = parse6(&bytes).expect("a valid packet");
    assert_eq!(header.traffic_class, 0xb9);
    assert_eq!(header.flow_label, 0x12345);
    assert_eq!(header.payload_len, 4);
    assert_eq!(header.next_header, 17);
    assert_eq!(header.hop_limit, 63);
    assert_eq!(header.src[..], bytes[8..24]);
    assert_eq!(header.dst[..], bytes[24..40]);
    for len in 0..=bytes.len() {
        assert_eq!(parse6(&bytes[..len]).is_ok(), len >= 44, "{len}");
    }
    for version in (0u8..16).filter(|&version| version != 6) {
        let mut bytes = bytes.clone();
        bytes[0] = version << 4 | 0xb;
        assert_eq!(parse6(&bytes), Err(DropReason::Malformed), "{version}");
    }
    for (len, fits) in [
        (0, true),
        (6, true),
        (7, false),
        (0x100, false),
        (0xffff, false),
    ] {
        let mut bytes = bytes.clone();
        bytes[4..6].copy_from_slice(&u16::to_be_bytes(len));
        assert_eq!(parse6(&bytes).is_ok(), fits, "{len}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_read_or_refused(mut bytes: Vec<u8>, available: u32, ihl in 0u8..16) {
        let _ = Ethernet::parse(&bytes);
        let _ = Ipv6::parse(&bytes, available);
        let _ = Ipv4::parse(&bytes, available);
        // Most bytes fail the checksum, so let it hold and vary what stands behind it.
        if let Some(first) = bytes.first_mut() {
            *first = 0x40 | ihl;
        }
        if bytes.len() >= usize::from(ihl) * 4 && ihl >= 3 {
            fix_header(&mut bytes);
        }
        if let Ok(header) = Ipv4::parse(&bytes, available) {
            prop_assert!(header.header_len >= 20 && bytes.len() >= usize::from(header.header_len));
            prop_assert!(header.total_len >= u16::from(header.header_len));
            prop_assert!(u32::from(header.total_len) <= available);
        }
    }

    #[test]
    fn an_ethernet_header_leads_back(bytes: [u8; 14]) {
        prop_assert_eq!(Ethernet::parse(&bytes).map(|header| header.bytes()), Ok(bytes));
    }
}
