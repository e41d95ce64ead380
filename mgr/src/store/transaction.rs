// SPDX-License-Identifier: GPL-2.0

//! Transactions: conditions, and the writes that happen if they all hold.

use std::collections::BTreeSet;

use super::{Error, Lease, Range, Result, Revision};

/// A transaction has at most this many conditions and this many writes. etcd's own limit is 128
/// unless it is started with `--max-txn-ops`.
pub const MAX_OPERATIONS: usize = 4096;

/// What must hold for a transaction to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// The key does not exist.
    Absent(Vec<u8>),
    /// The key exists.
    Exists(Vec<u8>),
    /// The key exists and was last modified at this revision.
    Modified(Vec<u8>, Revision),
    /// The key exists and has this value.
    Value(Vec<u8>, Vec<u8>),
}

impl Condition {
    /// The key it is about.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Absent(key)
            | Self::Exists(key)
            | Self::Modified(key, _)
            | Self::Value(key, _) => key,
        }
    }
}

/// One thing that a transaction does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Sets a key, bound to a lease or to none.
    Put {
        /// The key.
        key: Vec<u8>,
        /// Its new value.
        value: Vec<u8>,
        /// The key is deleted when this lease is lost.
        lease: Option<Lease>,
    },
    /// Deletes the keys of a range that exist.
    Delete(Range),
}

/// Conditions, and the writes that happen at one revision if they all hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transaction {
    /// All of these must hold.
    pub conditions: Vec<Condition>,
    /// The order is without meaning: no key may be written twice.
    pub writes: Vec<Write>,
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It happened, at this revision. If it changed nothing, this is the revision before it.
    Committed(Revision),
    /// It did not happen, because a condition did not hold at this revision.
    Refused {
        /// The store's revision when the conditions were looked at.
        revision: Revision,
    },
}

impl Transaction {
    /// A transaction without conditions or writes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition.
    #[must_use]
    pub fn when(mut self, condition: Condition) -> Self {
        self.conditions.push(condition);
        self
    }

    /// Adds a write of a key.
    #[must_use]
    pub fn put(mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.writes.push(Write::Put {
            key: key.into(),
            value: value.into(),
            lease: None,
        });
        self
    }

    /// Adds a write of a key that lives no longer than a lease.
    #[must_use]
    pub fn put_leased(
        mut self,
        key: impl Into<Vec<u8>>,
        value: impl Into<Vec<u8>>,
        lease: Lease,
    ) -> Self {
        self.writes.push(Write::Put {
            key: key.into(),
            value: value.into(),
            lease: Some(lease),
        });
        self
    }

    /// Adds the deletion of a key.
    #[must_use]
    pub fn delete(self, key: impl Into<Vec<u8>>) -> Self {
        self.delete_range(Range::key(key))
    }

    /// Adds the deletion of all keys of a range.
    #[must_use]
    pub fn delete_range(mut self, range: Range) -> Self {
        self.writes.push(Write::Delete(range));
        self
    }

    /// Refuses what an implementation could not carry out: too many operations, an empty key, a
    /// key that is written twice.
    pub(super) fn check(&self) -> Result<()> {
        for (count, what) in [
            (self.conditions.len(), "conditions"),
            (self.writes.len(), "writes"),
        ] {
            if count > MAX_OPERATIONS {
                return Err(Error::Invalid(format!(
                    "{count} {what} in one transaction, {MAX_OPERATIONS} are allowed: split it"
                )));
            }
        }
        let mut puts = BTreeSet::new();
        for write in &self.writes {
            if let Write::Put { key, .. } = write {
                if key.is_empty() {
                    return Err(Error::Invalid("a key cannot be empty".into()));
                }
                if !puts.insert(&key[..]) {
                    return Err(twice(key));
                }
            }
        }
        for condition in &self.conditions {
            if condition.key().is_empty() {
                return Err(Error::Invalid("a key cannot be empty".into()));
            }
        }
        for write in &self.writes {
            if let Write::Delete(range) = write {
                if let Some(key) = puts.range(range.start()..).next() {
                    if range.contains(key) {
                        return Err(twice(key));
                    }
                }
            }
        }
        Ok(())
    }
}

fn twice(key: &[u8]) -> Error {
    Error::Invalid(format!(
        "one transaction writes the key \"{}\" twice",
        key.escape_ascii()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_once() {
        assert!(Transaction::new()
            .put("a", "1")
            .put("b", "1")
            .check()
            .is_ok());
        assert!(Transaction::new()
            .put("a", "1")
            .put("a", "2")
            .check()
            .is_err());
        assert!(Transaction::new()
            .put("a", "1")
            .delete("a")
            .check()
            .is_err());
        assert!(Transaction::new()
            .put("b", "1")
            .delete_range(Range::prefix("a"))
            .check()
            .is_ok());
        assert!(Transaction::new()
            .delete_range(Range::all())
            .put("b", "1")
            .check()
            .is_err());
    }

    #[test]
    fn size_and_keys_are_bounded() {
        let mut transaction = Transaction::new();
        for i in 0..MAX_OPERATIONS {
            transaction = transaction.put(format!("{i}"), "");
        }
        assert!(transaction.check().is_ok());
        assert!(transaction.put("one more", "").check().is_err());
        assert!(Transaction::new().put("", "").check().is_err());
        assert!(Transaction::new()
            .when(Condition::Absent(Vec::new()))
            .check()
            .is_err());
    }
}
