// SPDX-License-Identifier: GPL-2.0

//! The ordinary packet, which is nearly every one: TCP or UDP from a node to a node of its own network behind
//! another host, which takes the fast form and which the network's rules allow.
//!
//! All that [`tx`](crate::tx) and [`rx`](crate::rx) would hold such a packet against is asked here, in one
//! straight line; they would send or deliver it likewise. Whatever is not ordinary is left to them, untouched:
//! they alone decide what is dropped, and why.

use crate::{
    hold::{Away, Place},
    host::{key, Host, Mapping},
    net::{
        bindings::OVNET_FORM_FAST,
        device::{Device, DeviceRef},
        rcu::Rcu,
        route::Route,
        skb::{Flow, Skb},
        trace,
    },
    policy::{self, Direction},
    port::{Attachment, Port},
};
use core::net::Ipv4Addr;
use ovnet_engine::{
    fast::{Fidelity, GROWTH},
    header::{IPV4_LEN, IPV6_LEN},
    ordinary::{self, Frame, Packet, Transport, BEFORE, FRAME_HEAD},
    policy::Subject,
    DropReason, Vni,
};

/// Where an ordinary frame of a node goes.
struct Outbound<'a> {
    own: &'a Attachment,
    away: &'a Away,
    route: Route<'a>,
    transport: Transport,
    /// Bytes of the IPv4 packet.
    len: u32,
    /// The sender and the receiver.
    nodes: (Ipv4Addr, Ipv4Addr),
}

/// Sends a frame of the node behind `port` if it is ordinary. Gives it back if not.
#[inline(always)]
pub(crate) fn transmit(
    port: &Port,
    device: &Device,
    host: &Host,
    mut frame: Skb,
    rcu: Rcu<'_>,
) -> Option<Skb> {
    let Some(out) = outbound(port, host, &frame, rcu) else {
        return Some(frame);
    };
    let Outbound { own, away, .. } = &out;
    let flow = || Flow {
        form: OVNET_FORM_FAST,
        ..Flow::new(own.network.vni, out.nodes.0, out.nodes.1)
    };
    if let Err(reason) = out.translate(&mut frame) {
        frame.flow = flow();
        device.count_tx_dropped();
        host.drop_packet(frame, reason);
        return None;
    }
    host.count_sent(device, port, own, &away.remote, out.len.into());
    trace::tx_of(&frame, device, flow);
    frame.send(host.net(), out.route, device);
    None
}

#[inline(always)]
fn outbound<'a>(
    port: &'a Port,
    host: &'a Host,
    packet: &Skb,
    rcu: Rcu<'a>,
) -> Option<Outbound<'a>> {
    let frame = Frame::new(packet.peek::<FRAME_HEAD>()?, packet.len())?;
    let own = port.attachment(rcu)?;
    let network = &*own.network;
    let (src, dst) = (frame.src(), frame.dst());
    if !own.may_send()
        || own.identity.mac != frame.mac_src()
        || own.identity.address != src
        || network.fidelity() != Fidelity::Semantic
        || frame.mac_dst().is_multicast()
        || dst.is_multicast()
        || dst.is_broadcast()
    {
        return None;
    }
    let mapping = host.mapping(network.vni, dst, rcu)?;
    let Place::Remote(away) = &mapping.place else {
        return None;
    };
    if mapping.mac != frame.mac_dst() || away.path.to().vni() != network.vni.get() {
        return None;
    }
    let (transport, payload_len) = (frame.transport, frame.payload_len);
    if !packet.has_linear(FRAME_HEAD.wrapping_add(transport.touched())) {
        return None;
    }
    let largest = largest(packet, FRAME_HEAD, transport, payload_len)?;
    let route = away.remote.routes.cached(rcu)?;
    if largest.wrapping_add(GROWTH as u32) > away.remote.mtu(&route) {
        return None;
    }
    // Last, since a rule that allows a packet has counted it.
    let allows = policy::allows(
        network,
        Direction::Out,
        u32::from(payload_len).wrapping_add(IPV4_LEN as u32),
        || {
            subject(
                packet,
                FRAME_HEAD,
                transport,
                (src, dst),
                largest,
                network.vni,
            )
        },
        rcu,
    );
    if !allows {
        return None;
    }
    own.touch();
    mapping.expiry.touch();
    Some(Outbound {
        own,
        away,
        route,
        transport,
        len: u32::from(payload_len).wrapping_add(IPV4_LEN as u32),
        nodes: (src, dst),
    })
}

impl Outbound<'_> {
    /// Puts the IPv6 header in the place of both headers.
    #[inline(always)]
    fn translate(&self, frame: &mut Skb) -> Result<(), DropReason> {
        let (checksum, entropy) = frame.l4(FRAME_HEAD as u16);
        let path = &self.away.path;
        frame
            .open(
                BEFORE as u32,
                self.route.headroom(),
                FRAME_HEAD.wrapping_add(self.transport.touched()),
            )
            .and_then(|buf| ordinary::to_ipv6(buf, self.transport, path, entropy as u16, checksum))
            .ok_or(DropReason::NoMemory)?;
        frame.segment_as_ipv6().map_err(|_| DropReason::Offload)?;
        frame.is_ipv6();
        Ok(())
    }
}

/// Where an ordinary packet goes.
struct Inbound<'a> {
    to: &'a DeviceRef<Port>,
    node: &'a Attachment,
    source: &'a Mapping,
    away: &'a Away,
    transport: Transport,
    /// Bytes of the IPv4 packet.
    len: u32,
    /// The sender and the receiver.
    nodes: (Ipv4Addr, Ipv4Addr),
}

/// Delivers a packet that the substrate brought if it is ordinary. Gives it back if not.
#[inline(always)]
pub(crate) fn receive(host: &Host, mut packet: Skb, rcu: Rcu<'_>) -> Option<Skb> {
    let Some(into) = inbound(host, &packet, rcu) else {
        return Some(packet);
    };
    let Inbound { to, node, .. } = &into;
    let flow = || Flow {
        form: OVNET_FORM_FAST,
        ..Flow::new(node.network.vni, into.nodes.0, into.nodes.1)
    };
    if let Err(reason) = into.translate(&mut packet) {
        packet.flow = flow();
        host.drop_packet(packet, reason);
        return None;
    }
    host.count_received(to.driver(), node, &into.away.remote, into.len.into());
    trace::rx_of(&packet, to, flow);
    packet.receive(to);
    None
}

#[inline(always)]
fn inbound<'a>(host: &'a Host, packet: &Skb, rcu: Rcu<'a>) -> Option<Inbound<'a>> {
    let ip = Packet::new(packet.peek::<IPV6_LEN>()?, packet.len())?;
    if !packet.has_linear(IPV6_LEN.wrapping_add(ip.transport.touched())) {
        return None;
    }
    let Place::Local(to) = &host.mappings().get(ip.to, rcu)?.place else {
        return None;
    };
    // RX2
    let source = host.mappings().get(ip.from, rcu)?;
    let Place::Remote(away) = &source.place else {
        return None;
    };
    if !ip.is_from(away.path.to().octets()) {
        return None;
    }
    let node = to.driver().attachment(rcu)?;
    let network = &*node.network;
    let dst = Ipv4Addr::from_bits(ip.to as u32);
    if ip.to != key(network.vni, dst) || !to.is_up() {
        return None;
    }
    let largest = largest(packet, IPV6_LEN, ip.transport, ip.payload_len)?;
    if largest > to.mtu() {
        return None;
    }
    let nodes = (Ipv4Addr::from_bits(ip.from as u32), dst);
    let len = u32::from(ip.payload_len).wrapping_add(IPV4_LEN as u32);
    // Last, as above.
    let allows = policy::allows(
        network,
        Direction::In,
        len,
        || subject(packet, IPV6_LEN, ip.transport, nodes, largest, network.vni),
        rcu,
    );
    if !allows {
        return None;
    }
    source.expiry.touch();
    Some(Inbound {
        to,
        node,
        source,
        away,
        transport: ip.transport,
        len,
        nodes,
    })
}

impl Inbound<'_> {
    /// Puts the headers of the frame in the place of the IPv6 header.
    #[inline(always)]
    fn translate(&self, packet: &mut Skb) -> Result<(), DropReason> {
        let checksum = packet.l4_checksum(IPV6_LEN as u16);
        // The path is the one back; what it adds to a checksum is the same both ways.
        let path = &self.away.path;
        let macs = (self.source.mac, self.node.identity.mac);
        packet
            .open(0, 0, IPV6_LEN.wrapping_add(self.transport.touched()))
            .and_then(|buf| ordinary::to_frame(buf, self.transport, path, macs, checksum))
            .ok_or(DropReason::NoMemory)?;
        packet.segment_as_ipv4().map_err(|_| DropReason::Offload)?;
        if packet.becomes_frame(BEFORE as u32) {
            Ok(())
        } else {
            Err(DropReason::Malformed)
        }
    }
}

/// What a rule sees of a packet whose transport header is at `at`.
#[inline(always)]
fn subject(
    packet: &Skb,
    at: usize,
    transport: Transport,
    nodes: (Ipv4Addr, Ipv4Addr),
    largest: u32,
    network: Vni,
) -> Option<Subject> {
    let ports = packet.ports(at)?;
    let len = u16::try_from(largest).ok()?;
    Some(ordinary::subject(transport, nodes, ports, len, network))
}

/// Bytes of the largest IPv4 packet that the packet stands for; `len` are those behind its IP header, whose
/// end is at `at`.
#[inline(always)]
fn largest(packet: &Skb, at: usize, transport: Transport, len: u16) -> Option<u32> {
    let behind = match (packet.segment_size(), transport) {
        (0, _) => u32::from(len),
        (size, Transport::Tcp) if !packet.is_chained() => {
            u32::from(size).wrapping_add(packet.tcp_header_len(at)?)
        }
        _ => return None,
    };
    Some(behind.wrapping_add(IPV4_LEN as u32))
}
