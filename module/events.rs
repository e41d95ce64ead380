// SPDX-License-Identifier: GPL-2.0

//! Events for the listeners of the group `events`. Those that packets cause are rate limited per kind, and
//! per port where they say what its node does; they say how many the limit withheld. Any context.

use crate::{
    host::{Host, Mapping},
    net::{bindings::*, device::Device, netlink, ratelimit::RateLimit},
    policy::{Direction, Passage},
    port::Attachment,
};
use core::net::Ipv4Addr;
use kernel::prelude::*;
use ovnet_engine::{DropReason, Locator, Mac, Vni};

/// Events of one kind per second.
const BURST: i32 = 100;

/// Events of one kind per second about one port: what one node does hides nothing of what another does.
const PORT_BURST: i32 = 50;

/// Misses per second while somebody resolves them: of each address it is one, and who may ask for how many
/// is limited already.
const QUESTIONS: i32 = 10_000;

/// ICMP errors per second, as many as the kernel's own `icmp_msgs_per_sec` would send.
const ICMP_BURST: i32 = 1000;

/// The limits of a host.
#[pin_data]
pub(crate) struct Limits {
    #[pin]
    miss: RateLimit,
    #[pin]
    question: RateLimit,
    #[pin]
    stale: RateLimit,
    #[pin]
    expiry: RateLimit,
    #[pin]
    forged: RateLimit,
    #[pin]
    refused: RateLimit,
    /// Errors of the substrate that are told to nodes.
    #[pin]
    pub(crate) icmp: RateLimit,
}

impl Limits {
    /// Limits that nothing has used yet.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            miss <- RateLimit::new(BURST),
            question <- RateLimit::new(QUESTIONS),
            stale <- RateLimit::new(BURST),
            expiry <- RateLimit::new(QUESTIONS),
            forged <- RateLimit::new(BURST),
            refused <- RateLimit::new(BURST),
            icmp <- RateLimit::new(ICMP_BURST),
        })
    }
}

/// The limits of a port.
#[pin_data]
pub(crate) struct PortLimits {
    #[pin]
    new_address: RateLimit,
    #[pin]
    claim: RateLimit,
    #[pin]
    spoof: RateLimit,
}

impl PortLimits {
    /// Limits that nothing has used yet.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            new_address <- RateLimit::new(PORT_BURST),
            claim <- RateLimit::new(PORT_BURST),
            spoof <- RateLimit::new(PORT_BURST),
        })
    }
}

impl Host {
    /// An address that has no mapping is needed: by a node that asked for it or sent to it, or because
    /// packets come from it, claimed to be from there.
    pub(crate) fn report_miss(
        &self,
        vni: Vni,
        address: Ipv4Addr,
        claimed: Option<Locator>,
        device: Option<&Device>,
    ) {
        let limit = if self.has_resolver() {
            &self.limits().question
        } else {
            &self.limits().miss
        };
        self.report(limit, OVNET_EVENT_KIND_MISS, |message| {
            message.put_u32(OVNET_A_EVENT_VNI, vni.get())?;
            message.put_ipv4(OVNET_A_EVENT_ADDRESS, address)?;
            if let Some(claimed) = claimed {
                message.put_locator(OVNET_A_EVENT_LOCATOR, claimed)?;
            }
            device.map_or(Ok(()), |device| put_device(message, device))
        });
    }

    /// A node uses an address that its port has not been given (CH2).
    pub(crate) fn report_new_address(
        &self,
        own: &Attachment,
        address: Ipv4Addr,
        mac: Mac,
        device: &Device,
    ) {
        let of = (own.network.vni, address, mac);
        let limit = &own.limits.new_address;
        self.report_use(limit, OVNET_EVENT_KIND_NEW_ADDRESS, of, device);
    }

    /// A node uses an address that is another node's (CH4).
    pub(crate) fn report_claim(
        &self,
        own: &Attachment,
        address: Ipv4Addr,
        mac: Mac,
        device: &Device,
    ) {
        let of = (own.network.vni, address, mac);
        self.report_use(&own.limits.claim, OVNET_EVENT_KIND_CLAIM, of, device);
    }

    fn report_use(
        &self,
        limit: &RateLimit,
        kind: ovnet_event_kind,
        (vni, address, mac): (Vni, Ipv4Addr, Mac),
        device: &Device,
    ) {
        self.report(limit, kind, |message| {
            message.put_u32(OVNET_A_EVENT_VNI, vni.get())?;
            message.put_ipv4(OVNET_A_EVENT_ADDRESS, address)?;
            message.put_mac(OVNET_A_EVENT_MAC, mac)?;
            put_device(message, device)
        });
    }

    /// A host sends here what is forwarded: its mapping is out of date (MV4).
    pub(crate) fn report_stale(&self, vni: Vni, address: Ipv4Addr, host: Locator) {
        self.report(&self.limits().stale, OVNET_EVENT_KIND_STALE, |message| {
            message.put_u32(OVNET_A_EVENT_VNI, vni.get())?;
            message.put_ipv4(OVNET_A_EVENT_ADDRESS, address)?;
            message.put_locator(OVNET_A_EVENT_LOCATOR, host)
        });
    }

    /// A mapping in use wants a refresh, or is gone.
    pub(crate) fn report_end(&self, vni: Vni, address: Ipv4Addr, mapping: &Mapping, gone: bool) {
        self.report(&self.limits().expiry, OVNET_EVENT_KIND_EXPIRY, |message| {
            message.put_u32(OVNET_A_EVENT_VNI, vni.get())?;
            message.put_ipv4(OVNET_A_EVENT_ADDRESS, address)?;
            message.put_u64(OVNET_A_EVENT_GEN, mapping.gen)?;
            let state = if gone {
                OVNET_MAPPING_STATE_DELETED
            } else {
                mapping.state()
            };
            message.put_u32(OVNET_A_EVENT_STATE, state)
        });
    }

    /// A node sent from a MAC or an address that is not its own.
    pub(crate) fn report_spoof(
        &self,
        own: &Attachment,
        address: Option<Ipv4Addr>,
        mac: Mac,
        device: &Device,
    ) {
        self.report(&own.limits.spoof, OVNET_EVENT_KIND_SPOOF, |message| {
            message.put_u32(OVNET_A_EVENT_VNI, own.network.vni.get())?;
            if let Some(address) = address {
                message.put_ipv4(OVNET_A_EVENT_ADDRESS, address)?;
            }
            message.put_mac(OVNET_A_EVENT_MAC, mac)?;
            put_device(message, device)
        });
    }

    /// A packet came from a locator where its source is not.
    pub(crate) fn report_forged(&self, vni: Vni, address: Ipv4Addr, claimed: Locator) {
        self.report(&self.limits().forged, OVNET_EVENT_KIND_FORGED, |message| {
            message.put_u32(OVNET_A_EVENT_VNI, vni.get())?;
            message.put_ipv4(OVNET_A_EVENT_ADDRESS, address)?;
            message.put_locator(OVNET_A_EVENT_LOCATOR, claimed)
        });
    }

    /// A packet, or an ARP request, was refused by a peering that is not there, by a rule, or for want of
    /// one.
    pub(crate) fn report_refused(
        &self,
        passage: &Passage<'_>,
        src: Ipv4Addr,
        dst: Ipv4Addr,
        reason: DropReason,
        rule: Option<u32>,
    ) {
        let (own, peer) = match passage.direction {
            Direction::In => (dst, src),
            Direction::Out => (src, dst),
        };
        self.report(
            &self.limits().refused,
            OVNET_EVENT_KIND_REFUSED,
            |message| {
                message.put_u32(OVNET_A_EVENT_VNI, passage.network.vni.get())?;
                message.put_ipv4(OVNET_A_EVENT_ADDRESS, own)?;
                message.put_u32(OVNET_A_EVENT_PEER_VNI, passage.peer.get())?;
                message.put_ipv4(OVNET_A_EVENT_PEER_ADDRESS, peer)?;
                message.put_u32(OVNET_A_EVENT_DIRECTION, passage.direction.number())?;
                message.put_u32(OVNET_A_EVENT_REASON, reason as u32)?;
                rule.map_or(Ok(()), |id| message.put_u32(OVNET_A_EVENT_RULE, id))
            },
        );
    }

    /// A mapping is now this.
    pub(crate) fn report_mapping(&self, vni: Vni, address: Ipv4Addr, mapping: &Mapping) {
        send(self, OVNET_EVENT_KIND_MAPPING, |message| {
            message.put_u32(OVNET_A_EVENT_VNI, vni.get())?;
            message.put_ipv4(OVNET_A_EVENT_ADDRESS, address)?;
            message.put_mac(OVNET_A_EVENT_MAC, mapping.mac)?;
            message.put_u64(OVNET_A_EVENT_GEN, mapping.gen)?;
            message.put_u32(OVNET_A_EVENT_STATE, mapping.state())?;
            if let Some(locator) = mapping.locator(self) {
                message.put_locator(OVNET_A_EVENT_LOCATOR, locator)?;
            }
            Ok(())
        });
    }

    /// A port was configured as this node, whose id is 0 if it has none, or is no more (None).
    pub(crate) fn report_port(&self, device: &Device, node: Option<(Vni, Ipv4Addr, u64)>) {
        send(self, OVNET_EVENT_KIND_PORT, |message| {
            if let Some((vni, address, id)) = node {
                message.put_u32(OVNET_A_EVENT_VNI, vni.get())?;
                message.put_ipv4(OVNET_A_EVENT_ADDRESS, address)?;
                if id != 0 {
                    message.put_u64(OVNET_A_EVENT_NODE, id)?;
                }
            }
            put_device(message, device)
        });
    }

    /// The lease has ended.
    pub(crate) fn report_fenced(&self) {
        send(self, OVNET_EVENT_KIND_FENCED, |_| Ok(()));
    }

    /// Sends an event that a packet caused, if the limit admits it.
    fn report(
        &self,
        limit: &RateLimit,
        kind: ovnet_event_kind,
        fill: impl FnOnce(&mut netlink::Message<'_>) -> Result,
    ) {
        let Some(suppressed) = limit.admit() else {
            return;
        };
        send(self, kind, |message| {
            fill(message)?;
            if suppressed > 0 {
                message.put_u32(OVNET_A_EVENT_SUPPRESSED, suppressed)?;
            }
            Ok(())
        });
    }
}

/// Sends an event. One that finds no memory is lost, as one that finds the listener's buffer full is: the
/// listener reads the tables to be sure.
fn send(
    host: &Host,
    kind: ovnet_event_kind,
    fill: impl FnOnce(&mut netlink::Message<'_>) -> Result,
) {
    let _ = netlink::send_event(host.net(), |message| {
        message.put_u32(OVNET_A_EVENT_KIND, kind)?;
        fill(message)
    });
}

fn put_device(message: &mut netlink::Message<'_>, device: &Device) -> Result {
    message.put_u32(OVNET_A_EVENT_IFINDEX, device.index())?;
    message.put_name(OVNET_A_EVENT_IFNAME, &device.name())
}
