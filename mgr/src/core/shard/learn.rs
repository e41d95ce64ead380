// SPDX-License-Identifier: GPL-2.0

//! Addresses that nodes begin and cease to use by themselves (`CH2`, `CH3`).

use std::net::Ipv4Addr;

use super::job::{Job, Origin};
use super::{Order, Output, SessionId, Shard};
use crate::core::message::{Denial, ToAgent};
use crate::core::{Key, Time};

impl Shard {
    /// A host says that the node with one address uses another one as well.
    pub(super) fn learn(
        &mut self,
        session: SessionId,
        of: Key,
        address: Ipv4Addr,
        attempt: u32,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let (Some(host), Some(epoch)) = (self.host_of(session), self.epoch_of(session)) else {
            return;
        };
        let key = Key::new(of.vni, address);
        let bound = self.table.mapping(of).map(|(_, mapping)| mapping);
        let own = bound.filter(|mapping| {
            mapping
                .at
                .is_some_and(|at| at.host == host && at.epoch == epoch && !at.held)
        });
        let Some(mapping) = own else {
            let reason = Denial::OtherHost;
            out.push(Output::Send(
                session,
                ToAgent::Denied {
                    key,
                    attempt,
                    reason,
                },
            ));
            return;
        };
        let origin = Origin::Agent {
            session,
            key,
            attempt,
        };
        let order = Order::LearnAddress {
            id: mapping.node,
            of,
            address,
            host,
            epoch,
        };
        self.start(Job::new(origin, order), now, out);
    }

    /// A host says that an address of a node was silent for long.
    pub(super) fn silent(
        &mut self,
        session: SessionId,
        key: Key,
        now: Time,
        out: &mut Vec<Output>,
    ) {
        let Some(host) = self.host_of(session) else {
            return;
        };
        let bound = self.table.mapping(key).map(|(_, mapping)| mapping);
        let own = bound.filter(|mapping| mapping.at.is_some_and(|at| at.host == host));
        if let Some(mapping) = own {
            let order = Order::SilentAddress {
                id: mapping.node,
                address: key.address,
            };
            self.start(Job::new(Origin::Shard, order), now, out);
        }
    }
}
