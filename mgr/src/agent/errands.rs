// SPDX-License-Identifier: GPL-2.0

//! What programs were run for and may not have been told the end of: a file per move, so that an agent that
//! is started asks how the move ended, and has the program finish.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use ovnet_engine::{Locator, Vni};
use serde::{Deserialize, Serialize};

use super::cache;
use crate::core::agent::executor::{Errand, Role};
use crate::core::moves::MoveId;
use crate::core::{Key, NodeId};

/// The directory of the files.
#[derive(Clone, Debug)]
pub(super) struct Errands(PathBuf);

/// An errand as it is written; numbers that are not small are hexadecimal.
#[derive(Serialize, Deserialize)]
struct Written {
    role: String,
    node: String,
    network: u32,
    addresses: Vec<Ipv4Addr>,
    peer: String,
    endpoint: String,
}

impl Errands {
    pub(super) fn in_directory(directory: PathBuf) -> Errands {
        Errands(directory)
    }

    fn file(&self, id: MoveId) -> PathBuf {
        self.0.join(id.to_string())
    }

    /// All that are left.
    pub(super) fn read(&self) -> Vec<Errand> {
        let entries = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
        let read = |entry: std::fs::DirEntry| {
            let id = entry.file_name().to_str()?.parse().ok()?;
            let text = std::fs::read(entry.path()).ok()?;
            serde_json::from_slice::<Written>(&text).ok()?.errand(id)
        };
        entries.filter_map(read).collect()
    }

    /// A program is run.
    pub(super) fn begin(&self, errand: &Errand) {
        let written = serde_json::to_vec(&Written::of(errand)).unwrap_or_default();
        if let Err(error) = cache::replace(&self.file(errand.id), &written) {
            tracing::warn!(move = %errand.id, %error, "what the executor does cannot be written down");
        }
    }

    /// A program has done all it had to.
    pub(super) fn end(&self, id: MoveId) {
        match std::fs::remove_file(self.file(id)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(move = %id, %error, "what the executor did cannot be forgotten");
            }
            _ => {}
        }
    }
}

impl Written {
    fn of(errand: &Errand) -> Written {
        Written {
            role: errand.role.name().into(),
            node: errand.node.to_string(),
            network: errand.keys.first().map_or(0, |key| key.vni.get()),
            addresses: errand.keys.iter().map(|key| key.address).collect(),
            peer: format!("{:016x}", errand.peer.bits()),
            endpoint: errand.endpoint.clone(),
        }
    }

    fn errand(self, id: MoveId) -> Option<Errand> {
        let vni = Vni::new(self.network)?;
        let roles = [Role::Source, Role::Destination, Role::Start];
        Some(Errand {
            id,
            role: roles.into_iter().find(|role| role.name() == self.role)?,
            node: NodeId(u64::from_str_radix(&self.node, 16).ok()?),
            keys: self
                .addresses
                .into_iter()
                .map(|address| Key::new(vni, address))
                .collect(),
            peer: {
                let bits = u64::from_str_radix(&self.peer, 16).ok()?;
                Locator::new((bits >> 32) as u32, bits as u32).ok()?
            },
            endpoint: self.endpoint,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_is_there_until_it_has_ended() {
        let directory = tempfile::tempdir().unwrap();
        let errands = Errands::in_directory(directory.path().join("moves"));
        assert_eq!(errands.read(), []);
        let key = |n| Key::new(Vni::new(7).unwrap(), Ipv4Addr::new(10, 0, 0, n));
        let errand = Errand {
            id: MoveId(0xa1),
            role: Role::Start,
            node: NodeId(0xcc),
            keys: vec![key(3), key(4)],
            peer: Locator::new(0xfd00_000a, 2).unwrap(),
            endpoint: "tcp:7000".into(),
        };
        errands.begin(&errand);
        errands.begin(&errand);
        std::fs::write(directory.path().join("moves/00000000000000a2"), "{").unwrap();
        assert_eq!(errands.read(), [errand]);
        errands.end(MoveId(0xa1));
        errands.end(MoveId(0xa1));
        assert_eq!(errands.read(), []);
    }
}
