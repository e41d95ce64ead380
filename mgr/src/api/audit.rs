// SPDX-License-Identifier: GPL-2.0

//! The audit log: every request that was to change something, done or refused, and every attempt of somebody
//! who may not.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use http::{Method, StatusCode};

use super::call::{Answer, Call};
use super::model::AuditEntry;
use super::problem::Problem;
use super::token::Role;
use super::State;
use crate::secret;
use crate::store::{Range, Store, Transaction};

/// Followed by the time in microseconds, so that the order of the keys is that of the requests.
pub(crate) const PREFIX: &str = "audit/";

/// What is known of a request before it is carried out.
pub(super) struct Record {
    entry: AuditEntry,
    dry_run: bool,
}

pub(crate) fn key(time: SystemTime) -> String {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    format!("{PREFIX}{:016x}", since.as_micros())
}

impl Record {
    pub(super) fn of(method: &Method, target: &str, call: &Call) -> Self {
        let entry = AuditEntry {
            time: String::new(),
            token: call.token.id.clone(),
            method: method.to_string(),
            target: target.to_owned(),
            status: 0,
            problem: None,
            body: secret::sha256(&call.body),
        };
        Self {
            entry,
            dry_run: call.dry_run(),
        }
    }

    /// The record with what became of the request; nothing of a dry run.
    pub(super) fn finish(mut self, result: &Result<Answer, Problem>) -> Option<Self> {
        if self.dry_run {
            return None;
        }
        let status = match result {
            Ok(Answer::Json { status, .. }) => *status,
            Ok(Answer::Empty) => StatusCode::NO_CONTENT,
            Ok(Answer::Raw(response)) => response.status(),
            Err(problem) => problem.status(),
        };
        self.entry.status = status.as_u16();
        self.entry.problem = result.as_ref().err().map(Problem::describe);
        Some(self)
    }

    pub(super) async fn keep(mut self, state: &State) {
        let now = SystemTime::now();
        self.entry.time = humantime::format_rfc3339_micros(now).to_string();
        let AuditEntry {
            token,
            method,
            target,
            status,
            ..
        } = &self.entry;
        tracing::info!(target: "ovnet_mgr::audit", token, method, path = target, status, "request");
        let key = format!("{}{}", key(now), secret::hex(&secret::random::<4>()));
        let value = serde_json::to_vec(&self.entry).unwrap_or_default();
        if let Err(error) = state.store.commit(Transaction::new().put(key, value)).await {
            tracing::error!(%error, entry = ?self.entry, "the audit log cannot be written");
        }
    }
}

/// So many refusals are kept at once,
const BURST: u32 = 60;
/// and one more each time this has passed.
const PACE: Duration = Duration::from_secs(1);

/// Refusals of those who did not prove who they are, or are not to do what they tried: wrong tokens, hosts
/// with a forged certificate, hosts that claim what is another's (`SM4`).
///
/// Whoever reaches a port can cause them. So no more are kept than a store and its readers can bear; the
/// next one that is kept says how many were not.
#[derive(Clone)]
pub(crate) struct Refusals {
    store: Arc<dyn Store>,
    pace: Arc<Mutex<Pace>>,
}

struct Pace {
    left: u32,
    since: Instant,
    left_out: u64,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self {
            left: BURST,
            since: now,
            left_out: 0,
        }
    }

    /// How many were left out before, if this one may be kept.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let passed = now.saturating_duration_since(self.since).as_secs() / PACE.as_secs();
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        self.since += PACE * passed.min(BURST);
        if passed >= BURST {
            self.since = now;
        }
        self.left = self.left.saturating_add(passed).min(BURST);
        if self.left == 0 {
            self.left_out += 1;
            return None;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl Refusals {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        let pace = Arc::new(Mutex::new(Pace::new(Instant::now())));
        Self { store, pace }
    }

    /// Keeps one: who it was, as far as that is known, and what was tried.
    pub(crate) fn keep(&self, who: &str, method: &str, target: &str, status: u16, why: &str) {
        let taken = match self.pace.lock() {
            Ok(mut pace) => pace.take(Instant::now()),
            Err(_) => None,
        };
        tracing::warn!(target: "ovnet_mgr::audit", who, method, path = target, status, "{why}");
        let Some(left_out) = taken else { return };
        let more = match left_out {
            0 => String::new(),
            left_out => format!(" ({left_out} refusals before were not kept)"),
        };
        let now = SystemTime::now();
        let entry = AuditEntry {
            time: humantime::format_rfc3339_micros(now).to_string(),
            token: who.to_owned(),
            method: method.to_owned(),
            target: target.to_owned(),
            status,
            problem: Some(format!("{why}{more}")),
            body: String::new(),
        };
        let key = format!("{}{}", key(now), secret::hex(&secret::random::<4>()));
        let value = serde_json::to_vec(&entry).unwrap_or_default();
        let store = Arc::clone(&self.store);
        tokio::spawn(async move {
            if let Err(error) = store.commit(Transaction::new().put(key, value)).await {
                tracing::error!(%error, ?entry, "the audit log cannot be written");
            }
        });
    }
}

/// `GET /v1/audit`
pub(super) async fn list(call: Call) -> Result<Answer, Problem> {
    call.token.need(None, Role::Admin, "audit log")?;
    let limit = call.query.get("limit").map_or(Ok(100), |text| {
        let limit = text.parse().ok().filter(|limit| (1..=1000).contains(limit));
        limit.ok_or_else(|| Problem::bad("limit is a number from 1 to 1000."))
    })?;
    let mut range = Range::prefix(PREFIX);
    if let Some(after) = call.query.get("after") {
        range = range.after(format!("{PREFIX}{after}").as_bytes());
    }
    let page = call.state.store.range(&range, None, Some(limit)).await?;
    let items: Vec<AuditEntry> = page
        .entries
        .iter()
        .filter_map(|it| serde_json::from_slice(&it.value).ok())
        .collect();
    let last = page.entries.last().filter(|_| page.more);
    let next = last.map(|it| String::from_utf8_lossy(&it.key[PREFIX.len()..]).into_owned());
    let resume = call.state.tag(page.revision);
    Ok(Answer::ok(
        &serde_json::json!({ "items": items, "next": next, "resume": resume }),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_counted_rather_than_kept() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        for _ in 0..BURST {
            assert_eq!(pace.take(start), Some(0));
        }
        for _ in 0..1000 {
            assert_eq!(pace.take(start + PACE / 2), None);
        }
        assert_eq!(pace.take(start + PACE), Some(1000));
        assert_eq!(pace.take(start + PACE), None);
        assert_eq!(pace.take(start + PACE * 3), Some(1));
        assert_eq!(pace.take(start + PACE * 3), Some(0));
        assert_eq!(pace.take(start + PACE * 3), None);
        let later = start + PACE * 100_000;
        assert_eq!(pace.take(later), Some(1));
        for _ in 1..BURST {
            assert_eq!(pace.take(later), Some(0));
        }
        assert_eq!(pace.take(later), None);
    }
}
