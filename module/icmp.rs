// SPDX-License-Identifier: GPL-2.0

//! What routers of the substrate report about a node's packets: the node is told as a router of its own
//! network would (RX5, TX10), and the path's MTU is kept. Softirq context, an RCU reader.

use crate::{
    host::Host,
    net::{
        bindings::OVNET_TRACE_VERDICT_DELIVERED,
        device::DeviceRef,
        rcu::Rcu,
        skb::{fresh_id, Flow, Skb},
    },
    observer::{Observer, Step},
    port::Port,
    stats::Count,
};
use core::net::Ipv4Addr;
use ovnet_engine::{
    fast,
    header::{Ethernet, ETHERTYPE_IPV4},
    substrate, DropReason,
};

/// No error is longer (RFC 4443 §2.4 c).
const LONGEST: u32 = 1280;

/// The most that a node is quoted (RFC 1812 §4.3.2.3).
const QUOTED: usize = 576;

const ICMP: u8 = 1;

/// The type "destination unreachable", and its codes "fragmentation needed" and "communication
/// administratively prohibited" (RFC 792, RFC 1812 §5.2.7.1).
pub(crate) const UNREACHABLE: u8 = 3;
pub(crate) const TOO_BIG: u8 = 4;
pub(crate) const PROHIBITED: u8 = 13;

/// Takes an ICMPv6 message to an address of a node.
pub(crate) fn receive(host: &Host, mut packet: Skb, watch: impl Observer, rcu: Rcu<'_>) {
    match report(host, &mut packet, watch, rcu) {
        Ok((node, error)) => {
            watch.leave(OVNET_TRACE_VERDICT_DELIVERED, error, |error| {
                host.stats().add(Count::IcmpErrors, 1);
                error.deliver(node);
            });
            packet.consume();
        }
        Err(reason) => watch.discard(host, packet, reason),
    }
}

/// The frame with the error for the node that sent what it is about.
fn report<'a>(
    host: &'a Host,
    packet: &mut Skb,
    watch: impl Observer,
    rcu: Rcu<'a>,
) -> Result<(&'a DeviceRef<Port>, Skb), DropReason> {
    let len = packet.len().min(LONGEST) as usize;
    let message = packet.head(len).ok_or(DropReason::Malformed)?;
    let mut frame = [0; Ethernet::LEN + QUOTED];
    let (header, error) = frame
        .split_first_chunk_mut::<{ Ethernet::LEN }>()
        .ok_or(DropReason::Malformed)?;
    let any = Ipv4Addr::UNSPECIFIED;
    let id = watch.id(|| fresh_id(host.net(), any, any, ICMP, 1));
    let report = substrate::report(message, None, id, error)?;

    // Anybody can write an error: it must be about what a node of this host may have sent.
    fast::check_form(&report.src, &report.src)?;
    let vni = report.src.network().ok_or(DropReason::SubstrateIcmp)?;
    packet.flow = Flow::new(vni, report.dst.node, report.src.node);
    watch.step(|| Step::IcmpError(vni, report.src.node, report.dst.node, report.mtu));
    let node = host.mapping(vni, report.src.node, rcu);
    let peer = host.mapping(vni, report.dst.node, rcu);
    watch.step(|| Step::Source(&report.src, node));
    watch.step(|| Step::Destination(vni, report.dst.node, peer));
    let (Some(node), Some(peer)) = (node, peer) else {
        return Err(DropReason::SubstrateIcmp);
    };
    let (Some(port), Some(away)) = (node.place.port(), peer.place.away()) else {
        return Err(DropReason::SubstrateIcmp);
    };
    if host.locator() != Some(report.src.locator)
        || away.path.to().address(report.dst.node) != report.dst.encode()
    {
        return Err(DropReason::SubstrateIcmp);
    }
    // Last, so that a flood of what is refused above leaves room for what counts.
    if !watch.admits(&host.limits().icmp) {
        return Err(DropReason::SubstrateIcmp);
    }
    if let Some(mtu) = report.mtu {
        watch.act(|| away.remote.learn_mtu(mtu));
    }
    let own = port
        .driver()
        .attachment(rcu)
        .ok_or_else(|| port.driver().why_detached(rcu))?;
    watch.step(|| Step::Delivery(port));
    if !port.is_up() {
        return Err(DropReason::PortDown);
    }
    *header = Ethernet {
        dst: own.identity.mac,
        src: peer.mac,
        ethertype: ETHERTYPE_IPV4,
    }
    .bytes();
    let bytes = frame
        .get(..report.len.wrapping_add(Ethernet::LEN))
        .ok_or(DropReason::Malformed)?;
    let error = Skb::new(port, bytes).ok_or(DropReason::NoMemory)?;
    Ok((port, error))
}
