// SPDX-License-Identifier: GPL-2.0

//! `ovctl monitor`: events as they happen, one line each.

use std::time::SystemTime;

use clap::Args;
use ovnet_uapi::{Client, Error, Event, Vni};
use serde_json::Value;

use crate::complain;
use crate::failure::Failure;
use crate::output::{put, put_text, word, Object, Output};
use crate::{prefix, server};

#[derive(Debug, Args)]
pub(crate) struct Command {
    /// Put the time before each event
    #[arg(short, long)]
    pub(crate) timestamp: bool,

    /// End after this many events
    #[arg(short, long, value_name = "N")]
    pub(crate) count: Option<usize>,

    #[command(flatten)]
    pub(crate) manager: server::watch::Options,
}

impl Command {
    pub(crate) fn run(self, output: &mut Output<'_>) -> Result<(), Failure> {
        let events = Client::connect()?.events()?;
        // Events that were lost are no events to count.
        let events = events.filter_map(|event| match event {
            Err(Error::Overrun) => {
                complain(&format!("warning: {}", Error::Overrun));
                None
            }
            event => Some(event),
        });
        for event in events.take(self.count.unwrap_or(usize::MAX)) {
            let event = event?;
            let time = self.timestamp.then(SystemTime::now);
            write(&event, time, output)?;
            output.flush()?;
        }
        Ok(())
    }
}

/// Write one event, with the time it was read.
fn write(event: &Event, time: Option<SystemTime>, output: &mut Output<'_>) -> std::io::Result<()> {
    let time = time.map(|time| humantime::format_rfc3339_micros(time).to_string());
    if output.is_json() {
        let mut object = Object::new();
        put(&mut object, "timestamp", time);
        object.append(&mut fields(event));
        return output.json_line(object);
    }
    let mut line = time.map_or_else(String::new, |time| format!("[{time}] "));
    line.push_str(&text(&fields(event)));
    output.line(&line)
}

/// What the event has, by the words and in the order of the specification.
fn fields(event: &Event) -> Object {
    let mut object = Object::new();
    let kind = word(event.kind.name(), event.kind.into());
    put_text(&mut object, "kind", Some(kind));
    put(&mut object, "vni", event.vni.map(Vni::get));
    put_text(&mut object, "address", event.address);
    put_text(&mut object, "mac", event.mac);
    put_text(&mut object, "locator", event.locator);
    put(&mut object, "gen", event.gen);
    let state = event.state.map(|state| word(state.name(), state.into()));
    put_text(&mut object, "state", state);
    put(&mut object, "ifindex", event.ifindex);
    put_text(&mut object, "ifname", event.ifname.as_deref());
    put(&mut object, "suppressed", event.suppressed);
    put(&mut object, "peer-vni", event.peer_vni.map(Vni::get));
    put_text(&mut object, "peer-address", event.peer_address);
    let direction = event.direction;
    let direction = direction.map(|direction| word(direction.name(), direction.into()));
    put_text(&mut object, "direction", direction);
    let reason = event.reason;
    let reason =
        reason.map(|reason| reason.map_or_else(|it| it.to_string(), |it| it.name().into()));
    put_text(&mut object, "reason", reason);
    put(&mut object, "rule", event.rule);
    put_text(&mut object, "node", event.node.map(prefix::node_text));
    object
}

/// The kind, then each word with its value.
fn text(fields: &Object) -> String {
    let mut words = Vec::with_capacity(2 * fields.len());
    for (word, value) in fields {
        if word != "kind" {
            words.push(word.clone());
        }
        words.push(match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use ovnet_uapi::{Direction, DropReason, EventKind, Mac, MappingState};

    use super::*;
    use crate::output::capture;

    fn mapping() -> Event {
        let address = Ipv4Addr::new(10, 0, 0, 3);
        Event {
            kind: EventKind::Mapping,
            vni: Vni::new(7),
            address: Some(address),
            mac: Some(Mac::of(address)),
            locator: Some(crate::prefix::locator("fd00:a:1:2::/64").unwrap()),
            gen: Some(5),
            state: Some(MappingState::Remote),
            ifindex: None,
            ifname: None,
            suppressed: None,
            peer_vni: None,
            peer_address: None,
            direction: None,
            reason: None,
            rule: None,
            node: None,
        }
    }

    fn written(event: &Event, time: Option<SystemTime>, json: bool) -> String {
        capture::text(json, |output| write(event, time, output).unwrap())
    }

    #[test]
    fn an_event_is_a_line_of_words_and_values() {
        assert_eq!(
            written(&mapping(), None, false),
            "mapping vni 7 address 10.0.0.3 mac 02:76:0a:00:00:03 \
             locator fd00:a:1:2::/64 gen 5 state remote\n"
        );
    }

    #[test]
    fn a_managed_port_has_its_node() {
        let port = Event {
            kind: EventKind::Port,
            mac: None,
            locator: None,
            gen: None,
            state: None,
            ifindex: Some(5),
            ifname: Some("v0".into()),
            node: Some(0xaa),
            ..mapping()
        };
        assert_eq!(
            written(&port, None, false),
            "port vni 7 address 10.0.0.3 ifindex 5 ifname v0 node 00000000000000aa\n"
        );
    }

    #[test]
    fn what_a_resolver_listens_for_has_its_words() {
        let expiry = Event {
            kind: EventKind::Expiry,
            state: Some(MappingState::Deleted),
            mac: None,
            locator: None,
            ..mapping()
        };
        assert_eq!(
            written(&expiry, None, false),
            "expiry vni 7 address 10.0.0.3 gen 5 state deleted\n"
        );
        for (kind, word) in [
            (EventKind::NewAddress, "new-address"),
            (EventKind::Claim, "claim"),
            (EventKind::Stale, "stale"),
        ] {
            let event = Event { kind, ..mapping() };
            let line = written(&event, None, false);
            assert!(line.starts_with(&format!("{word} vni 7 ")), "{line}");
        }
    }

    #[test]
    fn an_event_of_a_newer_kernel_is_shown_by_number() {
        let event = Event {
            kind: EventKind::UnrecognizedConst(77),
            vni: None,
            address: None,
            mac: None,
            locator: None,
            gen: None,
            state: None,
            ifindex: Some(4),
            ifname: Some("v0".into()),
            suppressed: Some(12),
            ..mapping()
        };
        assert_eq!(
            written(&event, None, false),
            "77 ifindex 4 ifname v0 suppressed 12\n"
        );
    }

    #[test]
    fn a_refusal_says_who_was_kept_from_whom_and_by_what() {
        let event = Event {
            kind: EventKind::Refused,
            mac: None,
            locator: None,
            gen: None,
            state: None,
            peer_vni: Vni::new(8),
            peer_address: Some(Ipv4Addr::new(10, 1, 0, 2)),
            direction: Some(Direction::Out),
            reason: Some(Ok(DropReason::Policy)),
            rule: Some(12),
            ..mapping()
        };
        assert_eq!(
            written(&event, None, false),
            "refused vni 7 address 10.0.0.3 peer-vni 8 peer-address 10.1.0.2 \
             direction out reason policy rule 12\n"
        );
    }

    #[test]
    fn the_time_comes_first_in_either_form() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_micros(1_795_361_142_000_123);
        let line = written(&mapping(), Some(time), false);
        assert!(
            line.starts_with("[2026-11-22T15:25:42.000123Z] mapping vni 7"),
            "{line}"
        );
        let json = written(&mapping(), Some(time), true);
        assert!(
            json.starts_with("{\"timestamp\":\"2026-11-22T15:25:42.000123Z\",\"kind\":\"mapping\""),
            "{json}"
        );
        assert_eq!(json.matches('\n').count(), 1);
    }
}
