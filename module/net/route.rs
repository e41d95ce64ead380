// SPDX-License-Identifier: GPL-2.0

//! The substrate's route to a remote host, cached per CPU. Softirq context.

use super::{bindings, device::Device, namespace::Net, rcu::Rcu};
use core::{marker::PhantomData, ptr::NonNull};
use kernel::prelude::*;

/// A route, borrowed for as long as an RCU reader reads.
///
/// # Invariants
///
/// The way has a `dst_entry` that is valid for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct Route<'a>(bindings::ovnet_way, PhantomData<Rcu<'a>>);

impl Route<'_> {
    /// The largest IPv6 packet it takes, in bytes.
    #[inline]
    pub(crate) fn mtu(&self) -> u32 {
        self.0.mtu
    }

    /// The room its device wants before the IPv6 header, in bytes.
    #[inline]
    pub(crate) fn headroom(&self) -> u32 {
        self.0.headroom
    }

    /// The device it leaves by, and the next router on the way to `to`, or that itself.
    pub(crate) fn hop(&self, to: &[u8; 16]) -> (&Device, [u8; 16]) {
        let mut hop = in6_addr(to);
        // SAFETY: By the invariant, of which the device is a part; the addresses are valid.
        unsafe {
            bindings::ovnet_nexthop(self.0.dst, &in6_addr(to), &mut hop);
            (
                Device::from_raw((*self.0.dst).__bindgen_anon_1.dev),
                hop.in6_u.u6_addr8,
            )
        }
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::dst_entry {
        self.0.dst
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

    /// The route, if it is known and still valid.
    #[inline]
    pub(crate) fn cached<'a>(&self, _: Rcu<'a>) -> Option<Route<'a>> {
        // SAFETY: The cache is allocated and softirqs are off.
        let way = unsafe { bindings::ovnet_route_cached(self.0.as_ptr()) };
        // INVARIANT: The function returns a route that lives as long as the RCU reader reads.
        (!way.dst.is_null()).then_some(Route(way, PhantomData))
    }

    /// The route to `dst`, from the cache or looked up. None: there is none that leaves the host.
    pub(crate) fn route<'a>(
        &self,
        net: Net,
        src: &[u8; 16],
        dst: &[u8; 16],
        rcu: Rcu<'a>,
    ) -> Option<Route<'a>> {
        self.cached(rcu).or_else(|| self.find(net, src, dst, rcu))
    }

    /// Looks the route to `dst` up. None: there is none that leaves the host.
    pub(crate) fn find<'a>(
        &self,
        net: Net,
        src: &[u8; 16],
        dst: &[u8; 16],
        _: Rcu<'a>,
    ) -> Option<Route<'a>> {
        let (src, dst) = (in6_addr(src), in6_addr(dst));
        // SAFETY: The cache is allocated, the namespace valid, and softirqs are off; the addresses are
        // only read.
        let way = unsafe { bindings::ovnet_route_find(net.as_ptr(), self.0.as_ptr(), &src, &dst) };
        // INVARIANT: As above.
        (!way.dst.is_null()).then_some(Route(way, PhantomData))
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
