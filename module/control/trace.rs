// SPDX-License-Identifier: GPL-2.0

//! What would become of a packet, and why: the code that decides about packets, watched by somebody who
//! writes the steps into the answer and does nothing else.

use super::{port::find_device_at, put_device, Answer};
use crate::{
    host::{Host, Mapping},
    net::{
        bindings::*,
        device::{Device, Rtnl},
        hook::Receiver,
        lock::as_softirq,
        namespace::Net,
        netlink::{Message, Refusal, Request},
        queue::Turn,
        skb::Skb,
    },
    observer::{Observer, Step},
    rx, tx,
};
use core::{cell::Cell, net::Ipv4Addr};
use kernel::prelude::*;
use ovnet_engine::{
    header::{Ipv6, IPV6_LEN},
    DropReason, Vni,
};

/// The longest answer: a traced packet in its shortest fragments, each with its steps, takes half of it.
pub(crate) const ROOM: usize = 32 << 10;

/// An answer being written.
struct Trace<'a, 'm> {
    message: Cell<Option<&'a mut Message<'m>>>,
    /// What the answer could not take.
    failed: Cell<Result>,
    verdict: Cell<Option<u32>>,
    host: &'a Host,
    asker: Net,
}

impl<'m> Trace<'_, 'm> {
    fn write(&self, put: impl FnOnce(&mut Message<'m>) -> Result) {
        let Some(message) = self.message.take() else {
            return;
        };
        if let Err(error) = put(message) {
            self.failed.set(Err(error));
        }
        self.message.set(Some(message));
    }

    /// What became of the packet, or of a part of it. A drop is what counts; several that were sent are
    /// fragments.
    fn note(&self, verdict: u32) {
        let all = match (self.verdict.get(), verdict) {
            (Some(OVNET_TRACE_VERDICT_DROPPED), _) => OVNET_TRACE_VERDICT_DROPPED,
            (Some(_), OVNET_TRACE_VERDICT_SENT) => OVNET_TRACE_VERDICT_FRAGMENTED,
            _ => verdict,
        };
        self.verdict.set(Some(all));
    }
}

impl Observer for &Trace<'_, '_> {
    const ACTS: bool = false;

    fn step<'s>(self, step: impl FnOnce() -> Step<'s>) {
        self.write(|message| {
            message.put_nest(OVNET_A_TRACE_STEP, |nest| {
                put_step(nest, &step(), self.host, self.asker)
            })
        });
    }

    fn leave(self, verdict: u32, mut packet: Skb, _: impl FnOnce(Skb)) {
        self.note(verdict);
        if verdict != OVNET_TRACE_VERDICT_PARKED {
            let len = packet.len() as usize;
            self.write(|message| message.put(OVNET_A_TRACE_OUT, packet.head(len).ok_or(ENOMEM)?));
        }
        packet.consume();
    }

    fn discard(self, _: &Host, packet: Skb, reason: DropReason) {
        self.note(OVNET_TRACE_VERDICT_DROPPED);
        self.step(|| Step::Drop(reason));
        packet.consume();
    }
}

/// Says what would become of a packet.
pub(crate) fn get(host: &Host, request: &Request<'_>, message: &mut Message<'_>) -> Answer {
    let sent = request.data(OVNET_A_TRACE_FRAME);
    let brought = request.data(OVNET_A_TRACE_PACKET);
    let trace = Trace {
        message: Cell::new(Some(message)),
        failed: Cell::new(Ok(())),
        verdict: Cell::new(None),
        host,
        asker: request.net(),
    };
    match (sent, brought) {
        (Some(frame), None) => {
            let rtnl = Rtnl::lock();
            let attrs = (
                OVNET_A_TRACE_IFINDEX,
                OVNET_A_TRACE_NETNS_FD,
                OVNET_A_TRACE_NETNS_ID,
            );
            let port = find_device_at(host, request, attrs, &rtnl)?;
            let frame = Skb::sent_by(&port, frame).ok_or(ENOMEM)?;
            as_softirq(|rcu| {
                tx::transmit(port.driver(), &port, host, frame, Turn::New, &trace, rcu);
            });
        }
        (None, Some(packet)) => {
            if request.has(OVNET_A_TRACE_IFINDEX) {
                let text = c"no port sends what the substrate brings: leave the port out";
                return Err(Refusal::new(EINVAL, text).at(OVNET_A_TRACE_IFINDEX));
            }
            let packet = for_nodes(host, packet)
                .map_err(|text| Refusal::new(EINVAL, text).at(OVNET_A_TRACE_PACKET))?;
            let packet = Skb::brought(host.net(), packet).ok_or(ENOMEM)?;
            as_softirq(|rcu| rx::receive(host, packet, Turn::New, &trace, rcu));
        }
        (_, None) => {
            let text = c"the packet is missing: a frame of a port, or a packet of the substrate";
            return Err(request.missing(OVNET_A_TRACE_FRAME, text));
        }
        (Some(_), Some(_)) => {
            let text = c"one packet at a time: a port's frame or one of the substrate";
            return Err(Refusal::new(EINVAL, text).at(OVNET_A_TRACE_PACKET));
        }
    }
    let verdict = trace.verdict.get().ok_or(EINVAL)?;
    trace.write(|message| message.put_u32(OVNET_A_TRACE_VERDICT, verdict));
    Ok(trace.failed.get()?)
}

/// The packet as the kernel would hand it to this module, if it would.
fn for_nodes<'a>(host: &Host, packet: &'a [u8]) -> core::result::Result<&'a [u8], &'static CStr> {
    let broken = c"not a whole IPv6 packet: the kernel drops it before it is anybody's";
    let (head, _) = packet.split_first_chunk::<IPV6_LEN>().ok_or(broken)?;
    let ip = Ipv6::parse(head, packet.len() as u32).map_err(|_| broken)?;
    if !host.claims(&ip.dst) {
        return Err(c"not for a node of this host: the kernel would have the packet");
    }
    // What the link has padded it with is gone by then.
    let len = IPV6_LEN.wrapping_add(ip.payload_len.into());
    packet.get(..len).ok_or(broken)
}

fn put_step(message: &mut Message<'_>, step: &Step<'_>, host: &Host, asker: Net) -> Result {
    let mut is = |kind| message.put_u32(OVNET_A_TRACE_STEP_KIND, kind);
    match *step {
        Step::Port(device, attachment) => {
            is(OVNET_TRACE_STEP_KIND_PORT)?;
            put_port(message, device, asker)?;
            let Some((own, stopped)) = attachment else {
                return Ok(());
            };
            put_node(message, own.network.vni, own.identity.address)?;
            message.put_mac(OVNET_A_TRACE_STEP_MAC, own.identity.mac)?;
            message.put_u32(OVNET_A_TRACE_STEP_PORT_STATE, own.state(stopped))
        }
        Step::Arp(sender, target) => {
            is(OVNET_TRACE_STEP_KIND_ARP)?;
            message.put_ipv4(OVNET_A_TRACE_STEP_ADDRESS, sender)?;
            message.put_ipv4(OVNET_A_TRACE_STEP_PEER_ADDRESS, target)
        }
        Step::SourceCheck(mac, address) => {
            is(OVNET_TRACE_STEP_KIND_SOURCE_CHECK)?;
            message.put_mac(OVNET_A_TRACE_STEP_MAC, mac)?;
            address.map_or(Ok(()), |address| {
                message.put_ipv4(OVNET_A_TRACE_STEP_ADDRESS, address)
            })
        }
        Step::Destination(vni, address, mapping) => {
            is(OVNET_TRACE_STEP_KIND_DESTINATION)?;
            put_node(message, vni, address)?;
            put_mapping(message, host, mapping)
        }
        Step::Slot(vni, slot) => {
            is(OVNET_TRACE_STEP_KIND_SLOT)?;
            message.put_u32(OVNET_A_TRACE_STEP_VNI, vni.get())?;
            message.put_u8(OVNET_A_TRACE_STEP_SLOT, slot)
        }
        Step::Source(source, mapping) => {
            is(OVNET_TRACE_STEP_KIND_SOURCE)?;
            message.put_u32(OVNET_A_TRACE_STEP_VNI, source.vni)?;
            message.put_ipv4(OVNET_A_TRACE_STEP_ADDRESS, source.node)?;
            message.put_locator(OVNET_A_TRACE_STEP_FROM, source.locator)?;
            put_mapping(message, host, mapping)
        }
        Step::Peering(from, to) => {
            is(OVNET_TRACE_STEP_KIND_PEERING)?;
            message.put_u32(OVNET_A_TRACE_STEP_VNI, from.get())?;
            message.put_u32(OVNET_A_TRACE_STEP_PEER_VNI, to.get())
        }
        Step::Policy(passage, rule, action) => {
            is(OVNET_TRACE_STEP_KIND_POLICY)?;
            message.put_u32(OVNET_A_TRACE_STEP_VNI, passage.network.vni.get())?;
            message.put_u32(OVNET_A_TRACE_STEP_DIRECTION, passage.direction.number())?;
            if let Some(rule) = rule {
                message.put_u32(OVNET_A_TRACE_STEP_RULE, rule)?;
            }
            message.put_u32(OVNET_A_TRACE_STEP_ACTION, action)
        }
        Step::Route(locator, to, route) => {
            is(OVNET_TRACE_STEP_KIND_ROUTE)?;
            if let Some(locator) = locator {
                message.put_locator(OVNET_A_TRACE_STEP_LOCATOR, locator)?;
            }
            let Some(route) = route else {
                return Ok(());
            };
            let (device, hop) = route.hop(&to);
            message.put_u32(OVNET_A_TRACE_STEP_IFINDEX, device.index())?;
            message.put_name(OVNET_A_TRACE_STEP_IFNAME, &device.name())?;
            message.put(OVNET_A_TRACE_STEP_NEXTHOP, &hop)?;
            message.put_u32(OVNET_A_TRACE_STEP_MTU, route.mtu())
        }
        Step::Size(length, mtu) => {
            is(OVNET_TRACE_STEP_KIND_SIZE)?;
            message.put_u32(OVNET_A_TRACE_STEP_LENGTH, length)?;
            message.put_u32(OVNET_A_TRACE_STEP_MTU, mtu)
        }
        Step::Form(form) => {
            is(OVNET_TRACE_STEP_KIND_FORM)?;
            message.put_u32(OVNET_A_TRACE_STEP_FORM, form)
        }
        Step::Delivery(device) => {
            is(OVNET_TRACE_STEP_KIND_DELIVERY)?;
            put_port(message, device, asker)?;
            message.put_u32(OVNET_A_TRACE_STEP_MTU, device.mtu())
        }
        Step::External(external) => {
            is(OVNET_TRACE_STEP_KIND_EXTERNAL)?;
            put_node(message, external.vni, external.address)?;
            message.put(OVNET_A_TRACE_STEP_EXTERNAL, &external.there)
        }
        Step::IcmpError(vni, src, dst, mtu) => {
            is(OVNET_TRACE_STEP_KIND_ICMP_ERROR)?;
            put_node(message, vni, src)?;
            message.put_ipv4(OVNET_A_TRACE_STEP_PEER_ADDRESS, dst)?;
            mtu.map_or(Ok(()), |mtu| message.put_u32(OVNET_A_TRACE_STEP_MTU, mtu))
        }
        Step::Ask(vni, address) => {
            is(OVNET_TRACE_STEP_KIND_ASK)?;
            put_node(message, vni, address)
        }
        Step::Park(what) => {
            is(OVNET_TRACE_STEP_KIND_PARK)?;
            what.map_or(Ok(()), |(vni, address)| put_node(message, vni, address))
        }
        Step::Event(kind) => {
            is(OVNET_TRACE_STEP_KIND_EVENT)?;
            message.put_u32(OVNET_A_TRACE_STEP_EVENT, kind)
        }
        Step::Reply(kind, code, mtu) => {
            is(OVNET_TRACE_STEP_KIND_REPLY)?;
            message.put_u8(OVNET_A_TRACE_STEP_ICMP_TYPE, kind)?;
            message.put_u8(OVNET_A_TRACE_STEP_ICMP_CODE, code)?;
            mtu.map_or(Ok(()), |mtu| message.put_u32(OVNET_A_TRACE_STEP_MTU, mtu))
        }
        Step::Drop(reason) => {
            is(OVNET_TRACE_STEP_KIND_DROP)?;
            message.put_u32(OVNET_A_TRACE_STEP_REASON, reason as u32)
        }
    }
}

fn put_node(message: &mut Message<'_>, vni: Vni, address: Ipv4Addr) -> Result {
    message.put_u32(OVNET_A_TRACE_STEP_VNI, vni.get())?;
    message.put_ipv4(OVNET_A_TRACE_STEP_ADDRESS, address)
}

fn put_port(message: &mut Message<'_>, device: &Device, asker: Net) -> Result {
    put_device(
        message,
        device,
        asker,
        OVNET_A_TRACE_STEP_IFINDEX,
        OVNET_A_TRACE_STEP_NETNS_ID,
    )?;
    message.put_name(OVNET_A_TRACE_STEP_IFNAME, &device.name())
}

fn put_mapping(message: &mut Message<'_>, host: &Host, mapping: Option<&Mapping>) -> Result {
    let Some(mapping) = mapping else {
        return Ok(());
    };
    message.put_u32(OVNET_A_TRACE_STEP_STATE, mapping.state())?;
    message.put_u64(OVNET_A_TRACE_STEP_GEN, mapping.gen)?;
    message.put_mac(OVNET_A_TRACE_STEP_MAC, mapping.mac)?;
    if let Some(locator) = mapping.locator(host) {
        message.put_locator(OVNET_A_TRACE_STEP_LOCATOR, locator)?;
    }
    if let Some(external) = mapping.place.external() {
        message.put(OVNET_A_TRACE_STEP_EXTERNAL, &external.there)?;
    }
    Ok(())
}
