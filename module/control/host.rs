// SPDX-License-Identifier: GPL-2.0

//! The host itself, and the remote hosts that its mappings point to.

use super::{locator, own_locator, Answer};
use crate::{
    host::{Host, Remote},
    net::{
        bindings::*,
        device::Rtnl,
        namespace::Registry,
        netlink::{Dump, Message, Refusal, Request},
        rcu::Rcu,
    },
};
use kernel::{
    prelude::*,
    sync::{atomic::Relaxed, rcu, Arc},
};
use ovnet_engine::Locator;

/// Gives the host its locator, or says who finds its mappings, how many it keeps and how long its lease lasts.
pub(crate) fn set(host: &Host, request: &Request<'_>) -> Answer {
    let resolver = request.u32(OVNET_A_HOST_RESOLVER);
    let max = request.u32(OVNET_A_HOST_MAPPINGS_MAX);
    if resolver == Some(OVNET_RESOLVER_STATE_LOST) {
        let text = c"a resolver is lost when its socket closes: set none to do without";
        return Err(Refusal::new(EINVAL, text).at(OVNET_A_HOST_RESOLVER));
    }
    let lease = request.u32(OVNET_A_HOST_LEASE);
    let from = request.u64(OVNET_A_HOST_LEASE_FROM);
    if from.is_some() && lease.is_none() {
        let text = c"the lease that begins at that moment is missing";
        return Err(request.missing(OVNET_A_HOST_LEASE, text));
    }
    let others = resolver.is_some() || max.is_some() || lease.is_some();
    if request.has(OVNET_A_HOST_LOCATOR) || !others {
        set_locator(host, request)?;
    }
    let _control = host.control().lock();
    if let Some(max) = max {
        host.set_mappings_max(max);
    }
    if let Some(state) = resolver {
        host.set_resolver(state, request.port());
    }
    if let Some(length) = lease {
        host.set_lease(length, from);
    }
    Ok(())
}

fn set_locator(host: &Host, request: &Request<'_>) -> Answer {
    let new = locator(request, OVNET_A_HOST_LOCATOR)?;
    let rtnl = Rtnl::lock();
    let _control = host.control().lock();
    if host.locator() == Some(new) {
        return Ok(());
    }
    refuse_if_mapped(host)?;
    Registry::<Host>::receive(host.net(), true, &rtnl)?;
    host.set_locator(Some(new));
    Ok(())
}

/// Takes the host's locator away.
pub(crate) fn del(host: &Host, request: &Request<'_>) -> Answer {
    let gone = locator(request, OVNET_A_HOST_LOCATOR)?;
    let rtnl = Rtnl::lock();
    let _control = host.control().lock();
    if host.locator() != Some(gone) {
        let text = c"not this host's locator: remote hosts go with their mappings";
        return Err(Refusal::new(ENOENT, text).at(OVNET_A_HOST_LOCATOR));
    }
    refuse_if_mapped(host)?;
    host.set_locator(None);
    Registry::<Host>::receive(host.net(), false, &rtnl)?;
    Ok(())
}

/// Mappings and ports hold paths from the locator.
fn refuse_if_mapped(host: &Host) -> Answer {
    if host.mappings().len() > 0 {
        let text = c"this host has ports or mappings: delete its networks first";
        return Err(Refusal::new(EBUSY, text));
    }
    Ok(())
}

/// Says what one host is.
pub(crate) fn get(host: &Host, request: &Request<'_>, message: &mut Message<'_>) -> Answer {
    let own = host.locator();
    if request.ipv6(OVNET_A_HOST_LOCATOR).is_none() {
        return Ok(put_self(message, host, own_locator(host)?)?);
    }
    let asked = locator(request, OVNET_A_HOST_LOCATOR)?;
    if own == Some(asked) {
        return Ok(put_self(message, host, asked)?);
    }
    let reader = rcu::read_lock();
    match host.remotes().get(asked.bits(), Rcu::from(&reader)) {
        Some(remote) => Ok(put_remote(message, remote)?),
        None => {
            let text = c"no mapping points to a host with that locator";
            Err(Refusal::new(ENOENT, text).at(OVNET_A_HOST_LOCATOR))
        }
    }
}

/// Says what this host is, and then each remote one.
pub(crate) fn dump(host: &Host, dump: &mut Dump<'_>) -> bool {
    if dump.cursor() == 0 {
        if let Some(own) = host.locator() {
            if !dump.put(|message| put_self(message, host, own)) {
                return false;
            }
        }
        dump.set_cursor(1);
    }
    dump.put_table::<Arc<Remote>>(
        |_, remote, message| put_remote(message, remote),
        |_, _| true,
    )
}

fn put_self(message: &mut Message<'_>, host: &Host, own: Locator) -> Result {
    message.put_locator(OVNET_A_HOST_LOCATOR, own)?;
    message.put_u32(OVNET_A_HOST_RESOLVER, host.resolver())?;
    message.put_u32(OVNET_A_HOST_MAPPINGS_MAX, host.mappings_max())?;
    if let Some(left) = host.lease().left() {
        message.put_u32(OVNET_A_HOST_LEASE, left)?;
    }
    message.put(OVNET_A_HOST_SELF, &[])
}

fn put_remote(message: &mut Message<'_>, remote: &Remote) -> Result {
    message.put_locator(OVNET_A_HOST_LOCATOR, remote.locator)?;
    message.put_u32(OVNET_A_HOST_MAPPINGS, remote.mappings.load(Relaxed))
}
