// SPDX-License-Identifier: GPL-2.0

//! The store in one file of this machine, by redb.
//!
//! Reads run on the blocking threads of the runtime, each in a read transaction of the file;
//! writes go through one thread, see `writer`. A watch reads the log of the file and waits for
//! more of it, so a slow one costs nothing and misses nothing.

mod tables;
mod writer;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use redb::{Builder, Database, StorageBackend};
use tokio::sync::{mpsc, oneshot, watch, Semaphore};

use super::{
    Change, Error, Lease, Outcome, Range, Result, Revision, Snapshot, Store, Transaction, Watch,
};
use tables::{fault, meta, CURRENT, FORMAT, LEASED, LEASES, LOG, META, VERSIONS};
use writer::{Done, Job, Work, Writer};

/// At most this many writes wait; further ones wait for their turn to wait.
const WAITING: usize = 4096;
/// A watch reads about this many events at once.
const EVENTS: usize = 256;

/// The store in one file.
#[derive(Debug)]
pub struct Embedded {
    database: Arc<Database>,
    revision: watch::Receiver<Revision>,
    places: Arc<Semaphore>,
    jobs: Mutex<Option<Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Embedded {
    /// Opens the store in this file, and makes it if there is none. After a crash this repairs
    /// the file first, which reads all of it.
    pub fn open(path: &Path) -> Result<Self> {
        let io = |source| Error::Io {
            path: path.into(),
            source,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(io)?;
        let fresh = file.metadata().map_err(io)?.len() == 0;
        let database = builder().create_file(file).map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => Error::InUse(path.into()),
            redb::DatabaseError::Storage(redb::StorageError::Io(error)) => io(error),
            other => Error::Damaged(format!("{}: {other}", path.display())),
        })?;
        let store = Self::start(database)?;
        if fresh {
            // The file's name must survive a power failure as well as its content.
            let directory = path
                .parent()
                .filter(|parent| !parent.as_os_str().is_empty());
            let directory = directory.unwrap_or(Path::new("."));
            File::open(directory)
                .and_then(|it| it.sync_all())
                .map_err(io)?;
        }
        Ok(store)
    }

    /// The store on another kind of file, as tests use to take the power away.
    pub fn with_backend(backend: impl StorageBackend) -> Result<Self> {
        Self::start(builder().create_with_backend(backend).map_err(fault)?)
    }

    fn start(database: Database) -> Result<Self> {
        let database = Arc::new(database);
        let revision = prepare(&database)?;
        let (notify, revision) = watch::channel(revision);
        let (sender, jobs) = std::sync::mpsc::channel();
        let writer = Writer::new(Arc::clone(&database), notify)?;
        let thread = std::thread::Builder::new()
            .name("store".into())
            .spawn(move || writer.run(&jobs))
            .map_err(|source| Error::Io {
                path: "a thread for the store".into(),
                source,
            })?;
        Ok(Self {
            database,
            revision,
            places: Arc::new(Semaphore::new(WAITING)),
            jobs: Mutex::new(Some(sender)),
            thread: Mutex::new(Some(thread)),
        })
    }

    async fn ask(&self, work: Work) -> Result<Done> {
        let permit = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .map_err(|_| Error::Closed)?;
        let (reply, answer) = oneshot::channel();
        {
            let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            let sender = jobs.as_ref().ok_or(Error::Closed)?;
            sender
                .send(Job {
                    work,
                    reply,
                    _permit: permit,
                })
                .map_err(|_| Error::Closed)?;
        }
        answer.await.unwrap_or(Err(Error::Closed))
    }
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .create_with_file_format_v3(true)
        .set_cache_size(256 << 20);
    builder
}

/// Makes the tables of a new file, looks at the layout of an old one.
fn prepare(database: &Database) -> Result<Revision> {
    let transaction = database.begin_write().map_err(fault)?;
    let revision = {
        let mut table = transaction.open_table(META).map_err(fault)?;
        let revision = meta(&table, "revision")?;
        match meta(&table, "format")? {
            0 if revision == 0 => drop(table.insert("format", FORMAT).map_err(fault)?),
            FORMAT => {}
            other => {
                let found = u32::try_from(other).unwrap_or(u32::MAX);
                return Err(Error::TooNew {
                    found,
                    known: FORMAT as u32,
                });
            }
        }
        transaction.open_table(CURRENT).map_err(fault)?;
        transaction.open_table(VERSIONS).map_err(fault)?;
        transaction.open_table(LOG).map_err(fault)?;
        transaction.open_table(LEASES).map_err(fault)?;
        transaction.open_table(LEASED).map_err(fault)?;
        revision
    };
    transaction.commit().map_err(fault)?;
    Ok(revision)
}

impl Drop for Embedded {
    /// Ends the thread after the writes it was given.
    fn drop(&mut self) {
        drop(
            self.jobs
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        if let Some(thread) = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            // A panic of the thread was reported by the thread.
            let _ = thread.join();
        }
    }
}

/// Runs a read where it may block.
async fn blocking<T: Send + 'static>(
    database: &Arc<Database>,
    read: impl FnOnce(&redb::ReadTransaction) -> Result<T> + Send + 'static,
) -> Result<T> {
    let database = Arc::clone(database);
    tokio::task::spawn_blocking(move || read(&database.begin_read().map_err(fault)?))
        .await
        .unwrap_or(Err(Error::Closed))
}

#[async_trait]
impl Store for Embedded {
    async fn range(
        &self,
        range: &Range,
        at: Option<Revision>,
        limit: Option<usize>,
    ) -> Result<Snapshot> {
        let range = range.clone();
        let limit = limit.unwrap_or(usize::MAX);
        blocking(&self.database, move |read| {
            tables::range(read, &range, at, limit)
        })
        .await
    }

    async fn commit(&self, transaction: Transaction) -> Result<Outcome> {
        transaction.check()?;
        match self.ask(Work::Commit(transaction)).await? {
            Done::Outcome(outcome) => Ok(outcome),
            Done::Lease(_) | Done::Nothing => Err(Error::Closed),
        }
    }

    async fn watch(&self, range: Range, from: Revision) -> Result<Watch> {
        let (sender, changes) = mpsc::channel(EVENTS);
        let database = Arc::clone(&self.database);
        tokio::spawn(follow(
            database,
            self.revision.clone(),
            range,
            from.max(1),
            sender,
        ));
        Ok(Watch { changes })
    }

    async fn compact(&self, before: Revision) -> Result<()> {
        self.ask(Work::Compact(before)).await.map(drop)
    }

    async fn grant(&self, ttl: Duration) -> Result<Lease> {
        match self.ask(Work::Grant(super::lease_seconds(ttl))).await? {
            Done::Lease(lease) => Ok(lease),
            Done::Outcome(_) | Done::Nothing => Err(Error::Closed),
        }
    }

    async fn keep_alive(&self, lease: Lease) -> Result<()> {
        self.ask(Work::KeepAlive(lease)).await.map(drop)
    }

    async fn revoke(&self, lease: Lease) -> Result<()> {
        self.ask(Work::Revoke(lease)).await.map(drop)
    }
}

/// Sends the changes of a range until nobody listens.
async fn follow(
    database: Arc<Database>,
    mut revision: watch::Receiver<Revision>,
    range: Range,
    mut from: Revision,
    sender: mpsc::Sender<Result<Change>>,
) {
    loop {
        let now = *revision.borrow_and_update();
        while from <= now {
            let range = range.clone();
            let read = blocking(&database, move |read| {
                tables::changes(read, &range, from, EVENTS)
            });
            match read.await {
                Ok((changes, next)) => {
                    for change in changes {
                        if sender.send(Ok(change)).await.is_err() {
                            return;
                        }
                    }
                    from = next;
                }
                Err(error) => {
                    let _ = sender.send(Err(error)).await;
                    return;
                }
            }
        }
        tokio::select! {
            changed = revision.changed() => if changed.is_err() { return },
            () = sender.closed() => return,
        }
    }
}
