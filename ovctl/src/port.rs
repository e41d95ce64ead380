// SPDX-License-Identifier: GPL-2.0

//! `ovctl port`: which node an ovnet device is the port of.

use std::net::Ipv4Addr;
use std::os::fd::AsFd;

use clap::{Args, Subcommand};
use nix::errno::Errno;
use ovnet_uapi::generated::GEN_MAX;
use ovnet_uapi::{Client, Device, Error, Mac, NetnsIds, Port, PortSet, Vni};

use crate::failure::{Failure, Hint};
use crate::netns::{self, ifindex, Names, Netns, OpenNetns};
use crate::output::{cell, put, put_text, Object, Output, Row};
use crate::{host, mapping, net, prefix};

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
    #[arg(long)]
    address: Ipv4Addr,

    /// The node's MAC [default: derived from the address]
    #[arg(long, value_parser = prefix::mac)]
    mac: Option<Mac>,

    /// Generation of the node's mapping [default: one more than the known one]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=GEN_MAX))]
    gen: Option<u64>,
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
        ifindex: ifindex(netns, name)?,
        netns: netns.map(OpenNetns::as_fd),
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
            } => {
                let netns = place.open()?;
                let device = device(netns.as_ref(), &name)?;
                let port = client
                    .port_get(device)
                    .map_err(Failure::with_hints([no_such_device(), not_listed()]))?;
                let line = Line::new(port, &mut Names::new());
                output.list([line])
            }
            Command::Show {
                device: None,
                place,
            } => match place.open()? {
                None => list(&mut client, output, |_| true),
                Some(netns) => {
                    let id = id_of(&netns)?;
                    list(&mut client, output, |port| Some(port.netns_id) == id)
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
        };
        client.port_set(&port).map_err(Failure::with_hints([
            no_such_device(),
            host::without_locator(),
            net::unknown(self.vni),
            taken(),
            mapping::stale(self.vni, self.address),
            mapping::same_gen(),
        ]))
    }
}

fn not_listed() -> Hint {
    let text = "`ovctl port show` lists the ports of this host";
    Hint::of(Errno::ENOENT, text)
}

fn taken() -> Hint {
    let text = "`ovctl port show` tells which port has the address; `ovctl port del` frees it";
    Hint::of(Errno::EADDRINUSE, text)
}

/// What to do about a device that is there but is no port of this host.
pub(crate) fn no_such_device() -> Hint {
    let text = "a port is made from the host's namespace: `ip link add NAME netns NS type ovnet`";
    Hint::of(Errno::ENODEV, text).at("ifindex")
}

fn list(
    client: &mut Client,
    output: &mut Output<'_>,
    wanted: impl Fn(&Port) -> bool,
) -> Result<(), Failure> {
    let mut names = Names::new();
    let ports = client
        .ports()?
        .filter(|port| port.as_ref().map_or(true, &wanted));
    output.list(ports.map(|port| port.and_then(|port| Line::new(port, &mut names))))
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
    const COLUMNS: &'static [&'static str] = &["DEVICE", "NETNS", "VNI", "ADDRESS", "MAC", "GEN"];

    fn cells(&self) -> Vec<String> {
        let port = &self.port;
        vec![
            port.ifname.clone(),
            cell(netns::text(self.netns.as_deref(), port.netns_id)),
            cell(port.vni),
            cell(port.address),
            cell(port.mac),
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
        object
    }
}

#[cfg(test)]
mod tests {
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
        };
        let unnamed = Port {
            netns_id: Some(3),
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
DEVICE  NETNS   VNI  ADDRESS   MAC                GEN
eth0    blue    7    10.0.0.2  02:76:0a:00:00:02  1099511627777
eth0    nsid:3  7    10.0.0.2  02:76:0a:00:00:02  1099511627777
v1      -       -    -         -                  -
"
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
            })
        );
        assert_eq!(json[1].get("netns"), None);
        assert_eq!(json[2], serde_json::json!({"ifindex": 9, "ifname": "v1"}));
    }
}
