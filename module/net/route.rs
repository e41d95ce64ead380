// SPDX-License-Identifier: GPL-2.0

//! The substrate's route to a remote host, cached per CPU. Softirq context.

use super::{bindings, namespace::Net};
use core::{cell::UnsafeCell, ptr::NonNull};
use kernel::{error::to_result, prelude::*};

/// A reference to a route.
///
/// # Invariants
///
/// The pointer is a valid `dst_entry` with a reference that this value owns.
pub(crate) struct Route(NonNull<bindings::dst_entry>);

impl Route {
    /// The largest IPv6 packet it takes, in bytes.
    #[inline]
    pub(crate) fn mtu(&self) -> u32 {
        // SAFETY: By the invariant.
        unsafe { bindings::ovnet_dst_mtu(self.0.as_ptr()) }
    }

    /// The room its device wants before the IPv6 header, in bytes.
    #[inline]
    pub(crate) fn headroom(&self) -> u32 {
        // SAFETY: By the invariant.
        unsafe { bindings::ovnet_dst_headroom(self.0.as_ptr()) }
    }

    /// Gives the reference up.
    pub(super) fn into_raw(self) -> *mut bindings::dst_entry {
        let route = self.0.as_ptr();
        core::mem::forget(self);
        route
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        // SAFETY: By the invariant this value owns a reference.
        unsafe { bindings::dst_release(self.0.as_ptr()) };
    }
}

/// The cached route to one remote host. One is enough: the substrate routes on the locator alone (AD5).
///
/// # Invariants
///
/// The cache is initialised.
pub(crate) struct RouteCache(UnsafeCell<bindings::dst_cache>);

// SAFETY: The cache keeps a copy per CPU, used with softirqs off.
unsafe impl Sync for RouteCache {}
// SAFETY: As above.
unsafe impl Send for RouteCache {}

impl RouteCache {
    /// An empty cache.
    pub(crate) fn new() -> Result<Self> {
        let cache = UnsafeCell::new(pin_init::zeroed());
        // SAFETY: The memory is valid; the cache holds no pointer to itself and may move.
        to_result(unsafe { bindings::dst_cache_init(cache.get(), bindings::OVNET_GFP_KERNEL) })?;
        // INVARIANT: Just initialised.
        Ok(RouteCache(cache))
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::dst_cache {
        self.0.get()
    }

    /// The route to `dst`, from the cache or looked up. None: there is none that leaves the host.
    #[inline]
    pub(crate) fn route(&self, net: Net, src: &[u8; 16], dst: &[u8; 16]) -> Option<Route> {
        // SAFETY: The cache is initialised and the namespace valid; an `in6_addr` is 16 bytes, which the
        // function only copies.
        let route = unsafe {
            bindings::ovnet_route(net.as_ptr(), self.as_ptr(), &in6_addr(src), &in6_addr(dst))
        };
        // INVARIANT: The function returns a reference of the caller's.
        NonNull::new(route).map(Route)
    }
}

impl Drop for RouteCache {
    fn drop(&mut self) {
        // SAFETY: By the invariant; the exclusive reference says that nobody uses it.
        unsafe { bindings::dst_cache_destroy(self.0.get()) };
    }
}

fn in6_addr(octets: &[u8; 16]) -> bindings::in6_addr {
    let mut address: bindings::in6_addr = pin_init::zeroed();
    address.in6_u.u6_addr8 = *octets;
    address
}
