// SPDX-License-Identifier: GPL-2.0

//! How busy a host is (`MV6`): what its agent measures, and the mean that its manager takes.

/// The whole of a host, in the unit of loads.
pub const WHOLE: u32 = 1000;

/// How busy a host is, in thousandths of the whole host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// The time of its processors that was neither idle nor waited for disks.
    pub cpu: u32,
    /// Its memory that is not available to programs.
    pub memory: u32,
}

impl Load {
    /// How far two are apart.
    #[must_use]
    pub fn distance(self, other: Load) -> u32 {
        let cpu = self.cpu.abs_diff(other.cpu);
        cpu.max(self.memory.abs_diff(other.memory))
    }

    /// The part that a size has of all sizes on the host.
    pub(super) fn share(self, size: u32, all: u32) -> Load {
        let part = |of: u32| {
            let part = u64::from(of) * u64::from(size) / u64::from(all.max(1));
            part.min(of.into()) as u32
        };
        Load {
            cpu: part(self.cpu),
            memory: part(self.memory),
        }
    }

    pub(super) fn with(self, other: Load) -> Load {
        Load {
            cpu: self.cpu.saturating_add(other.cpu),
            memory: self.memory.saturating_add(other.memory),
        }
    }

    pub(super) fn without(self, other: Load) -> Load {
        Load {
            cpu: self.cpu.saturating_sub(other.cpu),
            memory: self.memory.saturating_sub(other.memory),
        }
    }
}

/// Agents report every ten seconds, so that these are those of a minute: the mean follows what
/// lasts, and not each compilation.
const REPORTS: u32 = 6;
/// One report alone says nothing: it may be of the moment when the host or its agent started.
const FEWEST: u32 = 2;
/// A mean of thousandths has this many parts of each, so that small differences are not rounded
/// away.
const PARTS: u32 = 1000;

/// The exponential mean of a host's reports; of the first ones the plain mean, so that it does not
/// depend on what was before them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mean {
    reports: u32,
    /// In thousandths of thousandths.
    cpu: u32,
    memory: u32,
}

impl Mean {
    /// Takes a report.
    pub fn add(&mut self, load: Load) {
        self.reports = (self.reports + 1).min(REPORTS);
        let weight = self.reports;
        let towards = |mean: u32, now: u32| (mean * (weight - 1) + now.min(WHOLE) * PARTS) / weight;
        self.cpu = towards(self.cpu, load.cpu);
        self.memory = towards(self.memory, load.memory);
    }

    /// The mean, if there have been enough reports for one.
    #[must_use]
    pub fn get(&self) -> Option<Load> {
        let rounded = |mean: u32| (mean + PARTS / 2) / PARTS;
        (self.reports >= FEWEST).then(|| Load {
            cpu: rounded(self.cpu),
            memory: rounded(self.memory),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(cpu: u32) -> Load {
        Load { cpu, memory: 400 }
    }

    fn after(reports: &[u32]) -> Option<u32> {
        let mut mean = Mean::default();
        reports.iter().for_each(|cpu| mean.add(load(*cpu)));
        let mean = mean.get()?;
        assert_eq!(mean.memory, 400);
        Some(mean.cpu)
    }

    #[test]
    fn the_mean_is_that_of_about_a_minute() {
        assert_eq!(after(&[900]), None);
        assert_eq!(after(&[900, 100]), Some(500));
        assert_eq!(after(&[900, 100, 200]), Some(400));
        // A peak of one report moves what was steady by a sixth of its height.
        let steady = [300; 30];
        assert_eq!(after(&[&steady[..], &[900]].concat()), Some(400));
        // What lasts is followed all the way.
        assert_eq!(after(&[&steady[..], &[900; 12]].concat()), Some(833));
        assert_eq!(after(&[&steady[..], &[900; 60]].concat()), Some(900));
    }

    #[test]
    fn nothing_is_more_than_the_whole() {
        assert_eq!(after(&[u32::MAX; 20]), Some(1000));
        let (one, other) = (load(7), Load { cpu: 9, memory: 1 });
        assert_eq!((one.distance(other), other.distance(one)), (399, 399));
    }
}
