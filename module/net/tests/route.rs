// SPDX-License-Identifier: GPL-2.0

//! Tests of `net::route`. What is found and cached the cases show: it takes a substrate.

use super::{bindings, first_net};
use crate::net::{rcu::Rcu, route::RouteCache};
use kernel::{prelude::*, sync::rcu::read_lock};

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

/// An address that no route leads to, and that of the loopback.
const ABSENT: [u8; 16] = [0xfd, 0, 0xde, 0xad, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
const LOOPBACK: [u8; 16] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];

/// Whether a new cache has a route, finds one to an address, and has one then.
fn sought(to: &[u8; 16]) -> Result<[bool; 3]> {
    let cache = RouteCache::new()?;
    let _off = SoftirqsOff::new();
    let reader = read_lock();
    let rcu = Rcu::from(&reader);
    Ok([
        cache.cached(rcu).is_some(),
        cache.route(first_net(), &LOOPBACK, to, rcu).is_some(),
        cache.cached(rcu).is_some(),
    ])
}

#[kunit_tests(ovnet_route)]
mod suite {
    use super::*;

    #[test]
    fn there_is_no_route_to_nobody() -> Result {
        assert_eq!(sought(&ABSENT)?, [false; 3]);
        Ok(())
    }

    #[test]
    fn there_is_no_route_to_the_host_itself() -> Result {
        assert_eq!(sought(&LOOPBACK)?, [false; 3]);
        Ok(())
    }
}
