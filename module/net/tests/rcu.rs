// SPDX-License-Identifier: GPL-2.0

//! Tests of `net::rcu`.

use super::{beside, shared, soon, Counted};
use crate::net::rcu::{barrier, Rcu, RcuCell};
use kernel::{
    prelude::*,
    sync::{atomic::Relaxed, rcu::read_lock, Arc},
};

/// What a reader sees in the cell now.
fn seen(cell: &RcuCell<Counted>) -> Option<u64> {
    let reader = read_lock();
    cell.load(Rcu::from(&reader)).map(|value| value.number)
}

#[kunit_tests(ovnet_rcu)]
mod suite {
    use super::*;

    #[test]
    fn a_cell_has_what_was_set_last() -> Result {
        let dropped = shared()?;
        let cell = RcuCell::empty();
        assert_eq!(seen(&cell), None);
        cell.set(Some(Counted::new(1, &dropped)))?;
        assert_eq!(seen(&cell), Some(1));
        cell.set(Some(Counted::new(2, &dropped)))?;
        assert_eq!(seen(&cell), Some(2));
        cell.set(None)?;
        assert_eq!(seen(&cell), None);
        barrier();
        assert_eq!(dropped.load(Relaxed), 2);
        Ok(())
    }

    #[test]
    fn a_cell_drops_its_value_when_it_is_dropped() -> Result {
        let dropped = shared()?;
        let cell = RcuCell::empty();
        cell.set(Some(Counted::new(1, &dropped)))?;
        drop(cell);
        assert_eq!(dropped.load(Relaxed), 1);
        Ok(())
    }

    #[test]
    fn a_replaced_value_lives_as_long_as_its_reader() -> Result {
        let (dropped, reading, replaced) = (shared()?, shared()?, shared()?);
        let cell = Arc::new(RcuCell::empty(), GFP_KERNEL)?;
        cell.set(Some(Counted::new(1, &dropped)))?;
        let second = Counted::new(2, &dropped);
        let writer = {
            let (cell, reading, replaced) = (cell.clone(), reading.clone(), replaced.clone());
            move || {
                if soon(|| reading.load(Relaxed) == 1) && cell.set(Some(second)).is_ok() {
                    replaced.store(1, Relaxed);
                }
            }
        };
        let (in_time, number, gone, after) = beside(writer, || {
            let reader = read_lock();
            let value = cell.load(Rcu::from(&reader));
            reading.store(1, Relaxed);
            let in_time = soon(|| replaced.load(Relaxed) == 1);
            let number = value.map(|value| value.number);
            let after = cell.load(Rcu::from(&reader)).map(|value| value.number);
            (in_time, number, dropped.load(Relaxed), after)
        })?;
        assert!(in_time);
        assert_eq!(number, Some(1));
        assert_eq!(gone, 0);
        assert_eq!(after, Some(2));
        barrier();
        assert_eq!(dropped.load(Relaxed), 1);
        Ok(())
    }
}
