// SPDX-License-Identifier: GPL-2.0

//! `ovctl apply`: makes a manager's objects what a document says.

use std::io::Read;

use clap::Args;
use serde_json::Value;

use super::change::word;
use super::{text, Server};
use crate::failure::Failure;
use crate::output::{Object, Output, Row};

#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Command {
    /// The document, in YAML or JSON; - for standard input
    #[arg(short, long, value_name = "FILE")]
    file: String,

    /// Delete what the organisations of the document have and the document does not
    #[arg(long)]
    prune: bool,

    /// Only say what would change
    #[arg(long)]
    dry_run: bool,
}

impl Command {
    pub(super) fn run(self, server: &Server, output: &mut Output<'_>) -> Result<(), Failure> {
        let document = read(&self.file)?;
        let json = document.trim_ascii_start().starts_with(b"{");
        let media = if json {
            "application/json"
        } else {
            "application/yaml"
        };
        let path = format!("/v1/apply?dry_run={}&prune={}", self.dry_run, self.prune);
        match server.post_document(&path, media, document) {
            Ok(reply) => {
                let results = reply.object.get("results").and_then(Value::as_array);
                self.write(results.map_or(&[], Vec::as_slice), output)
            }
            Err(Failure::Manager(problem)) => {
                // What was done before the refusal is done.
                if !problem.results.is_empty() {
                    self.write(&problem.results, output)?;
                }
                Err(problem.into())
            }
            Err(failure) => Err(failure),
        }
    }

    fn write(&self, results: &[Value], output: &mut Output<'_>) -> Result<(), Failure> {
        let steps = || results.iter().filter_map(Value::as_object);
        if output.is_json() {
            return output.list(steps().map(|step| Ok(Step(step.clone()))));
        }
        let mut counts = [0; ACTIONS.len()];
        for step in steps() {
            let action = text(step, "action");
            let Some(which) = ACTIONS.iter().position(|(word, _)| *word == action) else {
                continue;
            };
            counts[which] += 1;
            if let Some(sign) = ACTIONS[which].1 {
                output.line(&format!(
                    "{sign} {} {}",
                    text(step, "kind"),
                    text(step, "id")
                ))?;
            }
            let fields = step.get("fields").and_then(Value::as_array);
            for field in fields.into_iter().flatten().filter_map(Value::as_object) {
                output.line(&format!(
                    "    {}: {} -> {}",
                    text(field, "field"),
                    word(field.get("from")),
                    word(field.get("to"))
                ))?;
            }
        }
        let counts = ACTIONS.iter().zip(counts);
        let counts: Vec<_> = counts.map(|((word, _), n)| format!("{n} {word}")).collect();
        let end = if self.dry_run {
            "; nothing was done"
        } else {
            ""
        };
        Ok(output.line(&format!("{}{end}", counts.join(", ")))?)
    }
}

/// What becomes of an object, and the sign of a line about it.
const ACTIONS: [(&str, Option<char>); 4] = [
    ("created", Some('+')),
    ("changed", Some('~')),
    ("deleted", Some('-')),
    ("unchanged", None),
];

fn read(file: &str) -> Result<Vec<u8>, Failure> {
    let mut document = Vec::new();
    let read = match file {
        "-" => std::io::stdin().lock().read_to_end(&mut document),
        path => std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut document)),
    };
    match read {
        Ok(_) => Ok(document),
        Err(error) => Err(Failure::Input(format!("cannot read {file}: {error}"))),
    }
}

/// What became of one object.
struct Step(Object);

impl Row for Step {
    const COLUMNS: &'static [&'static str] = &["KIND", "ID", "ACTION"];

    fn cells(&self) -> Vec<String> {
        ["kind", "id", "action"]
            .iter()
            .map(|key| text(&self.0, key))
            .collect()
    }

    fn object(&self) -> Object {
        self.0.clone()
    }
}
