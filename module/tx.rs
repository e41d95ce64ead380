// SPDX-License-Identifier: GPL-2.0

//! What a node sends: from its port onto the substrate, to another port of this host, or an ARP answer
//! back to itself. Softirqs are off and this is an RCU reader.
//!
//! ```text
//! frame -> source check -> ARP? answer
//!                       -> IPv4: mapping -> local port: deliver
//!                                        -> remote host: form, route, size, translate or wrap, send
//!                                        -> external machine: see `external`
//!                                        -> on its way, or unknown: wait
//! ```

use crate::{
    external::{self, External},
    hold::{Away, Place, Way, MOVE_ROOM},
    host::{Host, Mapping, Network, Remote},
    misses::Asker,
    net::{
        device::{Device, DeviceRef},
        queue::{Queue, Refused, Side, Turn},
        rcu::Rcu,
        route::Route,
        skb::{Flow, Skb, OVNET_FORM_ESCAPE, OVNET_FORM_FAST, OVNET_FORM_LOCAL},
    },
    policy::{self, Direction, Passage},
    port::{Attachment, Port},
    stats::Count,
};
use core::net::Ipv4Addr;
use ovnet_engine::{
    arp::{self, Arp},
    escape::{self, Carried},
    fast::{self, Form},
    header::{Ethernet, Ipv4, ETHERTYPE_ARP, ETHERTYPE_IPV4, IPV4_LEN},
    DropReason, Identity, Mac, Vni,
};

/// What becomes of a frame that is not dropped. The frame has been made ready for it.
enum Verdict<'a> {
    /// The sender is answered with this frame.
    Answer([u8; arp::FRAME_LEN]),
    /// To a port of this host: an IPv4 packet of so many bytes.
    Deliver(&'a DeviceRef<Port>, u64),
    /// Onto the substrate, to a remote host: a frame of so many bytes, with an IPv4 packet of so many.
    Send(&'a Remote, Route<'a>, u32, u64),
    /// To a remote host, in fragments of so many bytes.
    Fragment(&'a Away, u16),
    /// To a machine that knows nothing of the overlay.
    External(&'a Network, &'a External),
    /// Until what it needs is known.
    Wait(Wait<'a>),
}

/// What a packet waits for.
pub(crate) enum Wait<'a> {
    /// A node on its way.
    Node(&'a Queue),
    /// The mapping of an address, newer than this generation.
    Mapping(Vni, Ipv4Addr, u64),
}

/// How often a packet is looked at again because what it was to wait for has come just then.
const LOOKS: u32 = 4;

/// Takes a frame from the node behind `port`.
pub(crate) fn transmit(
    port: &Port,
    device: &Device,
    host: &Host,
    mut frame: Skb,
    turn: Turn,
    rcu: Rcu<'_>,
) {
    for _ in 0..LOOKS {
        let wait = match decide(port, device, host, &mut frame, turn, rcu) {
            Ok(Verdict::Wait(wait)) => wait,
            verdict => return carry_out(verdict, device, host, frame, rcu),
        };
        let again = match wait {
            Wait::Node(queue) => host.wait(frame, Side::Sent, queue),
            Wait::Mapping(vni, address, gen) => {
                let asker = Asker::Port(device, port.budget());
                host.miss(frame, (vni, address, gen), &asker, rcu)
            }
        };
        match again {
            Some(packet) => frame = packet,
            None => return,
        }
    }
    device.count_tx_dropped();
    host.drop_packet(frame, DropReason::ParkedOverflow);
}

fn carry_out(
    verdict: Result<Verdict<'_>, DropReason>,
    device: &Device,
    host: &Host,
    frame: Skb,
    rcu: Rcu<'_>,
) {
    match verdict {
        Ok(Verdict::Send(remote, route, frame_len, len)) => {
            device.count_tx(frame_len);
            launch(frame, Some(remote), route, len, device, host, rcu);
        }
        Ok(Verdict::Fragment(away, mtu)) => {
            device.count_tx(frame.len().saturating_add(Ethernet::LEN as u32));
            frame.fragment(host.net(), device, mtu, |mut piece| {
                let wrapped = parse(&mut piece)
                    .and_then(|ip| to_substrate(&ip, Form::Escape, away, host, &mut piece, rcu));
                match wrapped {
                    Ok(Verdict::Send(remote, route, _, len)) => {
                        launch(piece, Some(remote), route, len, device, host, rcu);
                    }
                    // The path has become narrower just now.
                    Ok(_) => host.drop_packet(piece, DropReason::TooBig),
                    Err(reason) => host.drop_packet(piece, reason),
                }
            });
        }
        Ok(Verdict::Deliver(to, len)) => {
            device.count_tx(frame.len());
            host.count_local(&frame, device, to, to.driver(), len, rcu);
            frame.deliver(to);
        }
        Ok(Verdict::Answer(bytes)) => match Skb::new(device, &bytes) {
            Some(answer) => {
                device.count_tx(frame.len());
                host.stats().add(Count::ArpReplies, 1);
                answer.deliver(device);
                frame.consume();
            }
            None => host.drop_packet(frame, DropReason::NoMemory),
        },
        Ok(Verdict::External(network, external)) => {
            external::send(host, device, network, external, frame, rcu);
        }
        // Waits are the caller's.
        Ok(Verdict::Wait(_)) => host.drop_packet(frame, DropReason::ParkedOverflow),
        Err(reason) => {
            device.count_tx_dropped();
            host.drop_packet(frame, reason);
        }
    }
}

impl Host {
    /// Lets a packet wait for a node on its way. Gives it back if the node is there.
    pub(crate) fn wait(&self, packet: Skb, side: Side, queue: &Queue) -> Option<Skb> {
        match queue.push(packet, side, self.net(), MOVE_ROOM) {
            Ok(()) => None,
            Err(Refused::Closed(packet)) => Some(packet),
            Err(Refused::Full(packet)) => {
                self.drop_packet(packet, DropReason::ParkedOverflow);
                None
            }
        }
    }
}

/// Sends what has become an IPv6 packet; it stands for `len` bytes of IPv4. To a remote host, or to a machine
/// that knows nothing of the overlay.
pub(crate) fn launch(
    packet: Skb,
    remote: Option<&Remote>,
    route: Route<'_>,
    len: u64,
    device: &Device,
    host: &Host,
    rcu: Rcu<'_>,
) {
    host.count_tx(&packet, device, remote, len, rcu);
    packet.send(host.net(), route, device);
}

fn decide<'a>(
    port: &'a Port,
    device: &Device,
    host: &'a Host,
    frame: &mut Skb,
    turn: Turn,
    rcu: Rcu<'a>,
) -> Result<Verdict<'a>, DropReason> {
    let ethernet = Ethernet::parse(frame.head(Ethernet::LEN).ok_or(DropReason::Malformed)?)?;
    let own = port.attachment(rcu).ok_or(DropReason::PortUnconfigured)?;
    if !own.may_send() {
        return Err(DropReason::PortInactive);
    }
    match ethernet.ethertype {
        ETHERTYPE_IPV4 => ipv4(own, &ethernet, device, host, frame, turn, rcu),
        ETHERTYPE_ARP => arp(own, &ethernet, device, host, frame, turn, rcu),
        _ => Err(match own.identity.admits_mac(ethernet.src) {
            Ok(()) => DropReason::NotIpv4,
            Err(reason) => {
                host.report_spoof(own.network.vni, None, ethernet.src, device);
                reason
            }
        }),
    }
}

/// Answers for the nodes of the network (TX1, TX5), so that no ARP leaves the host.
fn arp<'a>(
    own: &Attachment,
    ethernet: &Ethernet,
    device: &Device,
    host: &Host,
    frame: &mut Skb,
    turn: Turn,
    rcu: Rcu<'_>,
) -> Result<Verdict<'a>, DropReason> {
    let head = frame
        .head(Ethernet::LEN + arp::LEN)
        .ok_or(DropReason::Malformed)?;
    let request = Arp::parse(head.get(Ethernet::LEN..).unwrap_or(&[]))?;
    let vni = own.network.vni;
    frame.flow = Flow::new(vni, request.sender, request.target);
    let sender = Identity {
        mac: own.identity.mac,
        address: own.claim(request.sender).unwrap_or(own.identity.address),
    };
    let asked = arp::question(&request, ethernet.src, &sender).map_err(|reason| match reason {
        DropReason::SpoofMac => {
            host.report_spoof(vni, Some(request.sender), ethernet.src, device);
            reason
        }
        DropReason::SpoofAddress => foreign(own, request.sender, ethernet.src, device, host, rcu),
        _ => reason,
    })?;
    if own.owns(asked) {
        return Err(DropReason::ArpUnanswered);
    }
    match host.mapping(vni, asked, rcu) {
        Some(mapping) if mapping.place.is_known() => {
            let out = passage_out(own, &mapping.place, rcu);
            policy::admits_arp(host, &out, sender.address, asked, rcu)?;
            Ok(Verdict::Answer(arp::reply(&request, mapping.mac)))
        }
        unknown => nowhere(vni, asked, unknown, turn),
    }
}

/// A node uses an address that is not its own (TX8, CH2, CH4).
fn foreign(
    own: &Attachment,
    address: Ipv4Addr,
    mac: Mac,
    device: &Device,
    host: &Host,
    rcu: Rcu<'_>,
) -> DropReason {
    let vni = own.network.vni;
    let owned = host
        .mapping(vni, address, rcu)
        .is_some_and(|mapping| mapping.place.is_known());
    match (own.learns, owned) {
        (true, true) => {
            host.report_claim(vni, address, mac, device);
            DropReason::SpoofAddress
        }
        (true, false) => {
            host.report_new_address(vni, address, mac, device);
            DropReason::NewAddress
        }
        (false, _) => {
            host.report_spoof(vni, Some(address), mac, device);
            DropReason::SpoofAddress
        }
    }
}

/// What becomes of a packet for an address without a mapping, but for a tombstone.
fn nowhere<'a>(
    vni: Vni,
    address: Ipv4Addr,
    tombstone: Option<&Mapping>,
    turn: Turn,
) -> Result<Verdict<'a>, DropReason> {
    match turn {
        Turn::New => {
            let gen = tombstone.map_or(0, |mapping| mapping.gen);
            Ok(Verdict::Wait(Wait::Mapping(vni, address, gen)))
        }
        // It has waited, and this is the answer.
        Turn::Waited => Err(DropReason::NoMapping),
    }
}

fn ipv4<'a>(
    own: &'a Attachment,
    ethernet: &Ethernet,
    device: &Device,
    host: &'a Host,
    frame: &mut Skb,
    turn: Turn,
    rcu: Rcu<'a>,
) -> Result<Verdict<'a>, DropReason> {
    let vni = own.network.vni;
    let frame_len = frame.len();
    if !frame.pull(Ethernet::LEN as u32) {
        return Err(DropReason::Malformed);
    }
    let ip = parse(frame)?;
    frame.flow = Flow::new(vni, ip.src, ip.dst);
    if let Err(reason) = own.identity.admits_mac(ethernet.src) {
        host.report_spoof(vni, Some(ip.src), ethernet.src, device);
        return Err(reason);
    }
    if own.claim(ip.src).is_none() {
        return Err(foreign(own, ip.src, ethernet.src, device, host, rcu));
    }
    if ethernet.dst.is_multicast() || ip.dst.is_multicast() || ip.dst.is_broadcast() {
        return Err(DropReason::Multicast);
    }
    let mapping = host.mapping(vni, ip.dst, rcu);
    let way = mapping.map_or(Way::Nowhere, |mapping| mapping.place.for_sender(turn));
    let mapping = match (mapping, &way) {
        (Some(mapping), Way::Port(_) | Way::Host(_) | Way::External(_)) => mapping,
        (mapping, way) => {
            // What waits is the frame.
            if frame.open(Ethernet::LEN as u32, 0, 0).is_none() {
                return Err(DropReason::NoMemory);
            }
            return match way {
                Way::Wait(queue) => Ok(Verdict::Wait(Wait::Node(queue))),
                _ => nowhere(vni, ip.dst, mapping, turn),
            };
        }
    };
    if mapping.mac != ethernet.dst {
        return Err(DropReason::DestinationMac);
    }
    mapping.expiry.touch();
    // What follows the packet in the frame is padding: Ethernet fills short frames up to 60 bytes.
    if !frame.trim(ip.total_len.into()) {
        return Err(DropReason::NoMemory);
    }
    if !matches!(way, Way::Host(_)) {
        frame.is_ipv4(ip.header_len);
    }
    policy::admits(host, &passage_out(own, &mapping.place, rcu), frame, rcu)?;
    match way {
        Way::Port(to) => {
            let sender = Sender {
                mac: own.mac,
                vni,
                here: true,
            };
            frame_for(host, &sender, to, frame, rcu)?;
            frame.flow.form = OVNET_FORM_LOCAL;
            Ok(Verdict::Deliver(to, ip.total_len.into()))
        }
        Way::Host(away) => {
            let form = fast::form(&ip, own.network.fidelity());
            match to_substrate(&ip, form, away, host, frame, rcu)? {
                Verdict::Send(remote, route, _, len) => {
                    Ok(Verdict::Send(remote, route, frame_len, len))
                }
                other => Ok(other),
            }
        }
        Way::External(external) => Ok(Verdict::External(&own.network, external)),
        Way::Wait(_) | Way::Nowhere => Err(DropReason::NoMapping),
    }
}

/// Parses the IPv4 header, options included.
#[inline(always)]
fn parse(packet: &mut Skb) -> Result<Ipv4, DropReason> {
    let available = packet.len();
    Ipv4::parse(ipv4_head(packet)?, available)
}

/// The IPv4 header that the packet starts with, options included.
#[inline]
pub(crate) fn ipv4_head(packet: &mut Skb) -> Result<&[u8], DropReason> {
    let head = packet.head(IPV4_LEN).ok_or(DropReason::Malformed)?;
    let words = head.first().map_or(0, |first| first & 0xf);
    match usize::from(words).wrapping_mul(4) {
        len if len > IPV4_LEN => packet.head(len),
        _ => packet.head(IPV4_LEN),
    }
    .ok_or(DropReason::Malformed)
}

/// What is asked of a policy about a packet that a node sends to that place.
fn passage_out<'a>(own: &'a Attachment, to: &Place, rcu: Rcu<'_>) -> Passage<'a> {
    let network = &own.network;
    let peer = match (to.away(), to.port()) {
        (Some(away), _) => Vni::new(away.peer()),
        (None, Some(port)) => port.driver().attachment(rcu).map(|node| node.network.vni),
        (None, None) => None,
    };
    Passage {
        network,
        direction: Direction::Out,
        peer: peer.unwrap_or(network.vni),
        own: true,
    }
}

/// Who a packet for a port of this host is from.
pub(crate) struct Sender {
    /// The MAC that the node sees.
    pub(crate) mac: Mac,
    /// The network.
    pub(crate) vni: Vni,
    /// Whether it is a node of this host.
    pub(crate) here: bool,
}

/// Puts the Ethernet header on a packet for a port of this host, if the node's network admits it: to the
/// node's own MAC, from the sender's virtual one (RX3, RX4). Also the last step of what the substrate brings.
#[inline]
pub(crate) fn frame_for(
    host: &Host,
    from: &Sender,
    to: &DeviceRef<Port>,
    packet: &mut Skb,
    rcu: Rcu<'_>,
) -> Result<(), DropReason> {
    let node = to
        .driver()
        .attachment(rcu)
        .ok_or(DropReason::PortUnconfigured)?;
    let into = Passage {
        network: &node.network,
        direction: Direction::In,
        peer: from.vni,
        own: from.here,
    };
    policy::admits(host, &into, packet, rcu)?;
    if !to.is_up() {
        return Err(DropReason::PortDown);
    }
    if !packet.fits(to.mtu()) {
        return Err(DropReason::TooBig);
    }
    let ethernet = Ethernet {
        dst: node.identity.mac,
        src: from.mac,
        ethertype: ETHERTYPE_IPV4,
    };
    packet
        .open(Ethernet::LEN as u32, 0, 0)
        .ok_or(DropReason::NoMemory)?
        .copy_from_slice(&ethernet.bytes());
    Ok(())
}

/// Finds the packet's route and brings it into its form on the substrate (TX6, TX10, TX11).
#[inline(always)]
fn to_substrate<'a>(
    ip: &Ipv4,
    form: Form,
    away: &'a Away,
    host: &Host,
    packet: &mut Skb,
    rcu: Rcu<'a>,
) -> Result<Verdict<'a>, DropReason> {
    let Away { remote, path } = away;
    let addresses = || (path.from().address(ip.src), path.to().address(ip.dst));
    let route = match remote.routes.cached(rcu) {
        Some(route) => route,
        None => {
            let (src, dst) = addresses();
            let found = remote.routes.find(host.net(), &src, &dst, rcu);
            found.ok_or(DropReason::NoRoute)?
        }
    };
    let growth = match form {
        Form::Fast => fast::GROWTH,
        Form::Escape => escape::GROWTH,
    };
    // Most packets become IPv6 before anybody asks where their headers are.
    if packet.is_segmented() || form == Form::Escape {
        packet.is_ipv4(ip.header_len);
    }
    let path_mtu = remote.mtu(&route);
    let mtu = path_mtu.saturating_sub(growth as u32);
    if !packet.fits(mtu) {
        packet.is_ipv4(ip.header_len);
        if ip.df || packet.is_segmented() {
            packet.answer_too_big(mtu);
            return Err(DropReason::TooBig);
        }
        // The kernel rewrites the options of what it cuts, which a capture may share.
        packet
            .head_mut(ip.header_len.into())
            .ok_or(DropReason::NoMemory)?;
        // Fragments always escape.
        let mtu = path_mtu.saturating_sub(escape::GROWTH as u32);
        let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
        return Ok(Verdict::Fragment(away, mtu));
    }
    packet.flow.form = match form {
        Form::Fast => {
            translate(ip, path, route.headroom(), packet)?;
            OVNET_FORM_FAST
        }
        Form::Escape => {
            wrap(ip, addresses(), route.headroom(), packet)?;
            OVNET_FORM_ESCAPE
        }
    };
    packet.is_ipv6();
    let len = ip.total_len;
    Ok(Verdict::Send(remote, route, len.into(), len.into()))
}

/// Puts the IPv6 header in the place of the IPv4 header: the fast form.
#[inline(always)]
fn translate(
    ip: &Ipv4,
    path: &fast::Path,
    headroom: u32,
    packet: &mut Skb,
) -> Result<(), DropReason> {
    let (checksum, hash) = packet.l4(IPV4_LEN as u16);
    let old = fast::head_len(ip.protocol, ip.payload_len()).saturating_sub(fast::GROWTH);
    let head = packet
        .open(fast::GROWTH as u32, headroom, old)
        .ok_or(DropReason::NoMemory)?;
    fast::to_ipv6(head, ip, path, hash as u16, checksum)?;
    packet.segment_as_ipv6().map_err(|_| DropReason::Offload)
}

/// Puts the IPv6 header before the IPv4 packet: the escape form.
fn wrap(
    ip: &Ipv4,
    (src, dst): ([u8; 16], [u8; 16]),
    headroom: u32,
    packet: &mut Skb,
) -> Result<(), DropReason> {
    packet
        .segments_are_ipv4()
        .map_err(|_| DropReason::Offload)?;
    let carried = Carried::Ipv4 { tos: ip.tos };
    let header = escape::wrap(carried, src, dst, packet.len(), packet.flow_hash())?;
    if !packet.encapsulate() {
        return Err(DropReason::NoMemory);
    }
    packet
        .open(escape::GROWTH as u32, headroom, 0)
        .ok_or(DropReason::NoMemory)?
        .copy_from_slice(&header);
    Ok(())
}
