//! Access tokens: a client's scopes for an hour, signed.
//!
//! A token is `at_sandbox_` or `at_live_`, the claims, the id of the signing key, a dot, and the HMAC-SHA-256 of all
//! before the dot under that key. The claims are not secret; changing them breaks the signature. A token counts as
//! long as its client does: who checks one looks the client up, too.

use std::time::Duration;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::api_key::{Refused, Scope};
use crate::ids::{AccountId, Environment, KeyId, Tenant};
use crate::keyring::{Keyring, RingKey};
use crate::signing::hmac_sha256;
use crate::time::Timestamp;

/// The claims of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The tenant whose data it opens.
    pub tenant: Tenant,
    /// The client that it was issued to.
    pub client: KeyId,
    /// What its holder may do.
    pub scopes: Vec<Scope>,
    /// The moment from which it is no longer valid.
    pub expires_at: Timestamp,
}

impl Claims {
    /// Seconds for which a token is valid.
    pub const LIFETIME_SECONDS: u32 = 3_600;

    /// The signed text.
    pub fn sign(&self, key: &RingKey) -> String {
        let scopes: Vec<&str> = self.scopes.iter().copied().map(Scope::as_str).collect();
        let signed = format!(
            "at_{}_{}~{}~{}~{}~{}",
            self.tenant.environment.as_str(),
            self.tenant.account,
            self.client,
            scopes.join("+"),
            self.expires_at.unix_millis(),
            key.id(),
        );
        let signature = mac(&signed, key).finalize().into_bytes();
        format!("{signed}.{}", HEXLOWER.encode(&signature))
    }

    /// The id of the key that a token says it was signed with.
    pub fn key_id(token: &str) -> Option<&str> {
        let (signed, _) = token.rsplit_once('.')?;
        signed.rsplit_once('~').map(|(_, id)| id)
    }

    /// Reads a token back. Only the holder of a token that was signed here learns that it has expired.
    pub fn read(token: &str, keys: &Keyring, now: Timestamp) -> Result<Self, Refused> {
        let claims = Self::verified(token, keys).ok_or(Refused::Unknown)?;
        // Whatever a token says, it was not issued for longer than its lifetime.
        if claims.expires_at > now.plus(Duration::from_secs(Self::LIFETIME_SECONDS.into())) {
            return Err(Refused::Unknown);
        }
        if claims.expires_at > now { Ok(claims) } else { Err(Refused::Expired) }
    }

    fn verified(token: &str, keys: &Keyring) -> Option<Self> {
        let key = keys.key(Self::key_id(token)?)?;
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = HEXLOWER_PERMISSIVE.decode(signature.as_bytes()).ok()?;
        mac(signed, key).verify_slice(&signature).ok()?;
        let claims = signed.strip_prefix("at_")?;
        let (environment, claims) = claims.split_once('_')?;
        let mut claims = claims.split('~');
        let account = AccountId::try_from(claims.next()?).ok()?;
        let client = KeyId::try_from(claims.next()?).ok()?;
        let scopes = claims.next()?.split('+').map(Scope::parse).collect::<Option<_>>()?;
        let expires_at = Timestamp::from_unix_millis(claims.next()?.parse().ok()?)?;
        let tenant = Tenant { environment: Environment::parse(environment)?, account };
        Some(Self { tenant, client, scopes, expires_at })
    }
}

fn mac(text: &str, key: &RingKey) -> Hmac<Sha256> {
    hmac_sha256(key.bytes(), &[text])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(letter: &str) -> RingKey {
        RingKey::new(letter.repeat(32)).unwrap()
    }

    fn ring(letter: &str) -> Keyring {
        Keyring::first(key(letter))
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_unix_millis(millis).unwrap()
    }

    fn claims() -> Claims {
        Claims {
            tenant: Tenant { environment: Environment::Sandbox, account: AccountId::from_bits(1) },
            client: KeyId::from_bits(2),
            scopes: vec![Scope::RefundsRead, Scope::PaymentsWrite],
            expires_at: at(3_602_000),
        }
    }

    #[test]
    fn a_token_says_what_was_signed_until_it_expires() {
        let token = claims().sign(&key("a"));
        let read_at = |millis| Claims::read(&token, &ring("a"), at(millis));
        assert_eq!(read_at(3_601_999), Ok(claims()));
        assert_eq!(read_at(3_602_000), Err(Refused::Expired));
    }

    #[test]
    fn a_token_lives_an_hour_whatever_it_says() {
        let token = claims().sign(&key("a"));
        let read_at = |millis| Claims::read(&token, &ring("a"), at(millis));
        assert_eq!(read_at(2_000), Ok(claims()));
        assert_eq!(read_at(1_999), Err(Refused::Unknown), "it was signed for longer than an hour");
    }

    #[test]
    fn a_token_of_the_key_before_is_read_and_of_one_before_that_is_not() {
        let token = claims().sign(&key("a"));
        let second = ring("a").rotated(key("b"), at(0));
        assert_eq!(Claims::read(&token, &second, at(2_000)), Ok(claims()));
        let third = second.rotated(key("c"), at(0));
        assert_eq!(Claims::read(&token, &third, at(2_000)), Err(Refused::Unknown));
        assert_eq!(Claims::key_id(&token), Some(key("a").id()));
    }

    #[test]
    fn a_token_that_was_changed_anywhere_or_signed_by_another_is_nothing() {
        let token = claims().sign(&key("a"));
        assert_eq!(Claims::read(&token, &ring("b"), at(2_000)), Err(Refused::Unknown));
        for index in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[index] = if changed[index] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(Claims::read(&changed, &ring("a"), at(2_000)), Err(Refused::Unknown), "{index}");
        }
        let live = token.replace("at_sandbox_", "at_live_");
        assert_eq!(Claims::read(&live, &ring("a"), at(2_000)), Err(Refused::Unknown));
    }
}
