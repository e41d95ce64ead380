// SPDX-License-Identifier: GPL-2.0

//! Networks in the kernel, as the manager says they are to be.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ovnet_engine::Vni;
use ovnet_uapi::{Error as NetlinkError, NetworkSet, RuleSet};

use super::kernel::{all, Kernel, REVIEW};
use super::settings;
use crate::core::message::Settings;

/// Rules in a request.
const RULES: usize = 200;

/// What a network is to be like, and the rules that were set for it, if all could be set up.
pub(super) type Wanted = (Settings, Option<Vec<RuleSet>>);

impl Kernel {
    pub(super) fn network(&mut self, vni: Vni, settings: Settings) {
        self.networks.insert(vni, (settings, None));
        self.settle(vni);
        self.check_sources();
    }

    /// Makes a network what it is to be; what could not be done is tried again.
    fn settle(&mut self, vni: Vni) {
        let Some((settings, set)) = self.networks.get(&vni) else {
            return;
        };
        let rules = settings::rules(settings, minute());
        if set.as_ref() == Some(&rules) {
            return;
        }
        let settings = settings.clone();
        let result = self.try_settle(vni, &settings, &rules);
        if result.is_ok() {
            self.networks.insert(vni, (settings, Some(rules)));
        }
        self.done("set up a network", result);
    }

    fn try_settle(
        &mut self,
        vni: Vni,
        wanted: &Settings,
        rules: &[RuleSet],
    ) -> Result<(), NetlinkError> {
        let client = &mut self.client;
        client.network_set(&settings::network(vni, wanted))?;
        self.present.insert(vni);
        for rules in rules.chunks(RULES) {
            client.rules_set(vni, rules)?;
        }
        let present = all(client, |client| Ok(client.rules(Some(vni))?.collect()))?;
        let wanted_rule = |id: u32| rules.iter().any(|rule| rule.id == Some(id));
        let present = present.into_iter().map(|rule| rule.id);
        let surplus: Vec<_> = present.filter(|id| !wanted_rule(*id)).collect();
        for ids in surplus.chunks(RULES) {
            client.rules_del(vni, ids)?;
        }
        let wanted = settings::peerings(vni, wanted);
        let present = all(client, |client| Ok(client.peerings(None, None)?.collect()))?;
        let whole = present.into_iter().filter(settings::is_whole);
        let own = whole
            .map(|it| (it.from, it.to))
            .filter(|(from, to)| *from == vni || *to == vni);
        let present: BTreeSet<_> = own.collect();
        for pair in wanted.difference(&present) {
            client.peering_set(&settings::peering(*pair))?;
        }
        for pair in present.difference(&wanted) {
            client.peering_del(&settings::peering(*pair))?;
        }
        Ok(())
    }

    /// Rules with a window begin and end with a minute, and what was refused is tried again with it.
    pub(super) fn renew_rules(&mut self) {
        let mortal = |(_, (settings, set)): &(&Vni, &(Settings, Option<Vec<RuleSet>>))| {
            settings::has_windows(settings) && set.is_some()
        };
        let vnis: Vec<_> = self
            .networks
            .iter()
            .filter(mortal)
            .map(|(vni, _)| *vni)
            .collect();
        for vni in vnis {
            self.settle(vni);
        }
    }

    /// How long until rules may have to change.
    pub(super) fn next_minute(&self) -> Duration {
        let mortal = self
            .networks
            .values()
            .any(|(settings, _)| settings::has_windows(settings));
        match mortal {
            true => Duration::from_secs(60 - now() % 60),
            false => REVIEW,
        }
    }

    /// A mapping that was written down, of a network that the manager has not told of yet.
    pub(super) fn need_network(&mut self, vni: Vni) {
        if self.present.insert(vni) {
            let result = self.client.network_set(&NetworkSet::new(vni));
            self.done("create a network", result);
        }
    }

    /// Tries again to set up what could not be set up.
    pub(super) fn retry_networks(&mut self) {
        let failed = self.networks.iter().filter(|(_, (_, set))| set.is_none());
        let failed: Vec<_> = failed.map(|(vni, _)| *vni).collect();
        for vni in failed {
            self.settle(vni);
        }
    }
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// The minute of the day, UTC.
fn minute() -> u16 {
    (now() / 60 % (24 * 60)) as u16
}
