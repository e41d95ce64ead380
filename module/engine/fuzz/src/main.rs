// SPDX-License-Identifier: GPL-2.0

//! Looks for bytes that break what must hold: mutates the corpus, keeps what comes to something new.
//!
//! ```text
//! engine-fuzz [--seconds N] [--runs N] [--seed N] [--save] [TARGET...]
//! ```
//!
//! Each target runs for that time and that many inputs at least; for ten seconds if neither is said. Without
//! a seed it is the time. `--save` adds the inputs that came to something new to the corpus. An
//! input that breaks something is always added, so that the ordinary tests fail until it does not.

use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use ovnet_engine_fuzz::{corpus, Target, TARGETS};

/// The longest input: longer packets differ in nothing but length, and fragments want some.
const MAX_LEN: usize = 3000;

struct Options {
    seconds: Option<u64>,
    runs: u64,
    seed: u64,
    save: bool,
    targets: Vec<Target>,
}

fn options() -> Result<Options, String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let mut options = Options {
        seconds: None,
        runs: 0,
        seed: now.map_or(1, |now| now.as_nanos() as u64),
        save: false,
        targets: vec![],
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let value = words.next().and_then(|value| value.parse().ok());
            value.ok_or_else(|| format!("{word} needs a number"))
        };
        match word.as_str() {
            "--seconds" => options.seconds = Some(number()?),
            "--runs" => options.runs = number()?,
            "--seed" => options.seed = number()?,
            "--save" => options.save = true,
            name => {
                let known = TARGETS.iter().find(|target| target.name == name);
                let names = TARGETS.map(|target| target.name).join(", ");
                let target =
                    known.ok_or_else(|| format!("no target {name}: name some of {names}"))?;
                options.targets.push(*target);
            }
        }
    }
    if options.targets.is_empty() {
        options.targets = TARGETS.to_vec();
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(message) => {
            eprintln!("engine-fuzz: {message}");
            return ExitCode::from(2);
        }
    };
    println!("seed {}", options.seed);
    let mut broken = false;
    for target in &options.targets {
        broken |= !fuzz(target, &options);
    }
    ExitCode::from(u8::from(broken))
}

/// Runs one target for its time and its inputs; false if something broke.
fn fuzz(target: &Target, options: &Options) -> bool {
    let mut inputs = corpus::read(target.name);
    let known = inputs.len();
    let mut seen: HashSet<u64> = inputs.iter().map(|input| (target.run)(input)).collect();
    let mut random = Random(options.seed | 1);
    let seconds = match (options.seconds, options.runs) {
        (Some(seconds), _) => seconds,
        (None, 0) => 10,
        (None, _) => 0,
    };
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut runs = 0u64;
    while runs < options.runs || Instant::now() < end {
        for _ in 0..1000 {
            runs += 1;
            let input = mutate(&inputs, &mut random);
            match panic::catch_unwind(AssertUnwindSafe(|| (target.run)(&input))) {
                Ok(signature) if seen.insert(signature) => inputs.push(input),
                Ok(_) => {}
                Err(_) => {
                    save(target, &[input], "broke something");
                    return false;
                }
            }
        }
    }
    let new = &inputs[known..];
    println!(
        "{}: {runs} inputs, {} came to something new",
        target.name,
        new.len()
    );
    if options.save {
        save(target, new, "found");
    }
    true
}

/// Adds inputs to the corpus.
fn save(target: &Target, inputs: &[Vec<u8>], why: &str) {
    let path = corpus::path(target.name);
    let mut text = String::new();
    for input in inputs {
        let digits = input.iter().map(|byte| format!("{byte:02x}"));
        text.push_str(&digits.collect::<String>());
        text.push('\n');
    }
    let file = OpenOptions::new().append(true).create(true).open(&path);
    match file.and_then(|mut file| file.write_all(text.as_bytes())) {
        Ok(()) => println!(
            "{}: {} inputs {why}, in {}",
            target.name,
            inputs.len(),
            path.display()
        ),
        Err(error) => eprintln!(
            "engine-fuzz: cannot write {}: {error}\n{text}",
            path.display()
        ),
    }
}

/// A xorshift generator: a seed must tell the whole run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number less than `end`, or 0.
    fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end.max(1)
    }
}

/// Values that formats treat in another way than their neighbours.
const EDGES: [u8; 16] = [
    0, 1, 2, 4, 6, 8, 17, 20, 40, 43, 44, 58, 60, 0x7f, 0x80, 0xff,
];

/// Changes an input of the corpus in a few places, and sees to its IPv4 header checksum most times: few
/// inputs would be looked at otherwise.
fn mutate(inputs: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut input = inputs
        .get(random.below(inputs.len()))
        .cloned()
        .unwrap_or_default();
    for _ in 0..=random.below(4) {
        let place = random.below(input.len().min(160));
        match random.below(8) {
            0 => input.truncate(random.below(input.len() + 1)),
            1 => input.resize(random.below(MAX_LEN), random.next() as u8),
            2 => {
                let other = inputs
                    .get(random.below(inputs.len()))
                    .cloned()
                    .unwrap_or_default();
                let from = random.below(other.len());
                input.truncate(place);
                input.extend(&other[from..]);
            }
            3 | 4 => {
                if let Some(byte) = input.get_mut(place) {
                    *byte = EDGES[random.below(EDGES.len())];
                }
            }
            5 => {
                if let Some(byte) = input.get_mut(place) {
                    *byte ^= 1 << random.below(8);
                }
            }
            6 => input.insert(place.min(input.len()), random.next() as u8),
            _ => {
                if let Some(byte) = input.get_mut(place) {
                    *byte = random.next() as u8;
                }
            }
        }
    }
    input.truncate(MAX_LEN);
    // The packet starts at once or behind the byte that sets the translator up.
    for start in [0, 1] {
        if random.below(8) > 0 {
            corpus::repair(&mut input, start);
        }
    }
    input
}
