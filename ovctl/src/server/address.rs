// SPDX-License-Identifier: GPL-2.0

//! `ovctl address`: the addresses of nodes, and where those are.

use std::net::Ipv4Addr;

use clap::Subcommand;
use ovnet_uapi::Vni;

use super::change::{self, Change, Which};
use super::node::Node;
use super::{host, net, node, text, Server};
use crate::failure::Failure;
use crate::output::{Object, Output, Row};
use crate::prefix;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Give a node a further address, which its port gets where it is attached, and show the node
    Add {
        /// The id of the node
        #[arg(value_parser = prefix::node)]
        node: u64,
        /// The address [default: a free one of the network]
        address: Option<Ipv4Addr>,
    },
    /// Take an address from a node
    #[command(visible_alias = "delete")]
    Del {
        /// The id of the node
        #[arg(value_parser = prefix::node)]
        node: u64,
        /// The address
        address: Ipv4Addr,
        #[command(flatten)]
        change: Change,
    },
    /// Show the addresses of a network: whose each is, and where that node is
    #[command(visible_aliases = ["list", "ls"])]
    Show {
        /// The network
        #[arg(value_parser = prefix::vni)]
        vni: Vni,
    },
}

impl Command {
    pub(super) fn run(self, server: &Server, output: &mut Output<'_>) -> Result<(), Failure> {
        match self {
            Command::Add { node, address } => {
                let mut object = Object::new();
                if let Some(address) = address {
                    object.insert("address".into(), address.to_string().into());
                }
                let path = format!("{}/addresses", node::path(node));
                let node = server.post(&path, &object)?.object;
                output.list([Ok(Node(node))])
            }
            Command::Del {
                node,
                address,
                change,
            } => {
                let path = format!("{}/addresses/{address}", node::path(node));
                let which = Which {
                    path: &path,
                    kind: "address",
                    id: address.to_string().into(),
                };
                change::delete(server, &which, &change, output)
            }
            Command::Show { vni } => {
                let path = format!("{}/addresses", net::path(vni));
                let addresses = server.items(&path);
                output.rows(addresses.map(|it| it.map(Address)))
            }
        }
    }
}

struct Address(Object);

impl Row for Address {
    const COLUMNS: &'static [&'static str] = &["VNI", "ADDRESS", "NODE", "HOME", "AT"];

    fn cells(&self) -> Vec<String> {
        vec![
            text(&self.0, "network"),
            text(&self.0, "address"),
            text(&self.0, "node"),
            host::cell(&self.0, "home"),
            host::cell(&self.0, "at"),
        ]
    }

    fn object(&self) -> Object {
        self.0.clone()
    }
}
