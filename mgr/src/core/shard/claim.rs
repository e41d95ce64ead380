// SPDX-License-Identifier: GPL-2.0

//! Bindings: which host a node is attached to, claimed and released by hosts.
//!
//! A host that claims a node, or releases it, is the only one that can know. Hence a binding ends
//! in three ways only: its host releases it, its host is booted, or its host is fenced. Nobody is
//! granted what another host may still have.

use ovnet_engine::Locator;

use super::session::unchanged;
use super::{Alarm, Output, SessionId, Shard, Task};
use crate::core::message::{Claim, Denial, ToAgent, Verdict};
use crate::core::record::{self, At, Home, Mapping, Name};
use crate::core::{Generation, Key, NodeId};
use crate::store::{Condition, Transaction};

/// What becomes of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// The binding is as the claim says.
    Confirm(Generation),
    /// The binding is to be written.
    Write(Generation, Mapping),
    /// The host knows less than there is to know.
    Tell,
    /// No.
    Deny(Denial),
}

impl Shard {
    /// Claims of one host; as many as `together` go into one transaction.
    pub(super) fn claims(
        &mut self,
        session: SessionId,
        claims: Vec<Claim>,
        together: usize,
        out: &mut Vec<Output>,
    ) {
        let (Some(host), Some(epoch)) = (self.host_of(session), self.epoch_of(session)) else {
            return;
        };
        let Some(as_of) = self.as_of.filter(|_| self.table.term().number > 0) else {
            return;
        };
        let mut told = Vec::new();
        let mut written = Vec::new();
        for claim in claims {
            match self.decide(host, epoch, &claim) {
                Decision::Confirm(generation) => {
                    self.grant(session, &claim, generation, out);
                }
                Decision::Tell => told.push((claim.key, self.true_verdict(host, claim.key, as_of))),
                Decision::Deny(reason) => self.deny(session, host, &claim, reason, out),
                Decision::Write(generation, mapping) => written.push((claim, generation, mapping)),
            }
        }
        if !told.is_empty() {
            out.push(Output::Send(
                session,
                ToAgent::Answer { as_of, items: told },
            ));
        }
        for written in written.chunks(together.min(self.config.batch / 2).max(1)) {
            let transaction = self.bind(host, written);
            let claims = written.iter().map(|(claim, ..)| *claim).collect();
            self.commit(Task::Claims(session, claims), transaction, out);
        }
    }

    /// Whether the node is being moved from or to the host.
    pub(super) fn takes_part(&self, host: Locator, node: NodeId) -> bool {
        let moved = self.table.moves().of_node(node);
        moved.is_some_and(|(_, it)| it.side(host).is_some())
    }

    fn decide(&self, host: Locator, epoch: u32, claim: &Claim) -> Decision {
        let known = self.table.mapping(claim.key);
        let own = |mapping: &Mapping| {
            let at = mapping.at;
            at.is_some_and(|at| (at.host, at.epoch, at.held) == (host, epoch, false))
        };
        if claim.held != Generation::NONE {
            let same = |(generation, mapping): &(Generation, Mapping)| {
                let home = mapping.home == Home::Host(host) && mapping.node == claim.node;
                home && own(mapping) && claim.held == *generation
            };
            // What another host's node has now nobody else was ever given, and nothing later.
            let foreign = |(generation, mapping): &(Generation, Mapping)| {
                let home = mapping.home == Home::Host(host) || own(mapping);
                !home && claim.held >= *generation && !self.takes_part(host, mapping.node)
            };
            return match known {
                Some(it) if same(&it) => Decision::Confirm(it.0),
                Some(it) if foreign(&it) => Decision::Deny(Denial::OtherHost),
                // Whose the address is by now, and what is left to claim, follows from that.
                _ => Decision::Tell,
            };
        }
        let Some((generation, mapping)) = known else {
            return Decision::Deny(Denial::NotProvisioned);
        };
        if mapping.node != claim.node {
            return Decision::Deny(Denial::Duplicate);
        }
        if mapping.home != Home::Host(host) {
            return match self.takes_part(host, mapping.node) {
                // It is to end what it has, whether it knows of that or not.
                _ if own(&mapping) => Decision::Tell,
                // The destination has the node before it is its own, the source when it is no more.
                true => Decision::Deny(Denial::Wait),
                false => Decision::Deny(Denial::OtherHost),
            };
        }
        // Another host may still have the node.
        let alive = |at: &At| !at.held && !self.table.is_gone(mapping.node, *at);
        if mapping.at.is_some_and(|at| at.host != host && alive(&at)) {
            return Decision::Deny(Denial::Wait);
        }
        let at = Some(At {
            host,
            epoch,
            held: false,
        });
        let term = self.table.term().number;
        Decision::Write(
            generation,
            Mapping {
                term,
                at,
                ..mapping
            },
        )
    }

    /// A claim of a host that is fenced meanwhile must not succeed, hence the epoch's revision.
    fn bind(&self, host: Locator, written: &[(Claim, Generation, Mapping)]) -> Transaction {
        let (_, revision) = self.table.epoch(host);
        let epoch = unchanged(Name::Epoch(host).bytes(), revision);
        let transaction = Transaction::new().when(epoch);
        written
            .iter()
            .fold(transaction, |transaction, (claim, generation, mapping)| {
                let key = Name::Mapping(claim.key).bytes();
                transaction
                    .when(Condition::Modified(key.clone(), generation.revision()))
                    .put(key, record::encode(mapping))
            })
    }

    pub(super) fn claimed(
        &mut self,
        session: SessionId,
        claims: &[Claim],
        generation: Generation,
        out: &mut Vec<Output>,
    ) {
        // The one who claimed may be gone. Then the host's agent is told when it is back, and
        // gives back what it has no port for.
        if self.sessions.contains_key(&session) {
            for claim in claims {
                self.grant(session, claim, generation, out);
            }
        }
    }

    fn grant(
        &mut self,
        session: SessionId,
        claim: &Claim,
        generation: Generation,
        out: &mut Vec<Output>,
    ) {
        self.counters.granted += 1;
        let &Claim { key, attempt, .. } = claim;
        let mac = self.table.mapping(key).and_then(|(_, it)| it.mac);
        out.push(Output::Send(
            session,
            ToAgent::Granted {
                key,
                attempt,
                generation,
                mac,
            },
        ));
    }

    fn deny(
        &mut self,
        session: SessionId,
        host: Locator,
        claim: &Claim,
        reason: Denial,
        out: &mut Vec<Output>,
    ) {
        self.counters.denied += 1;
        let &Claim {
            key, attempt, node, ..
        } = claim;
        match reason {
            Denial::OtherHost => out.push(Output::Alarm(Alarm::ForgedClaim(host, key, node))),
            Denial::Duplicate => out.push(Output::Alarm(Alarm::Duplicate(host, key, node))),
            Denial::NotProvisioned | Denial::Wait | Denial::Policy => {}
        }
        out.push(Output::Send(
            session,
            ToAgent::Denied {
                key,
                attempt,
                reason,
            },
        ));
    }

    /// A host gives a binding up: just the one with this generation, since a repeated message may
    /// arrive when the host has made another one.
    pub(super) fn release(
        &mut self,
        session: SessionId,
        key: Key,
        generation: Generation,
        out: &mut Vec<Output>,
    ) {
        let (Some(host), Some(as_of)) = (self.host_of(session), self.as_of) else {
            return;
        };
        let own = |(current, mapping): &(Generation, Mapping)| {
            *current == generation && mapping.at.is_some_and(|at| at.host == host && !at.held)
        };
        let Some((_, mapping)) = self.table.mapping(key).filter(own) else {
            let items = vec![(key, self.true_verdict(host, key, as_of))];
            out.push(Output::Send(session, ToAgent::Answer { as_of, items }));
            return;
        };
        let after = self.given_up(&mapping, host);
        let name = Name::Mapping(key).bytes();
        let transaction =
            Transaction::new().when(Condition::Modified(name.clone(), generation.revision()));
        let transaction = match &after {
            Some(mapping) => transaction.put(name, record::encode(mapping)),
            None => transaction.delete(name),
        };
        self.commit(Task::Release(session, key, after), transaction, out);
    }

    /// What a mapping is without its binding to a host; none if nothing is left of it.
    pub(super) fn given_up(&self, mapping: &Mapping, host: Locator) -> Option<Mapping> {
        let term = self.table.term().number;
        let at = match mapping.home {
            Home::Leaving => return None,
            // The packets that arrive wait there for the node to appear elsewhere (`MV3`).
            Home::Host(home) if home != host => mapping.at.map(|at| At { held: true, ..at }),
            Home::Host(_) | Home::Nowhere => None,
        };
        Some(Mapping {
            term,
            at,
            ..*mapping
        })
    }

    pub(super) fn released(
        &mut self,
        session: SessionId,
        key: Key,
        after: Option<Mapping>,
        generation: Generation,
        out: &mut Vec<Output>,
    ) {
        if !self.sessions.contains_key(&session) {
            return;
        }
        let verdict = match after.and_then(|mapping| mapping.at) {
            Some(at) => Verdict::Yours {
                generation,
                epoch: at.epoch,
                leave: true,
                gone: false,
                held: true,
            },
            None => Verdict::Absent { generation },
        };
        let items = vec![(key, verdict)];
        out.push(Output::Send(
            session,
            ToAgent::Answer {
                as_of: generation,
                items,
            },
        ));
    }
}
