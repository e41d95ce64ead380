// SPDX-License-Identifier: GPL-2.0

//! The messages of the state machines as those of the wire, and back.
//!
//! What comes from the wire may be anything: it is `None` here if it cannot be a message.

mod moves;

use std::net::Ipv4Addr;

use ovnet_engine::{Locator, Mac, Vni};

use super::generated as wire;
use crate::core::load::{Load, WHOLE};
use crate::core::message::{
    Claim, Denial, Report, Settings, Sighting, ToAgent, ToManager, Verdict,
};
use crate::core::moves::MoveId;
use crate::core::record::Rule;
use crate::core::{Generation, Key, NodeId};

fn key(key: Key) -> wire::Key {
    wire::Key {
        vni: key.vni.get(),
        address: key.address.to_bits(),
    }
}

fn some_key(it: Key) -> Option<wire::Key> {
    Some(key(it))
}

fn keys(all: Vec<Key>) -> Vec<wire::Key> {
    all.into_iter().map(key).collect()
}

fn read_key(key: Option<wire::Key>) -> Option<Key> {
    let key = key?;
    Some(Key::new(
        Vni::new(key.vni)?,
        Ipv4Addr::from_bits(key.address),
    ))
}

fn read_keys(all: Vec<wire::Key>) -> Option<Vec<Key>> {
    all.into_iter().map(|key| read_key(Some(key))).collect()
}

fn known(all: Vec<(Key, Generation)>) -> Vec<wire::Known> {
    let known = |(it, generation): (Key, Generation)| wire::Known {
        key: some_key(it),
        generation: generation.get(),
    };
    all.into_iter().map(known).collect()
}

fn read_known(all: Vec<wire::Known>) -> Option<Vec<(Key, Generation)>> {
    let known = |it: wire::Known| Some((read_key(it.key)?, Generation::from_u64(it.generation)));
    all.into_iter().map(known).collect()
}

fn locator(bits: u64) -> Option<Locator> {
    Locator::new((bits >> 32) as u32, bits as u32).ok()
}

fn read_mac(bytes: &[u8]) -> Option<Option<Mac>> {
    match bytes {
        [] => Some(None),
        bytes => Some(Some(Mac(bytes.try_into().ok()?))),
    }
}

/// A message of an agent, for the wire.
pub(super) fn to_manager(message: ToManager) -> wire::ToManager {
    use wire::to_manager::{self as to, Message};
    let message = match message {
        ToManager::Hello {
            epoch,
            seen,
            frozen,
        } => Message::Hello(to::Hello {
            epoch,
            seen: seen.get(),
            frozen,
        }),
        ToManager::Resolve(all) => Message::Resolve(to::Resolve { keys: known(all) }),
        ToManager::Claim(all) => {
            let claim = |it: Claim| wire::Claim {
                key: some_key(it.key),
                node: it.node.0,
                attempt: it.attempt,
                held: it.held.get(),
            };
            Message::Claim(to::Claims {
                claims: all.into_iter().map(claim).collect(),
            })
        }
        ToManager::Release { key, generation } => Message::Release(to::Release {
            key: some_key(key),
            generation: generation.get(),
        }),
        ToManager::Learn {
            of,
            address,
            attempt,
        } => {
            let address = address.to_bits();
            Message::Learn(to::Learn {
                of: some_key(of),
                address,
                attempt,
            })
        }
        ToManager::Silent(it) => Message::Silent(key(it)),
        ToManager::Forget(all) => Message::Forget(to::Forget { keys: keys(all) }),
        ToManager::Ack(number) => Message::Ack(number),
        ToManager::Report(report) => {
            let sighting = |(kind, it, count): (Sighting, Key, u32)| wire::Sighting {
                kind: match kind {
                    Sighting::Spoof => wire::sighting::Kind::Spoof.into(),
                    Sighting::Forged => wire::sighting::Kind::Forged.into(),
                    Sighting::Claim => wire::sighting::Kind::Claim.into(),
                },
                key: some_key(it),
                count,
            };
            Message::Report(to::Report {
                ports: report.ports,
                mappings: report.mappings,
                pending: report.pending,
                load: report.load.map(|it| wire::Load {
                    cpu: it.cpu,
                    memory: it.memory,
                }),
                sightings: report.sightings.into_iter().map(sighting).collect(),
            })
        }
        ToManager::Step { id, step, note } => Message::Step(moves::step(id, step, note)),
        ToManager::Peers { id, keys: all } => Message::Peers(to::Peers {
            r#move: id.0,
            keys: keys(all),
        }),
        ToManager::Beat(number) => Message::Beat(number),
        ToManager::Guarded(number) => Message::Guarded(number),
    };
    wire::ToManager {
        message: Some(message),
    }
}

/// No host is busier than it can be.
fn read_load(wire::Load { cpu, memory }: wire::Load) -> Option<Load> {
    (cpu.max(memory) <= WHOLE).then_some(Load { cpu, memory })
}

/// A message of an agent, from the wire.
pub(super) fn read_to_manager(message: wire::ToManager) -> Option<ToManager> {
    use wire::to_manager::Message;
    Some(match message.message? {
        Message::Hello(it) => ToManager::Hello {
            epoch: it.epoch,
            seen: Generation::from_u64(it.seen),
            frozen: it.frozen,
        },
        Message::Resolve(it) => ToManager::Resolve(read_known(it.keys)?),
        Message::Claim(it) => {
            let claim = |it: wire::Claim| {
                Some(Claim {
                    key: read_key(it.key)?,
                    node: NodeId(it.node),
                    attempt: it.attempt,
                    held: Generation::from_u64(it.held),
                })
            };
            ToManager::Claim(it.claims.into_iter().map(claim).collect::<Option<_>>()?)
        }
        Message::Release(it) => ToManager::Release {
            key: read_key(it.key)?,
            generation: Generation::from_u64(it.generation),
        },
        Message::Learn(it) => ToManager::Learn {
            of: read_key(it.of)?,
            address: Ipv4Addr::from_bits(it.address),
            attempt: it.attempt,
        },
        Message::Silent(it) => ToManager::Silent(read_key(Some(it))?),
        Message::Forget(it) => ToManager::Forget(read_keys(it.keys)?),
        Message::Ack(number) => ToManager::Ack(number),
        Message::Report(it) => {
            let sighting = |it: wire::Sighting| {
                let kind = match it.kind() {
                    wire::sighting::Kind::Unknown => return None,
                    wire::sighting::Kind::Spoof => Sighting::Spoof,
                    wire::sighting::Kind::Forged => Sighting::Forged,
                    wire::sighting::Kind::Claim => Sighting::Claim,
                };
                Some((kind, read_key(it.key)?, it.count))
            };
            ToManager::Report(Report {
                ports: it.ports,
                mappings: it.mappings,
                pending: it.pending,
                load: match it.load {
                    Some(load) => Some(read_load(load)?),
                    None => None,
                },
                sightings: it
                    .sightings
                    .into_iter()
                    .map(sighting)
                    .collect::<Option<_>>()?,
            })
        }
        Message::Step(it) => moves::read_step(it)?,
        Message::Peers(it) => ToManager::Peers {
            id: MoveId(it.r#move),
            keys: read_keys(it.keys)?,
        },
        Message::Beat(number) => ToManager::Beat(number),
        Message::Guarded(number) => ToManager::Guarded(number),
    })
}

fn verdict((it, verdict): (Key, Verdict)) -> wire::Verdict {
    use wire::verdict::{self as is, Verdict as Is};
    let verdict = match verdict {
        Verdict::Found {
            generation,
            locator,
            mac,
        } => Is::Found(is::Found {
            generation: generation.get(),
            locator: locator.bits(),
            mac: mac.map_or_else(Vec::new, |mac| mac.octets().to_vec()),
        }),
        Verdict::Yours {
            generation,
            epoch,
            leave,
            gone,
            held,
        } => Is::Yours(is::Yours {
            generation: generation.get(),
            epoch,
            leave,
            held,
            gone,
        }),
        Verdict::Absent { generation } => Is::Absent(is::Absent {
            generation: generation.get(),
        }),
        Verdict::Due { generation, node } => Is::Due(is::Due {
            generation: generation.get(),
            node: node.0,
        }),
        Verdict::Refused => Is::Refused(is::Refused {}),
        Verdict::Peer {
            generation,
            locator,
            mac,
            vni,
        } => Is::Peer(is::Peer {
            generation: generation.get(),
            locator: locator.bits(),
            mac: mac.map_or_else(Vec::new, |mac| mac.octets().to_vec()),
            network: vni.get(),
        }),
    };
    wire::Verdict {
        key: some_key(it),
        verdict: Some(verdict),
    }
}

fn verdicts(all: Vec<(Key, Verdict)>) -> Vec<wire::Verdict> {
    all.into_iter().map(verdict).collect()
}

fn read_verdict(it: wire::Verdict) -> Option<(Key, Verdict)> {
    use wire::verdict::Verdict as Is;
    let verdict = match it.verdict? {
        Is::Found(found) => Verdict::Found {
            generation: Generation::from_u64(found.generation),
            locator: locator(found.locator)?,
            mac: read_mac(&found.mac)?,
        },
        Is::Yours(yours) => Verdict::Yours {
            generation: Generation::from_u64(yours.generation),
            epoch: yours.epoch,
            leave: yours.leave,
            gone: yours.gone,
            held: yours.held,
        },
        Is::Absent(absent) => Verdict::Absent {
            generation: Generation::from_u64(absent.generation),
        },
        Is::Due(due) => Verdict::Due {
            generation: Generation::from_u64(due.generation),
            node: NodeId(due.node),
        },
        Is::Refused(_) => Verdict::Refused,
        Is::Peer(peer) => Verdict::Peer {
            generation: Generation::from_u64(peer.generation),
            locator: locator(peer.locator)?,
            mac: read_mac(&peer.mac)?,
            vni: Vni::new(peer.network)?,
        },
    };
    Some((read_key(it.key)?, verdict))
}

fn read_verdicts(all: Vec<wire::Verdict>) -> Option<Vec<(Key, Verdict)>> {
    all.into_iter().map(read_verdict).collect()
}

fn span((first, last): (u16, u16)) -> wire::Span {
    wire::Span {
        first: first.into(),
        last: last.into(),
    }
}

fn read_span(span: Option<wire::Span>) -> Option<Option<(u16, u16)>> {
    match span {
        None => Some(None),
        Some(it) => Some(Some((it.first.try_into().ok()?, it.last.try_into().ok()?))),
    }
}

fn read_byte(number: Option<u32>) -> Option<Option<u8>> {
    match number {
        None => Some(None),
        Some(number) => Some(Some(number.try_into().ok()?)),
    }
}

fn rule(rule: Rule) -> wire::Rule {
    wire::Rule {
        allow: rule.allow,
        protocol: rule.protocol.map(u32::from),
        ports: rule.ports.map(span),
        icmp_type: rule.icmp_type.map(u32::from),
        size: rule.size.map(span),
        window: rule.window.map(span),
    }
}

fn read_rule(rule: wire::Rule) -> Option<Rule> {
    Some(Rule {
        allow: rule.allow,
        protocol: read_byte(rule.protocol)?,
        ports: read_span(rule.ports)?,
        icmp_type: read_byte(rule.icmp_type)?,
        size: read_span(rule.size)?,
        window: read_span(rule.window)?,
    })
}

/// A message of a manager, for the wire.
pub(super) fn to_agent(message: ToAgent) -> wire::ToAgent {
    use wire::to_agent::{self as to, denied::Reason, Message};
    let message = match message {
        ToAgent::Welcome(as_of) => Message::Welcome(to::Welcome { as_of: as_of.get() }),
        ToAgent::Later(milliseconds) => Message::Later(to::Later { milliseconds }),
        ToAgent::Answer { as_of, items } => Message::Answer(to::Answer {
            as_of: as_of.get(),
            items: verdicts(items),
        }),
        ToAgent::Busy { keys: all, after } => Message::Busy(to::Busy {
            keys: keys(all),
            milliseconds: after,
        }),
        ToAgent::Granted {
            key,
            attempt,
            generation,
            mac,
        } => {
            let generation = generation.get();
            Message::Granted(to::Granted {
                key: some_key(key),
                attempt,
                generation,
                mac: mac.map_or_else(Vec::new, |mac| mac.octets().to_vec()),
            })
        }
        ToAgent::Denied {
            key,
            attempt,
            reason,
        } => {
            let reason = match reason {
                Denial::NotProvisioned => Reason::NotProvisioned,
                Denial::Duplicate => Reason::Duplicate,
                Denial::OtherHost => Reason::OtherHost,
                Denial::Wait => Reason::Wait,
                Denial::Policy => Reason::Policy,
            };
            Message::Denied(to::Denied {
                key: some_key(key),
                attempt,
                reason: reason.into(),
            })
        }
        ToAgent::Push {
            number,
            as_of,
            items,
        } => Message::Push(to::Push {
            number,
            as_of: as_of.get(),
            items: verdicts(items),
        }),
        ToAgent::Invalidate(number) => Message::Invalidate(to::Invalidate { number }),
        ToAgent::Network {
            vni,
            generation,
            settings,
        } => Message::Network(to::Network {
            vni: vni.get(),
            generation: generation.get(),
            learn: settings.learn,
            exact: settings.exact,
            admits: settings.admits.into_iter().map(Vni::get).collect(),
            admitted_by: settings.admitted_by.into_iter().map(Vni::get).collect(),
            rules: settings.rules.into_iter().map(rule).collect(),
        }),
        ToAgent::NoNetwork(vni) => Message::NoNetwork(vni.get()),
        ToAgent::Move(it) => Message::Move(moves::told(it)),
        ToAgent::NoMove(id) => Message::NoMove(id.0),
        ToAgent::Lease(number) => Message::Lease(number),
        ToAgent::Guarded { number, nodes } => Message::Guarded(to::Guarded {
            number,
            nodes: nodes.into_iter().map(|node| node.0).collect(),
        }),
    };
    wire::ToAgent {
        message: Some(message),
    }
}

/// A message of a manager, from the wire.
pub(super) fn read_to_agent(message: wire::ToAgent) -> Option<ToAgent> {
    use wire::to_agent::{denied::Reason, Message};
    Some(match message.message? {
        Message::Welcome(it) => ToAgent::Welcome(Generation::from_u64(it.as_of)),
        Message::Later(it) => ToAgent::Later(it.milliseconds),
        Message::Answer(it) => ToAgent::Answer {
            as_of: Generation::from_u64(it.as_of),
            items: read_verdicts(it.items)?,
        },
        Message::Busy(it) => ToAgent::Busy {
            keys: read_keys(it.keys)?,
            after: it.milliseconds,
        },
        Message::Granted(it) => ToAgent::Granted {
            key: read_key(it.key)?,
            attempt: it.attempt,
            generation: Generation::from_u64(it.generation),
            mac: read_mac(&it.mac)?,
        },
        Message::Denied(it) => ToAgent::Denied {
            key: read_key(it.key)?,
            attempt: it.attempt,
            reason: match it.reason() {
                Reason::Unknown => return None,
                Reason::NotProvisioned => Denial::NotProvisioned,
                Reason::Duplicate => Denial::Duplicate,
                Reason::OtherHost => Denial::OtherHost,
                Reason::Wait => Denial::Wait,
                Reason::Policy => Denial::Policy,
            },
        },
        Message::Push(it) => ToAgent::Push {
            number: it.number,
            as_of: Generation::from_u64(it.as_of),
            items: read_verdicts(it.items)?,
        },
        Message::Invalidate(it) => ToAgent::Invalidate(it.number),
        Message::Network(it) => ToAgent::Network {
            vni: Vni::new(it.vni)?,
            generation: Generation::from_u64(it.generation),
            settings: Settings {
                learn: it.learn,
                exact: it.exact,
                admits: it.admits.into_iter().map(Vni::new).collect::<Option<_>>()?,
                admitted_by: it
                    .admitted_by
                    .into_iter()
                    .map(Vni::new)
                    .collect::<Option<_>>()?,
                rules: it.rules.into_iter().map(read_rule).collect::<Option<_>>()?,
            },
        },
        Message::Move(it) => ToAgent::Move(moves::read_told(it)?),
        Message::NoNetwork(vni) => ToAgent::NoNetwork(Vni::new(vni)?),
        Message::NoMove(id) => ToAgent::NoMove(MoveId(id)),
        Message::Lease(number) => ToAgent::Lease(number),
        Message::Guarded(it) => ToAgent::Guarded {
            number: it.number,
            nodes: it.nodes.into_iter().map(NodeId).collect(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: u8) -> Key {
        Key::new(Vni::new(7).unwrap(), Ipv4Addr::new(10, 0, 0, host))
    }

    #[test]
    fn what_agents_say_survives_the_wire() {
        let generation = Generation::new(3, 9);
        let claim = Claim {
            key: at(2),
            node: NodeId(u64::MAX),
            attempt: 4,
            held: generation,
        };
        let sightings = vec![
            (Sighting::Spoof, at(1), 2),
            (Sighting::Forged, at(2), 3),
            (Sighting::Claim, at(3), 4),
        ];
        let report = Report {
            ports: 1,
            mappings: 2,
            pending: 3,
            load: Some(Load {
                cpu: 0,
                memory: 1000,
            }),
            sightings,
        };
        let address = Ipv4Addr::new(10, 0, 0, 9);
        for message in [
            ToManager::Hello {
                epoch: 7,
                seen: generation,
                frozen: true,
            },
            ToManager::Resolve(vec![(at(1), generation), (at(2), Generation::NONE)]),
            ToManager::Claim(vec![claim]),
            ToManager::Release {
                key: at(1),
                generation,
            },
            ToManager::Learn {
                of: at(1),
                address,
                attempt: 2,
            },
            ToManager::Silent(at(3)),
            ToManager::Forget(vec![at(1), at(2)]),
            ToManager::Ack(u32::MAX),
            ToManager::Report(report),
            ToManager::Report(Report::default()),
            ToManager::Beat(u32::MAX),
            ToManager::Guarded(4),
        ] {
            assert_eq!(read_to_manager(to_manager(message.clone())), Some(message));
        }
    }

    #[test]
    fn what_managers_say_survives_the_wire() {
        let generation = Generation::new(3, 9);
        let locator = Locator::new(0xfd00_000a, 0x0001_0002).unwrap();
        let mac = Some(Mac([2, 0, 0, 0, 0, 1]));
        let items = vec![
            (
                at(1),
                Verdict::Found {
                    generation,
                    locator,
                    mac,
                },
            ),
            (
                at(2),
                Verdict::Found {
                    generation,
                    locator,
                    mac: None,
                },
            ),
            (
                at(3),
                Verdict::Yours {
                    generation,
                    epoch: 2,
                    leave: true,
                    gone: true,
                    held: false,
                },
            ),
            (at(4), Verdict::Absent { generation }),
            (at(5), Verdict::Refused),
            (
                at(6),
                Verdict::Due {
                    generation,
                    node: NodeId(7),
                },
            ),
        ];
        let rules = vec![
            Rule::default(),
            Rule {
                allow: true,
                protocol: Some(0),
                ports: Some((1, 65535)),
                icmp_type: Some(255),
                size: Some((0, 9)),
                window: Some((0, 1439)),
            },
        ];
        let (vni, admits) = (Vni::new(9).unwrap(), vec![Vni::new(Vni::MAX).unwrap()]);
        let mut messages = vec![
            ToAgent::Welcome(generation),
            ToAgent::Later(5),
            ToAgent::Answer {
                as_of: generation,
                items: items.clone(),
            },
            ToAgent::Busy {
                keys: vec![at(1)],
                after: 9,
            },
            ToAgent::Granted {
                key: at(1),
                attempt: 2,
                generation,
                mac,
            },
            ToAgent::Push {
                number: 3,
                as_of: generation,
                items,
            },
            ToAgent::Invalidate(8),
            ToAgent::NoNetwork(vni),
            ToAgent::Network {
                vni,
                generation,
                settings: Settings {
                    learn: true,
                    exact: true,
                    admitted_by: vec![vni],
                    admits,
                    rules,
                },
            },
        ];
        for reason in [
            Denial::NotProvisioned,
            Denial::Duplicate,
            Denial::OtherHost,
            Denial::Wait,
            Denial::Policy,
        ] {
            messages.push(ToAgent::Denied {
                key: at(1),
                attempt: 1,
                reason,
            });
        }
        for message in messages {
            assert_eq!(read_to_agent(to_agent(message.clone())), Some(message));
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        use wire::to_manager::{Message, Release};
        let message = |message| wire::ToManager { message };
        assert_eq!(read_to_manager(message(None)), None);
        let nowhere = Some(wire::Key { vni: 0, address: 1 });
        assert_eq!(read_to_manager(message(nowhere.map(Message::Silent))), None);
        let release = Release {
            key: None,
            generation: 1,
        };
        assert_eq!(
            read_to_manager(message(Some(Message::Release(release)))),
            None
        );
        for (cpu, memory) in [(1001, 0), (0, 1001)] {
            let load = Some(wire::Load { cpu, memory });
            let report = wire::to_manager::Report {
                load,
                ..Default::default()
            };
            assert_eq!(
                read_to_manager(message(Some(Message::Report(report)))),
                None
            );
        }
        assert_eq!(read_mac(&[1, 2, 3]), None);
        assert_eq!(
            read_span(Some(wire::Span {
                first: 0,
                last: 65_536
            })),
            None
        );
    }
}
