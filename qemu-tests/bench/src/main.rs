// SPDX-License-Identifier: GPL-2.0

//! One measurement of the benchmark, in a guest whose topology is drawn (`topology.sh`).
//!
//! One thread owns both ends of the traffic: it sends a little, takes that in, and so on. Nothing is
//! lost, nothing waits, and on the one CPU of a guest whose clock ticks once per instruction the
//! difference of two readings is what the whole path executed: system calls, both nodes, both hosts.
//!
//! A measurement prints `FIGURE NAME ticks=T nanoseconds=N units=U frames=F bytes=B`: of the clock, of
//! time, units of traffic, and what the substrate's device sent meanwhile.

mod dump;
mod fill;
mod mappings;
mod meter;
mod netlink;
mod profile;
mod spread;
mod symbols;
mod sys;
mod tcp;
mod topology;
mod udp;

use std::error::Error;
use std::net::IpAddr;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Measures traffic from namespace A to namespace G")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// One-way datagrams; a unit is a packet
    Udp {
        /// What the measurement is called
        figure: String,
        /// G's address
        address: IpAddr,
        /// Payload of a packet, in bytes
        #[arg(long)]
        size: usize,
        /// Packets
        #[arg(long, default_value_t = 4096)]
        count: usize,
    },
    /// Requests and responses of 64 bytes on one TCP connection; a unit is a pair
    Rr {
        /// What the measurement is called
        figure: String,
        /// G's address
        address: IpAddr,
        /// Pairs
        #[arg(long, default_value_t = 2000)]
        count: usize,
    },
    /// One TCP stream; a unit is a byte
    Bulk {
        /// What the measurement is called
        figure: String,
        /// G's address
        address: IpAddr,
        /// Bytes, in MiB
        #[arg(long, default_value_t = 16)]
        mib: usize,
    },
    /// Prints the largest packet of A that crosses the substrate as one frame, in bytes
    Mtu {
        /// G's address
        address: IpAddr,
        /// The largest packet to try
        #[arg(long)]
        limit: usize,
    },
    /// Makes many of something on a host
    Fill {
        /// The host's namespace
        host: String,
        /// Of what
        kind: fill::Kind,
        /// The first one's number
        from: u32,
        /// The number behind the last one's
        to: u32,
    },
    /// Dumps the mappings of network 7 on a host while some change; a unit is a mapping
    Dump {
        /// The host's namespace
        host: String,
        /// How many there are from 11.0.0.0 up
        count: u32,
    },
    /// Datagrams to nodes behind a device that forgets them; a unit is a packet
    Spread {
        /// What the measurement is called
        figure: String,
        /// How many nodes there are from 11.0.0.0 up
        among: u32,
        /// Packets
        #[arg(long, default_value_t = 4096)]
        count: u32,
    },
    /// What mappings cost the kernel; a unit is a mapping
    Mappings {
        /// The host's namespace
        host: String,
        /// How many
        #[arg(long)]
        count: u32,
        /// Say where the instructions go instead
        #[arg(long)]
        profile: bool,
    },
    /// Where the instructions go
    Profile {
        /// Of what
        way: profile::Way,
        /// G's address
        address: IpAddr,
        /// Bursts of traffic
        #[arg(long, default_value_t = 16384)]
        bursts: usize,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse().what) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ovnet-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(what: &What) -> Result<(), Box<dyn Error>> {
    match what {
        What::Udp {
            figure,
            address,
            size,
            count,
        } => {
            let reading = udp::Traffic::open(*address, *size)?.measure(*count)?;
            reading.print(figure);
        }
        What::Rr {
            figure,
            address,
            count,
        } => tcp::request_response(*address, *count)?.print(figure),
        What::Bulk {
            figure,
            address,
            mib,
        } => tcp::stream(*address, mib << 20)?.print(figure),
        What::Mtu { address, limit } => println!("{}", udp::node_mtu(*address, *limit)?),
        What::Fill {
            host,
            kind,
            from,
            to,
        } => fill::fill(host, *kind, *from, *to)?,
        What::Dump { host, count } => dump::dump(host, *count)?,
        What::Spread {
            figure,
            among,
            count,
        } => spread::measure(figure, *among, *count)?,
        What::Mappings {
            host,
            count,
            profile: false,
        } => mappings::measure(host, *count)?,
        What::Mappings { host, count, .. } => mappings::profile(host, *count)?,
        What::Profile {
            way,
            address,
            bursts,
        } => profile::print(*way, *address, *bursts)?,
    }
    Ok(())
}
