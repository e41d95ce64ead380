// SPDX-License-Identifier: GPL-2.0

//! Ports: which device is which node.

use super::{
    generation,
    mapping::{install, step, Step},
    node_address, node_mac, own_locator, put_device, vni, with_network, Answer,
};
use crate::{
    host::{key, Host, Mapping, Place},
    net::{
        bindings::*,
        device::{Device, DeviceRef, Devices, Rtnl},
        namespace::{Net, OwnedNet},
        netlink::{Dump, Message, Refusal, Request},
        rcu::Rcu,
    },
    port::{Attachment, Port},
};
use core::net::Ipv4Addr;
use kernel::{
    prelude::*,
    sync::{atomic::Relaxed, rcu, Arc},
};
use ovnet_engine::{Identity, Mac, Vni};

/// The device of this host that a request about ports names.
fn find_device(
    host: &Host,
    request: &Request<'_>,
    rtnl: &Rtnl,
) -> Result<DeviceRef<Port>, Refusal> {
    find_device_at(
        host,
        request,
        (OVNET_A_PORT_IFINDEX, OVNET_A_PORT_NETNS_FD),
        rtnl,
    )
}

/// The device of this host that a request names by an index and a namespace, each in its attribute.
pub(super) fn find_device_at(
    host: &Host,
    request: &Request<'_>,
    (index_attr, netns_attr): (u32, u32),
    rtnl: &Rtnl,
) -> Result<DeviceRef<Port>, Refusal> {
    let index = request
        .u32(index_attr)
        .ok_or_else(|| request.missing(index_attr, c"the index of the port's device is missing"))?;
    let owned = match request.u32(netns_attr) {
        Some(fd) => Some(OwnedNet::from_fd(fd).map_err(|errno| {
            let text = c"not a file descriptor of a network namespace";
            Refusal::new(errno, text).at(netns_attr)
        })?),
        None => None,
    };
    let lives_in = owned.as_ref().map_or(request.net(), OwnedNet::net);
    let found = Devices::of::<Host>(host.net(), rtnl)?
        .iter::<Port>()
        .find(|device| device.index() == index && device.is_in(lives_in));
    found.ok_or_else(|| {
        let text = c"no ovnet device with that index there whose substrate is this namespace";
        Refusal::new(ENODEV, text).at(index_attr)
    })
}

/// The port of this host that is attached as a node.
pub(super) fn find_port(
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
pub(crate) fn set(host: &Host, request: &Request<'_>) -> Answer {
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
pub(crate) fn del(host: &Host, request: &Request<'_>) -> Answer {
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
pub(crate) fn get(host: &Host, request: &Request<'_>, message: &mut Message<'_>) -> Answer {
    let rtnl = Rtnl::lock();
    let device = find_device(host, request, &rtnl)?;
    Ok(put_port(message, host, &device, request.net())?)
}

/// Says what each port is.
pub(crate) fn dump(host: &Host, dump: &mut Dump<'_>) -> bool {
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
