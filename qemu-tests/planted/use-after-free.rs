// SPDX-License-Identifier: GPL-2.0
// report: BUG: KASAN: slab-use-after-free in .*planted

//! Memory is read after it was freed.

use super::bindings;
use kernel::prelude::*;

#[inline(never)]
pub(super) fn bug(_: *mut bindings::net_device) {
    if let Ok(memory) = KBox::new([0u8; 64], GFP_ATOMIC) {
        let memory = KBox::into_raw(memory);
        // SAFETY: None: the memory is read once it is freed.
        unsafe {
            drop(KBox::from_raw(memory));
            core::ptr::read_volatile(memory);
        }
    }
}
