//! What a secret has to say: JSON with exactly these fields. What is wrong is told in words that hold nothing of it.

use recoup_domain::signing::{Retired, Secret, Secrets};
use recoup_domain::time::Timestamp;
use recoup_ports::processor_keys::{AdapterAccess, BaseUrl, StripeAccess, StripeKey, StripeSigningSecret};
use serde::Deserialize;
use serde_json::error::Category;

/// Most secrets at once: one, and those that it is replacing.
const SECRETS_MAX: usize = Secrets::RETIRED_MAX + 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StripeSecret {
    key: String,
    signing_secrets: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AdapterSecret {
    base_url: String,
    secrets: Vec<String>,
}

/// `{"key": "sk_test_…", "signing_secrets": ["whsec_…"]}`; no signing secret where Stripe sends no events.
pub(super) fn stripe(text: &str) -> Result<StripeAccess, &'static str> {
    let secret: StripeSecret = json(text, "its fields are not key (a text) and signing_secrets (texts)")?;
    let key =
        StripeKey::parse(&secret.key).ok_or("key is no sk_test_…, rk_test_…, sk_live_… or rk_live_…")?;
    if secret.signing_secrets.len() > SECRETS_MAX {
        return Err("signing_secrets are more than 4");
    }
    let signing = secret.signing_secrets.iter().map(|text| StripeSigningSecret::parse(text));
    let signing = signing.collect::<Option<_>>().ok_or("one of signing_secrets is no whsec_…")?;
    Ok(StripeAccess { key, signing })
}

/// `{"base_url": "https://…", "secrets": ["whsec_…"]}`; more than one secret while one is being replaced.
pub(super) fn adapter(text: &str) -> Result<AdapterAccess, &'static str> {
    let secret: AdapterSecret = json(text, "its fields are not base_url (a text) and secrets (texts)")?;
    let base = BaseUrl::parse(&secret.base_url)
        .ok_or("base_url is no https URL without user, query and fragment")?;
    if secret.secrets.len() > SECRETS_MAX {
        return Err("secrets are more than 4");
    }
    let secrets = secret.secrets.iter().map(|text| Secret::parse(text)).collect::<Option<Vec<_>>>();
    let mut secrets = secrets.ok_or("one of secrets is no whsec_ with 24 to 64 bytes in base64")?.into_iter();
    let current = secrets.next().ok_or("secrets is empty")?;
    // A secret is valid for as long as it stands in the list.
    let retired = secrets.map(|secret| Retired { secret, until: Timestamp::LAST }).collect();
    Ok(AdapterAccess { base, secrets: Secrets { current, retired } })
}

/// The parser's own words are dropped: they quote what they do not like.
fn json<'text, T: Deserialize<'text>>(text: &'text str, fields: &'static str) -> Result<T, &'static str> {
    serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => fields,
        Category::Io | Category::Syntax | Category::Eof => "it is not JSON",
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const GOOD: &str = "whsec_U2VjcmV0U2hhcmVkV2l0aFRoZUFkYXB0ZXI=";
    const NEW: &str = "whsec_QW5vdGhlclNlY3JldE9mVGhlQWRhcHRlcg==";

    #[test]
    fn an_account_at_stripe_has_a_key_and_its_destinations_secrets() {
        for count in 0..=4 {
            let secret =
                json!({"key": "rk_test_51abcDEF0", "signing_secrets": vec!["whsec_12345678"; count]});
            let access = stripe(&secret.to_string()).unwrap();
            assert_eq!((access.key.reveal(), access.signing.len()), ("rk_test_51abcDEF0", count));
        }
    }

    #[test]
    fn the_first_secret_of_an_adapter_is_the_current_one_and_all_of_them_sign() {
        let secret = json!({"base_url": "https://adapter.example/recoup", "secrets": [NEW, GOOD]});
        let access = adapter(&secret.to_string()).unwrap();
        assert_eq!(access.base.join("refunds"), "https://adapter.example/recoup/refunds");
        assert_eq!(access.secrets.current.reveal(), NEW);
        let now = Timestamp::from_unix_millis(1_795_000_000_000).unwrap();
        let signing: Vec<String> = access.secrets.signing(now).map(Secret::reveal).collect();
        assert_eq!(signing, [NEW, GOOD]);
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
            let told = stripe(&text).unwrap_err();
            assert!(told.contains(why) && !told.contains("51abc") && !told.contains("1234"), "{told}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_secret_for_an_adapter_is_told_without_it() {
        let of = |base: &str, secrets: &[&str]| json!({"base_url": base, "secrets": secrets}).to_string();
        for (text, why) in [
            (String::new(), "not JSON"),
            (json!({"url": "https://adapter.example", "secrets": [GOOD]}).to_string(), "fields"),
            (json!([1]).to_string(), "fields"),
            (of("http://adapter.example", &[GOOD]), "base_url is no"),
            (of("https://user:word@adapter.example", &[GOOD]), "base_url is no"),
            (of("https://adapter.example", &[]), "empty"),
            (of("https://adapter.example", &["whsec_c2hvcnQ="]), "one of secrets"),
            (of("https://adapter.example", &[GOOD; 5]), "more than 4"),
        ] {
            let told = adapter(&text).unwrap_err();
            assert!(told.contains(why) && !told.contains("example"), "{told}");
        }
    }
}
