// SPDX-License-Identifier: GPL-2.0

//! Our drop reasons as the kernel's own tools name them (OP5): `skb:kfree_skb`, drop_monitor. Any context.
//!
//! The kernel keeps lists of reasons per subsystem in a table that it exports, but has a number for its own
//! subsystems only. Two of these belong to modules that are seldom there and that register their list when
//! they are: we take the place of one that is not there, and only while its place is empty. If it comes
//! later it overwrites us, as it does not look. Every drop therefore asks whose the place is; when ours is
//! lost the other one is taken, and when that is not free either, packets are dropped under the core's
//! reason that comes next to ours.

use super::bindings::{self, *};
use core::{
    ptr,
    sync::atomic::{AtomicPtr, Ordering},
};
use kernel::prelude::*;
use ovnet_engine::DropReason;

/// The places we may take: that of a switch, and that of stations of a wireless network. Queueing disciplines
/// are always there and must keep theirs, though they list nothing.
const PLACES: [u32; 2] = [
    SKB_DROP_REASON_SUBSYS_OPENVSWITCH,
    SKB_DROP_REASON_SUBSYS_MAC80211_UNUSABLE,
];

/// Whose list is in a place; null: nobody's.
fn owner(place: u32) -> &'static AtomicPtr<drop_reason_list> {
    // SAFETY: The place is inside the table, which is static and whose words are pointers that the kernel
    // writes and reads as a whole.
    unsafe {
        let table = (&raw mut bindings::drop_reasons_by_subsys).cast::<*mut drop_reason_list>();
        AtomicPtr::from_ptr(table.add(place as usize))
    }
}

/// Our list.
fn ours() -> *mut drop_reason_list {
    (&raw const bindings::ovnet_drop_reasons).cast_mut()
}

/// The place that is ours, or becomes it now.
fn place() -> Option<u32> {
    let is_ours = |place: &u32| ptr::eq(owner(*place).load(Ordering::Relaxed), ours());
    let take = |place: &u32| {
        match owner(*place).compare_exchange(
            ptr::null_mut(),
            ours(),
            Ordering::AcqRel,
            Ordering::Relaxed,
        ) {
            Ok(_) => true,
            // Another CPU may have taken it for us just now.
            Err(other) => ptr::eq(other, ours()),
        }
    };
    let mut places = PLACES.into_iter();
    places
        .find(is_ours)
        .or_else(|| PLACES.into_iter().find(take))
}

/// The number of a reason, for the kernel. Where a place is ours its low half is the number in netlink.
pub(super) fn number(reason: DropReason) -> skb_drop_reason {
    match place() {
        Some(place) => place << bindings::SKB_DROP_REASON_SUBSYS_SHIFT | reason as u32,
        None => nearest(reason),
    }
}

/// The core's reason that says most of ours.
fn nearest(reason: DropReason) -> skb_drop_reason {
    match reason {
        DropReason::Malformed => SKB_DROP_REASON_IP_INHDR,
        DropReason::PortDown => SKB_DROP_REASON_DEV_READY,
        DropReason::SpoofMac => SKB_DROP_REASON_MAC_INVALID_SOURCE,
        DropReason::SpoofAddress | DropReason::MartianSource => SKB_DROP_REASON_IP_INVALID_SOURCE,
        DropReason::NotIpv4 => SKB_DROP_REASON_UNHANDLED_PROTO,
        DropReason::TooBig => SKB_DROP_REASON_PKT_TOO_BIG,
        DropReason::NoRoute => SKB_DROP_REASON_IP_OUTNOROUTES,
        DropReason::NoMemory => SKB_DROP_REASON_NOMEM,
        DropReason::NextHeader => SKB_DROP_REASON_IP_NOPROTO,
        DropReason::UnknownSource | DropReason::ForgedSource => SKB_DROP_REASON_IP_RPFILTER,
        DropReason::IcmpChecksum => SKB_DROP_REASON_ICMP_CSUM,
        _ => SKB_DROP_REASON_NOT_SPECIFIED,
    }
}

/// Our names, known to the kernel. Dropping it gives the place back and waits until nobody reads them.
pub(crate) struct Registration(());

impl Registration {
    /// Takes a place if one is free.
    pub(crate) fn new() -> Self {
        if place().is_none() {
            pr_info!(
                "no place for names of drop reasons: packets are dropped under the kernel's own\n"
            );
        }
        Registration(())
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        for place in PLACES {
            // One that is not ours any more is left alone.
            let _ = owner(place).compare_exchange(
                ours(),
                ptr::null_mut(),
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
        }
        // Readers may have found our list before, or before its place was lost.
        // SAFETY: Process context may wait.
        unsafe { bindings::synchronize_net() };
    }
}
