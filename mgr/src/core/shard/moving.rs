// SPDX-License-Identifier: GPL-2.0

//! Orders that begin moves of nodes, lead them on and end them: what is checked, what is written.
//!
//! The commit is one transaction: it gives all of a node's mappings from one host to the other,
//! provided that nothing it rests on has changed, both hosts' boots included. Whether a move is
//! aborted or commits is thus decided once, by the store.

use ovnet_engine::Locator;

use super::job::{Plan, ReadNode};
use super::nodes::{change_mapping, change_node};
use super::session::unchanged;
use super::{Refusal, Shard};
use crate::core::moves::{MoveId, Reason, Seat, State, Step};
use crate::core::record::{self, At, Home, Mapping, Move, Name};
use crate::core::{Key, NodeId, Time};
use crate::store::{Condition, Revision, Transaction};

impl Shard {
    /// Milliseconds since 1970.
    pub(super) fn wall(&self, now: Time) -> u64 {
        self.config.wall + now.micros() / 1000
    }

    pub(super) fn is_over(&self, seat: Seat) -> bool {
        self.table.epoch(seat.host).0.is_over(seat.epoch)
    }

    pub(super) fn start_move(
        &self,
        id: MoveId,
        of: NodeId,
        to: Locator,
        reason: Reason,
        node: ReadNode,
        now: Time,
    ) -> Result<Plan, Refusal> {
        if let Some((it, _)) = self.table.moves().get(id) {
            return match it.node == of && it.to.host == to {
                true => Ok(Plan::Done(None)),
                false => Err(Refusal::MoveExists(id)),
            };
        }
        let (mut node, revision) = node.ok_or(Refusal::NoNode(of))?;
        match node.moving {
            Some(moving) if moving == id && revision > self.reached_revision() => {
                return Ok(Plan::Later(revision));
            }
            Some(moving) => return Err(Refusal::Moving(of, moving)),
            None => {}
        }
        let mut transaction = Transaction::new().when(Condition::Absent(Name::Move(id).bytes()));
        let mut from = None;
        for address in &node.addresses {
            let key = Key::new(node.vni, address.address);
            let Some((generation, mapping)) = self.own_mapping(key, of) else {
                return Ok(Plan::Later(revision));
            };
            let name = Name::Mapping(key).bytes();
            transaction = transaction.when(Condition::Modified(name, generation.revision()));
            let seat = mapping
                .at
                .map(|At { host, epoch, .. }| Seat { host, epoch });
            let elsewhere = seat.is_some() && from.is_some() && seat != from;
            if elsewhere || mapping.at.is_some_and(|at| at.held) {
                return Err(Refusal::NotAttached(of));
            }
            from = from.or(seat);
        }
        let from = from.filter(|from| node.home == Some(from.host));
        let from = from.ok_or(Refusal::NotAttached(of))?;
        if from.host == to {
            return Err(Refusal::AlreadyThere(of, to));
        }
        let at = At {
            host: from.host,
            epoch: from.epoch,
            held: false,
        };
        let over = match reason {
            // The end of a lease says nothing of nodes that are under none.
            Reason::Failure => self.table.is_gone(of, at),
            _ => self.is_over(from),
        };
        match (reason == Reason::Failure, over) {
            (true, false) => return Err(Refusal::NotFenced(from.host)),
            (false, true) => return Err(Refusal::SourceOver(from.host)),
            _ => {}
        }
        self.table.host(to).ok_or(Refusal::NoHost(to))?;
        let (epoch, seen) = self.table.epoch(to);
        if seen == 0 || epoch.is_over(epoch.current) {
            return Err(Refusal::NotSeen(to));
        }
        let it = Move {
            node: of,
            vni: node.vni,
            addresses: node.addresses.iter().map(|own| own.address).collect(),
            from,
            to: Seat {
                host: to,
                epoch: epoch.current,
            },
            reason,
            state: State::Prepare,
            times: vec![(State::Prepare, self.wall(now))],
            endpoint: String::new(),
            bound: Vec::new(),
            // Nobody is left who could say.
            peers: (reason == Reason::Failure).then(Vec::new),
            failure: String::new(),
        };
        node.moving = Some(id);
        let transaction = self.both_as_known(&it, self.home_exists(Some(to), transaction));
        let transaction = transaction.put(Name::Move(id).bytes(), record::encode(&it));
        Ok(Plan::Write(
            change_node(of, &node, revision, transaction),
            None,
        ))
    }

    /// The boots of both hosts are those that the table knows of.
    fn both_as_known(&self, it: &Move, transaction: Transaction) -> Transaction {
        let hosts = [it.from.host, it.to.host].into_iter();
        hosts.fold(transaction, |transaction, host| {
            let (_, revision) = self.table.epoch(host);
            transaction.when(unchanged(Name::Epoch(host).bytes(), revision))
        })
    }

    pub(super) fn step_move(
        &self,
        id: MoveId,
        step: Step,
        note: &str,
        node: ReadNode,
        now: Time,
    ) -> Result<Plan, Refusal> {
        let (it, since) = self.table.moves().get(id).ok_or(Refusal::NoMove(id))?;
        let Some(next) = it.state.after(step) else {
            return Ok(Plan::Done(None));
        };
        let mut it = it.clone();
        let mut transaction = Transaction::new();
        match (step, next) {
            (Step::Ready, _) => it.endpoint = note.into(),
            (Step::Abort, _) => it.failure = note.into(),
            (_, State::Freeze) => {
                let bindings = |key| Some((key, self.own_mapping(key, it.node)?.0.revision()));
                for (key, revision) in it.keys().filter_map(bindings).collect::<Vec<_>>() {
                    let name = Name::Mapping(key).bytes();
                    transaction = transaction.when(Condition::Modified(name, revision));
                    it.bound.push(revision);
                }
            }
            (_, State::Commit) => match self.hand_over(&it, step, transaction) {
                Ok(commit) => transaction = commit,
                // Nothing will make it possible again.
                Err(why) => return self.step_move(id, Step::Abort, why, node, now),
            },
            (Step::Resumed, _) if !self.is_claimed(&it) => return Err(Refusal::NotClaimed(id)),
            (Step::Fenced, _) => {
                let (epoch, revision) = self.table.epoch(it.to.host);
                if !epoch.is_over(epoch.current) {
                    return Ok(Plan::Done(None));
                }
                transaction =
                    transaction.when(unchanged(Name::Epoch(it.to.host).bytes(), revision));
            }
            _ => {}
        }
        let of = it.node;
        let transaction = self.write_move(id, it, since, next, transaction, now);
        if !next.is_over() && next != State::Commit {
            return Ok(Plan::Write(transaction, None));
        }
        let (mut node, revision) = node.ok_or(Refusal::NoNode(of))?;
        if next == State::Commit {
            let (it, _) = self.table.moves().get(id).ok_or(Refusal::NoMove(id))?;
            node.home = Some(it.to.host);
        } else {
            node.moving = None;
        }
        Ok(Plan::Write(
            change_node(of, &node, revision, transaction),
            None,
        ))
    }

    /// Gives the node from one host to the other; or says why that is not possible any more.
    fn hand_over(
        &self,
        it: &Move,
        step: Step,
        transaction: Transaction,
    ) -> Result<Transaction, &'static str> {
        if self.is_over(it.from) != (step == Step::Fenced) {
            return Err("the host that the node was to leave was booted or fenced");
        }
        if let Some(why) = self.obstacle(it) {
            return Err(why);
        }
        let to = Some(it.to.host);
        let mut transaction = self.both_as_known(it, self.home_exists(to, transaction));
        for key in it.keys() {
            let Some((generation, mapping)) = self.own_mapping(key, it.node) else {
                return Err("the node's addresses have changed");
            };
            // The destination's port stands by at all of them, one not claimed before included.
            let at = Some(At {
                host: it.to.host,
                epoch: it.to.epoch,
                held: false,
            });
            let mapping = Mapping {
                term: self.table.term().number,
                home: Home::Host(it.to.host),
                at,
                ..mapping
            };
            transaction = change_mapping(key, generation, Some(&mapping), transaction);
        }
        Ok(transaction)
    }

    /// Why a move cannot commit, whatever its state before.
    pub(super) fn obstacle(&self, it: &Move) -> Option<&'static str> {
        if self.is_over(it.to) {
            return Some("the host that the node was to get was booted or fenced");
        }
        if self.table.host(it.to.host).is_none() {
            return Some("the host that the node was to get is not provisioned any more");
        }
        let bound = |mapping: &Mapping| {
            mapping
                .at
                .map(|At { host, epoch, held }| (Seat { host, epoch } == it.from) && !held)
        };
        let mut attached = false;
        for key in it.keys() {
            match self
                .own_mapping(key, it.node)
                .map(|(_, mapping)| bound(&mapping))
            {
                Some(Some(true)) => attached = true,
                Some(None) => {}
                Some(Some(false)) | None => return Some("the node is attached elsewhere"),
            }
        }
        let mappings = it.keys().filter_map(|key| self.own_mapping(key, it.node));
        let bound = mappings.map(|(generation, _)| generation.revision());
        if it.state == State::Freeze && !bound.eq(it.bound.iter().copied()) {
            return Some("the node was bound anew while it was to be frozen");
        }
        match attached {
            true => None,
            false => Some("the node is not attached to the host that it was to leave"),
        }
    }

    /// Whether the node is bound to the destination, in whatever boot lives there now: one after
    /// that of the commit may have fetched the node again.
    fn is_claimed(&self, it: &Move) -> bool {
        let mut claimed = false;
        for (_, mapping) in it.keys().filter_map(|key| self.own_mapping(key, it.node)) {
            if let Some(At { host, epoch, held }) = mapping.at {
                let there = host == it.to.host && !held && !self.is_over(Seat { host, epoch });
                if !there {
                    return false;
                }
                claimed = true;
            }
        }
        claimed
    }

    /// Writes a move in its next state.
    fn write_move(
        &self,
        id: MoveId,
        it: Move,
        since: Revision,
        next: State,
        transaction: Transaction,
        now: Time,
    ) -> Transaction {
        let name = Name::Move(id).bytes();
        let mut it = Move { state: next, ..it };
        it.times.push((next, self.wall(now)));
        if next.is_over() {
            it.peers = None;
        }
        transaction
            .when(Condition::Modified(name.clone(), since))
            .put(name, record::encode(&it))
    }

    pub(super) fn name_peers(&self, id: MoveId, keys: &[Key]) -> Result<Plan, Refusal> {
        let (it, since) = self.table.moves().get(id).ok_or(Refusal::NoMove(id))?;
        if it.state != State::Prepare || it.peers.is_some() {
            return Ok(Plan::Done(None));
        }
        let peers = keys.iter().take(Move::PEERS).copied().collect();
        let it = Move {
            peers: Some(peers),
            ..it.clone()
        };
        let name = Name::Move(id).bytes();
        let transaction = Transaction::new()
            .when(Condition::Modified(name.clone(), since))
            .put(name, record::encode(&it));
        Ok(Plan::Write(transaction, None))
    }

    pub(super) fn abort_move(
        &self,
        id: MoveId,
        why: &str,
        node: ReadNode,
        now: Time,
    ) -> Result<Plan, Refusal> {
        let (it, _) = self.table.moves().get(id).ok_or(Refusal::NoMove(id))?;
        match it.state {
            State::Aborted => Ok(Plan::Done(None)),
            state if state.after(Step::Abort).is_none() => Err(Refusal::TooLate(id)),
            _ => self.step_move(id, Step::Abort, why, node, now),
        }
    }

    /// Ends the move of a node that ends itself, in the node's transaction. From the commit on there
    /// is only one way to go, and nobody to wait for on it any more.
    pub(super) fn end_move(&self, id: MoveId, transaction: Transaction, now: Time) -> Transaction {
        let under_way = |(it, _): &(&Move, Revision)| !it.state.is_over();
        let Some((it, since)) = self.table.moves().get(id).filter(under_way) else {
            return transaction;
        };
        let mut it = it.clone();
        it.failure = "the node was deleted".into();
        for step in [Step::Abort, Step::Resumed, Step::Settled] {
            it.state = it.state.after(step).unwrap_or(it.state);
        }
        let next = it.state;
        self.write_move(id, it, since, next, transaction, now)
    }
}
