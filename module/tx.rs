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
    icmp,
    misses::Asker,
    net::{
        bindings::*,
        device::{Device, DeviceRef},
        queue::{Queue, Refused, Side, Turn},
        rcu::Rcu,
        route::Route,
        skb::{Flow, Skb},
    },
    observer::{Observer, Step},
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
    watch: impl Observer,
    rcu: Rcu<'_>,
) {
    for _ in 0..LOOKS {
        let wait = match decide(port, device, host, &mut frame, turn, watch, rcu) {
            Ok(Verdict::Wait(wait)) => wait,
            verdict => return carry_out(verdict, device, host, frame, watch, rcu),
        };
        let again = match wait {
            Wait::Node(queue) => host.wait(frame, Side::Sent, queue, watch),
            Wait::Mapping(vni, address, gen) => {
                let asker = Asker::Port(device, port.budget());
                host.miss(frame, (vni, address, gen), &asker, watch, rcu)
            }
        };
        match again {
            Some(packet) => frame = packet,
            None => return,
        }
    }
    watch.act(|| device.count_tx_dropped());
    watch.discard(host, frame, DropReason::ParkedOverflow);
}

fn carry_out(
    verdict: Result<Verdict<'_>, DropReason>,
    device: &Device,
    host: &Host,
    frame: Skb,
    watch: impl Observer,
    rcu: Rcu<'_>,
) {
    match verdict {
        Ok(Verdict::Send(remote, route, frame_len, len)) => {
            watch.act(|| device.count_tx(frame_len));
            launch(frame, (Some(remote), route), len, device, host, watch, rcu);
        }
        Ok(Verdict::Fragment(away, mtu)) => fragment(frame, away, mtu, device, host, watch, rcu),
        Ok(Verdict::Deliver(to, len)) => {
            watch.leave(OVNET_TRACE_VERDICT_DELIVERED, frame, |frame| {
                device.count_tx(frame.len());
                host.count_local(&frame, device, to, to.driver(), len, rcu);
                frame.deliver(to);
            });
        }
        Ok(Verdict::Answer(bytes)) => match Skb::new(device, &bytes) {
            Some(answer) => {
                watch.leave(OVNET_TRACE_VERDICT_ANSWERED, answer, |answer| {
                    device.count_tx(frame.len());
                    host.stats().add(Count::ArpReplies, 1);
                    answer.deliver(device);
                });
                frame.consume();
            }
            None => watch.discard(host, frame, DropReason::NoMemory),
        },
        Ok(Verdict::External(network, external)) => {
            external::send(host, device, network, external, frame, watch, rcu);
        }
        // Waits are the caller's.
        Ok(Verdict::Wait(_)) => watch.discard(host, frame, DropReason::ParkedOverflow),
        Err(reason) => {
            watch.act(|| device.count_tx_dropped());
            watch.discard(host, frame, reason);
        }
    }
}

/// Sends a packet to a remote host in fragments.
fn fragment(
    frame: Skb,
    away: &Away,
    mtu: u16,
    device: &Device,
    host: &Host,
    watch: impl Observer,
    rcu: Rcu<'_>,
) {
    watch.act(|| device.count_tx(frame.len().saturating_add(Ethernet::LEN as u32)));
    frame.fragment(host.net(), device, mtu, watch.acts(), |mut piece| {
        let wrapped = parse(&mut piece)
            .and_then(|ip| to_substrate(&ip, Form::Escape, away, host, &mut piece, watch, rcu));
        match wrapped {
            Ok(Verdict::Send(remote, route, _, len)) => {
                launch(piece, (Some(remote), route), len, device, host, watch, rcu);
            }
            // The path has become narrower just now.
            Ok(_) => watch.discard(host, piece, DropReason::TooBig),
            Err(reason) => watch.discard(host, piece, reason),
        }
    });
}

impl Host {
    /// Lets a packet wait for a node on its way. Gives it back if the node is there.
    pub(crate) fn wait(
        &self,
        packet: Skb,
        side: Side,
        queue: &Queue,
        watch: impl Observer,
    ) -> Option<Skb> {
        watch.step(|| Step::Park(None));
        match watch.park(self, packet, side, (queue, MOVE_ROOM)) {
            Ok(()) => None,
            Err(Refused::Closed(packet)) => Some(packet),
            Err(Refused::Full(packet)) => {
                watch.discard(self, packet, DropReason::ParkedOverflow);
                None
            }
        }
    }
}

/// Sends what has become an IPv6 packet; it stands for `len` bytes of IPv4. To a remote host, or to a machine
/// that knows nothing of the overlay.
#[inline]
pub(crate) fn launch(
    packet: Skb,
    (remote, route): (Option<&Remote>, Route<'_>),
    len: u64,
    device: &Device,
    host: &Host,
    watch: impl Observer,
    rcu: Rcu<'_>,
) {
    let verdict = match remote {
        Some(_) => OVNET_TRACE_VERDICT_SENT,
        None => OVNET_TRACE_VERDICT_EXTERNAL,
    };
    watch.leave(verdict, packet, |packet| {
        host.count_tx(&packet, device, remote, len, rcu);
        packet.send(host.net(), route, device);
    });
}

fn decide<'a>(
    port: &'a Port,
    device: &Device,
    host: &'a Host,
    frame: &mut Skb,
    turn: Turn,
    watch: impl Observer,
    rcu: Rcu<'a>,
) -> Result<Verdict<'a>, DropReason> {
    watch.step(|| Step::Port(device, port.seen(rcu)));
    let ethernet = Ethernet::parse(frame.head(Ethernet::LEN).ok_or(DropReason::Malformed)?)?;
    let own = port.attachment(rcu).ok_or_else(|| port.why_detached(rcu))?;
    if !own.may_send() {
        return Err(DropReason::PortInactive);
    }
    match ethernet.ethertype {
        ETHERTYPE_IPV4 => ipv4((own, device), &ethernet, host, frame, turn, watch, rcu),
        ETHERTYPE_ARP => arp((own, device), &ethernet, host, frame, turn, watch, rcu),
        _ => {
            watch.step(|| Step::SourceCheck(ethernet.src, None));
            Err(match own.identity.admits_mac(ethernet.src) {
                Ok(()) => DropReason::NotIpv4,
                Err(reason) => {
                    spoofed(own, None, ethernet.src, device, host, watch);
                    reason
                }
            })
        }
    }
}

/// Answers for the nodes of the network (TX1, TX5), so that no ARP leaves the host.
fn arp<'a>(
    (own, device): (&Attachment, &Device),
    ethernet: &Ethernet,
    host: &Host,
    frame: &mut Skb,
    turn: Turn,
    watch: impl Observer,
    rcu: Rcu<'_>,
) -> Result<Verdict<'a>, DropReason> {
    let head = frame
        .head(Ethernet::LEN + arp::LEN)
        .ok_or(DropReason::Malformed)?;
    let request = Arp::parse(head.get(Ethernet::LEN..).unwrap_or(&[]))?;
    let vni = own.network.vni;
    frame.flow = Flow::new(vni, request.sender, request.target);
    let claimed = own.claim(request.sender, watch);
    let sender = Identity {
        mac: own.identity.mac,
        address: claimed.unwrap_or(own.identity.address),
    };
    watch.step(|| Step::Arp(request.sender, request.target));
    watch.step(|| Step::SourceCheck(ethernet.src, Some(request.sender)));
    let asked = arp::question(&request, ethernet.src, &sender).map_err(|reason| match reason {
        DropReason::SpoofMac => {
            spoofed(own, Some(request.sender), ethernet.src, device, host, watch);
            reason
        }
        DropReason::SpoofAddress => {
            let from = (request.sender, ethernet.src);
            foreign(own, from, device, host, watch, rcu)
        }
        _ => reason,
    })?;
    if own.owns(asked) {
        return Err(DropReason::ArpUnanswered);
    }
    let mapping = host.mapping(vni, asked, rcu);
    watch.step(|| Step::Destination(vni, asked, mapping));
    match mapping {
        Some(mapping) if mapping.place.is_known() => {
            let out = passage_out(own, &mapping.place, rcu);
            policy::admits_arp(host, &out, sender.address, asked, watch, rcu)?;
            Ok(Verdict::Answer(arp::reply(&request, mapping.mac)))
        }
        unknown => nowhere(vni, asked, unknown, turn),
    }
}

/// A node uses what is not its own, and is not to.
fn spoofed(
    own: &Attachment,
    address: Option<Ipv4Addr>,
    mac: Mac,
    device: &Device,
    host: &Host,
    watch: impl Observer,
) {
    watch.report(OVNET_EVENT_KIND_SPOOF, || {
        host.report_spoof(own, address, mac, device);
    });
}

/// A node uses an address that is not its own (TX8, CH2, CH4).
fn foreign(
    own: &Attachment,
    (address, mac): (Ipv4Addr, Mac),
    device: &Device,
    host: &Host,
    watch: impl Observer,
    rcu: Rcu<'_>,
) -> DropReason {
    let owned = host
        .mapping(own.network.vni, address, rcu)
        .is_some_and(|mapping| mapping.place.is_known());
    match (own.learns, owned) {
        (true, true) => {
            watch.report(OVNET_EVENT_KIND_CLAIM, || {
                host.report_claim(own, address, mac, device);
            });
            DropReason::SpoofAddress
        }
        (true, false) => {
            watch.report(OVNET_EVENT_KIND_NEW_ADDRESS, || {
                host.report_new_address(own, address, mac, device);
            });
            DropReason::NewAddress
        }
        (false, _) => {
            spoofed(own, Some(address), mac, device, host, watch);
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
    (own, device): (&'a Attachment, &Device),
    ethernet: &Ethernet,
    host: &'a Host,
    frame: &mut Skb,
    turn: Turn,
    watch: impl Observer,
    rcu: Rcu<'a>,
) -> Result<Verdict<'a>, DropReason> {
    let vni = own.network.vni;
    let frame_len = frame.len();
    if !frame.pull(Ethernet::LEN as u32) {
        return Err(DropReason::Malformed);
    }
    let ip = parse(frame)?;
    frame.flow = Flow::new(vni, ip.src, ip.dst);
    watch.step(|| Step::SourceCheck(ethernet.src, Some(ip.src)));
    if let Err(reason) = own.identity.admits_mac(ethernet.src) {
        spoofed(own, Some(ip.src), ethernet.src, device, host, watch);
        return Err(reason);
    }
    if own.claim(ip.src, watch).is_none() {
        let from = (ip.src, ethernet.src);
        return Err(foreign(own, from, device, host, watch, rcu));
    }
    let mapping = host.mapping(vni, ip.dst, rcu);
    watch.step(|| Step::Destination(vni, ip.dst, mapping));
    if ethernet.dst.is_multicast() || ip.dst.is_multicast() || ip.dst.is_broadcast() {
        return Err(DropReason::Multicast);
    }
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
    watch.act(|| mapping.expiry.touch());
    // What follows the packet in the frame is padding: Ethernet fills short frames up to 60 bytes.
    if !frame.trim(ip.total_len.into()) {
        return Err(DropReason::NoMemory);
    }
    if !matches!(way, Way::Host(_)) {
        frame.is_ipv4(ip.header_len);
    }
    let out = passage_out(own, &mapping.place, rcu);
    policy::admits(host, &out, frame, watch, rcu)?;
    match way {
        Way::Port(to) => {
            let sender = Sender {
                mac: own.mac,
                vni,
                here: true,
            };
            watch.step(|| Step::Form(OVNET_FORM_LOCAL));
            frame_for(host, &sender, to, frame, watch, rcu)?;
            frame.flow.form = OVNET_FORM_LOCAL;
            Ok(Verdict::Deliver(to, ip.total_len.into()))
        }
        Way::Host(away) => {
            let form = fast::form(&ip, frame.is_segmented(), own.network.fidelity());
            match to_substrate(&ip, form, away, host, frame, watch, rcu)? {
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
    watch: impl Observer,
    rcu: Rcu<'_>,
) -> Result<(), DropReason> {
    watch.step(|| Step::Delivery(to));
    let node = to
        .driver()
        .attachment(rcu)
        .ok_or_else(|| to.driver().why_detached(rcu))?;
    let into = Passage {
        network: &node.network,
        direction: Direction::In,
        peer: from.vni,
        own: from.here,
    };
    policy::admits(host, &into, packet, watch, rcu)?;
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
    watch: impl Observer,
    rcu: Rcu<'a>,
) -> Result<Verdict<'a>, DropReason> {
    let Away { remote, path } = away;
    let addresses = || (path.from().address(ip.src), path.to().address(ip.dst));
    let seen = |route| Step::Route(Some(remote.locator), addresses().1, route);
    let route = match remote.routes.cached(rcu) {
        Some(route) => route,
        None => {
            let (src, dst) = addresses();
            match remote.routes.find(host.net(), &src, &dst, rcu) {
                Some(found) => found,
                None => {
                    watch.step(|| seen(None));
                    return Err(DropReason::NoRoute);
                }
            }
        }
    };
    watch.step(|| seen(Some(&route)));
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
    watch.step(|| Step::Size(packet.len().saturating_add(growth as u32), path_mtu));
    if !packet.fits(mtu) {
        packet.is_ipv4(ip.header_len);
        if ip.df || packet.is_segmented() {
            watch.step(|| Step::Reply(icmp::UNREACHABLE, icmp::TOO_BIG, Some(mtu)));
            watch.act(|| packet.answer_too_big(mtu));
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
    watch.step(|| {
        Step::Form(match form {
            Form::Fast => OVNET_FORM_FAST,
            Form::Escape => OVNET_FORM_ESCAPE,
        })
    });
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
