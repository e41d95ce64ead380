// SPDX-License-Identifier: GPL-2.0

//! The benchmark: what one packet costs in ovnet, and in other networks on the same kernel.
//!
//! Each kind has a guest of its own, whose clock counts instructions: a figure is what the guest executed
//! for one unit of traffic, and the same again in the next run. Where KVM works, a second guest tells what
//! that is in packets and bits per second on this machine. `bench/measure` is the guest's side.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{json, Map, Value};

use crate::environment::Environment;
use crate::machine::{Clock, Event, Group};
use crate::payload::Payload;
use crate::protocol::Message;

/// How long one guest may take. On two idle cores it takes half a minute, or minutes for a million mappings.
const PATIENCE: Duration = Duration::from_secs(3600);

/// The columns of the table, and the keys of `bench.json`.
const FIGURES: &[&str] = &[
    "udp64",
    "udp1400",
    "rr",
    "bulk_whole",
    "bulk_cut_1500",
    "wire64",
    "wire1400",
    "node_mtu",
];
/// What there is besides where KVM works.
const RATES: &[&str] = &[
    "udp64_pps",
    "udp1400_pps",
    "rr_per_second",
    "bulk_whole_bps",
    "bulk_cut_1500_bps",
];

/// A kind of network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    name: String,
    description: String,
}

impl Kind {
    /// The kinds named, or all; ovnet first.
    pub fn find(environment: &Environment, names: &[String]) -> io::Result<Vec<Kind>> {
        let mut kinds = Kind::all(&environment.checkout.join("qemu-tests/bench/kinds"))?;
        if let Some(name) = names
            .iter()
            .find(|name| !kinds.iter().any(|kind| kind.name == **name))
        {
            let known: Vec<_> = kinds.iter().map(|kind| kind.name.as_str()).collect();
            return Err(io::Error::other(format!(
                "there is no kind {name}; there are: {}",
                known.join(" ")
            )));
        }
        kinds.retain(|kind| names.is_empty() || names.contains(&kind.name));
        Ok(kinds)
    }

    fn all(directory: &Path) -> io::Result<Vec<Kind>> {
        let mut kinds = Vec::new();
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let text = fs::read_to_string(&path)?;
            let description = text
                .lines()
                .find_map(|line| line.strip_prefix("# kind: "))
                .ok_or_else(|| {
                    io::Error::other(format!("{} has no `# kind:` line", path.display()))
                })?;
            kinds.push(Kind {
                name: path
                    .file_stem()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                description: description.to_owned(),
            });
        }
        kinds.sort_by_key(|kind| (kind.name != "ovnet", kind.name.clone()));
        Ok(kinds)
    }
}

/// Figures of one kind by name.
type Figures = BTreeMap<String, f64>;

/// What one guest told.
#[derive(Debug, Default)]
struct Outcome {
    figures: Figures,
    /// The lines of the profile.
    profile: Vec<(String, u64)>,
}

/// Measures the kinds, shows and keeps the figures.
pub fn run(
    environment: &Environment,
    payload: &Payload,
    kinds: &[Kind],
    profile: Option<&str>,
) -> io::Result<()> {
    println!(
        "kernel {}: instructions, counted by QEMU{}",
        environment.kernel_version,
        if environment.kvm {
            "; rates by KVM"
        } else {
            ""
        }
    );
    let mut results = Vec::new();
    for (index, kind) in kinds.iter().enumerate() {
        print!(
            "[{}/{}] {}: {} …",
            index + 1,
            kinds.len(),
            kind.name,
            kind.description
        );
        let start = Instant::now();
        let mut outcome = measure(environment, payload, kind, profile, Clock::Instructions)?;
        if environment.kvm {
            let rates = measure(environment, payload, kind, None, Clock::Time)?;
            outcome.figures.extend(rates.figures);
        }
        println!(" {:.0} s", start.elapsed().as_secs_f64());
        results.push((kind.clone(), outcome));
    }
    print!("\n{}", table(&results));
    for (kind, outcome) in &results {
        let of = format!("{}, {}", kind.name, profile.unwrap_or_default());
        print!("{}", profile_table(&of, &outcome.profile));
    }
    let path = environment.checkout.join("out/bench.json");
    let text = serde_json::to_string_pretty(&document(environment, profile, &results))?;
    fs::write(&path, text + "\n")?;
    println!("\nfigures: {}", path.display());
    Ok(())
}

/// Measures what grows with the number of mappings and what must not, shows and keeps the figures.
pub fn scale(environment: &Environment, payload: &Payload, mappings: u32) -> io::Result<()> {
    let program = vec!["/ovnet/bench/scale".to_owned(), mappings.to_string()];
    of_mappings(environment, payload, "scale", program, mappings)
}

/// Measures what mappings cost the kernel, or says where that goes; shows and keeps the figures.
pub fn mappings(
    environment: &Environment,
    payload: &Payload,
    mappings: u32,
    profile: bool,
) -> io::Result<()> {
    let mut program = vec!["/ovnet/bench/mappings".to_owned(), mappings.to_string()];
    program.extend(profile.then(|| "profile".to_owned()));
    of_mappings(environment, payload, "mappings", program, mappings)
}

fn of_mappings(
    environment: &Environment,
    payload: &Payload,
    name: &str,
    program: Vec<String>,
    mappings: u32,
) -> io::Result<()> {
    println!(
        "kernel {}: instructions, counted by QEMU",
        environment.kernel_version
    );
    print!("{mappings} mappings …");
    let outcome = tell(environment, payload, name, program, Clock::Instructions)?;
    println!();
    for (figure, value) in &outcome.figures {
        println!("{figure:24} {value:>12.1}");
    }
    print!("{}", profile_table(name, &outcome.profile));
    if outcome.figures.is_empty() {
        return Ok(());
    }
    let path = environment.checkout.join(format!("out/{name}.json"));
    let document = json!({ "kernel": environment.kernel_version, "mappings": mappings,
        "figures": outcome.figures });
    fs::write(&path, serde_json::to_string_pretty(&document)? + "\n")?;
    println!("\nfigures: {}", path.display());
    Ok(())
}

/// Boots a guest for one kind and takes what it prints.
fn measure(
    environment: &Environment,
    payload: &Payload,
    kind: &Kind,
    profile: Option<&str>,
    clock: Clock,
) -> io::Result<Outcome> {
    let mut program = vec!["/ovnet/bench/measure".to_owned(), kind.name.clone()];
    program.extend(profile.map(str::to_owned));
    tell(environment, payload, &kind.name, program, clock)
}

/// Boots a guest for a program and takes what it prints.
fn tell(
    environment: &Environment,
    payload: &Payload,
    name: &str,
    program: Vec<String>,
    clock: Clock,
) -> io::Result<Outcome> {
    progress("boot")?;
    let mut group = Group::boot(environment, payload, 1, clock)?;
    group.send(0, &Message::Run(program))?;
    let deadline = Instant::now() + PATIENCE;
    let (mut text, mut errors) = (Vec::new(), Vec::new());
    let mut outcome = Outcome::default();
    let status = loop {
        match group.next(deadline) {
            Some((_, Event::Control(Message::Stdout(bytes)))) => {
                text.extend(bytes);
                while let Some(end) = text.iter().position(|&byte| byte == b'\n') {
                    let line: Vec<u8> = text.drain(..=end).collect();
                    if let Some(figure) = take(&String::from_utf8_lossy(&line), clock, &mut outcome)
                    {
                        progress(&figure)?;
                    }
                }
            }
            Some((_, Event::Control(Message::Stderr(bytes)))) => errors.extend(bytes),
            Some((_, Event::Control(Message::Exit(status)))) => break status,
            Some(_) => {}
            None => return Err(io::Error::other(format!("{name}: not done in time"))),
        }
    };
    let complaint = group.machines[0].console.take_complaint();
    if status == 0 && complaint.is_none() {
        return Ok(outcome);
    }
    Err(io::Error::other(format!(
        "{name} failed with status {status}:\n{}{}",
        String::from_utf8_lossy(&errors),
        complaint.unwrap_or_default().join("\n")
    )))
}

fn progress(what: &str) -> io::Result<()> {
    print!(" {what}");
    io::stdout().flush()
}

/// Takes a line; says which figure was on it.
fn take(line: &str, clock: Clock, outcome: &mut Outcome) -> Option<String> {
    let (what, rest) = line.trim().split_once(' ')?;
    let (first, rest) = rest.split_once(' ')?;
    if what != "FIGURE" {
        outcome
            .profile
            .push((format!("{what} {rest}"), first.parse().ok()?));
        return None;
    }
    let values: BTreeMap<&str, f64> = rest
        .split(' ')
        .filter_map(|pair| pair.split_once('='))
        .filter_map(|(key, value)| Some((key, value.parse().ok()?)))
        .collect();
    let figures = &mut outcome.figures;
    let mut add = |name: String, value: Option<f64>| {
        // Hundredths are below what a run is worth.
        figures.extend(value.map(|value| (name, (value * 100.0).round() / 100.0)));
    };
    let quotient = |a: &str, b: &str| Some(values.get(a)? / values.get(b)?);
    let is_bulk = first.starts_with("bulk");
    match clock {
        Clock::Instructions => {
            // Of a stream, thousands for a megabyte (10^6 bytes).
            let unit = if is_bulk { 1000.0 } else { 1.0 };
            let cost = quotient("ticks", "units").map(|cost| cost * unit);
            add(
                first.to_owned(),
                cost.or_else(|| values.get("bytes").copied()),
            );
            if let Some(size) = first.strip_prefix("udp") {
                add(format!("wire{size}"), quotient("bytes", "units"));
            }
        }
        Clock::Time => {
            let per_second = quotient("units", "nanoseconds").map(|rate| rate * 1e9);
            if is_bulk {
                add(format!("{first}_bps"), per_second.map(|bytes| bytes * 8.0));
            } else if first == "rr" {
                add("rr_per_second".to_owned(), per_second);
            } else {
                add(format!("{first}_pps"), per_second);
            }
        }
    }
    Some(first.to_owned())
}

/// The table of all figures, the cheapest kind first.
fn table(results: &[(Kind, Outcome)]) -> String {
    let mut columns = FIGURES.to_vec();
    columns.extend(RATES.iter().filter(|rate| {
        results
            .iter()
            .any(|(_, outcome)| outcome.figures.contains_key(**rate))
    }));
    let mut rows: Vec<_> = results.iter().collect();
    let cost = |outcome: &Outcome| outcome.figures.get("udp64").copied().unwrap_or(f64::MAX);
    rows.sort_by(|(_, a), (_, b)| cost(a).total_cmp(&cost(b)));
    let mut text = format!("{:10}", "");
    for column in &columns {
        text += &format!(" {column:>17}");
    }
    text.push('\n');
    for (kind, outcome) in rows {
        text += &format!("{:10}", kind.name);
        for column in &columns {
            let value = outcome.figures.get(*column);
            let shown = value.map_or("-".to_owned(), |value| format!("{value:.0}"));
            text += &format!(" {shown:>17}");
        }
        text.push('\n');
    }
    text
}

fn profile_table(of: &str, lines: &[(String, u64)]) -> String {
    let mut text = String::new();
    for (what, title) in [("STAGE ", "by stage"), ("FUNCTION ", "by function")] {
        let mut of_kind = lines
            .iter()
            .filter_map(|(name, count)| Some((name.strip_prefix(what)?, count)))
            .peekable();
        if of_kind.peek().is_some() {
            text += &format!("\n{of} {title}:\n");
        }
        for (name, count) in of_kind {
            text += &format!("{count:>8} {name}\n");
        }
    }
    text
}

/// What programs read.
fn document(
    environment: &Environment,
    profile: Option<&str>,
    results: &[(Kind, Outcome)],
) -> Value {
    let kinds: Map<String, Value> = results
        .iter()
        .map(|(kind, outcome)| {
            let mut entry: Map<String, Value> = outcome
                .figures
                .iter()
                .map(|(name, value)| (name.clone(), json!(value)))
                .collect();
            let stages: Map<String, Value> = outcome
                .profile
                .iter()
                .filter_map(|(name, count)| Some((name.strip_prefix("STAGE ")?, count)))
                .map(|(name, count)| (name.to_owned(), json!(count)))
                .collect();
            if let Some(way) = profile {
                entry.insert(format!("{}_by_stage", way.replace('-', "_")), stages.into());
            }
            (kind.name.clone(), entry.into())
        })
        .collect();
    json!({
        "kernel": environment.kernel_version,
        "kinds": kinds,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(lines: &[&str], clock: Clock) -> Outcome {
        let mut outcome = Outcome::default();
        for line in lines {
            take(line, clock, &mut outcome);
        }
        outcome
    }

    const LINES: &[&str] = &[
        "FIGURE node_mtu bytes=1480\n",
        "FIGURE udp64 ticks=1200000 nanoseconds=2000000 units=100 frames=100 bytes=12600\n",
        "FIGURE bulk_whole ticks=900000 nanoseconds=4000 units=1000000 frames=16 bytes=1000864\n",
        "STAGE 700 tx edge\n",
    ];

    #[test]
    fn a_figure_is_per_unit() {
        let outcome = taken(LINES, Clock::Instructions);
        let figures: Vec<_> = outcome.figures.into_iter().collect();
        let expected = [
            ("bulk_whole", 900.0),
            ("node_mtu", 1480.0),
            ("udp64", 12000.0),
            ("wire64", 126.0),
        ];
        assert_eq!(figures, expected.map(|(name, value)| (name.into(), value)));
        assert_eq!(outcome.profile, [("STAGE tx edge".to_owned(), 700)]);
    }

    #[test]
    fn a_rate_is_per_second() {
        let outcome = taken(&LINES[1..3], Clock::Time);
        let figures: Vec<_> = outcome.figures.into_iter().collect();
        let expected = [("bulk_whole_bps", 2e12), ("udp64_pps", 50000.0)];
        assert_eq!(figures, expected.map(|(name, value)| (name.into(), value)));
    }

    #[test]
    fn the_table_has_what_was_measured() {
        let kind = |name: &str| Kind {
            name: name.into(),
            description: String::new(),
        };
        let dear = taken(&["FIGURE udp64 ticks=20 units=1"], Clock::Instructions);
        let results = [
            (kind("dear"), dear),
            (kind("cheap"), taken(LINES, Clock::Instructions)),
        ];
        let text = table(&results);
        let rows: Vec<Vec<_>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(rows[0], FIGURES);
        assert_eq!(rows[1][..3], ["dear", "20", "-"]);
        assert_eq!(rows[2][..2], ["cheap", "12000"]);
    }
}
