// SPDX-License-Identifier: GPL-2.0

//! `ovctl --server peering`: which networks a manager lets send to which others.

use ovnet_uapi::Vni;
use serde_json::Value;

use super::change::{self, Which};
use super::{net, text, Server};
use crate::failure::Failure;
use crate::output::{Object, Output, Row};
use crate::peering::{Command, Grant};

pub(super) fn run(
    command: Command,
    server: &Server,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    match command {
        Command::Add(grant) => {
            let (from, to) = whole(&grant)?;
            let (path, id) = (path(from, to), format!("{from} {to}"));
            if grant.change.is_dry() {
                let known = pairs(server, Some(from), Some(to))?.pop();
                server.put(&grant.change.path(&path), grant.change.condition(), None)?;
                let after = object(from, to);
                let before = known.map(|_| &after);
                return change::tell(&which(&path, &id), before, Some(&after), output);
            }
            server.put(&path, grant.change.condition(), None).map(drop)
        }
        Command::Del(grant) => {
            let (from, to) = whole(&grant)?;
            let (path, id) = (path(from, to), format!("{from} {to}"));
            change::delete(server, &which(&path, &id), &grant.change, output)
        }
        Command::Show { from, to } => {
            let pairs = pairs(server, from, to)?;
            output.list(
                pairs
                    .into_iter()
                    .map(|(from, to)| Ok(Peering(object(from, to)))),
            )
        }
    }
}

fn path(from: Vni, to: Vni) -> String {
    format!("{}/peerings/{from}", net::path(to))
}

fn which<'w>(path: &'w str, id: &'w str) -> Which<'w> {
    Which {
        path,
        kind: "peering",
        id: id.into(),
    }
}

/// The networks of a peering that is about all of their nodes: others a manager does not have.
fn whole(grant: &Grant) -> Result<(Vni, Vni), Failure> {
    match grant.words.first() {
        None => Ok((grant.from, grant.to)),
        Some(word) => Err(Failure::Usage(format!(
            "{word}: at a manager a peering is about all nodes of both networks; rules say which of them"
        ))),
    }
}

/// The peerings there are, from and to.
fn pairs(server: &Server, from: Option<Vni>, to: Option<Vni>) -> Result<Vec<(Vni, Vni)>, Failure> {
    let networks = match to {
        Some(to) => vec![server.get(&net::path(to))?.object],
        None => server.items(net::LIST).collect::<Result<_, _>>()?,
    };
    let number = |value: &Value| {
        let number = value.as_u64().and_then(|it| u32::try_from(it).ok());
        number.and_then(Vni::new)
    };
    let mut pairs = Vec::new();
    for network in &networks {
        let to = network.get("vni").and_then(number);
        let admits = network.get("admits").and_then(Value::as_array);
        let peers = admits.into_iter().flatten().filter_map(number);
        let peers = peers.filter(|peer| from.is_none_or(|from| from == *peer));
        pairs.extend(
            peers
                .zip(std::iter::repeat(to))
                .filter_map(|(from, to)| Some((from, to?))),
        );
    }
    pairs.sort_unstable_by_key(|(from, to)| (from.get(), to.get()));
    Ok(pairs)
}

fn object(from: Vni, to: Vni) -> Object {
    let mut object = Object::new();
    object.insert("from".into(), from.get().into());
    object.insert("to".into(), to.get().into());
    object
}

struct Peering(Object);

impl Row for Peering {
    const COLUMNS: &'static [&'static str] = &["FROM", "TO"];

    fn cells(&self) -> Vec<String> {
        vec![text(&self.0, "from"), text(&self.0, "to")]
    }

    fn object(&self) -> Object {
        self.0.clone()
    }
}
