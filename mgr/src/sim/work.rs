// SPDX-License-Identifier: GPL-2.0

//! What nodes and operators do.

use std::net::Ipv4Addr;

use ovnet_engine::{Locator, Vni};

use super::host::Host;
use super::manager::Manager;
use super::{AgentEvent, Broken, Event, ManagerEvent, World};
use crate::core::agent::kernel::Event as KernelEvent;
use crate::core::moves::{MoveId, Reason};
use crate::core::record::{
    self, Address, Home, Host as HostRecord, Mapping, Name, Network, Node, Organisation, Placement,
};
use crate::core::shard::Order;
use crate::core::{Key, NodeId};

const ORGANISATION: &str = "all";
/// So many hosts have the nodes that a network begins with.
const SPREAD: u32 = 400;

impl World {
    /// The store as it is at the beginning, and the machines switched on.
    pub(super) fn provision(&mut self) {
        let organisation = Organisation {
            title: "Everybody".into(),
        };
        self.store.begin_with(
            Name::Organisation(ORGANISATION.into()),
            record::encode(&organisation),
        );
        self.vnis = (1..=self.scenario.networks).filter_map(Vni::new).collect();
        for (i, vni) in self.vnis.clone().into_iter().enumerate() {
            let network = self.network(i);
            self.store
                .begin_with(Name::Network(vni), record::encode(&network));
        }
        for i in 0..self.scenario.hosts {
            let locator = Locator::new(0xfd00_000a, i + 1).expect("a locator of fd00::/8");
            let name = format!("host-{i}");
            let record = HostRecord {
                name,
                organisation: ORGANISATION.into(),
                ..HostRecord::default()
            };
            self.store
                .begin_with(Name::Host(locator), record::encode(&record));
            self.by_locator.insert(locator, i);
            self.hosts.push(Host::new(locator, i));
        }
        for i in 0..self.scenario.nodes {
            let vni = self.vnis[(i % self.scenario.networks) as usize];
            let address = Ipv4Addr::from_bits(0x0a00_0001 + i / self.scenario.networks);
            // The nodes of a network are on many hosts, those of a host in few networks.
            let (hosts, networks) = (self.scenario.hosts, self.scenario.networks);
            let spread = hosts.min(SPREAD);
            let first = i % networks * (hosts / networks).max(37);
            let host = (first + i / networks % spread) % hosts;
            let home = self.hosts[host as usize].locator;
            let id = NodeId(u64::from(i) + 1);
            let key = Key::new(vni, address);
            let mapping = Mapping {
                term: 0,
                node: id,
                home: Home::Host(home),
                at: None,
                mac: None,
            };
            self.store
                .begin_with(Name::Mapping(key), record::encode(&mapping));
            let addresses = vec![Address {
                address,
                learned: false,
            }];
            let name = format!("node-{i}");
            let node = Node {
                name,
                vni,
                addresses,
                mac: None,
                home: Some(home),
                moving: None,
            };
            self.store.begin_with(Name::Node(id), record::encode(&node));
            let one_in = |many: u64| many > 0 && u64::from(i) % many == 0;
            let placement = Placement {
                evacuate: one_in(self.scenario.guarded),
                balance: one_in(self.scenario.balanced),
                ..Placement::default()
            };
            if placement != Placement::default() {
                self.store
                    .begin_with(Name::Placement(id), record::encode(&placement));
            }
            self.hosts[host as usize].assigned.insert(key);
            self.nodes.push((id, vni));
        }
        self.last_node = u64::from(self.scenario.nodes);
        for manager in 0..self.scenario.managers {
            self.managers.push(Manager::new(manager));
            self.after(
                Default::default(),
                Event::Manager(manager, 0, ManagerEvent::Start),
            );
        }
        for host in 0..self.scenario.hosts {
            let wait = self.within(0, 2_000_000);
            self.after(wait, Event::Agent(host, 0, AgentEvent::Start));
        }
        self.after(self.scenario.orders, Event::Order);
        self.after(self.scenario.bursts, Event::Burst);
        self.after(Default::default(), Event::Fault);
    }

    /// The even networks let the next one talk to them, and the first lets nodes choose addresses.
    fn network(&self, i: usize) -> Network {
        let next = self.vnis.get(i + 1).copied();
        Network {
            name: format!("network-{i}"),
            organisation: ORGANISATION.into(),
            prefixes: vec![(Ipv4Addr::new(10, 0, 0, 0), 8)],
            learn: i == 0,
            exact: false,
            admits: next.filter(|_| i % 2 == 0).into_iter().collect(),
            rules: Vec::new(),
        }
    }

    fn some_host(&mut self) -> u32 {
        self.random.below(self.hosts.len() as u64) as u32
    }

    /// An address near those that nodes have; few of them are nobody's.
    fn some_address(&mut self) -> Ipv4Addr {
        let each = u64::from(self.scenario.nodes / self.scenario.networks);
        let offset = self.random.below(each + each / 50 + 3) as u32;
        Ipv4Addr::from_bits(0x0a00_0001 + offset)
    }

    pub(super) fn order(&mut self) {
        if self.resting {
            return;
        }
        let wait = self.random.within(self.scenario.orders * 2);
        self.after(wait, Event::Order);
        let host = self.some_host();
        let home = Some(self.hosts[host as usize].locator).filter(|_| self.random.below(20) > 0);
        let vni = self.vnis[self.random.below(self.vnis.len() as u64) as usize];
        let kind = self.random.below(13);
        if self.nodes.is_empty() || kind < 2 {
            self.last_node += 1;
            let id = NodeId(self.last_node);
            let address = Some(self.some_address()).filter(|_| self.random.below(2) == 0);
            let name = format!("node-{id}");
            self.nodes.push((id, vni));
            return self.order_to_someone(Order::CreateNode {
                id,
                name,
                vni,
                address,
                mac: None,
                home,
            });
        }
        let chosen = self.random.below(self.nodes.len() as u64) as usize;
        let (id, vni) = self.nodes[chosen];
        let order = match kind {
            2 => {
                self.nodes.swap_remove(chosen);
                Order::DeleteNode(id)
            }
            3 => Order::AddAddress(id, Some(self.some_address()).filter(|_| kind == 3)),
            4 => Order::RemoveAddress(id, self.some_address()),
            5 => {
                // The same order again, as a client repeats it that got no answer.
                let name = format!("node-{id}");
                Order::CreateNode {
                    id,
                    name,
                    vni,
                    address: None,
                    mac: None,
                    home,
                }
            }
            6 => return self.use_address(host),
            7 => return self.be_silent(host),
            8 | 9 => {
                let of = MoveId(self.random.next_u64());
                let reason = match self.random.below(6) {
                    0 => Reason::Leak,
                    1 => Reason::Failure,
                    _ => Reason::Operator,
                };
                Order::StartMove {
                    id: of,
                    node: id,
                    to: self.hosts[host as usize].locator,
                    reason,
                }
            }
            10 if !self.moves.is_empty() => {
                let recent = self.moves.len().min(4) as u64;
                let place = self.moves.len() - 1 - self.random.below(recent) as usize;
                Order::AbortMove(self.moves[place], "not now".into())
            }
            _ => Order::MoveNode(id, home),
        };
        self.order_to_someone(order);
    }

    /// A node on a host begins to use an address that is not its own.
    fn use_address(&mut self, host: u32) {
        let address = self.some_address();
        let kernel = &mut self.hosts[host as usize].kernel;
        let Some((&port, &node)) = kernel.ports.iter().next() else {
            return;
        };
        let key = Key::new(port.vni, address);
        if !kernel.ports.contains_key(&key) {
            kernel.used.insert(key, node);
            self.kernel_events(host, vec![KernelEvent::NewAddress { port, address }]);
        }
    }

    /// An address of a node on a host, or a mapping there, is not used for long.
    fn be_silent(&mut self, host: u32) {
        let from = Key::new(self.vnis[0], self.some_address());
        let kernel = &self.hosts[host as usize].kernel;
        if let Some((&key, _)) = kernel.mappings.range(from..).next() {
            self.kernel_events(host, vec![KernelEvent::Idle(key)]);
        }
    }

    /// Nodes of a host send packets, most of them to nodes they have sent to before.
    pub(super) fn burst(&mut self) -> Result<(), Broken> {
        if self.resting {
            return Ok(());
        }
        let wait = self.random.within(self.scenario.bursts * 2);
        self.after(wait, Event::Burst);
        let host = self.some_host();
        if self.hosts[host as usize].agent.is_none() {
            return Ok(());
        }
        let mut missed = Vec::new();
        for _ in 0..self.scenario.packets {
            let Some((source, destination)) = self.some_talk(host) else {
                break;
            };
            missed.extend(self.send_packet(host, source, destination)?);
        }
        if !missed.is_empty() {
            self.kernel_events(host, missed);
        }
        Ok(())
    }

    fn some_talk(&mut self, host: u32) -> Option<(Key, Key)> {
        let known = self.hosts[host as usize].talks.len() as u64;
        if known > 0 && self.random.below(2) == 0 {
            let talk = self.random.below(known) as usize;
            return Some(self.hosts[host as usize].talks[talk]);
        }
        let assigned = &self.hosts[host as usize].assigned;
        let first = *assigned.first()?;
        let last = *assigned.last()?;
        let span = u64::from(last.vni.get() - first.vni.get()) + 1;
        let vni = Vni::new(first.vni.get() + self.random.below(span) as u32)?;
        let from = Key::new(vni, self.some_address());
        let assigned = &self.hosts[host as usize].assigned;
        let source = *assigned.range(from..).next().unwrap_or(&first);
        let mut vni = source.vni;
        if self.random.below(4) == 0 {
            vni = Vni::new(vni.get() + 1)
                .filter(|vni| self.vnis.contains(vni))
                .unwrap_or(vni);
        }
        let talk = (source, Key::new(vni, self.some_address()));
        let place = self.random.below(64) as usize;
        let talks = &mut self.hosts[host as usize].talks;
        match talks.get_mut(place) {
            Some(old) => *old = talk,
            None => talks.push(talk),
        }
        Some(talk)
    }
}
