// SPDX-License-Identifier: GPL-2.0

//! The HTTP API: provisioning data for people and programs.
//!
//! `operations` lists what there is; from that list come the routes and the OpenAPI document. Every
//! request takes the way through `dispatch`: token, parameters, body, idempotency, handler, audit.

mod apply;
mod audit;
mod backup;
mod call;
mod dispatch;
mod idempotency;
mod model;
mod moves;
mod nodes;
mod objects;
mod openapi;
mod operations;
mod plans;
mod problem;
mod show;
mod token;
mod tokens;
mod watch;

use std::sync::Arc;

use axum::routing::{get, MethodRouter};
use axum::Router;

pub(crate) use audit::{key as audit_key, Refusals, PREFIX as AUDIT};
pub(crate) use idempotency::{is_forgotten, PREFIX as REQUESTS};
pub(crate) use token::first as first_token;

use crate::metrics::Metrics;
use crate::store::{Revision, Store};
use crate::system::Handle;

/// What every request can use.
pub(crate) struct State {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) engine: Handle,
    pub(crate) metrics: Metrics,
    pub(crate) refusals: Refusals,
    /// The store's name for itself: part of all ETags.
    pub(crate) incarnation: String,
    /// Becomes true when the daemon ends: watches end then.
    pub(crate) stopping: tokio::sync::watch::Receiver<bool>,
}

impl State {
    /// A revision as clients see it.
    fn tag(&self, revision: Revision) -> String {
        format!("{}-{revision}", self.incarnation)
    }

    /// The revision in a tag; `None` if it is of another store.
    fn revision(&self, tag: &str) -> Option<Revision> {
        tag.strip_prefix(&self.incarnation)?
            .strip_prefix('-')?
            .parse()
            .ok()
    }
}

/// All routes.
pub(crate) fn router(state: Arc<State>) -> Router {
    let operations = operations::all();
    let document = openapi::document(&operations).to_string();
    let mut router = Router::new();
    for operation in operations {
        let operation = Arc::new(operation);
        let filter = operation
            .method
            .clone()
            .try_into()
            .unwrap_or(axum::routing::MethodFilter::GET);
        let (path, state) = (operation.path, Arc::clone(&state));
        let route = MethodRouter::new().on(filter, move |parameters, request| {
            dispatch::serve(
                Arc::clone(&operation),
                Arc::clone(&state),
                parameters,
                request,
            )
        });
        router = router.route(path, route);
    }
    let health = Arc::clone(&state);
    router
        .route(
            "/v1/openapi.json",
            get(move || async move { openapi::answer(document) }),
        )
        .route("/healthz", get(move || dispatch::health(health)))
        .fallback(dispatch::no_such_path)
        .method_not_allowed_fallback(dispatch::no_such_method)
}

#[cfg(test)]
mod tests {
    /// The router panics if two routes are the same or one is malformed.
    #[test]
    fn operations_have_names_and_routes_of_their_own() {
        let operations = super::operations::all();
        let mut ids: Vec<_> = operations.iter().map(|operation| operation.id).collect();
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count);
        let document = super::openapi::document(&operations);
        for (path, methods) in document["paths"].as_object().unwrap() {
            assert!(!methods.as_object().unwrap().is_empty(), "{path}");
        }
        // Every reference leads somewhere.
        let text = document.to_string();
        for part in text.split("\"#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(
                document["components"]["schemas"].get(name).is_some(),
                "{name} is not described"
            );
        }
    }
}
