// SPDX-License-Identifier: GPL-2.0

//! The counters of the host, and of each port, network and remote host.

use super::{locator, port::find_device_at, put_device, vni, with_network, Answer};
use crate::{
    host::{Host, Network, Remote},
    net::{
        bindings::{
            OVNET_STATS_SCOPE_HOST as SCOPE_HOST, OVNET_STATS_SCOPE_NETWORK as SCOPE_NETWORK,
            OVNET_STATS_SCOPE_PORT as SCOPE_PORT, OVNET_STATS_SCOPE_REMOTE as SCOPE_REMOTE, *,
        },
        device::{DeviceRef, Devices, Rtnl},
        namespace::Net,
        netlink::{Dump, Message, Nth, Part, Refusal, Request},
        rcu::Rcu,
    },
    port::Port,
    stats::{Count, Stats},
};
use kernel::{
    prelude::*,
    sync::{rcu, Arc},
};
use ovnet_engine::DropReason;

/// Says what was counted, of the host or of what the request names.
pub(crate) fn get(host: &Host, request: &Request<'_>, message: &mut Message<'_>) -> Answer {
    let named = [
        OVNET_A_STATS_IFINDEX,
        OVNET_A_STATS_VNI,
        OVNET_A_STATS_LOCATOR,
    ];
    let mut named = named.into_iter().filter(|&attr| request.has(attr));
    let first = named.next();
    if let Some(second) = named.next() {
        let text = c"name one of a port, a network and a remote host";
        return Err(Refusal::new(EINVAL, text).at(second));
    }
    match first {
        Some(OVNET_A_STATS_IFINDEX) => {
            let rtnl = Rtnl::lock();
            let attrs = (
                OVNET_A_STATS_IFINDEX,
                OVNET_A_STATS_NETNS_FD,
                OVNET_A_STATS_NETNS_ID,
            );
            let device = find_device_at(host, request, attrs, &rtnl)?;
            Ok(put_port(message, &device, request.net())?)
        }
        Some(OVNET_A_STATS_VNI) => {
            let vni = vni(request, OVNET_A_STATS_VNI)?;
            with_network(host, vni, OVNET_A_STATS_VNI, |network| {
                put_network(message, network)
            })??;
            Ok(())
        }
        Some(_) => {
            let asked = locator(request, OVNET_A_STATS_LOCATOR)?;
            let reader = rcu::read_lock();
            match host.remotes().get(asked.bits(), Rcu::from(&reader)) {
                Some(remote) => Ok(put_remote(message, remote)?),
                None => {
                    let text = c"no mapping points to a host with that locator";
                    Err(Refusal::new(ENOENT, text).at(OVNET_A_STATS_LOCATOR))
                }
            }
        }
        None => Ok(put_host(message, host)?),
    }
}

/// Says what was counted of this host, then of each port, network and remote host; or of one kind.
pub(crate) fn dump(host: &Host, dump: &mut Dump<'_>) -> bool {
    let only = dump.u32(OVNET_A_STATS_SCOPE);
    let wanted = |scope| only.is_none_or(|only| only == scope);
    if dump.cursor() == 0 {
        if wanted(SCOPE_HOST) && !dump.put(|message| put_host(message, host)) {
            return false;
        }
        dump.set_cursor(1);
    }
    (!wanted(SCOPE_PORT) || dump_ports(host, dump))
        && (!wanted(SCOPE_NETWORK)
            || dump.put_nth_table::<Arc<Network>>(
                Nth::First,
                |_, network, message| put_network(message, network),
                |_, _| true,
            ))
        && (!wanted(SCOPE_REMOTE)
            || dump.put_nth_table::<Arc<Remote>>(
                Nth::Second,
                |_, remote, message| put_remote(message, remote),
                |_, _| true,
            ))
}

/// The ports from the cursor on, which is one more than the number of those that are done.
fn dump_ports(host: &Host, dump: &mut Dump<'_>) -> bool {
    let first = dump.cursor();
    if first == usize::MAX {
        return true;
    }
    let rtnl = Rtnl::lock();
    let asker = dump.net();
    let Ok(devices) = Devices::of::<Host>(host.net(), &rtnl) else {
        return true;
    };
    dump.set_version(Part::List, devices.changes);
    let mut next = first;
    for device in devices.iter::<Port>().skip(first.wrapping_sub(1)) {
        if !dump.put(|message| put_port(message, &device, asker)) {
            dump.set_cursor(next);
            return false;
        }
        next = next.wrapping_add(1);
    }
    dump.set_cursor(usize::MAX);
    true
}

fn put_host(message: &mut Message<'_>, host: &Host) -> Result {
    message.put_u32(OVNET_A_STATS_SCOPE, SCOPE_HOST)?;
    put_counters(message, host.stats())
}

fn put_port(message: &mut Message<'_>, device: &DeviceRef<Port>, asker: Net) -> Result {
    message.put_u32(OVNET_A_STATS_SCOPE, SCOPE_PORT)?;
    put_device(
        message,
        device,
        asker,
        OVNET_A_STATS_IFINDEX,
        OVNET_A_STATS_NETNS_ID,
    )?;
    message.put_name(OVNET_A_STATS_IFNAME, &device.name())?;
    let reader = rcu::read_lock();
    if let Some((attachment, _)) = device.driver().seen(Rcu::from(&reader)) {
        message.put_u32(OVNET_A_STATS_VNI, attachment.network.vni.get())?;
        message.put_ipv4(OVNET_A_STATS_ADDRESS, attachment.identity.address)?;
    }
    drop(reader);
    put_counters(message, device.driver().stats())
}

fn put_network(message: &mut Message<'_>, network: &Network) -> Result {
    message.put_u32(OVNET_A_STATS_SCOPE, SCOPE_NETWORK)?;
    message.put_u32(OVNET_A_STATS_VNI, network.vni.get())?;
    put_counters(message, &network.stats)
}

fn put_remote(message: &mut Message<'_>, remote: &Remote) -> Result {
    message.put_u32(OVNET_A_STATS_SCOPE, SCOPE_REMOTE)?;
    message.put_locator(OVNET_A_STATS_LOCATOR, remote.locator)?;
    put_counters(message, &remote.stats)
}

/// The counters that there are, and the reasons that have dropped something.
fn put_counters<const BEFORE: usize, const ALL: usize>(
    message: &mut Message<'_>,
    stats: &Stats<BEFORE, ALL>,
) -> Result {
    for (attr, count) in [
        (OVNET_A_STATS_TX_PACKETS, Count::TxPackets),
        (OVNET_A_STATS_TX_BYTES, Count::TxBytes),
        (OVNET_A_STATS_RX_PACKETS, Count::RxPackets),
        (OVNET_A_STATS_RX_BYTES, Count::RxBytes),
        (OVNET_A_STATS_LOCAL_PACKETS, Count::LocalPackets),
        (OVNET_A_STATS_LOCAL_BYTES, Count::LocalBytes),
        (OVNET_A_STATS_ARP_REPLIES, Count::ArpReplies),
        (OVNET_A_STATS_ICMP_ERRORS, Count::IcmpErrors),
        (OVNET_A_STATS_LABELS_CLEARED, Count::LabelsCleared),
        (OVNET_A_STATS_FORWARDED, Count::Forwarded),
    ] {
        if stats.has(count) {
            message.put_u64(attr, stats.get(count))?;
        }
    }
    for reason in DropReason::ALL {
        let packets = stats.drops(reason);
        if packets > 0 {
            message.put_nest(OVNET_A_STATS_DROP, |nest| {
                nest.put_u32(OVNET_A_DROP_REASON, reason as u32)?;
                nest.put_u64(OVNET_A_DROP_PACKETS, packets)
            })?;
        }
    }
    Ok(())
}
