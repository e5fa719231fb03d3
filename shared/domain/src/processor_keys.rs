//! The keys of a processor, and the address of an adapter, as they are read: nothing behind this checks a text again.

use std::fmt;

use crate::ids::Environment;

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

/// Where a processor listens: `https`, or plain `http` on this very machine. May hold a token, so it is never
/// printed.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Most characters.
    pub const MAX: usize = 2048;

    /// Reads a URL without user, query and fragment, to which paths can be added; a slash at its end is dropped.
    pub fn parse(text: &str) -> Option<Self> {
        const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];
        let text = text.trim_end_matches('/');
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\\".contains(&byte));
        let (scheme, rest) = text.split_once("://")?;
        let authority = rest.split('/').next()?;
        let host = authority.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        let host = host.map_or(authority, |(host, _)| host);
        let allowed = !host.is_empty() && (scheme == "https" || scheme == "http" && LOOPBACK.contains(&host));
        (allowed && plain && text.len() <= Self::MAX).then(|| Self(text.to_owned()))
    }

    /// The URL of a path below it.
    pub fn join(&self, path: &str) -> String {
        format!("{}/{path}", self.0)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BaseUrl(…)")
    }
}

fn is_token(text: &str) -> bool {
    (8..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
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
    fn a_processor_is_reached_by_https_or_on_this_machine() {
        for (text, refunds) in [
            ("https://adapter.example", "https://adapter.example/refunds"),
            ("https://adapter.example:8443/recoup/", "https://adapter.example:8443/recoup/refunds"),
            ("https://10.0.0.7", "https://10.0.0.7/refunds"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/refunds"),
            ("http://localhost", "http://localhost/refunds"),
            ("http://[::1]:8080", "http://[::1]:8080/refunds"),
        ] {
            assert_eq!(BaseUrl::parse(text).unwrap().join("refunds"), refunds);
        }
        for text in [
            "",
            "https://",
            "adapter.example",
            "ftp://adapter.example",
            "http://adapter.example",
            "http://127.0.0.1.example",
            "https://user@adapter.example",
            "https://adapter.example?token=t",
            "https://adapter.example/#",
            "https://adapter example",
        ] {
            assert_eq!(BaseUrl::parse(text), None, "{text}");
        }
    }
}
