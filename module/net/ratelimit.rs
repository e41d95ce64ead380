// SPDX-License-Identifier: GPL-2.0

//! The kernel's rate limit: a burst per second, and a count of what it withheld. Any context.

use super::bindings;
use kernel::{prelude::*, types::Opaque};

/// A limit of `burst` per second.
///
/// # Invariants
///
/// The state is initialised.
#[pin_data]
pub(crate) struct RateLimit {
    #[pin]
    state: Opaque<bindings::ratelimit_state>,
}

// SAFETY: The state has its own lock.
unsafe impl Sync for RateLimit {}
// SAFETY: As above.
unsafe impl Send for RateLimit {}

impl RateLimit {
    /// A limit that nothing has used yet.
    pub(crate) fn new(burst: i32) -> impl PinInit<Self> {
        pin_init!(Self {
            // INVARIANT: Initialised here.
            // SAFETY: `slot` is valid memory for the state.
            state <- Opaque::ffi_init(|slot| unsafe { bindings::ovnet_ratelimit_init(slot, burst) }),
        })
    }

    /// Whether one more may pass now; if so, how many were withheld since the last one that passed.
    pub(crate) fn admit(&self) -> Option<u32> {
        let state = self.state.get();
        // SAFETY: By the invariant the state is initialised.
        unsafe {
            bindings::ovnet_ratelimit(state).then(|| bindings::ovnet_ratelimit_take_missed(state))
        }
    }
}
