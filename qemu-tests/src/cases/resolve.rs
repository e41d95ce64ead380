// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  A 10.0.0.2 ──┬── R ── fabric ── S
//!  B 10.0.0.4 ──┘   sub
//!                   the case is R's resolver
//! ```

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use ovnet_uapi::{
    Client, Error, Event, EventKind, HostSet, Locator, MappingSet, MappingState, NetworkSet,
    ResolverState, Vni,
};

use super::{Case, Failure};
use crate::frame::{arp, ethernet, Ipv4, Ipv6, ARP, IPV4, IPV6, UDP};
use crate::overlay::{
    draw, fewer, host_mac, longer, patience, same, substrate, virtual_mac, within, Host, Wire,
    FABRIC_MAC,
};

/// Packets wait for a resolver, which hears of each address once.
pub const CASE: Case = Case {
    name: "resolve",
    title: "a packet for an unknown node waits for the resolver, who is asked once, within limits",
    rows: &["TX3", "RX2"],
    guests: 1,
    timeout: 180,
    run,
};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
/// IPv4 header, UDP header and one byte.
const LENGTH: u64 = 29;
/// How many addresses the scan tries.
const SCANNED: u32 = 65_000;
/// How many refusals a host keeps that it has not asked for.
const TOLD: u32 = 1024;
/// How many addresses a port may ask for at a time.
const PORT_MISSES: usize = 64;
/// How many nodes are found beside a scan.
const FOUND: u8 = 50;

/// The sockets, the host, and what a resolver has.
struct Stage {
    a: Wire,
    b: Wire,
    sub: Wire,
    fabric: Wire,
    r: Host,
    resolver: Client,
}

/// One stage of the case.
type Step = fn(&mut Stage) -> Result<(), Failure>;

fn run() -> Result<(), Failure> {
    draw("hosts R S; port A on R net 7 10.0.0.2; port B on R net 7 10.0.0.4")?;
    let mut stage = Stage {
        a: Wire::open("A", "v0")?,
        b: Wire::open("B", "v0")?,
        sub: Wire::open("R", "sub")?,
        fabric: Wire::open("fabric", "R")?,
        r: Host::open("R")?,
        resolver: within("R", || Ok(Client::connect()?))?,
    };
    stage.become_resolver(ResolverState::Ready)?;
    let stages: [(&str, Step); 10] = [
        ("answered", answered),
        ("asked by ARP", asked_by_arp),
        ("asked by an arrival", asked_by_arrival),
        ("refused, and the network deleted", refused_and_deleted),
        ("refused", refused),
        ("refused at once", refused_at_once),
        ("refused too often", refused_too_often),
        ("unanswered", unanswered),
        ("scanned", scanned),
        ("lost", lost),
    ];
    for (what, run) in stages {
        run(&mut stage).map_err(|error| format!("{what}: {error}"))?;
    }
    Ok(())
}

/// A packet of A or B whose only byte of data is this.
fn packet(from: Ipv4Addr, to: Ipv4Addr, mark: u8) -> Vec<u8> {
    let ip = Ipv4::new(from, to);
    let packet = ip.packet(UDP, &ip.ends().udp(1, 2, &[mark]));
    ethernet(virtual_mac(to), virtual_mac(from), IPV4, &packet)
}

fn vni() -> Result<Vni, Failure> {
    Ok(Vni::new(7).ok_or("a VNI")?)
}

impl Stage {
    fn become_resolver(&mut self, state: ResolverState) -> Result<(), Failure> {
        Ok(self.resolver.host_configure(&HostSet {
            resolver: Some(state),
            ..HostSet::default()
        })?)
    }

    /// The resolver's answer: the node is behind S.
    fn answer(&mut self, address: Ipv4Addr) -> Result<(), Failure> {
        let there = Locator::new(0xfd00_000a, 0x0001_0002)?;
        Ok(self
            .resolver
            .mapping_set(&MappingSet::remote(vni()?, address, there))?)
    }

    /// The next question; it must be about this address.
    fn question(&self, address: Ipv4Addr) -> Result<Event, Failure> {
        let event = self.r.event(EventKind::Miss)?;
        same("address", event.address, Some(address))?;
        same("network", event.vni, Some(vni()?))?;
        Ok(event)
    }

    /// What the answer changed is news, and no more questions come.
    fn answered(&self, address: Ipv4Addr) -> Result<(), Failure> {
        let event = self.r.event(EventKind::Mapping)?;
        same("address", event.address, Some(address))?;
        self.r.no_event()
    }
}

/// However many packets wait, there is one question, and they leave in order.
fn answered(stage: &mut Stage) -> Result<(), Failure> {
    let node = Ipv4Addr::new(10, 0, 0, 3);
    for mark in 0..5 {
        stage.a.send(&packet(A, node, mark))?;
    }
    let event = stage.question(node)?;
    same("device", event.ifname.as_deref(), Some("v0"))?;
    same("locator", event.locator, None)?;
    let pending = stage.resolver.mapping_get(vni()?, node)?;
    same("state", pending.state, MappingState::Pending)?;
    same("parked", pending.parked, Some(5))?;
    stage.answer(node)?;
    for mark in 0..5 {
        let frame = stage.sub.receive()?;
        same("order", frame.last().copied(), Some(mark))?;
    }
    stage.answered(node)?;
    stage
        .r
        .counted(&[("tx-packets", 5), ("tx-bytes", 5 * LENGTH)])?;
    let known = stage.resolver.mapping_get(vni()?, node)?;
    same("state", known.state, MappingState::Remote)
}

/// An ARP request waits as packets do.
fn asked_by_arp(stage: &mut Stage) -> Result<(), Failure> {
    let node = Ipv4Addr::new(10, 0, 0, 5);
    let own = virtual_mac(A);
    let request = arp(1, (own, A), ([0; 6], node));
    stage.a.send(&ethernet([0xff; 6], own, ARP, &request))?;
    stage.question(node)?;
    stage.answer(node)?;
    let mac = virtual_mac(node);
    let reply = arp(2, (mac, node), (own, A));
    stage.a.expect(&ethernet(own, mac, ARP, &reply))?;
    stage.answered(node)?;
    stage.r.counted(&[("arp-replies", 1)])
}

/// So does what comes from a node that R has not heard of.
fn asked_by_arrival(stage: &mut Stage) -> Result<(), Failure> {
    let node = Ipv4Addr::new(10, 0, 0, 6);
    let ip = Ipv6 {
        class: 0,
        label: 64 << 12 | 1 << 11,
        hops: 63,
        src: substrate(2, 0, 7, node),
        dst: substrate(1, 0, 7, A),
    };
    let sent = ip.packet(UDP, &ip.ends().udp(1, 2, &[9]));
    stage
        .fabric
        .send(&ethernet(host_mac(1), FABRIC_MAC, IPV6, &sent))?;
    let event = stage.question(node)?;
    let claimed = Locator::new(0xfd00_000a, 0x0001_0002)?;
    same("claimed locator", event.locator, Some(claimed))?;
    stage.answer(node)?;
    let wanted = Ipv4::new(node, A);
    let wanted = wanted.packet(UDP, &wanted.ends().udp(1, 2, &[9]));
    stage
        .a
        .expect(&ethernet(virtual_mac(A), virtual_mac(node), IPV4, &wanted))?;
    // The packet itself passed the device `sub`.
    stage.sub.receive()?;
    stage.answered(node)?;
    stage.r.counted(&[("rx-packets", 1), ("rx-bytes", LENGTH)])
}

/// A node that does not exist is not asked for again before the time is over.
fn refused(stage: &mut Stage) -> Result<(), Failure> {
    let node = Ipv4Addr::new(10, 0, 0, 7);
    stage.a.send(&packet(A, node, 0))?;
    stage.question(node)?;
    let refusal = MappingSet {
        hard_ttl: Some(Duration::from_secs(2)),
        ..MappingSet::negative(vni()?, node)
    };
    stage.resolver.mapping_set(&refusal)?;
    stage.r.counted(&[("drop:no-such-node", 1)])?;
    stage.a.send(&packet(A, node, 1))?;
    stage.r.counted(&[("drop:no-such-node", 1)])?;
    let known = stage.resolver.mapping_get(vni()?, node)?;
    same("state", known.state, MappingState::Negative)?;
    stage.r.no_event()?;
    thread::sleep(Duration::from_millis(2100));
    stage.a.send(&packet(A, node, 2))?;
    stage.question(node)?;
    stage.answer(node)?;
    let frame = stage.sub.receive()?;
    same("packet", frame.last().copied(), Some(2))?;
    stage.answered(node)?;
    stage.r.counted(&[("tx-packets", 1), ("tx-bytes", LENGTH)])
}

/// However soon the answer comes, it is what the packet meets: none is left in the queue to wait in vain.
fn refused_at_once(stage: &mut Stage) -> Result<(), Failure> {
    // A refusal counts as one of the port's questions until its time is over.
    const ROUNDS: u8 = 50;
    for round in 0..ROUNDS {
        let node = Ipv4Addr::new(10, 0, 20, round + 1);
        stage.a.send(&packet(A, node, round))?;
        stage.question(node)?;
        let refusal = MappingSet {
            hard_ttl: Some(Duration::from_millis(500)),
            ..MappingSet::negative(vni()?, node)
        };
        stage.resolver.mapping_set(&refusal)?;
    }
    stage
        .r
        .counted(&[("drop:no-such-node", u64::from(ROUNDS))])?;
    stage.r.no_event()
}

/// A network that is made anew does not inherit what the one before did not have.
fn refused_and_deleted(stage: &mut Stage) -> Result<(), Failure> {
    let other = Vni::new(9).ok_or("a VNI")?;
    let node = Ipv4Addr::new(10, 0, 0, 9);
    stage.resolver.network_set(&NetworkSet::new(other))?;
    let refusal = MappingSet {
        hard_ttl: Some(Duration::from_secs(600)),
        ..MappingSet::negative(other, node)
    };
    stage.resolver.mapping_set(&refusal)?;
    let known = stage.resolver.mapping_get(other, node)?;
    same("state", known.state, MappingState::Negative)?;
    stage.resolver.network_del(other)?;
    stage.resolver.network_set(&NetworkSet::new(other))?;
    let left = match stage.resolver.mapping_get(other, node) {
        Err(Error::Refused(refused)) => same("errno", refused.errno, Errno::ENOENT),
        known => Err(format!("the node of the network before: {known:?}").into()),
    };
    stage.resolver.network_del(other)?;
    left
}

/// Who tells of nodes that nobody asked for has only so much of the host.
fn refused_too_often(stage: &mut Stage) -> Result<(), Failure> {
    let refusal = |number: u32| -> Result<MappingSet, Failure> {
        let first = u32::from(Ipv4Addr::new(10, 2, 0, 1));
        Ok(MappingSet {
            hard_ttl: Some(Duration::from_secs(5)),
            ..MappingSet::negative(vni()?, Ipv4Addr::from(first + number))
        })
    };
    let all: Vec<_> = (0..TOLD).map(refusal).collect::<Result<_, _>>()?;
    stage.resolver.mapping_batch(&all)?;
    match stage.resolver.mapping_set(&refusal(TOLD)?) {
        Err(Error::Refused(refused)) => {
            same("errno", refused.errno, Errno::ENOSPC)?;
            same("a text", refused.message.is_some(), true)?;
        }
        other => return Err(format!("one refusal too many: {other:?}").into()),
    }
    // Known ones may be told again, and their end makes room.
    stage.resolver.mapping_set(&refusal(0)?)?;
    let deadline = Instant::now() + longer(Duration::from_secs(20));
    while stage.resolver.mapping_set(&refusal(TOLD)?).is_err() {
        if Instant::now() > deadline {
            return Err("refusals whose time is over still take room".into());
        }
        thread::sleep(Duration::from_millis(100));
    }
    stage.r.no_event()
}

/// Without an answer packets go after a while; the question comes again, ever less often.
fn unanswered(stage: &mut Stage) -> Result<(), Failure> {
    let node = Ipv4Addr::new(10, 0, 0, 8);
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < Duration::from_millis(1500) {
        stage.a.send(&packet(A, node, sent))?;
        sent += 1;
        thread::sleep(Duration::from_millis(40));
    }
    stage.r.counted(&[("drop:unresolved", u64::from(sent))])?;
    let mut questions = 0;
    while let Some(event) = stage.r.event_within(Duration::from_millis(100))? {
        same("kind", event.kind, EventKind::Miss)?;
        same("address", event.address, Some(node))?;
        questions += 1;
    }
    // At once, after 100, 300, 700 and 1500 ms, each as soon as somebody looks.
    if !(3..=5).contains(&questions) {
        return Err(format!("{questions} questions for {sent} packets").into());
    }
    stage.sub.silent()
}

/// What a scan was, seen from beside it.
#[derive(Default)]
struct Seen {
    /// The most questions that were open at a time.
    open: usize,
    /// Questions that came, and that a limit withheld.
    questions: u64,
    withheld: u64,
    /// Packets of B to a node that is known, and nodes that B asked for.
    known: u64,
    found: u8,
    /// How many of the latter were answered only when the packet that asked had waited long enough.
    late: u64,
}

impl Stage {
    /// Takes what R has said so far; says whether it asked for that node. All other questions are the
    /// scan's.
    fn heard(
        &self,
        node: Option<Ipv4Addr>,
        wait: Duration,
        seen: &mut Seen,
    ) -> Result<bool, Failure> {
        while let Some(event) = self.r.event_within(wait)? {
            match event.kind {
                EventKind::Miss if event.address == node => return Ok(true),
                EventKind::Miss => {
                    seen.questions += 1;
                    seen.withheld += u64::from(event.suppressed.unwrap_or(0));
                }
                EventKind::Mapping => {}
                other => return Err(format!("{other:?} of a scan").into()),
            }
        }
        Ok(false)
    }

    /// What B sends to a known node is on the substrate at once. Says whether what B sent before, with this
    /// mark, was there as well; nothing else is.
    fn b_reaches(&self, to: Ipv4Addr, mark: u8, before: Option<u8>) -> Result<bool, Failure> {
        self.b.send(&packet(B, to, mark))?;
        let wanted = substrate(2, 0, 7, to).octets();
        let mut came = false;
        loop {
            let frame = self.sub.receive()?;
            same("destination", frame.get(38..54), Some(&wanted[..]))?;
            match frame.last().copied() {
                last if last == Some(mark) => return Ok(came),
                last if last == before && !came => came = true,
                last => return Err(format!("a packet of B with mark {last:?}").into()),
            }
        }
    }

    /// B goes on as if nobody scanned: it sends to a node that is known, and finds another.
    fn beside(&mut self, seen: &mut Seen) -> Result<(), Failure> {
        let known = Ipv4Addr::new(10, 0, 0, 3);
        let mark = (seen.known % 251) as u8;
        self.b_reaches(known, mark, None)?;
        seen.known += 1;
        let pending = self
            .resolver
            .mappings(None)?
            .filter(|entry| matches!(entry, Ok(it) if it.state == MappingState::Pending))
            .count();
        seen.open = seen.open.max(pending);
        if pending < PORT_MISSES || seen.found == FOUND {
            self.heard(None, Duration::ZERO, seen)?;
            return Ok(());
        }
        let node = Ipv4Addr::new(192, 168, 0, seen.found);
        self.b.send(&packet(B, node, 0))?;
        if !self.heard(Some(node), patience(), seen)? {
            return Err(format!("nobody was asked for B's {node}").into());
        }
        self.answer(node)?;
        if !self.b_reaches(node, 1, Some(0))? {
            seen.late += 1;
        }
        seen.found += 1;
        Ok(())
    }
}

/// A node that tries the addresses of a /8 costs a bounded number of questions, and others nothing.
fn scanned(stage: &mut Stage) -> Result<(), Failure> {
    let done = AtomicBool::new(false);
    let count = fewer(SCANNED);
    let scanner = Wire::open("A", "v0")?;
    let mut seen = Seen::default();
    thread::scope(|scope| {
        let scan = scope.spawn(|| {
            let first = u32::from(Ipv4Addr::new(10, 0, 0, 0));
            let sent = (1..=count).try_for_each(|number| {
                let to = Ipv4Addr::from(first + number * ((1 << 24) / (count + 1)));
                scanner
                    .send(&packet(A, to, 0))
                    .map_err(|error| error.to_string())
            });
            done.store(true, Ordering::Relaxed);
            sent
        });
        let mut beside = Ok(());
        while beside.is_ok() && !done.load(Ordering::Relaxed) {
            beside = stage.beside(&mut seen).map_err(|error| error.to_string());
        }
        let sent = scan.join().map_err(|_| "the scan panicked")?;
        sent.and(beside).map_err(Failure::from)
    })?;
    // Until the last has waited in vain.
    stage.heard(None, longer(Duration::from_millis(500)), &mut seen)?;
    let mut counted = stage.r.count()?;
    let mut of = |what: &str| counted.remove(what).unwrap_or(0);
    // One of B's whose answer took too long is the resolver's matter, not the scan's.
    let (limited, waited) = (
        of("drop:miss-limit"),
        of("drop:unresolved").saturating_sub(seen.late),
    );
    let (sent, bytes) = (of("tx-packets"), of("tx-bytes"));
    println!(
        "{count} addresses scanned: {waited} were asked for, {} at a time at most, by {} questions \
         ({} withheld); {limited} were refused at once. Another port beside it sent {} packets to a \
         known node, all of which arrived, and found {} others; {} were answered late.",
        seen.open, seen.questions, seen.withheld, seen.known, seen.found, seen.late
    );
    same("what else was counted", counted, BTreeMap::new())?;
    same("dropped in all", limited + waited, u64::from(count))?;
    same("refused at once, mostly", limited > waited, true)?;
    let found = u64::from(seen.found);
    let b_sent = seen.known + 2 * found - seen.late;
    same("B's packets", (sent, bytes), (b_sent, b_sent * LENGTH))?;
    same("B found nodes", found > 0, true)?;
    // B's besides; and a dump is no snapshot: it may show what has ended beside what has come since.
    if !(PORT_MISSES..2 * PORT_MISSES).contains(&seen.open) {
        return Err(format!("{} questions open at a time", seen.open).into());
    }
    // At once, and after 100 ms, B's too; what has waited for 200 ms is gone before the third.
    let most = 2 * waited + found;
    if seen.withheld > 0 || !(waited..=most).contains(&seen.questions) {
        let Seen {
            questions,
            withheld,
            ..
        } = seen;
        return Err(format!("{questions} questions and {withheld} withheld for {waited}").into());
    }
    Ok(())
}

/// A resolver is lost with its socket; packets wait in vain until another comes, or none is wanted.
fn lost(stage: &mut Stage) -> Result<(), Failure> {
    let node = Ipv4Addr::new(10, 0, 0, 10);
    stage.resolver = within("R", || Ok(Client::connect()?))?;
    let own = stage.resolver.host_get(None)?;
    same("resolver", own.resolver, Some(ResolverState::Lost))?;
    stage.a.send(&packet(A, node, 0))?;
    stage.question(node)?;
    stage.r.counted(&[("drop:unresolved", 1)])?;
    stage.become_resolver(ResolverState::None)?;
    thread::sleep(Duration::from_millis(1500));
    while stage.r.event_within(Duration::from_millis(100))?.is_some() {}
    stage.a.send(&packet(A, node, 0))?;
    stage.question(node)?;
    stage.r.counted(&[("drop:no-mapping", 1)])?;
    stage.sub.silent()
}
