// SPDX-License-Identifier: GPL-2.0

//! Tests of `net::rcu`.

use super::{beside, shared, soon, Counted};
use crate::net::rcu::{barrier, Rcu, RcuCell, Ready};
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
        cell.put(Some(Ready::new(Counted::new(1, &dropped))?));
        assert_eq!(seen(&cell), Some(1));
        cell.put(Some(Ready::new(Counted::new(2, &dropped))?));
        assert_eq!(seen(&cell), Some(2));
        cell.put(None);
        assert_eq!(seen(&cell), None);
        barrier();
        assert_eq!(dropped.load(Relaxed), 2);
        Ok(())
    }

    #[test]
    fn a_value_that_is_handed_over_is_in_the_other_cell_and_whole() -> Result {
        let dropped = shared()?;
        let (cell, other) = (RcuCell::empty(), RcuCell::empty());
        cell.put(Some(Ready::new(Counted::new(1, &dropped))?));
        other.put(Some(Ready::new(Counted::new(2, &dropped))?));
        cell.hand_to(&other);
        assert_eq!((seen(&cell), seen(&other)), (None, Some(1)));
        // Nothing is handed over: what the other has stays.
        cell.hand_to(&other);
        assert_eq!((seen(&cell), seen(&other)), (None, Some(1)));
        barrier();
        assert_eq!(dropped.load(Relaxed), 1);
        drop(other);
        assert_eq!(dropped.load(Relaxed), 2);
        Ok(())
    }

    #[test]
    fn a_cell_drops_its_value_when_it_is_dropped() -> Result {
        let dropped = shared()?;
        let cell = RcuCell::empty();
        cell.put(Some(Ready::new(Counted::new(1, &dropped))?));
        drop(cell);
        assert_eq!(dropped.load(Relaxed), 1);
        Ok(())
    }

    #[test]
    fn a_replaced_value_lives_as_long_as_its_reader() -> Result {
        let (dropped, reading, replaced) = (shared()?, shared()?, shared()?);
        let cell = Arc::new(RcuCell::empty(), GFP_KERNEL)?;
        cell.put(Some(Ready::new(Counted::new(1, &dropped))?));
        let second = Counted::new(2, &dropped);
        let writer = {
            let (cell, reading, replaced) = (cell.clone(), reading.clone(), replaced.clone());
            move || {
                if let (true, Ok(second)) =
                    (soon(|| reading.load(Relaxed) == 1), Ready::new(second))
                {
                    cell.put(Some(second));
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
