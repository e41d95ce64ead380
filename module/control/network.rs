// SPDX-License-Identifier: GPL-2.0

//! Networks.

use super::{mapping::remove_mapping, peering, rule, vni, with_network, Answer};
use crate::{
    host::{unkey, Host, Network, NETWORKS_MAX},
    net::{
        bindings::*,
        netlink::{Dump, Message, Refusal, Request},
        rcu::{Rcu, RcuCell},
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
    let policy_in = request.u32(OVNET_A_NETWORK_POLICY_IN);
    let policy_out = request.u32(OVNET_A_NETWORK_POLICY_OUT);
    let control = host.control().lock();
    let reader = rcu::read_lock();
    let known = host
        .networks()
        .get(vni.get().into(), Rcu::from(&reader))
        .cloned();
    drop(reader);
    if let Some(network) = known {
        // What may fail comes first.
        let former = rule::set_defaults(&network, policy_in, policy_out)?;
        if let Some(ttl) = ttl {
            network.ttl.store(ttl.into(), Relaxed);
        }
        if let Some(fidelity) = fidelity {
            network.fidelity.store(fidelity, Relaxed);
        }
        drop(control);
        drop(former);
        return Ok(());
    }
    if host.networks().len() >= NETWORKS_MAX {
        return Err(Refusal::new(
            ENOSPC,
            c"this host has as many networks as it can keep",
        ));
    }
    let network = Arc::new(
        Network {
            vni,
            fidelity: Atomic::new(fidelity.unwrap_or(OVNET_FIDELITY_SEMANTIC)),
            ttl: Atomic::new(ttl.unwrap_or(DEFAULT_TTL).into()),
            policy: RcuCell::empty(),
            ports: Atomic::new(0),
            mappings: Atomic::new(0),
            stats: NetworkStats::new()?,
        },
        GFP_KERNEL,
    )?;
    // Nobody reads it yet, so that there is nothing to wait for.
    let _nothing = rule::set_defaults(&network, policy_in, policy_out)?;
    host.networks().set(vni.get().into(), network)?;
    Ok(())
}

/// Deletes a network with its mappings, rules and peerings.
pub(crate) fn del(host: &Host, request: &Request<'_>) -> Answer {
    let vni = vni(request, OVNET_A_NETWORK_VNI)?;
    let control = host.control().lock();
    let network = with_network(host, vni, OVNET_A_NETWORK_VNI, Arc::clone)?;
    let mut left = network.mappings.load(Relaxed);
    if network.ports.load(Relaxed) > 0 {
        let text = c"the network has ports on this host: delete them first";
        return Err(Refusal::new(EBUSY, text).at(OVNET_A_NETWORK_VNI));
    }
    // From here on nothing may fail, or the network would be half gone. Entries cannot be removed inside the
    // walk; the lock keeps others from adding any.
    let peerings = peering::room(host)?;
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
    peering::forget(host, vni, peerings);
    host.networks().remove(vni.get().into());
    host.forget_misses(vni);
    // Thousands of rules are too much to be dropped by the table's RCU callback.
    let policy = network.policy.replace(None)?;
    drop(control);
    drop(policy);
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
    message.put_u32(OVNET_A_NETWORK_MAPPINGS, network.mappings.load(Relaxed))?;
    rule::put_summary(message, network)
}
