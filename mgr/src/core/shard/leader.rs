// SPDX-License-Identifier: GPL-2.0

//! The election of the manager that leads.
//!
//! The key `leader` is bound to the lease of the manager that wrote it, so the store deletes it
//! when that manager dies. Whoever writes it next raises the term in the same transaction, and no
//! transaction that was made for the old term succeeds from then on.

use super::{Output, Shard, Task};
use crate::core::record::{self, Name, Term};
use crate::core::{Generation, Time};
use crate::store::{Condition, Lease, Transaction};

impl Shard {
    pub(super) fn leased(&mut self, lease: Lease, now: Time, out: &mut Vec<Output>) {
        self.lease = Some(lease);
        self.leader_changed(now);
        self.campaign_due(now, out);
    }

    /// The table has changed: there may be no leader any more, or one again.
    pub(super) fn leader_changed(&mut self, now: Time) {
        if self.table.has_leader() {
            self.campaign = None;
        } else if self.campaign.is_none() {
            self.campaign = Some(now + self.random.within(self.config.campaign));
        }
    }

    pub(super) fn campaign_due(&mut self, now: Time, out: &mut Vec<Output>) {
        let (Some(lease), Some(due)) = (self.lease, self.campaign) else {
            return;
        };
        let Term { number, .. } = self.table.term();
        if self.as_of.is_none() || now < due || number >= Generation::MAX_TERM {
            return;
        }
        self.campaign = Some(now + self.random.jitter(self.config.campaign * 4));
        let leader = Name::Leader.bytes();
        let term = record::encode(&Term {
            number: number + 1,
            leader: self.id,
        });
        let transaction = Transaction::new()
            .when(Condition::Absent(leader.clone()))
            .put_leased(leader, self.id.to_string(), lease)
            .put(Name::Term.bytes(), term);
        self.commit(Task::Campaign, transaction, out);
    }
}
