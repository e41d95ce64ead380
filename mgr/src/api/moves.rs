// SPDX-License-Identifier: GPL-2.0

//! Moves of nodes between hosts (`MV1`): started, looked at, aborted.

use std::net::Ipv4Addr;

use ovnet_engine::Locator;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::call::{Answer, Call};
use super::idempotency;
use super::model;
use super::problem::Problem;
use super::show::{self, Shower};
use super::token::Role;
use crate::core::moves::{self, MoveId, Reason, Seat};
use crate::core::record::{self, Name};
use crate::core::shard::{Order, Terms};
use crate::core::{Key, NodeId};
use crate::secret;

/// A move of a node from one host to another.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Move {
    /// 16 hexadecimal digits, for ever.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    pub(crate) id: String,
    /// The node.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    pub(crate) node: String,
    /// Its network.
    pub(crate) network: u32,
    /// Its addresses.
    #[schema(value_type = Vec<String>)]
    pub(crate) addresses: Vec<Ipv4Addr>,
    /// Where it comes from.
    pub(crate) from: Place,
    /// Where it goes to.
    pub(crate) to: Place,
    /// Why it is moved.
    pub(crate) reason: Why,
    /// How far it has come.
    pub(crate) state: State,
    /// When it got into each state so far, in their order.
    pub(crate) times: Vec<Entered>,
    /// Why it was aborted.
    pub(crate) failure: Option<String>,
}

/// A host in one of its boots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MovePlace)]
pub(crate) struct Place {
    /// The host's id.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    pub(crate) host: String,
    /// Which boot of it.
    pub(crate) epoch: u32,
}

/// When a move got into a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = MoveTime)]
pub(crate) struct Entered {
    /// The state.
    pub(crate) state: State,
    /// Milliseconds since 1970.
    pub(crate) at: u64,
}

/// Why a node is moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MoveReason)]
pub(crate) enum Why {
    /// Somebody wants it.
    Operator,
    /// Its host is to be emptied.
    Drain,
    /// Its host is dead.
    Failure,
    /// Another host suits better.
    Balance,
    /// Its substrate address has leaked: the old one is dead at once.
    Leak,
}

/// How far a move has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MoveState)]
pub(crate) enum State {
    /// The destination makes itself ready.
    Prepare,
    /// The node is copied while it runs.
    Armed,
    /// The node pauses.
    Freeze,
    /// The node is the destination's.
    Commit,
    /// The node goes on at the destination.
    Active,
    /// Everybody knows where it is.
    Settled,
    /// The node is where it was.
    Aborted,
}

impl From<moves::State> for State {
    fn from(state: moves::State) -> Self {
        match state {
            moves::State::Prepare => Self::Prepare,
            moves::State::Armed => Self::Armed,
            moves::State::Freeze => Self::Freeze,
            moves::State::Commit => Self::Commit,
            moves::State::Active => Self::Active,
            moves::State::Settled => Self::Settled,
            moves::State::Aborted => Self::Aborted,
        }
    }
}

impl From<Reason> for Why {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Operator => Self::Operator,
            Reason::Drain => Self::Drain,
            Reason::Failure => Self::Failure,
            Reason::Balance => Self::Balance,
            Reason::Leak => Self::Leak,
        }
    }
}

impl From<Seat> for Place {
    fn from(seat: Seat) -> Self {
        Self {
            host: model::host_id(seat.host),
            epoch: seat.epoch,
        }
    }
}

impl Move {
    pub(crate) fn from_record(id: MoveId, record: record::Move) -> Self {
        let times = record.times.into_iter().map(|(state, at)| Entered {
            state: state.into(),
            at,
        });
        Self {
            id: id.to_string(),
            node: record.node.to_string(),
            network: record.vni.get(),
            addresses: record.addresses,
            from: record.from.into(),
            to: record.to.into(),
            reason: record.reason.into(),
            state: record.state.into(),
            times: times.collect(),
            failure: Some(record.failure).filter(|text| !text.is_empty()),
        }
    }
}

/// A move to be started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MoveSet {
    /// The node.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    pub(crate) node: String,
    /// The host it is to be on.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    pub(crate) host: String,
    /// Its substrate address has leaked: what is sent to the old one is lost at once, and nobody
    /// who sends to it is told the new one.
    #[serde(default)]
    pub(crate) leaked: bool,
}

/// Why a move is not to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Abort {
    /// What to remember of it.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub(crate) why: String,
}

const WHAT: &str = "such move";

fn path_move(call: &Call) -> Result<MoveId, Problem> {
    call.part("move").parse().map_err(|_| Problem::absent(WHAT))
}

pub(super) async fn list_moves(call: Call) -> Result<Answer, Problem> {
    show::list(&call, "move/").await
}

pub(super) async fn get_move(call: Call) -> Result<Answer, Problem> {
    let id = path_move(&call)?;
    show::one(&call, Name::Move(id), WHAT).await
}

pub(super) async fn start_move(call: Call) -> Result<Answer, Problem> {
    let set: MoveSet = call.json()?;
    let (node, to) = (model::node(&set.node)?, model::host(&set.host)?);
    let record = call.record::<record::Node>(&Name::Node(node)).await?;
    let (record, _) = record
        .ok_or_else(|| Problem::invalid(format!("There is no node {node}: create it first.")))?;
    let organisation = Shower::new(&call).organisation(record.vni).await?;
    call.token
        .need(organisation.as_deref(), Role::Operator, "such node")?;
    let host = call.record::<record::Host>(&Name::Host(to)).await?;
    let (host, _) =
        host.ok_or_else(|| Problem::invalid(format!("There is no host {to}: create it first.")))?;
    call.token
        .need(Some(&host.organisation), Role::Operator, "such host")?;
    // The same request, sent again, is about the same move.
    let id = idempotency::digest(&call)
        .and_then(|digest| u64::from_str_radix(&digest[..16], 16).ok())
        .unwrap_or_else(|| u64::from_be_bytes(secret::random()));
    let id = MoveId(id);
    let reason = match set.leaked {
        true => Reason::Leak,
        false => Reason::Operator,
    };
    let order = Order::StartMove {
        id,
        node,
        to,
        reason,
    };
    let terms = Terms {
        unchanged_since: None,
        dry_run: call.dry_run(),
    };
    call.order(order, terms).await?;
    let planned = match call.dry_run() {
        true => planned(&call, id, node, &record, (to, reason)).await?,
        false => None,
    };
    call.after(&Name::Move(id), true, &planned).await
}

/// A move as it would begin.
async fn planned(
    call: &Call,
    id: MoveId,
    node: NodeId,
    record: &record::Node,
    (to, reason): (Locator, Reason),
) -> Result<Option<Move>, Problem> {
    let addresses: Vec<_> = record.addresses.iter().map(|own| own.address).collect();
    let Some(first) = addresses.first() else {
        return Ok(None);
    };
    let mapping = Name::Mapping(Key::new(record.vni, *first));
    let mapping = call.record::<record::Mapping>(&mapping).await?;
    let at = mapping.and_then(|(mapping, _)| mapping.at);
    let epoch = call.record::<record::Epoch>(&Name::Epoch(to)).await?;
    let epoch = epoch.map_or(0, |(epoch, _)| epoch.current);
    Ok(at.map(|at| Move {
        id: id.to_string(),
        node: node.to_string(),
        network: record.vni.get(),
        addresses,
        from: Seat {
            host: at.host,
            epoch: at.epoch,
        }
        .into(),
        to: Seat { host: to, epoch }.into(),
        reason: reason.into(),
        state: State::Prepare,
        times: Vec::new(),
        failure: None,
    }))
}

pub(super) async fn abort_move(call: Call) -> Result<Answer, Problem> {
    let set: Abort = call.json()?;
    let id = path_move(&call)?;
    let absent = || Problem::absent(WHAT);
    let (record, revision) = call
        .record::<record::Move>(&Name::Move(id))
        .await?
        .ok_or_else(absent)?;
    let organisation = Shower::new(&call).organisation(record.vni).await?;
    call.token
        .need(organisation.as_deref(), Role::Operator, WHAT)?;
    let terms = call.terms(Some(revision))?;
    let why = match model::text(&set.why)? {
        empty if empty.is_empty() => "an operator aborted it".to_owned(),
        why => why,
    };
    call.order(Order::AbortMove(id, why), terms).await?;
    let as_it_is = Move::from_record(id, record);
    call.after(&Name::Move(id), false, &as_it_is).await
}
