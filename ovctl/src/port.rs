// SPDX-License-Identifier: GPL-2.0

//! `ovctl port`: which node an ovnet device is the port of.

use std::net::Ipv4Addr;
use std::os::fd::AsFd;

use clap::{Args, Subcommand};
use nix::errno::Errno;
use ovnet_uapi::generated::GEN_MAX;
use ovnet_uapi::{
    Client, Device, Error, Locator, Mac, NetnsIds, Port, PortSet, PortState, Source, SourceCheck,
    Vni,
};
use serde_json::Value;

use crate::failure::{Failure, Hint};
use crate::netns::{self, ifindex, Names, Netns, OpenNetns};
use crate::output::{cell, one_of, put, put_ms, put_text, word, Object, Output, Row};
use crate::{duration, host, mapping, net, prefix};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an ovnet device the port of a node
    #[command(visible_alias = "add")]
    Set(Set),
    /// Take a port's configuration away; the device stays
    #[command(visible_alias = "delete")]
    Del {
        /// Name of the device
        device: String,
        #[command(flatten)]
        place: Place,
    },
    /// Show all ports, those in one namespace, or one
    #[command(visible_aliases = ["list", "ls"])]
    Show {
        /// Name of the device
        device: Option<String>,
        #[command(flatten)]
        place: Place,
        /// Show sources, what waits and since when the node is silent too
        #[arg(short, long)]
        detail: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Set {
    /// Name of the device
    device: String,

    #[command(flatten)]
    place: Place,

    /// The node's network
    #[arg(long = "net", value_name = "VNI", value_parser = prefix::vni)]
    vni: Vni,

    /// The node's virtual address
    #[arg(long, alias = "addr")]
    address: Ipv4Addr,

    /// The node's id in the manager's data, 16 hexadecimal digits: this host's agent then claims it,
    /// and the port stands by until that is granted; all zero: none [default: as it is, or none]
    #[arg(long, value_name = "ID", value_parser = prefix::node)]
    node: Option<u64>,

    /// The node's MAC [default: derived from the address]
    #[arg(long, value_parser = prefix::mac)]
    mac: Option<Mac>,

    /// Generation of the node's mapping [default: one more than the known one]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=GEN_MAX))]
    gen: Option<u64>,

    /// active: the node is here; standby: it will come, what arrives waits; frozen: it pauses,
    /// what is for it waits [default: as it is, or active; standby with --node]
    #[arg(long, value_parser = state)]
    state: Option<PortState>,

    /// The host that gets what arrives at a frozen port [default: it waits here]
    #[arg(long, value_name = "LOCATOR", value_parser = prefix::locator)]
    forward_to: Option<Locator>,

    /// strict: drop what the node sends from addresses that are not its own, as a spoof; learn:
    /// report it as a new address [default: as it is, or strict]
    #[arg(long, value_name = "CHECK", value_parser = source_check)]
    source_check: Option<SourceCheck>,

    /// The slot in the network whose packets the port gets, whatever their address: for a node that
    /// others are behind; 0: none [default: as it is, or none]
    #[arg(long, value_parser = clap::value_parser!(u8).range(0..=63))]
    slot: Option<u8>,

    /// An address or prefix the node may send from beside its own, once for each; these replace
    /// those the port had [default: as they are]
    #[arg(long = "source", value_name = "PREFIX", value_parser = prefix::source)]
    sources: Vec<Source>,

    /// Let the node send from its own address only
    #[arg(long, conflicts_with = "sources")]
    no_sources: bool,

    /// Let the port carry packets only while the lease of this host lasts (`ovctl host set --lease`),
    /// or whether there is one or not [default: as it is, or no]
    #[arg(long, value_name = "yes|no", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "yes", value_parser = yes_or_no)]
    lease: Option<bool>,
}

/// A state that a port can be set to, by its word.
fn state(text: &str) -> Result<PortState, String> {
    let states = [PortState::Active, PortState::Standby, PortState::Frozen];
    one_of(text, &states, PortState::name)
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    one_of(text, &[true, false], |yes| {
        Some(if yes { "yes" } else { "no" })
    })
}

fn source_check(text: &str) -> Result<SourceCheck, String> {
    let checks = [SourceCheck::Strict, SourceCheck::Learn];
    one_of(text, &checks, SourceCheck::name)
}

/// Where a device is.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The namespace the device is in, if not the host's: a name in /run/netns, a path, or pid:N
    #[arg(long)]
    netns: Option<Netns>,
}

impl Place {
    pub(crate) fn open(&self) -> Result<Option<OpenNetns>, Failure> {
        self.netns.as_ref().map(Netns::open).transpose()
    }
}

/// A device as netlink names it.
pub(crate) fn device<'fd>(
    netns: Option<&'fd OpenNetns>,
    name: &str,
) -> Result<Device<'fd>, Failure> {
    Ok(Device {
        netns: netns.map(OpenNetns::as_fd),
        ..Device::here(ifindex(netns, name)?)
    })
}

impl Command {
    pub(crate) fn run(self, output: &mut Output<'_>) -> Result<(), Failure> {
        let mut client = Client::connect()?;
        match self {
            Command::Set(set) => set.run(&mut client),
            Command::Del {
                device: name,
                place,
            } => {
                let netns = place.open()?;
                let device = device(netns.as_ref(), &name)?;
                client
                    .port_del(device)
                    .map_err(Failure::with_hints([no_such_device(), not_listed()]))
            }
            Command::Show {
                device: Some(name),
                place,
                detail,
            } => {
                let netns = place.open()?;
                let device = device(netns.as_ref(), &name)?;
                let port = client
                    .port_get(device)
                    .map_err(Failure::with_hints([no_such_device(), not_listed()]))?;
                list([Ok(port)], detail, output)
            }
            Command::Show {
                device: None,
                place,
                detail,
            } => match place.open()? {
                None => list(client.ports()?, detail, output),
                Some(netns) => {
                    let id = id_of(&netns)?;
                    let here = |port: &Port| Some(port.netns_id) == id;
                    let ports = client.ports()?;
                    let ports = ports.filter(|port| port.as_ref().map_or(true, here));
                    list(ports, detail, output)
                }
            },
        }
    }
}

impl Set {
    fn run(self, client: &mut Client) -> Result<(), Failure> {
        let netns = self.place.open()?;
        let port = PortSet {
            device: device(netns.as_ref(), &self.device)?,
            vni: self.vni,
            address: self.address,
            mac: self.mac,
            gen: self.gen,
            state: self.state,
            locator: self.forward_to,
            source_check: self.source_check,
            slot: self.slot,
            sources: match self.sources {
                sources if sources.is_empty() && !self.no_sources => None,
                sources => Some(sources),
            },
            node: self.node,
            lease: self.lease,
        };
        client.port_set(&port).map_err(Failure::with_hints([
            no_such_device(),
            host::without_locator(),
            net::unknown(self.vni),
            taken(),
            not_here(self.vni, self.address),
            not_frozen(),
            not_active(),
            mapping::full(),
            mapping::stale(self.vni, self.address),
            mapping::same_gen(),
            no_lease(),
        ]))
    }
}

fn no_lease() -> Hint {
    let text = "`ovctl host set --lease TIME` begins the lease of this host";
    Hint::of(Errno::EINVAL, text).at("lease")
}

fn not_listed() -> Hint {
    let text = "`ovctl port show` lists the ports of this host";
    Hint::of(Errno::ENOENT, text)
}

fn taken() -> Hint {
    let text = "`ovctl port show` tells which port has the address; `ovctl port del` frees it";
    Hint::of(Errno::EADDRINUSE, text)
}

fn not_here(vni: Vni, address: Ipv4Addr) -> Hint {
    let text = format!("`ovctl mapping show {vni} {address}` shows where the node is");
    Hint::of(Errno::EBUSY, text).at("state")
}

fn not_frozen() -> Hint {
    let text = "`--state frozen` with --forward-to has what arrives forwarded";
    Hint::of(Errno::EINVAL, text).at("locator")
}

fn not_active() -> Hint {
    let text = "leave --gen to the change to `--state active`, which says that the node is here";
    Hint::of(Errno::EINVAL, text).at("gen")
}

/// What to do about a device that is there but is no port of this host.
pub(crate) fn no_such_device() -> Hint {
    let text = "a port is made from the host's namespace: `ip link add NAME netns NS type ovnet`";
    Hint::of(Errno::ENODEV, text).at("ifindex")
}

fn list(
    ports: impl IntoIterator<Item = Result<Port, Error>>,
    detail: bool,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let mut names = Names::new();
    let lines = ports
        .into_iter()
        .map(|port| port.and_then(|port| Line::new(port, &mut names)));
    match detail {
        false => output.list(lines),
        true => output.list(lines.map(|line| line.map(Detail))),
    }
}

/// The attribute `netns-id` of ports in a namespace, which has none for the host's own; `None` if
/// the kernel has not given the namespace an id, so that no port can be in it.
fn id_of(netns: &OpenNetns) -> Result<Option<Option<i32>>, Failure> {
    let own = netns
        .is_own()
        .map_err(|error| Error::Io("cannot read the namespace", error))?;
    if own {
        return Ok(Some(None));
    }
    Ok(NetnsIds::open()?.id(netns.as_fd())?.map(Some))
}

/// A port with its namespace by name.
struct Line {
    port: Port,
    netns: Option<String>,
}

impl Line {
    fn new(port: Port, names: &mut Names) -> Result<Line, Error> {
        let netns = names.of(port.netns_id)?;
        Ok(Line { port, netns })
    }
}

impl Row for Line {
    const COLUMNS: &'static [&'static str] =
        &["DEVICE", "NETNS", "VNI", "ADDRESS", "MAC", "STATE", "GEN"];

    fn cells(&self) -> Vec<String> {
        let port = &self.port;
        vec![
            port.ifname.clone(),
            cell(netns::text(self.netns.as_deref(), port.netns_id)),
            cell(port.vni),
            cell(port.address),
            cell(port.mac),
            cell(port.state.map(|state| word(state.name(), state.into()))),
            cell(port.gen),
        ]
    }

    fn object(&self) -> Object {
        let port = &self.port;
        let mut object = Object::new();
        put(&mut object, "ifindex", Some(port.ifindex));
        put(&mut object, "netns-id", port.netns_id);
        put_text(&mut object, "netns", self.netns.as_deref());
        put_text(&mut object, "ifname", Some(&port.ifname));
        put(&mut object, "vni", port.vni.map(Vni::get));
        put_text(&mut object, "address", port.address);
        put_text(&mut object, "mac", port.mac);
        put(&mut object, "gen", port.gen);
        let state = port.state.map(|state| word(state.name(), state.into()));
        put(&mut object, "state", state);
        put_text(&mut object, "locator", port.locator);
        let check = port
            .source_check
            .map(|check| word(check.name(), check.into()));
        put(&mut object, "source-check", check);
        if !port.sources.is_empty() {
            let sources = port.sources.iter().copied().map(source_object);
            put(&mut object, "source", Some(sources.collect::<Vec<Value>>()));
        }
        put(&mut object, "slot", port.slot);
        put(&mut object, "parked", port.parked);
        put_ms(&mut object, "idle", port.idle);
        put_text(&mut object, "node", port.node.map(prefix::node_text));
        put(&mut object, "lease", port.lease.then_some(true));
        object
    }
}

fn source_object(source: Source) -> Value {
    let mut object = Object::new();
    put_text(&mut object, "address", Some(source.address));
    put(&mut object, "prefix-len", Some(source.prefix_len));
    put_ms(&mut object, "idle", source.idle);
    Value::Object(object)
}

/// A port with all that is known of it.
struct Detail(Line);

impl Row for Detail {
    const COLUMNS: &'static [&'static str] = &[
        "DEVICE",
        "NETNS",
        "VNI",
        "ADDRESS",
        "MAC",
        "STATE",
        "GEN",
        "FORWARD-TO",
        "PARKED",
        "IDLE",
        "CHECK",
        "SOURCES",
        "NODE",
        "LEASE",
    ];

    fn cells(&self) -> Vec<String> {
        let port = &self.0.port;
        let check = port.source_check;
        let sources = port.sources.iter().copied().map(prefix::source_text);
        let sources = sources.collect::<Vec<_>>().join(",");
        let mut cells = self.0.cells();
        cells.extend([
            cell(port.locator),
            cell(port.parked),
            cell(port.idle.map(duration::short)),
            cell(check.map(|check| word(check.name(), check.into()))),
            cell(Some(sources).filter(|sources| !sources.is_empty())),
            cell(port.node.map(prefix::node_text)),
            cell(port.lease.then_some("yes")),
        ]);
        cells
    }

    fn object(&self) -> Object {
        self.0.object()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::output::capture;

    fn ports() -> Vec<Line> {
        let address = Ipv4Addr::new(10, 0, 0, 2);
        let configured = Port {
            ifindex: 5,
            netns_id: Some(2),
            ifname: "eth0".into(),
            vni: Vni::new(7),
            address: Some(address),
            mac: Some(Mac::of(address)),
            gen: Some((1 << 40) + 1),
            state: Some(PortState::Frozen),
            locator: Some(prefix::locator("fd00:a:1:2::/64").unwrap()),
            source_check: Some(SourceCheck::Learn),
            slot: None,
            sources: vec![
                prefix::source("10.0.0.9").unwrap(),
                Source {
                    idle: Some(Duration::from_millis(1500)),
                    ..prefix::source("10.1.0.0/24").unwrap()
                },
            ],
            parked: Some(4),
            idle: Some(Duration::from_secs(90)),
            node: Some(0xaa),
            lease: true,
        };
        let unnamed = Port {
            netns_id: Some(3),
            state: Some(PortState::Active),
            locator: None,
            source_check: Some(SourceCheck::Strict),
            slot: None,
            sources: vec![],
            parked: None,
            idle: None,
            node: None,
            lease: false,
            ..configured.clone()
        };
        let bare = Port {
            ifindex: 9,
            netns_id: None,
            ifname: "v1".into(),
            vni: None,
            address: None,
            mac: None,
            gen: None,
            state: None,
            locator: None,
            source_check: None,
            slot: None,
            sources: vec![],
            parked: None,
            idle: None,
            node: None,
            lease: false,
        };
        let line = |port, netns: Option<&str>| Line {
            port,
            netns: netns.map(str::to_owned),
        };
        vec![
            line(configured, Some("blue")),
            line(unnamed, None),
            line(bare, None),
        ]
    }

    #[test]
    fn the_table_names_namespaces_where_they_have_names() {
        assert_eq!(
            capture::list(ports(), false),
            "\
DEVICE  NETNS   VNI  ADDRESS   MAC                STATE   GEN
eth0    blue    7    10.0.0.2  02:76:0a:00:00:02  frozen  1099511627777
eth0    nsid:3  7    10.0.0.2  02:76:0a:00:00:02  active  1099511627777
v1      -       -    -         -                  -       -
"
        );
    }

    #[test]
    fn the_detail_has_what_waits_and_what_the_node_may_send_from() {
        let table = capture::list(ports().into_iter().map(Detail).collect(), false);
        let ends: Vec<_> = table
            .lines()
            .map(|line| line.split_whitespace().skip(7).collect::<Vec<_>>())
            .collect();
        assert_eq!(
            ends,
            [
                [
                    "FORWARD-TO",
                    "PARKED",
                    "IDLE",
                    "CHECK",
                    "SOURCES",
                    "NODE",
                    "LEASE"
                ],
                [
                    "fd00:a:1:2::/64",
                    "4",
                    "1m30s",
                    "learn",
                    "10.0.0.9,10.1.0.0/24",
                    "00000000000000aa",
                    "yes"
                ],
                ["-", "-", "-", "strict", "-", "-", "-"],
                ["-", "-", "-", "-", "-", "-", "-"],
            ]
        );
    }

    #[test]
    fn the_json_leaves_out_what_an_unconfigured_port_has_not() {
        let json: serde_json::Value = serde_json::from_str(&capture::list(ports(), true)).unwrap();
        assert_eq!(
            json[0],
            serde_json::json!({
                "ifindex": 5,
                "netns-id": 2,
                "netns": "blue",
                "ifname": "eth0",
                "vni": 7,
                "address": "10.0.0.2",
                "mac": "02:76:0a:00:00:02",
                "gen": 1_099_511_627_777_u64,
                "state": "frozen",
                "locator": "fd00:a:1:2::/64",
                "source-check": "learn",
                "source": [
                    {"address": "10.0.0.9", "prefix-len": 32},
                    {"address": "10.1.0.0", "prefix-len": 24, "idle": 1500},
                ],
                "parked": 4,
                "idle": 90_000,
                "node": "00000000000000aa",
                "lease": true,
            })
        );
        assert_eq!(json[1].get("netns"), None);
        assert_eq!(json[2], serde_json::json!({"ifindex": 9, "ifname": "v1"}));
    }
}
