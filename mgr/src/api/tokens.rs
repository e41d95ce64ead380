// SPDX-License-Identifier: GPL-2.0

//! Tokens as objects: making, listing, deleting them.

use http::StatusCode;

use super::call::{Answer, Call};
use super::model::{self, TokenSet, TokenShown};
use super::problem::Problem;
use super::token::{Role, Token, PREFIX};
use crate::store::{Condition, Outcome, Range, Transaction};

fn shown(token: Token, text: Option<String>) -> TokenShown {
    let Token {
        id,
        description,
        grants,
        created,
        expires,
        ..
    } = token;
    TokenShown {
        id,
        description,
        grants,
        created,
        expires,
        token: text,
    }
}

/// Whether a token is only about what another one administrates.
fn governs(admin: &Token, token: &Token) -> bool {
    let scope = |organisation: &str| (organisation != "*").then(|| organisation.to_owned());
    token
        .grants
        .iter()
        .all(|it| admin.has(scope(&it.organisation).as_deref(), Role::Admin))
}

pub(super) async fn list_tokens(call: Call) -> Result<Answer, Problem> {
    let found = call
        .state
        .store
        .range(&Range::prefix(PREFIX), None, None)
        .await?;
    let tokens = found
        .entries
        .iter()
        .filter_map(|it| serde_json::from_slice(&it.value).ok());
    let own = |token: &Token| token.id == call.token.id || governs(&call.token, token);
    let items: Vec<_> = tokens.filter(own).map(|token| shown(token, None)).collect();
    let resume = call.state.tag(found.revision);
    Ok(Answer::ok(
        &serde_json::json!({ "items": items, "next": null, "resume": resume }),
    ))
}

pub(super) async fn create_token(call: Call) -> Result<Answer, Problem> {
    let set: TokenSet = call.json()?;
    let description = model::text(&set.description)?;
    if set.grants.is_empty() || set.grants.len() > 64 {
        return Err(Problem::invalid("A token has from 1 to 64 grants."));
    }
    if set
        .ttl
        .is_some_and(|ttl| !(1..=3_153_600_000).contains(&ttl))
    {
        return Err(Problem::invalid(
            "A token is good for 1 second to 100 years.",
        ));
    }
    for grant in set.grants.iter().filter(|grant| grant.organisation != "*") {
        model::name(&grant.organisation)?;
    }
    let (token, text) = Token::issue(description, set.grants, set.ttl);
    if !governs(&call.token, &token) {
        return Err(Problem::forbidden(
            "admin wherever the new token is to have one",
        ));
    }
    if !call.dry_run() {
        let fresh = Transaction::new().when(Condition::Absent(token.key().into()));
        let outcome = call
            .state
            .store
            .commit(fresh.put(token.key(), token.encode()))
            .await?;
        if let Outcome::Refused { .. } = outcome {
            return Err(Problem::unavailable("two tokens met at one id: try again"));
        }
    }
    let text = (!call.dry_run()).then_some(text);
    Ok(Answer::new(StatusCode::CREATED, &shown(token, text)))
}

pub(super) async fn delete_token(call: Call) -> Result<Answer, Problem> {
    let key = format!("{PREFIX}{}", call.part("token"));
    let found = call
        .state
        .store
        .range(&Range::key(&key[..]), None, None)
        .await?;
    let token = found
        .entries
        .first()
        .and_then(|it| serde_json::from_slice::<Token>(&it.value).ok());
    let own = token.filter(|token| token.id == call.token.id || governs(&call.token, token));
    own.ok_or_else(|| Problem::absent("such token"))?;
    if !call.dry_run() {
        call.state
            .store
            .commit(Transaction::new().delete(key))
            .await?;
    }
    Ok(Answer::Empty)
}
