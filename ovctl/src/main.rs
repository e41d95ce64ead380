// SPDX-License-Identifier: GPL-2.0

//! `ovctl` shows and changes the ovnet state of one host, the network namespace it runs in, or, with `--server`,
//! what a manager has provisioned.
//!
//! One file per object, each with its commands' arguments and what they do; `output` alone
//! writes to standard output, `complain` alone to standard error.

mod cli;
mod duration;
mod failure;
mod host;
mod manual;
mod mapping;
mod monitor;
mod net;
mod netns;
mod output;
mod peering;
mod port;
mod prefix;
mod rule;
mod server;
mod stats;
mod top;
mod trace;
mod transfer;
mod translate;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory, FromArgMatches};

use cli::Cli;
use failure::Failure;
use output::Output;

fn main() -> ExitCode {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let mut stdout = BufWriter::new(io::stdout().lock());
    let mut output = Output::new(&mut stdout, cli.json, cli.pretty);
    let result = cli.run(&matches, &mut output);
    // What was written before a failure is still worth seeing.
    let result = stdout.flush().map_err(Failure::from).and(result);
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has seen enough, as `head` has.
        Err(Failure::Closed) => ExitCode::SUCCESS,
        // The output says it all.
        Err(Failure::Verdict(code)) => code.into(),
        Err(failure) => {
            complain(&format!("{}: {failure}", command(&matches)));
            if let Some(hint) = failure.hint() {
                complain(&format!("hint: {hint}"));
            }
            failure.code().into()
        }
    }
}

/// Write to standard error. If that fails too, the exit code must do.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "ovctl: {text}");
}

/// The command as words, without options and values: `mapping set`.
fn command(matches: &ArgMatches) -> String {
    let mut words = Vec::new();
    let mut level = matches;
    while let Some((word, below)) = level.subcommand() {
        words.push(word);
        level = below;
    }
    words.join(" ")
}
