// SPDX-License-Identifier: GPL-2.0

//! Ports: which device is which node.

use super::{
    generation, locator,
    mapping::{away, install, remove_mapping, step, Step},
    node_address, node_mac, own_locator, put_device, vni, with_network, Answer,
};
use crate::{
    expiry::{Expiry, Ttl},
    hold::{Away, Hold, Place, Stage},
    host::{key, slot_key, unkey, Host, Mapping},
    net::{
        bindings::*,
        device::{Device, DeviceRef, Devices, Rtnl},
        namespace::{Net, OwnedNet},
        netlink::{self, Dump, Message, Part, Refusal, Request},
        queue::Queue,
        rcu::{Rcu, Ready},
        time::Moment,
    },
    port::{Attachment, Port, Source},
};
use core::net::Ipv4Addr;
use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        rcu, Arc,
    },
};
use ovnet_engine::{DropReason, Identity, Mac, Vni};

/// The most addresses and prefixes that a node may send from beside its own address.
const SOURCES_MAX: usize = 64;

/// The device of this host that a request about ports names.
fn find_device(
    host: &Host,
    request: &Request<'_>,
    rtnl: &Rtnl,
) -> Result<DeviceRef<Port>, Refusal> {
    find_device_at(
        host,
        request,
        (
            OVNET_A_PORT_IFINDEX,
            OVNET_A_PORT_NETNS_FD,
            OVNET_A_PORT_NETNS_ID,
        ),
        rtnl,
    )
}

/// The device of this host that a request names by an index and a namespace, each in its attribute. The
/// namespace is named by a file descriptor, or by an id as answers do.
pub(super) fn find_device_at(
    host: &Host,
    request: &Request<'_>,
    (index_attr, netns_attr, id_attr): (u32, u32, u32),
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
    let is_there = |device: &Device| match (&owned, request.u32(id_attr)) {
        (None, Some(id)) => request.net().id_of(device.net()) == Some(id as i32),
        _ => device.is_in(lives_in),
    };
    let found = Devices::of::<Host>(host.net(), rtnl)?
        .iter::<Port>()
        .find(|device| device.index() == index && is_there(device));
    found.ok_or_else(|| {
        let text = c"no ovnet device with that index there whose substrate is this namespace";
        Refusal::new(ENODEV, text).at(index_attr)
    })
}

/// The port of this host whose node has that address.
pub(super) fn find_port(
    host: &Host,
    vni: Vni,
    address: Ipv4Addr,
    rtnl: &Rtnl,
) -> Result<Option<DeviceRef<Port>>> {
    let found = Devices::of::<Host>(host.net(), rtnl)?
        .iter::<Port>()
        .find(|device| has_address(host, device.driver(), vni, address));
    Ok(found)
}

/// Whether the node of a port has that address, among others perhaps.
fn has_address(host: &Host, port: &Port, vni: Vni, address: Ipv4Addr) -> bool {
    let reader = rcu::read_lock();
    host.lease()
        .attachment(port, Rcu::from(&reader))
        .is_some_and(|(own, _)| own.network.vni == vni && own.owns(address))
}

/// Which node a port is attached as.
pub(super) fn node_of(host: &Host, port: &Port) -> Option<(Vni, Ipv4Addr)> {
    let reader = rcu::read_lock();
    let (own, _) = host.lease().attachment(port, Rcu::from(&reader))?;
    Some((own.network.vni, own.identity.address))
}

/// Whether a port has a node id, so that whoever manages the host says where its node is.
pub(super) fn is_managed(host: &Host, port: &Port) -> bool {
    let reader = rcu::read_lock();
    host.lease()
        .attachment(port, Rcu::from(&reader))
        .is_some_and(|(own, _)| own.node != 0)
}

/// Whether a port is attached as a node with that address, be it not the port's own.
fn is_of(own: &Attachment, vni: Vni, address: Ipv4Addr) -> bool {
    own.network.vni == vni && own.owns(address)
}

/// What a request says of a port beside its node.
struct Asked {
    mac: Mac,
    gen: Option<u64>,
    state: u32,
    learns: bool,
    slot: u8,
    node: u64,
    leased: bool,
    /// The node is said to be at a port that the end of the lease has stopped.
    revives: bool,
    sources: KVec<Source>,
}

impl Asked {
    /// What is not said stays as it is for the same node.
    fn read(
        request: &Request<'_>,
        old: Option<(&Attachment, bool)>,
        address: Ipv4Addr,
    ) -> Result<Self, Refusal> {
        let stopped = old.is_some_and(|(_, stopped)| stopped);
        let old = old.map(|(old, _)| old);
        let mac = match old {
            Some(old) if old.identity.address == address && !request.has(OVNET_A_PORT_MAC) => {
                old.mac
            }
            _ => node_mac(request, OVNET_A_PORT_MAC, address)?,
        };
        let node = match (request.u64(OVNET_A_PORT_NODE), old) {
            (Some(node), _) => node,
            (None, old) => old.map_or(0, |old| old.node),
        };
        let state = match (request.u32(OVNET_A_PORT_STATE), old) {
            (Some(OVNET_PORT_STATE_INACTIVE), _) => {
                let text = c"a port is inactive when its node is set elsewhere";
                return Err(Refusal::new(EINVAL, text).at(OVNET_A_PORT_STATE));
            }
            (Some(OVNET_PORT_STATE_FENCED), _) => {
                let text = c"a port under lease is fenced when the lease of this host ends";
                return Err(Refusal::new(EINVAL, text).at(OVNET_A_PORT_STATE));
            }
            (Some(state), _) => state,
            (None, Some(old)) if old.state.load(Relaxed) != OVNET_PORT_STATE_INACTIVE => {
                old.state.load(Relaxed)
            }
            // Whoever manages the host says when such a node is here.
            (None, _) if node != 0 => OVNET_PORT_STATE_STANDBY,
            (None, _) => OVNET_PORT_STATE_ACTIVE,
        };
        let learns = match (request.u32(OVNET_A_PORT_SOURCE_CHECK), old) {
            (Some(check), _) => check == OVNET_SOURCE_CHECK_LEARN,
            (None, old) => old.is_some_and(|old| old.learns),
        };
        let leased = match (request.u8(OVNET_A_PORT_LEASE), old) {
            (Some(leased), _) => leased != 0,
            (None, old) => old.is_some_and(|old| old.leased),
        };
        let slot = match (request.u8(OVNET_A_PORT_SLOT), old) {
            (Some(slot), _) => slot,
            (None, old) => old.map_or(0, |old| old.slot),
        };
        let mut count = 0_usize;
        request.each_nest(OVNET_A_PORT_SOURCE, netlink::SOURCE, |_| {
            count = count.wrapping_add(1);
            Ok(())
        })?;
        if count > SOURCES_MAX {
            let text = c"a port takes at most 64 sources";
            return Err(Refusal::new(ENOSPC, text).at(OVNET_A_PORT_SOURCE));
        }
        let kept = old
            .filter(|_| count == 0)
            .map_or(0, |old| old.sources.len());
        // An RCU reader may not sleep for memory.
        let mut sources = KVec::with_capacity(count.max(kept), GFP_ATOMIC)?;
        let full = |_| Refusal::from(ENOMEM);
        if count > 0 {
            request.each_nest(OVNET_A_PORT_SOURCE, netlink::SOURCE, |attrs| {
                let prefix = attrs.ipv4(OVNET_A_SOURCE_ADDRESS).ok_or_else(|| {
                    attrs.missing(OVNET_A_SOURCE_ADDRESS, c"the source's address is missing")
                })?;
                let len = attrs.u8(OVNET_A_SOURCE_PREFIX_LEN).unwrap_or(32);
                if prefix.is_unspecified() && len == 32 {
                    return Ok(());
                }
                let outside = u32::MAX.checked_shr(len.into()).unwrap_or(0);
                if prefix.to_bits() & outside != 0 {
                    let text = c"the source's address has bits beyond its prefix length";
                    let refusal = Refusal::new(EINVAL, text).at(OVNET_A_SOURCE_ADDRESS);
                    return Err(attrs.refuse(&refusal).into());
                }
                let used = old
                    .and_then(|old| {
                        let mut known = old.sources.iter();
                        known.find(|known| known.prefix == prefix && known.len == len)
                    })
                    .map_or(0, |known| known.used.load(Relaxed));
                let source = Source::new(prefix, len, used);
                sources.push_within_capacity(source).map_err(full)?;
                Ok(())
            })?;
        } else if let Some(old) = old {
            let further = |known: &&Source| (known.prefix, known.len) != (address, 32);
            for known in old.sources.iter().filter(further) {
                let used = known.used.load(Relaxed);
                let source = Source::new(known.prefix, known.len, used);
                sources.push_within_capacity(source).map_err(full)?;
            }
        }
        Ok(Asked {
            mac,
            gen: generation(request, OVNET_A_PORT_GEN),
            state,
            learns,
            slot,
            node,
            leased,
            revives: stopped && request.u32(OVNET_A_PORT_STATE) == Some(OVNET_PORT_STATE_ACTIVE),
            sources,
        })
    }
}

/// Makes a device the port of a node, or changes where the node is in a move.
pub(crate) fn set(host: &Host, request: &Request<'_>) -> Answer {
    let vni = vni(request, OVNET_A_PORT_VNI)?;
    let address = node_address(request, OVNET_A_PORT_ADDRESS)?;
    let rtnl = Rtnl::lock();
    let device = find_device(host, request, &rtnl)?;
    let _control = host.control().lock();
    let own = own_locator(host)?;
    let network = with_network(host, vni, OVNET_A_PORT_VNI, Arc::clone)?;
    if find_port(host, vni, address, &rtnl)?.is_some_and(|other| !other.is(&device)) {
        let text = c"another port of this host has that address in that network";
        return Err(
            Refusal::new(Error::from_errno(-OVNET_EADDRINUSE), text).at(OVNET_A_PORT_ADDRESS)
        );
    }
    let old = node_of(host, device.driver());
    let reader = rcu::read_lock();
    let rcu = Rcu::from(&reader);
    let attached = host
        .lease()
        .attachment(device.driver(), rcu)
        .filter(|(own, _)| is_of(own, vni, address));
    let asked = Asked::read(request, attached, address)?;
    let attached = attached.map(|(old, _)| old);
    let used = attached.map_or(0, |old| old.used.load(Relaxed));
    // The same node, if another of its addresses is to be the port's own.
    let state_before = attached.map(|old| old.state.load(Relaxed));
    let was_leased = attached.is_some_and(|old| old.leased);
    drop(reader);
    let carries = matches!(
        asked.state,
        OVNET_PORT_STATE_ACTIVE | OVNET_PORT_STATE_FROZEN
    );
    if asked.leased && !was_leased && carries && !host.lease().lasts() {
        let text =
            c"this host has no lease, so that the port would stop at once: set the lease first";
        return Err(Refusal::new(EINVAL, text).at(OVNET_A_PORT_LEASE));
    }
    let forward = match request.ipv6(OVNET_A_PORT_LOCATOR) {
        None => None,
        Some(_) if asked.state != OVNET_PORT_STATE_FROZEN => {
            let text = c"only a frozen port forwards";
            return Err(Refusal::new(EINVAL, text).at(OVNET_A_PORT_LOCATOR));
        }
        Some(_) => {
            let to = locator(request, OVNET_A_PORT_LOCATOR)?;
            Some(away(host, (own, to), vni, (vni, 0))?)
        }
    };
    let slot = (asked.slot != 0).then(|| slot_key(vni, asked.slot));
    if let Some(slot) = slot {
        let reader = rcu::read_lock();
        let taken = host.slots().get(slot, Rcu::from(&reader));
        if taken.is_some_and(|other| !other.is(&device)) {
            let text = c"another port of this host has that slot in that network";
            let errno = Error::from_errno(-OVNET_EADDRINUSE);
            return Err(Refusal::new(errno, text).at(OVNET_A_PORT_SLOT));
        }
    }
    let wanted = Wanted {
        mac: asked.mac,
        gen: asked.gen,
        state: asked.state,
        revives: asked.revives,
    };
    let step = place(host, vni, address, &device, wanted, forward.clone())?;
    leave_slot(host, device.driver(), slot);
    if let Some(slot) = slot {
        host.slots().set(slot, device.clone())?;
    }

    device.adopt_mac(asked.mac.octets(), &rtnl)?;
    let leased = asked.leased;
    let attachment = Ready::new(Attachment {
        network,
        identity: Identity {
            mac: Mac(device.mac()),
            address,
        },
        mac: asked.mac,
        learns: asked.learns,
        slot: asked.slot,
        node: asked.node,
        leased,
        sources: asked.sources,
        // What installs the mapping says what is; if it cannot, a port that was there is as it was.
        state: Atomic::new(state_before.unwrap_or(match step {
            Some(_) => asked.state,
            None => OVNET_PORT_STATE_INACTIVE,
        })),
        used: Atomic::new(used),
        limits: device.driver().limits().clone(),
    })?;
    let anew = state_before.is_none();
    host.lease().attach(&device, attachment, leased, anew)?;
    count_port(host, vni, 1);
    if let Some((vni, _)) = old {
        count_port(host, vni, -1);
    }
    let mut installed = Ok(());
    if let Some(mapping) = step {
        installed = install(host, vni, address, mapping);
    }
    if installed.is_err() && old != Some((vni, address)) {
        release(host, device.driver(), &device);
    }
    // Whether the new address took or not: a mapping that stayed would hold the device for ever.
    if let Some((vni, former)) = old.filter(|&old| old != (vni, address)) {
        end(host, vni, former, &device);
    }
    installed?;
    place_others(host, vni, &device, asked.state, forward.as_ref())?;
    host.report_port(&device, Some((vni, address, asked.node)));
    Ok(())
}

/// What the mapping of a port's node is to be.
#[derive(Clone, Copy)]
struct Wanted {
    mac: Mac,
    gen: Option<u64>,
    state: u32,
    /// As of [`Asked`].
    revives: bool,
}

/// The mapping that the node of a port is to have, if it is not what it should be.
fn place(
    host: &Host,
    vni: Vni,
    address: Ipv4Addr,
    device: &DeviceRef<Port>,
    asked: Wanted,
    forward: Option<Away>,
) -> Result<Option<Mapping>, Refusal> {
    let reader = rcu::read_lock();
    let known = host.mapping(vni, address, Rcu::from(&reader));
    let gen = known.map_or(0, |mapping| mapping.gen);
    let here = known.map(|mapping| mapping.place.settled());
    let queue = here.and_then(Place::queue).cloned();
    let stage = match here {
        Some(Place::Held(hold)) => Some(&hold.stage),
        _ => None,
    };
    let still = |gen, place| {
        let expiry = Expiry::new(Ttl::default());
        Ok(Some(Mapping::new(gen, asked.mac, place, expiry)))
    };
    if asked.state != OVNET_PORT_STATE_ACTIVE && asked.gen.is_some_and(|g| g != gen) {
        let text = c"only an active port takes a generation: the states before change no mapping";
        return Err(Refusal::new(EINVAL, text).at(OVNET_A_PORT_GEN));
    }
    match asked.state {
        OVNET_PORT_STATE_STANDBY => {
            let now = match (here, stage) {
                (_, Some(Stage::Standby(port, _))) if port.is(device) => return Ok(None),
                (Some(Place::Remote(away) | Place::Moved(away)), _) => Some(away.clone()),
                (None | Some(Place::Deleted), _) => None,
                _ => {
                    let text = c"the node is at a port of this host already";
                    return Err(Refusal::new(EBUSY, text).at(OVNET_A_PORT_STATE));
                }
            };
            drop(reader);
            let stage = Stage::Standby(device.clone(), now);
            let queue = Arc::pin_init(Queue::new(), GFP_KERNEL)?;
            still(
                gen,
                Place::Held(Arc::new(Hold { queue, stage }, GFP_KERNEL)?),
            )
        }
        OVNET_PORT_STATE_FROZEN => {
            let local = matches!(here, Some(Place::Local(port)) if port.is(device));
            match stage {
                Some(Stage::Frozen(port, to)) if port.is(device) => {
                    let to = to.as_ref().map(Away::destination);
                    if to == forward.as_ref().map(Away::destination) {
                        return Ok(None);
                    }
                }
                _ if local => {}
                _ => {
                    let text = c"the node is not at this port: only an active port can freeze";
                    return Err(Refusal::new(EBUSY, text).at(OVNET_A_PORT_STATE));
                }
            }
            drop(reader);
            let queue = match queue {
                // What waits is forwarded as soon as there is somewhere to.
                Some(queue) if forward.is_none() => queue,
                _ => Arc::pin_init(Queue::new(), GFP_KERNEL)?,
            };
            let stage = Stage::Frozen(device.clone(), forward);
            still(
                gen,
                Place::Held(Arc::new(Hold { queue, stage }, GFP_KERNEL)?),
            )
        }
        _ => {
            let thaws = matches!(stage, Some(Stage::Frozen(port, _)) if port.is(device));
            let local = matches!(here, Some(Place::Local(port)) if port.is(device));
            let same = known.is_some_and(|mapping| mapping.mac == asked.mac)
                && (local || thaws)
                && !asked.revives;
            let step = step(
                known.map(|known| known.gen),
                asked.gen,
                same,
                OVNET_A_PORT_GEN,
            )?;
            drop(reader);
            match step {
                Step::Keep if !thaws => Ok(None),
                // The node stays: nothing has changed for anybody else.
                Step::Keep => still(gen, Place::Local(device.clone())),
                Step::Install(gen) => still(gen, Place::Local(device.clone())),
            }
        }
    }
}

/// The further addresses of a node pause and go on with it, and wait for a node whose mappings somebody else
/// sets. Under the control lock.
fn place_others(
    host: &Host,
    vni: Vni,
    device: &DeviceRef<Port>,
    state: u32,
    forward: Option<&Away>,
) -> Answer {
    let mut others = KVec::with_capacity(SOURCES_MAX, GFP_KERNEL)?;
    let reader = rcu::read_lock();
    let attachment = host.lease().attachment(device.driver(), Rcu::from(&reader));
    let Some((own, _)) = attachment else {
        return Ok(());
    };
    let managed = own.node != 0;
    for source in own.sources.iter().filter(|source| source.len == 32) {
        let known = host.mapping(vni, source.prefix, Rcu::from(&reader));
        let place = known.map(|mapping| mapping.place.settled());
        let stage = match place {
            Some(Place::Held(hold)) => Some(&hold.stage),
            _ => None,
        };
        let frozen = matches!(stage, Some(Stage::Frozen(port, _)) if port.is(device));
        let local = matches!(place, Some(Place::Local(port)) if port.is(device));
        let concerned = match state {
            OVNET_PORT_STATE_STANDBY => {
                managed
                    && matches!(
                        place,
                        None | Some(Place::Deleted | Place::Remote(_) | Place::Moved(_))
                    )
            }
            OVNET_PORT_STATE_FROZEN => frozen || local,
            _ => frozen,
        };
        if concerned {
            let mac = known.map_or(Mac::of(source.prefix), |mapping| mapping.mac);
            others
                .push_within_capacity((source.prefix, mac))
                .map_err(|_| ENOMEM)?;
        }
    }
    drop(reader);
    for &(address, mac) in &others {
        let wanted = Wanted {
            mac,
            gen: None,
            state,
            revives: false,
        };
        if let Some(mapping) = place(host, vni, address, device, wanted, forward.cloned())? {
            install(host, vni, address, mapping)?;
        }
    }
    Ok(())
}

/// Frees the slot of a port, unless it is this one.
fn leave_slot(host: &Host, port: &Port, but: Option<u64>) {
    let reader = rcu::read_lock();
    let own = host.lease().attachment(port, Rcu::from(&reader));
    let slot = own.map(|(own, _)| own).filter(|own| own.slot != 0);
    let slot = slot.map(|own| slot_key(own.network.vni, own.slot));
    drop(reader);
    if let Some(slot) = slot.filter(|_| slot != but) {
        host.slots().remove(slot);
    }
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
    let Some((vni, address)) = node_of(host, device.driver()) else {
        let text = c"that device is not configured as a port";
        return Err(Refusal::new(ENOENT, text).at(OVNET_A_PORT_IFINDEX));
    };
    // Without memory for what is to be known of the node from now on, the port stays.
    bury(host, vni, address, &device)?;
    release(host, device.driver(), &device);
    Ok(())
}

/// The device of a port is being unregistered.
pub(crate) fn detach(host: &Host, port: &Port, device: &Device) {
    let _control = host.control().lock();
    release(host, port, device);
}

/// Detaches a port, if it is attached, with or without memory. Under the control lock.
fn release(host: &Host, port: &Port, device: &Device) {
    let Some((vni, address)) = node_of(host, port) else {
        return;
    };
    end(host, vni, address, device);
    bury_others(host, device);
    leave_slot(host, port, None);
    host.lease().detach(port, device);
    // What it sent and what still waits would find no port.
    host.purge_misses(device);
    host.holds().for_each(|_, hold| {
        hold.queue.purge(device, |packet| {
            host.drop_packet(packet, DropReason::PortUnconfigured)
        });
    });
    count_port(host, vni, -1);
    host.report_port(device, None);
}

/// Ends the mapping of an address that a port no longer has, unless the node is elsewhere by now. What was
/// known stays known: the tombstone keeps the generation. A port that stood by leaves the node where it is,
/// and what waited goes there. If it is refused, nothing has changed. Under the control lock.
fn bury(host: &Host, vni: Vni, address: Ipv4Addr, device: &Device) -> Answer {
    let reader = rcu::read_lock();
    let Some(mapping) = host
        .mapping(vni, address, Rcu::from(&reader))
        .filter(|mapping| mapping.place.port().is_some_and(|port| port.is(device)))
    else {
        return Ok(());
    };
    let (gen, mac, left) = (mapping.gen, mapping.mac, mapping.expiry.left());
    let away = match &mapping.place {
        Place::Held(hold) => match &hold.stage {
            Stage::Standby(_, away) => away.clone(),
            _ => None,
        },
        _ => None,
    };
    drop(reader);
    let (first, then) = match away {
        Some(away) => (Place::Moved(away.clone()), Some(Place::Remote(away))),
        None => (Place::Deleted, None),
    };
    let mapping = |place| Mapping::new(gen, mac, place, Expiry::new(left));
    install(host, vni, address, mapping(first))?;
    if then.is_some_and(|place| install(host, vni, address, mapping(place)).is_err()) {
        // Whoever sends to the node asks where it is.
        remove_mapping(host, key(vni, address));
    }
    Ok(())
}

/// The same, with or without memory: without, the mapping goes all the same, since it holds the device.
fn end(host: &Host, vni: Vni, address: Ipv4Addr, device: &Device) {
    if bury(host, vni, address, device).is_err() {
        remove_mapping(host, key(vni, address));
    }
}

/// Ends the mappings of further addresses of a port, and of those that other networks know its node by.
fn bury_others(host: &Host, device: &Device) {
    const BATCH: usize = 32;
    loop {
        let mut keys = [0; BATCH];
        let mut found = 0;
        host.mappings().for_each(|key, mapping| {
            if mapping.place.port().is_some_and(|port| port.is(device)) {
                if let Some(slot) = keys.get_mut(found) {
                    *slot = key;
                    found = found.wrapping_add(1);
                }
            }
        });
        for &key in keys.iter().take(found) {
            let (vni, address) = unkey(key);
            if let Some(vni) = Vni::new(vni) {
                end(host, vni, address, device);
            }
        }
        if found < BATCH {
            return;
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
    dump.set_version(Part::List, devices.changes);
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
    let Some((attachment, stopped)) = host.lease().attachment(device.driver(), rcu) else {
        return Ok(());
    };
    message.put_u32(OVNET_A_PORT_VNI, attachment.network.vni.get())?;
    message.put_ipv4(OVNET_A_PORT_ADDRESS, attachment.identity.address)?;
    message.put_mac(OVNET_A_PORT_MAC, attachment.mac)?;
    message.put_u32(OVNET_A_PORT_STATE, attachment.state(stopped))?;
    let check = if attachment.learns {
        OVNET_SOURCE_CHECK_LEARN
    } else {
        OVNET_SOURCE_CHECK_STRICT
    };
    message.put_u32(OVNET_A_PORT_SOURCE_CHECK, check)?;
    if attachment.slot != 0 {
        message.put_u8(OVNET_A_PORT_SLOT, attachment.slot)?;
    }
    if attachment.node != 0 {
        message.put_u64(OVNET_A_PORT_NODE, attachment.node)?;
    }
    if attachment.leased {
        message.put_u8(OVNET_A_PORT_LEASE, 1)?;
    }
    let now = Moment::now();
    let idle = |used: &Atomic<u32>| {
        let used = Moment::of_word(used.load(Relaxed))?;
        Some(now.since(used))
    };
    if let Some(idle) = idle(&attachment.used) {
        message.put_u32(OVNET_A_PORT_IDLE, idle)?;
    }
    for source in &attachment.sources {
        message.put_nest(OVNET_A_PORT_SOURCE, |message| {
            message.put_ipv4(OVNET_A_SOURCE_ADDRESS, source.prefix)?;
            message.put_u8(OVNET_A_SOURCE_PREFIX_LEN, source.len)?;
            idle(&source.used).map_or(Ok(()), |idle| message.put_u32(OVNET_A_SOURCE_IDLE, idle))
        })?;
    }
    let mapping = host.mapping(attachment.network.vni, attachment.identity.address, rcu);
    if let Some(Place::Held(hold)) = mapping.map(|mapping| mapping.place.settled()) {
        message.put_u32(OVNET_A_PORT_PARKED, hold.queue.len())?;
        if let Stage::Frozen(_, Some(away)) = &hold.stage {
            message.put_locator(OVNET_A_PORT_LOCATOR, away.remote.locator)?;
        }
    }
    match host.mapping(attachment.network.vni, attachment.identity.address, rcu) {
        Some(mapping) => message.put_u64(OVNET_A_PORT_GEN, mapping.gen),
        None => Ok(()),
    }
}
