// SPDX-License-Identifier: GPL-2.0

//! The audit log: every request that was to change something, done or refused.

use std::time::SystemTime;

use http::{Method, StatusCode};

use super::call::{Answer, Call};
use super::model::AuditEntry;
use super::problem::Problem;
use super::token::Role;
use super::State;
use crate::secret;
use crate::store::{Range, Transaction};

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
