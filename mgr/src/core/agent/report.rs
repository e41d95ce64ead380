// SPDX-License-Identifier: GPL-2.0

//! What the host tells the manager about itself from time to time.

use std::collections::BTreeMap;

use super::{Agent, Output, Timer};
use crate::core::load::Load;
use crate::core::message::{Report, Sighting, ToManager};
use crate::core::{Key, Time};

/// What validation refused since the last report.
#[derive(Clone, Debug, Default)]
pub(super) struct Sightings(BTreeMap<(Sighting, Key), u32>);

/// More different ones are not told apart; the kernel's counters have them all.
const SIGHTINGS: usize = 256;

impl Sightings {
    pub(super) fn spoof(&mut self, key: Key) {
        self.add(Sighting::Spoof, key);
    }

    pub(super) fn forged(&mut self, key: Key) {
        self.add(Sighting::Forged, key);
    }

    pub(super) fn claim(&mut self, key: Key) {
        self.add(Sighting::Claim, key);
    }

    fn add(&mut self, sighting: Sighting, key: Key) {
        if self.0.len() < SIGHTINGS || self.0.contains_key(&(sighting, key)) {
            let count = self.0.entry((sighting, key)).or_default();
            *count = count.saturating_add(1);
        }
    }
}

impl Agent {
    /// It is time for a report. What the host's load is is asked for also while nobody would hear of
    /// it, since it is that of the time between two questions.
    pub(super) fn report_due(&mut self, now: Time, out: &mut Vec<Output>) {
        self.set_timer(now + self.config.report, Timer::Report);
        out.push(Output::Measure);
    }

    pub(super) fn report(&mut self, load: Option<Load>, out: &mut Vec<Output>) {
        if !self.link.is_up() {
            return;
        }
        let sightings = std::mem::take(&mut self.sightings.0);
        out.push(Output::Send(ToManager::Report(Report {
            ports: self.ports.len() as u32,
            mappings: self.cache.len() as u32,
            pending: self.asks.len() as u32,
            load,
            sightings: sightings
                .into_iter()
                .map(|((sighting, key), count)| (sighting, key, count))
                .collect(),
        })));
    }
}
