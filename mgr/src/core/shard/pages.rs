// SPDX-License-Identifier: GPL-2.0

//! An ordered map of keys that wastes little: entries lie side by side in pages.
//!
//! A tree whose nodes have room for 11 entries is half empty when it is filled in order, as a
//! manager does that loads the store, and making it small afterwards takes both at once. Pages that
//! are filled in order are full.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use ovnet_engine::Vni;

use crate::core::Key;

/// Entries of a page at most.
const PAGE: usize = 128;
/// No key is less.
pub(super) const FIRST: Key = match Vni::new(1) {
    Some(vni) => Key::new(vni, Ipv4Addr::UNSPECIFIED),
    None => panic!("a network has the number 1"),
};
/// No key is greater.
pub(super) const LAST: Key = match Vni::new(Vni::MAX) {
    Some(vni) => Key::new(vni, Ipv4Addr::BROADCAST),
    None => panic!("a network has that number"),
};

/// An ordered map.
#[derive(Debug)]
pub(super) struct Pages<V> {
    /// Each with all keys from its own up to that of the next. There is one from [`FIRST`] on.
    pages: BTreeMap<Key, Page<V>>,
    len: usize,
}

/// Entries in order; the keys apart from what they stand for, since only those are searched.
#[derive(Debug)]
struct Page<V> {
    keys: Vec<Key>,
    values: Vec<V>,
}

impl<V> Default for Page<V> {
    fn default() -> Page<V> {
        Page {
            keys: Vec::new(),
            values: Vec::new(),
        }
    }
}

impl<V> Default for Pages<V> {
    fn default() -> Pages<V> {
        Pages {
            pages: BTreeMap::from([(FIRST, Page::default())]),
            len: 0,
        }
    }
}

impl<V> Page<V> {
    fn insert(&mut self, place: usize, key: Key, value: V) {
        self.keys.insert(place, key);
        self.values.insert(place, value);
    }

    fn split_off(&mut self, place: usize) -> Page<V> {
        Page {
            keys: self.keys.split_off(place),
            values: self.values.split_off(place),
        }
    }
}

impl<V> Pages<V> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, key: Key) -> Option<&V> {
        let (_, page) = self.pages.range(..=key).next_back()?;
        let place = page.keys.binary_search(&key).ok()?;
        page.values.get(place)
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut V> {
        let (_, page) = self.pages.range_mut(..=key).next_back()?;
        let place = page.keys.binary_search(&key).ok()?;
        page.values.get_mut(place)
    }

    pub(super) fn contains(&self, key: Key) -> bool {
        self.get(key).is_some()
    }

    /// What a key stands for, which is what `new` says if there was nothing; and whether that is so.
    pub(super) fn get_or_insert(&mut self, key: Key, new: impl FnOnce() -> V) -> (&mut V, bool) {
        let page = match self.pages.range(..=key).next_back() {
            Some((first, page)) if page.keys.len() < PAGE => *first,
            Some((first, page)) => match page.keys.binary_search(&key) {
                Ok(_) => *first,
                // Behind all others: what is filled in order is full.
                Err(PAGE) => key,
                Err(_) => self.split(*first, key),
            },
            None => FIRST,
        };
        let page = self.pages.entry(page).or_default();
        let (place, is_new) = match page.keys.binary_search(&key) {
            Ok(place) => (place, false),
            Err(place) => (place, true),
        };
        if is_new {
            page.insert(place, key, new());
            self.len += 1;
        }
        (&mut page.values[place], is_new)
    }

    /// Makes two pages of one; returns the one that a key belongs to.
    fn split(&mut self, first: Key, key: Key) -> Key {
        let Some(page) = self.pages.get_mut(&first) else {
            return first;
        };
        let behind = page.split_off(PAGE / 2);
        let middle = behind.keys.first().copied().unwrap_or(key);
        self.pages.insert(middle, behind);
        match key < middle {
            true => first,
            false => middle,
        }
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<V> {
        let (&first, page) = self.pages.range_mut(..=key).next_back()?;
        let place = page.keys.binary_search(&key).ok()?;
        page.keys.remove(place);
        let value = page.values.remove(place);
        self.len -= 1;
        if page.keys.len() < PAGE / 4 {
            self.join(first);
        }
        Some(value)
    }

    /// Joins a page that has few entries left with one beside it, if they are few together.
    fn join(&mut self, first: Key) {
        let before = self.pages.range(..first).next_back();
        let before = before.map(|(before, _)| *before);
        for first in [Some(first), before].into_iter().flatten() {
            self.join_next(first);
        }
    }

    fn join_next(&mut self, first: Key) {
        let mut pages = self
            .pages
            .range(first..)
            .map(|(key, page)| (*key, page.keys.len()));
        let few = pages.next().map_or(0, |(_, len)| len);
        let next = pages.next().filter(|(_, len)| few + len <= PAGE / 2);
        let next = next.and_then(|(key, _)| self.pages.remove(&key));
        if let (Some(mut next), Some(page)) = (next, self.pages.get_mut(&first)) {
            page.keys.append(&mut next.keys);
            page.values.append(&mut next.values);
        }
    }

    /// The entries of a range, in order.
    pub(super) fn range(&self, range: RangeInclusive<Key>) -> impl Iterator<Item = (Key, &V)> + '_ {
        let (from, to) = range.into_inner();
        let page = self.pages.range(..=from).next_back();
        let page = page.map_or(FIRST, |(first, _)| *first);
        let pages = self.pages.range(page..).map(|(_, page)| page);
        let entries = pages.flat_map(move |page| {
            let skip = page.keys.partition_point(|key| *key < from);
            let keys = page.keys[skip..].iter().copied();
            keys.zip(&page.values[skip..])
        });
        entries.take_while(move |(key, _)| *key <= to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::Random;

    fn key(n: u64) -> Key {
        let vni = Vni::new(1 + (n / 2000) as u32).unwrap();
        Key::new(vni, Ipv4Addr::from_bits((n % 2000) as u32))
    }

    fn all(pages: &Pages<u64>, range: RangeInclusive<Key>) -> Vec<(Key, u64)> {
        pages
            .range(range)
            .map(|(key, value)| (key, *value))
            .collect()
    }

    #[test]
    fn it_is_the_map_that_a_tree_is() {
        for (seed, removed) in [(1, 2), (2, 5), (3, 8)] {
            let mut random = Random::new(seed);
            let (mut pages, mut tree) = (Pages::default(), BTreeMap::new());
            for step in 0..40_000 {
                let key = key(random.below(6000));
                if random.below(10) < removed {
                    assert_eq!(pages.remove(key), tree.remove(&key));
                } else {
                    let (value, is_new) = pages.get_or_insert(key, || step);
                    assert_eq!(
                        (*value, is_new),
                        match tree.get(&key) {
                            Some(known) => (*known, false),
                            None => (step, true),
                        }
                    );
                    tree.entry(key).or_insert(step);
                }
                assert_eq!(pages.get(key), tree.get(&key));
                assert_eq!(pages.get_mut(key), tree.get_mut(&key));
                assert_eq!(
                    (pages.len(), pages.contains(key)),
                    (tree.len(), tree.contains_key(&key))
                );
            }
            let in_tree = |range| {
                tree.range(range)
                    .map(|(key, value)| (*key, *value))
                    .collect::<Vec<_>>()
            };
            assert_eq!(all(&pages, FIRST..=LAST), in_tree(FIRST..=LAST));
            for _ in 0..200 {
                let from = random.below(6000);
                let range = key(from)..=key(from + random.below(500));
                assert_eq!(all(&pages, range.clone()), in_tree(range));
            }
        }
    }

    #[test]
    fn pages_are_full_if_filled_in_order_and_few_if_emptied() {
        let mut pages = Pages::default();
        for n in 0..4096 {
            pages.get_or_insert(key(n), || n);
        }
        assert_eq!(pages.pages.len(), 4096 / PAGE);
        assert!(pages
            .pages
            .values()
            .all(|page| page.values.capacity() == PAGE));
        for n in (0..4096).filter(|n| n % 64 != 0) {
            pages.remove(key(n));
        }
        assert_eq!(pages.len(), 64);
        assert!(pages.pages.len() <= 8, "{} pages", pages.pages.len());
    }
}
