//! API keys and clients.

use recoup_domain::api_key::{ApiKey, KeyUse, Scope};
use recoup_domain::ids::{Environment, KeyId, Tenant};
use recoup_domain::stored_key::{Grants, IpRange, Proof, StoredKey};
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;
use recoup_ports::api_keys::{KeepKeys, Revoked};
use recoup_ports::credentials::Accounts;
use recoup_ports::keyrings::{Keyrings, Ring};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{AdminError, Context, tenant};

/// Most keys in one answer.
const KEYS_MAX: u16 = 1_000;

/// What a new key shall be.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    account_id: String,
    environment: String,
    name: Option<String>,
    scopes: Option<Vec<String>>,
    expires_at: Option<String>,
    ip_ranges: Option<Vec<String>>,
}

/// The names of all scopes, for a sentence.
pub(crate) fn scopes() -> String {
    Scope::ALL.map(Scope::as_str).join(", ")
}

impl Wanted {
    fn parse(self, now: Timestamp) -> Result<(Option<Text<64>>, Grants), AdminError> {
        let tenant = tenant(&self.account_id, &self.environment)?;
        let name = self.name.map(Text::new).transpose().map_err(|_| AdminError::KeyName)?;
        let scopes = match self.scopes {
            None if tenant.environment == Environment::Sandbox => Some(Scope::ALL.to_vec()),
            None => None,
            Some(names) => names.iter().map(|name| Scope::parse(name)).collect(),
        };
        let scopes: Vec<Scope> = scopes.filter(|scopes| !scopes.is_empty()).ok_or(AdminError::Scopes)?;
        let expires_at = self.expires_at.map(|text| Timestamp::parse(&text).filter(|at| *at > now));
        let expires_at = expires_at.map(|at| at.ok_or(AdminError::ExpiresAt)).transpose()?;
        let ip_ranges: Option<Vec<IpRange>> =
            self.ip_ranges.unwrap_or_default().iter().map(|text| IpRange::parse(text)).collect();
        let ip_ranges =
            ip_ranges.filter(|ranges| ranges.len() <= IpRange::COUNT_MAX).ok_or(AdminError::IpRanges)?;
        Ok((name, Grants { tenant, scopes, expires_at, ip_ranges }))
    }
}

pub(crate) async fn create<A: Accounts, K: KeepKeys, R: Keyrings, S, D, N, P>(
    context: &Context<A, K, R, S, D, N, P>,
    r#use: KeyUse,
    wanted: Wanted,
) -> Result<Value, AdminError> {
    let now = (context.now)();
    let (name, grants) = wanted.parse(now)?;
    let tenant = &grants.tenant;
    if !context.accounts.account_exists(&tenant.account, tenant.environment).await? {
        return Err(AdminError::NoSuchAccount);
    }
    let key = ApiKey::random_for(r#use, tenant.environment, (context.random)(), (context.random)());
    let peppers = context.keyrings.keyring(Ring::Pepper, None).await?;
    let proof = Proof::new(&key, &grants, peppers.for_new(now));
    let (id, r#use) = (key.id().clone(), Some(r#use));
    let stored = StoredKey { id, r#use, name, grants, proof, created_at: now, revoked_at: None };
    context.keys.create_key(&stored).await?;
    tracing::info!(key.id = %stored.id, account.id = %stored.grants.tenant.account, "key created");
    let (id_name, secret_name) = match key.r#use() {
        KeyUse::Api => ("id", "secret"),
        KeyUse::Client => ("client_id", "client_secret"),
    };
    let mut answer = shown(&stored);
    answer.retain(|name, value| name != "id" && !value.is_null());
    answer.insert(id_name.to_owned(), stored.id.as_str().into());
    answer.insert(secret_name.to_owned(), key.reveal().into());
    Ok(answer.into())
}

fn shown(key: &StoredKey) -> Map<String, Value> {
    let StoredKey { id, r#use, name, grants, proof: _, created_at, revoked_at } = key;
    let Grants { tenant, scopes, expires_at, ip_ranges } = grants;
    let fields = [
        ("id", json!(id.as_str())),
        ("use", json!(r#use.map(KeyUse::as_str))),
        ("name", json!(name.as_ref().map(Text::as_str))),
        ("account_id", json!(tenant.account.as_str())),
        ("environment", json!(tenant.environment.as_str())),
        ("scopes", scopes.iter().copied().map(Scope::as_str).collect()),
        ("ip_ranges", ip_ranges.iter().map(ToString::to_string).collect()),
        ("created_at", json!(created_at.rfc3339())),
        ("expires_at", json!(expires_at.map(Timestamp::rfc3339))),
        ("revoked_at", json!(revoked_at.map(Timestamp::rfc3339))),
    ];
    fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect()
}

pub(crate) async fn list<A: Accounts, K: KeepKeys, R, S, D, N, P>(
    context: &Context<A, K, R, S, D, N, P>,
    tenant: &Tenant,
) -> Result<Value, AdminError> {
    if !context.accounts.account_exists(&tenant.account, tenant.environment).await? {
        return Err(AdminError::NoSuchAccount);
    }
    let keys = context.keys.keys_of(tenant, KEYS_MAX).await?;
    let found = keys.read.len().saturating_add(keys.unreadable.len());
    Ok(json!({
        "keys": keys.read.iter().map(shown).collect::<Vec<_>>(),
        "unreadable": keys.unreadable.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(),
        "more": found >= usize::from(KEYS_MAX),
    }))
}

/// Revokes a key that is named by its id, or by the secret itself, as a leak report quotes it.
pub(crate) async fn revoke<A, K: KeepKeys, R: Keyrings, S, D, N, P>(
    context: &Context<A, K, R, S, D, N, P>,
    id: Option<&str>,
    secret: Option<&str>,
) -> Result<Value, AdminError> {
    let id = match (id, secret) {
        (Some(id), None) => KeyId::try_from(id).map_err(|why| AdminError::Id("id", why))?,
        (None, Some(secret)) => genuine(context, secret).await?.ok_or(AdminError::NoSuchKey)?,
        _ => return Err(AdminError::WhichKey),
    };
    match context.keys.revoke_key(&id, (context.now)()).await? {
        Revoked::Yes => {
            tracing::info!(key.id = %id, "key revoked");
            Ok(json!({ "id": id.as_str(), "revoked": true }))
        }
        Revoked::NoSuchKey => Err(AdminError::NoSuchKey),
    }
}

/// The id of a key whose secret this is. Somebody who made a secret up must not end a key that only shares its id.
async fn genuine<A, K: KeepKeys, R: Keyrings, S, D, N, P>(
    context: &Context<A, K, R, S, D, N, P>,
    secret: &str,
) -> Result<Option<KeyId>, AdminError> {
    let Some(key) = ApiKey::parse(secret.trim()) else { return Ok(None) };
    let Some(stored) = context.keys.key(key.id()).await? else { return Ok(None) };
    let peppers = context.keyrings.keyring(Ring::Pepper, stored.proof.pepper.as_deref()).await?;
    Ok(stored.is_proof_of(&key, &peppers).then(|| stored.id.clone()))
}
