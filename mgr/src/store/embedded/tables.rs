// SPDX-License-Identifier: GPL-2.0

//! The tables of the embedded store's file, and how they are read.
//!
//! `current` answers reads of the present, `versions` reads of the past, and `log` says in which
//! order things happened, for watches and for compaction. A revision is in `log` as long as it
//! is not compacted; `versions` keeps of each key what was valid at the oldest revision that can
//! still be read, and everything since.

use redb::{ReadTransaction, ReadableTable, TableDefinition, TableHandle};

use crate::store::{Change, Entry, Error, Event, Lease, Range, Result, Revision, Snapshot};

/// The layout of the tables. A file of another layout is refused.
pub(super) const FORMAT: u64 = 1;

pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// Created, modified, lease (0 for none), value.
pub(super) type Current = (u64, u64, i64, &'static [u8]);
/// A key, and a revision that wrote or deleted it.
pub(super) type At = (&'static [u8], u64);
/// Created, lease, and the value or `None` if the key was deleted.
pub(super) type Version = (u64, i64, Option<&'static [u8]>);

pub(super) const CURRENT: TableDefinition<'_, &[u8], Current> = TableDefinition::new("current");
pub(super) const VERSIONS: TableDefinition<'_, At, Version> = TableDefinition::new("versions");
/// Revision and each key that it wrote or deleted.
pub(super) const LOG: TableDefinition<'_, (u64, &[u8]), ()> = TableDefinition::new("log");
/// Lease → time to live in seconds.
pub(super) const LEASES: TableDefinition<'_, i64, u64> = TableDefinition::new("leases");
/// Lease and each key that is bound to it.
pub(super) const LEASED: TableDefinition<'_, (i64, &[u8]), ()> = TableDefinition::new("leased");

/// A store fails for good when its file does; what the file says goes along.
impl From<redb::Error> for Error {
    fn from(error: redb::Error) -> Self {
        match error {
            redb::Error::Corrupted(what) => Self::Damaged(what),
            redb::Error::Io(source) => Self::Io {
                path: "the store's file".into(),
                source,
            },
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// The many error types of redb as the one they all convert to.
pub(super) fn fault(error: impl Into<redb::Error>) -> Error {
    Error::from(error.into())
}

/// A counter of the table `meta`.
pub(super) fn meta(table: &impl ReadableTable<&'static str, u64>, name: &str) -> Result<u64> {
    Ok(table
        .get(name)
        .map_err(fault)?
        .map_or(0, |value| value.value()))
}

/// The present revision, and the oldest that can be read.
fn revisions(transaction: &ReadTransaction) -> Result<(Revision, Revision)> {
    let table = transaction.open_table(META).map_err(fault)?;
    Ok((meta(&table, "revision")?, meta(&table, "compacted")?))
}

/// The entries of a range at a revision, or now.
pub(super) fn range(
    transaction: &ReadTransaction,
    range: &Range,
    at: Option<Revision>,
    limit: usize,
) -> Result<Snapshot> {
    let (revision, compacted) = revisions(transaction)?;
    let at = at.unwrap_or(revision);
    if at > revision {
        return Err(Error::Future(at));
    }
    if at < compacted {
        return Err(Error::Compacted { wanted: at });
    }
    let mut entries = if range.is_empty() {
        Vec::new()
    } else if at == revision {
        present(transaction, range, limit.saturating_add(1))?
    } else {
        past(transaction, range, at, limit.saturating_add(1))?
    };
    let more = entries.len() > limit;
    entries.truncate(limit);
    Ok(Snapshot {
        revision: at,
        entries,
        more,
    })
}

fn present(transaction: &ReadTransaction, range: &Range, limit: usize) -> Result<Vec<Entry>> {
    let table = transaction.open_table(CURRENT).map_err(fault)?;
    let found = match range.end() {
        Some(end) => table.range(range.start()..end),
        None => table.range(range.start()..),
    };
    let mut entries = Vec::new();
    for item in found.map_err(fault)?.take(limit) {
        let (key, value) = item.map_err(fault)?;
        let (created, modified, lease, value) = value.value();
        let lease = bound(lease);
        entries.push(Entry {
            key: key.value().into(),
            value: value.into(),
            created,
            modified,
            lease,
        });
    }
    Ok(entries)
}

fn past(
    transaction: &ReadTransaction,
    range: &Range,
    at: Revision,
    limit: usize,
) -> Result<Vec<Entry>> {
    let table = transaction.open_table(VERSIONS).map_err(fault)?;
    let found = match range.end() {
        Some(end) => table.range((range.start(), 0)..(end, 0)),
        None => table.range((range.start(), 0)..),
    };
    let mut entries: Vec<Entry> = Vec::new();
    for item in found.map_err(fault)? {
        let (key, version) = item.map_err(fault)?;
        let (key, modified) = key.value();
        if modified > at {
            continue;
        }
        // A later version of the same key replaces the earlier one, a deletion ends it.
        if entries.last().is_some_and(|last| last.key == key) {
            entries.pop();
        } else if entries.len() == limit {
            break;
        }
        let (created, lease, value) = version.value();
        let lease = bound(lease);
        if let Some(value) = value {
            entries.push(Entry {
                key: key.into(),
                value: value.into(),
                created,
                modified,
                lease,
            });
        }
    }
    Ok(entries)
}

/// The changes of a range from a revision on, of at most `limit` events if a single revision
/// does not have more, and the first revision that was not looked at.
pub(super) fn changes(
    transaction: &ReadTransaction,
    range: &Range,
    from: Revision,
    limit: usize,
) -> Result<(Vec<Change>, Revision)> {
    let (revision, compacted) = revisions(transaction)?;
    if from < compacted {
        return Err(Error::Compacted { wanted: from });
    }
    let log = transaction.open_table(LOG).map_err(fault)?;
    let versions = transaction.open_table(VERSIONS).map_err(fault)?;
    let mut changes: Vec<Change> = Vec::new();
    let mut events = 0;
    for item in log.range((from, &[][..])..).map_err(fault)? {
        let (key, ()) = item.map(|(key, unit)| (key, unit.value())).map_err(fault)?;
        let (at, key) = key.value();
        if !range.contains(key) {
            continue;
        }
        let same = changes.last().is_some_and(|change| change.revision == at);
        if !same {
            if events >= limit {
                return Ok((changes, at));
            }
            changes.push(Change {
                revision: at,
                events: Vec::new(),
            });
        }
        let version = versions
            .get((key, at))
            .map_err(fault)?
            .ok_or_else(|| missing(&versions, at))?;
        let event = match version.value() {
            (created, lease, Some(value)) => Event::Put(Entry {
                key: key.into(),
                value: value.into(),
                created,
                modified: at,
                lease: bound(lease),
            }),
            (.., None) => Event::Delete(key.into()),
        };
        events += 1;
        if let Some(change) = changes.last_mut() {
            change.events.push(event);
        }
    }
    Ok((changes, from.max(revision + 1)))
}

/// A lease as the tables have it: 0 is none.
fn bound(lease: i64) -> Option<Lease> {
    (lease != 0).then_some(Lease(lease))
}

fn missing(table: &impl TableHandle, revision: Revision) -> Error {
    Error::Damaged(format!(
        "table {} lacks a version of revision {revision}",
        table.name()
    ))
}
