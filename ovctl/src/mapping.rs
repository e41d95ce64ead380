// SPDX-License-Identifier: GPL-2.0

//! `ovctl mapping`: where nodes are.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use clap::{Args, Subcommand};
use nix::errno::Errno;
use ovnet_uapi::generated::GEN_MAX;
use ovnet_uapi::{Client, Error, Locator, Mac, Mapping, MappingSet, MappingState, Vni};

use crate::failure::{Failure, Hint};
use crate::netns::Names;
use crate::output::{cell, put, put_text, word, Object, Output, Row};
use crate::{host, net, netns, prefix};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say where a node is
    #[command(visible_alias = "add")]
    Set(Set),
    /// Forget where a node is; a tombstone keeps older news out
    #[command(visible_alias = "delete")]
    Del {
        #[command(flatten)]
        node: Node,
        #[command(flatten)]
        generation: Generation,
    },
    /// Show all mappings, those of one network, or one
    #[command(visible_aliases = ["list", "ls"])]
    Show {
        /// The network
        #[arg(value_parser = prefix::vni)]
        vni: Option<Vni>,
        /// The node's virtual address
        #[arg(requires = "vni")]
        address: Option<Ipv4Addr>,
        /// Show tombstones too
        #[arg(long)]
        all: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    #[command(flatten)]
    node: Node,

    /// The /64 of the host the node is behind
    #[arg(long, value_parser = prefix::locator)]
    locator: Locator,

    /// The MAC others see [default: derived from the address]
    #[arg(long, value_parser = prefix::mac)]
    mac: Option<Mac>,

    #[command(flatten)]
    generation: Generation,
}

/// The node a mapping is about.
#[derive(Debug, Args)]
pub(crate) struct Node {
    /// The node's network
    #[arg(value_parser = prefix::vni)]
    vni: Vni,

    /// The node's virtual address
    address: Ipv4Addr,
}

/// The generation of a change.
#[derive(Debug, Args)]
pub(crate) struct Generation {
    /// Generation of the change [default: one more than the known one]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=GEN_MAX))]
    gen: Option<u64>,
}

impl Command {
    pub(crate) fn run(self, output: &mut Output<'_>) -> Result<(), Failure> {
        let mut client = Client::connect()?;
        match self {
            Command::Set(set) => set.run(&mut client),
            Command::Del { node, generation } => client
                .mapping_del(node.vni, node.address, generation.gen)
                .map_err(Failure::with_hints([
                    net::unknown(node.vni),
                    not_listed(node.vni),
                    at_a_port(),
                    stale(node.vni, node.address),
                    same_gen(),
                ])),
            Command::Show {
                vni: Some(vni),
                address: Some(address),
                ..
            } => {
                let ports = Ports::read(&mut client)?;
                let mapping = client
                    .mapping_get(vni, address)
                    .map_err(Failure::with_hints([not_listed(vni)]))?;
                output.list([Line::new(mapping, &ports, &mut Names::new())])
            }
            Command::Show { vni, all, .. } => {
                let ports = Ports::read(&mut client)?;
                let mut names = Names::new();
                let mappings = client.mappings(vni)?.filter(|mapping| {
                    all || !matches!(mapping, Ok(it) if it.state == MappingState::Deleted)
                });
                output.list(mappings.map(|it| it.and_then(|it| Line::new(it, &ports, &mut names))))
            }
        }
    }
}

impl Set {
    fn run(self, client: &mut Client) -> Result<(), Failure> {
        let Node { vni, address } = self.node;
        let mapping = MappingSet {
            vni,
            address,
            locator: self.locator,
            mac: self.mac,
            gen: self.generation.gen,
        };
        client.mapping_set(&mapping).map_err(Failure::with_hints([
            host::without_locator(),
            net::unknown(vni),
            no_port(),
            stale(vni, address),
            same_gen(),
        ]))
    }
}

fn not_listed(vni: Vni) -> Hint {
    let text = format!("`ovctl mapping show {vni}` lists the mappings of the network");
    Hint::of(Errno::ENOENT, text)
}

fn at_a_port() -> Hint {
    let text = "`ovctl port del DEVICE` ends the mapping of a node that is here";
    Hint::of(Errno::EBUSY, text)
}

fn no_port() -> Hint {
    let text = "`ovctl port set DEVICE` makes the mapping of a node that is here";
    Hint::of(Errno::ENOENT, text).at("locator")
}

/// What to do about a generation that is too old.
pub(crate) fn stale(vni: Vni, address: Ipv4Addr) -> Hint {
    let text = format!(
        "`ovctl mapping show {vni} {address}` shows the known generation; \
         without --gen the next one is taken"
    );
    Hint::of(Errno::ESTALE, text)
}

/// What to do about a generation that is taken.
pub(crate) fn same_gen() -> Hint {
    let text = "a change needs a greater generation; without --gen the next one is taken";
    Hint::of(Errno::EEXIST, text)
}

/// Names of the ports' devices by namespace id and index.
struct Ports(HashMap<(Option<i32>, u32), String>);

impl Ports {
    fn read(client: &mut Client) -> Result<Ports, Error> {
        let mut names = HashMap::new();
        for port in client.ports()? {
            match port {
                Ok(port) => names.insert((port.netns_id, port.ifindex), port.ifname),
                // A port that is missed is shown by its index.
                Err(Error::DumpInterrupted) => break,
                Err(error) => return Err(error),
            };
        }
        Ok(Ports(names))
    }
}

/// A mapping with its port by name.
struct Line {
    mapping: Mapping,
    ifname: Option<String>,
    netns: Option<String>,
}

impl Line {
    fn new(mapping: Mapping, ports: &Ports, names: &mut Names) -> Result<Line, Error> {
        let netns = names.of(mapping.netns_id)?;
        let ifname = mapping
            .ifindex
            .and_then(|ifindex| ports.0.get(&(mapping.netns_id, ifindex)).cloned());
        Ok(Line {
            mapping,
            ifname,
            netns,
        })
    }

    /// Device and namespace: `eth0@blue`, as far as they have names.
    fn port(&self) -> Option<String> {
        let ifindex = self.mapping.ifindex?;
        let device = match &self.ifname {
            Some(name) => name.clone(),
            None => format!("if{ifindex}"),
        };
        match netns::text(self.netns.as_deref(), self.mapping.netns_id) {
            Some(netns) => Some(format!("{device}@{netns}")),
            None => Some(device),
        }
    }
}

impl Row for Line {
    const COLUMNS: &'static [&'static str] =
        &["VNI", "ADDRESS", "MAC", "STATE", "LOCATOR", "PORT", "GEN"];

    fn cells(&self) -> Vec<String> {
        let mapping = &self.mapping;
        vec![
            mapping.vni.to_string(),
            mapping.address.to_string(),
            cell(mapping.mac),
            word(mapping.state.name(), mapping.state.into()),
            cell(mapping.locator),
            cell(self.port()),
            mapping.gen.to_string(),
        ]
    }

    fn object(&self) -> Object {
        let mapping = &self.mapping;
        let mut object = Object::new();
        put(&mut object, "vni", Some(mapping.vni.get()));
        put_text(&mut object, "address", Some(mapping.address));
        put_text(&mut object, "locator", mapping.locator);
        put_text(&mut object, "mac", mapping.mac);
        put(&mut object, "gen", Some(mapping.gen));
        let state = word(mapping.state.name(), mapping.state.into());
        put_text(&mut object, "state", Some(state));
        put(&mut object, "ifindex", mapping.ifindex);
        put_text(&mut object, "ifname", self.ifname.as_deref());
        put(&mut object, "netns-id", mapping.netns_id);
        put_text(&mut object, "netns", self.netns.as_deref());
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::capture;

    fn mappings() -> Vec<Line> {
        let address = Ipv4Addr::new(10, 0, 0, 2);
        let local = Mapping {
            vni: Vni::new(7).unwrap(),
            address,
            locator: Some(prefix::locator("fd00:a:1:1::/64").unwrap()),
            mac: Some(Mac::of(address)),
            gen: 5,
            state: MappingState::Local,
            ifindex: Some(4),
            netns_id: Some(2),
        };
        let remote = Mapping {
            address: Ipv4Addr::new(10, 0, 0, 30),
            mac: Some(Mac([2, 0, 0, 0, 0, 9])),
            locator: Some(prefix::locator("fd00:a:1:2::/64").unwrap()),
            state: MappingState::Remote,
            ifindex: None,
            netns_id: None,
            ..local
        };
        let deleted = Mapping {
            mac: None,
            locator: None,
            gen: (1 << 40) + 6,
            state: MappingState::Deleted,
            ..remote
        };
        let newer = Mapping {
            state: MappingState::UnrecognizedConst(9),
            ..remote
        };
        let line = |mapping, ifname: Option<&str>, netns: Option<&str>| Line {
            mapping,
            ifname: ifname.map(str::to_owned),
            netns: netns.map(str::to_owned),
        };
        let own = Mapping {
            netns_id: None,
            ..local
        };
        vec![
            line(local, Some("eth0"), Some("blue")),
            line(local, None, None),
            line(own, Some("v0"), None),
            line(remote, None, None),
            line(deleted, None, None),
            line(newer, None, None),
        ]
    }

    #[test]
    fn the_table_shows_ports_by_name_and_what_is_not_there_as_a_dash() {
        assert_eq!(
            capture::list(mappings(), false),
            "\
VNI  ADDRESS    MAC                STATE    LOCATOR          PORT        GEN
7    10.0.0.2   02:76:0a:00:00:02  local    fd00:a:1:1::/64  eth0@blue   5
7    10.0.0.2   02:76:0a:00:00:02  local    fd00:a:1:1::/64  if4@nsid:2  5
7    10.0.0.2   02:76:0a:00:00:02  local    fd00:a:1:1::/64  v0          5
7    10.0.0.30  02:00:00:00:00:09  remote   fd00:a:1:2::/64  -           5
7    10.0.0.30  -                  deleted  -                -           1099511627782
7    10.0.0.30  02:00:00:00:00:09  9        fd00:a:1:2::/64  -           5
"
        );
    }

    #[test]
    fn the_json_has_the_words_of_the_specification() {
        let json: serde_json::Value =
            serde_json::from_str(&capture::list(mappings(), true)).unwrap();
        assert_eq!(
            json[0],
            serde_json::json!({
                "vni": 7,
                "address": "10.0.0.2",
                "locator": "fd00:a:1:1::/64",
                "mac": "02:76:0a:00:00:02",
                "gen": 5,
                "state": "local",
                "ifindex": 4,
                "ifname": "eth0",
                "netns-id": 2,
                "netns": "blue",
            })
        );
        assert_eq!(
            json[4],
            serde_json::json!({
                "vni": 7,
                "address": "10.0.0.30",
                "gen": 1_099_511_627_782_u64,
                "state": "deleted",
            })
        );
    }
}
