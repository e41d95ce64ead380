// SPDX-License-Identifier: GPL-2.0

//! Where the manager keeps what it must not forget: ordered keys with revisions.
//!
//! The model is etcd's, because etcd is one of the two implementations and must not be bent:
//! one counter, the *revision*, counts the transactions that changed something. Every key knows
//! the revision that created it and the one that modified it last. A [`Transaction`] is a list of
//! conditions and a list of writes; either all writes happen at one new revision or none does.
//! A range can be read as it was at an earlier revision, and watched from one on, until
//! [`Store::compact`] forgets it.
//!
//! [`Embedded`](embedded::Embedded) keeps everything in one file of this machine,
//! [`Etcd`](etcd::Etcd) in a cluster. `tests/conformance.rs` holds both to the same behaviour.

pub mod backup;
pub mod embedded;
mod error;
pub mod etcd;
mod range;
pub mod schema;
mod transaction;

pub use embedded::Embedded;
pub use error::Error;
pub use etcd::Etcd;

pub use range::Range;
pub use transaction::{Condition, Outcome, Transaction, Write, MAX_OPERATIONS};

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

/// Counts the transactions that changed something; 0 is before the first.
pub type Revision = u64;

/// The outcome of an operation on the store.
pub type Result<T> = std::result::Result<T, Error>;

/// A key that exists, or existed at the revision that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// The revision at which the key came into being.
    pub created: Revision,
    /// The revision of the last write of it.
    pub modified: Revision,
    /// The lease it is bound to.
    pub lease: Option<Lease>,
}

/// What a range held at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The revision this is the state of.
    pub revision: Revision,
    /// In the order of the keys.
    pub entries: Vec<Entry>,
    /// There are more entries than the limit let through.
    pub more: bool,
}

/// What happened to one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The key was written.
    Put(Entry),
    /// The key was deleted.
    Delete(Vec<u8>),
}

impl Event {
    /// The key it happened to.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Put(entry) => &entry.key,
            Self::Delete(key) => key,
        }
    }
}

/// What one transaction did to a watched range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The revision of the transaction: to resume, watch from the next one.
    pub revision: Revision,
    /// At least one, each about another key.
    pub events: Vec<Event>,
}

/// A lease: keys that are bound to it are deleted when it is not kept alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lease(pub i64);

/// The changes of a range, in order, none left out.
#[derive(Debug)]
pub struct Watch {
    changes: mpsc::Receiver<Result<Change>>,
}

impl Watch {
    /// The next change. An error ends the watch: after [`Error::Compacted`] read the range again,
    /// after any other watch from the revision after the last one seen.
    ///
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Change> {
        self.changes.recv().await.unwrap_or(Err(Error::Closed))
    }
}

/// An ordered map of bytes with history.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// The entries of a range, at most `limit` of them, as they are now or were at a revision.
    /// The result contains every transaction that was acknowledged before the call.
    async fn range(
        &self,
        range: &Range,
        at: Option<Revision>,
        limit: Option<usize>,
    ) -> Result<Snapshot>;

    /// Carries a transaction out, or tells which condition does not hold. When it returns, the
    /// writes are on stable storage (of a majority of the members, if there are several).
    async fn commit(&self, transaction: Transaction) -> Result<Outcome>;

    /// The changes of a range from a revision on, that revision's included. A revision that does
    /// not exist yet is waited for.
    async fn watch(&self, range: Range, from: Revision) -> Result<Watch>;

    /// Forgets what was before a revision: reads at earlier ones and watches from earlier ones
    /// fail with [`Error::Compacted`] from now on. What is forgotten already stays so.
    async fn compact(&self, before: Revision) -> Result<()>;

    /// A new lease of at least one second. It is lost if it is not kept alive for that time,
    /// never sooner, and soon after it.
    async fn grant(&self, ttl: Duration) -> Result<Lease>;

    /// Starts a lease's time anew; [`Error::NoLease`] if it is lost.
    async fn keep_alive(&self, lease: Lease) -> Result<()>;

    /// Ends a lease and deletes its keys.
    async fn revoke(&self, lease: Lease) -> Result<()>;
}

/// Leases count whole seconds, at least one.
fn lease_seconds(ttl: Duration) -> u64 {
    (ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0)).max(1)
}
