// SPDX-License-Identifier: GPL-2.0

//! Per-CPU counters: adding touches no shared cache line, reading sums up.

use super::bindings;
use kernel::prelude::*;

/// `N` counters.
///
/// # Invariants
///
/// The pointer is a per-CPU allocation of `N` times `u64`.
pub(crate) struct Counters<const N: usize>(*mut u64);

// SAFETY: Each CPU adds to its own copy; reading a word while it changes yields the old or the new value.
unsafe impl<const N: usize> Sync for Counters<N> {}
// SAFETY: As above.
unsafe impl<const N: usize> Send for Counters<N> {}

impl<const N: usize> Counters<N> {
    /// Counters that are all 0.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: A plain allocation.
        let pointer = unsafe { bindings::ovnet_percpu_alloc(N * size_of::<u64>()) };
        if pointer.is_null() {
            return Err(ENOMEM);
        }
        // INVARIANT: Just allocated.
        Ok(Counters(pointer.cast()))
    }

    /// Adds to one counter. An index out of range counts nowhere.
    #[inline]
    pub(crate) fn add(&self, index: usize, n: u64) {
        if index < N {
            // SAFETY: The index is inside the allocation.
            unsafe { bindings::ovnet_percpu_add(self.0.wrapping_add(index), n) };
        }
    }

    /// Adds to a counter and to the one behind it.
    #[inline]
    pub(crate) fn add_two(&self, index: usize, first: u64, second: u64) {
        if index.wrapping_add(1) < N {
            // SAFETY: Both are inside the allocation.
            unsafe { bindings::ovnet_percpu_add_two(self.0.wrapping_add(index), first, second) };
        }
    }

    /// The sum of one counter over all CPUs.
    pub(crate) fn sum(&self, index: usize) -> u64 {
        if index >= N {
            return 0;
        }
        // SAFETY: The index is inside the allocation.
        unsafe { bindings::ovnet_percpu_sum(self.0.wrapping_add(index)) }
    }
}

impl<const N: usize> Drop for Counters<N> {
    fn drop(&mut self) {
        // SAFETY: By the invariant.
        unsafe { bindings::ovnet_percpu_free(self.0.cast()) };
    }
}
