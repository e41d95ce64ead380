// SPDX-License-Identifier: GPL-2.0

//! Rules in the words of the command line.

use ovnet_uapi::{Criteria, Direction, Prefix, RuleSet, Span, Transport};

use super::action;
use crate::prefix;

/// Protocols by their names in `/etc/protocols`.
const PROTOCOLS: [(&str, u8); 13] = [
    ("icmp", 1),
    ("igmp", 2),
    ("ipip", 4),
    ("tcp", 6),
    ("udp", 17),
    ("dccp", 33),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("ospf", 89),
    ("vrrp", 112),
    ("sctp", 132),
    ("udplite", 136),
];

const ICMP: u8 = 1;

/// What is said of a packet's protocol, before it is known to agree.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) protocol: Option<u8>,
    pub(crate) sport: Option<Span>,
    pub(crate) dport: Option<Span>,
    pub(crate) icmp: Option<(u8, Option<u8>)>,
}

impl Parts {
    /// What the parts say together.
    pub(crate) fn transport(&self) -> Result<Transport, String> {
        let ports = self.sport.is_some() || self.dport.is_some();
        match (self.icmp, self.protocol) {
            (Some(_), _) if ports => Err("ICMP has types, and no ports: write two rules".into()),
            (Some((kind, code)), None | Some(ICMP)) => Ok(Transport::Icmp { kind, code }),
            (Some(_), Some(_)) => Err("only ICMP has ICMP types: leave the protocol out".into()),
            (None, protocol) if ports => {
                let transport = Transport::Ports {
                    protocol,
                    src: self.sport.unwrap_or(Span::ALL),
                    dst: self.dport.unwrap_or(Span::ALL),
                };
                match transport.is_sound() {
                    true => Ok(transport),
                    false => Err(
                        "that protocol has no ports: tcp, udp, dccp, sctp and udplite have".into(),
                    ),
                }
            }
            (None, Some(number)) => Ok(Transport::Protocol(number)),
            (None, None) => Ok(Transport::Any),
        }
    }
}

/// A rule from its words.
pub(crate) fn parse(direction: Direction, words: &[String]) -> Result<RuleSet, String> {
    let (last, words) = words.split_last().ok_or("a rule needs an action")?;
    let mut rule = RuleSet {
        id: None,
        direction,
        priority: None,
        action: action(last)
            .map_err(|wanted| format!("{last}: a rule ends with its action: {wanted}"))?,
        criteria: Criteria::ALL,
    };
    let mut parts = Parts::default();
    let mut seen: Vec<&str> = Vec::new();
    for pair in words.chunks(2) {
        let [word, value] = pair else {
            return Err(format!("{}: a value is missing", pair[0]));
        };
        if seen.contains(&word.as_str()) {
            return Err(format!("{word} is given twice"));
        }
        seen.push(word);
        let criteria = &mut rule.criteria;
        let wrong = |what: String| format!("{word} {value}: {what}");
        match word.as_str() {
            "id" => rule.id = Some(number(value, 1..=u32::MAX).map_err(wrong)?),
            "priority" => rule.priority = Some(number(value, 0..=u16::MAX).map_err(wrong)?),
            "from" => criteria.src = prefix::addresses(value)?,
            "to" => criteria.dst = prefix::addresses(value)?,
            "proto" => parts.protocol = Some(protocol(value).map_err(wrong)?),
            "sport" => parts.sport = Some(span(value).map_err(wrong)?),
            "dport" => parts.dport = Some(span(value).map_err(wrong)?),
            "icmp-type" => parts.icmp = Some(icmp(value).map_err(wrong)?),
            "size" => criteria.size = span(value).map_err(wrong)?,
            "peer" => criteria.peer = Some(prefix::vni(value).map_err(wrong)?),
            _ => {
                return Err(format!(
                    "{word}: write id, priority, from, to, proto, sport, dport, icmp-type, size or peer"
                ))
            }
        }
    }
    rule.criteria.transport = parts.transport()?;
    Ok(rule)
}

fn number<N>(text: &str, range: std::ops::RangeInclusive<N>) -> Result<N, String>
where
    N: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    text.parse()
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| format!("a number from {} to {}", range.start(), range.end()))
}

/// A protocol by name or number.
pub(crate) fn protocol(text: &str) -> Result<u8, String> {
    let known = PROTOCOLS.iter().find(|(name, _)| *name == text);
    match known {
        Some((_, number)) => Ok(*number),
        None => {
            number(text, 1..=255).map_err(|_| "a protocol's name, or a number up to 255".to_owned())
        }
    }
}

/// A range `A-B`, or one number.
fn span(text: &str) -> Result<Span, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) => {
            Span::new(first, last).ok_or_else(|| format!("write {last}-{first}"))
        }
        _ => Err("a number up to 65535, or two as in 1024-65535".to_owned()),
    }
}

/// An ICMP type `T`, or type and code `T/C`.
fn icmp(text: &str) -> Result<(u8, Option<u8>), String> {
    let wanted = || "a type such as 8, or a type and a code such as 3/4".to_owned();
    let (kind, code) = match text.split_once('/') {
        Some((kind, code)) => (kind, Some(code.parse().map_err(|_| wanted())?)),
        None => (text, None),
    };
    Ok((kind.parse().map_err(|_| wanted())?, code))
}

/// What a rule is about, in the words that say it.
pub(crate) fn text(criteria: &Criteria) -> String {
    let mut words = Vec::new();
    let mut say = |word: &str, value: String| words.push(format!("{word} {value}"));
    for (word, prefix) in [("from", criteria.src), ("to", criteria.dst)] {
        if prefix != Prefix::ALL {
            say(word, prefix::addresses_text(prefix));
        }
    }
    match criteria.transport {
        Transport::Any => {}
        Transport::Protocol(number) => say("proto", protocol_text(number)),
        Transport::Ports { protocol, src, dst } => {
            if let Some(number) = protocol {
                say("proto", protocol_text(number));
            }
            for (word, span) in [("sport", src), ("dport", dst)] {
                if span != Span::ALL {
                    say(word, span_text(span));
                }
            }
        }
        Transport::Icmp { kind, code } => {
            let code = code.map_or_else(String::new, |code| format!("/{code}"));
            say("icmp-type", format!("{kind}{code}"));
        }
    }
    if criteria.size != Span::ALL {
        say("size", span_text(criteria.size));
    }
    if let Some(peer) = criteria.peer {
        say("peer", peer.to_string());
    }
    match words.is_empty() {
        true => "any".to_owned(),
        false => words.join(" "),
    }
}

fn protocol_text(number: u8) -> String {
    let known = PROTOCOLS.iter().find(|(_, known)| *known == number);
    known.map_or_else(|| number.to_string(), |(name, _)| (*name).to_owned())
}

fn span_text(span: Span) -> String {
    match span.first() == span.last() {
        true => span.first().to_string(),
        false => format!("{}-{}", span.first(), span.last()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Result<RuleSet, String> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        parse(Direction::Out, &words)
    }

    #[test]
    fn what_a_rule_is_about_is_shown_in_the_words_that_said_it() {
        for words in [
            "from 10.0.0.0/8",
            "from 10.0.0.2 to 10.0.0.3",
            "proto tcp",
            "proto 99",
            "proto udp sport 53",
            "proto tcp sport 1024-65535 dport 80",
            "dport 53",
            "icmp-type 8",
            "icmp-type 3/4",
            "size 0-1500",
            "to 10.0.0.3 proto sctp dport 1-2 size 100 peer 8",
        ] {
            let rule = rule(&format!("{words} deny")).unwrap();
            assert_eq!(text(&rule.criteria), words);
        }
        let least = rule("id 4294967295 priority 0 from any allow").unwrap();
        assert_eq!(text(&least.criteria), "any");
        assert_eq!((least.id, least.priority), (Some(u32::MAX), Some(0)));
        assert_eq!(
            rule("proto icmp icmp-type 8 allow").unwrap().criteria,
            rule("icmp-type 8 allow").unwrap().criteria
        );
    }

    #[test]
    fn a_wrong_word_is_refused_with_what_to_write_instead() {
        for (words, says) in [
            (
                "proto tcp",
                "tcp: a rule ends with its action: allow, deny or reject",
            ),
            ("tcp allow", "tcp: a value is missing"),
            ("port 80 deny", "port: write id, priority, from"),
            ("dport 80 dport 81 deny", "dport is given twice"),
            ("dport 90-80 deny", "dport 90-80: write 80-90"),
            ("dport 65536 deny", "dport 65536: a number up to 65535"),
            ("proto gre dport 80 deny", "no ports"),
            ("proto tcp icmp-type 8 deny", "leave the protocol out"),
            ("icmp-type 8 dport 80 deny", "write two rules"),
            ("icmp-type 8/x deny", "such as 3/4"),
            (
                "proto nonsense deny",
                "a protocol's name, or a number up to 255",
            ),
            ("proto 0 deny", "a protocol's name, or a number up to 255"),
            ("id 0 deny", "a number from 1 to 4294967295"),
            ("priority 65536 deny", "a number from 0 to 65535"),
            ("from 10.0.0.1/8 deny", "write 10.0.0.0/8"),
            ("peer 0 deny", "1 to 16777215"),
        ] {
            let error = rule(words).unwrap_err();
            assert!(error.contains(says), "{words}: {error}");
        }
    }
}
