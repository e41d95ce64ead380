// SPDX-License-Identifier: GPL-2.0

//! The nodes that are attached to this host, and the claims on their addresses.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use ovnet_engine::{Locator, Mac};

use super::kernel::{Operation, Place};
use super::{Agent, Output, Timer};
use crate::core::message::{Claim, Denial, ToManager, Verdict};
use crate::core::{Generation, Key, NodeId, Time};

/// A node that is, or was until just now, attached here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Port {
    pub(super) node: NodeId,
    pub(super) state: State,
    /// The generation of the binding; none while it is first claimed.
    pub(super) generation: Generation,
    /// The generation of what an earlier binding has left behind: in the kernel, where it holds
    /// what arrives or is stopped, or at the manager; none if there is nothing.
    left: Generation,
    /// The MAC that the manager has for the node, if not the derived one.
    mac: Option<Mac>,
    /// The claim whose answer counts.
    attempt: u32,
    pub(super) tries: u32,
    due: Time,
}

impl Port {
    pub(super) fn mac(&self) -> Option<Mac> {
        self.mac
    }

    /// Whether it waits for something until then.
    pub(super) fn is_due(&self, due: Option<Time>) -> bool {
        Some(self.due) == due && !matches!(self.state, State::Bound | State::Left)
    }
}

/// What a port waits for. Only a bound port's mapping is local in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// For the manager's grant.
    Claiming,
    /// For nothing.
    Bound,
    /// Detached; for the manager to say that the binding is given up.
    Releasing,
    /// Detached and given up; for the host that claims it next.
    Held,
    /// For its node to be here again, which has moved away and left it behind.
    Left,
}

/// An address that a node here began to use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Learning {
    node: NodeId,
    attempt: u32,
    pub(super) due: Time,
}

/// More addresses that nodes may or may not be allowed are not asked about at a time.
const LEARNING: usize = 64;

/// Whether the port's state is another one now.
fn port_state(ports: &mut BTreeMap<Key, Port>, key: Key, state: State) -> bool {
    match ports.get_mut(&key) {
        Some(port) if port.state != state => {
            (port.state, port.tries) = (state, 0);
            true
        }
        _ => false,
    }
}

impl Agent {
    pub(super) fn take_over_port(&mut self, key: Key, node: NodeId, bound: Option<Generation>) {
        let attempt = self.next_attempt();
        let state = if bound.is_some() {
            State::Bound
        } else {
            State::Claiming
        };
        let generation = bound.unwrap_or_default();
        let due = Time::default();
        self.ports.insert(
            key,
            Port {
                node,
                state,
                generation,
                left: Generation::NONE,
                mac: None,
                attempt,
                tries: 0,
                due,
            },
        );
    }

    /// A mapping without a port was being released when the last agent ended.
    pub(super) fn take_over_pending(&mut self, key: Key, generation: Generation) {
        if self.ports.contains_key(&key) {
            return;
        }
        let attempt = self.next_attempt();
        let state = State::Releasing;
        let (node, due) = (NodeId(0), Time::default());
        self.ports.insert(
            key,
            Port {
                node,
                state,
                generation,
                left: Generation::NONE,
                mac: None,
                attempt,
                tries: 0,
                due,
            },
        );
    }

    pub(super) fn port_up(&mut self, key: Key, node: NodeId, _now: Time) {
        let mut left = Generation::NONE;
        if let Some(port) = self.ports.get(&key) {
            if port.node == node && matches!(port.state, State::Claiming | State::Bound) {
                return;
            }
            left = match port.state {
                State::Releasing | State::Held => port.generation,
                State::Claiming => port.left,
                State::Bound | State::Left => Generation::NONE,
            };
        }
        let attempt = self.next_attempt();
        let port = Port {
            node,
            state: State::Claiming,
            generation: Generation::NONE,
            left,
            mac: None,
            attempt,
            tries: 0,
            due: Time::default(),
        };
        self.ports.insert(key, port);
        self.outbox.claim.push(key);
    }

    /// A node that may be here has this address: where it is bound with another one of the network, its
    /// port gets it.
    pub(super) fn due(&mut self, key: Key, node: NodeId, out: &mut Vec<Output>) {
        let bound = |(own, port): (&Key, &Port)| {
            own.vni == key.vni && port.node == node && port.state == State::Bound
        };
        let known = self.ports.contains_key(&key) || self.is_learning(key) || self.is_arriving(key);
        if !known && self.ports.iter().any(bound) {
            out.push(Output::Give(key, node));
        }
    }

    /// The node is gone, and the kernel holds what arrives for it.
    pub(super) fn port_down(&mut self, key: Key, now: Time, out: &mut Vec<Output>) {
        let Some(port) = self.ports.get_mut(&key) else {
            return;
        };
        match port.state {
            // A grant that is under way finds no port, and is given back.
            State::Claiming if port.left == Generation::NONE => {
                self.ports.remove(&key);
            }
            State::Claiming => {
                (port.state, port.generation) = (State::Releasing, port.left);
                self.release(key, now, out);
            }
            State::Bound => {
                port.state = State::Releasing;
                self.release(key, now, out);
            }
            State::Left => {
                self.ports.remove(&key);
            }
            State::Releasing | State::Held => {}
        }
    }

    fn release(&mut self, key: Key, now: Time, out: &mut Vec<Output>) {
        let Some(port) = self.ports.get(&key) else {
            return;
        };
        if port.state == State::Releasing {
            if self.link.is_up() {
                let generation = port.generation;
                out.push(Output::Send(ToManager::Release { key, generation }));
            }
            self.retry_port(key, self.config.timeout, now);
        }
    }

    /// The binding is to a port that this agent knows nothing of.
    pub(super) fn release_leaked(
        &mut self,
        key: Key,
        generation: Generation,
        out: &mut Vec<Output>,
    ) {
        out.push(Output::Send(ToManager::Release { key, generation }));
    }

    pub(super) fn granted(
        &mut self,
        key: Key,
        attempt: u32,
        (generation, mac): (Generation, Option<Mac>),
        now: Time,
        out: &mut Vec<Output>,
    ) {
        if let Some(learning) = self.learning.get(&key).filter(|l| l.attempt == attempt) {
            let node = learning.node;
            self.learning.remove(&key);
            self.ports.entry(key).or_insert(Port {
                node,
                state: State::Claiming,
                generation,
                left: Generation::NONE,
                mac,
                attempt,
                tries: 0,
                due: now,
            });
        }
        // The node may not be whole yet: its move says when it is.
        if self.is_arriving(key) {
            return;
        }
        match self.ports.get_mut(&key) {
            Some(port) if port.attempt == attempt && generation >= port.generation => {
                match port.state {
                    State::Bound if generation == port.generation => self.thaw(key, out),
                    State::Claiming | State::Bound => {
                        port.state = State::Bound;
                        port.generation = generation;
                        port.left = Generation::NONE;
                        port.mac = mac;
                        port.tries = 0;
                        self.cache.remove(&key);
                        self.asks.remove(&key);
                        self.set(key, generation, Place::Local);
                    }
                    State::Releasing | State::Held | State::Left => {}
                }
            }
            Some(_) => {}
            None => self.release_leaked(key, generation, out),
        }
    }

    pub(super) fn denied(&mut self, key: Key, attempt: u32, reason: Denial, now: Time) {
        if let Some(learning) = self.learning.get_mut(&key).filter(|l| l.attempt == attempt) {
            learning.due = now + self.config.learn_interval;
            let due = learning.due;
            return self.set_timer(due, Timer::Learning(key));
        }
        let claiming = |port: &&Port| port.attempt == attempt && port.state == State::Claiming;
        if self.ports.get(&key).filter(claiming).is_some() {
            // Other nodes here may want to talk to the node where it is.
            if reason != Denial::Wait && !self.cache.contains_key(&key) {
                self.ask(key);
            }
            let wait = match reason {
                Denial::Wait => self.config.timeout / 4,
                _ => self.config.timeout,
            };
            self.retry_port(key, wait, now);
        }
    }

    /// Whether an address is that of a node that is reachable here, or was until just now.
    pub(super) fn is_attached(&self, key: Key) -> bool {
        self.ports
            .get(&key)
            .is_some_and(|port| !matches!(port.state, State::Claiming | State::Left))
    }

    /// What the manager knows of an address that a port here has; false if that is as well to be
    /// known as of any other host's node, because the port has not got it yet.
    pub(super) fn port_verdict(
        &mut self,
        key: Key,
        verdict: Verdict,
        as_of: Generation,
        now: Time,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(port) = self.ports.get_mut(&key) else {
            return false;
        };
        if matches!(port.state, State::Claiming | State::Left) {
            // An earlier binding of this boot that only this host can end: it is claimed in vain.
            if let Verdict::Yours {
                generation,
                epoch,
                leave: true,
                gone,
                held: false,
            } = verdict
            {
                if epoch == self.seat.epoch && generation >= port.left {
                    port.left = generation;
                    out.push(Output::Vacate(key, port.node, gone));
                }
            }
            // Whatever has changed, now may be the time. A binding to this host is none that
            // has changed: a grant is on its way, or is asked for again in time.
            let (news, own) = match verdict {
                Verdict::Found { generation, .. }
                | Verdict::Peer { generation, .. }
                | Verdict::Absent { generation }
                | Verdict::Due { generation, .. } => (generation, false),
                Verdict::Yours {
                    generation, held, ..
                } => (generation, !held),
                Verdict::Refused => (Generation::NONE, false),
            };
            if news > port.generation && !own {
                port.generation = news;
                port.state = State::Claiming;
                self.outbox.claim.push(key);
            }
            return matches!(verdict, Verdict::Yours { .. });
        }
        match verdict {
            Verdict::Yours {
                generation,
                epoch,
                leave,
                gone,
                held,
            } => {
                if generation < port.generation {
                    self.counters.stale += 1;
                    return true;
                }
                match port.state {
                    State::Claiming | State::Left => {}
                    // The host was booted, and this is the boot before.
                    State::Bound if epoch != self.seat.epoch => self.claim_anew(key),
                    State::Bound => {
                        if generation > port.generation {
                            port.generation = generation;
                            self.set(key, generation, Place::Local);
                        }
                        if leave {
                            let node = self.ports[&key].node;
                            out.push(Output::Vacate(key, node, gone));
                        }
                    }
                    State::Releasing | State::Held if held => {
                        if generation > port.generation {
                            port.generation = generation;
                            self.set(key, generation, Place::Pending);
                        }
                        if port_state(&mut self.ports, key, State::Held) {
                            self.retry_port(key, self.config.timeout, now);
                        }
                    }
                    State::Releasing => {
                        if generation > port.generation {
                            port.generation = generation;
                            self.release(key, now, out);
                        }
                    }
                    State::Held => {}
                }
            }
            Verdict::Found {
                generation,
                locator,
                mac,
            } => {
                self.bound_elsewhere(key, generation, Some((locator, mac)), now);
            }
            // What another network has there is no matter of this network's node.
            Verdict::Peer { generation, .. }
            | Verdict::Absent { generation }
            | Verdict::Due { generation, .. } => {
                self.bound_elsewhere(key, generation, None, now);
            }
            // The host has nothing to do with the network any more, so the binding is gone.
            Verdict::Refused => {
                let over = matches!(port.state, State::Releasing | State::Held);
                if over && as_of > port.generation {
                    self.floor = self.floor.max(port.generation);
                    self.ports.remove(&key);
                    self.outbox.kernel.push(Operation::Forget(key));
                }
            }
        }
        true
    }

    /// The address is bound to another host, or to none.
    fn bound_elsewhere(
        &mut self,
        key: Key,
        generation: Generation,
        host: Option<(Locator, Option<Mac>)>,
        now: Time,
    ) {
        let Some(port) = self.ports.get(&key) else {
            return;
        };
        if generation < port.generation {
            self.counters.stale += 1;
            return;
        }
        match port.state {
            State::Bound if generation > port.generation => {
                if let Some((to, mac)) = host {
                    if self.is_departing(key).is_some_and(|(there, _)| there == to) {
                        return self.send_on(key, generation, to, mac, now);
                    }
                }
                // Only a fence takes a binding away from a host that did not release it: then this
                // host was believed dead, and the node must not be reachable here any more.
                let (place, mac) = match host {
                    Some((host, mac)) => (Place::Remote(host), mac),
                    None => (Place::Negative, None),
                };
                self.insert(key, generation, place, mac, now);
                self.set(key, generation, place);
                self.claim_anew(key);
                // This was said of a binding: nothing that follows would be.
                self.ask(key);
            }
            State::Claiming | State::Bound | State::Left => {}
            State::Releasing | State::Held => {
                self.ports.remove(&key);
                let (place, mac) = match host {
                    Some((host, mac)) => (Place::Moved(host), mac),
                    None => (Place::Negative, None),
                };
                self.insert(key, generation, place, mac, now);
                self.set(key, generation, place);
            }
        }
    }

    /// The port's node has moved away. It may come back before anybody has taken the port away.
    pub(super) fn leave_port(&mut self, key: Key, generation: Generation) {
        let attempt = self.next_attempt();
        match self.ports.get_mut(&key) {
            Some(port) if matches!(port.state, State::Claiming | State::Bound) => {
                (port.state, port.generation) = (State::Left, generation);
                (port.attempt, port.tries) = (attempt, 0);
            }
            _ => {
                self.ports.remove(&key);
            }
        }
    }

    /// The kernel has stopped the port with this address, whatever was under lease by what this
    /// agent knows. Only a claim that is made from now on can bring the node back.
    pub(super) fn claim_stopped(&mut self, key: Key) {
        let port = self.ports.get_mut(&key);
        if let Some(port) = port.filter(|port| port.state == State::Bound) {
            port.left = port.generation;
            self.arrival_stopped(key);
            self.claim_anew(key);
        }
    }

    fn claim_anew(&mut self, key: Key) {
        let attempt = self.next_attempt();
        if let Some(port) = self.ports.get_mut(&key) {
            port.state = State::Claiming;
            port.attempt = attempt;
            port.tries = 0;
            self.outbox.claim.push(key);
        }
    }

    /// Has a new manager confirm what the last one granted.
    pub(super) fn reclaim_all(&mut self) {
        self.outbox.claim = self.ports.keys().copied().collect();
        for port in self.ports.values_mut() {
            port.tries = 0;
        }
        self.learning.clear();
    }

    pub(super) fn postpone_claim(&mut self, key: Key, due: Time) {
        if let Some(port) = self.ports.get_mut(&key) {
            port.due = due;
            self.set_timer(due, Timer::Port(key));
        }
    }

    pub(super) fn port_due(&mut self, key: Key, due: Time, now: Time, out: &mut Vec<Output>) {
        let Some(port) = self.ports.get(&key).filter(|port| port.due == due) else {
            return;
        };
        if !self.link.is_up() {
            return;
        }
        if self.link.is_silent(&self.config, now) {
            return self.give_up_link(now, out);
        }
        match port.state {
            State::Claiming => self.outbox.claim.push(key),
            State::Releasing => self.release(key, now, out),
            State::Held => {
                self.ask(key);
                self.retry_port(key, self.config.timeout, now);
            }
            State::Bound | State::Left => {}
        }
    }

    fn retry_port(&mut self, key: Key, first: Duration, now: Time) {
        if let Some(port) = self.ports.get_mut(&key) {
            let wait = (first * (1 << port.tries.min(16))).min(self.config.longest);
            let wait = self.random.jitter(wait);
            port.tries = port.tries.saturating_add(1);
            port.due = now + wait;
            self.set_timer(now + wait, Timer::Port(key));
        }
    }

    pub(super) fn flush_claims(&mut self, now: Time, out: &mut Vec<Output>) {
        let mut keys = std::mem::take(&mut self.outbox.claim);
        if !self.link.is_up() || keys.is_empty() {
            return;
        }
        keys.sort_unstable();
        keys.dedup();
        for keys in keys.chunks(self.config.batch) {
            let mut claims = Vec::with_capacity(keys.len());
            for &key in keys {
                let Some(&Port {
                    node,
                    state,
                    generation,
                    attempt,
                    ..
                }) = self.ports.get(&key)
                else {
                    continue;
                };
                let held = match state {
                    State::Left => continue,
                    State::Claiming if self.is_arriving(key) => continue,
                    State::Claiming => Generation::NONE,
                    State::Bound => generation,
                    State::Releasing => {
                        self.release(key, now, out);
                        continue;
                    }
                    // What became of it is all there is to know.
                    State::Held => {
                        self.ask(key);
                        self.retry_port(key, self.config.timeout, now);
                        continue;
                    }
                };
                claims.push(Claim {
                    key,
                    node,
                    attempt,
                    held,
                });
                if state == State::Claiming {
                    self.retry_port(key, self.config.timeout, now);
                }
            }
            if !claims.is_empty() {
                out.push(Output::Send(ToManager::Claim(claims)));
            }
        }
        self.flush_asks(now, out);
    }

    /// A node uses an address that is not its own: the network's policy decides (`CH2`).
    pub(super) fn new_address(
        &mut self,
        of: Key,
        address: Ipv4Addr,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let key = Key::new(of.vni, address);
        let Some(port) = self
            .ports
            .get(&of)
            .filter(|port| port.state == State::Bound)
        else {
            return;
        };
        let node = port.node;
        if self.ports.contains_key(&key)
            || self.learning.contains_key(&key)
            || self.learning.len() >= LEARNING
            || !self.link.is_up()
        {
            return;
        }
        let attempt = self.next_attempt();
        let due = now + self.config.learn_interval;
        self.learning.insert(key, Learning { node, attempt, due });
        self.set_timer(due, Timer::Learning(key));
        out.push(Output::Send(ToManager::Learn {
            of,
            address,
            attempt,
        }));
    }

    /// Whether a grant of an address may be on its way, which must not find it given back.
    pub(super) fn is_learning(&self, key: Key) -> bool {
        self.learning.contains_key(&key)
    }

    pub(super) fn learning_due(&mut self, key: Key, due: Time) {
        if self
            .learning
            .get(&key)
            .is_some_and(|learning| learning.due == due)
        {
            self.learning.remove(&key);
        }
    }

    fn next_attempt(&mut self) -> u32 {
        self.attempt = self.attempt.wrapping_add(1);
        self.attempt
    }
}
