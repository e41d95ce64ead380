// SPDX-License-Identifier: GPL-2.0

//! The file in which an agent leaves what it knows to the next one.

use std::fs::{self, File};
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ovnet_engine::{Mac, Vni};
use serde::{Deserialize, Serialize};

use super::Error;
use crate::core::agent::Image;
use crate::core::{record, Generation, Key};

/// The form of the file; one of another form is not read.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    /// The newest state of the store that was seen.
    seen: u64,
    mappings: Vec<Mapping>,
}

#[derive(Serialize, Deserialize)]
struct Mapping {
    vni: u32,
    address: Ipv4Addr,
    generation: u64,
    /// The locator, 16 hexadecimal digits.
    host: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
}

/// What is in the file. Without it the agent has to ask for everything, which is no reason not to start.
pub(super) fn read(path: &Path) -> Option<Image> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the cache cannot be read");
            return None;
        }
    };
    let image = parse(&text);
    if image.is_none() {
        tracing::warn!(path = %path.display(), "what is in the cache makes no sense to this version");
    }
    image
}

fn parse(text: &[u8]) -> Option<Image> {
    let stored: Stored = serde_json::from_slice(text).ok()?;
    if stored.version != VERSION {
        return None;
    }
    let mapping = |it: Mapping| {
        let mac = match it.mac {
            Some(mac) => Some(mac.parse::<Mac>().ok()?),
            None => None,
        };
        let key = Key::new(Vni::new(it.vni)?, it.address);
        let generation = Generation::from_u64(it.generation);
        Some((key, generation, record::locator(&it.host)?, mac))
    };
    Some(Image {
        seen: Generation::from_u64(stored.seen),
        mappings: stored
            .mappings
            .into_iter()
            .map(mapping)
            .collect::<Option<_>>()?,
    })
}

fn text(image: &Image) -> Vec<u8> {
    let mapping =
        |(key, generation, host, mac): &(Key, Generation, ovnet_engine::Locator, Option<Mac>)| {
            Mapping {
                vni: key.vni.get(),
                address: key.address,
                generation: generation.get(),
                host: format!("{:016x}", host.bits()),
                mac: mac.map(|mac| mac.to_string()),
            }
        };
    let stored = Stored {
        version: VERSION,
        seen: image.seen.get(),
        mappings: image.mappings.iter().map(mapping).collect(),
    };
    serde_json::to_vec(&stored).unwrap_or_default()
}

/// Writes the file.
pub(super) fn write(path: &Path, image: &Image) -> Result<(), Error> {
    replace(path, &text(image))
}

/// Replaces a file in one step, so that no crash leaves half of it.
pub(super) fn replace(path: &Path, text: &[u8]) -> Result<(), Error> {
    let replace = || {
        let directory = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let new = path.with_extension("new");
        let mut options = File::options();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(directory)?.sync_all()
    };
    replace().map_err(|source| Error::Io {
        path: path.into(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ovnet_engine::Locator;

    #[test]
    fn what_is_written_is_read() {
        let key = |n| Key::new(Vni::new(7).unwrap(), Ipv4Addr::new(10, 0, 0, n));
        let host = Locator::new(0xfd00_000a, 2).unwrap();
        let image = Image {
            seen: Generation::new(3, 9),
            mappings: vec![
                (key(1), Generation::new(3, 4), host, None),
                (
                    key(2),
                    Generation::new(1, 5),
                    host,
                    Some(Mac([2, 0, 0, 0, 0, 9])),
                ),
            ],
        };
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("below/cache");
        assert_eq!(read(&path), None);
        write(&path, &image).unwrap();
        assert_eq!(read(&path), Some(image));
    }

    #[test]
    fn what_makes_no_sense_is_not_read() {
        for bad in [
            "",
            "{}",
            r#"{"version":2,"seen":1,"mappings":[]}"#,
            r#"{"version":1,"seen":1,"mappings":[{"vni":0,"address":"10.0.0.1","generation":1,"host":"fd00000a00000001"}]}"#,
            r#"{"version":1,"seen":1,"mappings":[{"vni":7,"address":"10.0.0.1","generation":1,"host":"S"}]}"#,
        ] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
        assert!(parse(br#"{"version":1,"seen":1,"mappings":[]}"#).is_some());
    }
}
