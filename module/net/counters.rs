// SPDX-License-Identifier: GPL-2.0

//! Per-CPU counters: adding touches no shared cache line, reading sums up.

use super::{bindings, device::Device};
use core::{marker::PhantomData, ptr};
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

    /// The sum of one counter over all CPUs.
    pub(crate) fn sum(&self, index: usize) -> u64 {
        if index >= N {
            return 0;
        }
        // SAFETY: The index is inside the allocation.
        unsafe { bindings::ovnet_percpu_sum(self.0.wrapping_add(index)) }
    }
}

/// A counter of packets and the one of their bytes behind it.
#[derive(Clone, Copy)]
pub(crate) struct Pair<'a> {
    packets: *mut u64,
    _counters: PhantomData<&'a ()>,
}

impl<const N: usize> Counters<N> {
    /// The counter at `index`, of packets, and the next one, of bytes.
    #[inline]
    pub(crate) fn pair(&self, index: usize) -> Option<Pair<'_>> {
        (index.wrapping_add(1) < N).then_some(Pair {
            packets: self.0.wrapping_add(index),
            _counters: PhantomData,
        })
    }
}

/// Where a packet counts; none: nowhere.
pub(crate) type Places<'a> = [Option<Pair<'a>>; 4];

#[inline]
fn pointers(places: Places<'_>) -> [*mut u64; 4] {
    places.map(|pair| pair.map_or(ptr::null_mut(), |pair| pair.packets))
}

/// Counts one packet of so many bytes that the node behind `device` has sent, and its frame for the device.
#[inline]
pub(crate) fn count_sent(device: &Device, places: Places<'_>, bytes: u64) {
    let [a, b, c, d] = pointers(places);
    // SAFETY: As for `count`; the device is valid, and softirqs are off.
    unsafe { bindings::ovnet_dev_count_sent(device.as_ptr(), a, b, c, d, bytes) };
}

/// Counts one packet of so many bytes in several places.
#[inline]
pub(crate) fn count(places: Places<'_>, bytes: u64) {
    let [a, b, c, d] = pointers(places);
    // SAFETY: The pointers are null or of pairs inside allocations that live as long.
    unsafe { bindings::ovnet_percpu_count(a, b, c, d, bytes) };
}

impl<const N: usize> Drop for Counters<N> {
    fn drop(&mut self) {
        // SAFETY: By the invariant.
        unsafe { bindings::ovnet_percpu_free(self.0.cast()) };
    }
}
