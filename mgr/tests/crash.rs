// SPDX-License-Identifier: GPL-2.0

//! A process that writes to the embedded store is killed with SIGKILL at random moments, and every
//! write that it had acknowledged must be there when the store is opened again.
//!
//! This program is its own victim: with the argument `write` it is the writer.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ovnet_mgr::store::{Embedded, Outcome, Range, Store, Transaction};

const ROUNDS: u64 = 40;

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    match &arguments[1..] {
        [command, path, round] if command == "write" => write(Path::new(path), round),
        // What `cargo test` passes on picks tests by name; there is only one.
        _ => check(),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

/// Writes until it is killed, four writers at once; says of each write when it is acknowledged.
fn write(path: &Path, round: &str) {
    let store = std::sync::Arc::new(Embedded::open(path).unwrap());
    runtime().block_on(async {
        let mut writers = Vec::new();
        for writer in 0..4 {
            let (store, round) = (store.clone(), round.to_owned());
            writers.push(tokio::spawn(async move {
                for number in 0.. {
                    let key = format!("{writer}/{}", number % 50);
                    let value = format!("{round}.{number}");
                    let transaction = Transaction::new()
                        .put(&key[..], &value[..])
                        .put(format!("twin/{key}"), &value[..]);
                    let Ok(Outcome::Committed(_)) = store.commit(transaction).await else {
                        return;
                    };
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "{key} {value}")
                        .and_then(|()| out.flush())
                        .unwrap();
                }
            }));
        }
        for writer in writers {
            writer.await.unwrap();
        }
    });
}

fn check() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let mut acknowledged: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut count = 0;
    let parse = |value: &str| -> (u64, u64) {
        let (round, number) = value.split_once('.').unwrap();
        (round.parse().unwrap(), number.parse().unwrap())
    };
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["write", path.to_str().unwrap(), &round.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let reader = std::thread::spawn(move || {
            // The last line may be cut short by the kill.
            lines
                .lines()
                .map_while(Result::ok)
                .filter_map(|line| {
                    line.split_once(' ')
                        .map(|(k, v)| (k.to_owned(), v.to_owned()))
                })
                .filter(|(_, value)| value.contains('.'))
                .collect::<Vec<_>>()
        });
        // Early kills hit the opening, late ones hit writes and commits.
        std::thread::sleep(Duration::from_micros(3_000 + (round * 7_919_777) % 250_000));
        child.kill().unwrap();
        child.wait().unwrap();
        for (key, value) in reader.join().unwrap() {
            acknowledged.insert(key, parse(&value));
            count += 1;
        }
        let store = Embedded::open(&path).unwrap();
        let all = runtime()
            .block_on(store.range(&Range::all(), None, None))
            .unwrap();
        let found: BTreeMap<String, String> = all
            .entries
            .into_iter()
            .map(|it| {
                (
                    String::from_utf8(it.key).unwrap(),
                    String::from_utf8(it.value).unwrap(),
                )
            })
            .collect();
        for (key, value) in &acknowledged {
            let stored = found.get(key).map(|stored| parse(stored));
            assert!(
                stored >= Some(*value),
                "round {round}: {key} is {stored:?}, not {value:?}"
            );
        }
        for (key, value) in found.iter().filter(|(key, _)| !key.starts_with("twin/")) {
            assert_eq!(
                found.get(&format!("twin/{key}")),
                Some(value),
                "half a transaction"
            );
        }
    }
    assert!(count > ROUNDS * 5, "only {count} writes in {ROUNDS} rounds");
    println!("{count} acknowledged writes, {ROUNDS} kills, none lost");
    println!("test result: ok. 1 passed; 0 failed");
}
