// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3
//!   MTU 4000  sub ▲      │         sub    v0
//!                        └─ the case sends to R here, as anybody could
//! ```

use std::net::Ipv4Addr;

use ovnet_uapi::EventKind;

use super::{Case, Failure};
use crate::frame::{checksum, ethernet, Ipv4, Ipv6, DF, ICMP, IPIP, IPV4, IPV6, MF, TCP, UDP};
use crate::overlay::{draw, host_mac, same, substrate, virtual_mac, Host, Wire, FABRIC_MAC};

/// What is carried whole is right to the last bit, and forged is not carried.
pub const CASE: Case = Case {
    name: "escape",
    title: "a packet that is carried whole is right bit by bit, in fragments if it must, and only from its node",
    rows: &["AD7", "TX10", "RX2"],
    guests: 1,
    timeout: 60,
    run,
};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const G: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);

/// The largest packet that is carried whole: the substrate's MTU less 40.
const MTU: usize = 1460;

/// The sockets and the hosts of the case.
struct Stage {
    a: Wire,
    tap: Wire,
    sub: Wire,
    fabric: Wire,
    far_sub: Wire,
    g: Wire,
    r: Host,
    s: Host,
}

fn run() -> Result<(), Failure> {
    draw(
        "hosts R S; port A on R net 7 10.0.0.2; port G on S net 7 10.0.0.3
         ovctl -n R mapping set 7 10.0.0.4 --locator fd00:a:1:2::/64
         ip -n A link set v0 mtu 4000",
    )?;
    let mut stage = Stage {
        a: Wire::open("A", "v0")?,
        tap: Wire::open("A", "v0")?,
        sub: Wire::open("R", "sub")?,
        fabric: Wire::open("fabric", "R")?,
        far_sub: Wire::open("S", "sub")?,
        g: Wire::open("G", "v0")?,
        r: Host::open("R")?,
        s: Host::open("S")?,
    };
    carried(&mut stage)?;
    fragmented(&mut stage)?;
    not_fragmented(&mut stage)?;
    delivered(&mut stage)?;
    mismatched(&mut stage)?;
    malformed(&mut stage)?;
    stage.r.no_event()
}

/// The header that R puts before a packet from A to G.
fn outer(tos: u8) -> Ipv6 {
    Ipv6 {
        // ECN is taken off: a mark on the outer header would be lost.
        class: tos & 0xfc,
        // A raw socket gives no hash.
        label: 0,
        hops: 64,
        src: substrate(1, 0, 7, A),
        dst: substrate(2, 0, 7, G),
    }
}

/// The header of a packet from G at S to A at R, as the fabric sends it.
fn genuine() -> Ipv6 {
    Ipv6 {
        class: 0,
        label: 0,
        hops: 63,
        src: substrate(2, 0, 7, G),
        dst: substrate(1, 0, 7, A),
    }
}

impl Stage {
    /// A sends a packet. A capture there has a clone of it, which nothing that
    /// becomes of the packet may change.
    fn send(&self, packet: &[u8]) -> Result<(), Failure> {
        let frame = ethernet(virtual_mac(G), virtual_mac(A), IPV4, packet);
        self.a.send(&frame)?;
        self.tap.expect(&frame)
    }

    /// These packets of A are on the substrate, one after the other, and at G.
    fn carries(&mut self, tos: u8, packets: &[Vec<u8>]) -> Result<(), Failure> {
        let number = packets.len() as u64;
        let length = packets.iter().map(|packet| packet.len() as u64).sum();
        let mut ip = outer(tos);
        for packet in packets {
            ip.hops = 64;
            let frame = ethernet(FABRIC_MAC, host_mac(1), IPV6, &ip.packet(IPIP, packet));
            self.sub.expect(&frame)?;
            ip.hops = 63;
            let frame = ethernet(host_mac(2), FABRIC_MAC, IPV6, &ip.packet(IPIP, packet));
            self.far_sub.expect(&frame)?;
            let frame = ethernet(virtual_mac(G), virtual_mac(A), IPV4, packet);
            self.g.expect(&frame)?;
        }
        self.g.silent()?;
        self.r
            .counted(&[("tx-packets", number), ("tx-bytes", length)])?;
        self.s
            .counted(&[("rx-packets", number), ("rx-bytes", length)])
    }

    /// The fabric brings R a packet behind this header.
    fn brings(&self, ip: &Ipv6, packet: &[u8]) -> Result<(), Failure> {
        let frame = ethernet(host_mac(1), FABRIC_MAC, IPV6, &ip.packet(IPIP, packet));
        self.fabric.send(&frame)
    }

    /// It is counted under this one reason, and A sees nothing.
    fn drops(&mut self, what: &str, ip: &Ipv6, packet: &[u8], reason: &str) -> Result<(), Failure> {
        self.brings(ip, packet)?;
        self.r
            .counted(&[(&format!("drop:{reason}"), 1)])
            .and_then(|()| self.a.silent())
            .map_err(|error| format!("{what}: {error}").into())
    }
}

fn carried(stage: &mut Stage) -> Result<(), Failure> {
    let plain = Ipv4 {
        id: 0x1234,
        ..Ipv4::new(A, G)
    };
    for tos in [0, 1, 2, 3, 0xb8, 0xbb, 0xff] {
        for (options, fragment, protocol) in [
            (&[7, 7, 4, 0, 0, 0, 0, 0][..], DF, UDP),
            (&[], MF, TCP),
            (&[], 0x8000 | 0x20, ICMP),
            (&[0x94, 4, 0, 0], DF, 2),
            (&[], 0, IPIP),
        ] {
            let ip = Ipv4 {
                tos,
                fragment,
                options: options.to_vec(),
                ..plain.clone()
            };
            let packet = ip.packet(protocol, b"carried whole...");
            stage.send(&packet)?;
            stage
                .carries(tos, &[packet])
                .map_err(|error| format!("{ip:?}, protocol {protocol}: {error}"))?;
        }
    }
    Ok(())
}

/// Larger than the path and without DF: fragments (RFC 791 §3.2), each of
/// which is carried whole.
fn fragmented(stage: &mut Stage) -> Result<(), Failure> {
    // Of these options the record route goes into the first fragment alone,
    // the security label is copied into each (RFC 791 §3.1).
    let mixed = [
        7, 7, 4, 0, 0, 0, 0, 0x82, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
    ];
    let copied = [
        1, 1, 1, 1, 1, 1, 1, 0x82, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
    ];
    // The start of a datagram, the middle of one, and the end of one.
    for (fragment, options, later) in [
        (0, &[][..], &[][..]),
        (0, &mixed, &copied),
        (MF | 0x11, &[], &[]),
        (0x222, &copied, &copied),
    ] {
        for length in [1480 - 20 - options.len() + 1, 3000, 3960] {
            let whole = Ipv4 {
                tos: 0x29,
                id: 0xbeef,
                fragment,
                options: options.to_vec(),
                ..Ipv4::new(A, G)
            };
            let data: Vec<u8> = (0..length).map(|at| (at * 5 + at / 256) as u8).collect();
            let step = (MTU - 20 - options.len()) / 8 * 8;
            let mut packets = Vec::new();
            for (number, piece) in data.chunks(step).enumerate() {
                let last = (number + 1) * step >= length;
                let more = if last { fragment & MF } else { MF };
                let ip = Ipv4 {
                    fragment: ((fragment & 0x1fff) + (number * step / 8) as u16) | more,
                    options: if number > 0 { later } else { options }.to_vec(),
                    ..whole.clone()
                };
                packets.push(ip.packet(UDP, piece));
            }
            stage.send(&whole.packet(UDP, &data))?;
            stage
                .carries(whole.tos, &packets)
                .map_err(|error| format!("{length} bytes behind {whole:?}: {error}"))?;
        }
    }
    Ok(())
}

/// With DF there is no other way than a smaller packet.
fn not_fragmented(stage: &mut Stage) -> Result<(), Failure> {
    let ip = Ipv4 {
        options: vec![1; 4],
        ..Ipv4::new(A, G)
    };
    stage.send(&ip.packet(UDP, &vec![0; MTU - 24 + 1]))?;
    stage.r.counted(&[("drop:too-big", 1)])?;
    stage.sub.silent()?;
    let fits = ip.packet(UDP, &vec![0; MTU - 24]);
    stage.send(&fits)?;
    stage.carries(0, &[fits])
}

/// What comes out is what went in, whatever became of the header around it.
fn delivered(stage: &mut Stage) -> Result<(), Failure> {
    for (class, label, hops) in [(0, 0, 63), (3, 0xf_ffff, 1), (0xff, 1, 255)] {
        let around = Ipv6 {
            class,
            label,
            hops,
            ..genuine()
        };
        let ip = Ipv4 {
            tos: 2,
            id: 7,
            ttl: 9,
            options: vec![1, 1, 1, 0],
            ..Ipv4::new(G, A)
        };
        let packet = ip.packet(UDP, &ip.ends().udp(1, 2, b"whole"));
        stage.brings(&around, &packet)?;
        stage
            .a
            .expect(&ethernet(virtual_mac(A), virtual_mac(G), IPV4, &packet))?;
        stage
            .r
            .counted(&[("rx-packets", 1), ("rx-bytes", packet.len() as u64)])?;
    }
    Ok(())
}

/// The packet inside must be between the nodes of the addresses around it, or
/// it would come from, or go to, a node that nobody looked at.
fn mismatched(stage: &mut Stage) -> Result<(), Failure> {
    let nobody = Ipv4Addr::new(192, 0, 2, 1);
    for (src, dst) in [
        (B, A),
        (nobody, A),
        (A, A),
        (Ipv4Addr::UNSPECIFIED, A),
        (G, B),
        (G, G),
        (G, Ipv4Addr::BROADCAST),
        (G, Ipv4Addr::new(224, 0, 0, 1)),
        (A, G),
    ] {
        let packet = Ipv4::new(src, dst).packet(UDP, &[0; 8]);
        let what = format!("from {src} to {dst}");
        stage.drops(&what, &genuine(), &packet, "escape-mismatch")?;
    }
    stage.r.no_event()?;

    // The header around it is checked as that of any packet.
    let packet = Ipv4::new(G, A).packet(UDP, &[0; 8]);
    let elsewhere = Ipv6 {
        src: substrate(3, 0, 7, G),
        ..genuine()
    };
    stage.drops("another locator", &elsewhere, &packet, "forged-source")?;
    let event = stage.r.event(EventKind::Forged)?;
    same("address", event.address, Some(G))?;
    let other = Ipv6 {
        dst: substrate(1, 0, 8, A),
        ..genuine()
    };
    stage.drops("another network", &other, &packet, "network-mismatch")
}

/// What is carried is no packet, or not as long as what carries it.
fn malformed(stage: &mut Stage) -> Result<(), Failure> {
    let good = Ipv4::new(G, A).packet(UDP, &[0; 24]);
    let resummed = |at: usize, value: u8| {
        let mut packet = good.clone();
        packet[at] = value;
        packet[10..12].fill(0);
        let sum = checksum(&packet[..20]);
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet
    };
    let mut wrong_sum = good.clone();
    wrong_sum[10] ^= 1;
    for (what, packet) in [
        ("a wrong checksum", wrong_sum),
        ("version 6", resummed(0, 0x65)),
        ("a header of 16 bytes", resummed(0, 0x44)),
        ("a header longer than the packet", resummed(0, 0x4f)),
        ("a total length shorter than the header", resummed(3, 19)),
        ("a total length shorter than the packet", resummed(3, 43)),
        ("a total length longer than the packet", resummed(3, 45)),
        ("bytes behind the packet", [&good[..], &[0]].concat()),
        ("a packet cut off", good[..43].to_vec()),
        ("a header alone, cut off", good[..19].to_vec()),
        ("a byte", good[..1].to_vec()),
        ("nothing", Vec::new()),
    ] {
        stage.drops(what, &genuine(), &packet, "malformed")?;
    }
    Ok(())
}
