// SPDX-License-Identifier: GPL-2.0

//! What hosts say of the moves that they have a part in, and what they are told of them.

use ovnet_engine::Locator;

use super::job::{Job, Origin};
use super::{Order, Output, SessionId, Shard};
use crate::core::message::{Move as Told, ToAgent};
use crate::core::moves::{MoveId, Side, Step};
use crate::core::record::Move;
use crate::core::{Generation, Key, Time};
use crate::store::Revision;

impl Shard {
    /// A host says that a step of a move was made there. One that no host with its part may make,
    /// or that is from another boot than the one that has the part, changes nothing.
    pub(super) fn stepped(
        &mut self,
        session: SessionId,
        id: MoveId,
        step: Step,
        note: String,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let allowed = self.part(session, id).is_some_and(|(it, side, epoch)| {
            let seat = match side {
                Side::Source => it.from,
                Side::Destination => it.to,
            };
            // A later boot of the destination may have fetched what the one before lost.
            let later = step == Step::Resumed && epoch > seat.epoch;
            let leads = it.state.after(step).is_some();
            leads && step.is_of(side) && (epoch == seat.epoch || later)
        });
        match allowed {
            true => {
                let order = Order::StepMove { id, step, note };
                self.start(Job::new(Origin::Side(session, id), order), now, out);
            }
            false => self.tell_move(session, id, out),
        }
    }

    /// A host says whom a node that is to leave it was in conversation with.
    pub(super) fn peers(
        &mut self,
        session: SessionId,
        id: MoveId,
        keys: Vec<Key>,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let of = self.part(session, id);
        let source =
            of.is_some_and(|(it, side, epoch)| side == Side::Source && epoch == it.from.epoch);
        match source {
            true => {
                let order = Order::NamePeers(id, keys);
                self.start(Job::new(Origin::Side(session, id), order), now, out);
            }
            false => self.tell_move(session, id, out),
        }
    }

    /// A move, the part that a session's host has in it, and the host's epoch.
    fn part(&self, session: SessionId, id: MoveId) -> Option<(&Move, Side, u32)> {
        let (host, epoch) = (self.host_of(session)?, self.epoch_of(session)?);
        let (it, _) = self.table.moves().get(id)?;
        Some((it, it.side(host)?, epoch))
    }

    /// Tells a host how far a move has come; nobody but its two hosts hears that there is one.
    pub(super) fn tell_move(&self, session: SessionId, id: MoveId, out: &mut Vec<Output>) {
        let message = match (self.part(session, id), self.as_of) {
            (Some((it, ..)), Some(as_of)) => ToAgent::Move(self.told(id, it, as_of)),
            _ => ToAgent::NoMove(id),
        };
        out.push(Output::Send(session, message));
    }

    fn told(&self, id: MoveId, it: &Move, as_of: Generation) -> Told {
        let host = match it.state.is_committed() {
            true => it.to.host,
            false => it.from.host,
        };
        // Those of another binding are no matter of this move's.
        let generation = |key| {
            let mapping = self.own_mapping(key, it.node);
            let bound = mapping.filter(|(_, own)| own.at.is_some_and(|at| at.host == host));
            bound.map_or(Generation::NONE, |(generation, _)| generation)
        };
        Told {
            id,
            as_of,
            node: it.node,
            keys: it.keys().map(|key| (key, generation(key))).collect(),
            from: it.from,
            to: it.to,
            reason: it.reason,
            state: it.state,
            endpoint: it.endpoint.clone(),
            peers: it.peers.clone(),
            failure: it.failure.clone(),
        }
    }

    /// What a host is told of before it is welcomed.
    pub(super) fn tell_all_moves(&self, id: SessionId, host: Locator, out: &mut Vec<Output>) {
        if let Some(as_of) = self.as_of {
            for (of, it) in self.table.moves().of_host(host) {
                out.push(Output::Send(id, ToAgent::Move(self.told(of, it, as_of))));
            }
        }
    }

    /// A move is another one now, or none.
    pub(super) fn apply_move(&mut self, id: MoveId, value: Option<(&[u8], Revision)>, now: Time) {
        let known = |shard: &Shard| shard.table.moves().get(id).map(|(_, revision)| revision);
        let before = known(self);
        let (former, right) = self.table.set_move(id, value);
        self.counters.damaged += u64::from(!right);
        // What is loaded again and is the same is no news.
        if known(self) == before {
            return;
        }
        let present = self.table.moves().get(id).map(|(it, _)| it);
        self.clocks.saw(id, present.map(|it| it.state), now);
        let concerned = present.or(former.as_ref());
        let Some((vni, hosts)) = concerned.map(|it| (it.vni, [it.from.host, it.to.host])) else {
            return;
        };
        for host in hosts {
            self.announce_move(id, vni, host);
        }
    }
}
