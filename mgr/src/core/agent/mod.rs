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
pub mod kernel;
mod link;
mod port;
mod report;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use ovnet_engine::{Locator, Vni};

use super::message::{ToAgent, ToManager};
use super::{Generation, Key, NodeId, Random, Time};
use ask::Ask;
pub use cache::{Entry, Image};
pub use config::Config;
use kernel::{Event, Operation, Place};
use link::Link;
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
    /// then detach the port.
    Vacate(Key, NodeId),
    /// The policy of a network.
    Network(ToAgent),
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
    /// The host's boot.
    epoch: u32,
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
    networks: BTreeMap<Vni, Generation>,
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
    Entry(Key),
    Learning(Key),
    Link,
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
}

impl Agent {
    /// The agent of a host that has just been started, in the host's `epoch`-th boot.
    ///
    /// What is `inherited` from the kernel the agent takes over as it is;
    /// `image` is what an earlier agent left behind with [`Agent::image`]: what the kernel lost,
    /// because the host was booted, is installed again. Nothing is flushed.
    pub fn start(
        config: Config,
        epoch: u32,
        seed: u64,
        inherited: Inherited<'_>,
        image: Option<&Image>,
        now: Time,
        out: &mut Vec<Output>,
    ) -> Agent {
        let mut agent = Agent {
            config,
            epoch,
            random: Random::new(seed),
            link: Link::default(),
            seen: Generation::NONE,
            floor: Generation::NONE,
            cache: BTreeMap::new(),
            asks: BTreeMap::new(),
            ports: BTreeMap::new(),
            learning: BTreeMap::new(),
            networks: BTreeMap::new(),
            sightings: Sightings::default(),
            hints: (now, 0),
            attempt: 0,
            timers: BinaryHeap::new(),
            outbox: Outbox::default(),
            counters: Counters::default(),
        };
        agent.take_over(inherited.mappings, inherited.ports, now);
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
                Timer::Entry(key) => self.entry_due(key, due, now),
                Timer::Learning(key) => self.learning_due(key, due),
                Timer::Link => self.link_due(due, now, out),
                Timer::Port(key) => self.port_due(key, due, now, out),
                Timer::Report => self.report(now, out),
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
            Event::Stale { key, sender } => out.push(Output::Hint(sender, key)),
            Event::PortUp { key, node } => self.port_up(key, node, now),
            Event::PortDown(key) => self.port_down(key, now, out),
        }
    }

    fn received(&mut self, message: ToAgent, now: Time, out: &mut Vec<Output>) {
        self.link.heard(now);
        match message {
            ToAgent::Welcome(as_of) => self.welcome(as_of, now),
            ToAgent::Later(after) => self.later(after, now, out),
            ToAgent::Answer { as_of, items } => {
                self.see(as_of);
                for (key, verdict) in items {
                    self.verdict(key, verdict, as_of, false, now, out);
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
                for (key, verdict) in items {
                    self.verdict(key, verdict, as_of, true, now, out);
                }
                out.push(Output::Send(ToManager::Ack(number)));
            }
            ToAgent::Invalidate(number) => {
                self.refresh_all(now);
                out.push(Output::Send(ToManager::Ack(number)));
            }
            ToAgent::Network {
                vni, generation, ..
            } => {
                let known = self.networks.entry(vni).or_default();
                if *known < generation {
                    *known = generation;
                    out.push(Output::Network(message));
                }
            }
            ToAgent::Move(it) => self.see(it.as_of),
            ToAgent::NoMove(_) => {}
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
