//! Tells the gateway who calls: the account, environment and scopes of the key or token, or that it is nobody's.
//!
//! The gateway keeps the answer for a minute, so a revoked key works for at most that long. A fault of ours
//! is an error, which is not kept, and never a refusal.

mod credential;

use lambda_runtime::Error;
use recoup_domain::api_key::{ApiKey, KeyUse, Pepper, Scope};
use recoup_domain::ids::{KeyId, Tenant};
use recoup_domain::time::Timestamp;
use recoup_domain::token::Claims;
use recoup_ports::credentials::Keys;
use serde::Serialize;
use serde_json::Value;

use crate::credential::Credential;

/// What the function needs.
pub struct Context<K> {
    /// Where the keys are.
    pub keys: K,
    /// Under which they are hashed, and tokens are signed.
    pub pepper: Pepper,
    /// The clock.
    pub now: fn() -> Timestamp,
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

/// One question of the gateway: an authorizer event of payload format 2.0.
pub async fn handle<K: Keys>(context: &Context<K>, event: &Value) -> Result<Decision, Error> {
    let identity = match credential::of_event(event) {
        Some(Credential::Token(token)) => token_of(context, &token),
        Some(Credential::Key(key)) => key_of(context, &key).await?,
        None => None,
    };
    Ok(Decision { is_authorized: identity.is_some(), context: identity })
}

/// A token says itself what it is good for; nothing is read.
fn token_of<K>(context: &Context<K>, token: &str) -> Option<Identity> {
    let claims = Claims::read(token, &context.pepper, (context.now)())?;
    Some(Identity::new(&claims.tenant, &claims.scopes, &claims.client))
}

async fn key_of<K: Keys>(context: &Context<K>, secret: &str) -> Result<Option<Identity>, Error> {
    // A typo is refused by its checksum, before anything is read.
    let Some(key) = ApiKey::parse(secret).filter(|key| key.r#use() == KeyUse::Api) else {
        return Ok(None);
    };
    let stored = context.keys.key(key.id()).await.inspect_err(|error| {
        tracing::error!(%error, cause = ?std::error::Error::source(error), key.id = %key.id(), "the key cannot be read");
    })?;
    let genuine = stored.filter(|stored| stored.admits(&key, &context.pepper));
    Ok(genuine.map(|stored| Identity::new(&stored.tenant, &stored.scopes, &stored.id)))
}
