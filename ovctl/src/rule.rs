// SPDX-License-Identifier: GPL-2.0

//! `ovctl rule`: what becomes of which packets of a network.

mod load;
pub(crate) mod words;

use clap::Subcommand;
use nix::errno::Errno;
use ovnet_uapi::{Action, Client, Criteria, Direction, Rule, Span, Transport, Vni};

use crate::failure::{Failure, Hint};
use crate::output::{one_of, put, word, Object, Output, Row};
use crate::peering::put_prefix;
use crate::server::Change;
use crate::{net, prefix};

const WORDS: &str = "\
Words of a rule, in any order before the action; those left out say nothing:
  id N                 its id, to replace the rule that has it [default: a new one]
  priority N           lower ones decide first, equal ones in the order of ids [default: 1000]
  from PREFIX          source addresses
  to PREFIX            destination addresses
  proto NAME|N         protocol: tcp, udp, icmp, sctp, gre, esp, … or its number
  sport A[-B]          source ports
  dport A[-B]          destination ports
  icmp-type T[/C]      ICMP type, and code
  size A[-B]           bytes of the IPv4 packet
  peer VNI             the network of the node at the other end
and its action: allow, deny (silently) or reject (the sender is told).

At a manager rules are a list, of which the first that fits decides, and an id is a place in it. They are of in,
proto, dport, icmp-type without a code and size; they allow or deny, and have besides:
  before N             goes ahead of rule N [default: to the end]
  window HH:MM-HH:MM   while this part of the day lasts, in UTC

  ovctl rule add 7 in proto tcp dport 22 from 10.0.0.0/24 allow
  ovctl rule add 7 in proto tcp dport 22 priority 2000 reject";

/// Rules that go into one request.
const BATCH: usize = 256;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a rule, or replace the one with the same id
    #[command(visible_alias = "set", after_help = WORDS)]
    Add {
        /// The network
        #[arg(value_parser = prefix::vni)]
        vni: Vni,
        /// in: packets to nodes of the network; out: packets from them
        #[arg(value_parser = direction, value_name = "in|out")]
        direction: Direction,
        /// What packets, and what becomes of them
        #[arg(required = true, value_name = "WORD")]
        words: Vec<String>,
        #[command(flatten)]
        change: Change,
    },
    /// Delete rules
    #[command(visible_alias = "delete")]
    Del {
        /// The network
        #[arg(value_parser = prefix::vni)]
        vni: Vni,
        /// The ids of the rules
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Vec<u32>,
        /// Delete all rules of the network
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        change: Change,
    },
    /// Show all rules, those of one network, or one, with what they have decided about
    #[command(visible_aliases = ["list", "ls"])]
    Show {
        /// The network
        #[arg(value_parser = prefix::vni)]
        vni: Option<Vni>,
        /// The id of the rule
        id: Option<u32>,
    },
    /// Add or replace rules from a file: one JSON object each line, as `show --json` writes them
    Load {
        /// The file; - for standard input
        file: String,
    },
}

impl Command {
    pub(crate) fn run(self, output: &mut Output<'_>) -> Result<(), Failure> {
        match self {
            Command::Add {
                vni,
                direction,
                words,
                ..
            } => {
                let rule = words::parse(direction, &words).map_err(Failure::Usage)?;
                Client::connect()?
                    .rules_set(vni, &[rule])
                    .map_err(Failure::with_hints([net::unknown(vni)]))
            }
            Command::Del { vni, id, all, .. } => {
                let mut client = Client::connect()?;
                let ids = if all { ids(&mut client, vni)? } else { id };
                for ids in ids.chunks(BATCH) {
                    client
                        .rules_del(vni, ids)
                        .map_err(Failure::with_hints([net::unknown(vni), not_listed(vni)]))?;
                }
                Ok(())
            }
            Command::Show {
                vni: Some(vni),
                id: Some(id),
            } => {
                let rule = Client::connect()?
                    .rule_get(vni, id)
                    .map_err(Failure::with_hints([net::unknown(vni), not_listed(vni)]))?;
                output.list([Ok(rule)])
            }
            Command::Show { vni, .. } => output.list(Client::connect()?.rules(vni)?),
            Command::Load { file } => load::run(&file),
        }
    }
}

/// The ids of all rules of a network.
fn ids(client: &mut Client, vni: Vni) -> Result<Vec<u32>, Failure> {
    let mut ids = Vec::new();
    for rule in client.rules(Some(vni))? {
        ids.push(rule?.id);
    }
    Ok(ids)
}

fn not_listed(vni: Vni) -> Hint {
    let text = format!("`ovctl rule show {vni}` lists the rules of the network");
    Hint::of(Errno::ENOENT, text)
}

/// An action by its word.
pub(crate) fn action(text: &str) -> Result<Action, String> {
    let all = [Action::Allow, Action::Deny, Action::Reject];
    one_of(text, &all, Action::name)
}

/// The word of an action.
pub(crate) fn action_word(action: Action) -> String {
    word(action.name(), action.into())
}

fn direction(text: &str) -> Result<Direction, String> {
    one_of(text, &[Direction::In, Direction::Out], Direction::name)
}

impl Row for Rule {
    const COLUMNS: &'static [&'static str] = &[
        "VNI", "DIR", "PRIORITY", "ID", "MATCH", "ACTION", "PACKETS", "BYTES",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.vni.to_string(),
            word(self.direction.name(), self.direction.into()),
            self.priority.to_string(),
            self.id.to_string(),
            words::text(&self.criteria),
            action_word(self.action),
            self.packets.to_string(),
            self.bytes.to_string(),
        ]
    }

    fn object(&self) -> Object {
        let mut object = Object::new();
        put(&mut object, "vni", Some(self.vni.get()));
        put(&mut object, "id", Some(self.id));
        let direction = word(self.direction.name(), self.direction.into());
        put(&mut object, "direction", Some(direction));
        put(&mut object, "priority", Some(self.priority));
        put(&mut object, "action", Some(action_word(self.action)));
        put_criteria(&mut object, &self.criteria);
        put(&mut object, "packets", Some(self.packets));
        put(&mut object, "bytes", Some(self.bytes));
        object
    }
}

fn put_criteria(object: &mut Object, criteria: &Criteria) {
    put_prefix(object, "src", "src-len", criteria.src);
    put_prefix(object, "dst", "dst-len", criteria.dst);
    match criteria.transport {
        Transport::Any => {}
        Transport::Protocol(number) => put(object, "protocol", Some(number)),
        Transport::Ports { protocol, src, dst } => {
            put(object, "protocol", protocol);
            put_span(object, "sport-min", "sport-max", src);
            put_span(object, "dport-min", "dport-max", dst);
        }
        Transport::Icmp { kind, code } => {
            put(object, "protocol", Some(1));
            put(object, "icmp-type", Some(kind));
            put(object, "icmp-code", code);
        }
    }
    put_span(object, "size-min", "size-max", criteria.size);
    put(object, "peer", criteria.peer.map(Vni::get));
}

fn put_span(object: &mut Object, min: &str, max: &str, span: Span) {
    if span != Span::ALL {
        put(object, min, Some(span.first()));
        put(object, max, Some(span.last()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::capture;

    fn rule(words: &str) -> Rule {
        let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
        let set = words::parse(Direction::In, &words).unwrap();
        Rule {
            vni: Vni::new(7).unwrap(),
            id: set.id.unwrap_or(1),
            direction: set.direction,
            priority: set.priority.unwrap_or(1000),
            action: set.action,
            criteria: set.criteria,
            packets: 3,
            bytes: 252,
        }
    }

    #[test]
    fn rules_are_rows_and_objects() {
        let rules = || {
            vec![
                rule("allow"),
                rule("id 12 priority 10 from 10.0.0.0/8 proto tcp dport 80-90 peer 8 deny"),
            ]
        };
        assert_eq!(
            capture::list(rules(), false),
            "\
VNI  DIR  PRIORITY  ID  MATCH                                         ACTION  PACKETS  BYTES
7    in   1000      1   any                                           allow   3        252
7    in   10        12  from 10.0.0.0/8 proto tcp dport 80-90 peer 8  deny    3        252
"
        );
        assert_eq!(
            capture::list(rules(), true),
            "[{\"vni\":7,\"id\":1,\"direction\":\"in\",\"priority\":1000,\"action\":\"allow\",\
             \"packets\":3,\"bytes\":252},\
             {\"vni\":7,\"id\":12,\"direction\":\"in\",\"priority\":10,\"action\":\"deny\",\
             \"src\":\"10.0.0.0\",\"src-len\":8,\"protocol\":6,\"dport-min\":80,\"dport-max\":90,\
             \"peer\":8,\"packets\":3,\"bytes\":252}]\n"
        );
    }
}
