// SPDX-License-Identifier: GPL-2.0

//! Connections between agents and managers, and what becomes of messages on them.

use std::time::Duration;

use super::{AgentEvent, Arrival, Broken, Event, World};
use crate::core::agent::Input as AgentInput;
use crate::core::message::{ToAgent, ToManager};
use crate::core::shard::{Input as ShardInput, SessionId};
use crate::core::Time;

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    host: u32,
    manager: u32,
    /// Which life of the manager it is to: a manager that was started anew knows nothing of it.
    life: u32,
    /// When the last message in each direction arrives.
    last: [Time; 2],
}

/// A partition is over by then, and what was sent meanwhile arrives.
pub(super) const LONGEST_CUT: Duration = Duration::from_secs(5);

impl World {
    pub(super) fn connect(&mut self, host: u32) {
        let count = self.managers.len() as u32;
        let manager = self.hosts[host as usize].next_manager(count);
        let wait = self.within(200, 2_000);
        if !self.managers[manager as usize].is_alive() || self.cut.contains(&(host, manager)) {
            let life = self.hosts[host as usize].life;
            return self.after(wait, Event::Agent(host, life, AgentEvent::NotConnected));
        }
        self.last_session += 1;
        let session = SessionId(self.last_session);
        let life = self.managers[manager as usize].life;
        let connection = Connection {
            host,
            manager,
            life,
            last: [self.now; 2],
        };
        self.connections.insert(session, connection);
        self.hosts[host as usize].session = Some(session);
        self.after(wait, Event::Arrive(session, Arrival::Opened));
    }

    pub(super) fn send_to_manager(&mut self, session: SessionId, message: ToManager) {
        self.stats.messages += 1;
        self.transmit(session, 0, Arrival::ToManager(message));
    }

    pub(super) fn send_to_agent(&mut self, session: SessionId, message: ToAgent) {
        self.stats.messages += 1;
        self.transmit(session, 1, Arrival::ToAgent(message));
    }

    fn transmit(&mut self, session: SessionId, direction: usize, message: Arrival) {
        let Some(connection) = self.connections.get(&session) else {
            return;
        };
        let cut = self.cut.contains(&(connection.host, connection.manager));
        let lossy = self.scenario.loss > 0;
        if cut && lossy || self.one_in(self.scenario.loss) {
            return;
        }
        if self.one_in(self.scenario.duplication) {
            let copy = match &message {
                Arrival::ToManager(message) => Arrival::ToManager(message.clone()),
                Arrival::ToAgent(message) => Arrival::ToAgent(message.clone()),
                _ => return,
            };
            let wait = self.within(200, 500_000);
            self.after(wait, Event::Arrive(session, copy));
        }
        let mut at = self.now + self.within(200, 1_000);
        if cut {
            at += LONGEST_CUT;
        }
        if self.scenario.reordering && self.one_in(20) {
            at += self.within(1_000, 300_000);
        } else if let Some(connection) = self.connections.get_mut(&session) {
            let last = &mut connection.last[direction];
            at = at.max(*last + Duration::from_micros(1));
            *last = at;
        }
        self.queue.add(at, Event::Arrive(session, message));
    }

    /// The agent has ended its connection, or has died.
    pub(super) fn end_at_agent(&mut self, host: u32) {
        if let Some(session) = self.hosts[host as usize].session.take() {
            let wait = self.within(200, 50_000);
            self.after(wait, Event::Arrive(session, Arrival::EndAtManager));
        }
    }

    /// The manager has ended a connection, or has died.
    pub(super) fn end_at_manager(&mut self, session: SessionId) {
        let wait = self.within(200, 50_000);
        self.after(wait, Event::Arrive(session, Arrival::EndAtAgent));
    }

    pub(super) fn sessions_of(&self, manager: u32) -> Vec<SessionId> {
        let of = |(session, connection): (&SessionId, &Connection)| {
            (connection.manager == manager).then_some(*session)
        };
        self.connections.iter().filter_map(of).collect()
    }

    pub(super) fn arrive(&mut self, session: SessionId, arrival: Arrival) -> Result<(), Broken> {
        let Some(&Connection {
            host,
            manager,
            life,
            ..
        }) = self.connections.get(&session)
        else {
            return Ok(());
        };
        let to_agent = self.hosts[host as usize].session == Some(session);
        let to_manager = self.managers[manager as usize].life == life
            && self.managers[manager as usize].is_alive();
        match arrival {
            Arrival::Opened if to_manager => {
                let locator = self.hosts[host as usize].locator;
                self.manager_input(manager, ShardInput::Opened(session, locator));
                let wait = self.within(200, 1_000);
                self.after(wait, Event::Arrive(session, Arrival::Connected));
            }
            Arrival::Opened => self.end_at_manager(session),
            Arrival::Connected if to_agent => self.agent_input(host, AgentInput::Connected)?,
            Arrival::ToManager(message) if to_manager => {
                self.manager_input(manager, ShardInput::Received(session, message));
            }
            // As on a stream: whoever sends to one that is gone is told so.
            Arrival::ToManager(_) => self.end_at_manager(session),
            Arrival::ToAgent(message) if to_agent => {
                self.agent_input(host, AgentInput::Received(message))?;
            }
            Arrival::EndAtManager if to_manager => {
                self.connections.remove(&session);
                self.manager_input(manager, ShardInput::Closed(session));
            }
            Arrival::EndAtAgent if to_agent => {
                self.connections.remove(&session);
                self.hosts[host as usize].session = None;
                self.agent_input(host, AgentInput::Disconnected)?;
            }
            Arrival::EndAtManager | Arrival::EndAtAgent => {
                self.connections.remove(&session);
            }
            Arrival::Connected | Arrival::ToAgent(_) => {}
        }
        Ok(())
    }
}
