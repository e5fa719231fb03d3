//! The credential in an `Authorization` header: `Bearer <key or token>`, or Basic with the key on either side.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A caller's credential.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    /// An API key, not yet checked.
    Key(String),
    /// An access token, not yet checked.
    Token(String),
}

/// The credential that a gateway event carries. HTTP API lower-cases header names.
pub(crate) fn of_event(event: &Value) -> Option<Credential> {
    let header = event.get("headers")?.get("authorization")?.as_str()?;
    let (scheme, credential) = header.trim().split_once(' ')?;
    let credential = credential.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        let credential = credential.to_owned();
        let is_token = credential.starts_with("at_");
        return Some(if is_token { Credential::Token(credential) } else { Credential::Key(credential) });
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(credential).ok()?).ok()?;
    // `<key>:` or `<anything>:<key>`; a key has no colon.
    let (user, password) = decoded.rsplit_once(':')?;
    Some(Credential::Key(if password.is_empty() { user } else { password }.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn secret(header: &str) -> Option<Credential> {
        of_event(&json!({ "headers": { "authorization": header } }))
    }

    #[test]
    fn the_key_is_found_in_each_accepted_form() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let key = || Some(Credential::Key("sk_1".to_owned()));
        for header in ["Bearer sk_1", "bearer  sk_1 ", &basic("sk_1:"), &basic("project:sk_1")] {
            assert_eq!(secret(header), key(), "{header}");
        }
        assert_eq!(secret("Bearer at_1"), Some(Credential::Token("at_1".to_owned())));
    }

    #[test]
    fn anything_else_is_nobody() {
        for header in ["", "Bearer", "sk_1", "Digest sk_1", "Basic !!!", "Basic c2tfMQ=="] {
            assert_eq!(secret(header), None, "{header}");
        }
        assert_eq!(of_event(&json!({ "headers": {} })), None);
        assert_eq!(of_event(&json!({})), None);
    }
}
