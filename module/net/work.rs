// SPDX-License-Identifier: GPL-2.0

//! Work that a namespace's state puts off, in process context.

use super::{bindings, time};
use core::cell::UnsafeCell;
use kernel::prelude::*;

/// Who has work to do later.
pub(crate) trait Worker: Sync + 'static {
    /// Does what is due; says in how many milliseconds there is more, if there is.
    fn work(&self) -> Option<u32>;
}

/// The memory of the kernel's work, and whose it is.
#[repr(C)]
struct Inner {
    work: bindings::delayed_work,
    worker: *const c_void,
}

/// Work that is scheduled or not. Dropping it waits for work under way and takes what is scheduled back.
///
/// # Invariants
///
/// The work is initialised, and the worker outlives it.
pub(crate) struct Later(KBox<UnsafeCell<Inner>>);

// SAFETY: The kernel synchronises its use of the work.
unsafe impl Send for Later {}
// SAFETY: As above.
unsafe impl Sync for Later {}

impl Later {
    /// Work for `worker`, not scheduled yet.
    ///
    /// # Safety
    ///
    /// The worker must outlive the value.
    pub(super) unsafe fn new<W: Worker>(worker: *const W) -> Result<Self> {
        let inner = KBox::new(
            UnsafeCell::new(Inner {
                work: pin_init::zeroed(),
                worker: worker.cast(),
            }),
            GFP_KERNEL,
        )?;
        // SAFETY: The memory is boxed, and stays where it is.
        unsafe { bindings::ovnet_work_init(&raw mut (*inner.get()).work, Some(run::<W>)) };
        // INVARIANT: Just initialised; the rest is the contract.
        Ok(Later(inner))
    }

    /// Schedules the work, unless it is scheduled already. Any context.
    pub(super) fn within(&self, ms: u32) {
        // SAFETY: By the invariant.
        unsafe { bindings::ovnet_work_in(&raw mut (*self.0.get()).work, time::ticks(ms)) };
    }
}

impl Drop for Later {
    fn drop(&mut self) {
        // SAFETY: By the invariant.
        unsafe { bindings::cancel_delayed_work_sync(&raw mut (*self.0.get()).work) };
    }
}

/// # Safety
///
/// Called by the kernel with work that [`Later::new`] initialised for this type.
unsafe extern "C" fn run<W: Worker>(work: *mut bindings::work_struct) {
    let offset = core::mem::offset_of!(bindings::delayed_work, work);
    // SAFETY: By the contract the work is the first field of an `Inner`, whose worker is alive.
    unsafe {
        let inner = work.byte_sub(offset).cast::<Inner>();
        if let Some(ms) = (*(*inner).worker.cast::<W>()).work() {
            bindings::ovnet_work_in(&raw mut (*inner).work, time::ticks(ms));
        }
    }
}
