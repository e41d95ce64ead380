// SPDX-License-Identifier: GPL-2.0

//! `ovctl backup`: a backup of all that a manager has.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use clap::Args;

use super::Server;
use crate::failure::Failure;

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Command {
    /// The file to write, which must not exist; `ovmgrd verify` looks at it, `ovmgrd restore` takes it
    file: PathBuf,
}

impl Command {
    pub(super) fn run(self, server: &Server) -> Result<(), Failure> {
        let named = |error: std::io::Error| {
            let file = self.file.display();
            Failure::Input(format!("cannot write {file}: {error}"))
        };
        let mut backup = server.open("/v1/backup", None)?;
        // Whoever can read it can issue identities of hosts.
        let mut options = File::options();
        let options = options.write(true).create_new(true).mode(0o600);
        let mut file = options.open(&self.file).map_err(named)?;
        let written = std::io::copy(&mut backup, &mut file).and_then(|_| file.sync_all());
        written.map_err(|error| {
            // Half a backup must not lie about as if it were one.
            let _ = std::fs::remove_file(&self.file);
            named(error)
        })
    }
}
