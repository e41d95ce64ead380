// SPDX-License-Identifier: GPL-2.0

//! Mappings, and the one rule for them: a greater generation installs, an equal one with the same contents
//! changes nothing, a smaller one is refused; a deletion leaves a tombstone with its generation.

use super::{
    generation, locator, network, node_address, node_mac, own_locator,
    port::{find_port, is_managed, node_of},
    put_device, vni, with_network, Answer,
};
use crate::{
    expiry::{Expiry, Ttl},
    external::{self, External},
    hold::{Away, Hold, Place, Stage},
    host::{key, unkey, Host, Mapping, Remote},
    misses::Miss,
    net::{
        bindings::*,
        device::{DeviceRef, Rtnl},
        namespace::Net,
        netlink::{self, Attrs, Dump, Message, Refusal, Request},
        rcu::Rcu,
        time::Moment,
    },
    port::Port,
};
use core::net::Ipv4Addr;
use kernel::{
    prelude::*,
    sync::{atomic::Relaxed, rcu, Arc},
};
use ovnet_engine::{fast::Path, DropReason, Locator, Mac, SubstratePrefix, Vni};

/// What is to become of a mapping.
pub(super) enum Step {
    /// It is what it should be.
    Keep,
    /// It is to be replaced under this generation.
    Install(u64),
}

/// Decides by the generation. `same`: the contents known are those asked for.
pub(super) fn step(
    known: Option<u64>,
    asked: Option<u64>,
    same: bool,
    attr: u32,
) -> Result<Step, Refusal> {
    let known = known.unwrap_or(0);
    match asked {
        None if same => Ok(Step::Keep),
        None if known >= u64::from(OVNET_GEN_MAX) => Err(Refusal::new(
            ERANGE,
            c"the mapping's generation is at its maximum",
        )),
        None => Ok(Step::Install(known.wrapping_add(1))),
        Some(gen) if gen > known => Ok(Step::Install(gen)),
        Some(gen) if gen == known && same => Ok(Step::Keep),
        Some(gen) if gen == known => {
            let text = c"that generation is known with other contents";
            Err(Refusal::new(EEXIST, text).at(attr))
        }
        Some(_) => {
            let text = c"older than the generation this host knows";
            Err(Refusal::new(Error::from_errno(-OVNET_ESTALE), text).at(attr))
        }
    }
}

/// Puts a mapping in the place of the one that is known, if any, and lets go of what waited for it. Keeps the
/// counts of networks and remote hosts, and the states of ports. Under the control lock.
pub(super) fn install(host: &Host, vni: Vni, address: Ipv4Addr, mut mapping: Mapping) -> Answer {
    let key = key(vni, address);
    let reader = rcu::read_lock();
    let old = host.mappings().get(key, Rcu::from(&reader));
    if let Some(old) = old {
        mapping.expiry.inherit(&old.expiry);
    }
    let known = old.is_some();
    let news = old.is_none_or(|old| mapping.gen > old.gen);
    let old_mac = old.map_or(mapping.mac, |old| old.mac);
    let old_remote = old.and_then(|old| Some(old.place.away()?.remote.clone()));
    let old_port = old.and_then(|old| old.place.port().cloned());
    let old_external = old.and_then(|old| old.place.external().cloned());
    let old_queue = old.and_then(|old| old.place.queue().cloned());
    drop(reader);
    if !known {
        make_room(host, &mapping.place)?;
    }
    let waiting = old_queue.or_else(|| host.miss_queue(key));
    let new_remote = mapping.place.away().map(|away| away.remote.clone());
    let left = old_remote.clone().filter(|old| {
        new_remote
            .as_ref()
            .is_some_and(|new| new.locator != old.locator)
    });
    if let Some(left) = &left {
        mapping.left(left.clone(), old_mac);
    }
    let new_port = mapping.place.port().cloned();
    let new_external = mapping.place.external().cloned();
    if let Some(new) = &new_external {
        host.externals()
            .set(external::key(new.vni, &new.there), new.clone())?;
    }
    let mortal = mapping.expiry.is_mortal();
    let hold = match &mapping.place {
        Place::Held(hold) => Some(hold.clone()),
        _ => None,
    };
    match (&hold, waiting) {
        (None, Some(queue)) => {
            // What waits goes before what comes now, which queues behind it.
            let stage = Stage::Settled(mapping.place.clone());
            let hold = Arc::new(
                Hold {
                    queue: queue.clone(),
                    stage,
                },
                GFP_KERNEL,
            )?;
            let mut settling = Mapping::new(
                mapping.gen,
                mapping.mac,
                Place::Held(hold),
                Expiry::new(mapping.expiry.left()),
            );
            if let Some(left) = left {
                settling.left(left, old_mac);
            }
            host.mappings().set(key, settling)?;
            host.end_miss(key);
            let ports = (old_port.as_ref(), new_port.as_ref());
            place_port(host, (vni, address), ports, &mapping.place, news);
            host.release(&queue);
            // Without memory the queue, closed now, stays in the way but lets everything pass.
            let _ = host.mappings().set(key, mapping);
        }
        (hold, waiting) => {
            if let Some(hold) = hold {
                host.holds().set(key, hold.clone())?;
            }
            let place = mapping.place.clone();
            host.mappings().set(key, mapping)?;
            let ports = (old_port.as_ref(), new_port.as_ref());
            place_port(host, (vni, address), ports, &place, news);
            // What waits is looked at again.
            let same = |hold: &Arc<Hold>| {
                waiting
                    .as_ref()
                    .is_some_and(|queue| Arc::ptr_eq(&hold.queue, queue))
            };
            if let Some(queue) = host.end_miss(key) {
                host.release(&queue);
            } else if !hold.as_ref().is_some_and(same) {
                if let Some(queue) = &waiting {
                    host.release(queue);
                }
            }
        }
    }
    if hold.is_none() {
        host.holds().remove(key);
    }
    if let Some(new) = new_remote {
        new.mappings.add(1, Relaxed);
    }
    if let Some(old) = old_remote {
        leave(host, &old);
    }
    if let Some(old) = old_external {
        if !new_external.is_some_and(|new| new.there == old.there) {
            host.externals().remove(external::key(old.vni, &old.there));
        }
    }
    if mortal {
        host.start_sweep();
    }
    let reader = rcu::read_lock();
    let rcu = Rcu::from(&reader);
    if !known {
        if let Some(network) = host.networks().get(vni.get().into(), rcu) {
            network.mappings.add(1, Relaxed);
        }
    }
    if netlink::has_listeners(host.net()) {
        if let Some(mapping) = host.mappings().get(key, rcu) {
            host.report_mapping(vni, address, mapping);
        }
    }
    Ok(())
}

/// Puts a mapping where none was and where nothing waits for one, for a node behind a remote host: what most
/// are when they come. As [`install`], without what there is nothing of. Under the control lock.
fn install_first(host: &Host, vni: Vni, address: Ipv4Addr, mapping: Mapping) -> Answer {
    let key = key(vni, address);
    make_room(host, &mapping.place)?;
    let mortal = mapping.expiry.is_mortal();
    let entry = host.mappings().entry(key, mapping)?;
    let reader = rcu::read_lock();
    let rcu = Rcu::from(&reader);
    let mapping = host.mappings().insert(entry, rcu)?;
    if let Some(away) = mapping.place.away() {
        away.remote.mappings.add(1, Relaxed);
    }
    if let Some(network) = host.networks().get(vni.get().into(), rcu) {
        network.mappings.add(1, Relaxed);
    }
    host.report_mapping(vni, address, mapping);
    drop(reader);
    host.holds().remove(key);
    // A packet may have asked meanwhile.
    if let Some(queue) = host.end_miss(key) {
        host.release(&queue);
    }
    if mortal {
        host.start_sweep();
    }
    Ok(())
}

/// Sees that the host may keep one more mapping, to that place. Under the control lock.
fn make_room(host: &Host, place: &Place) -> Answer {
    if host.mappings().len() < host.mappings_max() {
        return Ok(());
    }
    // What goes may be the last mapping to the remote host of the one that comes, and must not take it along.
    let count = place.away().map(|away| &away.remote.mappings);
    if let Some(count) = count {
        count.add(1, Relaxed);
    }
    let has_room = host.evict();
    if let Some(count) = count {
        count.fetch_sub(1, Relaxed);
    }
    if !has_room {
        let text = c"this host has as many mappings as it may keep, and none that ends one day";
        return Err(Refusal::new(ENOSPC, text));
    }
    Ok(())
}

/// Tells ports that the node of a mapping is there, or is no more. `news`: a greater generation says so.
fn place_port(
    host: &Host,
    node: (Vni, Ipv4Addr),
    (old, new): (Option<&DeviceRef<Port>>, Option<&DeviceRef<Port>>),
    place: &Place,
    news: bool,
) {
    let own = |port: &&DeviceRef<Port>| node_of(host, port.driver()) == Some(node);
    if let Some(old) = old.filter(own) {
        if !new.is_some_and(|new| new.is(old)) {
            let state = OVNET_PORT_STATE_INACTIVE;
            host.lease().place(old.driver(), state, news);
        }
    }
    if let Some(new) = new.filter(own) {
        let state = match place {
            Place::Held(hold) => match hold.stage {
                Stage::Standby(..) => OVNET_PORT_STATE_STANDBY,
                _ => OVNET_PORT_STATE_FROZEN,
            },
            _ => OVNET_PORT_STATE_ACTIVE,
        };
        host.lease().place(new.driver(), state, news);
    }
}

/// One mapping less points to a remote host; the last one takes it along.
fn leave(host: &Host, remote: &Remote) {
    if remote.mappings.fetch_sub(1, Relaxed) == 1 {
        host.remotes().remove(remote.locator.bits());
    }
}

/// The remote host of a locator, known or new. Under the control lock.
fn remote(host: &Host, locator: Locator) -> Result<Arc<Remote>, Refusal> {
    let reader = rcu::read_lock();
    if let Some(known) = host.remotes().get(locator.bits(), Rcu::from(&reader)) {
        return Ok(known.clone());
    }
    drop(reader);
    let new = Arc::new(Remote::new(locator)?, GFP_KERNEL)?;
    host.remotes().set(locator.bits(), new.clone())?;
    Ok(new)
}

/// Removes a mapping without a trace. Under the control lock.
pub(crate) fn remove_mapping(host: &Host, key: u64) -> bool {
    let reader = rcu::read_lock();
    let rcu = Rcu::from(&reader);
    let old = host.mappings().get(key, rcu);
    let remote = old.and_then(|old| Some(old.place.away()?.remote.clone()));
    if let Some(external) = old.and_then(|old| old.place.external()) {
        host.externals()
            .remove(external::key(external.vni, &external.there));
    }
    if let Some(network) = old.and_then(|_| host.networks().get(unkey(key).0.into(), rcu)) {
        network.mappings.fetch_sub(1, Relaxed);
    }
    drop(reader);
    if let Some(remote) = remote {
        leave(host, &remote);
    }
    host.mappings().remove(key)
}

/// A mapping's place behind a remote host, seen from this host's own locator. Under the control lock.
pub(super) fn away(
    host: &Host,
    (own, to): (Locator, Locator),
    vni: Vni,
    (peer, slot): (Vni, u8),
) -> Result<Away, Refusal> {
    Ok(Away {
        remote: remote(host, to)?,
        path: Path::new(
            SubstratePrefix::new(own, vni),
            SubstratePrefix::in_slot(to, peer, slot),
        ),
    })
}

/// What became of a mapping that was asked for.
enum Outcome {
    /// It is now as asked for.
    Installed,
    /// It was so before.
    Unchanged,
}

/// Says where a node is.
pub(crate) fn set(host: &Host, request: &Request<'_>) -> Answer {
    set_one(host, request).map(|_| ())
}

/// Says where many nodes are.
pub(crate) fn batch(host: &Host, request: &Request<'_>, message: &mut Message<'_>) -> Answer {
    let (mut installed, mut unchanged, mut refused) = (0_u32, 0_u32, 0_u32);
    request.each_nest(OVNET_A_MAPPING_BATCH_MAPPING, netlink::MAPPING, |attrs| {
        match set_one(host, attrs) {
            Ok(Outcome::Installed) => installed = installed.wrapping_add(1),
            Ok(Outcome::Unchanged) => unchanged = unchanged.wrapping_add(1),
            Err(refusal) if is_old(&refusal) => refused = refused.wrapping_add(1),
            Err(refusal) => return Err(attrs.refuse(&refusal).into()),
        }
        Ok(())
    })?;
    message.put_u32(OVNET_A_MAPPING_BATCH_INSTALLED, installed)?;
    message.put_u32(OVNET_A_MAPPING_BATCH_UNCHANGED, unchanged)?;
    message.put_u32(OVNET_A_MAPPING_BATCH_REFUSED, refused)?;
    Ok(())
}

/// Whether a request was refused for its generation.
fn is_old(refusal: &Refusal) -> bool {
    refusal.errno == Error::from_errno(-OVNET_ESTALE) || refusal.errno == EEXIST
}

fn set_one(host: &Host, attrs: &Attrs<'_>) -> Result<Outcome, Refusal> {
    let vni = vni(attrs, OVNET_A_MAPPING_VNI)?;
    let address = node_address(attrs, OVNET_A_MAPPING_ADDRESS)?;
    let ttl = Ttl {
        soft: attrs.u32(OVNET_A_MAPPING_SOFT_TTL),
        hard: attrs.u32(OVNET_A_MAPPING_HARD_TTL),
    };
    if let Some(there) = attrs.ipv6(OVNET_A_MAPPING_EXTERNAL) {
        return set_external(host, attrs, vni, address, there, ttl);
    }
    let moved = match attrs.u32(OVNET_A_MAPPING_STATE) {
        None | Some(OVNET_MAPPING_STATE_REMOTE) => false,
        Some(OVNET_MAPPING_STATE_MOVED) => true,
        Some(OVNET_MAPPING_STATE_NEGATIVE) => {
            return refuse(host, vni, address, ttl);
        }
        Some(_) => {
            let text = c"a mapping can be set remote, moved or negative only";
            return Err(Refusal::new(EINVAL, text).at(OVNET_A_MAPPING_STATE));
        }
    };
    let to = locator(attrs, OVNET_A_MAPPING_LOCATOR)?;
    let mac = node_mac(attrs, OVNET_A_MAPPING_MAC, address)?;
    let asked = generation(attrs, OVNET_A_MAPPING_GEN);
    let peer = attrs
        .u32(OVNET_A_MAPPING_PEER_VNI)
        .and_then(Vni::new)
        .unwrap_or(vni);
    let slot = attrs.u8(OVNET_A_MAPPING_SLOT).unwrap_or(0);
    // Only a mapping to this host itself concerns a device.
    let rtnl = (host.locator_bits() == to.bits()).then(Rtnl::lock);
    let _control = host.control().lock();
    let own = own_locator(host)?;
    let port = match &rtnl {
        Some(rtnl) if own == to => {
            with_network(host, vni, OVNET_A_MAPPING_VNI, |_| ())?;
            Some(find_port(host, peer, address, rtnl)?.ok_or_else(|| {
                let text = c"no port of this host has that address: set the port";
                Refusal::new(ENOENT, text).at(OVNET_A_MAPPING_LOCATOR)
            })?)
        }
        // The locator changed while we waited for the locks.
        _ if rtnl.is_some() || own == to => return Err(EAGAIN.into()),
        _ => None,
    };
    let reader = rcu::read_lock();
    let rcu = Rcu::from(&reader);
    network(host, vni, OVNET_A_MAPPING_VNI, rcu)?;
    let known = host.mapping(vni, address, rcu);
    let (same, forwards) = known.map_or((false, false), |mapping| {
        is_there(mapping, mac, port.as_ref(), to, (peer, slot))
    });
    let standby = known.and_then(|mapping| match &mapping.place {
        Place::Held(hold) => match &hold.stage {
            Stage::Standby(port, _) => Some((port.clone(), hold.queue.clone())),
            _ => None,
        },
        _ => None,
    });
    let gen = match step(
        known.map(|mapping| mapping.gen),
        asked,
        same,
        OVNET_A_MAPPING_GEN,
    )? {
        // Whether strays are forwarded is this host's own affair, and changes under one generation.
        Step::Keep if port.is_none() && moved != forwards && standby.is_none() => {
            known.map_or(0, |mapping| mapping.gen)
        }
        Step::Keep => {
            if let Some(mapping) = known {
                mapping.expiry.refresh(ttl);
            }
            drop(reader);
            if ttl.soft.or(ttl.hard).is_some() {
                host.start_sweep();
            }
            // Whoever asked has the answer: nothing has changed.
            if let Some(queue) = host.end_miss(key(vni, address)) {
                host.release(&queue);
            }
            return Ok(Outcome::Unchanged);
        }
        Step::Install(gen) => gen,
    };
    let is_first = known.is_none();
    drop(reader);
    let place = match (port, standby) {
        (Some(port), _) => Place::Local(port),
        // The node will come to that port still.
        (None, Some((port, queue))) => {
            let stage = Stage::Standby(port, Some(away(host, (own, to), vni, (peer, slot))?));
            Place::Held(Arc::new(Hold { queue, stage }, GFP_KERNEL)?)
        }
        (None, None) if moved => Place::Moved(away(host, (own, to), vni, (peer, slot))?),
        (None, None) => Place::Remote(away(host, (own, to), vni, (peer, slot))?),
    };
    let plain = is_first && place.away().is_some() && host.misses().is_empty();
    let mapping = Mapping::new(gen, mac, place, Expiry::new(ttl));
    let result = if plain {
        install_first(host, vni, address, mapping)
    } else {
        install(host, vni, address, mapping)
    };
    if result.is_err() {
        forget_unused(host, to);
    }
    result.map(|()| Outcome::Installed)
}

/// Says which machine outside the overlay an address stands for.
fn set_external(
    host: &Host,
    attrs: &Attrs<'_>,
    vni: Vni,
    address: Ipv4Addr,
    there: [u8; 16],
    ttl: Ttl,
) -> Result<Outcome, Refusal> {
    if attrs.has(OVNET_A_MAPPING_LOCATOR) {
        let text = c"a mapping has a locator or an external machine, not both";
        return Err(Refusal::new(EINVAL, text).at(OVNET_A_MAPPING_EXTERNAL));
    }
    let mac = node_mac(attrs, OVNET_A_MAPPING_MAC, address)?;
    let asked = generation(attrs, OVNET_A_MAPPING_GEN);
    let _control = host.control().lock();
    let own = own_locator(host)?;
    with_network(host, vni, OVNET_A_MAPPING_VNI, |_| ())?;
    let prefix = u128::from_be_bytes(there) >> 64;
    // Unspecified, loopback, link-local and group addresses are nobody's on the far side of a router.
    if prefix == 0 || prefix >> 54 == 0xfe80 >> 6 || prefix >> 56 == 0xff {
        let text = c"not an address of a machine that a router could reach";
        return Err(Refusal::new(EINVAL, text).at(OVNET_A_MAPPING_EXTERNAL));
    }
    if prefix as u64 == own.bits() {
        let text = c"that address is this host's own";
        return Err(Refusal::new(EINVAL, text).at(OVNET_A_MAPPING_EXTERNAL));
    }
    let reader = rcu::read_lock();
    let rcu = Rcu::from(&reader);
    let taken = host.externals().get(external::key(vni, &there), rcu);
    if taken.is_some_and(|other| other.address != address || other.vni != vni) {
        let text = c"another address of the network stands for that machine: delete it first";
        return Err(Refusal::new(EEXIST, text).at(OVNET_A_MAPPING_EXTERNAL));
    }
    let known = host.mapping(vni, address, rcu);
    if known.is_some_and(|mapping| mapping.place.port().is_some()) {
        let text = c"a port of this host has that address: delete the port";
        return Err(Refusal::new(EBUSY, text).at(OVNET_A_MAPPING_ADDRESS));
    }
    let same = known.is_some_and(|mapping| {
        let external = mapping.place.external();
        mapping.mac == mac && external.is_some_and(|external| external.there == there)
    });
    let gen = known.map(|mapping| mapping.gen);
    match step(gen, asked, same, OVNET_A_MAPPING_GEN)? {
        Step::Keep => {
            if let Some(mapping) = known {
                mapping.expiry.refresh(ttl);
            }
            drop(reader);
            if ttl.soft.or(ttl.hard).is_some() {
                host.start_sweep();
            }
            Ok(Outcome::Unchanged)
        }
        Step::Install(gen) => {
            drop(reader);
            let external = Arc::new(External::new(vni, address, there, mac)?, GFP_KERNEL)?;
            let mapping = Mapping::new(gen, mac, Place::External(external), Expiry::new(ttl));
            install(host, vni, address, mapping).map(|()| Outcome::Installed)
        }
    }
}

/// Whether a mapping says that the node is there, and whether it forwards strays.
fn is_there(
    mapping: &Mapping,
    mac: Mac,
    port: Option<&DeviceRef<Port>>,
    to: Locator,
    (peer, slot): (Vni, u8),
) -> (bool, bool) {
    let (there, forwards) = match (mapping.place.settled(), port) {
        (Place::Local(known), Some(port)) => (known.is(port), false),
        (Place::Remote(away), None) => (away.leads_to(to, peer, slot), false),
        (Place::Moved(away), None) => (away.leads_to(to, peer, slot), true),
        (Place::Held(hold), None) => match &hold.stage {
            Stage::Standby(_, Some(away)) => (away.leads_to(to, peer, slot), false),
            _ => (false, false),
        },
        _ => (false, false),
    };
    (there && mapping.mac == mac, forwards)
}

/// Says that an address does not exist, for now.
fn refuse(host: &Host, vni: Vni, address: Ipv4Addr, ttl: Ttl) -> Result<Outcome, Refusal> {
    const DEFAULT: u32 = 1000;
    let _control = host.control().lock();
    with_network(host, vni, OVNET_A_MAPPING_VNI, |_| ())?;
    let reader = rcu::read_lock();
    let known = host
        .mapping(vni, address, Rcu::from(&reader))
        .is_some_and(|mapping| mapping.place.is_known());
    drop(reader);
    if known {
        let text = c"that address has a mapping: delete it";
        return Err(Refusal::new(EEXIST, text).at(OVNET_A_MAPPING_STATE));
    }
    match host.refuse_miss(key(vni, address), ttl.hard.unwrap_or(DEFAULT)) {
        Ok(()) => Ok(Outcome::Installed),
        Err(DropReason::NoMemory) => Err(ENOMEM.into()),
        Err(_) => {
            let text = c"this host keeps as many refusals as it may: let some end, or ask for shorter ones";
            Err(Refusal::new(ENOSPC, text).at(OVNET_A_MAPPING_STATE))
        }
    }
}

/// Removes a remote host that no mapping points to: one that was made for a mapping that did not come to
/// be.
fn forget_unused(host: &Host, locator: Locator) {
    let reader = rcu::read_lock();
    let unused = host
        .remotes()
        .get(locator.bits(), Rcu::from(&reader))
        .is_some_and(|remote| remote.mappings.load(Relaxed) == 0);
    drop(reader);
    if unused {
        host.remotes().remove(locator.bits());
    }
}

/// Forgets where a node is.
pub(crate) fn del(host: &Host, request: &Request<'_>) -> Answer {
    let vni = vni(request, OVNET_A_MAPPING_VNI)?;
    let address = node_address(request, OVNET_A_MAPPING_ADDRESS)?;
    let asked = generation(request, OVNET_A_MAPPING_GEN);
    let forget = request.has(OVNET_A_MAPPING_FORGET);
    let _control = host.control().lock();
    with_network(host, vni, OVNET_A_MAPPING_VNI, |_| ())?;
    let reader = rcu::read_lock();
    let known = host.mapping(vni, address, Rcu::from(&reader));
    let deleted = known.is_none_or(|mapping| !mapping.place.is_known());
    if deleted && asked.is_none() && !forget {
        return Err(no_mapping());
    }
    // The port of a node that is managed stays, and says that its node is nowhere.
    let port = known.and_then(|mapping| mapping.place.port());
    if port.is_some_and(|port| forget || !is_managed(host, port.driver())) {
        let text = c"a port of this host has that address: delete the port";
        return Err(Refusal::new(EBUSY, text).at(OVNET_A_MAPPING_ADDRESS));
    }
    if forget {
        drop(reader);
        return match remove_mapping(host, key(vni, address)) {
            true => Ok(()),
            false => Err(no_mapping()),
        };
    }
    let gen_known = known.map(|mapping| mapping.gen);
    let mac = known.map_or(Mac::of(address), |mapping| mapping.mac);
    drop(reader);
    match step(gen_known, asked, deleted, OVNET_A_MAPPING_GEN)? {
        Step::Keep => Ok(()),
        Step::Install(gen) => {
            let expiry = Expiry::new(Ttl::default());
            install(
                host,
                vni,
                address,
                Mapping::new(gen, mac, Place::Deleted, expiry),
            )
        }
    }
}

fn no_mapping() -> Refusal {
    Refusal::new(
        ENOENT,
        c"this host has no mapping of that address in that network",
    )
    .at(OVNET_A_MAPPING_ADDRESS)
}

/// Says where one node is.
pub(crate) fn get(host: &Host, request: &Request<'_>, message: &mut Message<'_>) -> Answer {
    let vni = vni(request, OVNET_A_MAPPING_VNI)?;
    let address = node_address(request, OVNET_A_MAPPING_ADDRESS)?;
    let reader = rcu::read_lock();
    match host.mapping(vni, address, Rcu::from(&reader)) {
        Some(mapping) => {
            let net = request.net();
            Ok(put_mapping(message, host, key(vni, address), mapping, net)?)
        }
        None => match host
            .misses()
            .table()
            .get(key(vni, address), Rcu::from(&reader))
        {
            Some(miss) => Ok(put_miss(message, key(vni, address), miss)?),
            None => Err(no_mapping()),
        },
    }
}

/// Says where each node is, of one network or of all, and then what is asked for.
pub(crate) fn dump(host: &Host, dump: &mut Dump<'_>) -> bool {
    let only = dump.u32(OVNET_A_MAPPING_VNI);
    let wanted = |key| only.is_none_or(|vni| vni == unkey(key).0);
    let asker = dump.net();
    dump.put_table::<Mapping>(
        |key, mapping, message| put_mapping(message, host, key, mapping, asker),
        |key, _| wanted(key),
    ) && dump.put_more(
        host.misses().table(),
        |key, miss, message| put_miss(message, key, miss),
        |key, _| wanted(key),
    )
}

fn put_key(message: &mut Message<'_>, key: u64) -> Result {
    let (vni, address) = unkey(key);
    message.put_u32(OVNET_A_MAPPING_VNI, vni)?;
    message.put_ipv4(OVNET_A_MAPPING_ADDRESS, address)
}

fn put_miss(message: &mut Message<'_>, key: u64, miss: &Miss) -> Result {
    put_key(message, key)?;
    let now = Moment::now();
    match miss.refused_until(now) {
        Some(until) => {
            message.put_u32(OVNET_A_MAPPING_STATE, OVNET_MAPPING_STATE_NEGATIVE)?;
            message.put_u32(OVNET_A_MAPPING_HARD_TTL, until.since(now))
        }
        None => {
            message.put_u32(OVNET_A_MAPPING_STATE, OVNET_MAPPING_STATE_PENDING)?;
            message.put_u32(OVNET_A_MAPPING_PARKED, miss.parked())
        }
    }
}

fn put_mapping(
    message: &mut Message<'_>,
    host: &Host,
    key: u64,
    mapping: &Mapping,
    asker: Net,
) -> Result {
    put_key(message, key)?;
    message.put_mac(OVNET_A_MAPPING_MAC, mapping.mac)?;
    message.put_u64(OVNET_A_MAPPING_GEN, mapping.gen)?;
    message.put_u32(OVNET_A_MAPPING_STATE, mapping.state())?;
    if let Some(locator) = mapping.locator(host) {
        message.put_locator(OVNET_A_MAPPING_LOCATOR, locator)?;
    }
    let place = mapping.place.settled();
    if let Some(peer) = place.away().map(Away::peer) {
        if peer != unkey(key).0 {
            message.put_u32(OVNET_A_MAPPING_PEER_VNI, peer)?;
        }
    }
    if let Some(external) = place.external() {
        message.put(OVNET_A_MAPPING_EXTERNAL, &external.there)?;
    }
    if let Some(slot) = place.away().map(Away::slot).filter(|&slot| slot != 0) {
        message.put_u8(OVNET_A_MAPPING_SLOT, slot)?;
    }
    let left = mapping.expiry.left();
    for (attr, ms) in [
        (OVNET_A_MAPPING_SOFT_TTL, left.soft),
        (OVNET_A_MAPPING_HARD_TTL, left.hard),
        (OVNET_A_MAPPING_IDLE, mapping.expiry.idle()),
    ] {
        if let Some(ms) = ms {
            message.put_u32(attr, ms)?;
        }
    }
    if let Some(queue) = place.queue() {
        message.put_u32(OVNET_A_MAPPING_PARKED, queue.len())?;
    }
    match place.port() {
        Some(port) => put_device(
            message,
            port,
            asker,
            OVNET_A_MAPPING_IFINDEX,
            OVNET_A_MAPPING_NETNS_ID,
        ),
        None => Ok(()),
    }
}
