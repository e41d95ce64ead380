// SPDX-License-Identifier: GPL-2.0
// report: possible circular locking dependency detected
// report: planted_second

//! Two locks are taken in both orders, never at once: no test hangs.

use super::bindings;
use kernel::{new_spinlock, prelude::*};

#[inline(never)]
pub(super) fn bug(_: *mut bindings::net_device) {
    let first = KBox::pin_init(new_spinlock!((), "planted_first"), GFP_ATOMIC);
    let second = KBox::pin_init(new_spinlock!((), "planted_second"), GFP_ATOMIC);
    if let (Ok(first), Ok(second)) = (first, second) {
        for (outer, inner) in [(&first, &second), (&second, &first)] {
            let outer = outer.lock();
            drop(inner.lock());
            drop(outer);
        }
    }
}
