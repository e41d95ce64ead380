// SPDX-License-Identifier: GPL-2.0

//! The substrate's route to a remote host, cached per CPU. Softirq context.

use super::{bindings, namespace::Net, rcu::Rcu};
use core::{marker::PhantomData, ptr::NonNull};
use kernel::prelude::*;

/// A route, borrowed for as long as an RCU reader reads.
///
/// # Invariants
///
/// The pointer is a `dst_entry` that is valid for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct Route<'a>(NonNull<bindings::dst_entry>, PhantomData<Rcu<'a>>);

impl Route<'_> {
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

    pub(super) fn as_ptr(&self) -> *mut bindings::dst_entry {
        self.0.as_ptr()
    }
}

/// The cached route to one remote host. One is enough: the substrate routes on the locator alone (AD5).
///
/// # Invariants
///
/// The pointer is a per-CPU allocation of routes.
pub(crate) struct RouteCache(NonNull<bindings::ovnet_route>);

// SAFETY: The cache keeps a copy per CPU, used with softirqs off.
unsafe impl Sync for RouteCache {}
// SAFETY: As above.
unsafe impl Send for RouteCache {}

impl RouteCache {
    /// An empty cache.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: A plain allocation.
        let routes = unsafe { bindings::ovnet_routes_alloc() };
        // INVARIANT: Just allocated.
        NonNull::new(routes).map(RouteCache).ok_or(ENOMEM)
    }

    /// The route to `dst`, from the cache or looked up. None: there is none that leaves the host.
    #[inline]
    pub(crate) fn route<'a>(
        &self,
        net: Net,
        src: &[u8; 16],
        dst: &[u8; 16],
        _: Rcu<'a>,
    ) -> Option<Route<'a>> {
        // SAFETY: The cache is allocated and the namespace valid, softirqs are off; an `in6_addr` is 16
        // bytes, which the function only copies.
        let route = unsafe {
            bindings::ovnet_route(net.as_ptr(), self.0.as_ptr(), &in6_addr(src), &in6_addr(dst))
        };
        // INVARIANT: The function returns a route that lives as long as the RCU reader reads.
        NonNull::new(route).map(|route| Route(route, PhantomData))
    }
}

impl Drop for RouteCache {
    fn drop(&mut self) {
        // SAFETY: By the invariant; the exclusive reference says that nobody uses it.
        unsafe { bindings::ovnet_routes_free(self.0.as_ptr()) };
    }
}

fn in6_addr(octets: &[u8; 16]) -> bindings::in6_addr {
    let mut address: bindings::in6_addr = pin_init::zeroed();
    address.in6_u.u6_addr8 = *octets;
    address
}
