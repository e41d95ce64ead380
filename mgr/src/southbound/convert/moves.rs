// SPDX-License-Identifier: GPL-2.0

//! What is said of moves, as it is on the wire.

use super::wire;
use super::{keys, known, locator, read_keys, read_known};
use crate::core::message::{Move, ToManager};
use crate::core::moves::{MoveId, Reason, Seat, State, Step};
use crate::core::record;
use crate::core::{Generation, NodeId};

/// A step that a host made. Steps that no host makes are not on the wire.
pub(super) fn step(id: MoveId, step: Step, note: String) -> wire::to_manager::Step {
    use wire::MoveStep as Is;
    let step = match step {
        Step::Ready => Is::Ready,
        Step::Converged => Is::Converged,
        Step::Frozen => Is::Frozen,
        Step::Resumed => Is::Resumed,
        Step::Abort => Is::Abort,
        Step::Fenced | Step::Settled => Is::Unknown,
    };
    wire::to_manager::Step {
        r#move: id.0,
        step: step.into(),
        note,
    }
}

pub(super) fn read_step(it: wire::to_manager::Step) -> Option<ToManager> {
    use wire::MoveStep as Is;
    let step = match it.step() {
        Is::Unknown => return None,
        Is::Ready => Step::Ready,
        Is::Converged => Step::Converged,
        Is::Frozen => Step::Frozen,
        Is::Resumed => Step::Resumed,
        Is::Abort => Step::Abort,
    };
    let short = it.note.len() <= record::Move::TEXT;
    short.then_some(ToManager::Step {
        id: MoveId(it.r#move),
        step,
        note: it.note,
    })
}

fn seat(seat: Seat) -> Option<wire::to_agent::Seat> {
    Some(wire::to_agent::Seat {
        locator: seat.host.bits(),
        epoch: seat.epoch,
    })
}

fn read_seat(seat: Option<wire::to_agent::Seat>) -> Option<Seat> {
    let seat = seat?;
    Some(Seat {
        host: locator(seat.locator)?,
        epoch: seat.epoch,
    })
}

pub(super) fn told(it: Move) -> wire::to_agent::Move {
    use wire::{MoveReason, MoveState};
    let reason = match it.reason {
        Reason::Operator => MoveReason::Operator,
        Reason::Drain => MoveReason::Drain,
        Reason::Failure => MoveReason::Failure,
        Reason::Balance => MoveReason::Balance,
        Reason::Leak => MoveReason::Leak,
    };
    let state = match it.state {
        State::Prepare => MoveState::Prepare,
        State::Armed => MoveState::Armed,
        State::Freeze => MoveState::Freeze,
        State::Commit => MoveState::Commit,
        State::Active => MoveState::Active,
        State::Settled => MoveState::Settled,
        State::Aborted => MoveState::Aborted,
    };
    wire::to_agent::Move {
        r#move: it.id.0,
        as_of: it.as_of.get(),
        node: it.node.0,
        keys: known(it.keys),
        from: seat(it.from),
        to: seat(it.to),
        reason: reason.into(),
        state: state.into(),
        endpoint: it.endpoint,
        peers: it
            .peers
            .map(|peers| wire::to_agent::Peers { keys: keys(peers) }),
        failure: it.failure,
    }
}

pub(super) fn read_told(it: wire::to_agent::Move) -> Option<Move> {
    use wire::{MoveReason, MoveState};
    let reason = match it.reason() {
        MoveReason::Unknown => return None,
        MoveReason::Operator => Reason::Operator,
        MoveReason::Drain => Reason::Drain,
        MoveReason::Failure => Reason::Failure,
        MoveReason::Balance => Reason::Balance,
        MoveReason::Leak => Reason::Leak,
    };
    let state = match it.state() {
        MoveState::Unknown => return None,
        MoveState::Prepare => State::Prepare,
        MoveState::Armed => State::Armed,
        MoveState::Freeze => State::Freeze,
        MoveState::Commit => State::Commit,
        MoveState::Active => State::Active,
        MoveState::Settled => State::Settled,
        MoveState::Aborted => State::Aborted,
    };
    let peers = match it.peers {
        Some(peers) => Some(read_keys(peers.keys)?),
        None => None,
    };
    Some(Move {
        id: MoveId(it.r#move),
        as_of: Generation::from_u64(it.as_of),
        node: NodeId(it.node),
        keys: read_known(it.keys)?,
        from: read_seat(it.from)?,
        to: read_seat(it.to)?,
        reason,
        state,
        endpoint: it.endpoint,
        peers,
        failure: it.failure,
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use ovnet_engine::{Locator, Vni};

    use super::super::{read_to_agent, read_to_manager, to_agent, to_manager};
    use super::*;
    use crate::core::message::ToAgent;
    use crate::core::Key;

    fn at(host: u8) -> Key {
        Key::new(Vni::new(7).unwrap(), Ipv4Addr::new(10, 0, 0, host))
    }

    #[test]
    fn what_hosts_say_of_moves_survives_the_wire() {
        let id = MoveId(u64::MAX);
        let mut messages = vec![
            ToManager::Peers {
                id,
                keys: vec![at(1), at(2)],
            },
            ToManager::Peers { id, keys: vec![] },
        ];
        let made = Step::ALL
            .into_iter()
            .filter(|step| !matches!(step, Step::Fenced | Step::Settled));
        messages.extend(made.map(|step| ToManager::Step {
            id,
            step,
            note: "[fd00::1]:9".into(),
        }));
        for message in messages {
            assert_eq!(read_to_manager(to_manager(message.clone())), Some(message));
        }
    }

    #[test]
    fn what_no_host_may_say_is_refused() {
        for (it, note) in [
            (Step::Fenced, String::new()),
            (Step::Settled, String::new()),
            (Step::Abort, "x".repeat(record::Move::TEXT + 1)),
        ] {
            assert_eq!(read_step(step(MoveId(1), it, note)), None);
        }
    }

    #[test]
    fn what_hosts_are_told_of_moves_survives_the_wire() {
        let seat = |host, epoch| Seat {
            host: Locator::new(0xfd00_000a, host).unwrap(),
            epoch,
        };
        let mut it = Move {
            id: MoveId(1),
            as_of: Generation::new(3, 9),
            node: NodeId(2),
            keys: vec![(at(2), Generation::new(3, 8)), (at(3), Generation::NONE)],
            from: seat(1, 4),
            to: seat(2, 0),
            reason: Reason::Operator,
            state: State::Prepare,
            endpoint: "[fd00::1]:9".into(),
            peers: None,
            failure: "no room".into(),
        };
        let mut messages = vec![ToAgent::NoMove(MoveId(7)), ToAgent::Move(it.clone())];
        for peers in [vec![], vec![at(9)]] {
            it.peers = Some(peers);
            messages.push(ToAgent::Move(it.clone()));
        }
        for state in State::ALL {
            it.state = state;
            messages.push(ToAgent::Move(it.clone()));
        }
        for reason in [
            Reason::Drain,
            Reason::Failure,
            Reason::Balance,
            Reason::Leak,
        ] {
            it.reason = reason;
            messages.push(ToAgent::Move(it.clone()));
        }
        for message in messages {
            assert_eq!(read_to_agent(to_agent(message.clone())), Some(message));
        }
    }
}
