// SPDX-License-Identifier: GPL-2.0

//! Orders that concern nodes and their addresses: what is checked, what is written.

use std::net::Ipv4Addr;

use ovnet_engine::{Locator, Mac, Vni};

use super::job::{Plan, ReadNode};
use super::session::unchanged;
use super::{Refusal, Shard};
use crate::core::record::{self, Address, At, Home, Mapping, Name, Node, Placement};
use crate::core::{Generation, Key, NodeId, Time};
use crate::store::{Condition, Revision, Transaction};

impl Shard {
    pub(super) fn create_node(
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

    /// What is the default is not written, so that the node is one that nothing is said of.
    pub(super) fn set_placement(
        &self,
        id: NodeId,
        placement: &Placement,
        node: ReadNode,
    ) -> Result<Plan, Refusal> {
        let (_, revision) = node.ok_or(Refusal::NoNode(id))?;
        if placement.size == 0 {
            return Err(Refusal::Invalid("the size of a node is at least 1"));
        }
        if let Some(pin) = placement.pin.filter(|pin| self.table.host(*pin).is_none()) {
            return Err(Refusal::NoHost(pin));
        }
        let known = self.table.placements().get(id);
        let present = known.map_or_else(Placement::default, |(it, _)| it.clone());
        if present == *placement {
            return Ok(Plan::Done(None));
        }
        let key = Name::Placement(id).bytes();
        let at = known.map_or(0, |(_, at)| at);
        let transaction = Transaction::new()
            .when(Condition::Modified(Name::Node(id).bytes(), revision))
            .when(unchanged(key.clone(), at));
        let transaction = match *placement == Placement::default() {
            true => transaction.delete(key),
            false => transaction.put(key, record::encode(placement)),
        };
        Ok(Plan::Write(transaction, None))
    }

    pub(super) fn move_node(
        &self,
        id: NodeId,
        home: Option<Locator>,
        node: ReadNode,
    ) -> Result<Plan, Refusal> {
        let (mut node, revision) = node.ok_or(Refusal::NoNode(id))?;
        if node.home == home {
            return Ok(Plan::Done(None));
        }
        settled(id, &node)?;
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

    pub(super) fn add_address(
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
        settled(id, &node)?;
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

    pub(super) fn remove_address(
        &self,
        id: NodeId,
        address: Ipv4Addr,
        node: ReadNode,
    ) -> Result<Plan, Refusal> {
        let (mut node, revision) = node.ok_or(Refusal::NoNode(id))?;
        settled(id, &node)?;
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

    pub(super) fn delete_node(
        &self,
        id: NodeId,
        node: ReadNode,
        now: Time,
    ) -> Result<Plan, Refusal> {
        let (node, revision) = node.ok_or(Refusal::NoNode(id))?;
        let name = Name::Node(id).bytes();
        let mut transaction = Transaction::new()
            .when(Condition::Modified(name.clone(), revision))
            .delete(name)
            .delete(Name::Placement(id).bytes());
        if let Some(moving) = node.moving {
            if revision > self.reached_revision() {
                return Ok(Plan::Later(revision));
            }
            transaction = self.end_move(moving, transaction, now);
        }
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
    pub(super) fn learn_address(
        &self,
        id: NodeId,
        of: Key,
        address: Ipv4Addr,
        at: At,
        node: ReadNode,
    ) -> Result<Plan, Refusal> {
        let (mut node, revision) = node.ok_or(Refusal::NoNode(id))?;
        settled(id, &node)?;
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
    pub(super) fn silent_address(
        &self,
        id: NodeId,
        address: Ipv4Addr,
        node: ReadNode,
    ) -> Result<Plan, Refusal> {
        let learned = |(node, _): &(Node, Revision)| {
            let learned = node.addresses.iter().any(|own| own.learned);
            node.addresses.len() > 1 && learned && node.moving.is_none()
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

    pub(super) fn home_exists(
        &self,
        home: Option<Locator>,
        transaction: Transaction,
    ) -> Transaction {
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

    pub(super) fn own_mapping(&self, key: Key, id: NodeId) -> Option<(Generation, Mapping)> {
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
        let alive = |at: &At| !at.held && !self.table.is_gone(mapping.node, *at);
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

/// No address is given to a node or taken from it, and its home stays, while it is moved.
fn settled(id: NodeId, node: &Node) -> Result<(), Refusal> {
    match node.moving {
        Some(moving) => Err(Refusal::Moving(id, moving)),
        None => Ok(()),
    }
}

pub(super) fn change_mapping(
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

pub(super) fn change_node(
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
