// SPDX-License-Identifier: GPL-2.0

//! A host: its real agent and its real connection, on a kernel that only remembers what it waits for.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ovnet_engine::Locator;
use ovnet_mgr::agent::link::{Link, News};
use ovnet_mgr::core::agent::kernel::{Event, Mapping, Operation, Place};
use ovnet_mgr::core::agent::{Config, Inherited, Input, Output};
use ovnet_mgr::core::moves::Seat;
use ovnet_mgr::core::{Agent, Key, NodeId, Time};
use ovnet_mgr::southbound::client::Keeper;
use tokio::sync::mpsc;

/// Packets that found no mapping are sent again after this time, as TCP does.
const AGAIN: Duration = Duration::from_secs(1);

/// What happens on a host.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Command {
    /// A packet finds no mapping.
    Miss(Key),
    /// A node is attached.
    Up(Key, NodeId),
}

/// What a kernel was told of a mapping that is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    pub(crate) host: usize,
    pub(crate) key: Key,
    pub(crate) mapping: Mapping,
    pub(crate) at: Instant,
}

/// What all hosts have come to.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    /// Agents that a manager has welcomed.
    pub(crate) connected: AtomicUsize,
    /// Nodes that are reachable where they are.
    pub(crate) local: AtomicUsize,
    /// Misses that no mapping was set for yet.
    pub(crate) pending: AtomicUsize,
    /// How long it took to set one.
    pub(crate) resolved: Mutex<Vec<Duration>>,
}

impl Sum {
    /// What was resolved since the last time this was asked.
    pub(crate) fn resolved(&self) -> Vec<Duration> {
        std::mem::take(&mut self.resolved.lock().expect("nobody panics with it"))
    }
}

/// Where what hosts are told goes, for the mappings that are looked at.
#[derive(Clone, Debug)]
pub(crate) struct Watcher {
    pub(crate) keys: Arc<Mutex<BTreeMap<Key, NodeId>>>,
    pub(crate) told: mpsc::UnboundedSender<Told>,
    /// The nodes that are to leave a host.
    pub(crate) leaving: mpsc::UnboundedSender<(Key, NodeId)>,
}

/// The host.
pub(crate) struct Host {
    number: usize,
    agent: Agent,
    link: Link,
    start: Instant,
    commands: mpsc::UnboundedReceiver<Command>,
    /// Packets that wait, and since when.
    waiting: BTreeMap<Key, Instant>,
    connected: bool,
    sum: Arc<Sum>,
    watcher: Watcher,
}

impl Host {
    /// Starts the host's agent, with its nodes attached.
    pub(crate) fn start(
        number: usize,
        keeper: Keeper,
        manager: String,
        ports: &[(Key, NodeId)],
        sum: Arc<Sum>,
        watcher: Watcher,
    ) -> mpsc::UnboundedSender<Command> {
        let mut out = Vec::new();
        let inherited = Inherited {
            ports,
            ..Inherited::default()
        };
        let seat = Seat {
            host: locator(number),
            epoch: 1,
        };
        let agent = Agent::start(
            Config::default(),
            seat,
            number as u64,
            inherited,
            None,
            Time::from_micros(0),
            &mut out,
        );
        let (sender, commands) = mpsc::unbounded_channel();
        let mut host = Host {
            number,
            agent,
            link: Link::new(Arc::new(keeper), vec![manager]),
            start: Instant::now(),
            commands,
            waiting: BTreeMap::new(),
            connected: false,
            sum,
            watcher,
        };
        tokio::spawn(async move {
            host.carry_out(out);
            host.run().await;
        });
        sender
    }

    fn now(&self) -> Time {
        Time::from_micros(self.start.elapsed().as_micros() as u64)
    }

    async fn run(mut self) {
        let mut again = tokio::time::interval(AGAIN);
        loop {
            let wake = self.agent.next_wake().map_or(AGAIN, |due| due - self.now());
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(command) => self.commanded(command),
                    None => return,
                },
                news = self.link.next() => self.input(match news {
                    News::Connected => Input::Connected,
                    News::Disconnected => Input::Disconnected,
                    News::Received(message) => Input::Received(message),
                }),
                () = tokio::time::sleep(wake) => {
                    let (now, mut out) = (self.now(), Vec::new());
                    self.agent.wake(now, &mut out);
                    self.carry_out(out);
                }
                _ = again.tick() => self.send_again(),
            }
        }
    }

    fn commanded(&mut self, command: Command) {
        // What waits is one burst of misses for the kernel, too.
        let mut events = Vec::new();
        let mut next = Some(command);
        while let Some(command) = next {
            events.push(match command {
                Command::Miss(key) => {
                    if let std::collections::btree_map::Entry::Vacant(entry) =
                        self.waiting.entry(key)
                    {
                        entry.insert(Instant::now());
                        self.sum.pending.fetch_add(1, Ordering::Relaxed);
                    }
                    Event::Miss { key, from: None }
                }
                Command::Up(key, node) => Event::PortUp { key, node },
            });
            next = self.commands.try_recv().ok();
        }
        self.input(Input::Kernel(events));
    }

    /// The packets that wait are dropped soon, and sent again.
    fn send_again(&mut self) {
        let late = self.waiting.iter().filter(|(_, at)| at.elapsed() >= AGAIN);
        let events: Vec<_> = late
            .map(|(key, _)| Event::Miss {
                key: *key,
                from: None,
            })
            .collect();
        if !events.is_empty() {
            self.input(Input::Kernel(events));
        }
    }

    fn input(&mut self, input: Input) {
        let (now, mut out) = (self.now(), Vec::new());
        self.agent.handle(input, now, &mut out);
        self.carry_out(out);
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        let mut gone = Vec::new();
        for output in outputs {
            match output {
                Output::Connect => self.link.connect(),
                Output::Disconnect => self.link.disconnect(),
                Output::Send(message) => self.link.send(message),
                Output::Kernel(operations) => self.operate(&operations),
                Output::Vacate(key, node, _) => {
                    gone.push(Event::PortDown(key));
                    // Whoever measures moves may have ended.
                    let _ = self.watcher.leaving.send((key, node));
                }
                // Nobody moves a running node here, and nobody hears hints.
                _ => {}
            }
        }
        let connected = self.agent.is_connected();
        if connected != self.connected {
            self.connected = connected;
            match connected {
                true => self.sum.connected.fetch_add(1, Ordering::Relaxed),
                false => self.sum.connected.fetch_sub(1, Ordering::Relaxed),
            };
        }
        if !gone.is_empty() {
            self.input(Input::Kernel(gone));
        }
    }

    fn operate(&mut self, operations: &[Operation]) {
        let at = Instant::now();
        let mut resolved = Vec::new();
        let mut told = Vec::new();
        for operation in operations {
            let Operation::Set(key, mapping) = operation else {
                continue;
            };
            if let Some(since) = self.waiting.remove(key) {
                resolved.push(at - since);
            }
            if mapping.place == Place::Local {
                self.sum.local.fetch_add(1, Ordering::Relaxed);
            }
            told.push((*key, *mapping));
        }
        if !resolved.is_empty() {
            self.sum
                .pending
                .fetch_sub(resolved.len(), Ordering::Relaxed);
            let mut all = self.sum.resolved.lock().expect("nobody panics with it");
            all.append(&mut resolved);
        }
        let keys = self.watcher.keys.lock().expect("nobody panics with it");
        for (key, mapping) in told {
            if keys.contains_key(&key) {
                let host = self.number;
                // Whoever looks may have seen enough.
                let _ = self.watcher.told.send(Told {
                    host,
                    key,
                    mapping,
                    at,
                });
            }
        }
    }
}

/// The locator of a host by its number.
pub(crate) fn locator(number: usize) -> Locator {
    Locator::new(0xfd00_000a, 1 + number as u32).expect("of fd00::/8")
}
