// SPDX-License-Identifier: GPL-2.0

//! The forms that two hosts of the overlay speak: fast, and escape for what that cannot restore.

use std::net::Ipv4Addr;

use ovnet_engine::escape::{self, Carried};
use ovnet_engine::fast::{self, Form, L4Checksum, Path};
use ovnet_engine::header::{Ethernet, Ipv4, Ipv6};
use ovnet_engine::siit::{self, Reply, Siit};
use ovnet_engine::{substrate, SubstrateAddress, SubstratePrefix};
use ovnet_uapi::{DropReason, Locator, Mac, Vni};

use super::{Direction, Fidelity, Outcome, OverlayArgs, Packet};

/// The TTL of a packet whose flow label the substrate cleared: what networks have unless told otherwise.
const DEFAULT_TTL: u8 = 64;

const ICMPV6: u8 = 58;

/// This host and the other one, in one network.
pub(super) struct Overlay<'c> {
    siit: Siit<'c>,
    locator: Locator,
    peer: Locator,
    vni: Vni,
    slot: Option<u8>,
    fidelity: fast::Fidelity,
}

impl<'c> Overlay<'c> {
    /// The overlay of these arguments, if they are all there.
    pub(super) fn new(args: &OverlayArgs, siit: Siit<'c>) -> Option<Overlay<'c>> {
        Some(Overlay {
            siit,
            locator: args.locator?,
            peer: args.peer_locator?,
            vni: args.vni?,
            slot: args.slot,
            fidelity: match args.fidelity {
                Fidelity::Semantic => fast::Fidelity::Semantic,
                Fidelity::Exact => fast::Fidelity::Exact,
            },
        })
    }

    pub(super) fn run(&self, packet: Packet<'_>, direction: Direction, id: u16) -> Outcome {
        let result = match direction {
            Direction::To6 if packet.link < packet.start => self.send_frame(packet, id),
            Direction::To6 => self.send(packet, id),
            Direction::To4 if packet.ip => self.receive(packet, id),
            Direction::To4 => Err(DropReason::NextHeader),
        };
        result.unwrap_or_else(Outcome::dropped)
    }

    /// The address of a node on a host; that of a destination may be by slot.
    fn address(&self, locator: Locator, node: Ipv4Addr, slot: Option<u8>) -> [u8; 16] {
        let address = SubstrateAddress::new(locator, self.vni, node);
        match slot {
            Some(slot) => SubstrateAddress {
                slot,
                by_slot: true,
                ..address
            }
            .encode(),
            None => address.encode(),
        }
    }

    fn send(&self, packet: Packet<'_>, id: u16) -> Result<Outcome, DropReason> {
        let ip = Ipv4::parse(packet.bytes(), length(packet.bytes()))?;
        if ip.dst.is_multicast() || ip.dst.is_broadcast() {
            return Err(DropReason::Multicast);
        }
        let src = self.address(self.locator, ip.src, None);
        let dst = self.address(self.peer, ip.dst, self.slot);
        let form = fast::form(&ip, false, self.fidelity);
        let growth = match form {
            Form::Fast => fast::GROWTH,
            Form::Escape => escape::GROWTH,
        };
        let room = self.siit.mtu6.saturating_sub(growth as u32);
        if u32::from(ip.total_len) > room {
            return Ok(self.too_big(&packet, &ip, room, id));
        }
        let end = packet.start + usize::from(ip.total_len);
        if form == Form::Escape {
            let carried = Carried::Ipv4 { tos: ip.tos };
            let header = escape::wrap(carried, src, dst, ip.total_len.into(), 0)?;
            let carried = &packet.buf[packet.start..end];
            return Ok(Outcome::sent([&header[..], carried].concat()));
        }
        let path = Path::new(SubstratePrefix::of(&src), SubstratePrefix::of(&dst));
        let buf = &mut packet.buf[packet.start - fast::GROWTH..end];
        fast::to_ipv6(buf, &ip, &path, 0, L4Checksum::Complete)?;
        Ok(Outcome::sent(buf.to_vec()))
    }

    /// The sender is told if it asked not to be fragmented.
    fn too_big(&self, packet: &Packet<'_>, ip: &Ipv4, room: u32, id: u16) -> Outcome {
        let mut out = [0; siit::MAX_ERROR4];
        let told = ip.df && ip.fragment_offset == 0 && self.siit.errors;
        let len = Reply::too_big4(room).write(packet.bytes(), &self.siit, id, &mut out);
        let errors = len.filter(|_| told).map(|len| out[..len].to_vec());
        Outcome {
            errors: errors.into_iter().collect(),
            ..Outcome::dropped(DropReason::TooBig)
        }
    }

    /// A frame: its packet if it is IPv4, else the whole of it between the nodes that its MACs name.
    fn send_frame(&self, packet: Packet<'_>, id: u16) -> Result<Outcome, DropReason> {
        let frame = &packet.buf[packet.link..];
        let ethernet = Ethernet::parse(frame)?;
        if ethernet.dst.is_multicast() {
            return Err(DropReason::Multicast);
        }
        if packet.ip && packet.bytes().first().is_some_and(|first| first >> 4 == 4) {
            return self.send(packet, id);
        }
        let src = node(ethernet.src).ok_or(DropReason::SpoofMac)?;
        let dst = node(ethernet.dst).ok_or(DropReason::DestinationMac)?;
        let src = self.address(self.locator, src, None);
        let dst = self.address(self.peer, dst, self.slot);
        let header = escape::wrap(Carried::Ethernet, src, dst, length(frame), 0)?;
        Ok(Outcome::sent([&header[..], frame].concat()))
    }

    fn receive(&self, packet: Packet<'_>, id: u16) -> Result<Outcome, DropReason> {
        let ip = Ipv6::parse(packet.bytes(), length(packet.bytes()))?;
        let (src, dst) = (
            SubstrateAddress::decode(&ip.src),
            SubstrateAddress::decode(&ip.dst),
        );
        if dst.locator != self.locator {
            return Err(DropReason::NotHere);
        }
        if dst.network() != Some(self.vni) {
            return Err(DropReason::UnknownNetwork);
        }
        if ip.next_header == ICMPV6 {
            return self.report(&packet, id);
        }
        // Delivery by slot is for the destination to ask for.
        let by_address = match self.slot {
            Some(slot) if dst.by_slot && dst.slot == slot => SubstrateAddress {
                slot: 0,
                by_slot: false,
                ..dst
            },
            _ => dst,
        };
        fast::check_arrival(&src, &by_address)?;
        if src.locator != self.peer {
            return Err(DropReason::ForgedSource);
        }
        let behind = packet.start + escape::GROWTH;
        let end = behind + usize::from(ip.payload_len);
        let carried = &packet.buf[behind..end];
        match ip.next_header {
            escape::IPV4 => escape::ipv4(&ip, carried).map(|_| Outcome::sent(carried.to_vec())),
            escape::ETHERNET => {
                escape::ethernet(&ip, carried).map(|_| Outcome::sent(carried.to_vec()))
            }
            _ => {
                let path = Path::new(SubstratePrefix::of(&ip.src), SubstratePrefix::of(&ip.dst));
                let buf = &mut packet.buf[packet.start..end];
                fast::to_ipv4(buf, &ip, &path, DEFAULT_TTL, id, L4Checksum::Complete)?;
                Ok(Outcome::sent(buf[fast::GROWTH..].to_vec()))
            }
        }
    }

    /// An error of the substrate, for the node.
    fn report(&self, packet: &Packet<'_>, id: u16) -> Result<Outcome, DropReason> {
        let gateway = self.siit.own4.ok_or(DropReason::SubstrateIcmp)?;
        let mut out = [0; siit::MAX_ERROR4];
        let report = substrate::report(packet.bytes(), Some(gateway), id, &mut out)?;
        if report.src.locator != self.locator || report.dst.locator != self.peer {
            return Err(DropReason::SubstrateIcmp);
        }
        Ok(Outcome::sent(out[..report.len].to_vec()))
    }
}

/// The node whose MAC is derived from its address.
fn node(mac: Mac) -> Option<Ipv4Addr> {
    let [_, _, a, b, c, d] = mac.octets();
    let address = Ipv4Addr::new(a, b, c, d);
    (Mac::of(address) == mac).then_some(address)
}

/// A length of bytes that were read, and so is small.
fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
