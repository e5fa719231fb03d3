//! Access tokens: a client's scopes for an hour, signed, so that they are checked without a read.
//!
//! A token is `at_sandbox_` or `at_live_`, the claims, a dot, and the HMAC-SHA-256 of all before the dot under a key
//! made from the pepper. The claims are not secret; changing them breaks the signature.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::api_key::{Pepper, Refused, Scope};
use crate::ids::{AccountId, Environment, KeyId, Tenant};
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
    pub fn sign(&self, pepper: &Pepper) -> String {
        let scopes: Vec<&str> = self.scopes.iter().copied().map(Scope::as_str).collect();
        let signed = format!(
            "at_{}_{}~{}~{}~{}",
            self.tenant.environment.as_str(),
            self.tenant.account,
            self.client,
            scopes.join("+"),
            self.expires_at.unix_millis(),
        );
        let signature = mac(&signed, pepper).finalize().into_bytes();
        format!("{signed}.{}", HEXLOWER.encode(&signature))
    }

    /// Reads a token back. Only the holder of a token signed under this pepper learns that it has expired.
    pub fn read(token: &str, pepper: &Pepper, now: Timestamp) -> Result<Self, Refused> {
        let claims = Self::verified(token, pepper).ok_or(Refused::Unknown)?;
        if claims.expires_at > now { Ok(claims) } else { Err(Refused::Expired) }
    }

    fn verified(token: &str, pepper: &Pepper) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = HEXLOWER_PERMISSIVE.decode(signature.as_bytes()).ok()?;
        mac(signed, pepper).verify_slice(&signature).ok()?;
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

fn mac(text: &str, pepper: &Pepper) -> Hmac<Sha256> {
    hmac_sha256(pepper.key_for("access token").as_ref(), &[text])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pepper(byte: u8) -> Pepper {
        Pepper::new(vec![byte; 32]).unwrap()
    }

    fn claims() -> Claims {
        Claims {
            tenant: Tenant { environment: Environment::Sandbox, account: AccountId::from_bits(1) },
            client: KeyId::from_bits(2),
            scopes: vec![Scope::RefundsRead, Scope::PaymentsWrite],
            expires_at: Timestamp::from_unix_millis(2_000).unwrap(),
        }
    }

    #[test]
    fn a_token_says_what_was_signed_until_it_expires() {
        let token = claims().sign(&pepper(1));
        let at = |millis| Claims::read(&token, &pepper(1), Timestamp::from_unix_millis(millis).unwrap());
        assert_eq!(at(1_999), Ok(claims()));
        assert_eq!(at(2_000), Err(Refused::Expired));
    }

    #[test]
    fn a_token_that_was_changed_anywhere_or_signed_by_another_is_nothing() {
        let token = claims().sign(&pepper(1));
        let now = Timestamp::from_unix_millis(0).unwrap();
        assert_eq!(Claims::read(&token, &pepper(2), now), Err(Refused::Unknown));
        for index in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[index] = if changed[index] == b'a' { b'b' } else { b'a' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(Claims::read(&changed, &pepper(1), now), Err(Refused::Unknown), "{index}");
        }
        let live = token.replace("at_sandbox_", "at_live_");
        assert_eq!(Claims::read(&live, &pepper(1), now), Err(Refused::Unknown));
    }
}
