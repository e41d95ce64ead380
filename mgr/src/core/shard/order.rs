// SPDX-License-Identifier: GPL-2.0

//! Changes of the provisioning data: who asks for them, what is checked, what is written.
//!
//! An order is planned from the table, and from the record of the node it is about, which is read
//! for it. Its transaction names the revision of everything the plan rests on. If something has
//! changed meanwhile, the order is planned again once the table has that change.

use std::net::Ipv4Addr;

use ovnet_engine::{Locator, Mac, Vni};

use super::session::unchanged;
use super::{Alarm, Deferred, Flight, Output, SessionId, Shard, Task};
use crate::core::message::{Denial, ToAgent};
use crate::core::record::{
    self, Address, At, Epoch, Home, Host, Mapping, Name, Network, Node, Organisation,
};
use crate::core::{Generation, Key, NodeId, Time};
use crate::store::{Condition, Entry, Revision, Transaction};

/// A change of the provisioning data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Creates or changes an organisation.
    SetOrganisation(String, Organisation),
    /// Deletes an organisation without networks and hosts.
    DeleteOrganisation(String),
    /// Creates or changes a network, its policy and what it admits (`AU2`, `AU3`).
    SetNetwork(Vni, Network),
    /// Deletes a network without nodes.
    DeleteNetwork(Vni),
    /// Creates or changes a host.
    SetHost(Locator, Host),
    /// Deletes a host without nodes.
    DeleteHost(Locator),
    /// States that a boot of a host is over, and those before: it is powered off, or cut off. What
    /// was bound there can be claimed by others. Nothing checks that it is true (`MV7`).
    FenceHost(Locator, u32),
    /// Creates a node.
    CreateNode {
        /// Its id.
        id: NodeId,
        /// What people call it.
        name: String,
        /// Its network.
        vni: Vni,
        /// Its address; a free one if absent.
        address: Option<Ipv4Addr>,
        /// The MAC others see, if not the derived one.
        mac: Option<Mac>,
        /// The host it is to be on.
        home: Option<Locator>,
    },
    /// Says on which host a node is to be. Its present host, if another one, is told to let go.
    MoveNode(NodeId, Option<Locator>),
    /// Adds an address, a free one if absent (`CH1`).
    AddAddress(NodeId, Option<Ipv4Addr>),
    /// Takes an address away (`CH1`).
    RemoveAddress(NodeId, Ipv4Addr),
    /// Deletes a node. Its addresses are free as soon as its host has let go.
    DeleteNode(NodeId),
    /// A node uses another address (`CH2`); hosts ask for this.
    LearnAddress {
        /// The node.
        id: NodeId,
        /// An address it has.
        of: Key,
        /// The other one.
        address: Ipv4Addr,
        /// The host.
        host: Locator,
        /// The host's epoch.
        epoch: u32,
    },
    /// A node has not used an address for long (`CH3`); hosts say so.
    SilentAddress {
        /// The node.
        id: NodeId,
        /// The address.
        address: Ipv4Addr,
    },
}

/// On which terms an order is to be carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// The record that the order is about is of this revision, or absent if 0; whatever it is if
    /// `None`. It must be one that the store has got to, or the order waits for it.
    pub unchanged_since: Option<Revision>,
    /// Only say whether it would be carried out.
    pub dry_run: bool,
}

/// What became of an order that was carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// The state of the store that has it.
    pub generation: Generation,
    /// The address that a node got.
    pub address: Option<Ipv4Addr>,
}

/// Why an order was refused. Nothing has changed then, except as [`Refusal::Unavailable`] says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such organisation.
    #[error("there is no organisation {0}: create it first")]
    NoOrganisation(String),
    /// The organisation has networks or hosts.
    #[error("organisation {0} still has networks or hosts: delete them first")]
    OrganisationInUse(String),
    /// There is no such network.
    #[error("there is no network {0}: create it first")]
    NoNetwork(Vni),
    /// The network has nodes.
    #[error("network {0} still has nodes: delete them first")]
    NetworkInUse(Vni),
    /// The network's prefixes or rules make no sense.
    #[error("{0}")]
    Invalid(&'static str),
    /// There is no such host.
    #[error("there is no host {0}: create it first")]
    NoHost(Locator),
    /// The host has nodes.
    #[error("host {0} still has nodes: move or delete them first")]
    HostInUse(Locator),
    /// There is no such node.
    #[error("there is no node {0}")]
    NoNode(NodeId),
    /// There is another node with that id.
    #[error("node {0} exists and is another one: choose another id")]
    NodeExists(NodeId),
    /// The address is not of the network's prefixes.
    #[error("{0} is outside the prefixes of its network")]
    OutsideNetwork(Key),
    /// The address is another node's.
    #[error("{0} is another node's: choose another one, or none to get a free one")]
    AddressTaken(Key),
    /// The network has no free address.
    #[error("network {0} has no free address: give it another prefix")]
    NoAddress(Vni),
    /// The node does not have the address.
    #[error("the node does not have the address {0}")]
    NotItsAddress(Ipv4Addr),
    /// The node has no other address.
    #[error("{0} is the node's only address: add another one first, or delete the node")]
    OnlyAddress(Ipv4Addr),
    /// The network does not let nodes choose addresses.
    #[error("network {0} does not let nodes choose addresses")]
    NoLearning(Vni),
    /// The record is of another revision than the terms of the order say.
    #[error("it has changed meanwhile: read it again")]
    Changed,
    /// Others were faster too often.
    #[error("too much changes at the same time: try again")]
    Conflict,
    /// The store did not say whether it happened.
    #[error(
        "the store did not answer, so it is not known whether it happened: look, or try again"
    )]
    Unavailable,
}

/// Who wants an order carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Request(u64),
    Agent {
        session: SessionId,
        key: Key,
        attempt: u32,
    },
    Shard,
}

/// An order under way.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) origin: Origin,
    order: Order,
    terms: Terms,
    pub(super) tries: u32,
    /// The address that a node gets.
    pub(super) address: Option<Ipv4Addr>,
}

impl Job {
    pub(super) fn new(origin: Origin, order: Order) -> Job {
        Job {
            origin,
            order,
            terms: Terms::default(),
            tries: 0,
            address: None,
        }
    }

    pub(super) fn on(self, terms: Terms) -> Job {
        Job { terms, ..self }
    }
}

/// What is to be done for an order.
enum Plan {
    /// It is done already.
    Done(Option<Ipv4Addr>),
    /// This transaction.
    Write(Transaction, Option<Ipv4Addr>),
    /// The node's record is of this revision, which the table has not got to.
    Later(Revision),
}

/// A node as it was read.
type ReadNode = Option<(Node, Revision)>;

impl Order {
    /// The node that is to be read first.
    fn node(&self) -> Option<NodeId> {
        match self {
            Order::CreateNode { id, .. }
            | Order::MoveNode(id, _)
            | Order::AddAddress(id, _)
            | Order::RemoveAddress(id, _)
            | Order::DeleteNode(id)
            | Order::LearnAddress { id, .. }
            | Order::SilentAddress { id, .. } => Some(*id),
            _ => None,
        }
    }
}

impl Shard {
    pub(super) fn start(&mut self, job: Job, now: Time, out: &mut Vec<Output>) {
        if self.as_of.is_none() || self.table.term().number == 0 {
            return self.finish(job.origin, Err(Refusal::Unavailable), out);
        }
        match job.order.node() {
            Some(id) => {
                let flight = self.new_flight(Task::Work(Box::new(job)));
                out.push(Output::Read(flight, Name::Node(id)));
            }
            None => self.carry_out(job, None, now, out),
        }
    }

    pub(super) fn read(
        &mut self,
        flight: Flight,
        entry: Option<Option<Entry>>,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let Some((_, Task::Work(job))) = self.flights.remove(&flight) else {
            return;
        };
        let Some(entry) = entry else {
            return self.finish(job.origin, Err(Refusal::Unavailable), out);
        };
        let node = entry.and_then(|entry| {
            let node = record::decode(&entry.value);
            self.counters.damaged += u64::from(node.is_none());
            node.map(|node| (node, entry.modified))
        });
        self.carry_out(*job, node, now, out);
    }

    fn carry_out(&mut self, mut job: Job, node: ReadNode, now: Time, out: &mut Vec<Output>) {
        let present = self.revision(&job.order, node.as_ref());
        let changed = job
            .terms
            .unchanged_since
            .is_some_and(|wanted| wanted != present);
        let plan = match self.plan(&job.order, node) {
            // What is done already may be what an earlier try of the same request did.
            Ok(Plan::Write(..)) | Err(_) if changed => match job.terms.unchanged_since {
                Some(wanted) if wanted > self.reached_revision() => Ok(Plan::Later(wanted)),
                _ => Err(Refusal::Changed),
            },
            Ok(Plan::Write(_, address)) if job.terms.dry_run => Ok(Plan::Done(address)),
            plan => plan,
        };
        match plan {
            Err(refusal) => self.finish(job.origin, Err(refusal), out),
            Ok(Plan::Done(address)) => {
                let generation = self.as_of.unwrap_or_default();
                self.finish(
                    job.origin,
                    Ok(Done {
                        generation,
                        address,
                    }),
                    out,
                );
            }
            Ok(Plan::Later(revision)) => {
                self.defer(revision, Deferred::Work(Box::new(job)), now, out);
            }
            Ok(Plan::Write(transaction, address)) => {
                job.address = address;
                self.commit(Task::Work(Box::new(job)), transaction, out);
            }
        }
    }

    fn reached_revision(&self) -> Revision {
        self.as_of.map_or(0, Generation::revision)
    }

    /// The revision of the record that an order is about, 0 if there is none. The plan makes the
    /// transaction depend on it.
    fn revision(&self, order: &Order, node: Option<&(Node, Revision)>) -> Revision {
        let revision = match order {
            Order::SetOrganisation(name, _) | Order::DeleteOrganisation(name) => {
                self.table.organisation(name).map(|(_, revision)| *revision)
            }
            Order::SetNetwork(vni, _) | Order::DeleteNetwork(vni) => {
                self.table.network(*vni).map(|(_, revision)| *revision)
            }
            Order::SetHost(host, _) | Order::DeleteHost(host) => {
                self.table.host(*host).map(|(_, revision)| *revision)
            }
            Order::FenceHost(host, _) => Some(self.table.epoch(*host).1),
            _ => node.map(|(_, revision)| *revision),
        };
        revision.unwrap_or(0)
    }

    pub(super) fn finish(
        &mut self,
        origin: Origin,
        result: Result<Done, Refusal>,
        out: &mut Vec<Output>,
    ) {
        match origin {
            Origin::Request(request) => out.push(Output::Reply(request, result)),
            Origin::Agent {
                session,
                key,
                attempt,
            } => {
                let message = match result {
                    Ok(Done { generation, .. }) => ToAgent::Granted {
                        key,
                        attempt,
                        generation,
                    },
                    Err(Refusal::AddressTaken(_)) => {
                        if let (Some(host), Some((_, mapping))) =
                            (self.host_of(session), self.table.mapping(key))
                        {
                            out.push(Output::Alarm(Alarm::Duplicate(host, key, mapping.node)));
                        }
                        ToAgent::Denied {
                            key,
                            attempt,
                            reason: Denial::Duplicate,
                        }
                    }
                    Err(_) => ToAgent::Denied {
                        key,
                        attempt,
                        reason: Denial::Policy,
                    },
                };
                if self.sessions.contains_key(&session) {
                    out.push(Output::Send(session, message));
                }
            }
            Origin::Shard => {}
        }
    }

    fn plan(&mut self, order: &Order, node: ReadNode) -> Result<Plan, Refusal> {
        match order {
            Order::SetOrganisation(name, record) => Ok(self.set_organisation(name, record)),
            Order::DeleteOrganisation(name) => self.delete_organisation(name),
            Order::SetNetwork(vni, record) => self.set_network(*vni, record),
            Order::DeleteNetwork(vni) => self.delete_network(*vni),
            Order::SetHost(host, record) => self.set_host(*host, record),
            Order::DeleteHost(host) => self.delete_host(*host),
            Order::FenceHost(host, epoch) => self.fence_host(*host, *epoch),
            Order::CreateNode {
                id,
                name,
                vni,
                address,
                mac,
                home,
            } => {
                let name = name.clone();
                let addresses = Vec::new();
                let record = Node {
                    name,
                    vni: *vni,
                    addresses,
                    mac: *mac,
                    home: *home,
                    moving: None,
                };
                self.create_node(*id, record, *address, node)
            }
            Order::MoveNode(id, home) => self.move_node(*id, *home, node),
            Order::AddAddress(id, address) => self.add_address(*id, *address, node),
            Order::RemoveAddress(id, address) => self.remove_address(*id, *address, node),
            Order::DeleteNode(id) => self.delete_node(*id, node),
            Order::LearnAddress {
                id,
                of,
                address,
                host,
                epoch,
            } => {
                let at = At {
                    host: *host,
                    epoch: *epoch,
                    held: false,
                };
                self.learn_address(*id, *of, *address, at, node)
            }
            Order::SilentAddress { id, address } => self.silent_address(*id, *address, node),
        }
    }

    fn set_organisation(&self, name: &str, record: &Organisation) -> Plan {
        let revision = self
            .table
            .organisation(name)
            .map_or(0, |(_, revision)| *revision);
        let key = Name::Organisation(name.into()).bytes();
        let transaction = Transaction::new().when(unchanged(key.clone(), revision));
        Plan::Write(transaction.put(key, record::encode(record)), None)
    }

    fn delete_organisation(&self, name: &str) -> Result<Plan, Refusal> {
        let Some((_, revision)) = self.table.organisation(name) else {
            return Err(Refusal::NoOrganisation(name.into()));
        };
        if self.table.is_organisation_used(name) {
            return Err(Refusal::OrganisationInUse(name.into()));
        }
        let key = Name::Organisation(name.into()).bytes();
        let transaction = Transaction::new().when(Condition::Modified(key.clone(), *revision));
        Ok(Plan::Write(transaction.delete(key), None))
    }

    /// Begins a transaction that gives an organisation something: its record is written as it is,
    /// so that it cannot be deleted at the same time.
    fn belonging_to(&self, organisation: &str) -> Result<Transaction, Refusal> {
        let Some((record, revision)) = self.table.organisation(organisation) else {
            return Err(Refusal::NoOrganisation(organisation.into()));
        };
        let key = Name::Organisation(organisation.into()).bytes();
        Ok(Transaction::new()
            .when(Condition::Modified(key.clone(), *revision))
            .put(key, record::encode(record)))
    }

    fn set_network(&self, vni: Vni, record: &Network) -> Result<Plan, Refusal> {
        check(record)?;
        let revision = self.table.network(vni).map_or(0, |(_, revision)| *revision);
        let key = Name::Network(vni).bytes();
        let transaction = self.belonging_to(&record.organisation)?;
        let transaction = transaction.when(unchanged(key.clone(), revision));
        Ok(Plan::Write(
            transaction.put(key, record::encode(record)),
            None,
        ))
    }

    fn delete_network(&self, vni: Vni) -> Result<Plan, Refusal> {
        let (_, revision) = self.table.network(vni).ok_or(Refusal::NoNetwork(vni))?;
        if self.table.is_network_used(vni) {
            return Err(Refusal::NetworkInUse(vni));
        }
        let key = Name::Network(vni).bytes();
        let transaction = Transaction::new().when(Condition::Modified(key.clone(), *revision));
        Ok(Plan::Write(transaction.delete(key), None))
    }

    fn set_host(&self, host: Locator, record: &Host) -> Result<Plan, Refusal> {
        let revision = self.table.host(host).map_or(0, |(_, revision)| *revision);
        let key = Name::Host(host).bytes();
        let transaction = self.belonging_to(&record.organisation)?;
        let transaction = transaction.when(unchanged(key.clone(), revision));
        Ok(Plan::Write(
            transaction.put(key, record::encode(record)),
            None,
        ))
    }

    /// The host's epoch stays, so that a host with the same locator cannot go back behind it.
    fn delete_host(&self, host: Locator) -> Result<Plan, Refusal> {
        let (_, revision) = self.table.host(host).ok_or(Refusal::NoHost(host))?;
        if self.table.networks_of(host).next().is_some() {
            return Err(Refusal::HostInUse(host));
        }
        let key = Name::Host(host).bytes();
        let transaction = Transaction::new().when(Condition::Modified(key.clone(), *revision));
        Ok(Plan::Write(transaction.delete(key), None))
    }

    fn fence_host(&self, host: Locator, epoch: u32) -> Result<Plan, Refusal> {
        self.table.host(host).ok_or(Refusal::NoHost(host))?;
        let (known, revision) = self.table.epoch(host);
        if known.is_over(epoch) {
            return Ok(Plan::Done(None));
        }
        let key = Name::Epoch(host).bytes();
        let fenced = Epoch {
            fenced: epoch,
            ..known
        };
        let transaction = Transaction::new().when(unchanged(key.clone(), revision));
        Ok(Plan::Write(
            transaction.put(key, record::encode(&fenced)),
            None,
        ))
    }

    fn create_node(
        &mut self,
        id: NodeId,
        mut record: Node,
        address: Option<Ipv4Addr>,
        node: ReadNode,
    ) -> Result<Plan, Refusal> {
        if let Some((node, _)) = node {
            let first = node.addresses.first().map(|first| first.address);
            let same = node.name == record.name && node.vni == record.vni && node.mac == record.mac;
            return match same {
                true => Ok(Plan::Done(first)),
                false => Err(Refusal::NodeExists(id)),
            };
        }
        let home = self.home(record.home)?;
        let address = self.choose(record.vni, address)?;
        record.addresses.push(Address {
            address,
            learned: false,
        });
        let key = Name::Node(id).bytes();
        let transaction = self.home_exists(record.home, Transaction::new());
        let transaction = transaction.when(Condition::Absent(key.clone()));
        let mapping = self.fresh(id, home, None, record.mac);
        let transaction = self.add_mapping(Key::new(record.vni, address), &mapping, transaction);
        Ok(Plan::Write(
            transaction.put(key, record::encode(&record)),
            Some(address),
        ))
    }

    fn move_node(
        &self,
        id: NodeId,
        home: Option<Locator>,
        node: ReadNode,
    ) -> Result<Plan, Refusal> {
        let (mut node, revision) = node.ok_or(Refusal::NoNode(id))?;
        if node.home == home {
            return Ok(Plan::Done(None));
        }
        node.home = home;
        let home = self.home(node.home)?;
        let mut transaction = self.home_exists(node.home, Transaction::new());
        for address in &node.addresses {
            let key = Key::new(node.vni, address.address);
            let Some((generation, mapping)) = self.own_mapping(key, id) else {
                return Ok(Plan::Later(revision));
            };
            let term = self.table.term().number;
            let mapping = Mapping {
                term,
                home,
                ..mapping
            };
            transaction = change_mapping(key, generation, Some(&mapping), transaction);
        }
        Ok(Plan::Write(
            change_node(id, &node, revision, transaction),
            None,
        ))
    }

    fn add_address(
        &mut self,
        id: NodeId,
        address: Option<Ipv4Addr>,
        node: ReadNode,
    ) -> Result<Plan, Refusal> {
        let (mut node, revision) = node.ok_or(Refusal::NoNode(id))?;
        if let Some(address) = address {
            if node.addresses.iter().any(|own| own.address == address) {
                return Ok(Plan::Done(Some(address)));
            }
        }
        let address = self.choose(node.vni, address)?;
        node.addresses.push(Address {
            address,
            learned: false,
        });
        let home = self.home(node.home)?;
        let mapping = self.fresh(id, home, None, node.mac);
        let key = Key::new(node.vni, address);
        let transaction = self.add_mapping(key, &mapping, Transaction::new());
        Ok(Plan::Write(
            change_node(id, &node, revision, transaction),
            Some(address),
        ))
    }

    fn remove_address(
        &self,
        id: NodeId,
        address: Ipv4Addr,
        node: ReadNode,
    ) -> Result<Plan, Refusal> {
        let (mut node, revision) = node.ok_or(Refusal::NoNode(id))?;
        let count = node.addresses.len();
        node.addresses.retain(|own| own.address != address);
        match (count, node.addresses.len()) {
            (before, after) if before == after => return Err(Refusal::NotItsAddress(address)),
            (_, 0) => return Err(Refusal::OnlyAddress(address)),
            _ => {}
        }
        if let [last] = &mut node.addresses[..] {
            last.learned = false;
        }
        let key = Key::new(node.vni, address);
        let Some(transaction) = self.drop_mapping(key, id, Transaction::new()) else {
            return Ok(Plan::Later(revision));
        };
        Ok(Plan::Write(
            change_node(id, &node, revision, transaction),
            None,
        ))
    }

    fn delete_node(&self, id: NodeId, node: ReadNode) -> Result<Plan, Refusal> {
        let (node, revision) = node.ok_or(Refusal::NoNode(id))?;
        let name = Name::Node(id).bytes();
        let mut transaction = Transaction::new()
            .when(Condition::Modified(name.clone(), revision))
            .delete(name);
        for address in &node.addresses {
            let key = Key::new(node.vni, address.address);
            transaction = match self.drop_mapping(key, id, transaction) {
                Some(transaction) => transaction,
                None => return Ok(Plan::Later(revision)),
            };
        }
        Ok(Plan::Write(transaction, None))
    }

    /// The node keeps what is provisioned and gets the address besides: whether it is in place of
    /// another one, the silence of that one will tell (`CH3`).
    fn learn_address(
        &self,
        id: NodeId,
        of: Key,
        address: Ipv4Addr,
        at: At,
        node: ReadNode,
    ) -> Result<Plan, Refusal> {
        let (mut node, revision) = node.ok_or(Refusal::NoNode(id))?;
        let key = Key::new(of.vni, address);
        let (network, _) = self
            .table
            .network(of.vni)
            .ok_or(Refusal::NoNetwork(of.vni))?;
        if !network.learn {
            return Err(Refusal::NoLearning(of.vni));
        }
        if !network.contains(address) {
            return Err(Refusal::OutsideNetwork(key));
        }
        if self.table.mapping(key).is_some() {
            return Err(Refusal::AddressTaken(key));
        }
        let bound = self
            .own_mapping(of, id)
            .filter(|(_, mapping)| mapping.at == Some(at));
        let Some((generation, mapping)) = bound else {
            return Err(Refusal::NotItsAddress(of.address));
        };
        node.addresses.push(Address {
            address,
            learned: true,
        });
        let (_, epoch_revision) = self.table.epoch(at.host);
        let epoch = unchanged(Name::Epoch(at.host).bytes(), epoch_revision);
        let bound = Condition::Modified(Name::Mapping(of).bytes(), generation.revision());
        let transaction = Transaction::new().when(epoch).when(bound);
        let mapping = self.fresh(id, mapping.home, Some(at), node.mac);
        let transaction = self.add_mapping(key, &mapping, transaction);
        Ok(Plan::Write(
            change_node(id, &node, revision, transaction),
            Some(address),
        ))
    }

    /// Of a provisioned address and a learned one, the silent one goes.
    fn silent_address(
        &self,
        id: NodeId,
        address: Ipv4Addr,
        node: ReadNode,
    ) -> Result<Plan, Refusal> {
        let learned = |(node, _): &(Node, Revision)| {
            node.addresses.len() > 1 && node.addresses.iter().any(|own| own.learned)
        };
        match node.filter(learned) {
            Some(node) => self.remove_address(id, address, Some(node)),
            None => Ok(Plan::Done(None)),
        }
    }

    fn home(&self, home: Option<Locator>) -> Result<Home, Refusal> {
        match home {
            None => Ok(Home::Nowhere),
            Some(host) if self.table.host(host).is_some() => Ok(Home::Host(host)),
            Some(host) => Err(Refusal::NoHost(host)),
        }
    }

    fn home_exists(&self, home: Option<Locator>, transaction: Transaction) -> Transaction {
        match home {
            Some(host) => transaction.when(Condition::Exists(Name::Host(host).bytes())),
            None => transaction,
        }
    }

    fn choose(&mut self, vni: Vni, address: Option<Ipv4Addr>) -> Result<Ipv4Addr, Refusal> {
        let (network, _) = self.table.network(vni).ok_or(Refusal::NoNetwork(vni))?;
        let Some(address) = address else {
            return self.table.free_address(vni).ok_or(Refusal::NoAddress(vni));
        };
        let key = Key::new(vni, address);
        if !network.contains(address) {
            return Err(Refusal::OutsideNetwork(key));
        }
        match self.table.mapping(key) {
            Some(_) => Err(Refusal::AddressTaken(key)),
            None => Ok(address),
        }
    }

    fn fresh(&self, node: NodeId, home: Home, at: Option<At>, mac: Option<Mac>) -> Mapping {
        Mapping {
            term: self.table.term().number,
            node,
            home,
            at,
            mac,
        }
    }

    fn own_mapping(&self, key: Key, id: NodeId) -> Option<(Generation, Mapping)> {
        self.table
            .mapping(key)
            .filter(|(_, mapping)| mapping.node == id)
    }

    fn add_mapping(&self, key: Key, mapping: &Mapping, transaction: Transaction) -> Transaction {
        let name = Name::Mapping(key).bytes();
        transaction
            .when(Condition::Exists(Name::Network(key.vni).bytes()))
            .when(Condition::Absent(name.clone()))
            .put(name, record::encode(mapping))
    }

    /// Takes an address from a node: at once if no host has it, else once that lets go. None if
    /// the table does not have the mapping yet.
    fn drop_mapping(&self, key: Key, id: NodeId, transaction: Transaction) -> Option<Transaction> {
        let (generation, mapping) = self.own_mapping(key, id)?;
        let alive = |at: &At| !at.held && !self.table.epoch(at.host).0.is_over(at.epoch);
        let term = self.table.term().number;
        let leaving = Mapping {
            term,
            home: Home::Leaving,
            ..mapping
        };
        let after = mapping.at.filter(alive).map(|_| &leaving);
        Some(change_mapping(key, generation, after, transaction))
    }
}

fn change_mapping(
    key: Key,
    generation: Generation,
    after: Option<&Mapping>,
    transaction: Transaction,
) -> Transaction {
    let name = Name::Mapping(key).bytes();
    let unchanged = Condition::Modified(name.clone(), generation.revision());
    let transaction = transaction.when(unchanged);
    match after {
        Some(mapping) => transaction.put(name, record::encode(mapping)),
        None => transaction.delete(name),
    }
}

fn change_node(
    id: NodeId,
    node: &Node,
    revision: Revision,
    transaction: Transaction,
) -> Transaction {
    let name = Name::Node(id).bytes();
    transaction
        .when(Condition::Modified(name.clone(), revision))
        .put(name, record::encode(node))
}

fn check(network: &Network) -> Result<(), Refusal> {
    for (address, length) in &network.prefixes {
        let low = u32::MAX.checked_shr(u32::from(*length)).unwrap_or(0);
        if *length > 32 || address.to_bits() & low != 0 {
            return Err(Refusal::Invalid(
                "a prefix must have its low bits clear: 10.0.0.0/24",
            ));
        }
    }
    for rule in &network.rules {
        let ordered = |range: Option<(u16, u16)>| range.is_none_or(|(first, last)| first <= last);
        if !ordered(rule.ports) || !ordered(rule.size) {
            return Err(Refusal::Invalid(
                "a range of a rule must not end before it begins",
            ));
        }
        let minutes = |(from, until): (u16, u16)| from < 24 * 60 && until < 24 * 60;
        if !rule.window.is_none_or(minutes) {
            return Err(Refusal::Invalid(
                "a window is of minutes of the day: below 1440",
            ));
        }
    }
    Ok(())
}
