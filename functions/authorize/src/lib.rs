//! Tells the gateway who calls: the API key's account, environment and scopes, or that it is nobody's.
//!
//! The gateway keeps the answer for a minute, so a revoked key works for at most that long. A fault of ours
//! is an error, which is not kept, and never a refusal.

mod credential;

use lambda_runtime::Error;
use recoup_domain::api_key::{ApiKey, Pepper, Scope, StoredKey};
use recoup_ports::credentials::Keys;
use serde::Serialize;
use serde_json::Value;

/// What the function needs.
pub struct Context<K> {
    /// Where the keys are.
    pub keys: K,
    /// Under which they are hashed.
    pub pepper: Pepper,
}

/// The gateway's "simple response".
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Whether the request goes on.
    #[serde(rename = "isAuthorized")]
    pub is_authorized: bool,
    /// What the functions will read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Identity>,
}

/// Who calls.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The account.
    pub account_id: String,
    /// `sandbox` or `live`.
    pub environment: &'static str,
    /// The scopes, separated by spaces.
    pub scopes: String,
    /// The key, for the log.
    pub key_id: String,
}

impl From<StoredKey> for Identity {
    fn from(key: StoredKey) -> Self {
        let scopes: Vec<&str> = key.scopes.iter().copied().map(Scope::as_str).collect();
        Self {
            account_id: key.tenant.account.to_string(),
            environment: key.tenant.environment.as_str(),
            scopes: scopes.join(" "),
            key_id: key.id.to_string(),
        }
    }
}

/// One question of the gateway: an authorizer event of payload format 2.0.
pub async fn handle<K: Keys>(context: &Context<K>, event: &Value) -> Result<Decision, Error> {
    let identity = identify(context, event).await?.map(Identity::from);
    Ok(Decision { is_authorized: identity.is_some(), context: identity })
}

async fn identify<K: Keys>(context: &Context<K>, event: &Value) -> Result<Option<StoredKey>, Error> {
    let Some(secret) = credential::of_event(event) else { return Ok(None) };
    // A typo is refused by its checksum, before anything is read.
    let Some(key) = ApiKey::parse(&secret) else { return Ok(None) };
    let stored = context.keys.key(key.id()).await.inspect_err(|error| {
        tracing::error!(%error, cause = ?std::error::Error::source(error), key.id = %key.id(), "the key cannot be read");
    })?;
    Ok(stored.filter(|stored| {
        let genuine = key.is(&stored.hash, &context.pepper) && key.environment() == stored.tenant.environment;
        genuine && !stored.revoked
    }))
}
