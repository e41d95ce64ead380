// SPDX-License-Identifier: GPL-2.0

//! The kernel's coarse clock: moments to compare, not to show. Any context.

use super::bindings;

/// Ticks per second.
const HZ: u32 = bindings::OVNET_HZ;

/// A moment by the kernel's clock. Two moments compare rightly if they are less than 2³¹ ticks apart,
/// which is 24 days at 1000 ticks per second.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(u32);

impl Moment {
    /// Now.
    #[inline]
    pub(crate) fn now() -> Self {
        // SAFETY: Reading the clock, a word that the kernel writes as a whole.
        Moment(unsafe { core::ptr::read_volatile(&raw const bindings::jiffies) } as u32)
    }

    /// So many milliseconds later.
    pub(crate) fn after(self, ms: u32) -> Self {
        let ticks = u64::from(ms).wrapping_mul(HZ.into()).div_ceil(1000);
        Moment(self.0.wrapping_add(ticks as u32))
    }

    /// So many milliseconds earlier.
    pub(crate) fn before(self, ms: u32) -> Self {
        let ticks = u64::from(ms).wrapping_mul(HZ.into()) / 1000;
        Moment(self.0.wrapping_sub(ticks as u32))
    }

    /// Whether the moment has come by `now`.
    #[inline]
    pub(crate) fn is_past(self, now: Moment) -> bool {
        now.0.wrapping_sub(self.0) < 1 << 31
    }

    /// Milliseconds from `earlier` until this, 0 if it is later.
    pub(crate) fn since(self, earlier: Moment) -> u32 {
        if !earlier.is_past(self) {
            return 0;
        }
        let ticks = u64::from(self.0.wrapping_sub(earlier.0));
        (ticks.wrapping_mul(1000) / u64::from(HZ)) as u32
    }

    /// As a word that is never 0, so that 0 may stand for no moment; at most a tick late for it.
    #[inline]
    pub(crate) fn word(self) -> u32 {
        self.0.max(1)
    }

    /// The moment of a word; none for 0.
    #[inline]
    pub(crate) fn of_word(word: u32) -> Option<Self> {
        (word != 0).then_some(Moment(word))
    }

    /// Whether a second or more has gone by since a word was written.
    #[inline]
    pub(crate) fn is_a_second_after(self, word: u32) -> bool {
        self.0.wrapping_sub(word) >= HZ
    }
}

/// Ticks of so many milliseconds, for timers.
pub(super) fn ticks(ms: u32) -> kernel::ffi::c_ulong {
    u64::from(ms).wrapping_mul(HZ.into()).div_ceil(1000) as kernel::ffi::c_ulong
}
