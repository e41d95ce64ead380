// SPDX-License-Identifier: GPL-2.0

//! Nothing that was acknowledged is lost: not by power failures, not with a member of a cluster,
//! not in a backup; and data of another version is migrated or refused.

mod common;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::etcd::Cluster;
use ovnet_mgr::store::schema::{self, Migration};
use ovnet_mgr::store::{
    backup, Condition, Embedded, Entry, Error, Outcome, Range, Store, Transaction, Write,
};

/// A disk that forgets what was not synced when the power goes.
#[derive(Debug, Clone, Default)]
struct Disk(Arc<Mutex<Platters>>);

#[derive(Debug, Default)]
struct Platters {
    synced: Vec<u8>,
    /// What a read sees.
    seen: Vec<u8>,
    /// Writes since the last sync, in order.
    pending: Vec<(usize, Vec<u8>)>,
    /// The number of operations until the power goes.
    power: Option<u64>,
}

impl Disk {
    fn use_power(&self) -> io::Result<std::sync::MutexGuard<'_, Platters>> {
        let mut platters = self.0.lock().unwrap();
        match &mut platters.power {
            Some(0) => return Err(io::Error::other("power failure")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(platters)
    }

    /// Power is back; of the writes that were not synced some have reached the disk.
    fn reboot(&self, seed: u64) -> Self {
        let platters = self.0.lock().unwrap();
        let mut synced = platters.synced.clone();
        for (number, (offset, data)) in platters.pending.iter().enumerate() {
            let coin = seed
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(number as u32 % 64);
            if coin & 1 == 1 {
                let end = offset + data.len();
                if synced.len() < end {
                    synced.resize(end, 0);
                }
                synced[*offset..end].copy_from_slice(data);
            }
        }
        let platters = Platters {
            seen: synced.clone(),
            synced,
            ..Platters::default()
        };
        Self(Arc::new(Mutex::new(platters)))
    }
}

impl redb::StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().seen.len() as u64)
    }

    fn read(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        Ok(self.0.lock().unwrap().seen[offset as usize..][..len].to_vec())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut platters = self.use_power()?;
        platters.seen.resize(len as usize, 0);
        platters.synced.resize(len as usize, 0);
        platters
            .pending
            .retain(|(offset, data)| offset + data.len() <= len as usize);
        Ok(())
    }

    fn sync_data(&self, _: bool) -> io::Result<()> {
        let mut platters = self.use_power()?;
        platters.synced = platters.seen.clone();
        platters.pending.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platters = self.use_power()?;
        let offset = offset as usize;
        platters.seen[offset..offset + data.len()].copy_from_slice(data);
        platters.pending.push((offset, data.to_vec()));
        Ok(())
    }
}

#[tokio::test]
async fn power_failures_lose_nothing_acknowledged() {
    let mut disk = Disk::default();
    let mut acknowledged: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for round in 0..60 {
        disk.0.lock().unwrap().power = None;
        let store: Arc<dyn Store> = Arc::new(Embedded::with_backend(disk.clone()).unwrap());
        let found = store.range(&Range::all(), None, None).await.unwrap();
        let found: BTreeMap<_, _> = found
            .entries
            .into_iter()
            .map(|it| (it.key, it.modified))
            .collect();
        for (key, revision) in &acknowledged {
            assert_eq!(found.get(key), Some(revision), "round {round} lost {key:?}");
        }
        disk.0.lock().unwrap().power = Some(20 + (round * 37) % 150);
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    let mut done = Vec::new();
                    for number in 0.. {
                        let key = format!("{round:03}/{writer}/{number:06}").into_bytes();
                        match store
                            .commit(Transaction::new().put(&key[..], "x".repeat(300)))
                            .await
                        {
                            Ok(Outcome::Committed(revision)) => done.push((key, revision)),
                            Ok(Outcome::Refused { .. }) => panic!("nothing was asked"),
                            Err(Error::Unknown(_) | Error::Closed) => break,
                            Err(error) => panic!("{error}"),
                        }
                    }
                    done
                })
            })
            .collect();
        for writer in writers {
            acknowledged.extend(writer.await.unwrap());
        }
        drop(store);
        disk = disk.reboot(round);
    }
    assert!(
        acknowledged.len() > 300,
        "only {} writes in all",
        acknowledged.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_dies_during_writes() {
    let mut cluster = Cluster::start(3);
    let store: Arc<dyn Store> = Arc::new(cluster.connect("").await);
    let mut watch = store.watch(Range::prefix("n/"), 1).await.unwrap();
    let watcher = tokio::spawn(async move {
        let mut seen = Vec::new();
        while seen.last().is_none_or(|key: &Vec<u8>| key != b"n/end") {
            let change = tokio::time::timeout(Duration::from_secs(60), watch.next()).await;
            seen.extend(
                change
                    .unwrap()
                    .unwrap()
                    .events
                    .iter()
                    .map(|event| event.key().to_vec()),
            );
        }
        seen
    });
    let writer = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            let mut unknown = 0;
            let start = std::time::Instant::now();
            for number in 0.. {
                if start.elapsed() > Duration::from_secs(20) {
                    break;
                }
                let key = format!("n/{number:06}").into_bytes();
                let first = Condition::Absent(key.clone());
                match store
                    .commit(Transaction::new().when(first).put(&key[..], ""))
                    .await
                {
                    Ok(Outcome::Committed(_)) => acknowledged.push(key),
                    Ok(Outcome::Refused { .. }) => panic!("{key:?} was written before"),
                    Err(Error::Unknown(_) | Error::Unavailable(_)) => unknown += 1,
                    Err(error) => panic!("{error}"),
                }
            }
            (acknowledged, unknown)
        })
    };
    // Each member dies once, so that the leader does, and so does the one that is talked to.
    for member in 0..3 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        cluster.kill(member);
        tokio::time::sleep(Duration::from_secs(2)).await;
        cluster.revive(member);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let (acknowledged, unknown) = writer.await.unwrap();
    assert!(
        acknowledged.len() > 50,
        "only {} writes",
        acknowledged.len()
    );
    assert!(unknown < 40, "{unknown} writes had no answer");
    let end = loop {
        match store.commit(Transaction::new().put("n/end", "")).await {
            Ok(_) => break store.range(&Range::prefix("n/"), None, None).await.unwrap(),
            Err(error) => eprintln!("{error}"),
        }
    };
    let found: Vec<_> = end.entries.iter().map(|entry| entry.key.clone()).collect();
    for key in &acknowledged {
        assert!(found.contains(key), "{key:?} is lost");
    }
    // The watch has gone from member to member without a gap and without a repetition. Writing
    // "n/end" twice is no harm, the watcher stops at the first.
    assert_eq!(watcher.await.unwrap(), found);
}

async fn filled(keys: usize) -> Arc<dyn Store> {
    let store: Arc<dyn Store> =
        Arc::new(Embedded::with_backend(redb::backends::InMemoryBackend::new()).unwrap());
    schema::prepare(&*store).await.unwrap();
    for chunk in (0..keys).collect::<Vec<_>>().chunks(1000) {
        let mut transaction = Transaction::new();
        for number in chunk {
            let value = [&b"\0\xff"[..], "v".repeat(number % 400).as_bytes()].concat();
            transaction = transaction.put(format!("k/{number:05}"), value);
        }
        store.commit(transaction).await.unwrap();
    }
    store
}

async fn pairs(store: &dyn Store) -> Vec<(Vec<u8>, Vec<u8>)> {
    let all = store.range(&Range::prefix("k/"), None, None).await.unwrap();
    all.entries
        .into_iter()
        .map(|entry| (entry.key, entry.value))
        .collect()
}

#[tokio::test]
async fn a_backup_of_one_kind_restores_into_the_other() {
    let cluster = Cluster::start(1);
    let etcd: Arc<dyn Store> = Arc::new(cluster.connect("a/").await);
    let store = filled(5000).await;
    let old = schema::prepare(&*store).await.unwrap();
    // What is bound to a lease is not in a backup: who held the lease does not hold it any more.
    let lease = store.grant(Duration::from_secs(60)).await.unwrap();
    store
        .commit(Transaction::new().put_leased("k/held", "", lease))
        .await
        .unwrap();
    let mut file = Vec::new();
    let written = backup::write(&*store, &mut file).await.unwrap();
    assert_eq!((written.keys, written.schema), (5000, schema::VERSION));
    assert_eq!(backup::verify(&file[..]).unwrap(), written);
    // What happens after the backup is not in it.
    store
        .commit(Transaction::new().put("k/late", ""))
        .await
        .unwrap();
    assert_eq!(backup::restore(&*etcd, &file[..]).await.unwrap(), written);
    let restored = schema::prepare(&*etcd).await.unwrap();
    assert_ne!(restored.incarnation, old.incarnation);
    let mut back = Vec::new();
    backup::write(&*etcd, &mut back).await.unwrap();
    let again: Arc<dyn Store> =
        Arc::new(Embedded::with_backend(redb::backends::InMemoryBackend::new()).unwrap());
    backup::restore(&*again, &back[..]).await.unwrap();
    store
        .commit(Transaction::new().delete("k/late").delete("k/held"))
        .await
        .unwrap();
    assert_eq!(pairs(&*again).await, pairs(&*store).await);
    // A store in use is not overwritten.
    let error = backup::restore(&*again, &back[..]).await.unwrap_err();
    assert!(error.to_string().contains("not empty"), "{error}");
}

#[tokio::test]
async fn a_damaged_backup_is_refused() {
    let store = filled(20).await;
    let mut file = Vec::new();
    backup::write(&*store, &mut file).await.unwrap();
    for cut in 0..file.len() {
        assert!(backup::verify(&file[..cut]).is_err(), "cut at {cut}");
    }
    for place in 0..file.len() {
        let mut bad = file.clone();
        bad[place] ^= 0x10;
        assert!(backup::verify(&bad[..]).is_err(), "changed at {place}");
    }
    let longer = [&file[..], b"x"].concat();
    assert!(backup::verify(&longer[..]).is_err());
}

#[tokio::test]
async fn a_broken_off_restore_is_noticed() {
    let mut file = Vec::new();
    backup::write(&*filled(3000).await, &mut file)
        .await
        .unwrap();
    let target: Arc<dyn Store> =
        Arc::new(Embedded::with_backend(redb::backends::InMemoryBackend::new()).unwrap());
    backup::restore(&*target, &file[..file.len() / 2])
        .await
        .unwrap_err();
    let error = schema::prepare(&*target).await.unwrap_err();
    assert!(error.to_string().contains("broke off"), "{error}");
}

/// Version 1 to 2: every value of `k/` moves to `j/`, with an exclamation mark.
fn rename(entry: &Entry) -> Option<Vec<Write>> {
    let rest = entry.key.strip_prefix(b"k/")?;
    let key = [b"j/", rest].concat();
    let value = [&entry.value[..], b"!"].concat();
    Some(vec![
        Write::Put {
            key,
            value,
            lease: None,
        },
        Write::Delete(Range::key(&entry.key[..])),
    ])
}

#[tokio::test]
async fn an_older_schema_is_migrated_and_a_newer_one_refused() {
    let steps = [Migration {
        from: 1,
        migrate: rename,
    }];
    let store = filled(1200).await;
    let before = schema::prepare(&*store).await.unwrap();
    // Two managers at once.
    let (one, two) = tokio::join!(
        schema::prepare_for(&*store, 2, &steps),
        schema::prepare_for(&*store, 2, &steps)
    );
    for after in [one.unwrap(), two.unwrap()] {
        assert_eq!((after.schema, &after.incarnation), (2, &before.incarnation));
    }
    assert!(pairs(&*store).await.is_empty());
    let moved = store.range(&Range::prefix("j/"), None, None).await.unwrap();
    assert_eq!(moved.entries.len(), 1200);
    assert!(moved
        .entries
        .iter()
        .all(|entry| { entry.value.ends_with(b"!") && !entry.value.ends_with(b"!!") }));
    let error = schema::prepare(&*store).await.unwrap_err();
    assert!(
        matches!(error, Error::TooNew { found: 2, known: 1 }),
        "{error}"
    );
    let error = schema::prepare_for(&*store, 3, &steps).await.unwrap_err();
    assert!(error.to_string().contains("knows no way"), "{error}");
}

#[tokio::test]
async fn one_process_has_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let store = Embedded::open(&path).unwrap();
    assert!(matches!(Embedded::open(&path), Err(Error::InUse(_))));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    drop(store);
    Embedded::open(&path).unwrap();
    std::fs::write(&path, "no database").unwrap();
    assert!(Embedded::open(&path).is_err());
}
