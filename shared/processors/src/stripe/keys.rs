//! An account's keys at Stripe: what our requests carry, and what Stripe signs its events with.

use std::fmt;

use recoup_domain::ids::Environment;
use recoup_domain::payment::ProcessorName;
use recoup_ports::processor_keys::Access;
use serde::Deserialize;

use crate::secret::{SECRETS_MAX, json};

/// One account's access to Stripe.
#[derive(Clone, Debug)]
pub struct StripeAccess {
    /// The key that our requests carry.
    pub key: StripeKey,
    /// The secrets of the event destinations: one, and more during a rotation.
    pub signing: Vec<StripeSigningSecret>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretWire {
    key: String,
    signing_secrets: Vec<String>,
}

impl Access for StripeAccess {
    const PROCESSOR: ProcessorName = ProcessorName::Stripe;

    /// Reads `{"key": "sk_test_…", "signing_secrets": ["whsec_…"]}`; without a signing secret where Stripe sends no
    /// events.
    fn parse(secret: &str) -> Result<Self, &'static str> {
        let secret: SecretWire = json(secret, "its fields are not key (a text) and signing_secrets (texts)")?;
        let key =
            StripeKey::parse(&secret.key).ok_or("key is no sk_test_…, rk_test_…, sk_live_… or rk_live_…")?;
        if secret.signing_secrets.len() > SECRETS_MAX {
            return Err("signing_secrets are more than 4");
        }
        let signing = secret.signing_secrets.iter().map(|text| StripeSigningSecret::parse(text));
        let signing = signing.collect::<Option<_>>().ok_or("one of signing_secrets is no whsec_…")?;
        Ok(Self { key, signing })
    }
}

/// A secret or restricted API key of Stripe's; never printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct StripeKey {
    text: String,
    environment: Environment,
}

impl StripeKey {
    /// Reads `sk_test_…`, `rk_test_…`, `sk_live_…` or `rk_live_…`; any other text is no key for a server.
    pub fn parse(text: &str) -> Option<Self> {
        const PREFIXES: [(&str, Environment); 4] = [
            ("sk_test_", Environment::Sandbox),
            ("rk_test_", Environment::Sandbox),
            ("sk_live_", Environment::Live),
            ("rk_live_", Environment::Live),
        ];
        let (rest, environment) = PREFIXES
            .iter()
            .find_map(|(prefix, environment)| Some((text.strip_prefix(prefix)?, *environment)))?;
        is_token(rest).then(|| Self { text: text.to_owned(), environment })
    }

    /// Where it moves money: a test key belongs to the sandbox alone, a live one to live alone.
    pub fn environment(&self) -> Environment {
        self.environment
    }

    /// The key, for the one header it goes into.
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl fmt::Debug for StripeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StripeKey({}, …)", self.environment.as_str())
    }
}

/// The secret of one of Stripe's event destinations, `whsec_…`; never printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct StripeSigningSecret(String);

impl StripeSigningSecret {
    /// Reads `whsec_…`.
    pub fn parse(text: &str) -> Option<Self> {
        text.strip_prefix("whsec_").is_some_and(is_token).then(|| Self(text.to_owned()))
    }

    /// The bytes that sign: the whole text, prefix included (unlike Standard Webhooks, which decodes it).
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for StripeSigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StripeSigningSecret(…)")
    }
}

fn is_token(text: &str) -> bool {
    (8..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stripe_key_knows_its_environment_and_is_not_printed() {
        for (text, environment) in [
            ("sk_test_51abcDEF0", Environment::Sandbox),
            ("rk_test_51abcDEF0", Environment::Sandbox),
            ("sk_live_51abcDEF0", Environment::Live),
            ("rk_live_51abcDEF0", Environment::Live),
        ] {
            let key = StripeKey::parse(text).unwrap();
            assert_eq!((key.environment(), key.reveal()), (environment, text));
            assert!(!format!("{key:?}").contains("51abc"));
        }
        for text in
            ["", "sk_test_", "pk_live_51abcDEF0", "sk_51abcDEF0", "sk_live_51abc DEF0", "sk_live_51\r\n0000"]
        {
            assert_eq!(StripeKey::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_signing_secret_signs_with_its_whole_text_and_is_not_printed() {
        let secret = StripeSigningSecret::parse("whsec_12345678").unwrap();
        assert_eq!(secret.bytes(), b"whsec_12345678");
        assert!(!format!("{secret:?}").contains("1234"));
        assert_eq!(StripeSigningSecret::parse("12345678"), None);
    }

    #[test]
    fn an_account_at_stripe_has_a_key_and_its_destinations_secrets() {
        for count in 0..=4 {
            let secret =
                json!({"key": "rk_test_51abcDEF0", "signing_secrets": vec!["whsec_12345678"; count]});
            let access = StripeAccess::parse(&secret.to_string()).unwrap();
            assert_eq!((access.key.reveal(), access.signing.len()), ("rk_test_51abcDEF0", count));
        }
    }

    #[test]
    fn what_is_wrong_with_a_secret_for_stripe_is_told_without_it() {
        for (text, why) in [
            ("sk_test_51abcDEF0".to_owned(), "not JSON"),
            (r#"{"key": "sk_test_51abcDEF0", "#.to_owned(), "not JSON"),
            (json!({"key": "sk_test_51abcDEF0"}).to_string(), "fields"),
            (json!({"key": "sk_test_51abcDEF0", "signing_secrets": [], "sk_extra": 1}).to_string(), "fields"),
            (json!({"key": "sk_test_51abcDEF0", "signing_secrets": "whsec_12345678"}).to_string(), "fields"),
            (json!({"key": "pk_test_51abcDEF0", "signing_secrets": []}).to_string(), "key is no"),
            (
                json!({"key": "sk_test_51abcDEF0", "signing_secrets": ["12345678"]}).to_string(),
                "signing_secrets",
            ),
            (
                json!({"key": "sk_test_51abcDEF0", "signing_secrets": vec!["whsec_12345678"; 5]}).to_string(),
                "more than 4",
            ),
        ] {
            let told = StripeAccess::parse(&text).unwrap_err();
            assert!(told.contains(why) && !told.contains("51abc") && !told.contains("1234"), "{told}");
        }
    }
}
