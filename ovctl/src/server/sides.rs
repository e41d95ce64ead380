// SPDX-License-Identifier: GPL-2.0

//! What only a host, or only a manager, understands.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory};

use crate::cli::Cli;
use crate::failure::Failure;

/// The heading of arguments that only a host understands.
pub(crate) const HERE: &str = "On this host";
/// The heading of arguments that only a manager understands.
pub(crate) const MANAGER: &str = "At a manager (--server)";

/// Refuse arguments that the one which is asked does not understand.
pub(crate) fn check(matches: &ArgMatches, managed: bool) -> Result<(), Failure> {
    let mut command = Cli::command();
    command.build();
    let (mut command, mut matches) = (&command, matches);
    while let Some((word, below)) = matches.subcommand() {
        let Some(next) = command.find_subcommand(word) else {
            break;
        };
        (command, matches) = (next, below);
        level(command, matches, managed)?;
    }
    Ok(())
}

fn level(command: &Command, matches: &ArgMatches, managed: bool) -> Result<(), Failure> {
    let foreign = if managed { HERE } else { MANAGER };
    let given = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
    let wrong = command.get_arguments().find(|argument| {
        argument.get_help_heading() == Some(foreign) && given(argument.get_id().as_str())
    });
    let Some(argument) = wrong else { return Ok(()) };
    let name = match argument.get_long() {
        Some(long) => format!("--{long}"),
        None => argument.get_id().to_string(),
    };
    Err(Failure::Usage(match managed {
        true => format!("{name} is for a host, not for its manager: leave it, or --server, out"),
        false => format!("{name} is for a manager: say which one by --server URL"),
    }))
}

/// A word that says whether.
pub(crate) fn yes(text: &str) -> Result<bool, String> {
    match text {
        "yes" | "on" | "true" => Ok(true),
        "no" | "off" | "false" => Ok(false),
        _ => Err("yes or no".into()),
    }
}

/// What a manager alone has was asked of this host.
pub(crate) fn no_manager() -> Failure {
    Failure::Usage("a manager has these: say which one by --server URL, or OVCTL_SERVER".into())
}

/// What a host alone has was asked of a manager.
pub(crate) fn not_here(why: &str) -> Failure {
    Failure::Usage(format!(
        "not at a manager: {why}; on the host itself leave --server out, or write --server local"
    ))
}
