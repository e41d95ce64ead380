// SPDX-License-Identifier: GPL-2.0

//! The store's types as etcd's, and back.

use tonic::Code;

use super::pb::{self, compare, request_op};
use super::Failure;
use crate::store::{
    Condition, Entry, Error, Lease, Range, Revision, Transaction, Write, MAX_OPERATIONS,
};

/// etcd counts in signed numbers that are never negative.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(super) fn revision(header: Option<&pb::ResponseHeader>) -> Revision {
    header.map_or(0, |header| unsigned(header.revision))
}

fn key(prefix: &str, key: &[u8]) -> Vec<u8> {
    [prefix.as_bytes(), key].concat()
}

/// A range as etcd has it: `\0` as the end is no end, and no key is empty.
pub(super) fn bounds(prefix: &str, range: &Range) -> (Vec<u8>, Vec<u8>) {
    let mut start = key(prefix, range.start());
    let end = match range.end() {
        Some(end) => Some(key(prefix, end)),
        None => Range::prefix(prefix).end().map(<[u8]>::to_vec),
    };
    if start.is_empty() {
        start.push(0);
    }
    // An empty range must not become a single key: that is what an empty end means.
    let end = end.unwrap_or_else(|| vec![0]);
    (start, end)
}

pub(super) fn range(
    prefix: &str,
    range: &Range,
    at: Option<Revision>,
    limit: usize,
) -> pb::RangeRequest {
    let (key, range_end) = bounds(prefix, range);
    let limit = i64::try_from(limit.max(1)).unwrap_or(i64::MAX);
    pb::RangeRequest {
        key,
        range_end,
        limit,
        revision: at.map_or(0, signed),
    }
}

pub(super) fn entry(prefix: &str, kv: pb::KeyValue) -> Entry {
    Entry {
        key: bare(prefix, kv.key),
        value: kv.value,
        created: unsigned(kv.create_revision),
        modified: unsigned(kv.mod_revision),
        lease: (kv.lease != 0).then_some(Lease(kv.lease)),
    }
}

/// A key without the prefix of the store.
pub(super) fn bare(prefix: &str, mut key: Vec<u8>) -> Vec<u8> {
    key.drain(..prefix.len().min(key.len()));
    key
}

pub(super) fn transaction(prefix: &str, transaction: &Transaction) -> pb::TxnRequest {
    pb::TxnRequest {
        compare: transaction
            .conditions
            .iter()
            .map(|it| condition(prefix, it))
            .collect(),
        success: transaction
            .writes
            .iter()
            .map(|it| write(prefix, it))
            .collect(),
    }
}

fn condition(prefix: &str, condition: &Condition) -> pb::Compare {
    use compare::{CompareResult as Is, CompareTarget as Of, TargetUnion as Value};
    let (result, target, value) = match condition {
        Condition::Absent(_) => (Is::Equal, Of::Create, Value::CreateRevision(0)),
        Condition::Exists(_) => (Is::NotEqual, Of::Create, Value::CreateRevision(0)),
        Condition::Modified(_, at) => (Is::Equal, Of::Mod, Value::ModRevision(signed(*at))),
        Condition::Value(_, value) => (Is::Equal, Of::Value, Value::Value(value.clone())),
    };
    pb::Compare {
        result: result.into(),
        target: target.into(),
        key: key(prefix, condition.key()),
        target_union: Some(value),
    }
}

fn write(prefix: &str, write: &Write) -> pb::RequestOp {
    let request = match write {
        Write::Put {
            key: name,
            value,
            lease,
        } => request_op::Request::RequestPut(pb::PutRequest {
            key: key(prefix, name),
            value: value.clone(),
            lease: lease.map_or(0, |lease| lease.0),
        }),
        Write::Delete(range) => {
            let (key, range_end) = bounds(prefix, range);
            request_op::Request::RequestDeleteRange(pb::DeleteRangeRequest { key, range_end })
        }
    };
    pb::RequestOp {
        request: Some(request),
    }
}

pub(super) fn reason(failure: Failure) -> String {
    match failure {
        Failure::NotSent(reason) => reason,
        Failure::Answer(status) => status.message().to_owned(),
    }
}

/// What a failure means; `wanted` is the revision that was asked for.
pub(super) fn error(failure: Failure, wanted: Revision) -> Error {
    let Failure::Answer(status) = failure else {
        return Error::Unavailable(reason(failure));
    };
    let message = status.message();
    match status.code() {
        Code::OutOfRange if message.contains("compacted") => Error::Compacted { wanted },
        Code::OutOfRange if message.contains("future") => Error::Future(wanted),
        Code::NotFound if message.contains("lease") => Error::NoLease,
        Code::InvalidArgument if message.contains("too many operations") => Error::Unavailable(
            format!("{message}: start every member of etcd with --max-txn-ops={MAX_OPERATIONS}"),
        ),
        Code::InvalidArgument if message.contains("too large") => Error::Invalid(format!(
            "{message}: split the transaction, or start etcd with a larger --max-request-bytes"
        )),
        Code::InvalidArgument => Error::Invalid(message.to_owned()),
        Code::ResourceExhausted => Error::Unavailable(format!(
            "{message}: compact and defragment etcd, then disarm its alarm, or raise its quota"
        )),
        Code::Unauthenticated | Code::PermissionDenied => {
            Error::Unavailable(format!("etcd refuses: {message}"))
        }
        _ => Error::Unavailable(message.to_owned()),
    }
}
