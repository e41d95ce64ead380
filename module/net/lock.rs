// SPDX-License-Identifier: GPL-2.0

//! A spin lock that packets and process context share, and softirqs off. Any context but hard interrupts.

use super::{bindings, rcu::Rcu};
use core::marker::PhantomData;
use kernel::{prelude::*, sync::rcu, types::Opaque};

/// A spin lock; softirqs are off while it is held.
///
/// # Invariants
///
/// The lock is initialised.
#[pin_data]
pub(crate) struct SoftLock {
    #[pin]
    lock: Opaque<bindings::spinlock_t>,
}

// SAFETY: It is a lock.
unsafe impl Sync for SoftLock {}
// SAFETY: As above.
unsafe impl Send for SoftLock {}

impl SoftLock {
    /// A lock that nobody holds.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            // INVARIANT: Initialised here.
            // SAFETY: `slot` is valid memory for the lock.
            lock <- Opaque::ffi_init(|slot| unsafe { bindings::ovnet_lock_init(slot) }),
        })
    }

    /// Waits for the lock.
    pub(crate) fn lock(&self) -> SoftGuard<'_> {
        // SAFETY: By the invariant.
        unsafe { bindings::ovnet_lock_bh(self.lock.get()) };
        // INVARIANT: Just locked.
        SoftGuard {
            lock: self,
            _here: PhantomData,
        }
    }
}

/// The lock, held.
///
/// # Invariants
///
/// The lock is held by this value.
pub(crate) struct SoftGuard<'a> {
    lock: &'a SoftLock,
    /// It is let go of where it was taken.
    _here: PhantomData<*mut ()>,
}

impl Drop for SoftGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: By the invariant.
        unsafe { bindings::ovnet_unlock_bh(self.lock.lock.get()) };
    }
}

/// Runs `f` as a softirq would: softirqs off, an RCU reader. Process context.
pub(crate) fn as_softirq<T>(f: impl FnOnce(Rcu<'_>) -> T) -> T {
    // SAFETY: Paired with the call below.
    unsafe { bindings::ovnet_softirq_off() };
    let reader = rcu::read_lock();
    let result = f(Rcu::from(&reader));
    drop(reader);
    // SAFETY: Paired with the call above.
    unsafe { bindings::ovnet_softirq_on() };
    result
}
