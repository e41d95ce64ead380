// SPDX-License-Identifier: GPL-2.0

//! Packets and the edge they meet. What is expected is built here field by field, with checksums summed
//! over the whole message; nothing of the engine takes part in it.
//!
//! ```text
//! IPv4 192.0.2.33 ---- edge 192.0.2.1 | 2001:db8:ed::1 ---- IPv6 2001:db8:1c6:3364:2:: = 198.51.100.2
//!                      pool 2001:db8:100::/40
//! ```

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::packet::{fix_header, pseudo_v4, pseudo_v6, reference_sum};
use ovnet_engine::embed::Prefix;
use ovnet_engine::siit::{self, Maps, Packet, Siit, Verdict, View};
use ovnet_engine::DropReason;

pub(crate) const ICMP: u8 = 1;
pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const FRAGMENT: u8 = 44;
pub(crate) const ICMPV6: u8 = 58;

pub(crate) const A4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 33);
pub(crate) const B4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
pub(crate) const A6: [u8; 16] = v6(&[0x2001, 0xdb8, 0x1c0, 0x0002, 0x0021]);
pub(crate) const B6: [u8; 16] = v6(&[0x2001, 0xdb8, 0x1c6, 0x3364, 0x0002]);
pub(crate) const OWN4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
pub(crate) const OWN6: [u8; 16] = v6(&[0x2001, 0xdb8, 0xed, 0, 0, 0, 0, 1]);
/// An address that has no counterpart.
pub(crate) const STRANGER6: [u8; 16] = v6(&[0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 9]);

/// The identification that the edge is given for packets that need one.
pub(crate) const FRESH: u16 = 0xbeef;

/// The first words of an IPv6 address; the others are 0.
pub(crate) const fn v6(words: &[u16]) -> [u8; 16] {
    let mut address = [0; 16];
    let mut place = 0;
    while place < words.len() {
        let [high, low] = words[place].to_be_bytes();
        address[2 * place] = high;
        address[2 * place + 1] = low;
        place += 1;
    }
    address
}

/// Bytes that tell where they are.
pub(crate) fn data(len: usize) -> Vec<u8> {
    (0..len)
        .map(|place| (place * 7 + place / 256) as u8)
        .collect()
}

/// A TCP segment of this many bytes, header included, without a checksum.
pub(crate) fn tcp(len: usize) -> Vec<u8> {
    let mut segment = vec![
        0x9c, 0x40, 0, 80, 1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x18, 0xfa, 0xf0, 0, 0, 0, 0,
    ];
    segment.extend(data(len - 20));
    segment
}

/// A UDP datagram of this many bytes, header included, without a checksum.
pub(crate) fn udp(len: usize) -> Vec<u8> {
    let mut datagram = vec![0x14, 0xe9, 0, 53];
    datagram.extend((len as u16).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(data(len - 8));
    datagram
}

/// The datagram with data that make its checksum come out as 0 by `builder`.
pub(crate) fn zero_sum(
    builder: impl Fn(Vec<u8>) -> Vec<u8>,
    mut l4: Vec<u8>,
    at: usize,
) -> Vec<u8> {
    let sealed = builder(l4.clone());
    let sum = u32::from(sealed[at]) << 8 | u32::from(sealed[at + 1]);
    let end = l4.len();
    let word = u32::from(l4[end - 2]) << 8 | u32::from(l4[end - 1]);
    let total = (word + sum) % 0xffff;
    l4[end - 2..].copy_from_slice(&(total as u16).to_be_bytes());
    l4
}

/// An ICMP message without a checksum.
pub(crate) fn icmp(kind: u8, code: u8, word: u32, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0];
    message.extend(word.to_be_bytes());
    message.extend(body);
    message
}

/// An ICMP echo message; the type tells the version.
pub(crate) fn echo(kind: u8, len: usize) -> Vec<u8> {
    icmp(kind, 0, 0x1234_0001, &data(len))
}

/// Writes the checksum of a transport header over a pseudo-header.
fn seal(l4: &mut [u8], protocol: u8, pseudo: &[u8]) {
    let at = match protocol {
        TCP => 16,
        UDP | 33 | 136 => 6,
        ICMP | ICMPV6 => 2,
        _ => return,
    };
    if l4.len() < at + 2 {
        return;
    }
    l4[at..at + 2].fill(0);
    let sum = match !reference_sum(&[pseudo, l4].concat()) {
        0 if matches!(protocol, UDP | 136) => 0xffff,
        sum => sum,
    };
    l4[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// An IPv4 packet.
#[derive(Clone, Debug)]
pub(crate) struct V4 {
    pub(crate) tos: u8,
    pub(crate) id: u16,
    pub(crate) rf: bool,
    pub(crate) df: bool,
    pub(crate) mf: bool,
    pub(crate) offset: u16,
    pub(crate) ttl: u8,
    pub(crate) protocol: u8,
    pub(crate) src: Ipv4Addr,
    pub(crate) dst: Ipv4Addr,
    pub(crate) options: Vec<u8>,
    pub(crate) l4: Vec<u8>,
}

impl V4 {
    /// From the IPv4 side to the IPv6 side, unfragmented, with DF.
    pub(crate) fn new(protocol: u8, l4: Vec<u8>) -> V4 {
        let (src, dst) = (A4, B4);
        let mut packet = V4 {
            tos: 0,
            id: 0x4321,
            rf: false,
            df: true,
            mf: false,
            offset: 0,
            ttl: 64,
            protocol,
            src,
            dst,
            options: vec![],
            l4,
        };
        packet.seal();
        packet
    }

    /// The other way, as it leaves the edge: hop limit 64 less one, and a fresh ID instead of DF.
    pub(crate) fn back(protocol: u8, l4: Vec<u8>) -> V4 {
        V4 {
            src: B4,
            dst: A4,
            id: FRESH,
            df: false,
            ttl: 63,
            ..V4::new(protocol, l4)
        }
        .sealed()
    }

    /// Computes the transport's checksum.
    pub(crate) fn seal(&mut self) {
        let pseudo = match self.protocol {
            ICMP => vec![],
            _ => pseudo_v4(self.src, self.dst, self.protocol, self.l4.len()),
        };
        seal(&mut self.l4, self.protocol, &pseudo);
    }

    pub(crate) fn sealed(mut self) -> V4 {
        self.seal();
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let header_len = 20 + self.options.len();
        let mut out = vec![0x40 | (header_len / 4) as u8, self.tos];
        out.extend(((header_len + self.l4.len()) as u16).to_be_bytes());
        out.extend(self.id.to_be_bytes());
        let flags = u16::from(self.rf) << 15 | u16::from(self.df) << 14 | u16::from(self.mf) << 13;
        out.extend((flags | self.offset).to_be_bytes());
        out.extend([self.ttl, self.protocol, 0, 0]);
        out.extend(self.src.octets());
        out.extend(self.dst.octets());
        out.extend(&self.options);
        fix_header(&mut out);
        out.extend(&self.l4);
        out
    }
}

/// An IPv6 packet.
#[derive(Clone, Debug)]
pub(crate) struct V6 {
    pub(crate) class: u8,
    pub(crate) label: u32,
    pub(crate) hop: u8,
    pub(crate) src: [u8; 16],
    pub(crate) dst: [u8; 16],
    /// Extension headers, each with its own number; the next header bytes are filled in.
    pub(crate) headers: Vec<(u8, Vec<u8>)>,
    pub(crate) protocol: u8,
    pub(crate) l4: Vec<u8>,
}

impl V6 {
    /// From the IPv4 side to the IPv6 side, as it leaves the edge.
    pub(crate) fn new(protocol: u8, l4: Vec<u8>) -> V6 {
        V6 {
            class: 0,
            label: 0,
            hop: 63,
            src: A6,
            dst: B6,
            headers: vec![],
            protocol,
            l4,
        }
        .sealed()
    }

    /// The other way, as it meets the edge.
    pub(crate) fn back(protocol: u8, l4: Vec<u8>) -> V6 {
        V6 {
            src: B6,
            dst: A6,
            hop: 64,
            ..V6::new(protocol, l4)
        }
        .sealed()
    }

    /// Computes the transport's checksum.
    pub(crate) fn seal(&mut self) {
        let pseudo = pseudo_v6(self.src, self.dst, self.protocol, self.l4.len());
        seal(&mut self.l4, self.protocol, &pseudo);
    }

    pub(crate) fn sealed(mut self) -> V6 {
        self.seal();
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut numbers = self.headers.iter().map(|(number, _)| *number);
        let first = numbers.next().unwrap_or(self.protocol);
        let rest = numbers.chain([self.protocol]);
        let mut behind = vec![];
        for ((_, header), next) in self.headers.iter().zip(rest) {
            behind.push(next);
            behind.extend(&header[1..]);
        }
        behind.extend(&self.l4);
        let mut out = (6 << 28 | u32::from(self.class) << 20 | self.label)
            .to_be_bytes()
            .to_vec();
        out.extend((behind.len() as u16).to_be_bytes());
        out.extend([first, self.hop]);
        out.extend(self.src);
        out.extend(self.dst);
        out.extend(behind);
        out
    }
}

/// A Fragment header for [`V6::headers`].
pub(crate) fn fragment(offset: u16, more: bool, id: u32) -> (u8, Vec<u8>) {
    let mut header = vec![0, 0];
    header.extend((offset << 3 | u16::from(more)).to_be_bytes());
    header.extend(id.to_be_bytes());
    (FRAGMENT, header)
}

/// What came of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Out {
    /// It left.
    Packets(Vec<Vec<u8>>),
    /// It was dropped, and this was sent back.
    Reply(DropReason, Vec<u8>),
    Drop(DropReason),
    Software,
}

/// A translator and its explicit mappings.
#[derive(Clone)]
pub(crate) struct Edge {
    pub(crate) siit: Siit<'static>,
    pub(crate) maps: Vec<(Ipv4Addr, [u8; 16])>,
}

impl Maps for Edge {
    fn v4_to_v6(&self, address: Ipv4Addr) -> Option<[u8; 16]> {
        let pair = self.maps.iter().find(|pair| pair.0 == address);
        pair.map(|pair| pair.1)
    }

    fn v6_to_v4(&self, address: &[u8; 16]) -> Option<Ipv4Addr> {
        let pair = self.maps.iter().find(|pair| pair.1 == *address);
        pair.map(|pair| pair.0)
    }
}

/// The prefix that the example of RFC 6052 §2.4 uses.
pub(crate) fn pool() -> Prefix {
    Prefix::new(v6(&[0x2001, 0xdb8, 0x100]), 40).expect("a prefix of RFC 6052")
}

/// The edge as it is set up unless a test says otherwise.
pub(crate) fn edge() -> Edge {
    with(|_| {})
}

/// The edge with a changed set-up.
pub(crate) fn with(change: impl FnOnce(&mut Siit<'static>)) -> Edge {
    let mut siit = Siit {
        pool6: Some(pool()),
        own4: Some(OWN4),
        own6: Some(OWN6),
        ..Siit::default()
    };
    change(&mut siit);
    Edge { siit, maps: vec![] }
}

impl Edge {
    pub(crate) fn to6(&self, packet: &[u8]) -> Out {
        self.run(packet, false, true)
    }

    pub(crate) fn to4(&self, packet: &[u8]) -> Out {
        self.run(packet, true, true)
    }

    pub(crate) fn run(&self, packet: &[u8], v6: bool, hop: bool) -> Out {
        let mut buf = vec![0xee; siit::HEADROOM];
        buf.extend(packet);
        let before = buf.clone();
        let view = View {
            id: FRESH,
            hop,
            ..View::new(&mut buf, siit::HEADROOM)
        };
        let verdict = if v6 {
            siit::to4(view, &self.siit, self)
        } else {
            siit::to6(view, &self.siit, self)
        };
        if !matches!(verdict, Verdict::Packet(_) | Verdict::Fragments(_)) {
            assert_eq!(buf, before, "a packet that was not translated was changed");
        }
        let mut scratch = [0xdd; 1400];
        match verdict {
            Verdict::Packet(packet) => self.turn(&buf, packet, v6),
            Verdict::Fragments(fragments) => Out::Packets(
                fragments
                    .map(|piece| {
                        let payload = &buf[piece.payload..piece.payload + piece.payload_len];
                        [piece.header(), payload].concat()
                    })
                    .collect(),
            ),
            Verdict::Error => {
                let result = if v6 {
                    siit::error_to4(packet, &self.siit, self, hop, FRESH, &mut scratch)
                } else {
                    siit::error_to6(packet, &self.siit, self, hop, &mut scratch)
                };
                match result {
                    Ok(packet) => self.turn(&scratch, packet, v6),
                    Err(reason) => Out::Drop(reason),
                }
            }
            Verdict::Software => Out::Software,
            Verdict::Reply(reason, reply) => {
                assert_eq!(reply.is_v6(), v6);
                let len = reply
                    .write(packet, &self.siit, FRESH, &mut scratch)
                    .expect("the edge has addresses");
                Out::Reply(reason, scratch[..len].to_vec())
            }
            Verdict::Drop(reason) => Out::Drop(reason),
        }
    }

    /// What leaves, or comes back at once.
    fn turn(&self, buf: &[u8], packet: Packet, v6: bool) -> Out {
        let bytes = &buf[packet.start..packet.start + packet.len as usize];
        if packet.hairpin {
            assert!(v6, "only IPv4 packets are turned around");
            return self.run(bytes, false, false);
        }
        Out::Packets(vec![bytes.to_vec()])
    }

    #[track_caller]
    pub(crate) fn sends6(&self, packet: &V4, expected: &V6) {
        same(
            self.to6(&packet.bytes()),
            Out::Packets(vec![expected.bytes()]),
        );
    }

    #[track_caller]
    pub(crate) fn sends4(&self, packet: &V6, expected: &V4) {
        same(
            self.to4(&packet.bytes()),
            Out::Packets(vec![expected.bytes()]),
        );
    }

    #[track_caller]
    pub(crate) fn drops6(&self, packet: &V4, reason: DropReason) {
        same(self.to6(&packet.bytes()), Out::Drop(reason));
    }

    #[track_caller]
    pub(crate) fn drops4(&self, packet: &V6, reason: DropReason) {
        same(self.to4(&packet.bytes()), Out::Drop(reason));
    }

    /// The IPv4 sender is told: type, code, and second word.
    #[track_caller]
    pub(crate) fn replies4(
        &self,
        packet: &V4,
        reason: DropReason,
        (kind, code, word): (u8, u8, u32),
    ) {
        let bytes = packet.bytes();
        let quote = &bytes[..bytes.len().min(576 - 28)];
        let expected = V4 {
            tos: 0xc0,
            id: FRESH,
            df: false,
            src: OWN4,
            dst: packet.src,
            ..V4::new(ICMP, icmp(kind, code, word, quote))
        };
        same(
            self.to6(&bytes),
            Out::Reply(reason, expected.sealed().bytes()),
        );
    }

    /// The IPv6 sender is told.
    #[track_caller]
    pub(crate) fn replies6(
        &self,
        packet: &V6,
        reason: DropReason,
        (kind, code, word): (u8, u8, u32),
    ) {
        let bytes = packet.bytes();
        let quote = &bytes[..bytes.len().min(1280 - 48)];
        let expected = V6 {
            hop: 64,
            src: OWN6,
            dst: packet.src,
            ..V6::new(ICMPV6, icmp(kind, code, word, quote))
        };
        same(
            self.to4(&bytes),
            Out::Reply(reason, expected.sealed().bytes()),
        );
    }
}

/// Compares with dumps that can be read.
#[track_caller]
pub(crate) fn same(found: Out, expected: Out) {
    assert!(
        found == expected,
        "found {}\nexpected {}",
        dump(&found),
        dump(&expected)
    );
}

fn dump(out: &Out) -> String {
    let lines = |packets: &[Vec<u8>]| -> String {
        packets
            .iter()
            .map(|packet| {
                let words = packet.chunks(4).map(|word| {
                    word.iter()
                        .map(|byte| format!("{byte:02x}"))
                        .collect::<String>()
                });
                format!(
                    "\n  {} bytes: {}",
                    packet.len(),
                    words.collect::<Vec<_>>().join(" ")
                )
            })
            .collect()
    };
    match out {
        Out::Packets(packets) => lines(packets),
        Out::Reply(reason, packet) => {
            format!("{} {}", reason.name(), lines(std::slice::from_ref(packet)))
        }
        Out::Drop(reason) => reason.name().to_owned(),
        Out::Software => "software".to_owned(),
    }
}

#[test]
fn the_addresses_are_those_of_rfc_6052() {
    assert_eq!(Ipv6Addr::from(A6).to_string(), "2001:db8:1c0:2:21::");
    assert_eq!(Ipv6Addr::from(B6).to_string(), "2001:db8:1c6:3364:2::");
    assert_eq!(pool().embed(A4), Some(A6));
    assert_eq!(pool().embed(B4), Some(B6));
}
