// SPDX-License-Identifier: GPL-2.0

//! What the substrate brings: from the hook on received IPv6 packets to a port. Softirq context, an RCU
//! reader.
//!
//! ```text
//! packet to the host's locator -> destination: a port here? -> source: where it claims to be?
//!                              -> translate or unwrap -> deliver
//!        an ICMPv6 error       -> see `icmp`
//! ```

use crate::{
    host::{Host, Place, Remote},
    icmp,
    net::{
        device::DeviceRef,
        hook::Receiver,
        rcu::Rcu,
        skb::{fresh_id, Flow, Skb, OVNET_FORM_ESCAPE, OVNET_FORM_FAST},
    },
    port::Port,
    stats::Count,
    tx,
};
use core::net::Ipv4Addr;
use kernel::sync::atomic::Relaxed;
use ovnet_engine::{
    escape,
    fast::{self, Path},
    header::{Ipv6, IPV4_LEN, IPV6_LEN},
    DropReason, SubstrateAddress, Vni,
};

impl Receiver for Host {
    /// Addresses under the host's locator are nodes', but for those with VNI 0: they are the host's own.
    #[inline]
    fn claims(&self, destination: &[u8; 16]) -> bool {
        let &[a, b, c, d, e, f, g, h, _, v0, v1, v2, ..] = destination;
        let locator = self.locator_bits();
        u64::from_be_bytes([a, b, c, d, e, f, g, h]) == locator
            && locator != 0
            && [v0, v1, v2] != [0; 3]
    }

    fn receive(&self, mut packet: Skb, rcu: Rcu<'_>) {
        let available = packet.len();
        let ip = match packet
            .head(IPV6_LEN)
            .ok_or(DropReason::Malformed)
            .and_then(|head| Ipv6::parse(head, available))
        {
            Ok(ip) => ip,
            Err(reason) => return self.drop_packet(packet, reason),
        };
        // From routers, whose addresses have no form to check, more often than from hosts.
        if ip.next_header == fast::ICMPV6 {
            return icmp::receive(self, packet, rcu);
        }
        match accept(self, &ip, &mut packet, rcu) {
            Ok((port, remote, len)) => {
                self.count_rx(&packet, port, port.driver(), remote, len, rcu);
                packet.deliver(port);
            }
            Err(reason) => self.drop_packet(packet, reason),
        }
    }
}

/// Makes the packet a frame for its port; says which that is, which remote host it is from, and how long
/// the IPv4 packet is.
fn accept<'a>(
    host: &'a Host,
    ip: &Ipv6,
    packet: &mut Skb,
    rcu: Rcu<'a>,
) -> Result<(&'a DeviceRef<Port>, &'a Remote, u64), DropReason> {
    let src = SubstrateAddress::decode(&ip.src);
    let dst = SubstrateAddress::decode(&ip.dst);
    fast::check_arrival(&src, &dst)?;
    let vni = dst.network().ok_or(DropReason::AddressForm)?;
    packet.flow = Flow::new(vni, src.node, dst.node);

    let to = destination(host, vni, &dst, rcu)?;
    let source = host.mapping(vni, src.node, rcu);
    // The path is the one back; what it adds to a checksum is the same both ways.
    let (from, remote, path) = match source.map(|mapping| (mapping.mac, &mapping.place)) {
        // RX2: the source must be where the mapping says, or anybody could pose as the node.
        Some((mac, Place::Remote(remote, path))) if remote.locator == src.locator => {
            (mac, remote, path)
        }
        Some((_, Place::Remote(..) | Place::Local(_))) => {
            host.report_forged(vni, src.node, src.locator);
            return Err(DropReason::ForgedSource);
        }
        Some((_, Place::Deleted)) | None => {
            host.report_miss(vni, src.node, None);
            return Err(DropReason::UnknownSource);
        }
    };

    if !packet.trim(IPV6_LEN as u32 + u32::from(ip.payload_len)) {
        return Err(DropReason::NoMemory);
    }
    let len = match ip.next_header {
        escape::IPV4 => {
            packet.flow.form = OVNET_FORM_ESCAPE;
            unwrap(ip, packet)?
        }
        _ => {
            packet.flow.form = OVNET_FORM_FAST;
            translate(host, vni, ip, path, packet, rcu)?
        }
    };
    tx::frame_for(from, to, packet, rcu)?;
    Ok((to, remote, len.into()))
}

/// Restores the IPv4 header from the fast form; says how long the packet is.
fn translate(
    host: &Host,
    vni: Vni,
    ip: &Ipv6,
    path: &Path,
    packet: &mut Skb,
    rcu: Rcu<'_>,
) -> Result<u16, DropReason> {
    let id = if fast::df(ip) {
        0
    } else {
        let (src, dst) = (node_of(&ip.src), node_of(&ip.dst));
        fresh_id(host.net(), src, dst, ip.next_header, packet.segments())
    };
    let ttl = if fast::scrubbed(ip) {
        host.stats().add(Count::LabelsCleared, 1);
        default_ttl(host, vni, rcu)
    } else {
        0
    };
    let checksum = packet.l4_checksum(IPV6_LEN as i32);
    let head = packet
        .head_mut(fast::head_len(ip.next_header, ip.payload_len))
        .ok_or(DropReason::NoMemory)?;
    let restored = fast::to_ipv4(head, ip, path, ttl, id, checksum)?;
    packet.segment_as_ipv4().map_err(|_| DropReason::Offload)?;
    if !packet.pull(fast::GROWTH as u32) {
        return Err(DropReason::Malformed);
    }
    packet.is_ipv4(IPV4_LEN as u8);
    Ok(restored.total_len)
}

/// Takes the IPv4 packet out of the escape form; says how long it is.
fn unwrap(outer: &Ipv6, packet: &mut Skb) -> Result<u16, DropReason> {
    if !packet.pull(escape::GROWTH as u32) {
        return Err(DropReason::Malformed);
    }
    let ip = escape::ipv4(outer, tx::ipv4_head(packet)?)?;
    if !packet.decapsulate() {
        return Err(DropReason::NoMemory);
    }
    packet
        .segments_are_ipv4()
        .map_err(|_| DropReason::Offload)?;
    packet.is_ipv4(ip.header_len);
    Ok(ip.total_len)
}

/// The virtual address in a substrate address.
fn node_of(address: &[u8; 16]) -> Ipv4Addr {
    SubstrateAddress::decode(address).node
}

/// The port of the destination (RX1).
fn destination<'a>(
    host: &'a Host,
    vni: Vni,
    dst: &SubstrateAddress,
    rcu: Rcu<'a>,
) -> Result<&'a DeviceRef<Port>, DropReason> {
    match host
        .mapping(vni, dst.node, rcu)
        .map(|mapping| &mapping.place)
    {
        Some(Place::Local(port)) => Ok(port),
        _ if host.networks().get(vni.get().into(), rcu).is_none() => {
            Err(DropReason::UnknownNetwork)
        }
        _ => Err(DropReason::NotHere),
    }
}

/// The TTL of packets whose flow label the substrate cleared.
fn default_ttl(host: &Host, vni: Vni, rcu: Rcu<'_>) -> u8 {
    host.networks()
        .get(vni.get().into(), rcu)
        .map_or(0, |network| network.ttl.load(Relaxed) as u8)
}
