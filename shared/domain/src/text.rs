//! The caller's own texts: bounded, and otherwise left alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::text_form::text_form;

/// A text of 1 to `MAX` characters (Unicode scalar values).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<const MAX: usize>(String);

/// A text that is empty or too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("must have 1 to {max} characters")]
pub struct TextError {
    max: usize,
}

text_form!([const MAX: usize] Text<MAX>, this => this.as_str(), text => Self::new(text));

impl<const MAX: usize> Text<MAX> {
    /// A text, if it is within the bound.
    pub fn new(text: String) -> Result<Self, TextError> {
        let fits = !text.is_empty() && text.chars().nth(MAX).is_none();
        if fits { Ok(Self(text)) } else { Err(TextError { max: MAX }) }
    }

    /// As much of a text of our own as fits; a dash in place of an empty text.
    pub fn cut(text: &str) -> Self {
        // Receivers' databases choke on NUL.
        let fitting: String = text.chars().filter(|character| *character != '\0').take(MAX).collect();
        if fitting.is_empty() { Self("-".to_owned()) } else { Self(fitting) }
    }

    /// As much of somebody else's text as fits and is safe to show: nothing that a terminal or a page would obey, and no
    /// number as long as a card's or an account's. Nothing, if nothing is left.
    pub fn cleaned(text: &str) -> Option<Self> {
        let obeyed = |character: &char| {
            character.is_control()
                || matches!(*character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        };
        let harmless: String = text.chars().map(|one| if obeyed(&one) { ' ' } else { one }).collect();
        let fitting: String = without_long_numbers(&harmless).trim().chars().take(MAX).collect();
        Self::new(fitting.trim_end().to_owned()).ok()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Fewest digits of a number that is left out, be they in groups.
const LONG_NUMBER: usize = 12;

fn without_long_numbers(text: &str) -> String {
    let (mut kept, mut run) = (String::with_capacity(text.len()), String::new());
    let flush = |run: &mut String, kept: &mut String| {
        let digits = run.chars().filter(char::is_ascii_digit).count();
        let tail = run.trim_end_matches(|last: char| last.is_ascii_digit()).len();
        if digits < LONG_NUMBER {
            kept.push_str(run);
        } else {
            kept.push_str("(number)");
            // What separates the groups may also end the number.
            kept.push_str(if tail == run.len() { " " } else { "" });
        }
        run.clear();
    };
    for one in text.chars() {
        let separates = matches!(one, ' ' | '-') && run.ends_with(|last: char| last.is_ascii_digit());
        if one.is_ascii_digit() || separates {
            run.push(one);
        } else {
            flush(&mut run, &mut kept);
            kept.push(one);
        }
    }
    flush(&mut run, &mut kept);
    kept
}

/// The caller's own key-value pairs: kept and returned, never interpreted. Stored pairs are read whatever their size.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
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
    /// All keys and values together are too large.
    #[error("must have at most 32768 bytes of keys and values together, in UTF-8")]
    TooLarge,
}

impl Metadata {
    /// Most pairs.
    pub const KEYS_MAX: usize = 50;
    /// Most characters in a key.
    pub const KEY_MAX: usize = 40;
    /// Most characters in a value.
    pub const VALUE_MAX: usize = 500;
    /// Most bytes of all keys and values together, in UTF-8: the largest pairs fit as long as they are plain ASCII.
    pub const BYTES_MAX: usize = 32_768;

    /// The pairs, if they are within the bounds.
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
        let metadata = Self(pairs);
        if metadata.bytes() > Self::BYTES_MAX { Err(MetadataError::TooLarge) } else { Ok(metadata) }
    }

    /// Pairs that were accepted before, perhaps under wider bounds.
    pub fn stored(pairs: BTreeMap<String, String>) -> Self {
        Self(pairs)
    }

    /// Replaces these pairs. Where these exceed today's size, smaller ones are accepted even if they exceed it, too.
    pub fn changed_to(&self, pairs: BTreeMap<String, String>) -> Result<Self, MetadataError> {
        let next = Self::stored(pairs.clone());
        match Self::new(pairs) {
            Err(MetadataError::TooLarge) if next.bytes() < self.bytes() => Ok(next),
            taken => taken,
        }
    }

    /// How large they are: all keys and values, in UTF-8.
    pub fn bytes(&self) -> usize {
        self.0.iter().flat_map(|(key, value)| [key.len(), value.len()]).sum()
    }

    /// The pairs, sorted by key.
    pub fn pairs(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

/// The https URL where a refund's changes are announced, checked when the request was parsed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TargetUrl(String);

impl TargetUrl {
    /// Most characters in a URL.
    pub const MAX: usize = 2048;

    /// A URL as it is. Scheme, host, port and the absence of credentials were checked when the request was parsed.
    pub fn unchecked(url: String) -> Self {
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

    fn pairs(count: usize, value: &str) -> BTreeMap<String, String> {
        (0..count).map(|number| (format!("{number:040}"), value.repeat(500))).collect()
    }

    #[test]
    fn fifty_plain_pairs_fit_and_no_more_bytes_than_the_bound() {
        assert!(Metadata::new(pairs(50, "x")).is_ok());
        assert_eq!(Metadata::new(pairs(50, "ä")), Err(MetadataError::TooLarge));
        let mut full = pairs(31, "ä");
        full.insert("r".repeat(40), "x".repeat(Metadata::BYTES_MAX - 31 * 1_040 - 40));
        assert_eq!(Metadata::new(full.clone()).map(|metadata| metadata.bytes()), Ok(Metadata::BYTES_MAX));
        full.insert("r".repeat(40), "x".repeat(Metadata::BYTES_MAX - 31 * 1_040 - 39));
        assert_eq!(Metadata::new(full), Err(MetadataError::TooLarge));
    }

    #[test]
    fn what_is_stored_above_the_bound_can_become_less_and_not_more() {
        let stored = Metadata::stored(pairs(45, "€"));
        assert!(stored.changed_to(pairs(40, "€")).is_ok(), "still above the bound, but less");
        assert_eq!(stored.changed_to(pairs(45, "€")), Err(MetadataError::TooLarge));
        assert_eq!(stored.changed_to(pairs(46, "€")), Err(MetadataError::TooLarge));
        assert_eq!(stored.changed_to(pairs(51, "")), Err(MetadataError::TooMany));
    }

    #[test]
    fn a_sentence_is_cut_by_characters_without_nul_and_never_empty() {
        assert_eq!(Text::<3>::cut("äöüß").as_str(), "äöü");
        assert_eq!(Text::<3>::cut("ab"), Text::new("ab".to_owned()).unwrap());
        assert_eq!(Text::<3>::cut("").as_str(), "-");
        assert_eq!(Text::<3>::cut("a\0b").as_str(), "ab");
    }
}
