// SPDX-License-Identifier: GPL-2.0

//! The fast form: whole packets in both forms to the byte, refusals, and arrivals.
//!
//! ```text
//! 10.0.0.2 at fd00:a:102:304::/64 ---- VNI 0x123456 ---- 10.0.0.3 at fd00:a:4005:9::/64
//! ```

use std::net::Ipv6Addr;

use crate::packet::{fix_header, hex};
use ovnet_engine::fast::{self, L4Checksum, Path, Restored};
use ovnet_engine::header::{Ipv4, Ipv6};
use ovnet_engine::{DropReason, SubstrateAddress, SubstratePrefix};

const ADDRESSES: &str = "fd00000a 01020304 00123456 0a000002 fd00000a 40050009 00123456 0a000003";

fn path() -> Path {
    let addresses: [u8; 32] = hex(ADDRESSES).try_into().expect("two addresses");
    let (src, dst) = addresses.split_first_chunk().expect("the first address");
    let dst = dst.first_chunk().expect("the second address");
    Path::new(SubstratePrefix::of(src), SubstratePrefix::of(dst))
}

/// Translates an IPv4 packet; gives back the whole buffer.
fn out(v4: &[u8], entropy: u16, csum: L4Checksum) -> Result<Vec<u8>, DropReason> {
    let ip = Ipv4::parse(v4, v4.len() as u32)?;
    let mut buf = [&[0xee; 20][..], v4].concat();
    let before = buf.clone();
    let result = fast::to_ipv6(&mut buf, &ip, &path(), entropy, csum);
    if result.is_err() {
        assert_eq!(buf, before, "a failed operation changed the buffer");
    }
    result.map(|()| buf)
}

/// Restores an IPv4 packet; gives back the buffer from the IPv4 header on.
fn back(v6: &[u8], ttl: u8, id: u16, csum: L4Checksum) -> Result<(Vec<u8>, Restored), DropReason> {
    let ip = Ipv6::parse(v6, v6.len() as u32)?;
    let mut buf = v6.to_vec();
    let result = fast::to_ipv4(&mut buf, &ip, &path(), ttl, id, csum);
    assert_eq!(buf[..20], v6[..20], "bytes before the IPv4 header changed");
    if result.is_err() {
        assert_eq!(buf, v6, "a failed operation changed the buffer");
    }
    result.map(|restored| (buf.split_off(20), restored))
}

/// (name, ID given to the far edge, entropy, IPv4 header, IPv6 header before the addresses, transport in
/// IPv4, transport in IPv6). All checksums were computed over the whole packets by another program.
type Vector = (
    &'static str,
    u16,
    u16,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const VECTORS: [Vector; 11] = [
    (
        "TCP, DF, all of TOS",
        0xffff,
        0x5a5,
        "45b9 002d 0000 4000 4006 260e 0a000002 0a000003",
        "6b940da5 0019 06 40",
        "9c40 0050 01020304 00000000 5002 faf0 bc7f 0000 68656c6c6f",
        "9c40 0050 01020304 00000000 5002 faf0 1585 0000 68656c6c6f",
    ),
    (
        "UDP, no DF, TTL 1",
        0x1234,
        0,
        "4500 001f 1234 0000 0111 9396 0a000002 0a000003",
        "60001000 000b 11 40",
        "14e9 0035 000b 1253 616263",
        "14e9 0035 000b 6b58 616263",
    ),
    (
        "UDP without checksum, TTL 255, entropy cut to 11 bits",
        0,
        0xffff,
        "4500 001f 0000 4000 ff11 67c9 0a000002 0a000003",
        "600fffff 000b 11 40",
        "14e9 0035 000b 0000 616263",
        "14e9 0035 000b 0000 616263",
    ),
    (
        "UDP whose checksum computes to 0 over IPv6",
        0,
        0,
        "4500 001e 0000 4000 4011 26cb 0a000002 0a000003",
        "60040800 000a 11 40",
        "14e9 0035 000a a6fa 2fbd",
        "14e9 0035 000a ffff 2fbd",
    ),
    (
        "UDP whose checksum computes to 0 over IPv4",
        0,
        0,
        "4500 001e 0000 4000 4011 26cb 0a000002 0a000003",
        "60040800 000a 11 40",
        "14e9 0035 000a ffff d6b7",
        "14e9 0035 000a 5905 d6b7",
    ),
    (
        "TCP whose checksum computes to 0 over IPv6",
        0,
        0,
        "4500 002a 0000 4000 4006 26ca 0a000002 0a000003",
        "60040800 0016 06 40",
        "9c40 0050 01020304 00000000 5002 faf0 a6fa 0000 595a",
        "9c40 0050 01020304 00000000 5002 faf0 0000 0000 595a",
    ),
    (
        "TCP whose checksum computes to 0 over IPv4",
        0,
        0,
        "4500 002a 0000 4000 4006 26ca 0a000002 0a000003",
        "60040800 0016 06 40",
        "9c40 0050 01020304 00000000 5002 faf0 0000 0000 0055",
        "9c40 0050 01020304 00000000 5002 faf0 5905 0000 0055",
    ),
    (
        "ICMPv4 keeps its number and bytes",
        0,
        1,
        "4500 0020 0000 4000 4001 26d9 0a000002 0a000003",
        "60040801 000c 01 40",
        "0800 18b7 0077 0001 70696e67",
        "0800 18b7 0077 0001 70696e67",
    ),
    (
        "TCP too short for its checksum keeps its bytes",
        0,
        0,
        "4500 0025 0000 4000 4006 26cf 0a000002 0a000003",
        "60040800 0011 06 40",
        "9c40 0050 01020304 00000000 5002 faf0 bc",
        "9c40 0050 01020304 00000000 5002 faf0 bc",
    ),
    (
        "UDP too short for its checksum keeps its bytes",
        0,
        0,
        "4500 001b 0000 4000 4011 26ce 0a000002 0a000003",
        "60040800 0007 11 40",
        "14e9 0035 000b 12",
        "14e9 0035 000b 12",
    ),
    (
        "no payload",
        7,
        0,
        "4500 0014 0007 0000 40ff 65e0 0a000002 0a000003",
        "60040000 0000 ff 40",
        "",
        "",
    ),
];

#[test]
fn vectors_both_ways() {
    for (name, id, entropy, head4, head6, l4, l6) in VECTORS {
        let v4 = [hex(head4), hex(l4)].concat();
        let v6 = [hex(head6), hex(ADDRESSES), hex(l6)].concat();
        assert_eq!(
            out(&v4, entropy, L4Checksum::Complete),
            Ok(v6.clone()),
            "{name}"
        );
        let restored = Restored {
            total_len: v4.len() as u16,
            scrubbed: false,
        };
        assert_eq!(
            back(&v6, 99, id, L4Checksum::Complete),
            Ok((v4, restored)),
            "{name}"
        );
    }
}

#[test]
fn a_checksum_left_to_a_device_is_seeded_anew() {
    // The sums of the pseudo-headers of the first vector's packet, not complemented.
    let (head4, head6) = (VECTORS[0].3, VECTORS[0].4);
    let l4 = "9c40 0050 01020304 00000000 5002 faf0 1424 0000 68656c6c6f";
    let l6 = "9c40 0050 01020304 00000000 5002 faf0 bb1e 0000 68656c6c6f";
    let v4 = [hex(head4), hex(l4)].concat();
    let v6 = [hex(head6), hex(ADDRESSES), hex(l6)].concat();
    assert_eq!(out(&v4, 0x5a5, L4Checksum::Partial), Ok(v6.clone()));
    assert_eq!(
        back(&v6, 99, 0, L4Checksum::Partial).map(|(bytes, _)| bytes),
        Ok(v4)
    );
}

#[test]
fn a_neutral_pair_of_prefixes_leaves_the_checksum() {
    // fd00:a:… to its ones-complement: the twelve words of both sum to a multiple of 0xFFFF.
    let from: [u8; 16] = hex("fd00000a 01020304 00123456 00000000")
        .try_into()
        .expect("16 bytes");
    let path = Path::new(
        SubstratePrefix::of(&from),
        SubstratePrefix::of(&from.map(|byte| !byte)),
    );
    assert_eq!(path.delta(), 0xffff);
    // (field, kind, field on both forms): a sender's own value stays, the second zero becomes the first.
    let vectors = [
        (0xbc7f, L4Checksum::Complete, 0xbc7f),
        (0x0000, L4Checksum::Complete, 0x0000),
        (0xffff, L4Checksum::Complete, 0x0000),
        (0x1424, L4Checksum::Partial, 0x1424),
        (0xffff, L4Checksum::Partial, 0xffff),
        (0x0000, L4Checksum::Partial, 0xffff),
    ];
    for (field, csum, expected) in vectors {
        let mut v4 = [hex(VECTORS[0].3), hex(VECTORS[0].5)].concat();
        v4[36..38].copy_from_slice(&u16::to_be_bytes(field));
        let ip = Ipv4::parse(&v4, v4.len() as u32).expect("a valid packet");
        let mut buf = [&[0; 20][..], &v4].concat();
        assert_eq!(fast::to_ipv6(&mut buf, &ip, &path, 0, csum), Ok(()));
        assert_eq!(
            buf[56..58],
            u16::to_be_bytes(expected),
            "{field:#x} {csum:?}"
        );
        buf[56..58].copy_from_slice(&u16::to_be_bytes(field));
        let ip = Ipv6::parse(&buf, buf.len() as u32).expect("a valid packet");
        assert!(fast::to_ipv4(&mut buf, &ip, &path, 64, 0, csum).is_ok());
        assert_eq!(
            buf[56..58],
            u16::to_be_bytes(expected),
            "{field:#x} {csum:?}"
        );
    }
}

#[test]
fn a_path_keeps_its_prefixes_and_its_constant() {
    let addresses = hex(ADDRESSES);
    assert_eq!(path().from().octets()[..], addresses[..12]);
    assert_eq!(path().to().octets()[..], addresses[16..28]);
    assert_eq!(path().delta(), 0xa6fa);
    let zero = SubstratePrefix::of(&[0; 16]);
    assert_eq!(Path::new(zero, zero).delta(), 0xffff);
}

#[test]
fn only_the_bytes_touched_need_be_there() {
    for (protocol, touched) in [
        (6, 18),
        (17, 8),
        (1, 0),
        (33, 0),
        (50, 0),
        (132, 0),
        (136, 0),
    ] {
        assert_eq!(fast::touched(protocol), touched, "{protocol}");
    }
    for (name, _, entropy, head4, head6, l4, l6) in VECTORS {
        let (l4, l6) = (hex(l4), hex(l6));
        let whole4 = [hex(head4), l4.clone()].concat();
        let whole6 = [hex(head6), hex(ADDRESSES), l6.clone()].concat();
        let ip4 = Ipv4::parse(&whole4, whole4.len() as u32).expect(name);
        let ip6 = Ipv6::parse(&whole6, whole6.len() as u32).expect(name);
        let touched = fast::touched(ip4.protocol);
        let needed = if l4.len() < touched { 0 } else { touched };
        for len in 0..=40 + l4.len() {
            let expected = if len >= 40 + needed {
                Ok(())
            } else {
                Err(DropReason::Malformed)
            };
            let mut buf = [&[0; 20][..], &whole4].concat();
            buf.truncate(len);
            let before = buf.clone();
            let result = fast::to_ipv6(&mut buf, &ip4, &path(), entropy, L4Checksum::Complete);
            assert_eq!(result, expected, "{name}: {len}");
            let after = if result.is_ok() {
                &whole6[..len]
            } else {
                &before[..]
            };
            assert_eq!(buf, after, "{name}: {len}");

            let mut buf = whole6[..len].to_vec();
            let result = fast::to_ipv4(&mut buf, &ip6, &path(), 64, ip4.id, L4Checksum::Complete);
            assert_eq!(result.map(|_| ()), expected, "{name}: {len}");
            if result.is_ok() {
                assert_eq!(buf[20..], whole4[..len - 20], "{name}: {len}");
            } else {
                assert_eq!(buf, whole6[..len], "{name}: {len}");
            }
        }
    }
}

#[test]
fn what_the_fast_form_cannot_restore_needs_the_escape() {
    let v4 = [hex(VECTORS[0].3), hex(VECTORS[0].5)].concat();
    let refusal = |at: usize, value: u8| {
        let mut v4 = v4.clone();
        v4[at] = value;
        fix_header(&mut v4);
        out(&v4, 0, L4Checksum::Complete).err()
    };
    let escape = Some(DropReason::NeedsEscape);
    let vectors = [
        ("options", 0, 0x46, escape),
        ("reserved flag", 6, 0xc0, escape),
        ("more fragments", 6, 0x20, escape),
        ("first bit of the offset", 6, 0x10, escape),
        ("last bit of the offset", 7, 1, escape),
        ("don't fragment, more fragments", 6, 0x60, escape),
        ("no flag", 6, 0, None),
        ("TTL 0", 8, 0, Some(DropReason::Ttl)),
        ("TTL 1", 8, 1, None),
        ("IGMP", 9, 2, escape),
    ];
    for (name, at, value, expected) in vectors {
        assert_eq!(refusal(at, value), expected, "{name}");
    }
    for protocol in 0..=255 {
        let refused = [0, 2, 4, 43, 44, 58, 60, 135, 139, 140, 143].contains(&protocol);
        assert_eq!(
            refusal(9, protocol),
            if refused { escape } else { None },
            "{protocol}"
        );
        assert_eq!(fast::carries(protocol), !refused, "{protocol}");
    }
}

#[test]
fn next_headers_that_are_refused_on_arrival() {
    for next_header in 0..=255 {
        let mut v6 = [
            hex("60040800 0019 06 40"),
            hex(ADDRESSES),
            hex(VECTORS[0].6),
        ]
        .concat();
        v6[6] = next_header;
        let expected = match next_header {
            58 => Some(DropReason::SubstrateIcmp),
            0 | 2 | 4 | 43 | 44 | 60 | 135 | 139 | 140 | 143 => Some(DropReason::NextHeader),
            _ => None,
        };
        assert_eq!(
            back(&v6, 64, 0, L4Checksum::Complete).err(),
            expected,
            "{next_header}"
        );
    }
}

#[test]
fn flow_labels_on_arrival() {
    // (label, TTL, flags byte, ID, scrubbed): the default TTL is 99, the fresh ID 0x4242.
    let vectors = [
        (0x00000, 99, 0x00, 0x4242, true),
        (0x00800, 99, 0x40, 0x0000, true),
        (0x007ff, 99, 0x00, 0x4242, true),
        (0x01000, 1, 0x00, 0x4242, false),
        (0xff000, 255, 0x00, 0x4242, false),
        (0x40fff, 64, 0x40, 0x0000, false),
    ];
    for (label, ttl, flags, id, scrubbed) in vectors {
        let mut v6 = [hex("60000000 0004 84 40"), hex(ADDRESSES), hex("11223344")].concat();
        v6[..4].copy_from_slice(&(0x6000_0000 | label as u32).to_be_bytes());
        let (v4, restored) = back(&v6, 99, 0x4242, L4Checksum::Complete).expect("carried");
        assert_eq!(
            restored,
            Restored {
                total_len: 24,
                scrubbed
            },
            "{label:#x}"
        );
        let seen = (v4[8], v4[6], u16::from_be_bytes([v4[4], v4[5]]));
        assert_eq!(seen, (ttl, flags, id), "{label:#x}");
        assert!(Ipv4::parse(&v4, 24).is_ok(), "{label:#x}");
    }
}

#[test]
fn the_total_length_must_fit() {
    for (payload_len, expected) in [
        (65515, Ok(65535)),
        (65516, Err(DropReason::Malformed)),
        (65535, Err(DropReason::Malformed)),
    ] {
        let mut v6 = [hex("60040000 0000 84 40"), hex(ADDRESSES)].concat();
        v6[4..6].copy_from_slice(&u16::to_be_bytes(payload_len));
        let ip = Ipv6::parse(&v6, u32::MAX).expect("the rest is not in the head");
        let result = fast::to_ipv4(&mut v6, &ip, &path(), 64, 0, L4Checksum::Complete);
        assert_eq!(result.map(|restored| restored.total_len), expected);
    }
}

#[test]
fn arrivals() {
    let decode =
        |text: &str| SubstrateAddress::decode(&text.parse::<Ipv6Addr>().expect(text).octets());
    let (src, dst) = ("fd00:a::12:3456:a00:2", "fd00:b::12:3456:a00:3");
    let form = Err(DropReason::AddressForm);
    let mismatch = Err(DropReason::NetworkMismatch);
    let vectors = [
        (src, dst, Ok(())),
        (src, "fd00:a::12:3456:a00:2", Ok(())),
        ("fd00:a::112:3456:a00:2", dst, form),
        ("fd00:a::212:3456:a00:2", dst, form),
        ("fd00:a::412:3456:a00:2", dst, form),
        ("fd00:a::8012:3456:a00:2", dst, form),
        (src, "fd00:b::112:3456:a00:3", form),
        (src, "fd00:b::212:3456:a00:3", form),
        (src, "fd00:b::412:3456:a00:3", form),
        (src, "fd00:b::fc12:3456:a00:3", form),
        (src, "fd00:b::12:3457:a00:3", mismatch),
        (src, "fd00:b::92:3456:a00:3", mismatch),
        ("fd00:a::a00:2", dst, mismatch),
        ("fd00:a::12:3457:a00:2", "fd00:b::112:3456:a00:3", form),
    ];
    for (src, dst, expected) in vectors {
        assert_eq!(
            fast::check_arrival(&decode(src), &decode(dst)),
            expected,
            "{src} {dst}"
        );
    }
}
