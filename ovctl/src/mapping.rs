// SPDX-License-Identifier: GPL-2.0

//! `ovctl mapping`: where nodes are.

use std::collections::HashMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use clap::{Args, Subcommand};
use nix::errno::Errno;
use ovnet_uapi::generated::GEN_MAX;
use ovnet_uapi::{Client, Error, Locator, Mac, Mapping, MappingSet, MappingState, Vni};

use crate::failure::{Failure, Hint};
use crate::netns::Names;
use crate::output::{cell, one_of, put, put_ms, put_text, word, Object, Output, Row};
use crate::{duration, host, net, netns, prefix, transfer};

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
        /// Leave no tombstone: be as if the address had never been heard of
        #[arg(long, conflicts_with = "gen")]
        forget: bool,
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
        /// Show tombstones, addresses that are asked for and those known not to exist too
        #[arg(long)]
        all: bool,
        /// Show the times, what waits and the node's own network too
        #[arg(short, long)]
        detail: bool,
    },
    /// Write where nodes elsewhere are, one JSON object a line, for import
    Export(transfer::Export),
    /// Set the mappings of a file that export wrote; nothing if a line is wrong
    Import(transfer::Import),
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    #[command(flatten)]
    node: Node,

    /// The /64 of the host the node is behind
    #[arg(long, value_parser = prefix::locator, required_unless_present_any = ["state", "external"])]
    #[arg(required_if_eq_any = [("state", "remote"), ("state", "moved")])]
    locator: Option<Locator>,

    /// Instead of a locator: the IPv6 address of a machine outside the overlay that the address
    /// stands for
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["locator", "state", "peer_net"])]
    external: Option<Ipv6Addr>,

    /// remote: the node is behind that host; moved: and what still arrives here is forwarded
    /// there; negative: there is no such node, for a while
    #[arg(long, value_parser = state, default_value = "remote")]
    state: MappingState,

    /// The MAC others see [default: derived from the address]
    #[arg(long, value_parser = prefix::mac)]
    mac: Option<Mac>,

    /// The network the node is in, if that is another one
    #[arg(long, value_name = "VNI", value_parser = prefix::vni)]
    peer_net: Option<Vni>,

    /// The slot of the host whose port gets the packets, as a router that the address is behind
    /// [default: the address's own port]
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=63))]
    slot: Option<u8>,

    /// After which a mapping in use is reported for a refresh: 500ms, 30s, 5m, 2h; a plain number
    /// is seconds [default: never]
    #[arg(long, value_name = "TIME", value_parser = duration::ttl)]
    soft_ttl: Option<Duration>,

    /// After which the mapping goes [default: never; 1s if negative]
    #[arg(long, value_name = "TIME", value_parser = duration::ttl)]
    hard_ttl: Option<Duration>,

    #[command(flatten)]
    generation: Generation,
}

/// A state that a mapping can be set to, by its word.
fn state(text: &str) -> Result<MappingState, String> {
    let states = [
        MappingState::Remote,
        MappingState::Moved,
        MappingState::Negative,
    ];
    one_of(text, &states, MappingState::name)
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
        let client = Client::connect();
        match self {
            Command::Set(set) => set.run(&mut client?),
            Command::Export(export) => export.run(&mut client?, output),
            // A file can be looked at where there is no kernel module.
            Command::Import(import) => import.run(client, output),
            Command::Del {
                node,
                generation,
                forget,
            } => {
                let mut client = client?;
                let done = match forget {
                    true => client.mapping_forget(node.vni, node.address),
                    false => client.mapping_del(node.vni, node.address, generation.gen),
                };
                done.map_err(Failure::with_hints([
                    net::unknown(node.vni),
                    not_listed(node.vni),
                    at_a_port(),
                    stale(node.vni, node.address),
                    same_gen(),
                ]))
            }
            Command::Show {
                vni: Some(vni),
                address: Some(address),
                detail,
                ..
            } => {
                let mut client = client?;
                let ports = Ports::read(&mut client)?;
                let mapping = client
                    .mapping_get(vni, address)
                    .map_err(Failure::with_hints([not_listed(vni)]))?;
                list([Ok(mapping)], &ports, detail, output)
            }
            Command::Show {
                vni, all, detail, ..
            } => {
                let mut client = client?;
                let ports = Ports::read(&mut client)?;
                let mappings = client.mappings(vni)?.filter(|mapping| {
                    all || !matches!(mapping, Ok(it) if !tells_a_place(it.state))
                });
                list(mappings, &ports, detail, output)
            }
        }
    }
}

/// Whether an entry in that state says where a node is.
fn tells_a_place(state: MappingState) -> bool {
    use MappingState::{Deleted, Negative, Pending};
    !matches!(state, Deleted | Pending | Negative)
}

fn list(
    mappings: impl IntoIterator<Item = Result<Mapping, Error>>,
    ports: &Ports,
    detail: bool,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let mut names = Names::new();
    let lines = mappings
        .into_iter()
        .map(|it| it.and_then(|it| Line::new(it, ports, &mut names)));
    match detail {
        false => output.list(lines),
        true => output.list(lines.map(|line| line.map(Detail))),
    }
}

impl Set {
    fn run(self, client: &mut Client) -> Result<(), Failure> {
        let Node { vni, address } = self.node;
        let mapping = self.mapping()?;
        client.mapping_set(&mapping).map_err(Failure::with_hints([
            host::without_locator(),
            net::unknown(vni),
            no_port(),
            has_a_place(vni, address),
            full(),
            stale(vni, address),
            same_gen(),
        ]))
    }

    fn mapping(&self) -> Result<MappingSet, Failure> {
        let mapping = MappingSet {
            vni: self.node.vni,
            address: self.node.address,
            state: self.state,
            locator: self.locator,
            mac: self.mac,
            gen: self.generation.gen,
            peer_vni: self.peer_net,
            soft_ttl: self.soft_ttl,
            hard_ttl: self.hard_ttl,
            external: self.external,
            slot: self.slot,
        };
        let nowhere = MappingSet {
            hard_ttl: mapping.hard_ttl,
            ..MappingSet::negative(mapping.vni, mapping.address)
        };
        if mapping.state == MappingState::Negative && mapping != nowhere {
            let text = "a node that does not exist is nowhere: of a negative mapping say no more than --hard-ttl";
            return Err(Failure::Usage(text.into()));
        }
        Ok(mapping)
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

/// What to do about a mapping to this host of a node that is not here.
pub(crate) fn no_port() -> Hint {
    let text = "`ovctl port set DEVICE` makes the mapping of a node that is here";
    Hint::of(Errno::ENOENT, text).at("locator")
}

fn has_a_place(vni: Vni, address: Ipv4Addr) -> Hint {
    let text = format!("`ovctl mapping del {vni} {address}` forgets where the node is");
    Hint::of(Errno::EEXIST, text).at("state")
}

/// What to do about a table without room.
pub(crate) fn full() -> Hint {
    let text =
        "`ovctl host set --mappings-max N` makes room; `ovctl host show` shows how much there is";
    Hint::of(Errno::ENOSPC, text)
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
            match mapping.external {
                Some(machine) => machine.to_string(),
                None => cell(mapping.locator),
            },
            cell(self.port()),
            cell(mapping.gen),
        ]
    }

    fn object(&self) -> Object {
        let mapping = &self.mapping;
        let mut object = Object::new();
        put(&mut object, "vni", Some(mapping.vni.get()));
        put_text(&mut object, "address", Some(mapping.address));
        put_text(&mut object, "locator", mapping.locator);
        put_text(&mut object, "mac", mapping.mac);
        put(&mut object, "gen", mapping.gen);
        let state = word(mapping.state.name(), mapping.state.into());
        put_text(&mut object, "state", Some(state));
        put(&mut object, "ifindex", mapping.ifindex);
        put_text(&mut object, "ifname", self.ifname.as_deref());
        put(&mut object, "netns-id", mapping.netns_id);
        put_text(&mut object, "netns", self.netns.as_deref());
        put(&mut object, "peer-vni", mapping.peer_vni.map(Vni::get));
        put_ms(&mut object, "soft-ttl", mapping.soft_ttl);
        put_ms(&mut object, "hard-ttl", mapping.hard_ttl);
        put_ms(&mut object, "idle", mapping.idle);
        put(&mut object, "parked", mapping.parked);
        put_text(&mut object, "external", mapping.external);
        put(&mut object, "slot", mapping.slot);
        object
    }
}

/// A mapping with all that is known of it.
struct Detail(Line);

impl Row for Detail {
    const COLUMNS: &'static [&'static str] = &[
        "VNI", "ADDRESS", "MAC", "STATE", "LOCATOR", "PORT", "GEN", "PEER-NET", "SOFT-TTL",
        "HARD-TTL", "IDLE", "PARKED",
    ];

    fn cells(&self) -> Vec<String> {
        let mapping = &self.0.mapping;
        let mut cells = self.0.cells();
        cells.extend([
            cell(mapping.peer_vni),
            cell(mapping.soft_ttl.map(duration::short)),
            cell(mapping.hard_ttl.map(duration::short)),
            cell(mapping.idle.map(duration::short)),
            cell(mapping.parked),
        ]);
        cells
    }

    fn object(&self) -> Object {
        self.0.object()
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
            gen: Some(5),
            state: MappingState::Local,
            ifindex: Some(4),
            netns_id: Some(2),
            peer_vni: None,
            soft_ttl: None,
            hard_ttl: None,
            idle: None,
            parked: None,
            external: None,
            slot: None,
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
            gen: Some((1 << 40) + 6),
            state: MappingState::Deleted,
            ..remote
        };
        let newer = Mapping {
            state: MappingState::UnrecognizedConst(9),
            peer_vni: Vni::new(9),
            soft_ttl: Some(Duration::from_secs(30)),
            hard_ttl: Some(Duration::from_millis(60_500)),
            idle: Some(Duration::from_millis(700)),
            ..remote
        };
        let pending = Mapping {
            gen: None,
            state: MappingState::Pending,
            parked: Some(3),
            ..deleted
        };
        let external = Mapping {
            locator: None,
            state: MappingState::External,
            external: Some("2001:db8::9".parse().unwrap()),
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
            line(pending, None, None),
            line(external, None, None),
        ]
    }

    #[test]
    fn the_table_shows_ports_by_name_and_what_is_not_there_as_a_dash() {
        assert_eq!(
            capture::list(mappings(), false),
            "\
VNI  ADDRESS    MAC                STATE     LOCATOR          PORT        GEN
7    10.0.0.2   02:76:0a:00:00:02  local     fd00:a:1:1::/64  eth0@blue   5
7    10.0.0.2   02:76:0a:00:00:02  local     fd00:a:1:1::/64  if4@nsid:2  5
7    10.0.0.2   02:76:0a:00:00:02  local     fd00:a:1:1::/64  v0          5
7    10.0.0.30  02:00:00:00:00:09  remote    fd00:a:1:2::/64  -           5
7    10.0.0.30  -                  deleted   -                -           1099511627782
7    10.0.0.30  02:00:00:00:00:09  9         fd00:a:1:2::/64  -           5
7    10.0.0.30  -                  pending   -                -           -
7    10.0.0.30  02:00:00:00:00:09  external  2001:db8::9      -           5
"
        );
    }

    #[test]
    fn the_detail_has_times_and_what_waits() {
        let table = capture::list(mappings().into_iter().map(Detail).collect(), false);
        let ends: Vec<_> = table
            .lines()
            .map(|line| line.split_whitespace().skip(7).collect::<Vec<_>>())
            .collect();
        let none = ["-"; 5];
        let head = ["PEER-NET", "SOFT-TTL", "HARD-TTL", "IDLE", "PARKED"];
        assert_eq!(ends[0], head);
        assert_eq!(ends[4], none);
        assert_eq!(ends[6], ["9", "30s", "1m", "700ms", "-"]);
        assert_eq!(ends[7], ["-", "-", "-", "-", "3"]);
    }

    #[test]
    fn only_entries_that_tell_a_place_are_shown_unasked() {
        let shown: Vec<_> = mappings()
            .iter()
            .map(|line| tells_a_place(line.mapping.state))
            .collect();
        assert_eq!(shown, [true, true, true, true, false, true, false, true]);
        assert!(!tells_a_place(MappingState::Negative));
        assert!(tells_a_place(MappingState::Moved));
    }

    #[test]
    fn a_negative_mapping_has_an_address_and_a_time_only() {
        let set = |line: &str| {
            let words = ["ovctl", "mapping", "set", "7", "10.0.0.3"];
            let words = words.into_iter().chain(line.split(' '));
            #[derive(clap::Parser)]
            enum Only {
                #[command(subcommand)]
                Mapping(Command),
            }
            match <Only as clap::Parser>::try_parse_from(words) {
                Ok(Only::Mapping(Command::Set(set))) => set.mapping(),
                _ => panic!("{line}"),
            }
        };
        let negative = set("--state negative --hard-ttl 5s").unwrap();
        assert_eq!(negative.hard_ttl, Some(Duration::from_secs(5)));
        assert_eq!(negative.state, MappingState::Negative);
        for more in [
            "--locator fd00:a:1:2::/64",
            "--gen 5",
            "--soft-ttl 1s",
            "--peer-net 8",
        ] {
            assert!(set(&format!("--state negative {more}")).is_err(), "{more}");
        }
        let moved = set("--state moved --locator fd00:a:1:2::/64 --soft-ttl 30").unwrap();
        assert_eq!(moved.soft_ttl, Some(Duration::from_secs(30)));
        assert_eq!(moved.state, MappingState::Moved);
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
        assert_eq!(
            json[5],
            serde_json::json!({
                "vni": 7,
                "address": "10.0.0.30",
                "locator": "fd00:a:1:2::/64",
                "mac": "02:00:00:00:00:09",
                "gen": 5,
                "state": "9",
                "peer-vni": 9,
                "soft-ttl": 30_000,
                "hard-ttl": 60_500,
                "idle": 700,
            })
        );
        assert_eq!(
            json[6],
            serde_json::json!({
                "vni": 7,
                "address": "10.0.0.30",
                "state": "pending",
                "parked": 3,
            })
        );
    }
}
