// SPDX-License-Identifier: GPL-2.0

//! The lease of this host (MV7): ports under lease carry packets only while it lasts. At its end they stop in
//! both directions at once, whether or not anybody lives who could say so: an alarm does it, in softirq
//! context. A port that was stopped comes back only by a mapping with a greater generation, for by then its
//! node may be elsewhere. Process context, but for the alarm.
//!
//! A stopped port has its attachment in another place than where packets look for it, so that they pay nothing
//! for this. Lock order: the control lock, then that of the lease.

use crate::{
    host::Host,
    net::{
        alarm::{clock, Alarmed},
        device::{Device, DeviceRef},
        lock::as_softirq,
        namespace::Registry,
        rcu::{Rcu, Ready},
    },
    port::{Attachment, Port},
};
use kernel::{new_spinlock, prelude::*, sync::SpinLock};

/// Nanoseconds in a millisecond.
const MS: u64 = 1_000_000;

/// A host's lease, and the ports under it.
#[pin_data]
pub(crate) struct Lease {
    /// Taken with softirqs off.
    #[pin]
    state: SpinLock<State>,
}

struct State {
    /// Until when, by the alarm's clock; none: there never was one.
    until: Option<u64>,
    /// Whether it lasts.
    lasts: bool,
    /// What stops at its end, and room for more.
    ports: KVec<Option<DeviceRef<Port>>>,
}

/// Room for so many ports is made at a time.
const ROOM: usize = 16;

impl Lease {
    /// No lease yet.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            state <- new_spinlock!(State {
                until: None,
                lasts: false,
                ports: KVec::new(),
            }),
        })
    }

    fn with<T>(&self, f: impl FnOnce(&mut State, Rcu<'_>) -> T) -> T {
        as_softirq(|rcu| f(&mut self.state.lock(), rcu))
    }

    /// Whether it lasts.
    pub(crate) fn lasts(&self) -> bool {
        self.with(|state, _| state.lasts)
    }

    /// Milliseconds that are left, 0 if it has ended; none: there never was one.
    pub(crate) fn left(&self) -> Option<u32> {
        let until = self.with(|state, _| state.until)?;
        Some((until.saturating_sub(clock()) / MS) as u32)
    }

    /// What a port is attached as, and whether it is stopped.
    pub(crate) fn attachment<'a>(
        &self,
        port: &'a Port,
        rcu: Rcu<'a>,
    ) -> Option<(&'a Attachment, bool)> {
        self.with(|_, _| port.seen(rcu))
    }

    /// Attaches a port. Attached as the node it was attached as before, it is stopped if it was; `anew`: it is
    /// another node's. Under the control lock.
    pub(crate) fn attach(
        &self,
        device: &DeviceRef<Port>,
        attachment: Ready<Attachment>,
        leased: bool,
        anew: bool,
    ) -> Result {
        let port = device.driver();
        self.with(|state, rcu| {
            state.forget(device);
            if leased {
                state.list(device)?;
            }
            port.attach(attachment, anew);
            state.check(port, rcu);
            Ok(())
        })
    }

    /// Detaches a port. Under the control lock.
    pub(crate) fn detach(&self, port: &Port, device: &Device) {
        self.with(|state, _| {
            state.forget(device);
            port.detach();
        });
    }

    /// A port's node is there, or is no more. `news`: a greater generation says so. Under the control lock.
    pub(crate) fn place(&self, port: &Port, port_state: u32, news: bool) {
        self.with(|state, rcu| {
            if news {
                port.resume();
            }
            port.set_state(port_state, rcu);
            state.check(port, rcu);
        });
    }
}

impl State {
    /// Puts a port under the lease.
    fn list(&mut self, device: &DeviceRef<Port>) -> Result {
        if !self.ports.iter().any(Option::is_none) {
            let room = self.ports.len().saturating_add(ROOM);
            let mut ports = KVec::with_capacity(room, GFP_ATOMIC)?;
            for port in &mut self.ports {
                ports
                    .push_within_capacity(port.take())
                    .map_err(|_| ENOMEM)?;
            }
            while ports.len() < room {
                ports.push_within_capacity(None).map_err(|_| ENOMEM)?;
            }
            self.ports = ports;
        }
        if let Some(free) = self.ports.iter_mut().find(|port| port.is_none()) {
            *free = Some(device.clone());
        }
        Ok(())
    }

    /// Takes a port from under the lease, which needs no memory.
    fn forget(&mut self, device: &Device) {
        for port in &mut self.ports {
            if port.as_ref().is_some_and(|port| port.is(device)) {
                *port = None;
            }
        }
    }

    /// A port under lease carries nothing without one.
    fn check(&self, port: &Port, rcu: Rcu<'_>) {
        let stops = |own: &Attachment| own.leased && !self.lasts && own.is_here();
        if port.attachment(rcu).is_some_and(stops) {
            port.stop();
        }
    }
}

impl Host {
    /// Begins a lease, or renews it: for so many milliseconds from a moment in milliseconds of the alarm's
    /// clock, or from now. Under the control lock.
    pub(crate) fn set_lease(&self, length: u32, from: Option<u64>) {
        let now = clock();
        let from = from.map_or(now, |from| from.saturating_mul(MS).min(now));
        let until = from.saturating_add(u64::from(length).wrapping_mul(MS));
        // One that is over is not renewed, even if the alarm is late.
        self.alarm();
        self.lease().with(|state, _| {
            state.until = Some(until);
            // One that ends in the past ends now.
            state.lasts |= until > now;
            Registry::<Host>::alarm_at(self.net(), until);
        });
        self.alarm();
    }
}

impl Alarmed for Host {
    /// Ends the lease, unless it was renewed just now.
    fn alarm(&self) {
        let ended = self.lease().with(|state, rcu| {
            let over = state.until.is_none_or(|until| until <= clock());
            if !state.lasts || !over {
                return false;
            }
            state.lasts = false;
            for device in state.ports.iter().flatten() {
                state.check(device.driver(), rcu);
            }
            true
        });
        if ended {
            self.report_fenced();
        }
    }
}
