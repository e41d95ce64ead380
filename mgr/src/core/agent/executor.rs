// SPDX-License-Identifier: GPL-2.0

//! What the agent and the program that moves nodes themselves say to each other.
//!
//! A node is a virtual machine, a container, a bridge's port: what it is, and how it gets from one
//! host to another, only the program knows. The agent knows when: `Documentation/moves.md` has the
//! lines of both in their order.

use ovnet_engine::Locator;

use crate::core::moves::MoveId;
use crate::core::{Key, NodeId};

/// What the program is run for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    /// The move.
    pub id: MoveId,
    /// What this host has to do with it.
    pub role: Role,
    /// The node.
    pub node: NodeId,
    /// Its addresses.
    pub keys: Vec<Key>,
    /// The other host.
    pub peer: Locator,
    /// Where the destination receives the node, if it said.
    pub endpoint: String,
}

/// What a host has to do with a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It has the node, and sends it.
    Source,
    /// It receives the node.
    Destination,
    /// It starts the node, whose host is dead.
    Start,
}

impl Role {
    /// The word of the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Role::Source => "source",
            Role::Destination => "destination",
            Role::Start => "start",
        }
    }
}

/// What the agent says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// The source is to pause the node.
    Pause,
    /// What arrives for the paused node is sent on to the destination.
    Frozen,
    /// The node is the destination's, and reachable there: it is to go on.
    Resume,
    /// The node goes on at the destination: nothing is left to be done.
    Done,
    /// There is no move: the source's node is to go on, the destination has nothing.
    Abort,
}

impl Command {
    /// The line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Command::Pause => "pause",
            Command::Frozen => "frozen",
            Command::Resume => "resume",
            Command::Done => "done",
            Command::Abort => "abort",
        }
    }
}

/// What the program says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The destination has a port for the node, and receives it at this endpoint, if that is
    /// something the source needs to know.
    Prepared(String),
    /// All of the node is here: it could go on.
    Received,
    /// It goes on.
    Resumed,
    /// What is left to be copied is so little that the node could be paused for it.
    Converged,
    /// The node is paused.
    Paused,
    /// All of it was sent.
    Sent,
    /// It cannot be done, and why.
    Failed(String),
    /// The program has ended: well, or with that status.
    Ended(Option<String>),
}

impl Notice {
    /// What a line says; none if that is no word.
    #[must_use]
    pub fn parse(line: &str) -> Option<Notice> {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        Some(match (word, rest) {
            ("prepared", endpoint) => Notice::Prepared(endpoint.into()),
            ("failed", "") => Notice::Failed("the executor does not say why".into()),
            ("failed", text) => Notice::Failed(text.into()),
            ("received", "") => Notice::Received,
            ("resumed", "") => Notice::Resumed,
            ("converged", "") => Notice::Converged,
            ("paused", "") => Notice::Paused,
            ("sent", "") => Notice::Sent,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_word_and_what_belongs_to_it() {
        assert_eq!(Notice::parse("received\r"), Some(Notice::Received));
        let prepared = |endpoint: &str| Some(Notice::Prepared(endpoint.into()));
        assert_eq!(Notice::parse("prepared"), prepared(""));
        assert_eq!(
            Notice::parse("prepared  tcp:[fd00::1]:7000 "),
            prepared("tcp:[fd00::1]:7000")
        );
        let failed = Notice::Failed("no room".into());
        assert_eq!(Notice::parse("failed no room"), Some(failed));
        for none in ["", "receive", "received it", "resume", "Paused"] {
            assert_eq!(Notice::parse(none), None, "{none}");
        }
    }
}
