// SPDX-License-Identifier: GPL-2.0

//! Requests that are sent twice and carried out once: `Idempotency-Key`.
//!
//! What was answered is kept for a day under the token's id and the key. A request that died with
//! its manager between the change and the answer is carried out again; creating a node is then
//! still harmless, because the id of the node is made of the key.

use axum::response::Response;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use super::call::{Answer, Call};
use super::operations::Operation;
use super::problem::Problem;
use super::token::seconds_now;
use super::State;
use crate::secret;
use crate::store::{Range, Transaction};

pub(crate) const PREFIX: &str = "api/request/";
/// Answers are kept for so many seconds.
const KEPT: u64 = 24 * 3600;
const HEADER: &str = "idempotency-key";

#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    request: String,
    status: u16,
    body: String,
    etag: Option<u64>,
    time: u64,
}

/// Whether what was kept has been kept long enough.
pub(crate) fn is_forgotten(value: &[u8], now: u64) -> bool {
    serde_json::from_slice::<Kept>(value).map_or(true, |kept| kept.time + KEPT < now)
}

/// A request that has a key, and what was answered to it before.
pub(super) struct Replay {
    key: String,
    request: String,
    kept: Option<Kept>,
}

/// What a call's key and token are together.
pub(super) fn digest(call: &Call) -> Option<String> {
    let key = call.headers.get(HEADER)?;
    Some(secret::sha256(
        &[call.token.id.as_bytes(), b"/", key.as_bytes()].concat(),
    ))
}

impl Replay {
    pub(super) async fn find(
        operation: &Operation,
        call: &Call,
        target: &str,
    ) -> Result<Option<Self>, Problem> {
        if !operation.repeatable || call.dry_run() {
            return Ok(None);
        }
        let Some(digest) = digest(call) else {
            return Ok(None);
        };
        let key = format!("{PREFIX}{digest}");
        let request = secret::sha256(&[target.as_bytes(), b"\n", &call.body].concat());
        let found = call
            .state
            .store
            .range(&Range::key(&key[..]), None, None)
            .await?;
        let kept = found
            .entries
            .first()
            .and_then(|it| serde_json::from_slice::<Kept>(&it.value).ok());
        let kept = kept.filter(|kept| kept.time + KEPT > seconds_now());
        if kept.as_ref().is_some_and(|kept| kept.request != request) {
            return Err(Problem::invalid(
                "This Idempotency-Key was used for another request: make a new one for each.",
            ));
        }
        Ok(Some(Self { key, request, kept }))
    }

    /// The answer of the first time.
    pub(super) fn response(&self, state: &State) -> Option<Response> {
        let kept = self.kept.as_ref()?;
        let status = StatusCode::from_u16(kept.status).ok()?;
        let body = kept.body.clone().into_bytes();
        let answer = Answer::Json {
            status,
            body,
            etag: kept.etag,
        };
        let mut response = answer.into_response(state);
        let replayed = HeaderValue::from_static("true");
        response
            .headers_mut()
            .insert("idempotency-replayed", replayed);
        Some(response)
    }

    /// What to keep of an answer.
    pub(super) fn transaction(self, answer: &Answer) -> Option<Transaction> {
        let Answer::Json { status, body, etag } = answer else {
            return None;
        };
        let kept = Kept {
            request: self.request,
            status: status.as_u16(),
            body: String::from_utf8_lossy(body).into_owned(),
            etag: *etag,
            time: seconds_now(),
        };
        let value = serde_json::to_vec(&kept).unwrap_or_default();
        Some(Transaction::new().put(self.key, value))
    }
}
