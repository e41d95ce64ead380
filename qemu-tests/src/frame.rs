// SPDX-License-Identifier: GPL-2.0

//! Frames as cases write them: Ethernet, ARP (RFC 826), IPv4, IPv6, and TCP,
//! UDP and ICMP with checksums summed from scratch. Nothing is shared with the
//! engine on purpose: what both got wrong would agree.

use std::net::{Ipv4Addr, Ipv6Addr};

/// An Ethernet address.
pub type Mac = [u8; 6];

/// The Ethernet type of IPv4.
pub const IPV4: u16 = 0x0800;
/// The Ethernet type of ARP.
pub const ARP: u16 = 0x0806;
/// The Ethernet type of IPv6.
pub const IPV6: u16 = 0x86dd;

/// The protocol numbers cases use.
pub const ICMP: u8 = 1;
/// An IPv4 packet behind another header: the escape form.
pub const IPIP: u8 = 4;
/// TCP.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;
/// ICMPv6.
pub const ICMPV6: u8 = 58;

/// The flag nobody may set, in the fragment field of IPv4.
pub const RESERVED: u16 = 0x8000;
/// Don't Fragment.
pub const DF: u16 = 0x4000;
/// More Fragments.
pub const MF: u16 = 0x2000;

/// A frame.
pub fn ethernet(dst: Mac, src: Mac, kind: u16, payload: &[u8]) -> Vec<u8> {
    [&dst[..], &src, &kind.to_be_bytes(), payload].concat()
}

/// An ARP message for IPv4 over Ethernet.
pub fn arp(operation: u16, sender: (Mac, Ipv4Addr), target: (Mac, Ipv4Addr)) -> Vec<u8> {
    let mut bytes = vec![0, 1, 8, 0, 6, 4];
    bytes.extend(operation.to_be_bytes());
    for (mac, address) in [sender, target] {
        bytes.extend(mac);
        bytes.extend(address.octets());
    }
    bytes
}

/// An IPv4 header, but for what follows from the payload.
#[derive(Debug, Clone)]
pub struct Ipv4 {
    /// DSCP and ECN.
    pub tos: u8,
    /// Identification.
    pub id: u16,
    /// Flags and fragment offset.
    pub fragment: u16,
    /// Time to live.
    pub ttl: u8,
    /// Source.
    pub src: Ipv4Addr,
    /// Destination.
    pub dst: Ipv4Addr,
    /// Options, a multiple of four bytes.
    pub options: Vec<u8>,
}

impl Ipv4 {
    /// What a host sends if nothing is said: TTL 64, DF, ID 0.
    pub fn new(src: Ipv4Addr, dst: Ipv4Addr) -> Ipv4 {
        Ipv4 {
            tos: 0,
            id: 0,
            fragment: DF,
            ttl: 64,
            src,
            dst,
            options: Vec::new(),
        }
    }

    /// The packet with this payload.
    pub fn packet(&self, protocol: u8, payload: &[u8]) -> Vec<u8> {
        let header_len = 20 + self.options.len();
        let total = (header_len + payload.len()) as u16;
        let mut bytes = vec![0x40 | (header_len / 4) as u8, self.tos];
        bytes.extend(total.to_be_bytes());
        bytes.extend(self.id.to_be_bytes());
        bytes.extend(self.fragment.to_be_bytes());
        bytes.extend([self.ttl, protocol, 0, 0]);
        bytes.extend(self.src.octets());
        bytes.extend(self.dst.octets());
        bytes.extend(&self.options);
        let sum = checksum(&bytes);
        bytes[10..12].copy_from_slice(&sum.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    /// The ends for checksums.
    pub fn ends(&self) -> Ends {
        Ends::V4(self.src, self.dst)
    }
}

/// An IPv6 header, but for what follows from the payload.
#[derive(Debug, Clone, Copy)]
pub struct Ipv6 {
    /// DSCP and ECN.
    pub class: u8,
    /// Flow label.
    pub label: u32,
    /// Hop limit.
    pub hops: u8,
    /// Source.
    pub src: Ipv6Addr,
    /// Destination.
    pub dst: Ipv6Addr,
}

impl Ipv6 {
    /// The packet with this payload.
    pub fn packet(&self, next_header: u8, payload: &[u8]) -> Vec<u8> {
        let first = 6 << 28 | u32::from(self.class) << 20 | self.label;
        let mut bytes = first.to_be_bytes().to_vec();
        bytes.extend((payload.len() as u16).to_be_bytes());
        bytes.extend([next_header, self.hops]);
        bytes.extend(self.src.octets());
        bytes.extend(self.dst.octets());
        bytes.extend(payload);
        bytes
    }

    /// The ends for checksums.
    pub fn ends(&self) -> Ends {
        Ends::V6(self.src, self.dst)
    }
}

/// Where a packet comes from and goes to, for the pseudo-header of checksums.
#[derive(Debug, Clone, Copy)]
pub enum Ends {
    /// RFC 9293 §3.1, RFC 768.
    V4(Ipv4Addr, Ipv4Addr),
    /// RFC 8200 §8.1.
    V6(Ipv6Addr, Ipv6Addr),
}

impl Ends {
    /// A TCP segment with ACK and PSH set.
    pub fn tcp(&self, from: u16, to: u16, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(from.to_be_bytes());
        bytes.extend(to.to_be_bytes());
        bytes.extend([1, 2, 3, 4, 5, 6, 7, 8, 0x50, 0x18, 0x20, 0, 0, 0, 0, 0]);
        bytes.extend(data);
        let sum = self.sum(TCP, &bytes);
        bytes[16..18].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    /// A UDP datagram without a checksum.
    pub fn udp_unsummed(from: u16, to: u16, data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(from.to_be_bytes());
        bytes.extend(to.to_be_bytes());
        bytes.extend((8 + data.len() as u16).to_be_bytes());
        bytes.extend([0, 0]);
        bytes.extend(data);
        bytes
    }

    /// A UDP datagram; a sum of 0 is written 0xFFFF.
    pub fn udp(&self, from: u16, to: u16, data: &[u8]) -> Vec<u8> {
        let mut bytes = Ends::udp_unsummed(from, to, data);
        let sum = match self.sum(UDP, &bytes) {
            0 => 0xffff,
            sum => sum,
        };
        bytes[6..8].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    /// A UDP datagram whose sum over these ends is 0, by its last two bytes.
    pub fn udp_summing_to_zero(&self, from: u16, to: u16) -> Vec<u8> {
        let filler = self.sum(UDP, &Ends::udp_unsummed(from, to, &[0, 0]));
        self.udp(from, to, &filler.to_be_bytes())
    }

    /// An ICMPv6 error (RFC 4443 §3): kind, code, the word behind the checksum, and what it is about.
    pub fn icmpv6(&self, kind: u8, code: u8, word: u32, quote: &[u8]) -> Vec<u8> {
        let mut bytes = vec![kind, code, 0, 0];
        bytes.extend(word.to_be_bytes());
        bytes.extend(quote);
        let sum = self.sum(ICMPV6, &bytes);
        bytes[2..4].copy_from_slice(&sum.to_be_bytes());
        bytes
    }

    fn sum(&self, protocol: u8, l4: &[u8]) -> u16 {
        let mut bytes = match self {
            Ends::V4(src, dst) => [src.octets(), dst.octets()].concat(),
            Ends::V6(src, dst) => [src.octets(), dst.octets()].concat(),
        };
        // The fields of the two pseudo-headers differ in width, not in sum.
        bytes.extend((l4.len() as u32).to_be_bytes());
        bytes.extend([0, 0, 0, protocol]);
        bytes.extend(l4);
        checksum(&bytes)
    }
}

/// An ICMP echo request.
pub fn echo(id: u16, sequence: u16, data: &[u8]) -> Vec<u8> {
    icmp(8, 0, u32::from(id) << 16 | u32::from(sequence), data)
}

/// An ICMP message (RFC 792): kind, code, the word behind the checksum, and the rest.
pub fn icmp(kind: u8, code: u8, word: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, code, 0, 0];
    bytes.extend(word.to_be_bytes());
    bytes.extend(data);
    let sum = checksum(&bytes);
    bytes[2..4].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// RFC 1071: the complement of the one's complement sum of 16-bit words.
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for word in bytes.chunks(2) {
        sum += u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// The bytes as hexadecimal digits, to compare two frames by eye.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (at, byte) in bytes.iter().enumerate() {
        if at > 0 && at % 2 == 0 {
            text.push(' ');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_literature() {
        // RFC 1071 §3.
        assert_eq!(checksum(&[0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
        let ends = Ends::V4([10, 0, 0, 2].into(), [10, 0, 0, 3].into());
        let datagram = ends.udp(1000, 2000, b"hello");
        assert_eq!(ends.sum(UDP, &datagram), 0);
        assert_eq!(&ends.udp_summing_to_zero(1, 2)[6..8], [0xff, 0xff]);
    }
}
