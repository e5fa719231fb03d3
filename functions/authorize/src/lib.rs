//! Tells the gateway who calls: the account, environment and scopes of the key or token, or why it is refused.
//!
//! The gateway caches the answer for a minute, so a revoked key works for at most that long. A refusal also lets the
//! request pass, with the reason and without a tenant: so it is cached like a permission, and the function that gets
//! the request can say what is wrong. A table that fails is an error, which is not cached, and never a refusal.

mod credential;

use lambda_runtime::Error;
use recoup_domain::api_key::{ApiKey, KeyUse, Refused, Scope};
use recoup_domain::ids::KeyId;
use recoup_domain::stored_key::{Grants, IpRange, StoredKey};
use recoup_domain::time::Timestamp;
use recoup_domain::token::Claims;
use recoup_ports::api_keys::Keys;
use recoup_ports::keyrings::{Keyrings, Ring};
use recoup_ports::{ReadError, causes};
use serde::Serialize;
use serde_json::Value;

use crate::credential::Credential;

/// What the function needs.
pub struct Context<K, R> {
    /// The store of keys.
    pub keys: K,
    /// The pepper, and the keys that sign tokens.
    pub keyrings: R,
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
    /// The key's id.
    pub key_id: String,
    /// `api`, or `client` where this is the client of a token.
    pub key_use: &'static str,
    /// The key's name, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_name: Option<String>,
    /// The ranges of addresses that the key may be used from, separated by spaces; none means anywhere. The function
    /// compares them with the request's address, since the gateway caches this answer for every address.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ip_ranges: String,
}

impl Identity {
    fn new(key: &StoredKey, r#use: KeyUse, grants: &Grants) -> Self {
        let Grants { tenant, scopes, expires_at: _, ip_ranges } = grants;
        let scopes: Vec<&str> = scopes.iter().copied().map(Scope::as_str).collect();
        let ip_ranges: Vec<String> = ip_ranges.iter().map(IpRange::to_string).collect();
        Self {
            account_id: tenant.account.to_string(),
            environment: tenant.environment.as_str(),
            scopes: scopes.join(" "),
            key_id: key.id.to_string(),
            key_use: r#use.as_str(),
            key_name: key.name.as_ref().map(|name| name.as_str().to_owned()),
            ip_ranges: ip_ranges.join(" "),
        }
    }
}

/// Answers one authorizer event of payload format 2.0.
pub async fn handle<K: Keys, R: Keyrings>(context: &Context<K, R>, event: &Value) -> Result<Decision, Error> {
    let identity = match credential::of_event(event) {
        Some(Credential::Token(token)) => token_of(context, &token).await?,
        Some(Credential::Key(key)) => key_of(context, &key).await?,
        None => Err(Refused::Malformed),
    };
    let context = match identity {
        Ok(identity) => Verdict::Caller(identity),
        Err(reason) => Verdict::Refused { refused: reason.as_str() },
    };
    Ok(Decision { is_authorized: true, context })
}

/// A token counts as long as its client does, and for no more than its client may still do.
async fn token_of<K: Keys, R: Keyrings>(
    context: &Context<K, R>,
    token: &str,
) -> Result<Result<Identity, Refused>, ReadError> {
    let Some(signed_with) = Claims::key_id(token) else { return Ok(Err(Refused::Unknown)) };
    let Ok(keys) = context.keyrings.keyring(Ring::TokenSigning, Some(signed_with)).await else {
        return Ok(Err(Refused::Unavailable));
    };
    let now = (context.now)();
    let claims = match Claims::read(token, &keys, now) {
        Ok(claims) => claims,
        Err(reason) => return Ok(Err(reason)),
    };
    let client = stored(context, &claims.client).await?;
    let Some(client) = client.filter(|client| client.grants.tenant == claims.tenant) else {
        return Ok(Err(Refused::Unknown));
    };
    if let Err(reason) = client.in_force(now) {
        return Ok(Err(reason));
    }
    let mut grants = client.grants.clone();
    grants.scopes = claims.scopes.into_iter().filter(|scope| grants.scopes.contains(scope)).collect();
    Ok(Ok(Identity::new(&client, KeyUse::Client, &grants)))
}

async fn key_of<K: Keys, R: Keyrings>(
    context: &Context<K, R>,
    secret: &str,
) -> Result<Result<Identity, Refused>, ReadError> {
    // A typo is refused by its checksum, before anything is read.
    let Some(key) = ApiKey::parse(secret) else { return Ok(Err(Refused::Malformed)) };
    match key.r#use() {
        KeyUse::Api => {}
        KeyUse::Client => return Ok(Err(Refused::ClientSecret)),
    }
    let Some(stored) = stored(context, key.id()).await? else { return Ok(Err(Refused::Unknown)) };
    let Ok(peppers) = context.keyrings.keyring(Ring::Pepper, stored.proof.pepper.as_deref()).await else {
        return Ok(Err(Refused::Unavailable));
    };
    if let Err(reason) = stored.judge(&key, &peppers, (context.now)()) {
        return Ok(Err(reason));
    }
    if let Some(renewed) = stored.renewed(&key, peppers.for_new((context.now)()))
        && let Err(error) = context.keys.renew_key(&stored, &renewed).await
    {
        // It still counts, and is renewed when it is next seen.
        tracing::warn!(key.id = %stored.id, error = causes(&error), "a key was not renewed");
    }
    Ok(Ok(Identity::new(&stored, KeyUse::Api, &stored.grants)))
}

async fn stored<K: Keys, R>(context: &Context<K, R>, id: &KeyId) -> Result<Option<StoredKey>, ReadError> {
    context.keys.key(id).await.inspect_err(|error| {
        tracing::error!(error = causes(error), key.id = %id, "the key cannot be read");
    })
}
