// SPDX-License-Identifier: GPL-2.0
// report: unregister_netdevice: waiting for
// report: ref_tracker: .* has [0-9]+/[0-9]+ users
// report: planted.*\[ovnet\]

//! A reference to a device is never given back, so that the device cannot go.

use super::bindings;
use core::mem::MaybeUninit;

#[inline(never)]
pub(super) fn bug(device: *mut bindings::net_device) {
    let mut tracker = MaybeUninit::uninit();
    // SAFETY: The device is valid; the reference is what is planted.
    unsafe { bindings::ovnet_dev_hold(device, tracker.as_mut_ptr()) };
}
