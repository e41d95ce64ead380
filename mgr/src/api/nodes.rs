// SPDX-License-Identifier: GPL-2.0

//! Nodes and their addresses.

use std::net::Ipv4Addr;

use super::call::{Answer, Call};
use super::idempotency;
use super::model::{self, AddressSet, Constraints, NodeAddress, NodeSet, Placement};
use super::problem::Problem;
use super::show::{self, Shower};
use super::token::Role;
use crate::core::record::{self, Name};
use crate::core::shard::{Order, Terms};
use crate::core::NodeId;
use crate::secret;
use crate::store::Revision;

fn path_node(call: &Call) -> Result<NodeId, Problem> {
    model::node(call.part("node")).map_err(|_| Problem::absent("such node"))
}

/// A node that the token has a role for.
async fn own_node(call: &Call, role: Role) -> Result<(NodeId, record::Node, Revision), Problem> {
    let id = path_node(call)?;
    let absent = || Problem::absent("such node");
    let (node, revision) = call.record(&Name::Node(id)).await?.ok_or_else(absent)?;
    let node: record::Node = node;
    let organisation = Shower::new(call).organisation(node.vni).await?;
    call.token
        .need(organisation.as_deref(), role, "such node")?;
    Ok((id, node, revision))
}

pub(super) async fn list_nodes(call: Call) -> Result<Answer, Problem> {
    show::list(&call, "node/").await
}

pub(super) async fn get_node(call: Call) -> Result<Answer, Problem> {
    let id = path_node(&call)?;
    show::one(&call, Name::Node(id), "such node").await
}

/// What became of a node that was to be as somebody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Became {
    Created,
    Changed,
    Unchanged,
}

/// Makes a node what it is to be: creates it, moves it, gives it addresses and takes others.
pub(super) async fn reconcile(
    call: &Call,
    id: NodeId,
    set: &NodeSet,
    mut terms: Terms,
) -> Result<Became, Problem> {
    let vni = model::vni(set.network)?;
    let name = model::text(&set.name)?;
    let mac = model::mac(set.mac.as_deref())?;
    let home = set.host.as_deref().map(model::host).transpose()?;
    if set.addresses.len() > 64 {
        return Err(Problem::invalid("A node has at most 64 addresses."));
    }
    let organisation = Shower::new(call).organisation(vni).await?;
    let organisation = organisation
        .ok_or_else(|| Problem::invalid(format!("There is no network {vni}: create it first.")))?;
    call.token
        .need(Some(&organisation), Role::Operator, "such network")?;
    if let Some(home) = home {
        let host = call.record::<record::Host>(&Name::Host(home)).await?;
        let (host, _) = host.ok_or_else(|| {
            Problem::invalid(format!("There is no host {home}: create it first."))
        })?;
        call.token
            .need(Some(&host.organisation), Role::Operator, "such host")?;
    }
    let present = call.record::<record::Node>(&Name::Node(id)).await?;
    let Some((node, _)) = present else {
        let address = set.addresses.first().copied();
        call.order(
            Order::CreateNode {
                id,
                name,
                vni,
                address,
                mac,
                home,
            },
            terms,
        )
        .await?;
        let more = set.addresses.iter().skip(1);
        // A dry run has no node to add them to: the first address has shown what there is to show.
        for address in more.filter(|_| !terms.dry_run) {
            call.order(Order::AddAddress(id, Some(*address)), Terms::default())
                .await?;
        }
        return Ok(Became::Created);
    };
    let before = Shower::new(call).organisation(node.vni).await?;
    call.token
        .need(before.as_deref(), Role::Operator, "such node")?;
    if (&node.name, node.vni, node.mac) != (&name, vni, mac) {
        return Err(Problem::conflict(format!(
            "Node {id} has another name, network or MAC, which it keeps for ever: create another \
             node, or delete this one first."
        )));
    }
    let mut orders = Vec::new();
    if node.home != home {
        orders.push(Order::MoveNode(id, home));
    }
    let has = |address: &Ipv4Addr| node.addresses.iter().any(|own| own.address == *address);
    let added = set.addresses.iter().filter(|address| !has(address));
    orders.extend(added.map(|address| Order::AddAddress(id, Some(*address))));
    if !set.addresses.is_empty() {
        let gone = node.addresses.iter().filter(|own| !own.learned);
        let gone = gone.filter(|own| !set.addresses.contains(&own.address));
        orders.extend(gone.map(|own| Order::RemoveAddress(id, own.address)));
    }
    let became = if orders.is_empty() {
        Became::Unchanged
    } else {
        Became::Changed
    };
    for order in orders {
        // In a dry run nothing is added, so that the last address cannot be taken away.
        if terms.dry_run && matches!(order, Order::RemoveAddress(..)) {
            continue;
        }
        call.order(order, terms).await?;
        terms.unchanged_since = None;
    }
    Ok(became)
}

fn planned(id: NodeId, set: &NodeSet) -> model::Node {
    let address = |it: &Ipv4Addr| NodeAddress {
        address: *it,
        learned: false,
    };
    model::Node {
        id: id.to_string(),
        name: set.name.clone(),
        network: set.network,
        addresses: set.addresses.iter().map(address).collect(),
        mac: set.mac.clone(),
        host: set.host.clone(),
    }
}

pub(super) async fn create_node(call: Call) -> Result<Answer, Problem> {
    let set: NodeSet = call.json()?;
    // The same request, sent again, is about the same node.
    let id = idempotency::digest(&call)
        .and_then(|digest| u64::from_str_radix(&digest[..16], 16).ok())
        .unwrap_or_else(|| u64::from_be_bytes(secret::random()));
    let id = NodeId(id);
    let terms = Terms {
        unchanged_since: None,
        dry_run: call.dry_run(),
    };
    reconcile(&call, id, &set, terms).await?;
    call.after(&Name::Node(id), true, &planned(id, &set)).await
}

pub(super) async fn put_node(call: Call) -> Result<Answer, Problem> {
    let set: NodeSet = call.json()?;
    let id = model::node(call.part("node"))?;
    let present = call.entry(&Name::Node(id)).await?;
    let terms = call.terms(present.as_ref().map(|it| it.modified))?;
    let became = reconcile(&call, id, &set, terms).await?;
    call.after(
        &Name::Node(id),
        became == Became::Created,
        &planned(id, &set),
    )
    .await
}

pub(super) async fn delete_node(call: Call) -> Result<Answer, Problem> {
    let (id, _, revision) = own_node(&call, Role::Operator).await?;
    let terms = call.terms(Some(revision))?;
    call.order(Order::DeleteNode(id), terms).await?;
    Ok(Answer::Empty)
}

pub(super) async fn put_placement(call: Call) -> Result<Answer, Problem> {
    let set: Placement = call.json()?;
    let (id, mut node, revision) = own_node(&call, Role::Operator).await?;
    let home = set.host.as_deref().map(model::host).transpose()?;
    if let Some(home) = home {
        let host = call.record::<record::Host>(&Name::Host(home)).await?;
        let (host, _) = host.ok_or_else(|| {
            Problem::invalid(format!("There is no host {home}: create it first."))
        })?;
        call.token
            .need(Some(&host.organisation), Role::Operator, "such host")?;
    }
    let terms = call.terms(Some(revision))?;
    call.order(Order::MoveNode(id, home), terms).await?;
    node.home = home;
    call.after(&Name::Node(id), false, &model::Node::from_record(id, node))
        .await
}

pub(super) async fn get_constraints(call: Call) -> Result<Answer, Problem> {
    let (id, ..) = own_node(&call, Role::Viewer).await?;
    let record = call
        .record::<record::Placement>(&Name::Placement(id))
        .await?
        .map_or_else(record::Placement::default, |(record, _)| record);
    Ok(Answer::ok(&Constraints::from_record(record)))
}

pub(super) async fn put_constraints(call: Call) -> Result<Answer, Problem> {
    let set: Constraints = call.json()?;
    let (id, ..) = own_node(&call, Role::Operator).await?;
    let record = set.to_record()?;
    let terms = Terms {
        unchanged_since: None,
        dry_run: call.dry_run(),
    };
    call.order(Order::SetPlacement(id, record), terms).await?;
    Ok(Answer::ok(&set))
}

pub(super) async fn add_address(call: Call) -> Result<Answer, Problem> {
    let set: AddressSet = call.json()?;
    let (id, mut node, revision) = own_node(&call, Role::Operator).await?;
    let terms = call.terms(Some(revision))?;
    if node.addresses.len() >= 64 {
        return Err(Problem::conflict("A node has at most 64 addresses."));
    }
    let done = call
        .order(Order::AddAddress(id, set.address), terms)
        .await?;
    if let Some(address) = done.address {
        node.addresses.push(record::Address {
            address,
            learned: false,
        });
    }
    call.after(&Name::Node(id), true, &model::Node::from_record(id, node))
        .await
}

pub(super) async fn delete_address(call: Call) -> Result<Answer, Problem> {
    let (id, node, revision) = own_node(&call, Role::Operator).await?;
    let address = call.part("address").parse::<Ipv4Addr>().ok();
    let own = address.filter(|it| node.addresses.iter().any(|own| own.address == *it));
    let address = own.ok_or_else(|| Problem::absent("such address of the node"))?;
    let terms = call.terms(Some(revision))?;
    call.order(Order::RemoveAddress(id, address), terms).await?;
    Ok(Answer::Empty)
}

impl Became {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
        }
    }
}
