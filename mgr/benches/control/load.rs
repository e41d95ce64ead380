// SPDX-License-Identifier: GPL-2.0

//! What hosts and operators do to a manager, and how it takes it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ovnet_mgr::core::agent::kernel::Place;
use ovnet_mgr::core::{Key, Random};

use crate::host::{locator, Command, Told};
use crate::progress::Progress;
use crate::report::{Report, Sample};
use crate::site::{id, resident, scrape, Site};

/// What a host asks in a second when nothing happens: 1,900 mappings, each once in 300 s.
const CALM: f64 = 1900.0 / 300.0;
/// So many times that is a storm.
const STORM: f64 = 10.0;
/// Nodes that are moved.
const MOVES: usize = 200;
/// Hosts that know the node that is moved, besides those that happen to.
const PEERS: usize = 19;
/// What is not over by then never is.
const LIMIT: Duration = Duration::from_secs(120);

/// The loads, one after the other.
pub(crate) struct Load {
    site: Site,
    random: Random,
    /// How many misses each host has had: the next is another mapping.
    missed: Vec<usize>,
    /// Where nodes are that have moved.
    moved: BTreeMap<usize, usize>,
}

impl Load {
    pub(crate) fn new(site: Site) -> Load {
        Load {
            missed: vec![0; site.size.hosts],
            moved: BTreeMap::new(),
            random: Random::new(1),
            site,
        }
    }

    /// A packet of a host needs a mapping that it has not needed before.
    fn miss(&mut self, host: usize) {
        let size = self.site.size;
        let node = loop {
            let node = (host * 7919 + self.missed[host]) % size.all();
            self.missed[host] += 1;
            let at = self.moved.get(&node).copied();
            if at.unwrap_or(size.home(node)) != host {
                break node;
            }
        };
        self.tell(host, Command::Miss(size.key(node)));
    }

    fn tell(&self, host: usize, command: Command) {
        let sent = self.site.hosts[host].send(command);
        sent.expect("hosts end with the program");
    }

    /// Misses at a rate, of hosts in no order.
    fn offer(&mut self, rate: f64, time: Duration, progress: &Progress) {
        let start = Instant::now();
        let all = (rate * time.as_secs_f64()) as usize;
        let mut offered = 0;
        while offered < all {
            let due = ((rate * start.elapsed().as_secs_f64()) as usize).min(all);
            while offered < due {
                let host = self.random.below(self.site.size.hosts as u64) as usize;
                self.miss(host);
                offered += 1;
            }
            progress.at(offered, all);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits until nothing waits any more; how long that took.
    fn settle(&self) -> Duration {
        let start = Instant::now();
        loop {
            let pending = self.site.sum.pending.load(Ordering::Relaxed);
            let queue = scrape(self.site.metrics()).map(|it| of(&it, "ovnet_manager_queue"));
            if pending == 0 && queue == Some(0) {
                return start.elapsed();
            }
            assert!(
                start.elapsed() < LIMIT,
                "{pending} misses still wait after {LIMIT:?}, the manager's queue is {queue:?}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Nodes move to other hosts; how soon those hear of it who know the node.
    pub(crate) fn changes(&mut self, report: &mut Report) {
        let size = self.site.size;
        let moves = MOVES.min(size.all() / 2);
        let nodes: Vec<usize> = (0..moves).map(|i| i * (size.all() / moves)).collect();
        for node in &nodes {
            for peer in 1..=PEERS.min(size.hosts - 2) {
                let host = (size.home(*node) + peer) % size.hosts;
                self.tell(host, Command::Miss(size.key(*node)));
            }
        }
        self.settle();
        self.site.sum.resolved();
        let progress = Progress::of("nodes move");
        let mut client = self.site.client();
        let mut ordered: BTreeMap<Key, (Instant, usize)> = BTreeMap::new();
        let mut answered = Vec::new();
        for (i, node) in nodes.iter().enumerate() {
            let key = size.key(*node);
            let target = (size.home(*node) + size.hosts - 1) % size.hosts;
            let lock = "nobody panics with it";
            let targets = Arc::clone(&self.site.targets);
            targets.lock().expect(lock).insert(key, target);
            let watched = Arc::clone(&self.site.watched);
            watched.lock().expect(lock).insert(key, size.node(*node));
            let begin = Instant::now();
            ordered.insert(key, (begin, target));
            self.moved.insert(*node, target);
            let path = format!("/v1/nodes/{}/placement", size.node(*node));
            client.must("PUT", &path, &format!("{{\"host\": \"{}\"}}", id(target)));
            answered.push(begin.elapsed());
            progress.at(i, moves);
            std::thread::sleep(Duration::from_millis(50).saturating_sub(begin.elapsed()));
        }
        let mut told = Vec::new();
        let start = Instant::now();
        let mut here = BTreeSet::new();
        while here.len() < moves {
            while let Ok(news) = self.site.told.try_recv() {
                if news.mapping.place == Place::Local {
                    here.insert(news.key);
                }
                told.push(news);
            }
            assert!(
                start.elapsed() < LIMIT,
                "only {} nodes have moved",
                here.len()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        // The last ones may be on their way to those who know the node.
        std::thread::sleep(Duration::from_secs(1));
        told.extend(std::iter::from_fn(|| self.site.told.try_recv().ok()));
        progress.end();
        self.site
            .watched
            .lock()
            .expect("nobody panics with it")
            .clear();
        let first = |wanted: &dyn Fn(&Told) -> bool| {
            let mut first: BTreeMap<(Key, usize), Duration> = BTreeMap::new();
            for news in told.iter().filter(|news| wanted(news)) {
                let time = news.at - ordered[&news.key].0;
                let entry = first.entry((news.key, news.host)).or_insert(time);
                *entry = (*entry).min(time);
            }
            first.into_values().collect::<Vec<_>>()
        };
        let source = |news: &Told| size.home(node_of(size, news.key)) == news.host;
        let target = |news: &Told| ordered[&news.key].1 == news.host;
        let mut heard = first(&|news| !source(news) && !target(news));
        let mut bound = first(&|news| news.mapping.place == Place::Local);
        let mut known = first(&|news| {
            let to = locator(ordered[&news.key].1);
            news.mapping.place == Place::Remote(to)
        });
        report.times("change_answered", "a change is answered", &mut answered);
        let what = "a host that knows the node hears of it";
        report.times("change_received", what, &mut heard);
        report.times(
            "move_bound",
            "the node is bound to its new host",
            &mut bound,
        );
        let what = "a host that knows the node sends there";
        report.times("move_known", what, &mut known);
    }

    /// The questions of a calm day, a storm of them, and calm again.
    pub(crate) fn storm(&mut self, report: &mut Report) {
        let calm = CALM * self.site.size.hosts as f64;
        let ask = |this: &mut Self, what, rate: f64, time| {
            this.site.sum.resolved();
            let progress = Progress::of(what);
            let sampler = Sampler::start(&this.site);
            let begin = Instant::now();
            this.offer(rate, time, &progress);
            let offered = begin.elapsed();
            let settled = this.settle();
            progress.end();
            (offered, settled, sampler.end(), this.site.sum.resolved())
        };
        let (_, _, _, mut times) = ask(self, "misses of a calm day", calm, Duration::from_secs(10));
        let what = format!("a miss is resolved, at {calm:.0} a second");
        report.times("resolve", &what, &mut times);
        let rate = STORM * calm;
        let (took, back, samples, mut times) =
            ask(self, "a storm of misses", rate, Duration::from_secs(10));
        let offered = times.len() as f64 / took.as_secs_f64();
        report.number(
            "storm_per_second",
            "a storm: misses",
            offered,
            "/s for 10 s",
        );
        report.times("storm_resolve", "a storm: a miss is resolved", &mut times);
        report.number(
            "storm_back_s",
            "a storm: nothing waits any more after it",
            back.as_secs_f64(),
            " s",
        );
        report.samples("storm", "a storm", &samples);
        let (_, _, _, mut times) = ask(self, "misses after it", calm, Duration::from_secs(5));
        report.times("resolve_after", "a miss is resolved, after it", &mut times);
    }

    /// All hosts miss a thousand mappings at the same moment.
    pub(crate) fn flood(&mut self, report: &mut Report) {
        const EACH: usize = 1000;
        self.site.sum.resolved();
        let progress = Progress::of("a flood of misses");
        let sampler = Sampler::start(&self.site);
        let begin = Instant::now();
        for host in 0..self.site.size.hosts {
            for _ in 0..EACH {
                self.miss(host);
            }
        }
        self.settle();
        let took = begin.elapsed().as_secs_f64();
        progress.end();
        let samples = sampler.end();
        let mut times = self.site.sum.resolved();
        let all = times.len() as f64;
        report.number("flood", "a flood: misses at once", all, "");
        report.number("flood_per_second", "a flood: resolved", all / took, "/s");
        report.number(
            "flood_back_s",
            "a flood: nothing waits any more after",
            took,
            " s",
        );
        report.times("flood_resolve", "a flood: a miss is resolved", &mut times);
        report.samples("flood_curve", "a flood", &samples);
    }

    /// The manager is killed and started again.
    pub(crate) fn restart(&mut self, report: &mut Report) {
        let progress = Progress::of("the manager is killed, and started again");
        let size = self.site.size;
        let bytes = resident(self.site.daemon.pid());
        let megabytes = bytes as f64 / 1e6;
        let what = format!(
            "the manager's memory, with {} nodes and {} agents",
            size.all(),
            size.hosts
        );
        report.number("manager_mb", &what, megabytes, " MB");
        self.site.daemon.kill();
        let connected = Arc::clone(&self.site.sum);
        let start = Instant::now();
        while connected.connected.load(Ordering::Relaxed) > 0 {
            assert!(start.elapsed() < LIMIT, "agents do not notice");
            std::thread::sleep(Duration::from_millis(5));
        }
        self.site.daemon.run();
        let begin = Instant::now();
        let sampler = Sampler::start(&self.site);
        self.site
            .wait(&progress, "connected", size.hosts, |sum| &sum.connected);
        let took = begin.elapsed().as_secs_f64();
        let what = "all agents are connected to a manager started again after";
        report.number("reconnect_s", what, took, " s");
        // What they know is confirmed within ten seconds of each one's connection.
        std::thread::sleep(Duration::from_secs(12));
        report.samples("reconnect", "a manager started again", &sampler.end());
        self.miss(0);
        let back = self.settle();
        report.number(
            "reconnect_resolve_s",
            "and a miss is resolved after",
            back.as_secs_f64(),
            " s",
        );
        progress.end();
    }
}

fn node_of(size: crate::site::Size, key: Key) -> usize {
    let network = key.vni.get() as usize - 1;
    network * size.hosts + (key.address.to_bits() - 0x0a00_0001) as usize
}

fn of(metrics: &BTreeMap<String, u64>, name: &str) -> u64 {
    metrics.get(name).copied().unwrap_or(0)
}

/// Looks at the manager and the hosts ten times a second.
struct Sampler {
    end: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<Vec<Sample>>,
}

impl Sampler {
    fn start(site: &Site) -> Sampler {
        let end = Arc::new(AtomicBool::new(false));
        let (ended, sum, address) = (Arc::clone(&end), Arc::clone(&site.sum), site.metrics());
        let thread = std::thread::spawn(move || {
            let start = Instant::now();
            let keys = |metrics: &BTreeMap<String, u64>, what: &str| {
                of(
                    metrics,
                    &format!("ovnet_manager_keys_total{{what=\"{what}\"}}"),
                )
            };
            let mut before = scrape(address).unwrap_or_default();
            let mut samples = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(100));
                let Some(now) = scrape(address) else {
                    continue;
                };
                let since = |what| keys(&now, what).saturating_sub(keys(&before, what));
                samples.push(Sample {
                    at: start.elapsed(),
                    queue: of(&now, "ovnet_manager_queue"),
                    pending: sum.pending.load(Ordering::Relaxed) as u64,
                    busy: since("busy"),
                    answered: since("answered"),
                });
                before = now;
            }
            samples
        });
        Sampler { end, thread }
    }

    fn end(self) -> Vec<Sample> {
        self.end.store(true, Ordering::Relaxed);
        self.thread.join().expect("it does not panic")
    }
}
