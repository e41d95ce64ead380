// SPDX-License-Identifier: GPL-2.0

//! The objects of the API, and how they become records of the store and back.

use std::net::Ipv4Addr;

use ovnet_engine::{Locator, Mac, Vni};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Problem;
use super::token::Grant;
use crate::core::record;
use crate::core::NodeId;

/// An owner of networks and hosts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Organisation {
    /// Its name, for ever.
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$")]
    pub(crate) name: String,
    /// What people call it.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub(crate) title: String,
}

/// What can be changed of an organisation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganisationSet {
    /// What people call it.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub(crate) title: String,
}

/// A virtual network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Network {
    /// Its number on the substrate, for ever.
    #[schema(minimum = 1, maximum = 16777215)]
    pub(crate) vni: u32,
    /// What people call it.
    #[schema(max_length = 200)]
    pub(crate) name: String,
    /// Whose it is.
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$")]
    pub(crate) organisation: String,
    /// Addresses of nodes are from these, as `10.0.0.0/24`.
    #[schema(max_items = 64)]
    pub(crate) prefixes: Vec<String>,
    /// Nodes may choose addresses by using them.
    #[serde(default)]
    pub(crate) learn: bool,
    /// Every byte of a packet arrives, at the price of bytes on the substrate.
    #[serde(default)]
    pub(crate) exact: bool,
    /// Networks whose nodes may talk to nodes of this one.
    #[serde(default)]
    #[schema(max_items = 4096)]
    pub(crate) admits: Vec<u32>,
    /// What else is allowed or denied, the first that matches decides.
    #[serde(default)]
    #[schema(max_items = 1024)]
    pub(crate) rules: Vec<Rule>,
}

/// What can be changed of a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NetworkSet {
    /// What people call it.
    #[schema(max_length = 200)]
    pub(crate) name: String,
    /// Whose it is.
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$")]
    pub(crate) organisation: String,
    /// Addresses of nodes are from these, as `10.0.0.0/24`.
    #[schema(max_items = 64)]
    pub(crate) prefixes: Vec<String>,
    /// Nodes may choose addresses by using them.
    #[serde(default)]
    pub(crate) learn: bool,
    /// Every byte of a packet arrives, at the price of bytes on the substrate.
    #[serde(default)]
    pub(crate) exact: bool,
    /// Networks whose nodes may talk to nodes of this one.
    #[serde(default)]
    #[schema(max_items = 4096)]
    pub(crate) admits: Vec<u32>,
    /// What else is allowed or denied, the first that matches decides.
    #[serde(default)]
    #[schema(max_items = 1024)]
    pub(crate) rules: Vec<Rule>,
}

/// Allow or deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    /// Let it through.
    Allow,
    /// Drop it.
    Deny,
}

/// A rule about a type of communication. What is absent matches anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// What to do with it.
    pub(crate) action: Action,
    /// The protocol of the IPv4 header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 255)]
    pub(crate) protocol: Option<u8>,
    /// The destination ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ports: Option<Span>,
    /// The ICMP type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 255)]
    pub(crate) icmp_type: Option<u8>,
    /// The size of the IPv4 packet in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<Span>,
    /// The time of day in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) window: Option<Window>,
}

/// A range of numbers, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Span {
    /// The first.
    #[schema(minimum = 0, maximum = 65535)]
    first: u16,
    /// The last.
    #[schema(minimum = 0, maximum = 65535)]
    last: u16,
}

/// A part of each day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Window {
    /// From this minute on, as `08:00`.
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    from: String,
    /// Until this one.
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$")]
    until: String,
}

/// The rules of a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    /// The first that matches decides.
    #[schema(max_items = 1024)]
    pub(crate) rules: Vec<Rule>,
}

/// A network that may talk to another one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Peering {
    /// The network that is talked to.
    pub(crate) network: u32,
    /// The network whose nodes may begin.
    pub(crate) peer: u32,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Host {
    /// Its locator as 16 hexadecimal digits.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    pub(crate) id: String,
    /// Its locator as a prefix.
    pub(crate) locator: String,
    /// What people call it.
    pub(crate) name: String,
    /// Whose it is.
    pub(crate) organisation: String,
    /// The sizes of the nodes on it may add up to so much; 0: to anything.
    pub(crate) capacity: u32,
    /// What it costs compared to others.
    pub(crate) cost: u32,
    /// Its nodes are to go to other hosts.
    pub(crate) draining: bool,
    /// How busy it is, or null: it is not connected, or has not said so yet. No change of this
    /// changes the entity tag.
    pub(crate) load: Option<HostLoad>,
}

/// How busy a host is: the mean of about a minute, in thousandths of the whole host.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct HostLoad {
    /// The time of its processors that was neither idle nor waited for disks.
    #[schema(maximum = 1000)]
    pub(crate) cpu: u32,
    /// Its memory that is not available to programs.
    #[schema(maximum = 1000)]
    pub(crate) memory: u32,
}

/// A host of a document to apply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostEntry {
    /// Its locator as 16 hexadecimal digits.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    pub(crate) id: String,
    /// What people call it.
    #[schema(max_length = 200)]
    pub(crate) name: String,
    /// Whose it is.
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$")]
    pub(crate) organisation: String,
    /// The sizes of the nodes on it may add up to so much; 0: to anything.
    #[serde(default)]
    pub(crate) capacity: u32,
    /// What it costs compared to others.
    #[serde(default)]
    pub(crate) cost: u32,
    /// Its nodes are to go to other hosts.
    #[serde(default)]
    pub(crate) draining: bool,
}

/// What can be changed of a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HostSet {
    /// What people call it.
    #[schema(max_length = 200)]
    pub(crate) name: String,
    /// Whose it is.
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$")]
    pub(crate) organisation: String,
    /// The sizes of the nodes on it may add up to so much; 0: to anything.
    #[serde(default)]
    pub(crate) capacity: u32,
    /// What it costs compared to others; of hosts that are as near the cheapest is chosen.
    #[serde(default)]
    pub(crate) cost: u32,
    /// Its nodes are to go to other hosts.
    #[serde(default)]
    pub(crate) draining: bool,
}

/// An address of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct NodeAddress {
    /// The address.
    #[schema(value_type = String, format = "ipv4")]
    pub(crate) address: Ipv4Addr,
    /// It was learned from what the node sends.
    pub(crate) learned: bool,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Node {
    /// 16 hexadecimal digits, for ever.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    pub(crate) id: String,
    /// What people call it.
    pub(crate) name: String,
    /// Its network.
    pub(crate) network: u32,
    /// Its addresses.
    pub(crate) addresses: Vec<NodeAddress>,
    /// The MAC others see, if it is not derived from the address.
    pub(crate) mac: Option<String>,
    /// The id of the host it is to be on.
    pub(crate) host: Option<String>,
}

/// What a node is to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeSet {
    /// What people call it.
    #[schema(max_length = 200)]
    pub(crate) name: String,
    /// Its network.
    #[schema(minimum = 1, maximum = 16777215)]
    pub(crate) network: u32,
    /// Its addresses; a free one of the network if there is none.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 64)]
    pub(crate) addresses: Vec<Ipv4Addr>,
    /// The MAC others see; derived from the address if absent.
    #[serde(default)]
    #[schema(pattern = "^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")]
    pub(crate) mac: Option<String>,
    /// The id of the host it is to be on.
    #[serde(default)]
    #[schema(pattern = "^[0-9a-f]{16}$")]
    pub(crate) host: Option<String>,
}

/// A node of a document to apply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NodeEntry {
    /// 16 hexadecimal digits that no other node has had.
    #[schema(pattern = "^[0-9a-f]{16}$")]
    pub(crate) id: String,
    /// What people call it.
    #[schema(max_length = 200)]
    pub(crate) name: String,
    /// Its network.
    #[schema(minimum = 1, maximum = 16777215)]
    pub(crate) network: u32,
    /// Its addresses; a free one of the network if there is none.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 64)]
    pub(crate) addresses: Vec<Ipv4Addr>,
    /// The MAC others see; derived from the address if absent.
    #[serde(default)]
    #[schema(pattern = "^[0-9a-f]{2}(:[0-9a-f]{2}){5}$")]
    pub(crate) mac: Option<String>,
    /// The id of the host it is to be on.
    #[serde(default)]
    #[schema(pattern = "^[0-9a-f]{16}$")]
    pub(crate) host: Option<String>,
}

/// Where a node is to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Placement {
    /// The id of a host, or null for none.
    #[schema(pattern = "^[0-9a-f]{16}$", required = true)]
    pub(crate) host: Option<String>,
}

/// Where a node may be, and what becomes of it when its host dies.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Constraints {
    /// It is started on another host when its host dies. Hence its host stops it when it may be
    /// taken for dead: after 2.4 seconds without its manager.
    #[serde(default)]
    pub(crate) evacuate: bool,
    /// It is moved to another host when its own is too full, if managers are configured to do that.
    #[serde(default)]
    pub(crate) balance: bool,
    /// The id of the one host that it may be on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(pattern = "^[0-9a-f]{16}$")]
    pub(crate) pin: Option<String>,
    /// No two nodes of a group are put on one host; empty: of none.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub(crate) group: String,
    /// What it takes of a host's capacity.
    #[serde(default = "one")]
    #[schema(minimum = 1)]
    pub(crate) size: u32,
}

const fn one() -> u32 {
    1
}

impl Constraints {
    pub(crate) fn from_record(record: record::Placement) -> Self {
        Self {
            evacuate: record.evacuate,
            balance: record.balance,
            pin: record.pin.map(|host| format!("{:016x}", host.bits())),
            group: record.group,
            size: record.size,
        }
    }

    pub(crate) fn to_record(&self) -> Result<record::Placement, Problem> {
        if self.size == 0 {
            return Err(Problem::invalid("The size of a node is at least 1."));
        }
        Ok(record::Placement {
            evacuate: self.evacuate,
            balance: self.balance,
            pin: self.pin.as_deref().map(host).transpose()?,
            group: text(&self.group)?,
            size: self.size,
        })
    }
}

/// An address to add to a node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddressSet {
    /// The address; a free one of the network if absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = "ipv4")]
    pub(crate) address: Option<Ipv4Addr>,
}

/// Whose an address of a network is, and where that node is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Address {
    /// The network.
    pub(crate) network: u32,
    /// The address.
    #[schema(value_type = String, format = "ipv4")]
    pub(crate) address: Ipv4Addr,
    /// The id of the node.
    pub(crate) node: String,
    /// The id of the host the node is to be on.
    pub(crate) home: Option<String>,
    /// The id of the host where the node is.
    pub(crate) at: Option<String>,
    /// The node was deleted, and its host has not let go yet.
    pub(crate) leaving: bool,
}

/// What a host needs once to get its identity.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct Enrolment {
    /// The id of the host.
    pub(crate) host: String,
    /// The one-time token: for `ovmgrd enrol`. It is not shown again.
    pub(crate) token: String,
    /// Until when it can be used, in seconds since 1970.
    pub(crate) expires: u64,
}

/// A token for this API.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct TokenShown {
    /// Its id.
    pub(crate) id: String,
    /// What it is for.
    pub(crate) description: String,
    /// What it may do.
    pub(crate) grants: Vec<Grant>,
    /// When it was made, in seconds since 1970.
    pub(crate) created: u64,
    /// When it ends, in seconds since 1970.
    pub(crate) expires: Option<u64>,
    /// What to send as `Authorization: Bearer`. It is shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
}

/// A token to make.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenSet {
    /// What it is for.
    #[schema(max_length = 200)]
    pub(crate) description: String,
    /// What it may do: nothing that the one who makes it may not.
    #[schema(min_items = 1, max_items = 64)]
    pub(crate) grants: Vec<Grant>,
    /// How many seconds it is good for; for ever if absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3153600000u64)]
    pub(crate) ttl: Option<u64>,
}

/// A request that was to change something.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct AuditEntry {
    /// When, as RFC 3339.
    pub(crate) time: String,
    /// The id of the token, or what host it was; empty if nobody knows.
    pub(crate) token: String,
    /// The method; of a host `CONNECT`, `ENROL` or `CLAIM`.
    pub(crate) method: String,
    /// The path and query, or what a host wanted.
    pub(crate) target: String,
    /// The status of the answer.
    pub(crate) status: u16,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
    /// The SHA-256 of the body; empty if it was not looked at.
    pub(crate) body: String,
}

const MAX_TEXT: usize = 200;

/// A text for people: bounded, and nothing that moves a terminal's cursor.
pub(crate) fn text(value: &str) -> Result<String, Problem> {
    match value.chars().count() > MAX_TEXT || value.chars().any(char::is_control) {
        true => Err(Problem::invalid(format!(
            "A name or title has at most {MAX_TEXT} characters and no control characters."
        ))),
        false => Ok(value.to_owned()),
    }
}

/// A name of an organisation.
pub(crate) fn name(value: &str) -> Result<&str, Problem> {
    let plain = value
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    match plain && (1..=63).contains(&value.len()) && !value.starts_with('-') {
        true => Ok(value),
        false => Err(Problem::invalid(format!(
            "\"{value}\" is no name of an organisation: up to 63 of a-z, 0-9 and -, not - first."
        ))),
    }
}

pub(crate) fn vni(value: u32) -> Result<Vni, Problem> {
    Vni::new(value).ok_or_else(|| Problem::invalid("A network's number is from 1 to 16777215."))
}

fn digits(value: &str) -> Option<u64> {
    let plain = value
        .bytes()
        .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (value.len() == 16 && plain).then(|| u64::from_str_radix(value, 16).ok())?
}

pub(crate) fn host(value: &str) -> Result<Locator, Problem> {
    let bits = digits(value).ok_or_else(|| {
        Problem::invalid("A host's id is its locator as 16 hexadecimal digits: fd00000a00010001.")
    })?;
    Locator::new((bits >> 32) as u32, bits as u32)
        .map_err(|error| Problem::invalid(format!("{value} is no locator: {error}")))
}

pub(crate) fn host_id(host: Locator) -> String {
    format!("{:016x}", host.bits())
}

pub(crate) fn node(value: &str) -> Result<NodeId, Problem> {
    let id = digits(value)
        .ok_or_else(|| Problem::invalid("A node's id has 16 hexadecimal digits, in lower case."))?;
    Ok(NodeId(id))
}

pub(crate) fn mac(value: Option<&str>) -> Result<Option<Mac>, Problem> {
    value
        .map(|text| {
            text.parse()
                .map_err(|error| Problem::invalid(format!("{text}: {error}")))
        })
        .transpose()
}

fn prefix(value: &str) -> Result<(Ipv4Addr, u8), Problem> {
    let parse = || {
        let (address, length) = value.split_once('/')?;
        Some((
            address.parse().ok()?,
            length.parse().ok().filter(|length| *length <= 32)?,
        ))
    };
    parse().ok_or_else(|| {
        Problem::invalid(format!(
            "\"{value}\" is no prefix: it must look like 10.0.0.0/24."
        ))
    })
}

impl Organisation {
    pub(crate) fn from_record(name: String, record: record::Organisation) -> Self {
        Self {
            name,
            title: record.title,
        }
    }
}

impl OrganisationSet {
    pub(crate) fn to_record(&self) -> Result<record::Organisation, Problem> {
        Ok(record::Organisation {
            title: text(&self.title)?,
        })
    }
}

impl Network {
    pub(crate) fn from_record(vni: Vni, record: record::Network) -> Self {
        let prefixes = record
            .prefixes
            .iter()
            .map(|(at, length)| format!("{at}/{length}"));
        Self {
            vni: vni.get(),
            name: record.name,
            organisation: record.organisation,
            prefixes: prefixes.collect(),
            learn: record.learn,
            exact: record.exact,
            admits: record.admits.iter().map(|vni| vni.get()).collect(),
            rules: record.rules.into_iter().map(Rule::from_record).collect(),
        }
    }

    pub(crate) fn into_set(self) -> NetworkSet {
        let Self {
            name,
            organisation,
            prefixes,
            learn,
            exact,
            admits,
            rules,
            ..
        } = self;
        NetworkSet {
            name,
            organisation,
            prefixes,
            learn,
            exact,
            admits,
            rules,
        }
    }
}

impl NetworkSet {
    pub(crate) fn to_record(&self) -> Result<record::Network, Problem> {
        let bounded = [
            (self.prefixes.len(), 64),
            (self.admits.len(), 4096),
            (self.rules.len(), 1024),
        ];
        if bounded.iter().any(|(length, most)| length > most) {
            return Err(Problem::invalid(
                "A network has at most 64 prefixes, 4096 peers and 1024 rules.",
            ));
        }
        Ok(record::Network {
            name: text(&self.name)?,
            organisation: name(&self.organisation)?.to_owned(),
            prefixes: self
                .prefixes
                .iter()
                .map(|it| prefix(it))
                .collect::<Result<_, _>>()?,
            learn: self.learn,
            exact: self.exact,
            admits: self
                .admits
                .iter()
                .map(|it| vni(*it))
                .collect::<Result<_, _>>()?,
            rules: self
                .rules
                .iter()
                .map(Rule::to_record)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl Rule {
    pub(crate) fn from_record(record: record::Rule) -> Self {
        let span = |(first, last)| Span { first, last };
        let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
        Self {
            action: if record.allow {
                Action::Allow
            } else {
                Action::Deny
            },
            protocol: record.protocol,
            ports: record.ports.map(span),
            icmp_type: record.icmp_type,
            size: record.size.map(span),
            window: record.window.map(|(from, until)| Window {
                from: clock(from),
                until: clock(until),
            }),
        }
    }

    pub(crate) fn to_record(&self) -> Result<record::Rule, Problem> {
        let minute = |clock: &str| -> Result<u16, Problem> {
            let parse = || {
                let (hour, minute) = clock.split_once(':')?;
                let whole = hour.len() == 2 && minute.len() == 2;
                let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
                (whole && hour < 24 && minute < 60).then_some(hour * 60 + minute)
            };
            parse().ok_or_else(|| {
                Problem::invalid(format!(
                    "\"{clock}\" is no time of day: it must look like 08:00."
                ))
            })
        };
        let window = match &self.window {
            Some(window) => Some((minute(&window.from)?, minute(&window.until)?)),
            None => None,
        };
        Ok(record::Rule {
            allow: self.action == Action::Allow,
            protocol: self.protocol,
            ports: self.ports.map(|span| (span.first, span.last)),
            icmp_type: self.icmp_type,
            size: self.size.map(|span| (span.first, span.last)),
            window,
        })
    }
}

impl Host {
    pub(crate) fn from_record(host: Locator, record: record::Host) -> Self {
        Self {
            id: host_id(host),
            locator: host.to_string(),
            name: record.name,
            organisation: record.organisation,
            capacity: record.capacity,
            cost: record.cost,
            draining: record.draining,
            load: None,
        }
    }

    pub(crate) fn with_load(mut self, load: Option<record::HostLoad>) -> Self {
        self.load = load.map(|it| HostLoad {
            cpu: it.cpu,
            memory: it.memory,
        });
        self
    }
}

impl HostSet {
    pub(crate) fn to_record(&self) -> Result<record::Host, Problem> {
        let organisation = name(&self.organisation)?.to_owned();
        Ok(record::Host {
            name: text(&self.name)?,
            organisation,
            capacity: self.capacity,
            cost: self.cost,
            draining: self.draining,
        })
    }
}

impl Node {
    pub(crate) fn from_record(id: NodeId, record: record::Node) -> Self {
        let address = |it: &record::Address| NodeAddress {
            address: it.address,
            learned: it.learned,
        };
        Self {
            id: id.to_string(),
            name: record.name,
            network: record.vni.get(),
            addresses: record.addresses.iter().map(address).collect(),
            mac: record.mac.map(|mac| mac.to_string()),
            host: record.home.map(host_id),
        }
    }
}

impl NodeEntry {
    pub(crate) fn split(self) -> (String, NodeSet) {
        let Self {
            id,
            name,
            network,
            addresses,
            mac,
            host,
        } = self;
        (
            id,
            NodeSet {
                name,
                network,
                addresses,
                mac,
                host,
            },
        )
    }
}

impl Address {
    pub(crate) fn from_record(key: crate::core::Key, record: record::Mapping) -> Self {
        let home = match record.home {
            record::Home::Host(host) => Some(host_id(host)),
            record::Home::Nowhere | record::Home::Leaving => None,
        };
        Self {
            network: key.vni.get(),
            address: key.address,
            node: record.node.to_string(),
            home,
            at: record.at.map(|at| host_id(at.host)),
            leaving: record.home == record::Home::Leaving,
        }
    }
}
