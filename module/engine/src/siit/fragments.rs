// SPDX-License-Identifier: GPL-2.0

//! A translated packet that is too large for the next hop, cut into fragments of the new protocol.

use crate::header::{Fragment, Ipv4, Ipv6, IPV4_LEN, IPV6_LEN};

/// The headers that all fragments have in common.
#[derive(Clone, Copy, Debug)]
enum Header {
    V6(Ipv6, Fragment),
    V4(Ipv4),
}

/// How a packet is cut. Iterating gives the pieces in order.
#[derive(Clone, Copy, Debug)]
pub struct Fragments {
    header: Header,
    transport: usize,
    /// Payload bytes per piece, a multiple of 8.
    unit: u16,
    /// Payload bytes cut off already.
    done: u16,
    /// Payload bytes of all pieces.
    len: u16,
}

/// One fragment: a header, and the part of the payload behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    header: [u8; IPV6_LEN + Fragment::LEN],
    header_len: usize,
    /// Where in the buffer of the [`View`](super::View), or beyond it, its payload starts.
    pub payload: usize,
    /// Bytes of its payload.
    pub payload_len: usize,
}

impl Piece {
    /// The headers as on the wire.
    pub fn header(&self) -> &[u8] {
        self.header.get(..self.header_len).unwrap_or_default()
    }
}

/// The largest multiple of 8 that leaves room for the headers, and at least 8.
const fn unit(mtu: u32, headers: usize) -> u16 {
    let room = mtu.saturating_sub(headers as u32) & !7;
    if room < 8 {
        8
    } else if room > 0xfff8 {
        0xfff8
    } else {
        room as u16
    }
}

impl Fragments {
    /// IPv6 fragments of at most `mtu` bytes. `header` is that of the packet without a Fragment header,
    /// `fragment` that of the first piece were it the only one.
    pub(super) const fn new6(
        header: Ipv6,
        fragment: Fragment,
        transport: usize,
        mtu: u32,
    ) -> Fragments {
        Fragments {
            header: Header::V6(header, fragment),
            transport,
            unit: unit(mtu, IPV6_LEN + Fragment::LEN),
            done: 0,
            len: header.payload_len,
        }
    }

    /// IPv4 fragments of at most `mtu` bytes, of a packet that is whole: one that came as a fragment is not cut
    /// again.
    pub(super) const fn new4(header: Ipv4, transport: usize, mtu: u32) -> Fragments {
        Fragments {
            header: Header::V4(header),
            transport,
            unit: unit(mtu, IPV4_LEN),
            done: 0,
            len: header.payload_len(),
        }
    }

    /// Where in the buffer of the [`View`](super::View) the transport header starts.
    pub const fn transport(&self) -> usize {
        self.transport
    }

    /// The headers of the piece that starts behind the bytes cut off already.
    fn header(&self, payload_len: u16, last: bool) -> ([u8; IPV6_LEN + Fragment::LEN], usize) {
        let mut bytes = [0; IPV6_LEN + Fragment::LEN];
        let offset = self.done >> 3;
        let len = match self.header {
            Header::V6(ip, fragment) => {
                let ip = Ipv6 {
                    payload_len: payload_len.saturating_add(Fragment::LEN as u16),
                    next_header: Fragment::NUMBER,
                    ..ip
                };
                let fragment = Fragment {
                    offset: fragment.offset.saturating_add(offset),
                    more: !last || fragment.more,
                    ..fragment
                };
                bytes[..IPV6_LEN].copy_from_slice(&ip.bytes());
                bytes[IPV6_LEN..].copy_from_slice(&fragment.bytes());
                IPV6_LEN + Fragment::LEN
            }
            Header::V4(ip) => {
                let ip = Ipv4 {
                    total_len: payload_len.saturating_add(IPV4_LEN as u16),
                    fragment_offset: offset,
                    mf: !last,
                    ..ip
                };
                bytes[..IPV4_LEN].copy_from_slice(&ip.bytes());
                IPV4_LEN
            }
        };
        (bytes, len)
    }
}

impl Iterator for Fragments {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        let rest = self.len.checked_sub(self.done).filter(|&rest| rest > 0)?;
        let payload_len = rest.min(self.unit);
        let (header, header_len) = self.header(payload_len, payload_len == rest);
        let piece = Piece {
            header,
            header_len,
            payload: self.transport.saturating_add(usize::from(self.done)),
            payload_len: usize::from(payload_len),
        };
        self.done = self.done.saturating_add(payload_len);
        Some(piece)
    }
}
