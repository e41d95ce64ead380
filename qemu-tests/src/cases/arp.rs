// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  A 10.0.0.2 ──┬── R ── fabric ── S ── G 10.0.0.3
//!  B 10.0.0.4 ──┘   sub (no ARP)
//! ```

use std::net::Ipv4Addr;

use ovnet_uapi::EventKind;

use super::{Case, Failure};
use crate::frame::{arp, ethernet, Mac, ARP};
use crate::overlay::{draw, same, virtual_mac, Host, Wire};

/// Which ARP is answered, with what, and what becomes of the rest.
pub const CASE: Case = Case {
    name: "arp",
    title: "ARP is answered as on a LAN where each address has its provisioned owner alone",
    rows: &["TX1", "TX2", "TX5", "TX8"],
    guests: 1,
    timeout: 60,
    run,
};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const G: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 77);
const NONE: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const ALL: Mac = [0xff; 6];
const ZERO: Mac = [0; 6];
const OWN: Mac = virtual_mac(A);
const OTHER: Mac = [2, 0, 0, 0, 0, 9];
const REQUEST: u16 = 1;
const REPLY: u16 = 2;

fn run() -> Result<(), Failure> {
    draw("hosts R S; port A on R net 7 10.0.0.2; port B on R net 7 10.0.0.4; port G on S net 7 10.0.0.3")?;
    let (a, b, sub) = (
        Wire::open("A", "v0")?,
        Wire::open("B", "v0")?,
        Wire::open("R", "sub")?,
    );
    let mut r = Host::open("R")?;
    answered(&a, &mut r).map_err(|error| format!("answered: {error}"))?;
    unanswered(&a, &mut r)?;
    forged(&a, &mut r)?;
    malformed(&a, &mut r)?;
    a.silent()?;
    b.silent()?;
    sub.silent()?;
    r.no_event()
}

/// Requests for another node, by broadcast or to its MAC, and probes of
/// another's address (RFC 5227).
fn answered(a: &Wire, r: &mut Host) -> Result<(), Failure> {
    for (to, sender, target) in [
        (ALL, A, G),
        (virtual_mac(G), A, G),
        (OTHER, A, G),
        (ALL, NONE, G),
        (ALL, A, B),
    ] {
        let request = arp(REQUEST, (OWN, sender), (ZERO, target));
        a.send(&ethernet(to, OWN, ARP, &request))?;
        let mac = virtual_mac(target);
        let reply = arp(REPLY, (mac, target), (OWN, sender));
        a.expect(&ethernet(OWN, mac, ARP, &reply))?;
        r.counted(&[("arp-replies", 1)])?;
    }
    // Padding to the smallest frame of Ethernet, as a physical card sends.
    let mut padded = ethernet(ALL, OWN, ARP, &arp(REQUEST, (OWN, A), (ZERO, G)));
    padded.resize(60, 0);
    a.send(&padded)?;
    let mac = virtual_mac(G);
    a.expect(&ethernet(OWN, mac, ARP, &arp(REPLY, (mac, G), (OWN, A))))?;
    r.counted(&[("arp-replies", 1)])?;
    r.no_event()
}

fn unanswered(a: &Wire, r: &mut Host) -> Result<(), Failure> {
    let multicast = Ipv4Addr::new(224, 0, 0, 5);
    for (what, message) in [
        (
            "a probe of the own address",
            arp(REQUEST, (OWN, NONE), (ZERO, A)),
        ),
        ("an announcement", arp(REQUEST, (OWN, A), (ZERO, A))),
        ("an announcement by reply", arp(REPLY, (OWN, A), (OWN, A))),
        ("a reply", arp(REPLY, (OWN, A), (virtual_mac(G), G))),
        ("an unknown operation", arp(3, (OWN, A), (ZERO, G))),
        (
            "a request for 0.0.0.0",
            arp(REQUEST, (OWN, A), (ZERO, NONE)),
        ),
        (
            "a request for a group",
            arp(REQUEST, (OWN, A), (ZERO, multicast)),
        ),
        (
            "a request for all",
            arp(REQUEST, (OWN, A), (ZERO, Ipv4Addr::BROADCAST)),
        ),
    ] {
        a.send(&ethernet(ALL, OWN, ARP, &message))?;
        r.counted(&[("drop:arp-unanswered", 1)])
            .map_err(|error| format!("{what}: {error}"))?;
    }
    r.no_event()?;

    // Nobody: no answer, and the system manager can hear of it.
    for sender in [A, NONE] {
        let request = arp(REQUEST, (OWN, sender), (ZERO, NOBODY));
        a.send(&ethernet(ALL, OWN, ARP, &request))?;
        r.counted(&[("drop:no-mapping", 1)])?;
        let event = r.event(EventKind::Miss)?;
        same("address", event.address, Some(NOBODY))?;
        same("network", event.vni.map(|vni| vni.get()), Some(7))?;
        same("device", event.ifname.as_deref(), Some("v0"))?;
    }
    Ok(())
}

fn forged(a: &Wire, r: &mut Host) -> Result<(), Failure> {
    for (what, source, sender, reason) in [
        ("another's address", OWN, (OWN, B), "drop:spoof-address"),
        ("a MAC in the message", OWN, (OTHER, A), "drop:spoof-mac"),
        ("a MAC of the frame", OTHER, (OWN, A), "drop:spoof-mac"),
        (
            "another's everything",
            virtual_mac(B),
            (virtual_mac(B), B),
            "drop:spoof-mac",
        ),
    ] {
        for (operation, target) in [(REQUEST, G), (REPLY, G), (REQUEST, sender.1)] {
            let message = arp(operation, sender, (ZERO, target));
            a.send(&ethernet(ALL, source, ARP, &message))?;
            r.counted(&[(reason, 1)])
                .map_err(|error| format!("{what}: {error}"))?;
            let event = r.event(EventKind::Spoof)?;
            same("address", event.address, Some(sender.1))?;
            same("device", event.ifname.as_deref(), Some("v0"))?;
        }
    }
    Ok(())
}

fn malformed(a: &Wire, r: &mut Host) -> Result<(), Failure> {
    let good = arp(REQUEST, (OWN, A), (ZERO, G));
    let with = |at: usize, value: u8| {
        let mut message = good.clone();
        message[at] = value;
        message
    };
    for (what, message) in [
        ("cut off", good[..27].to_vec()),
        ("empty", Vec::new()),
        ("hardware type 6", with(1, 6)),
        ("protocol type IPv6", with(2, 0x86)),
        ("hardware length 8", with(4, 8)),
        ("protocol length 16", with(5, 16)),
    ] {
        a.send(&ethernet(ALL, OWN, ARP, &message))?;
        r.counted(&[("drop:malformed", 1)])
            .map_err(|error| format!("{what}: {error}"))?;
    }
    Ok(())
}
