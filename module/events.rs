// SPDX-License-Identifier: GPL-2.0

//! Events for the listeners of the group `events`. Those that packets cause are rate limited per kind,
//! and say how many the limit withheld. Any context.

use crate::{
    host::{Host, Mapping},
    net::{bindings::*, device::Device, netlink, ratelimit::RateLimit},
};
use core::net::Ipv4Addr;
use kernel::prelude::*;
use ovnet_engine::{Locator, Mac, Vni};

/// Events of one kind per second.
const BURST: i32 = 100;

/// ICMP errors per second, as many as the kernel's own `icmp_msgs_per_sec` would send.
const ICMP_BURST: i32 = 1000;

/// The limits of a host.
#[pin_data]
pub(crate) struct Limits {
    #[pin]
    miss: RateLimit,
    #[pin]
    spoof: RateLimit,
    #[pin]
    forged: RateLimit,
    /// Errors of the substrate that are told to nodes.
    #[pin]
    pub(crate) icmp: RateLimit,
}

impl Limits {
    /// Limits that nothing has used yet.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            miss <- RateLimit::new(BURST),
            spoof <- RateLimit::new(BURST),
            forged <- RateLimit::new(BURST),
            icmp <- RateLimit::new(ICMP_BURST),
        })
    }
}

impl Host {
    /// A node asked for, or sent to, an address that has no mapping.
    pub(crate) fn report_miss(&self, vni: Vni, address: Ipv4Addr, device: Option<&Device>) {
        self.report(
            &self.limits().miss,
            ovnet_event_kind_OVNET_EVENT_KIND_MISS,
            |message| {
                message.put_u32(OVNET_A_EVENT_VNI, vni.get())?;
                message.put_ipv4(OVNET_A_EVENT_ADDRESS, address)?;
                device.map_or(Ok(()), |device| put_device(message, device))
            },
        );
    }

    /// A node sent from a MAC or an address that is not its own.
    pub(crate) fn report_spoof(
        &self,
        vni: Vni,
        address: Option<Ipv4Addr>,
        mac: Mac,
        device: &Device,
    ) {
        self.report(
            &self.limits().spoof,
            ovnet_event_kind_OVNET_EVENT_KIND_SPOOF,
            |message| {
                message.put_u32(OVNET_A_EVENT_VNI, vni.get())?;
                if let Some(address) = address {
                    message.put_ipv4(OVNET_A_EVENT_ADDRESS, address)?;
                }
                message.put_mac(OVNET_A_EVENT_MAC, mac)?;
                put_device(message, device)
            },
        );
    }

    /// A packet came from a locator where its source is not.
    pub(crate) fn report_forged(&self, vni: Vni, address: Ipv4Addr, claimed: Locator) {
        self.report(
            &self.limits().forged,
            ovnet_event_kind_OVNET_EVENT_KIND_FORGED,
            |message| {
                message.put_u32(OVNET_A_EVENT_VNI, vni.get())?;
                message.put_ipv4(OVNET_A_EVENT_ADDRESS, address)?;
                message.put_locator(OVNET_A_EVENT_LOCATOR, claimed)
            },
        );
    }

    /// A mapping is now this.
    pub(crate) fn report_mapping(&self, vni: Vni, address: Ipv4Addr, mapping: &Mapping) {
        send(self, ovnet_event_kind_OVNET_EVENT_KIND_MAPPING, |message| {
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

    /// A port was configured as this node, or is no more (None).
    pub(crate) fn report_port(&self, device: &Device, node: Option<(Vni, Ipv4Addr)>) {
        send(self, ovnet_event_kind_OVNET_EVENT_KIND_PORT, |message| {
            if let Some((vni, address)) = node {
                message.put_u32(OVNET_A_EVENT_VNI, vni.get())?;
                message.put_ipv4(OVNET_A_EVENT_ADDRESS, address)?;
            }
            put_device(message, device)
        });
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
