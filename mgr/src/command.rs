// SPDX-License-Identifier: GPL-2.0

//! What `ovmgrd` can do besides running.

use std::io::{Read, Write};

use crate::config::Config;
use crate::core::record::{self, Name, Term};
use crate::store::backup::{self, Summary};
use crate::store::{schema, Error, Range, Result, Transaction};
use crate::system;

/// By so much a restore raises the term: no state that was lost with the old store can have had
/// more elections since the backup.
const TERMS: u32 = 1024;

/// Writes a backup of the store.
pub async fn backup(config: &Config, out: impl Write) -> Result<Summary> {
    let store = system::open(&config.store).await?;
    schema::prepare(&*store).await?;
    backup::write(&*store, out).await
}

/// Tells whether a backup is whole.
pub fn verify(input: impl Read) -> Result<Summary> {
    backup::verify(input)
}

/// Fills an empty store, and raises its term: hosts have seen generations of the store that was
/// lost, and take nothing that looks older.
pub async fn restore(config: &Config, input: impl Read) -> Result<Summary> {
    let store = system::open(&config.store).await?;
    let summary = backup::restore(&*store, input).await?;
    let key = Name::Term.bytes();
    let found = store.range(&Range::key(&key[..]), None, None).await?;
    let term = match found.entries.first() {
        None => Term::default(),
        Some(entry) => {
            record::decode(&entry.value).ok_or_else(|| Error::Damaged("the term".into()))?
        }
    };
    let raised = Term {
        number: term.number + TERMS,
        ..term
    };
    store
        .commit(Transaction::new().put(key, record::encode(&raised)))
        .await?;
    schema::prepare(&*store).await?;
    Ok(summary)
}
