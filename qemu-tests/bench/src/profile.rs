// SPDX-License-Identifier: GPL-2.0

//! Where the instructions of a packet go: a sample every so many instructions, by stage of its way and
//! by function.
//!
//! Prints `STAGE INSTRUCTIONS NAME` and `FUNCTION INSTRUCTIONS STAGE: NAME` lines, per unit. A sample
//! taken where interrupts are off counts where they come on again.

use std::collections::HashMap;
use std::error::Error;
use std::hint::black_box;
use std::io;
use std::net::IpAddr;

use clap::ValueEnum;

use crate::meter::Meter;
use crate::symbols::{Symbol, Symbols};
use crate::sys::{Sampler, Stack};
use crate::tcp::{self, Connection};
use crate::udp;

/// Instructions between samples.
pub const PERIOD: u64 = 50_000;

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// One-way datagrams of 64 bytes.
    Udp64,
    /// Requests and responses on a TCP connection.
    Rr,
    /// A TCP stream whose packets cross the substrate whole; thousands per megabyte.
    BulkWhole,
}

/// Traffic of one way, in bursts.
enum Traffic {
    Datagrams(udp::Traffic),
    Pairs(Connection),
    Stream(Connection, Vec<u8>),
}

impl Traffic {
    fn open(way: Way, address: IpAddr) -> io::Result<Traffic> {
        Ok(match way {
            Way::Udp64 => Traffic::Datagrams(udp::Traffic::open(address, 64)?),
            Way::Rr => Traffic::Pairs(Connection::open(address)?),
            Way::BulkWhole => {
                let connection = Connection::open_for_stream(address)?;
                Traffic::Stream(connection, vec![0; tcp::CHUNK])
            }
        })
    }

    /// A burst takes little more than a period, in every kind of network; says of how many units it is.
    fn burst(&mut self) -> io::Result<usize> {
        match self {
            Traffic::Datagrams(traffic) => traffic.exchange(2),
            Traffic::Pairs(connection) => connection.pair().map(|()| 1),
            Traffic::Stream(connection, buffer) => {
                connection.stream(tcp::CHUNK, buffer)?;
                Ok(tcp::CHUNK)
            }
        }
    }

    /// Ticks per unit, without pauses and samples.
    fn measure(&mut self, bursts: usize) -> io::Result<f64> {
        let meter = Meter::start()?;
        let mut units = 0;
        for _ in 0..bursts {
            units += self.burst()?;
        }
        Ok(meter.stop(units)?.per_unit())
    }
}

/// The part of all that a function must have to be shown.
const LEAST: f64 = 0.001;

/// A stage begins where one of these is called: the function, its module (any if empty), the stage.
const STAGES: &[(&str, &str, &str)] = &[
    ("start_xmit", "ovnet", "tx edge"),
    ("hook", "ovnet", "rx edge"),
    ("install", "ovnet", "mapping"),
    ("batch", "ovnet", "batch"),
    ("rht_deferred_worker", "", "growth of the table"),
    ("rcu_do_batch", "", "RCU"),
    ("genl_rcv_msg", "", "generic netlink"),
    ("ip6_local_out", "", "IPv6 output"),
    ("ip6_output", "", "IPv6 output"),
    ("ip6_xmit", "", "IPv6 output"),
    ("ipv6_rcv", "", "IPv6 input"),
    ("ipv6_list_rcv", "", "IPv6 input"),
    ("ip_rcv", "", "IPv4 input"),
    ("ip_list_rcv", "", "IPv4 input"),
    ("ip_output", "", "IPv4 output"),
    ("ip_send_skb", "", "IPv4 output"),
    ("veth_xmit", "", "veth"),
    ("__dev_queue_xmit", "", "device queue"),
    ("process_backlog", "", "backlog"),
    ("handle_softirqs", "", "softirq"),
    ("udp_rcv", "", "UDP input"),
    ("udpv6_rcv", "", "UDP input"),
    ("tcp_v4_rcv", "", "TCP input"),
    ("tcp_v6_rcv", "", "TCP input"),
    ("__tcp_transmit_skb", "", "TCP output"),
    ("__sys_sendmmsg", "", "send call"),
    ("__sys_sendto", "", "send call"),
    ("__sys_recvmmsg", "", "receive call"),
    ("__sys_recvfrom", "", "receive call"),
    ("do_syscall_64", "", "system call"),
];

/// Measures, samples, and prints.
pub fn print(way: Way, address: IpAddr, bursts: usize) -> Result<(), Box<dyn Error>> {
    let mut traffic = Traffic::open(way, address)?;
    traffic.measure(bursts / 16)?;
    let mut per_unit = traffic.measure(bursts / 16)?;
    if way == Way::BulkWhole {
        per_unit *= 1000.0;
    }
    let sampler = Sampler::new(PERIOD)?;
    sampler.start()?;
    // A sample takes longer the deeper the stack is, so that with all else equal sampling falls into step
    // with the packets and sees the same few places. Pauses of many lengths prevent that.
    let mut random = 1;
    for _ in 0..bursts {
        traffic.burst()?;
        random = pause(random);
    }
    report(per_unit, sampler.stop()?)
}

/// Prints where they go, given how many a unit takes and what was sampled.
pub fn report(per_unit: f64, mut stacks: Vec<Stack>) -> Result<(), Box<dyn Error>> {
    // User space: pauses, mostly.
    stacks.retain(|stack| !stack.is_empty());
    let symbols = Symbols::read()?;
    let weight = per_unit / stacks.len() as f64;
    let mut stages: HashMap<&str, f64> = HashMap::new();
    let mut functions: HashMap<(&str, String), f64> = HashMap::new();
    for stack in &stacks {
        let names: Vec<_> = stack.iter().filter_map(|&at| symbols.find(at)).collect();
        let stage = stage(&names);
        *stages.entry(stage).or_default() += weight;
        let function = names.first().map_or("unknown", |symbol| &symbol.name);
        *functions.entry((stage, function.to_owned())).or_default() += weight;
    }
    println!("STAGE {per_unit:.0} all ({} samples)", stacks.len());
    for (stage, instructions) in sorted(stages) {
        println!("STAGE {instructions:.0} {stage}");
    }
    for ((stage, function), instructions) in sorted(functions) {
        if instructions >= LEAST * per_unit {
            println!("FUNCTION {instructions:.0} {stage}: {function}");
        }
    }
    Ok(())
}

/// Executes up to a period's worth of instructions; returns the next random number (xorshift).
fn pause(mut random: u64) -> u64 {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    for step in 0..random % (PERIOD / 2) {
        black_box(step);
    }
    random
}

/// The stage of a stack, the innermost function first: where it was entered last.
fn stage(stack: &[&Symbol]) -> &'static str {
    stack
        .iter()
        .find_map(|symbol| {
            STAGES.iter().find(|(function, module, _)| {
                if module.is_empty() {
                    symbol.name == *function
                } else {
                    symbol.module.as_deref() == Some(module) && last(&symbol.name) == *function
                }
            })
        })
        .map_or("other", |(_, _, stage)| stage)
}

/// The last part of a Rust path, without generic arguments.
fn last(path: &str) -> &str {
    let path = path.split("::<").next().unwrap_or(path);
    path.rsplit("::").next().unwrap_or(path)
}

fn sorted<K>(counts: HashMap<K, f64>) -> Vec<(K, f64)> {
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(name: &str, module: Option<&str>) -> Symbol {
        Symbol {
            name: name.into(),
            module: module.map(str::to_owned),
        }
    }

    #[test]
    fn the_innermost_entry_is_the_stage() {
        let ours = symbol(
            "<ovnet_main::net::device::LinkKind<ovnet_main::port::Port>>::start_xmit",
            Some("ovnet"),
        );
        let hook = symbol(
            "ovnet_main::net::hook::hook::<ovnet_main::host::Host>",
            Some("ovnet"),
        );
        let other = symbol("start_xmit", Some("virtio_net"));
        let queue = symbol("__dev_queue_xmit", None);
        assert_eq!(stage(&[&symbol("memcpy", None), &ours, &queue]), "tx edge");
        assert_eq!(stage(&[&queue, &ours]), "device queue");
        assert_eq!(stage(&[&hook]), "rx edge");
        assert_eq!(stage(&[&other, &queue]), "device queue");
        assert_eq!(stage(&[]), "other");
    }
}
