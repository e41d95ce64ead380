// SPDX-License-Identifier: GPL-2.0

//! The escape form: a packet or frame that the fast form cannot restore, carried whole behind an IPv6 header.
//!
//! ```text
//! | IPv6 header 40, next header 4   | IPv4 packet, options and all |
//! | IPv6 header 40, next header 143 | Ethernet frame               |
//! ```
//!
//! What is carried comes out byte for byte. That is why the outer traffic class never says that the transport
//! understands ECN: a router's mark would be lost, so it has to drop instead (RFC 6040 §4.1).

use crate::fast::HOP_LIMIT;
use crate::header::{Ethernet, Ipv4, Ipv6, IPV6_LEN};
use crate::{DropReason, SubstrateAddress};

/// By how many bytes a packet grows.
pub const GROWTH: usize = IPV6_LEN;

/// The next header of an IPv4 packet (RFC 2003).
pub const IPV4: u8 = 4;

/// The next header of an Ethernet frame (RFC 8986 §10.1).
pub const ETHERNET: u8 = 143;

/// The bits of the traffic class that are not ECN.
const DSCP: u8 = 0xfc;

/// What is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carried {
    /// An IPv4 packet with this type of service.
    Ipv4 {
        /// The type of service.
        tos: u8,
    },
    /// An Ethernet frame, from its destination address on.
    Ethernet,
}

/// The header to write before a packet or frame of `len` bytes. Of `entropy`, a value constant per pair of
/// nodes, 20 bits are used: behind this header nothing tells flows apart.
///
/// # Errors
///
/// [`DropReason::TooBig`] if the length does not fit the header.
#[inline]
pub fn wrap(
    carried: Carried,
    src: [u8; 16],
    dst: [u8; 16],
    len: u32,
    entropy: u32,
) -> Result<[u8; IPV6_LEN], DropReason> {
    let (next_header, tos) = match carried {
        Carried::Ipv4 { tos } => (IPV4, tos),
        Carried::Ethernet => (ETHERNET, 0),
    };
    let header = Ipv6 {
        traffic_class: tos & DSCP,
        flow_label: entropy,
        payload_len: u16::try_from(len).map_err(|_| DropReason::TooBig)?,
        next_header,
        hop_limit: HOP_LIMIT,
        src,
        dst,
    };
    Ok(header.bytes())
}

/// The IPv4 packet behind the header `outer`. `head` is what of it can be read.
///
/// # Errors
///
/// [`DropReason::NextHeader`] if something else is carried, [`DropReason::Malformed`] if the packet is
/// damaged or not as long as the header says, [`DropReason::EscapeMismatch`] if it is not between the nodes
/// of the addresses around it: then who may send and receive it was not what was looked at.
#[inline]
pub fn ipv4(outer: &Ipv6, head: &[u8]) -> Result<Ipv4, DropReason> {
    if outer.next_header != IPV4 {
        return Err(DropReason::NextHeader);
    }
    let ip = Ipv4::parse(head, u32::from(outer.payload_len))?;
    if ip.total_len != outer.payload_len {
        return Err(DropReason::Malformed);
    }
    check_nodes(outer, &ip)?;
    Ok(ip)
}

/// Checks that a packet is between the nodes of the addresses around it, which are those that are looked at.
#[inline]
pub(crate) fn check_nodes(outer: &Ipv6, ip: &Ipv4) -> Result<(), DropReason> {
    let (src, dst) = (
        SubstrateAddress::decode(&outer.src),
        SubstrateAddress::decode(&outer.dst),
    );
    if src.node != ip.src || dst.node != ip.dst {
        return Err(DropReason::EscapeMismatch);
    }
    Ok(())
}

/// The Ethernet header of the frame behind the header `outer`. `head` is what of it can be read.
///
/// # Errors
///
/// [`DropReason::NextHeader`] if something else is carried, [`DropReason::Malformed`] if the frame is
/// truncated.
#[inline]
pub fn ethernet(outer: &Ipv6, head: &[u8]) -> Result<Ethernet, DropReason> {
    if outer.next_header != ETHERNET {
        return Err(DropReason::NextHeader);
    }
    let head = head.get(..usize::from(outer.payload_len)).unwrap_or(head);
    Ethernet::parse(head)
}
