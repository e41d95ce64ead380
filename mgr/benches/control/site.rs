// SPDX-License-Identifier: GPL-2.0

//! A manager, a real process of its own, with hosts that are provisioned and enrolled.
//!
//! Each host has one node in each network, so that every host may know of every node.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ovnet_engine::Vni;
use ovnet_mgr::core::{Key, NodeId};
use ovnet_mgr::southbound::client::{self, Keeper};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::api::{together, Client};
use crate::daemon::{self, Daemon};
use crate::host::{locator, Command, Host, Sum, Told, Watcher};
use crate::progress::Progress;
use crate::report::Report;

/// So many programs use the API at once.
const CLIENTS: usize = 64;
/// So many nodes are created one after the other first.
const ALONE: usize = 200;

/// How large it all is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) hosts: usize,
    /// Nodes of each host, and networks.
    pub(crate) nodes: usize,
}

impl Size {
    pub(crate) fn all(self) -> usize {
        self.hosts * self.nodes
    }

    /// The host that a node is provisioned to.
    pub(crate) fn home(self, node: usize) -> usize {
        node % self.hosts
    }

    pub(crate) fn key(self, node: usize) -> Key {
        let network = Vni::new(1 + (node / self.hosts) as u32).expect("a small number");
        let address = 0x0a00_0001 + (node % self.hosts) as u32;
        Key::new(network, Ipv4Addr::from_bits(address))
    }

    pub(crate) fn node(self, node: usize) -> NodeId {
        NodeId(1 + node as u64)
    }
}

/// The manager and the hosts.
pub(crate) struct Site {
    pub(crate) size: Size,
    pub(crate) daemon: Daemon,
    pub(crate) hosts: Vec<mpsc::UnboundedSender<Command>>,
    pub(crate) sum: Arc<Sum>,
    /// What hosts were told of the mappings that are looked at.
    pub(crate) told: mpsc::UnboundedReceiver<Told>,
    /// The mappings that are looked at.
    pub(crate) watched: Arc<Mutex<BTreeMap<Key, NodeId>>>,
    /// Where nodes that leave their hosts are started.
    pub(crate) targets: Arc<Mutex<BTreeMap<Key, usize>>>,
}

impl Site {
    /// Provisions, enrols and connects all.
    pub(crate) fn start(size: Size, store: &str, runtime: &Runtime, report: &mut Report) -> Site {
        let daemon = Daemon::start_with(&format!("[log]\nlevel = \"warn\"\n{store}"));
        provision(&daemon, size, report);
        let directories = enrol(&daemon, size, runtime, report);
        let (told, receiver) = mpsc::unbounded_channel();
        let (leaving, mut left) = mpsc::unbounded_channel();
        let watched = Arc::new(Mutex::new(BTreeMap::new()));
        let targets = Arc::new(Mutex::new(BTreeMap::<Key, usize>::new()));
        let watcher = Watcher {
            keys: Arc::clone(&watched),
            told,
            leaving,
        };
        let sum = Arc::new(Sum::default());
        let _inside = runtime.enter();
        let progress = Progress::of("agents connect, and claim their nodes");
        let begin = Instant::now();
        let manager = format!("{}:{}", daemon.address, daemon::SOUTHBOUND);
        let start = |number: usize| {
            let own = (0..size.nodes).map(|network| network * size.hosts + number);
            let ports: Vec<_> = own.map(|node| (size.key(node), size.node(node))).collect();
            let keeper = Keeper::load(&directories[number]).expect("it is enrolled");
            let (sum, watcher) = (Arc::clone(&sum), watcher.clone());
            Host::start(number, keeper, manager.clone(), &ports, sum, watcher)
        };
        let hosts: Vec<_> = (0..size.hosts).map(start).collect();
        let (commands, to) = (hosts.clone(), Arc::clone(&targets));
        runtime.spawn(async move {
            while let Some((key, node)) = left.recv().await {
                let target = to.lock().expect("nobody panics with it").get(&key).copied();
                if let Some(target) = target {
                    // The host ends with the program only.
                    let _ = commands[target].send(Command::Up(key, node));
                }
            }
        });
        let site = Site {
            size,
            daemon,
            hosts,
            sum,
            told: receiver,
            watched,
            targets,
        };
        site.wait(&progress, "bound", size.all(), |sum| &sum.local);
        let rate = size.all() as f64 / begin.elapsed().as_secs_f64();
        progress.end();
        let what = "nodes claimed by agents that connect";
        report.number("claims_per_second", what, rate, "/s");
        site
    }

    /// Waits until a count of all hosts is reached.
    pub(crate) fn wait(
        &self,
        progress: &Progress,
        what: &str,
        count: usize,
        of: impl Fn(&Sum) -> &std::sync::atomic::AtomicUsize,
    ) {
        let start = Instant::now();
        loop {
            let now = of(&self.sum).load(std::sync::atomic::Ordering::Relaxed);
            if now >= count {
                return;
            }
            progress.at(now, count);
            assert!(
                start.elapsed() < Duration::from_secs(600),
                "only {now} of {count} are {what}\n{}",
                self.daemon.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A client of the API.
    pub(crate) fn client(&self) -> Client {
        client(&self.daemon)
    }

    /// Where the manager's metrics are.
    pub(crate) fn metrics(&self) -> SocketAddr {
        (self.daemon.address, daemon::METRICS).into()
    }
}

fn client(daemon: &Daemon) -> Client {
    Client::connect((daemon.address, daemon::API).into(), &daemon.token)
}

fn provision(daemon: &Daemon, size: Size, report: &mut Report) {
    let mut one = client(daemon);
    one.must("PUT", "/v1/organisations/bench", "{}");
    for network in 1..=size.nodes {
        let body = format!(
            "{{\"name\": \"n{network}\", \"organisation\": \"bench\", \"prefixes\": [\"10.0.0.0/8\"]}}"
        );
        one.must("PUT", &format!("/v1/networks/{network}"), &body);
    }
    let connect = || client(daemon);
    let progress = Progress::of("hosts are provisioned");
    together(CLIENTS, size.hosts, connect, &progress, |client, number| {
        let body = format!("{{\"name\": \"h{number}\", \"organisation\": \"bench\"}}");
        client.must("PUT", &format!("/v1/hosts/{}", id(number)), &body);
    });
    progress.end();
    let create = |client: &mut Client, number: usize| {
        let node = size.node(number);
        let key = size.key(number);
        let body = format!(
            "{{\"name\": \"{node}\", \"network\": {}, \"addresses\": [\"{}\"], \"host\": \"{}\"}}",
            key.vni,
            key.address,
            id(size.home(number))
        );
        client.must("PUT", &format!("/v1/nodes/{node}"), &body);
    };
    let progress = Progress::of("nodes are provisioned, one after the other");
    let alone = ALONE.min(size.all());
    let (mut times, _) = together(1, alone, connect, &progress, create);
    progress.end();
    let what = "a durable change, asked for by one program";
    report.times("change_alone", what, &mut times);
    let progress = Progress::of("nodes are provisioned");
    let rest = size.all() - alone;
    let (mut times, took) = together(CLIENTS, rest, connect, &progress, |client, number| {
        create(client, alone + number);
    });
    progress.end();
    let what = format!("durable changes, {CLIENTS} programs at once");
    let rate = rest as f64 / took.as_secs_f64();
    report.number("changes_per_second", &what, rate, "/s");
    report.times("change_together", "each of these", &mut times);
}

/// The id of a host, as the API has it.
pub(crate) fn id(host: usize) -> String {
    let octets = locator(host).to_prefix();
    octets[..8]
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect()
}

fn enrol(daemon: &Daemon, size: Size, runtime: &Runtime, report: &mut Report) -> Vec<PathBuf> {
    let progress = Progress::of("hosts enrol");
    let begin = Instant::now();
    let tokens = Mutex::new(BTreeMap::new());
    let connect = || client(daemon);
    together(CLIENTS, size.hosts, connect, &progress, |client, number| {
        let answer = client.must("POST", &format!("/v1/hosts/{}/enrolments", id(number)), "");
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        let token = answer["token"].as_str().expect("a token").to_owned();
        tokens
            .lock()
            .expect("nobody panics with it")
            .insert(number, token);
    });
    let tokens = tokens.into_inner().expect("nobody panics with it");
    let manager = format!("{}:{}", daemon.address, daemon::SOUTHBOUND);
    let directories: Vec<_> = (0..size.hosts)
        .map(|number| daemon.path(&format!("host-{number}")))
        .collect();
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        let mut done = 0;
        for (number, token) in tokens {
            let (manager, directory) = (manager.clone(), directories[number].clone());
            tasks.spawn(async move { client::enrol(&manager, &token, &directory).await });
            while tasks.len() >= 32 {
                let joined = tasks.join_next().await;
                joined
                    .expect("there are tasks")
                    .expect("it does not panic")
                    .expect("the manager lets it in");
                done += 1;
                progress.at(done, size.hosts);
            }
        }
        while let Some(joined) = tasks.join_next().await {
            joined
                .expect("it does not panic")
                .expect("the manager lets it in");
        }
    });
    progress.end();
    let rate = size.hosts as f64 / begin.elapsed().as_secs_f64();
    report.number("enrolments_per_second", "hosts that enrol", rate, "/s");
    directories
}

/// The manager's metrics; nothing while it does not answer.
pub(crate) fn scrape(address: SocketAddr) -> Option<BTreeMap<String, u64>> {
    let patience = Duration::from_secs(1);
    let mut stream = TcpStream::connect_timeout(&address, patience).ok()?;
    stream.set_read_timeout(Some(patience)).ok()?;
    let request = "GET /metrics HTTP/1.1\r\nHost: ovnet\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let metric = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        let value: f64 = value.parse().ok()?;
        Some((name.to_owned(), value as u64))
    };
    Some(text.lines().filter_map(metric).collect())
}

/// The memory that a process has, in bytes.
pub(crate) fn resident(pid: u32) -> u64 {
    let path = Path::new("/proc").join(pid.to_string()).join("statm");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|n| n.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}
