// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  A 10.0.0.2 ──┬── R ── fabric ── S ── G 10.0.0.3
//!  B 10.0.0.4 ──┘   sub
//! ```

use std::net::Ipv4Addr;

use ovnet_uapi::{
    Action, Client, Criteria, Direction, DropReason, EventKind, Prefix, RuleSet, Span, Transport,
    Vni,
};

use super::{Case, Failure};
use crate::frame::{echo, ethernet, Ipv4, ICMP, IPV4, MF, TCP, UDP};
use crate::overlay::{draw, same, virtual_mac, within, Host, Wire};

/// What a rule says of packets is what it stops, and no more.
pub const CASE: Case = Case {
    name: "rule-criteria",
    title: "each criterion of a rule fits what it says, in both directions and at both edges",
    rows: &["AU3", "AU5", "RX3"],
    guests: 1,
    timeout: 180,
    run,
};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const G: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 4);
const GRE: u8 = 47;

/// Whose rules decide about which packets of A.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Where {
    /// R's, about what A sends to B.
    OutLocal,
    /// R's, about what B gets.
    InLocal,
    /// R's, about what A sends to G.
    OutRemote,
    /// S's, about what G gets.
    InRemote,
}

fn vni(number: u32) -> Vni {
    Vni::new(number).expect("small and not 0")
}

fn prefix(address: Ipv4Addr, len: u8) -> Prefix {
    Prefix::new(address, len).expect("no bits beyond the length")
}

fn span(first: u16, last: u16) -> Span {
    Span::new(first, last).expect("in order")
}

/// Packets of A to that node, by their places in the table of criteria.
fn packets(to: Ipv4Addr) -> [Vec<u8>; 5] {
    let ip = Ipv4::new(A, to);
    let first = Ipv4 {
        fragment: MF,
        id: 7,
        ..ip.clone()
    };
    let later = Ipv4 {
        fragment: 1,
        id: 7,
        ..ip.clone()
    };
    let datagram = ip.ends().udp(40000, 53, b"split here");
    [
        ip.packet(TCP, &ip.ends().tcp(40000, 80, b"twelve bytes")),
        ip.packet(ICMP, &echo(1, 1, b"1234")),
        ip.packet(GRE, &[0; 8]),
        first.packet(UDP, &datagram[..8]),
        later.packet(UDP, &datagram[8..]),
    ]
}

/// What rules say, and which of the five packets that fits.
fn criteria(to: Ipv4Addr) -> Vec<(Criteria, [bool; 5])> {
    let all = Criteria::ALL;
    let transport = |transport| Criteria { transport, ..all };
    let ports = |protocol, src, dst| transport(Transport::Ports { protocol, src, dst });
    let icmp = |kind, code| transport(Transport::Icmp { kind, code });
    let (src, dst) = (|src| Criteria { src, ..all }, |dst| Criteria { dst, ..all });
    let size = |size| Criteria { size, ..all };
    let peer = |number| Criteria {
        peer: Some(vni(number)),
        ..all
    };
    vec![
        (all, [true; 5]),
        (src(prefix(A, 32)), [true; 5]),
        (src(prefix(Ipv4Addr::new(10, 0, 0, 4), 30)), [false; 5]),
        (dst(prefix(to, 32)), [true; 5]),
        (dst(prefix(A, 32)), [false; 5]),
        (dst(prefix(Ipv4Addr::new(10, 0, 0, 0), 29)), [true; 5]),
        (
            transport(Transport::Protocol(TCP)),
            [true, false, false, false, false],
        ),
        (
            transport(Transport::Protocol(GRE)),
            [false, false, true, false, false],
        ),
        (
            transport(Transport::Protocol(UDP)),
            [false, false, false, true, true],
        ),
        // A fragment behind the first has no ports, and fits no rule that asks for them.
        (
            ports(None, Span::ALL, span(53, 80)),
            [true, false, false, true, false],
        ),
        (
            ports(Some(TCP), span(39999, 40001), Span::ALL),
            [true, false, false, false, false],
        ),
        (ports(Some(UDP), Span::ALL, span(54, 65535)), [false; 5]),
        (icmp(8, None), [false, true, false, false, false]),
        (icmp(8, Some(0)), [false, true, false, false, false]),
        (icmp(8, Some(1)), [false; 5]),
        (icmp(0, None), [false; 5]),
        // 20 bytes of IPv4, 20 of TCP and 12 of data; the others are shorter.
        (size(span(52, 52)), [true, false, false, false, false]),
        (size(span(0, 51)), [false, true, true, true, true]),
        (peer(7), [true; 5]),
        (peer(8), [false; 5]),
    ]
}

fn run() -> Result<(), Failure> {
    draw("hosts R S; port A on R net 7 10.0.0.2; port B on R net 7 10.0.0.4; port G on S net 7 10.0.0.3")?;
    let a = Wire::open("A", "v0")?;
    for place in [
        Where::OutLocal,
        Where::InLocal,
        Where::OutRemote,
        Where::InRemote,
    ] {
        decides(&a, place).map_err(|error| format!("{place:?}: {error}"))?;
    }
    Ok(())
}

fn decides(a: &Wire, place: Where) -> Result<(), Failure> {
    let local = matches!(place, Where::OutLocal | Where::InLocal);
    let (node, to) = if local { ("B", B) } else { ("G", G) };
    let host = if place == Where::InRemote { "S" } else { "R" };
    let direction = match place {
        Where::OutLocal | Where::OutRemote => Direction::Out,
        Where::InLocal | Where::InRemote => Direction::In,
    };
    let there = Wire::open(node, "v0")?;
    let (mut r, mut s) = (Host::open("R")?, Host::open("S")?);
    let mut client = within(host, || Ok(Client::connect()?))?;

    for (criteria, fits) in criteria(to) {
        let rule = RuleSet {
            id: Some(5),
            direction,
            priority: None,
            action: Action::Deny,
            criteria,
        };
        client.rules_set(vni(7), &[rule])?;
        let mut stopped = (0, 0);
        for (packet, fits) in packets(to).iter().zip(fits) {
            let len = packet.len() as u64;
            let sent = [("tx-packets", 1), ("tx-bytes", len)];
            let gone = [("drop:policy", 1)];
            a.send(&ethernet(virtual_mac(to), virtual_mac(A), IPV4, packet))?;
            let (at_r, at_s) = match (fits, place) {
                (true, Where::InRemote) => (sent.to_vec(), gone.to_vec()),
                (true, _) => (gone.to_vec(), vec![]),
                (false, _) if local => (vec![("local-packets", 1), ("local-bytes", len)], vec![]),
                (false, _) => (sent.to_vec(), vec![("rx-packets", 1), ("rx-bytes", len)]),
            };
            r.counted(&at_r)
                .and_then(|()| s.counted(&at_s))
                .map_err(|error| format!("{criteria:?}, {packet:x?}: {error}"))?;
            if !fits {
                there.receive()?;
                continue;
            }
            stopped = (stopped.0 + 1, stopped.1 + len);
            there.silent()?;
            let event = if host == "R" { &r } else { &s }.event(EventKind::Refused)?;
            let (own, peer) = match direction {
                Direction::In => (to, A),
                _ => (A, to),
            };
            same("network", event.vni, Some(vni(7)))?;
            same("address", event.address, Some(own))?;
            same("peer's network", event.peer_vni, Some(vni(7)))?;
            same("peer's address", event.peer_address, Some(peer))?;
            same("direction", event.direction, Some(direction))?;
            same("reason", event.reason, Some(Ok(DropReason::Policy)))?;
            same("rule", event.rule, Some(5))?;
        }
        let rule = client.rule_get(vni(7), 5)?;
        same("criteria", rule.criteria, criteria)?;
        same("counters", (rule.packets, rule.bytes), stopped)?;
        client.rules_del(vni(7), &[5])?;
    }
    r.no_event()?;
    s.no_event()
}
