// SPDX-License-Identifier: GPL-2.0

//! Plans: which nodes would go where. Nothing of a plan is carried out but the emptying of a host.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::call::{Answer, Call};
use super::objects::{self, own_host};
use super::problem::Problem;
use super::token::Role;
use crate::core::placement::Choice;
use crate::core::record;
use crate::core::shard::Plan;

/// More moves are in no plan.
const MOVES: usize = 100;

/// Where a node would go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(super) struct PlannedMove {
    /// The node.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    pub(super) node: String,
    /// The id of the host that it is on.
    pub(super) from: Option<String>,
    /// The id of the host that it would go to, or null: it has to stay.
    pub(super) to: Option<String>,
    /// What that is good for, if it is to even hosts out: how full the hosts are.
    pub(super) why: Option<String>,
    /// Why it would go to none of these.
    pub(super) refused: Vec<RefusedHost>,
}

/// Why a node would not go to a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(super) struct RefusedHost {
    /// The id of the host.
    pub(super) host: String,
    /// Why not.
    pub(super) why: String,
}

/// Moves in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(super) struct PlanShown {
    /// The moves.
    pub(super) moves: Vec<PlannedMove>,
}

fn shown(choices: Vec<Choice>) -> PlanShown {
    let id = |host: ovnet_engine::Locator| format!("{:016x}", host.bits());
    let shown = |it: Choice| PlannedMove {
        node: it.node.to_string(),
        from: it.from.map(id),
        to: it.to.map(id),
        why: it.relief.map(|relief| relief.to_string()),
        refused: it
            .refused
            .into_iter()
            .map(|(host, why)| RefusedHost {
                host: id(host),
                why: why.to_string(),
            })
            .collect(),
    };
    PlanShown {
        moves: choices.into_iter().map(shown).collect(),
    }
}

/// Nodes of all organisations are in it, so that it is for those who may see all.
pub(super) async fn get_plan(call: Call) -> Result<Answer, Problem> {
    call.token.need(None, Role::Viewer, "such plan")?;
    let plan = match call.query.get("kind").map(String::as_str) {
        Some("balance") => Plan::Balance(MOVES),
        Some("consolidate") => Plan::Consolidate(MOVES),
        _ => {
            return Err(Problem::bad(
                "Say which plan: kind=balance or kind=consolidate.",
            ))
        }
    };
    Ok(Answer::ok(&shown(call.plan(plan).await?)))
}

/// Says that a host is to be emptied, and what that will come to.
pub(super) async fn drain_host(call: Call) -> Result<Answer, Problem> {
    let (host, record, revision) = own_host(&call).await?;
    call.token
        .need(Some(&record.organisation), Role::Operator, "such host")?;
    let plan = call.plan(Plan::Drain(host)).await?;
    let draining = record::Host {
        draining: true,
        ..record.clone()
    };
    let present = (record, revision);
    objects::set_host(&call, host, Some(&present), draining).await?;
    Ok(Answer::ok(&shown(plan)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::load::Load;
    use crate::core::placement::{Host, Node, Refusal, World};
    use crate::core::NodeId;

    #[test]
    fn a_plan_says_why_a_node_has_to_stay() {
        let host = |n| ovnet_engine::Locator::new(0xfd00_000a, n).unwrap();
        let choice = Choice {
            node: NodeId(5),
            from: Some(host(1)),
            to: None,
            refused: vec![(host(1), Refusal::Same), (host(2), Refusal::Full(1))],
            relief: None,
        };
        let value = serde_json::to_value(shown(vec![choice])).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"moves": [{
                "node": "0000000000000005",
                "from": "fd00000a00000001",
                "to": null,
                "why": null,
                "refused": [
                    {"host": "fd00000a00000001", "why": "the node is there"},
                    {"host": "fd00000a00000002", "why": "the host has room for 1 only"},
                ],
            }]})
        );
    }

    #[test]
    fn a_plan_says_what_a_move_is_good_for() {
        let host = |n| ovnet_engine::Locator::new(0xfd00_000a, n).unwrap();
        let mut world = World::default();
        for (n, cpu) in [(1, 900), (2, 100)] {
            let load = Some(Load { cpu, memory: 300 });
            let alive = true;
            let record = Host {
                load,
                alive,
                ..Host::default()
            };
            world.host(host(n), record);
        }
        for id in [5, 6] {
            let node = Node {
                at: Some(host(1)),
                size: id as u32 - 4,
                ..Node::default()
            };
            world.node(NodeId(id), node);
        }
        let value = serde_json::to_value(shown(world.balance(10))).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"moves": [{
                "node": "0000000000000005",
                "from": "fd00000a00000001",
                "to": "fd00000a00000002",
                "why": "cpu 900 of 1000 where it is, cpu 400 of 1000 there with it",
                "refused": [],
            }]})
        );
    }
}
