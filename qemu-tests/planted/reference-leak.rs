// SPDX-License-Identifier: GPL-2.0
// report: unregister_netdevice: waiting for

//! A reference to a device is never given back, so that the device cannot go.

use super::bindings;

#[inline(never)]
pub(super) fn bug(device: *mut bindings::net_device) {
    // SAFETY: The device is valid; the reference is what is planted.
    unsafe { bindings::ovnet_dev_hold(device) };
}
