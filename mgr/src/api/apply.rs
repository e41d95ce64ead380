// SPDX-License-Identifier: GPL-2.0

//! Declarative apply: a document says what there is to be, in JSON or YAML.
//!
//! Objects are made what they are to be one after the other, in an order in which each finds what
//! it refers to; each by itself is atomic, and applying a document twice changes nothing the second
//! time. The first refusal ends it and tells what was done until then.

use serde::{Deserialize, Serialize};
use serde_json::{json, Value};
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
    /// What is another one, of an object that is changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Difference>,
}

/// A field of an object that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Difference {
    /// Its name.
    field: String,
    /// What it is; null if there is nothing.
    #[schema(required)]
    from: Value,
    /// What it is to be.
    #[schema(required)]
    to: Value,
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
    let mut step = |kind: &str, id: &str, action: &str, fields: Vec<Difference>| {
        done.push(Step {
            kind: kind.into(),
            id: id.into(),
            action: action.into(),
            fields,
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
            let order = Order::SetOrganisation(name.clone(), record.clone());
            call.order(order, terms).await?;
        }
        let shown = |record| Organisation::from_record(name.clone(), record);
        let fields = differences(present.map(|it| shown(it.0)), shown(record));
        step("organisation", &name, became.word(), fields);
    }
    let named = |name: &str| document.organisations.iter().any(|it| it.name == name);
    for network in &document.networks {
        let vni = model::vni(network.vni)?;
        let record = network.clone().into_set().to_record()?;
        let present = call.record::<record::Network>(&Name::Network(vni)).await?;
        let became = became(present.as_ref().map(|it| &it.0), &record);
        if became != Became::Unchanged && !(terms.dry_run && named(&record.organisation)) {
            objects::set_network(call, vni, present.as_ref(), record.clone()).await?;
        }
        let shown = |record| Network::from_record(vni, record);
        let fields = differences(present.map(|it| shown(it.0)), shown(record));
        step("network", &vni.to_string(), became.word(), fields);
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
            objects::set_host(call, locator, present.as_ref(), record.clone()).await?;
        }
        let shown = |record| model::Host::from_record(locator, record);
        let fields = differences(present.map(|it| shown(it.0)), shown(record));
        step("host", &host.id, became.word(), fields);
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
        let present = call.record::<record::Node>(&Name::Node(number)).await?;
        let present = present.map(|(record, _)| model::Node::from_record(number, record));
        let fields = present.as_ref().map_or_else(Vec::new, |it| moved(it, &set));
        let became = match (terms.dry_run && told, present) {
            (false, _) => nodes::reconcile(call, number, &set, terms).await?,
            (true, None) => Became::Created,
            (true, Some(_)) if fields.is_empty() => Became::Unchanged,
            (true, Some(_)) => Became::Changed,
        };
        step("node", &id, became.word(), fields);
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

/// In which fields an object is to be another one; a new one has none that changes.
fn differences<T: Serialize>(present: Option<T>, wanted: T) -> Vec<Difference> {
    let Some(Ok(Value::Object(mut present))) = present.map(serde_json::to_value) else {
        return Vec::new();
    };
    let Ok(Value::Object(wanted)) = serde_json::to_value(wanted) else {
        return Vec::new();
    };
    let fields = wanted.into_iter().map(|(field, to)| Difference {
        from: present.remove(&field).unwrap_or_default(),
        field,
        to,
    });
    fields.filter(|it| it.from != it.to).collect()
}

/// The same of a node, which goes elsewhere and gets other addresses, and else stays what it is. Those
/// that it has learned are not the document's.
fn moved(present: &model::Node, wanted: &model::NodeSet) -> Vec<Difference> {
    let own = present.addresses.iter().filter(|own| !own.learned);
    let own: Vec<_> = own.map(|own| own.address).collect();
    let some = |address: &&std::net::Ipv4Addr| {
        let learned = |it: &model::NodeAddress| it.learned && it.address == **address;
        !present.addresses.iter().any(learned)
    };
    let mut given: Vec<_> = wanted.addresses.iter().filter(some).copied().collect();
    if wanted.addresses.is_empty() {
        given.clone_from(&own);
    }
    // Their order says nothing.
    let order = |address: &std::net::Ipv4Addr| own.iter().position(|own| own == address);
    given.sort_by_key(|address| order(address).unwrap_or(own.len()));
    let [from, to] = [(&own, &present.host), (&given, &wanted.host)]
        .map(|(addresses, host)| json!({"addresses": addresses, "host": host}));
    differences(Some(from), to)
}

/// Deletes what the organisations of the document have and the document does not: nodes first, so
/// that networks and hosts are free to go.
async fn prune(
    call: &Call,
    document: &Document,
    kept: &[String],
    terms: Terms,
    step: &mut impl FnMut(&str, &str, &str, Vec<Difference>),
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
            step(kind, &shown.id, "deleted", Vec::new());
        }
    }
    Ok(())
}
