// SPDX-License-Identifier: GPL-2.0

//! Tests of `net::table`.

use super::{beside, shared, soon, Counted};
use crate::net::{
    rcu::{barrier, Rcu},
    table::Table,
};
use kernel::{
    prelude::*,
    sync::{
        atomic::Relaxed,
        rcu::{read_lock, Guard},
        Arc,
    },
};

type Numbers = Table<Counted>;

/// Enough for the table to grow several times.
const MANY: u64 = 600;

fn table() -> Result<Arc<Numbers>> {
    Arc::pin_init(Table::new(), GFP_KERNEL)
}

fn get<'a>(table: &'a Numbers, key: u64, reader: &'a Guard) -> Option<u64> {
    table.get(key, Rcu::from(reader)).map(|value| value.number)
}

fn seen(table: &Numbers, key: u64) -> Option<u64> {
    get(table, key, &read_lock())
}

/// Which of the first `MANY` keys a walk meets, and whether it met others.
fn walked(table: &Numbers) -> Result<(KVec<bool>, bool)> {
    let mut met = KVec::from_elem(false, MANY as usize, GFP_KERNEL)?;
    let mut strange = false;
    table.for_each(|key, value| match met.get_mut(key as usize) {
        Some(met) if value.number == key => *met = true,
        _ => strange = true,
    });
    Ok((met, strange))
}

#[kunit_tests(ovnet_table)]
mod suite {
    use super::*;

    #[test]
    fn an_entry_is_set_replaced_and_removed() -> Result {
        let dropped = shared()?;
        let table = table()?;
        assert_eq!(seen(&table, 7), None);
        assert!(!table.remove(7));
        table.set(7, Counted::new(1, &dropped))?;
        table.set(u64::MAX, Counted::new(3, &dropped))?;
        assert_eq!(seen(&table, 7), Some(1));
        assert_eq!(seen(&table, u64::MAX), Some(3));
        assert_eq!(table.len(), 2);
        table.set(7, Counted::new(2, &dropped))?;
        assert_eq!(seen(&table, 7), Some(2));
        assert_eq!(table.len(), 2);
        assert!(table.remove(7));
        assert!(!table.remove(7));
        assert_eq!(seen(&table, 7), None);
        assert_eq!(table.len(), 1);
        barrier();
        assert_eq!(dropped.load(Relaxed), 2);
        Ok(())
    }

    #[test]
    fn a_table_drops_its_entries_when_it_is_dropped() -> Result {
        let dropped = shared()?;
        let table = table()?;
        for key in 0..100 {
            table.set(key, Counted::new(key, &dropped))?;
        }
        drop(table);
        assert_eq!(dropped.load(Relaxed), 100);
        Ok(())
    }

    #[test]
    fn an_entry_that_was_replaced_or_removed_lives_as_long_as_its_readers() -> Result {
        let (dropped, reading, changed) = (shared()?, shared()?, shared()?);
        let table = table()?;
        for key in [1, 2] {
            table.set(key, Counted::new(key, &dropped))?;
        }
        let new = Counted::new(10, &dropped);
        let writer = {
            let (table, reading, changed) = (table.clone(), reading.clone(), changed.clone());
            move || {
                if soon(|| reading.load(Relaxed) == 1)
                    && table.set(1, new).is_ok()
                    && table.remove(2)
                {
                    changed.store(1, Relaxed);
                }
            }
        };
        let (in_time, numbers, gone) = beside(writer, || {
            let reader = read_lock();
            let values = [1, 2].map(|key| table.get(key, Rcu::from(&reader)));
            reading.store(1, Relaxed);
            let in_time = soon(|| changed.load(Relaxed) == 1);
            let numbers = values.map(|value| value.map(|value| value.number));
            (in_time, numbers, dropped.load(Relaxed))
        })?;
        assert!(in_time);
        assert_eq!(numbers, [Some(1), Some(2)]);
        assert_eq!(gone, 0);
        assert_eq!(seen(&table, 1), Some(10));
        assert_eq!(seen(&table, 2), None);
        barrier();
        assert_eq!(dropped.load(Relaxed), 2);
        Ok(())
    }

    #[test]
    fn readers_meet_every_entry_while_the_table_grows_and_shrinks() -> Result {
        const KEPT: u64 = 16;
        let (dropped, stop, rounds, wrong) = (shared()?, shared()?, shared()?, shared()?);
        let table = table()?;
        for key in 0..KEPT {
            table.set(key, Counted::new(key, &dropped))?;
        }
        let reader = {
            let (table, stop) = (table.clone(), stop.clone());
            let (rounds, wrong) = (rounds.clone(), wrong.clone());
            move || {
                while stop.load(Relaxed) == 0 {
                    for key in 0..KEPT {
                        // What is replaced meanwhile has the old number or the new one.
                        let ok = seen(&table, key).is_some_and(|number| number % MANY == key);
                        wrong.add(u32::from(!ok), Relaxed);
                    }
                    rounds.add(1, Relaxed);
                }
            }
        };
        let result = beside(reader, || -> Result {
            let changes = || -> Result {
                for key in KEPT..MANY {
                    table.set(key, Counted::new(key, &dropped))?;
                    let kept = key % KEPT;
                    table.set(kept, Counted::new(kept + MANY, &dropped))?;
                }
                for key in KEPT..MANY {
                    table.remove(key);
                }
                Ok(())
            };
            let read = soon(|| rounds.load(Relaxed) > 0);
            let result = changes();
            stop.store(1, Relaxed);
            result.and(if read { Ok(()) } else { Err(ETIMEDOUT) })
        })?;
        assert_eq!(result, Ok(()));
        assert_eq!(wrong.load(Relaxed), 0);
        assert_eq!(u64::from(table.len()), KEPT);
        drop(table);
        barrier();
        assert_eq!(u64::from(dropped.load(Relaxed)), KEPT + 2 * (MANY - KEPT));
        Ok(())
    }

    #[test]
    fn a_walk_meets_every_entry_of_a_table_that_has_grown() -> Result {
        let dropped = shared()?;
        let table = table()?;
        for key in 0..MANY {
            table.set(key, Counted::new(key, &dropped))?;
        }
        let (met, strange) = walked(&table)?;
        assert!(!strange && met.iter().all(|&met| met));
        for key in 0..MANY {
            if key % 5 != 0 {
                table.remove(key);
            }
        }
        let (met, strange) = walked(&table)?;
        assert!(!strange);
        assert!(met
            .iter()
            .enumerate()
            .all(|(key, &met)| met == (key % 5 == 0)));
        Ok(())
    }

    #[test]
    fn a_walk_goes_on_with_the_entry_it_paused_at() -> Result {
        let dropped = shared()?;
        let table = table()?;
        for key in 0..5 {
            table.set(key, Counted::new(key, &dropped))?;
        }
        // SAFETY: The walk is declared after the table and so ends before it.
        let mut walk = unsafe { table.walk() }?;
        let mut refused = None;
        let mut met = 0;
        let over = walk.resume(|key, _, _| {
            met += 1;
            refused = Some(key);
            met < 3
        });
        assert!(!over && met == 3);
        let mut first = None;
        let mut rest = 0;
        let over = walk.resume(|key, _, restarts| {
            first = first.or(Some(key));
            rest += 1;
            restarts == 0
        });
        assert!(over);
        assert_eq!(first, refused);
        assert_eq!(rest, 3);
        Ok(())
    }
}
