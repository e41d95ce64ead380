// SPDX-License-Identifier: GPL-2.0

//! What can go wrong with a store.

use std::path::PathBuf;

use super::Revision;

/// Why an operation on the store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The revision was asked for too late.
    #[error("revision {wanted} is compacted: read the present state again")]
    Compacted {
        /// What was asked for.
        wanted: Revision,
    },
    /// The revision was asked for too early.
    #[error("revision {0} does not exist yet")]
    Future(Revision),
    /// The operation can never be carried out.
    #[error("{0}")]
    Invalid(String),
    /// The lease has expired or was revoked.
    #[error("the lease is lost: ask for a new one")]
    NoLease,
    /// Nothing was changed; the same operation may be tried again.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The connection broke while a transaction was under way: it may or may not have happened.
    #[error("whether the transaction happened is not known ({0}): read before trying again")]
    Unknown(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Another process has the file open.
    #[error("{} is in use by another process: is ovmgrd running?", .0.display())]
    InUse(PathBuf),
    /// What is stored cannot be what this program wrote.
    #[error("the store is damaged: {0}: restore a backup with `ovmgrd restore`")]
    Damaged(String),
    /// What is stored was written by a later version.
    #[error("the store has schema {found}, this ovmgrd knows {known}: install a newer ovmgrd")]
    TooNew {
        /// The version that is stored.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// The operating system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// What was worked on.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}
