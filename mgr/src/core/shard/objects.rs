// SPDX-License-Identifier: GPL-2.0

//! Orders that concern organisations, networks and hosts: what is checked, what is written.

use ovnet_engine::{Locator, Vni};

use super::job::Plan;
use super::session::unchanged;
use super::{Refusal, Shard};
use crate::core::record::{self, Epoch, Host, Name, Network, Organisation};
use crate::store::{Condition, Transaction};

impl Shard {
    pub(super) fn set_organisation(&self, name: &str, record: &Organisation) -> Plan {
        let revision = self
            .table
            .organisation(name)
            .map_or(0, |(_, revision)| *revision);
        let key = Name::Organisation(name.into()).bytes();
        let transaction = Transaction::new().when(unchanged(key.clone(), revision));
        Plan::Write(transaction.put(key, record::encode(record)), None)
    }

    pub(super) fn delete_organisation(&self, name: &str) -> Result<Plan, Refusal> {
        let Some((_, revision)) = self.table.organisation(name) else {
            return Err(Refusal::NoOrganisation(name.into()));
        };
        if self.table.belonging_to(name).is_some() {
            return Err(Refusal::OrganisationInUse(name.into()));
        }
        let key = Name::Organisation(name.into()).bytes();
        let transaction = Transaction::new().when(Condition::Modified(key.clone(), *revision));
        Ok(Plan::Write(transaction.delete(key), None))
    }

    /// Begins a transaction that gives an organisation something, so that it cannot be deleted at
    /// the same time: it depends on something that the organisation has and that keeps it from
    /// being deleted. Only the first that it gets has the organisation's record written as it is,
    /// since all that depends on one record that changes has to wait for each other.
    fn belonging_to(&self, organisation: &str) -> Result<Transaction, Refusal> {
        let Some((record, revision)) = self.table.organisation(organisation) else {
            return Err(Refusal::NoOrganisation(organisation.into()));
        };
        if let Some((witness, revision)) = self.table.belonging_to(organisation) {
            let has = Condition::Modified(witness.bytes(), revision);
            return Ok(Transaction::new().when(has));
        }
        let key = Name::Organisation(organisation.into()).bytes();
        Ok(Transaction::new()
            .when(Condition::Modified(key.clone(), *revision))
            .put(key, record::encode(record)))
    }

    pub(super) fn set_network(&self, vni: Vni, record: &Network) -> Result<Plan, Refusal> {
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

    pub(super) fn delete_network(&self, vni: Vni) -> Result<Plan, Refusal> {
        let (_, revision) = self.table.network(vni).ok_or(Refusal::NoNetwork(vni))?;
        if self.table.is_network_used(vni) {
            return Err(Refusal::NetworkInUse(vni));
        }
        let key = Name::Network(vni).bytes();
        let transaction = Transaction::new().when(Condition::Modified(key.clone(), *revision));
        Ok(Plan::Write(transaction.delete(key), None))
    }

    pub(super) fn set_host(&self, host: Locator, record: &Host) -> Result<Plan, Refusal> {
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
    pub(super) fn delete_host(&self, host: Locator) -> Result<Plan, Refusal> {
        let (_, revision) = self.table.host(host).ok_or(Refusal::NoHost(host))?;
        if self.table.networks_of(host).next().is_some() {
            return Err(Refusal::HostInUse(host));
        }
        let key = Name::Host(host).bytes();
        let transaction = Transaction::new()
            .when(Condition::Modified(key.clone(), *revision))
            .delete(key)
            .delete(Name::Load(host).bytes())
            .delete(Name::Session(host).bytes());
        Ok(Plan::Write(transaction, None))
    }

    pub(super) fn fence_host(&self, host: Locator, epoch: u32) -> Result<Plan, Refusal> {
        self.table.host(host).ok_or(Refusal::NoHost(host))?;
        let (known, revision) = self.table.epoch(host);
        // The end of a lease says less: only that the nodes under lease have stopped.
        if known.is_over(epoch) && !known.by_lease {
            return Ok(Plan::Done(None));
        }
        let key = Name::Epoch(host).bytes();
        let fenced = Epoch {
            fenced: epoch.max(known.fenced),
            by_lease: false,
            ..known
        };
        let transaction = Transaction::new().when(unchanged(key.clone(), revision));
        Ok(Plan::Write(
            transaction.put(key, record::encode(&fenced)),
            None,
        ))
    }
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
