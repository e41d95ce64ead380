// SPDX-License-Identifier: GPL-2.0

//! How busy this host is, as `/proc` says (proc(5)): its processors between two questions, its
//! memory at the time of the question.

use std::fs;
use std::path::{Path, PathBuf};

use crate::core::load::{Load, WHOLE};

/// What `/proc/stat` counts of all processors since the boot, in its ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ticks {
    busy: u64,
    all: u64,
}

/// Measures the load.
pub(super) struct Meter {
    proc: PathBuf,
    before: Option<Ticks>,
}

impl Meter {
    /// The first question is about the time from now on.
    pub(super) fn new() -> Meter {
        Meter::of(Path::new("/proc"))
    }

    fn of(proc: &Path) -> Meter {
        let mut meter = Meter {
            proc: proc.into(),
            before: None,
        };
        meter.before = meter.ticks();
        meter
    }

    /// The load since the last question; none if it is not to be known.
    pub(super) fn measure(&mut self) -> Option<Load> {
        let now = self.ticks();
        let before = std::mem::replace(&mut self.before, now);
        let (before, now) = (before?, now?);
        let busy = now.busy.saturating_sub(before.busy);
        let cpu = part(busy, now.all.checked_sub(before.all)?)?;
        let memory = memory(&fs::read_to_string(self.proc.join("meminfo")).ok()?)?;
        Some(Load { cpu, memory })
    }

    fn ticks(&self) -> Option<Ticks> {
        ticks(&fs::read_to_string(self.proc.join("stat")).ok()?)
    }
}

/// Thousandths; none of nothing.
fn part(of: u64, all: u64) -> Option<u32> {
    let whole = u64::from(WHOLE);
    let part = of.saturating_mul(whole).checked_div(all)?;
    Some(part.min(whole) as u32)
}

/// Of the line of all processors: user, nice, system, idle, iowait, irq, softirq, steal. What follows is
/// part of the first two already. What another guest takes (steal) is no time of this host's that
/// is free, so that it counts as busy.
fn ticks(stat: &str) -> Option<Ticks> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let fields: Option<Vec<u64>> = line
        .split_whitespace()
        .take(8)
        .map(|field| field.parse().ok())
        .collect();
    let fields = fields.filter(|fields| fields.len() > 4)?;
    let all = fields.iter().sum();
    let idle = fields[3] + fields[4];
    Some(Ticks {
        busy: all - idle,
        all,
    })
}

fn memory(meminfo: &str) -> Option<u32> {
    let field = |name: &str| -> Option<u64> {
        let mut lines = meminfo.lines();
        let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let (total, available) = (field("MemTotal")?, field("MemAvailable")?);
    part(total.saturating_sub(available), total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(fields: &str) -> String {
        format!("cpu  {fields}\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 5\n")
    }

    #[test]
    fn waiting_for_disks_is_not_busy_and_a_guests_time_is_not_counted_twice() {
        let found = ticks(&stat("10 20 30 400 500 6 7 8 10 20"));
        let busy = 10 + 20 + 30 + 6 + 7 + 8;
        let all = busy + 900;
        assert_eq!(found, Some(Ticks { busy, all }));
        for bad in [
            "",
            "cpu0 1 2 3 4 5 6 7 8\n",
            "cpu  1 2 x 4 5 6 7 8\n",
            "cpu  1 2 3\n",
        ] {
            assert_eq!(ticks(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn memory_that_programs_could_have_is_not_used() {
        let text = "MemTotal:        4000 kB\nMemFree:  100 kB\nMemAvailable:    1000 kB\n";
        assert_eq!(memory(text), Some(750));
        assert_eq!(memory("MemTotal: 0 kB\nMemAvailable: 0 kB\n"), None);
        assert_eq!(memory("MemTotal: 5 kB\n"), None);
    }

    #[test]
    fn the_load_is_that_between_two_questions() {
        let directory = tempfile::tempdir().unwrap();
        let says = |fields: &str| {
            fs::write(directory.path().join("stat"), stat(fields)).unwrap();
            let memory = "MemTotal: 10 kB\nMemAvailable: 9 kB\n";
            fs::write(directory.path().join("meminfo"), memory).unwrap();
        };
        says("500 0 0 500 0 0 0 0");
        let mut meter = Meter::of(directory.path());
        assert_eq!(meter.measure(), None, "no time has passed");
        says("530 0 0 560 10 0 0 0");
        let load = |cpu| Some(Load { cpu, memory: 100 });
        assert_eq!(meter.measure(), load(300));
        says("630 0 0 560 10 0 0 0");
        assert_eq!(meter.measure(), load(1000));
        // The kernel takes back what it counted as waiting: less has passed than is busy.
        says("640 0 0 560 5 0 0 0");
        assert_eq!(meter.measure(), load(1000));
        fs::remove_file(directory.path().join("stat")).unwrap();
        assert_eq!(meter.measure(), None);
        says("900 0 0 900 0 0 0 0");
        assert_eq!(meter.measure(), None, "since when is not known");
        says("901 0 0 901 0 0 0 0");
        assert_eq!(meter.measure(), load(500));
    }

    #[test]
    fn this_machine_has_a_load() {
        let found = Meter::new();
        assert!(found.before.is_some_and(|it| it.all > it.busy));
    }
}
