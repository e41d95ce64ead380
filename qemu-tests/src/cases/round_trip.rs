// SPDX-License-Identifier: GPL-2.0

//! ```text
//!  A 10.0.0.2 ── R ── fabric ── S ── G 10.0.0.3
//!   v0 ▲                    sub ▲     v0 ▲
//!    sent          its next header     delivered
//! ```

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use super::{Case, Failure};
use crate::frame::{ethernet, hex, icmp, Ends, Ipv4, DF, ICMP, IPIP, IPV4, MF, RESERVED, TCP, UDP};
use crate::overlay::{draw, virtual_mac, Host, Wire};

/// Every kind of IPv4 packet arrives: in an exact network byte for byte, in a
/// semantic one but for an identification that means nothing.
pub const CASE: Case = Case {
    name: "round-trip",
    title: "hundreds of kinds of packets arrive as they were sent, in both kinds of network",
    rows: &["TX6", "RX4", "AD7"],
    guests: 1,
    timeout: 180,
    run,
};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);
const G: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 3);

/// The substrate's MTU less 40: what always fits.
const ESCAPED_MTU: usize = 1460;
/// The substrate's MTU less 20.
const FAST_MTU: usize = 1480;

/// So many kinds at least.
const KINDS: usize = 300;
/// Failures that are shown before the rest is given up.
const SHOWN: usize = 10;

const IGMP: u8 = 2;
const IPV6_IN_IPV4: u8 = 41;
const ESP: u8 = 50;
const SCTP: u8 = 132;

/// A packet that A sends.
struct Kind {
    name: String,
    ip: Ipv4,
    protocol: u8,
    payload: Vec<u8>,
    /// Bytes behind the packet in the frame.
    padding: usize,
}

impl Kind {
    fn new(name: String, ip: Ipv4, protocol: u8, payload: Vec<u8>) -> Kind {
        Kind {
            name,
            ip,
            protocol,
            payload,
            padding: 0,
        }
    }

    fn packet(&self) -> Vec<u8> {
        self.ip.packet(self.protocol, &self.payload)
    }

    /// Whether an IPv6 header alone cannot say what the IPv4 header does: one
    /// has a field or a meaning of the number that the other has not.
    fn escapes(&self, exact: bool) -> bool {
        let ip = &self.ip;
        let other_meaning = [0, 2, 4, 43, 44, 58, 60, 135, 139, 140, 143];
        !ip.options.is_empty()
            || ip.fragment & !DF != 0
            || ip.ttl == 0
            || other_meaning.contains(&self.protocol)
            || exact && (ip.fragment != DF || ip.id != 0)
    }
}

/// Bytes without a short period.
fn data(length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| (at * 7 + at / 256 + 1) as u8)
        .collect()
}

/// What a node sends under a protocol, with `length` bytes of data.
fn transport(protocol: u8, length: usize) -> Vec<u8> {
    let ends = Ends::V4(A, G);
    match protocol {
        TCP => ends.tcp(1000, 80, &data(length)),
        UDP => ends.udp(1000, 53, &data(length)),
        ICMP => icmp(8, 0, 0x0001_0002, &data(length)),
        _ => data(length),
    }
}

/// Options, padded to whole words.
const OPTIONS: [(&str, &[u8]); 9] = [
    ("NOPs", &[1, 1, 1, 0]),
    ("an end and what is behind it", &[0, 0xde, 0xad, 0xbe]),
    ("a record route", &[7, 11, 8, 192, 0, 2, 1, 0, 0, 0, 0, 0]),
    ("a timestamp", &[0x44, 8, 5, 0, 0, 0, 0, 0]),
    ("a router alert", &[0x94, 4, 0, 0]),
    (
        "a security label",
        &[0x82, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ),
    ("a loose source route", &[0x83, 7, 8, 10, 0, 0, 3, 0]),
    ("a stream id", &[0x88, 4, 0, 1]),
    ("forty bytes", &[1; 40]),
];

fn kinds() -> Vec<Kind> {
    let plain = Ipv4::new(A, G);
    let mut kinds = Vec::new();
    protocols(&plain, &mut kinds);
    options(&plain, &mut kinds);
    fragments(&plain, &mut kinds);
    fields(&plain, &mut kinds);
    checksums(&plain, &mut kinds);
    cut_off(&plain, &mut kinds);
    messages(&plain, &mut kinds);
    sizes(&plain, &mut kinds);
    padded(&plain, &mut kinds);
    kinds
}

fn protocols(plain: &Ipv4, kinds: &mut Vec<Kind>) {
    let ipv6 = IPV6_IN_IPV4;
    for protocol in [
        0, ICMP, IGMP, 3, IPIP, TCP, UDP, 33, ipv6, 43, 44, 46, 47, ESP, 51, 58, 59, 60, 88, 89,
        94, 103, 112, 115, SCTP, 135, 136, 137, 139, 140, 143, 253, 255,
    ] {
        for (fragment, id) in [(DF, 0), (DF, 7), (0, 0x1234)] {
            let ip = Ipv4 {
                fragment,
                id,
                ..plain.clone()
            };
            let name = format!("protocol {protocol}, fragment field {fragment:#x}, ID {id}");
            kinds.push(Kind::new(name, ip, protocol, transport(protocol, 33)));
        }
    }
}

fn options(plain: &Ipv4, kinds: &mut Vec<Kind>) {
    for (name, options) in OPTIONS {
        for protocol in [ICMP, IGMP, TCP, UDP, SCTP] {
            for fragment in [DF, 0] {
                let ip = Ipv4 {
                    fragment,
                    options: options.to_vec(),
                    ..plain.clone()
                };
                let name = format!("{name}, protocol {protocol}, fragment field {fragment:#x}");
                kinds.push(Kind::new(name, ip, protocol, transport(protocol, 10)));
            }
        }
    }
}

fn fragments(plain: &Ipv4, kinds: &mut Vec<Kind>) {
    for fragment in [MF, MF | 3, 3, MF | DF, DF | 3, 0x1fff, MF | RESERVED] {
        for options in [&[][..], OPTIONS[4].1] {
            for protocol in [ICMP, TCP, UDP, ESP] {
                let ip = Ipv4 {
                    fragment,
                    id: 0xabcd,
                    options: options.to_vec(),
                    ..plain.clone()
                };
                let name = format!(
                    "a fragment {fragment:#x} of protocol {protocol}, {} bytes of options",
                    options.len()
                );
                let payload = transport(protocol, 64)[..48].to_vec();
                kinds.push(Kind::new(name, ip, protocol, payload));
            }
        }
    }
}

fn fields(plain: &Ipv4, kinds: &mut Vec<Kind>) {
    for fragment in [0, DF, RESERVED, RESERVED | DF] {
        for id in [0, 1, 0xffff] {
            for protocol in [TCP, UDP] {
                let ip = Ipv4 {
                    fragment,
                    id,
                    ..plain.clone()
                };
                let name = format!("flags {fragment:#x}, ID {id}, protocol {protocol}, 11 bytes");
                kinds.push(Kind::new(name, ip, protocol, transport(protocol, 11)));
            }
        }
    }
    for ttl in [0, 1, 64, 128, 255] {
        for tos in [0, 1, 2, 3, 0xb8, 0xbb, 0xff] {
            for fragment in [DF, 0] {
                let ip = Ipv4 {
                    ttl,
                    tos,
                    fragment,
                    ..plain.clone()
                };
                let name = format!("TTL {ttl}, TOS {tos:#x}, fragment field {fragment:#x}");
                kinds.push(Kind::new(name, ip, UDP, transport(UDP, 5)));
            }
        }
    }
}

/// Right, absent, of a sum of 0, and wrong: nobody on the way may mend one.
fn checksums(plain: &Ipv4, kinds: &mut Vec<Kind>) {
    let fields = [0, 1, 0x8000, 0xfffe, 0xffff];
    for (protocol, at) in [(TCP, 16), (UDP, 6), (ICMP, 2), (SCTP, 8)] {
        for field in fields {
            for fragment in [DF, 0] {
                let ip = Ipv4 {
                    fragment,
                    ..plain.clone()
                };
                let mut payload = transport(protocol, 21);
                payload[at..at + 2].copy_from_slice(&u16::to_be_bytes(field));
                let name =
                    format!("protocol {protocol} with the checksum {field:#x}, {fragment:#x}");
                kinds.push(Kind::new(name, ip, protocol, payload));
            }
        }
    }
    let zero = plain.ends().udp_summing_to_zero(3, 4);
    kinds.push(Kind::new("UDP of sum 0".into(), plain.clone(), UDP, zero));
}

fn cut_off(plain: &Ipv4, kinds: &mut Vec<Kind>) {
    for (protocol, whole) in [(TCP, 20), (UDP, 8), (ICMP, 8)] {
        for length in 0..whole {
            let name = format!("{length} bytes of protocol {protocol}");
            let payload = transport(protocol, 0)[..length].to_vec();
            kinds.push(Kind::new(name, plain.clone(), protocol, payload));
        }
    }
}

fn messages(plain: &Ipv4, kinds: &mut Vec<Kind>) {
    let quote = Ipv4::new(G, A).packet(UDP, &[0; 8]);
    for kind in [
        0, 3, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 30, 40, 42, 43, 255,
    ] {
        for fragment in [DF, 0] {
            let ip = Ipv4 {
                fragment,
                ..plain.clone()
            };
            let name = format!("ICMP type {kind}, fragment field {fragment:#x}");
            kinds.push(Kind::new(name, ip, ICMP, icmp(kind, 4, 0x0500, &quote)));
        }
    }
}

fn sizes(plain: &Ipv4, kinds: &mut Vec<Kind>) {
    for protocol in [ICMP, TCP, UDP, ESP] {
        let header = transport(protocol, 0).len();
        let longest = ESCAPED_MTU - 20 - header;
        for length in [0, 1, 2, 3, 255, 256, 1001, longest - 1, longest] {
            for fragment in [DF, 0] {
                let ip = Ipv4 {
                    fragment,
                    ..plain.clone()
                };
                let name = format!("{length} bytes in protocol {protocol}, {fragment:#x}");
                kinds.push(Kind::new(name, ip, protocol, transport(protocol, length)));
            }
        }
        let name = format!("the longest fast packet of protocol {protocol}");
        let payload = transport(protocol, FAST_MTU - 20 - header);
        kinds.push(Kind::new(name, plain.clone(), protocol, payload));
    }
}

fn padded(plain: &Ipv4, kinds: &mut Vec<Kind>) {
    for padding in [1, 17, 18, 26] {
        for options in [&[][..], OPTIONS[2].1] {
            for fragment in [DF, 0, MF] {
                let ip = Ipv4 {
                    fragment,
                    options: options.to_vec(),
                    ..plain.clone()
                };
                let length = options.len();
                let name =
                    format!("{padding} bytes of padding, {length} of options, {fragment:#x}");
                let payload = Ends::udp_unsummed(1, 2, &[]);
                kinds.push(Kind {
                    padding,
                    ..Kind::new(name, ip, UDP, payload)
                });
            }
        }
    }
}

/// The sockets and the hosts of the case.
struct Stage {
    a: Wire,
    far_sub: Wire,
    g: Wire,
    r: Host,
    s: Host,
}

fn run() -> Result<(), Failure> {
    draw("hosts R S; port A on R net 7 10.0.0.2; port G on S net 7 10.0.0.3")?;
    let mut stage = Stage {
        a: Wire::open("A", "v0")?,
        far_sub: Wire::open("S", "sub")?,
        g: Wire::open("G", "v0")?,
        r: Host::open("R")?,
        s: Host::open("S")?,
    };
    let kinds = kinds();
    let distinct: BTreeSet<_> = kinds
        .iter()
        .map(|kind| (kind.packet(), kind.padding))
        .collect();
    println!("{} kinds, {} distinct", kinds.len(), distinct.len());
    if distinct.len() < KINDS {
        return Err(format!("only {} kinds of packets", distinct.len()).into());
    }
    for exact in [false, true] {
        let fidelity = if exact { "exact" } else { "semantic" };
        draw(&format!(
            "for host in R S; do ovctl -n $host net set 7 --fidelity {fidelity}; done"
        ))?;
        let mut failures = Vec::new();
        for kind in &kinds {
            if let Err(error) = stage.trip(kind, exact) {
                failures.push(format!("{}: {error}", kind.name));
            }
            if failures.len() == SHOWN {
                break;
            }
        }
        stage.far_sub.silent()?;
        stage.g.silent()?;
        if !failures.is_empty() {
            return Err(format!("in a network {fidelity}:\n{}", failures.join("\n")).into());
        }
        let escaped = kinds.iter().filter(|kind| kind.escapes(exact)).count();
        println!(
            "{fidelity}: {} fast, {escaped} escaped",
            kinds.len() - escaped
        );
    }
    Ok(())
}

impl Stage {
    fn trip(&mut self, kind: &Kind, exact: bool) -> Result<(), Failure> {
        let packet = kind.packet();
        let length = packet.len() as u64;
        let mut sent = ethernet(virtual_mac(G), virtual_mac(A), IPV4, &packet);
        let whole = sent.len();
        sent.resize(whole + kind.padding, 0xee);
        self.a.send(&sent)?;
        self.r.counted(&[("tx-packets", 1), ("tx-bytes", length)])?;
        self.s.counted(&[("rx-packets", 1), ("rx-bytes", length)])?;

        let escapes = kind.escapes(exact);
        let next_header = if escapes { IPIP } else { kind.protocol };
        let seen = self.far_sub.receive()?;
        if seen.get(20) != Some(&next_header) {
            return Err(format!("not of next header {next_header}: {}", hex(&seen)).into());
        }
        let got = self.g.receive()?;
        let mut wanted = sent;
        wanted.truncate(whole);
        // Of a fast packet the identification does not travel; the checksum
        // of the header follows from what it became.
        if !escapes {
            let id = if kind.ip.fragment & DF != 0 {
                0
            } else {
                let id = got.get(18..20).ok_or("a short frame")?;
                u16::from_be_bytes([id[0], id[1]])
            };
            let ip = Ipv4 {
                id,
                ..kind.ip.clone()
            };
            let mut payload = kind.payload.clone();
            // Of the two zeros of a TCP checksum one is no sum of anything
            // that a sender has summed; it comes as the other.
            if kind.protocol == TCP && payload.get(16..18) == Some(&[0xff, 0xff]) {
                payload[16..18].fill(0);
            }
            let packet = ip.packet(kind.protocol, &payload);
            wanted = ethernet(virtual_mac(G), virtual_mac(A), IPV4, &packet);
        }
        if got != wanted {
            return Err(format!("expected\n  {}\ngot\n  {}", hex(&wanted), hex(&got)).into());
        }
        Ok(())
    }
}
