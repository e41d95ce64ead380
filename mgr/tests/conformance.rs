// SPDX-License-Identifier: GPL-2.0

//! What a store promises, asked of both implementations: an embedded one and a real etcd.

mod common;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use common::etcd::Cluster;
use ovnet_mgr::store::{
    Change, Condition, Embedded, Error, Event, Lease, Outcome, Range, Revision, Store, Transaction,
    Watch, MAX_OPERATIONS,
};

type Any = Arc<dyn Store>;

/// Runs each of the cases named against the store that an expression makes.
macro_rules! cases {
    ($($case:ident),+ $(,)?) => {
        mod embedded {
            $(#[test] fn $case() { super::on_embedded(super::$case); })+
        }
        mod etcd {
            $(#[test] fn $case() { super::on_etcd(stringify!($case), super::$case); })+
        }
    };
}

cases![
    put_get_delete,
    revisions_count_changes,
    conditions_decide,
    transactions_are_whole,
    invalid_transactions_are_refused,
    large_transactions,
    ranges_are_ordered_and_limited,
    bytes_are_bytes,
    the_past_can_be_read,
    watch_sees_every_change_in_order,
    watch_resumes_from_the_past,
    watch_waits_for_the_future,
    watch_keeps_to_its_range,
    compaction_forgets,
    compaction_keeps_what_is_valid,
    leases_delete_their_keys,
    leases_live_while_kept_alive,
    a_put_changes_the_lease,
    one_of_many_wins,
    concurrent_counters_add_up,
    random_history,
];

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

fn on_embedded<F: Future<Output = ()>>(case: fn(Any) -> F) {
    let directory = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        case(Arc::new(
            Embedded::open(&directory.path().join("store")).unwrap(),
        ))
        .await;
    });
}

/// One server for all cases, each under a prefix of its own; it ends with the last of them.
fn on_etcd<F: Future<Output = ()>>(name: &str, case: fn(Any) -> F) {
    use std::sync::{Mutex, Weak};
    static SERVER: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
    let cluster = {
        let mut server = SERVER.lock().unwrap();
        server.upgrade().unwrap_or_else(|| {
            let started = Arc::new(Cluster::start(1));
            *server = Arc::downgrade(&started);
            started
        })
    };
    // The history of the server is common: cases that forget some of it must be alone.
    static HISTORY: std::sync::RwLock<()> = std::sync::RwLock::new(());
    let (_alone, _together);
    if name.starts_with("compaction") {
        _alone = HISTORY
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
    } else {
        _together = HISTORY
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
    }
    runtime().block_on(async {
        case(Arc::new(cluster.connect(&format!("{name}/")).await)).await;
    });
}

async fn commit(store: &Any, transaction: Transaction) -> Revision {
    match store.commit(transaction).await.unwrap() {
        Outcome::Committed(revision) => revision,
        Outcome::Refused { .. } => panic!("a condition does not hold"),
    }
}

async fn put(store: &Any, key: &str, value: &str) -> Revision {
    commit(store, Transaction::new().put(key, value)).await
}

async fn refused(store: &Any, transaction: Transaction) -> bool {
    matches!(
        store.commit(transaction).await.unwrap(),
        Outcome::Refused { .. }
    )
}

/// The entries of a range as `key=value`.
async fn read_at(store: &Any, range: &Range, at: Option<Revision>) -> Vec<String> {
    let snapshot = store.range(range, at, None).await.unwrap();
    assert!(!snapshot.more);
    let text = |bytes: &[u8]| String::from_utf8(bytes.into()).unwrap();
    snapshot
        .entries
        .iter()
        .map(|it| format!("{}={}", text(&it.key), text(&it.value)))
        .collect()
}

async fn read(store: &Any, range: &Range) -> Vec<String> {
    read_at(store, range, None).await
}

async fn next(watch: &mut Watch) -> Change {
    tokio::time::timeout(Duration::from_secs(10), watch.next())
        .await
        .expect("no change")
        .unwrap()
}

/// A change as `+key=value` and `-key`.
fn told(change: &Change) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.into()).unwrap();
    let mut events: Vec<_> = change
        .events
        .iter()
        .map(|event| match event {
            Event::Put(entry) => {
                assert_eq!(entry.modified, change.revision);
                format!("+{}={}", text(&entry.key), text(&entry.value))
            }
            Event::Delete(key) => format!("-{}", text(key)),
        })
        .collect();
    events.sort();
    events
}

async fn put_get_delete(store: Any) {
    let key = Range::key("a");
    assert!(read(&store, &key).await.is_empty());
    let created = put(&store, "a", "1").await;
    let modified = put(&store, "a", "2").await;
    let snapshot = store.range(&key, None, None).await.unwrap();
    assert_eq!(snapshot.entries.len(), 1);
    assert_eq!(snapshot.entries[0].value, b"2");
    assert_eq!(
        (snapshot.entries[0].created, snapshot.entries[0].modified),
        (created, modified)
    );
    commit(&store, Transaction::new().delete("a")).await;
    assert!(read(&store, &key).await.is_empty());
    let again = put(&store, "a", "3").await;
    assert_eq!(
        store.range(&key, None, None).await.unwrap().entries[0].created,
        again
    );
}

async fn revisions_count_changes(store: Any) {
    let first = put(&store, "a", "1").await;
    let second = put(&store, "a", "1").await;
    assert!(second > first, "a put of the same value is a change");
    let nothing = commit(&store, Transaction::new().delete("none")).await;
    assert!(nothing >= second);
    let both = commit(&store, Transaction::new().put("b", "").put("c", "")).await;
    let snapshot = store.range(&Range::all(), None, None).await.unwrap();
    assert!(snapshot.revision >= both);
    let modified: Vec<_> = snapshot
        .entries
        .iter()
        .map(|entry| entry.modified)
        .collect();
    assert_eq!(modified, [second, both, both]);
}

async fn conditions_decide(store: Any) {
    let write = || Transaction::new().put("out", "x");
    let (a, none) = (b"a".to_vec(), b"none".to_vec());
    let revision = put(&store, "a", "1").await;
    for (condition, holds) in [
        (Condition::Absent(none.clone()), true),
        (Condition::Absent(a.clone()), false),
        (Condition::Exists(a.clone()), true),
        (Condition::Exists(none.clone()), false),
        (Condition::Modified(a.clone(), revision), true),
        (Condition::Modified(a.clone(), revision - 1), false),
        (Condition::Modified(none.clone(), revision), false),
        (Condition::Value(a.clone(), b"1".to_vec()), true),
        (Condition::Value(a.clone(), b"2".to_vec()), false),
        (Condition::Value(none, Vec::new()), false),
    ] {
        commit(&store, Transaction::new().delete("out")).await;
        let case = format!("{condition:?}");
        assert_eq!(
            refused(&store, write().when(condition)).await,
            !holds,
            "{case}"
        );
        assert_eq!(
            !read(&store, &Range::key("out")).await.is_empty(),
            holds,
            "{case}"
        );
    }
    // All of them must hold, whichever fails.
    for order in [[0, 1], [1, 0]] {
        let pair = [Condition::Exists(a.clone()), Condition::Absent(a.clone())];
        let both = write()
            .when(pair[order[0]].clone())
            .when(pair[order[1]].clone());
        assert!(refused(&store, both).await);
    }
    // A key that was deleted is absent, and no value of it counts.
    commit(&store, Transaction::new().delete("a")).await;
    assert!(!refused(&store, write().when(Condition::Absent(a.clone()))).await);
    assert!(refused(&store, write().when(Condition::Modified(a, revision))).await);
}

async fn transactions_are_whole(store: Any) {
    put(&store, "a/1", "old").await;
    put(&store, "a/2", "old").await;
    put(&store, "b", "old").await;
    let all = Transaction::new()
        .delete_range(Range::prefix("a/"))
        .put("b", "new")
        .put("c", "new");
    assert!(refused(&store, all.clone().when(Condition::Exists("d".into()))).await);
    assert_eq!(
        read(&store, &Range::all()).await,
        ["a/1=old", "a/2=old", "b=old"]
    );
    let revision = commit(&store, all.when(Condition::Exists("b".into()))).await;
    assert_eq!(read(&store, &Range::all()).await, ["b=new", "c=new"]);
    let mut watch = store.watch(Range::all(), revision).await.unwrap();
    assert_eq!(
        told(&next(&mut watch).await),
        ["+b=new", "+c=new", "-a/1", "-a/2"]
    );
}

async fn invalid_transactions_are_refused(store: Any) {
    for transaction in [
        Transaction::new().put("a", "1").put("a", "2"),
        Transaction::new().put("a", "1").delete("a"),
        Transaction::new().put("", ""),
    ] {
        let error = store.commit(transaction.clone()).await.unwrap_err();
        assert!(
            matches!(error, Error::Invalid(_)),
            "{transaction:?}: {error}"
        );
    }
    // Deletions may overlap.
    put(&store, "a", "").await;
    let twice = Transaction::new()
        .delete("a")
        .delete_range(Range::prefix("a"));
    commit(&store, twice).await;
    // An empty range deletes nothing.
    put(&store, "b", "").await;
    commit(
        &store,
        Transaction::new().delete_range(Range::between("c", "b")),
    )
    .await;
    commit(
        &store,
        Transaction::new().delete_range(Range::between("b", "b")),
    )
    .await;
    assert_eq!(read(&store, &Range::all()).await, ["b="]);
    let nothing = store
        .range(&Range::between("b", "b"), None, None)
        .await
        .unwrap();
    assert_eq!(nothing.entries, []);
}

async fn large_transactions(store: Any) {
    let mut transaction = Transaction::new();
    for i in 0..MAX_OPERATIONS {
        let key = format!("{i:05}");
        transaction = transaction
            .when(Condition::Absent(key.clone().into()))
            .put(key, "");
    }
    commit(&store, transaction.clone()).await;
    assert_eq!(read(&store, &Range::all()).await.len(), MAX_OPERATIONS);
    let more = transaction.put("one more", "");
    assert!(matches!(store.commit(more).await, Err(Error::Invalid(_))));
}

async fn ranges_are_ordered_and_limited(store: Any) {
    let mut all = Transaction::new();
    for i in (0..2500).rev() {
        all = all.put(format!("k/{i:04}"), format!("{i}"));
    }
    commit(&store, all.put("j", "").put("l", "")).await;
    let range = Range::prefix("k/");
    let found = read(&store, &range).await;
    assert_eq!(found.len(), 2500);
    assert!(found.is_sorted());
    let mut rest = range.clone();
    let mut pages = Vec::new();
    loop {
        let page = store.range(&rest, None, Some(1100)).await.unwrap();
        pages.push(page.entries.len());
        let Some(last) = page.entries.last().filter(|_| page.more) else {
            break;
        };
        rest = rest.after(&last.key);
    }
    assert_eq!(pages, [1100, 1100, 300]);
    let exact = store.range(&range, None, Some(2500)).await.unwrap();
    assert_eq!((exact.entries.len(), exact.more), (2500, false));
    let between = store
        .range(&Range::between("k/0001", "k/0003"), None, None)
        .await
        .unwrap();
    let keys: Vec<_> = between.entries.iter().map(|entry| &entry.key[..]).collect();
    assert_eq!(keys, [b"k/0001", b"k/0002"]);
}

async fn bytes_are_bytes(store: Any) {
    let keys: [&[u8]; 6] = [b"\0", b"\0\0", b"a\0", b"a\xff", b"\xff", b"\xff\xff"];
    for key in keys {
        commit(&store, Transaction::new().put(key, key)).await;
    }
    let found = store.range(&Range::all(), None, None).await.unwrap();
    let found: Vec<_> = found.entries.iter().map(|entry| &entry.key[..]).collect();
    assert_eq!(found, keys);
    let found = store
        .range(&Range::prefix(b"\xff".to_vec()), None, None)
        .await
        .unwrap();
    assert_eq!(found.entries.len(), 2);
    let found = store
        .range(&Range::key(b"a\0".to_vec()), None, None)
        .await
        .unwrap();
    assert_eq!(found.entries.len(), 1);
    commit(&store, Transaction::new().put("empty", "")).await;
    assert_eq!(read(&store, &Range::key("empty")).await, ["empty="]);
}

async fn the_past_can_be_read(store: Any) {
    let first = put(&store, "a", "1").await;
    let second = put(&store, "b", "1").await;
    let third = commit(&store, Transaction::new().put("a", "2").delete("b")).await;
    let fourth = put(&store, "b", "2").await;
    let all = Range::all();
    assert_eq!(read_at(&store, &all, Some(first)).await, ["a=1"]);
    assert_eq!(read_at(&store, &all, Some(second)).await, ["a=1", "b=1"]);
    assert_eq!(read_at(&store, &all, Some(third)).await, ["a=2"]);
    assert_eq!(read_at(&store, &all, Some(fourth)).await, ["a=2", "b=2"]);
    let page = store.range(&all, Some(second), Some(1)).await.unwrap();
    assert_eq!(
        (page.revision, page.entries.len(), page.more),
        (second, 1, true)
    );
    let page = store
        .range(&Range::all().after(b"a"), Some(third), Some(1))
        .await
        .unwrap();
    assert_eq!((page.entries.len(), page.more), (0, false));
    let error = store
        .range(&all, Some(fourth + 1_000_000), None)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Future(_)), "{error}");
}

async fn watch_sees_every_change_in_order(store: Any) {
    let start = put(&store, "w/begin", "").await;
    let mut watch = store.watch(Range::prefix("w/"), start + 1).await.unwrap();
    let writer = {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for i in 0..500 {
                put(&store, &format!("w/{}", i % 7), &i.to_string()).await;
            }
        })
    };
    let mut last = start;
    for i in 0..500 {
        let change = next(&mut watch).await;
        assert!(change.revision > last);
        last = change.revision;
        assert_eq!(told(&change), [format!("+w/{}={i}", i % 7)]);
    }
    writer.await.unwrap();
    commit(&store, Transaction::new().delete_range(Range::prefix("w/"))).await;
    assert_eq!(next(&mut watch).await.events.len(), 8);
}

async fn watch_resumes_from_the_past(store: Any) {
    let first = put(&store, "a", "1").await;
    put(&store, "a", "2").await;
    let third = commit(&store, Transaction::new().delete("a").put("b", "1")).await;
    let mut watch = store.watch(Range::all(), first).await.unwrap();
    assert_eq!(told(&next(&mut watch).await), ["+a=1"]);
    assert_eq!(told(&next(&mut watch).await), ["+a=2"]);
    assert_eq!(told(&next(&mut watch).await), ["+b=1", "-a"]);
    let mut watch = store.watch(Range::all(), third).await.unwrap();
    assert_eq!(told(&next(&mut watch).await), ["+b=1", "-a"]);
    put(&store, "c", "1").await;
    assert_eq!(told(&next(&mut watch).await), ["+c=1"]);
}

async fn watch_waits_for_the_future(store: Any) {
    let now = put(&store, "a", "1").await;
    let mut watch = store.watch(Range::key("b"), now + 1).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(300), watch.next()).await;
    assert!(early.is_err(), "{early:?}");
    put(&store, "b", "1").await;
    assert_eq!(told(&next(&mut watch).await), ["+b=1"]);
}

async fn watch_keeps_to_its_range(store: Any) {
    let start = put(&store, "a", "").await;
    let mut watch = store.watch(Range::prefix("b/"), start).await.unwrap();
    put(&store, "b", "").await;
    put(&store, "b0", "").await;
    commit(
        &store,
        Transaction::new().put("a", "").put("b/1", "x").put("c", ""),
    )
    .await;
    assert_eq!(told(&next(&mut watch).await), ["+b/1=x"]);
}

async fn compaction_forgets(store: Any) {
    let first = put(&store, "a", "1").await;
    let second = put(&store, "a", "2").await;
    let third = commit(&store, Transaction::new().delete("a")).await;
    let mut behind = store.watch(Range::all(), first).await.unwrap();
    next(&mut behind).await;
    store.compact(third).await.unwrap();
    for at in [first, second] {
        let error = store
            .range(&Range::all(), Some(at), None)
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Compacted { .. }), "{error}");
        let mut watch = store.watch(Range::all(), at).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(10), watch.next())
            .await
            .unwrap();
        assert!(matches!(ended, Err(Error::Compacted { .. })), "{ended:?}");
    }
    assert!(read_at(&store, &Range::all(), Some(third)).await.is_empty());
    let mut watch = store.watch(Range::all(), third).await.unwrap();
    assert_eq!(told(&next(&mut watch).await), ["-a"]);
    // Doing it again is no error; what does not exist yet cannot be forgotten.
    store.compact(third).await.unwrap();
    store.compact(second).await.unwrap();
    assert!(matches!(
        store.compact(third + 1_000_000).await,
        Err(Error::Future(_))
    ));
}

async fn compaction_keeps_what_is_valid(store: Any) {
    for round in 0..20 {
        put(&store, "often", &round.to_string()).await;
        if round == 3 {
            put(&store, "once", "x").await;
            put(&store, "deleted", "x").await;
            commit(&store, Transaction::new().delete("deleted")).await;
        }
    }
    let before = put(&store, "last", "1").await;
    let after = put(&store, "often", "20").await;
    for at in [before, after] {
        let expected = read_at(&store, &Range::all(), Some(after)).await;
        let earlier = read_at(&store, &Range::all(), Some(before)).await;
        store.compact(at).await.unwrap();
        assert_eq!(read_at(&store, &Range::all(), Some(after)).await, expected);
        assert_eq!(expected, ["last=1", "often=20", "once=x"]);
        assert_eq!(earlier, ["last=1", "often=19", "once=x"]);
        if at == after {
            break;
        }
        assert_eq!(read_at(&store, &Range::all(), Some(before)).await, earlier);
    }
}

async fn leases_delete_their_keys(store: Any) {
    let lease = store.grant(Duration::from_secs(1)).await.unwrap();
    let start = commit(
        &store,
        Transaction::new().put_leased("a", "1", lease).put("b", "1"),
    )
    .await;
    let last = commit(&store, Transaction::new().put_leased("c", "1", lease)).await;
    for at in [None, Some(start)] {
        let bound = store.range(&Range::all(), at, Some(2)).await.unwrap();
        let bound: Vec<_> = bound.entries.iter().map(|entry| entry.lease).collect();
        assert_eq!(bound, [Some(lease), None]);
    }
    let mut watch = store.watch(Range::all(), last + 1).await.unwrap();
    assert_eq!(read(&store, &Range::all()).await, ["a=1", "b=1", "c=1"]);
    let mut gone = told(&next(&mut watch).await);
    if gone.len() == 1 {
        gone.extend(told(&next(&mut watch).await));
    }
    assert_eq!(gone, ["-a", "-c"]);
    assert_eq!(read(&store, &Range::all()).await, ["b=1"]);
    assert!(matches!(store.keep_alive(lease).await, Err(Error::NoLease)));
    let late = Transaction::new().put_leased("a", "2", lease);
    assert!(matches!(store.commit(late).await, Err(Error::NoLease)));
    let revoked = store.grant(Duration::from_secs(60)).await.unwrap();
    commit(&store, Transaction::new().put_leased("a", "2", revoked)).await;
    store.revoke(revoked).await.unwrap();
    assert_eq!(read(&store, &Range::all()).await, ["b=1"]);
    assert!(matches!(store.revoke(revoked).await, Err(Error::NoLease)));
    assert!(matches!(
        store.keep_alive(Lease(77)).await,
        Err(Error::NoLease)
    ));
}

async fn leases_live_while_kept_alive(store: Any) {
    let lease = store.grant(Duration::from_secs(2)).await.unwrap();
    commit(&store, Transaction::new().put_leased("a", "1", lease)).await;
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        store.keep_alive(lease).await.unwrap();
    }
    assert_eq!(read(&store, &Range::all()).await, ["a=1"]);
}

async fn a_put_changes_the_lease(store: Any) {
    let first = store.grant(Duration::from_secs(60)).await.unwrap();
    let second = store.grant(Duration::from_secs(60)).await.unwrap();
    let all = Transaction::new();
    let all = all
        .put_leased("a", "", first)
        .put_leased("b", "", first)
        .put_leased("c", "", first);
    commit(&store, all).await;
    commit(
        &store,
        Transaction::new().put("a", "").put_leased("b", "", second),
    )
    .await;
    store.revoke(first).await.unwrap();
    assert_eq!(read(&store, &Range::all()).await, ["a=", "b="]);
    store.revoke(second).await.unwrap();
    assert_eq!(read(&store, &Range::all()).await, ["a="]);
}

async fn one_of_many_wins(store: Any) {
    let mut tasks = Vec::new();
    for i in 0..20 {
        let store = Arc::clone(&store);
        tasks.push(tokio::spawn(async move {
            let claim = Transaction::new().when(Condition::Absent("lock".into()));
            !refused(&store, claim.put("lock", i.to_string())).await
        }));
    }
    let mut winners = Vec::new();
    for (i, task) in tasks.into_iter().enumerate() {
        if task.await.unwrap() {
            winners.push(i);
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(
        read(&store, &Range::all()).await,
        [format!("lock={}", winners[0])]
    );
}

async fn concurrent_counters_add_up(store: Any) {
    put(&store, "n", "0").await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let store = Arc::clone(&store);
        tasks.push(tokio::spawn(async move {
            for _ in 0..25 {
                loop {
                    let now = store.range(&Range::key("n"), None, None).await.unwrap();
                    let entry = &now.entries[0];
                    let n: u32 = std::str::from_utf8(&entry.value).unwrap().parse().unwrap();
                    let same = Condition::Modified("n".into(), entry.modified);
                    let add = Transaction::new().when(same).put("n", (n + 1).to_string());
                    if !refused(&store, add).await {
                        break;
                    }
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(read(&store, &Range::all()).await, ["n=200"]);
}

/// Random transactions, compared with a map at every step and every revision afterwards.
async fn random_history(store: Any) {
    use std::collections::BTreeMap;
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |bound: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % bound
    };
    let mut model: BTreeMap<String, String> = BTreeMap::new();
    let mut history = Vec::new();
    let start = put(&store, "~", "").await;
    model.insert("~".into(), String::new());
    for step in 0..300 {
        let mut transaction = Transaction::new();
        let mut after = model.clone();
        let guard = format!("k{}", random(12));
        let absent = random(2) == 0;
        let holds = model.contains_key(&guard) != absent;
        transaction = transaction.when(match absent {
            true => Condition::Absent(guard.into()),
            false => Condition::Exists(guard.into()),
        });
        let cut = format!("k{}", random(12));
        let end = format!("k{}", random(12));
        if random(4) == 0 {
            after.retain(|key, _| key < &cut || key >= &end);
            transaction = transaction.delete_range(Range::between(cut.clone(), end.clone()));
        } else {
            let value = step.to_string();
            after.insert(cut.clone(), value.clone());
            transaction = transaction.put(cut, value);
        }
        match store.commit(transaction).await.unwrap() {
            Outcome::Committed(revision) => {
                assert!(holds);
                model = after;
                history.push((revision, model.clone()));
            }
            Outcome::Refused { .. } => assert!(!holds),
        }
    }
    let lines = |model: &BTreeMap<String, String>| -> Vec<String> {
        model
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect()
    };
    for (revision, model) in &history {
        assert_eq!(
            read_at(&store, &Range::all(), Some(*revision)).await,
            lines(model)
        );
    }
    // Replaying the changes leads to the same state.
    let mut replayed = BTreeMap::new();
    let mut watch = store.watch(Range::all(), start).await.unwrap();
    put(&store, "~", "end").await;
    model.insert("~".into(), "end".into());
    while replayed.get("~").map(String::as_str) != Some("end") {
        for event in next(&mut watch).await.events {
            let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
            match event {
                Event::Put(entry) => replayed.insert(text(entry.key), text(entry.value)),
                Event::Delete(key) => replayed.remove(&text(key)),
            };
        }
    }
    assert_eq!(replayed, model);
}
