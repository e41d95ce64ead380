// SPDX-License-Identifier: GPL-2.0

//! A host: what one network namespace knows as a part of the overlay.
//!
//! Packets read the tables under RCU. They are written under `control` only, which nests inside RTNL where
//! both are taken.

use crate::{
    events::Limits,
    expiry::{self, Expiry},
    external::External,
    hold::{Away, Hold, Place, Stage},
    lease::Lease,
    misses::{self, Misses},
    net::{
        bindings::*,
        device::DeviceRef,
        namespace::{Namespaced, Net, Registry},
        once::ReadOnce,
        rcu::{Rcu, RcuCell},
        route::{Route, RouteCache},
        table::Table,
        time::Moment,
        work::Worker,
    },
    policy::{Peering, Policy},
    port::Port,
    stats::{HostStats, NetworkStats, RemoteStats},
};
use core::net::Ipv4Addr;
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc, Mutex,
    },
};
use ovnet_engine::{
    fast::{Fidelity, Path},
    Locator, Mac, SubstratePrefix, Vni,
};

/// The most mappings a host keeps unless told otherwise, tombstones included.
pub(crate) const MAPPINGS_MAX: u32 = 4 << 20;
/// The most networks a host takes part in.
pub(crate) const NETWORKS_MAX: u32 = 1 << 16;

/// A remote host.
pub(crate) struct Remote {
    /// Where it is.
    pub(crate) locator: Locator,
    /// The way there.
    pub(crate) routes: RouteCache,
    /// Mappings that point to it. Written under the control lock.
    pub(crate) mappings: Atomic<u32>,
    /// What routers said of the path: MTU in the low half, when that is forgotten in the high half; 0:
    /// nothing.
    path_mtu: Atomic<u64>,
    /// The counters, as old as the remote host here.
    pub(crate) stats: RemoteStats,
}

/// For how long a path's MTU is believed, in milliseconds (RFC 8201 §5.3, as `ip6_rt_mtu_expires`).
const PATH_MTU_LIFE: u32 = 600_000;

impl Remote {
    /// A remote host that nothing points to yet.
    pub(crate) fn new(locator: Locator) -> Result<Self> {
        Ok(Remote {
            locator,
            routes: RouteCache::new()?,
            mappings: Atomic::new(0),
            path_mtu: Atomic::new(0),
            stats: RemoteStats::new()?,
        })
    }

    /// The largest packet that the path takes, as far as is known.
    #[inline(always)]
    pub(crate) fn mtu(&self, route: &Route<'_>) -> u32 {
        match self.path_mtu() {
            Some(known) => route.mtu().min(known),
            None => route.mtu(),
        }
    }

    /// What is known of the path and believed still.
    #[inline(always)]
    fn path_mtu(&self) -> Option<u32> {
        match self.path_mtu.read_once() {
            0 => None,
            known => self.believed_mtu(known),
        }
    }

    fn believed_mtu(&self, known: u64) -> Option<u32> {
        let until = Moment::of_word((known >> 32) as u32);
        if until.is_none_or(|until| until.is_past(Moment::now())) {
            self.path_mtu.store(0, Relaxed);
            return None;
        }
        Some(known as u32)
    }

    /// A router says that the path takes no more than this. That it takes more than is known is no
    /// router's to say (RFC 8201 §4), and would be a forger's.
    pub(crate) fn learn_mtu(&self, mtu: u32) {
        if self.path_mtu().is_some_and(|known| known <= mtu) {
            return;
        }
        let until = Moment::now().after(PATH_MTU_LIFE).word();
        self.path_mtu
            .store(u64::from(until) << 32 | u64::from(mtu), Relaxed);
    }
}

/// A network that the host takes part in.
pub(crate) struct Network {
    /// Its id.
    pub(crate) vni: Vni,
    /// Whether packets must arrive byte for byte: 0 or 1, as netlink numbers the fidelities.
    pub(crate) fidelity: Atomic<u32>,
    /// The TTL of packets whose flow label the substrate cleared.
    pub(crate) ttl: Atomic<u32>,
    /// What its packets are held against; empty: nothing. Written under the control lock.
    pub(crate) policy: RcuCell<Policy>,
    /// Ports in the network. Written under the control lock.
    pub(crate) ports: Atomic<u32>,
    /// Mappings in the network, tombstones included. Written under the control lock.
    pub(crate) mappings: Atomic<u32>,
    /// The counters.
    pub(crate) stats: NetworkStats,
}

impl Network {
    /// What the network promises of the packets it carries.
    #[inline]
    pub(crate) fn fidelity(&self) -> Fidelity {
        match self.fidelity.read_once() {
            OVNET_FIDELITY_EXACT => Fidelity::Exact,
            _ => Fidelity::Semantic,
        }
    }
}

/// Where a node is, and since which generation.
pub(crate) struct Mapping {
    /// Strictly increasing per (VNI, address): what is older than what is known is refused.
    pub(crate) gen: u64,
    /// The MAC that other nodes see.
    pub(crate) mac: Mac,
    /// Where.
    pub(crate) place: Place,
    /// For how long.
    pub(crate) expiry: Expiry,
    /// The remote host that the node has left. What it sent from there may be under way still. The fields of it
    /// are not a struct of their own, which would take the room that there is.
    former: Option<Arc<Remote>>,
    /// Until when packets from there are believed.
    former_until: Moment,
    /// The MAC that other nodes saw then.
    former_mac: Mac,
}

/// What a mapping's entry may take: with a byte more it would be the slab allocator's next size, 192.
const ENTRY_MAX: usize = 128;

/// For how long packets may be under way after their node has moved, in milliseconds.
const UNDER_WAY: u32 = 1000;

/// The state of a namespace.
#[pin_data]
pub(crate) struct Host {
    net: Net,
    /// The host's locator, or 0 if it has none.
    locator: Atomic<u64>,
    /// Whether the host ever had a locator, and with it perhaps mappings: 0 or 1.
    had_mappings: Atomic<u32>,
    #[pin]
    mappings: Table<Mapping>,
    #[pin]
    networks: Table<Arc<Network>>,
    #[pin]
    remotes: Table<Arc<Remote>>,
    #[pin]
    peerings: Table<Peering>,
    /// How often a policy was changed, for dumps.
    policy_changes: Atomic<u32>,
    /// Places on their way to be others, by [`key`].
    #[pin]
    holds: Table<Arc<Hold>>,
    /// Ports by their slots; see [`slot_key`].
    #[pin]
    slots: Table<DeviceRef<Port>>,
    /// Machines that know nothing of the overlay, by [`crate::external::key`].
    #[pin]
    externals: Table<Arc<External>>,
    #[pin]
    misses: Misses,
    sweep: expiry::Sweep,
    #[pin]
    lease: Lease,
    /// The most mappings.
    mappings_max: Atomic<u32>,
    /// Who finds mappings, as netlink numbers it, and the port of its socket.
    resolver: Atomic<u32>,
    resolver_port: Atomic<u32>,
    stats: HostStats,
    #[pin]
    limits: Limits,
    /// Serialises the writers of everything above.
    #[pin]
    control: Mutex<()>,
}

static HOSTS: Registry<Host> = Registry::new();

impl Namespaced for Host {
    fn registry() -> &'static Registry<Self> {
        &HOSTS
    }

    fn new(net: Net) -> impl PinInit<Self, Error> {
        try_pin_init!(Host {
            net,
            locator: Atomic::new(0),
            had_mappings: Atomic::new(0),
            mappings <- Table::new_within::<ENTRY_MAX>(),
            networks <- Table::new(),
            remotes <- Table::new(),
            peerings <- Table::new(),
            policy_changes: Atomic::new(0),
            holds <- Table::new(),
            slots <- Table::new(),
            externals <- Table::new(),
            misses <- Misses::new(),
            sweep: expiry::Sweep::new(),
            lease <- Lease::new(),
            mappings_max: Atomic::new(MAPPINGS_MAX),
            resolver: Atomic::new(OVNET_RESOLVER_STATE_NONE),
            resolver_port: Atomic::new(0),
            stats: HostStats::new()?,
            limits <- Limits::new(),
            control <- new_mutex!(()),
        })
    }

    /// Mappings that were replaced may still hold routes of the namespace.
    fn leaves_callbacks(&self) -> bool {
        self.had_mappings.load(Relaxed) != 0
    }
}

impl Worker for Host {
    fn work(&self) -> Option<u32> {
        let misses = self.sweep_misses().then_some(misses::PERIOD);
        let mappings = self.sweep_mappings().then_some(expiry::PERIOD);
        match (misses, mappings) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }
}

/// The key of a mapping.
pub(crate) const fn key(vni: Vni, address: Ipv4Addr) -> u64 {
    (vni.get() as u64) << 32 | address.to_bits() as u64
}

/// The key of a slot.
pub(crate) const fn slot_key(vni: Vni, slot: u8) -> u64 {
    (vni.get() as u64) << 8 | slot as u64
}

/// The network and the address of a mapping's key.
pub(crate) const fn unkey(key: u64) -> (u32, Ipv4Addr) {
    ((key >> 32) as u32, Ipv4Addr::from_bits(key as u32))
}

impl Host {
    /// The namespace.
    #[inline]
    pub(crate) fn net(&self) -> Net {
        self.net
    }

    /// The upper 64 bits of the addresses of the host's nodes; 0: it is no host yet.
    #[inline]
    pub(crate) fn locator_bits(&self) -> u64 {
        self.locator.read_once()
    }

    /// The host's locator.
    pub(crate) fn locator(&self) -> Option<Locator> {
        let bits = self.locator_bits();
        Locator::new((bits >> 32) as u32, bits as u32).ok()
    }

    /// Changes the locator. Under the control lock.
    pub(crate) fn set_locator(&self, locator: Option<Locator>) {
        self.had_mappings.store(1, Relaxed);
        self.locator
            .store(locator.map_or(0, Locator::bits), Relaxed);
    }

    /// All mappings, by [`key`].
    #[inline]
    pub(crate) fn mappings(&self) -> &Table<Mapping> {
        &self.mappings
    }

    /// All networks, by VNI.
    #[inline]
    pub(crate) fn networks(&self) -> &Table<Arc<Network>> {
        &self.networks
    }

    /// All remote hosts that a mapping points to, by locator.
    pub(crate) fn remotes(&self) -> &Table<Arc<Remote>> {
        &self.remotes
    }

    /// All peerings, by [`crate::policy::peering_key`].
    #[inline]
    pub(crate) fn peerings(&self) -> &Table<Peering> {
        &self.peerings
    }

    /// How often a policy was changed.
    pub(crate) fn policy_changes(&self) -> u32 {
        self.policy_changes.load(Relaxed)
    }

    /// A policy was changed. Under the control lock.
    pub(crate) fn policy_changed(&self) {
        self.policy_changes.add(1, Relaxed);
    }

    /// Places on their way to be others, by [`key`].
    pub(crate) fn holds(&self) -> &Table<Arc<Hold>> {
        &self.holds
    }

    /// Ports by their slots; see [`slot_key`].
    pub(crate) fn slots(&self) -> &Table<DeviceRef<Port>> {
        &self.slots
    }

    /// Machines that know nothing of the overlay, by [`crate::external::key`].
    pub(crate) fn externals(&self) -> &Table<Arc<External>> {
        &self.externals
    }

    /// Addresses that are asked for.
    pub(crate) fn misses(&self) -> &Misses {
        &self.misses
    }

    /// What looks after TTLs.
    pub(crate) fn sweep(&self) -> &expiry::Sweep {
        &self.sweep
    }

    /// Until when ports under lease carry packets.
    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// The most mappings it keeps.
    pub(crate) fn mappings_max(&self) -> u32 {
        self.mappings_max.load(Relaxed)
    }

    /// Changes that.
    pub(crate) fn set_mappings_max(&self, max: u32) {
        self.mappings_max.store(max, Relaxed);
    }

    /// Who finds mappings, as netlink numbers it.
    #[inline]
    pub(crate) fn resolver(&self) -> u32 {
        self.resolver.load(Relaxed)
    }

    /// Whether packets may wait for a mapping.
    #[inline]
    pub(crate) fn has_resolver(&self) -> bool {
        self.resolver() != OVNET_RESOLVER_STATE_NONE
    }

    /// Changes that; the socket with this port is the resolver's.
    pub(crate) fn set_resolver(&self, state: u32, port: u32) {
        self.resolver_port.store(port, Relaxed);
        self.resolver.store(state, Relaxed);
    }

    /// A netlink socket was closed: it may have been the resolver's.
    pub(crate) fn socket_closed(&self, port: u32) {
        let none = OVNET_RESOLVER_STATE_NONE;
        if self.resolver() != none && self.resolver_port.load(Relaxed) == port {
            self.set_resolver(OVNET_RESOLVER_STATE_LOST, 0);
        }
    }

    /// The counters.
    #[inline]
    pub(crate) fn stats(&self) -> &HostStats {
        &self.stats
    }

    /// The limits of events.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The lock of writers.
    pub(crate) fn control(&self) -> &Mutex<()> {
        &self.control
    }

    /// The mapping of a node.
    #[inline]
    pub(crate) fn mapping<'a>(
        &'a self,
        vni: Vni,
        address: Ipv4Addr,
        rcu: Rcu<'a>,
    ) -> Option<&'a Mapping> {
        self.mappings.get(key(vni, address), rcu)
    }
}

impl Mapping {
    /// A mapping that nothing has used yet.
    pub(crate) fn new(gen: u64, mac: Mac, place: Place, expiry: Expiry) -> Self {
        Mapping {
            gen,
            mac,
            place,
            expiry,
            former: None,
            former_until: Moment::now(),
            former_mac: mac,
        }
    }

    /// The node has just left a host, where others saw that MAC of it.
    pub(crate) fn left(&mut self, remote: Arc<Remote>, mac: Mac) {
        self.former = Some(remote);
        self.former_until = Moment::now().after(UNDER_WAY);
        self.former_mac = mac;
    }

    /// The path of packets from `from` if the node is there, or was just now (RX2), and the MAC that it has
    /// there.
    #[inline]
    pub(crate) fn path_from(&self, from: SubstratePrefix) -> Option<(Path, Mac)> {
        let away = self.place.sends_from()?;
        if away.path.to() == from {
            return Some((away.path, self.mac));
        }
        self.unusual_path_from(away, from)
    }

    /// As [`Mapping::path_from`]: packets to a slot come back without one, and a node may just have left.
    fn unusual_path_from(&self, away: &Away, from: SubstratePrefix) -> Option<(Path, Mac)> {
        let here = away.path.to().plain();
        if here == from {
            return Some((Path::new(away.path.from(), from), self.mac));
        }
        let former = self.former.as_ref()?;
        let there = here.behind(former.locator);
        (there == from && !self.former_until.is_past(Moment::now()))
            .then(|| (Path::new(away.path.from(), there), self.former_mac))
    }

    /// Its state, as netlink numbers it.
    pub(crate) fn state(&self) -> u32 {
        match self.place.settled() {
            Place::Local(_) => OVNET_MAPPING_STATE_LOCAL,
            Place::Remote(_) => OVNET_MAPPING_STATE_REMOTE,
            Place::Moved(_) => OVNET_MAPPING_STATE_MOVED,
            Place::External(_) => OVNET_MAPPING_STATE_EXTERNAL,
            Place::Deleted => OVNET_MAPPING_STATE_DELETED,
            Place::Held(hold) => match hold.stage {
                Stage::Standby(_, Some(_)) => OVNET_MAPPING_STATE_REMOTE,
                Stage::Standby(_, None) => OVNET_MAPPING_STATE_PENDING,
                _ => OVNET_MAPPING_STATE_LOCAL,
            },
        }
    }

    /// The locator where the node is; `host` is whose mapping it is.
    pub(crate) fn locator(&self, host: &Host) -> Option<Locator> {
        match self.place.settled() {
            Place::Local(_) => host.locator(),
            Place::Remote(away) | Place::Moved(away) => Some(away.remote.locator),
            Place::External(_) | Place::Deleted => None,
            Place::Held(hold) => match &hold.stage {
                Stage::Standby(_, away) => away.as_ref().map(|away| away.remote.locator),
                _ => host.locator(),
            },
        }
    }
}
