// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  A 10.0.0.2 ── R ── fabric ── S      R's mappings have times
//! ```

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use ovnet_uapi::{
    Client, EventKind, HostSet, Kind, Locator, MappingSet, MappingState, ResolverState, Vni,
};

use super::{Case, Failure};
use crate::frame::{ethernet, Ipv4, IPV4, UDP};
use crate::overlay::{draw, same, virtual_mac, within, Host, Wire};

/// Mappings are refreshed while in use, and go when their time is over.
pub const CASE: Case = Case {
    name: "ttl",
    title: "a mapping in use asks for a refresh, one whose time is over goes, unless nobody knows",
    rows: &["TX3", "SM2"],
    guests: 1,
    timeout: 120,
    run,
};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const USED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const UNUSED: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);

fn run() -> Result<(), Failure> {
    draw("hosts R S; port A on R net 7 10.0.0.2")?;
    let a = Wire::open("A", "v0")?;
    let mut r = Host::open("R")?;
    let mut resolver = within("R", || Ok(Client::connect()?))?;
    soft(&a, &mut r, &mut resolver).map_err(|error| format!("soft: {error}"))?;
    hard(&r, &mut resolver).map_err(|error| format!("hard: {error}"))?;
    for state in [ResolverState::Holding, ResolverState::Lost] {
        held(&r, state).map_err(|error| format!("{state:?}: {error}"))?;
    }
    evicted(&a, &r, &mut resolver).map_err(|error| format!("evicted: {error}").into())
}

fn vni() -> Result<Vni, Failure> {
    Ok(Vni::new(7).ok_or("a VNI")?)
}

fn mapping(address: Ipv4Addr) -> Result<MappingSet, Failure> {
    let there = Locator::new(0xfd00_000a, 0x0001_0002)?;
    Ok(MappingSet::remote(vni()?, address, there))
}

fn send(a: &Wire, to: Ipv4Addr) -> Result<(), Failure> {
    let ip = Ipv4::new(A, to);
    let packet = ip.packet(UDP, &ip.ends().udp(1, 2, b"x"));
    a.send(&ethernet(virtual_mac(to), virtual_mac(A), IPV4, &packet))
}

fn is_known(client: &mut Client, address: Ipv4Addr) -> Result<bool, Failure> {
    match client.mapping_get(vni()?, address) {
        Ok(mapping) => Ok(mapping.state == MappingState::Remote),
        Err(error) if error.kind() == Some(Kind::NotFound) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn set(r: &Host, client: &mut Client, wanted: &MappingSet) -> Result<(), Failure> {
    client.mapping_set(wanted)?;
    let event = r.event(EventKind::Mapping)?;
    same("address", event.address, Some(wanted.address))
}

fn soft(a: &Wire, r: &mut Host, client: &mut Client) -> Result<(), Failure> {
    for address in [USED, UNUSED] {
        let wanted = MappingSet {
            soft_ttl: Some(Duration::from_secs(2)),
            ..mapping(address)?
        };
        set(r, client, &wanted)?;
    }
    send(a, USED)?;
    r.counted(&[("tx-packets", 1), ("tx-bytes", 29)])?;
    let used = client.mapping_get(vni()?, USED)?;
    same("the used one's idle time", used.idle.is_some(), true)?;
    same(
        "what is left",
        used.soft_ttl
            .is_some_and(|left| left <= Duration::from_secs(2)),
        true,
    )?;
    let unused = client.mapping_get(vni()?, UNUSED)?;
    same("the unused one's idle time", unused.idle, None)?;
    let event = r.event(EventKind::Expiry)?;
    same("address", event.address, Some(USED))?;
    same("state", event.state, Some(MappingState::Remote))?;
    // Once, and none for the other.
    same(
        "another event",
        r.event_within(Duration::from_secs(2))?,
        None,
    )?;
    same("still known", is_known(client, USED)?, true)?;
    for address in [USED, UNUSED] {
        client.mapping_del(vni()?, address, None)?;
        r.event(EventKind::Mapping)?;
    }
    Ok(())
}

fn hard(r: &Host, client: &mut Client) -> Result<(), Failure> {
    let wanted = MappingSet {
        hard_ttl: Some(Duration::from_millis(500)),
        ..mapping(USED)?
    };
    set(r, client, &wanted)?;
    same("known at first", is_known(client, USED)?, true)?;
    let event = r.event(EventKind::Expiry)?;
    same("address", event.address, Some(USED))?;
    same("state", event.state, Some(MappingState::Deleted))?;
    // The event goes ahead of what it tells.
    thread::sleep(Duration::from_millis(100));
    same("known after its time", is_known(client, USED)?, false)
}

/// Where nobody can ask, old news are better than none.
fn held(r: &Host, state: ResolverState) -> Result<(), Failure> {
    let mut holder = within("R", || Ok(Client::connect()?))?;
    holder.host_configure(&HostSet {
        resolver: Some(ResolverState::Holding),
        ..HostSet::default()
    })?;
    if state == ResolverState::Lost {
        holder = within("R", || Ok(Client::connect()?))?;
    }
    let own = holder.host_get(None)?;
    same("resolver", own.resolver, Some(state))?;
    let wanted = MappingSet {
        hard_ttl: Some(Duration::from_millis(300)),
        ..mapping(USED)?
    };
    set(r, &mut holder, &wanted)?;
    same("an event", r.event_within(Duration::from_secs(1))?, None)?;
    same("known beyond its time", is_known(&mut holder, USED)?, true)?;
    // Somebody who knows is back.
    holder.host_configure(&HostSet {
        resolver: Some(ResolverState::Ready),
        ..HostSet::default()
    })?;
    let event = r.event(EventKind::Expiry)?;
    same("state", event.state, Some(MappingState::Deleted))?;
    Ok(holder.host_configure(&HostSet {
        resolver: Some(ResolverState::None),
        ..HostSet::default()
    })?)
}

/// Without room the learned mapping that nobody used for the longest time goes; provisioned ones stay.
fn evicted(a: &Wire, r: &Host, client: &mut Client) -> Result<(), Failure> {
    let address = |last| Ipv4Addr::new(10, 0, 1, last);
    let (near, far) = (
        Locator::new(0xfd00_000a, 0x0001_0002)?,
        Locator::new(0xfd00_000a, 0x0001_0003)?,
    );
    let learned = |last, there| -> Result<MappingSet, Failure> {
        Ok(MappingSet {
            hard_ttl: Some(Duration::from_secs(600)),
            ..MappingSet::remote(vni()?, address(last), there)
        })
    };
    set(r, client, &mapping(address(1))?)?;
    for (last, there) in [(2, near), (3, far)] {
        set(r, client, &learned(last, there)?)?;
    }
    // So that the ages differ by more than the clock's grain.
    thread::sleep(Duration::from_millis(1500));
    send(a, address(2))?;
    let count = client.mappings(None)?.count();
    client.host_configure(&HostSet {
        mappings_max: Some(u32::try_from(count)?),
        ..HostSet::default()
    })?;
    set(r, client, &learned(4, far)?)?;
    for (last, wanted) in [(1, true), (2, true), (3, false), (4, true)] {
        let known = is_known(client, address(last))?;
        same(&format!("{} is known", address(last)), known, wanted)?;
    }
    // The host of the one that went is that of the one that came.
    same("mappings to it", client.host_get(Some(far))?.mappings, 1)
}
