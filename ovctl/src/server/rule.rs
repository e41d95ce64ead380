// SPDX-License-Identifier: GPL-2.0

//! `ovctl --server rule`: the rules of a network as a manager has them, one list of which the first that
//! matches decides.
//!
//! A rule's id is its place in the list. Words are those of `ovctl rule` on a host, as far as the manager has
//! them, and two more: `window` and `before`.

use ovnet_uapi::{Action, Criteria, Direction, Prefix, RuleSet, Span, Transport, Vni};
use serde_json::{json, Value};

use super::change::{self, Which};
use super::{net, sides, text, Server};
use crate::failure::Failure;
use crate::output::{Object, Output, Row};
use crate::rule::{words, Command};

pub(super) fn run(
    command: Command,
    server: &Server,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    match command {
        Command::Add {
            vni,
            direction,
            words,
            change,
        } => {
            let new = New::parse(direction, &words).map_err(Failure::Usage)?;
            let make = |before| with_rules(before, |rules| new.put(rules));
            change::set(server, &which(&path(vni), &vni), &change, make, output)
        }
        Command::Del {
            vni,
            id,
            all,
            change,
        } => {
            let make = |before| {
                with_rules(before, |rules| match all {
                    true => {
                        rules.clear();
                        Ok(())
                    }
                    false => remove(rules, &id),
                })
            };
            change::set(server, &which(&path(vni), &vni), &change, make, output)
        }
        Command::Show { vni: Some(vni), id } => {
            let network = server.get(&path(vni))?.object;
            let mut rules = numbered(vni.get().into(), &network);
            if let Some(id) = id {
                rules.retain(|rule| rule.0["id"] == id);
                if rules.is_empty() {
                    return Err(absent(id));
                }
            }
            output.list(rules.into_iter().map(Ok))
        }
        Command::Show { vni: None, .. } => {
            let mut rules = Vec::new();
            for network in server.items(net::LIST) {
                let network = network?;
                let vni = network.get("vni").cloned().unwrap_or_default();
                rules.append(&mut numbered(vni, &network));
            }
            output.list(rules.into_iter().map(Ok))
        }
        Command::Load { .. } => Err(sides::not_here(
            "`ovctl apply` takes whole networks with their rules",
        )),
    }
}

fn path(vni: Vni) -> String {
    format!("{}/rules", net::path(vni))
}

fn absent(id: u32) -> Failure {
    Failure::Input(format!(
        "there is no rule {id}: `ovctl rule show VNI` lists them"
    ))
}

/// Change the rules of what a manager has of them.
fn with_rules(
    before: Option<Object>,
    change: impl FnOnce(&mut Vec<Value>) -> Result<(), Failure>,
) -> Result<Object, Failure> {
    let mut object = before.ok_or_else(|| {
        let text = "there is no such network: `ovctl net show` lists what there is";
        Failure::Input(text.into())
    })?;
    if let Some(Value::Array(rules)) = object.get_mut("rules") {
        change(rules)?;
    }
    Ok(object)
}

fn remove(rules: &mut Vec<Value>, ids: &[u32]) -> Result<(), Failure> {
    for id in ids {
        if *id == 0 || *id as usize > rules.len() {
            return Err(absent(*id));
        }
    }
    let mut place = 0;
    rules.retain(|_| {
        place += 1;
        !ids.contains(&place)
    });
    Ok(())
}

/// Where a new rule goes.
#[derive(Debug, PartialEq)]
enum Place {
    Last,
    Before(u32),
    Instead(u32),
}

struct New {
    place: Place,
    rule: Value,
}

impl New {
    fn parse(direction: Direction, words: &[String]) -> Result<New, String> {
        if direction != Direction::In {
            return Err(
                "a manager's rules are about packets to nodes of the network: write in".into(),
            );
        }
        let (mut rest, mut window, mut before) = (Vec::new(), None, None);
        let mut pairs = words.chunks_exact(2);
        for pair in pairs.by_ref() {
            let slot = match &pair[0][..] {
                "window" => &mut window,
                "before" => &mut before,
                _ => {
                    rest.extend_from_slice(pair);
                    continue;
                }
            };
            if slot.replace(&pair[1]).is_some() {
                return Err(format!("{} is given twice", pair[0]));
            }
        }
        rest.extend_from_slice(pairs.remainder());
        let set = words::parse(direction, &rest)?;
        let place = match (before, set.id) {
            (Some(_), Some(_)) => return Err("write id or before, not both".into()),
            (Some(before), None) => {
                let id = before.parse().ok().filter(|id| *id != 0);
                Place::Before(id.ok_or_else(|| format!("before {before}: the id of a rule"))?)
            }
            (None, Some(id)) => Place::Instead(id),
            (None, None) => Place::Last,
        };
        let mut rule = rule(&set)?;
        if let Some(window) = window {
            let (from, until) = window
                .split_once('-')
                .ok_or_else(|| format!("window {window}: write it as 08:00-17:30, in UTC"))?;
            rule.insert("window".into(), json!({"from": from, "until": until}));
        }
        let rule = Value::Object(rule);
        Ok(New { place, rule })
    }

    fn put(&self, rules: &mut Vec<Value>) -> Result<(), Failure> {
        let count = rules.len();
        let known = |id: u32| match id as usize <= count {
            true => Ok(id as usize - 1),
            false => Err(absent(id)),
        };
        match self.place {
            Place::Last => rules.push(self.rule.clone()),
            Place::Before(id) => rules.insert(known(id)?, self.rule.clone()),
            Place::Instead(id) => rules[known(id)?] = self.rule.clone(),
        }
        Ok(())
    }
}

/// A rule as the API has it, of one as a host has it, or what of that a manager has not.
fn rule(set: &RuleSet) -> Result<Object, String> {
    let mut rule = Object::new();
    let action = match set.action {
        Action::Allow => "allow",
        Action::Deny => "deny",
        _ => return Err("a manager's rules allow or deny".into()),
    };
    rule.insert("action".into(), action.into());
    if set.priority.is_some() {
        return Err(
            "priority: a manager's rules are in order; write before N to put one ahead".into(),
        );
    }
    let Criteria {
        src,
        dst,
        transport,
        size,
        peer,
    } = set.criteria;
    if (src, dst, peer) != (Prefix::ALL, Prefix::ALL, None) {
        return Err(
            "from, to, peer: a manager's rules are about all addresses of a network".into(),
        );
    }
    let span = |span: Span| json!({"first": span.first(), "last": span.last()});
    match transport {
        Transport::Any => {}
        Transport::Protocol(number) => drop(rule.insert("protocol".into(), number.into())),
        Transport::Ports { protocol, src, dst } => {
            if src != Span::ALL {
                return Err("sport: a manager's rules know destination ports alone".into());
            }
            if let Some(number) = protocol {
                rule.insert("protocol".into(), number.into());
            }
            rule.insert("ports".into(), span(dst));
        }
        Transport::Icmp { code: Some(_), .. } => {
            return Err("icmp-type: a manager's rules know types without codes".into())
        }
        Transport::Icmp { kind, code: None } => drop(rule.insert("icmp_type".into(), kind.into())),
    }
    if size != Span::ALL {
        rule.insert("size".into(), span(size));
    }
    Ok(rule)
}

fn which<'w>(path: &'w str, vni: &Vni) -> Which<'w> {
    Which {
        path,
        kind: "rules of network",
        id: vni.to_string().into(),
    }
}

/// The rules of a network, each with the network and its place.
fn numbered(vni: Value, network: &Object) -> Vec<Rule> {
    let rules = network.get("rules").and_then(Value::as_array);
    let rules = rules.into_iter().flatten().filter_map(Value::as_object);
    rules
        .zip(1u32..)
        .map(|(rule, id)| {
            let mut object = Object::new();
            object.insert("vni".into(), vni.clone());
            object.insert("id".into(), id.into());
            object.extend(rule.clone());
            Rule(object)
        })
        .collect()
}

struct Rule(Object);

impl Rule {
    /// What it is about, in the words that say it; what cannot be said in words, as it is.
    fn words(&self) -> String {
        let number = |value: &Value, key: &str| value.get(key)?.as_u64()?.try_into().ok();
        let span = |key: &str| {
            let span = self.0.get(key)?;
            Span::new(number(span, "first")?, number(span, "last")?)
        };
        let byte = |key: &str| u8::try_from(self.0.get(key)?.as_u64()?).ok();
        let parts = words::Parts {
            protocol: byte("protocol"),
            sport: None,
            dport: span("ports"),
            icmp: byte("icmp_type").map(|kind| (kind, None)),
        };
        let Ok(transport) = parts.transport() else {
            return Value::Object(self.0.clone()).to_string();
        };
        let criteria = Criteria {
            transport,
            size: span("size").unwrap_or(Span::ALL),
            ..Criteria::ALL
        };
        let mut said = words::text(&criteria);
        if let Some(Value::Object(window)) = self.0.get("window") {
            let (from, until) = (text(window, "from"), text(window, "until"));
            said.push_str(&format!(" window {from}-{until}"));
        }
        said
    }
}

impl Row for Rule {
    const COLUMNS: &'static [&'static str] = &["VNI", "ID", "RULE", "ACTION"];

    fn cells(&self) -> Vec<String> {
        vec![
            text(&self.0, "vni"),
            text(&self.0, "id"),
            self.words(),
            text(&self.0, "action"),
        ]
    }

    fn object(&self) -> Object {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::capture;

    fn new(text: &str) -> Result<New, String> {
        let words: Vec<_> = text.split(' ').map(str::to_owned).collect();
        New::parse(Direction::In, &words)
    }

    #[test]
    fn what_is_written_is_what_is_shown() {
        for words in [
            "any",
            "proto tcp dport 22",
            "dport 53-54",
            "icmp-type 8 size 0-1000",
            "proto gre window 08:00-17:30",
        ] {
            let text = match words {
                "any" => "deny".to_owned(),
                words => format!("{words} deny"),
            };
            let new = new(&text).unwrap();
            let network = json!({ "rules": [new.rule] });
            let rules = numbered(7.into(), network.as_object().unwrap());
            let shown = capture::list(rules, false);
            let row = shown.lines().nth(1).unwrap();
            let row: Vec<_> = row.split("  ").filter(|it| !it.is_empty()).collect();
            assert_eq!(
                row.iter().map(|it| it.trim()).collect::<Vec<_>>(),
                ["7", "1", words, "deny"]
            );
        }
    }

    #[test]
    fn what_a_manager_has_not_is_refused() {
        for (text, says) in [
            ("from 10.0.0.2 allow", "from, to, peer"),
            ("proto tcp sport 9 allow", "sport"),
            ("icmp-type 3/4 allow", "codes"),
            ("priority 9 allow", "before N"),
            ("proto tcp reject", "allow or deny"),
            ("window 08:00 deny", "08:00-17:30"),
            ("window 1-2 window 3-4 deny", "twice"),
            ("before 0 deny", "the id of a rule"),
            ("id 1 before 2 deny", "not both"),
            ("colour red deny", "write id, priority"),
        ] {
            let error = new(text).err().unwrap();
            assert!(error.contains(says), "{text}: {error}");
        }
        let out = New::parse(Direction::Out, &["deny".into()]).err().unwrap();
        assert!(out.contains("write in"), "{out}");
    }

    #[test]
    fn a_rule_goes_to_its_place() {
        let mut rules = vec![json!(1), json!(2), json!(3)];
        let mut put = |text: &str| new(text).unwrap().put(&mut rules);
        put("allow").unwrap();
        put("before 1 proto tcp deny").unwrap();
        put("id 3 proto udp deny").unwrap();
        assert!(put("id 6 deny").is_err());
        let (tcp, udp) = (
            json!({"action": "deny", "protocol": 6}),
            json!({"action": "deny", "protocol": 17}),
        );
        let all = json!({"action": "allow"});
        assert_eq!(rules, [tcp.clone(), json!(1), udp, json!(3), all]);
        remove(&mut rules, &[2, 3, 5]).unwrap();
        assert_eq!(rules, [tcp, json!(3)]);
        assert!(remove(&mut rules, &[3]).is_err());
        assert!(remove(&mut rules, &[0]).is_err());
    }
}
