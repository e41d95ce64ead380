// SPDX-License-Identifier: GPL-2.0

//! What `ovctl --server` does: objects of a manager, read and changed by its HTTP API.
//!
//! ```text
//!   Options ── config::Manager ──► client::Server ── HTTP ──► ovmgrd
//!   --server    URL, token, CA         │  answers, or a `Problem` with its exit code
//!                                      ▼
//!   one file per object: arguments, requests, rows of its table
//! ```
//!
//! # Where a command goes
//!
//! The command line has one tree. An object that a host and a manager both have (`net`, `host`, `rule`, `peering`)
//! keeps its one `Command`; what of it is the manager's alone is an `Args` here, flattened into it. Each argument
//! of such a command that only one side understands has the heading [`sides::HERE`] or [`sides::MANAGER`]: from
//! these `sides::check` refuses what does not fit, and help and man pages are ordered.
//!
//! An object that a manager alone has is a variant of [`Object`]. To add one, or a command on one:
//!
//! 1. write `server/NOUN.rs`: a `Command` by clap, and `run(self, &Server, &mut Output)`;
//! 2. name it in [`Object`], and in [`Object::run`] below;
//! 3. use [`Server`] for requests: `get`, `find` (absent is `None`), `items` (all pages), `put`, `post` (with an
//!    idempotency key), `delete`; [`change::set`] to read, change and write an object with its ETag;
//! 4. show it by a `Row` over the object as the API gives it, so that `--json` has what a newer manager adds.
//!
//! Refusals need no code: the client turns problem details (RFC 9457) into a [`Problem`].

mod address;
mod apply;
mod audit;
mod backup;
pub(crate) mod change;
pub(crate) mod client;
mod config;
pub(crate) mod host;
mod key;
mod moves;
pub(crate) mod net;
mod node;
mod org;
mod peering;
mod placement;
mod problem;
mod rule;
pub(crate) mod sides;
mod token;
pub(crate) mod watch;

use clap::Subcommand;
use serde_json::Value;

pub(crate) use change::Change;
pub(crate) use client::Server;
pub(crate) use config::{Manager, Options};
pub(crate) use problem::Problem;

use crate::cli;
use crate::failure::Failure;
use crate::output::{Object as Json, Output, NONE};

/// What only a manager has.
#[derive(Debug, Subcommand)]
pub(crate) enum Object {
    /// Organisations, the owners of networks and hosts (at a manager)
    #[command(subcommand, visible_alias = "organisation")]
    Org(org::Command),
    /// Nodes, and the hosts they are to be on (at a manager)
    #[command(subcommand)]
    Node(node::Command),
    /// Addresses of nodes, and where those are (at a manager)
    #[command(subcommand)]
    Address(address::Command),
    /// Moves of nodes between hosts, while they run (at a manager)
    #[command(subcommand)]
    Move(moves::Command),
    /// Where nodes may be, and who goes elsewhere by itself (at a manager)
    #[command(subcommand)]
    Placement(placement::Command),
    /// Make objects what a document says (at a manager)
    Apply(apply::Command),
    /// Tokens of the API (at a manager)
    #[command(subcommand)]
    Token(token::Command),
    /// Show what was to change something, and what was refused (at a manager)
    Audit(audit::Command),
    /// Write a backup of all there is to a file (at a manager)
    Backup(backup::Command),
}

impl Object {
    fn run(self, server: &Server, output: &mut Output<'_>) -> Result<(), Failure> {
        match self {
            Object::Org(command) => command.run(server, output),
            Object::Node(command) => command.run(server, output),
            Object::Address(command) => command.run(server, output),
            Object::Move(command) => command.run(server, output),
            Object::Placement(command) => command.run(server, output),
            Object::Apply(command) => command.run(server, output),
            Object::Token(command) => command.run(server, output),
            Object::Audit(command) => command.run(server, output),
            Object::Backup(command) => command.run(server),
        }
    }
}

/// Do what the command line says at the manager.
pub(crate) fn run(
    object: cli::Object,
    manager: Manager,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    use cli::Object as It;
    // What concerns neither host nor manager works wherever it is called.
    if let It::Translate(_) | It::Completion(_) | It::Manual(_) = object {
        return object.run(output);
    }
    let server = || Server::new(manager);
    match object {
        It::Host(command) => host::run(command, &server()?, output),
        It::Net(command) => net::run(command, &server()?, output),
        It::Rule(command) => rule::run(command, &server()?, output),
        It::Monitor(command) => watch::run(command, &server()?, output),
        It::Peering(command) => peering::run(command, &server()?, output),
        It::Managed(object) => object.run(&server()?, output),
        It::Mapping(_) => Err(sides::not_here(
            "mappings are made by hosts: `ovctl address show VNI` tells where nodes are",
        )),
        It::Port(_) => Err(sides::not_here(
            "ports are a host's: `ovctl node` has the nodes to attach",
        )),
        It::Stats(_) | It::Top(_) => Err(sides::not_here("counters are a host's")),
        It::Trace(_) => Err(sides::not_here("packets are traced on a host")),
        It::Translate(_) | It::Completion(_) | It::Manual(_) => object.run(output),
    }
}

/// A value of an object as a cell: lists by commas, what is absent or empty as nothing.
fn text(object: &Json, key: &str) -> String {
    fn word(value: &Value) -> String {
        match value {
            Value::Null => String::new(),
            Value::String(text) => text.chars().filter(|it| !it.is_control()).collect(),
            Value::Array(items) => items.iter().map(word).collect::<Vec<_>>().join(","),
            other => other.to_string(),
        }
    }
    let word = object.get(key).map(word).filter(|word| !word.is_empty());
    word.unwrap_or_else(|| NONE.to_owned())
}

/// The length of a list of an object as a cell.
fn count(object: &Json, key: &str) -> String {
    let list = object.get(key).and_then(Value::as_array);
    list.map_or(0, Vec::len).to_string()
}
