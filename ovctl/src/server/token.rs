// SPDX-License-Identifier: GPL-2.0

//! `ovctl token`: tokens of a manager's API.

use std::time::Duration;

use clap::Subcommand;
use serde_json::{json, Value};

use super::client::escaped;
use super::{text, Server};
use crate::failure::Failure;
use crate::output::{cell, Object, Output, Row};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a token, and print it; it is not shown again
    Add {
        /// What it may do: viewer, operator or admin in an organisation, as acme=operator; in all, as *=viewer
        #[arg(required = true, value_name = "ORG=ROLE", value_parser = grant)]
        grants: Vec<(String, String)>,
        /// What it is for
        #[arg(long, default_value = "")]
        description: String,
        /// How long it is good for [default: for ever]
        #[arg(long, value_name = "TIME", value_parser = life)]
        ttl: Option<Duration>,
    },
    /// Make a token void
    #[command(visible_alias = "delete")]
    Del {
        /// Its id
        token: String,
    },
    /// Show all tokens, without their secrets
    #[command(visible_aliases = ["list", "ls"])]
    Show,
}

fn grant(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((organisation, role @ ("viewer" | "operator" | "admin"))) => {
            Ok((organisation.to_owned(), role.to_owned()))
        }
        _ => Err("an organisation and viewer, operator or admin, as in acme=viewer".into()),
    }
}

/// How long a token is good for.
fn life(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().map(Duration::from_secs);
    let life = seconds.or_else(|| humantime::parse_duration(text).ok());
    life.ok_or_else(|| "a time such as 12h, 90d or, in seconds, 3600".to_owned())
}

const LIST: &str = "/v1/tokens";

impl Command {
    pub(super) fn run(self, server: &Server, output: &mut Output<'_>) -> Result<(), Failure> {
        match self {
            Command::Add {
                grants,
                description,
                ttl,
            } => {
                let grants = grants.iter().map(
                    |(organisation, role)| json!({"organisation": organisation, "role": role}),
                );
                let mut object = Object::new();
                object.insert("description".into(), description.into());
                object.insert("grants".into(), grants.collect::<Vec<_>>().into());
                if let Some(ttl) = ttl {
                    object.insert("ttl".into(), ttl.as_secs().max(1).into());
                }
                let token = server.post_secret(LIST, Some(&object))?.object;
                if output.is_json() {
                    return Ok(output.object(token)?);
                }
                Ok(output.line(&text(&token, "token"))?)
            }
            Command::Del { token } => {
                let path = format!("{LIST}/{}", escaped(&token));
                server.delete(&path, super::client::Condition::None)
            }
            Command::Show => {
                let tokens = server.get(LIST)?.object.remove("items");
                let tokens = match tokens {
                    Some(Value::Array(tokens)) => tokens,
                    _ => Vec::new(),
                };
                let tokens = tokens.into_iter().filter_map(|token| match token {
                    Value::Object(token) => Some(Ok(Token(token))),
                    _ => None,
                });
                output.list(tokens)
            }
        }
    }
}

struct Token(Object);

impl Row for Token {
    const COLUMNS: &'static [&'static str] = &["ID", "GRANTS", "CREATED", "EXPIRES", "DESCRIPTION"];

    fn cells(&self) -> Vec<String> {
        let time = |key: &str| {
            let seconds = self.0.get(key).and_then(Value::as_u64);
            cell(seconds.map(|seconds| {
                let time = std::time::UNIX_EPOCH + Duration::from_secs(seconds);
                humantime::format_rfc3339_seconds(time)
            }))
        };
        let grants = self.0.get("grants").and_then(Value::as_array);
        let grants = grants.into_iter().flatten().filter_map(Value::as_object);
        let grants: Vec<_> = grants
            .map(|grant| format!("{}={}", text(grant, "organisation"), text(grant, "role")))
            .collect();
        vec![
            text(&self.0, "id"),
            grants.join(","),
            time("created"),
            time("expires"),
            text(&self.0, "description"),
        ]
    }

    fn object(&self) -> Object {
        self.0.clone()
    }
}
