// SPDX-License-Identifier: GPL-2.0

//! Tests of `net::counters`.

use super::beside;
use crate::net::counters::Counters;
use kernel::{prelude::*, sync::Arc};

#[kunit_tests(ovnet_counters)]
mod suite {
    use super::*;

    #[test]
    fn counters_are_apart_and_start_at_0() -> Result {
        let counters = Counters::<3>::new()?;
        assert!((0..3).all(|index| counters.sum(index) == 0));
        counters.add(0, 1);
        counters.add(2, u64::from(u32::MAX));
        counters.add(2, 2);
        assert_eq!(counters.sum(0), 1);
        assert_eq!(counters.sum(1), 0);
        assert_eq!(counters.sum(2), (1 << 32) + 1);
        Ok(())
    }

    #[test]
    fn an_index_out_of_range_counts_nowhere() -> Result {
        let counters = Counters::<2>::new()?;
        counters.add(2, 1);
        counters.add(usize::MAX, 1);
        assert_eq!(counters.sum(0) + counters.sum(1), 0);
        assert_eq!(counters.sum(2), 0);
        assert_eq!(counters.sum(usize::MAX), 0);
        Ok(())
    }

    #[test]
    fn what_two_threads_add_is_all_there() -> Result {
        const EACH: u64 = 5_000;
        let counters = Arc::new(Counters::<1>::new()?, GFP_KERNEL)?;
        let other = counters.clone();
        let add = |counters: &Counters<1>| (0..EACH).for_each(|_| counters.add(0, 1));
        beside(move || add(&other), || add(&counters))?;
        assert_eq!(counters.sum(0), 2 * EACH);
        Ok(())
    }
}
