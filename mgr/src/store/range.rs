// SPDX-License-Identifier: GPL-2.0

//! Ranges of keys.

/// The keys from `start` on and before `end`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    start: Vec<u8>,
    end: Option<Vec<u8>>,
}

impl Range {
    /// Every key.
    #[must_use]
    pub fn all() -> Self {
        Self {
            start: Vec::new(),
            end: None,
        }
    }

    /// One key.
    #[must_use]
    pub fn key(key: impl Into<Vec<u8>>) -> Self {
        let start = key.into();
        let mut end = start.clone();
        end.push(0);
        Self {
            start,
            end: Some(end),
        }
    }

    /// The keys that begin with `prefix`.
    #[must_use]
    pub fn prefix(prefix: impl Into<Vec<u8>>) -> Self {
        let start = prefix.into();
        let end = after_prefix(&start);
        Self { start, end }
    }

    /// The keys from `start` on and before `end`.
    #[must_use]
    pub fn between(start: impl Into<Vec<u8>>, end: impl Into<Vec<u8>>) -> Self {
        Self {
            start: start.into(),
            end: Some(end.into()),
        }
    }

    /// The keys of this range after `key`: where a read that was cut short goes on.
    #[must_use]
    pub fn after(&self, key: &[u8]) -> Self {
        let mut start = key.to_vec();
        start.push(0);
        Self {
            start: start.max(self.start.clone()),
            end: self.end.clone(),
        }
    }

    /// The first key that can be in it.
    #[must_use]
    pub fn start(&self) -> &[u8] {
        &self.start
    }

    /// The first key behind it; `None` if it has no end.
    #[must_use]
    pub fn end(&self) -> Option<&[u8]> {
        self.end.as_deref()
    }

    /// Whether a key is in it.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        key >= &self.start[..] && self.end.as_ref().is_none_or(|end| key < &end[..])
    }

    /// Whether no key can be in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }
}

// The smallest key greater than every key with the prefix: none if it is all 0xff.
fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_ends_before_the_next_one() {
        let range = Range::prefix("a/");
        assert!(range.contains(b"a/") && range.contains(b"a/\xff\xff"));
        assert!(!range.contains(b"a") && !range.contains(b"a0"));
        assert_eq!(Range::prefix(b"a\xff".to_vec()).end(), Some(&b"b"[..]));
        assert_eq!(Range::prefix(b"\xff".to_vec()).end(), None);
        assert_eq!(Range::prefix(""), Range::all());
    }

    #[test]
    fn key_is_alone_in_its_range() {
        let range = Range::key("a");
        assert!(range.contains(b"a"));
        assert!(!range.contains(b"a\0") && !range.contains(b""));
    }

    #[test]
    fn after_leaves_out_what_was_read() {
        let range = Range::prefix("a").after(b"ab");
        assert!(!range.contains(b"ab") && range.contains(b"ab\0") && !range.contains(b"b"));
        assert_eq!(Range::prefix("b").after(b"a").start(), b"b");
    }
}
