// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  A 10.0.0.2 ──┬── R ── fabric ── S ── G 10.0.0.3
//!  B 10.0.0.4 ──┘     ▲
//!                     the case sends errors here, as anybody could
//! ```

use std::net::Ipv4Addr;

use super::{Case, Failure};
use crate::frame::{
    echo, ethernet, icmp, Ends, Ipv4, Ipv6, DF, ICMP, ICMPV6, IPIP, IPV4, IPV6, MF, TCP, UDP,
};
use crate::overlay::{draw, host_mac, same, substrate, virtual_mac, Host, Wire, FABRIC_MAC};

/// Errors about what a node may have sent reach it as the errors of IPv4;
/// others reach nobody and change nothing.
pub const CASE: Case = Case {
    name: "substrate-errors",
    title: "an ICMPv6 error reaches the node it is about as ICMPv4, a forged one nobody",
    rows: &["RX5", "TX10"],
    guests: 1,
    timeout: 60,
    run,
};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const G: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
const NOBODY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 77);

/// Types of ICMPv6 (RFC 4443).
const UNREACHABLE: u8 = 1;
const TOO_BIG: u8 = 2;
const TIME_EXCEEDED: u8 = 3;
const PARAMETER_PROBLEM: u8 = 4;

/// What a node is quoted at most: the error has up to 576 bytes (RFC 1812 §4.3.2.3).
const QUOTED: usize = 576 - 20 - 8;

/// The sockets and the host of the case.
struct Stage {
    fabric: Wire,
    a: Wire,
    b: Wire,
    sub: Wire,
    r: Host,
}

fn run() -> Result<(), Failure> {
    draw(
        "hosts R S; port A on R net 7 10.0.0.2; port B on R net 7 10.0.0.4
         port G on S net 7 10.0.0.3",
    )?;
    let mut stage = Stage {
        fabric: Wire::open("fabric", "R")?,
        a: Wire::open("A", "v0")?,
        b: Wire::open("B", "v0")?,
        sub: Wire::open("R", "sub")?,
        r: Host::open("R")?,
    };
    genuine(&mut stage)?;
    forged(&mut stage)?;
    useless(&mut stage)?;
    stage.passes(1480)?;
    path_mtu(&mut stage)?;
    stage.r.no_event()
}

/// The header around a packet from A to G, as a router has it.
fn about(src: u32, dst: u32) -> Ipv6 {
    Ipv6 {
        class: 0,
        label: 64 << 12 | 1 << 11,
        hops: 60,
        src: substrate(1, 0, src, A),
        dst: substrate(2, 0, dst, G),
    }
}

/// A datagram of A, as A sent it and as it is on the substrate.
fn datagram(length: usize) -> (Vec<u8>, Vec<u8>) {
    let data: Vec<u8> = (0..length).map(|at| at as u8).collect();
    let (ip, around) = (Ipv4::new(A, G), about(7, 7));
    (
        ip.packet(UDP, &ip.ends().udp(1, 2, &data)),
        around.packet(UDP, &around.ends().udp(1, 2, &data)),
    )
}

/// An error of a router to A.
fn error(kind: u8, code: u8, word: u32, quote: &[u8]) -> Vec<u8> {
    let ip = router();
    ip.packet(ICMPV6, &ip.ends().icmpv6(kind, code, word, quote))
}

fn router() -> Ipv6 {
    Ipv6 {
        class: 0,
        label: 0,
        hops: 63,
        src: "fd00:f::1".parse().expect("an address"),
        dst: substrate(1, 0, 7, A),
    }
}

impl Stage {
    fn brings(&self, packet: &[u8]) -> Result<(), Failure> {
        let frame = ethernet(host_mac(1), FABRIC_MAC, IPV6, packet);
        self.fabric.send(&frame)?;
        // The case's own socket sees it arrive.
        self.sub.expect(&frame)
    }

    /// The node hears exactly this, from G: on its LAN is no router.
    fn tells(&mut self, packet: &[u8], message: &[u8]) -> Result<(), Failure> {
        self.brings(packet)?;
        let got = self.a.receive()?;
        let id = got.get(18..20).ok_or("a short frame")?;
        let ip = Ipv4 {
            // As routers send errors (RFC 1812 §4.3.2.5).
            tos: 0xc0,
            id: u16::from_be_bytes([id[0], id[1]]),
            fragment: 0,
            ..Ipv4::new(G, A)
        };
        let wanted = ethernet(
            virtual_mac(A),
            virtual_mac(G),
            IPV4,
            &ip.packet(ICMP, message),
        );
        same("error", got, wanted)?;
        self.r.counted(&[("icmp-errors", 1)])?;
        self.a.silent()
    }

    /// It is counted under this reason alone, and nobody is told.
    fn drops(&mut self, what: &str, packet: &[u8], reason: &str) -> Result<(), Failure> {
        self.brings(packet)
            .and_then(|()| self.r.counted(&[(&format!("drop:{reason}"), 1)]))
            .and_then(|()| self.a.silent())
            .and_then(|()| self.b.silent())
            .map_err(|error| format!("{what}: {error}").into())
    }

    /// A packet of that length with DF goes onto the substrate.
    fn passes(&mut self, length: usize) -> Result<(), Failure> {
        let (packet, translated) = datagram(length - 28);
        self.a
            .send(&ethernet(virtual_mac(G), virtual_mac(A), IPV4, &packet))?;
        let mut seen = self.sub.receive()?;
        // The hop limit differs between here and the router.
        *seen.get_mut(21).ok_or("a short frame")? = about(7, 7).hops;
        same(
            "on the substrate",
            seen,
            ethernet(FABRIC_MAC, host_mac(1), IPV6, &translated),
        )?;
        self.r
            .counted(&[("tx-packets", 1), ("tx-bytes", length as u64)])
    }

    /// A packet of that length with DF does not.
    fn exceeds(&mut self, length: usize) -> Result<(), Failure> {
        let (packet, _) = datagram(length - 28);
        self.a
            .send(&ethernet(virtual_mac(G), virtual_mac(A), IPV4, &packet))?;
        self.r.counted(&[("drop:too-big", 1)])?;
        self.sub.silent()
    }
}

/// The table of RFC 7915 §5.2, for what a node of the overlay can hear.
fn genuine(stage: &mut Stage) -> Result<(), Failure> {
    for (kind, code, as_kind, as_code) in [
        (UNREACHABLE, 0, 3, 1),
        (UNREACHABLE, 1, 3, 10),
        (UNREACHABLE, 2, 3, 1),
        (UNREACHABLE, 3, 3, 1),
        (UNREACHABLE, 4, 3, 1),
        (TIME_EXCEEDED, 0, 11, 0),
    ] {
        for length in [0, 100, 1000] {
            let (sent, translated) = datagram(length);
            let quoted = &sent[..sent.len().min(QUOTED)];
            stage
                .tells(
                    &error(kind, code, 0, &translated),
                    &icmp(as_kind, as_code, 0, quoted),
                )
                .map_err(|error| format!("{kind}/{code} about {length} bytes: {error}"))?;
        }
    }

    // Of a packet that was carried whole, the whole is quoted.
    let ip = Ipv4 {
        id: 77,
        fragment: DF | MF,
        options: vec![1, 1, 1, 0],
        ..Ipv4::new(A, G)
    };
    let carried = ip.packet(UDP, &[7; 64]);
    let whole = about(7, 7).packet(IPIP, &carried);
    stage.tells(
        &error(TIME_EXCEEDED, 0, 0, &whole),
        &icmp(11, 0, 0, &carried),
    )?;

    // Of TCP and of an echo, what was sent as well.
    let around = about(7, 7);
    let segment = |ends: Ends| ends.tcp(1, 80, b"hello");
    let sent = Ipv4::new(A, G);
    stage.tells(
        &error(
            UNREACHABLE,
            0,
            0,
            &around.packet(TCP, &segment(around.ends())),
        ),
        &icmp(3, 1, 0, &sent.packet(TCP, &segment(sent.ends()))),
    )?;
    stage.tells(
        &error(UNREACHABLE, 0, 0, &around.packet(ICMP, &echo(1, 2, b"abc"))),
        &icmp(3, 1, 0, &sent.packet(ICMP, &echo(1, 2, b"abc"))),
    )
}

/// About what no node of this host sent: the MTU in each would be believed.
fn forged(stage: &mut Stage) -> Result<(), Failure> {
    let with = |src: (u16, u8, u32, Ipv4Addr), dst: (u16, u8, u32, Ipv4Addr)| {
        let around = Ipv6 {
            src: substrate(src.0, src.1, src.2, src.3),
            dst: substrate(dst.0, dst.1, dst.2, dst.3),
            ..about(7, 7)
        };
        around.packet(UDP, &around.ends().udp(1, 2, &[0; 32]))
    };
    let (a, g) = ((1, 0, 7, A), (2, 0, 7, G));
    for (what, quote, reason) in [
        ("from nobody", with((1, 0, 7, NOBODY), g), "substrate-icmp"),
        ("from A elsewhere", with((3, 0, 7, A), g), "substrate-icmp"),
        ("from G itself", with(g, a), "substrate-icmp"),
        ("from G as if here", with((1, 0, 7, G), g), "substrate-icmp"),
        ("to nobody", with(a, (2, 0, 7, NOBODY)), "substrate-icmp"),
        ("to G elsewhere", with(a, (3, 0, 7, G)), "substrate-icmp"),
        ("to G as if here", with(a, (1, 0, 7, G)), "substrate-icmp"),
        ("to a node here", with(a, (1, 0, 7, B)), "substrate-icmp"),
        ("to itself", with(a, a), "substrate-icmp"),
        (
            "in an unknown network",
            with((1, 0, 9, A), (2, 0, 9, G)),
            "substrate-icmp",
        ),
        (
            "of the hosts themselves",
            with((1, 0, 0, A), (2, 0, 0, G)),
            "substrate-icmp",
        ),
        ("between networks", with(a, (2, 0, 8, G)), "substrate-icmp"),
        ("to a group", with(a, (2, 1, 7, G)), "icmp-quote"),
        ("from a group", with((1, 1, 7, A), g), "address-form"),
        ("from a slot", with((1, 4, 7, A), g), "address-form"),
        ("to a slot", with(a, (2, 4, 7, G)), "substrate-icmp"),
        ("from a phantom", with((1, 2, 7, A), g), "address-form"),
        ("to a phantom", with(a, (2, 2, 7, G)), "substrate-icmp"),
    ] {
        stage.drops(what, &error(TOO_BIG, 0, 1300, &quote), reason)?;
    }

    // Damaged, or changed on the way.
    let (_, quote) = datagram(32);
    let mut wrong = error(TOO_BIG, 0, 1300, &quote);
    wrong[47] ^= 1;
    stage.drops("a wrong checksum", &wrong, "icmp-checksum")?;
    let mut other = error(TOO_BIG, 0, 1300, &quote);
    other[23] ^= 1;
    stage.drops("another source", &other, "icmp-checksum")
}

/// Messages that say nothing to a node.
fn useless(stage: &mut Stage) -> Result<(), Failure> {
    let around = about(7, 7);
    let (_, quote) = datagram(32);
    // RFC 1122 §3.2.2: never about an error, nor about what is not the first
    // fragment.
    for kind in [3, 4, 5, 11, 12] {
        let inner = around.packet(ICMP, &icmp(kind, 0, 0, &[0; 28]));
        let what = format!("about an error of type {kind}");
        stage.drops(&what, &error(TOO_BIG, 0, 1300, &inner), "icmp-quote")?;
    }
    let fragment = Ipv4 {
        fragment: MF | 9,
        ..Ipv4::new(A, G)
    };
    let inner = around.packet(IPIP, &fragment.packet(UDP, &[0; 64]));
    stage.drops(
        "about a later fragment",
        &error(TOO_BIG, 0, 1300, &inner),
        "icmp-quote",
    )?;
    for length in [0, 1, 39] {
        let what = format!("about {length} bytes");
        let short = error(TOO_BIG, 0, 1300, &quote[..length]);
        stage.drops(&what, &short, "icmp-quote")?;
    }
    let whole = around.packet(IPIP, &Ipv4::new(A, G).packet(UDP, &[0; 8]));
    stage.drops(
        "about half a carried header",
        &error(TOO_BIG, 0, 1300, &whole[..59]),
        "icmp-quote",
    )?;
    for (kind, code) in [
        (PARAMETER_PROBLEM, 0),
        (PARAMETER_PROBLEM, 1),
        (TIME_EXCEEDED, 1),
        (UNREACHABLE, 7),
        (0, 0),
        (100, 0),
        (128, 0),
        (129, 0),
        (135, 0),
        (255, 0),
    ] {
        let what = format!("type {kind}, code {code}");
        // What is no error (RFC 4443 §2.1) is about nothing.
        let reason = match kind {
            0..128 => "icmp-untranslatable",
            128.. => "substrate-icmp",
        };
        stage.drops(&what, &error(kind, code, 0, &quote), reason)?;
    }
    Ok(())
}

/// The MTU of the path is learnt, and not raised again by anybody's word (RFC
/// 8201 §4); less than 1280 is not believed.
fn path_mtu(stage: &mut Stage) -> Result<(), Failure> {
    let (sent, translated) = datagram(1452);
    let quoted = &sent[..QUOTED];
    for (said, fast, passes) in [
        (1500, 1480, 1480),
        (9000, 8980, 1480),
        (1400, 1380, 1380),
        (1450, 1430, 1380),
        (u32::MAX, 65535, 1380),
        (1399, 1379, 1379),
        (0, 1260, 1260),
        (1280, 1260, 1260),
        (1300, 1280, 1260),
    ] {
        stage
            .tells(
                &error(TOO_BIG, 0, said, &translated[..1232]),
                &icmp(3, 4, fast, quoted),
            )
            .and_then(|()| stage.passes(passes))
            .and_then(|()| match passes {
                1480 => Ok(()),
                less => stage.exceeds(less + 1),
            })
            .map_err(|error| format!("MTU {said}: {error}"))?;
    }

    // Of what was carried whole, the 40 bytes are taken off.
    let whole = about(7, 7).packet(IPIP, &sent);
    stage.tells(
        &error(TOO_BIG, 0, 1350, &whole[..1232]),
        &icmp(3, 4, 1310, quoted),
    )
}
