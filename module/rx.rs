// SPDX-License-Identifier: GPL-2.0

//! What the substrate brings: from the hook on received IPv6 packets to a port. Softirq context, an RCU
//! reader.
//!
//! ```text
//! packet to the host's locator -> destination: a port here? -> source: where it claims to be?
//!                              -> translate or unwrap -> deliver
//!                              -> it has moved on: forward to where it is
//!                              -> on its way, or its source unknown: wait
//!        an ICMPv6 error       -> see `icmp`
//! ```

use crate::{
    express,
    external::{self, External},
    hold::{Away, Way},
    host::{slot_key, Host, Remote},
    icmp,
    misses::Asker,
    net::{
        bindings::*,
        device::DeviceRef,
        hook::Receiver,
        queue::{Side, Turn},
        rcu::Rcu,
        route::Route,
        skb::{fresh_id, Flow, Skb},
    },
    observer::{Live, Observer, Step},
    port::Port,
    stats::Count,
    tx::{self, Sender, Wait},
};
use core::net::Ipv4Addr;
use kernel::sync::atomic::Relaxed;
use ovnet_engine::{
    escape,
    fast::{self, Path},
    header::{Ipv6, IPV4_LEN, IPV6_LEN},
    DropReason, SubstrateAddress, SubstratePrefix, Vni,
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

    /// What the device chained together (`rx-gro-list`) is received one by one.
    #[inline]
    fn receive(&self, packet: Skb, rcu: Rcu<'_>) {
        let Some(packet) = express::receive(self, packet, rcu) else {
            return;
        };
        let apart = packet.apart(|packet| receive(self, packet, Turn::New, Live, rcu));
        if let Err((packet, reason)) = apart {
            self.drop_packet(packet, reason);
        }
    }
}

/// What becomes of a packet that is not dropped. It has been made ready for it.
enum Verdict<'a> {
    /// To a port, from a remote host: a frame with an IPv4 packet of so many bytes.
    Deliver(&'a DeviceRef<Port>, Option<&'a Remote>, u64),
    /// To a port, from a machine that knows nothing of the overlay.
    External(Vni, &'a External, &'a DeviceRef<Port>),
    /// To the host where the node is by now (MV4).
    Forward(Route<'a>),
    /// Until what it needs is known.
    Wait(Wait<'a>),
}

/// How often a packet is looked at again because what it was to wait for has come just then.
const LOOKS: u32 = 4;

/// Takes a packet from the substrate; it starts with its IPv6 header.
pub(crate) fn receive(
    host: &Host,
    mut packet: Skb,
    turn: Turn,
    watch: impl Observer,
    rcu: Rcu<'_>,
) {
    for _ in 0..LOOKS {
        let available = packet.len();
        let ip = match packet
            .head(IPV6_LEN)
            .ok_or(DropReason::Malformed)
            .and_then(|head| Ipv6::parse(head, available))
        {
            Ok(ip) => ip,
            Err(reason) => return watch.discard(host, packet, reason),
        };
        // From routers, whose addresses have no form to check, more often than from hosts.
        if ip.next_header == fast::ICMPV6 && !is_external(host, &ip, &mut packet, rcu) {
            return icmp::receive(host, packet, watch, rcu);
        }
        let again = match accept(host, &ip, &mut packet, turn, watch, rcu) {
            Ok(Verdict::Deliver(port, remote, len)) => {
                return watch.leave(OVNET_TRACE_VERDICT_DELIVERED, packet, |packet| {
                    host.count_rx(&packet, port, port.driver(), remote, len, rcu);
                    packet.receive(port);
                });
            }
            Ok(Verdict::Forward(route)) => {
                return watch.leave(OVNET_TRACE_VERDICT_FORWARDED, packet, |packet| {
                    host.stats().add(Count::Forwarded, 1);
                    packet.forward(host.net(), route);
                });
            }
            Ok(Verdict::External(vni, external, port)) => {
                return external::receive(host, vni, (external, port), packet, watch, rcu);
            }
            Ok(Verdict::Wait(Wait::Node(queue))) => host.wait(packet, Side::Received, queue, watch),
            Ok(Verdict::Wait(Wait::Mapping(vni, address, gen))) => {
                let asker = Asker::Substrate(SubstrateAddress::decode(&ip.src).locator);
                host.miss(packet, (vni, address, gen), &asker, watch, rcu)
            }
            Err(reason) => return watch.discard(host, packet, reason),
        };
        match again {
            Some(same) => packet = same,
            None => return,
        }
    }
    watch.discard(host, packet, DropReason::ParkedOverflow);
}

/// Whether an ICMPv6 message is from, or about, a machine that knows nothing of the overlay.
fn is_external(host: &Host, ip: &Ipv6, packet: &mut Skb, rcu: Rcu<'_>) -> bool {
    host.externals().len() > 0
        && SubstrateAddress::decode(&ip.dst)
            .network()
            .and_then(|vni| external::concerned(host, vni, ip, packet, rcu))
            .is_some()
}

/// Decides where the packet goes and makes it ready for that.
fn accept<'a>(
    host: &'a Host,
    ip: &Ipv6,
    packet: &mut Skb,
    turn: Turn,
    watch: impl Observer,
    rcu: Rcu<'a>,
) -> Result<Verdict<'a>, DropReason> {
    let src = SubstrateAddress::decode(&ip.src);
    let dst = SubstrateAddress::decode(&ip.dst);
    // What comes from elsewhere than a host of the overlay has an address of any form.
    let vni = dst.network().ok_or(DropReason::AddressForm)?;
    packet.flow = Flow::new(vni, src.node, dst.node);

    // RX1
    let way = if dst.is_plain() {
        let mapping = host.mapping(vni, dst.node, rcu);
        watch.step(|| Step::Destination(vni, dst.node, mapping));
        mapping.map_or(Way::Nowhere, |mapping| mapping.place.for_arrival(turn))
    } else {
        watch.step(|| Step::Slot(vni, dst.slot));
        to_slot(host, vni, &dst, rcu)?
    };
    if matches!(way, Way::Nowhere) {
        return Err(match host.networks().get(vni.get().into(), rcu) {
            _ if src.vni != dst.vni => DropReason::NetworkMismatch,
            Some(_) => DropReason::NotHere,
            None => DropReason::UnknownNetwork,
        });
    }
    // RX2: the source must be where the mapping says, or anybody could pose as the node. The path is the one
    // back; what it adds to a checksum is the same both ways.
    let source = src
        .is_plain()
        .then(|| host.mapping(vni, src.node, rcu))
        .flatten();
    watch.step(|| Step::Source(&src, source));
    let claimed = SubstratePrefix::of(&ip.src);
    let known = source.and_then(|mapping| Some((mapping, mapping.path_from(claimed)?)));
    let (source, (path, mac)) = match known {
        Some(known) => known,
        None => {
            if let Some(external) = external::concerned(host, vni, ip, packet, rcu) {
                return match way {
                    Way::Port(to) => Ok(Verdict::External(vni, external, to)),
                    Way::Wait(queue) => Ok(Verdict::Wait(Wait::Node(queue))),
                    Way::Host(away) => {
                        let route = forward(host, away, ip, packet, watch, rcu)?;
                        Ok(Verdict::Forward(route))
                    }
                    Way::External(_) | Way::Nowhere => Err(DropReason::NotHere),
                };
            }
            fast::check_form(&src, &src)?;
            let gen = source.map_or(0, |mapping| mapping.gen);
            return match turn {
                // This host may not have heard yet that the node is somewhere else.
                Turn::New if host.has_resolver() => {
                    Ok(Verdict::Wait(Wait::Mapping(vni, src.node, gen)))
                }
                _ if src.vni != vni.get() => Err(DropReason::NetworkMismatch),
                _ if source.is_some_and(|mapping| mapping.place.is_known()) => {
                    watch.report(OVNET_EVENT_KIND_FORGED, || {
                        host.report_forged(vni, src.node, src.locator);
                    });
                    Err(DropReason::ForgedSource)
                }
                Turn::New => Ok(Verdict::Wait(Wait::Mapping(vni, src.node, gen))),
                Turn::Waited => Err(DropReason::UnknownSource),
            };
        }
    };

    let to = match way {
        Way::Port(to) => to,
        Way::Wait(queue) => return Ok(Verdict::Wait(Wait::Node(queue))),
        Way::Host(away) => {
            let route = forward(host, away, ip, packet, watch, rcu)?;
            watch.report(OVNET_EVENT_KIND_STALE, || {
                host.report_stale(vni, dst.node, src.locator);
            });
            return Ok(Verdict::Forward(route));
        }
        Way::External(_) | Way::Nowhere => return Err(DropReason::NotHere),
    };
    watch.act(|| source.expiry.touch());
    if !packet.trim(IPV6_LEN as u32 + u32::from(ip.payload_len)) {
        return Err(DropReason::NoMemory);
    }
    let len = match ip.next_header {
        escape::IPV4 => {
            watch.step(|| Step::Form(OVNET_FORM_ESCAPE));
            packet.flow.form = OVNET_FORM_ESCAPE;
            unwrap(ip, packet)?
        }
        _ => {
            watch.step(|| Step::Form(OVNET_FORM_FAST));
            packet.flow.form = OVNET_FORM_FAST;
            translate((host, vni), ip, &path, packet, watch, rcu)?
        }
    };
    let sender = Sender {
        mac,
        vni: src.network().unwrap_or(vni),
        here: false,
    };
    tx::frame_for(host, &sender, to, packet, watch, rcu)?;
    // What a node has sent before it moved comes from a host that may not be known any more.
    let remote = source.place.sends_from().map(|away| &*away.remote);
    let remote = remote.filter(|remote| remote.locator == src.locator);
    Ok(Verdict::Deliver(to, remote, len.into()))
}

/// The way of a packet for the port in a slot (AD3).
fn to_slot<'a>(
    host: &'a Host,
    vni: Vni,
    dst: &SubstrateAddress,
    rcu: Rcu<'a>,
) -> Result<Way<'a>, DropReason> {
    if !dst.by_slot || dst.slot == 0 || dst.group {
        return Err(DropReason::AddressForm);
    }
    let port = host.slots().get(slot_key(vni, dst.slot), rcu);
    Ok(port.map_or(Way::Nowhere, Way::Port))
}

/// Makes the packet one for the host where its node is by now.
fn forward<'a>(
    host: &Host,
    away: &Away,
    ip: &Ipv6,
    packet: &mut Skb,
    watch: impl Observer,
    rcu: Rcu<'a>,
) -> Result<Route<'a>, DropReason> {
    let Away { remote, path } = away;
    let (from, to) = (path.from().address(Ipv4Addr::from_bits(0)), {
        path.to().address(node_of(&ip.dst))
    });
    let route = remote.routes.route(host.net(), &from, &to, rcu);
    watch.step(|| Step::Route(Some(remote.locator), to, route.as_ref()));
    let route = route.ok_or(DropReason::NoRoute)?;
    watch.step(|| Step::Size(packet.len(), remote.mtu(&route)));
    if !packet.fits(remote.mtu(&route)) {
        return Err(DropReason::TooBig);
    }
    let checksum = packet.l4_checksum(IPV6_LEN as u16);
    let head = packet
        .open(
            0,
            route.headroom(),
            fast::head_len(ip.next_header, ip.payload_len),
        )
        .ok_or(DropReason::NoMemory)?;
    fast::redirect(head, ip, path.to(), checksum)?;
    packet.is_ipv6();
    Ok(route)
}

/// Restores the IPv4 header from the fast form; says how long the packet is.
#[inline(always)]
fn translate(
    (host, vni): (&Host, Vni),
    ip: &Ipv6,
    path: &Path,
    packet: &mut Skb,
    watch: impl Observer,
    rcu: Rcu<'_>,
) -> Result<u16, DropReason> {
    let id = if fast::df(ip) {
        0
    } else {
        let (src, dst) = (node_of(&ip.src), node_of(&ip.dst));
        watch.id(|| fresh_id(host.net(), src, dst, ip.next_header, packet.segments()))
    };
    let ttl = if fast::scrubbed(ip) {
        watch.act(|| host.stats().add(Count::LabelsCleared, 1));
        default_ttl(host, vni, rcu)
    } else {
        0
    };
    let checksum = packet.l4_checksum(IPV6_LEN as u16);
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

/// The TTL of packets whose flow label the substrate cleared.
fn default_ttl(host: &Host, vni: Vni, rcu: Rcu<'_>) -> u8 {
    host.networks()
        .get(vni.get().into(), rcu)
        .map_or(0, |network| network.ttl.load(Relaxed) as u8)
}
