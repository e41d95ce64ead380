// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  A 10.0.0.2 net 7 ──┬── R ── fabric ── S ── G 10.0.0.3 net 7
//!  C 10.0.0.2 net 8 ──┘        ▲
//!                        the case sends here, as anybody could
//! ```

use std::net::Ipv4Addr;

use ovnet_uapi::EventKind;

use super::{Case, Failure};
use crate::frame::{echo, ethernet, Ipv4, Ipv6, ICMP, ICMPV6, IPV4, IPV6, UDP};
use crate::overlay::{draw, host_mac, same, substrate, virtual_mac, Host, Wire, FABRIC_MAC};

/// Nothing but the packets of known nodes from where they are is delivered.
pub const CASE: Case = Case {
    name: "arrival-check",
    title:
        "what the substrate brings is delivered only from where its source is, else dropped by name",
    rows: &["RX1", "RX2", "AD1", "AD4", "OP5"],
    guests: 1,
    timeout: 60,
    run,
};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const G: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 77);
/// Bits of the byte of slot, U and G.
const SLOT_1: u8 = 1 << 2;
const U: u8 = 2;
const GROUP: u8 = 1;

/// The sockets and the host of the case.
struct Stage {
    fabric: Wire,
    a: Wire,
    c: Wire,
    r: Host,
}

fn run() -> Result<(), Failure> {
    draw(
        "hosts R S; port A on R net 7 10.0.0.2; port C on R net 8 10.0.0.2
         port G on S net 7 10.0.0.3",
    )?;
    let mut stage = Stage {
        fabric: Wire::open("fabric", "R")?,
        a: Wire::open("A", "v0")?,
        c: Wire::open("C", "v0")?,
        r: Host::open("R")?,
    };
    delivered(&mut stage)?;
    wrong_source(&mut stage)?;
    wrong_destination(&mut stage)?;
    wrong_form(&mut stage)?;
    broken(&mut stage)?;
    // The port's own limits.
    draw("ip -n A link set v0 mtu 100")?;
    let ip = genuine();
    stage.dropped("too big for the port", &ip, UDP, &[0; 81], "too-big")?;
    draw("ip -n A link set v0 down")?;
    stage.dropped("the port is down", &ip, UDP, &[0; 8], "port-down")?;
    stage.r.no_event()
}

/// The header of a packet from G at S to A at R.
fn genuine() -> Ipv6 {
    Ipv6 {
        class: 0,
        label: 64 << 12 | 1 << 11,
        hops: 63,
        src: substrate(2, 0, 7, G),
        dst: substrate(1, 0, 7, A),
    }
}

impl Stage {
    fn send(&self, ip: &Ipv6, next_header: u8, payload: &[u8]) -> Result<(), Failure> {
        let packet = ip.packet(next_header, payload);
        self.fabric
            .send(&ethernet(host_mac(1), FABRIC_MAC, IPV6, &packet))
    }

    /// Counted under this one reason, and seen by no node.
    fn dropped(
        &mut self,
        what: &str,
        ip: &Ipv6,
        next_header: u8,
        payload: &[u8],
        reason: &str,
    ) -> Result<(), Failure> {
        self.send(ip, next_header, payload)?;
        self.r
            .counted(&[(&format!("drop:{reason}"), 1)])
            .and_then(|()| self.a.silent())
            .and_then(|()| self.c.silent())
            .map_err(|error| format!("{what}: {error}").into())
    }
}

/// The genuine packet arrives, with what the label says or, of a label that
/// the substrate cleared, the network's TTL; and with the substrate's ECN mark.
fn delivered(stage: &mut Stage) -> Result<(), Failure> {
    draw("ovctl -n R net set 7 --ttl 33")?;
    for (class, label, ttl, df) in [
        (0, 64 << 12 | 1 << 11, 64, true),
        (0xbb, 1 << 12 | 1 << 11 | 0x7ff, 1, true),
        (0x03, 255 << 12 | 5, 255, false),
        (0, 0, 33, false),
        (0, 0x123, 33, false),
    ] {
        let ip = Ipv6 {
            class,
            label,
            ..genuine()
        };
        let data = b"genuine";
        stage.send(&ip, UDP, &ip.ends().udp(9, 10, data))?;
        let got = stage.a.receive()?;
        let mut wanted = Ipv4::new(G, A);
        (wanted.tos, wanted.ttl) = (class, ttl);
        if !df {
            wanted.fragment = 0;
            wanted.id = u16::from_be_bytes([got[18], got[19]]);
        }
        let packet = wanted.packet(UDP, &wanted.ends().udp(9, 10, data));
        let frame = ethernet(virtual_mac(A), virtual_mac(G), IPV4, &packet);
        same(&format!("label {label:#x}"), got, frame)?;
        stage.r.counted(&[
            ("rx-packets", 1),
            ("rx-bytes", packet.len() as u64),
            ("labels-cleared", u64::from(label >> 12 == 0)),
        ])?;
    }
    stage.r.no_event()
}

/// RX2: a node's address from where the node is not.
fn wrong_source(stage: &mut Stage) -> Result<(), Failure> {
    for (what, src, claimed, from) in [
        (
            "G from elsewhere",
            substrate(3, 0, 7, G),
            G,
            "fd00:a:1:3::/64",
        ),
        (
            "G from A's own host",
            substrate(1, 0, 7, G),
            G,
            "fd00:a:1:1::/64",
        ),
        (
            "A to itself from S",
            substrate(2, 0, 7, A),
            A,
            "fd00:a:1:2::/64",
        ),
        (
            "A to itself from R",
            substrate(1, 0, 7, A),
            A,
            "fd00:a:1:1::/64",
        ),
    ] {
        let ip = Ipv6 { src, ..genuine() };
        let datagram = ip.ends().udp(1, 2, b"forged");
        stage.dropped(what, &ip, UDP, &datagram, "forged-source")?;
        let event = stage.r.event(EventKind::Forged)?;
        same(what, event.address, Some(claimed))?;
        same(what, event.vni.map(|vni| vni.get()), Some(7))?;
        same(
            what,
            event.locator.map(|it| it.to_string()),
            Some(from.into()),
        )?;
    }
    let ip = Ipv6 {
        src: substrate(2, 0, 7, NOBODY),
        ..genuine()
    };
    stage.dropped("nobody", &ip, UDP, &[0; 8], "unknown-source")?;
    same(
        "nobody",
        stage.r.event(EventKind::Miss)?.address,
        Some(NOBODY),
    )?;
    // A mapping of G in the other network is none.
    let ip = Ipv6 {
        src: substrate(2, 0, 8, G),
        dst: substrate(1, 0, 8, A),
        ..genuine()
    };
    stage.dropped("G in network 8", &ip, UDP, &[0; 8], "unknown-source")?;
    same(
        "network",
        stage.r.event(EventKind::Miss)?.vni.map(|vni| vni.get()),
        Some(8),
    )
}

/// RX1: a destination that is no node of the host.
fn wrong_destination(stage: &mut Stage) -> Result<(), Failure> {
    for (what, src, dst, reason) in [
        ("a remote node", (7, G), (7, G), "not-here"),
        ("nobody", (7, G), (7, NOBODY), "not-here"),
        ("no such network", (9, G), (9, A), "unknown-network"),
        (
            "the largest network",
            (0xff_ffff, G),
            (0xff_ffff, A),
            "unknown-network",
        ),
        ("from network 7 to 8", (7, G), (8, A), "network-mismatch"),
        ("from network 8 to 7", (8, G), (7, A), "network-mismatch"),
        ("from a host itself", (0, G), (7, A), "network-mismatch"),
    ] {
        let ip = Ipv6 {
            src: substrate(2, 0, src.0, src.1),
            dst: substrate(1, 0, dst.0, dst.1),
            ..genuine()
        };
        stage.dropped(what, &ip, UDP, &ip.ends().udp(1, 2, b"lost"), reason)?;
    }
    stage.r.no_event()
}

/// Addresses and next headers of no form of the overlay.
fn wrong_form(stage: &mut Stage) -> Result<(), Failure> {
    for form in [SLOT_1, 63 << 2, U, GROUP, U | GROUP, 0xff] {
        let to = Ipv6 {
            dst: substrate(1, form, 7, A),
            ..genuine()
        };
        let what = format!("{form:#x} in the destination");
        stage.dropped(&what, &to, UDP, &[0; 8], "address-form")?;
        let from = Ipv6 {
            src: substrate(2, form, 7, G),
            ..genuine()
        };
        let what = format!("{form:#x} in the source");
        stage.dropped(&what, &from, UDP, &[0; 8], "address-form")?;
    }
    let ip = genuine();
    // Hop-by-hop, routing, fragment, no next header, destination options,
    // mobility, HIP, shim6, Ethernet and IGMP; the extension header is eight
    // bytes that are padding and say UDP follows.
    let extension = [UDP, 0, 1, 4, 0, 0, 0, 0, 0, 1, 0, 2, 0, 8, 0, 0];
    for next_header in [0, 43, 44, 60, 135, 139, 140, 143, 2] {
        let what = format!("next header {next_header}");
        stage.dropped(&what, &ip, next_header, &extension, "next-header")?;
    }
    // ICMPv6 is the substrate's own word, whoever says it, and never passed on
    // as it is; see the case substrate-errors for what becomes of it.
    for src in [
        ip.src,
        "fd00:a:1:2::1".parse()?,
        "fd00:f::1".parse()?,
        "2001:db8::ffff:1:2:3".parse()?,
    ] {
        let what = format!("ICMPv6 from {src}");
        let ip = Ipv6 { src, ..ip };
        let request = ip.ends().icmpv6(128, 0, 1, &genuine().packet(UDP, &[0; 8]));
        stage.dropped(&what, &ip, ICMPV6, &request, "substrate-icmp")?;
    }
    stage.r.no_event()
}

/// What contradicts its own length is never delivered; IPv6 itself drops it
/// before the host looks.
fn broken(stage: &mut Stage) -> Result<(), Failure> {
    let ip = genuine();
    let good = ip.packet(UDP, &ip.ends().udp(1, 2, b"cut off"));
    for length in [good.len() - 1, 47, 40, 39, 1] {
        let frame = ethernet(host_mac(1), FABRIC_MAC, IPV6, &good[..length]);
        stage.fabric.send(&frame)?;
        stage.a.silent()?;
    }
    let mut version = good.clone();
    version[0] = 0x40;
    stage
        .fabric
        .send(&ethernet(host_mac(1), FABRIC_MAC, IPV6, &version))?;
    stage.a.silent()?;
    stage.r.counted(&[])?;

    // Padding of the link is no part of the packet.
    let mut frame = ethernet(
        host_mac(1),
        FABRIC_MAC,
        IPV6,
        &ip.packet(ICMP, &echo(1, 1, b"p")),
    );
    frame.resize(frame.len() + 9, 0xee);
    stage.fabric.send(&frame)?;
    let packet = Ipv4::new(G, A).packet(ICMP, &echo(1, 1, b"p"));
    stage
        .a
        .expect(&ethernet(virtual_mac(A), virtual_mac(G), IPV4, &packet))?;
    stage
        .r
        .counted(&[("rx-packets", 1), ("rx-bytes", packet.len() as u64)])
}
