// SPDX-License-Identifier: GPL-2.0

//! `ovctl --server net`: virtual networks as a manager has them.

use clap::Args;
use ovnet_uapi::{Fidelity, Vni};

use super::change::{self, Change, Which};
use super::{count, sides, text, Server};
use crate::failure::Failure;
use crate::net::Command;
use crate::output::{Object, Output, Row};

/// What a manager can be told of a network, and a host not.
#[derive(Debug, Args)]
#[group(skip)]
#[command(next_help_heading = sides::MANAGER)]
pub(crate) struct Set {
    /// What people call it [default: its id]
    #[arg(long)]
    name: Option<String>,

    /// The organisation whose it is; a new network needs one
    #[arg(long, value_name = "NAME")]
    org: Option<String>,

    /// Addresses of its nodes are from these, as 10.0.0.0/24; all of them, each time they are given
    #[arg(long = "prefix", value_name = "PREFIX")]
    prefixes: Vec<String>,

    /// Whether nodes may take addresses by using them [default: no]
    #[arg(long, value_name = "yes|no", value_parser = sides::yes)]
    learn: Option<bool>,

    #[command(flatten)]
    change: Change,
}

pub(super) const LIST: &str = "/v1/networks";

pub(super) fn path(vni: Vni) -> String {
    format!("{LIST}/{vni}")
}

pub(super) fn run(
    command: Command,
    server: &Server,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    match command {
        Command::Set {
            vni,
            fidelity,
            manager,
            ..
        } => {
            let make = |before| make(vni, fidelity, &manager, before);
            let (path, id) = (path(vni), vni.to_string());
            change::set(server, &which(&path, &id), &manager.change, make, output)
        }
        Command::Del { vni, change } => {
            let (path, id) = (path(vni), vni.to_string());
            change::delete(server, &which(&path, &id), &change, output)
        }
        Command::Show { vni: None } => output.rows(server.items(LIST).map(|it| it.map(Network))),
        Command::Show { vni: Some(vni) } => {
            let network = server.get(&path(vni))?.with_etag();
            output.list([Ok(Network(network))])
        }
    }
}

fn which<'w>(path: &'w str, id: &'w str) -> Which<'w> {
    Which {
        path,
        kind: "network",
        id: id.into(),
    }
}

/// What there is to be, of what there is.
fn make(
    vni: Vni,
    fidelity: Option<Fidelity>,
    set: &Set,
    before: Option<Object>,
) -> Result<Object, Failure> {
    let mut object = match before {
        Some(mut before) => {
            before.remove("vni");
            before
        }
        None if set.org.is_none() => {
            let text = format!("network {vni} would be a new one: say by --org whose it is to be");
            return Err(Failure::Usage(text));
        }
        None => {
            let mut object = Object::new();
            object.insert("name".into(), vni.to_string().into());
            object.insert("prefixes".into(), Vec::<String>::new().into());
            object
        }
    };
    let mut put = |key: &str, value: Option<serde_json::Value>| {
        if let Some(value) = value {
            object.insert(key.into(), value);
        }
    };
    put("name", set.name.clone().map(Into::into));
    put("organisation", set.org.clone().map(Into::into));
    put("learn", set.learn.map(Into::into));
    put("exact", fidelity.map(|it| (it == Fidelity::Exact).into()));
    let prefixes = (!set.prefixes.is_empty()).then(|| set.prefixes.clone());
    put("prefixes", prefixes.map(Into::into));
    Ok(object)
}

struct Network(Object);

impl Row for Network {
    const COLUMNS: &'static [&'static str] = &[
        "VNI",
        "NAME",
        "ORGANISATION",
        "PREFIXES",
        "LEARN",
        "FIDELITY",
        "ADMITS",
        "RULES",
    ];

    fn cells(&self) -> Vec<String> {
        let flag = |key: &str| self.0.get(key).and_then(serde_json::Value::as_bool) == Some(true);
        vec![
            text(&self.0, "vni"),
            text(&self.0, "name"),
            text(&self.0, "organisation"),
            text(&self.0, "prefixes"),
            if flag("learn") { "yes" } else { "no" }.to_owned(),
            if flag("exact") { "exact" } else { "semantic" }.to_owned(),
            text(&self.0, "admits"),
            count(&self.0, "rules"),
        ]
    }

    fn object(&self) -> Object {
        self.0.clone()
    }
}
