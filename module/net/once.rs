// SPDX-License-Identifier: GPL-2.0

//! Reading words that other CPUs write: the kernel's `READ_ONCE`. A relaxed `Atomic::load` is the same by a
//! call, where the kernel does not inline its helpers into modules; packets are spared that.

use core::ptr;
use kernel::sync::atomic::Atomic;

/// A word that is read as a whole, though others write it.
pub(crate) trait ReadOnce {
    /// What it holds.
    type Word;

    /// Reads it.
    fn read_once(&self) -> Self::Word;
}

impl ReadOnce for Atomic<u32> {
    type Word = u32;

    #[inline]
    fn read_once(&self) -> u32 {
        // SAFETY: The pointer is valid and aligned, and a volatile read of a word is marked and atomic.
        unsafe { ptr::read_volatile(self.as_ptr()) }
    }
}

impl ReadOnce for Atomic<u64> {
    type Word = u64;

    #[inline]
    fn read_once(&self) -> u64 {
        // SAFETY: As above.
        unsafe { ptr::read_volatile(self.as_ptr()) }
    }
}
