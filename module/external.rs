// SPDX-License-Identifier: GPL-2.0

//! Machines on the substrate that know nothing of the overlay (UN1, UN2). In its network an address stands for
//! such a machine; packets to and from it are in the standard form: RFC 7915, and nothing else. Softirq
//! context, an RCU reader.

use crate::{
    host::{Host, Network},
    net::{
        bindings::{OVNET_FORM_STANDARD, OVNET_TRACE_VERDICT_DELIVERED},
        device::{Device, DeviceRef},
        rcu::Rcu,
        route::{Route, RouteCache},
        skb::{fresh_id, Flow, Skb},
    },
    observer::{Observer, Step},
    port::Port,
    stats::Count,
    tx::{self, Sender},
};
use core::net::Ipv4Addr;
use kernel::{prelude::*, sync::Arc};
use ovnet_engine::{
    fast::ICMPV6,
    header::{Ethernet, Ipv4, Ipv6, ETHERTYPE_IPV4, IPV6_LEN},
    siit::{self, Maps, Siit, Verdict},
    DropReason, Locator, Mac, SubstratePrefix, Vni,
};

/// A machine that knows nothing of the overlay.
pub(crate) struct External {
    /// The network in which an address stands for it.
    pub(crate) vni: Vni,
    /// That address.
    pub(crate) address: Ipv4Addr,
    /// Its own.
    pub(crate) there: [u8; 16],
    /// The MAC that nodes see.
    pub(crate) mac: Mac,
    /// The way there.
    routes: RouteCache,
}

/// The longest ICMP error that is translated, header included: no honest one is longer (RFC 4443 §2.4 c).
const LONGEST_ERROR: u32 = 1500;

/// The key of a machine in the table of externals. Two machines with one key cannot both be there.
pub(crate) fn key(vni: Vni, there: &[u8; 16]) -> u64 {
    let bits = u128::from_be_bytes(*there);
    let high = ((bits >> 64) as u64) ^ u64::from(vni.get());
    let mixed = high.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32) ^ bits as u64;
    mixed.wrapping_mul(0xd6e8_feb8_6659_fd93)
}

impl External {
    /// A machine that nothing was sent to yet.
    pub(crate) fn new(vni: Vni, address: Ipv4Addr, there: [u8; 16], mac: Mac) -> Result<Self> {
        Ok(External {
            vni,
            address,
            there,
            mac,
            routes: RouteCache::new()?,
        })
    }

    /// As who it sends to nodes.
    fn sender(&self) -> Sender {
        Sender {
            mac: self.mac,
            vni: self.vni,
            here: false,
        }
    }
}

impl Host {
    /// The machine with that address, as a network knows it.
    #[inline]
    pub(crate) fn external<'a>(
        &'a self,
        vni: Vni,
        there: &[u8; 16],
        rcu: Rcu<'a>,
    ) -> Option<&'a Arc<External>> {
        self.externals()
            .get(key(vni, there), rcu)
            .filter(|external| external.vni == vni && external.there == *there)
    }
}

/// What stands for what in one network: its own nodes by their substrate addresses, and its externals.
struct Table<'a> {
    host: &'a Host,
    vni: Vni,
    prefix: SubstratePrefix,
    rcu: Rcu<'a>,
}

impl<'a> Table<'a> {
    fn new(host: &'a Host, locator: Locator, vni: Vni, rcu: Rcu<'a>) -> Self {
        let prefix = SubstratePrefix::new(locator, vni);
        Table {
            host,
            vni,
            prefix,
            rcu,
        }
    }
}

impl Maps for Table<'_> {
    fn v4_to_v6(&self, address: Ipv4Addr) -> Option<[u8; 16]> {
        let place = &self.host.mapping(self.vni, address, self.rcu)?.place;
        match (place.external(), place.port()) {
            (Some(external), _) => Some(external.there),
            (None, Some(_)) => Some(self.prefix.address(address)),
            (None, None) => None,
        }
    }

    fn v6_to_v4(&self, address: &[u8; 16]) -> Option<Ipv4Addr> {
        if SubstratePrefix::of(address) == self.prefix {
            let &[.., a, b, c, d] = address;
            return Some(Ipv4Addr::new(a, b, c, d));
        }
        let external = self.host.external(self.vni, address, self.rcu)?;
        Some(external.address)
    }
}

/// Sends what a node of a network says to the machine: an IPv4 packet.
pub(crate) fn send(
    host: &Host,
    device: &Device,
    network: &Network,
    external: &External,
    mut packet: Skb,
    watch: impl Observer,
    rcu: Rcu<'_>,
) {
    let frame_len = packet.len().saturating_add(Ethernet::LEN as u32);
    match outward(host, device, network, external, &mut packet, watch, rcu) {
        Ok(Outcome::Same(route, len)) => {
            watch.act(|| device.count_tx(frame_len));
            packet.flow.form = OVNET_FORM_STANDARD;
            tx::launch(packet, (None, route), len, device, host, watch, rcu);
        }
        Ok(Outcome::Others) => {
            watch.act(|| device.count_tx(frame_len));
            packet.consume();
        }
        Ok(Outcome::Software) => {
            let done =
                packet.finished(|piece| send(host, device, network, external, piece, watch, rcu));
            if let Err((packet, reason)) = done {
                watch.act(|| device.count_tx_dropped());
                watch.discard(host, packet, reason);
            }
        }
        Err(reason) => {
            watch.act(|| device.count_tx_dropped());
            watch.discard(host, packet, reason);
        }
    }
}

/// What became of a packet.
enum Outcome<W> {
    /// It was translated in place: where it goes, and its IPv4 length.
    Same(W, u64),
    /// Others were sent in its stead.
    Others,
    /// What was left to a device must be done first.
    Software,
}

fn outward<'a>(
    host: &Host,
    device: &Device,
    network: &Network,
    external: &External,
    packet: &mut Skb,
    watch: impl Observer,
    rcu: Rcu<'a>,
) -> Result<Outcome<Route<'a>>, DropReason> {
    watch.step(|| Step::External(external));
    watch.step(|| Step::Form(OVNET_FORM_STANDARD));
    let locator = host.locator().ok_or(DropReason::NoRoute)?;
    let maps = Table::new(host, locator, network.vni, rcu);
    let available = packet.len();
    let ip = Ipv4::parse(tx::ipv4_head(packet)?, available)?;
    let len = u64::from(ip.total_len);
    let route = external.routes.route(
        host.net(),
        &maps.prefix.address(ip.src),
        &external.there,
        rcu,
    );
    watch.step(|| Step::Route(None, external.there, route.as_ref()));
    let route = route.ok_or(DropReason::NoRoute)?;
    let siit = Siit {
        mtu6: route.mtu(),
        mtu4: device.mtu(),
        // The machine itself seems to say what this host has to say about a packet to it.
        own4: Some(external.address),
        owner: true,
        ..Siit::default()
    };
    let headroom = route.headroom();
    packet.segment_as_ipv6().map_err(|_| DropReason::Offload)?;
    let verdict = packet
        .viewed(siit::HEADROOM, headroom, 0, |view| {
            siit::to6(view, &siit, &maps)
        })
        .ok_or(DropReason::NoMemory)?;
    match verdict {
        Verdict::Packet(out) => {
            let by = out.start.wrapping_sub(siit::HEADROOM) as isize;
            if !packet.recut(by, out.len) {
                return Err(DropReason::NoMemory);
            }
            packet.is_ipv6_before(out.transport.wrapping_sub(out.start) as u16);
            Ok(Outcome::Same(route, len))
        }
        Verdict::Fragments(pieces) => {
            for piece in pieces {
                let part = (piece.payload, piece.payload_len);
                let mut sent = packet
                    .piece(headroom, piece.header(), siit::HEADROOM, part)
                    .ok_or(DropReason::NoMemory)?;
                sent.is_ipv6_before(piece.header().len() as u16);
                let len = piece.payload_len as u64;
                sent.flow.form = OVNET_FORM_STANDARD;
                tx::launch(sent, (None, route), len, device, host, watch, rcu);
            }
            Ok(Outcome::Others)
        }
        Verdict::Error => {
            let whole = whole_error(packet)?;
            let mut out = [0; siit::MAX_ERROR6];
            let error = siit::error_to6(whole, &siit, &maps, true, &mut out)?;
            let bytes = out.get(..error.len as usize).ok_or(DropReason::Malformed)?;
            let mut sent = packet
                .piece(headroom, bytes, 0, (0, 0))
                .ok_or(DropReason::NoMemory)?;
            sent.is_ipv6();
            sent.flow.form = OVNET_FORM_STANDARD;
            tx::launch(sent, (None, route), len, device, host, watch, rcu);
            Ok(Outcome::Others)
        }
        Verdict::Software => {
            packet.segment_as_ipv4().map_err(|_| DropReason::Offload)?;
            Ok(Outcome::Software)
        }
        Verdict::Reply(reason, reply) => {
            if watch.admits(&host.limits().icmp) {
                let mut out = [0; siit::MAX_ERROR4];
                let own = || fresh_id(host.net(), external.address, ip.src, ip.protocol, 1);
                let quoted = packet.len().min(siit::MAX_ERROR4 as u32) as usize;
                let quoted = packet.head(quoted).ok_or(DropReason::Malformed)?;
                if let Some(len) = reply.write(quoted, &siit, watch.id(own), &mut out) {
                    let bytes = out.get(..len).unwrap_or_default();
                    watch.step(|| replied(bytes, header_len(bytes)));
                    watch.act(|| tell_node(device, external.mac, bytes));
                }
            }
            Err(reason)
        }
        Verdict::Drop(reason) => Err(reason),
    }
}

/// Hands a node the IPv4 packet with these bytes; one that finds no memory is lost.
fn tell_node(device: &Device, from: Mac, message: &[u8]) {
    let mut frame = [0; Ethernet::LEN + siit::MAX_ERROR4];
    let header = Ethernet {
        dst: Mac(device.mac()),
        src: from,
        ethertype: ETHERTYPE_IPV4,
    };
    let header = header.bytes();
    let Some(frame) = frame.get_mut(..header.len().wrapping_add(message.len())) else {
        return;
    };
    let Some((head, body)) = frame.split_at_mut_checked(header.len()) else {
        return;
    };
    head.copy_from_slice(&header);
    body.copy_from_slice(message);
    if let Some(told) = Skb::new(device, frame) {
        told.deliver(device);
    }
}

/// The machine that an ICMPv6 message is from, or about: in the error of a router, what it quotes was sent
/// to the machine.
pub(crate) fn concerned<'a>(
    host: &'a Host,
    vni: Vni,
    ip: &Ipv6,
    packet: &mut Skb,
    rcu: Rcu<'a>,
) -> Option<&'a Arc<External>> {
    if let Some(external) = host.external(vni, &ip.src, rcu) {
        return Some(external);
    }
    if ip.next_header != ICMPV6 {
        return None;
    }
    const QUOTE: usize = IPV6_LEN + 8;
    let head = packet.head(QUOTE + IPV6_LEN)?;
    let is_error = head.get(IPV6_LEN).is_some_and(|&kind| kind < 128);
    let quoted = head.get(QUOTE..)?.get(24..40)?.try_into().ok()?;
    is_error.then(|| host.external(vni, quoted, rcu)).flatten()
}

/// Brings a port what the machine, or a router about packets to it, sends: an IPv6 packet.
pub(crate) fn receive(
    host: &Host,
    vni: Vni,
    (external, port): (&External, &DeviceRef<Port>),
    mut packet: Skb,
    watch: impl Observer,
    rcu: Rcu<'_>,
) {
    match inward(host, vni, (external, port), &mut packet, watch, rcu) {
        Ok(Outcome::Same((), len)) => hand_over(host, port, packet, len, watch, rcu),
        Ok(Outcome::Others) => packet.consume(),
        Ok(Outcome::Software) => {
            let ends = (external, port);
            let done = packet.finished(|piece| receive(host, vni, ends, piece, watch, rcu));
            if let Err((packet, reason)) = done {
                watch.discard(host, packet, reason);
            }
        }
        Err(reason) => watch.discard(host, packet, reason),
    }
}

/// Hands a port the frame with so many bytes of IPv4.
fn hand_over(
    host: &Host,
    port: &DeviceRef<Port>,
    mut packet: Skb,
    len: u64,
    watch: impl Observer,
    rcu: Rcu<'_>,
) {
    packet.flow.form = OVNET_FORM_STANDARD;
    watch.leave(OVNET_TRACE_VERDICT_DELIVERED, packet, |packet| {
        host.count_rx(&packet, port, port.driver(), None, len, rcu);
        packet.receive(port);
    });
}

fn inward(
    host: &Host,
    vni: Vni,
    (external, port): (&External, &DeviceRef<Port>),
    packet: &mut Skb,
    watch: impl Observer,
    rcu: Rcu<'_>,
) -> Result<Outcome<()>, DropReason> {
    watch.step(|| Step::External(external));
    watch.step(|| Step::Form(OVNET_FORM_STANDARD));
    let locator = host.locator().ok_or(DropReason::NotHere)?;
    let maps = Table::new(host, locator, vni, rcu);
    let available = packet.len();
    let ip = Ipv6::parse(
        packet.head(IPV6_LEN).ok_or(DropReason::Malformed)?,
        available,
    )?;
    let siit = Siit {
        mtu4: port.mtu(),
        // What this host says about a packet to a node comes from the node's own address.
        own6: Some(ip.dst),
        // A router without an address in the network speaks for the machine behind it (RFC 6791).
        routers4: &[external.address],
        owner: true,
        ..Siit::default()
    };
    if ip.next_header == ICMPV6 && !watch.admits(&host.limits().icmp) {
        return Err(DropReason::SubstrateIcmp);
    }
    let node = maps.v6_to_v4(&ip.dst).ok_or(DropReason::NotHere)?;
    packet.flow = Flow::new(vni, external.address, node);
    let id = watch.id(|| {
        fresh_id(
            host.net(),
            external.address,
            node,
            ip.next_header,
            packet.segments(),
        )
    });
    let verdict = packet
        .viewed(0, Ethernet::LEN as u32, id, |view| {
            siit::to4(view, &siit, &maps)
        })
        .ok_or(DropReason::NoMemory)?;
    match verdict {
        Verdict::Packet(out) => {
            packet.segment_as_ipv4().map_err(|_| DropReason::Offload)?;
            if !packet.recut(out.start as isize, out.len) {
                return Err(DropReason::NoMemory);
            }
            packet.is_ipv4(out.transport.wrapping_sub(out.start) as u8);
            tx::frame_for(host, &external.sender(), port, packet, watch, rcu)?;
            Ok(Outcome::Same((), out.len.into()))
        }
        Verdict::Fragments(pieces) => {
            for piece in pieces {
                let part = (piece.payload, piece.payload_len);
                let brought = packet
                    .piece(Ethernet::LEN as u32, piece.header(), 0, part)
                    .ok_or(DropReason::NoMemory)?;
                bring(
                    host,
                    (external, port),
                    brought,
                    piece.header().len(),
                    watch,
                    rcu,
                )?;
            }
            Ok(Outcome::Others)
        }
        Verdict::Error => {
            let whole = whole_error(packet)?;
            let mut out = [0; siit::MAX_ERROR4];
            let error = siit::error_to4(whole, &siit, &maps, true, id, &mut out)?;
            let bytes = out.get(..error.len as usize).ok_or(DropReason::Malformed)?;
            let told = packet
                .piece(Ethernet::LEN as u32, bytes, 0, (0, 0))
                .ok_or(DropReason::NoMemory)?;
            watch.act(|| host.stats().add(Count::IcmpErrors, 1));
            bring(host, (external, port), told, header_len(bytes), watch, rcu)?;
            Ok(Outcome::Others)
        }
        Verdict::Software => Ok(Outcome::Software),
        Verdict::Reply(reason, reply) => {
            if watch.admits(&host.limits().icmp) {
                tell_machine((host, external), &ip, &siit, &reply, packet, watch, rcu);
            }
            Err(reason)
        }
        Verdict::Drop(reason) => Err(reason),
    }
}

/// What a sender is told, by the bytes of the packet that tells it and where its ICMP header is.
fn replied(packet: &[u8], header_len: usize) -> Step<'static> {
    let byte = |offset: usize| {
        packet
            .get(header_len.wrapping_add(offset))
            .map_or(0, |&byte| byte)
    };
    Step::Reply(byte(0), byte(1), None)
}

/// Bytes of the IPv4 header that a packet starts with.
fn header_len(packet: &[u8]) -> usize {
    packet
        .first()
        .map_or(0, |first| usize::from(first & 0xf).wrapping_mul(4))
}

/// Delivers an IPv4 packet from the machine.
fn bring(
    host: &Host,
    (external, port): (&External, &DeviceRef<Port>),
    mut packet: Skb,
    header_len: usize,
    watch: impl Observer,
    rcu: Rcu<'_>,
) -> Result<(), DropReason> {
    let len = packet.len();
    packet.is_ipv4(header_len as u8);
    tx::frame_for(host, &external.sender(), port, &mut packet, watch, rcu)?;
    hand_over(host, port, packet, len.into(), watch, rcu);
    Ok(())
}

/// Sends the machine the ICMPv6 error about its packet; one that finds no way is lost.
fn tell_machine(
    (host, external): (&Host, &External),
    ip: &Ipv6,
    siit: &Siit<'_>,
    reply: &siit::Reply,
    packet: &mut Skb,
    watch: impl Observer,
    rcu: Rcu<'_>,
) {
    let Some(route) = external
        .routes
        .route(host.net(), &ip.dst, &external.there, rcu)
    else {
        return;
    };
    let mut out = [0; siit::MAX_ERROR6];
    let quoted = packet.len().min(siit::MAX_ERROR6 as u32) as usize;
    let len = packet
        .head(quoted)
        .and_then(|quoted| reply.write(quoted, siit, 0, &mut out));
    let told = len.and_then(|len| packet.piece(route.headroom(), out.get(..len)?, 0, (0, 0)));
    if let Some(mut told) = told {
        watch.step(|| replied(out.get(..len.unwrap_or(0)).unwrap_or_default(), IPV6_LEN));
        told.is_ipv6();
        if watch.acts() {
            told.forward(host.net(), route);
        } else {
            told.consume();
        }
    }
}

/// The bytes of an ICMP error, all of them.
fn whole_error(packet: &mut Skb) -> Result<&[u8], DropReason> {
    let len = packet.len();
    if len > LONGEST_ERROR {
        return Err(DropReason::IcmpQuote);
    }
    packet.head(len as usize).ok_or(DropReason::Malformed)
}
