// SPDX-License-Identifier: GPL-2.0

//! Boots guests and runs cases, a script or a shell in them.

use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand, ValueEnum};

use ovnet_qemu_tests::bench::{self, Kind};
use ovnet_qemu_tests::case::Case;
use ovnet_qemu_tests::console::News;
use ovnet_qemu_tests::environment::Environment;
use ovnet_qemu_tests::machine::{self, Clock, Event, Group};
use ovnet_qemu_tests::payload::Payload;
use ovnet_qemu_tests::protocol::Message;
use ovnet_qemu_tests::report;
use ovnet_qemu_tests::selection;
use ovnet_qemu_tests::suite::{Outcome, Suite};

#[derive(Parser)]
#[command(about = "Boots the kernel the module is built for and runs things in it")]
struct Arguments {
    /// The kernel to boot: a version or a prefix of one [default: as KERNEL says, else the newest]
    #[arg(long, global = true)]
    kernel: Option<String>,
    /// Where the programs for the guest were built
    #[arg(long, global = true, default_value = "target/release")]
    binaries: PathBuf,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Run the cases of qemu-tests
    Run {
        /// Only cases whose name contains this, or that cover this requirement; several by commas
        #[arg(long)]
        filter: Option<String>,
        /// Only the cases of the quick selection
        #[arg(long, conflicts_with = "filter")]
        quick: bool,
        /// List the cases instead of running them
        #[arg(long)]
        list: bool,
    },
    /// Open a shell in a guest; `exit` turns it off
    Shell,
    /// Run a file in a guest as root; its output and exit status are the guest's
    Exec {
        /// A script or program of this machine
        file: PathBuf,
        /// Seconds until it counts as hung
        #[arg(long, default_value_t = 900)]
        timeout: u64,
    },
    /// Run qemu-tests/demo.sh in a guest
    Demo {
        /// Where its manager keeps its data
        #[arg(long, value_enum, default_value_t = Store::Embedded)]
        store: Store,
    },
    /// Count the instructions that packets take in ovnet and in other networks
    Bench {
        /// Kinds of networks of qemu-tests/bench/kinds [default: all]
        kinds: Vec<String>,
        /// Say where the instructions of udp64, rr or bulk-whole go, by stage and function
        #[arg(long)]
        profile: Option<String>,
    },
    /// Count what mappings cost, and what must not grow with them
    Scale {
        /// How many mappings
        #[arg(long, default_value_t = 1_000_000)]
        mappings: u32,
    },
    /// Count what mappings cost the kernel: to set, to tell and to dump
    Mappings {
        /// How many mappings
        #[arg(long, default_value_t = 100_000)]
        count: u32,
        /// Say where the instructions of an installation go, by stage and function
        #[arg(long)]
        profile: bool,
    },
}

/// Where a manager keeps its data.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Store {
    /// A file of its own
    Embedded,
    /// An etcd in the guest
    Etcd,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            eprintln!("ovnet-vm: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<u8, Box<dyn Error>> {
    let environment = Environment::find(arguments.kernel.as_deref(), &arguments.binaries)?;
    let scratch = Scratch::new()?;
    fs::create_dir_all(environment.logs())?;
    match &arguments.what {
        What::Run {
            filter,
            quick,
            list,
        } => {
            let mut cases = Case::all(&environment.checkout.join("qemu-tests/cases"))?;
            if environment.is_debug() && filter.is_none() {
                selection::leave_out(&mut cases);
            }
            cases.retain(|case| filter.as_deref().is_none_or(|filter| case.matches(filter)));
            if *quick {
                cases.retain(|case| selection::is_quick(&case.name));
            }
            if *list {
                for case in &cases {
                    println!("{}: {}", case.name, case.title);
                }
                return Ok(0);
            }
            if cases.is_empty() {
                return Err("no case matches the filter; --list shows all".into());
            }
            if environment.is_debug() {
                cases = with_leaks(cases);
            }
            for case in &mut cases {
                case.timeout *= environment.patience();
            }
            run_cases(&environment, &cases, &scratch)
        }
        What::Shell => {
            let payload = Payload::build(&environment, &scratch.path, None)?;
            shell(&environment, &payload)
        }
        What::Exec { file, timeout } => {
            let payload = Payload::build(&environment, &scratch.path, Some(file))?;
            exec(&environment, &payload, "", Duration::from_secs(*timeout))
        }
        What::Demo { store } => {
            let demo = environment.checkout.join("qemu-tests/demo.sh");
            let (programs, variables) = match store {
                Store::Embedded => (vec![], "STORE=embedded"),
                Store::Etcd => (vec![environment.etcd()?], "STORE=etcd"),
            };
            let payload = Payload::build_with(&environment, &scratch.path, Some(&demo), &programs)?;
            exec(&environment, &payload, variables, Duration::from_secs(900))
        }
        What::Bench { kinds, profile } => {
            let kinds = Kind::find(&environment, kinds)?;
            let payload = Payload::build(&environment, &scratch.path, None)?;
            bench::run(&environment, &payload, &kinds, profile.as_deref())?;
            Ok(0)
        }
        What::Scale { mappings } => {
            let payload = Payload::build(&environment, &scratch.path, None)?;
            bench::scale(&environment, &payload, *mappings)?;
            Ok(0)
        }
        What::Mappings { count, profile } => {
            let payload = Payload::build(&environment, &scratch.path, None)?;
            bench::mappings(&environment, &payload, *count, *profile)?;
            Ok(0)
        }
    }
}

/// Cases, by number of guests, with a look for lost memory before those guests
/// are turned off.
fn with_leaks(cases: Vec<Case>) -> Vec<Case> {
    cases
        .chunk_by(|a, b| a.guests == b.guests)
        .flat_map(|same| same.iter().cloned().chain([Case::leaks(same[0].guests)]))
        .collect()
}

fn run_cases(
    environment: &Environment,
    cases: &[Case],
    scratch: &Scratch,
) -> Result<u8, Box<dyn Error>> {
    let accelerator = if environment.kvm { "KVM" } else { "TCG" };
    println!("kernel {}, {accelerator}", environment.kernel_version);
    let programs = match cases.iter().any(|case| case.etcd) {
        true => vec![environment.etcd()?],
        false => Vec::new(),
    };
    let payload = Payload::build_with(environment, &scratch.path, None, &programs)?;
    let verbose = env::var("V").is_ok_and(|value| value == "1");
    let start = Instant::now();
    let mut suite = Suite::new(environment, &payload, verbose);
    let mut outcomes = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        print!(
            "[{}/{}] {}: {} … ",
            index + 1,
            cases.len(),
            case.name,
            case.title
        );
        io::stdout().flush()?;
        let outcome = match case.unfit(environment.is_debug()) {
            Some(reason) => Outcome::skipped(case, reason),
            None if case.judges_others && !suite.has_guests(case.guests) => {
                Outcome::skipped(case, "the guests it would look at are gone")
            }
            None => suite.run(case),
        };
        match (&outcome.failure, &outcome.skipped) {
            (None, None) => println!("ok {:.1}s", outcome.elapsed.as_secs_f64()),
            (None, Some(reason)) => println!("skipped: {reason}"),
            (Some(failure), _) => {
                println!("FAILED {:.1}s", outcome.elapsed.as_secs_f64());
                for line in failure.lines() {
                    println!("    {line}");
                }
            }
        }
        outcomes.push(outcome);
    }
    report::write(&environment.logs(), &outcomes)?;
    println!("logs: {}", environment.logs().display());
    println!("took {} s, boots included", start.elapsed().as_secs());
    println!("{}", report::summary(&outcomes));
    Ok(u8::from(
        outcomes.iter().any(|outcome| outcome.failure.is_some()),
    ))
}

/// Runs `/ovnet/run`, with variables, and passes its output on as it comes.
fn exec(
    environment: &Environment,
    payload: &Payload,
    variables: &str,
    timeout: Duration,
) -> Result<u8, Box<dyn Error>> {
    let mut group = Group::boot(environment, payload, 1, Clock::Time)?;
    let deadline = Instant::now() + timeout;
    // Without a "#!" line bash itself takes the file for a script.
    let run = format!("chmod +x /ovnet/run && {variables} /ovnet/run");
    let program = ["bash", "-c", &run];
    group.send(0, &Message::Run(program.map(str::to_owned).to_vec()))?;
    let (mut status, mut log_complete) = (None, false);
    while status.is_none() || !log_complete {
        match group.next(deadline) {
            Some((_, Event::Control(Message::Stdout(bytes)))) => {
                io::stdout().write_all(&bytes)?;
                io::stdout().flush()?;
            }
            Some((_, Event::Control(Message::Stderr(bytes)))) => io::stderr().write_all(&bytes)?,
            Some((_, Event::Control(Message::Exit(code)))) => status = Some(code),
            Some((_, Event::Console(News::EndOfProgram(_)))) => log_complete = true,
            Some((_, Event::Console(News::Closed))) => break,
            Some(_) => {}
            None => {
                let lines = group.machines[0].console.tail(20).join("\n");
                return Err(format!(
                    "not done after {} s; the console ends with:\n{lines}",
                    timeout.as_secs()
                )
                .into());
            }
        }
    }
    if let Some(lines) = group.machines[0].console.take_complaint() {
        return Err(format!("the kernel complained:\n{}", lines.join("\n")).into());
    }
    match status {
        Some(status) => Ok(u8::try_from(status).unwrap_or(1)),
        None => Err("the guest turned itself off".into()),
    }
}

/// Puts the guest's console on this terminal.
fn shell(environment: &Environment, payload: &Payload) -> Result<u8, Box<dyn Error>> {
    if !io::stdin().is_terminal() {
        return Err(
            "a shell needs a terminal; give a file to run instead (make vm RUN=FILE)".into(),
        );
    }
    let size = Command::new("stty")
        .arg("size")
        .stdin(Stdio::inherit())
        .output()
        .ok()
        .map(|output| {
            String::from_utf8_lossy(&output.stdout)
                .trim()
                .replace(' ', "x")
        })
        .filter(|size| !size.is_empty())
        .unwrap_or_else(|| "24x80".into());
    eprintln!(
        "kernel {}; exit or Ctrl-A X ends",
        environment.kernel_version
    );
    let status = machine::qemu(
        environment,
        payload,
        1,
        Clock::Time,
        &format!("ovnet.shell={size}"),
    )
    .args(["-netdev", "hubport,id=wire,hubid=0"])
    .args(["-device", "virtio-net-pci,netdev=wire,romfile="])
    .args(["-serial", "mon:stdio"])
    .status()?;
    Ok(u8::from(!status.success()))
}

/// A directory that goes with the run. Short, because the path of a unix
/// socket must fit in 108 bytes.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    const PREFIX: &'static str = "ovnet-vm-";

    /// Makes the directory, and removes those of runs that were killed.
    fn new() -> io::Result<Scratch> {
        for entry in fs::read_dir("/tmp")? {
            let entry = entry?;
            let name = entry.file_name();
            if let Some(process) = name
                .to_str()
                .and_then(|name| name.strip_prefix(Self::PREFIX))
            {
                if !Path::new("/proc").join(process).exists() {
                    // It may be another user's, whose run will remove it.
                    let _ = fs::remove_dir_all(entry.path());
                }
            }
        }
        let path = Path::new("/tmp").join(format!("{}{}", Self::PREFIX, std::process::id()));
        fs::create_dir(&path)?;
        Ok(Scratch { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The next run tries again.
        let _ = fs::remove_dir_all(&self.path);
    }
}
