// SPDX-License-Identifier: GPL-2.0

//! The store in an etcd cluster.
//!
//! One member at a time is talked to; when it does not answer, the next. What only reads is tried
//! again by itself. A transaction is sent once: if the connection breaks before the answer, the
//! caller is told that its outcome is not known.

mod convert;
#[rustfmt::skip]
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
mod generated;
mod watch;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tonic::transport::Channel;
use tonic::{Code, Status};

use self::generated as pb;
use super::{
    Entry, Error, Lease, Outcome, Range, Result, Revision, Snapshot, Store, Transaction, Watch,
};
use crate::connect::{self, Tls};
use pb::kv_client::KvClient;
use pb::lease_client::LeaseClient;

/// A member that takes longer for an answer is left for another one.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a read is tried in all, with a pause that grows.
const TRIES: u32 = 6;
/// So many entries are read at once.
const PAGE: usize = 1000;

/// Where the cluster is, and where in it the keys are.
#[derive(Debug, Clone)]
pub struct Options {
    /// The members, each as `HOST:PORT`.
    pub endpoints: Vec<String>,
    /// What all keys of the store begin with in the cluster.
    pub prefix: String,
    /// TLS towards the members; the name of each is that of its endpoint.
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

/// The store in a cluster.
#[derive(Debug, Clone)]
pub struct Etcd {
    cluster: Arc<Cluster>,
}

#[derive(Debug)]
struct Cluster {
    options: Options,
    /// The member in use, and the channel to it when there is one.
    member: Mutex<(usize, Option<Channel>)>,
}

impl Etcd {
    /// A client of the cluster; fails if no member can be reached.
    pub async fn connect(options: Options) -> Result<Self> {
        if options.endpoints.is_empty() {
            return Err(Error::Invalid("name at least one endpoint of etcd".into()));
        }
        let cluster = Cluster {
            options,
            member: Mutex::new((0, None)),
        };
        let store = Self {
            cluster: Arc::new(cluster),
        };
        store.range(&Range::key("\0"), None, Some(1)).await?;
        Ok(store)
    }

    /// Tries a request that changes nothing until it is answered.
    async fn retry<T, F>(&self, request: impl Fn(Channel) -> F) -> std::result::Result<T, Failure>
    where
        F: Future<Output = std::result::Result<T, Status>>,
    {
        let mut tries = 0;
        loop {
            tries += 1;
            let failure = match self.once(&request).await {
                Err(failure) if failure.is_transient() => failure,
                done => return done,
            };
            if tries == TRIES {
                return Err(failure);
            }
            tokio::time::sleep(Duration::from_millis(50) * (1 << tries)).await;
        }
    }

    /// Sends a request to a member, once.
    async fn once<T, F>(&self, request: impl Fn(Channel) -> F) -> std::result::Result<T, Failure>
    where
        F: Future<Output = std::result::Result<T, Status>>,
    {
        let channel = self.cluster.channel().await.map_err(Failure::NotSent)?;
        let answer = match tokio::time::timeout(PATIENCE, request(channel)).await {
            Ok(answer) => answer,
            Err(_) => Err(Status::deadline_exceeded("the member does not answer")),
        };
        answer.map_err(|status| {
            let failure = Failure::Answer(status);
            if failure.is_transient() {
                self.cluster.leave();
            }
            failure
        })
    }
}

/// Why a request has no answer.
#[derive(Debug)]
enum Failure {
    /// No member could be reached.
    NotSent(String),
    /// A member or the connection to it says so.
    Answer(Status),
}

impl Failure {
    fn is_transient(&self) -> bool {
        match self {
            Self::NotSent(_) => true,
            Self::Answer(status) => matches!(
                status.code(),
                Code::Unavailable
                    | Code::DeadlineExceeded
                    | Code::Cancelled
                    | Code::Internal
                    | Code::Unknown
            ),
        }
    }
}

impl Cluster {
    /// The channel in use, or one to the first member from there on that lets itself be reached.
    async fn channel(&self) -> std::result::Result<Channel, String> {
        let (first, channel) = self
            .member
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(channel) = channel {
            return Ok(channel);
        }
        let mut reasons = Vec::new();
        for number in (first..).take(self.options.endpoints.len()) {
            let number = number % self.options.endpoints.len();
            let endpoint = &self.options.endpoints[number];
            match self.open(endpoint).await {
                Ok(channel) => {
                    *self.member.lock().unwrap_or_else(PoisonError::into_inner) =
                        (number, Some(channel.clone()));
                    return Ok(channel);
                }
                Err(reason) => reasons.push(format!("{endpoint}: {reason}")),
            }
        }
        Err(format!(
            "no member of etcd can be reached: {}",
            reasons.join(", ")
        ))
    }

    async fn open(&self, endpoint: &str) -> std::result::Result<Channel, String> {
        let tls = match &self.options.tls {
            None => None,
            Some(config) => {
                let host = endpoint.rsplit_once(':').map_or(endpoint, |(host, _)| host);
                let host = host.trim_matches(['[', ']']).to_owned();
                let server = host
                    .try_into()
                    .map_err(|_| "not a name for TLS".to_owned())?;
                Some(Tls {
                    config: Arc::clone(config),
                    server,
                })
            }
        };
        connect::channel(endpoint, tls)
            .await
            .map_err(|error| connect::chain(&error))
    }

    /// Leaves the member in use.
    fn leave(&self) {
        let mut member = self.member.lock().unwrap_or_else(PoisonError::into_inner);
        if member.1.take().is_some() {
            member.0 = (member.0 + 1) % self.options.endpoints.len();
        }
    }
}

/// A client that takes answers of any size: how much to ask for is ours to know.
fn kv(channel: Channel) -> KvClient<Channel> {
    KvClient::new(channel).max_decoding_message_size(usize::MAX)
}

#[async_trait]
impl Store for Etcd {
    async fn range(
        &self,
        range: &Range,
        at: Option<Revision>,
        limit: Option<usize>,
    ) -> Result<Snapshot> {
        let limit = limit.unwrap_or(usize::MAX);
        let mut rest = range.clone();
        let mut revision = at;
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let wanted = PAGE.min(limit - entries.len());
            let request = convert::range(&self.cluster.options.prefix, &rest, revision, wanted);
            let answer = self
                .retry(|channel| {
                    let request = request.clone();
                    async move { kv(channel).range(request).await }
                })
                .await
                .map_err(|failure| convert::error(failure, at.unwrap_or(0)))?
                .into_inner();
            let seen = revision.unwrap_or_else(|| convert::revision(answer.header.as_ref()));
            revision = Some(seen);
            // A limit of 0 means none to etcd, so that a limit of 0 is asked for as 1.
            for kv in answer.kvs.into_iter().take(wanted) {
                entries.push(convert::entry(&self.cluster.options.prefix, kv));
            }
            let more = answer.more || wanted == 0;
            if !more || entries.len() >= limit {
                return Ok(Snapshot {
                    revision: seen,
                    entries,
                    more,
                });
            }
            if let Some(last) = entries.last() {
                rest = rest.after(&last.key);
            }
        }
    }

    async fn commit(&self, transaction: Transaction) -> Result<Outcome> {
        transaction.check()?;
        let request = convert::transaction(&self.cluster.options.prefix, &transaction);
        let answer = self
            .once(|channel| {
                let request = request.clone();
                async move { kv(channel).txn(request).await }
            })
            .await;
        let answer = match answer {
            Ok(answer) => answer.into_inner(),
            Err(failure @ Failure::Answer(_)) if failure.is_transient() => {
                return Err(Error::Unknown(convert::reason(failure)));
            }
            Err(failure) => return Err(convert::error(failure, 0)),
        };
        let revision = convert::revision(answer.header.as_ref());
        Ok(match answer.succeeded {
            true => Outcome::Committed(revision),
            false => Outcome::Refused { revision },
        })
    }

    async fn watch(&self, range: Range, from: Revision) -> Result<Watch> {
        let (sender, changes) = mpsc::channel(64);
        tokio::spawn(watch::follow(self.clone(), range, from.max(1), sender));
        Ok(Watch { changes })
    }

    async fn compact(&self, before: Revision) -> Result<()> {
        let request = pb::CompactionRequest {
            revision: convert::signed(before),
        };
        let answer = self
            .retry(|channel| async move { kv(channel).compact(request).await })
            .await;
        match answer.map_err(|failure| convert::error(failure, before)) {
            // Somebody else was faster.
            Ok(_) | Err(Error::Compacted { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        let ttl = convert::signed(super::lease_seconds(ttl));
        let request = pb::LeaseGrantRequest { ttl, id: 0 };
        // A lease granted twice is lost once, by itself.
        let answer = self
            .retry(|channel| async move { LeaseClient::new(channel).lease_grant(request).await })
            .await
            .map_err(|failure| convert::error(failure, 0))?;
        Ok(Lease(answer.into_inner().id))
    }

    async fn keep_alive(&self, lease: Lease) -> Result<()> {
        let answer = self
            .retry(|channel| async move {
                let request = pb::LeaseKeepAliveRequest { id: lease.0 };
                let stream = tokio_stream::once(request);
                let answers = LeaseClient::new(channel).lease_keep_alive(stream).await?;
                answers.into_inner().message().await
            })
            .await
            .map_err(|failure| convert::error(failure, 0))?;
        match answer {
            Some(answer) if answer.ttl > 0 => Ok(()),
            _ => Err(Error::NoLease),
        }
    }

    async fn revoke(&self, lease: Lease) -> Result<()> {
        let request = pb::LeaseRevokeRequest { id: lease.0 };
        self.retry(|channel| async move { LeaseClient::new(channel).lease_revoke(request).await })
            .await
            .map(drop)
            .map_err(|failure| convert::error(failure, 0))
    }
}
