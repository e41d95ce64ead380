// SPDX-License-Identifier: GPL-2.0

//! `ethtool -S`: a device's counters by name. Under RTNL.

use super::{bindings, device::Driver};
use core::{marker::PhantomData, slice};

/// Bytes of a name, the NUL included.
const NAME: usize = bindings::OVNET_GSTRING_LEN as usize;

/// The operations of the devices of a driver.
pub(super) struct Operations<D>(PhantomData<D>);

impl<D: Driver> Operations<D> {
    pub(super) const OPS: &'static bindings::ethtool_ops = &bindings::ethtool_ops {
        get_link: Some(bindings::ethtool_op_get_link),
        get_sset_count: Some(Self::count),
        get_strings: Some(Self::names),
        get_ethtool_stats: Some(Self::values),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Called by the kernel under RTNL with a registered device of the driver.
    unsafe extern "C" fn count(device: *mut bindings::net_device, set: i32) -> i32 {
        if set != bindings::ETH_SS_STATS as i32 {
            return -bindings::OVNET_EOPNOTSUPP;
        }
        let mut count = 0i32;
        // SAFETY: By the contract.
        unsafe { D::of(device) }.statistics(|_, _, _| count = count.wrapping_add(1));
        count
    }

    /// # Safety
    ///
    /// Called by the kernel under RTNL with a registered device of the driver and room for as many names
    /// as it was told.
    unsafe extern "C" fn names(device: *mut bindings::net_device, set: u32, names: *mut u8) {
        if set != bindings::ETH_SS_STATS {
            return;
        }
        let mut next = names;
        // SAFETY: By the contract.
        unsafe { D::of(device) }.statistics(|prefix, name, _| {
            // SAFETY: By the contract there is room for this one too.
            let room = unsafe { slice::from_raw_parts_mut(next, NAME) };
            room.fill(0);
            // The last byte stays NUL.
            let bytes = Iterator::chain(prefix.bytes(), name.bytes()).take(NAME - 1);
            room.iter_mut()
                .zip(bytes)
                .for_each(|(room, byte)| *room = byte);
            next = next.wrapping_add(NAME);
        });
    }

    /// # Safety
    ///
    /// As for `names`.
    unsafe extern "C" fn values(
        device: *mut bindings::net_device,
        _: *mut bindings::ethtool_stats,
        values: *mut u64,
    ) {
        let mut next = values;
        // SAFETY: By the contract.
        unsafe { D::of(device) }.statistics(|_, _, value| {
            // SAFETY: By the contract there is room for this one too.
            unsafe { next.write(value) };
            next = next.wrapping_add(1);
        });
    }
}
