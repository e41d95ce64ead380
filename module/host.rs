// SPDX-License-Identifier: GPL-2.0

//! A host: what one network namespace knows as a part of the overlay.
//!
//! Packets read the tables under RCU. They are written under `control` only, which nests inside RTNL where
//! both are taken.

use crate::{
    events::Limits,
    net::{
        bindings::ovnet_fidelity_OVNET_FIDELITY_EXACT as OVNET_FIDELITY_EXACT,
        device::DeviceRef,
        namespace::{Namespaced, Net, Registry},
        rcu::Rcu,
        route::{Route, RouteCache},
        skb::{jiffies, HZ},
        table::Table,
    },
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

/// The most mappings a host keeps, tombstones included.
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

/// For how long a path's MTU is believed, in seconds (RFC 8201 §5.3, as `ip6_rt_mtu_expires`).
const PATH_MTU_LIFE: u32 = 600;

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
    #[inline]
    pub(crate) fn mtu(&self, route: &Route) -> u32 {
        match self.path_mtu() {
            Some(known) => route.mtu().min(known),
            None => route.mtu(),
        }
    }

    /// What is known of the path and believed still.
    #[inline]
    fn path_mtu(&self) -> Option<u32> {
        let known = self.path_mtu.load(Relaxed);
        if known == 0 {
            return None;
        }
        let expired = jiffies().wrapping_sub((known >> 32) as u32) < 1 << 31;
        if expired {
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
        let until = jiffies().wrapping_add(PATH_MTU_LIFE.wrapping_mul(HZ));
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
        match self.fidelity.load(Relaxed) {
            OVNET_FIDELITY_EXACT => Fidelity::Exact,
            _ => Fidelity::Semantic,
        }
    }
}

/// Where the node of a mapping is.
pub(crate) enum Place {
    /// At a port of this host.
    Local(DeviceRef<Port>),
    /// Behind a remote host; the path is the one from this host.
    Remote(Arc<Remote>, Path),
    /// Nowhere that is known: a tombstone.
    Deleted,
}

/// Where a node is, and since which generation.
pub(crate) struct Mapping {
    /// Strictly increasing per (VNI, address): what is older than what is known is refused.
    pub(crate) gen: u64,
    /// The MAC that other nodes see.
    pub(crate) mac: Mac,
    /// Where.
    pub(crate) place: Place,
}

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
            mappings <- Table::new(),
            networks <- Table::new(),
            remotes <- Table::new(),
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

/// The key of a mapping.
pub(crate) const fn key(vni: Vni, address: Ipv4Addr) -> u64 {
    (vni.get() as u64) << 32 | address.to_bits() as u64
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
        self.locator.load(Relaxed)
    }

    /// The host's locator.
    pub(crate) fn locator(&self) -> Option<Locator> {
        let mut prefix = [0; 16];
        prefix[..8].copy_from_slice(&self.locator_bits().to_be_bytes());
        Locator::from_prefix(prefix).ok()
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

    /// A mapping's path from this host to a remote one.
    pub(crate) fn path(&self, to: Locator, vni: Vni) -> Option<Path> {
        let own = self.locator()?;
        Some(Path::new(
            SubstratePrefix::new(own, vni),
            SubstratePrefix::new(to, vni),
        ))
    }
}

impl Mapping {
    /// Its state, as netlink numbers it.
    pub(crate) fn state(&self) -> u32 {
        use crate::net::bindings::*;
        match self.place {
            Place::Local(_) => ovnet_mapping_state_OVNET_MAPPING_STATE_LOCAL,
            Place::Remote(..) => ovnet_mapping_state_OVNET_MAPPING_STATE_REMOTE,
            Place::Deleted => ovnet_mapping_state_OVNET_MAPPING_STATE_DELETED,
        }
    }

    /// The locator where the node is; `host` is whose mapping it is.
    pub(crate) fn locator(&self, host: &Host) -> Option<Locator> {
        match &self.place {
            Place::Local(_) => host.locator(),
            Place::Remote(remote, _) => Some(remote.locator),
            Place::Deleted => None,
        }
    }
}
