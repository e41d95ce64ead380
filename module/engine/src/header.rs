// SPDX-License-Identifier: GPL-2.0

//! Parsing of Ethernet, IPv4 (RFC 791) and IPv6 (RFC 8200) headers into values that agree with the
//! packet's length. Nothing behind the header is read.

use core::net::Ipv4Addr;

use crate::{bytes, checksum, DropReason, Mac};

/// The Ethernet type of IPv4.
pub const ETHERTYPE_IPV4: u16 = 0x0800;

/// The Ethernet type of ARP.
pub const ETHERTYPE_ARP: u16 = 0x0806;

/// Bytes of an IPv4 header without options.
pub const IPV4_LEN: usize = 20;

/// Bytes of an IPv6 header.
pub const IPV6_LEN: usize = 40;

/// An Ethernet header without tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ethernet {
    /// The destination.
    pub dst: Mac,
    /// The source.
    pub src: Mac,
    /// The type of what follows; a tagged frame shows its tag's type.
    pub ethertype: u16,
}

impl Ethernet {
    /// Bytes of the header.
    pub const LEN: usize = 14;

    /// Parses the first bytes of a frame.
    ///
    /// # Errors
    ///
    /// [`DropReason::Malformed`] if truncated.
    #[inline]
    pub fn parse(frame: &[u8]) -> Result<Ethernet, DropReason> {
        let head = frame
            .first_chunk::<{ Ethernet::LEN }>()
            .ok_or(DropReason::Malformed)?;
        let &[d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = head;
        Ok(Ethernet {
            dst: Mac([d0, d1, d2, d3, d4, d5]),
            src: Mac([s0, s1, s2, s3, s4, s5]),
            ethertype: u16::from_be_bytes([t0, t1]),
        })
    }

    /// The header as on the wire.
    #[inline]
    pub const fn bytes(&self) -> [u8; Ethernet::LEN] {
        let [d0, d1, d2, d3, d4, d5] = self.dst.octets();
        let [s0, s1, s2, s3, s4, s5] = self.src.octets();
        let [t0, t1] = self.ethertype.to_be_bytes();
        [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1]
    }
}

/// An IPv4 header that is intact and agrees with the packet's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv4 {
    /// Bytes of the header, options included: 20 to 60.
    pub header_len: u8,
    /// Type of service: DSCP and ECN.
    pub tos: u8,
    /// Bytes of the packet, header included; what follows in the frame is padding.
    pub total_len: u16,
    /// Identification.
    pub id: u16,
    /// The reserved flag.
    pub reserved: bool,
    /// Don't Fragment.
    pub df: bool,
    /// More Fragments.
    pub mf: bool,
    /// Offset of this fragment, in units of 8 bytes.
    pub fragment_offset: u16,
    /// Time to live.
    pub ttl: u8,
    /// Protocol of the payload.
    pub protocol: u8,
    /// Source address.
    pub src: Ipv4Addr,
    /// Destination address.
    pub dst: Ipv4Addr,
}

impl Ipv4 {
    /// Parses an IPv4 header.
    ///
    /// `head` is what of the packet can be read, from the header on: at least 20 bytes, and the options
    /// if there are any. `available` counts the bytes from the header to the packet's end, read or not.
    ///
    /// # Errors
    ///
    /// [`DropReason::Malformed`] if the header is truncated, contradicts `available` or its checksum
    /// is wrong.
    #[inline(always)]
    pub fn parse(head: &[u8], available: u32) -> Result<Ipv4, DropReason> {
        let ip = Ipv4::quoted(head)?;
        let intact = match head.first_chunk::<IPV4_LEN>() {
            Some(fixed) if !ip.has_options() => checksum::verify_header(fixed),
            _ => verify_options(head, ip.header_len),
        };
        if !intact || ip.total_len < u16::from(ip.header_len) || u32::from(ip.total_len) > available
        {
            return Err(DropReason::Malformed);
        }
        Ok(ip)
    }

    /// Parses the header of a packet quoted by an ICMP error: `head` may hold less than the packet, and
    /// neither the total length nor the checksum is looked at, for routers quote headers that they have
    /// changed already.
    ///
    /// # Errors
    ///
    /// [`DropReason::Malformed`] if the header, options included, is truncated or is not of IPv4.
    #[inline(always)]
    pub fn quoted(head: &[u8]) -> Result<Ipv4, DropReason> {
        let fixed = head
            .first_chunk::<IPV4_LEN>()
            .ok_or(DropReason::Malformed)?;
        #[rustfmt::skip]
        let &[
            version_ihl, tos, len0, len1,
            id0, id1, frag0, frag1,
            ttl, protocol, _, _,
            sa, sb, sc, sd,
            da, db, dc, dd,
        ] = fixed;
        let header_len = (version_ihl & 0xf) << 2;
        if version_ihl >> 4 != 4 || header_len < 20 || head.len() < usize::from(header_len) {
            return Err(DropReason::Malformed);
        }
        let fragment = u16::from_be_bytes([frag0, frag1]);
        Ok(Ipv4 {
            header_len,
            tos,
            total_len: u16::from_be_bytes([len0, len1]),
            id: u16::from_be_bytes([id0, id1]),
            reserved: fragment & 0x8000 != 0,
            df: fragment & 0x4000 != 0,
            mf: fragment & 0x2000 != 0,
            fragment_offset: fragment & 0x1fff,
            ttl,
            protocol,
            src: Ipv4Addr::from_bits(u32::from_be_bytes([sa, sb, sc, sd])),
            dst: Ipv4Addr::from_bits(u32::from_be_bytes([da, db, dc, dd])),
        })
    }

    /// The header as on the wire, without options and with its checksum; `header_len` is taken for 20.
    #[inline]
    pub fn bytes(&self) -> [u8; IPV4_LEN] {
        let [l0, l1] = self.total_len.to_be_bytes();
        let [i0, i1] = self.id.to_be_bytes();
        let flags = (self.reserved as u16) << 15 | (self.df as u16) << 14 | (self.mf as u16) << 13;
        let [f0, f1] = (flags | self.fragment_offset & 0x1fff).to_be_bytes();
        let [sa, sb, sc, sd] = self.src.octets();
        let [da, db, dc, dd] = self.dst.octets();
        #[rustfmt::skip]
        let mut header = [
            0x45, self.tos, l0, l1,
            i0, i1, f0, f1,
            self.ttl, self.protocol, 0, 0,
            sa, sb, sc, sd,
            da, db, dc, dd,
        ];
        let check = checksum::ipv4_header(&header);
        header[10..12].copy_from_slice(&check.to_be_bytes());
        header
    }

    /// Whether the header has options.
    #[inline]
    pub const fn has_options(&self) -> bool {
        self.header_len as usize > IPV4_LEN
    }

    /// Whether the packet is a fragment of a larger one.
    #[inline]
    pub const fn is_fragment(&self) -> bool {
        self.mf || self.fragment_offset != 0
    }

    /// Bytes behind the header.
    #[inline]
    pub const fn payload_len(&self) -> u16 {
        self.total_len.saturating_sub(self.header_len as u16)
    }
}

/// Whether a header of that length is intact. Apart, so that the packets without options, nearly all, are
/// spared the room it takes.
#[cold]
fn verify_options(head: &[u8], header_len: u8) -> bool {
    head.get(..usize::from(header_len))
        .is_some_and(checksum::verify)
}

/// An IPv6 header that agrees with the packet's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6 {
    /// Traffic class: DSCP and ECN.
    pub traffic_class: u8,
    /// Flow label, 20 bits.
    pub flow_label: u32,
    /// Bytes behind the header; what follows in the frame is padding.
    pub payload_len: u16,
    /// Type of the next header.
    pub next_header: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Source address.
    pub src: [u8; 16],
    /// Destination address.
    pub dst: [u8; 16],
}

impl Ipv6 {
    /// Parses an IPv6 header from `head`, what of the packet can be read from the header on.
    /// `available` counts the bytes from the header to the packet's end, read or not.
    ///
    /// # Errors
    ///
    /// [`DropReason::Malformed`] if the header is truncated or contradicts `available`.
    #[inline]
    pub fn parse(head: &[u8], available: u32) -> Result<Ipv6, DropReason> {
        let ip = Ipv6::quoted(head)?;
        if u32::from(ip.payload_len).wrapping_add(IPV6_LEN as u32) > available {
            return Err(DropReason::Malformed);
        }
        Ok(ip)
    }

    /// Parses the header of a packet quoted by an ICMPv6 error, of which `head` may hold less than the
    /// packet.
    ///
    /// # Errors
    ///
    /// [`DropReason::Malformed`] if the header is truncated or is not of IPv6.
    #[inline]
    pub fn quoted(head: &[u8]) -> Result<Ipv6, DropReason> {
        let fixed = head
            .first_chunk::<IPV6_LEN>()
            .ok_or(DropReason::Malformed)?;
        let (&[v0, v1, v2, v3, len0, len1, next_header, hop_limit], addresses) = fixed
            .split_first_chunk::<8>()
            .ok_or(DropReason::Malformed)?;
        let (&src, addresses) = addresses
            .split_first_chunk::<16>()
            .ok_or(DropReason::Malformed)?;
        let &dst = addresses.first_chunk::<16>().ok_or(DropReason::Malformed)?;
        let version_class_label = u32::from_be_bytes([v0, v1, v2, v3]);
        if version_class_label >> 28 != 6 {
            return Err(DropReason::Malformed);
        }
        Ok(Ipv6 {
            traffic_class: (version_class_label >> 20) as u8,
            flow_label: version_class_label & 0xf_ffff,
            payload_len: u16::from_be_bytes([len0, len1]),
            next_header,
            hop_limit,
            src,
            dst,
        })
    }

    /// The header as on the wire.
    #[inline]
    pub fn bytes(&self) -> [u8; IPV6_LEN] {
        let first = 6 << 28 | u32::from(self.traffic_class) << 20 | self.flow_label & 0xf_ffff;
        let mut header = [0; IPV6_LEN];
        header[0..4].copy_from_slice(&first.to_be_bytes());
        header[4..6].copy_from_slice(&self.payload_len.to_be_bytes());
        header[6] = self.next_header;
        header[7] = self.hop_limit;
        header[8..24].copy_from_slice(&self.src);
        header[24..40].copy_from_slice(&self.dst);
        header
    }
}

/// An IPv6 Fragment header (RFC 8200 §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Type of the header behind it.
    pub next_header: u8,
    /// Offset of this fragment, in units of 8 bytes.
    pub offset: u16,
    /// Another fragment follows.
    pub more: bool,
    /// Identification.
    pub id: u32,
}

impl Fragment {
    /// Bytes of the header.
    pub const LEN: usize = 8;

    /// The next header number that announces it.
    pub const NUMBER: u8 = 44;

    /// Parses the header at `at`.
    ///
    /// # Errors
    ///
    /// [`DropReason::Malformed`] if truncated.
    #[inline]
    pub fn parse(head: &[u8], at: usize) -> Result<Fragment, DropReason> {
        let [next_header, _, f0, f1, i0, i1, i2, i3] =
            bytes::read(head, at).ok_or(DropReason::Malformed)?;
        let field = u16::from_be_bytes([f0, f1]);
        Ok(Fragment {
            next_header,
            offset: field >> 3,
            more: field & 1 != 0,
            id: u32::from_be_bytes([i0, i1, i2, i3]),
        })
    }

    /// Whether it makes no fragment: the packet is whole (RFC 6946).
    #[inline]
    pub const fn is_atomic(&self) -> bool {
        self.offset == 0 && !self.more
    }

    /// The header as on the wire.
    #[inline]
    pub const fn bytes(&self) -> [u8; Fragment::LEN] {
        let [f0, f1] = (self.offset << 3 | self.more as u16).to_be_bytes();
        let [i0, i1, i2, i3] = self.id.to_be_bytes();
        [self.next_header, 0, f0, f1, i0, i1, i2, i3]
    }
}
