// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  A 10.0.0.2 ──┬── R ── fabric ── S ── G 10.0.0.3
//!  B 10.0.0.4 ──┘   sub
//! ```

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use ovnet_uapi::EventKind;

use super::{Case, Failure};
use crate::frame::{ethernet, Ipv4, Mac, IPV4, IPV6, TCP, UDP};
use crate::overlay::{draw, same, virtual_mac, Host, Wire};

/// A frame goes to the node that owns both its addresses, or nowhere.
pub const CASE: Case = Case {
    name: "destination-check",
    title: "what has no owner or is for many is dropped by name and never flooded",
    rows: &["TX6", "TX7", "OP5"],
    guests: 1,
    timeout: 60,
    run,
};

/// Misses are reported, but not once per packet.
pub const LIMIT: Case = Case {
    name: "event-limit",
    title: "a flood of packets gives few events, which count what was withheld, and hides no other port's",
    rows: &["OP5"],
    guests: 1,
    timeout: 60,
    run: limit,
};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const G: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 77);

fn run() -> Result<(), Failure> {
    draw("hosts R S; port A on R net 7 10.0.0.2; port B on R net 7 10.0.0.4; port G on S net 7 10.0.0.3")?;
    let a = Wire::open("A", "v0")?;
    let others = [
        Wire::open("B", "v0")?,
        Wire::open("R", "sub")?,
        Wire::open("G", "v0")?,
    ];
    let mut r = Host::open("R")?;
    addresses(&a, &mut r)?;
    many(&a, &mut r)?;
    malformed(&a, &mut r)?;
    not_ipv4(&a, &mut r)?;
    r.no_event()?;
    draw("ip -6 -n R route del default")?;
    sends(
        &a,
        &mut r,
        virtual_mac(G),
        &Ipv4::new(A, G),
        UDP,
        "no-route",
    )?;
    draw("ovctl -n R port del v0 --netns A")?;
    same("event", r.event(EventKind::Mapping)?.address, Some(A))?;
    same("event", r.event(EventKind::Port)?.vni, None)?;
    sends(
        &a,
        &mut r,
        virtual_mac(G),
        &Ipv4::new(A, G),
        UDP,
        "port-unconfigured",
    )?;
    for other in &others {
        other.silent()?;
    }
    a.silent()
}

/// A sends a packet, which is dropped for this reason alone.
fn sends(
    a: &Wire,
    r: &mut Host,
    to: Mac,
    ip: &Ipv4,
    protocol: u8,
    reason: &str,
) -> Result<(), Failure> {
    a.send(&ethernet(
        to,
        virtual_mac(A),
        IPV4,
        &ip.packet(protocol, &[0; 24]),
    ))?;
    r.counted(&[(&format!("drop:{reason}"), 1)])
        .map_err(|error| format!("{ip:?} to {to:x?}, protocol {protocol}: {error}").into())
}

/// The address and the MAC of nobody, or of two different nodes.
fn addresses(a: &Wire, r: &mut Host) -> Result<(), Failure> {
    for to in [NOBODY, Ipv4Addr::new(192, 0, 2, 1)] {
        sends(a, r, virtual_mac(to), &Ipv4::new(A, to), TCP, "no-mapping")?;
        let event = r.event(EventKind::Miss)?;
        same("address", event.address, Some(to))?;
        same("device", event.ifname.as_deref(), Some("v0"))?;
    }
    for (mac, to) in [
        ([2, 0, 0, 0, 0, 9], G),
        (virtual_mac(NOBODY), G),
        (virtual_mac(B), G),
        (virtual_mac(G), B),
    ] {
        sends(a, r, mac, &Ipv4::new(A, to), UDP, "destination-mac")?;
    }
    Ok(())
}

fn many(a: &Wire, r: &mut Host) -> Result<(), Failure> {
    let group = Ipv4Addr::new(224, 0, 0, 251);
    for (mac, to) in [
        ([0xff; 6], Ipv4Addr::BROADCAST),
        ([0xff; 6], G),
        ([1, 0, 0x5e, 0, 0, 0xfb], group),
        ([1, 0, 0x5e, 0, 0, 0xfb], G),
        (virtual_mac(G), group),
        (virtual_mac(G), Ipv4Addr::BROADCAST),
    ] {
        sends(a, r, mac, &Ipv4::new(A, to), UDP, "multicast")?;
    }
    Ok(())
}

fn malformed(a: &Wire, r: &mut Host) -> Result<(), Failure> {
    let good = Ipv4::new(A, G).packet(UDP, &[0; 24]);
    let resummed = |at: usize, value: u8| {
        let mut packet = good.clone();
        packet[at] = value;
        packet[10..12].fill(0);
        let sum = crate::frame::checksum(&packet[..20]);
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
        ("a total length longer than the frame", resummed(3, 45)),
        ("a header cut off", good[..19].to_vec()),
        ("nothing", Vec::new()),
    ] {
        a.send(&ethernet(virtual_mac(G), virtual_mac(A), IPV4, &packet))?;
        r.counted(&[("drop:malformed", 1)])
            .map_err(|error| format!("{what}: {error}"))?;
    }
    Ok(())
}

/// Other Ethernet types, tags and lengths (IEEE 802.3) among them.
fn not_ipv4(a: &Wire, r: &mut Host) -> Result<(), Failure> {
    let packet = Ipv4::new(A, G).packet(UDP, &[0; 24]);
    let tagged = [&[0, 5, 8, 0], &packet[..]].concat();
    for (kind, payload) in [
        (IPV6, &[0x60; 40][..]),
        (0x8100, &tagged),
        (0x88a8, &tagged),
        (0x88cc, &[0; 30]),
        (0x8847, &packet),
        (0x8864, &packet),
        (40, &[0x42; 40]),
        (0xffff, &[]),
    ] {
        a.send(&ethernet(virtual_mac(G), virtual_mac(A), kind, payload))?;
        r.counted(&[("drop:not-ipv4", 1)])
            .map_err(|error| format!("type {kind:#x}: {error}"))?;
    }
    Ok(())
}

const FLOOD: u64 = 1000;
/// Events of a kind per second, of a host and about a port.
const OF_HOST: u64 = 100;
const OF_PORT: u64 = 50;

fn limit() -> Result<(), Failure> {
    draw("hosts R; port A on R net 7 10.0.0.2; port B on R net 7 10.0.0.4")?;
    let (a, mut r) = (Wire::open("A", "v0")?, Host::open("R")?);
    let frame = datagram(A, NOBODY);
    flood(
        &a,
        &mut r,
        &frame,
        ("no-mapping", EventKind::Miss, OF_HOST),
        || Ok(()),
    )?;

    // What A does hides nothing of what B does.
    let b = Wire::open("B", "v0")?;
    let frame = datagram(NOBODY, G);
    let seen = flood(
        &a,
        &mut r,
        &frame,
        ("spoof-address", EventKind::Spoof, OF_PORT),
        || {
            b.send(&ethernet(
                virtual_mac(G),
                virtual_mac(B),
                IPV4,
                &datagram(G, A)[14..],
            ))
        },
    )?;
    same(
        "reports of B",
        seen.iter().filter(|&&address| address == G).count(),
        1,
    )
}

/// A frame of A's from one address to another.
fn datagram(from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    let packet = Ipv4::new(from, to).packet(UDP, &[0; 24]);
    ethernet(virtual_mac(to), virtual_mac(A), IPV4, &packet)
}

/// A sends the same frame again and again, and somebody else something when half of it is gone. All is
/// dropped for the reason, and there are so many events of the kind in a second, which say how many there
/// are not. Gives the addresses of the events.
fn flood(
    a: &Wire,
    r: &mut Host,
    frame: &[u8],
    (reason, kind, per_second): (&str, EventKind, u64),
    meanwhile: impl FnOnce() -> Result<(), Failure>,
) -> Result<Vec<Ipv4Addr>, Failure> {
    let start = Instant::now();
    let mut dropped = FLOOD + 1;
    for _ in 0..FLOOD / 2 {
        a.send(frame)?;
    }
    meanwhile()?;
    for _ in 0..FLOOD / 2 {
        a.send(frame)?;
    }
    // The next one after the limit's second says how many were withheld.
    thread::sleep(Duration::from_millis(1200));
    a.send(frame)?;
    let (mut seen, mut withheld) = (Vec::new(), 0);
    while let Some(event) = r.event_within(Duration::from_millis(500))? {
        same("kind", event.kind, kind)?;
        seen.extend(event.address);
        withheld += u64::from(event.suppressed.unwrap_or(0));
    }
    let seconds = start.elapsed().as_secs() + 1;
    let others = seen.iter().filter(|&&address| address != NOBODY).count() as u64;
    dropped += others;
    let sent = seen.len() as u64;
    same("events and those withheld", sent + withheld, dropped)?;
    if !(per_second..=per_second * seconds + others).contains(&sent) || withheld == 0 {
        return Err(format!("{sent} events for {dropped} packets in {seconds} s").into());
    }
    r.counted(&[(&format!("drop:{reason}"), dropped)])?;
    Ok(seen)
}
