// SPDX-License-Identifier: GPL-2.0

//! What netlink asks for: changes of and answers about hosts, networks, ports and mappings. Process
//! context; changes are made under the host's control lock, inside RTNL where devices are concerned.
//!
//! One rule for mappings everywhere: a greater generation installs, an equal one with the same contents
//! changes nothing, a smaller one is refused; a deletion leaves a tombstone with its generation.

use crate::{
    host::{key, unkey, Host, Mapping, Network, Place, Remote, MAPPINGS_MAX, NETWORKS_MAX},
    net::{
        bindings::*,
        device::{Device, DeviceRef, Devices, Rtnl},
        namespace::{Net, OwnedNet, Registry},
        netlink::{Dump, Message, Refusal, Request},
        rcu::Rcu,
    },
    port::{Attachment, Port},
    stats::Count,
};
use core::net::Ipv4Addr;
use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        rcu, Arc,
    },
};
use ovnet_engine::{addr::LocatorError, DropReason, Identity, Locator, Mac, Vni};

type Answer = Result<(), Refusal>;

// ---- what requests have in common -----------------------------------------------------------------

fn vni(request: &Request<'_>, attr: u32) -> Result<Vni, Refusal> {
    request
        .u32(attr)
        .and_then(Vni::new)
        .ok_or_else(|| request.missing(attr, c"the network's VNI is missing"))
}

/// A node's address: one that a single machine can have.
fn node_address(request: &Request<'_>, attr: u32) -> Result<Ipv4Addr, Refusal> {
    let address = request
        .ipv4(attr)
        .ok_or_else(|| request.missing(attr, c"the node's address is missing"))?;
    let first = address.octets()[0];
    if first == 0 || first == 127 || first >= 224 {
        let text = c"not a unicast address: a node cannot have it";
        return Err(Refusal::new(EINVAL, text).at(attr));
    }
    Ok(address)
}

fn locator(request: &Request<'_>, attr: u32) -> Result<Locator, Refusal> {
    let prefix = request
        .ipv6(attr)
        .ok_or_else(|| request.missing(attr, c"the locator is missing: a /64 prefix"))?;
    Locator::from_prefix(prefix).map_err(|error| {
        let text = match error {
            LocatorError::LowBits => c"the locator is not a /64: its low 64 bits must be 0",
            _ => c"the locator is not a routable unicast prefix",
        };
        Refusal::new(EINVAL, text).at(attr)
    })
}

/// A MAC that one machine can have, or the one derived from its address.
fn node_mac(request: &Request<'_>, attr: u32, address: Ipv4Addr) -> Result<Mac, Refusal> {
    match request.mac(attr) {
        None => Ok(Mac::of(address)),
        Some(mac) if mac.is_unicast() => Ok(mac),
        Some(_) => Err(Refusal::new(EINVAL, c"not a unicast MAC").at(attr)),
    }
}

/// Generation 0 is how a request leaves the choice to the host.
fn generation(request: &Request<'_>, attr: u32) -> Option<u64> {
    request.u64(attr).filter(|&gen| gen != 0)
}

/// The host's own locator, without which it has neither ports nor mappings.
fn own_locator(host: &Host) -> Result<Locator, Refusal> {
    host.locator().ok_or(Refusal::new(
        ENODEV,
        c"this host has no locator: set the host's first",
    ))
}

/// Runs `f` on the network, which must exist.
fn with_network<T>(
    host: &Host,
    vni: Vni,
    attr: u32,
    f: impl FnOnce(&Arc<Network>) -> T,
) -> Result<T, Refusal> {
    let reader = rcu::read_lock();
    match host.networks().get(vni.get().into(), Rcu::from(&reader)) {
        Some(network) => Ok(f(network)),
        None => {
            let text = c"this host has no such network: set the network first";
            Err(Refusal::new(ENOENT, text).at(attr))
        }
    }
}

// ---- the rule of generations ----------------------------------------------------------------------

/// What is to become of a mapping.
enum Step {
    /// It is what it should be.
    Keep,
    /// It is to be replaced under this generation.
    Install(u64),
}

/// Decides by the generation. `same`: the contents known are those asked for.
fn step(known: Option<u64>, asked: Option<u64>, same: bool, attr: u32) -> Result<Step, Refusal> {
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
fn install(host: &Host, vni: Vni, address: Ipv4Addr, mapping: Mapping) -> Answer {
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

// ---- hosts ----------------------------------------------------------------------------------------

/// Gives the host its locator.
pub(crate) fn host_set(host: &Host, request: &Request<'_>) -> Answer {
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
pub(crate) fn host_del(host: &Host, request: &Request<'_>) -> Answer {
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
pub(crate) fn host_get(host: &Host, request: &Request<'_>, message: &mut Message<'_>) -> Answer {
    let own = host.locator();
    if request.ipv6(OVNET_A_HOST_LOCATOR).is_none() {
        return Ok(put_self(message, own_locator(host)?)?);
    }
    let asked = locator(request, OVNET_A_HOST_LOCATOR)?;
    if own == Some(asked) {
        return Ok(put_self(message, asked)?);
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
pub(crate) fn host_dump(host: &Host, dump: &mut Dump<'_>) -> bool {
    if dump.cursor() == 0 {
        if let Some(own) = host.locator() {
            if !dump.put(|message| put_self(message, own)) {
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

fn put_self(message: &mut Message<'_>, own: Locator) -> Result {
    message.put_locator(OVNET_A_HOST_LOCATOR, own)?;
    message.put(OVNET_A_HOST_SELF, &[])
}

fn put_remote(message: &mut Message<'_>, remote: &Remote) -> Result {
    message.put_locator(OVNET_A_HOST_LOCATOR, remote.locator)?;
    message.put_u32(OVNET_A_HOST_MAPPINGS, remote.mappings.load(Relaxed))
}

// ---- networks -------------------------------------------------------------------------------------

/// The TTL of Linux hosts and of RFC 1700.
const DEFAULT_TTL: u8 = 64;

/// Creates or changes a network.
pub(crate) fn network_set(host: &Host, request: &Request<'_>) -> Answer {
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
                fidelity: Atomic::new(fidelity.unwrap_or(ovnet_fidelity_OVNET_FIDELITY_SEMANTIC)),
                ttl: Atomic::new(ttl.unwrap_or(DEFAULT_TTL).into()),
                ports: Atomic::new(0),
                mappings: Atomic::new(0),
            },
            GFP_KERNEL,
        )?,
    )?;
    Ok(())
}

/// Deletes a network and its mappings.
pub(crate) fn network_del(host: &Host, request: &Request<'_>) -> Answer {
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
        })?;
        for &key in keys.iter() {
            left = left.saturating_sub(remove_mapping(host, key).into());
        }
        keys.clear();
    }
    host.networks().remove(vni.get().into());
    Ok(())
}

/// Removes a mapping without a trace. Under the control lock.
fn remove_mapping(host: &Host, key: u64) -> bool {
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

/// Says what one network is.
pub(crate) fn network_get(host: &Host, request: &Request<'_>, message: &mut Message<'_>) -> Answer {
    let vni = vni(request, OVNET_A_NETWORK_VNI)?;
    with_network(host, vni, OVNET_A_NETWORK_VNI, |network| {
        put_network(message, vni.get(), network)
    })??;
    Ok(())
}

/// Says what each network is.
pub(crate) fn network_dump(_: &Host, dump: &mut Dump<'_>) -> bool {
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

// ---- ports ----------------------------------------------------------------------------------------

/// The device of this host that a request names.
fn find_device(
    host: &Host,
    request: &Request<'_>,
    rtnl: &Rtnl,
) -> Result<DeviceRef<Port>, Refusal> {
    let index = request.u32(OVNET_A_PORT_IFINDEX).ok_or_else(|| {
        request.missing(
            OVNET_A_PORT_IFINDEX,
            c"the index of the port's device is missing",
        )
    })?;
    let owned = match request.u32(OVNET_A_PORT_NETNS_FD) {
        Some(fd) => Some(OwnedNet::from_fd(fd).map_err(|errno| {
            let text = c"not a file descriptor of a network namespace";
            Refusal::new(errno, text).at(OVNET_A_PORT_NETNS_FD)
        })?),
        None => None,
    };
    let lives_in = owned.as_ref().map_or(request.net(), OwnedNet::net);
    let found = Devices::of::<Host>(host.net(), rtnl)?
        .iter::<Port>()
        .find(|device| device.index() == index && device.is_in(lives_in));
    found.ok_or_else(|| {
        let text = c"no ovnet device with that index there whose substrate is this namespace";
        Refusal::new(ENODEV, text).at(OVNET_A_PORT_IFINDEX)
    })
}

/// The port of this host that is attached as a node.
fn find_port(
    host: &Host,
    vni: Vni,
    address: Ipv4Addr,
    rtnl: &Rtnl,
) -> Result<Option<DeviceRef<Port>>> {
    let found = Devices::of::<Host>(host.net(), rtnl)?
        .iter::<Port>()
        .find(|device| node_of(device.driver()) == Some((vni, address)));
    Ok(found)
}

/// Which node a port is attached as.
fn node_of(port: &Port) -> Option<(Vni, Ipv4Addr)> {
    let reader = rcu::read_lock();
    let attachment = port.attachment(Rcu::from(&reader))?;
    Some((attachment.network.vni, attachment.identity.address))
}

/// Makes a device the port of a node.
pub(crate) fn port_set(host: &Host, request: &Request<'_>) -> Answer {
    let vni = vni(request, OVNET_A_PORT_VNI)?;
    let address = node_address(request, OVNET_A_PORT_ADDRESS)?;
    let mac = node_mac(request, OVNET_A_PORT_MAC, address)?;
    let asked = generation(request, OVNET_A_PORT_GEN);
    let rtnl = Rtnl::lock();
    let device = find_device(host, request, &rtnl)?;
    let _control = host.control().lock();
    own_locator(host)?;
    let network = with_network(host, vni, OVNET_A_PORT_VNI, Arc::clone)?;
    if find_port(host, vni, address, &rtnl)?.is_some_and(|other| !other.is(&device)) {
        let text = c"another port of this host has that address in that network";
        return Err(
            Refusal::new(Error::from_errno(-OVNET_EADDRINUSE), text).at(OVNET_A_PORT_ADDRESS)
        );
    }
    let reader = rcu::read_lock();
    let known = host.mapping(vni, address, Rcu::from(&reader));
    let same = known.is_some_and(|mapping| {
        mapping.mac == mac && matches!(&mapping.place, Place::Local(port) if port.is(&device))
    });
    let step = step(
        known.map(|mapping| mapping.gen),
        asked,
        same,
        OVNET_A_PORT_GEN,
    )?;
    drop(reader);

    let old = node_of(device.driver());
    device.adopt_mac(mac.octets(), &rtnl)?;
    device.driver().set_attachment(Some(Attachment {
        network,
        identity: Identity {
            mac: Mac(device.mac()),
            address,
        },
        mac,
    }))?;
    count_port(host, vni, 1);
    if let Some((vni, _)) = old {
        count_port(host, vni, -1);
    }
    let mut installed = Ok(());
    if let Step::Install(gen) = step {
        let place = Place::Local(device.clone());
        installed = install(host, vni, address, Mapping { gen, mac, place });
    }
    if installed.is_err() {
        release(host, device.driver(), &device);
    }
    // Whether the new address took or not: a mapping that stayed would hold the device for ever.
    if let Some((vni, former)) = old.filter(|&old| old != (vni, address)) {
        bury(host, vni, former, &device);
    }
    installed?;
    host.report_port(&device, Some((vni, address)));
    Ok(())
}

fn count_port(host: &Host, vni: Vni, change: i32) {
    // The network of a port exists: it cannot be deleted while it has ports.
    let _ = with_network(host, vni, OVNET_A_PORT_VNI, |network| {
        network.ports.add(change as u32, Relaxed)
    });
}

/// Takes a port's configuration away.
pub(crate) fn port_del(host: &Host, request: &Request<'_>) -> Answer {
    let rtnl = Rtnl::lock();
    let device = find_device(host, request, &rtnl)?;
    let _control = host.control().lock();
    if !release(host, device.driver(), &device) {
        let text = c"that device is not configured as a port";
        return Err(Refusal::new(ENOENT, text).at(OVNET_A_PORT_IFINDEX));
    }
    Ok(())
}

/// The device of a port is being unregistered.
pub(crate) fn detach(host: &Host, port: &Port, device: &Device) {
    let _control = host.control().lock();
    release(host, port, device);
}

/// Detaches a port; says whether it was attached. Under the control lock.
fn release(host: &Host, port: &Port, device: &Device) -> bool {
    let Some((vni, address)) = node_of(port) else {
        return false;
    };
    // Setting nothing needs no memory.
    let _ = port.set_attachment(None);
    bury(host, vni, address, device);
    count_port(host, vni, -1);
    host.report_port(device, None);
    true
}

/// Ends the mapping of an address that a port no longer has, unless the node is elsewhere by now. What was
/// known stays known: the tombstone keeps the generation. Under the control lock.
fn bury(host: &Host, vni: Vni, address: Ipv4Addr, device: &Device) {
    let reader = rcu::read_lock();
    let gen_mac = match host.mapping(vni, address, Rcu::from(&reader)) {
        Some(mapping) => match &mapping.place {
            Place::Local(port) if port.is(device) => Some((mapping.gen, mapping.mac)),
            _ => None,
        },
        None => None,
    };
    drop(reader);
    if let Some((gen, mac)) = gen_mac {
        let place = Place::Deleted;
        if install(host, vni, address, Mapping { gen, mac, place }).is_err() {
            // Without memory for the tombstone the mapping must go all the same: it holds the device.
            if host.mappings().remove(key(vni, address)) {
                let _ = with_network(host, vni, OVNET_A_PORT_VNI, |network| {
                    network.mappings.fetch_sub(1, Relaxed)
                });
            }
        }
    }
}

/// Says what one port is.
pub(crate) fn port_get(host: &Host, request: &Request<'_>, message: &mut Message<'_>) -> Answer {
    let rtnl = Rtnl::lock();
    let device = find_device(host, request, &rtnl)?;
    Ok(put_port(message, host, &device, request.net())?)
}

/// Says what each port is.
pub(crate) fn port_dump(host: &Host, dump: &mut Dump<'_>) -> bool {
    let rtnl = Rtnl::lock();
    let asker = dump.net();
    let Ok(devices) = Devices::of::<Host>(host.net(), &rtnl) else {
        return true;
    };
    dump.set_version(devices.changes);
    let mut done = dump.cursor();
    for device in devices.iter::<Port>().skip(done) {
        if !dump.put(|message| put_port(message, host, &device, asker)) {
            dump.set_cursor(done);
            return false;
        }
        done = done.wrapping_add(1);
    }
    dump.set_cursor(usize::MAX);
    true
}

fn put_port(
    message: &mut Message<'_>,
    host: &Host,
    device: &DeviceRef<Port>,
    asker: Net,
) -> Result {
    put_device(
        message,
        device,
        asker,
        OVNET_A_PORT_IFINDEX,
        OVNET_A_PORT_NETNS_ID,
    )?;
    message.put_name(OVNET_A_PORT_IFNAME, &device.name())?;
    let reader = rcu::read_lock();
    let rcu = Rcu::from(&reader);
    let Some(attachment) = device.driver().attachment(rcu) else {
        return Ok(());
    };
    message.put_u32(OVNET_A_PORT_VNI, attachment.network.vni.get())?;
    message.put_ipv4(OVNET_A_PORT_ADDRESS, attachment.identity.address)?;
    message.put_mac(OVNET_A_PORT_MAC, attachment.mac)?;
    match host.mapping(attachment.network.vni, attachment.identity.address, rcu) {
        Some(mapping) => message.put_u64(OVNET_A_PORT_GEN, mapping.gen),
        None => Ok(()),
    }
}

/// Names a device for the asker: its index, and the namespace if that is not the asker's.
fn put_device(
    message: &mut Message<'_>,
    device: &Device,
    asker: Net,
    index: u32,
    netns: u32,
) -> Result {
    message.put_u32(index, device.index())?;
    let lives_in = device.net();
    match asker.id_of(lives_in) {
        Some(id) if !lives_in.is(asker) => message.put_i32(netns, id),
        _ => Ok(()),
    }
}

// ---- mappings -------------------------------------------------------------------------------------

/// Says where a node is.
pub(crate) fn mapping_set(host: &Host, request: &Request<'_>) -> Answer {
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
pub(crate) fn mapping_del(host: &Host, request: &Request<'_>) -> Answer {
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
pub(crate) fn mapping_get(host: &Host, request: &Request<'_>, message: &mut Message<'_>) -> Answer {
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
pub(crate) fn mapping_dump(host: &Host, dump: &mut Dump<'_>) -> bool {
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

// ---- counters -------------------------------------------------------------------------------------

/// Says what was counted; reasons that dropped nothing are left out.
pub(crate) fn stats_get(host: &Host, _: &Request<'_>, message: &mut Message<'_>) -> Answer {
    let stats = host.stats();
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
    ] {
        message.put_u64(attr, stats.get(count))?;
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
