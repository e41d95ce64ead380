// SPDX-License-Identifier: GPL-2.0

//! Tests of `net::route`.

use super::{bindings, first_net, soon};
use crate::net::{route::RouteCache, skb::jiffies};
use core::ptr::NonNull;
use kernel::prelude::*;

/// What the cache is for: softirqs are off as long as this lives.
struct SoftirqsOff;

impl SoftirqsOff {
    fn new() -> Self {
        // SAFETY: Dropping the value turns them on again.
        unsafe { bindings::ovnet_test_softirqs_off() };
        SoftirqsOff
    }
}

impl Drop for SoftirqsOff {
    fn drop(&mut self) {
        // SAFETY: `new` turned them off.
        unsafe { bindings::ovnet_test_softirqs_on() };
    }
}

/// A route that leads nowhere, of which this holds one reference.
struct Nowhere(NonNull<bindings::dst_entry>);

impl Nowhere {
    fn new() -> Result<Self> {
        // SAFETY: The namespace is valid.
        NonNull::new(unsafe { bindings::ovnet_test_route(first_net().as_ptr()) })
            .map(Nowhere)
            .ok_or(ENOMEM)
    }

    /// Puts it into this CPU's part of a cache, which the kernel believes only if something was looked up
    /// there in vain before.
    fn cache_in(&self, cache: &RouteCache) {
        drop(cache.route(first_net(), &LOOPBACK, &ABSENT));
        // SAFETY: Both are valid; the caller has turned softirqs off.
        unsafe { bindings::ovnet_test_route_cache(cache.as_ptr(), self.0.as_ptr()) };
    }

    fn users(&self) -> u32 {
        // SAFETY: The route is valid.
        unsafe { bindings::ovnet_test_route_users(self.0.as_ptr()) }
    }

    fn grow_stale(&self) {
        // SAFETY: The route is valid.
        unsafe { bindings::ovnet_test_route_stale(self.0.as_ptr()) };
    }
}

impl Drop for Nowhere {
    fn drop(&mut self) {
        // SAFETY: This value owns a reference.
        unsafe { bindings::dst_release(self.0.as_ptr()) };
    }
}

/// A new cache. The kernel believes nothing of the very tick it was made in.
fn cache() -> Result<RouteCache> {
    let cache = RouteCache::new()?;
    let made = jiffies();
    soon(|| jiffies().wrapping_sub(made) > 1)
        .then_some(cache)
        .ok_or(ETIMEDOUT)
}

/// An address that no route leads to, and that of the loopback.
const ABSENT: [u8; 16] = [0xfd, 0, 0xde, 0xad, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const LOOPBACK: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

#[kunit_tests(ovnet_route)]
mod suite {
    use super::*;

    #[test]
    fn there_is_no_route_to_nobody_nor_to_the_host_itself() -> Result {
        let cache = cache()?;
        let off = SoftirqsOff::new();
        let routes =
            [ABSENT, LOOPBACK].map(|to| cache.route(first_net(), &LOOPBACK, &to).is_some());
        drop(off);
        assert_eq!(routes, [false, false]);
        Ok(())
    }

    #[test]
    fn a_cached_route_is_referenced_by_cache_and_user_alone() -> Result {
        let route = Nowhere::new()?;
        let cache = cache()?;
        assert_eq!(route.users(), 1);
        let off = SoftirqsOff::new();
        route.cache_in(&cache);
        let cached = route.users();
        let found = cache.route(first_net(), &LOOPBACK, &ABSENT);
        let used = route.users();
        let room = found
            .as_ref()
            .is_some_and(|found| found.mtu() > 0 && found.headroom() > 0);
        let was_found = found.is_some();
        drop(found);
        let unused = route.users();
        drop(off);
        assert!(was_found && room);
        assert_eq!([cached, used, unused], [2, 3, 2]);
        drop(cache);
        assert_eq!(route.users(), 1);
        Ok(())
    }

    #[test]
    fn a_stale_route_is_let_go_and_looked_up_again() -> Result {
        let route = Nowhere::new()?;
        let cache = cache()?;
        let off = SoftirqsOff::new();
        route.cache_in(&cache);
        route.grow_stale();
        let found = cache.route(first_net(), &LOOPBACK, &ABSENT).is_some();
        drop(off);
        assert!(!found);
        assert_eq!(route.users(), 1);
        Ok(())
    }
}
