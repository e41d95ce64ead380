// SPDX-License-Identifier: GPL-2.0

//! Misses: addresses without a mapping that packets need (TX3, RX2). The first packet asks the resolver, by
//! one event; packets wait a short while for its answer. What asks too much is refused before it costs
//! anybody else: a port, or the substrate, may have only so many questions open.

use crate::{
    host::{key, unkey, Host},
    net::{
        bindings::{OVNET_EVENT_KIND_MISS, OVNET_TRACE_VERDICT_PARKED},
        device::Device,
        lock::SoftLock,
        namespace::Registry,
        queue::{Queue, Refused, Room, Side, Standing},
        rcu::Rcu,
        skb::Skb,
        table::Table,
        time::Moment,
    },
    observer::{Observer, Step},
};
use core::net::Ipv4Addr;
use kernel::{
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        rcu, Arc,
    },
};
use ovnet_engine::{DropReason, Locator, Vni};

/// Questions that one port may have open at a time.
const PORT_MISSES: u32 = 64;
/// Questions that packets of the substrate may have open at a time.
const SUBSTRATE_MISSES: u32 = 256;
/// Addresses that the resolver may say do not exist before anybody asked.
const TOLD_MISSES: u32 = 1024;
/// Questions that a host may have open at a time.
const HOST_MISSES: u32 = 4096;
/// Questions that each port may have open whatever others ask: no crowd of nodes keeps another from asking.
const PORT_RESERVE: u32 = 8;
/// What may wait for one answer.
const ROOM: Room = Room {
    packets: 64,
    bytes: 256 << 10,
};
/// For how long a packet waits, in milliseconds.
const PATIENCE: u32 = 200;
/// After which time the first question is repeated, in milliseconds; the time doubles with each.
const FIRST_REPEAT: u32 = 100;
/// The longest time between questions.
const LAST_REPEAT: u32 = 5000;
/// After which time without a packet a question is forgotten.
const FORGET: u32 = 1000;
/// How often misses are looked after, in milliseconds, while there are any.
pub(crate) const PERIOD: u32 = 50;
/// How many misses are looked after between two that take the lock.
const BATCH: usize = 64;

/// How many questions somebody has open.
pub(crate) struct Budget {
    open: Atomic<u32>,
    max: u32,
    /// How many of them the host's limit does not hold for.
    reserve: u32,
}

impl Budget {
    /// The budget of a port.
    pub(crate) fn of_port() -> Self {
        Budget {
            reserve: PORT_RESERVE,
            ..Budget::new(PORT_MISSES)
        }
    }

    fn new(max: u32) -> Self {
        Budget {
            open: Atomic::new(0),
            max,
            reserve: 0,
        }
    }

    /// Whether somebody may have one question more open on a host that has so many.
    fn has_room(&self, all: u32) -> bool {
        let open = self.open.load(Relaxed);
        open < self.reserve || open < self.max && all < HOST_MISSES
    }
}

/// An address that is asked for.
pub(crate) struct Miss {
    queue: Arc<Queue>,
    /// Where packets from this address claim to come from, if it is their source.
    claimed: Option<Locator>,
    /// When the question is repeated, if packets still come.
    repeat: Atomic<u32>,
    /// How long after that, in milliseconds.
    step: Atomic<u32>,
    /// When the last packet came.
    last: Atomic<u32>,
    /// Until when the address is known not to exist; 0: it is not.
    refused: Atomic<u32>,
    /// Whose question it is.
    budget: Arc<Budget>,
}

impl Miss {
    /// Until when the address is known not to exist.
    pub(crate) fn refused_until(&self, now: Moment) -> Option<Moment> {
        Moment::of_word(self.refused.load(Relaxed)).filter(|until| !until.is_past(now))
    }

    /// Packets that wait.
    pub(crate) fn parked(&self) -> u32 {
        self.queue.len()
    }

    /// Whether it is time to ask again.
    fn asks(&self, now: Moment) -> bool {
        Moment::of_word(self.repeat.load(Relaxed)).is_some_and(|at| at.is_past(now))
    }

    /// Whether it is time to ask again; if so, the next time is later.
    fn is_due(&self, now: Moment) -> bool {
        let due = self.asks(now);
        if due {
            let step = self.step.load(Relaxed);
            self.repeat.store(now.after(step).word(), Relaxed);
            self.step
                .store(step.saturating_mul(2).min(LAST_REPEAT), Relaxed);
        }
        due
    }

    fn is_over(&self, now: Moment) -> bool {
        match Moment::of_word(self.refused.load(Relaxed)) {
            Some(until) => until.is_past(now),
            None => {
                self.queue.len() == 0
                    && Moment::of_word(self.last.load(Relaxed))
                        .is_none_or(|last| now.since(last) >= FORGET)
            }
        }
    }
}

impl Drop for Miss {
    fn drop(&mut self) {
        self.budget.open.fetch_sub(1, Relaxed);
    }
}

/// All that is asked for.
#[pin_data]
pub(crate) struct Misses {
    /// By the keys of mappings. Written under the lock.
    #[pin]
    table: Table<Arc<Miss>>,
    #[pin]
    lock: SoftLock,
    /// Questions of packets from the substrate.
    substrate: Arc<Budget>,
    /// Answers that came before the question.
    told: Arc<Budget>,
}

impl Misses {
    /// Nothing is asked for.
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            table <- Table::new(),
            lock <- SoftLock::new(),
            substrate: Arc::new(Budget::new(SUBSTRATE_MISSES), GFP_KERNEL)?,
            told: Arc::new(Budget::new(TOLD_MISSES), GFP_KERNEL)?,
        })
    }

    /// By the keys of mappings.
    pub(crate) fn table(&self) -> &Table<Arc<Miss>> {
        &self.table
    }

    /// Whether nothing is asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.table.len() == 0
    }
}

/// Who needs a mapping.
pub(crate) enum Asker<'a> {
    /// A node of this host.
    Port(&'a Device, &'a Arc<Budget>),
    /// A host that claims to have the node.
    Substrate(Locator),
}

impl Host {
    /// Lets a packet wait for the mapping of an address, and asks for it. `gen`: the generation of the
    /// mapping that was found and will not do. Gives the packet back if there is a newer one by now.
    pub(crate) fn miss(
        &self,
        packet: Skb,
        (vni, address, gen): (Vni, Ipv4Addr, u64),
        asker: &Asker<'_>,
        watch: impl Observer,
        rcu: Rcu<'_>,
    ) -> Option<Skb> {
        let misses = self.misses();
        let (device, claimed, budget) = match asker {
            Asker::Port(device, budget) => (Some(*device), None, *budget),
            Asker::Substrate(locator) => (None, Some(*locator), &misses.substrate),
        };
        if !self.has_resolver() {
            watch.report(OVNET_EVENT_KIND_MISS, || {
                self.report_miss(vni, address, claimed, device);
            });
            watch.discard(
                self,
                packet,
                match asker {
                    Asker::Port(..) => DropReason::NoMapping,
                    Asker::Substrate(_) => DropReason::UnknownSource,
                },
            );
            return None;
        }
        let guard = misses.lock.lock();
        // Whoever installs a mapping takes the miss away after that, under the lock.
        if self
            .mapping(vni, address, rcu)
            .is_some_and(|mapping| mapping.gen > gen && mapping.place.is_known())
        {
            return Some(packet);
        }
        if !watch.acts() {
            let known = misses.table.get(key(vni, address), rcu);
            return self.foresee_miss(packet, (vni, address), known, budget, watch);
        }
        let now = Moment::now();
        let (miss, ask) = match misses.table.get(key(vni, address), rcu) {
            Some(known) => (known.clone(), known.is_due(now)),
            None => match self.open_miss(key(vni, address), budget, claimed, now) {
                Ok(new) => (new, true),
                Err(reason) => {
                    drop(guard);
                    self.drop_packet(packet, reason);
                    return None;
                }
            },
        };
        miss.last.store(now.word(), Relaxed);
        // Whoever refuses the address does it under the lock and empties the queue after that.
        if miss.refused_until(now).is_some() {
            drop(guard);
            self.drop_packet(packet, DropReason::NoSuchNode);
            return None;
        }
        let side = match asker {
            Asker::Port(..) => Side::Sent,
            Asker::Substrate(_) => Side::Received,
        };
        let parked = miss.queue.push(packet, side, self.net(), ROOM);
        drop(guard);
        if ask {
            self.report_miss(vni, address, claimed, device);
        }
        match parked {
            Ok(()) => None,
            Err(Refused::Closed(packet)) => Some(packet),
            Err(Refused::Full(packet)) => {
                self.drop_packet(packet, DropReason::ParkedOverflow);
                None
            }
        }
    }

    /// As [`Host::miss`], of a packet that is only traced. Under the misses' lock.
    fn foresee_miss(
        &self,
        packet: Skb,
        (vni, address): (Vni, Ipv4Addr),
        known: Option<&Arc<Miss>>,
        budget: &Budget,
        watch: impl Observer,
    ) -> Option<Skb> {
        let now = Moment::now();
        let (asks, refusal) = match known {
            None => (true, self.may_open_miss(budget).err()),
            Some(miss) if miss.refused_until(now).is_some() => {
                (false, Some(DropReason::NoSuchNode))
            }
            Some(miss) => match miss.queue.standing(&packet, ROOM) {
                Standing::Open => (miss.asks(now), None),
                Standing::Full => (miss.asks(now), Some(DropReason::ParkedOverflow)),
                Standing::Closed => return Some(packet),
            },
        };
        if asks && refusal != Some(DropReason::MissLimit) {
            watch.step(|| Step::Ask(vni, address));
            watch.step(|| Step::Event(OVNET_EVENT_KIND_MISS));
        }
        match refusal {
            Some(reason) => watch.discard(self, packet, reason),
            None => {
                watch.step(|| Step::Park(Some((vni, address))));
                watch.leave(OVNET_TRACE_VERDICT_PARKED, packet, |_| ());
            }
        }
        None
    }

    /// Whether somebody may ask for one address more.
    fn may_open_miss(&self, budget: &Budget) -> Result<(), DropReason> {
        let room = budget.has_room(self.misses().table.len());
        room.then_some(()).ok_or(DropReason::MissLimit)
    }

    /// Starts to ask for an address. Under the misses' lock.
    fn open_miss(
        &self,
        key: u64,
        budget: &Arc<Budget>,
        claimed: Option<Locator>,
        now: Moment,
    ) -> Result<Arc<Miss>, DropReason> {
        let misses = self.misses();
        self.may_open_miss(budget)?;
        let no_memory = |_| DropReason::NoMemory;
        let queue = Arc::pin_init(Queue::new(), GFP_ATOMIC).map_err(no_memory)?;
        budget.open.add(1, Relaxed);
        let new = Miss {
            queue,
            claimed,
            repeat: Atomic::new(now.after(FIRST_REPEAT).word()),
            step: Atomic::new(FIRST_REPEAT * 2),
            last: Atomic::new(now.word()),
            refused: Atomic::new(0),
            budget: budget.clone(),
        };
        let miss = Arc::new(new, GFP_ATOMIC).map_err(|_| DropReason::NoMemory)?;
        misses
            .table
            .set_atomic(key, miss.clone())
            .map_err(no_memory)?;
        Registry::<Host>::work_within(self.net(), PERIOD);
        Ok(miss)
    }

    /// What waits for a mapping.
    pub(crate) fn miss_queue(&self, key: u64) -> Option<Arc<Queue>> {
        if self.misses().table.len() == 0 {
            return None;
        }
        let reader = rcu::read_lock();
        let miss = self.misses().table.get(key, Rcu::from(&reader));
        miss.map(|miss| miss.queue.clone())
    }

    /// Ends a miss, whose mapping is known; what waits is the caller's. Under the control lock.
    pub(crate) fn end_miss(&self, key: u64) -> Option<Arc<Queue>> {
        let misses = self.misses();
        if misses.table.len() == 0 {
            return None;
        }
        let _guard = misses.lock.lock();
        let reader = rcu::read_lock();
        let queue = misses
            .table
            .get(key, Rcu::from(&reader))
            .map(|miss| miss.queue.clone());
        drop(reader);
        misses.table.remove(key);
        queue
    }

    /// Ends the questions about the addresses of a network that is deleted, and what is known of those that do not
    /// exist. What waits goes its way, which ends at a network that there is not. Under the control lock.
    pub(crate) fn forget_misses(&self, vni: Vni) {
        loop {
            let mut keys = [0; BATCH];
            let mut found = 0;
            // Entries cannot be removed inside the walk.
            self.misses().table.for_each(|key, _| {
                if unkey(key).0 == vni.get() {
                    if let Some(slot) = keys.get_mut(found) {
                        *slot = key;
                        found = found.wrapping_add(1);
                    }
                }
            });
            if found == 0 {
                return;
            }
            for &key in keys.iter().take(found) {
                if let Some(queue) = self.end_miss(key) {
                    self.release(&queue);
                }
            }
        }
    }

    /// The address is known not to exist for so many milliseconds. Under the control lock.
    pub(crate) fn refuse_miss(&self, key: u64, ms: u32) -> Result<(), DropReason> {
        let misses = self.misses();
        let now = Moment::now();
        let guard = misses.lock.lock();
        let reader = rcu::read_lock();
        let known = misses.table.get(key, Rcu::from(&reader)).cloned();
        drop(reader);
        let miss = match known {
            Some(miss) => miss,
            None => self.open_miss(key, &misses.told, None, now)?,
        };
        miss.refused.store(now.after(ms).word(), Relaxed);
        drop(guard);
        while let Some(waiting) = miss.queue.take() {
            self.drop_packet(waiting.packet, DropReason::NoSuchNode);
        }
        Ok(())
    }

    /// Drops what has waited too long, repeats questions, forgets those that nobody asks any more. Says
    /// whether any are left.
    pub(crate) fn sweep_misses(&self) -> bool {
        let misses = self.misses();
        if misses.table.len() == 0 {
            return false;
        }
        let now = Moment::now();
        let mut over = [0; BATCH];
        let mut found = 0;
        misses.table.for_each(|key, miss| {
            while let Some(waiting) = miss.queue.take_before(now.before(PATIENCE)) {
                self.give_up(key, miss, waiting.packet, waiting.side);
            }
            if miss.refused_until(now).is_none() && miss.queue.len() > 0 && miss.is_due(now) {
                let (vni, address) = unkey(key);
                if let Some(vni) = Vni::new(vni) {
                    self.report_miss(vni, address, miss.claimed, None);
                }
            }
            if miss.is_over(now) {
                if let Some(slot) = over.get_mut(found) {
                    *slot = key;
                    found = found.wrapping_add(1);
                }
            }
        });
        let _guard = misses.lock.lock();
        for &key in over.iter().take(found) {
            let reader = rcu::read_lock();
            let still = misses
                .table
                .get(key, Rcu::from(&reader))
                .is_some_and(|miss| miss.is_over(Moment::now()) && miss.queue.close_if_empty());
            drop(reader);
            if still {
                misses.table.remove(key);
            }
        }
        misses.table.len() > 0
    }

    /// A packet has waited in vain.
    fn give_up(&self, key: u64, miss: &Miss, packet: Skb, side: Side) {
        let (vni, address) = unkey(key);
        let reader = rcu::read_lock();
        let known = self.mappings().get(key, Rcu::from(&reader)).is_some();
        drop(reader);
        match (side, Vni::new(vni), miss.claimed) {
            // The host that knows where the source is found no reason to think otherwise.
            (Side::Received, Some(vni), Some(claimed)) if known => {
                self.report_forged(vni, address, claimed);
                self.drop_packet(packet, DropReason::ForgedSource);
            }
            _ => self.drop_packet(packet, DropReason::Unresolved),
        }
    }

    /// Takes out what a device sent: it is being unregistered, or is no port any more. Under the control
    /// lock.
    pub(crate) fn purge_misses(&self, device: &Device) {
        let misses = self.misses();
        if misses.table.len() == 0 {
            return;
        }
        misses.table.for_each(|_, miss| {
            miss.queue.purge(device, |packet| {
                self.drop_packet(packet, DropReason::PortUnconfigured)
            });
        });
    }
}
