// SPDX-License-Identifier: GPL-2.0

//! Entries of the store as objects of the API, and whose they are.

use std::collections::BTreeMap;

use ovnet_engine::{Locator, Vni};
use serde_json::Value;

use super::call::{Answer, Call};
use super::model;
use super::moves;
use super::problem::Problem;
use super::token::Role;
use crate::core::record::{self, Name};
use crate::store::{Entry, Range};

/// What the keys of hosts begin with.
pub(super) const HOSTS: &str = "host/";
/// And those of how busy they are.
const LOADS: &str = "load/";

/// An object.
pub(crate) struct Shown {
    pub(crate) kind: &'static str,
    /// What it is called among its kind.
    pub(crate) id: String,
    /// Whose it is, if that can be told.
    pub(crate) organisation: Option<String>,
    pub(crate) value: Value,
}

/// Shows objects; remembers the organisations of networks meanwhile.
pub(crate) struct Shower<'c> {
    call: &'c Call,
    organisations: BTreeMap<Vni, Option<String>>,
    /// How busy hosts are, if that was read of many at once.
    loads: Option<BTreeMap<Locator, record::HostLoad>>,
}

impl<'c> Shower<'c> {
    pub(crate) fn new(call: &'c Call) -> Self {
        Self {
            call,
            organisations: BTreeMap::new(),
            loads: None,
        }
    }

    /// A network may have been given away.
    pub(crate) fn forget(&mut self) {
        self.organisations.clear();
    }

    /// The organisation of a network.
    pub(crate) async fn organisation(&mut self, vni: Vni) -> Result<Option<String>, Problem> {
        if let Some(known) = self.organisations.get(&vni) {
            return Ok(known.clone());
        }
        let network = self
            .call
            .record::<record::Network>(&Name::Network(vni))
            .await?;
        let organisation = network.map(|(network, _)| network.organisation);
        self.organisations.insert(vni, organisation.clone());
        Ok(organisation)
    }

    /// How busy a host is.
    async fn load(&self, host: Locator) -> Result<Option<record::HostLoad>, Problem> {
        match &self.loads {
            Some(loads) => Ok(loads.get(&host).copied()),
            None => {
                let load = self.call.record(&Name::Load(host)).await?;
                Ok(load.map(|(load, _)| load))
            }
        }
    }

    /// Reads how busy these hosts are at once, before they are shown.
    async fn read_loads(&mut self, hosts: &[Entry]) -> Result<(), Problem> {
        let key = |host: &Entry| Some(host.key.strip_prefix(HOSTS.as_bytes())?.to_vec());
        let ends = (hosts.first().and_then(key), hosts.last().and_then(key));
        let (Some(first), Some(last)) = ends else {
            return Ok(());
        };
        let of = |host: Vec<u8>, more: &[u8]| [LOADS.as_bytes(), &host, more].concat();
        let range = Range::between(of(first, b""), of(last, b"\0"));
        let found = self.call.state.store.range(&range, None, None).await?;
        let loads = found.entries.iter().filter_map(|entry| {
            match (Name::parse(&entry.key)?, record::decode(&entry.value)?) {
                (Name::Load(host), load) => Some((host, load)),
                _ => None,
            }
        });
        self.loads = Some(loads.collect());
        Ok(())
    }

    /// The object that an entry is; `None` if it is none of the API's.
    pub(crate) async fn show(&mut self, entry: &Entry) -> Result<Option<Shown>, Problem> {
        let Some(name) = Name::parse(&entry.key) else {
            return Ok(None);
        };
        Ok(match name {
            Name::Organisation(name) => record::decode(&entry.value).map(|record| {
                let value = model::Organisation::from_record(name.clone(), record);
                shown("organisation", name.clone(), Some(name), &value)
            }),
            Name::Network(vni) => record::decode(&entry.value).map(|record| {
                let value = model::Network::from_record(vni, record);
                let organisation = Some(value.organisation.clone());
                shown("network", vni.to_string(), organisation, &value)
            }),
            Name::Host(host) => match record::decode(&entry.value) {
                Some(record) => {
                    let load = self.load(host).await?;
                    let value = model::Host::from_record(host, record).with_load(load);
                    let organisation = Some(value.organisation.clone());
                    Some(shown("host", value.id.clone(), organisation, &value))
                }
                None => None,
            },
            Name::Node(id) => match record::decode::<record::Node>(&entry.value) {
                Some(record) => {
                    let organisation = self.organisation(record.vni).await?;
                    let value = model::Node::from_record(id, record);
                    Some(shown("node", value.id.clone(), organisation, &value))
                }
                None => None,
            },
            Name::Mapping(key) => match record::decode::<record::Mapping>(&entry.value) {
                Some(record) => {
                    let organisation = self.organisation(key.vni).await?;
                    let value = model::Address::from_record(key, record);
                    Some(shown("address", key.to_string(), organisation, &value))
                }
                None => None,
            },
            Name::Move(id) => match record::decode::<record::Move>(&entry.value) {
                Some(record) => {
                    let organisation = self.organisation(record.vni).await?;
                    let value = moves::Move::from_record(id, record);
                    Some(shown("move", value.id.clone(), organisation, &value))
                }
                None => None,
            },
            Name::Epoch(_)
            | Name::Leader
            | Name::Load(_)
            | Name::Manager(_)
            | Name::Placement(_)
            | Name::Session(_)
            | Name::Term => None,
        })
    }

    /// Whether the token may see an object.
    pub(crate) fn visible(&self, shown: &Shown) -> bool {
        self.call
            .token
            .has(shown.organisation.as_deref(), Role::Viewer)
    }
}

fn shown(
    kind: &'static str,
    id: String,
    organisation: Option<String>,
    value: &impl serde::Serialize,
) -> Shown {
    Shown {
        kind,
        id,
        organisation,
        value: serde_json::to_value(value).unwrap_or_default(),
    }
}

/// `GET` of one object.
pub(crate) async fn one(call: &Call, name: Name, what: &str) -> Result<Answer, Problem> {
    let absent = || Problem::absent(what);
    let entry = call.entry(&name).await?.ok_or_else(absent)?;
    let mut shower = Shower::new(call);
    let shown = shower
        .show(&entry)
        .await?
        .filter(|it| shower.visible(it))
        .ok_or_else(absent)?;
    Ok(Answer::ok(&shown.value).with_etag(entry.modified))
}

/// `GET` of all objects whose keys have a prefix, a page of those that the token may see.
pub(crate) async fn list(call: &Call, prefix: &str) -> Result<Answer, Problem> {
    let limit = call.query.get("limit").map_or(Ok(100), |text| {
        let limit = text.parse().ok().filter(|limit| (1..=1000).contains(limit));
        limit.ok_or_else(|| Problem::bad("limit is a number from 1 to 1000."))
    })?;
    let mut rest = Range::prefix(prefix);
    if let Some(after) = call.query.get("after") {
        rest = rest.after(format!("{prefix}{after}").as_bytes());
    }
    let mut shower = Shower::new(call);
    let (mut items, mut revision, mut next) = (Vec::new(), None, None);
    'pages: loop {
        let page = call
            .state
            .store
            .range(&rest, revision, Some(limit + 1))
            .await?;
        revision = Some(page.revision);
        if prefix == HOSTS {
            shower.read_loads(&page.entries).await?;
        }
        for entry in &page.entries {
            let Some(shown) = shower.show(entry).await? else {
                continue;
            };
            if !shower.visible(&shown) {
                continue;
            }
            if items.len() == limit {
                break 'pages;
            }
            items.push(shown.value);
            next = Some(String::from_utf8_lossy(&entry.key[prefix.len()..]).into_owned());
        }
        match page.entries.last() {
            Some(last) if page.more => rest = rest.after(&last.key),
            _ => {
                next = None;
                break;
            }
        }
    }
    let resume = call.state.tag(revision.unwrap_or(0));
    Ok(Answer::ok(
        &serde_json::json!({ "items": items, "next": next, "resume": resume }),
    ))
}
