// SPDX-License-Identifier: GPL-2.0

//! `ovctl --server monitor`: changes at a manager as they happen, none left out.
//!
//! The manager sends server-sent events, each with an id that tells the state it leads to. When the connection
//! breaks, or is silent for too long, the stream is opened again from behind the last id that was read.

use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, SystemTime};

use clap::Args;
use serde_json::Value;

use super::client::escaped;
use super::{sides, Server};
use crate::complain;
use crate::failure::{Code, Failure};
use crate::monitor::Command;
use crate::output::{Object, Output};

/// The pause before a stream is opened again grows from here
const SHORTEST: Duration = Duration::from_secs(1);
/// to here.
const LONGEST: Duration = Duration::from_secs(30);

/// What a manager can be asked of its changes, and a host not of its events.
#[derive(Debug, Args)]
#[group(skip)]
#[command(next_help_heading = sides::MANAGER)]
pub(crate) struct Options {
    /// Only objects of this kind: organisation, network, host, node, address or move
    #[arg(long)]
    kind: Option<String>,

    /// What has changed since, as `resume` of an earlier change tells [default: now]
    #[arg(long, value_name = "RESUME")]
    from: Option<String>,
}

pub(super) fn run(
    command: Command,
    server: &Server,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let mut left = command.count.unwrap_or(usize::MAX);
    let path = match &command.manager.kind {
        Some(kind) => format!("/v1/watch?kind={}", escaped(kind)),
        None => "/v1/watch".to_owned(),
    };
    // The state from which on nothing is missed, whenever the connection breaks.
    let mut last = match command.manager.from {
        Some(from) => from,
        None => now(server)?,
    };
    let mut started = false;
    let mut pause = SHORTEST;
    while left > 0 {
        let failure = match server.open(&path, Some(&last)) {
            Ok(stream) => {
                started = true;
                let mut stream = Stream::new(stream);
                loop {
                    match stream.next() {
                        Ok(Some(event)) => {
                            pause = SHORTEST;
                            let time = command.timestamp.then(SystemTime::now);
                            write(&event, time, &mut left, output)?;
                            if left == 0 {
                                return Ok(());
                            }
                            last = event.id;
                        }
                        Ok(None) => break "the manager has ended the stream".to_owned(),
                        Err(error) => break error.to_string(),
                    }
                }
            }
            Err(Failure::Manager(problem)) if problem.is_gone() && started => {
                complain("warning: changes were missed: read again what there is");
                last = now(server)?;
                continue;
            }
            Err(Failure::Manager(problem)) if problem.code == Code::Away && started => {
                problem.message
            }
            Err(failure) => return Err(failure),
        };
        complain(&format!(
            "warning: {failure}; going on in {}s",
            pause.as_secs()
        ));
        std::thread::sleep(pause);
        pause = (2 * pause).min(LONGEST);
    }
    Ok(())
}

/// Moves as they go on.
pub(super) fn moves(server: &Server, output: &mut Output<'_>) -> Result<(), Failure> {
    let command = Command {
        timestamp: false,
        count: None,
        manager: Options {
            kind: Some("move".into()),
            from: None,
        },
    };
    run(command, server, output)
}

/// The present state, by the name the manager has for it.
fn now(server: &Server) -> Result<String, Failure> {
    let list = server.get("/v1/organisations?limit=1")?.object;
    let resume = list.get("resume").and_then(Value::as_str);
    Ok(resume.unwrap_or_default().to_owned())
}

/// One transaction's changes.
struct Event {
    id: String,
    changes: Vec<Object>,
}

/// A stream of server-sent events (HTML Living Standard §9.2).
struct Stream<R> {
    lines: BufReader<R>,
}

impl<R: Read> Stream<R> {
    fn new(reader: R) -> Stream<R> {
        Stream {
            lines: BufReader::new(reader),
        }
    }

    /// The next event with changes; nothing at the end of the stream, where half an event is none.
    fn next(&mut self) -> std::io::Result<Option<Event>> {
        let (mut id, mut data) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            let line = line.trim_end_matches(['\r', '\n']);
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => value.clone_into(&mut id),
                "data" => {
                    data.push_str(value);
                    data.push('\n');
                }
                "" if line.is_empty() && !id.is_empty() => {
                    if let Some(changes) = changes(&data) {
                        return Ok(Some(Event { id, changes }));
                    }
                    (id, data) = Default::default();
                }
                "" if line.is_empty() => data.clear(),
                // A comment, or a field that is not needed here.
                _ => {}
            }
        }
    }
}

fn changes(data: &str) -> Option<Vec<Object>> {
    let mut data: Object = serde_json::from_str(data).ok()?;
    match data.remove("changes")? {
        Value::Array(changes) => changes
            .into_iter()
            .map(|change| match change {
                Value::Object(change) => Some(change),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}

/// Write at most `left` changes.
fn write(
    event: &Event,
    time: Option<SystemTime>,
    left: &mut usize,
    output: &mut Output<'_>,
) -> std::io::Result<()> {
    let time = time.map(|time| humantime::format_rfc3339_micros(time).to_string());
    for change in event.changes.iter().take(*left) {
        *left -= 1;
        if output.is_json() {
            let mut object = Object::new();
            if let Some(time) = &time {
                object.insert("timestamp".into(), time.as_str().into());
            }
            object.extend(change.clone());
            object.insert("resume".into(), event.id.as_str().into());
            output.json_line(object)?;
            continue;
        }
        let mut line = String::new();
        if let Some(time) = &time {
            line.push_str(&format!("[{time}] "));
        }
        line.push_str(&words(change));
        output.line(&line)?;
    }
    output.flush()
}

/// The kind, the id and what happened, then what the object is now, or was.
fn words(change: &Object) -> String {
    let mut words: Vec<_> = ["kind", "id", "action"]
        .iter()
        .map(|key| super::text(change, key))
        .collect();
    if let Some(Value::Object(object)) = change.get("object") {
        for (key, value) in object {
            let value = match value {
                Value::Null => continue,
                Value::String(text) if text.is_empty() || text.contains(' ') => value.to_string(),
                Value::Array(_) | Value::Object(_) => value.to_string(),
                _ => super::text(object, key),
            };
            words.push(key.clone());
            words.push(value);
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "\
: alive

event: change
id: ab-7
data: {\"changes\":[{\"kind\":\"host\",\"id\":\"fd\",\"action\":\"created\",\"object\":{\"id\":\"fd\",\"name\":\"R 1\"}}]}

event: later
id: ab-8
data: {}

event: change\r
id: ab-9\r
data: {\"changes\":\r
data: []}\r
\r
event: change
id: ab-10
data: {\"changes\":[]}
";

    #[test]
    fn events_are_read_and_what_is_none_is_left_out() {
        let mut stream = Stream::new(STREAM.as_bytes());
        let first = stream.next().unwrap().unwrap();
        assert_eq!(first.id, "ab-7");
        assert_eq!(
            words(&first.changes[0]),
            "host fd created id fd name \"R 1\""
        );
        let second = stream.next().unwrap().unwrap();
        assert_eq!((&second.id[..], second.changes.len()), ("ab-9", 0));
        // The last one was cut off.
        assert!(stream.next().unwrap().is_none());
    }
}
