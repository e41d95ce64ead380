// SPDX-License-Identifier: GPL-2.0

//! What goes wrong: crashes, partitions, clocks that jump.

use std::time::Duration;

use super::network::LONGEST_CUT;
use super::{AgentEvent, Broken, Event, ManagerEvent, Victim, World, Wound};
use crate::core::moves::{MoveId, Reason};
use crate::core::shard::{Input, Order, Terms};

impl World {
    /// Something goes wrong, and the next thing is planned.
    pub(super) fn fault(&mut self) {
        let Some(mean) = self.scenario.faults.filter(|_| !self.resting) else {
            return;
        };
        let wait = self.random.within(mean * 2);
        self.after(wait, Event::Fault);
        self.stats.faults += 1;
        let host = self.random.below(self.hosts.len() as u64) as u32;
        let manager = self.random.below(self.managers.len() as u64) as u32;
        // The more hosts, the rarer it is a manager that fails.
        let rest = 10 + self.hosts.len() as u64 / 20;
        let kind = self.random.below(3 + rest);
        match if kind < 3 { kind } else { 3 + kind % 9 } {
            0 => self.crash(Victim::Manager(manager)),
            1 => self.cut_store(manager),
            2 if self.managers[manager as usize].is_alive() => self.load(manager),
            3 | 4 => self.crash(Victim::Host(host)),
            5..=7 => self.crash(Victim::Agent(host)),
            8 => {
                let jump = self.random.within(Duration::from_secs(20));
                self.hosts[host as usize].ahead += jump;
                // A clock that jumped makes timers due.
                let life = self.hosts[host as usize].life;
                self.after(Duration::ZERO, Event::Agent(host, life, AgentEvent::Wake));
            }
            // Leases rely on clocks that go, if not equally fast, without jumps.
            9 if self.scenario.guarded == 0 => {
                let jump = self.random.within(Duration::from_secs(20));
                self.managers[manager as usize].ahead += jump;
            }
            10 => {
                let image = self.hosts[host as usize]
                    .agent
                    .as_ref()
                    .map(|agent| agent.image());
                self.hosts[host as usize].image = image;
            }
            _ => {
                self.cut.insert((host, manager));
                let wait = self.random.within(LONGEST_CUT);
                self.after(wait, Event::Heal(Wound::HostManager(host, manager)));
            }
        }
    }

    fn cut_store(&mut self, manager: u32) {
        self.tell(None, || {
            format!("manager {manager} is cut off from the store")
        });
        self.managers[manager as usize].cut = true;
        let wait = self.within(10_000, 6_000_000);
        self.after(wait, Event::Heal(Wound::ManagerStore(manager)));
    }

    pub(super) fn heal(&mut self, wound: Wound) {
        match wound {
            Wound::HostManager(host, manager) => {
                self.cut.remove(&(host, manager));
            }
            Wound::ManagerStore(manager) => {
                self.managers[manager as usize].cut = false;
                self.plan_watch(manager);
            }
        }
    }

    pub(super) fn crash(&mut self, victim: Victim) {
        self.tell(None, || format!("{victim:?} crashes"));
        match victim {
            Victim::Manager(manager) => {
                if self.managers[manager as usize].is_alive() {
                    self.manager_dies(manager);
                    let life = self.managers[manager as usize].life;
                    let wait = self.within(1_000, 2_000_000);
                    self.after(wait, Event::Manager(manager, life, ManagerEvent::Start));
                }
            }
            Victim::Agent(host) => {
                if self.hosts[host as usize].agent.is_some() {
                    self.agent_dies(host);
                    self.restart_agent(host, 1_000, 1_000_000);
                }
            }
            Victim::Host(host) => {
                if self.hosts[host as usize].up {
                    self.agent_dies(host);
                    let this = &mut self.hosts[host as usize];
                    for key in this.kernel.mappings.keys() {
                        if self.local.get(key) == Some(&host) {
                            self.local.remove(key);
                        }
                    }
                    this.up = false;
                    this.kernel = Default::default();
                    if self.random.below(2) == 0 {
                        self.fence(host);
                    }
                    self.restart_agent(host, 10_000, 4_000_000);
                }
            }
        }
    }

    fn restart_agent(&mut self, host: u32, least: u64, most: u64) {
        let life = self.hosts[host as usize].life;
        let wait = self.within(least, most);
        self.after(wait, Event::Agent(host, life, AgentEvent::Start));
    }

    /// Somebody sees that a host is off, and says so.
    fn fence(&mut self, host: u32) {
        let (locator, epoch) = {
            let this = &self.hosts[host as usize];
            (this.locator, this.epoch)
        };
        self.order_to_someone(Order::FenceHost(locator, epoch));
        // Its nodes are to appear elsewhere, unless it is back first.
        let assigned = self.hosts[host as usize].assigned.iter().take(3);
        let nodes = assigned.filter_map(|key| self.store.mapping(*key));
        let nodes: Vec<_> = nodes.map(|(_, mapping)| mapping.node).collect();
        for node in nodes {
            let to = self.random.below(self.hosts.len() as u64) as usize;
            let order = Order::StartMove {
                id: MoveId(self.random.next_u64()),
                node,
                to: self.hosts[to].locator,
                reason: Reason::Failure,
            };
            let wait = self.within(10_000, 300_000);
            self.after(wait, Event::Ask(Box::new(order)));
        }
    }

    pub(super) fn order_to_someone(&mut self, order: Order) {
        let manager = self.random.below(self.managers.len() as u64) as u32;
        let life = self.managers[manager as usize].life;
        self.last_request += 1;
        let input = Input::Order(self.last_request, order, Terms::default());
        let wait = self.within(100, 1_000);
        self.after(
            wait,
            Event::Manager(manager, life, ManagerEvent::Input(Box::new(input))),
        );
    }

    /// Work and trouble are over: everything is mended and comes back.
    pub(super) fn rest(&mut self) -> Result<(), Broken> {
        self.tell(None, || "rest".into());
        self.resting = true;
        self.cut.clear();
        for manager in 0..self.managers.len() as u32 {
            self.heal(Wound::ManagerStore(manager));
        }
        self.boot_all();
        Ok(())
    }
}
