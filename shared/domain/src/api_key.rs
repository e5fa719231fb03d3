//! API keys: their scopes, their text and its checksum. What is stored of one is a [`crate::stored_key::StoredKey`].
//!
//! A key is `sk_sandbox_` or `sk_live_`, 26 characters of id, 26 of secret and 7 of checksum, so that a typo is refused
//! before anything is read. A client secret has the same form under `cs_`; it is exchanged for access tokens and grants
//! no access itself. The whole text is hashed, so neither passes for the other.

use std::fmt;

use crate::ids::{Environment, KeyId, crockford, first_128_bits, is_crockford};

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
    /// A key or token that was valid once.
    Expired,
    /// Used from an address outside the key's ranges.
    Address,
    /// Never issued here, or revoked; the holder is not told which.
    Unknown,
    /// Not judged: the store of secrets did not answer.
    Unavailable,
}

impl Refused {
    const ALL: [Self; 6] =
        [Self::Malformed, Self::ClientSecret, Self::Expired, Self::Address, Self::Unknown, Self::Unavailable];

    /// The name of the reason, such as `malformed`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::ClientSecret => "client_secret",
            Self::Expired => "expired",
            Self::Address => "address",
            Self::Unknown => "unknown",
            Self::Unavailable => "unavailable",
        }
    }

    /// Reads a reason's name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
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

impl KeyUse {
    const ALL: [Self; 2] = [Self::Api, Self::Client];

    /// The use's name, such as `api`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Client => "client",
        }
    }

    /// Reads a use's name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
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
        let uses = KeyUse::ALL.into_iter();
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
}
