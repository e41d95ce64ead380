// SPDX-License-Identifier: GPL-2.0

//! A data centre in one thread: hosts with their kernels and agents, managers, the store and what
//! is between them, on a virtual clock, with faults. The agents and managers are those that the
//! daemon runs; the rest is a model.
//!
//! What must hold is looked at whenever it could break:
//!
//! - no address is active in two kernels at the same time;
//! - no packet reaches a node that is not the one provisioned with the packet's destination;
//! - no kernel's knowledge of a mapping goes back to an earlier generation;
//! - every mapping that is written is of the term that the store is in, and an address changes
//!   hands only after its host has let go;
//!
//! and after a time of rest: every node that is provisioned to a host is bound and reachable
//! there, no kernel has anything that is not as the store says, no move is under way, and no packet
//! waits for a node.
//!
//! A run depends on nothing but its [`Scenario`]. One that fails is run again to tell what led to
//! it.

mod check;
mod fault;
mod host;
mod kernel;
mod lease;
mod manager;
mod network;
mod queue;
mod scenario;
mod store;
mod work;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::time::Duration;

use ovnet_engine::{Locator, Vni};

use crate::core::agent::kernel::Event as KernelEvent;
use crate::core::message::{ToAgent, ToManager, Verdict};
use crate::core::moves::{MoveId, Reason, State};
use crate::core::record::{At, Mapping, Move};
use crate::core::shard::{Input as ShardInput, Order, SessionId};
use crate::core::{Key, NodeId, Random, Time};
use crate::store::Lease;
use host::Host;
use manager::Manager;
use network::Connection;
use queue::Queue;
pub use scenario::{Scenario, Victim};
use store::{Changed, Store};

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Events.
    pub steps: u64,
    /// Messages between agents and managers.
    pub messages: u64,
    /// Transactions that happened.
    pub transactions: u64,
    /// Packets that nodes sent.
    pub packets: u64,
    /// Packets that reached the node they were meant for.
    pub delivered: u64,
    /// Of these, packets that a host forwarded.
    pub forwarded: u64,
    /// Packets that waited at the destination of a move.
    pub parked: u64,
    /// Of these, packets that the node got when it went on there.
    pub released: u64,
    /// Of these, packets that were sent back because the node stayed.
    pub returned: u64,
    /// Moves of nodes that were begun.
    pub moves: u64,
    /// Of these, moves of nodes whose hosts were too full.
    pub balanced: u64,
    /// Moves that settled.
    pub settled: u64,
    /// Moves that were aborted.
    pub aborted: u64,
    /// Packets that came from where their source was not believed to be.
    pub forged: u64,
    /// Crashes and partitions.
    pub faults: u64,
    /// Orders that were carried out.
    pub orders: u64,
    /// Orders that were refused.
    pub refused: u64,
    /// Keys that agents asked for.
    pub asked: u64,
    /// Keys that managers pushed.
    pub pushed: u64,
    /// Invalidations in place of pushes.
    pub invalidated: u64,
    /// Keys that managers put off.
    pub busy: u64,
    /// Alarms that managers raised.
    pub alarms: u64,
    /// A number that differs if anything went another way.
    pub digest: u64,
}

/// A run that broke a rule.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed of the scenario.
    pub seed: u64,
    /// When, on the virtual clock.
    pub at: Time,
    /// The step.
    pub step: u64,
    /// The rule, and how it was broken.
    pub what: String,
    /// What led to it, if it was kept.
    pub trace: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = Duration::from_micros(self.at.micros());
        writeln!(
            f,
            "seed {} fails at step {} ({at:?}): {}",
            self.seed, self.step, self.what
        )?;
        for line in &self.trace {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}

/// Runs a scenario.
///
/// # Errors
///
/// If a rule is broken; with a trace of what led to it.
pub fn run(scenario: &Scenario) -> Result<Stats, Failure> {
    match World::new(scenario.clone()).run() {
        Err(_) if !scenario.trace => {
            let traced = Scenario {
                trace: true,
                ..scenario.clone()
            };
            World::new(traced).run()
        }
        result => result,
    }
}

/// How many bytes a manager has for each mapping that a scenario begins with, its key included, as
/// the growth of what `resident` says.
pub fn weigh(scenario: &Scenario, resident: impl Fn() -> usize) -> usize {
    let mut world = World::new(scenario.clone());
    let before = resident();
    world.start_manager(0);
    let grown = resident().saturating_sub(before);
    grown / (scenario.nodes.max(1) as usize)
}

/// What happens.
#[derive(Debug)]
enum Event {
    Agent(u32, u32, AgentEvent),
    Manager(u32, u32, ManagerEvent),
    /// A message, or the end, of a connection arrives.
    Arrive(SessionId, Arrival),
    /// A packet arrives at a host.
    Packet(Packet),
    /// Somebody tells a host that it knows something old.
    Hint(u32, Key),
    /// A node is to be started where it is provisioned to, if it is not there.
    Place(Key),
    /// A node that is not provisioned to a host any more is to be stopped there.
    Withdraw(u32, Key),
    /// A node is moved to a host, and gets its port there.
    Expect(u32, Key, NodeId),
    Expire(Lease, Time),
    /// The lease of a host in that boot may have ended.
    LeaseEnd(u32, u32),
    /// A host is booted if its boot is over for everybody else.
    Boot(u32),
    Order,
    /// Somebody wants this done.
    Ask(Box<Order>),
    Burst,
    Fault,
    Heal(Wound),
}

#[derive(Debug)]
enum AgentEvent {
    Start,
    Wake,
    Kernel(Vec<KernelEvent>),
    NotConnected,
    Peers(crate::core::moves::MoveId, Vec<Key>),
    /// The node with this address is to be detached.
    Stop(Key),
}

#[derive(Debug)]
enum ManagerEvent {
    Start,
    Wake,
    /// The operation reaches the store.
    Store(manager::Operation),
    /// Its answer reaches the manager.
    Input(Box<ShardInput>),
    Watch,
    Lease,
}

#[derive(Debug)]
enum Arrival {
    Opened,
    Connected,
    ToManager(ToManager),
    ToAgent(ToAgent),
    /// The other side has ended the connection.
    EndAtManager,
    EndAtAgent,
}

#[derive(Clone, Copy, Debug)]
struct Packet {
    to: u32,
    from: Locator,
    source: Key,
    destination: Key,
    hops: u8,
}

/// What is broken for a time.
#[derive(Clone, Copy, Debug)]
enum Wound {
    HostManager(u32, u32),
    ManagerStore(u32),
}

struct World {
    scenario: Scenario,
    random: Random,
    /// Apart, so that loads change nothing but what follows from them.
    loads: Random,
    now: Time,
    queue: Queue<Event>,
    store: Store,
    hosts: Vec<Host>,
    by_locator: BTreeMap<Locator, u32>,
    managers: Vec<Manager>,
    connections: BTreeMap<SessionId, Connection>,
    last_session: u32,
    last_lease: i64,
    last_request: u64,
    last_node: u64,
    /// Nodes that were created and not yet asked to be deleted.
    nodes: Vec<(NodeId, Vni)>,
    vnis: Vec<Vni>,
    /// Moves that were begun.
    moves: Vec<MoveId>,
    /// On which host an address is active.
    local: HashMap<Key, u32>,
    cut: BTreeSet<(u32, u32)>,
    /// Work and trouble are over.
    resting: bool,
    stats: Stats,
    trace: VecDeque<(Option<Key>, String)>,
    /// What an agent heard of a key last: the same again is no news.
    heard: BTreeMap<(u32, Key), Verdict>,
}

impl World {
    fn new(scenario: Scenario) -> World {
        let mut world = World {
            random: Random::new(scenario.seed),
            loads: Random::new(scenario.seed),
            now: Time::default(),
            queue: Queue::new(),
            store: Store::default(),
            hosts: Vec::new(),
            by_locator: BTreeMap::new(),
            managers: Vec::new(),
            connections: BTreeMap::new(),
            last_session: 0,
            last_lease: 0,
            last_request: 0,
            last_node: 0,
            nodes: Vec::new(),
            vnis: Vec::new(),
            moves: Vec::new(),
            local: HashMap::new(),
            cut: BTreeSet::new(),
            resting: false,
            stats: Stats::default(),
            trace: VecDeque::new(),
            heard: BTreeMap::new(),
            scenario,
        };
        world.provision();
        world
    }

    fn run(mut self) -> Result<Stats, Failure> {
        let end_of_work = Time::default() + self.scenario.busy;
        let end = end_of_work + self.scenario.quiet;
        let result = self
            .steps(end_of_work)
            .and_then(|()| self.rest())
            .and_then(|()| self.steps(end))
            .and_then(|()| self.check_at_rest());
        match result {
            Ok(()) => {
                self.sum_up();
                Ok(self.stats)
            }
            Err((key, what)) => Err(Failure {
                seed: self.scenario.seed,
                at: self.now,
                step: self.stats.steps,
                what,
                trace: self.told(key),
            }),
        }
    }

    fn steps(&mut self, until: Time) -> Result<(), Broken> {
        while let Some((at, event)) = self.queue.next(until) {
            self.now = at;
            self.stats.steps += 1;
            if let Some((step, victim)) = self.scenario.crash {
                if step == self.stats.steps {
                    self.crash(victim);
                }
            }
            self.step(event)?;
        }
        self.now = until;
        Ok(())
    }

    fn step(&mut self, event: Event) -> Result<(), Broken> {
        match event {
            Event::Agent(host, life, event) => self.agent_event(host, life, event),
            Event::Manager(manager, life, event) => self.manager_event(manager, life, event),
            Event::Arrive(session, arrival) => self.arrive(session, arrival),
            Event::Packet(packet) => self.packet(packet),
            Event::Hint(host, key) => self.hinted(host, key),
            Event::Place(key) => self.place(key),
            Event::Withdraw(host, key) => self.withdraw(host, key),
            Event::Expect(host, key, node) => self.expect(host, key, node),
            Event::Expire(lease, due) => self.expire(lease, due),
            Event::LeaseEnd(host, boots) => self.lease_ends(host, boots),
            Event::Boot(host) => self.boot(host),
            Event::Order => {
                self.order();
                Ok(())
            }
            Event::Ask(order) => {
                self.order_to_someone(*order);
                Ok(())
            }
            Event::Burst => self.burst(),
            Event::Fault => {
                self.fault();
                Ok(())
            }
            Event::Heal(wound) => {
                self.heal(wound);
                Ok(())
            }
        }
    }

    fn after(&mut self, wait: Duration, event: Event) {
        self.queue.add(self.now + wait, event);
    }

    fn within(&mut self, least: u64, most: u64) -> Duration {
        Duration::from_micros(least + self.random.below(most - least))
    }

    fn one_in(&mut self, count: u64) -> bool {
        count > 0 && !self.resting && self.random.below(count) == 0
    }

    /// The store has changed mappings: those who start and stop nodes act on it.
    fn stored(&mut self, changed: Changed) {
        for (id, it) in std::mem::take(&mut self.store.moved) {
            self.move_changed(id, it);
        }
        for (key, before, after) in changed {
            self.tell(Some(key), || format!("store: {before:?} -> {after:?}"));
            let before = before.as_ref().and_then(home_of);
            let after = after.as_ref().and_then(home_of);
            if before == after {
                continue;
            }
            if let Some(host) = before.and_then(|host| self.by_locator.get(&host).copied()) {
                self.hosts[host as usize].assigned.remove(&key);
                let wait = self.within(1_000, 100_000);
                self.after(wait, Event::Withdraw(host, key));
            }
            if let Some(host) = after.and_then(|host| self.by_locator.get(&host).copied()) {
                self.hosts[host as usize].assigned.insert(key);
                let wait = self.within(1_000, 100_000);
                self.after(wait, Event::Place(key));
            }
        }
    }

    /// A move has got into a state; whoever moves nodes acts on it.
    fn move_changed(&mut self, id: MoveId, it: Move) {
        let keys: Vec<_> = it.keys().collect();
        self.tell(keys.first().copied(), || format!("store: {id} {it:?}"));
        match it.state {
            State::Prepare if it.peers.is_none() || it.reason == Reason::Failure => {
                self.stats.moves += 1;
                self.stats.balanced += u64::from(it.reason == Reason::Balance);
                self.moves.push(id);
                let to = self.by_locator[&it.to.host];
                // Some nodes never get their port.
                if !self.one_in(20) {
                    for key in keys {
                        let wait = self.within(1_000, 500_000);
                        self.after(wait, Event::Expect(to, key, it.node));
                    }
                }
            }
            State::Settled => self.stats.settled += 1,
            State::Aborted => self.stats.aborted += 1,
            _ => {}
        }
    }

    /// Keeps what happens, if it is to be told.
    fn tell(&mut self, key: Option<Key>, what: impl FnOnce() -> String) {
        if self.scenario.trace {
            let at = Duration::from_micros(self.now.micros());
            let line = format!("{:>6} {at:>12?} {}", self.stats.steps, what());
            self.trace.push_back((key, line));
            if self.trace.len() > 200_000 {
                self.trace.pop_front();
            }
        }
    }

    /// The last of what has to do with a key.
    fn told(&self, key: Option<Key>) -> Vec<String> {
        let about = |(of, _): &&(Option<Key>, String)| key.is_none() || of.is_none() || *of == key;
        let mut lines: Vec<_> = self
            .trace
            .iter()
            .rev()
            .filter(about)
            .take(60_000)
            .map(|(of, line)| match of {
                Some(key) => format!("{line} [{key}]"),
                None => line.clone(),
            })
            .collect();
        lines.reverse();
        lines
    }

    fn sum_up(&mut self) {
        for host in &self.hosts {
            self.stats.asked += host.asked();
        }
        for manager in &self.managers {
            let counters = manager.counters();
            self.stats.pushed += counters.pushed;
            self.stats.invalidated += counters.invalidated;
            self.stats.busy += counters.busy;
        }
        self.stats.digest = self.random.next_u64();
    }
}

/// A rule that was broken, and the key it was about.
type Broken = (Option<Key>, String);

fn home_of(mapping: &Mapping) -> Option<Locator> {
    match mapping.home {
        crate::core::record::Home::Host(host) => Some(host),
        _ => None,
    }
}

fn at_of(mapping: &Mapping) -> Option<At> {
    mapping.at
}
