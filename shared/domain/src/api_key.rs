//! API keys: their text, their checksum, and the hash that is stored.
//!
//! A key is `sk_sandbox_` or `sk_live_`, 26 characters of id, 26 of secret and 7 of checksum, so that a typo is refused
//! before anything is read. A client secret has the same form under `cs_`; it is exchanged for access tokens and grants
//! no access itself. The whole text is hashed, so neither passes for the other.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::ids::{Environment, KeyId, Tenant, crockford, first_128_bits, is_crockford};
use crate::signing::hmac_sha256;

const ID_LENGTH: usize = 26;
const SECRET_LENGTH: usize = 26;
const CHECKSUM_LENGTH: usize = 7;
const PARTS_LENGTH: usize = ID_LENGTH + SECRET_LENGTH + CHECKSUM_LENGTH;

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Read payments.
    PaymentsRead,
    /// Register payments, and make their terms for refunds stricter.
    PaymentsWrite,
    /// Lift a payment's dispute, and give its refunds more time.
    PaymentsAdmin,
    /// Read refunds.
    RefundsRead,
    /// Create and change refunds.
    RefundsWrite,
    /// Approve refunds, or reject them.
    RefundsApprove,
    /// Manage webhook endpoints.
    WebhooksManage,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 7] = [
        Self::PaymentsRead,
        Self::PaymentsWrite,
        Self::PaymentsAdmin,
        Self::RefundsRead,
        Self::RefundsWrite,
        Self::RefundsApprove,
        Self::WebhooksManage,
    ];

    /// The name in the API, such as `refunds:write`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PaymentsRead => "payments:read",
            Self::PaymentsWrite => "payments:write",
            Self::PaymentsAdmin => "payments:admin",
            Self::RefundsRead => "refunds:read",
            Self::RefundsWrite => "refunds:write",
            Self::RefundsApprove => "refunds:approve",
            Self::WebhooksManage => "webhooks:manage",
        }
    }

    /// Reads a scope's name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// Why a credential is refused, as far as its holder may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// We cannot have issued it: a part of a key, a typo, another scheme.
    Malformed,
    /// A client secret, which is exchanged for tokens and grants no access itself.
    ClientSecret,
    /// A token that was valid once.
    Expired,
    /// Never issued here, or revoked; the holder is not told which.
    Unknown,
}

impl Refused {
    const ALL: [Self; 4] = [Self::Malformed, Self::ClientSecret, Self::Expired, Self::Unknown];

    /// The name of the reason, such as `malformed`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::ClientSecret => "client_secret",
            Self::Expired => "expired",
            Self::Unknown => "unknown",
        }
    }

    /// Reads a reason's name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}

/// The secret with which keys are hashed; it lives outside the table.
pub struct Pepper(Vec<u8>);

impl Pepper {
    /// The least number of bytes.
    pub const LENGTH_MIN: usize = 32;

    /// The pepper of a secret; `None` if the secret is too short.
    pub fn new(secret: Vec<u8>) -> Option<Self> {
        (secret.len() >= Self::LENGTH_MIN).then_some(Self(secret))
    }

    /// A separate key for another purpose, so that no signature can be taken for a key's hash.
    pub(crate) fn key_for(&self, purpose: &str) -> impl AsRef<[u8]> {
        hmac_sha256(&self.0, &[purpose]).finalize().into_bytes()
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(…)")
    }
}

/// What a key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// It is sent with every request.
    Api,
    /// It is exchanged for access tokens.
    Client,
}

/// A key as its owner holds it. It is shown once, when it is created.
pub struct ApiKey {
    r#use: KeyUse,
    environment: Environment,
    id: KeyId,
    text: String,
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}, …)", self.id)
    }
}

fn prefix(r#use: KeyUse, environment: Environment) -> String {
    let kind = match r#use {
        KeyUse::Api => "sk",
        KeyUse::Client => "cs",
    };
    format!("{kind}_{}_", environment.as_str())
}

/// 35 bits of SHA-256 over the text before it.
fn checksum(of: &str) -> String {
    let text = crockford(first_128_bits(of));
    text.chars().rev().take(CHECKSUM_LENGTH).collect()
}

impl ApiKey {
    /// A new API key; `name` and `secret` are 128 random bits each.
    pub fn random(environment: Environment, name: u128, secret: u128) -> Self {
        Self::random_for(KeyUse::Api, environment, name, secret)
    }

    /// A new key for a use.
    pub fn random_for(r#use: KeyUse, environment: Environment, name: u128, secret: u128) -> Self {
        let body = format!("{}{}{}", prefix(r#use, environment), crockford(name), crockford(secret));
        let text = format!("{body}{}", checksum(&body));
        Self { r#use, environment, id: KeyId::from_bits(name), text }
    }

    /// Reads a key; `None` for anything that this code cannot have made.
    pub fn parse(text: &str) -> Option<Self> {
        let uses = [KeyUse::Api, KeyUse::Client].into_iter();
        let both = |r#use| [Environment::Sandbox, Environment::Live].map(|environment| (r#use, environment));
        let mut known = uses.flat_map(both);
        let (r#use, environment) =
            known.find(|(r#use, environment)| text.starts_with(&prefix(*r#use, *environment)))?;
        let rest = text.strip_prefix(&prefix(r#use, environment))?;
        if rest.len() != PARTS_LENGTH || !is_crockford(rest) {
            return None;
        }
        let body = text.get(..text.len().checked_sub(CHECKSUM_LENGTH)?)?;
        let sum = text.get(body.len()..)?;
        if checksum(body) != sum {
            return None;
        }
        let id = KeyId::try_from(format!("key_{}", rest.get(..ID_LENGTH)?).as_str()).ok()?;
        Some(Self { r#use, environment, id, text: text.to_owned() })
    }

    /// What the key is used for, by its prefix.
    pub fn r#use(&self) -> KeyUse {
        self.r#use
    }

    /// Sandbox or live, by the key's prefix.
    pub fn environment(&self) -> Environment {
        self.environment
    }

    /// The key's id, which is not secret.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The whole secret text, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// The hash that is stored in place of the key.
    pub fn hash(&self, pepper: &Pepper) -> KeyHash {
        KeyHash(self.mac(pepper).finalize().into_bytes().into())
    }

    /// Whether this key is the one that was stored, compared in constant time.
    pub fn is(&self, stored: &KeyHash, pepper: &Pepper) -> bool {
        self.mac(pepper).verify_slice(&stored.0).is_ok()
    }

    fn mac(&self, pepper: &Pepper) -> Hmac<Sha256> {
        hmac_sha256(&pepper.0, &[&self.text])
    }
}

/// HMAC-SHA-256 of a key under the pepper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHash(pub [u8; 32]);

/// A key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// Its id.
    pub id: KeyId,
    /// The tenant whose key it is.
    pub tenant: Tenant,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// Its hash.
    pub hash: KeyHash,
    /// Whether it was revoked.
    pub revoked: bool,
}

impl StoredKey {
    /// Whether this is the stored key, of the right environment and not revoked.
    pub fn admits(&self, key: &ApiKey, pepper: &Pepper) -> bool {
        key.is(&self.hash, pepper) && key.environment() == self.tenant.environment && !self.revoked
    }
}
