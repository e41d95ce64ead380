// SPDX-License-Identifier: GPL-2.0

//! Runs cases: one boot for as many as it can serve, a fresh one after a
//! guest can no longer be trusted.

use std::env;
use std::fs;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::case::{Case, Ending};
use crate::console::News;
use crate::environment::Environment;
use crate::machine::{Clock, Event, Group};
use crate::payload::Payload;
use crate::protocol::Message;

/// How long a guest may take to end a program it was told to end, or its
/// console to show that end.
const GRACE: Duration = Duration::from_secs(30);

/// How much of a failed case's output is shown; its log has all.
const SHOWN: usize = 40;

/// How one case went.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The case.
    pub case: Case,
    /// How long it took, boot excluded.
    pub elapsed: Duration,
    /// What went wrong, if it failed.
    pub failure: Option<String>,
    /// Why it did not run, if so.
    pub skipped: Option<String>,
}

impl Outcome {
    /// The outcome of a case that makes no sense here.
    pub fn skipped(case: &Case, reason: &str) -> Outcome {
        Outcome {
            case: case.clone(),
            elapsed: Duration::ZERO,
            failure: None,
            skipped: Some(reason.to_owned()),
        }
    }

    /// Whether it ran and all was well.
    pub fn passed(&self) -> bool {
        self.failure.is_none() && self.skipped.is_none()
    }
}

/// A bad end and what there is to say about it.
#[derive(Debug)]
struct Bad {
    ending: Ending,
    text: String,
}

impl Bad {
    fn new(ending: Ending, text: impl Into<String>) -> Bad {
        Bad {
            ending,
            text: text.into(),
        }
    }

    /// Whether it is what no machine does but TCG: to run a breakpoint that it translated while the kernel
    /// patched its own code (a static key), when the kernel does not know that breakpoint any more.
    fn is_of_emulation(&self) -> bool {
        self.ending == Ending::GuestLost && self.text.contains("Oops: int3:")
    }
}

/// Runs cases in guests that it boots as needed.
pub struct Suite<'a> {
    environment: &'a Environment,
    payload: &'a Payload,
    /// Whether to show what cases write as they write it.
    verbose: bool,
    group: Option<Group>,
    /// Programs the present group has run.
    programs: u32,
}

impl<'a> Suite<'a> {
    /// A suite without a guest yet.
    pub fn new(environment: &'a Environment, payload: &'a Payload, verbose: bool) -> Suite<'a> {
        Suite {
            environment,
            payload,
            verbose,
            group: None,
            programs: 0,
        }
    }

    /// Whether guests that ran the last case, so many, are still there.
    pub fn has_guests(&self, guests: usize) -> bool {
        self.group
            .as_ref()
            .is_some_and(|group| group.machines.len() == guests)
    }

    /// Runs one case.
    pub fn run(&mut self, case: &Case) -> Outcome {
        let mut start = Instant::now();
        let mut bad = self.run_once(case, &mut start);
        if !self.environment.kvm && bad.as_ref().is_some_and(Bad::is_of_emulation) {
            println!("note: the emulated CPU met a breakpoint that the kernel had taken away; running the case again");
            bad = self.run_once(case, &mut start);
        }
        let failure = match (case.expect, bad) {
            (None, None) => None,
            (None, Some(bad)) => Some(format!("{}: {}", bad.ending, bad.text)),
            (Some(ending), Some(bad)) if bad.ending == ending => None,
            (Some(ending), Some(bad)) => Some(format!(
                "expected {ending}, got {}: {}",
                bad.ending, bad.text
            )),
            (Some(ending), None) => Some(format!("expected {ending}, but it passed")),
        };
        Outcome {
            case: case.clone(),
            elapsed: start.elapsed(),
            failure,
            skipped: None,
        }
    }

    /// Runs a case, which starts when its guests have booted. What is wrong with it, if anything.
    fn run_once(&mut self, case: &Case, start: &mut Instant) -> Option<Bad> {
        let booted = self.boot(case.guests);
        *start = Instant::now();
        booted
            .and_then(|()| self.run_in_guests(case))
            .unwrap_or_else(|error| {
                self.group = None;
                Some(Bad::new(Ending::GuestLost, error.to_string()))
            })
    }

    /// Makes sure a group of this size runs.
    fn boot(&mut self, guests: usize) -> io::Result<()> {
        if self.group.as_ref().map(|group| group.machines.len()) != Some(guests) {
            // The old group ends first: its sockets have the same names.
            self.group = None;
            self.programs = 0;
            self.group = Some(Group::boot(
                self.environment,
                self.payload,
                guests,
                Clock::Time,
            )?);
        }
        Ok(())
    }

    /// An error means that a guest can no longer be talked to.
    fn run_in_guests(&mut self, case: &Case) -> io::Result<Option<Bad>> {
        let Some(group) = &mut self.group else {
            return Err(io::Error::other("no guest runs"));
        };
        self.programs += 1;
        let accelerator = if self.environment.kvm { "kvm" } else { "tcg" };
        for guest in 0..case.guests {
            let mut program = vec!["env".to_owned()];
            program.extend([
                format!("GUEST={}", guest + 1),
                format!("GUESTS={}", case.guests),
                format!("CASE={}", case.name),
                format!("KERNEL_VERSION={}", self.environment.kernel_version),
                format!("ACCEL={accelerator}"),
                format!("PATIENCE={}", self.environment.patience()),
            ]);
            program.extend(env::var("MOVES").map(|moves| format!("MOVES={moves}")));
            program.push("/ovnet/guest/case".to_owned());
            program.extend(case.command.iter().cloned());
            group.send(guest, &Message::Run(program))?;
        }

        let mut watch = Watch::new(case, self.programs, self.verbose);
        watch.until_done(group)?;
        for (guest, output) in watch.output.iter().enumerate() {
            let name = format!("{}.{}.log", case.name, guest + 1);
            fs::write(self.environment.logs().join(name), output)?;
        }

        if let Some((guest, lines)) = group
            .machines
            .iter()
            .enumerate()
            .find_map(|(guest, machine)| Some((guest, machine.console.take_complaint()?)))
        {
            let text = format!("guest {} says:\n{}", guest + 1, lines.join("\n"));
            // After a real complaint the kernel is not one to test on.
            if case.expect != Some(Ending::KernelReport) {
                self.group = None;
            }
            return Ok(Some(Bad::new(Ending::KernelReport, text)));
        }
        Ok(watch.bad.map(|mut bad| {
            let text =
                watch
                    .output
                    .iter()
                    .enumerate()
                    .fold(String::new(), |text, (guest, output)| {
                        let output = String::from_utf8_lossy(output);
                        let lines: Vec<&str> = output.lines().collect();
                        let last = lines[lines.len().saturating_sub(SHOWN)..].join("\n");
                        format!(
                            "{text}\n--- guest {} wrote (last lines):\n{last}",
                            guest + 1
                        )
                    });
            bad.text.push_str(&text);
            bad
        }))
    }
}

/// Watches the guests while one case runs.
struct Watch<'a> {
    case: &'a Case,
    program: u32,
    verbose: bool,
    output: Vec<Vec<u8>>,
    status: Vec<Option<i32>>,
    log_complete: Vec<bool>,
    /// The barrier each guest waits at.
    barrier: Vec<Option<String>>,
    /// The first bad thing; what follows from it is not interesting.
    bad: Option<Bad>,
    deadline: Instant,
    aborted: bool,
}

impl<'a> Watch<'a> {
    fn new(case: &'a Case, program: u32, verbose: bool) -> Watch<'a> {
        Watch {
            case,
            program,
            verbose,
            output: vec![Vec::new(); case.guests],
            status: vec![None; case.guests],
            log_complete: vec![false; case.guests],
            barrier: vec![None; case.guests],
            bad: None,
            deadline: Instant::now() + case.timeout,
            aborted: false,
        }
    }

    /// Status and end of log come over different channels, in any order.
    fn until_done(&mut self, group: &mut Group) -> io::Result<()> {
        while (0..self.case.guests).any(|guest| !self.is_done(guest)) {
            match group.next(self.deadline) {
                Some((guest, event)) => self.take(guest, event, group)?,
                None if self.aborted => {
                    return Err(io::Error::other(format!(
                        "a guest hangs; its console ends with:\n{}",
                        group.machines[self.hanging()].console.tail(20).join("\n")
                    )));
                }
                None => {
                    let text = format!("not done after {} s", self.case.timeout.as_secs());
                    self.bad.get_or_insert(Bad::new(Ending::Timeout, text));
                    self.abort(group)?;
                }
            }
        }
        Ok(())
    }

    fn is_done(&self, guest: usize) -> bool {
        self.status[guest].is_some() && self.log_complete[guest]
    }

    fn hanging(&self) -> usize {
        (0..self.case.guests)
            .find(|guest| !self.is_done(*guest))
            .unwrap_or(0)
    }

    fn take(&mut self, guest: usize, event: Event, group: &mut Group) -> io::Result<()> {
        match event {
            Event::Control(Message::Stdout(bytes) | Message::Stderr(bytes)) => {
                if self.verbose {
                    io::stdout().write_all(&bytes)?;
                }
                self.output[guest].extend(bytes);
            }
            Event::Control(Message::Barrier(name)) => {
                self.barrier[guest] = Some(name);
                self.meet(group)?;
            }
            Event::Control(Message::Exit(status)) => {
                self.status[guest] = Some(status);
                self.barrier[guest] = None;
                if status != 0 {
                    let text = format!("guest {} ended with status {status}", guest + 1);
                    self.bad.get_or_insert(Bad::new(Ending::Failure, text));
                    self.abort(group)?;
                }
                self.meet(group)?;
            }
            Event::Control(other) => {
                return Err(io::Error::other(format!(
                    "guest {} said {other:?}",
                    guest + 1
                )));
            }
            Event::Console(News::EndOfProgram(number)) if number == self.program => {
                self.log_complete[guest] = true;
            }
            Event::Console(News::Complaint) => {
                // What it leads to may never end by itself.
                self.deadline = self.deadline.min(Instant::now() + GRACE);
            }
            Event::Console(News::Closed) => {
                let console = &group.machines[guest].console;
                let lines = console.take_complaint().unwrap_or_else(|| console.tail(20));
                return Err(io::Error::other(format!(
                    "guest {} died:\n{}",
                    guest + 1,
                    lines.join("\n")
                )));
            }
            Event::Console(News::EndOfProgram(_) | News::FirstProcess) => {}
        }
        Ok(())
    }

    /// Lets the guests go on when all wait at one barrier; when they never
    /// will, says so at once.
    fn meet(&mut self, group: &mut Group) -> io::Result<()> {
        let Some(guest) = self.barrier.iter().position(Option::is_some) else {
            return Ok(());
        };
        let Some(name) = self.barrier[guest].clone() else {
            return Ok(());
        };
        let missing = (0..self.barrier.len()).find(|other| match &self.barrier[*other] {
            Some(other) => *other != name,
            None => self.status[*other].is_some(),
        });
        if let Some(missing) = missing {
            let text = format!(
                "guest {} waits at barrier {name:?}, where guest {} will not come",
                guest + 1,
                missing + 1
            );
            self.bad.get_or_insert(Bad::new(Ending::Failure, text));
            return self.abort(group);
        }
        if self.barrier.iter().all(Option::is_some) {
            self.barrier.fill(None);
            for guest in 0..self.barrier.len() {
                group.send(guest, &Message::Barrier(name.clone()))?;
            }
        }
        Ok(())
    }

    fn abort(&mut self, group: &mut Group) -> io::Result<()> {
        if !self.aborted {
            self.aborted = true;
            self.deadline = Instant::now() + GRACE;
            for (guest, status) in self.status.iter().enumerate() {
                if status.is_none() {
                    group.send(guest, &Message::Abort)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_guest_that_a_breakpoint_has_killed_is_given_another_try() {
        let of_emulation = |ending, text: &str| Bad::new(ending, text).is_of_emulation();
        let oops = "guest 1 died:\n[  168.798960] Oops: int3: 0000 [#1] SMP NOPTI";
        assert!(of_emulation(Ending::GuestLost, oops));
        assert!(!of_emulation(Ending::KernelReport, oops));
        let other = "guest 1 died:\n[  168.798960] Oops: general protection fault";
        assert!(!of_emulation(Ending::GuestLost, other));
    }
}
