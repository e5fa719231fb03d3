//! What is stored of an API key or a client: what it grants, and the proof of its secret.
//!
//! The proof is an HMAC under the pepper over the key's text *and* all that the key grants. So whoever can write the
//! table, but does not hold the pepper and the key, cannot give a key another tenant, more scopes or a longer life.

use hmac::Mac;
use ipnet::IpNet;

use crate::api_key::{ApiKey, KeyUse, Refused, Scope};
use crate::ids::{KeyId, Tenant};
use crate::keyring::{Keyring, RingKey};
use crate::signing::hmac_sha256;
use crate::text::Text;
use crate::time::Timestamp;

/// A range of addresses, such as `203.0.113.0/24` or `2001:db8::/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpRange(IpNet);

impl IpRange {
    /// Most ranges of one key.
    pub const COUNT_MAX: usize = 20;

    /// Reads a range in CIDR notation.
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    /// Whether an address, such as `203.0.113.7`, lies in the range.
    pub fn contains(&self, address: &str) -> bool {
        address.parse::<core::net::IpAddr>().is_ok_and(|address| self.0.contains(&address))
    }
}

impl std::fmt::Display for IpRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// What a key grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    /// The tenant whose key it is.
    pub tenant: Tenant,
    /// What its holder may do.
    pub scopes: Vec<Scope>,
    /// The moment from which it is no longer valid, if there is one.
    pub expires_at: Option<Timestamp>,
    /// Where it may be used from; anywhere if empty.
    pub ip_ranges: Vec<IpRange>,
}

impl Grants {
    /// Whether the holder may be at this address. Where the address is not known, only a key for anywhere is good.
    pub fn admits_address(&self, address: Option<&str>) -> bool {
        self.ip_ranges.is_empty()
            || address.is_some_and(|address| self.ip_ranges.iter().any(|range| range.contains(address)))
    }

    /// Everything in one text, each part with its name: what the proof of a key covers.
    fn text(&self) -> String {
        let Self { tenant: Tenant { environment, account }, scopes, expires_at, ip_ranges } = self;
        let scopes: Vec<&str> = scopes.iter().copied().map(Scope::as_str).collect();
        let ip_ranges: Vec<String> = ip_ranges.iter().map(ToString::to_string).collect();
        format!(
            "\nenvironment {}\naccount {account}\nscopes {}\nexpires {}\nfrom {}",
            environment.as_str(),
            scopes.join(" "),
            expires_at.map(Timestamp::rfc3339).unwrap_or_default(),
            ip_ranges.join(" "),
        )
    }
}

/// An HMAC that only the key's holder and the pepper together can make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The id of the pepper. A proof of version 0.1 has none: it covers the key's text alone.
    pub pepper: Option<String>,
    /// HMAC-SHA-256.
    pub mac: [u8; 32],
}

impl Proof {
    /// The proof of a key and what it grants.
    pub fn new(key: &ApiKey, grants: &Grants, pepper: &RingKey) -> Self {
        let mac = hmac_sha256(pepper.bytes(), &[key.reveal(), &grants.text()]).finalize();
        Self { pepper: Some(pepper.id().to_owned()), mac: mac.into_bytes().into() }
    }

    /// Whether this is the proof of that key and those grants, compared in constant time.
    fn covers(&self, key: &ApiKey, grants: &Grants, peppers: &Keyring) -> bool {
        let is_of = |pepper: &RingKey, texts: &[&str]| {
            hmac_sha256(pepper.bytes(), texts).verify_slice(&self.mac).is_ok()
        };
        match &self.pepper {
            Some(id) => peppers.key(id).is_some_and(|pepper| is_of(pepper, &[key.reveal(), &grants.text()])),
            None => peppers.keys().any(|pepper| is_of(pepper, &[key.reveal()])),
        }
    }
}

/// A key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// Its id.
    pub id: KeyId,
    /// What it is used for; unknown for a key of version 0.1.
    pub r#use: Option<KeyUse>,
    /// Its name, for people.
    pub name: Option<Text<64>>,
    /// What it grants.
    pub grants: Grants,
    /// The proof of its secret.
    pub proof: Proof,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

impl StoredKey {
    /// Whether the stored proof is that of this key, in force or not.
    pub fn is_proof_of(&self, key: &ApiKey, peppers: &Keyring) -> bool {
        self.proof.covers(key, &self.grants, peppers) && key.environment() == self.grants.tenant.environment
    }

    /// Whether somebody who shows this key is who the stored key says, and may still use it.
    pub fn judge(&self, key: &ApiKey, peppers: &Keyring, now: Timestamp) -> Result<(), Refused> {
        if !self.is_proof_of(key, peppers) {
            return Err(Refused::Unknown);
        }
        self.in_force(now)
    }

    /// Whether the key was neither revoked nor has expired.
    pub fn in_force(&self, now: Timestamp) -> Result<(), Refused> {
        if self.revoked_at.is_some() {
            return Err(Refused::Unknown);
        }
        if self.grants.expires_at.is_some_and(|expires_at| expires_at <= now) {
            return Err(Refused::Expired);
        }
        Ok(())
    }

    /// The same key, proven under this pepper; `None` where it is already. Only for a key that was judged.
    pub fn renewed(&self, key: &ApiKey, pepper: &RingKey) -> Option<Self> {
        if self.proof.pepper.as_deref() == Some(pepper.id()) {
            return None;
        }
        let proof = Proof::new(key, &self.grants, pepper);
        Some(Self { r#use: Some(key.r#use()), proof, ..self.clone() })
    }
}
