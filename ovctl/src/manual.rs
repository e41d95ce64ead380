// SPDX-License-Identifier: GPL-2.0

//! What is made from the command line's own definition: completions for shells, and man pages.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::failure::Failure;
use crate::output::Output;

/// The program by the name it is called.
const NAME: &str = "ovctl";

#[derive(Debug, Args)]
pub(crate) struct Completion {
    /// The shell
    shell: Shell,
}

impl Completion {
    pub(crate) fn run(self, output: &mut Output<'_>) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), NAME, &mut script);
        Ok(output.text(&String::from_utf8_lossy(&script))?)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Manual {
    /// The directory to write to
    directory: PathBuf,
}

impl Manual {
    pub(crate) fn run(self) -> Result<(), Failure> {
        clap_mangen::generate_to(Cli::command(), &self.directory).map_err(|error| {
            let directory = self.directory.display();
            Failure::Input(format!("cannot write man pages to {directory}: {error}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Command;

    use super::*;
    use crate::output::capture;

    /// Calls `visit` with every command, and its words.
    fn each(command: &Command, words: &str, visit: &mut impl FnMut(&Command, &str)) {
        visit(command, words);
        for below in command.get_subcommands() {
            each(below, &format!("{words} {}", below.get_name()), visit);
        }
    }

    #[test]
    fn every_command_and_every_argument_says_what_it_is() {
        let mut count = 0;
        each(&Cli::command(), NAME, &mut |command, words| {
            assert!(command.get_about().is_some(), "{words} has no help");
            for argument in command.get_arguments() {
                let help = argument.get_help().map(ToString::to_string);
                let name = argument.get_id();
                assert!(
                    help.is_some_and(|help| help.len() > 3),
                    "{name} of {words} has no help"
                );
                count += 1;
            }
        });
        assert!(count > 50, "only {count} arguments were looked at");
    }

    #[test]
    fn each_shell_gets_a_script_that_knows_the_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = capture::text(false, |output| {
                Completion { shell }.run(output).unwrap();
            });
            for word in ["mapping", "fidelity", "completion", "top"] {
                assert!(script.contains(word), "{shell} does not know {word}");
            }
        }
    }

    #[test]
    fn there_is_a_page_for_every_command() {
        let directory = std::env::temp_dir().join(format!("ovctl-man-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let manual = Manual {
            directory: directory.clone(),
        };
        manual.run().unwrap();
        let mut missing = Vec::new();
        each(&Cli::command(), NAME, &mut |command, words| {
            let page = directory.join(format!("{}.1", words.replace(' ', "-")));
            if !command.is_hide_set() && !page.exists() {
                missing.push(words.to_owned());
            }
        });
        let first = std::fs::read_to_string(directory.join("ovctl.1")).unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        assert!(missing.is_empty(), "no pages for {missing:?}");
        assert!(first.contains("Exit codes"), "{first}");
    }
}
