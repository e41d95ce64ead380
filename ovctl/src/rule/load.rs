// SPDX-License-Identifier: GPL-2.0

//! Rules from a file of JSON lines: the objects that `ovctl rule show --json` writes.
//!
//! Rules go to the kernel in batches, each of which is set as a whole. If one is refused its rules are set
//! one by one, so that the line at fault can be named.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};

use ovnet_uapi::{Client, Criteria, Error, Prefix, RuleSet, Span, Vni};
use serde_json::{Map, Value};

use super::words::{protocol, Parts};
use super::{action, direction, BATCH};
use crate::failure::{Failure, Hint};
use crate::{net, prefix};

/// A rule, and the line it stands in.
#[derive(Debug)]
struct Line {
    number: usize,
    vni: Vni,
    rule: RuleSet,
}

/// Sets the rules of a file.
pub(super) fn run(file: &str) -> Result<(), Failure> {
    let input: Box<dyn BufRead> = match file {
        "-" => Box::new(io::stdin().lock()),
        _ => {
            let opened = File::open(file)
                .map_err(|error| Failure::Input(format!("cannot read {file}: {error}")))?;
            Box::new(BufReader::new(opened))
        }
    };
    // All lines are read before the first rule is set: a file with a mistake changes nothing.
    let mut lines = Vec::new();
    for (line, number) in input.lines().zip(1..) {
        let line = line.map_err(|error| Failure::Input(format!("cannot read {file}: {error}")))?;
        if line.trim().is_empty() {
            continue;
        }
        let (vni, rule) = read(&line)
            .map_err(|error| Failure::Input(format!("{file}, line {number}: {error}")))?;
        lines.push(Line { number, vni, rule });
    }
    let mut client = Client::connect()?;
    let total = lines.len();
    let mut done = 0;
    for batch in batches(&lines) {
        set(&mut client, file, batch)?;
        done += batch.len();
        progress(done, total);
    }
    Ok(())
}

/// Rules of one network that follow each other, as many as one request takes.
fn batches(lines: &[Line]) -> impl Iterator<Item = &[Line]> {
    lines
        .chunk_by(|one, next| one.vni == next.vni)
        .flat_map(|lines| lines.chunks(BATCH))
}

fn set(client: &mut Client, file: &str, batch: &[Line]) -> Result<(), Failure> {
    let rules: Vec<RuleSet> = batch.iter().map(|line| line.rule).collect();
    match client.rules_set(batch[0].vni, &rules) {
        Ok(()) => return Ok(()),
        Err(Error::Refused(_)) => {}
        Err(error) => return Err(error.into()),
    }
    for Line { number, vni, rule } in batch {
        client.rules_set(*vni, &[*rule]).map_err(|error| {
            let at = format!("line {number} of {file} says so; the rules before it are set");
            Failure::with_hints([net::unknown(*vni), Hint::any(at)])(error)
        })?;
    }
    Ok(())
}

/// How far it is, for who watches.
fn progress(done: usize, total: usize) {
    let mut stderr = io::stderr();
    if stderr.is_terminal() {
        let end = if done == total { "\n" } else { "" };
        // The rules are set whether or not that can be seen.
        let _ = write!(stderr, "\r{done} of {total} rules{end}");
    }
}

/// A rule of a line.
fn read(line: &str) -> Result<(Vni, RuleSet), String> {
    let object: Map<String, Value> =
        serde_json::from_str(line).map_err(|error| format!("no JSON object: {error}"))?;
    let mut fields = Fields(object);
    let vni = fields.number("vni", u64::from(Vni::MAX))?;
    let vni = vni.and_then(|number| Vni::new(number as u32));
    let vni = vni.ok_or_else(|| format!("vni must be a number from 1 to {}", Vni::MAX))?;
    let which = fields.text("direction")?.ok_or("direction is missing")?;
    let what = fields.text("action")?.ok_or("action is missing")?;
    let small = |number: Option<u64>| number.map(|number| number as u8);
    let parts = Parts {
        protocol: fields.protocol()?,
        sport: fields.span("sport-min", "sport-max")?,
        dport: fields.span("dport-min", "dport-max")?,
        icmp: match (
            small(fields.number("icmp-type", 255)?),
            small(fields.number("icmp-code", 255)?),
        ) {
            (Some(kind), code) => Some((kind, code)),
            (None, None) => None,
            (None, Some(_)) => return Err("icmp-code needs icmp-type".into()),
        },
    };
    let rule = RuleSet {
        id: fields
            .number("id", u32::MAX.into())?
            .map(|id| id as u32)
            .filter(|&id| id != 0),
        direction: direction(&which).map_err(|wanted| format!("direction must be {wanted}"))?,
        priority: fields
            .number("priority", u16::MAX.into())?
            .map(|it| it as u16),
        action: action(&what).map_err(|wanted| format!("action must be {wanted}"))?,
        criteria: Criteria {
            src: fields.prefix("src", "src-len")?,
            dst: fields.prefix("dst", "dst-len")?,
            transport: parts.transport()?,
            size: fields.span("size-min", "size-max")?.unwrap_or(Span::ALL),
            peer: match fields.number("peer", u64::from(Vni::MAX))? {
                Some(number) => Some(Vni::new(number as u32).ok_or("peer must not be 0")?),
                None => None,
            },
        },
    };
    // What a rule has counted is not for the file to say.
    fields.number("packets", u64::MAX)?;
    fields.number("bytes", u64::MAX)?;
    match fields.0.keys().next() {
        Some(unknown) => Err(format!("{unknown}: a rule has no such key")),
        None => Ok((vni, rule)),
    }
}

/// The keys of an object that nobody has read yet.
struct Fields(Map<String, Value>);

impl Fields {
    fn number(&mut self, key: &str, max: u64) -> Result<Option<u64>, String> {
        let Some(value) = self.0.remove(key) else {
            return Ok(None);
        };
        match value.as_u64().filter(|&number| number <= max) {
            Some(number) => Ok(Some(number)),
            None => Err(format!("{key} must be a number up to {max}")),
        }
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, String> {
        match self.0.remove(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{key} must be a string")),
        }
    }

    fn protocol(&mut self) -> Result<Option<u8>, String> {
        if let Some(Value::String(name)) = self.0.get("protocol") {
            let number = protocol(name).map_err(|wanted| format!("protocol must be {wanted}"))?;
            self.0.remove("protocol");
            return Ok(Some(number));
        }
        let number = self.number("protocol", 255)?;
        Ok(number
            .map(|number| number as u8)
            .filter(|&number| number != 0))
    }

    fn span(&mut self, min: &str, max: &str) -> Result<Option<Span>, String> {
        let first = self.number(min, u16::MAX.into())?;
        let last = self.number(max, u16::MAX.into())?;
        if first.is_none() && last.is_none() {
            return Ok(None);
        }
        let (first, last) = (first.unwrap_or(0), last.unwrap_or(u16::MAX.into()));
        Span::new(first as u16, last as u16)
            .map(Some)
            .ok_or_else(|| format!("{max} is less than {min}"))
    }

    /// An address with its length beside it, or behind a slash.
    fn prefix(&mut self, key: &str, len: &str) -> Result<Prefix, String> {
        let length = self.number(len, 32)?;
        match (self.text(key)?, length) {
            (None, None) => Ok(Prefix::ALL),
            (None, Some(_)) => Err(format!("{len} needs {key}")),
            (Some(address), None) => prefix::addresses(&address),
            (Some(address), Some(length)) => prefix::addresses(&format!("{address}/{length}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::words;
    use super::*;
    use crate::output::Row;
    use ovnet_uapi::{Direction, Rule};

    #[test]
    fn what_is_shown_can_be_loaded() {
        for text in [
            "allow",
            "id 7 priority 9 from 10.0.0.0/8 to 10.0.0.3 proto tcp sport 1-2 dport 80 size 0-99 peer 8 deny",
            "icmp-type 3/4 reject",
            "icmp-type 8 reject",
            "dport 53 allow",
            "proto gre allow",
        ] {
            let split: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
            let set = words::parse(Direction::Out, &split).unwrap();
            let shown = Rule {
                vni: Vni::new(7).unwrap(),
                id: set.id.unwrap_or(1),
                direction: set.direction,
                priority: set.priority.unwrap_or(1000),
                action: set.action,
                criteria: set.criteria,
                packets: 1,
                bytes: 2,
            };
            let line = Value::Object(shown.object()).to_string();
            let (vni, read) = read(&line).unwrap();
            assert_eq!(vni.get(), 7);
            assert_eq!(read.criteria, set.criteria, "{line}");
            assert_eq!((read.id, read.priority), (Some(shown.id), Some(shown.priority)));
            assert_eq!((read.direction, read.action), (set.direction, set.action));
        }
    }

    #[test]
    fn people_write_prefixes_and_names() {
        let line = r#"{"vni":7,"direction":"in","action":"deny","src":"10.0.0.0/8","protocol":"udp","dport-min":53,"dport-max":53}"#;
        let (_, rule) = read(line).unwrap();
        assert_eq!(
            words::text(&rule.criteria),
            "from 10.0.0.0/8 proto udp dport 53"
        );
        assert_eq!((rule.id, rule.priority), (None, None));
    }

    #[test]
    fn a_line_that_is_no_rule_is_refused() {
        let rule = |more: &str| {
            read(&format!(
                r#"{{"vni":7,"direction":"in","action":"deny"{more}}}"#
            ))
        };
        assert!(rule("").is_ok());
        for (more, says) in [
            (r#","dprt":80"#, "dprt: a rule has no such key"),
            (r#","src":"10.0.0.1/8""#, "write 10.0.0.0/8"),
            (r#","src-len":8"#, "src-len needs src"),
            (r#","src":7"#, "src must be a string"),
            (r#","protocol":"nonsense""#, "protocol must be"),
            (r#","protocol":256"#, "a number up to 255"),
            (r#","protocol":47,"dport-min":1"#, "no ports"),
            (
                r#","dport-min":9,"dport-max":8"#,
                "dport-max is less than dport-min",
            ),
            (r#","icmp-code":1"#, "icmp-code needs icmp-type"),
            (r#","peer":0"#, "peer must not be 0"),
            (r#","priority":65536"#, "a number up to 65535"),
        ] {
            let error = rule(more).unwrap_err();
            assert!(error.contains(says), "{more}: {error}");
        }
        for (line, says) in [
            ("", "no JSON object"),
            ("[]", "no JSON object"),
            (r#"{"direction":"in","action":"deny"}"#, "vni must be"),
            (r#"{"vni":7,"action":"deny"}"#, "direction is missing"),
            (
                r#"{"vni":7,"direction":"in","action":"drop"}"#,
                "allow, deny or reject",
            ),
        ] {
            let error = read(line).unwrap_err();
            assert!(error.contains(says), "{line}: {error}");
        }
    }

    #[test]
    fn batches_are_of_one_network_and_not_too_long() {
        let (_, rule) = read(r#"{"vni":7,"direction":"in","action":"deny"}"#).unwrap();
        let line = |number| Line {
            number,
            vni: Vni::new(if number <= 300 { 7 } else { 8 }).unwrap(),
            rule,
        };
        let lines: Vec<Line> = (1..=310).map(line).collect();
        let lengths: Vec<usize> = batches(&lines).map(<[Line]>::len).collect();
        assert_eq!(lengths, [256, 44, 10]);
    }
}
