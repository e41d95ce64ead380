// SPDX-License-Identifier: GPL-2.0

//! `ovctl org`: organisations, the owners of networks and hosts.

use clap::Subcommand;

use super::change::{self, Change, Which};
use super::client::escaped;
use super::{text, Server};
use crate::failure::Failure;
use crate::output::{Object, Output, Row};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create or change an organisation
    #[command(visible_alias = "add")]
    Set {
        /// Its name, for ever: up to 63 of a-z, 0-9 and -
        name: String,
        /// What people call it
        #[arg(long)]
        title: Option<String>,
        #[command(flatten)]
        change: Change,
    },
    /// Delete an organisation without networks and hosts
    #[command(visible_alias = "delete")]
    Del {
        /// Its name
        name: String,
        #[command(flatten)]
        change: Change,
    },
    /// Show all organisations, or one
    #[command(visible_aliases = ["list", "ls"])]
    Show {
        /// Its name
        name: Option<String>,
    },
}

const LIST: &str = "/v1/organisations";

fn path(name: &str) -> String {
    format!("{LIST}/{}", escaped(name))
}

fn which<'w>(path: &'w str, id: &'w str) -> Which<'w> {
    Which {
        path,
        kind: "organisation",
        id: id.into(),
    }
}

impl Command {
    pub(super) fn run(self, server: &Server, output: &mut Output<'_>) -> Result<(), Failure> {
        match self {
            Command::Set {
                name,
                title,
                change,
            } => {
                let make = |before: Option<Object>| {
                    let mut object = before.unwrap_or_default();
                    object.remove("name");
                    if let Some(title) = &title {
                        object.insert("title".into(), title.as_str().into());
                    }
                    Ok(object)
                };
                change::set(server, &which(&path(&name), &name), &change, make, output)
            }
            Command::Del { name, change } => {
                change::delete(server, &which(&path(&name), &name), &change, output)
            }
            Command::Show { name: None } => {
                output.rows(server.items(LIST).map(|it| it.map(Organisation)))
            }
            Command::Show { name: Some(name) } => {
                let organisation = server.get(&path(&name))?.with_etag();
                output.list([Ok(Organisation(organisation))])
            }
        }
    }
}

struct Organisation(Object);

impl Row for Organisation {
    const COLUMNS: &'static [&'static str] = &["NAME", "TITLE"];

    fn cells(&self) -> Vec<String> {
        vec![text(&self.0, "name"), text(&self.0, "title")]
    }

    fn object(&self) -> Object {
        self.0.clone()
    }
}
