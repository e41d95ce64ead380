// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  64 ports in N ──┬── R ── fabric ── S
//!  B 10.0.0.4 ─────┘  sub
//!                     the case is R's resolver
//! ```

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::net::if_::if_nametoindex;
use ovnet_uapi::{
    Client, Device, Event, EventKind, HostSet, Locator, MappingSet, PortSet, ResolverState, Vni,
};

use super::{Case, Failure};
use crate::frame::{ethernet, Ipv4, IPV4, UDP};
use crate::overlay::{draw, same, virtual_mac, within, Host, Wire};

/// Whoever asks for nodes leaves room for others.
pub const CASE: Case = Case {
    name: "crowd",
    title: "ports that ask for as much as a host may ask keep no other port from asking",
    rows: &["TX3"],
    guests: 1,
    timeout: 120,
    run,
};

const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
/// So many ports, each with as many questions as it may have, have all that the host may.
const PORTS: u8 = 64;
const PORT_MISSES: u8 = 64;
/// Questions that any port may have besides.
const RESERVE: u8 = 8;

/// The host, and what its resolver has.
struct Stage {
    r: Host,
    resolver: Client,
    vni: Vni,
}

impl Stage {
    /// The next question; it must be about this address. What was refused before is no news.
    fn question(&self, address: Ipv4Addr) -> Result<Event, Failure> {
        let event = self.r.event(EventKind::Miss)?;
        same("address", event.address, Some(address))?;
        Ok(event)
    }

    /// For longer than the case takes.
    fn refusal(&self, address: Ipv4Addr) -> MappingSet {
        MappingSet {
            hard_ttl: Some(Duration::from_secs(3600)),
            ..MappingSet::negative(self.vni, address)
        }
    }
}

fn run() -> Result<(), Failure> {
    draw(
        "hosts R S; port B on R net 7 10.0.0.4; ns N
         in_ns N sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
         seq -f 'link add p%.0f netns N type ovnet' 0 63 | ip -n R -batch -
         seq -f 'link set p%.0f up' 0 63 | ip -n N -batch -",
    )?;
    let mut resolver = within("R", || Ok(Client::connect()?))?;
    let vni = Vni::new(7).ok_or("a VNI")?;
    for port in 0..PORTS {
        attach(&mut resolver, vni, port)?;
    }
    let mut stage = Stage {
        r: Host::open("R")?,
        resolver,
        vni,
    };
    stage.resolver.host_configure(&HostSet {
        resolver: Some(ResolverState::Ready),
        ..HostSet::default()
    })?;
    let mut crowd = Vec::new();
    for port in 0..PORTS {
        crowd.push(asks_all(&mut stage, port)?);
    }
    stage.r.count()?;

    // The host asks nothing more for those.
    for (port, wire) in crowd.iter().enumerate() {
        wire.send(&packet(node(port as u8), nobody(PORTS, 0)))?;
    }
    stage.r.counted(&[("drop:miss-limit", PORTS.into())])?;
    stage.r.no_event()?;

    // But it does for B, up to what is B's own.
    let b = Wire::open("B", "v0")?;
    for number in 0..RESERVE {
        b.send(&packet(B, nobody(PORTS, number)))?;
        stage.question(nobody(PORTS, number))?;
        let refusal = stage.refusal(nobody(PORTS, number));
        stage.resolver.mapping_set(&refusal)?;
        stage.r.counted(&[("drop:no-such-node", 1)])?;
    }
    let wanted = nobody(PORTS, RESERVE);
    b.send(&packet(B, wanted))?;
    stage.r.counted(&[("drop:miss-limit", 1)])?;
    stage.r.no_event()?;

    // What is answered makes room.
    let there = Locator::new(0xfd00_000a, 0x0001_0002)?;
    let found = nobody(PORTS, 0);
    let answer = MappingSet::remote(stage.vni, found, there);
    stage.resolver.mapping_set(&answer)?;
    let event = stage.r.event(EventKind::Mapping)?;
    same("address", event.address, Some(found))?;
    let sub = Wire::open("R", "sub")?;
    // A question is over when no CPU looks at it any more (RCU), a moment after its answer.
    let mut asked = None;
    for _ in 0..50 {
        b.send(&packet(B, wanted))?;
        asked = stage.r.event_within(Duration::from_millis(100))?;
        if asked.is_some() {
            break;
        }
    }
    let asked = asked.ok_or("what is answered makes no room")?;
    same("kind", asked.kind, EventKind::Miss)?;
    same("address", asked.address, Some(wanted))?;
    let answer = MappingSet::remote(stage.vni, wanted, there);
    stage.resolver.mapping_set(&answer)?;
    sub.receive()?;
    sub.silent()
}

/// A node of the crowd.
const fn node(port: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 8, 0, port)
}

/// An address that nobody has, for one of the crowd to ask for, or for all.
const fn nobody(port: u8, number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 100, port, number)
}

fn packet(from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    let ip = Ipv4::new(from, to);
    let packet = ip.packet(UDP, &ip.ends().udp(1, 2, &[0]));
    ethernet(virtual_mac(to), virtual_mac(from), IPV4, &packet)
}

/// Makes a device of N a port of R.
fn attach(client: &mut Client, vni: Vni, port: u8) -> Result<(), Failure> {
    let ifindex = within("N", || Ok(if_nametoindex(format!("p{port}").as_str())?))?;
    let nodes = File::open("/run/netns/N")?;
    let device = Device {
        netns: Some(nodes.as_fd()),
        ..Device::here(ifindex)
    };
    Ok(client.port_set(&PortSet::new(device, vni, node(port)))?)
}

/// A port of the crowd asks for as much as it may, and keeps it: each address is refused for long.
fn asks_all(stage: &mut Stage, port: u8) -> Result<Wire, Failure> {
    let wire = Wire::open("N", &format!("p{port}"))?;
    let mut refusals = Vec::new();
    for number in 0..PORT_MISSES {
        wire.send(&packet(node(port), nobody(port, number)))?;
        refusals.push(stage.refusal(nobody(port, number)));
    }
    stage.resolver.mapping_batch(&refusals)?;
    // Each was asked for, and once more perhaps before the answer was there.
    let mut last = 0;
    while last < PORT_MISSES {
        let event = stage.r.event(EventKind::Miss)?;
        if event.address == Some(nobody(port, last)) {
            last += 1;
        }
    }
    Ok(wire)
}
