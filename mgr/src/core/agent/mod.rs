// SPDX-License-Identifier: GPL-2.0

//! The agent of one host: keeps the mappings that the host's kernel uses, and tells the manager
//! which nodes are attached here.
//!
//! It never takes anything away from the kernel because it does not know it: what the kernel has
//! is kept until something with a greater generation replaces it, or until it was not confirmed
//! for the hard TTL although a manager was there to ask (fail static, `SM2`).

mod ask;
mod cache;
mod config;
pub mod executor;
pub mod kernel;
mod lease;
mod link;
mod moves;
mod port;
mod report;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use ovnet_engine::{Locator, Vni};

use super::load::Load;
use super::message::{ToAgent, ToManager};
use super::moves::{MoveId, Seat, Side};
use super::{Generation, Key, NodeId, Random, Time};
use ask::Ask;
pub use cache::{Entry, Image};
pub use config::Config;
use executor::{Command, Errand, Notice};
use kernel::{Event, Operation, Place};
use link::Link;
use moves::Moving;
use port::{Learning, Port};
use report::Sightings;

/// What happens to an agent.
#[derive(Clone, Debug)]
pub enum Input {
    /// The kernel says something.
    Kernel(Vec<Event>),
    /// The connection that [`Output::Connect`] asked for is there.
    Connected,
    /// It is not, or not any more.
    Disconnected,
    /// The manager says something.
    Received(ToAgent),
    /// Another host says that what this one knows of a mapping is old (`MV4`). Anyone may say so.
    Hint(Key),
    /// The answer to [`Output::Peers`], those that matter most first.
    Peers(MoveId, Vec<Key>),
    /// The answer to [`Output::Measure`]; none if that could not be measured.
    Measured(Option<Load>),
    /// The program that moves a node says something, or has ended.
    Executor(MoveId, Notice),
}

/// What an agent wants done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Connect to a manager, to another one than the last time if there are several.
    Connect,
    /// Close the connection; no [`Input::Disconnected`] is expected.
    Disconnect,
    /// Send to the manager.
    Send(ToManager),
    /// Change the kernel's tables.
    Kernel(Vec<Operation>),
    /// Tell the host with this locator that what it knows of the mapping is old.
    Hint(Locator, Key),
    /// The node's address is to cease here: pause or stop the node, or take the address from it,
    /// then detach the port. If so said, only the address goes, and the node stays with its others.
    Vacate(Key, NodeId, bool),
    /// The node is here with another address of that network, and has this one as well (`CH1`): its port
    /// gets it, and [`Event::PortUp`] says so.
    Give(Key, NodeId),
    /// Name the nodes that the one with these addresses was in conversation with lately.
    Peers(MoveId, Vec<Key>),
    /// Freeze the ports of a node, and send on to another host what arrives for it, until the
    /// mappings of its addresses say where it is or [`Output::Thaw`] that it stays;
    /// [`Event::Frozen`] says of each address that this is so.
    Freeze {
        /// The node's addresses.
        keys: Vec<Key>,
        /// The node.
        node: NodeId,
        /// The host that it goes to.
        to: Locator,
    },
    /// The node with these addresses stays: its ports are as they were before they were frozen.
    Thaw(Vec<Key>),
    /// The node with these addresses does not come: its ports here are none any more, and what
    /// waits at them goes where the node is.
    GiveBack {
        /// The node's addresses.
        keys: Vec<Key>,
        /// The host that has the node.
        to: Locator,
    },
    /// Measure how busy the host was since this was asked for last.
    Measure,
    /// Run the program that moves nodes, unless it runs for this move.
    Executor(Errand),
    /// Tell it something. What it was not told in time, because it has ended, is lost.
    ExecutorSay(MoveId, Command),
    /// The policy of a network.
    Network(ToAgent),
    /// The lease of the kernel lasts for [`lease::HELD`](super::lease::HELD) from that moment, by
    /// the clock that inputs come with.
    Lease {
        /// When the beat was sent that was granted.
        from: Time,
    },
    /// The ports of these nodes, and of no others, are to stop at the end of the kernel's lease;
    /// also those that are yet to come. [`Event::Guarded`] is to say when it is so.
    Guard {
        /// Which one was asked for.
        number: u32,
        /// The nodes.
        nodes: BTreeSet<NodeId>,
    },
}

/// Counts of what happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Keys asked for, repetitions included.
    pub asked: u64,
    /// News that were smaller than what is known, and ignored.
    pub stale: u64,
    /// Misses dropped because too many were under way.
    pub dropped: u64,
    /// Mappings evicted because there was no room.
    pub evicted: u64,
    /// Mappings not confirmed within the hard TTL.
    pub expired: u64,
    /// Hints that led to a question.
    pub hints: u64,
    /// Hints ignored: nothing known, or too many.
    pub hints_ignored: u64,
}

/// The state machine.
#[derive(Clone, Debug)]
pub struct Agent {
    config: Config,
    /// The host, and its boot.
    seat: Seat,
    random: Random,
    link: Link,
    /// The newest state of the store that anything received is from.
    seen: Generation,
    /// No answer about an unknown key that is older than what was known of a forgotten one.
    floor: Generation,
    cache: BTreeMap<Key, Entry>,
    asks: BTreeMap<Key, Ask>,
    ports: BTreeMap<Key, Port>,
    learning: BTreeMap<Key, Learning>,
    lease: lease::Lease,
    moves: BTreeMap<MoveId, Moving>,
    /// Addresses that an earlier agent has frozen for a move.
    frozen: BTreeSet<Key>,
    networks: BTreeMap<Vni, Generation>,
    /// Networks without a node here, and when to ask again about what is known of them.
    left: BTreeMap<Vni, Time>,
    sightings: Sightings,
    /// Hints admitted in the second that began then.
    hints: (Time, u32),
    /// The last attempt of a claim.
    attempt: u32,
    timers: BinaryHeap<Reverse<(Time, Timer)>>,
    /// What the input at hand leads to, before it is put into messages.
    outbox: Outbox,
    counters: Counters,
}

/// What a time is for. A timer only means something if what it is for is due at just that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Ask(Key),
    Beat,
    Entry(Key),
    Learning(Key),
    Link,
    Move(MoveId),
    Network(Vni),
    Port(Key),
    Report,
}

#[derive(Clone, Debug, Default)]
struct Outbox {
    resolve: Vec<Key>,
    claim: Vec<Key>,
    forget: Vec<Key>,
    kernel: Vec<Operation>,
}

/// What the kernel of a host has when its agent starts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inherited<'a> {
    /// Its mappings.
    pub mappings: &'a [(Key, kernel::Mapping)],
    /// Its ports.
    pub ports: &'a [(Key, NodeId)],
    /// Those addresses of its ports that are frozen for a move.
    pub frozen: &'a [Key],
    /// What the program that moves nodes was run for, and may not know the end of.
    pub errands: &'a [Errand],
}

impl Agent {
    /// The agent of a host in one of its boots.
    ///
    /// What is `inherited` from the kernel the agent takes over as it is;
    /// `image` is what an earlier agent left behind with [`Agent::image`]: what the kernel lost,
    /// because the host was booted, is installed again. Nothing is flushed.
    pub fn start(
        config: Config,
        seat: Seat,
        seed: u64,
        inherited: Inherited<'_>,
        image: Option<&Image>,
        now: Time,
        out: &mut Vec<Output>,
    ) -> Agent {
        let mut agent = Agent {
            config,
            seat,
            random: Random::new(seed),
            link: Link::default(),
            seen: Generation::NONE,
            floor: Generation::NONE,
            cache: BTreeMap::new(),
            asks: BTreeMap::new(),
            ports: BTreeMap::new(),
            learning: BTreeMap::new(),
            lease: lease::Lease::default(),
            moves: BTreeMap::new(),
            frozen: inherited.frozen.iter().copied().collect(),
            networks: BTreeMap::new(),
            left: BTreeMap::new(),
            sightings: Sightings::default(),
            hints: (now, 0),
            attempt: 0,
            timers: BinaryHeap::new(),
            outbox: Outbox::default(),
            counters: Counters::default(),
        };
        agent.take_over(inherited.mappings, inherited.ports, now);
        agent.take_over_moves(inherited.errands, now);
        if let Some(image) = image {
            agent.restore(image, now);
        }
        agent.connect(now, out);
        agent.set_timer(now + agent.config.report, Timer::Report);
        agent.flush(now, out);
        agent
    }

    /// Takes one input.
    pub fn handle(&mut self, input: Input, now: Time, out: &mut Vec<Output>) {
        match input {
            Input::Kernel(events) => {
                for event in events {
                    self.kernel_event(event, now, out);
                }
            }
            Input::Connected => self.connected(now, out),
            Input::Disconnected => self.disconnected(now),
            Input::Received(message) => self.received(message, now, out),
            Input::Hint(key) => self.hint(key, now),
            Input::Peers(id, keys) => self.peers_listed(id, keys, now, out),
            Input::Measured(load) => self.report(load, out),
            Input::Executor(id, notice) => self.notice(id, notice, now, out),
        }
        self.flush(now, out);
    }

    /// Does what is due. To be called at [`Agent::next_wake`]; any other time does no harm.
    pub fn wake(&mut self, now: Time, out: &mut Vec<Output>) {
        while let Some(&Reverse((due, timer))) = self.timers.peek() {
            if due > now {
                break;
            }
            self.timers.pop();
            match timer {
                Timer::Ask(key) => self.ask_due(key, due, now, out),
                Timer::Beat => self.beat_due(due, now, out),
                Timer::Entry(key) => self.entry_due(key, due, now),
                Timer::Learning(key) => self.learning_due(key, due),
                Timer::Link => self.link_due(due, now, out),
                Timer::Move(id) => self.move_due(id, due, now, out),
                Timer::Network(vni) => self.network_due(vni, due, now),
                Timer::Port(key) => self.port_due(key, due, now, out),
                Timer::Report => self.report_due(now, out),
            }
        }
        self.flush(now, out);
    }

    /// When there is something to do at the latest.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        self.timers.peek().map(|Reverse((due, _))| *due)
    }

    /// What happened so far.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What is known of a mapping of another host's node.
    #[must_use]
    pub fn entry(&self, key: Key) -> Option<&Entry> {
        self.cache.get(&key)
    }

    /// How many mappings of other hosts' nodes are known, negative ones included.
    #[must_use]
    pub fn mappings(&self) -> usize {
        self.cache.len()
    }

    /// Whether a manager is there to ask.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.link.is_up()
    }

    fn kernel_event(&mut self, event: Event, now: Time, out: &mut Vec<Output>) {
        match event {
            Event::Miss { key, from } => self.miss(key, from, now),
            Event::Idle(key) => self.idle(key, out),
            Event::NewAddress { port, address } => self.new_address(port, address, now, out),
            Event::Spoof(key) => self.sightings.spoof(key),
            Event::Forged(key) => {
                self.sightings.forged(key);
                // Either somebody poses as the node, or it moved and this host was not told.
                self.recheck(key, now);
            }
            Event::Claim(key) => self.sightings.claim(key),
            Event::Stale { key, sender } => {
                self.stray(key, now);
                out.push(Output::Hint(sender, key));
            }
            Event::PortUp { key, node } => {
                self.port_up(key, node, now);
                self.key_changed(key, now, out);
            }
            Event::PortDown(key) => self.port_down(key, now, out),
            Event::Guarded(number) => self.guarded(number, out),
            Event::Fenced(key) => self.claim_stopped(key),
            Event::Frozen(key) => self.moved_in_kernel(key, Side::Source, now, out),
            Event::Active(key) => self.moved_in_kernel(key, Side::Destination, now, out),
        }
    }

    fn received(&mut self, message: ToAgent, now: Time, out: &mut Vec<Output>) {
        self.link.heard(now);
        match message {
            ToAgent::Welcome(as_of) => self.welcome(as_of, now, out),
            ToAgent::Later(after) => self.later(after, now, out),
            ToAgent::Answer { as_of, items } => {
                self.see(as_of);
                for (key, verdict) in items {
                    // What answers a claim or a release may be a reason to ask, and is no answer to that.
                    let asked = self.asks.contains_key(&key);
                    if self.verdict(key, verdict, as_of, false, now, out) && asked {
                        self.answered(key);
                    }
                    self.key_changed(key, now, out);
                }
            }
            ToAgent::Busy { keys, after } => self.busy(&keys, after, now),
            ToAgent::Granted {
                key,
                attempt,
                generation,
                mac,
            } => {
                self.see(generation);
                self.granted(key, attempt, (generation, mac), now, out);
            }
            ToAgent::Denied {
                key,
                attempt,
                reason,
            } => self.denied(key, attempt, reason, now),
            ToAgent::Push {
                number,
                as_of,
                items,
            } => {
                self.see(as_of);
                // No question is settled by what was said without being asked for: only its answer
                // means that the manager tells of what follows.
                for (key, verdict) in items {
                    self.verdict(key, verdict, as_of, true, now, out);
                    self.key_changed(key, now, out);
                }
                out.push(Output::Send(ToManager::Ack(number)));
            }
            ToAgent::Invalidate(number) => {
                self.refresh_all(now);
                out.push(Output::Send(ToManager::Ack(number)));
            }
            ToAgent::Lease(number) => self.granted_lease(number, now, out),
            ToAgent::Guarded { number, nodes } => self.guard(number, nodes, now, out),
            ToAgent::Network {
                vni, generation, ..
            } => {
                let known = self.networks.entry(vni).or_default();
                if *known < generation {
                    *known = generation;
                    out.push(Output::Network(message));
                }
            }
            ToAgent::NoNetwork(vni) => self.network_left(vni, now),
            ToAgent::Move(it) => self.move_told(it, now, out),
            ToAgent::NoMove(id) => self.no_move(id, now, out),
        }
    }

    fn see(&mut self, generation: Generation) {
        self.seen = self.seen.max(generation);
    }

    fn set_timer(&mut self, due: Time, timer: Timer) {
        self.timers.push(Reverse((due, timer)));
    }

    /// Puts what has gathered into messages, and kernel operations into one batch.
    fn flush(&mut self, now: Time, out: &mut Vec<Output>) {
        self.flush_asks(now, out);
        self.flush_claims(now, out);
        for keys in std::mem::take(&mut self.outbox.forget).chunks(self.config.batch) {
            if self.link.is_up() {
                out.push(Output::Send(ToManager::Forget(keys.to_vec())));
            }
        }
        if !self.outbox.kernel.is_empty() {
            let operations = std::mem::take(&mut self.outbox.kernel);
            out.push(Output::Kernel(operations));
        }
        self.forget_timers();
    }

    /// Nobody need be woken for what is done already.
    fn forget_timers(&mut self) {
        while let Some(Reverse((due, timer))) = self.timers.peek() {
            let due = Some(*due);
            let means = match timer {
                Timer::Ask(key) => self.asks.get(key).is_some_and(|ask| ask.due == due),
                Timer::Entry(key) => self.cache.get(key).map(|entry| entry.due) == due,
                Timer::Learning(key) => self.learning.get(key).map(|learning| learning.due) == due,
                Timer::Move(id) => self.moves.get(id).is_some_and(|it| it.due == due),
                Timer::Network(vni) => self.left.get(vni).copied() == due,
                Timer::Port(key) => self.ports.get(key).is_some_and(|port| port.is_due(due)),
                Timer::Beat | Timer::Link | Timer::Report => true,
            };
            if means {
                return;
            }
            self.timers.pop();
        }
    }

    fn set(&mut self, key: Key, generation: Generation, place: Place) {
        let mac = match place {
            Place::Local => self.ports.get(&key).and_then(Port::mac),
            _ => self.cache.get(&key).and_then(|entry| entry.mac),
        };
        let mapping = kernel::Mapping {
            generation,
            place,
            mac,
        };
        self.outbox.kernel.push(Operation::Set(key, mapping));
    }
}
