// SPDX-License-Identifier: GPL-2.0

//! The one thread that writes the embedded store's file.
//!
//! Jobs that wait together are carried out in one transaction of the file and acknowledged after
//! one fsync (group commit), each at a revision of its own.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::Arc;
use std::time::{Duration, Instant};

use redb::{Database, ReadableTable, Table, WriteTransaction};
use tokio::sync::{oneshot, watch, OwnedSemaphorePermit};

use super::tables::{
    fault, meta, At, Current, Version, CURRENT, LEASED, LEASES, LOG, META, VERSIONS,
};
use crate::store::{Condition, Error, Lease, Outcome, Range, Result, Revision, Transaction, Write};

/// At most this many jobs share an fsync.
const GROUP: usize = 512;

/// What is asked of the writer.
#[derive(Debug)]
pub(super) enum Work {
    Commit(Transaction),
    Compact(Revision),
    Grant(u64),
    KeepAlive(Lease),
    Revoke(Lease),
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Done {
    Outcome(Outcome),
    Lease(Lease),
    Nothing,
}

/// Work, and who waits for it.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) reply: oneshot::Sender<Result<Done>>,
    /// Bounds the number of jobs that wait.
    pub(super) _permit: OwnedSemaphorePermit,
}

/// The state of the thread.
#[derive(Debug)]
pub(super) struct Writer {
    database: Arc<Database>,
    revision: watch::Sender<Revision>,
    /// When each lease is lost.
    leases: BTreeMap<i64, Instant>,
}

impl Writer {
    /// Leases start anew when the file is opened: nobody could keep them alive meanwhile.
    pub(super) fn new(database: Arc<Database>, revision: watch::Sender<Revision>) -> Result<Self> {
        let mut leases = BTreeMap::new();
        let transaction = database.begin_read().map_err(fault)?;
        let table = transaction.open_table(LEASES).map_err(fault)?;
        for item in table.iter().map_err(fault)? {
            let (lease, ttl) = item.map_err(fault)?;
            leases.insert(
                lease.value(),
                Instant::now() + Duration::from_secs(ttl.value()),
            );
        }
        Ok(Self {
            database,
            revision,
            leases,
        })
    }

    /// Works until nobody is left who could ask, or the file fails.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            let mut group = Vec::new();
            match jobs.recv_timeout(self.until_expiry()) {
                Ok(job) => group.push(job),
                Err(RecvTimeoutError::Timeout) if self.leases.is_empty() => continue,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            while group.len() < GROUP {
                match jobs.try_recv() {
                    Ok(job) => group.push(job),
                    Err(_) => break,
                }
            }
            if let Err(error) = self.work(group) {
                tracing::error!(%error, "the store failed and takes no more writes");
                return;
            }
        }
    }

    fn until_expiry(&self) -> Duration {
        let next = self.leases.values().min();
        next.map_or(Duration::from_secs(3600), |at| {
            at.saturating_duration_since(Instant::now())
        })
    }

    fn work(&mut self, group: Vec<Job>) -> Result<()> {
        let mut done = Vec::with_capacity(group.len());
        let mut waiting = Vec::with_capacity(group.len());
        for Job {
            work,
            reply,
            _permit,
        } in group
        {
            done.push(work);
            waiting.push((reply, _permit));
        }
        match self.carry_out(done) {
            Ok((results, revision)) => {
                // Watches first: who was answered may expect its change to be on its way.
                self.revision
                    .send_if_modified(|seen| std::mem::replace(seen, revision) != revision);
                for ((reply, _), result) in waiting.into_iter().zip(results) {
                    // Whoever asked may have lost interest.
                    let _ = reply.send(result);
                }
                Ok(())
            }
            Err(error) => {
                for (reply, _) in waiting {
                    let _ = reply.send(Err(Error::Unknown(error.to_string())));
                }
                Err(error)
            }
        }
    }

    /// One transaction of the file. An error inside a job's result is the job's own; an error of
    /// this function means that the file failed.
    fn carry_out(&mut self, group: Vec<Work>) -> Result<(Vec<Result<Done>>, Revision)> {
        let database = Arc::clone(&self.database);
        let transaction = database.begin_write().map_err(fault)?;
        let mut results = Vec::with_capacity(group.len());
        let revision = {
            let mut file = File::open(&transaction)?;
            let now = Instant::now();
            let lost: Vec<_> = self
                .leases
                .iter()
                .filter(|(_, at)| **at <= now)
                .map(|(lease, _)| *lease)
                .collect();
            for lease in lost {
                self.leases.remove(&lease);
                file.revoke(lease)?;
            }
            for work in group {
                results.push(self.one(&mut file, work)?);
            }
            file.finish()?
        };
        transaction.commit().map_err(fault)?;
        Ok((results, revision))
    }

    fn one(&mut self, file: &mut File<'_>, work: Work) -> Result<Result<Done>> {
        Ok(match work {
            Work::Commit(transaction) => match file.unknown_lease(&transaction)? {
                true => Err(Error::NoLease),
                false => Ok(Done::Outcome(file.commit(&transaction)?)),
            },
            Work::Compact(before) => file.compact(before)?.map(|()| Done::Nothing),
            Work::Grant(ttl) => {
                let lease = file.grant(ttl)?;
                self.leases
                    .insert(lease.0, Instant::now() + Duration::from_secs(ttl));
                Ok(Done::Lease(lease))
            }
            Work::KeepAlive(lease) => match file.ttl(lease)? {
                Some(ttl) => {
                    self.leases
                        .insert(lease.0, Instant::now() + Duration::from_secs(ttl));
                    Ok(Done::Nothing)
                }
                None => Err(Error::NoLease),
            },
            Work::Revoke(lease) => match self.leases.remove(&lease.0) {
                Some(_) => {
                    file.revoke(lease.0)?;
                    Ok(Done::Nothing)
                }
                None => Err(Error::NoLease),
            },
        })
    }
}

/// The tables, open for writing.
struct File<'t> {
    revision: Revision,
    compacted: Revision,
    meta: Table<'t, &'static str, u64>,
    current: Table<'t, &'static [u8], Current>,
    versions: Table<'t, At, Version>,
    log: Table<'t, (u64, &'static [u8]), ()>,
    leases: Table<'t, i64, u64>,
    leased: Table<'t, (i64, &'static [u8]), ()>,
}

impl<'t> File<'t> {
    fn open(transaction: &'t WriteTransaction) -> Result<Self> {
        let table = transaction.open_table(META).map_err(fault)?;
        Ok(Self {
            revision: meta(&table, "revision")?,
            compacted: meta(&table, "compacted")?,
            meta: table,
            current: transaction.open_table(CURRENT).map_err(fault)?,
            versions: transaction.open_table(VERSIONS).map_err(fault)?,
            log: transaction.open_table(LOG).map_err(fault)?,
            leases: transaction.open_table(LEASES).map_err(fault)?,
            leased: transaction.open_table(LEASED).map_err(fault)?,
        })
    }

    fn finish(mut self) -> Result<Revision> {
        self.meta.insert("revision", self.revision).map_err(fault)?;
        self.meta
            .insert("compacted", self.compacted)
            .map_err(fault)?;
        Ok(self.revision)
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<Outcome> {
        for condition in &transaction.conditions {
            if !self.holds(condition)? {
                return Ok(Outcome::Refused {
                    revision: self.revision,
                });
            }
        }
        let revision = self.revision + 1;
        let mut changed = false;
        for write in &transaction.writes {
            changed |= match write {
                Write::Put { key, value, lease } => {
                    self.put(revision, key, value, lease.map_or(0, |lease| lease.0))?;
                    true
                }
                Write::Delete(range) => self.delete(revision, range)?,
            };
        }
        if changed {
            self.revision = revision;
        }
        Ok(Outcome::Committed(self.revision))
    }

    fn holds(&self, condition: &Condition) -> Result<bool> {
        let found = self.current.get(condition.key()).map_err(fault)?;
        let entry = found.as_ref().map(|entry| entry.value());
        Ok(match (condition, entry) {
            (Condition::Absent(_), entry) => entry.is_none(),
            (Condition::Exists(_), entry) => entry.is_some(),
            (Condition::Modified(_, wanted), Some((_, modified, ..))) => modified == *wanted,
            (Condition::Value(_, wanted), Some((.., value))) => value == wanted,
            (Condition::Modified(..) | Condition::Value(..), None) => false,
        })
    }

    fn put(&mut self, revision: Revision, key: &[u8], value: &[u8], lease: i64) -> Result<()> {
        let before = {
            let found = self.current.get(key).map_err(fault)?;
            found.map(|entry| (entry.value().0, entry.value().2))
        };
        let (created, bound) = before.unwrap_or((revision, 0));
        self.bind(key, bound, lease)?;
        self.current
            .insert(key, (created, revision, lease, value))
            .map_err(fault)?;
        self.versions
            .insert((key, revision), (created, lease, Some(value)))
            .map_err(fault)?;
        self.log.insert((revision, key), ()).map_err(fault)?;
        Ok(())
    }

    fn delete(&mut self, revision: Revision, range: &Range) -> Result<bool> {
        if range.is_empty() {
            return Ok(false);
        }
        let keys = {
            let found = match range.end() {
                Some(end) => self.current.range(range.start()..end),
                None => self.current.range(range.start()..),
            };
            let mut keys = Vec::new();
            for item in found.map_err(fault)? {
                let (key, entry) = item.map_err(fault)?;
                keys.push((key.value().to_vec(), entry.value().2));
            }
            keys
        };
        for (key, bound) in &keys {
            let key = &key[..];
            self.bind(key, *bound, 0)?;
            self.current.remove(key).map_err(fault)?;
            self.versions
                .insert((key, revision), (0, 0, None))
                .map_err(fault)?;
            self.log.insert((revision, key), ()).map_err(fault)?;
        }
        Ok(!keys.is_empty())
    }

    fn bind(&mut self, key: &[u8], before: i64, after: i64) -> Result<()> {
        if before != after {
            if before != 0 {
                self.leased.remove((before, key)).map_err(fault)?;
            }
            if after != 0 {
                self.leased.insert((after, key), ()).map_err(fault)?;
            }
        }
        Ok(())
    }

    fn unknown_lease(&self, transaction: &Transaction) -> Result<bool> {
        for write in &transaction.writes {
            if let Write::Put {
                lease: Some(lease), ..
            } = write
            {
                if self.ttl(*lease)?.is_none() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn ttl(&self, lease: Lease) -> Result<Option<u64>> {
        Ok(self
            .leases
            .get(lease.0)
            .map_err(fault)?
            .map(|ttl| ttl.value()))
    }

    fn grant(&mut self, ttl: u64) -> Result<Lease> {
        let lease = meta(&self.meta, "leases")? + 1;
        self.meta.insert("leases", lease).map_err(fault)?;
        let lease = Lease(i64::try_from(lease).map_err(|_| Error::Damaged("leases".into()))?);
        self.leases.insert(lease.0, ttl).map_err(fault)?;
        Ok(lease)
    }

    fn revoke(&mut self, lease: i64) -> Result<()> {
        let mut keys = Vec::new();
        for item in self
            .leased
            .range((lease, &[][..])..(lease + 1, &[][..]))
            .map_err(fault)?
        {
            let (key, _) = item.map_err(fault)?;
            keys.push(key.value().1.to_vec());
        }
        let revision = self.revision + 1;
        for key in &keys {
            self.delete(revision, &Range::key(&key[..]))?;
        }
        if !keys.is_empty() {
            self.revision = revision;
        }
        self.leases.remove(lease).map_err(fault)?;
        Ok(())
    }

    /// Of every key that changed before the revision, the version valid at it stays, unless that
    /// is a deletion.
    fn compact(&mut self, before: Revision) -> Result<Result<()>> {
        if before > self.revision {
            return Ok(Err(Error::Future(before)));
        }
        if before <= self.compacted {
            return Ok(Ok(()));
        }
        let mut touched = Vec::new();
        for item in self
            .log
            .range((0, &[][..])..(before, &[][..]))
            .map_err(fault)?
        {
            let (key, _) = item.map_err(fault)?;
            let (revision, key) = key.value();
            touched.push((revision, key.to_vec()));
        }
        for (revision, key) in &touched {
            let key = &key[..];
            self.log.remove((*revision, key)).map_err(fault)?;
            let mut outdated = Vec::new();
            for item in self
                .versions
                .range((key, 0)..=(key, before))
                .map_err(fault)?
            {
                let (version, value) = item.map_err(fault)?;
                outdated.push((version.value().1, value.value().2.is_none()));
            }
            // A deletion at the revision itself is still in the log of watches.
            if outdated
                .last()
                .is_some_and(|(at, deleted)| !deleted || *at == before)
            {
                outdated.pop();
            }
            for (at, _) in outdated {
                self.versions.remove((key, at)).map_err(fault)?;
            }
        }
        self.compacted = before;
        Ok(Ok(()))
    }
}
