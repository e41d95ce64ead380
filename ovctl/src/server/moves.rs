// SPDX-License-Identifier: GPL-2.0

//! `ovctl move`: nodes that go from one host to another while they run.

use std::thread::sleep;
use std::time::Duration;

use clap::{Args, Subcommand};
use ovnet_uapi::Locator;
use serde_json::Value;

use super::{host, text, watch, Server};
use crate::complain;
use crate::failure::{Code, Failure};
use crate::output::{Object, Output, Row};
use crate::prefix;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Move a node to a host, and show how that goes on until the node goes on there
    Start(Start),
    /// Show moves: one, or those under way
    #[command(visible_aliases = ["list", "ls"])]
    Show {
        /// Its id
        #[arg(value_name = "MOVE", value_parser = prefix::node)]
        id: Option<u64>,
        /// Also those that are over; they are kept for a day
        #[arg(short, long, conflicts_with = "id")]
        all: bool,
        /// Only moves of this node
        #[arg(long, value_parser = prefix::node, conflicts_with = "id")]
        node: Option<u64>,
        /// Only moves from or to this host, by its /64 or its id
        #[arg(long, value_parser = prefix::locator, conflicts_with = "id")]
        host: Option<Locator>,
    },
    /// End a move; the node stays where it is. Possible until it has left
    Abort {
        /// Its id
        #[arg(value_name = "MOVE", value_parser = prefix::node)]
        id: u64,
        /// What to remember of it
        #[arg(long, value_name = "TEXT")]
        why: Option<String>,
    },
    /// Follow a move to its end, or all of them
    Watch {
        /// Its id
        #[arg(value_name = "MOVE", value_parser = prefix::node)]
        id: Option<u64>,
    },
}

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Start {
    /// The node
    #[arg(value_parser = prefix::node)]
    node: u64,
    /// The host it is to be on, by its /64 or its id
    #[arg(value_parser = prefix::locator)]
    host: Locator,
    /// The node's substrate address is known to somebody who should not know it: what is sent to the old one is
    /// dropped at once, and no sender is told of the new one
    #[arg(long)]
    leaked: bool,
    /// End when everybody knows where the node is, not when it goes on
    #[arg(long, conflicts_with = "detach")]
    settle: bool,
    /// End as soon as it has begun, and write its id
    #[arg(short, long)]
    detach: bool,
    /// Only say whether it could begin
    #[arg(long, conflicts_with_all = ["settle", "detach"])]
    dry_run: bool,
}

const LIST: &str = "/v1/moves";
/// Between two looks at a move that goes on.
const INTERVAL: Duration = Duration::from_millis(100);
/// The manager may be away for so many looks in a row.
const PATIENCE: u32 = 600;

fn path(id: u64) -> String {
    format!("{LIST}/{}", prefix::node_text(id))
}

impl Command {
    pub(super) fn run(self, server: &Server, output: &mut Output<'_>) -> Result<(), Failure> {
        match self {
            Command::Start(start) => start.run(server, output),
            Command::Show { id: Some(id), .. } => {
                let it = server.get(&path(id))?.object;
                output.list([Ok(Move(it))])
            }
            Command::Show {
                all, node, host, ..
            } => {
                let (node, host) = (node.map(prefix::node_text), host.map(host::id));
                let wanted = |it: &Object| {
                    let is = |key: &str, id: &str| it.get(key).and_then(Value::as_str) == Some(id);
                    let place = |key, id: &str| place(it, key) == Some(id);
                    (all || !is_over(it))
                        && node.as_deref().is_none_or(|id| is("node", id))
                        && host
                            .as_deref()
                            .is_none_or(|id| place("from", id) || place("to", id))
                };
                let moves = server.items(LIST);
                let moves = moves.filter(|it| it.as_ref().map_or(true, wanted));
                output.rows(moves.map(|it| it.map(Move)))
            }
            Command::Abort { id, why } => {
                let mut body = Object::new();
                body.insert("why".into(), why.unwrap_or_default().into());
                server.post(&format!("{}/abort", path(id)), &body)?;
                Ok(())
            }
            Command::Watch { id: Some(id) } => follow(server, id, is_over, output).map(|_| ()),
            Command::Watch { id: None } => watch::moves(server, output),
        }
    }
}

impl Start {
    fn run(self, server: &Server, output: &mut Output<'_>) -> Result<(), Failure> {
        let mut body = Object::new();
        body.insert("node".into(), prefix::node_text(self.node).into());
        body.insert("host".into(), host::id(self.host).into());
        body.insert("leaked".into(), self.leaked.into());
        let query = if self.dry_run { "?dry_run=true" } else { "" };
        let mut begun = server.post(&format!("{LIST}{query}"), &body)?.object;
        if self.dry_run {
            // The id it would get is not the one it is going to get.
            begun.remove("id");
            return output.list([Ok(Move(begun))]);
        }
        let id = text(&begun, "id");
        if self.detach {
            return match output.is_json() {
                true => Ok(output.object(begun)?),
                false => Ok(output.line(&id)?),
            };
        }
        let Ok(number) = prefix::node(&id) else {
            return Err(Failure::Input(format!("the manager calls the move {id:?}")));
        };
        let enough: fn(&Object) -> bool = match self.settle {
            true => is_over,
            false => |it| is_over(it) || state(it) == "active",
        };
        let it = follow(server, number, enough, output)?;
        match state(&it) == "aborted" {
            true => Err(Failure::Input(format!(
                "the node stays where it is: {}",
                text(&it, "failure")
            ))),
            false => Ok(()),
        }
    }
}

/// Writes each state that a move gets into, until that is enough; what it is then.
///
/// The manager may be replaced meanwhile: the move goes on with the next one, and so does this.
fn follow(
    server: &Server,
    id: u64,
    enough: impl Fn(&Object) -> bool,
    output: &mut Output<'_>,
) -> Result<Object, Failure> {
    let (mut told, mut away) = (0, 0);
    loop {
        let it = match server.get(&path(id)) {
            Ok(reply) => reply.object,
            Err(Failure::Manager(problem)) if problem.code == Code::Away && away < PATIENCE => {
                if away == 0 {
                    complain(&format!("warning: {}; waiting for it", problem.message));
                }
                away += 1;
                sleep(INTERVAL);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        away = 0;
        let times = times(&it);
        for (number, (state, at)) in times.iter().enumerate().skip(told) {
            let before = times[..number].last().map_or(*at, |(_, before)| *before);
            write(&it, state, *at, at.saturating_sub(before), output)?;
        }
        told = times.len();
        if enough(&it) {
            return Ok(it);
        }
        sleep(INTERVAL);
    }
}

/// Writes a state and when it was entered.
fn write(
    it: &Object,
    state: &str,
    at: u64,
    after: u64,
    output: &mut Output<'_>,
) -> std::io::Result<()> {
    if output.is_json() {
        let mut line = Object::new();
        for key in ["id", "node"] {
            line.insert(key.into(), text(it, key).into());
        }
        line.insert("state".into(), state.into());
        line.insert("at".into(), at.into());
        output.json_line(line)?;
    } else {
        let why = match it.get("failure").and_then(Value::as_str) {
            Some(why) if state == "aborted" => format!(": {why}"),
            _ => String::new(),
        };
        let id = text(it, "id");
        output.line(&format!("{id} +{after}ms {state}{why}"))?;
    }
    output.flush()
}

fn state(it: &Object) -> &str {
    it.get("state").and_then(Value::as_str).unwrap_or_default()
}

fn is_over(it: &Object) -> bool {
    matches!(state(it), "settled" | "aborted")
}

/// The id of one of the two hosts.
fn place<'o>(it: &'o Object, key: &str) -> Option<&'o str> {
    it.get(key)?.get("host")?.as_str()
}

/// The states so far, and when they were entered, in milliseconds since 1970.
fn times(it: &Object) -> Vec<(&str, u64)> {
    let times = it.get("times").and_then(Value::as_array);
    times
        .into_iter()
        .flatten()
        .filter_map(|it| Some((it.get("state")?.as_str()?, it.get("at")?.as_u64()?)))
        .collect()
}

/// A move as a row.
struct Move(Object);

impl Row for Move {
    const COLUMNS: &'static [&'static str] = &[
        "ID", "NODE", "NETWORK", "FROM", "TO", "REASON", "STATE", "TOOK", "FAILURE",
    ];

    fn cells(&self) -> Vec<String> {
        let cell = |key| match self.0.get(key) {
            Some(Value::Object(place)) => host::cell(place, "host"),
            _ => crate::output::NONE.to_owned(),
        };
        let times = times(&self.0);
        let took = match (times.first(), times.last()) {
            (Some((_, first)), Some((_, last))) => format!("{}ms", last.saturating_sub(*first)),
            _ => crate::output::NONE.to_owned(),
        };
        vec![
            text(&self.0, "id"),
            text(&self.0, "node"),
            text(&self.0, "network"),
            cell("from"),
            cell("to"),
            text(&self.0, "reason"),
            text(&self.0, "state"),
            took,
            text(&self.0, "failure"),
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

    fn moved() -> Object {
        let it = json!({
            "id": "00000000000000a1", "node": "00000000000000aa", "network": 7, "addresses": ["10.0.0.3"],
            "from": {"host": "fd00000a00010002", "epoch": 1}, "to": {"host": "fd00000a00010003", "epoch": 4},
            "reason": "operator", "state": "active", "failure": null,
            "times": [{"state": "prepare", "at": 1000}, {"state": "armed", "at": 1012},
                {"state": "freeze", "at": 1020}, {"state": "commit", "at": 1023}, {"state": "active", "at": 1025}],
        });
        it.as_object().unwrap().clone()
    }

    #[test]
    fn a_move_is_a_row() {
        assert_eq!(
            capture::list(vec![Move(moved())], false),
            "ID                NODE              NETWORK  FROM             TO               REASON    STATE   TOOK  FAILURE\n\
             00000000000000a1  00000000000000aa  7        fd00:a:1:2::/64  fd00:a:1:3::/64  operator  active  25ms  -\n"
        );
    }

    #[test]
    fn each_state_is_written_with_the_time_since_the_one_before() {
        let text = capture::text(false, |output| {
            write(&moved(), "armed", 1012, 12, output).unwrap();
            let mut failed = moved();
            failed.insert("failure".into(), "the destination said no".into());
            write(&failed, "aborted", 1020, 8, output).unwrap();
        });
        assert_eq!(
            text,
            "00000000000000a1 +12ms armed\n00000000000000a1 +8ms aborted: the destination said no\n"
        );
        let text = capture::text(true, |output| {
            write(&moved(), "armed", 1012, 12, output).unwrap();
        });
        assert_eq!(
            text.trim(),
            r#"{"id":"00000000000000a1","node":"00000000000000aa","state":"armed","at":1012}"#
        );
    }
}
