// SPDX-License-Identifier: GPL-2.0

//! Networks.

use super::{mapping::remove_mapping, vni, with_network, Answer};
use crate::{
    host::{unkey, Host, Network, NETWORKS_MAX},
    net::{
        bindings::*,
        netlink::{Dump, Message, Refusal, Request},
        rcu::Rcu,
    },
    stats::NetworkStats,
};
use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        rcu, Arc,
    },
};

/// The TTL of Linux hosts and of RFC 1700.
const DEFAULT_TTL: u8 = 64;

/// Creates or changes a network.
pub(crate) fn set(host: &Host, request: &Request<'_>) -> Answer {
    let vni = vni(request, OVNET_A_NETWORK_VNI)?;
    let ttl = request.u8(OVNET_A_NETWORK_TTL);
    let fidelity = request.u32(OVNET_A_NETWORK_FIDELITY);
    let _control = host.control().lock();
    let reader = rcu::read_lock();
    if let Some(network) = host.networks().get(vni.get().into(), Rcu::from(&reader)) {
        if let Some(ttl) = ttl {
            network.ttl.store(ttl.into(), Relaxed);
        }
        if let Some(fidelity) = fidelity {
            network.fidelity.store(fidelity, Relaxed);
        }
        return Ok(());
    }
    drop(reader);
    if host.networks().len() >= NETWORKS_MAX {
        return Err(Refusal::new(
            ENOSPC,
            c"this host has as many networks as it can keep",
        ));
    }
    host.networks().set(
        vni.get().into(),
        Arc::new(
            Network {
                vni,
                fidelity: Atomic::new(fidelity.unwrap_or(OVNET_FIDELITY_SEMANTIC)),
                ttl: Atomic::new(ttl.unwrap_or(DEFAULT_TTL).into()),
                ports: Atomic::new(0),
                mappings: Atomic::new(0),
                stats: NetworkStats::new()?,
            },
            GFP_KERNEL,
        )?,
    )?;
    Ok(())
}

/// Deletes a network and its mappings.
pub(crate) fn del(host: &Host, request: &Request<'_>) -> Answer {
    let vni = vni(request, OVNET_A_NETWORK_VNI)?;
    let _control = host.control().lock();
    let (ports, mut left) = with_network(host, vni, OVNET_A_NETWORK_VNI, |network| {
        (network.ports.load(Relaxed), network.mappings.load(Relaxed))
    })?;
    if ports > 0 {
        let text = c"the network has ports on this host: delete them first";
        return Err(Refusal::new(EBUSY, text).at(OVNET_A_NETWORK_VNI));
    }
    // Entries cannot be removed inside the walk; the lock keeps others from adding any.
    let mut keys = KVVec::with_capacity(left as usize, GFP_KERNEL)?;
    while left > 0 {
        host.mappings().for_each(|key, _| {
            if unkey(key).0 == vni.get() && keys.len() < keys.capacity() {
                // The capacity was checked just now.
                let _ = keys.push_within_capacity(key);
            }
        });
        for &key in keys.iter() {
            left = left.saturating_sub(remove_mapping(host, key).into());
        }
        keys.clear();
    }
    host.networks().remove(vni.get().into());
    Ok(())
}

/// Says what one network is.
pub(crate) fn get(host: &Host, request: &Request<'_>, message: &mut Message<'_>) -> Answer {
    let vni = vni(request, OVNET_A_NETWORK_VNI)?;
    with_network(host, vni, OVNET_A_NETWORK_VNI, |network| {
        put_network(message, vni.get(), network)
    })??;
    Ok(())
}

/// Says what each network is.
pub(crate) fn dump(_: &Host, dump: &mut Dump<'_>) -> bool {
    dump.put_table::<Arc<Network>>(
        |vni, network, message| put_network(message, vni as u32, network),
        |_, _| true,
    )
}

fn put_network(message: &mut Message<'_>, vni: u32, network: &Network) -> Result {
    message.put_u32(OVNET_A_NETWORK_VNI, vni)?;
    message.put_u8(OVNET_A_NETWORK_TTL, network.ttl.load(Relaxed) as u8)?;
    message.put_u32(OVNET_A_NETWORK_FIDELITY, network.fidelity.load(Relaxed))?;
    message.put_u32(OVNET_A_NETWORK_PORTS, network.ports.load(Relaxed))?;
    message.put_u32(OVNET_A_NETWORK_MAPPINGS, network.mappings.load(Relaxed))
}
