// SPDX-License-Identifier: GPL-2.0

//! Mappings, and the one rule for them: a greater generation installs, an equal one with the same contents
//! changes nothing, a smaller one is refused; a deletion leaves a tombstone with its generation.

use super::{
    generation, locator, node_address, node_mac, own_locator, port::find_port, put_device, vni,
    with_network, Answer,
};
use crate::{
    host::{key, unkey, Host, Mapping, Place, Remote, MAPPINGS_MAX},
    net::{
        bindings::*,
        device::Rtnl,
        namespace::Net,
        netlink::{Dump, Message, Refusal, Request},
        rcu::Rcu,
    },
};
use core::net::Ipv4Addr;
use kernel::{
    prelude::*,
    sync::{atomic::Relaxed, rcu, Arc},
};
use ovnet_engine::{Locator, Mac, Vni};

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

/// Puts a mapping into the table and keeps the counts of networks and remote hosts. Under the control lock.
pub(super) fn install(host: &Host, vni: Vni, address: Ipv4Addr, mapping: Mapping) -> Answer {
    let key = key(vni, address);
    let reader = rcu::read_lock();
    let rcu = Rcu::from(&reader);
    let (known, old) = match host.mappings().get(key, rcu).map(|mapping| &mapping.place) {
        Some(Place::Remote(remote, _)) => (true, Some(remote.clone())),
        Some(_) => (true, None),
        None => (false, None),
    };
    drop(reader);
    if !known && host.mappings().len() >= MAPPINGS_MAX {
        return Err(Refusal::new(
            ENOSPC,
            c"this host has as many mappings as it can keep",
        ));
    }
    let new = match &mapping.place {
        Place::Remote(remote, _) => Some(remote.clone()),
        _ => None,
    };
    host.mappings().set(key, mapping)?;
    if let Some(new) = new {
        new.mappings.add(1, Relaxed);
    }
    if let Some(old) = old {
        leave(host, &old);
    }
    let reader = rcu::read_lock();
    let rcu = Rcu::from(&reader);
    if !known {
        if let Some(network) = host.networks().get(vni.get().into(), rcu) {
            network.mappings.add(1, Relaxed);
        }
    }
    if let Some(mapping) = host.mappings().get(key, rcu) {
        host.report_mapping(vni, address, mapping);
    }
    Ok(())
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
pub(super) fn remove_mapping(host: &Host, key: u64) -> bool {
    let reader = rcu::read_lock();
    let old = match host
        .mappings()
        .get(key, Rcu::from(&reader))
        .map(|mapping| &mapping.place)
    {
        Some(Place::Remote(remote, _)) => Some(remote.clone()),
        _ => None,
    };
    drop(reader);
    if let Some(old) = old {
        leave(host, &old);
    }
    host.mappings().remove(key)
}

/// Says where a node is.
pub(crate) fn set(host: &Host, request: &Request<'_>) -> Answer {
    let vni = vni(request, OVNET_A_MAPPING_VNI)?;
    let address = node_address(request, OVNET_A_MAPPING_ADDRESS)?;
    let to = locator(request, OVNET_A_MAPPING_LOCATOR)?;
    let mac = node_mac(request, OVNET_A_MAPPING_MAC, address)?;
    let asked = generation(request, OVNET_A_MAPPING_GEN);
    // Only a mapping to this host itself concerns a device.
    let rtnl = (host.locator() == Some(to)).then(Rtnl::lock);
    let _control = host.control().lock();
    let own = own_locator(host)?;
    with_network(host, vni, OVNET_A_MAPPING_VNI, |_| ())?;
    let port = match &rtnl {
        Some(rtnl) if own == to => Some(find_port(host, vni, address, rtnl)?.ok_or_else(|| {
            let text = c"no port of this host has that address: set the port";
            Refusal::new(ENOENT, text).at(OVNET_A_MAPPING_LOCATOR)
        })?),
        // The locator changed while we waited for the locks.
        _ if rtnl.is_some() || own == to => return Err(EAGAIN.into()),
        _ => None,
    };
    let reader = rcu::read_lock();
    let known = host.mapping(vni, address, Rcu::from(&reader));
    let same = known.is_some_and(|mapping| {
        mapping.mac == mac
            && match (&mapping.place, &port) {
                (Place::Local(known), Some(port)) => known.is(port),
                (Place::Remote(remote, _), None) => remote.locator == to,
                _ => false,
            }
    });
    let step = step(
        known.map(|mapping| mapping.gen),
        asked,
        same,
        OVNET_A_MAPPING_GEN,
    )?;
    drop(reader);
    let Step::Install(gen) = step else {
        return Ok(());
    };
    let place = match port {
        Some(port) => Place::Local(port),
        None => Place::Remote(remote(host, to)?, host.path(to, vni).ok_or(ENODEV)?),
    };
    let result = install(host, vni, address, Mapping { gen, mac, place });
    if result.is_err() {
        forget_unused(host, to);
    }
    result
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
    let _control = host.control().lock();
    with_network(host, vni, OVNET_A_MAPPING_VNI, |_| ())?;
    let reader = rcu::read_lock();
    let known = host.mapping(vni, address, Rcu::from(&reader));
    let deleted = known.is_none_or(|mapping| matches!(mapping.place, Place::Deleted));
    if deleted && asked.is_none() {
        return Err(no_mapping());
    }
    if known.is_some_and(|mapping| matches!(mapping.place, Place::Local(_))) {
        let text = c"a port of this host has that address: delete the port";
        return Err(Refusal::new(EBUSY, text).at(OVNET_A_MAPPING_ADDRESS));
    }
    let gen_known = known.map(|mapping| mapping.gen);
    let mac = known.map_or(Mac::of(address), |mapping| mapping.mac);
    drop(reader);
    match step(gen_known, asked, deleted, OVNET_A_MAPPING_GEN)? {
        Step::Keep => Ok(()),
        Step::Install(gen) => {
            let place = Place::Deleted;
            install(host, vni, address, Mapping { gen, mac, place })
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
        None => Err(no_mapping()),
    }
}

/// Says where each node is, of one network or of all.
pub(crate) fn dump(host: &Host, dump: &mut Dump<'_>) -> bool {
    let only = dump.u32(OVNET_A_MAPPING_VNI);
    let asker = dump.net();
    dump.put_table::<Mapping>(
        |key, mapping, message| put_mapping(message, host, key, mapping, asker),
        |key, _| only.is_none_or(|vni| vni == unkey(key).0),
    )
}

fn put_mapping(
    message: &mut Message<'_>,
    host: &Host,
    key: u64,
    mapping: &Mapping,
    asker: Net,
) -> Result {
    let (vni, address) = unkey(key);
    message.put_u32(OVNET_A_MAPPING_VNI, vni)?;
    message.put_ipv4(OVNET_A_MAPPING_ADDRESS, address)?;
    message.put_mac(OVNET_A_MAPPING_MAC, mapping.mac)?;
    message.put_u64(OVNET_A_MAPPING_GEN, mapping.gen)?;
    message.put_u32(OVNET_A_MAPPING_STATE, mapping.state())?;
    if let Some(locator) = mapping.locator(host) {
        message.put_locator(OVNET_A_MAPPING_LOCATOR, locator)?;
    }
    match &mapping.place {
        Place::Local(port) => put_device(
            message,
            port,
            asker,
            OVNET_A_MAPPING_IFINDEX,
            OVNET_A_MAPPING_NETNS_ID,
        ),
        _ => Ok(()),
    }
}
