// SPDX-License-Identifier: GPL-2.0

//! An alarm of a namespace's state: a call at a moment of the clock that counts suspension, too. It is made
//! in softirq context, where no sleeper and no lack of memory delays it.

use super::bindings;
use core::cell::UnsafeCell;
use kernel::prelude::*;

/// Who can be called.
pub(crate) trait Alarmed: Sync + 'static {
    /// The moment has come. Softirqs are off.
    fn alarm(&self);
}

/// The clock, in nanoseconds: CLOCK_BOOTTIME.
pub(crate) fn clock() -> u64 {
    // SAFETY: Any context may read the clock.
    unsafe { bindings::ovnet_boottime() }
}

/// The memory of the kernel's timer, and whose it is.
#[repr(C)]
struct Inner {
    timer: bindings::hrtimer,
    owner: *const c_void,
}

/// An alarm that is set or not. Dropping it waits for a call under way and takes the alarm back.
///
/// # Invariants
///
/// The timer is initialised, and the owner outlives it.
pub(crate) struct Alarm(KBox<UnsafeCell<Inner>>);

// SAFETY: The kernel synchronises its use of the timer.
unsafe impl Send for Alarm {}
// SAFETY: As above.
unsafe impl Sync for Alarm {}

impl Alarm {
    /// An alarm of `owner`, not set yet.
    ///
    /// # Safety
    ///
    /// The owner must outlive the value.
    pub(super) unsafe fn new<A: Alarmed>(owner: *const A) -> Result<Self> {
        let inner = KBox::new(
            UnsafeCell::new(Inner {
                timer: pin_init::zeroed(),
                owner: owner.cast(),
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: The memory is boxed, and stays where it is.
        unsafe { bindings::ovnet_alarm_init(&raw mut (*inner.get()).timer, Some(ring::<A>)) };
        // INVARIANT: Just initialised; the rest is the contract.
        Ok(Alarm(inner))
    }

    /// Sets the alarm to that moment of the clock, and to no other. Any context.
    pub(super) fn set(&self, at: u64) {
        // SAFETY: By the invariant.
        unsafe { bindings::ovnet_alarm_at(&raw mut (*self.0.get()).timer, at) };
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // SAFETY: By the invariant.
        unsafe { bindings::hrtimer_cancel(&raw mut (*self.0.get()).timer) };
    }
}

/// # Safety
///
/// Called by the kernel with a timer that [`Alarm::new`] initialised for this type.
unsafe extern "C" fn ring<A: Alarmed>(timer: *mut bindings::hrtimer) -> bindings::hrtimer_restart {
    // SAFETY: By the contract the timer is the first field of an `Inner`, whose owner is alive.
    unsafe { (*(*timer.cast::<Inner>()).owner.cast::<A>()).alarm() };
    bindings::HRTIMER_NORESTART
}
