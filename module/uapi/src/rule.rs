// SPDX-License-Identifier: GPL-2.0

//! The rules of networks: what becomes of which packets.

use ovnet_engine::policy::{Criteria, Span, Transport, ICMP};
use ovnet_engine::Vni;

use crate::attrs::{malformed, require, Reader, Writer};
use crate::connection::Record;
use crate::generated::{Action, Direction, PolicyAttr, RuleAttr};
use crate::network::vni;
use crate::peering::{prefix, put_prefix};
use crate::Error;

/// A rule, and what it has decided about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its network.
    pub vni: Vni,
    /// Its id, unique in the network.
    pub id: u32,
    /// Which packets it may be about.
    pub direction: Direction,
    /// Lower ones decide first, equal ones in the order of ids.
    pub priority: u16,
    /// What becomes of the packets.
    pub action: Action,
    /// Which packets it is about.
    pub criteria: Criteria,
    /// Packets it decided about.
    pub packets: u64,
    /// IPv4 bytes of those packets.
    pub bytes: u64,
}

/// What a rule is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleSet {
    /// Its id; absent: one more than the greatest of the network.
    pub id: Option<u32>,
    /// Which packets it may be about.
    pub direction: Direction,
    /// Lower ones decide first; absent: 1000.
    pub priority: Option<u16>,
    /// What becomes of the packets.
    pub action: Action,
    /// Which packets it is about.
    pub criteria: Criteria,
}

impl RuleSet {
    fn write(&self, attrs: &mut Writer<RuleAttr>) -> Result<(), Error> {
        attrs.put_some(RuleAttr::Id, self.id.map(u32::to_ne_bytes))?;
        let direction = u32::from(self.direction);
        attrs.put(RuleAttr::Direction, direction.to_ne_bytes())?;
        attrs.put_some(RuleAttr::Priority, self.priority.map(u16::to_ne_bytes))?;
        attrs.put(RuleAttr::Action, u32::from(self.action).to_ne_bytes())?;
        let Criteria {
            src,
            dst,
            transport,
            size,
            peer,
        } = self.criteria;
        put_prefix(attrs, (RuleAttr::Src, RuleAttr::SrcLen), src)?;
        put_prefix(attrs, (RuleAttr::Dst, RuleAttr::DstLen), dst)?;
        put_transport(attrs, transport)?;
        put_span(attrs, SIZE, size)?;
        attrs.put_some(RuleAttr::Peer, peer.map(|peer| peer.get().to_ne_bytes()))
    }
}

const SPORT: (RuleAttr, RuleAttr) = (RuleAttr::SportMin, RuleAttr::SportMax);
const DPORT: (RuleAttr, RuleAttr) = (RuleAttr::DportMin, RuleAttr::DportMax);
const SIZE: (RuleAttr, RuleAttr) = (RuleAttr::SizeMin, RuleAttr::SizeMax);

fn put_transport(attrs: &mut Writer<RuleAttr>, transport: Transport) -> Result<(), Error> {
    match transport {
        Transport::Any => Ok(()),
        Transport::Protocol(number) => attrs.put(RuleAttr::Protocol, [number]),
        Transport::Ports { protocol, src, dst } => {
            attrs.put_some(RuleAttr::Protocol, protocol.map(|number| [number]))?;
            put_span(attrs, SPORT, src)?;
            put_span(attrs, DPORT, dst)
        }
        Transport::Icmp { kind, code } => {
            attrs.put(RuleAttr::Protocol, [ICMP])?;
            attrs.put(RuleAttr::IcmpType, [kind])?;
            attrs.put_some(RuleAttr::IcmpCode, code.map(|code| [code]))
        }
    }
}

fn put_span(
    attrs: &mut Writer<RuleAttr>,
    (min, max): (RuleAttr, RuleAttr),
    span: Span,
) -> Result<(), Error> {
    if span != Span::ALL {
        attrs.put(min, span.first().to_ne_bytes())?;
        attrs.put(max, span.last().to_ne_bytes())?;
    }
    Ok(())
}

/// The attributes that name a network's rules.
pub(crate) fn policy_key(vni: Vni) -> Result<Writer<PolicyAttr>, Error> {
    let mut attrs = Writer::new();
    attrs.put(PolicyAttr::Vni, vni.get().to_ne_bytes())?;
    Ok(attrs)
}

/// Rules to set.
pub(crate) fn rules(vni: Vni, set: &[RuleSet]) -> Result<Writer<PolicyAttr>, Error> {
    let mut attrs = policy_key(vni)?;
    for rule in set {
        attrs.nest(PolicyAttr::Rule, |attrs| rule.write(attrs))?;
    }
    Ok(attrs)
}

impl Record for Rule {
    type Attr = PolicyAttr;

    fn from_attrs(attrs: &Reader<PolicyAttr>) -> Result<Rule, Error> {
        let vni = require(PolicyAttr::Vni, vni(attrs, PolicyAttr::Vni)?)?;
        let nest = require(PolicyAttr::Rule, attrs.bytes(PolicyAttr::Rule))?;
        let rule = Reader::<RuleAttr>::parse(nest)?;
        let direction = rule.u32(RuleAttr::Direction)?.map(Direction::from);
        let action = rule.u32(RuleAttr::Action)?.map(Action::from);
        Ok(Rule {
            vni,
            id: require(RuleAttr::Id, rule.u32(RuleAttr::Id)?)?,
            direction: require(RuleAttr::Direction, direction)?,
            priority: require(RuleAttr::Priority, rule.u16(RuleAttr::Priority)?)?,
            action: require(RuleAttr::Action, action)?,
            criteria: Criteria {
                src: prefix(&rule, (RuleAttr::Src, RuleAttr::SrcLen))?,
                dst: prefix(&rule, (RuleAttr::Dst, RuleAttr::DstLen))?,
                transport: transport(&rule)?,
                size: span(&rule, SIZE)?,
                peer: crate::network::vni(&rule, RuleAttr::Peer)?,
            },
            packets: rule.u64(RuleAttr::Packets)?.unwrap_or(0),
            bytes: rule.u64(RuleAttr::Bytes)?.unwrap_or(0),
        })
    }
}

fn transport(rule: &Reader<RuleAttr>) -> Result<Transport, Error> {
    let protocol = rule.u8(RuleAttr::Protocol)?;
    let (src, dst) = (span(rule, SPORT)?, span(rule, DPORT)?);
    Ok(match (rule.u8(RuleAttr::IcmpType)?, protocol) {
        (Some(kind), _) => Transport::Icmp {
            kind,
            code: rule.u8(RuleAttr::IcmpCode)?,
        },
        (None, protocol) if (src, dst) != (Span::ALL, Span::ALL) => {
            Transport::Ports { protocol, src, dst }
        }
        (None, Some(number)) => Transport::Protocol(number),
        (None, None) => Transport::Any,
    })
}

fn span(rule: &Reader<RuleAttr>, (min, max): (RuleAttr, RuleAttr)) -> Result<Span, Error> {
    let first = rule.u16(min)?.unwrap_or(0);
    let last = rule.u16(max)?.unwrap_or(u16::MAX);
    Span::new(first, last).ok_or_else(|| malformed(min, &format!("is {first}, behind {last}")))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use ovnet_engine::policy::Prefix;

    use super::*;

    fn rule() -> RuleSet {
        RuleSet {
            id: Some(5),
            direction: Direction::In,
            priority: Some(10),
            action: Action::Deny,
            criteria: Criteria {
                src: Prefix::new(Ipv4Addr::new(10, 1, 0, 0), 16).unwrap(),
                transport: Transport::Ports {
                    protocol: Some(6),
                    src: Span::ALL,
                    dst: Span::new(80, 90).unwrap(),
                },
                peer: Vni::new(8),
                ..Criteria::ALL
            },
        }
    }

    #[rustfmt::skip]
    const NEST: [u8; 84] = [
        8, 0, 1, 0, 5, 0, 0, 0,
        8, 0, 2, 0, 0, 0, 0, 0,
        6, 0, 3, 0, 10, 0, 0, 0,
        8, 0, 4, 0, 1, 0, 0, 0,
        8, 0, 5, 0, 10, 1, 0, 0,
        5, 0, 6, 0, 16, 0, 0, 0,
        5, 0, 9, 0, 6, 0, 0, 0,
        6, 0, 12, 0, 80, 0, 0, 0,
        6, 0, 13, 0, 90, 0, 0, 0,
        8, 0, 18, 0, 8, 0, 0, 0,
        4, 0, 99, 0,
    ];

    #[test]
    fn rules_of_a_request_are_nests_without_what_the_kernel_is_to_choose() {
        let vni = Vni::new(7).unwrap();
        let bytes = |set: &[RuleSet]| rules(vni, set).unwrap().as_bytes().to_vec();
        let key = [8, 0, 1, 0, 7, 0, 0, 0];
        let whole = [&[84, 0, 2, 0x80][..], &NEST[..80]].concat();
        assert_eq!(
            bytes(&[rule(), rule()]),
            [&key[..], &whole, &whole].concat()
        );
        let least = RuleSet {
            id: None,
            priority: None,
            criteria: Criteria::ALL,
            ..rule()
        };
        #[rustfmt::skip]
        let nest = [
            20, 0, 2, 0x80,
            8, 0, 2, 0, 0, 0, 0, 0,
            8, 0, 4, 0, 1, 0, 0, 0,
        ];
        assert_eq!(bytes(&[least]), [&key[..], &nest].concat());
    }

    #[test]
    fn a_rule_is_read_from_its_attributes() {
        #[rustfmt::skip]
        let head = [
            21, 1, 0, 0,
            8, 0, 1, 0, 7, 0, 0, 0,
            112, 0, 2, 0x80,
        ];
        #[rustfmt::skip]
        let counters = [
            12, 0, 19, 0, 3, 0, 0, 0, 0, 0, 0, 0,
            12, 0, 20, 0, 252, 0, 0, 0, 0, 0, 0, 0,
        ];
        let bytes = [&head[..], &NEST, &counters].concat();
        let read = Rule::parse(&bytes).unwrap();
        assert_eq!((read.vni.get(), read.id, read.priority), (7, 5, 10));
        assert_eq!((read.direction, read.action), (Direction::In, Action::Deny));
        assert_eq!(read.criteria, rule().criteria);
        assert_eq!((read.packets, read.bytes), (3, 252));
    }

    #[test]
    fn each_transport_comes_back_as_it_was() {
        let ports = |protocol| Transport::Ports {
            protocol,
            src: Span::new(1, 2).unwrap(),
            dst: Span::ALL,
        };
        let icmp = |code| Transport::Icmp { kind: 3, code };
        for transport in [
            Transport::Any,
            Transport::Protocol(47),
            ports(None),
            ports(Some(17)),
            icmp(None),
            icmp(Some(13)),
        ] {
            let mut set = rule();
            set.criteria.transport = transport;
            let attrs = rules(Vni::new(7).unwrap(), &[set]).unwrap();
            let read = Rule::parse(&[&[21, 1, 0, 0], attrs.as_bytes()].concat()).unwrap();
            assert_eq!(read.criteria.transport, transport);
        }
    }
}
