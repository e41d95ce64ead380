// SPDX-License-Identifier: GPL-2.0

//! A host: its agent, its kernel, and who starts and stops nodes there.

use std::collections::BTreeSet;
use std::time::Duration;

use ovnet_engine::Locator;

use super::kernel::{Found, Kernel};
use super::{AgentEvent, Broken, Event, Packet, World};
use crate::core::agent::kernel::{Event as KernelEvent, Operation, Place};
use crate::core::agent::{Image, Inherited, Input, Output};
use crate::core::load::Load;
use crate::core::moves::Seat;
use crate::core::shard::SessionId;
use crate::core::{Agent, Key, NodeId, Time};

/// When a port is taken away that a node was to get which did not come.
const LEFT: Duration = Duration::from_secs(15);

/// Hosts are busy for so long at a time.
const TURN: Duration = Duration::from_secs(8);

/// Before the end their loads are written, which takes ten seconds at most.
const SILENCE: Duration = Duration::from_secs(12);

/// A host.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) locator: Locator,
    pub(super) epoch: u32,
    /// Counts the agents that were started.
    pub(super) life: u32,
    /// Counts the boots.
    pub(super) boots: u32,
    pub(super) agent: Option<Agent>,
    pub(super) kernel: Kernel,
    pub(super) image: Option<Image>,
    pub(super) session: Option<SessionId>,
    /// How far this host's clock is ahead.
    pub(super) ahead: Duration,
    /// The nodes that are provisioned to it, by address.
    pub(super) assigned: BTreeSet<Key>,
    pub(super) up: bool,
    manager: u32,
    /// When the agent is woken, if that is planned.
    waking: Option<Time>,
    /// What the agents before asked for.
    asked: u64,
    /// Pairs of nodes that talk.
    pub(super) talks: Vec<(Key, Key)>,
}

impl Host {
    pub(super) fn new(locator: Locator, manager: u32) -> Host {
        Host {
            locator,
            epoch: 0,
            life: 0,
            boots: 0,
            agent: None,
            kernel: Kernel::default(),
            image: None,
            session: None,
            ahead: Duration::ZERO,
            assigned: BTreeSet::new(),
            up: false,
            manager,
            waking: None,
            asked: 0,
            talks: Vec::new(),
        }
    }

    pub(super) fn next_manager(&mut self, count: u32) -> u32 {
        self.manager = (self.manager + 1) % count;
        self.manager
    }

    pub(super) fn asked(&self) -> u64 {
        self.asked
            + self
                .agent
                .as_ref()
                .map_or(0, |agent| agent.counters().asked)
    }
}

impl World {
    pub(super) fn agent_event(
        &mut self,
        host: u32,
        life: u32,
        event: AgentEvent,
    ) -> Result<(), Broken> {
        if self.hosts[host as usize].life != life {
            return Ok(());
        }
        match event {
            AgentEvent::Start => return self.start_agent(host),
            AgentEvent::Wake => {
                let now = self.host_time(host);
                let mut out = Vec::new();
                let this = &mut self.hosts[host as usize];
                if this.waking.is_some_and(|at| at <= self.now) {
                    this.waking = None;
                }
                if let Some(agent) = &mut this.agent {
                    agent.wake(now, &mut out);
                }
                return self.agent_output(host, out);
            }
            AgentEvent::Kernel(events) => return self.agent_input(host, Input::Kernel(events)),
            AgentEvent::Peers(id, peers) => {
                return self.agent_input(host, Input::Peers(id, peers));
            }
            AgentEvent::NotConnected => return self.agent_input(host, Input::Disconnected),
            AgentEvent::Stop(key) => self.detach(host, key),
        }
        Ok(())
    }

    pub(super) fn start_agent(&mut self, host: u32) -> Result<(), Broken> {
        let now = self.host_time(host);
        let seed = self.random.next_u64();
        let mut out = Vec::new();
        let this = &mut self.hosts[host as usize];
        if !this.up {
            // The host is booted: nothing but its disk is as it was.
            this.up = true;
            this.epoch += 1;
            this.boots += 1;
            this.kernel = Kernel::default();
            let keys: Vec<_> = this.assigned.iter().copied().collect();
            for key in keys {
                if let Some((_, mapping)) = self.store.mapping(key) {
                    this.kernel.attach(key, mapping.node);
                }
            }
        }
        let mappings: Vec<_> = this.kernel.mappings.iter().map(|(k, m)| (*k, *m)).collect();
        let ports: Vec<_> = this.kernel.ports.iter().map(|(k, n)| (*k, *n)).collect();
        let frozen: Vec<_> = this.kernel.frozen.keys().copied().collect();
        let image = this.image.take();
        let config = self.scenario.agent;
        let epoch = this.epoch;
        let seat = Seat {
            host: this.locator,
            epoch,
        };
        let agent = Agent::start(
            config,
            seat,
            seed,
            Inherited {
                mappings: &mappings,
                ports: &ports,
                frozen: &frozen,
                errands: &[],
            },
            image.as_ref(),
            now,
            &mut out,
        );
        this.agent = Some(agent);
        this.waking = None;
        self.tell(None, || format!("agent {host} starts in epoch {epoch}"));
        self.agent_output(host, out)
    }

    pub(super) fn host_time(&self, host: u32) -> Time {
        self.now + self.hosts[host as usize].ahead
    }

    pub(super) fn agent_input(&mut self, host: u32, input: Input) -> Result<(), Broken> {
        let now = self.host_time(host);
        if self.hosts[host as usize].agent.is_none() {
            return Ok(());
        }
        self.tell_input(host, &input);
        let mut out = Vec::new();
        if let Some(agent) = &mut self.hosts[host as usize].agent {
            agent.handle(input, now, &mut out);
        }
        self.agent_output(host, out)
    }

    fn tell_input(&mut self, host: u32, input: &Input) {
        use crate::core::message::ToAgent;
        if !self.scenario.trace {
            return;
        }
        match input {
            Input::Received(
                ToAgent::Answer { as_of, items } | ToAgent::Push { as_of, items, .. },
            ) => {
                for (key, verdict) in items {
                    if self.heard.insert((host, *key), *verdict) == Some(*verdict) {
                        continue;
                    }
                    self.tell(Some(*key), || {
                        format!("agent {host} hears as of {as_of} {verdict:?}")
                    });
                }
            }
            Input::Received(
                message @ (ToAgent::Granted { key, .. } | ToAgent::Denied { key, .. }),
            ) => self.tell(Some(*key), || format!("agent {host} hears {message:?}")),
            Input::Kernel(events) => {
                for event in events {
                    let key = match event {
                        KernelEvent::PortUp { key, .. } | KernelEvent::PortDown(key) => *key,
                        _ => continue,
                    };
                    self.tell(Some(key), || format!("agent {host} hears {event:?}"));
                }
            }
            _ => {}
        }
    }

    fn agent_output(&mut self, host: u32, out: Vec<Output>) -> Result<(), Broken> {
        for output in out {
            match output {
                Output::Connect => self.connect(host),
                Output::Disconnect => self.end_at_agent(host),
                Output::Send(message) => {
                    if let Some(session) = self.hosts[host as usize].session {
                        self.send_to_manager(session, message);
                    }
                }
                Output::Kernel(operations) => {
                    let mut local = Vec::new();
                    for operation in operations {
                        local.extend(self.operate(host, operation)?);
                    }
                    if !local.is_empty() {
                        self.kernel_events(host, local);
                    }
                }
                Output::Hint(to, key) => {
                    if let Some(to) = self.by_locator.get(&to).copied() {
                        if !self.one_in(self.scenario.loss) {
                            let wait = self.within(200, 2_000);
                            self.after(wait, Event::Hint(to, key));
                        }
                    }
                }
                Output::Vacate(key, ..) => {
                    let wait = self.within(1_000, 50_000);
                    let life = self.hosts[host as usize].life;
                    self.after(wait, Event::Agent(host, life, AgentEvent::Stop(key)));
                }
                Output::Give(key, _) => {
                    let wait = self.within(1_000, 50_000);
                    self.after(wait, Event::Place(key));
                }
                Output::Lease { from } => self.renew_lease(host, from),
                Output::Guard { number, nodes } => self.guard(host, number, nodes),
                Output::Peers(id, keys) => {
                    let peers = self.hosts[host as usize].kernel.peers(&keys);
                    let life = self.hosts[host as usize].life;
                    let wait = self.within(10, 200);
                    self.after(wait, Event::Agent(host, life, AgentEvent::Peers(id, peers)));
                }
                Output::Freeze { keys, node, to } => {
                    let done = self.hosts[host as usize].kernel.freeze(&keys, node, to);
                    for key in &done {
                        self.see_active(host, *key)?;
                    }
                    self.tell(keys.first().copied(), || {
                        format!("kernel {host}: frozen, for {to}: {done:?}")
                    });
                    self.kernel_events(host, done.into_iter().map(KernelEvent::Frozen).collect());
                }
                Output::Thaw(keys) => {
                    self.tell(keys.first().copied(), || format!("kernel {host}: thawed"));
                    self.hosts[host as usize].kernel.thaw(&keys);
                    for key in keys {
                        self.see_active(host, key)?;
                    }
                }
                Output::GiveBack { keys, to } => {
                    for key in keys {
                        let kernel = &mut self.hosts[host as usize].kernel;
                        for packet in kernel.parked.remove(&key).unwrap_or_default() {
                            self.stats.returned += 1;
                            let hops = packet.hops + 1;
                            self.carry(to, Packet { hops, ..packet });
                        }
                        if !self.hosts[host as usize].kernel.is_local(key) {
                            self.detach(host, key);
                        }
                    }
                }
                Output::Measure => {
                    let load = self.load_of(host);
                    self.agent_input(host, Input::Measured(load))?;
                }
                // Nodes are moved by the simulator itself.
                Output::Executor(_) | Output::ExecutorSay(..) | Output::Network(_) => {}
            }
        }
        self.plan_wake(host);
        Ok(())
    }

    /// Hosts are busy in turn, each for some time. All are idle in the end, and then say no more, so
    /// that nothing is written any more when everything is looked at. They say nothing where no node
    /// is moved for it.
    fn load_of(&mut self, host: u32) -> Option<Load> {
        let end = Time::default() + self.scenario.busy + self.scenario.quiet;
        if self.scenario.balanced == 0 || self.now + SILENCE >= end {
            return None;
        }
        let turn = u64::from(host) + self.now.micros() / TURN.as_micros() as u64;
        let busy = !self.resting && turn % 2 == 0;
        let most = if busy { 1000 } else { 200 };
        let mut part = || most - self.loads.below(200) as u32;
        Some(Load {
            cpu: part(),
            memory: part() / 2,
        })
    }

    fn plan_wake(&mut self, host: u32) {
        let this = &self.hosts[host as usize];
        let Some(due) = this.agent.as_ref().and_then(Agent::next_wake) else {
            return;
        };
        let due = self
            .now
            .max(Time::default() + (due - (Time::default() + this.ahead)));
        if this.waking.is_none_or(|at| due < at) {
            let life = this.life;
            self.hosts[host as usize].waking = Some(due);
            self.queue
                .add(due, Event::Agent(host, life, AgentEvent::Wake));
        }
    }

    /// Carries an operation out; what the kernel says of it.
    fn operate(&mut self, host: u32, operation: Operation) -> Result<Option<KernelEvent>, Broken> {
        let (Operation::Set(key, _) | Operation::Forget(key)) = operation;
        self.tell(Some(key), || format!("kernel {host}: {operation:?}"));
        let kernel = &mut self.hosts[host as usize].kernel;
        let done = kernel.operate(operation);
        done.map_err(|what| (Some(key), format!("on host {host}, {what}")))?;
        let local = kernel.is_local(key).then_some(KernelEvent::Active(key));
        self.see_active(host, key)?;
        let this = &mut self.hosts[host as usize];
        if this.kernel.is_active(key) {
            for packet in this.kernel.parked.remove(&key).unwrap_or_default() {
                self.stats.released += 1;
                let to = host;
                self.packet(Packet { to, ..packet })?;
            }
        }
        Ok(local)
    }

    /// An address may be active on a host now, or not any more.
    fn see_active(&mut self, host: u32, key: Key) -> Result<(), Broken> {
        let known = self.local.get(&key).copied();
        match self.hosts[host as usize].kernel.is_active(key) {
            true => match known.filter(|other| *other != host) {
                Some(other) => {
                    let what = format!("{key} is active on host {other} and on host {host}");
                    return Err((Some(key), what));
                }
                None => drop(self.local.insert(key, host)),
            },
            false if known == Some(host) => drop(self.local.remove(&key)),
            false => {}
        }
        Ok(())
    }

    pub(super) fn kernel_events(&mut self, host: u32, events: Vec<KernelEvent>) {
        let life = self.hosts[host as usize].life;
        let wait = self.within(10, 200);
        self.after(wait, Event::Agent(host, life, AgentEvent::Kernel(events)));
    }

    /// Starts a node where it is provisioned to, if it is not there.
    pub(super) fn place(&mut self, key: Key) -> Result<(), Broken> {
        let Some((_, mapping)) = self.store.mapping(key) else {
            return Ok(());
        };
        let home = super::home_of(&mapping).and_then(|host| self.by_locator.get(&host).copied());
        let Some(host) = home else {
            return Ok(());
        };
        let node = mapping.node;
        let this = &mut self.hosts[host as usize];
        let other = this
            .kernel
            .ports
            .get(&key)
            .is_some_and(|other| *other != node);
        if this.up && other {
            // What is left of a node that had the address before goes first.
            self.detach(host, key);
            self.after(Duration::from_millis(10), Event::Place(key));
        } else if this.up && !this.kernel.ports.contains_key(&key) {
            this.kernel.attach(key, node);
            self.kernel_events(host, vec![KernelEvent::PortUp { key, node }]);
        }
        Ok(())
    }

    /// Stops a node that was never bound here and is provisioned elsewhere by now.
    pub(super) fn withdraw(&mut self, host: u32, key: Key) -> Result<(), Broken> {
        let this = &self.hosts[host as usize];
        let assigned = this.assigned.contains(&key);
        if !this.kernel.ports.contains_key(&key) || assigned {
            return Ok(());
        }
        if this.kernel.is_local(key) {
            // It has moved away, and this host has not heard of it.
            let wait = self.within(100_000, 500_000);
            self.after(wait, Event::Withdraw(host, key));
        } else {
            self.detach(host, key);
        }
        Ok(())
    }

    /// A node that is moved here gets its port.
    pub(super) fn expect(&mut self, host: u32, key: Key, node: NodeId) -> Result<(), Broken> {
        let provisioned = self.store.mapping(key).map(|(_, mapping)| mapping.node);
        let this = &mut self.hosts[host as usize];
        if this.up && provisioned == Some(node) && !this.kernel.ports.contains_key(&key) {
            this.kernel.attach(key, node);
            self.kernel_events(host, vec![KernelEvent::PortUp { key, node }]);
            // Long after any move that does not come off.
            self.after(LEFT, Event::Withdraw(host, key));
        }
        Ok(())
    }

    fn detach(&mut self, host: u32, key: Key) {
        let kernel = &mut self.hosts[host as usize].kernel;
        if !kernel.ports.contains_key(&key) {
            return;
        }
        kernel.detach(key);
        if self.local.get(&key) == Some(&host) {
            self.local.remove(&key);
        }
        self.tell(Some(key), || format!("kernel {host}: detached"));
        self.kernel_events(host, vec![KernelEvent::PortDown(key)]);
        // It may be provisioned to this host again by now.
        let wait = self.within(10_000, 100_000);
        self.after(wait, Event::Place(key));
    }

    pub(super) fn hinted(&mut self, host: u32, key: Key) -> Result<(), Broken> {
        self.agent_input(host, Input::Hint(key))
    }

    /// A node sends a packet; returns the event that it makes.
    pub(super) fn send_packet(
        &mut self,
        host: u32,
        source: Key,
        destination: Key,
    ) -> Result<Option<KernelEvent>, Broken> {
        let this = &self.hosts[host as usize];
        if !matches!(this.kernel.look_up(source), Found::Node(_)) {
            return Ok(None);
        }
        self.stats.packets += 1;
        match this.kernel.look_up(destination) {
            Found::Node(_) => self.deliver(host, destination).map(|()| None),
            Found::Host(to) | Found::Forward(to) => {
                let from = this.locator;
                self.carry(
                    to,
                    Packet {
                        to: 0,
                        from,
                        source,
                        destination,
                        hops: 0,
                    },
                );
                Ok(None)
            }
            Found::Nothing => Ok(Some(KernelEvent::Miss {
                key: destination,
                from: None,
            })),
            Found::Drop => Ok(None),
        }
    }

    fn carry(&mut self, to: Locator, packet: Packet) {
        if let Some(to) = self.by_locator.get(&to).copied() {
            let wait = self.within(20, 200);
            self.after(wait, Event::Packet(Packet { to, ..packet }));
        }
    }

    pub(super) fn packet(&mut self, packet: Packet) -> Result<(), Broken> {
        let Packet {
            to: host,
            from,
            source,
            destination,
            hops,
        } = packet;
        let this = &self.hosts[host as usize];
        if !this.up {
            return Ok(());
        }
        match this.kernel.look_up(destination) {
            Found::Node(_) => match this.kernel.mappings.get(&source).map(|m| m.place) {
                Some(Place::Remote(at) | Place::Moved(at)) if at == from => {
                    self.stats.forwarded += u64::from(hops > 0);
                    return self.deliver(host, destination);
                }
                Some(Place::Remote(_) | Place::Moved(_) | Place::Peer(..) | Place::Local) => {
                    self.stats.forged += 1;
                    self.kernel_events(host, vec![KernelEvent::Forged(source)]);
                }
                Some(_) => {}
                None => self.kernel_events(
                    host,
                    vec![KernelEvent::Miss {
                        key: source,
                        from: Some(from),
                    }],
                ),
            },
            Found::Forward(next) if hops < 4 => {
                self.carry(
                    next,
                    Packet {
                        hops: hops + 1,
                        ..packet
                    },
                );
                let stale = KernelEvent::Stale {
                    key: destination,
                    sender: from,
                };
                self.kernel_events(host, vec![stale]);
            }
            _ if self.hosts[host as usize].kernel.park(packet) => self.stats.parked += 1,
            _ => {
                let stale = KernelEvent::Stale {
                    key: destination,
                    sender: from,
                };
                self.kernel_events(host, vec![stale]);
            }
        }
        Ok(())
    }

    /// A packet has reached the port of an address: is that the node that has the address?
    fn deliver(&mut self, host: u32, key: Key) -> Result<(), Broken> {
        let node = self.hosts[host as usize].kernel.ports.get(&key).copied();
        let provisioned = self.store.mapping(key).map(|(_, mapping)| mapping.node);
        if node != provisioned {
            let what = format!(
                "a packet for {key} reached node {node:?} on host {host}, not {provisioned:?}"
            );
            return Err((Some(key), what));
        }
        self.stats.delivered += 1;
        Ok(())
    }

    pub(super) fn agent_dies(&mut self, host: u32) {
        self.end_at_agent(host);
        let this = &mut self.hosts[host as usize];
        this.asked += this.agent.take().map_or(0, |agent| agent.counters().asked);
        this.life += 1;
        this.kernel.agent_died();
    }
}
