// SPDX-License-Identifier: GPL-2.0

//! `ovctl audit`: what was asked of a manager, and what it refused.

use clap::Args;

use super::{text, Server};
use crate::failure::Failure;
use crate::output::{Object, Output, Row};

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Command {
    /// Only what was refused
    #[arg(long)]
    refused: bool,
}

impl Command {
    pub(super) fn run(self, server: &Server, output: &mut Output<'_>) -> Result<(), Failure> {
        let wanted = |entry: &Object| !self.refused || entry.contains_key("problem");
        let entries = server.items("/v1/audit");
        let entries = entries.filter(|entry| entry.as_ref().map_or(true, wanted));
        output.rows(entries.map(|it| it.map(Entry)))
    }
}

struct Entry(Object);

impl Row for Entry {
    const COLUMNS: &'static [&'static str] =
        &["TIME", "TOKEN", "METHOD", "TARGET", "STATUS", "PROBLEM"];

    fn cells(&self) -> Vec<String> {
        ["time", "token", "method", "target", "status", "problem"]
            .iter()
            .map(|key| text(&self.0, key))
            .collect()
    }

    fn object(&self) -> Object {
        self.0.clone()
    }
}
