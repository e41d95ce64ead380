// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3
//!   v0  ▲     sub ▲          sub      v0 ▲
//!     sent     seen (hop limit 64)     delivered
//! ```

use std::net::Ipv4Addr;

use super::{Case, Failure};
use crate::frame::{
    checksum, echo, ethernet, hex, Ends, Ipv4, Ipv6, DF, ICMP, IPV4, IPV6, TCP, UDP,
};
use crate::overlay::{draw, host_mac, substrate, virtual_mac, Host, Wire, FABRIC_MAC};

/// What is on the substrate and what arrives is right to the last bit, with
/// checksums summed from scratch on both sides.
pub const CASE: Case = Case {
    name: "exact-bytes",
    title: "packets of every kind are right bit by bit on the substrate and at the far node",
    rows: &["AD1", "TX6", "RX4"],
    guests: 1,
    timeout: 60,
    run,
};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const G: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);

/// One packet: what A sends behind which header, and what it is on the substrate.
struct Sample {
    name: &'static str,
    ip: Ipv4,
    protocol: u8,
    payload: Vec<u8>,
    translated: Vec<u8>,
    /// Bytes behind the packet in the frame (RFC 894).
    padding: usize,
}

impl Sample {
    /// A payload that nothing changes.
    fn opaque(name: &'static str, ip: Ipv4, protocol: u8, payload: &[u8]) -> Sample {
        Sample {
            name,
            ip,
            protocol,
            payload: payload.to_vec(),
            translated: payload.to_vec(),
            padding: 0,
        }
    }

    /// A payload with a checksum over the ends.
    fn summed(
        name: &'static str,
        ip: Ipv4,
        protocol: u8,
        build: impl Fn(Ends) -> Vec<u8>,
    ) -> Sample {
        let on_substrate = Ends::V6(substrate(1, 0, 7, A), substrate(2, 0, 7, G));
        Sample {
            name,
            payload: build(ip.ends()),
            ip,
            protocol,
            translated: build(on_substrate),
            padding: 0,
        }
    }
}

fn samples() -> Vec<Sample> {
    let plain = Ipv4::new(A, G);
    let with = |tos, id, fragment, ttl| Ipv4 {
        tos,
        id,
        fragment,
        ttl,
        ..Ipv4::new(A, G)
    };
    let long: Vec<u8> = (0..1400u32).map(|at| (at * 7 + at / 256) as u8).collect();
    let v6 = Ends::V6(substrate(1, 0, 7, A), substrate(2, 0, 7, G));
    // Both as the sender must write them: a sum of 0 as 0xFFFF.
    let zero_on_substrate = v6.udp_summing_to_zero(1, 2);
    let zero_data = zero_on_substrate[8..].to_vec();
    let zero_at_node = plain.ends().udp_summing_to_zero(3, 4)[8..].to_vec();
    let mut padded = Sample::summed("a padded frame", plain.clone(), UDP, |ends| {
        ends.udp(5, 6, b"x")
    });
    padded.padding = 17;
    vec![
        Sample::summed("TCP with DF", plain.clone(), TCP, |ends| {
            ends.tcp(1000, 80, b"hello")
        }),
        Sample::summed(
            "TCP at TTL 255, DSCP EF, ECT(0)",
            with(0xba, 0, DF, 255),
            TCP,
            |ends| ends.tcp(1000, 80, &long),
        ),
        Sample::summed(
            "TCP without DF, with an ID",
            with(0, 0x1234, 0, 64),
            TCP,
            |ends| ends.tcp(1000, 80, b"odd"),
        ),
        Sample::summed(
            "TCP with DF and an ID",
            with(1, 0x1234, DF, 7),
            TCP,
            |ends| ends.tcp(0, 0xffff, b""),
        ),
        Sample::summed("UDP at TTL 1", with(0xff, 0, DF, 1), UDP, |ends| {
            ends.udp(53, 53, b"question")
        }),
        Sample::summed(
            "UDP whose sum is 0 on the substrate",
            plain.clone(),
            UDP,
            |ends| ends.udp(1, 2, &zero_data),
        ),
        Sample::summed(
            "UDP whose sum is 0 at the node",
            plain.clone(),
            UDP,
            |ends| ends.udp(3, 4, &zero_at_node),
        ),
        Sample::opaque(
            "UDP without a checksum",
            plain.clone(),
            UDP,
            &Ends::udp_unsummed(7, 8, b"unsummed"),
        ),
        Sample::opaque(
            "an echo without DF",
            with(0, 9, 0, 64),
            ICMP,
            &echo(1, 2, b"abc"),
        ),
        Sample::opaque("GRE", plain.clone(), 47, &[0, 0, 8, 0, 0x45, 1, 2]),
        Sample::opaque("SCTP", plain.clone(), 132, &[0x13; 24]),
        Sample::opaque("ESP", plain.clone(), 50, &[0xa5; 100]),
        Sample::opaque("a header alone", plain.clone(), 253, &[]),
        Sample::opaque(
            "TCP cut off before its checksum",
            plain.clone(),
            TCP,
            &[1; 17],
        ),
        Sample::opaque("UDP cut off before its checksum", plain, UDP, &[2; 7]),
        padded,
    ]
}

fn run() -> Result<(), Failure> {
    draw("hosts R S; port A on R net 7 10.0.0.2; port G on S net 7 10.0.0.3")?;
    let (a, tap) = (Wire::open("A", "v0")?, Wire::open("A", "v0")?);
    let sub = Wire::open("R", "sub")?;
    let (far_sub, g) = (Wire::open("S", "sub")?, Wire::open("G", "v0")?);
    let (mut r, mut s) = (Host::open("R")?, Host::open("S")?);
    let mut ids = Vec::new();
    for sample in samples() {
        check(
            &sample,
            [&a, &tap, &sub, &far_sub, &g],
            [&mut r, &mut s],
            &mut ids,
        )
        .map_err(|error| format!("{}: {error}", sample.name))?;
    }
    ids.sort_unstable();
    ids.dedup();
    if ids.len() < 2 {
        return Err(format!("packets without DF all have the ID {ids:?}").into());
    }
    Ok(())
}

fn check(
    sample: &Sample,
    [a, tap, sub, far_sub, g]: [&Wire; 5],
    [r, s]: [&mut Host; 2],
    ids: &mut Vec<u16>,
) -> Result<(), Failure> {
    let ip = &sample.ip;
    let packet = ip.packet(sample.protocol, &sample.payload);
    let length = packet.len() as u64;
    let mut sent = ethernet(virtual_mac(G), virtual_mac(A), IPV4, &packet);
    sent.resize(sent.len() + sample.padding, 0xee);
    a.send(&sent)?;

    // Between the hosts: the label carries TTL and DF, and no hash as a raw
    // socket has none; the fabric is one hop.
    let df = ip.fragment & DF != 0;
    let mut wanted = Ipv6 {
        class: ip.tos,
        label: u32::from(ip.ttl) << 12 | u32::from(df) << 11,
        hops: 64,
        src: substrate(1, 0, 7, A),
        dst: substrate(2, 0, 7, G),
    };
    let on_wire = |ip: &Ipv6| ip.packet(sample.protocol, &sample.translated);
    sub.expect(&ethernet(FABRIC_MAC, host_mac(1), IPV6, &on_wire(&wanted)))?;
    wanted.hops = 63;
    far_sub.expect(&ethernet(host_mac(2), FABRIC_MAC, IPV6, &on_wire(&wanted)))?;

    // A capture at the sender has what was sent: nothing is written to before
    // it is the host's alone.
    tap.expect(&sent)?;

    // At the node: the packet that was sent, but for the ID, which means
    // nothing with DF and is fresh without.
    let got = g.receive()?;
    let header = got
        .get(14..34)
        .ok_or_else(|| format!("a short frame: {}", hex(&got)))?;
    let id = u16::from_be_bytes([header[4], header[5]]);
    let delivered = Ipv4 {
        id: if df { 0 } else { id },
        ..ip.clone()
    };
    let wanted = ethernet(
        virtual_mac(G),
        virtual_mac(A),
        IPV4,
        &delivered.packet(sample.protocol, &sample.payload),
    );
    if got != wanted {
        return Err(format!("expected\n  {}\ngot\n  {}", hex(&wanted), hex(&got)).into());
    }
    if checksum(header) != 0 {
        return Err("the header's checksum is wrong".into());
    }
    if !df {
        ids.push(id);
    }
    g.silent()?;
    r.counted(&[("tx-packets", 1), ("tx-bytes", length)])?;
    s.counted(&[("rx-packets", 1), ("rx-bytes", length)])
}
