// SPDX-License-Identifier: GPL-2.0

//! What will happen, in the order of time; of one time, in the order it was added.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::core::Time;

/// What will happen. The heap holds small numbers, and what they stand for stays where it is.
#[derive(Debug)]
pub(super) struct Queue<T> {
    heap: BinaryHeap<Reverse<(Time, u64, u32)>>,
    slots: Vec<Option<T>>,
    free: Vec<u32>,
    added: u64,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Queue<T> {
        Queue {
            heap: BinaryHeap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            added: 0,
        }
    }

    pub(super) fn add(&mut self, at: Time, event: T) {
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(event);
                slot
            }
            None => {
                self.slots.push(Some(event));
                self.slots.len() as u32 - 1
            }
        };
        self.added += 1;
        self.heap.push(Reverse((at, self.added, slot)));
    }

    /// The next event, unless it is later than `until`.
    pub(super) fn next(&mut self, until: Time) -> Option<(Time, T)> {
        let Reverse((at, _, _)) = self.heap.peek()?;
        if *at > until {
            return None;
        }
        let Reverse((at, _, slot)) = self.heap.pop()?;
        let event = self.slots[slot as usize].take()?;
        self.free.push(slot);
        Some((at, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_the_order_of_time_and_then_as_added() {
        let at = Time::from_micros;
        let mut queue = Queue::new();
        for (time, event) in [(3, 'd'), (1, 'a'), (1, 'b'), (2, 'c')] {
            queue.add(at(time), event);
        }
        let order: String = std::iter::from_fn(|| queue.next(at(2)))
            .map(|(_, e)| e)
            .collect();
        assert_eq!(order, "abc");
        assert_eq!(queue.next(at(9)), Some((at(3), 'd')));
    }
}
