// SPDX-License-Identifier: GPL-2.0

//! A store that counts what is asked of it.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use crate::metrics::Metrics;
use crate::store::{
    Error, Lease, Outcome, Range, Result, Revision, Snapshot, Store, Transaction, Watch,
};

/// A store, measured.
#[derive(Debug)]
pub(crate) struct Metered {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) metrics: Metrics,
}

impl Metered {
    async fn measure<T>(
        &self,
        operation: &str,
        work: impl Future<Output = Result<T>> + Send,
        result: impl Fn(&T) -> &'static str + Send,
    ) -> Result<T> {
        let start = Instant::now();
        let done = work.await;
        let seconds = start.elapsed().as_secs_f64();
        self.metrics
            .store_seconds
            .with_label_values(&[operation])
            .observe(seconds);
        let result = match &done {
            Ok(value) => result(value),
            Err(Error::Unknown(_)) => "unknown",
            Err(Error::Unavailable(_) | Error::Closed) => "unavailable",
            Err(_) => "error",
        };
        self.metrics
            .store_operations
            .with_label_values(&[operation, result])
            .inc();
        done
    }

    fn seen(&self, revision: Revision) {
        let revision = i64::try_from(revision).unwrap_or(i64::MAX);
        if revision > self.metrics.store_revision.get() {
            self.metrics.store_revision.set(revision);
        }
    }
}

#[async_trait]
impl Store for Metered {
    async fn range(
        &self,
        range: &Range,
        at: Option<Revision>,
        limit: Option<usize>,
    ) -> Result<Snapshot> {
        let work = self.store.range(range, at, limit);
        let snapshot = self.measure("range", work, |_| "ok").await?;
        self.seen(snapshot.revision);
        Ok(snapshot)
    }

    async fn commit(&self, transaction: Transaction) -> Result<Outcome> {
        let work = self.store.commit(transaction);
        let result = |outcome: &Outcome| match outcome {
            Outcome::Committed(_) => "ok",
            Outcome::Refused { .. } => "refused",
        };
        let outcome = self.measure("commit", work, result).await?;
        let (Outcome::Committed(revision) | Outcome::Refused { revision }) = outcome;
        self.seen(revision);
        Ok(outcome)
    }

    async fn watch(&self, range: Range, from: Revision) -> Result<Watch> {
        self.measure("watch", self.store.watch(range, from), |_| "ok")
            .await
    }

    async fn compact(&self, before: Revision) -> Result<()> {
        self.measure("compact", self.store.compact(before), |()| "ok")
            .await
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        self.measure("grant", self.store.grant(ttl), |_| "ok").await
    }

    async fn keep_alive(&self, lease: Lease) -> Result<()> {
        self.measure("keep_alive", self.store.keep_alive(lease), |()| "ok")
            .await
    }

    async fn revoke(&self, lease: Lease) -> Result<()> {
        self.measure("revoke", self.store.revoke(lease), |()| "ok")
            .await
    }
}
