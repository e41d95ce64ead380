// SPDX-License-Identifier: GPL-2.0

//! The way of every request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::body::to_bytes;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{Query, RawPathParams, Request};
use axum::response::{IntoResponse, Response};
use http::{header, Method, StatusCode};

use super::call::{Answer, Call};
use super::operations::{Kind, Operation};
use super::problem::Problem;
use super::token::Token;
use super::{audit, idempotency, State};
use crate::store::Range;

/// A body is not larger than this.
const MAX_BODY: usize = 4 << 20;

type Parameters = Result<RawPathParams, RawPathParamsRejection>;

pub(super) async fn serve(
    operation: Arc<Operation>,
    state: Arc<State>,
    parameters: Parameters,
    request: Request,
) -> Response {
    let start = Instant::now();
    let method = operation.method.as_str();
    let target = request.uri().path().to_owned();
    let response = match take_apart(&operation, &state, parameters, request).await {
        Ok((call, target)) => carry_out(&operation, call, &target).await,
        Err(problem) => {
            if problem.status() == StatusCode::UNAUTHORIZED {
                let why = problem.describe();
                state.refusals.keep("", method, &target, 401, &why);
            }
            problem.into_response()
        }
    };
    let status = response.status();
    let metrics = &state.metrics;
    metrics
        .api_requests
        .with_label_values(&[method, operation.path, status.as_str()])
        .inc();
    let seconds = start.elapsed().as_secs_f64();
    metrics
        .api_seconds
        .with_label_values(&[method, operation.path])
        .observe(seconds);
    tracing::debug!(
        method,
        path = operation.path,
        status = status.as_u16(),
        seconds,
        "request"
    );
    response
}

/// What a request says, and its target for the audit log.
async fn take_apart(
    operation: &Operation,
    state: &Arc<State>,
    parameters: Parameters,
    request: Request,
) -> Result<(Call, String), Problem> {
    let (head, body) = request.into_parts();
    let bearer = head
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
    let token = match bearer {
        Some(text) => Token::find(&*state.store, text.trim()).await?,
        None => None,
    };
    let token = token.ok_or_else(|| {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "There is no valid token in the request",
            "Send Authorization: Bearer TOKEN; a token may have expired or been deleted.",
        )
    })?;
    let parameters = parameters.map_err(|error| Problem::bad(error.to_string()))?;
    let path = parameters
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(&head.uri)
        .map_err(|error| Problem::bad(error.to_string()))?;
    let mut query = BTreeMap::new();
    for (name, value) in pairs.0 {
        let Some(known) = operation.query.iter().find(|known| known.name == name) else {
            return Err(Problem::bad(format!("There is no parameter {name} here.")));
        };
        if known.kind == Kind::Flag && value != "true" && value != "false" {
            return Err(Problem::bad(format!("{name} is true or false.")));
        }
        if query.insert(name, value).is_some() {
            return Err(Problem::bad("A parameter is given twice."));
        }
    }
    let body = to_bytes(body, MAX_BODY).await.map_err(|_| {
        Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            "The body is too large",
            format!("A body has at most {MAX_BODY} bytes: send several requests."),
        )
    })?;
    let target = head
        .uri
        .path_and_query()
        .map_or("", |it| it.as_str())
        .to_owned();
    let call = Call {
        state: Arc::clone(state),
        token,
        path,
        query,
        headers: head.headers,
        body,
    };
    Ok((call, target))
}

async fn carry_out(operation: &Operation, call: Call, target: &str) -> Response {
    let state = Arc::clone(&call.state);
    if !operation.writes {
        let who = call.token.id.clone();
        return match (operation.handler)(call).await {
            Ok(answer) => answer.into_response(&state),
            Err(problem) => {
                if problem.status() == StatusCode::FORBIDDEN {
                    let (method, why) = (operation.method.as_str(), problem.describe());
                    state.refusals.keep(&who, method, target, 403, &why);
                }
                problem.into_response()
            }
        };
    }
    let record = audit::Record::of(&operation.method, target, &call);
    let replay = match idempotency::Replay::find(operation, &call, target).await {
        Ok(replay) => replay,
        Err(problem) => return problem.into_response(),
    };
    if let Some(response) = replay.as_ref().and_then(|replay| replay.response(&state)) {
        return response;
    }
    let result = (operation.handler)(call).await;
    let kept = replay
        .zip(result.as_ref().ok())
        .and_then(|(it, answer)| it.transaction(answer));
    if let Some(kept) = kept {
        if let Err(error) = state.store.commit(kept).await {
            tracing::warn!(%error, "an answer cannot be kept for its idempotency key");
        }
    }
    if let Some(record) = record.finish(&result) {
        record.keep(&state).await;
    }
    match result {
        Ok(answer) => answer.into_response(&state),
        Err(problem) => problem.into_response(),
    }
}

/// Whether the store can be read: for load balancers, without a token.
pub(super) async fn health(state: Arc<State>) -> Response {
    match state
        .store
        .range(&Range::key("meta/schema"), None, Some(1))
        .await
    {
        Ok(_) => Answer::ok(&serde_json::json!({ "status": "ok" })).into_response(&state),
        Err(error) => Problem::unavailable(error.to_string()).into_response(),
    }
}

pub(super) async fn no_such_path() -> Problem {
    Problem::absent("such path: /v1/openapi.json tells all there are")
}

pub(super) async fn no_such_method(method: Method) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method",
        format!("{method} cannot be done here"),
        "The header Allow tells what can.",
    )
}
