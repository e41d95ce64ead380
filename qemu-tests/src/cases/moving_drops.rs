// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3
//!               sub
//! ```

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use ovnet_uapi::{Client, HostSet, MappingSet, ResolverState, Stats, Vni};

use super::{Case, Failure};
use crate::frame::{ethernet, Ipv4, Ipv6, IPV4, IPV6, UDP};
use crate::overlay::{draw, host_mac, longer, substrate, virtual_mac, within, Wire, FABRIC_MAC};

/// What is dropped for want of an answer, or because its node has gone.
pub const CASE: Case = Case {
    name: "moving-drops",
    title: "packets without an answer, too many questions and strays are dropped by name",
    rows: &["TX3", "TX8", "MV4", "OP5"],
    guests: 1,
    timeout: 60,
    run,
};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const G: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
/// An address that nobody has.
const fn nobody(group: u8, number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, group, number)
}

/// How long an answer may take, and then some: TCG is slow.
const PATIENCE: Duration = Duration::from_secs(5);

fn run() -> Result<(), Failure> {
    draw("hosts R S; port A on R net 7 10.0.0.2; port G on S net 7 10.0.0.3")?;
    let a = Wire::open("A", "v0")?;
    let fabric = Wire::open("fabric", "R")?;
    // The resolver is there as long as its socket, and never answers.
    let mut r = within("R", || Ok(Client::connect()?))?;
    r.host_configure(&HostSet {
        resolver: Some(ResolverState::Ready),
        ..HostSet::default()
    })?;
    let asks = |to: Ipv4Addr| send(&a, A, to);

    asks(nobody(1, 1))?;
    dropped(&mut r, "unresolved")?;
    // More than wait for one answer, before the first of them has waited long enough.
    for _ in 0..300 {
        asks(nobody(1, 2))?;
    }
    dropped(&mut r, "parked-overflow")?;
    // More addresses than a port may ask for.
    for number in 0..200 {
        asks(nobody(2, number))?;
    }
    dropped(&mut r, "miss-limit")?;
    let vni = Vni::new(7).ok_or("no such network")?;
    r.mapping_set(&MappingSet {
        hard_ttl: Some(Duration::from_secs(60)),
        ..MappingSet::negative(vni, nobody(1, 3))
    })?;
    asks(nobody(1, 3))?;
    dropped(&mut r, "no-such-node")?;

    draw("ovctl -n R port set v0 --netns A --net 7 --address 10.0.0.2 --source-check learn")?;
    send(&a, nobody(0, 99), G)?;
    dropped(&mut r, "new-address")?;

    // The lease of R ends, with A under it.
    draw(
        "ovctl -n R host set --lease 1h
         ovctl -n R port set v0 --netns A --net 7 --address 10.0.0.2 --lease
         ovctl -n R host set --lease 0",
    )?;
    asks(G)?;
    dropped(&mut r, "fenced")?;

    // A has moved to S: what it still sends from here, and what comes here too often.
    draw("ovctl -n R mapping set 7 10.0.0.2 --locator fd00:a:1:2::/64 --state moved")?;
    asks(G)?;
    dropped(&mut r, "port-inactive")?;
    let stray = Ipv6 {
        class: 0,
        label: 64 << 12 | 1 << 11,
        hops: 1,
        src: substrate(2, 0, 7, G),
        dst: substrate(1, 0, 7, A),
    };
    let stray = stray.packet(UDP, &stray.ends().udp(9, 10, b"stray"));
    fabric.send(&ethernet(host_mac(1), FABRIC_MAC, IPV6, &stray))?;
    dropped(&mut r, "forward-loop")?;
    // What has been parked is gone before the counters are compared.
    std::thread::sleep(Duration::from_secs(1));
    Ok(())
}

/// A node's packet.
fn send(a: &Wire, from: Ipv4Addr, to: Ipv4Addr) -> Result<(), Failure> {
    let ip = Ipv4::new(from, to);
    let packet = ip.packet(UDP, &ip.ends().udp(9, 10, b"hello"));
    a.send(&ethernet(virtual_mac(to), virtual_mac(A), IPV4, &packet))
}

/// Packets are dropped for this reason, sooner or later.
fn dropped(r: &mut Client, reason: &str) -> Result<(), Failure> {
    let deadline = Instant::now() + longer(PATIENCE);
    loop {
        let Stats { drop, .. } = r.stats()?;
        if drop
            .iter()
            .any(|drop| drop.reason.is_ok_and(|it| it.name() == reason))
        {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("nothing was dropped as {reason}, but: {drop:?}").into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
