// SPDX-License-Identifier: GPL-2.0
// report: BUG: sleeping function called from invalid context
// report: planted.*\[ovnet\]

//! An allocation may sleep where nothing may.

use super::bindings;
use kernel::prelude::*;

#[inline(never)]
pub(super) fn bug(_: *mut bindings::net_device) {
    drop(KBox::new([0u8; 64], GFP_KERNEL));
}
