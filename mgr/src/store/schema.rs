// SPDX-License-Identifier: GPL-2.0

//! Which version of the data a store holds, and how an older one becomes the present one.
//!
//! The key `meta/schema` says so. It also holds the store's *incarnation*, a random name that a
//! store gets when it is made or restored: revisions of one incarnation mean nothing in another.

use serde::{Deserialize, Serialize};

use super::{Condition, Entry, Error, Outcome, Range, Result, Snapshot, Store, Transaction, Write};
use crate::secret;

/// The version of the data that this program works with.
pub const VERSION: u32 = 1;

/// Where the store says what it is.
pub(super) const KEY: &str = "meta/schema";
const RESTORING: &str = "meta/restoring";
const OWN: &str = "meta/";
const PAGE: usize = 500;

/// What a store is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The version of its data.
    pub schema: u32,
    /// Its name; another one after every restore.
    pub incarnation: String,
}

/// One step from a version of the data to the next.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// The version it begins with; it ends with the next one.
    pub from: u32,
    /// What becomes of an entry; nothing if it is as it should be. A migration that broke off
    /// begins again, so this must leave alone what it has made.
    pub migrate: fn(&Entry) -> Option<Vec<Write>>,
}

/// All there are. A store older than the oldest is refused.
const MIGRATIONS: &[Migration] = &[];

pub(super) fn is_own(key: &[u8]) -> bool {
    key.starts_with(OWN.as_bytes())
}

fn fresh(schema: u32) -> Identity {
    Identity {
        schema,
        incarnation: secret::hex(&secret::random::<8>()),
    }
}

fn encode(identity: &Identity) -> Vec<u8> {
    format!(
        "{{\"schema\":{},\"incarnation\":\"{}\"}}",
        identity.schema, identity.incarnation
    )
    .into_bytes()
}

/// The identity in a snapshot of its key.
pub(super) fn of(snapshot: &Snapshot) -> Result<Identity> {
    let entry = snapshot
        .entries
        .first()
        .ok_or_else(|| Error::Damaged("it has data, but no schema".into()))?;
    serde_json::from_slice(&entry.value).map_err(|error| Error::Damaged(format!("{KEY}: {error}")))
}

/// Makes an empty store one of the present version, and an older one as well.
pub async fn prepare(store: &dyn Store) -> Result<Identity> {
    prepare_for(store, VERSION, MIGRATIONS).await
}

/// As [`prepare`], for a version and the steps to it.
pub async fn prepare_for(
    store: &dyn Store,
    version: u32,
    migrations: &[Migration],
) -> Result<Identity> {
    loop {
        if !store
            .range(&Range::key(RESTORING), None, Some(1))
            .await?
            .entries
            .is_empty()
        {
            return Err(Error::Damaged("a restore into it broke off".into()));
        }
        let snapshot = store.range(&Range::key(KEY), None, None).await?;
        if snapshot.entries.is_empty() {
            if !store
                .range(&Range::all(), Some(snapshot.revision), Some(1))
                .await?
                .entries
                .is_empty()
            {
                return of(&snapshot);
            }
            let first = Condition::Absent(KEY.into());
            store
                .commit(
                    Transaction::new()
                        .when(first)
                        .put(KEY, encode(&fresh(version))),
                )
                .await?;
            continue;
        }
        let identity = of(&snapshot)?;
        if identity.schema == version {
            return Ok(identity);
        }
        if identity.schema > version {
            return Err(Error::TooNew {
                found: identity.schema,
                known: version,
            });
        }
        let step = migrations
            .iter()
            .find(|step| step.from == identity.schema)
            .ok_or_else(|| {
                Error::Invalid(format!(
                    "the store has schema {}, from which this ovmgrd knows no way to {version}: \
                 run the version between them first",
                    identity.schema
                ))
            })?;
        tracing::info!(from = step.from, "migrating the store");
        migrate(store, step, &snapshot.entries[0]).await?;
        let next = Identity {
            schema: identity.schema + 1,
            ..identity
        };
        let same = Condition::Modified(KEY.into(), snapshot.entries[0].modified);
        store
            .commit(Transaction::new().when(same).put(KEY, encode(&next)))
            .await?;
    }
}

/// Applies a step to every entry. Other managers may do the same at the same time: an entry that
/// changed meanwhile is looked at again, and who comes too late finds another schema.
async fn migrate(store: &dyn Store, step: &Migration, schema: &Entry) -> Result<()> {
    let mut rest = Range::all();
    loop {
        let page = store.range(&rest, None, Some(PAGE)).await?;
        for entry in &page.entries {
            if is_own(&entry.key) {
                continue;
            }
            let mut entry = entry.clone();
            while let Some(writes) = (step.migrate)(&entry) {
                let mut transaction = Transaction::new()
                    .when(Condition::Modified(KEY.into(), schema.modified))
                    .when(Condition::Modified(entry.key.clone(), entry.modified));
                transaction.writes = writes;
                match store.commit(transaction).await? {
                    Outcome::Committed(_) => break,
                    Outcome::Refused { .. } => {
                        let now = store.range(&Range::key(&entry.key[..]), None, None).await?;
                        let schema_now = store.range(&Range::key(KEY), None, None).await?;
                        if of(&schema_now)?.schema != step.from {
                            return Ok(());
                        }
                        match now.entries.into_iter().next() {
                            Some(changed) => entry = changed,
                            None => break,
                        }
                    }
                }
            }
        }
        match page.entries.last() {
            Some(last) if page.more => rest = rest.after(&last.key),
            _ => return Ok(()),
        }
    }
}

/// Marks an empty store as being restored.
pub(super) async fn begin_restore(store: &dyn Store) -> Result<()> {
    if !store
        .range(&Range::all(), None, Some(1))
        .await?
        .entries
        .is_empty()
    {
        return Err(Error::Invalid(
            "the store is not empty: restore into a new one, and move the old one away first"
                .into(),
        ));
    }
    let alone = Condition::Absent(RESTORING.into());
    match store
        .commit(Transaction::new().when(alone).put(RESTORING, ""))
        .await?
    {
        Outcome::Committed(_) => Ok(()),
        Outcome::Refused { .. } => Err(Error::Invalid(
            "somebody else restores into this store".into(),
        )),
    }
}

/// The last step of a restore.
pub(super) async fn end_restore(store: &dyn Store, schema: u32) -> Result<()> {
    let done = Transaction::new()
        .delete(RESTORING)
        .put(KEY, encode(&fresh(schema)));
    store.commit(done).await.map(drop)
}
