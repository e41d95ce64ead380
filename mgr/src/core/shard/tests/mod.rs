// SPDX-License-Identifier: GPL-2.0

//! A manager, told by hand what the store holds and what agents say.

mod balance;
mod claims;
mod leader;
mod lease;
mod load;
mod moves;
mod networks;
mod orders;
mod questions;
mod sessions;

use std::net::Ipv4Addr;
use std::time::Duration;

use ovnet_engine::{Locator, Vni};

use super::*;
use crate::core::message::{Denial, Report, Settings, Sighting, Verdict};
use crate::core::record::{self, Address, At, Epoch, Home, Node, Term};
use crate::core::NodeId;
use crate::store::Write;

const NOW: Time = Time::from_micros(0);

fn host(n: u32) -> Locator {
    Locator::new(0xfd00_000a, n).unwrap()
}

fn vni(n: u32) -> Vni {
    Vni::new(n).unwrap()
}

fn key(network: u32, n: u8) -> Key {
    Key::new(vni(network), Ipv4Addr::new(10, 0, 0, n))
}

fn after(millis: u64) -> Time {
    NOW + Duration::from_millis(millis)
}

fn at(n: u32, epoch: u32, held: bool) -> Option<At> {
    Some(At {
        host: host(n),
        epoch,
        held,
    })
}

/// A node of host `home`, bound as told.
fn mapping(node: u64, home: u32, at: Option<At>) -> Mapping {
    Mapping {
        term: 1,
        node: NodeId(node),
        home: Home::Host(host(home)),
        at,
        mac: None,
    }
}

/// Networks 1 and 2 know each other, 3 is alone; hosts 1 to 4.
fn records() -> Vec<(Name, Vec<u8>)> {
    let organisation = record::Organisation {
        title: String::new(),
    };
    let mut records = vec![
        (
            Name::Term,
            record::encode(&Term {
                number: 1,
                leader: 9,
            }),
        ),
        (Name::Leader, b"9".to_vec()),
        (
            Name::Organisation("o".into()),
            record::encode(&organisation),
        ),
    ];
    for n in 1..=3 {
        let network = record::Network {
            name: String::new(),
            organisation: "o".into(),
            prefixes: vec![(Ipv4Addr::new(10, 0, 0, 0), 29)],
            learn: n == 1,
            exact: false,
            admits: if n == 1 { vec![vni(2)] } else { Vec::new() },
            rules: Vec::new(),
        };
        records.push((Name::Network(vni(n)), record::encode(&network)));
    }
    for n in 1..=4 {
        let epoch = Epoch {
            current: 1,
            ..Epoch::default()
        };
        let record = record::Host {
            organisation: "o".into(),
            ..record::Host::default()
        };
        records.push((Name::Host(host(n)), record::encode(&record)));
        records.push((Name::Epoch(host(n)), record::encode(&epoch)));
    }
    records
}

struct Rig {
    shard: Shard,
    revision: Revision,
    out: Vec<Output>,
}

impl Rig {
    /// The mappings are written at revision 10, the rest at 1.
    fn new(config: Config, mappings: &[(Key, Mapping)]) -> Rig {
        let mut rig = Rig {
            shard: Shard::new(config, 9, 1, NOW),
            revision: 10,
            out: Vec::new(),
        };
        let entry = |(name, value): (Name, Vec<u8>), modified| Entry {
            key: name.bytes(),
            value,
            created: modified,
            lease: None,
            modified,
        };
        let mut entries: Vec<_> = records()
            .into_iter()
            .map(|record| entry(record, 1))
            .collect();
        for (key, mapping) in mappings {
            entries.push(entry((Name::Mapping(*key), record::encode(mapping)), 10));
        }
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        let range = Range::all();
        rig.input(Input::Load {
            range,
            entries,
            revision: 10,
            last: true,
        });
        rig
    }

    /// With host `n` on session `n`.
    fn with_hosts(config: Config, mappings: &[(Key, Mapping)], hosts: &[u32]) -> Rig {
        let mut rig = Rig::new(config, mappings);
        for &n in hosts {
            rig.hello(n, 1, Generation::NONE);
        }
        rig.out.clear();
        rig
    }

    fn hello(&mut self, n: u32, epoch: u32, seen: Generation) {
        self.input(Input::Opened(SessionId(n), host(n)));
        self.say(
            n,
            ToManager::Hello {
                epoch,
                seen,
                frozen: false,
            },
        );
    }

    fn input(&mut self, input: Input) {
        self.shard.handle(input, NOW, &mut self.out);
    }

    fn say(&mut self, session: u32, message: ToManager) {
        self.input(Input::Received(SessionId(session), message));
    }

    fn claim(&mut self, session: u32, key: Key, node: u64, held: Generation) {
        let claim = Claim {
            key,
            node: NodeId(node),
            attempt: 7,
            held,
        };
        self.say(session, ToManager::Claim(vec![claim]));
    }

    /// The store says that something is written, or deleted.
    fn change(&mut self, name: Name, value: Option<Vec<u8>>) {
        self.revision += 1;
        let modified = self.revision;
        let key = name.bytes();
        let event = match value {
            Some(value) => Event::Put(Entry {
                key,
                value,
                created: modified,
                lease: None,
                modified,
            }),
            None => Event::Delete(key),
        };
        self.input(Input::Changed(Change {
            revision: modified,
            events: vec![event],
        }));
    }

    fn map(&mut self, key: Key, mapping: Option<Mapping>) {
        self.change(
            Name::Mapping(key),
            mapping.map(|mapping| record::encode(&mapping)),
        );
    }

    fn sent(&mut self, session: u32) -> Vec<ToAgent> {
        let mut sent = Vec::new();
        self.out.retain(|output| match output {
            Output::Send(to, message) if *to == SessionId(session) => {
                sent.push(message.clone());
                false
            }
            _ => true,
        });
        sent
    }

    fn alarms(&self) -> Vec<Alarm> {
        let alarm = |output: &Output| match output {
            Output::Alarm(alarm) => Some(*alarm),
            _ => None,
        };
        self.out.iter().filter_map(alarm).collect()
    }

    /// The one transaction that is under way.
    fn transaction(&mut self) -> (Flight, Transaction) {
        let commit = |output: &Output| match output {
            Output::Commit(flight, transaction) if !is_presence(transaction) => {
                Some((*flight, transaction.clone()))
            }
            _ => None,
        };
        let mut commits: Vec<_> = self.out.iter().filter_map(commit).collect();
        self.out.clear();
        assert_eq!(commits.len(), 1, "{commits:?}");
        commits.remove(0)
    }

    fn is_writing(&self) -> bool {
        self.out
            .iter()
            .any(|output| matches!(output, Output::Commit(_, it) if !is_presence(it)))
    }

    /// Asks for a change of a node, and answers that the store holds this one.
    fn order(&mut self, order: Order, node: Option<(Node, Revision)>) {
        self.input(Input::Order(5, order, super::Terms::default()));
        let read = self.out.iter().find_map(|output| match output {
            Output::Read(flight, name) => Some((*flight, name.bytes())),
            _ => None,
        });
        if let Some((flight, key)) = read {
            let entry = node.map(|(node, modified)| Entry {
                key,
                value: record::encode(&node),
                created: modified,
                lease: None,
                modified,
            });
            self.input(Input::Read(flight, Some((entry, self.revision))));
        }
    }

    fn reply(&self) -> Option<Result<Done, Refusal>> {
        self.out.iter().find_map(|output| match output {
            Output::Reply(5, result) => Some(result.clone()),
            _ => None,
        })
    }
}

/// Whether a transaction only says that the manager is alive.
fn is_presence(transaction: &Transaction) -> bool {
    let own = Name::Manager(9).bytes();
    matches!(&transaction.writes[..], [Write::Put { key, .. }] if *key == own)
}

fn written(transaction: &Transaction, key: Key) -> Option<Mapping> {
    let name = Name::Mapping(key).bytes();
    transaction.writes.iter().find_map(|write| match write {
        Write::Put { key, value, .. } if *key == name => record::decode(value),
        _ => None,
    })
}

fn generation(revision: Revision) -> Generation {
    Generation::new(1, revision)
}
