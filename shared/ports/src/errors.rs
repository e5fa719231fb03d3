//! The errors of every read and of every write without conditions.

use thiserror::Error;

/// A cause, for the log alone.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An error with its chain of causes, for the log.
///
/// By Display, never by Debug: an SDK error's Debug holds the raw response, and with it an item's texts and secrets.
pub fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| (*error).source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Refusals of AWS whose message names roles and resources: it tells an operator what to put right.
const EXPLAINED: [&str; 3] = ["AccessDenied", "AccessDeniedException", "ResourceNotFoundException"];

/// What the log may hold of a refusal by AWS: its code, and its message where that never quotes what was sent or stored.
pub fn refusal(code: Option<&str>, message: Option<&str>) -> String {
    let is_code = |code: &&str| code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphabetic());
    match (code.filter(is_code), message) {
        (None, _) => "it was refused without a code".to_owned(),
        (Some(code), Some(message)) if EXPLAINED.contains(&code) => format!("{code}: {message}"),
        (Some(code), _) => code.to_owned(),
    }
}

/// What the log may hold of serde's words on a value that cannot be read: what was expected, never what was there.
pub fn without_values(error: &str) -> String {
    const KEPT: [&str; 2] = ["missing field `", "duplicate field `"];
    let kinds = ["invalid type", "invalid value", "invalid length", "unknown variant", "unknown field"];
    let kind = kinds.into_iter().find(|kind| error.starts_with(kind)).unwrap_or("a value cannot be read");
    if KEPT.iter().any(|kept| error.starts_with(kept)) || !error.contains(['`', '"', '\'']) {
        return error.to_owned();
    }
    // What was expected is ours, and comes last.
    match error.rfind(", expected ").and_then(|at| error.get(at..)) {
        Some(expected) => format!("{kind}{expected}"),
        None => kind.to_owned(),
    }
}

/// Why a read failed.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The table did not answer in time, or refused for load. Worth a retry.
    #[error("the table did not answer")]
    Unavailable(#[source] BoxError),
    /// What is stored is not what Recoup writes. Not worth a retry.
    #[error("the item {key} cannot be read: {why}")]
    Unreadable {
        /// The item's partition key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Why a write without conditions failed.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The table did not answer in time, or refused for load. Worth a retry.
    #[error("the table did not answer")]
    Unavailable(#[source] BoxError),
    /// What is stored there is not what Recoup writes, so whether the write was made before cannot be told. Not worth
    /// a retry.
    #[error("the item {key} cannot be read: {why}")]
    Unreadable {
        /// The item's partition key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
}

impl From<ReadError> for WriteError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Unavailable(cause) => Self::Unavailable(cause),
            ReadError::Unreadable { key, why } => Self::Unreadable { key, why },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_tells_its_code_and_only_what_names_roles_and_resources() {
        let message = Some("User: arn:aws:sts::1:assumed-role/x is not authorized");
        assert!(refusal(Some("AccessDeniedException"), message).contains("assumed-role/x"));
        assert_eq!(refusal(Some("ValidationException"), Some("Erika Mustermann")), "ValidationException");
        for code in [None, Some("Erika Mustermann"), Some("DE89370400440532013000")] {
            assert_eq!(refusal(code, message), "it was refused without a code");
        }
    }

    #[test]
    fn what_serde_says_is_told_without_the_value() {
        for (said, told) in [
            ("missing field `amount`", "missing field `amount`"),
            ("unknown Status", "unknown Status"),
            ("invalid type: string \"Erika\", expected u64", "invalid type, expected u64"),
            ("unknown variant `DE89`, expected `a` or `b`", "unknown variant, expected `a` or `b`"),
            ("invalid value: string \"a, expected b\", expected a map", "invalid value, expected a map"),
            ("odd: \"Erika\"", "a value cannot be read"),
        ] {
            assert_eq!(without_values(said), told);
        }
    }

    /// As an SDK's error is: its Debug holds what was answered.
    #[derive(Debug, Error)]
    #[error("the answer cannot be parsed")]
    struct Raw {
        body: &'static str,
    }

    #[test]
    fn a_chain_of_causes_tells_each_and_nothing_of_what_they_hold() {
        let raw = Raw { body: "whsec_secret" };
        assert!(format!("{raw:?}").contains(raw.body));
        assert_eq!(
            causes(&ReadError::Unavailable(raw.into())),
            "the table did not answer: the answer cannot be parsed"
        );
    }
}
