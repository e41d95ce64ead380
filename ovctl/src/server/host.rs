// SPDX-License-Identifier: GPL-2.0

//! `ovctl --server host`: hosts as a manager has them.

use clap::Args;
use ovnet_uapi::Locator;
use serde_json::Value;

use super::change::{self, Change, Which};
use super::{placement, sides, text, Server};
use crate::failure::Failure;
use crate::host::Command;
use crate::output::{Object, Output, Row, NONE};
use crate::prefix;

/// What a manager can be told of a host, and the host not.
#[derive(Debug, Default, Args)]
#[group(skip)]
#[command(next_help_heading = sides::MANAGER)]
pub(crate) struct Set {
    /// What people call it [default: its locator]
    #[arg(long)]
    name: Option<String>,

    /// The organisation whose it is, by name; a new host needs one
    #[arg(long, value_name = "NAME")]
    org: Option<String>,

    /// The sizes of the nodes on it may add up to so much; 0: to anything
    #[arg(long, value_name = "N")]
    capacity: Option<u32>,

    /// What it costs compared to others: nodes that are moved go to the cheapest of the nearest hosts
    #[arg(long, value_name = "N")]
    cost: Option<u32>,

    #[command(flatten)]
    change: Change,
}

const LIST: &str = "/v1/hosts";

/// A host's id: its locator as 16 hexadecimal digits.
pub(crate) fn id(host: Locator) -> String {
    prefix::node_text(host.bits())
}

/// The path of a host.
pub(crate) fn path(host: Locator) -> String {
    format!("{LIST}/{}", id(host))
}

/// A host's id in an object as its locator.
pub(super) fn cell(object: &Object, key: &str) -> String {
    let id = object.get(key).and_then(Value::as_str);
    match id.and_then(|id| prefix::locator(id).ok()) {
        Some(locator) => locator.to_string(),
        None => text(object, key),
    }
}

pub(super) fn run(
    command: Command,
    server: &Server,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    match command {
        Command::Set(set) => {
            let host = needed(set.locator()?)?;
            let make = |before| make(host, &set.manager, before);
            let change = &set.manager.change;
            change::set(server, &which(&path(host), &id(host)), change, make, output)
        }
        Command::Del { locator, change } => {
            let host = needed(locator)?;
            change::delete(server, &which(&path(host), &id(host)), &change, output)
        }
        Command::Enrol { host } => {
            let path = format!("{}/enrolments", path(host));
            let enrolment = server.post_secret(&path, None)?.object;
            if output.is_json() {
                return Ok(output.object(enrolment)?);
            }
            // Alone on its line: it is what `ovmgrd enrol` reads.
            Ok(output.line(&text(&enrolment, "token"))?)
        }
        Command::Drain { host, dry_run } => {
            let query = if dry_run { "?dry_run=true" } else { "" };
            let path = format!("{}/drain{query}", path(host));
            placement::show(server.post(&path, &Object::new())?.object, output)
        }
        Command::Undrain { host, change } => {
            let make = |before: Option<Object>| {
                let set = Set::default();
                let missing = || Failure::Input(format!("there is no host {host}"));
                let mut object = make(host, &set, Some(before.ok_or_else(missing)?))?;
                object.insert("draining".into(), false.into());
                Ok(object)
            };
            let (path, id) = (path(host), id(host));
            change::set(server, &which(&path, &id), &change, make, output)
        }
        Command::Fence { host } => {
            let path = format!("{}/fence", path(host));
            server.post(&path, &Object::new()).map(drop)
        }
        Command::Show { locator: None } => output.rows(server.items(LIST).map(|it| it.map(Host))),
        Command::Show {
            locator: Some(host),
        } => {
            let host = server.get(&path(host))?.with_etag();
            output.list([Ok(Host(host))])
        }
    }
}

fn needed(host: Option<Locator>) -> Result<Locator, Failure> {
    host.ok_or_else(|| {
        Failure::Usage("say which host: by its /64, such as fd00:a:1:1::/64, or its id".into())
    })
}

fn which<'w>(path: &'w str, id: &'w str) -> Which<'w> {
    Which {
        path,
        kind: "host",
        id: id.into(),
    }
}

/// What there is to be, of what there is.
fn make(host: Locator, set: &Set, before: Option<Object>) -> Result<Object, Failure> {
    let mut object = match (before, &set.org) {
        (Some(mut before), _) => {
            before.remove("id");
            before.remove("locator");
            before.remove("load");
            before
        }
        (None, Some(_)) => {
            let mut object = Object::new();
            object.insert("name".into(), host.to_string().into());
            object
        }
        (None, None) => {
            let text = format!("host {host} would be a new one: say by --org whose it is to be");
            return Err(Failure::Usage(text));
        }
    };
    for (key, value) in [("name", &set.name), ("organisation", &set.org)] {
        if let Some(value) = value {
            object.insert(key.into(), value.as_str().into());
        }
    }
    for (key, value) in [("capacity", set.capacity), ("cost", set.cost)] {
        if let Some(value) = value {
            object.insert(key.into(), value.into());
        }
    }
    Ok(object)
}

struct Host(Object);

impl Host {
    /// How busy it is: in thousandths, as all shares here are.
    fn load(&self) -> String {
        match self.0.get("load").and_then(Value::as_object) {
            Some(load) => format!("cpu {}, memory {}", text(load, "cpu"), text(load, "memory")),
            None => NONE.to_owned(),
        }
    }
}

impl Row for Host {
    const COLUMNS: &'static [&'static str] = &[
        "LOCATOR",
        "ID",
        "NAME",
        "ORGANISATION",
        "CAPACITY",
        "COST",
        "DRAINING",
        "LOAD",
    ];

    fn cells(&self) -> Vec<String> {
        let draining = self.0.get("draining") == Some(&Value::Bool(true));
        ["locator", "id", "name", "organisation", "capacity", "cost"]
            .iter()
            .map(|key| text(&self.0, key))
            .chain([if draining { "yes" } else { "no" }.to_owned(), self.load()])
            .collect()
    }

    fn object(&self) -> Object {
        self.0.clone()
    }
}
