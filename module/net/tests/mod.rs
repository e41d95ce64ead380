// SPDX-License-Identifier: GPL-2.0

//! Unit tests of `net`, which the kernel runs when the module is loaded (KUnit). Where the kernel has no
//! KUnit, as no distribution's has, nothing of this is compiled.
//!
//! Results are in `/sys/kernel/debug/kunit/ovnet_*/results`; `make check-debug` reads them.

mod counters;
mod namespace;
mod netlink;
mod ratelimit;
mod rcu;
mod route;
mod skb;
mod table;

use super::{bindings, namespace::Net, time::Moment};
use kernel::{
    prelude::*,
    processor::cpu_relax,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc, Completion,
    },
    workqueue,
};

/// A number shared with another thread, or with values that count in it that they were dropped.
type Shared = Arc<Atomic<u32>>;

fn shared() -> Result<Shared> {
    Ok(Arc::new(Atomic::new(0), GFP_KERNEL)?)
}

/// A value that counts its own drop.
struct Counted {
    number: u64,
    dropped: Shared,
}

impl Counted {
    fn new(number: u64, dropped: &Shared) -> Self {
        Counted {
            number,
            dropped: dropped.clone(),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.dropped.add(1, Relaxed);
    }
}

/// Whether the condition comes true within twenty seconds. Does not sleep, so that RCU readers may wait.
fn soon(condition: impl Fn() -> bool) -> bool {
    let end = Moment::now().after(20_000);
    while !condition() {
        if end.is_past(Moment::now()) {
            return false;
        }
        cpu_relax();
    }
    true
}

/// Runs `other` on a thread of its own beside `this`, and returns when both are over.
fn beside<R>(other: impl FnOnce() + Send + 'static, this: impl FnOnce() -> R) -> Result<R> {
    let over = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
    let told = over.clone();
    workqueue::system_unbound().try_spawn(GFP_KERNEL, move || {
        other();
        told.complete_all();
    })?;
    let result = this();
    over.wait_for_completion();
    Ok(result)
}

/// The namespace of the first process.
fn first_net() -> Net {
    // SAFETY: That namespace never ends.
    unsafe { Net::from_raw(bindings::ovnet_test_net()) }
}
