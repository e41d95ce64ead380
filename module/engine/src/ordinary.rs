// SPDX-License-Identifier: GPL-2.0

//! The ordinary packet, which is nearly every one: TCP or UDP in the fast form, without options, not a
//! fragment, with DF where it has to be restored. It is read and written a few words at a time.
//!
//! What is ordinary comes out as [`fast`](crate::fast) would have it; whatever is not is `None` here, and
//! untouched.

use core::net::Ipv4Addr;

use crate::bytes::{read, write};
use crate::fast::{fix_field, L4Checksum, Path, GROWTH, HOP_LIMIT, TCP, UDP};
use crate::header::{Ethernet, IPV4_LEN, IPV6_LEN};
use crate::policy::{Subject, L4};
use crate::{checksum, Mac, Vni};

/// From the start of a frame to its transport header.
pub const FRAME_HEAD: usize = Ethernet::LEN + IPV4_LEN;
/// By how much the IPv6 header is longer than both headers of the frame.
pub const BEFORE: usize = IPV6_LEN - FRAME_HEAD;

/// Bits of the flow label.
const LABEL_TTL_SHIFT: u32 = 12;
const LABEL_DF: u32 = 1 << 11;
const LABEL_ENTROPY: u32 = 0x7ff;
const LABEL_TTL: u32 = 0xff << LABEL_TTL_SHIFT;

/// The bytes at `at`, which are there.
#[inline(always)]
fn at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    read(bytes, at).unwrap_or([0; N])
}

/// The transport protocols of ordinary packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    #[inline(always)]
    const fn of(protocol: u8) -> Option<Transport> {
        match protocol {
            TCP => Some(Transport::Tcp),
            UDP => Some(Transport::Udp),
            _ => None,
        }
    }

    /// The protocol's number.
    #[inline(always)]
    const fn protocol(self) -> u8 {
        match self {
            Transport::Tcp => TCP,
            Transport::Udp => UDP,
        }
    }

    /// How many bytes of its header translation touches: as far as its checksum.
    #[inline(always)]
    pub const fn touched(self) -> usize {
        match self {
            Transport::Tcp => 18,
            Transport::Udp => 8,
        }
    }
}

/// What a rule sees of an ordinary packet between two nodes of a network: what [`Subject::new`] would say.
///
/// `ports` are the first bytes of its transport header, `len` is the length of the IPv4 packet, or of the
/// largest of those that it stands for.
#[inline(always)]
pub fn subject(
    transport: Transport,
    (src, dst): (Ipv4Addr, Ipv4Addr),
    [s0, s1, d0, d1]: [u8; 4],
    len: u16,
    network: Vni,
) -> Subject {
    Subject {
        src,
        dst,
        protocol: transport.protocol(),
        l4: L4::Ports(u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1])),
        len,
        peer: network,
    }
}

/// The headers of an ordinary frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    head: &'a [u8; FRAME_HEAD],
    /// What is behind the headers.
    pub transport: Transport,
    /// How many bytes.
    pub payload_len: u16,
}

impl<'a> Frame<'a> {
    /// The headers of a frame of `len` bytes, if it is ordinary. Its header is intact then.
    #[inline(always)]
    pub fn new(head: &'a [u8; FRAME_HEAD], len: u32) -> Option<Frame<'a>> {
        // EtherType, version and length of the header, and the TOS.
        let kind = u32::from_be_bytes(at(head, 12));
        // Flags and offset, TTL, protocol.
        let rest = u32::from_be_bytes(at(head, 20));
        if kind >> 8 != 0x08_0045 || rest & 0xbfff_0000 != 0 || rest & 0xff00 == 0 {
            return None;
        }
        let transport = Transport::of(rest as u8)?;
        let total_len = u16::from_be_bytes(at(head, 16));
        // Padding makes a frame unusual.
        if u32::from(total_len).wrapping_add(Ethernet::LEN as u32) != len
            || !checksum::verify_header(&at(head, Ethernet::LEN))
        {
            return None;
        }
        let payload_len = total_len.checked_sub(IPV4_LEN as u16)?;
        (usize::from(payload_len) >= transport.touched()).then_some(Frame {
            head,
            transport,
            payload_len,
        })
    }

    /// The MAC it is to.
    #[inline(always)]
    pub fn mac_dst(&self) -> Mac {
        Mac(at(self.head, 0))
    }

    /// The MAC it is from.
    #[inline(always)]
    pub fn mac_src(&self) -> Mac {
        Mac(at(self.head, 6))
    }

    /// The address it is from.
    #[inline(always)]
    pub fn src(&self) -> Ipv4Addr {
        Ipv4Addr::from(at::<4>(self.head, 26))
    }

    /// The address it is to.
    #[inline(always)]
    pub fn dst(&self) -> Ipv4Addr {
        Ipv4Addr::from(at::<4>(self.head, 30))
    }
}

/// The header of an ordinary packet on the substrate.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    head: &'a [u8; IPV6_LEN],
    /// What is behind the header.
    pub transport: Transport,
    /// How many bytes.
    pub payload_len: u16,
    /// Network and address that it is from: their 24 and 32 bits.
    pub from: u64,
    /// Network and address that it is to.
    pub to: u64,
}

impl<'a> Packet<'a> {
    /// The header of a packet of `len` bytes, if it is ordinary: between nodes of one network by their
    /// addresses.
    #[inline(always)]
    pub fn new(head: &'a [u8; IPV6_LEN], len: u32) -> Option<Packet<'a>> {
        let first = u32::from_be_bytes(at(head, 0));
        if first >> 28 != 6 || first & LABEL_TTL == 0 || first & LABEL_DF == 0 {
            return None;
        }
        let transport = Transport::of(head[6])?;
        let payload_len = u16::from_be_bytes(at(head, 4));
        if u32::from(payload_len).wrapping_add(IPV6_LEN as u32) != len
            || usize::from(payload_len) < transport.touched()
            || payload_len > u16::MAX - IPV4_LEN as u16
        {
            return None;
        }
        // Slot, U and G are the upper 8 bits of the lower halves.
        let from = u64::from_be_bytes(at(head, 16));
        let to = u64::from_be_bytes(at(head, 32));
        if to >> 56 != 0 || to >> 32 == 0 || (from ^ to) >> 32 != 0 {
            return None;
        }
        Some(Packet {
            head,
            transport,
            payload_len,
            from,
            to,
        })
    }

    /// Whether its source address starts with these bytes.
    #[inline(always)]
    pub fn is_from(&self, prefix: &[u8; 12]) -> bool {
        at::<12>(self.head, 8) == *prefix
    }
}

/// Turns an ordinary frame into its IPv6 form.
///
/// `buf` holds [`BEFORE`] spare bytes, the headers of the frame, and the bytes of the transport header that
/// are [touched](Transport::touched). Of `entropy`, a value constant per flow, 11 bits are used.
#[inline(always)]
pub fn to_ipv6(
    buf: &mut [u8],
    transport: Transport,
    path: &Path,
    entropy: u16,
    csum: L4Checksum,
) -> Option<()> {
    let [_, tos, l0, l1, _, _, flags, _, ttl, protocol, ..]: [u8; IPV4_LEN] = read(buf, GROWTH)?;
    let (src, dst): ([u8; 4], [u8; 4]) = (read(buf, 32)?, read(buf, 36)?);
    fix(buf, transport, path.delta(), csum)?;
    let df = u32::from(flags & 0x40) << 5;
    let entropy = u32::from(entropy) & LABEL_ENTROPY;
    let label = u32::from(ttl) << LABEL_TTL_SHIFT | df | entropy;
    let first = 6 << 28 | u32::from(tos) << 20 | label;
    let payload_len = u16::from_be_bytes([l0, l1]).wrapping_sub(IPV4_LEN as u16);
    write(buf, 0, first.to_be_bytes())?;
    write(buf, 4, payload_len.to_be_bytes())?;
    write(buf, 6, [protocol, HOP_LIMIT])?;
    write(buf, 8, *path.from().octets())?;
    write(buf, 20, src)?;
    write(buf, 24, *path.to().octets())?;
    write(buf, 36, dst)
}

/// Restores a frame from the IPv6 form of an ordinary packet; it starts at `buf[BEFORE..]`.
///
/// `buf` holds the IPv6 header and the bytes of the transport header that are
/// [touched](Transport::touched). `path` is the packet's own, or the one back.
#[inline(always)]
pub fn to_frame(
    buf: &mut [u8],
    transport: Transport,
    path: &Path,
    (from, to): (Mac, Mac),
    csum: L4Checksum,
) -> Option<()> {
    let label = u32::from_be_bytes(read(buf, 0)?);
    let [l0, l1, protocol, _]: [u8; 4] = read(buf, 4)?;
    let (src, dst): ([u8; 4], [u8; 4]) = (read(buf, 20)?, read(buf, 36)?);
    fix(buf, transport, checksum::negate(path.delta()), csum)?;
    let tos = label >> 20 & 0xff;
    let total_len = u16::from_be_bytes([l0, l1]).wrapping_add(IPV4_LEN as u16);
    let first = 0x45 << 24 | tos << 16 | u32::from(total_len);
    let ttl = label >> LABEL_TTL_SHIFT & 0xff;
    let third = ttl << 24 | u32::from(protocol) << 16;
    let words = [
        first.to_be_bytes(),
        0x4000_u32.to_be_bytes(),
        third.to_be_bytes(),
        src,
        dst,
    ];
    let check = checksum::of_words(&words);
    let third = third | u32::from(check);
    write(buf, 6, to.octets())?;
    write(buf, 12, from.octets())?;
    write(buf, 18, 0x0800_u16.to_be_bytes())?;
    write(buf, 20, first.to_be_bytes())?;
    write(buf, 24, 0x4000_u32.to_be_bytes())?;
    write(buf, 28, third.to_be_bytes())?;
    write(buf, 32, src)?;
    write(buf, 36, dst)
}

/// Adds `delta` to what the checksum covers, which is the last that is touched.
#[inline(always)]
fn fix(buf: &mut [u8], transport: Transport, delta: u16, csum: L4Checksum) -> Option<()> {
    let place = match transport {
        Transport::Tcp => IPV6_LEN + Transport::Tcp.touched() - 2,
        Transport::Udp => IPV6_LEN + Transport::Udp.touched() - 2,
    };
    let field = buf.get_mut(place..)?.first_chunk_mut::<2>()?;
    fix_field(field, transport == Transport::Udp, delta, csum);
    Some(())
}
