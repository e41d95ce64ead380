// SPDX-License-Identifier: GPL-2.0

//! What netlink asks for: changes of and answers about the host's objects, one file for each. Process
//! context; changes are made under the host's control lock, inside RTNL where devices are concerned.
//!
//! Here is what requests about several objects have in common.

pub(crate) mod host;
pub(crate) mod mapping;
pub(crate) mod network;
pub(crate) mod peering;
pub(crate) mod port;
pub(crate) mod rule;
pub(crate) mod stats;
pub(crate) mod trace;

use crate::{
    host::{Host, Network},
    net::{
        device::Device,
        namespace::Net,
        netlink::{Attrs, Message, Refusal},
        rcu::Rcu,
    },
};
use core::net::Ipv4Addr;
use kernel::{
    prelude::*,
    sync::{rcu, Arc},
};
use ovnet_engine::{addr::LocatorError, Locator, Mac, Vni};

type Answer = Result<(), Refusal>;

fn vni(request: &Attrs<'_>, attr: u32) -> Result<Vni, Refusal> {
    request
        .u32(attr)
        .and_then(Vni::new)
        .ok_or_else(|| request.missing(attr, c"the network's VNI is missing"))
}

/// A node's address: one that a single machine can have.
fn node_address(request: &Attrs<'_>, attr: u32) -> Result<Ipv4Addr, Refusal> {
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

fn locator(request: &Attrs<'_>, attr: u32) -> Result<Locator, Refusal> {
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
fn node_mac(request: &Attrs<'_>, attr: u32, address: Ipv4Addr) -> Result<Mac, Refusal> {
    match request.mac(attr) {
        None => Ok(Mac::of(address)),
        Some(mac) if mac.is_unicast() => Ok(mac),
        Some(_) => Err(Refusal::new(EINVAL, c"not a unicast MAC").at(attr)),
    }
}

/// Generation 0 is how a request leaves the choice to the host.
fn generation(request: &Attrs<'_>, attr: u32) -> Option<u64> {
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
    network(host, vni, attr, Rcu::from(&reader)).map(f)
}

/// The network, which must exist.
fn network<'a>(
    host: &'a Host,
    vni: Vni,
    attr: u32,
    rcu: Rcu<'a>,
) -> Result<&'a Arc<Network>, Refusal> {
    host.networks().get(vni.get().into(), rcu).ok_or_else(|| {
        let text = c"this host has no such network: set the network first";
        Refusal::new(ENOENT, text).at(attr)
    })
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
