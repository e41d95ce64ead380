// SPDX-License-Identifier: GPL-2.0

//! Tokens: who may do what in which organisation.
//!
//! A token is `ovnet_ID_SECRET`; the store has the SHA-256 of the secret, which is 256 random bits.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::problem::Problem;
use crate::secret;
use crate::store::{Condition, Outcome, Range, Store, Transaction};

pub(super) const PREFIX: &str = "api/token/";

/// What a token may do; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Role {
    /// Read.
    Viewer,
    /// Create, change, move and delete networks, hosts and nodes.
    Operator,
    /// Change organisations, and make tokens for them.
    Admin,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// A role in an organisation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Grant {
    /// The organisation; `*` is all of them.
    #[schema(pattern = "^([*]|[a-z0-9][a-z0-9-]{0,62})$")]
    pub(crate) organisation: String,
    /// The role there.
    pub(crate) role: Role,
}

/// A token, without its secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Token {
    pub(crate) id: String,
    pub(crate) digest: String,
    pub(crate) description: String,
    pub(crate) grants: Vec<Grant>,
    /// Seconds since 1970.
    pub(crate) created: u64,
    pub(crate) expires: Option<u64>,
}

pub(crate) fn seconds_now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}

impl Token {
    /// A new token and its text, which nobody can find out later.
    pub(crate) fn issue(
        description: String,
        grants: Vec<Grant>,
        ttl: Option<u64>,
    ) -> (Self, String) {
        let id = secret::hex(&secret::random::<8>());
        let secret = secret::hex(&secret::random::<32>());
        let text = format!("ovnet_{id}_{secret}");
        let created = seconds_now();
        let expires = ttl.map(|ttl| created.saturating_add(ttl));
        let digest = secret::sha256(secret.as_bytes());
        (
            Self {
                id,
                digest,
                description,
                grants,
                created,
                expires,
            },
            text,
        )
    }

    /// The token that a text is, if it is one and has not expired.
    pub(crate) async fn find(store: &dyn Store, text: &str) -> Result<Option<Self>, Problem> {
        let parts = text
            .strip_prefix("ovnet_")
            .and_then(|rest| rest.split_once('_'));
        let Some((id, secret)) = parts else {
            return Ok(None);
        };
        let Some(entry) = store
            .range(&Range::key(key(id)), None, None)
            .await?
            .entries
            .into_iter()
            .next()
        else {
            return Ok(None);
        };
        let Ok(token) = serde_json::from_slice::<Self>(&entry.value) else {
            return Ok(None);
        };
        // Digests of the secret are compared: how long that takes tells nothing of the secret.
        let known = token.digest == secret::sha256(secret.as_bytes());
        let alive = token.expires.is_none_or(|expires| seconds_now() < expires);
        Ok((known && alive).then_some(token))
    }

    pub(crate) fn key(&self) -> String {
        key(&self.id)
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Whether it has a role in an organisation; `None` stands for all organisations together.
    pub(crate) fn has(&self, organisation: Option<&str>, role: Role) -> bool {
        self.grants.iter().any(|grant| {
            let there = grant.organisation == "*" || Some(&grant.organisation[..]) == organisation;
            there && grant.role >= role
        })
    }

    /// Refuses what needs a role that it does not have; what it may not even see is not there.
    pub(crate) fn need(
        &self,
        organisation: Option<&str>,
        role: Role,
        what: &str,
    ) -> Result<(), Problem> {
        if self.has(organisation, role) {
            return Ok(());
        }
        if organisation.is_some() && !self.has(organisation, Role::Viewer) {
            return Err(Problem::absent(what));
        }
        let scope = organisation.unwrap_or("all organisations (\"*\")");
        Err(Problem::forbidden(&format!("{} in {scope}", role.name())))
    }
}

fn key(id: &str) -> String {
    format!("{PREFIX}{id}")
}

/// Makes a token for administrators if there is none, and hands its text to `keep` first.
pub(crate) async fn first(
    store: &dyn Store,
    keep: impl FnOnce(&str) -> std::io::Result<()>,
) -> Result<bool, FirstError> {
    if !store
        .range(&Range::prefix(PREFIX), None, Some(1))
        .await?
        .entries
        .is_empty()
    {
        return Ok(false);
    }
    let all = Grant {
        organisation: "*".into(),
        role: Role::Admin,
    };
    let (token, text) = Token::issue("made at the first start".into(), vec![all], None);
    keep(&text)?;
    let alone = Condition::Absent("api/first".into());
    let made = Transaction::new()
        .when(alone)
        .put("api/first", &token.id[..]);
    match store.commit(made.put(token.key(), token.encode())).await? {
        Outcome::Committed(_) => Ok(true),
        Outcome::Refused { .. } => Ok(false),
    }
}

/// Why there is no first token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FirstError {
    #[error(transparent)]
    Store(#[from] crate::store::Error),
    #[error("the first token cannot be written: {0}: set api.first_token to a file that can")]
    Write(#[from] std::io::Error),
}
