// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  A 10.0.0.2 ── R ── fabric ──┬── S ── G 10.0.0.3
//!                 R's wire     └── T ── H, where G may go; B 10.0.0.4
//! ```

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use ovnet_uapi::{EventKind, MappingState, Vni};

use super::{Case, Failure};
use crate::frame::{ethernet, Ipv4, Ipv6, IPV4, IPV6, UDP};
use crate::overlay::{draw, host_mac, same, substrate, virtual_mac, Host, Wire, FABRIC_MAC};

/// The steps of a move, and the ways back.
pub const CASE: Case = Case {
    name: "move-states",
    title: "each state of a move carries, parks, forwards or drops what it should, and can be left again",
    rows: &["MV3", "MV4", "MV1"],
    guests: 1,
    timeout: 240,
    run,
};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const G: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
/// G's further address.
const K: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);
/// Numbers of the hosts.
const R: u16 = 1;
const S: u16 = 2;
const T: u16 = 3;
/// IPv4 header, UDP header and the number.
const LENGTH: u64 = 32;
/// How many packets wait for one node.
const ROOM: u32 = 8192;
/// How many stale events a second there are.
const STALE: u64 = 100;

/// The sockets at nodes and the hosts; the number of the last packet from A.
struct Stage {
    a: Wire,
    b: Wire,
    g: Wire,
    h: Wire,
    fabric: [Wire; 3],
    hosts: [Host; 3],
    sent: u32,
}

/// One part of the case.
type Step = fn(&mut Stage) -> Result<(), Failure>;

fn run() -> Result<(), Failure> {
    draw(
        "hosts R S T
         port A on R net 7 10.0.0.2
         port B on T net 7 10.0.0.4
         port G on S net 7 10.0.0.3
         for host in R S; do ovctl -n $host mapping set 7 10.0.0.4 --locator ${LOCATOR[T]}; done
         device H on T
         ip -n H link set v0 up",
    )?;
    let mut stage = Stage {
        a: Wire::open("A", "v0")?,
        b: Wire::open("B", "v0")?,
        g: Wire::open("G", "v0")?,
        h: Wire::open("H", "v0")?,
        fabric: [
            Wire::open("fabric", "R")?,
            Wire::open("fabric", "S")?,
            Wire::open("fabric", "T")?,
        ],
        hosts: [Host::open("R")?, Host::open("S")?, Host::open("T")?],
        sent: 0,
    };
    let steps: [(&str, Step); 10] = [
        ("refusals", refusals),
        ("standby", standby),
        ("standby given up", standby_given_up),
        ("frozen, and awake again", thawed),
        ("with a further address", further),
        ("frozen and flooded", overflow),
        ("forged while frozen", forged),
        ("moved", moved),
        ("stale", stale),
        ("settled", settled),
    ];
    for (what, step) in steps {
        step(&mut stage).map_err(|error| format!("{what}: {error}"))?;
    }
    Ok(())
}

/// What ovctl says to a host.
fn ovctl(words: &str) -> Result<(), Failure> {
    draw(&format!("ovctl -n {words}"))
}

/// What a host says of the port at S or T has this text.
fn port_shows(host: &str, node: &str, text: &str) -> Result<(), Failure> {
    draw(&format!(
        "shown=$(ovctl -n {host} port show v0 --netns {node} --json)
         [[ $shown == *'{text}'* ]] || fail \"no {text} in $shown\""
    ))
}

/// A node's packet to G, with a number.
fn to_g(from: Ipv4Addr, number: u32) -> Vec<u8> {
    numbered(from, G, number)
}

fn numbered(from: Ipv4Addr, to: Ipv4Addr, number: u32) -> Vec<u8> {
    let ip = Ipv4::new(from, to);
    let packet = ip.packet(UDP, &ip.ends().udp(1, 2, &number.to_be_bytes()));
    ethernet(virtual_mac(to), virtual_mac(from), IPV4, &packet)
}

/// The same on the substrate, from a host to a host.
fn on_substrate(from: u16, source: Ipv4Addr, to: u16, hops: u8) -> Vec<u8> {
    let ip = Ipv6 {
        class: 0,
        label: 64 << 12 | 1 << 11,
        hops,
        src: substrate(from, 0, 7, source),
        dst: substrate(to, 0, 7, G),
    };
    let packet = ip.packet(UDP, &ip.ends().udp(1, 2, &u32::MAX.to_be_bytes()));
    ethernet(host_mac(to as u8), FABRIC_MAC, IPV6, &packet)
}

/// A counter of so many packets, and that of their bytes.
fn sent_by_node(packets: u32) -> [(&'static str, u64); 2] {
    let packets = u64::from(packets);
    [("tx-packets", packets), ("tx-bytes", packets * LENGTH)]
}

fn received(packets: u32) -> [(&'static str, u64); 2] {
    let packets = u64::from(packets);
    [("rx-packets", packets), ("rx-bytes", packets * LENGTH)]
}

impl Stage {
    /// A sends so many; says which was the first.
    fn send(&mut self, count: u32) -> Result<u32, Failure> {
        let first = self.sent;
        for _ in 0..count {
            self.a.send(&to_g(A, self.sent))?;
            self.sent += 1;
        }
        self.counted(R, &sent_by_node(count))?;
        Ok(first)
    }

    /// A host has counted exactly this since it was last asked.
    fn counted(&mut self, host: u16, wanted: &[(&str, u64)]) -> Result<(), Failure> {
        self.hosts[usize::from(host - 1)].counted(wanted)
    }

    /// The node at a port gets these numbers in order, and nothing else.
    fn arrive(wire: &Wire, numbers: std::ops::Range<u32>) -> Result<(), Failure> {
        for number in numbers {
            let frame = wire.receive()?;
            let end = frame.len().saturating_sub(4);
            same("number", &frame[end..], &number.to_be_bytes()[..])?;
        }
        wire.silent()
    }

    /// What the node itself sends to A from its port at S or T.
    fn speak(&self, host: u16) -> Result<(), Failure> {
        let ip = Ipv4::new(G, A);
        let packet = ip.packet(UDP, &ip.ends().udp(3, 4, b"here"));
        let frame = ethernet(virtual_mac(A), virtual_mac(G), IPV4, &packet);
        let wire = if host == S { &self.g } else { &self.h };
        wire.send(&frame)
    }

    /// Packets of the node itself are dropped at a port that is not its place, or where it pauses.
    fn carries_nothing(&mut self, host: u16) -> Result<(), Failure> {
        self.speak(host)?;
        self.counted(host, &[("drop:port-inactive", 1)])
    }

    /// And go out where it is.
    fn carries(&mut self, host: u16) -> Result<(), Failure> {
        self.speak(host)?;
        self.counted(host, &sent_by_node(1))?;
        self.counted(R, &received(1))?;
        let frame = self.a.receive()?;
        let end = frame.len().saturating_sub(4);
        same("what A gets", &frame[end..], b"here")
    }

    /// The generation and the state of G's mapping on a host.
    fn known(&mut self, host: u16) -> Result<(Option<u64>, MappingState), Failure> {
        let vni = Vni::new(7).ok_or("a VNI")?;
        let client = self.hosts[usize::from(host - 1)].client();
        let mapping = client.mapping_get(vni, G)?;
        Ok((mapping.gen, mapping.state))
    }
}

/// No state where it makes no sense.
fn refusals(_: &mut Stage) -> Result<(), Failure> {
    draw(
        "set_g() { ovctl -n S port set v0 --netns G --net 7 --address 10.0.0.3 \"$@\"; }
         set_h() { ovctl -n T port set v0 --netns H --net 7 --address 10.0.0.3 \"$@\"; }
         before=$(state S; state T)
         refused '*the node is at a port of this host already*' set_g --state standby
         refused '*only an active port can freeze*' set_h --state frozen
         refused '*only a frozen port forwards*' set_h --state standby --forward-to fd00:a:1:2::/64
         refused '*only a frozen port forwards*' set_g --forward-to fd00:a:1:3::/64
         refused '*only an active port takes a generation*' set_g --state frozen --gen 9
         expect \"$before\" eval 'state S; state T'",
    )
}

/// A port that waits for its node parks arrivals; senders beside it reach the node where it still is.
fn standby(stage: &mut Stage) -> Result<(), Failure> {
    let before = stage.known(T)?;
    draw(
        "set_h() { ovctl -n T port set v0 --netns H --net 7 --address 10.0.0.3 --state standby; }
         set_h
         before=$(state T)
         set_h
         expect \"$before\" state T",
    )?;
    port_shows("T", "H", "\"state\":\"standby\"")?;
    same("what T knows of G", stage.known(T)?, before)?;
    stage.carries_nothing(T)?;
    stage.b.send(&to_g(B, 77))?;
    Stage::arrive(&stage.g, 77..78)?;
    stage.counted(T, &sent_by_node(1))?;
    stage.counted(S, &received(1))?;
    // Whoever believes that G is there already.
    ovctl("R mapping set 7 10.0.0.3 --locator fd00:a:1:3::/64")?;
    let first = stage.send(5)?;
    stage.h.silent()?;
    port_shows("T", "H", "\"parked\":5")?;
    same("the first", first, 0)
}

/// The node does not come: what waited goes to where it is.
fn standby_given_up(stage: &mut Stage) -> Result<(), Failure> {
    ovctl("T port del v0 --netns H")?;
    Stage::arrive(&stage.g, 0..5)?;
    stage.counted(T, &[("forwarded", 5)])?;
    stage.counted(S, &received(5))?;
    same("what T knows of G", stage.known(T)?.1, MappingState::Remote)?;
    // T is no place for it any more.
    stage.send(1)?;
    stage.counted(T, &[("drop:not-here", 1)])?;
    ovctl("R mapping set 7 10.0.0.3 --locator fd00:a:1:2::/64")?;
    let first = stage.send(1)?;
    Stage::arrive(&stage.g, first..first + 1)?;
    stage.counted(S, &received(1))
}

/// The node pauses, and stays.
fn thawed(stage: &mut Stage) -> Result<(), Failure> {
    let before = stage.known(S)?;
    let set = "S port set v0 --netns G --net 7 --address 10.0.0.3 --state";
    for _ in 0..2 {
        ovctl(&format!("{set} frozen"))?;
        port_shows("S", "G", "\"state\":\"frozen\"")?;
        stage.carries_nothing(S)?;
    }
    let first = stage.send(5)?;
    stage.g.silent()?;
    port_shows("S", "G", "\"parked\":5")?;
    // Said again, it loses nothing.
    ovctl(&format!("{set} frozen"))?;
    port_shows("S", "G", "\"parked\":5")?;
    stage.counted(S, &[])?;
    ovctl(&format!("{set} active"))?;
    port_shows("S", "G", "\"state\":\"active\"")?;
    stage.send(2)?;
    Stage::arrive(&stage.g, first..first + 7)?;
    stage.counted(S, &received(7))?;
    stage.carries(S)?;
    same("what S knows of G", stage.known(S)?, before)
}

/// All addresses of a node pause, wait and go back together.
fn further(stage: &mut Stage) -> Result<(), Failure> {
    let set_g = "ovctl -n S port set v0 --netns G --net 7 --address 10.0.0.3";
    draw(&format!(
        "{set_g} --source 10.0.0.9
         for host in R S T; do ovctl -n $host mapping set 7 10.0.0.9 --locator fd00:a:1:2::/64; done"
    ))?;
    let send = |stage: &mut Stage, number| -> Result<(), Failure> {
        stage.a.send(&numbered(A, K, number))?;
        stage.counted(R, &sent_by_node(1))
    };
    send(stage, 1)?;
    Stage::arrive(&stage.g, 1..2)?;
    stage.counted(S, &received(1))?;
    draw(&format!(
        "ovctl -n T port set v0 --netns H --net 7 --address 10.0.0.3 --source 10.0.0.9 --node 00000000000000cc
         {set_g} --state frozen"
    ))?;
    let parked = |host: &str, text: &str| {
        draw(&format!(
            "shown=$(ovctl -n {host} mapping show 7 10.0.0.9 --json)
             [[ $shown == *'{text}'* ]] || fail \"no {text} in $shown\""
        ))
    };
    send(stage, 2)?;
    parked("S", "\"parked\":1")?;
    ovctl("S port set v0 --netns G --net 7 --address 10.0.0.3 --state frozen --forward-to fd00:a:1:3::/64")?;
    send(stage, 3)?;
    stage.g.silent()?;
    stage.h.silent()?;
    parked("T", "\"parked\":2")?;
    stage.counted(S, &[("forwarded", 2)])?;
    // The node stays.
    ovctl("S port set v0 --netns G --net 7 --address 10.0.0.3 --state active")?;
    ovctl("T port del v0 --netns H")?;
    send(stage, 4)?;
    Stage::arrive(&stage.g, 2..5)?;
    stage.counted(T, &[("forwarded", 2)])?;
    stage.counted(S, &received(3))?;
    draw(&format!(
        "{set_g} --no-sources
         ovctl -n S mapping set 7 10.0.0.9 --locator fd00:a:1:1::/64"
    ))
}

/// What waits is bounded.
fn overflow(stage: &mut Stage) -> Result<(), Failure> {
    let set = "S port set v0 --netns G --net 7 --address 10.0.0.3 --state";
    ovctl(&format!("{set} frozen"))?;
    let first = stage.send(ROOM + 500)?;
    stage.counted(S, &[("drop:parked-overflow", 500)])?;
    port_shows("S", "G", &format!("\"parked\":{ROOM}"))?;
    ovctl(&format!("{set} active"))?;
    stage.counted(S, &received(ROOM))?;
    // As many as the socket holds; those that waited longest are the first.
    let mut next = first;
    while let Some(frame) = stage.g.pending()? {
        let end = frame.len().saturating_sub(4);
        same("number", &frame[end..], &next.to_be_bytes()[..])?;
        next += 1;
    }
    same("some arrived", next > first, true)
}

/// What would be forwarded is what would be received.
fn forged(stage: &mut Stage) -> Result<(), Failure> {
    ovctl("T port set v0 --netns H --net 7 --address 10.0.0.3 --state standby")?;
    let set = "S port set v0 --netns G --net 7 --address 10.0.0.3 --state frozen";
    let first = {
        ovctl(set)?;
        stage.send(3)?
    };
    // What waits is forwarded as soon as there is somewhere to; then what comes is.
    ovctl(&format!("{set} --forward-to fd00:a:1:3::/64"))?;
    port_shows("S", "G", "\"locator\":\"fd00:a:1:3::/64\"")?;
    stage.send(2)?;
    stage.counted(S, &[("forwarded", 5)])?;
    port_shows("T", "H", "\"parked\":5")?;
    // A is R's; and nobody has 10.0.0.99.
    stage.fabric[1].send(&on_substrate(T, A, S, 63))?;
    stage.counted(S, &[("drop:forged-source", 1)])?;
    stage.fabric[1].send(&on_substrate(T, Ipv4Addr::new(10, 0, 0, 99), S, 63))?;
    stage.counted(S, &[("drop:unknown-source", 1)])?;
    stage.fabric[1].send(&on_substrate(R, A, S, 1))?;
    stage.counted(S, &[("drop:forward-loop", 1)])?;
    port_shows("T", "H", "\"parked\":5")?;
    // The node stays after all: what T has goes back, behind nothing.
    ovctl("S port set v0 --netns G --net 7 --address 10.0.0.3 --state active")?;
    ovctl("T port del v0 --netns H")?;
    Stage::arrive(&stage.g, first..first + 5)?;
    stage.counted(T, &[("forwarded", 5)])?;
    stage.counted(S, &received(5))
}

/// The node goes to T: it gets what waited there, then what S forwards, and S carries nothing of it.
fn moved(stage: &mut Stage) -> Result<(), Failure> {
    ovctl("T port set v0 --netns H --net 7 --address 10.0.0.3 --state standby")?;
    ovctl("S port set v0 --netns G --net 7 --address 10.0.0.3 --state frozen --forward-to fd00:a:1:3::/64")?;
    let first = stage.send(4)?;
    stage.h.silent()?;
    stage.counted(S, &[("forwarded", 4)])?;
    // Even if nobody tells S of what follows.
    stage.carries_nothing(S)?;
    ovctl("T port set v0 --netns H --net 7 --address 10.0.0.3 --state active --gen 50")?;
    Stage::arrive(&stage.h, first..first + 4)?;
    stage.counted(T, &received(4))?;
    ovctl("S mapping set 7 10.0.0.3 --locator fd00:a:1:3::/64 --state moved --gen 50")?;
    same(
        "what S knows of G",
        stage.known(S)?,
        (Some(50), MappingState::Moved),
    )?;
    same(
        "what T knows of G",
        stage.known(T)?,
        (Some(50), MappingState::Local),
    )?;
    port_shows("S", "G", "\"state\":\"inactive\"")?;
    stage.carries_nothing(S)?;
    let first = stage.send(3)?;
    Stage::arrive(&stage.h, first..first + 3)?;
    stage.g.silent()?;
    stage.counted(S, &[("forwarded", 3)])?;
    stage.counted(T, &received(3))
}

/// The host whose sender does not know is told so, but not at any rate.
fn stale(stage: &mut Stage) -> Result<(), Failure> {
    // Events of before, and the second they were counted in.
    let s = usize::from(S - 1);
    std::thread::sleep(Duration::from_millis(1500));
    while stage.hosts[s]
        .event_within(Duration::from_millis(200))?
        .is_some()
    {}
    const STRAYS: u32 = 1000;
    let start = Instant::now();
    stage.send(STRAYS)?;
    stage.counted(S, &[("forwarded", u64::from(STRAYS))])?;
    let seconds = start.elapsed().as_secs() + 1;
    let (mut told, mut withheld) = (0, 0);
    let mut take = |host: &Host| -> Result<(), Failure> {
        while let Some(event) = host.event_within(Duration::from_millis(300))? {
            same("kind", event.kind, EventKind::Stale)?;
            same("address", event.address, Some(G))?;
            let whose = event.locator.map(|locator| locator.bits());
            same("whose", whose, Some(0xfd00_000a_0001_0001))?;
            told += 1;
            withheld += u64::from(event.suppressed.unwrap_or(0));
        }
        Ok(())
    };
    take(&stage.hosts[s])?;
    std::thread::sleep(Duration::from_millis(1200));
    // The next one says how many there were besides.
    stage.a.send(&to_g(A, stage.sent))?;
    stage.sent += 1;
    take(&stage.hosts[s])?;
    same("told and withheld", told + withheld, u64::from(STRAYS) + 1)?;
    if told < STALE || told > STALE * (seconds + 1) {
        return Err(format!("{told} events in {seconds} seconds").into());
    }
    stage.counted(R, &sent_by_node(1))?;
    stage.counted(S, &[("forwarded", 1)])?;
    stage.counted(T, &received(STRAYS + 1))?;
    while stage.h.pending()?.is_some() {}
    Ok(())
}

/// Under the same generation S ceases to forward.
fn settled(stage: &mut Stage) -> Result<(), Failure> {
    ovctl("S mapping set 7 10.0.0.3 --locator fd00:a:1:3::/64 --state remote --gen 50")?;
    same(
        "what S knows of G",
        stage.known(S)?,
        (Some(50), MappingState::Remote),
    )?;
    stage.send(1)?;
    stage.counted(S, &[("drop:not-here", 1)])?;
    stage.h.silent()?;
    stage.carries_nothing(S)?;
    ovctl("R mapping set 7 10.0.0.3 --locator fd00:a:1:3::/64 --gen 50")?;
    let first = stage.send(1)?;
    Stage::arrive(&stage.h, first..first + 1)?;
    stage.counted(T, &received(1))?;
    stage.counted(S, &[])
}
