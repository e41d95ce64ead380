// SPDX-License-Identifier: GPL-2.0

//! Where packets for a node go, and packets that wait until that is known: while a node moves, and while
//! what has waited is let go before anything newer (MV3).
//!
//! ```text
//! standby  the node will come here:  arrivals wait       senders here send to where it still is
//! frozen   the node pauses here:     arrivals wait, or are forwarded to the host where it will be; it sends nothing
//! settled  it is known where:        what waits goes first, then what is new
//! ```

use crate::{
    external::External,
    host::{Host, Remote},
    net::{
        device::{DeviceRef, LinkKind},
        lock::as_softirq,
        queue::{Queue, Room, Side, Turn, Waiting},
        rcu::Rcu,
    },
    observer::Live,
    port::Port,
    rx,
};
use core::net::Ipv4Addr;
use kernel::sync::Arc;
use ovnet_engine::{fast::Path, Locator, SubstrateAddress, SubstratePrefix, Vni};

/// What may wait for one node while it moves.
pub(crate) const MOVE_ROOM: Room = Room {
    packets: 8192,
    bytes: 16 << 20,
};

/// A remote host, and the path there.
#[derive(Clone)]
pub(crate) struct Away {
    /// The host.
    pub(crate) remote: Arc<Remote>,
    /// The path from this host.
    pub(crate) path: Path,
}

impl Away {
    /// Whether it is this host, and the node in that network, behind that slot if it is not 0.
    pub(crate) fn leads_to(&self, locator: Locator, vni: Vni, slot: u8) -> bool {
        self.path.to() == SubstratePrefix::in_slot(locator, vni, slot)
    }

    /// The slot that the node is behind; 0: it has a port of its own.
    pub(crate) fn slot(&self) -> u8 {
        SubstrateAddress::decode(&self.path.to().address(Ipv4Addr::UNSPECIFIED)).slot
    }

    /// Which host that is.
    pub(crate) fn destination(&self) -> Locator {
        self.remote.locator
    }

    /// The network that the node is in.
    pub(crate) fn peer(&self) -> u32 {
        SubstrateAddress::decode(&self.path.to().address(Ipv4Addr::UNSPECIFIED)).vni
    }
}

/// Where the node of a mapping is.
#[derive(Clone)]
pub(crate) enum Place {
    /// At a port of this host.
    Local(DeviceRef<Port>),
    /// Behind a remote host.
    Remote(Away),
    /// Behind a remote host, since it left a port here: what still arrives is forwarded (MV4).
    Moved(Away),
    /// On the substrate, and it knows nothing of the overlay (UN1).
    External(Arc<External>),
    /// On its way: packets wait.
    Held(Arc<Hold>),
    /// Nowhere that is known: a tombstone.
    Deleted,
}

/// A place on its way to be another.
pub(crate) struct Hold {
    /// What waits.
    pub(crate) queue: Arc<Queue>,
    /// What for.
    pub(crate) stage: Stage,
}

/// What a hold waits for.
pub(crate) enum Stage {
    /// The node comes to this port; until then it is there, if anywhere.
    Standby(DeviceRef<Port>, Option<Away>),
    /// The node leaves this port, or stays; arrivals are forwarded there meanwhile, or wait.
    Frozen(DeviceRef<Port>, Option<Away>),
    /// Nothing any more: this is the place.
    Settled(Place),
}

/// Where a packet goes.
pub(crate) enum Way<'a> {
    /// To a port of this host.
    Port(&'a DeviceRef<Port>),
    /// To a remote host.
    Host(&'a Away),
    /// To a machine that knows nothing of the overlay.
    External(&'a Arc<External>),
    /// Into this queue.
    Wait(&'a Arc<Queue>),
    /// Nobody knows.
    Nowhere,
}

impl Place {
    /// The way of what a node of this host sends.
    #[inline]
    pub(crate) fn for_sender(&self, turn: Turn) -> Way<'_> {
        match self {
            Place::Local(port) => Way::Port(port),
            Place::Remote(away) | Place::Moved(away) => Way::Host(away),
            Place::External(external) => Way::External(external),
            Place::Deleted => Way::Nowhere,
            Place::Held(hold) => match &hold.stage {
                Stage::Standby(_, Some(away)) | Stage::Frozen(_, Some(away)) => Way::Host(away),
                Stage::Settled(next) if hold.is_over(turn) => next.for_sender(turn),
                _ => Way::Wait(&hold.queue),
            },
        }
    }

    /// The way of what the substrate brings.
    #[inline]
    pub(crate) fn for_arrival(&self, turn: Turn) -> Way<'_> {
        match self {
            Place::Local(port) => Way::Port(port),
            Place::Moved(away) => Way::Host(away),
            Place::Remote(_) | Place::External(_) | Place::Deleted => Way::Nowhere,
            Place::Held(hold) => match &hold.stage {
                Stage::Frozen(_, Some(away)) => Way::Host(away),
                Stage::Settled(next) if hold.is_over(turn) => next.for_arrival(turn),
                _ => Way::Wait(&hold.queue),
            },
        }
    }

    /// The remote host from which the node may send to this one (RX2).
    #[inline]
    pub(crate) fn sends_from(&self) -> Option<&Away> {
        match self {
            Place::Remote(away) | Place::Moved(away) => Some(away),
            Place::Local(_) | Place::External(_) | Place::Deleted => None,
            Place::Held(hold) => hold.away(),
        }
    }

    /// The remote host that the place refers to in any way.
    pub(crate) fn away(&self) -> Option<&Away> {
        self.sends_from()
    }

    /// The port of this host that the place refers to.
    pub(crate) fn port(&self) -> Option<&DeviceRef<Port>> {
        match self {
            Place::Local(port) => Some(port),
            Place::Held(hold) => match &hold.stage {
                Stage::Standby(port, _) | Stage::Frozen(port, _) => Some(port),
                Stage::Settled(next) => next.port(),
            },
            Place::Remote(_) | Place::Moved(_) | Place::External(_) | Place::Deleted => None,
        }
    }

    /// What the place is once nothing waits: itself, unless it only lets go of what waited.
    pub(crate) fn settled(&self) -> &Place {
        match self {
            Place::Held(hold) => match &hold.stage {
                Stage::Settled(next) => next.settled(),
                _ => self,
            },
            _ => self,
        }
    }

    /// The machine that knows nothing of the overlay.
    pub(crate) fn external(&self) -> Option<&Arc<External>> {
        match self.settled() {
            Place::External(external) => Some(external),
            _ => None,
        }
    }

    /// The queue of what waits.
    pub(crate) fn queue(&self) -> Option<&Arc<Queue>> {
        match self {
            Place::Held(hold) => Some(&hold.queue),
            _ => None,
        }
    }

    /// Whether it is known where the node is.
    #[inline]
    pub(crate) fn is_known(&self) -> bool {
        !matches!(self, Place::Deleted)
    }
}

impl Hold {
    /// Whether a packet may pass: those that waited go first.
    fn is_over(&self, turn: Turn) -> bool {
        turn == Turn::Waited || self.queue.is_closed()
    }

    fn away(&self) -> Option<&Away> {
        match &self.stage {
            Stage::Standby(_, away) | Stage::Frozen(_, away) => away.as_ref(),
            Stage::Settled(next) => next.sends_from(),
        }
    }
}

impl Host {
    /// Sends on what waits in a queue, in order, until nothing does, and closes it. The mapping is settled
    /// already, and new packets queue behind. Under the control lock.
    pub(crate) fn release(&self, queue: &Queue) {
        // Whoever fills the queue as fast as it empties must not keep the lock.
        for _ in 0..MOVE_ROOM.packets.wrapping_mul(4) {
            match queue.take() {
                Some(waiting) => as_softirq(|rcu| self.resume(waiting, rcu)),
                None if queue.close_if_empty() => return,
                None => {}
            }
        }
        queue.close();
        while let Some(waiting) = queue.take() {
            as_softirq(|rcu| self.resume(waiting, rcu));
        }
    }

    fn resume(&self, waiting: Waiting, rcu: Rcu<'_>) {
        match waiting.side {
            Side::Sent => LinkKind::<Port>::transmit_again(waiting.packet, rcu),
            Side::Received => rx::receive(self, waiting.packet, Turn::Waited, Live, rcu),
        }
    }
}
