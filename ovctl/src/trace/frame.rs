// SPDX-License-Identifier: GPL-2.0

//! The frame of a packet that the command line describes.

use std::net::Ipv4Addr;

use clap::Args;
use ovnet_engine::arp::{self, Arp};
use ovnet_engine::checksum;
use ovnet_engine::header::{Ethernet, Ipv4, ETHERTYPE_ARP, ETHERTYPE_IPV4, IPV4_LEN};
use ovnet_uapi::generated::TRACE_MAX;
use ovnet_uapi::Mac;

use crate::rule::words::protocol;
use crate::translate::byte;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const BROADCAST: Mac = Mac([0xff; 6]);
/// The longest packet whose frame can be traced.
const LONGEST: i64 = TRACE_MAX as i64 - Ethernet::LEN as i64;

/// A packet in words.
#[derive(Debug, Args)]
pub(crate) struct Description {
    /// Its source [default: the port's own address]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) src: Option<Ipv4Addr>,

    /// The source MAC [default: the port's own]
    #[arg(long, value_name = "MAC")]
    pub(super) src_mac: Option<Mac>,

    /// The destination MAC [default: that of the mapping, or the one derived from the address]
    #[arg(long, value_name = "MAC")]
    pub(super) dst_mac: Option<Mac>,

    /// An ARP request for the destination
    #[arg(long, conflicts_with_all = ["proto", "sport", "dport", "icmp_type", "icmp_code", "len", "ttl", "tos", "df"])]
    arp: bool,

    /// Its protocol: a name or a number
    #[arg(long, default_value = "icmp", value_parser = protocol)]
    proto: u8,

    /// Source port of TCP or UDP
    #[arg(long, value_name = "PORT", default_value_t = 49152)]
    sport: u16,

    /// Destination port of TCP or UDP
    #[arg(long, value_name = "PORT", default_value_t = 80)]
    dport: u16,

    /// Type of ICMP
    #[arg(long, value_name = "TYPE", default_value_t = 8)]
    icmp_type: u8,

    /// Code of ICMP
    #[arg(long, value_name = "CODE", default_value_t = 0)]
    icmp_code: u8,

    /// Bytes of the packet, headers included; what is too little for them cuts them [default: the
    /// headers]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u16).range(20..=LONGEST))]
    len: Option<u16>,

    /// Its time to live
    #[arg(long, default_value_t = 64)]
    ttl: u8,

    /// Its type of service
    #[arg(long, value_name = "BYTE", default_value = "0", value_parser = byte)]
    tos: u8,

    /// It must not be fragmented
    #[arg(long)]
    df: bool,
}

/// Who sends the packet to whom.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) src: (Mac, Ipv4Addr),
    pub(super) dst: (Mac, Ipv4Addr),
}

impl Description {
    /// The frame.
    pub(super) fn frame(&self, ends: Ends) -> Vec<u8> {
        let (src_mac, src) = ends.src;
        let (dst_mac, dst) = ends.dst;
        if self.arp {
            let request = Arp {
                operation: arp::REQUEST,
                sender_mac: src_mac,
                sender: src,
                target_mac: Mac([0; 6]),
                target: dst,
            };
            let to = self.dst_mac.unwrap_or(BROADCAST);
            return ethernet(to, src_mac, ETHERTYPE_ARP, &request.bytes());
        }
        let mut payload = self.payload();
        let len = self
            .len
            .map_or(payload.len(), |len| usize::from(len) - IPV4_LEN);
        payload.resize(len, 0);
        let header = Ipv4 {
            header_len: 20,
            tos: self.tos,
            // A description is at most as long as the longest packet.
            total_len: (IPV4_LEN + len) as u16,
            id: 0,
            reserved: false,
            df: self.df,
            mf: false,
            fragment_offset: 0,
            ttl: self.ttl,
            protocol: self.proto,
            src,
            dst,
        };
        sum(&header, &mut payload);
        let packet = [&header.bytes()[..], &payload].concat();
        ethernet(dst_mac, src_mac, ETHERTYPE_IPV4, &packet)
    }

    /// The transport header, its checksum 0.
    fn payload(&self) -> Vec<u8> {
        let [s0, s1] = self.sport.to_be_bytes();
        let [d0, d1] = self.dport.to_be_bytes();
        match self.proto {
            ICMP => vec![self.icmp_type, self.icmp_code, 0, 0, 0, 1, 0, 1],
            UDP => vec![s0, s1, d0, d1, 0, 0, 0, 0],
            // A SYN with a window.
            TCP => vec![
                s0, s1, d0, d1, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0,
            ],
            _ => Vec::new(),
        }
    }
}

/// Write the length and the checksum into a transport header, if it is whole.
fn sum(ip: &Ipv4, payload: &mut [u8]) {
    let length = ip.payload_len();
    let (at, least) = match ip.protocol {
        ICMP => (2, 8),
        TCP => (16, 20),
        UDP => (6, 8),
        _ => return,
    };
    if payload.len() < least {
        return;
    }
    let mut total = 0;
    if ip.protocol != ICMP {
        let ends = [ip.src.octets(), ip.dst.octets()].concat();
        let [l0, l1] = length.to_be_bytes();
        total = checksum::add(
            checksum::sum(&ends),
            checksum::sum(&[0, ip.protocol, l0, l1]),
        );
    }
    if ip.protocol == UDP {
        payload[4..6].copy_from_slice(&length.to_be_bytes());
    }
    let check = match !checksum::add(total, checksum::sum(payload)) {
        // Which of UDP means that there is none.
        0 if ip.protocol == UDP => 0xffff,
        check => check,
    };
    payload[at..at + 2].copy_from_slice(&check.to_be_bytes());
}

fn ethernet(dst: Mac, src: Mac, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let header = Ethernet {
        dst,
        src,
        ethertype,
    };
    [&header.bytes()[..], payload].concat()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        description: Description,
    }

    const ENDS: Ends = Ends {
        src: (Mac([2, 0, 0, 0, 0, 1]), Ipv4Addr::new(10, 0, 0, 2)),
        dst: (Mac([2, 0, 0, 0, 0, 2]), Ipv4Addr::new(10, 0, 0, 3)),
    };

    fn frame(line: &str) -> Vec<u8> {
        let words = ["frame"].into_iter().chain(line.split_whitespace());
        Line::try_parse_from(words).unwrap().description.frame(ENDS)
    }

    #[test]
    fn each_protocol_has_its_header_and_a_right_checksum() {
        for (line, len) in [
            ("", 28),
            ("--icmp-type 13 --icmp-code 1 --len 1400", 1400),
            ("--proto udp --dport 53", 28),
            ("--proto udp --len 101", 101),
            ("--proto tcp --sport 1", 40),
            ("--proto tcp --len 9202", 9202),
        ] {
            let frame = frame(line);
            let ip = Ipv4::parse(&frame[14..], len).expect(line);
            assert_eq!(u32::from(ip.total_len), len, "{line}");
            let payload = &frame[34..];
            let mut pseudo = Vec::new();
            if ip.protocol != ICMP {
                pseudo.extend([10, 0, 0, 2, 10, 0, 0, 3, 0, ip.protocol]);
                pseudo.extend((payload.len() as u16).to_be_bytes());
            }
            pseudo.extend(payload);
            assert!(checksum::verify(&pseudo), "{line}");
        }
    }

    #[test]
    fn what_is_said_stands_in_the_header() {
        let frame = frame("--proto 50 --len 24 --ttl 3 --tos 0xb8 --df");
        let ip = Ipv4::parse(&frame[14..], 24).unwrap();
        assert_eq!((ip.protocol, ip.ttl, ip.tos, ip.df), (50, 3, 0xb8, true));
        assert_eq!((ip.src, ip.dst), (ENDS.src.1, ENDS.dst.1));
        assert_eq!(frame[34..], [0; 4]);
        assert_eq!(frame[..14], [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
    }

    #[test]
    fn a_header_cut_short_is_left_alone() {
        let frame = frame("--proto udp --len 24");
        assert_eq!(frame[34..], [0xc0, 0, 0, 80]);
    }

    #[test]
    fn an_arp_request_is_for_all() {
        let frame = frame("--arp");
        assert_eq!(frame.len(), 42);
        assert_eq!(frame[..6], [0xff; 6]);
        let request = Arp::parse(&frame[14..]).unwrap();
        assert_eq!((request.sender, request.target), (ENDS.src.1, ENDS.dst.1));
        assert_eq!(request.operation, arp::REQUEST);
    }
}
