// SPDX-License-Identifier: GPL-2.0

//! Organisations, networks with their peerings and rules, hosts.

use http::StatusCode;

use super::call::{Answer, Call};
use super::model::{self, Enrolment, HostSet, NetworkSet, OrganisationSet, Peering, Rules};
use super::problem::Problem;
use super::show;
use super::token::Role;
use crate::core::record::{self, Name};
use crate::core::shard::{Order, Terms};
use crate::store::Revision;
use ovnet_engine::{Locator, Vni};

/// A network in a path; a number that no network can have is that of no network.
pub(super) fn path_network(call: &Call, part: &str) -> Result<Vni, Problem> {
    let vni = call.part(part).parse().ok().and_then(Vni::new);
    vni.ok_or_else(|| Problem::absent("such network"))
}

fn path_host(call: &Call) -> Result<Locator, Problem> {
    model::host(call.part("host")).map_err(|_| Problem::absent("such host"))
}

pub(super) async fn list_organisations(call: Call) -> Result<Answer, Problem> {
    show::list(&call, "organisation/").await
}

pub(super) async fn get_organisation(call: Call) -> Result<Answer, Problem> {
    let name = Name::Organisation(call.part("organisation").to_owned());
    show::one(&call, name, "such organisation").await
}

pub(super) async fn put_organisation(call: Call) -> Result<Answer, Problem> {
    let set: OrganisationSet = call.json()?;
    let name = model::name(call.part("organisation"))?.to_owned();
    let key = Name::Organisation(name.clone());
    let present = call.record::<record::Organisation>(&key).await?;
    let scope = present.as_ref().map(|_| &name[..]);
    call.token.need(scope, Role::Admin, "such organisation")?;
    let terms = call.terms(present.as_ref().map(|it| it.1))?;
    let record = set.to_record()?;
    call.order(Order::SetOrganisation(name.clone(), record.clone()), terms)
        .await?;
    let otherwise = model::Organisation::from_record(name, record);
    call.after(&key, present.is_none(), &otherwise).await
}

pub(super) async fn delete_organisation(call: Call) -> Result<Answer, Problem> {
    let name = call.part("organisation").to_owned();
    let present = call
        .record::<record::Organisation>(&Name::Organisation(name.clone()))
        .await?;
    let (_, revision) = present.ok_or_else(|| Problem::absent("such organisation"))?;
    call.token
        .need(Some(&name), Role::Viewer, "such organisation")?;
    call.token.need(None, Role::Admin, "such organisation")?;
    let terms = call.terms(Some(revision))?;
    call.order(Order::DeleteOrganisation(name), terms).await?;
    Ok(Answer::Empty)
}

pub(super) async fn list_networks(call: Call) -> Result<Answer, Problem> {
    show::list(&call, "network/").await
}

pub(super) async fn get_network(call: Call) -> Result<Answer, Problem> {
    let vni = path_network(&call, "network")?;
    show::one(&call, Name::Network(vni), "such network").await
}

/// A network that the token may see.
async fn seen(call: &Call) -> Result<(Vni, record::Network, Revision), Problem> {
    let vni = path_network(call, "network")?;
    let absent = || Problem::absent("such network");
    let (network, revision) = call.record(&Name::Network(vni)).await?.ok_or_else(absent)?;
    let network: record::Network = network;
    call.token
        .need(Some(&network.organisation), Role::Viewer, "such network")?;
    Ok((vni, network, revision))
}

/// Sets a network, of which this is the present state.
pub(super) async fn set_network(
    call: &Call,
    vni: Vni,
    present: Option<&(record::Network, Revision)>,
    record: record::Network,
) -> Result<(), Problem> {
    if let Some((before, _)) = present {
        call.token
            .need(Some(&before.organisation), Role::Operator, "such network")?;
    }
    call.token.need(
        Some(&record.organisation),
        Role::Operator,
        "such organisation",
    )?;
    let terms = call.terms(present.map(|it| it.1))?;
    call.order(Order::SetNetwork(vni, record), terms)
        .await
        .map(drop)
}

pub(super) async fn put_network(call: Call) -> Result<Answer, Problem> {
    let set: NetworkSet = call.json()?;
    let vni = path_network(&call, "network")?;
    let record = set.to_record()?;
    let key = Name::Network(vni);
    let present = call.record::<record::Network>(&key).await?;
    set_network(&call, vni, present.as_ref(), record.clone()).await?;
    let otherwise = model::Network::from_record(vni, record);
    call.after(&key, present.is_none(), &otherwise).await
}

pub(super) async fn delete_network(call: Call) -> Result<Answer, Problem> {
    let (vni, network, revision) = seen(&call).await?;
    call.token
        .need(Some(&network.organisation), Role::Operator, "such network")?;
    let terms = call.terms(Some(revision))?;
    call.order(Order::DeleteNetwork(vni), terms).await?;
    Ok(Answer::Empty)
}

pub(super) async fn list_addresses(call: Call) -> Result<Answer, Problem> {
    let (vni, ..) = seen(&call).await?;
    show::list(&call, &format!("mapping/{:06x}/", vni.get())).await
}

pub(super) async fn list_peerings(call: Call) -> Result<Answer, Problem> {
    let (vni, network, revision) = seen(&call).await?;
    let peering = |peer: &Vni| Peering {
        network: vni.get(),
        peer: peer.get(),
    };
    let items: Vec<_> = network.admits.iter().map(peering).collect();
    let resume = call.state.tag(revision);
    let list = serde_json::json!({ "items": items, "next": null, "resume": resume });
    Ok(Answer::ok(&list).with_etag(revision))
}

pub(super) async fn put_peering(call: Call) -> Result<Answer, Problem> {
    let (vni, mut network, revision) = seen(&call).await?;
    let peer = path_network(&call, "peer")?;
    let created = !network.admits.contains(&peer);
    let present = (network.clone(), revision);
    if created {
        network.admits.push(peer);
        set_network(&call, vni, Some(&present), network).await?;
    } else {
        call.token
            .need(Some(&network.organisation), Role::Operator, "such network")?;
        call.terms(Some(revision))?;
    }
    let status = if created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(Answer::new(
        status,
        &Peering {
            network: vni.get(),
            peer: peer.get(),
        },
    ))
}

pub(super) async fn delete_peering(call: Call) -> Result<Answer, Problem> {
    let (vni, mut network, revision) = seen(&call).await?;
    let peer = path_network(&call, "peer")?;
    if !network.admits.contains(&peer) {
        return Err(Problem::absent("such peering"));
    }
    let present = (network.clone(), revision);
    network.admits.retain(|it| *it != peer);
    set_network(&call, vni, Some(&present), network).await?;
    Ok(Answer::Empty)
}

pub(super) async fn get_rules(call: Call) -> Result<Answer, Problem> {
    let (_, network, revision) = seen(&call).await?;
    let rules = network
        .rules
        .into_iter()
        .map(model::Rule::from_record)
        .collect();
    Ok(Answer::ok(&Rules { rules }).with_etag(revision))
}

pub(super) async fn put_rules(call: Call) -> Result<Answer, Problem> {
    let set: Rules = call.json()?;
    let (vni, mut network, revision) = seen(&call).await?;
    let present = (network.clone(), revision);
    network.rules = set
        .rules
        .iter()
        .map(model::Rule::to_record)
        .collect::<Result<_, _>>()?;
    let bounded = model::Network::from_record(vni, network)
        .into_set()
        .to_record()?;
    set_network(&call, vni, Some(&present), bounded).await?;
    Ok(Answer::ok(&set))
}

pub(super) async fn list_hosts(call: Call) -> Result<Answer, Problem> {
    show::list(&call, show::HOSTS).await
}

pub(super) async fn get_host(call: Call) -> Result<Answer, Problem> {
    let host = path_host(&call)?;
    show::one(&call, Name::Host(host), "such host").await
}

/// Sets a host, of which this is the present state.
pub(super) async fn set_host(
    call: &Call,
    host: Locator,
    present: Option<&(record::Host, Revision)>,
    record: record::Host,
) -> Result<(), Problem> {
    if let Some((before, _)) = present {
        call.token
            .need(Some(&before.organisation), Role::Operator, "such host")?;
    }
    call.token.need(
        Some(&record.organisation),
        Role::Operator,
        "such organisation",
    )?;
    let terms = call.terms(present.map(|it| it.1))?;
    call.order(Order::SetHost(host, record), terms)
        .await
        .map(drop)
}

pub(super) async fn put_host(call: Call) -> Result<Answer, Problem> {
    let set: HostSet = call.json()?;
    let host = model::host(call.part("host"))?;
    let record = set.to_record()?;
    let key = Name::Host(host);
    let present = call.record::<record::Host>(&key).await?;
    set_host(&call, host, present.as_ref(), record.clone()).await?;
    let otherwise = model::Host::from_record(host, record);
    call.after(&key, present.is_none(), &otherwise).await
}

pub(super) async fn delete_host(call: Call) -> Result<Answer, Problem> {
    let (host, record, revision) = own_host(&call).await?;
    call.token
        .need(Some(&record.organisation), Role::Operator, "such host")?;
    let terms = call.terms(Some(revision))?;
    call.order(Order::DeleteHost(host), terms).await?;
    Ok(Answer::Empty)
}

/// Whoever says so of a host that lives has its nodes at two hosts, hence it is not for every operator.
pub(super) async fn fence_host(call: Call) -> Result<Answer, Problem> {
    let (host, record, _) = own_host(&call).await?;
    call.token
        .need(Some(&record.organisation), Role::Admin, "such host")?;
    let epoch = call.record::<record::Epoch>(&Name::Epoch(host)).await?;
    let epoch = epoch.map_or(0, |(epoch, _)| epoch.current);
    let terms = Terms {
        unchanged_since: None,
        dry_run: call.dry_run(),
    };
    call.order(Order::FenceHost(host, epoch), terms).await?;
    Ok(Answer::ok(&model::Host::from_record(host, record)))
}

pub(super) async fn own_host(call: &Call) -> Result<(Locator, record::Host, Revision), Problem> {
    let host = path_host(call)?;
    let absent = || Problem::absent("such host");
    let (record, revision) = call.record(&Name::Host(host)).await?.ok_or_else(absent)?;
    let record: record::Host = record;
    call.token
        .need(Some(&record.organisation), Role::Viewer, "such host")?;
    Ok((host, record, revision))
}

/// A one-time token with which a host gets its identity.
pub(super) async fn enrol_host(call: Call) -> Result<Answer, Problem> {
    let (host, record, _) = own_host(&call).await?;
    call.token
        .need(Some(&record.organisation), Role::Operator, "such host")?;
    let (token, expires) = crate::identity::invite(&*call.state.store, host).await?;
    let enrolment = Enrolment {
        host: model::host_id(host),
        token,
        expires,
    };
    Ok(Answer::new(StatusCode::CREATED, &enrolment))
}
