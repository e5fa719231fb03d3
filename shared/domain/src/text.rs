//! The merchant's own words: bounded, and otherwise left alone.

use std::collections::BTreeMap;

use thiserror::Error;

/// A text of 1 to `MAX` characters (Unicode scalar values).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<const MAX: usize>(String);

/// A text that is empty or too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must have 1 to {max} characters")]
pub struct TextError {
    max: usize,
}

impl<const MAX: usize> Text<MAX> {
    /// Takes a text within the bound.
    pub fn new(text: String) -> Result<Self, TextError> {
        let fits = !text.is_empty() && text.chars().nth(MAX).is_none();
        if fits { Ok(Self(text)) } else { Err(TextError { max: MAX }) }
    }

    /// As much of a sentence of our own as fits; a dash in place of none.
    pub fn cut(text: &str) -> Self {
        // Receivers' databases choke on NUL.
        let fitting: String = text.chars().filter(|character| *character != '\0').take(MAX).collect();
        if fitting.is_empty() { Self("-".to_owned()) } else { Self(fitting) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The caller's own key-value pairs, kept and returned, never read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(BTreeMap<String, String>);

/// Pairs beyond the bounds of [`Metadata`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MetadataError {
    /// More than 50 keys.
    #[error("must have at most 50 keys")]
    TooMany,
    /// A key is empty or too long.
    #[error("must have keys of 1 to 40 characters")]
    Key,
    /// A value is too long.
    #[error("must have values of at most 500 characters")]
    Value,
}

impl Metadata {
    /// Most pairs.
    pub const KEYS_MAX: usize = 50;
    /// Most characters in a key.
    pub const KEY_MAX: usize = 40;
    /// Most characters in a value.
    pub const VALUE_MAX: usize = 500;

    /// Takes pairs within the bounds.
    pub fn new(pairs: BTreeMap<String, String>) -> Result<Self, MetadataError> {
        if pairs.len() > Self::KEYS_MAX {
            return Err(MetadataError::TooMany);
        }
        for (key, value) in &pairs {
            if key.is_empty() || key.chars().nth(Self::KEY_MAX).is_some() {
                return Err(MetadataError::Key);
            }
            if value.chars().nth(Self::VALUE_MAX).is_some() {
                return Err(MetadataError::Value);
            }
        }
        Ok(Self(pairs))
    }

    /// The pairs, sorted by key.
    pub fn pairs(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

/// Where a refund's changes are announced: an https URL that was checked at the door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetUrl(String);

impl TargetUrl {
    /// Most characters in a URL.
    pub const MAX: usize = 2048;

    /// Takes a URL that the door has checked (scheme, host, port, no credentials).
    pub fn checked(url: String) -> Self {
        Self(url)
    }

    /// The URL; it may hold a token, so it is never logged.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_cut_by_characters_without_nul_and_never_empty() {
        assert_eq!(Text::<3>::cut("äöüß").as_str(), "äöü");
        assert_eq!(Text::<3>::cut("ab"), Text::new("ab".to_owned()).unwrap());
        assert_eq!(Text::<3>::cut("").as_str(), "-");
        assert_eq!(Text::<3>::cut("a\0b").as_str(), "ab");
    }
}
