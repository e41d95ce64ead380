// SPDX-License-Identifier: GPL-2.0

//! Simulates a data centre: `simulate SEED [COUNT] [small]` runs COUNT seeds from SEED on.

use std::process::ExitCode;
use std::time::Instant;

use ovnet_mgr::sim::{run, Scenario};

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
    for seed in seed..seed.saturating_add(count) {
        let scenario = if small {
            Scenario::small(seed)
        } else {
            Scenario::large(seed)
        };
        let start = Instant::now();
        match run(&scenario) {
            Ok(stats) => println!(
                "seed {seed}: {:.1} s, {stats:?}",
                start.elapsed().as_secs_f64()
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
