// SPDX-License-Identifier: GPL-2.0

//! What is done from time to time: history is compacted, what is over is deleted (`SM9`).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::api;
use crate::identity;
use crate::store::{Condition, Range, Result, Revision, Store, Transaction};

/// Between two rounds.
const INTERVAL: Duration = Duration::from_secs(60);
/// The audit log is kept for so long.
const AUDIT: Duration = Duration::from_secs(90 * 24 * 3600);
/// So many keys are looked at in one piece.
const PIECE: usize = 1000;

/// Works until it is dropped.
pub(crate) async fn run(store: Arc<dyn Store>, history: Duration) {
    let mut seen: VecDeque<(Instant, Revision)> = VecDeque::new();
    loop {
        if let Err(error) = round(&*store, history, &mut seen).await {
            tracing::warn!(%error, "housekeeping is put off");
        }
        tokio::time::sleep(INTERVAL.min(history.max(Duration::from_secs(1)))).await;
    }
}

async fn round(
    store: &dyn Store,
    history: Duration,
    seen: &mut VecDeque<(Instant, Revision)>,
) -> Result<()> {
    let now = store
        .range(&Range::key("meta/schema"), None, Some(1))
        .await?
        .revision;
    seen.push_back((Instant::now(), now));
    let mut before = None;
    while seen.front().is_some_and(|(at, _)| at.elapsed() >= history) {
        before = seen.pop_front().map(|(_, revision)| revision);
    }
    if let Some(before) = before.filter(|before| *before > 0) {
        store.compact(before).await?;
    }
    let end = api::audit_key(SystemTime::now() - AUDIT);
    let old = Range::between(api::AUDIT, end);
    if !store.range(&old, None, Some(1)).await?.entries.is_empty() {
        store.commit(Transaction::new().delete_range(old)).await?;
    }
    let seconds = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let seconds = seconds.as_secs();
    sweep(store, api::REQUESTS, |value| {
        api::is_forgotten(value, seconds)
    })
    .await?;
    sweep(store, identity::INVITATIONS, |value| {
        identity::is_over(value, seconds)
    })
    .await
}

/// Deletes what is over, unless it has changed meanwhile.
async fn sweep(store: &dyn Store, prefix: &str, over: impl Fn(&[u8]) -> bool) -> Result<()> {
    let mut rest = Range::prefix(prefix);
    loop {
        let page = store.range(&rest, None, Some(PIECE)).await?;
        let mut transaction = Transaction::new();
        for entry in page.entries.iter().filter(|entry| over(&entry.value)) {
            transaction = transaction
                .when(Condition::Modified(entry.key.clone(), entry.modified))
                .delete(&entry.key[..]);
        }
        if !transaction.writes.is_empty() {
            store.commit(transaction).await?;
        }
        match page.entries.last() {
            Some(last) if page.more => rest = rest.after(&last.key),
            _ => return Ok(()),
        }
    }
}
