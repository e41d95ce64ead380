// SPDX-License-Identifier: GPL-2.0

//! Orders under way.
//!
//! An order is planned from the table, and from the record of the node it is about, which is read
//! for it. Its transaction names the revision of everything the plan rests on. If something has
//! changed meanwhile, the order is planned again once the table has that change.

use std::net::Ipv4Addr;

use super::{Alarm, Deferred, Done, Flight, Order, Output, Refusal, SessionId, Shard, Task, Terms};
use crate::core::message::{Denial, ToAgent};
use crate::core::moves::MoveId;
use crate::core::record::{self, At, Name, Node};
use crate::core::{Generation, Key, Time};
use crate::store::{Entry, Revision, Transaction};

/// Who wants an order carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Request(u64),
    Agent {
        session: SessionId,
        key: Key,
        attempt: u32,
    },
    /// A host that has a part in a move, and is to be told what became of it.
    Side(SessionId, MoveId),
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
pub(super) enum Plan {
    /// It is done already.
    Done(Option<Ipv4Addr>),
    /// This transaction.
    Write(Transaction, Option<Ipv4Addr>),
    /// The node's record is of this revision, which the table has not got to.
    Later(Revision),
}

/// A node as it was read.
pub(super) type ReadNode = Option<(Node, Revision)>;

/// So many orders wait for the first leader of a new store, should there be none for long.
const WAITING: usize = 1024;

impl Shard {
    pub(super) fn start(&mut self, job: Job, now: Time, out: &mut Vec<Output>) {
        let Some(as_of) = self.as_of else {
            return self.finish(job.origin, Err(Refusal::Unavailable), out);
        };
        if self.table.term().number == 0 {
            if self.deferred.len() >= WAITING {
                return self.finish(job.origin, Err(Refusal::Unavailable), out);
            }
            // A new store has its first leader in a moment.
            let job = Deferred::Work(Box::new(job));
            return self.defer(as_of.revision() + 1, job, now, out);
        }
        match job.order.node(self.table.moves()) {
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
        found: Option<(Option<Entry>, Revision)>,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let job = match self.flights.remove(&flight) {
            Some((_, Task::Work(job))) => job,
            Some((_, Task::Look(session))) => {
                return self.looked(session, found.map(|(_, revision)| revision), now, out);
            }
            _ => return,
        };
        let Some((entry, _)) = found else {
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
        let plan = match self.plan(&job.order, node, now) {
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

    pub(super) fn reached_revision(&self) -> Revision {
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
            Order::StepMove { id, .. } | Order::NamePeers(id, _) | Order::AbortMove(id, _) => {
                self.table.moves().get(*id).map(|(_, revision)| revision)
            }
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
                        mac: self.table.mapping(key).and_then(|(_, it)| it.mac),
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
            Origin::Side(session, id) => {
                // What has changed the table is told to both hosts when the table has it.
                let to_come = |done: Done| Some(done.generation) > self.as_of;
                if !result.is_ok_and(to_come) && self.sessions.contains_key(&session) {
                    self.tell_move(session, id, out);
                }
            }
            Origin::Shard => {}
        }
    }

    fn plan(&mut self, order: &Order, node: ReadNode, now: Time) -> Result<Plan, Refusal> {
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
            Order::SetPlacement(id, placement) => self.set_placement(*id, placement, node),
            Order::StartMove {
                id,
                node: of,
                to,
                reason,
            } => self.start_move(*id, *of, *to, *reason, node, now),
            Order::StepMove { id, step, note } => self.step_move(*id, *step, note, node, now),
            Order::NamePeers(id, keys) => self.name_peers(*id, keys),
            Order::AbortMove(id, why) => self.abort_move(*id, why, node, now),
            Order::AddAddress(id, address) => self.add_address(*id, *address, node),
            Order::RemoveAddress(id, address) => self.remove_address(*id, *address, node),
            Order::DeleteNode(id) => self.delete_node(*id, node, now),
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
}
