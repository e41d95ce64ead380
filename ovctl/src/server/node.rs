// SPDX-License-Identifier: GPL-2.0

//! `ovctl node`: nodes, and the hosts they are to be on.

use std::net::Ipv4Addr;

use clap::{Args, Subcommand};
use ovnet_uapi::{Locator, Mac, Vni};
use serde_json::Value;

use super::change::{self, Change, Which};
use super::client::Condition;
use super::{host, text, Server};
use crate::failure::Failure;
use crate::output::{Object, Output, Row};
use crate::prefix;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a node, and show it
    #[command(visible_alias = "create")]
    Add(Add),
    /// Change where a node is to be and which addresses it has
    Set {
        /// Its id
        #[arg(value_parser = prefix::node)]
        node: u64,
        /// The host it is to be on, by its /64 or its id; none for no host
        #[arg(long, value_name = "HOST|none", value_parser = place)]
        host: Option<Place>,
        /// Its addresses, all of them; those it was learned to have stay
        #[arg(long = "address", value_name = "ADDRESS")]
        addresses: Vec<Ipv4Addr>,
        #[command(flatten)]
        change: Change,
    },
    /// Delete a node
    #[command(visible_alias = "delete")]
    Del {
        /// Its id
        #[arg(value_parser = prefix::node)]
        node: u64,
        #[command(flatten)]
        change: Change,
    },
    /// Show all nodes, or one
    #[command(visible_aliases = ["list", "ls"])]
    Show {
        /// Its id
        #[arg(value_parser = prefix::node)]
        node: Option<u64>,
        /// Only nodes of this network
        #[arg(long, value_name = "VNI", value_parser = prefix::vni, conflicts_with = "node")]
        net: Option<Vni>,
        /// Only nodes that are to be on this host, by its /64 or its id
        #[arg(long, value_parser = prefix::locator, conflicts_with = "node")]
        host: Option<Locator>,
    },
}

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Add {
    /// Its id, which no other node has had: 16 hexadecimal digits [default: the manager's choice]
    #[arg(value_parser = prefix::node)]
    node: Option<u64>,
    /// Its network
    #[arg(long, value_name = "VNI", value_parser = prefix::vni)]
    net: Vni,
    /// What people call it
    #[arg(long)]
    name: String,
    /// An address; several times for several [default: a free one of the network]
    #[arg(long = "address", value_name = "ADDRESS")]
    addresses: Vec<Ipv4Addr>,
    /// The MAC others see [default: derived from the address]
    #[arg(long, value_parser = prefix::mac)]
    mac: Option<Mac>,
    /// The host it is to be on, by its /64 or its id
    #[arg(long, value_parser = prefix::locator)]
    host: Option<Locator>,
    /// Only say what would be created
    #[arg(long)]
    dry_run: bool,
}

/// Where a node is to be: on a host, or nowhere.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place(Option<Locator>);

fn place(text: &str) -> Result<Place, String> {
    match text {
        "none" => Ok(Place(None)),
        text => prefix::locator(text).map(|host| Place(Some(host))),
    }
}

const LIST: &str = "/v1/nodes";

/// The path of a node.
pub(crate) fn path(node: u64) -> String {
    format!("{LIST}/{}", prefix::node_text(node))
}

fn which<'w>(path: &'w str, id: &'w str) -> Which<'w> {
    Which {
        path,
        kind: "node",
        id: id.into(),
    }
}

impl Command {
    pub(super) fn run(self, server: &Server, output: &mut Output<'_>) -> Result<(), Failure> {
        match self {
            Command::Add(add) => add.run(server, output),
            Command::Set {
                node,
                host,
                addresses,
                change,
            } => {
                let make = |before| make(node, host, &addresses, before);
                let (path, id) = (path(node), prefix::node_text(node));
                change::set(server, &which(&path, &id), &change, make, output)
            }
            Command::Del { node, change } => {
                let (path, id) = (path(node), prefix::node_text(node));
                change::delete(server, &which(&path, &id), &change, output)
            }
            Command::Show {
                node: Some(node), ..
            } => {
                let node = server.get(&path(node))?.with_etag();
                output.list([Ok(Node(node))])
            }
            Command::Show { net, host, .. } => {
                let host = host.map(host::id);
                let wanted = |node: &Object| {
                    let network = node.get("network").and_then(Value::as_u64);
                    let at = node.get("host").and_then(Value::as_str);
                    net.is_none_or(|net| network == Some(net.get().into()))
                        && (host.is_none() || at == host.as_deref())
                };
                let nodes = server.items(LIST);
                let nodes = nodes.filter(|node| node.as_ref().map_or(true, wanted));
                output.rows(nodes.map(|it| it.map(Node)))
            }
        }
    }
}

impl Add {
    fn run(self, server: &Server, output: &mut Output<'_>) -> Result<(), Failure> {
        let mut object = Object::new();
        object.insert("name".into(), self.name.into());
        object.insert("network".into(), self.net.get().into());
        object.insert("addresses".into(), texts(&self.addresses));
        if let Some(mac) = self.mac {
            object.insert("mac".into(), mac.to_string().into());
        }
        if let Some(host) = self.host {
            object.insert("host".into(), host::id(host).into());
        }
        let query = if self.dry_run { "?dry_run=true" } else { "" };
        let made = match self.node {
            Some(node) => {
                let path = format!("{}{query}", path(node));
                server.put(&path, Condition::Absent, Some(&object))
            }
            None => server.post(&format!("{LIST}{query}"), &object),
        };
        let mut made = made?.object;
        if self.dry_run {
            if self.node.is_none() {
                // The id it would get is not the one it is going to get.
                made.remove("id");
            }
            let id = self.node.map_or_else(String::new, prefix::node_text);
            return change::tell(&which("", &id), None, Some(&made), output);
        }
        output.list([Ok(Node(made))])
    }
}

fn texts(addresses: &[Ipv4Addr]) -> Value {
    let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    addresses.into()
}

/// What a node is to be, of what it is. An address that was learned is the node's own doing.
fn make(
    node: u64,
    host: Option<Place>,
    addresses: &[Ipv4Addr],
    before: Option<Object>,
) -> Result<Object, Failure> {
    let Some(mut object) = before else {
        let node = prefix::node_text(node);
        let text = format!("there is no node {node}: `ovctl node add {node}` creates it");
        return Err(Failure::Input(text));
    };
    object.remove("id");
    let provisioned = match object.remove("addresses") {
        Some(Value::Array(all)) => all
            .into_iter()
            .filter(|it| it.get("learned") != Some(&Value::Bool(true)))
            .filter_map(|it| it.get("address").cloned())
            .collect(),
        _ => Vec::new(),
    };
    let addresses = match addresses {
        [] => Value::Array(provisioned),
        given => texts(given),
    };
    object.insert("addresses".into(), addresses);
    if let Some(Place(host)) = host {
        let host = host.map_or(Value::Null, |host| host::id(host).into());
        object.insert("host".into(), host);
    }
    Ok(object)
}

/// A node as a row.
pub(crate) struct Node(pub(crate) Object);

impl Row for Node {
    const COLUMNS: &'static [&'static str] = &["ID", "NAME", "NETWORK", "ADDRESSES", "MAC", "HOST"];

    fn cells(&self) -> Vec<String> {
        let addresses = self.0.get("addresses").and_then(Value::as_array);
        let addresses = addresses.into_iter().flatten().filter_map(|it| {
            let learned = it.get("learned") == Some(&Value::Bool(true));
            let address = it.get("address")?.as_str()?;
            Some(format!("{address}{}", if learned { "*" } else { "" }))
        });
        let addresses = addresses.collect::<Vec<_>>().join(",");
        vec![
            text(&self.0, "id"),
            text(&self.0, "name"),
            text(&self.0, "network"),
            if addresses.is_empty() {
                crate::output::NONE.to_owned()
            } else {
                addresses
            },
            text(&self.0, "mac"),
            host::cell(&self.0, "host"),
        ]
    }

    fn object(&self) -> Object {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::capture;
    use serde_json::json;

    fn node() -> Object {
        let node = json!({
            "id": "00000000000000aa", "name": "web", "network": 7, "mac": null, "host": "fd00000a00010001",
            "addresses": [{"address": "10.0.0.2", "learned": false}, {"address": "10.0.0.9", "learned": true}],
        });
        node.as_object().unwrap().clone()
    }

    #[test]
    fn a_node_is_a_row() {
        assert_eq!(
            capture::list(vec![Node(node())], false),
            "ID                NAME  NETWORK  ADDRESSES           MAC  HOST\n\
             00000000000000aa  web   7        10.0.0.2,10.0.0.9*  -    fd00:a:1:1::/64\n"
        );
    }

    #[test]
    fn what_is_not_said_of_a_node_stays() {
        let made = make(0xaa, None, &[], Some(node())).unwrap();
        assert_eq!(made["addresses"], json!(["10.0.0.2"]));
        assert_eq!(made["host"], "fd00000a00010001");
        assert!(!made.contains_key("id"));
        let nowhere = make(0xaa, Some(Place(None)), &[], Some(node())).unwrap();
        assert_eq!(nowhere["host"], Value::Null);
        let missing = make(0xaa, None, &[], None).unwrap_err().to_string();
        assert!(missing.contains("ovctl node add"), "{missing}");
    }
}
