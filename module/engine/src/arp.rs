// SPDX-License-Identifier: GPL-2.0

//! ARP (RFC 826) as the host answers it on behalf of every node of the network. No ARP leaves the host
//! (`TX1`), so each request is either answered here or dropped with its reason.

use core::net::Ipv4Addr;

use crate::header::{Ethernet, ETHERTYPE_ARP, ETHERTYPE_IPV4};
use crate::{DropReason, Identity, Mac};

/// Bytes of an Ethernet/IPv4 ARP message, without the Ethernet header.
pub const LEN: usize = 28;

/// Bytes of the Ethernet frame around such a message, without padding.
pub const FRAME_LEN: usize = 42;

/// The operation of a request.
pub const REQUEST: u16 = 1;

/// The operation of a reply.
pub const REPLY: u16 = 2;

/// Hardware type 1 (Ethernet), protocol type IPv4, address lengths 6 and 4.
const KIND: [u8; 6] = [0x00, 0x01, 0x08, 0x00, 6, 4];

/// An ARP message for IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// [`REQUEST`], [`REPLY`] or another registered operation.
    pub operation: u16,
    /// The sender's MAC.
    pub sender_mac: Mac,
    /// The sender's address; unspecified in a probe (RFC 5227).
    pub sender: Ipv4Addr,
    /// The target's MAC; meaningless in a request.
    pub target_mac: Mac,
    /// The target's address: what a request asks for.
    pub target: Ipv4Addr,
}

impl Arp {
    /// Parses the bytes behind the Ethernet header; padding may follow.
    ///
    /// # Errors
    ///
    /// [`DropReason::Malformed`] if truncated or not for IPv4 over Ethernet.
    pub fn parse(payload: &[u8]) -> Result<Arp, DropReason> {
        let message = payload.first_chunk::<LEN>().ok_or(DropReason::Malformed)?;
        // One line per field of RFC 826: kind, op, sha, spa, tha, tpa.
        #[rustfmt::skip]
        let &[
            k0, k1, k2, k3, k4, k5,
            o0, o1,
            s0, s1, s2, s3, s4, s5,
            sa, sb, sc, sd,
            t0, t1, t2, t3, t4, t5,
            ta, tb, tc, td,
        ] = message;
        if [k0, k1, k2, k3, k4, k5] != KIND {
            return Err(DropReason::Malformed);
        }
        Ok(Arp {
            operation: u16::from_be_bytes([o0, o1]),
            sender_mac: Mac([s0, s1, s2, s3, s4, s5]),
            sender: Ipv4Addr::new(sa, sb, sc, sd),
            target_mac: Mac([t0, t1, t2, t3, t4, t5]),
            target: Ipv4Addr::new(ta, tb, tc, td),
        })
    }

    /// The message as on the wire.
    pub fn bytes(&self) -> [u8; LEN] {
        let mut out = [0; LEN];
        out[0..6].copy_from_slice(&KIND);
        out[6..8].copy_from_slice(&self.operation.to_be_bytes());
        out[8..14].copy_from_slice(&self.sender_mac.octets());
        out[14..18].copy_from_slice(&self.sender.octets());
        out[18..24].copy_from_slice(&self.target_mac.octets());
        out[24..28].copy_from_slice(&self.target.octets());
        out
    }
}

/// The address a node asks for, if an answer is due when that address has an owner.
///
/// The node sees a LAN on which each address is owned by its provisioned node alone (`TX5`): a probe of
/// another node's address is answered like any request, so duplicate detection works; nothing is said
/// to a request or probe for the asker's own address or to an announcement. Unicast requests (RFC 1122
/// §2.3.2.1, cache validation) are answered like broadcast ones.
///
/// # Errors
///
/// [`DropReason::SpoofMac`] if the Ethernet source or the sender's MAC is not the port's,
/// [`DropReason::SpoofAddress`] if the sender's address is neither the port's nor unspecified,
/// [`DropReason::ArpUnanswered`] if the message calls for no answer.
pub fn question(arp: &Arp, eth_src: Mac, own: &Identity) -> Result<Ipv4Addr, DropReason> {
    own.admits_mac(eth_src)?;
    own.admits_mac(arp.sender_mac)?;
    if arp.sender != own.address && !arp.sender.is_unspecified() {
        return Err(DropReason::SpoofAddress);
    }
    let target = arp.target;
    // An announcement asks for its sender's address (RFC 5227 §2.3), which by now is the port's own.
    let nobodys = target.is_unspecified() || target.is_multicast() || target.is_broadcast();
    if arp.operation != REQUEST || target == own.address || nobodys {
        return Err(DropReason::ArpUnanswered);
    }
    Ok(target)
}

/// The frame that answers `request` with the virtual MAC of the address it asks for. In the answer to a
/// probe the target address is unspecified, as the probe's sender was.
pub fn reply(request: &Arp, mac: Mac) -> [u8; FRAME_LEN] {
    let message = Arp {
        operation: REPLY,
        sender_mac: mac,
        sender: request.target,
        target_mac: request.sender_mac,
        target: request.sender,
    };
    let header = Ethernet {
        dst: request.sender_mac,
        src: mac,
        ethertype: ETHERTYPE_ARP,
    };
    let mut frame = [0; FRAME_LEN];
    frame[..14].copy_from_slice(&header.bytes());
    frame[14..].copy_from_slice(&message.bytes());
    frame
}

// The protocol type of the kind and the Ethernet type are one number.
const _: () = assert!(KIND[2] == (ETHERTYPE_IPV4 >> 8) as u8 && KIND[3] == ETHERTYPE_IPV4 as u8);
