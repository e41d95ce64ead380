// SPDX-License-Identifier: GPL-2.0

//! The OpenAPI document, made of the list of operations.

use axum::body::Body;
use axum::response::Response;
use http::{header, HeaderValue};
use serde_json::{json, Map, Value};
use utoipa::{PartialSchema, ToSchema};

use super::operations::{Content, Kind, Operation, Parameter, Shape};
use super::problem::Problem;

fn reference(shape: &Shape) -> Value {
    json!({ "$ref": format!("#/components/schemas/{}", shape.name) })
}

fn content(operation: &Operation) -> Option<Value> {
    Some(match &operation.content {
        Content::Nothing => return None,
        Content::One(shape) => json!({ "application/json": { "schema": reference(shape) } }),
        Content::List(shape) => json!({ "application/json": { "schema": {
            "type": "object",
            "required": ["items", "next", "resume"],
            "properties": {
                "items": { "type": "array", "items": reference(shape) },
                "next": {
                    "type": ["string", "null"],
                    "description": "Where the next page begins; null if this is the last.",
                },
                "resume": {
                    "type": "string",
                    "description": "What to watch from to miss nothing.",
                },
            },
        } } }),
        Content::Events => json!({ "text/event-stream": { "schema": { "type": "string" } } }),
        Content::Bytes => json!({ "application/octet-stream": {
            "schema": { "type": "string", "format": "binary" }
        } }),
    })
}

fn query(parameter: &Parameter) -> Value {
    let schema = match parameter.kind {
        Kind::Flag => json!({ "type": "boolean", "default": false }),
        Kind::Limit => json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 }),
        Kind::Text => json!({ "type": "string" }),
        Kind::OneOf => {
            json!({ "enum": ["organisation", "network", "host", "node", "address", "move"] })
        }
    };
    json!({ "name": parameter.name, "in": "query", "description": parameter.about, "schema": schema })
}

fn header(name: &str, about: &str) -> Value {
    json!({ "name": name, "in": "header", "description": about, "schema": { "type": "string" } })
}

fn path(name: &str) -> Value {
    let schema = match name {
        "network" | "peer" => json!({ "type": "integer", "minimum": 1, "maximum": 16_777_215 }),
        "organisation" => json!({ "type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$" }),
        "address" => json!({ "type": "string", "format": "ipv4" }),
        _ => json!({ "type": "string", "pattern": "^[0-9a-f]{16}$" }),
    };
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}

fn describe(operation: &Operation) -> Value {
    let mut parameters: Vec<Value> = operation
        .path
        .split('{')
        .skip(1)
        .filter_map(|part| part.split_once('}').map(|(name, _)| path(name)))
        .collect();
    parameters.extend(operation.query.iter().map(query));
    if operation.conditional {
        parameters.push(header(
            "If-Match",
            "Only if the object still has this ETag.",
        ));
        parameters.push(header(
            "If-None-Match",
            "With *: only if there is no object yet.",
        ));
    }
    if operation.repeatable {
        parameters.push(header(
            "Idempotency-Key",
            "Sent again, the request is carried out once.",
        ));
    }
    let mut responses = Map::new();
    for status in &operation.statuses {
        let mut response = json!({ "description": operation.about });
        if let Some(content) = content(operation) {
            response["content"] = content;
        }
        responses.insert(status.to_string(), response);
    }
    let mut refusals = vec![400, 401, 403, 404, 413, 503];
    if operation.writes {
        refusals.extend([409, 412, 422]);
    }
    if operation.body.is_some() {
        refusals.push(415);
    }
    if matches!(operation.content, Content::Events) {
        refusals.push(410);
    }
    for status in refusals {
        let problem = json!({
            "description": "A refusal that says what to do.",
            "content": { "application/problem+json": {
                "schema": { "$ref": "#/components/schemas/Problem" }
            } },
        });
        responses.insert(status.to_string(), problem);
    }
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.about,
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(body) = &operation.body {
        let schema = json!({ "schema": reference(body) });
        described["requestBody"] = json!({
            "required": true,
            "content": { "application/json": schema, "application/yaml": schema },
        });
    }
    described
}

/// The document.
pub(super) fn document(operations: &[Operation]) -> Value {
    let mut paths = Map::new();
    let mut found = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut found);
    for operation in operations {
        let item = paths.entry(operation.path).or_insert_with(|| json!({}));
        item[operation.method.as_str().to_lowercase()] = describe(operation);
        let content = match &operation.content {
            Content::One(shape) | Content::List(shape) => Some(shape),
            Content::Nothing | Content::Events | Content::Bytes => None,
        };
        for shape in operation.body.iter().chain(content) {
            found.extend(shape.schemas.iter().cloned());
        }
    }
    let mut schemas = Map::new();
    for (name, schema) in found {
        schemas.insert(name, serde_json::to_value(schema).unwrap_or_default());
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ovnet manager",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "GPL-2.0-only", "identifier": "GPL-2.0-only" },
            "description": "Provisioning of the ovnet overlay network.",
        },
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

pub(super) fn answer(document: String) -> Response {
    let mut response = Response::new(Body::from(document));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}
