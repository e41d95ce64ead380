// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  A 10.0.0.2 ── R ── fabric ── S ──┬── G 10.0.0.3, under lease
//!                      S's wire     └── F 10.0.0.4
//! ```

use std::net::Ipv4Addr;
use std::time::Duration;

use nix::time::{clock_gettime, ClockId};
use ovnet_uapi::{EventKind, HostSet, Lease, MappingState, Vni};

use super::{Case, Failure};
use crate::frame::{arp, ethernet, Ipv4, ARP, IPV4, UDP};
use crate::overlay::{draw, same, virtual_mac, Host, Wire};

/// The end of a lease, and the way back.
pub const CASE: Case = Case {
    name: "lease",
    title: "ports under lease stop at its end in both directions, and come back by a greater generation alone",
    rows: &["MV7", "OP5"],
    guests: 1,
    timeout: 240,
    run,
};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const G: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const F: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
/// Bytes of a packet.
const LENGTH: u64 = 32;

/// The sockets at nodes and the host of the lease; the number of the last packet.
struct Stage {
    a: Wire,
    g: Wire,
    f: Wire,
    s: Host,
    sent: u32,
}

/// One part of the case.
type Step = fn(&mut Stage) -> Result<(), Failure>;

fn run() -> Result<(), Failure> {
    draw(
        "hosts R S
         port A on R net 7 10.0.0.2
         port G on S net 7 10.0.0.3
         port F on S net 7 10.0.0.4",
    )?;
    let mut stage = Stage {
        a: Wire::open("A", "v0")?,
        g: Wire::open("G", "v0")?,
        f: Wire::open("F", "v0")?,
        s: Host::open("S")?,
        sent: 0,
    };
    let steps: [(&str, Step); 8] = [
        ("refusals", refusals),
        ("renewed", renewed),
        ("ended", ended),
        ("news of no greater generation", no_news),
        ("a greater generation", back),
        ("frozen", frozen),
        ("elsewhere", elsewhere),
        ("a lease of the past", past),
    ];
    for (what, step) in steps {
        step(&mut stage).map_err(|error| format!("{what}: {error}"))?;
    }
    Ok(())
}

/// What ovctl says to S.
fn ovctl(words: &str) -> Result<(), Failure> {
    draw(&format!("ovctl -n S {words}"))
}

/// The port of G is set, with more words.
fn set_g(words: &str) -> Result<(), Failure> {
    ovctl(&format!(
        "port set v0 --netns G --net 7 --address 10.0.0.3 {words}"
    ))
}

/// What S says of the port of G has this text.
fn shows(text: &str) -> Result<(), Failure> {
    draw(&format!(
        "shown=$(ovctl -n S port show v0 --netns G --json)
         [[ $shown == *'{text}'* ]] || fail \"no {text} in $shown\""
    ))
}

impl Stage {
    /// A packet of one node to another, and its number.
    fn packet(&mut self, from: Ipv4Addr, to: Ipv4Addr) -> (Vec<u8>, u32) {
        self.sent += 1;
        let ip = Ipv4::new(from, to);
        let packet = ip.packet(UDP, &ip.ends().udp(1, 2, &self.sent.to_be_bytes()));
        let frame = ethernet(virtual_mac(to), virtual_mac(from), IPV4, &packet);
        (frame, self.sent)
    }

    fn wire(&self, node: Ipv4Addr) -> &Wire {
        match node {
            A => &self.a,
            G => &self.g,
            _ => &self.f,
        }
    }

    /// A packet goes from one node to the other, and is what S counts.
    fn passes(&mut self, from: Ipv4Addr, to: Ipv4Addr) -> Result<(), Failure> {
        let (frame, number) = self.packet(from, to);
        self.wire(from).send(&frame)?;
        let got = self.wire(to).receive()?;
        let end = got.len().saturating_sub(4);
        same("number", &got[end..], &number.to_be_bytes()[..])?;
        let counters = match (from, to) {
            (A, _) => ["rx-packets", "rx-bytes"],
            (_, A) => ["tx-packets", "tx-bytes"],
            _ => ["local-packets", "local-bytes"],
        };
        self.s.counted(&[(counters[0], 1), (counters[1], LENGTH)])
    }

    /// A packet goes nowhere: S drops it for that reason, and says nothing else of it.
    fn dropped(&mut self, from: Ipv4Addr, to: Ipv4Addr, reason: &str) -> Result<(), Failure> {
        let (frame, _) = self.packet(from, to);
        self.wire(from).send(&frame)?;
        self.s.counted(&[(&format!("drop:{reason}"), 1)])?;
        self.wire(to).silent()
    }

    /// G carries everything, in each direction, and F does.
    fn all_pass(&mut self) -> Result<(), Failure> {
        for (from, to) in [(A, G), (G, A), (F, G), (G, F), (A, F), (F, A)] {
            self.passes(from, to)?;
        }
        Ok(())
    }

    /// G carries nothing for that reason, and F carries what is not for G.
    fn stopped(&mut self, reason: &str) -> Result<(), Failure> {
        for (from, to) in [(A, G), (G, A), (F, G), (G, F)] {
            self.dropped(from, to, reason)?;
        }
        self.passes(A, F)?;
        self.passes(F, A)
    }

    /// The next event of S that is not about mappings and ports.
    fn fenced(&mut self) -> Result<(), Failure> {
        loop {
            let event = self
                .s
                .event_within(crate::overlay::patience())?
                .ok_or("S has not said that its lease ended")?;
            match event.kind {
                EventKind::Fenced => return Ok(()),
                EventKind::Mapping | EventKind::Port => {}
                _ => return Err(format!("unexpected {event:?}").into()),
            }
        }
    }

    /// The generation and the state of G's mapping at S.
    fn known(&mut self) -> Result<(u64, MappingState), Failure> {
        let vni = Vni::new(7).ok_or("a VNI")?;
        let mapping = self.s.client().mapping_get(vni, G)?;
        Ok((mapping.gen.unwrap_or_default(), mapping.state))
    }

    /// S gets a lease that counts from a moment of CLOCK_BOOTTIME.
    fn lease(&mut self, length: Duration, from: u64) -> Result<(), Failure> {
        Ok(self.s.client().host_configure(&HostSet {
            lease: Some(Lease {
                length,
                from: Some(from),
            }),
            ..HostSet::default()
        })?)
    }

    /// The lease of S ends, and S says so.
    fn end(&mut self) -> Result<(), Failure> {
        ovctl("host set --lease 20ms")?;
        self.fenced()
    }
}

/// No port stops by surprise, and none is stopped by hand.
fn refusals(stage: &mut Stage) -> Result<(), Failure> {
    draw(
        "before=$(state S)
         refused '*this host has no lease*ovctl host set --lease TIME*' \
           ovctl -n S port set v0 --netns G --net 7 --address 10.0.0.3 --lease
         refused '*longest time is 1h*' ovctl -n S host set --lease 2h
         expect \"$before\" state S",
    )?;
    stage.all_pass()
}

/// A lease that is renewed in time ends nothing; nor does one that no port is under.
fn renewed(stage: &mut Stage) -> Result<(), Failure> {
    stage.end()?;
    stage.all_pass()?;
    ovctl("host set --lease 30s")?;
    set_g("--lease")?;
    shows("\"lease\":true")?;
    ovctl("host set --lease 4s")?;
    ovctl("host set --lease 1h")?;
    std::thread::sleep(Duration::from_secs(5));
    stage.all_pass()?;
    shows("\"state\":\"active\"")
}

/// The end comes by itself: nobody is there but the kernel.
fn ended(stage: &mut Stage) -> Result<(), Failure> {
    let before = stage.known()?;
    stage.end()?;
    stage.stopped("fenced")?;
    shows("\"state\":\"fenced\"")?;
    same("what S knows of G", stage.known()?, before)?;
    draw(
        "shown=$(ovctl -n S host show --json)
         [[ $shown == *'\"lease\":0'* ]] || fail \"a lease is left in $shown\"",
    )?;
    // Nobody answers for others there any more.
    let question = arp(1, (virtual_mac(G), G), ([0; 6], A));
    stage
        .g
        .send(&ethernet([0xff; 6], virtual_mac(G), ARP, &question))?;
    stage.s.counted(&[("drop:fenced", 1)])?;
    stage.g.silent()
}

/// Neither a new lease nor what was known before brings the port back.
fn no_news(stage: &mut Stage) -> Result<(), Failure> {
    let (gen, _) = stage.known()?;
    ovctl("host set --lease 1h")?;
    ovctl(&format!(
        "mapping set 7 10.0.0.3 --locator fd00:a:1:2::/64 --gen {gen}"
    ))?;
    set_g("--source 10.0.0.9")?;
    set_g("--no-sources")?;
    stage.stopped("fenced")?;
    shows("\"state\":\"fenced\"")
}

/// Only with a lease does a greater generation bring it back.
fn back(stage: &mut Stage) -> Result<(), Failure> {
    let (gen, _) = stage.known()?;
    let here = |gen| {
        ovctl(&format!(
            "mapping set 7 10.0.0.3 --locator fd00:a:1:2::/64 --gen {gen}"
        ))
    };
    ovctl("host set --lease 0")?;
    stage.fenced()?;
    here(gen + 1)?;
    stage.stopped("fenced")?;
    ovctl("host set --lease 1h")?;
    stage.stopped("fenced")?;
    here(gen + 2)?;
    stage.all_pass()?;
    // As an operator says it.
    stage.end()?;
    ovctl("host set --lease 1h")?;
    set_g("--state active")?;
    same("generation", stage.known()?.0, gen + 3)?;
    stage.all_pass()
}

/// A node that paused at the end of the lease does not go on here.
fn frozen(stage: &mut Stage) -> Result<(), Failure> {
    let (gen, _) = stage.known()?;
    set_g("--state frozen")?;
    stage.end()?;
    shows("\"state\":\"fenced\"")?;
    ovctl("host set --lease 1h")?;
    stage.dropped(G, A, "fenced")?;
    same("generation", stage.known()?.0, gen)?;
    set_g(&format!("--state active --gen {}", gen + 1))?;
    stage.all_pass()
}

/// A node that went elsewhere leaves a port that is inactive, as it leaves any other.
fn elsewhere(stage: &mut Stage) -> Result<(), Failure> {
    let (gen, _) = stage.known()?;
    stage.end()?;
    ovctl(&format!(
        "mapping set 7 10.0.0.3 --locator fd00:a:1:1::/64 --gen {}",
        gen + 1
    ))?;
    shows("\"state\":\"inactive\"")?;
    stage.dropped(G, A, "port-inactive")?;
    ovctl("host set --lease 1h")?;
    stage.dropped(G, A, "port-inactive")?;
    ovctl(&format!(
        "mapping set 7 10.0.0.3 --locator fd00:a:1:2::/64 --gen {}",
        gen + 2
    ))?;
    stage.all_pass()
}

/// Whoever was held up on the way to the kernel has not made the lease longer by it.
fn past(stage: &mut Stage) -> Result<(), Failure> {
    let now = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME)?);
    let from = now.saturating_sub(Duration::from_secs(2)).as_millis() as u64;
    stage.lease(Duration::from_secs(1800), from)?;
    let left = stage.s.client().host_get(None)?.lease.unwrap_or_default();
    if left > Duration::from_secs(1798) {
        return Err(format!("{left:?} are left").into());
    }
    stage.all_pass()?;
    stage.lease(Duration::from_secs(1), from)?;
    stage.fenced()?;
    stage.stopped("fenced")
}
