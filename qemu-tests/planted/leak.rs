// SPDX-License-Identifier: GPL-2.0
// report: unreferenced object
// report: planted.*\[ovnet\]

//! Memory is forgotten.

use super::bindings;
use kernel::prelude::*;

#[inline(never)]
pub(super) fn bug(_: *mut bindings::net_device) {
    if let Ok(memory) = KBox::new([0xab_u8; 1000], GFP_ATOMIC) {
        core::mem::forget(memory);
    }
}
