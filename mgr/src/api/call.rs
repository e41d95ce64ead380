// SPDX-License-Identifier: GPL-2.0

//! One request, taken apart, and its answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::{header, HeaderMap, HeaderValue, StatusCode};
use serde::de::DeserializeOwned;
use serde::Serialize;

use super::problem::Problem;
use super::token::Token;
use super::State;
use crate::core::placement::Choice;
use crate::core::record::{self, Name};
use crate::core::shard::{Done, Order, Plan, Terms};
use crate::store::{Entry, Range, Revision};

/// A request whose token is known and whose parameters are those of its operation.
pub(crate) struct Call {
    pub(crate) state: Arc<State>,
    pub(crate) token: Token,
    pub(crate) path: BTreeMap<String, String>,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// What is answered to it.
pub(crate) enum Answer {
    Json {
        status: StatusCode,
        body: Vec<u8>,
        etag: Option<Revision>,
    },
    Empty,
    Raw(Response),
}

impl Answer {
    pub(crate) fn new(status: StatusCode, value: &impl Serialize) -> Self {
        let body = serde_json::to_vec(value).unwrap_or_default();
        Self::Json {
            status,
            body,
            etag: None,
        }
    }

    pub(crate) fn ok(value: &impl Serialize) -> Self {
        Self::new(StatusCode::OK, value)
    }

    pub(crate) fn with_etag(mut self, revision: Revision) -> Self {
        if let Self::Json { etag, .. } = &mut self {
            *etag = Some(revision);
        }
        self
    }

    pub(crate) fn into_response(self, state: &State) -> Response {
        match self {
            Self::Raw(response) => response,
            Self::Empty => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::NO_CONTENT;
                response
            }
            Self::Json { status, body, etag } => {
                let mut response = Response::new(Body::from(body));
                *response.status_mut() = status;
                let headers = response.headers_mut();
                let json = HeaderValue::from_static("application/json");
                headers.insert(header::CONTENT_TYPE, json);
                let etag = etag.and_then(|it| format!("\"{}\"", state.tag(it)).parse().ok());
                if let Some(etag) = etag {
                    headers.insert(header::ETAG, etag);
                }
                response
            }
        }
    }
}

impl Call {
    /// A part of the path; the route has it.
    pub(crate) fn part(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    pub(crate) fn dry_run(&self) -> bool {
        self.query
            .get("dry_run")
            .is_some_and(|value| value == "true")
    }

    /// The body, as what it must be.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let media = self
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let media = media
            .unwrap_or_default()
            .split(';')
            .next()
            .unwrap_or_default()
            .trim();
        let parsed = match media {
            "application/json" => {
                serde_json::from_slice(&self.body).map_err(|error| error.to_string())
            }
            // By way of JSON, so that null is not a string, as YAML would have it.
            "application/yaml" => serde_yaml_ng::from_slice::<serde_json::Value>(&self.body)
                .map_err(|error| error.to_string())
                .and_then(|value| serde_json::from_value(value).map_err(|it| it.to_string()))
                // An id of digits alone is a number to YAML.
                .map_err(|error| match error.contains("expected a string") {
                    true => format!("{error}: put it in quotes"),
                    false => error,
                }),
            _ => {
                return Err(Problem::new(
                    StatusCode::UNSUPPORTED_MEDIA_TYPE,
                    "media-type",
                    "The body is of no type that is understood here",
                    "Send Content-Type: application/json, or application/yaml.",
                ))
            }
        };
        parsed.map_err(|error| Problem::bad(format!("The body does not fit: {error}.")))
    }

    /// An entry as it is now.
    pub(crate) async fn entry(&self, name: &Name) -> Result<Option<Entry>, Problem> {
        let found = self
            .state
            .store
            .range(&Range::key(name.bytes()), None, None)
            .await?;
        Ok(found.entries.into_iter().next())
    }

    /// A record as it is now, and its revision.
    pub(crate) async fn record<T: DeserializeOwned>(
        &self,
        name: &Name,
    ) -> Result<Option<(T, Revision)>, Problem> {
        let Some(entry) = self.entry(name).await? else {
            return Ok(None);
        };
        let record = record::decode(&entry.value);
        let record = record.ok_or_else(|| {
            let key = entry.key.escape_ascii();
            Problem::unavailable(format!("the record {key} is damaged: restore a backup"))
        })?;
        Ok(Some((record, entry.modified)))
    }

    /// The terms that the headers and the query set, for an object of this revision.
    pub(crate) fn terms(&self, present: Option<Revision>) -> Result<Terms, Problem> {
        let dry_run = self.dry_run();
        let text = |name| {
            self.headers
                .get(name)
                .map(|value| value.to_str().unwrap_or_default())
        };
        let unchanged_since = match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
            (None, None) => None,
            (Some(_), Some(_)) => {
                return Err(Problem::bad("Send If-Match or If-None-Match, not both."));
            }
            (Some(tags), None) => {
                let fits = |tag: &str| match tag.trim() {
                    "*" => true,
                    tag => {
                        let tag = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
                        tag.is_some_and(|tag| self.state.revision(tag) == present)
                    }
                };
                match present {
                    Some(revision) if tags.split(',').any(fits) => Some(revision),
                    _ => return Err(Problem::changed()),
                }
            }
            (None, Some(tags)) => match present {
                _ if tags.trim() != "*" => {
                    return Err(Problem::bad("Of If-None-Match only * is understood here."));
                }
                Some(_) => return Err(Problem::changed()),
                None => Some(0),
            },
        };
        Ok(Terms {
            unchanged_since,
            dry_run,
        })
    }

    /// Carries an order out.
    pub(crate) async fn order(&self, order: Order, terms: Terms) -> Result<Done, Problem> {
        Ok(self.state.engine.order(order, terms).await?)
    }

    /// What would go where.
    pub(crate) async fn plan(&self, plan: Plan) -> Result<Vec<Choice>, Problem> {
        Ok(self.state.engine.plan(plan).await?)
    }

    /// The object as it is after an order, or the one given if nothing was to be done.
    pub(crate) async fn after(
        &self,
        name: &Name,
        created: bool,
        otherwise: &impl Serialize,
    ) -> Result<Answer, Problem> {
        let status = if created {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        };
        if !self.dry_run() {
            if let Some(entry) = self.entry(name).await? {
                if let Some(shown) = super::show::Shower::new(self).show(&entry).await? {
                    return Ok(Answer::new(status, &shown.value).with_etag(entry.modified));
                }
            }
        }
        Ok(Answer::new(status, otherwise))
    }
}
