// SPDX-License-Identifier: GPL-2.0

//! What the manager says a network is like, in the kernel's terms.

use std::collections::BTreeSet;

use ovnet_engine::policy::{Criteria, Prefix, Span, Transport};
use ovnet_engine::Vni;
use ovnet_uapi::{Action, Direction, Fidelity, NetworkSet, Peering, RuleSet};

use crate::core::message::Settings;
use crate::core::record::Rule;

/// The network itself.
pub(super) fn network(vni: Vni, settings: &Settings) -> NetworkSet {
    let fidelity = match settings.exact {
        true => Fidelity::Exact,
        false => Fidelity::Semantic,
    };
    NetworkSet {
        fidelity: Some(fidelity),
        ..NetworkSet::new(vni)
    }
}

/// The rules that count in this minute of the day. They are held against what arrives for nodes of the
/// network, in their order.
pub(super) fn rules(settings: &Settings, minute: u16) -> Vec<RuleSet> {
    let all = settings.rules.iter().zip(1_u16..);
    all.filter(|(rule, _)| rule.window.is_none_or(|window| is_within(window, minute)))
        .map(|(rule, number)| RuleSet {
            id: Some(number.into()),
            direction: Direction::In,
            priority: Some(number),
            action: match rule.allow {
                true => Action::Allow,
                false => Action::Deny,
            },
            criteria: criteria(rule),
        })
        .collect()
}

fn criteria(rule: &Rule) -> Criteria {
    let span = |(first, last)| Span::new(first, last).unwrap_or(Span::ALL);
    let transport = match (rule.icmp_type, rule.ports, rule.protocol) {
        (Some(kind), ..) => Transport::Icmp { kind, code: None },
        (None, Some(ports), protocol) => Transport::Ports {
            protocol,
            src: Span::ALL,
            dst: span(ports),
        },
        (None, None, Some(protocol)) => Transport::Protocol(protocol),
        (None, None, None) => Transport::Any,
    };
    Criteria {
        transport,
        size: rule.size.map_or(Span::ALL, span),
        ..Criteria::ALL
    }
}

/// Whether a minute is in a part of the day, which may go on past midnight.
fn is_within((from, until): (u16, u16), minute: u16) -> bool {
    match from <= until {
        true => (from..until).contains(&minute),
        false => minute >= from || minute < until,
    }
}

/// Whether there are rules that do not count all day.
pub(super) fn has_windows(settings: &Settings) -> bool {
    settings.rules.iter().any(|rule| rule.window.is_some())
}

/// The peerings of a network, both ways.
pub(super) fn peerings(vni: Vni, settings: &Settings) -> BTreeSet<(Vni, Vni)> {
    let to = settings.admits.iter().map(|from| (*from, vni));
    let from = settings.admitted_by.iter().map(|to| (vni, *to));
    to.chain(from).filter(|(from, to)| from != to).collect()
}

/// The peering between all nodes of two networks.
pub(super) fn peering((from, to): (Vni, Vni)) -> Peering {
    Peering {
        from,
        to,
        src: Prefix::ALL,
        dst: Prefix::ALL,
    }
}

/// Whether a peering is one that a manager can have said; others are somebody else's.
pub(super) fn is_whole(peering: &Peering) -> bool {
    peering.src == Prefix::ALL && peering.dst == Prefix::ALL
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vni(n: u32) -> Vni {
        Vni::new(n).unwrap()
    }

    fn with(rules: Vec<Rule>) -> Settings {
        Settings {
            rules,
            ..Settings::default()
        }
    }

    #[test]
    fn rules_keep_their_order_and_say_what_they_are_about() {
        let ssh = Rule {
            allow: true,
            protocol: Some(6),
            ports: Some((22, 22)),
            ..Rule::default()
        };
        let echo = Rule {
            icmp_type: Some(8),
            size: Some((1000, 65535)),
            ..Rule::default()
        };
        let rules = rules(&with(vec![ssh, echo, Rule::default()]), 0);
        let order: Vec<_> = rules.iter().map(|rule| (rule.id, rule.priority)).collect();
        assert_eq!(
            order,
            [(Some(1), Some(1)), (Some(2), Some(2)), (Some(3), Some(3))]
        );
        assert_eq!(rules[0].action, Action::Allow);
        let ports = Transport::Ports {
            protocol: Some(6),
            src: Span::ALL,
            dst: Span::new(22, 22).unwrap(),
        };
        assert_eq!(rules[0].criteria.transport, ports);
        let icmp = Transport::Icmp {
            kind: 8,
            code: None,
        };
        assert_eq!(rules[1].criteria.transport, icmp);
        assert_eq!(rules[1].criteria.size, Span::new(1000, 65535).unwrap());
        assert_eq!(
            (rules[2].action, rules[2].criteria),
            (Action::Deny, Criteria::ALL)
        );
    }

    #[test]
    fn a_rule_with_a_window_counts_within_it() {
        let rule = |window| Rule {
            window: Some(window),
            ..Rule::default()
        };
        let settings = with(vec![rule((480, 1080)), rule((1320, 360))]);
        assert!(has_windows(&settings) && !has_windows(&Settings::default()));
        let counting = |minute| -> Vec<u32> {
            let rules = rules(&settings, minute);
            rules.into_iter().filter_map(|rule| rule.id).collect()
        };
        assert_eq!(counting(480), [1]);
        assert_eq!(counting(1080), [] as [u32; 0]);
        assert_eq!(counting(1320), [2]);
        assert_eq!(counting(0), [2]);
        assert_eq!(counting(360), [] as [u32; 0]);
    }

    #[test]
    fn a_network_has_peerings_with_those_it_admits_and_that_admit_it() {
        let settings = Settings {
            admits: vec![vni(8), vni(7)],
            admitted_by: vec![vni(9)],
            ..Settings::default()
        };
        let wanted = BTreeSet::from([(vni(8), vni(7)), (vni(7), vni(9))]);
        assert_eq!(peerings(vni(7), &settings), wanted);
        assert!(is_whole(&peering((vni(7), vni(8)))));
    }

    #[test]
    fn an_exact_network_is_exact() {
        let exact = Settings {
            exact: true,
            ..Settings::default()
        };
        assert_eq!(network(vni(7), &exact).fidelity, Some(Fidelity::Exact));
    }
}
