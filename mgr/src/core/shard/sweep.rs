// SPDX-License-Identifier: GPL-2.0

//! Housekeeping (`SM9`): looks at every mapping from time to time.
//!
//! Every manager tells the hosts connected to it what is bound to them, which finds bindings that
//! a host knows nothing of and news that got lost, and forgets subscribers that are gone. The
//! leader besides takes away what a dead host left behind.

use std::net::Ipv4Addr;

use ovnet_engine::Vni;

use super::job::{Job, Origin};
use super::{Order, Output, Shard, Task};
use crate::core::record::{self, Home, Mapping, Name};
use crate::core::{Generation, Key, Time};
use crate::store::{Condition, Transaction};

/// How far the review has come.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    next: Option<Key>,
}

impl Shard {
    pub(super) fn sweep(&mut self, now: Time, out: &mut Vec<Output>) {
        let Some(start) = Vni::new(1).map(|vni| Key::new(vni, Ipv4Addr::UNSPECIFIED)) else {
            return;
        };
        if self.as_of.is_none() {
            return;
        }
        let from = self.sweep.next.unwrap_or(start);
        let mut piece: Vec<_> = self
            .table
            .mappings_from(from)
            .take(self.config.sweep + 1)
            .collect();
        self.sweep.next = match piece.len() > self.config.sweep {
            true => piece.pop().map(|(key, ..)| key),
            false => None,
        };
        let sessions = &self.sessions;
        for (key, ..) in &piece {
            if let Some(subscribers) = self.table.subscribers_mut(*key) {
                subscribers.retain(|session| sessions.contains_key(&session));
            }
        }
        for (key, _, mapping) in &piece {
            self.review(*key, mapping);
        }
        if self.is_leader() {
            self.clean(&piece, now, out);
        }
    }

    fn review(&mut self, key: Key, mapping: &Mapping) {
        let home = match mapping.home {
            Home::Host(host) => Some(host),
            Home::Nowhere | Home::Leaving => None,
        };
        let at = mapping.at.map(|at| at.host);
        for host in [home, at.filter(|at| home != Some(*at))]
            .into_iter()
            .flatten()
        {
            self.announce_to_host(key, host);
            self.announce_network(key.vni, host);
        }
    }

    fn clean(&mut self, piece: &[(Key, Generation, Mapping)], now: Time, out: &mut Vec<Output>) {
        let mut transaction = Transaction::new();
        for (key, generation, mapping) in piece {
            if self.table.network(key.vni).is_none() && mapping.home != Home::Leaving {
                // The network was deleted while the node was created.
                let job = Job::new(Origin::Shard, Order::DeleteNode(mapping.node));
                self.start(job, now, out);
            }
            if transaction.writes.len() >= self.config.batch / 2 {
                break;
            }
            let Some(after) = self.without_the_dead(mapping) else {
                continue;
            };
            let name = Name::Mapping(*key).bytes();
            let unchanged = Condition::Modified(name.clone(), generation.revision());
            transaction = transaction.when(unchanged);
            transaction = match after {
                Some(mapping) => transaction.put(name, record::encode(&mapping)),
                None => transaction.delete(name),
            };
        }
        if !transaction.writes.is_empty() {
            self.commit(Task::Clean, transaction, out);
        }
    }

    /// What a mapping is to be if it is bound to a host that cannot release it any more; the outer
    /// none if it is not. A node that is to be on that host is claimed again when it is back.
    fn without_the_dead(&self, mapping: &Mapping) -> Option<Option<Mapping>> {
        match (mapping.at, mapping.home) {
            (None, Home::Leaving) => Some(None),
            (Some(at), _) if !self.table.is_gone(mapping.node, at) && !at.held => None,
            (Some(_), Home::Leaving) => Some(None),
            (Some(_), Home::Nowhere) => {
                let term = self.table.term().number;
                Some(Some(Mapping {
                    term,
                    at: None,
                    ..*mapping
                }))
            }
            _ => None,
        }
    }
}
