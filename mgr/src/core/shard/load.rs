// SPDX-License-Identifier: GPL-2.0

//! How busy hosts are (`MV6`): each manager takes the mean of what its hosts report, and writes it
//! down where all managers see it, which is seldom: only what has changed much, not often, and not
//! of many hosts at once.
//!
//! What is written is bound to the manager's lease, and the manager deletes it when it has heard
//! nothing of the host for [`SILENT`]. A host without a record is one of unknown load, so that no
//! old load counts, whoever dies.

use std::collections::BTreeMap;
use std::time::Duration;

use ovnet_engine::Locator;

use super::{Output, SessionId, Shard, Task};
use crate::core::load::{Load, Mean};
use crate::core::moves::Seat;
use crate::core::record::{self, HostLoad, Name};
use crate::core::Time;
use crate::store::{Condition, Transaction};

/// A load is written again if it has changed by so many thousandths.
const CHANGE: u32 = 50;
/// And no sooner than this.
const INTERVAL: Duration = Duration::from_secs(10);
/// A host that has not reported for so long has no known load.
const SILENT: Duration = Duration::from_secs(60);

/// What the hosts of this manager have reported.
#[derive(Debug, Default)]
pub(super) struct Loads(BTreeMap<Locator, Heard>);

#[derive(Debug)]
struct Heard {
    mean: Mean,
    /// When the last report came.
    at: Time,
    /// When the record was written last, if that was tried.
    wrote: Option<Time>,
}

impl Heard {
    /// There was a report since the last try, and that was long ago.
    fn is_due(&self, now: Time) -> bool {
        self.wrote
            .is_none_or(|wrote| wrote < self.at && now - wrote >= INTERVAL)
    }
}

impl Shard {
    /// A host says how busy it is.
    pub(super) fn load_reported(&mut self, id: SessionId, load: Load, now: Time) {
        let Some(host) = self.host_of(id) else {
            return;
        };
        let heard = self.loads.0.entry(host).or_insert_with(|| Heard {
            mean: Mean::default(),
            at: now,
            wrote: None,
        });
        heard.mean.add(load);
        heard.at = now;
    }

    /// Writes down what has changed, and takes back what is not known any more.
    pub(super) fn write_loads(&mut self, now: Time, out: &mut Vec<Output>) {
        self.loads.0.retain(|_, heard| now - heard.at < SILENT);
        let Some(lease) = self.lease.filter(|_| self.as_of.is_some()) else {
            return;
        };
        if self.table.term().number == 0 {
            return;
        }
        let most = self.config.batch / 2;
        let mut transaction = Transaction::new();
        for (host, of, revision) in self.table.loads() {
            let known = self.loads.0.contains_key(&host) && self.runs(host);
            if of.manager == self.id && !known && transaction.writes.len() < most {
                let name = Name::Load(host).bytes();
                transaction = transaction
                    .when(Condition::Modified(name.clone(), revision))
                    .delete(name);
            }
        }
        let mut wrote = Vec::new();
        for (host, heard) in &self.loads.0 {
            if transaction.writes.len() >= most {
                break;
            }
            let (Some(load), true) = (heard.mean.get(), heard.is_due(now)) else {
                continue;
            };
            let said = self.table.load(*host).map(|(said, _)| said);
            let same =
                |said: HostLoad| said.manager == self.id && said.load().distance(load) < CHANGE;
            let Some((_, revision)) = self.table.host(*host) else {
                continue;
            };
            if said.is_some_and(same) || !self.runs(*host) {
                continue;
            }
            let value = record::encode(&HostLoad {
                manager: self.id,
                cpu: load.cpu,
                memory: load.memory,
            });
            // Of a host that is deleted meanwhile nothing is to be left.
            transaction = transaction
                .when(Condition::Modified(Name::Host(*host).bytes(), *revision))
                .put_leased(Name::Load(*host).bytes(), value, lease);
            wrote.push(*host);
        }
        for host in wrote {
            if let Some(heard) = self.loads.0.get_mut(&host) {
                heard.wrote = Some(now);
            }
        }
        if !transaction.writes.is_empty() {
            self.commit(Task::Clean, transaction, out);
        }
    }

    /// A host exists and was not fenced, as far as is known here. Whether it is connected its
    /// reports say.
    fn runs(&self, host: Locator) -> bool {
        let epoch = self.by_host.get(&host).and_then(|id| self.epoch_of(*id));
        let epoch = epoch.unwrap_or(self.table.epoch(host).0.current);
        self.table.host(host).is_some() && !self.is_over(Seat { host, epoch })
    }
}
