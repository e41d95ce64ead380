// SPDX-License-Identifier: GPL-2.0

//! Packets built from scratch, with checksums computed over the whole message and its real
//! pseudo-header: what the engine's incremental arithmetic is compared with.

use std::net::Ipv4Addr;

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;

/// Reads a hexadecimal dump; white space is for the reader.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter_map(|c| c.to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// RFC 1071 as it is told, on all bytes at once: the sum modulo 0xFFFF in 128 bits, 0xFFFF for a zero
/// that is not empty.
pub(crate) fn reference_sum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| {
        u128::from(pair[0]) * 256 + u128::from(pair.get(1).copied().unwrap_or_default())
    });
    match words.sum::<u128>() {
        0 => 0,
        total if total % 0xffff == 0 => 0xffff,
        total => (total % 0xffff) as u16,
    }
}

/// Where the checksum of a transport protocol lies.
pub(crate) fn checksum_offset(protocol: u8) -> Option<usize> {
    match protocol {
        TCP => Some(16),
        UDP => Some(6),
        _ => None,
    }
}

/// The pseudo-header of IPv4 (RFC 9293 §3.1).
pub(crate) fn pseudo_v4(src: Ipv4Addr, dst: Ipv4Addr, protocol: u8, len: usize) -> Vec<u8> {
    let mut out = src.octets().to_vec();
    out.extend(dst.octets());
    out.extend([0, protocol]);
    out.extend((len as u16).to_be_bytes());
    out
}

/// The pseudo-header of IPv6 (RFC 8200 §8.1).
pub(crate) fn pseudo_v6(src: [u8; 16], dst: [u8; 16], protocol: u8, len: usize) -> Vec<u8> {
    let mut out = src.to_vec();
    out.extend(dst);
    out.extend((len as u32).to_be_bytes());
    out.extend([0, 0, 0, protocol]);
    out
}

/// Writes the finished checksum of TCP or UDP as a sender would.
pub(crate) fn complete(l4: &mut [u8], protocol: u8, pseudo: &[u8]) {
    if let Some(at) = checksum_offset(protocol) {
        l4[at..at + 2].fill(0);
        let sum = !reference_sum(&[pseudo, l4].concat());
        let sum = if protocol == UDP && sum == 0 {
            0xffff
        } else {
            sum
        };
        l4[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
}

/// Writes what a sender leaves to a device to finish: the sum of the pseudo-header.
pub(crate) fn partial(l4: &mut [u8], protocol: u8, pseudo: &[u8]) {
    if let Some(at) = checksum_offset(protocol) {
        l4[at..at + 2].copy_from_slice(&reference_sum(pseudo).to_be_bytes());
    }
}

/// The fields of an IPv4 header that a packet of the fast form can have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields {
    pub(crate) tos: u8,
    pub(crate) id: u16,
    pub(crate) df: bool,
    pub(crate) ttl: u8,
    pub(crate) protocol: u8,
    pub(crate) src: Ipv4Addr,
    pub(crate) dst: Ipv4Addr,
}

impl Fields {
    /// The packet with this transport part.
    pub(crate) fn packet(&self, l4: &[u8]) -> Vec<u8> {
        let mut header = vec![0x45, self.tos];
        header.extend((20 + l4.len() as u16).to_be_bytes());
        header.extend(self.id.to_be_bytes());
        header.extend([
            if self.df { 0x40 } else { 0 },
            0,
            self.ttl,
            self.protocol,
            0,
            0,
        ]);
        header.extend(self.src.octets());
        header.extend(self.dst.octets());
        fix_header(&mut header);
        header.extend(l4);
        header
    }
}

/// Recomputes the checksum of the IPv4 header that `packet` starts with, options included.
pub(crate) fn fix_header(packet: &mut [u8]) {
    let len = usize::from(packet[0] & 0xf) * 4;
    packet[10..12].fill(0);
    let sum = !reference_sum(&packet[..len]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}
