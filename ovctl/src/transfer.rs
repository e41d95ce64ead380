// SPDX-License-Identifier: GPL-2.0

//! `ovctl mapping export` and `import`: mappings as lines of JSON, one object each, with the keys of
//! `mapping show --json`.

use std::io::{stderr, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use ovnet_uapi::generated::{GEN_MAX, TTL_MAX};
use ovnet_uapi::{BatchResult, Client, Error, Mapping, MappingSet, MappingState, Vni};
use serde_json::Value;

use crate::complain;
use crate::failure::Failure;
use crate::output::{put, put_ms, put_text, Object, Output};
use crate::{host, mapping, net, prefix};

/// The file that stands for standard input.
const STDIN: &str = "-";

/// Mappings that are sent before progress is shown again.
const PORTION: usize = 10_000;

/// A line is not longer; what is, is no mapping.
const LONGEST: u64 = 64 * 1024;

/// Complaints about a file before the rest is left out.
const COMPLAINTS: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Only the mappings of this network
    #[arg(value_parser = prefix::vni)]
    vni: Option<Vni>,
}

impl Export {
    pub(crate) fn run(self, client: &mut Client, output: &mut Output<'_>) -> Result<(), Failure> {
        for mapping in client.mappings(self.vni)? {
            match mapping {
                Ok(mapping) => {
                    if let Some(object) = object(&mapping) {
                        output.json_line(object)?;
                    }
                }
                Err(Error::DumpInterrupted) => {
                    complain(&format!("warning: {}", Error::DumpInterrupted));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// A mapping as `import` takes it; none of what is here, on its way, forgotten or not known.
fn object(mapping: &Mapping) -> Option<Object> {
    use MappingState::{External, Moved, Remote};
    if !matches!(mapping.state, Remote | Moved | External) {
        return None;
    }
    let mut object = Object::new();
    put(&mut object, "vni", Some(mapping.vni.get()));
    put_text(&mut object, "address", Some(mapping.address));
    put_text(&mut object, "locator", mapping.locator);
    put_text(&mut object, "mac", mapping.mac);
    put(&mut object, "gen", mapping.gen);
    put_text(&mut object, "state", mapping.state.name());
    put_text(&mut object, "external", mapping.external);
    put(&mut object, "slot", mapping.slot);
    put(&mut object, "peer-vni", mapping.peer_vni.map(Vni::get));
    put_ms(&mut object, "soft-ttl", mapping.soft_ttl);
    put_ms(&mut object, "hard-ttl", mapping.hard_ttl);
    Some(object)
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file, or - for standard input
    file: PathBuf,

    /// Look at the file and change nothing
    #[arg(long)]
    dry_run: bool,
}

impl Import {
    pub(crate) fn run(
        self,
        client: Result<Client, Error>,
        output: &mut Output<'_>,
    ) -> Result<(), Failure> {
        let name = self.file.display().to_string();
        let file = if name == STDIN {
            read(std::io::stdin().lock(), "standard input")?
        } else {
            let opened = std::fs::File::open(&self.file);
            let opened =
                opened.map_err(|error| Failure::Input(format!("cannot open {name}: {error}")))?;
            read(BufReader::new(opened), &name)?
        };
        let sum = match self.dry_run {
            true => BatchResult::default(),
            false => file.send(&mut client?)?,
        };
        report(&sum, file.mappings.len(), self.dry_run, output)
    }
}

/// Mappings, and the line of each.
struct MappingFile {
    name: String,
    mappings: Vec<MappingSet>,
    lines: Vec<usize>,
}

impl MappingFile {
    /// Sets all, in order.
    fn send(&self, client: &mut Client) -> Result<BatchResult, Failure> {
        let mut sum = BatchResult::default();
        let total = self.mappings.len();
        let progress = Progress::new();
        for (n, portion) in self.mappings.chunks(PORTION).enumerate() {
            progress.show(n * PORTION, total);
            match client.mapping_batch(portion) {
                Ok(result) => sum += result,
                // A batch does not say which mapping is refused. Setting those before it again changes
                // nothing, and each by itself tells.
                Err(Error::Refused(_)) => {
                    progress.clear();
                    sum += self.send_singly(client, n * PORTION..n * PORTION + portion.len())?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        progress.clear();
        Ok(sum)
    }

    fn send_singly(
        &self,
        client: &mut Client,
        range: std::ops::Range<usize>,
    ) -> Result<BatchResult, Failure> {
        let mut sum = BatchResult::default();
        for index in range {
            let (mapping, line) = (&self.mappings[index], self.lines[index]);
            match client.mapping_batch(std::slice::from_ref(mapping)) {
                Ok(result) => {
                    sum += result;
                    continue;
                }
                Err(Error::Refused(_)) => {}
                Err(error) => return Err(error.into()),
            }
            // By itself, because only then is it said which attribute is at fault.
            if let Err(error) = client.mapping_set(mapping) {
                let (name, address, vni) = (&self.name, mapping.address, mapping.vni);
                complain(&format!(
                    "{name} line {line}: mapping of {address} in {vni}"
                ));
                complain(&format!("the {index} mappings before it are set"));
                return Err(Failure::with_hints([
                    host::without_locator(),
                    net::unknown(vni),
                    mapping::no_port(),
                    mapping::full(),
                ])(error));
            }
            sum.installed += 1;
        }
        Ok(sum)
    }
}

/// Reads a whole file: nothing is sent of one that is wrong anywhere.
fn read(mut input: impl BufRead, name: &str) -> Result<MappingFile, Failure> {
    let mut file = MappingFile {
        name: name.to_owned(),
        mappings: vec![],
        lines: vec![],
    };
    let mut wrong = 0;
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        let length = input
            .by_ref()
            .take(LONGEST)
            .read_until(b'\n', &mut text)
            .map_err(|error| Failure::Input(format!("cannot read {name}: {error}")))?;
        if length == 0 {
            break;
        }
        let endless = length as u64 == LONGEST;
        if text.trim_ascii().is_empty() && !endless {
            continue;
        }
        let parsed = match endless {
            true => Err("longer than any mapping".to_owned()),
            false => parse(&text),
        };
        match parsed {
            Ok(mapping) => {
                file.mappings.push(mapping);
                file.lines.push(line);
            }
            Err(what) => {
                wrong += 1;
                if wrong <= COMPLAINTS {
                    complain(&format!("{name} line {line}: {what}"));
                }
                if endless {
                    break;
                }
            }
        }
    }
    match wrong {
        0 => Ok(file),
        1 => Err(Failure::Input(
            "one line is wrong; nothing was changed".into(),
        )),
        _ => Err(Failure::Input(format!(
            "{wrong} lines are wrong; nothing was changed"
        ))),
    }
}

/// One line as a mapping; what else `mapping show --json` says of one is no mapping's to be set.
fn parse(line: &[u8]) -> Result<MappingSet, String> {
    let value: Value = serde_json::from_slice(line)
        .map_err(|error| format!("no JSON: {}", error.to_string().replace(" at line 1", "")))?;
    let Value::Object(object) = value else {
        return Err("not an object with the keys vni, address and locator".into());
    };
    let (mut vni, mut address, mut locator, mut external) = (None, None, None, None);
    let (mut mac, mut gen, mut peer_vni) = (None, None, None);
    let (mut soft_ttl, mut hard_ttl, mut slot) = (None, None, None);
    let mut state = None;
    for (key, value) in &object {
        let wrong = |what: String| format!("{key}: {what}");
        match key.as_str() {
            "vni" => vni = Some(prefix::vni(&plain(value)).map_err(wrong)?),
            "peer-vni" => peer_vni = Some(prefix::vni(&plain(value)).map_err(wrong)?),
            "locator" => locator = Some(prefix::locator(&plain(value)).map_err(wrong)?),
            "mac" => mac = Some(prefix::mac(&plain(value)).map_err(wrong)?),
            "address" => {
                let no_address = |_| wrong("an IPv4 address such as 10.0.0.3".into());
                address = Some(plain(value).parse().map_err(no_address)?);
            }
            "external" => {
                let no_address = |_| wrong("an IPv6 address such as 2001:db8::9".into());
                external = Some(plain(value).parse().map_err(no_address)?);
            }
            "gen" => gen = Some(number(value, 1, GEN_MAX).map_err(wrong)?),
            "slot" => {
                let number = number(value, 1, 63).map_err(wrong)?;
                slot = u8::try_from(number).ok();
            }
            "soft-ttl" => soft_ttl = Some(ttl(value).map_err(wrong)?),
            "hard-ttl" => hard_ttl = Some(ttl(value).map_err(wrong)?),
            "state" => {
                state = match plain(value).as_str() {
                    "remote" => Some(MappingState::Remote),
                    "moved" => Some(MappingState::Moved),
                    "external" => Some(MappingState::External),
                    _ => return Err(wrong("remote, moved or external can be imported".into())),
                }
            }
            _ => return Err(format!("unknown key {key}")),
        }
    }
    let node = MappingSet::negative(
        vni.ok_or("vni is missing")?,
        address.ok_or("address is missing")?,
    );
    use MappingState::{External, Moved, Remote};
    let state = match (state, locator, external) {
        (None | Some(Remote), Some(_), None) => Remote,
        (Some(Moved), Some(_), None) => Moved,
        // It is the address that makes a mapping external; see `mapping set --external`.
        (None | Some(External), None, Some(_)) => Remote,
        (Some(External), _, None) => return Err("external is missing".into()),
        (_, None, None) => return Err("locator is missing".into()),
        (_, Some(_), Some(_)) => {
            return Err("locator: what is external is behind no host".into());
        }
        _ => return Err("state: what has an external address is external".into()),
    };
    Ok(MappingSet {
        state,
        locator,
        external,
        slot,
        mac,
        gen,
        peer_vni,
        soft_ttl,
        hard_ttl,
        ..node
    })
}

/// A value as it would stand on the command line.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn number(value: &Value, least: u64, most: u64) -> Result<u64, String> {
    value
        .as_u64()
        .filter(|number| (least..=most).contains(number))
        .ok_or_else(|| format!("a number from {least} to {most}"))
}

fn ttl(value: &Value) -> Result<Duration, String> {
    number(value, 0, TTL_MAX.into()).map(Duration::from_millis)
}

/// Says how far it has come, to people.
struct Progress(bool);

impl Progress {
    fn new() -> Progress {
        Progress(stderr().is_terminal())
    }

    fn show(&self, done: usize, total: usize) {
        if self.0 && total > PORTION {
            let percent = done * 100 / total;
            // Without progress it goes on all the same.
            let _ = write!(stderr(), "\r{done} of {total} mappings ({percent} %)");
        }
    }

    fn clear(&self) {
        if self.0 {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

fn report(
    sum: &BatchResult,
    total: usize,
    dry_run: bool,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    if output.is_json() {
        let mut object = Object::new();
        put(&mut object, "mappings", Some(total));
        put(&mut object, "installed", Some(sum.installed));
        put(&mut object, "unchanged", Some(sum.unchanged));
        put(&mut object, "refused", Some(sum.refused));
        return Ok(output.object(object)?);
    }
    if dry_run {
        return Ok(output.line(&format!("{total} mappings, all sound; nothing was changed"))?);
    }
    let (installed, unchanged, refused) = (sum.installed, sum.unchanged, sum.refused);
    output.line(&format!(
        "{installed} installed, {unchanged} unchanged, {refused} older than known"
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::capture;

    const LINE: &str = r#"{"vni":7,"address":"10.0.0.3","locator":"fd00:a:1:2::/64","mac":"02:00:00:00:00:09","gen":5,"state":"moved","peer-vni":9,"soft-ttl":30000,"hard-ttl":60500}"#;

    fn parsed(line: &str) -> Result<MappingSet, String> {
        parse(line.as_bytes())
    }

    #[test]
    fn what_is_exported_can_be_imported() {
        let set = parsed(LINE).unwrap();
        let mapping = Mapping {
            vni: set.vni,
            address: set.address,
            locator: set.locator,
            mac: set.mac,
            gen: set.gen,
            state: set.state,
            external: None,
            slot: None,
            ifindex: None,
            netns_id: None,
            peer_vni: set.peer_vni,
            soft_ttl: set.soft_ttl,
            hard_ttl: set.hard_ttl,
            idle: Some(Duration::from_secs(1)),
            parked: Some(3),
        };
        let line = Value::Object(object(&mapping).unwrap()).to_string();
        assert_eq!(line, LINE);
        let line = r#"{"vni":7,"address":"10.0.0.3","state":"external","external":"2001:db8::9"}"#;
        let external = parsed(line).unwrap();
        let external = Mapping {
            state: MappingState::External,
            external: external.external,
            locator: None,
            mac: None,
            gen: None,
            peer_vni: None,
            soft_ttl: None,
            hard_ttl: None,
            ..mapping
        };
        assert_eq!(Value::Object(object(&external).unwrap()).to_string(), line);
        for state in [
            MappingState::Local,
            MappingState::Deleted,
            MappingState::Pending,
            MappingState::Negative,
        ] {
            assert_eq!(object(&Mapping { state, ..mapping }), None);
        }
    }

    #[test]
    fn a_mapping_needs_three_keys_and_no_more() {
        let least = r#"{"vni":7,"address":"10.0.0.3","locator":"fd00:a:1:2::/64"}"#;
        let mapping = parsed(least).unwrap();
        assert_eq!(mapping.state, MappingState::Remote);
        assert_eq!(
            (mapping.gen, mapping.mac, mapping.hard_ttl),
            (None, None, None)
        );
        for (line, says) in [
            (r#"{"vni":7,"address":"10.0.0.3"}"#, "locator is missing"),
            (
                r#"{"vni":0,"address":"10.0.0.3"}"#,
                "vni: a network id is a number from 1",
            ),
            (
                r#"{"vni":7,"address":"10.0.0"}"#,
                "address: an IPv4 address such as",
            ),
            (
                r#"{"vni":7,"locator":"fd00:a:1:2::1/64"}"#,
                "locator: bits are set beyond",
            ),
            (r#"{"vni":7,"gen":0}"#, "gen: a number from 1 to"),
            (r#"{"vni":7,"gen":"5"}"#, "gen: a number from 1 to"),
            (
                r#"{"vni":7,"state":"local"}"#,
                "state: remote, moved or external",
            ),
            (
                r#"{"vni":7,"address":"10.0.0.3","state":"external"}"#,
                "external is missing",
            ),
            (
                r#"{"vni":7,"address":"10.0.0.3","external":"2001:db8::9","locator":"fd00:a:1:2::/64"}"#,
                "locator: what is external",
            ),
            (
                r#"{"vni":7,"address":"10.0.0.3","external":"2001:db8::9","state":"moved"}"#,
                "state: what has an external address",
            ),
            (
                r#"{"vni":7,"external":"10.0.0.9"}"#,
                "external: an IPv6 address",
            ),
            (
                r#"{"vni":7,"hard-ttl":604800001}"#,
                "hard-ttl: a number from 0 to 604800000",
            ),
            (
                r#"{"vni":7,"mac":"01:00:5e:00:00:01"}"#,
                "mac: a node's MAC must be unicast",
            ),
            (r#"{"vni":7,"net":7}"#, "unknown key net"),
            ("[]", "not an object"),
            ("{", "no JSON: EOF"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.starts_with(says), "{line}: {error}");
        }
    }

    #[test]
    fn a_file_is_taken_as_a_whole_or_not_at_all() {
        let good = format!("{LINE}\n\n{LINE}");
        let file = read(good.as_bytes(), "f").unwrap();
        assert_eq!((file.mappings.len(), file.lines), (2, vec![1, 3]));
        let bad = format!("{LINE}\nno\n{LINE}\n{{}}\n");
        let Err(failure) = read(bad.as_bytes(), "f") else {
            panic!("read");
        };
        assert_eq!(
            failure.to_string(),
            "2 lines are wrong; nothing was changed"
        );
        let endless = std::io::repeat(b' ');
        assert!(read(BufReader::new(endless), "f").is_err());
    }

    #[test]
    fn the_result_is_a_line_or_an_object() {
        let sum = BatchResult {
            installed: 3,
            unchanged: 2,
            refused: 1,
        };
        let text =
            |json, dry_run| capture::text(json, |output| report(&sum, 6, dry_run, output).unwrap());
        assert_eq!(
            text(false, false),
            "3 installed, 2 unchanged, 1 older than known\n"
        );
        assert_eq!(
            text(false, true),
            "6 mappings, all sound; nothing was changed\n"
        );
        assert_eq!(
            text(true, false),
            "{\"mappings\":6,\"installed\":3,\"unchanged\":2,\"refused\":1}\n"
        );
    }
}
