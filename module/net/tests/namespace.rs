// SPDX-License-Identifier: GPL-2.0

//! Tests of `net::namespace`.

use super::first_net;
use crate::{
    host::Host,
    net::{
        alarm::Alarmed,
        namespace::{Namespaced, Net, Registry},
        work::Worker,
    },
};
use kernel::{
    prelude::*,
    sync::atomic::{Atomic, Relaxed},
};

/// Whether namespaces get no state.
static REFUSED: Atomic<u32> = Atomic::new(0);
/// How many namespaces have state.
static ALIVE: Atomic<u32> = Atomic::new(0);
static PROBES: Registry<Probe> = Registry::new();

/// Counts as long as it lives.
struct Alive;

impl Alive {
    fn new() -> Result<Self> {
        if REFUSED.load(Relaxed) != 0 {
            return Err(ENOSPC);
        }
        ALIVE.add(1, Relaxed);
        Ok(Alive)
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Relaxed);
    }
}

/// The state of a namespace.
#[pin_data]
struct Probe {
    net: Net,
    _alive: Alive,
}

impl Worker for Probe {
    fn work(&self) -> Option<u32> {
        None
    }
}

impl Alarmed for Probe {
    fn alarm(&self) {}
}

impl Namespaced for Probe {
    fn registry() -> &'static Registry<Self> {
        &PROBES
    }

    fn new(net: Net) -> impl PinInit<Self, Error> {
        try_pin_init!(Probe {
            net,
            _alive: Alive::new()?,
        })
    }

    fn leaves_callbacks(&self) -> bool {
        true
    }
}

/// The error of `Registry::state`, if it is one.
fn no_state() -> Option<Error> {
    Registry::<Probe>::state(first_net()).err()
}

#[kunit_tests(ovnet_namespace)]
mod suite {
    use super::*;

    #[test]
    fn a_namespace_has_state_as_long_as_the_registration_lives() -> Result {
        assert_eq!(no_state(), Some(ENODEV));
        let registration = Registry::<Probe>::register()?;
        assert!(ALIVE.load(Relaxed) > 0);
        let own = Registry::<Probe>::state(first_net()).map(|probe| probe.net.is(first_net()));
        assert_eq!(own, Ok(true));
        drop(registration);
        assert_eq!(ALIVE.load(Relaxed), 0);
        assert_eq!(no_state(), Some(ENODEV));
        Ok(())
    }

    #[test]
    fn a_registration_that_a_namespace_refuses_leaves_nothing() -> Result {
        REFUSED.store(1, Relaxed);
        let refused = Registry::<Probe>::register().err();
        REFUSED.store(0, Relaxed);
        assert_eq!(refused, Some(ENOSPC));
        assert_eq!(ALIVE.load(Relaxed), 0);
        assert_eq!(no_state(), Some(ENODEV));
        // And the next one succeeds.
        drop(Registry::<Probe>::register()?);
        assert_eq!(ALIVE.load(Relaxed), 0);
        Ok(())
    }

    #[test]
    fn every_host_has_its_namespace() -> Result {
        let own = Registry::<Host>::state(first_net()).map(|host| host.net().is(first_net()));
        assert_eq!(own, Ok(true));
        Ok(())
    }
}
