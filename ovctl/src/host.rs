// SPDX-License-Identifier: GPL-2.0

//! `ovctl host`: this host's locator, and the hosts its mappings point to.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};
use nix::errno::Errno;
use ovnet_engine::Topology;
use ovnet_uapi::{Client, Host, HostSet, Lease, Locator};
use serde_json::Value;

use crate::failure::{Failure, Hint};
use crate::output::{cell, put, put_ms, word, Object, Output, Row};
use crate::server::{self, sides};
use crate::{duration, prefix};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Give this host its locator, or say how many mappings it keeps
    #[command(visible_alias = "add")]
    Set(Set),
    /// Take this host's locator away
    #[command(visible_alias = "delete")]
    Del {
        /// Only if it is this one; which one, at a manager
        #[arg(value_parser = prefix::locator)]
        locator: Option<Locator>,
        #[command(flatten)]
        change: server::Change,
    },
    /// Make the one-time token by which a host gets its identity, for `ovmgrd enrol` (at a manager)
    Enrol {
        /// The host
        #[arg(value_parser = prefix::locator)]
        host: Locator,
    },
    /// Show all hosts, or one
    #[command(visible_aliases = ["list", "ls"])]
    Show {
        /// The host
        #[arg(value_parser = prefix::locator)]
        locator: Option<Locator>,
    },
}

#[derive(Debug, Args)]
#[group(skip)]
#[command(group = ArgGroup::new("change").required(true).multiple(true)
    .args(["locator", "organisation", "mappings_max", "lease"]))]
pub(crate) struct Set {
    /// The host's /64, such as fd00:a:1:1::/64
    #[arg(value_parser = prefix::locator, conflicts_with = "organisation")]
    locator: Option<Locator>,

    /// The organisation's /32, such as fd00:a::/32
    #[arg(long, value_name = "PREFIX", value_parser = prefix::organisation)]
    #[arg(requires = "topology")]
    organisation: Option<u32>,

    /// Where the host is: locale=1,area=2,rack=3,host=4 or locale=1,rack=9
    #[arg(long, requires = "organisation")]
    topology: Option<Topology>,

    /// The most mappings this host keeps; beyond, the longest unused one with a hard TTL makes room
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    #[arg(help_heading = sides::HERE)]
    mappings_max: Option<u32>,

    /// How long ports with --lease may carry packets from now on, such as 2400ms; 0 stops them. Said
    /// again in time, it renews the lease
    #[arg(long, value_name = "TIME", value_parser = duration::lease)]
    #[arg(help_heading = sides::HERE)]
    lease: Option<Duration>,

    #[command(flatten)]
    pub(crate) manager: server::host::Set,
}

impl Set {
    /// The locator, however it was given, if it was.
    pub(crate) fn locator(&self) -> Result<Option<Locator>, Failure> {
        let (Some(organisation), Some(topology)) = (self.organisation, self.topology) else {
            return Ok(self.locator);
        };
        topology
            .encode()
            .map_err(|error| Failure::Usage(error.to_string()))
            .and_then(|bits| {
                Locator::new(organisation, bits).map_err(|error| Failure::Usage(error.to_string()))
            })
            .map(Some)
    }
}

impl Command {
    pub(crate) fn run(self, output: &mut Output<'_>) -> Result<(), Failure> {
        match self {
            Command::Set(set) => {
                let host = HostSet {
                    locator: set.locator()?,
                    resolver: None,
                    mappings_max: set.mappings_max,
                    lease: set.lease.map(|length| Lease { length, from: None }),
                };
                Client::connect()?
                    .host_configure(&host)
                    .map_err(Failure::with_hints([in_use()]))
            }
            Command::Del { locator, .. } => {
                let mut client = Client::connect()?;
                let locator = match locator {
                    Some(locator) => locator,
                    None => client.host_get(None)?.locator,
                };
                client
                    .host_del(locator)
                    .map_err(Failure::with_hints([in_use(), not_listed()]))
            }
            Command::Enrol { .. } => Err(sides::no_manager()),
            Command::Show { locator: None } => output.list(Client::connect()?.hosts()?),
            Command::Show { locator } => {
                let host = Client::connect()?
                    .host_get(locator)
                    .map_err(Failure::with_hints([not_listed()]))?;
                output.list([Ok(host)])
            }
        }
    }
}

fn in_use() -> Hint {
    let text = "ports and mappings hold the locator: `ovctl port show`, `ovctl mapping show`; \
                `ovctl net del VNI` deletes a network's mappings";
    Hint::of(Errno::EBUSY, text)
}

/// What to do about a host that nothing here points to.
pub(crate) fn not_listed() -> Hint {
    let text = "`ovctl host show` lists the hosts that are known here";
    Hint::of(Errno::ENOENT, text)
}

/// What to do about a host without a locator.
pub(crate) fn without_locator() -> Hint {
    let text = "`ovctl host set LOCATOR` gives this host its /64, such as fd00:a:1:1::/64";
    Hint::of(Errno::ENODEV, text)
}

impl Row for Host {
    const COLUMNS: &'static [&'static str] = &[
        "LOCATOR",
        "SELF",
        "ORGANISATION",
        "TOPOLOGY",
        "MAPPINGS",
        "MAX",
        "RESOLVER",
        "LEASE",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.locator.to_string(),
            if self.is_self { "yes" } else { "no" }.to_owned(),
            prefix::organisation_text(self.locator.organisation()),
            cell(self.locator.topology().ok().map(text)),
            self.mappings.to_string(),
            cell(self.mappings_max),
            cell(self.resolver.map(|state| word(state.name(), state.into()))),
            cell(self.lease.map(duration::short)),
        ]
    }

    fn object(&self) -> Object {
        let mut object = Object::new();
        put(&mut object, "locator", Some(self.locator.to_string()));
        put(&mut object, "self", Some(self.is_self));
        put(&mut object, "mappings", Some(self.mappings));
        let resolver = self.resolver.map(|state| word(state.name(), state.into()));
        put(&mut object, "resolver", resolver);
        put(&mut object, "mappings-max", self.mappings_max);
        put_ms(&mut object, "lease", self.lease);
        let organisation = prefix::organisation_text(self.locator.organisation());
        put(&mut object, "organisation", Some(organisation));
        put(
            &mut object,
            "topology",
            self.locator.topology().ok().map(fields),
        );
        object
    }
}

/// A topology as `--topology` takes it.
fn text(topology: Topology) -> String {
    match topology {
        Topology::Host {
            locale,
            area,
            rack,
            host,
        } => format!("locale={locale},area={area},rack={rack},host={host}"),
        Topology::Rack { locale, rack } => format!("locale={locale},rack={rack}"),
    }
}

/// A topology as an object of its numbers.
fn fields(topology: Topology) -> Value {
    match topology {
        Topology::Host {
            locale,
            area,
            rack,
            host,
        } => serde_json::json!({"locale": locale, "area": area, "rack": rack, "host": host}),
        Topology::Rack { locale, rack } => serde_json::json!({"locale": locale, "rack": rack}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::capture;
    use ovnet_uapi::ResolverState;

    fn hosts() -> Vec<Host> {
        [
            ("fd00:a:102:304::/64", true, 0),
            ("fd00:a:4001:9::/64", false, 12),
            ("2001:db8:8001:9::/64", false, 1),
        ]
        .map(|(locator, is_self, mappings)| Host {
            locator: prefix::locator(locator).unwrap(),
            is_self,
            mappings,
            resolver: is_self.then_some(ResolverState::Ready),
            mappings_max: is_self.then_some(1 << 22),
            lease: is_self.then_some(Duration::from_millis(2350)),
        })
        .to_vec()
    }

    #[test]
    fn the_table_decodes_both_layouts_and_no_other() {
        assert_eq!(
            capture::list(hosts(), false),
            "\
LOCATOR               SELF  ORGANISATION   TOPOLOGY                       MAPPINGS  MAX      RESOLVER  LEASE
fd00:a:102:304::/64   yes   fd00:a::/32    locale=1,area=2,rack=3,host=4  0         4194304  ready     2s
fd00:a:4001:9::/64    no    fd00:a::/32    locale=1,rack=9                12        -        -         -
2001:db8:8001:9::/64  no    2001:db8::/32  -                              1         -        -         -
"
        );
    }

    #[test]
    fn the_json_has_the_words_of_the_specification_and_the_decoded_parts() {
        let json: Value = serde_json::from_str(&capture::list(hosts(), true)).unwrap();
        assert_eq!(
            json,
            serde_json::json!([
                {
                    "locator": "fd00:a:102:304::/64",
                    "self": true,
                    "mappings": 0,
                    "resolver": "ready",
                    "mappings-max": 4_194_304,
                    "lease": 2350,
                    "organisation": "fd00:a::/32",
                    "topology": {"locale": 1, "area": 2, "rack": 3, "host": 4},
                },
                {
                    "locator": "fd00:a:4001:9::/64",
                    "self": false,
                    "mappings": 12,
                    "organisation": "fd00:a::/32",
                    "topology": {"locale": 1, "rack": 9},
                },
                {
                    "locator": "2001:db8:8001:9::/64",
                    "self": false,
                    "mappings": 1,
                    "organisation": "2001:db8::/32",
                },
            ])
        );
    }

    #[test]
    fn a_topology_is_shown_as_it_is_written() {
        for written in ["locale=63,area=0,rack=255,host=4", "locale=16383,rack=0"] {
            assert_eq!(text(written.parse().unwrap()), written);
        }
    }

    #[test]
    fn a_locator_is_made_of_organisation_and_topology() {
        let set = |organisation, topology: &str| Set {
            locator: None,
            organisation: Some(organisation),
            topology: Some(topology.parse().unwrap()),
            mappings_max: None,
            lease: None,
            manager: server::host::Set::default(),
        };
        let by_host = set(0xfd00_000a, "locale=1,area=2,rack=3,host=4");
        let by_host = by_host.locator().unwrap().unwrap();
        assert_eq!(by_host.to_string(), "fd00:a:102:304::/64");
        let by_rack = set(0xfd00_000a, "locale=1,rack=9");
        let by_rack = by_rack.locator().unwrap().unwrap();
        assert_eq!(by_rack.to_string(), "fd00:a:4001:9::/64");
        let failure = set(0xfe80_0000, "locale=1,rack=9").locator().unwrap_err();
        assert_eq!(failure.code(), crate::failure::Code::Usage);
    }
}
