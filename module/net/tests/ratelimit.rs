// SPDX-License-Identifier: GPL-2.0

//! Tests of `net::ratelimit`.

use crate::net::ratelimit::RateLimit;
use kernel::{
    prelude::*,
    time::{delay::fsleep, Delta},
};

#[kunit_tests(ovnet_ratelimit)]
mod suite {
    use super::*;

    #[test]
    fn a_burst_passes_and_what_was_withheld_is_told_once() -> Result {
        let limit = KBox::pin_init(RateLimit::new(3), GFP_KERNEL)?;
        assert!((0..3).all(|_| limit.admit() == Some(0)));
        assert!((0..5).all(|_| limit.admit().is_none()));
        // A second later there is a new burst.
        fsleep(Delta::from_millis(1100));
        assert_eq!(limit.admit(), Some(5));
        assert_eq!(limit.admit(), Some(0));
        Ok(())
    }
}
