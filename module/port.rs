// SPDX-License-Identifier: GPL-2.0

//! A port: the device of one node, and which node of which network that is.

use crate::{
    control,
    events::PortLimits,
    express,
    host::{Host, Network},
    misses::Budget,
    net::{
        bindings::{OVNET_PORT_STATE_ACTIVE, OVNET_PORT_STATE_FENCED, OVNET_PORT_STATE_FROZEN},
        device::{Device, Driver, Rtnl},
        once::ReadOnce,
        queue::Turn,
        rcu::{Rcu, RcuCell, Ready},
        skb::Skb,
        time::Moment,
    },
    observer::{Live, Observer},
    stats::PortStats,
    tx,
};
use core::net::Ipv4Addr;
use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        rcu, Arc,
    },
};
use ovnet_engine::{DropReason, Identity, Mac};

/// What a configured port is attached as.
pub(crate) struct Attachment {
    /// The network.
    pub(crate) network: Arc<Network>,
    /// The node's own MAC and address: what it must send from, and is sent to.
    pub(crate) identity: Identity,
    /// The MAC that other nodes see (TX2).
    pub(crate) mac: Mac,
    /// Whether an address that it may not send from is news rather than a spoof (CH2).
    pub(crate) learns: bool,
    /// What it may send from beside its own address.
    pub(crate) sources: KVec<Source>,
    /// Its slot in the network; 0: none (AD3).
    pub(crate) slot: u8,
    /// Which node of the provisioning data it is; 0: none. Only told to those who ask.
    pub(crate) node: u64,
    /// Whether it carries packets only while the host's lease lasts.
    pub(crate) leased: bool,
    /// Whether the node is here, as netlink numbers the states; of a stopped port, whether it was.
    pub(crate) state: Atomic<u32>,
    /// When the node last sent from its own address; a word of a moment.
    pub(crate) used: Atomic<u32>,
    /// How often its port is reported.
    pub(crate) limits: Arc<PortLimits>,
}

/// An address or prefix that a node may send from beside its own address.
pub(crate) struct Source {
    /// The prefix.
    pub(crate) prefix: Ipv4Addr,
    /// Its length.
    pub(crate) len: u8,
    /// When the node last sent from it; a word of a moment.
    pub(crate) used: Atomic<u32>,
}

impl Source {
    /// A source that was last used then.
    pub(crate) fn new(prefix: Ipv4Addr, len: u8, used: u32) -> Self {
        Source {
            prefix,
            len,
            used: Atomic::new(used),
        }
    }

    #[inline]
    fn contains(&self, address: Ipv4Addr) -> bool {
        let differ = self.prefix.to_bits() ^ address.to_bits();
        // A shift by 32 takes nothing away where all must go.
        differ
            .checked_shr(32_u32.wrapping_sub(self.len.into()))
            .unwrap_or(0)
            == 0
    }
}

impl Attachment {
    /// Whether the node is here, and goes on: one that pauses in a move may go on at another host before this
    /// one hears of it, or though this one never does (MV3).
    #[inline]
    pub(crate) fn may_send(&self) -> bool {
        self.state.read_once() == OVNET_PORT_STATE_ACTIVE
    }

    /// Whether the node is here, if only to leave.
    pub(crate) fn is_here(&self) -> bool {
        matches!(
            self.state.load(Relaxed),
            OVNET_PORT_STATE_ACTIVE | OVNET_PORT_STATE_FROZEN
        )
    }

    /// Its state as netlink numbers it, of a port that is stopped or not.
    pub(crate) fn state(&self, stopped: bool) -> u32 {
        if stopped && self.is_here() {
            OVNET_PORT_STATE_FENCED
        } else {
            self.state.load(Relaxed)
        }
    }

    /// Whether the address is one of the node's own.
    pub(crate) fn owns(&self, address: Ipv4Addr) -> bool {
        let mut others = self.sources.iter().filter(|source| source.len == 32);
        address == self.identity.address || others.any(|source| source.prefix == address)
    }

    /// The address, if the node may send from it.
    #[inline]
    pub(crate) fn claim(&self, address: Ipv4Addr, watch: impl Observer) -> Option<Ipv4Addr> {
        let used = if address == self.identity.address {
            &self.used
        } else {
            let source = self
                .sources
                .iter()
                .find(|source| source.contains(address))?;
            &source.used
        };
        watch.act(|| note_use(used));
        Some(address)
    }

    /// The node sends from its own address.
    #[inline]
    pub(crate) fn touch(&self) {
        note_use(&self.used);
    }
}

/// Notes that an address is used, once a second at most.
#[inline]
fn note_use(used: &Atomic<u32>) {
    let now = Moment::now();
    if now.is_a_second_after(used.read_once()) {
        used.store(now.word(), Relaxed);
    }
}

/// The driver of kind `ovnet`.
pub(crate) struct Port {
    /// Where packets look for it. Both are written under the lock of the host's lease.
    attachment: RcuCell<Attachment>,
    /// Where it is when the lease has ended.
    stopped: RcuCell<Attachment>,
    /// Addresses that it may ask for at a time.
    budget: Arc<Budget>,
    /// How often it is reported.
    limits: Arc<PortLimits>,
    stats: PortStats,
}

impl Port {
    /// What the port carries packets as: if it is configured, and not stopped by the end of a lease.
    #[inline]
    pub(crate) fn attachment<'a>(&'a self, rcu: Rcu<'a>) -> Option<&'a Attachment> {
        self.attachment.load(rcu)
    }

    /// The counters, which go on counting whatever the port is attached as.
    #[inline]
    pub(crate) fn stats(&self) -> &PortStats {
        &self.stats
    }

    /// What the port is attached as, and whether it is stopped. While that changes it may seem to be attached
    /// as nothing, unless the lock of the host's lease is held.
    pub(crate) fn seen<'a>(&'a self, rcu: Rcu<'a>) -> Option<(&'a Attachment, bool)> {
        let carries = self.attachment(rcu).map(|own| (own, false));
        carries.or_else(|| Some((self.stopped.load(rcu)?, true)))
    }

    /// Why it carries nothing, where it is attached as nothing.
    #[cold]
    pub(crate) fn why_detached(&self, rcu: Rcu<'_>) -> DropReason {
        match self.stopped.load(rcu) {
            Some(_) => DropReason::Fenced,
            None => DropReason::PortUnconfigured,
        }
    }

    /// Attaches the port; stopped, if it is and not attached `anew`. Under the lock of the host's lease, as
    /// all that follow.
    pub(crate) fn attach(&self, attachment: Ready<Attachment>, anew: bool) {
        let reader = rcu::read_lock();
        let stopped = self.stopped.load(Rcu::from(&reader)).is_some();
        drop(reader);
        if stopped && !anew {
            return self.stopped.put(Some(attachment));
        }
        self.attachment.put(Some(attachment));
        self.stopped.put(None);
    }

    /// Detaches the port.
    pub(crate) fn detach(&self) {
        self.attachment.put(None);
        self.stopped.put(None);
    }

    /// Lets it carry nothing any more.
    pub(crate) fn stop(&self) {
        self.attachment.hand_to(&self.stopped);
    }

    /// Ends that.
    pub(crate) fn resume(&self) {
        self.stopped.hand_to(&self.attachment);
    }

    /// Says whether the port's node is here.
    pub(crate) fn set_state(&self, state: u32, rcu: Rcu<'_>) {
        if let Some((attachment, _)) = self.seen(rcu) {
            attachment.state.store(state, Relaxed);
        }
    }

    /// Addresses that it may ask for at a time.
    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// How often it is reported.
    pub(crate) fn limits(&self) -> &Arc<PortLimits> {
        &self.limits
    }
}

impl Driver for Port {
    const KIND: &'static CStr = c"ovnet";

    type Substrate = Host;

    fn new() -> Result<Self> {
        Ok(Port {
            attachment: RcuCell::empty(),
            stopped: RcuCell::empty(),
            budget: Arc::new(Budget::of_port(), GFP_KERNEL)?,
            limits: Arc::pin_init(PortLimits::new(), GFP_KERNEL)?,
            stats: PortStats::new()?,
        })
    }

    fn statistics(&self, mut visit: impl FnMut(&str, &str, u64)) {
        for (name, count) in PortStats::NAMES {
            visit("", name, self.stats.get(count));
        }
        for reason in DropReason::ALL {
            visit("drop-", reason.name(), self.stats.drops(reason));
        }
    }

    #[inline(always)]
    fn transmit(&self, device: &Device, host: &Host, frame: Skb, turn: Turn, rcu: Rcu<'_>) {
        if let Some(frame) = express::transmit(self, device, host, frame, rcu) {
            tx::transmit(self, device, host, frame, turn, Live, rcu);
        }
    }

    fn detach(&self, device: &Device, host: &Host, _: &Rtnl) {
        control::port::detach(host, self, device);
    }
}
