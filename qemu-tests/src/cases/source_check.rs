// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  A 10.0.0.2 ──┬── R ── fabric ── S ── G 10.0.0.3
//!  B 10.0.0.4 ──┘   sub
//! ```

use std::net::Ipv4Addr;

use ovnet_uapi::EventKind;

use super::{Case, Failure};
use crate::frame::Ipv4;
use crate::frame::{ethernet, Mac, IPV4, IPV6, UDP};
use crate::overlay::{draw, same, virtual_mac, Host, Wire};

/// A node sends as itself or not at all.
pub const CASE: Case = Case {
    name: "source-check",
    title: "a frame from another MAC or address than the port's is dropped and reported",
    rows: &["TX8", "OP5"],
    guests: 1,
    timeout: 60,
    run,
};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const G: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
const OTHER: Mac = [2, 0, 0, 0, 0, 9];

fn run() -> Result<(), Failure> {
    draw("hosts R S; port A on R net 7 10.0.0.2; port B on R net 7 10.0.0.4; port G on S net 7 10.0.0.3")?;
    let (a, b) = (Wire::open("A", "v0")?, Wire::open("B", "v0")?);
    let (sub, g) = (Wire::open("R", "sub")?, Wire::open("G", "v0")?);
    let mut r = Host::open("R")?;
    let own = virtual_mac(A);
    let nobody = Ipv4Addr::new(192, 0, 2, 1);

    // To a remote node and to one of the same host alike.
    for to in [G, B] {
        for (mac, address, reason) in [
            (own, B, "drop:spoof-address"),
            (own, G, "drop:spoof-address"),
            (own, nobody, "drop:spoof-address"),
            (own, Ipv4Addr::UNSPECIFIED, "drop:spoof-address"),
            (OTHER, A, "drop:spoof-mac"),
            (virtual_mac(B), A, "drop:spoof-mac"),
            (virtual_mac(B), B, "drop:spoof-mac"),
        ] {
            let ip = Ipv4::new(address, to);
            let packet = ip.packet(UDP, &ip.ends().udp(1, 2, b"not mine"));
            a.send(&ethernet(virtual_mac(to), mac, IPV4, &packet))?;
            r.counted(&[(reason, 1)])
                .map_err(|error| format!("{address} from {mac:x?}: {error}"))?;
            let event = r.event(EventKind::Spoof)?;
            same("address", event.address, Some(address))?;
            same("MAC", event.mac.map(|mac| mac.0), Some(mac))?;
            same("network", event.vni.map(|vni| vni.get()), Some(7))?;
            same("device", event.ifname.as_deref(), Some("v0"))?;
        }
    }

    // What is not IPv4 has no address to check, but a MAC.
    a.send(&ethernet(virtual_mac(G), OTHER, IPV6, &[0x60; 40]))?;
    r.counted(&[("drop:spoof-mac", 1)])?;
    let event = r.event(EventKind::Spoof)?;
    same("address", event.address, None)?;
    same("MAC", event.mac.map(|mac| mac.0), Some(OTHER))?;

    // None of it reached anybody; what A sends as itself does.
    for wire in [&b, &sub, &g] {
        wire.silent()?;
    }
    let ip = Ipv4::new(A, B);
    let packet = ip.packet(UDP, &ip.ends().udp(1, 2, b"mine"));
    let frame = ethernet(virtual_mac(B), own, IPV4, &packet);
    a.send(&frame)?;
    b.expect(&frame)?;
    r.counted(&[("local-packets", 1), ("local-bytes", packet.len() as u64)])?;
    r.no_event()
}
