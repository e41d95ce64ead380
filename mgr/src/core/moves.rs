// SPDX-License-Identifier: GPL-2.0

//! Moves of nodes between hosts: the states, and what leads from one to another (`MV1`).
//!
//! [`State::after`] is the one table of transitions. The manager writes by it, agents act by the
//! states it leads to, and the model check goes through all that can happen by it. A move is told
//! to both hosts as it is now, and each repeats what it has to say until it is told of a later
//! state: no message needs to arrive, and none does harm when it arrives twice.

use std::fmt;
use std::str::FromStr;

use ovnet_engine::Locator;
use serde::{Deserialize, Serialize};

/// Tells moves apart for ever: whoever orders one chooses a number that no other move has had, so
/// that an order that is sent twice is one move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MoveId(pub u64);

/// 16 hexadecimal digits.
impl fmt::Display for MoveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for MoveId {
    type Err = InvalidMoveId;

    fn from_str(text: &str) -> Result<MoveId, InvalidMoveId> {
        let digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() != 16 || !text.bytes().all(digit) {
            return Err(InvalidMoveId);
        }
        u64::from_str_radix(text, 16)
            .map(MoveId)
            .map_err(|_| InvalidMoveId)
    }
}

/// No id of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id of a move is 16 hexadecimal digits in lower case: 00000000000000a1")]
pub struct InvalidMoveId;

/// A host in one of its boots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seat {
    /// The host.
    pub host: Locator,
    /// Its epoch.
    pub epoch: u32,
}

/// How far a move has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// The destination makes a port stand by and learns where the node's peers are; the source
    /// says which those are.
    Prepare,
    /// The destination could have the node. The source begins to copy it, while it runs.
    Armed,
    /// The node pauses. The source sends on to the destination what arrives, which holds it.
    Freeze,
    /// The node is the destination's. It goes on there as soon as all of it has arrived.
    Commit,
    /// The node goes on at the destination. The source sends strays on and says so to senders.
    Active,
    /// Everybody knows. The source forgets the node.
    Settled,
    /// The node is the source's as if nothing had been.
    Aborted,
}

impl State {
    /// All of them, in order.
    pub const ALL: [State; 7] = [
        State::Prepare,
        State::Armed,
        State::Freeze,
        State::Commit,
        State::Active,
        State::Settled,
        State::Aborted,
    ];

    /// The state that a step leads to; none if it leads nowhere from here, either because it was
    /// made before or because it must not be made (any more).
    ///
    /// A node has been at its destination from [`State::Commit`] on and may have gone on there, so
    /// nothing but forward leads out of it.
    #[must_use]
    pub const fn after(self, step: Step) -> Option<State> {
        match (self, step) {
            (State::Prepare, Step::Ready) => Some(State::Armed),
            (State::Armed, Step::Converged) => Some(State::Freeze),
            (State::Freeze, Step::Frozen) | (State::Armed, Step::Fenced) => Some(State::Commit),
            (State::Commit, Step::Resumed | Step::Fenced) => Some(State::Active),
            (State::Active, Step::Settled) => Some(State::Settled),
            (State::Prepare | State::Armed | State::Freeze, Step::Abort) => Some(State::Aborted),
            _ => None,
        }
    }

    /// Whether nothing comes after.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, State::Settled | State::Aborted)
    }

    /// Whether the node is the destination's.
    #[must_use]
    pub const fn is_committed(self) -> bool {
        matches!(self, State::Commit | State::Active | State::Settled)
    }

    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            State::Prepare => "prepare",
            State::Armed => "armed",
            State::Freeze => "freeze",
            State::Commit => "commit",
            State::Active => "active",
            State::Settled => "settled",
            State::Aborted => "aborted",
        }
    }
}

/// Its name.
impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What leads a move on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// The destination has a port that stands by, and its peers' mappings.
    Ready,
    /// What is left to be copied is so little that the node could pause for it.
    Converged,
    /// The node is paused, and what arrives for it is sent on.
    Frozen,
    /// The boot of the host that has the node is over: of the source before the commit, which is
    /// how a node leaves a dead host (`MV7`), or of the destination after it.
    Fenced,
    /// The node goes on at the destination.
    Resumed,
    /// Everybody who heard of the node before has heard where it is now.
    Settled,
    /// It is not to be, or cannot.
    Abort,
}

impl Step {
    /// All of them.
    pub const ALL: [Step; 7] = [
        Step::Ready,
        Step::Converged,
        Step::Frozen,
        Step::Fenced,
        Step::Resumed,
        Step::Settled,
        Step::Abort,
    ];

    /// Whether a host with this part in a move may say that this step was made.
    #[must_use]
    pub const fn is_of(self, side: Side) -> bool {
        match self {
            Step::Ready | Step::Resumed => matches!(side, Side::Destination),
            Step::Converged | Step::Frozen => matches!(side, Side::Source),
            Step::Abort => true,
            Step::Fenced | Step::Settled => false,
        }
    }
}

/// A host's part in a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// It has the node before.
    Source,
    /// It has the node afterwards.
    Destination,
}

/// Why a node is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// Somebody wants it.
    Operator,
    /// Its host is to be emptied.
    Drain,
    /// Its host is dead and fenced: the node is started anew.
    Failure,
    /// Another host suits better.
    Balance,
    /// Its substrate address is known to somebody who should not know it: the source sends
    /// nothing on and tells nobody where the node is (`MV8`).
    Leak,
}

impl Reason {
    /// What it is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Reason::Operator => "operator",
            Reason::Drain => "drain",
            Reason::Failure => "failure",
            Reason::Balance => "balance",
            Reason::Leak => "leak",
        }
    }
}

/// Its name.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole table, as `Documentation/moves.md` has it.
    #[test]
    fn a_step_leads_where_the_table_says() {
        use State::{Aborted, Active, Armed, Commit, Freeze, Prepare, Settled};
        let table = [
            (Prepare, Step::Ready, Armed),
            (Prepare, Step::Abort, Aborted),
            (Armed, Step::Converged, Freeze),
            (Armed, Step::Fenced, Commit),
            (Armed, Step::Abort, Aborted),
            (Freeze, Step::Frozen, Commit),
            (Freeze, Step::Abort, Aborted),
            (Commit, Step::Resumed, Active),
            (Commit, Step::Fenced, Active),
            (Active, Step::Settled, Settled),
        ];
        for state in State::ALL {
            for step in Step::ALL {
                let wanted = table
                    .iter()
                    .find(|(from, by, _)| (*from, *by) == (state, step))
                    .map(|(.., to)| *to);
                assert_eq!(state.after(step), wanted, "{state} {step:?}");
            }
        }
    }

    #[test]
    fn no_step_leads_back_or_out_of_the_end() {
        for state in State::ALL {
            let onward: Vec<_> = Step::ALL.iter().filter_map(|s| state.after(*s)).collect();
            assert!(onward.iter().all(|next| *next > state), "{state}");
            assert_eq!(onward.is_empty(), state.is_over(), "{state}");
            let back = |next: &State| state.is_committed() && !next.is_committed();
            assert!(!onward.iter().any(back), "{state}");
        }
    }

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id = MoveId(0xa1);
        assert_eq!(id.to_string(), "00000000000000a1");
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["a1", "00000000000000A1", "+0000000000000a1", ""] {
            assert_eq!(bad.parse::<MoveId>(), Err(InvalidMoveId), "{bad}");
        }
    }
}
