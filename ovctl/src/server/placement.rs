// SPDX-License-Identifier: GPL-2.0

//! `ovctl placement`: where nodes may be, and plans of who would better be where.

use clap::{Args, Subcommand, ValueEnum};
use ovnet_uapi::Locator;
use serde_json::Value;

use super::change::{self, Which};
use super::client::Condition;
use super::{host, node, sides, text, Server};
use crate::failure::Failure;
use crate::output::{Object, Output, Row, NONE};
use crate::prefix;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say where a node may be, and what becomes of it when its host dies
    Set(Set),
    /// Show what is said of a node
    Show {
        /// Its id
        #[arg(value_parser = prefix::node)]
        node: u64,
    },
    /// Show which nodes would better be where; nothing is moved
    Plan {
        /// What the plan is to come to
        #[arg(value_enum)]
        kind: Kind,
    },
}

/// What a plan is to come to.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Kind {
    /// Hosts are as full as each other
    Balance,
    /// Fewer hosts have nodes
    Consolidate,
}

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Set {
    /// The node
    #[arg(value_parser = prefix::node)]
    node: u64,
    /// Whether it is started on another host when its host dies. Then its host stops it after 2.4 s without its
    /// manager
    #[arg(long, value_name = "yes|no", value_parser = sides::yes)]
    evacuate: Option<bool>,
    /// Whether it may be moved because its host is too full, if managers are configured to do that
    #[arg(long, value_name = "yes|no", value_parser = sides::yes)]
    balance: Option<bool>,
    /// The one host that it may be on, by its /64 or its id; none for any
    #[arg(long, value_name = "HOST|none", value_parser = pin)]
    pin: Option<Pin>,
    /// No two nodes with this text are put on one host; none for no group
    #[arg(long, value_name = "TEXT|none")]
    group: Option<String>,
    /// What it takes of a host's capacity
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    size: Option<u32>,
    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
}

/// The one host that a node may be on, or none.
#[derive(Clone, Copy, Debug)]
struct Pin(Option<Locator>);

fn pin(text: &str) -> Result<Pin, String> {
    match text {
        "none" => Ok(Pin(None)),
        text => prefix::locator(text).map(|host| Pin(Some(host))),
    }
}

fn path(node: u64) -> String {
    format!("{}/constraints", node::path(node))
}

impl Command {
    pub(super) fn run(self, server: &Server, output: &mut Output<'_>) -> Result<(), Failure> {
        match self {
            Command::Set(set) => {
                let path = path(set.node);
                let before = server.get(&path)?.object;
                let wanted = set.made_of(before.clone());
                let query = if set.dry_run { "?dry_run=true" } else { "" };
                let path = format!("{path}{query}");
                let after = server.put(&path, Condition::None, Some(&wanted))?.object;
                if !set.dry_run {
                    return Ok(());
                }
                let which = Which {
                    path: "",
                    kind: "placement",
                    id: prefix::node_text(set.node).into(),
                };
                change::tell(&which, Some(&before), Some(&after), output)
            }
            Command::Show { node } => {
                let mut object = server.get(&path(node))?.object;
                object.insert("node".into(), prefix::node_text(node).into());
                output.list([Ok(Placement(object))])
            }
            Command::Plan { kind } => {
                let kind = match kind {
                    Kind::Balance => "balance",
                    Kind::Consolidate => "consolidate",
                };
                show(
                    server.get(&format!("/v1/plans?kind={kind}"))?.object,
                    output,
                )
            }
        }
    }
}

impl Set {
    /// What is said of the node, with what is to be said of it now.
    fn made_of(&self, mut object: Object) -> Object {
        for (key, value) in [("evacuate", self.evacuate), ("balance", self.balance)] {
            if let Some(value) = value {
                object.insert(key.into(), value.into());
            }
        }
        if let Some(Pin(pin)) = self.pin {
            object.remove("pin");
            if let Some(pin) = pin {
                object.insert("pin".into(), host::id(pin).into());
            }
        }
        if let Some(group) = &self.group {
            let group = if group == "none" { "" } else { group };
            object.insert("group".into(), group.into());
        }
        if let Some(size) = self.size {
            object.insert("size".into(), size.into());
        }
        object
    }
}

/// Writes the moves of a plan.
pub(super) fn show(mut plan: Object, output: &mut Output<'_>) -> Result<(), Failure> {
    let moves = match plan.remove("moves") {
        Some(Value::Array(moves)) => moves,
        _ => Vec::new(),
    };
    let moves = moves.into_iter().filter_map(|it| match it {
        Value::Object(it) => Some(Ok(Planned(it))),
        _ => None,
    });
    output.list(moves)
}

/// What is said of a node as a row.
struct Placement(Object);

impl Row for Placement {
    const COLUMNS: &'static [&'static str] =
        &["NODE", "EVACUATE", "BALANCE", "PIN", "GROUP", "SIZE"];

    fn cells(&self) -> Vec<String> {
        let yes = |key| match self.0.get(key) {
            Some(Value::Bool(true)) => "yes".to_owned(),
            _ => "no".to_owned(),
        };
        vec![
            text(&self.0, "node"),
            yes("evacuate"),
            yes("balance"),
            host::cell(&self.0, "pin"),
            text(&self.0, "group"),
            text(&self.0, "size"),
        ]
    }

    fn object(&self) -> Object {
        self.0.clone()
    }
}

/// A move of a plan as a row.
struct Planned(Object);

impl Row for Planned {
    const COLUMNS: &'static [&'static str] = &["NODE", "FROM", "TO", "WHY"];

    fn cells(&self) -> Vec<String> {
        let stays = self.0.get("to").is_none_or(Value::is_null);
        let refused = self.0.get("refused").and_then(Value::as_array);
        let why = refused.into_iter().flatten().filter_map(|it| {
            let it = it.as_object().filter(|_| stays)?;
            Some(format!("{}: {}", host::cell(it, "host"), text(it, "why")))
        });
        // What it is good for, or why it is not to be had.
        let good = self.0.get("why").and_then(Value::as_str).map(str::to_owned);
        let why = good.into_iter().chain(why).collect::<Vec<_>>().join("; ");
        vec![
            text(&self.0, "node"),
            host::cell(&self.0, "from"),
            host::cell(&self.0, "to"),
            if why.is_empty() { NONE.to_owned() } else { why },
        ]
    }

    fn object(&self) -> Object {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::output::capture;

    fn object(value: Value) -> Object {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn what_is_not_said_of_a_placement_stays() {
        let said = json!({"evacuate": true, "pin": "fd00000a00010001", "group": "db", "size": 4});
        let set = |pin, group: Option<&str>| Set {
            node: 0xaa,
            evacuate: None,
            balance: Some(true),
            pin,
            group: group.map(str::to_owned),
            size: Some(2),
            dry_run: false,
        };
        assert_eq!(
            Value::Object(set(None, None).made_of(object(said.clone()))),
            json!({"evacuate": true, "balance": true, "pin": "fd00000a00010001", "group": "db",
                   "size": 2})
        );
        assert_eq!(
            Value::Object(set(Some(Pin(None)), Some("none")).made_of(object(said))),
            json!({"evacuate": true, "balance": true, "group": "", "size": 2})
        );
    }

    #[test]
    fn a_plan_says_why_a_node_goes_nowhere() {
        let plan = json!({"moves": [
            {"node": "00000000000000cc", "from": "fd00000a00010001", "to": "fd00000a00010002",
             "why": "cpu 900 of 1000 where it is, memory 400 of 1000 there with it", "refused": []},
            {"node": "00000000000000aa", "from": "fd00000a00010001", "to": "fd00000a00010002",
             "why": null, "refused": [{"host": "fd00000a00010001", "why": "the node is there"}]},
            {"node": "00000000000000bb", "from": "fd00000a00010001", "to": null,
             "refused": [{"host": "fd00000a00010001", "why": "the node is there"},
                         {"host": "fd00000a00010002", "why": "the host has room for 0 only"}]},
        ]});
        let shown = capture::text(false, |output| show(object(plan), output).unwrap());
        assert_eq!(
            shown,
            "NODE              FROM             TO               WHY\n\
             00000000000000cc  fd00:a:1:1::/64  fd00:a:1:2::/64  cpu 900 of 1000 where it is, memory \
             400 of 1000 there with it\n\
             00000000000000aa  fd00:a:1:1::/64  fd00:a:1:2::/64  -\n\
             00000000000000bb  fd00:a:1:1::/64  -                fd00:a:1:1::/64: the node is there; \
             fd00:a:1:2::/64: the host has room for 0 only\n"
        );
    }
}
