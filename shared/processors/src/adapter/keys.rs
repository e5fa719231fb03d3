//! An account's access to its own adapter: where it listens, and what both sides sign with.

use recoup_domain::base_url::BaseUrl;
use recoup_domain::payment::ProcessorName;
use recoup_domain::signing::{Retired, Secret, Secrets};
use recoup_domain::time::Timestamp;
use recoup_ports::processor_keys::Access;
use serde::Deserialize;

use crate::secret::{SECRETS_MAX, json};

/// One account's access to the team's own adapter.
#[derive(Clone, Debug)]
pub struct AdapterAccess {
    /// Where it listens.
    pub base: BaseUrl,
    /// What both sides sign with.
    pub secrets: Secrets,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretWire {
    base_url: String,
    secrets: Vec<String>,
}

impl Access for AdapterAccess {
    const PROCESSOR: ProcessorName = ProcessorName::Http;

    /// Reads `{"base_url": "https://…", "secrets": ["whsec_…"]}`; more than one secret while one is being replaced.
    fn parse(secret: &str) -> Result<Self, &'static str> {
        let secret: SecretWire = json(secret, "its fields are not base_url (a text) and secrets (texts)")?;
        let base = BaseUrl::parse(&secret.base_url)
            .ok_or("base_url is no https URL without user, query and fragment")?;
        if secret.secrets.len() > SECRETS_MAX {
            return Err("secrets are more than 4");
        }
        let secrets = secret.secrets.iter().map(|text| Secret::parse(text)).collect::<Option<Vec<_>>>();
        let mut secrets =
            secrets.ok_or("one of secrets is no whsec_ with 24 to 64 bytes in base64")?.into_iter();
        let current = secrets.next().ok_or("secrets is empty")?;
        // A secret is valid for as long as it stands in the list.
        let retired = secrets.map(|secret| Retired { secret, until: Timestamp::LAST }).collect();
        Ok(Self { base, secrets: Secrets { current, retired } })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const GOOD: &str = "whsec_U2VjcmV0U2hhcmVkV2l0aFRoZUFkYXB0ZXI=";
    const NEW: &str = "whsec_QW5vdGhlclNlY3JldE9mVGhlQWRhcHRlcg==";

    #[test]
    fn the_first_secret_of_an_adapter_is_the_current_one_and_all_of_them_sign() {
        let secret = json!({"base_url": "https://adapter.example/recoup", "secrets": [NEW, GOOD]});
        let access = AdapterAccess::parse(&secret.to_string()).unwrap();
        assert_eq!(access.base.join("refunds"), "https://adapter.example/recoup/refunds");
        assert_eq!(access.secrets.current.reveal(), NEW);
        let now = Timestamp::from_unix_millis(1_795_000_000_000).unwrap();
        let signing: Vec<String> = access.secrets.signing(now).map(Secret::reveal).collect();
        assert_eq!(signing, [NEW, GOOD]);
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
            let told = AdapterAccess::parse(&text).unwrap_err();
            assert!(told.contains(why) && !told.contains("example"), "{told}");
        }
    }
}
