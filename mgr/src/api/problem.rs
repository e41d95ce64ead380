// SPDX-License-Identifier: GPL-2.0

//! Refusals of the API, as RFC 9457 problem details that say what to do.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{header, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::core::shard::Refusal;
use crate::store;

/// Why a request was not carried out.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// A name for programs: `urn:ovnet:problem:` and a word.
    #[serde(rename = "type")]
    kind: String,
    /// What went wrong.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What to do about it.
    detail: String,
    /// What was done before, of a request that asked for several things.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) results: Vec<super::apply::Step>,
}

impl Problem {
    pub(crate) fn new(
        status: StatusCode,
        word: &str,
        title: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        Self {
            kind: format!("urn:ovnet:problem:{word}"),
            title: title.into(),
            status: status.as_u16(),
            detail: detail.into(),
            results: Vec::new(),
        }
    }

    pub(crate) fn bad(detail: impl Into<String>) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad-request",
            "The request is malformed",
            detail,
        )
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self::new(status, "invalid", "The request makes no sense", detail)
    }

    pub(crate) fn absent(what: &str) -> Self {
        let detail = "Look at the list of what there is; a token sees only its organisations.";
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            format!("There is no {what}"),
            detail,
        )
    }

    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        let status = StatusCode::CONFLICT;
        Self::new(
            status,
            "conflict",
            "The request contradicts what there is",
            detail,
        )
    }

    pub(crate) fn forbidden(needed: &str) -> Self {
        let detail = format!("This needs a token with the role {needed}.");
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "The token does not allow this",
            detail,
        )
    }

    pub(crate) fn changed() -> Self {
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "changed",
            "The object is not what If-Match or If-None-Match says",
            "Read it again, look at what has changed, and send the new ETag.",
        )
    }

    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(
            status,
            "unavailable",
            "The store cannot do this now",
            detail,
        )
    }

    pub(crate) fn gone() -> Self {
        Self::new(
            StatusCode::GONE,
            "gone",
            "The history from there on is not kept any more",
            "Read the lists again and watch from the `resume` they tell.",
        )
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(crate) fn describe(&self) -> String {
        format!("{}. {}", self.title, self.detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        let json = header::HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        if self.status() == StatusCode::UNAUTHORIZED {
            let scheme = header::HeaderValue::from_static("Bearer");
            headers.insert(header::WWW_AUTHENTICATE, scheme);
        }
        if self.status() == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Compacted { .. } => Self::gone(),
            store::Error::Invalid(what) => Self::invalid(what),
            other => {
                tracing::warn!(error = %other, "the store did not serve a request");
                Self::unavailable(other.to_string())
            }
        }
    }
}

impl From<crate::identity::Error> for Problem {
    fn from(error: crate::identity::Error) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            Refusal::Changed => Self::changed(),
            Refusal::Conflict | Refusal::Unavailable => Self::unavailable(detail),
            Refusal::NoNode(_) => Self::absent("such node"),
            Refusal::NoMove(_) => Self::absent("such move"),
            Refusal::NoOrganisation(_)
            | Refusal::NoNetwork(_)
            | Refusal::NoHost(_)
            | Refusal::Invalid(_)
            | Refusal::OutsideNetwork(_)
            | Refusal::NoLearning(_) => Self::invalid(detail),
            Refusal::OrganisationInUse(_)
            | Refusal::NetworkInUse(_)
            | Refusal::HostInUse(_)
            | Refusal::NodeExists(_)
            | Refusal::AddressTaken(_)
            | Refusal::NoAddress(_)
            | Refusal::NotItsAddress(_)
            | Refusal::OnlyAddress(_)
            | Refusal::Moving(..)
            | Refusal::NotAttached(_)
            | Refusal::AlreadyThere(..)
            | Refusal::SourceOver(_)
            | Refusal::NotFenced(_)
            | Refusal::NotSeen(_)
            | Refusal::MoveExists(_)
            | Refusal::TooLate(_)
            | Refusal::NotClaimed(_) => Self::conflict(detail),
        }
    }
}
