// SPDX-License-Identifier: GPL-2.0

//! Peerings: which nodes of one network may send to which of another.
//!
//! A peering belongs to two networks, of which this host may know one alone; those of a network end with it.

use super::{
    rule::{prefix, put_prefix, unbuilt},
    Answer,
};
use crate::{
    host::Host,
    net::{
        bindings::*,
        netlink::{Dump, Nth, Part, Refusal, Request},
        rcu::Rcu,
    },
    policy::{peering_key, push, Grant, Peering},
};
use kernel::{prelude::*, sync::rcu};
use ovnet_engine::Vni;

/// The most pairs of networks that a host keeps peerings of.
const PEERINGS_MAX: u32 = 1 << 16;
/// The most grants from one network to another.
const GRANTS_MAX: usize = 1 << 16;

/// Grants something.
pub(crate) fn set(host: &Host, request: &Request<'_>) -> Answer {
    let (key, grant) = read(request)?;
    let _control = host.control().lock();
    let mut grants = granted(host, key)?;
    if grants.contains(&grant) {
        return Ok(());
    }
    if grants.is_empty() && host.peerings().len() >= PEERINGS_MAX {
        return Err(Refusal::new(
            ENOSPC,
            c"this host has peerings between as many networks as it can keep",
        ));
    }
    if grants.len() >= GRANTS_MAX {
        return Err(Refusal::new(
            ENOSPC,
            c"between two networks there are at most 65536 peerings on a host",
        ));
    }
    // To its place in the order: each greater one moves on by one.
    let mut carried = grant;
    for other in grants.iter_mut().filter(|other| **other > grant) {
        core::mem::swap(other, &mut carried);
    }
    push(&mut grants, carried)?;
    replace(host, key, grants)
}

/// Takes something granted back.
pub(crate) fn del(host: &Host, request: &Request<'_>) -> Answer {
    let (key, grant) = read(request)?;
    let _control = host.control().lock();
    let known = granted(host, key)?;
    let mut left = KVVec::with_capacity(known.len(), GFP_KERNEL_ACCOUNT)?;
    for &other in known.iter().filter(|&&other| other != grant) {
        push(&mut left, other)?;
    }
    if left.len() == known.len() {
        return Err(Refusal::new(ENOENT, c"this host has no such peering"));
    }
    replace(host, key, left)
}

/// What `forget` needs, so that it need not ask for memory half way. Under the control lock.
pub(super) fn room(host: &Host) -> Result<KVVec<u64>> {
    Ok(KVVec::with_capacity(
        host.peerings().len() as usize,
        GFP_KERNEL,
    )?)
}

/// Ends the peerings of a network that is deleted. Under the control lock.
pub(super) fn forget(host: &Host, vni: Vni, mut keys: KVVec<u64>) {
    loop {
        // Entries cannot be removed inside the walk, which may show one twice and so leave another out.
        host.peerings().for_each(|key, _| {
            let (from, to) = unkey(key);
            if (from == vni.get() || to == vni.get()) && keys.len() < keys.capacity() {
                // The capacity was checked just now.
                let _ = keys.push_within_capacity(key);
            }
        });
        if keys.is_empty() {
            return;
        }
        for &key in &keys {
            host.peerings().remove(key);
        }
        keys.clear();
    }
}

/// Says what each peering is, of all networks, or of one to another or to all.
pub(crate) fn dump(_: &Host, dump: &mut Dump<'_>) -> bool {
    let only = (dump.u32(OVNET_A_PEERING_FROM), dump.u32(OVNET_A_PEERING_TO));
    dump.walk_table(Nth::First, |dump, key, peering: &Peering, restarts| {
        let (from, to) = unkey(key);
        if only.0.is_some_and(|only| only != from) || only.1.is_some_and(|only| only != to) {
            return true;
        }
        dump.set_version(Part::List, restarts);
        let mut done = dump.cursor();
        for grant in peering.grants().iter().skip(done) {
            let put = dump.put(|message| {
                message.put_u32(OVNET_A_PEERING_FROM, from)?;
                message.put_u32(OVNET_A_PEERING_TO, to)?;
                let (src, dst) = (grant.src, grant.dst);
                put_prefix(message, src, OVNET_A_PEERING_SRC, OVNET_A_PEERING_SRC_LEN)?;
                put_prefix(message, dst, OVNET_A_PEERING_DST, OVNET_A_PEERING_DST_LEN)
            });
            if !put {
                dump.set_cursor(done);
                return false;
            }
            done = done.wrapping_add(1);
        }
        dump.set_cursor(0);
        true
    })
}

/// Between which networks what is granted.
fn read(request: &Request<'_>) -> Result<(u64, Grant), Refusal> {
    let network = |attr, text| {
        let number = request.u32(attr).and_then(Vni::new);
        number.ok_or_else(|| request.missing(attr, text))
    };
    let from = network(
        OVNET_A_PEERING_FROM,
        c"the network whose nodes may send is missing",
    )?;
    let to = network(
        OVNET_A_PEERING_TO,
        c"the network that they may send to is missing",
    )?;
    if from == to {
        let text = c"nodes of one network need no peering: rules say what they may not";
        return Err(Refusal::new(EINVAL, text).at(OVNET_A_PEERING_TO));
    }
    let at = |address, len| prefix(request.ipv4(address), request.u8(len));
    let grant = Grant {
        src: at(OVNET_A_PEERING_SRC, OVNET_A_PEERING_SRC_LEN)
            .map_err(|refusal| refusal.at(OVNET_A_PEERING_SRC))?,
        dst: at(OVNET_A_PEERING_DST, OVNET_A_PEERING_DST_LEN)
            .map_err(|refusal| refusal.at(OVNET_A_PEERING_DST))?,
    };
    Ok((peering_key(from, to), grant))
}

/// What is granted between two networks, in its order. Under the control lock.
fn granted(host: &Host, key: u64) -> Result<KVVec<Grant>> {
    let reader = rcu::read_lock();
    let known = host.peerings().get(key, Rcu::from(&reader));
    let count = known.map_or(0, |peering| peering.grants().len());
    drop(reader);
    // Memory may be waited for, and nobody changes the peering meanwhile.
    let mut grants = KVVec::with_capacity(count.saturating_add(1), GFP_KERNEL_ACCOUNT)?;
    let reader = rcu::read_lock();
    if let Some(peering) = host.peerings().get(key, Rcu::from(&reader)) {
        for &grant in peering.grants() {
            push(&mut grants, grant)?;
        }
    }
    Ok(grants)
}

fn replace(host: &Host, key: u64, grants: KVVec<Grant>) -> Answer {
    if grants.is_empty() {
        host.peerings().remove(key);
        return Ok(());
    }
    let peering = Peering::new(grants).map_err(unbuilt)?;
    Ok(host.peerings().set(key, peering)?)
}

const fn unkey(key: u64) -> (u32, u32) {
    ((key >> 32) as u32, key as u32)
}
