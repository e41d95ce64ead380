// SPDX-License-Identifier: GPL-2.0

//! Declarative apply: a document says what there is to be, in JSON or YAML.
//!
//! Objects are made what they are to be one after the other, in an order in which each finds what
//! it refers to; each by itself is atomic, and applying a document twice changes nothing the second
//! time. The first refusal ends it and tells what was done until then.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::call::{Answer, Call};
use super::model::{self, HostEntry, HostSet, Network, NodeEntry, Organisation, OrganisationSet};
use super::nodes::{self, Became};
use super::objects;
use super::problem::Problem;
use super::token::Role;
use crate::core::record::{self, Name};
use crate::core::shard::{Order, Terms};
use crate::store::Range;

/// What there is to be. What is not mentioned stays as it is, unless `prune` is asked for.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    /// Organisations.
    #[serde(default)]
    organisations: Vec<Organisation>,
    /// Networks.
    #[serde(default)]
    networks: Vec<Network>,
    /// Hosts.
    #[serde(default)]
    hosts: Vec<HostEntry>,
    /// Nodes.
    #[serde(default)]
    nodes: Vec<NodeEntry>,
}

/// What became of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Step {
    /// Its kind.
    kind: String,
    /// What it is called among its kind.
    id: String,
    /// `created`, `changed`, `unchanged` or `deleted`.
    action: String,
}

/// What became of a document.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct Applied {
    /// Object by object.
    results: Vec<Step>,
}

/// `POST /v1/apply`
pub(super) async fn apply(call: Call) -> Result<Answer, Problem> {
    let document: Document = call.json()?;
    let mut results = Vec::new();
    match carry_out(&call, document, &mut results).await {
        Ok(()) => Ok(Answer::ok(&Applied { results })),
        Err(mut problem) => {
            problem.results = results;
            Err(problem)
        }
    }
}

async fn carry_out(call: &Call, document: Document, done: &mut Vec<Step>) -> Result<(), Problem> {
    let mut step = |kind: &str, id: &str, action: &str| {
        done.push(Step {
            kind: kind.into(),
            id: id.into(),
            action: action.into(),
        });
    };
    let terms = Terms {
        unchanged_since: None,
        dry_run: call.dry_run(),
    };
    for organisation in &document.organisations {
        let name = model::name(&organisation.name)?.to_owned();
        let record = OrganisationSet {
            title: organisation.title.clone(),
        }
        .to_record()?;
        let present = call
            .record::<record::Organisation>(&Name::Organisation(name.clone()))
            .await?;
        let became = became(present.as_ref().map(|it| &it.0), &record);
        if became != Became::Unchanged {
            let scope = present.as_ref().map(|_| &name[..]);
            call.token.need(scope, Role::Admin, "such organisation")?;
            call.order(Order::SetOrganisation(name.clone(), record), terms)
                .await?;
        }
        step("organisation", &name, became.word());
    }
    let named = |name: &str| document.organisations.iter().any(|it| it.name == name);
    for network in &document.networks {
        let vni = model::vni(network.vni)?;
        let record = network.clone().into_set().to_record()?;
        let present = call.record::<record::Network>(&Name::Network(vni)).await?;
        let became = became(present.as_ref().map(|it| &it.0), &record);
        if became != Became::Unchanged && !(terms.dry_run && named(&record.organisation)) {
            objects::set_network(call, vni, present.as_ref(), record).await?;
        }
        step("network", &vni.to_string(), became.word());
    }
    for host in &document.hosts {
        let locator = model::host(&host.id)?;
        let set = HostSet {
            name: host.name.clone(),
            organisation: host.organisation.clone(),
            capacity: host.capacity,
            cost: host.cost,
            draining: host.draining,
        };
        let record = set.to_record()?;
        let present = call.record::<record::Host>(&Name::Host(locator)).await?;
        let became = became(present.as_ref().map(|it| &it.0), &record);
        if became != Became::Unchanged && !(terms.dry_run && named(&record.organisation)) {
            objects::set_host(call, locator, present.as_ref(), record).await?;
        }
        step("host", &host.id, became.word());
    }
    let mut kept = Vec::new();
    for node in document.nodes.iter().cloned() {
        let (id, set) = node.split();
        kept.push(id.clone());
        let number = model::node(&id)?;
        // In a dry run what a node refers to may be only in the document.
        let new = |it: &Network| it.vni == set.network;
        let told = document.networks.iter().any(new)
            || set
                .host
                .as_ref()
                .is_some_and(|id| document.hosts.iter().any(|it| it.id == *id));
        let became = match terms.dry_run && told {
            true => planned(call, number).await?,
            false => nodes::reconcile(call, number, &set, terms).await?,
        };
        step("node", &id, became.word());
    }
    if call.query.get("prune").is_some_and(|value| value == "true") {
        prune(call, &document, &kept, terms, &mut step).await?;
    }
    Ok(())
}

fn became<T: PartialEq>(present: Option<&T>, wanted: &T) -> Became {
    match present {
        None => Became::Created,
        Some(present) if present == wanted => Became::Unchanged,
        Some(_) => Became::Changed,
    }
}

async fn planned(call: &Call, id: crate::core::NodeId) -> Result<Became, Problem> {
    Ok(match call.entry(&Name::Node(id)).await? {
        None => Became::Created,
        Some(_) => Became::Changed,
    })
}

/// Deletes what the organisations of the document have and the document does not: nodes first, so
/// that networks and hosts are free to go.
async fn prune(
    call: &Call,
    document: &Document,
    kept: &[String],
    terms: Terms,
    step: &mut impl FnMut(&str, &str, &str),
) -> Result<(), Problem> {
    let mut shower = super::show::Shower::new(call);
    let ours = |organisation: Option<&str>| {
        organisation.is_some_and(|it| document.organisations.iter().any(|own| own.name == it))
    };
    for (prefix, kind) in [
        ("node/", "node"),
        ("network/", "network"),
        ("host/", "host"),
    ] {
        let found = call
            .state
            .store
            .range(&Range::prefix(prefix), None, None)
            .await?;
        for entry in &found.entries {
            let Some(shown) = shower.show(entry).await? else {
                continue;
            };
            let stays = match kind {
                "node" => kept.contains(&shown.id),
                "network" => document
                    .networks
                    .iter()
                    .any(|it| it.vni.to_string() == shown.id),
                _ => document.hosts.iter().any(|it| it.id == shown.id),
            };
            if stays || !ours(shown.organisation.as_deref()) {
                continue;
            }
            call.token
                .need(shown.organisation.as_deref(), Role::Operator, "such object")?;
            let order = match Name::parse(&entry.key) {
                Some(Name::Node(id)) => Order::DeleteNode(id),
                Some(Name::Network(vni)) => Order::DeleteNetwork(vni),
                Some(Name::Host(host)) => Order::DeleteHost(host),
                _ => continue,
            };
            // In a dry run the nodes of a network are still there.
            if !terms.dry_run {
                call.order(order, terms).await?;
            }
            step(kind, &shown.id, "deleted");
        }
    }
    Ok(())
}
