// SPDX-License-Identifier: GPL-2.0

//! A model of the store: what `store::Store` promises, in memory and without waiting.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::rc::Rc;

use crate::core::moves::{MoveId, State, Step};
use crate::core::record::{self, Mapping, Move, Name, Node, Term};
use crate::core::{Generation, Key, NodeId};
use crate::store::{
    Change, Condition, Entry, Event, Lease, Outcome, Range, Revision, Transaction, Write,
};

/// The store. It checks what must hold of everything that is ever written.
#[derive(Debug, Default)]
pub(super) struct Store {
    records: BTreeMap<Name, Record>,
    revision: Revision,
    changes: VecDeque<Rc<Change>>,
    leases: BTreeSet<Lease>,
    term: u32,
    /// Moves that got into another state.
    pub(super) moved: Vec<(MoveId, Move)>,
}

#[derive(Debug)]
struct Record {
    value: Box<[u8]>,
    modified: Revision,
    lease: Option<Lease>,
    /// What the value says, if it is a mapping.
    mapping: Option<Mapping>,
}

/// Mappings that a transaction changed: what they were, and what they are.
pub(super) type Changed = Vec<(Key, Option<Mapping>, Option<Mapping>)>;

impl Store {
    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    /// Writes without conditions, at one revision for all: what was there before it all began.
    pub(super) fn begin_with(&mut self, name: Name, value: Vec<u8>) {
        self.revision = 1;
        let mapping = mapping_of(&name, &value);
        let record = Record {
            value: value.into(),
            modified: 1,
            lease: None,
            mapping,
        };
        self.records.insert(name, record);
    }

    /// The state of a mapping, and its generation.
    pub(super) fn mapping(&self, key: Key) -> Option<(Generation, Mapping)> {
        let record = self.records.get(&Name::Mapping(key))?;
        let mapping = record.mapping?;
        Some((Generation::new(mapping.term, record.modified), mapping))
    }

    pub(super) fn mappings(&self) -> impl Iterator<Item = (Key, Generation, Mapping)> + '_ {
        self.records
            .iter()
            .filter_map(|(name, record)| match (name, record.mapping) {
                (Name::Mapping(key), Some(mapping)) => Some((
                    *key,
                    Generation::new(mapping.term, record.modified),
                    mapping,
                )),
                _ => None,
            })
    }

    pub(super) fn read(&self, name: &Name) -> Option<Entry> {
        self.records.get(name).map(|record| entry(name, record))
    }

    /// At most `limit` entries of a range, and the range they are all of.
    pub(super) fn piece(&self, range: &Range, limit: usize) -> (Range, Vec<Entry>) {
        let mut entries = Vec::with_capacity(limit.min(1024));
        let nodes = Name::Node(NodeId(0));
        let from = match Name::parse(range.start()) {
            Some(name) => self.records.range(name..),
            None if range.start() > &nodes.bytes()[..] => self.records.range((
                Bound::Excluded(Name::Node(NodeId(u64::MAX))),
                Bound::Unbounded,
            )),
            None => self.records.range(..),
        };
        for (name, record) in from {
            let entry = entry(name, record);
            if !range.contains(&entry.key) {
                break;
            }
            if entries.len() == limit {
                return (Range::between(range.start(), entry.key), entries);
            }
            entries.push(entry);
        }
        (range.clone(), entries)
    }

    /// The changes after a revision.
    pub(super) fn changes_after(&self, revision: Revision) -> impl Iterator<Item = &Rc<Change>> {
        let skip = self
            .changes
            .partition_point(|change| change.revision <= revision);
        self.changes.iter().skip(skip)
    }

    /// Forgets changes that everybody has seen.
    pub(super) fn compact(&mut self, before: Revision) {
        while self
            .changes
            .front()
            .is_some_and(|change| change.revision <= before)
        {
            self.changes.pop_front();
        }
    }

    pub(super) fn moves(&self) -> impl Iterator<Item = (MoveId, Move)> + '_ {
        let moves = Name::Move(MoveId(0))..=Name::Move(MoveId(u64::MAX));
        let records = self.records.range(moves);
        records.filter_map(|(name, record)| match name {
            Name::Move(id) => Some((*id, record::decode(&record.value)?)),
            _ => None,
        })
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = (NodeId, Node)> + '_ {
        let nodes = Name::Node(NodeId(0))..=Name::Node(NodeId(u64::MAX));
        let records = self.records.range(nodes);
        records.filter_map(|(name, record)| match name {
            Name::Node(id) => Some((*id, record::decode(&record.value)?)),
            _ => None,
        })
    }

    /// A move comes only from where its table of transitions says.
    fn check_move(&self, id: MoveId, after: &Move) -> Result<(), String> {
        let before = self.records.get(&Name::Move(id));
        let before = before.and_then(|record| record::decode::<Move>(&record.value));
        let Some(before) = before else {
            return match after.state {
                State::Prepare => Ok(()),
                state => Err(format!("move {id} begins with {state}")),
            };
        };
        let way = |from: State, to: State| Step::ALL.iter().any(|s| from.after(*s) == Some(to));
        // A node that is deleted has its move end whatever its state.
        let ends = after.state.is_over() && !after.failure.is_empty();
        let right = before.state == after.state || way(before.state, after.state) || ends;
        let same = before.node == after.node && before.from == after.from && before.to == after.to;
        match right && same {
            true => Ok(()),
            false => Err(format!("move {id} goes from {before:?} to {after:?}")),
        }
    }

    pub(super) fn grant(&mut self, lease: Lease) {
        self.leases.insert(lease);
    }

    /// Carries a transaction out; no outcome if it names a lease that is over.
    pub(super) fn commit(
        &mut self,
        transaction: Transaction,
    ) -> Result<(Option<Outcome>, Changed), String> {
        let over = |write: &Write| match write {
            Write::Put {
                lease: Some(lease), ..
            } => !self.leases.contains(lease),
            _ => false,
        };
        if transaction.writes.iter().any(over) {
            return Ok((None, Vec::new()));
        }
        let holds = |condition: &Condition| {
            let record = Name::parse(condition.key()).and_then(|name| self.records.get(&name));
            match condition {
                Condition::Absent(_) => record.is_none(),
                Condition::Exists(_) => record.is_some(),
                Condition::Modified(_, revision) => {
                    record.is_some_and(|record| record.modified == *revision)
                }
                Condition::Value(_, value) => record.is_some_and(|r| r.value[..] == value[..]),
            }
        };
        if !transaction.conditions.iter().all(holds) {
            let refused = Outcome::Refused {
                revision: self.revision,
            };
            return Ok((Some(refused), Vec::new()));
        }
        let changed = self.write(transaction.writes)?;
        Ok((Some(Outcome::Committed(self.revision)), changed))
    }

    /// Deletes what is bound to a lease: the leader's key, and what managers say of themselves.
    pub(super) fn expire(&mut self, lease: Lease) -> Result<Changed, String> {
        self.leases.remove(&lease);
        let bound = |(name, record): (&Name, &Record)| {
            (record.lease == Some(lease)).then(|| Write::Delete(Range::key(name.bytes())))
        };
        let records = self.records.range(Name::Leader..=Name::Manager(u32::MAX));
        let writes: Vec<_> = records.filter_map(bound).collect();
        match writes.is_empty() {
            true => Ok(Vec::new()),
            false => self.write(writes),
        }
    }

    fn write(&mut self, writes: Vec<Write>) -> Result<Changed, String> {
        let revision = self.revision + 1;
        let mut changed = Vec::new();
        let mut events = Vec::new();
        for write in writes {
            match write {
                Write::Put { key, value, lease } => {
                    let name = Name::parse(&key).ok_or("a key that is no name")?;
                    if let Name::Term = name {
                        let term = record::decode::<Term>(&value).ok_or("a bad term")?.number;
                        if term <= self.term {
                            return Err(format!("term {term} after term {}", self.term));
                        }
                        self.term = term;
                    }
                    let mapping = mapping_of(&name, &value);
                    let boxed = value.clone().into();
                    let record = Record {
                        value: boxed,
                        modified: revision,
                        lease,
                        mapping,
                    };
                    events.push(Event::Put(entry(&name, &record)));
                    let own = match name {
                        Name::Mapping(key) => Some(key),
                        _ => None,
                    };
                    if let Name::Move(id) = name {
                        let it = record::decode::<Move>(&value).ok_or("a bad move")?;
                        self.check_move(id, &it)?;
                        self.moved.push((id, it));
                    }
                    let before = self.records.insert(name, record);
                    if let Some(key) = own {
                        changed.push((key, before.and_then(|record| record.mapping), mapping));
                    }
                }
                Write::Delete(range) => {
                    let (_, entries) = self.piece(&range, usize::MAX);
                    for entry in entries {
                        let name = Name::parse(&entry.key).ok_or("a key that is no name")?;
                        let before = self.records.remove(&name);
                        if let Name::Mapping(key) = name {
                            changed.push((key, before.and_then(|record| record.mapping), None));
                        }
                        events.push(Event::Delete(entry.key));
                    }
                }
            }
        }
        for (key, before, after) in &changed {
            check(*key, before.as_ref(), after.as_ref(), self.term)?;
        }
        if !events.is_empty() {
            self.revision = revision;
            self.changes.push_back(Rc::new(Change { revision, events }));
        }
        Ok(changed)
    }
}

fn check(
    key: Key,
    before: Option<&Mapping>,
    after: Option<&Mapping>,
    term: u32,
) -> Result<(), String> {
    if after.is_some_and(|after| after.term != term) {
        return Err(format!(
            "{key} is written in term {term} for another one: {after:?}"
        ));
    }
    if before.is_some_and(|before| before.term > term) {
        return Err(format!("{key} is of a term to come: {before:?}"));
    }
    let (Some(before), Some(after)) = (before, after) else {
        return Ok(());
    };
    match before.node == after.node {
        true => Ok(()),
        false => Err(format!("{key} is given from {before:?} to {after:?}")),
    }
}

fn mapping_of(name: &Name, value: &[u8]) -> Option<Mapping> {
    match name {
        Name::Mapping(_) => record::decode(value),
        _ => None,
    }
}

fn entry(name: &Name, record: &Record) -> Entry {
    Entry {
        key: name.bytes(),
        value: record.value.to_vec(),
        created: record.modified,
        modified: record.modified,
        lease: record.lease,
    }
}
