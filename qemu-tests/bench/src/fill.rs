// SPDX-License-Identifier: GPL-2.0

//! Fills a host with what the packets that are measured have nothing to do with.

use std::error::Error;
use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;

use clap::ValueEnum;
use nix::net::if_::if_nametoindex;
use ovnet_uapi::{Client, Device, NetworkSet, PortSet, Vni};

use crate::topology;

/// What there may be many of.
#[derive(Clone, Copy, ValueEnum)]
pub enum Kind {
    /// Networks
    Networks,
    /// Ports in network 7, of the devices pNUMBER that there are in namespace X
    Ports,
}

/// Makes those with the numbers from `from` up to `to`, on the host in namespace `host`.
pub fn fill(host: &str, kind: Kind, from: u32, to: u32) -> Result<(), Box<dyn Error>> {
    topology::enter(host)?;
    let mut client = Client::connect()?;
    let vni = |number| Vni::new(number).ok_or("no number of a network");
    match kind {
        Kind::Networks => {
            for number in from..to {
                // Network 7 is the nodes' own.
                client.network_set(&NetworkSet::new(vni(number + 1000)?))?;
            }
        }
        Kind::Ports => {
            let nodes = File::open("/run/netns/X")?;
            topology::enter("X")?;
            for number in from..to {
                let ifindex = if_nametoindex(format!("p{number}").as_str())?;
                let device = Device {
                    netns: Some(nodes.as_fd()),
                    ..Device::here(ifindex)
                };
                let address = Ipv4Addr::from_bits(0x0a08_0000 + number);
                client.port_set(&PortSet::new(device, vni(7)?, address))?;
            }
        }
    }
    Ok(())
}
