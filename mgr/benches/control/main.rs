// SPDX-License-Identifier: GPL-2.0

//! What a manager does in a second, and how soon: a real process on real sockets, a thousand agents
//! over mutual TLS.
//!
//! ```text
//!   this process                                     ovmgrd
//!   64 programs ───────── HTTP ────────────────────► API ─┐
//!   1,000 agents ──────── gRPC, a certificate each ─► shard ── store
//! ```

mod api;
#[allow(dead_code, reason = "the tests of the daemon use all of it")]
#[path = "../../tests/common/daemon.rs"]
mod daemon;
#[allow(dead_code, reason = "the tests of the stores use all of it")]
#[path = "../../tests/common/etcd.rs"]
mod etcd;
mod host;
mod load;
mod progress;
mod report;
mod site;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

use load::Load;
use report::Report;
use site::{Site, Size};

/// Where the provisioning data is.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Store {
    /// A file.
    Embedded,
    /// Three members on this machine.
    Etcd,
}

/// Measures a manager.
#[derive(Parser)]
struct Arguments {
    /// Agents, and hosts.
    #[arg(long, default_value_t = 1000)]
    agents: usize,
    /// Nodes of each host, and networks.
    #[arg(long, default_value_t = 20)]
    nodes: usize,
    /// Where the provisioning data is.
    #[arg(long, value_enum, default_value = "embedded")]
    store: Store,
    /// Where the figures are written.
    #[arg(long, default_value = "out/bench-control.json")]
    out: PathBuf,
    /// Said by `cargo bench`.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("control: {error}");
            return ExitCode::FAILURE;
        }
    };
    let cluster = match arguments.store {
        Store::Embedded => None,
        Store::Etcd => Some(etcd::Cluster::start(3)),
    };
    let store = match &cluster {
        None => String::new(),
        Some(cluster) => {
            // It answers as soon as it has a leader.
            drop(runtime.block_on(cluster.connect("wait/")));
            let endpoints = cluster.options("").endpoints;
            format!("[store]\nkind = \"etcd\"\n[store.etcd]\nendpoints = {endpoints:?}\n")
        }
    };
    let size = Size {
        hosts: arguments.agents,
        nodes: arguments.nodes,
    };
    let mut report = Report::default();
    let site = Site::start(size, &store, &runtime, &mut report);
    let mut load = Load::new(site);
    load.changes(&mut report);
    load.storm(&mut report);
    load.flood(&mut report);
    load.restart(&mut report);
    println!(
        "{} agents, {} nodes, store: {:?}",
        size.hosts,
        size.all(),
        arguments.store
    );
    report.show();
    match report.write(&arguments.out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", arguments.out.display());
            ExitCode::FAILURE
        }
    }
}
