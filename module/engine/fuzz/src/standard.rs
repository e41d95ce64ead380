// SPDX-License-Identifier: GPL-2.0

//! The standard form: one byte of the input sets the translator up, the rest is the packet.

use std::net::Ipv4Addr;

use ovnet_engine::embed::Prefix;
use ovnet_engine::siit::{self, Hairpin, Maps, Siit, UdpZero, Verdict, View};
use ovnet_engine::DropReason;

use crate::{check, known, signature, transport_sum};

/// A few explicit mappings.
struct Few;

const FEW: [(Ipv4Addr, [u8; 16]); 2] = [
    (
        Ipv4Addr::new(192, 0, 2, 33),
        [0x20, 1, 0xd, 0xb8, 0, 0xa, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    ),
    (
        Ipv4Addr::new(198, 51, 100, 2),
        [0x20, 1, 0xd, 0xb8, 0, 0xb, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
    ),
];

impl Maps for Few {
    fn v4_to_v6(&self, address: Ipv4Addr) -> Option<[u8; 16]> {
        FEW.iter().find(|pair| pair.0 == address).map(|pair| pair.1)
    }

    fn v6_to_v4(&self, address: &[u8; 16]) -> Option<Ipv4Addr> {
        FEW.iter()
            .find(|pair| pair.1 == *address)
            .map(|pair| pair.0)
    }
}

const ROUTERS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];

fn siit(bits: u8) -> Siit<'static> {
    let mut prefix = [0; 16];
    prefix[..5].copy_from_slice(&[0x20, 1, 0xd, 0xb8, 1]);
    let small = bits & 1 != 0;
    Siit {
        pool6: Prefix::new(prefix, 40).ok().filter(|_| bits & 2 == 0),
        mtu6: if small { 1280 } else { 1500 },
        mtu4: if small { 128 } else { 1500 },
        udp_zero: match bits >> 2 & 3 {
            0 => UdpZero::Drop,
            1 => UdpZero::Keep,
            _ => UdpZero::Compute,
        },
        owner: bits & 16 != 0,
        routers4: if bits & 32 != 0 { &ROUTERS } else { &[] },
        name_routers: bits & 32 != 0,
        own4: Some(Ipv4Addr::new(192, 0, 2, 1)),
        own6: Some([0x20, 1, 0xd, 0xb8, 0, 0xed, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        hairpin: match bits >> 6 {
            0 | 1 => Hairpin::Off,
            2 => Hairpin::Simple,
            _ => Hairpin::Intrinsic,
        },
        ..Siit::default()
    }
}

/// IPv4 to IPv6.
pub(crate) fn to6(input: &[u8]) -> u64 {
    let Some((&bits, packet)) = input.split_first() else {
        return 0;
    };
    translate(packet, &siit(bits), false)
}

/// IPv6 to IPv4.
pub(crate) fn to4(input: &[u8]) -> u64 {
    let Some((&bits, packet)) = input.split_first() else {
        return 0;
    };
    translate(packet, &siit(bits), true)
}

/// What of an outcome makes an input worth keeping.
#[derive(Hash)]
enum Outcome {
    Packet(u8, bool),
    Fragments(usize),
    Error(Result<(u8, u8, bool), DropReason>),
    Reply(DropReason, u8, u8),
    Drop(DropReason),
}

fn translate(packet: &[u8], siit: &Siit<'_>, v6: bool) -> u64 {
    let mut buf = [&[0xee; siit::HEADROOM][..], packet].concat();
    let before = buf.clone();
    let view = View::new(&mut buf, siit::HEADROOM);
    let verdict = if v6 {
        siit::to4(view, siit, &Few)
    } else {
        siit::to6(view, siit, &Few)
    };
    if !matches!(verdict, Verdict::Packet(_) | Verdict::Fragments(_)) {
        assert_eq!(buf, before, "a packet that was not translated was changed");
    }
    let mut out = [0xdd; 1400];
    signature(match verdict {
        Verdict::Packet(translated) => {
            let whole = &buf[translated.start..translated.start + translated.len as usize];
            check(whole);
            preserves(packet, whole);
            let protocol = if v6 { whole[9] } else { whole[6] };
            Outcome::Packet(known(protocol), translated.hairpin)
        }
        Verdict::Fragments(fragments) => {
            let mut next = fragments.transport();
            let mut count = 0;
            for piece in fragments {
                assert_eq!(piece.payload, next, "a gap between fragments");
                next += piece.payload_len;
                count += 1;
                let payload = &buf[piece.payload..next];
                check(&[piece.header(), payload].concat());
            }
            assert!(next <= buf.len() && count > 1);
            Outcome::Fragments(count.min(4))
        }
        Verdict::Error => {
            let result = if v6 {
                siit::error_to4(packet, siit, &Few, true, 7, &mut out)
            } else {
                siit::error_to6(packet, siit, &Few, true, &mut out)
            };
            Outcome::Error(result.map(|translated| {
                let whole = &out[..translated.len as usize];
                assert!(whole.len() <= if v6 { 576 } else { 1280 });
                check(whole);
                assert_eq!(transport_sum(whole), Some(0xffff), "ICMP checksum");
                let icmp = &whole[translated.transport..];
                (icmp[0], icmp[1], icmp[4..6] != [0, 0])
            }))
        }
        Verdict::Software => panic!("nothing was left to a device"),
        Verdict::Reply(reason, reply) => {
            let len = reply
                .write(packet, siit, 7, &mut out)
                .expect("the edge has addresses");
            check(&out[..len]);
            assert_eq!(transport_sum(&out[..len]), Some(0xffff), "ICMP checksum");
            let (kind, code, _) = reply.message();
            Outcome::Reply(reason, kind, code)
        }
        Verdict::Drop(reason) => Outcome::Drop(reason),
    })
}

/// A transport checksum that was right is right, and one that was wrong is wrong.
fn preserves(before: &[u8], after: &[u8]) {
    let v6 = before[0] >> 4 == 6;
    let len = match v6 {
        true => 40 + usize::from(u16::from_be_bytes([before[4], before[5]])),
        false => usize::from(u16::from_be_bytes([before[2], before[3]])),
    };
    // Behind extension headers the helper does not look.
    let (Some(old), Some(new)) = (transport_sum(&before[..len]), transport_sum(after)) else {
        return;
    };
    // A sum of zero bytes alone is the other zero; so is a TCP checksum that no sender writes.
    let zero = |sum| sum == 0 || sum == 0xffff;
    assert_eq!(
        zero(old),
        zero(new),
        "validity of the checksum, {old:04x} {new:04x}"
    );
}
