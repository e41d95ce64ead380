// SPDX-License-Identifier: GPL-2.0

//! Simulates a data centre: `simulate SEED [COUNT] [small]` runs COUNT seeds from SEED on.

use std::process::ExitCode;
use std::time::Instant;

use ovnet_mgr::sim::{run, weigh, Scenario};

/// The memory that this process has, in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|n| n.parse::<usize>().ok());
    pages.unwrap_or(0) * 4096
}

/// The processor time that this process has used, in seconds: how long it takes on a machine that
/// does nothing else.
fn used() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name, which may have anything in it, in hundredths of a second (proc(5)).
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = rest.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|n| n.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let mut number = |default: u64| match args.next() {
        None => Some(default),
        Some(text) => text.parse().ok(),
    };
    let (Some(seed), Some(count)) = (number(1), number(1)) else {
        eprintln!("usage: simulate [SEED [COUNT [small]]]");
        return ExitCode::from(2);
    };
    let small = args.next().is_some_and(|size| size == "small");
    if !small {
        let scenario = Scenario::large(seed);
        println!(
            "{} hosts, {} nodes: {} bytes per mapping in a manager, 8 of them its key",
            scenario.hosts,
            scenario.nodes,
            weigh(&scenario, resident)
        );
    }
    for seed in seed..seed.saturating_add(count) {
        let scenario = if small {
            Scenario::small(seed)
        } else {
            Scenario::large(seed)
        };
        let (start, before) = (Instant::now(), used());
        match run(&scenario) {
            Ok(stats) => println!(
                "seed {seed}: {:.1} s, of the processor {:.1} s, {stats:?}",
                start.elapsed().as_secs_f64(),
                used() - before
            ),
            Err(failure) => {
                print!("{failure}");
                println!(
                    "failed: to see it again, make simulate SEED={seed}{}",
                    if small { " SIZE=small" } else { "" }
                );
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
