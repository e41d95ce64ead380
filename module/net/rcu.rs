// SPDX-License-Identifier: GPL-2.0

//! Read-copy-update: proof of being a reader, and a cell that readers load and writers replace.

use super::bindings;
use core::{
    marker::PhantomData,
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};
use kernel::{
    prelude::*,
    sync::rcu::{synchronize_rcu, Guard},
};

/// Proof that the code runs inside an RCU read-side critical section that lasts for `'a`.
///
/// What is loaded with it lives as long. The packet path gets one from the kernel's callback; process
/// context makes one from a [`Guard`].
#[derive(Clone, Copy)]
pub(crate) struct Rcu<'a>(PhantomData<(&'a Guard, *mut ())>);

impl<'a> Rcu<'a> {
    /// Asserts that the caller is an RCU reader for all of `'a`.
    ///
    /// # Safety
    ///
    /// It must be true: the kernel took the read lock, or disabled softirqs around the callback.
    pub(super) unsafe fn assume() -> Self {
        Rcu(PhantomData)
    }
}

impl<'a> From<&'a Guard> for Rcu<'a> {
    fn from(_: &'a Guard) -> Self {
        Rcu(PhantomData)
    }
}

/// The memory behind an [`RcuCell`]; the head lets it be freed after a grace period.
#[repr(C)]
struct Versioned<T> {
    head: bindings::callback_head,
    value: T,
}

/// A value that packets read without a lock and that process context replaces as a whole.
///
/// Writers must be serialised by the caller for their own sake (the last one wins); readers are always
/// safe.
///
/// # Invariants
///
/// The pointer is null or a `KBox<Versioned<T>>` that was leaked into it and that only `put`, `replace`,
/// `hand_to` and `drop` take out again.
pub(crate) struct RcuCell<T: Send + Sync>(AtomicPtr<Versioned<T>>);

impl<T: Send + Sync> RcuCell<T> {
    /// A cell without a value.
    pub(crate) const fn empty() -> Self {
        // INVARIANT: The pointer is null.
        RcuCell(AtomicPtr::new(ptr::null_mut()))
    }

    /// The current value, which stays valid as long as the reader reads.
    #[inline]
    pub(crate) fn load<'a>(&'a self, _: Rcu<'a>) -> Option<&'a T> {
        // SAFETY: By the invariant the pointer is null or valid; what `set` takes out is freed only
        // after a grace period, which cannot end before this reader does.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }.map(|versioned| &versioned.value)
    }

    /// Replaces the value; the old one is dropped when its last reader has gone. Any context.
    pub(crate) fn put(&self, value: Option<Ready<T>>) {
        let new = value.map_or(ptr::null_mut(), |ready| KBox::into_raw(ready.0));
        // INVARIANT: The new pointer is null or a leaked box.
        Self::retire(self.0.swap(new, Ordering::AcqRel));
    }

    /// Hands the value over to another cell, in place of that one's own. A reader of both may find it in
    /// neither meanwhile. Any context.
    pub(crate) fn hand_to(&self, other: &Self) {
        // INVARIANT: Null is allowed.
        let value = self.0.swap(ptr::null_mut(), Ordering::AcqRel);
        if !value.is_null() {
            // INVARIANT: The value is a leaked box, and in no other cell any more.
            Self::retire(other.0.swap(value, Ordering::AcqRel));
        }
    }

    /// Drops what was taken out of a cell when its last reader has gone.
    fn retire(old: *mut Versioned<T>) {
        if !old.is_null() {
            // SAFETY: By the callers `old` was leaked into a cell and nobody can load it any more. The head
            // is its first field, as `free` expects.
            unsafe { bindings::call_rcu(&raw mut (*old).head, Some(Self::free)) };
        }
    }

    /// Replaces the value and gives the old one back, which lives until its last reader has gone: for what
    /// takes too long to drop in an RCU callback. Process context.
    pub(crate) fn replace(&self, value: Option<T>) -> Result<Retired<T>> {
        let new = match value {
            Some(value) => KBox::into_raw(KBox::new(
                Versioned {
                    head: pin_init::zeroed(),
                    value,
                },
                GFP_KERNEL_ACCOUNT,
            )?),
            None => ptr::null_mut(),
        };
        // INVARIANT: The new pointer is null or a leaked box.
        let old = self.0.swap(new, Ordering::AcqRel);
        // SAFETY: `old` is null or was leaked into this cell, and nobody can load it any more.
        Ok(Retired(
            (!old.is_null()).then(|| unsafe { KBox::from_raw(old) }),
        ))
    }

    /// Drops a value after its grace period.
    ///
    /// # Safety
    ///
    /// `head` must be that of a leaked `KBox<Versioned<T>>` that nobody reads.
    unsafe extern "C" fn free(head: *mut bindings::callback_head) {
        // SAFETY: By the contract, and since the head is the first field of the `repr(C)` struct.
        drop(unsafe { KBox::from_raw(head.cast::<Versioned<T>>()) });
    }
}

impl<T: Send + Sync> Drop for RcuCell<T> {
    fn drop(&mut self) {
        let old = *self.0.get_mut();
        if !old.is_null() {
            // SAFETY: By the invariant; the exclusive reference says that there is no reader.
            drop(unsafe { KBox::from_raw(old) });
        }
    }
}

/// A value in its memory, ready to be put into an [`RcuCell`] where there may be none to get.
pub(crate) struct Ready<T>(KBox<Versioned<T>>);

impl<T> Ready<T> {
    /// Makes it ready. Process context.
    pub(crate) fn new(value: T) -> Result<Self> {
        let head = pin_init::zeroed();
        Ok(Ready(KBox::new(Versioned { head, value }, GFP_KERNEL)?))
    }
}

/// A value taken out of an [`RcuCell`], which readers may still read. Dropping it waits for them: process
/// context, and without a lock that others wait for.
#[must_use]
pub(crate) struct Retired<T: Send + Sync>(Option<KBox<Versioned<T>>>);

impl<T: Send + Sync> Retired<T> {
    /// Nothing, which takes no time to drop.
    pub(crate) const fn nothing() -> Self {
        Retired(None)
    }
}

impl<T: Send + Sync> Drop for Retired<T> {
    fn drop(&mut self) {
        if self.0.is_some() {
            synchronize_rcu();
        }
    }
}

/// Waits until RCU has run the callbacks that wait for a grace period now. Process context.
pub(crate) fn barrier() {
    // SAFETY: Process context may wait.
    unsafe { bindings::rcu_barrier() };
}

/// Stands for the callbacks of this module that RCU has yet to run; dropping it waits for them.
pub(crate) struct Callbacks;

impl Drop for Callbacks {
    fn drop(&mut self) {
        barrier();
    }
}
