//! Tells the gateway who calls: the account, environment and scopes of the key or token, or why it is refused.
//!
//! The gateway caches the answer for a minute, so a revoked key works for at most that long. A refusal also lets the
//! request pass, with the reason and without a tenant: so it is cached like a permission, and the function that gets
//! the request can say what is wrong. A fault of ours is an error, which is not cached, and never a refusal.

mod credential;

use lambda_runtime::Error;
use recoup_domain::api_key::{ApiKey, KeyUse, Pepper, Refused, Scope};
use recoup_domain::ids::{KeyId, Tenant};
use recoup_domain::time::Timestamp;
use recoup_domain::token::Claims;
use recoup_ports::causes;
use recoup_ports::credentials::Keys;
use serde::Serialize;
use serde_json::Value;

use crate::credential::Credential;

/// What the function needs.
pub struct Context<K> {
    /// The store of keys.
    pub keys: K,
    /// The secret that hashes keys and signs tokens.
    pub pepper: Pepper,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// The gateway's "simple response".
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Whether the request is passed on to a function: always.
    #[serde(rename = "isAuthorized")]
    pub is_authorized: bool,
    /// The context that the function reads.
    pub context: Verdict,
}

/// The caller's identity, or a refusal.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Verdict {
    /// The caller's identity.
    Caller(Identity),
    /// A refusal. It has no tenant, so a function can read or write nothing for this request.
    Refused {
        /// The reason.
        refused: &'static str,
    },
}

/// Who a caller is, and what it may do.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The account.
    pub account_id: String,
    /// `sandbox` or `live`.
    pub environment: &'static str,
    /// The scopes, separated by spaces.
    pub scopes: String,
    /// The key's id, for the log.
    pub key_id: String,
}

impl Identity {
    fn new(tenant: &Tenant, scopes: &[Scope], key: &KeyId) -> Self {
        let scopes: Vec<&str> = scopes.iter().copied().map(Scope::as_str).collect();
        Self {
            account_id: tenant.account.to_string(),
            environment: tenant.environment.as_str(),
            scopes: scopes.join(" "),
            key_id: key.to_string(),
        }
    }
}

/// Answers one authorizer event of payload format 2.0.
pub async fn handle<K: Keys>(context: &Context<K>, event: &Value) -> Result<Decision, Error> {
    let identity = match credential::of_event(event) {
        Some(Credential::Token(token)) => token_of(context, &token),
        Some(Credential::Key(key)) => key_of(context, &key).await?,
        None => Err(Refused::Malformed),
    };
    let context = match identity {
        Ok(identity) => Verdict::Caller(identity),
        Err(reason) => Verdict::Refused { refused: reason.as_str() },
    };
    Ok(Decision { is_authorized: true, context })
}

/// A token carries its own claims, so nothing is read.
fn token_of<K>(context: &Context<K>, token: &str) -> Result<Identity, Refused> {
    let claims = Claims::read(token, &context.pepper, (context.now)())?;
    Ok(Identity::new(&claims.tenant, &claims.scopes, &claims.client))
}

async fn key_of<K: Keys>(context: &Context<K>, secret: &str) -> Result<Result<Identity, Refused>, Error> {
    // A typo is refused by its checksum, before anything is read.
    let Some(key) = ApiKey::parse(secret) else { return Ok(Err(Refused::Malformed)) };
    match key.r#use() {
        KeyUse::Api => {}
        KeyUse::Client => return Ok(Err(Refused::ClientSecret)),
    }
    let stored = context.keys.key(key.id()).await.inspect_err(|error| {
        tracing::error!(error = causes(error), key.id = %key.id(), "the key cannot be read");
    })?;
    let genuine = stored.filter(|stored| stored.admits(&key, &context.pepper));
    let identity = genuine.map(|stored| Identity::new(&stored.tenant, &stored.scopes, &stored.id));
    Ok(identity.ok_or(Refused::Unknown))
}
