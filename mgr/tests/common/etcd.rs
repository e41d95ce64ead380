// SPDX-License-Identifier: GPL-2.0

//! Real etcd clusters on loopback, gone when the test is over.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use ovnet_mgr::store::{etcd::Options, Etcd, MAX_OPERATIONS};
use tempfile::TempDir;

/// The members of a cluster and what they run from.
pub(crate) struct Cluster {
    directory: TempDir,
    /// The clients' and the members' port of each.
    ports: Vec<(u16, u16)>,
    members: Vec<Option<Child>>,
}

impl Cluster {
    /// A cluster of so many members.
    pub(crate) fn start(members: usize) -> Self {
        // All ports are bound at once, so that no two are the same.
        let listeners: Vec<_> = (0..2 * members)
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let ports: Vec<_> = listeners
            .iter()
            .map(|it| it.local_addr().unwrap().port())
            .collect();
        drop(listeners);
        let ports = ports.chunks(2).map(|pair| (pair[0], pair[1])).collect();
        let members_left = (0..members).map(|_| None).collect();
        let directory = tempfile::tempdir().unwrap();
        let mut cluster = Self {
            directory,
            ports,
            members: members_left,
        };
        for member in 0..members {
            cluster.revive(member);
        }
        cluster
    }

    /// Starts a member that is not running, with the data it had.
    pub(crate) fn revive(&mut self, member: usize) {
        let program = std::env::var_os("OVNET_ETCD").unwrap_or_else(|| "etcd".into());
        let (client, peer) = self.ports[member];
        let peers: Vec<_> = self
            .ports
            .iter()
            .enumerate()
            .map(|(number, (_, port))| format!("m{number}=http://127.0.0.1:{port}"))
            .collect();
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.directory.path().join(format!("m{member}.log")))
            .unwrap();
        let child = Command::new(&program)
            .args(["--name", &format!("m{member}")])
            .arg("--data-dir")
            .arg(self.directory.path().join(format!("m{member}")))
            .args([
                "--listen-client-urls",
                &format!("http://127.0.0.1:{client}"),
            ])
            .args([
                "--advertise-client-urls",
                &format!("http://127.0.0.1:{client}"),
            ])
            .args(["--listen-peer-urls", &format!("http://127.0.0.1:{peer}")])
            .args([
                "--initial-advertise-peer-urls",
                &format!("http://127.0.0.1:{peer}"),
            ])
            .args(["--initial-cluster", &peers.join(",")])
            .args(["--max-txn-ops", &MAX_OPERATIONS.to_string()])
            .args(["--logger", "zap", "--log-level", "warn"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.members[member] = Some(child.unwrap_or_else(|error| {
            panic!(
                "{}: {error}: run the tests by `scripts/env cargo test`, which brings etcd, or \
                 name the program with OVNET_ETCD",
                program.to_string_lossy()
            )
        }));
    }

    /// Kills a member as a power failure would.
    pub(crate) fn kill(&mut self, member: usize) {
        if let Some(mut child) = self.members[member].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// How to reach the cluster.
    pub(crate) fn options(&self, prefix: &str) -> Options {
        Options {
            endpoints: self
                .ports
                .iter()
                .map(|(port, _)| format!("127.0.0.1:{port}"))
                .collect(),
            prefix: prefix.into(),
            tls: None,
        }
    }

    /// A client of the cluster, as soon as it answers.
    pub(crate) async fn connect(&self, prefix: &str) -> Etcd {
        let mut tries = 0;
        loop {
            match Etcd::connect(self.options(prefix)).await {
                Ok(store) => return store,
                Err(error) if tries == 40 => {
                    let log = std::fs::read_to_string(self.directory.path().join("m0.log"));
                    panic!("etcd does not answer: {error}\n{}", log.unwrap_or_default());
                }
                Err(_) => tries += 1,
            }
            tokio::time::sleep(std::time::Duration::from_millis(250)).await;
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for member in 0..self.members.len() {
            self.kill(member);
        }
    }
}
