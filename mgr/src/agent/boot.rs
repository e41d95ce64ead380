// SPDX-License-Identifier: GPL-2.0

//! The epoch of this boot: a number that is greater with each boot, and the same for all agents of one.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{cache, Error};

/// Differs with each boot, random(4).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// Has the time of the boot, proc_stat(5).
const STAT: &str = "/proc/stat";

#[derive(Serialize, Deserialize)]
struct Boot {
    id: String,
    epoch: u32,
}

/// The epoch, which the file `epoch` of a directory remembers.
pub(super) fn epoch(directory: &Path) -> Result<u32, Error> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|source| Error::Io {
            path: path.into(),
            source,
        })
    };
    let id = read(Path::new(BOOT_ID))?.trim().to_owned();
    let started = started(&read(Path::new(STAT))?);
    let path = directory.join("epoch");
    let last = match read(&path) {
        Ok(text) => serde_json::from_str::<Boot>(&text).ok(),
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let boot = next(id, last, started);
    let text = serde_json::to_vec(&boot).unwrap_or_default();
    cache::replace(&path, &text)?;
    Ok(boot.epoch)
}

/// The time of the boot in seconds since 1970, if the kernel says it.
fn started(stat: &str) -> u32 {
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "));
    line.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// Counts boots. The first is no 1 but the time, so that a host whose file is lost goes on where it was, or
/// further.
fn next(id: String, last: Option<Boot>, started: u32) -> Boot {
    let epoch = match last {
        Some(last) if last.id == id => last.epoch,
        Some(last) => last.epoch.saturating_add(1).max(started),
        None => started.max(1),
    };
    Boot { id, epoch }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_has_one_epoch_and_the_next_a_greater_one() {
        let boot = |id: &str, epoch| {
            Some(Boot {
                id: id.into(),
                epoch,
            })
        };
        let next = |id: &str, last, started| next(id.into(), last, started).epoch;
        assert_eq!(next("a", None, 1000), 1000);
        assert_eq!(next("a", None, 0), 1);
        assert_eq!(next("a", boot("a", 1000), 1001), 1000);
        assert_eq!(next("b", boot("a", 1000), 2000), 2000);
        // The clock was set back, or is not there.
        assert_eq!(next("b", boot("a", 1000), 500), 1001);
    }

    #[test]
    fn the_time_of_the_boot_is_among_the_statistics() {
        assert_eq!(
            started("cpu 1 2\nbtime 1795384000\nprocesses 5\n"),
            1_795_384_000
        );
        assert_eq!(started("cpu 1 2\n"), 0);
    }

    #[test]
    fn the_epoch_is_kept_in_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let first = epoch(directory.path()).unwrap();
        assert!(first > 0);
        assert_eq!(epoch(directory.path()).unwrap(), first);
        std::fs::write(
            directory.path().join("epoch"),
            r#"{"id":"x","epoch":4294967290}"#,
        )
        .unwrap();
        assert_eq!(epoch(directory.path()).unwrap(), 4_294_967_291);
    }
}
