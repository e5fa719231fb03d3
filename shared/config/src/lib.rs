//! Typed settings, read at cold start, and the AWS clients, built then.
//!
//! An error names what is missing, and nothing falls back to a fake. `aws-config` and its credential chain are absent
//! on purpose: Lambda passes the region and credentials in the environment.

mod clients;
mod connector;
mod surroundings;

use std::ffi::OsString;

use thiserror::Error;

pub use clients::Aws;
pub use surroundings::{jitter_permille, now, random};

/// An environment variable that is absent or cannot be used; its value is never printed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{name} {why}")]
pub struct ConfigError {
    name: &'static str,
    why: &'static str,
}

/// The environment variables.
pub struct Settings {
    read: fn(&'static str) -> Option<OsString>,
}

impl Settings {
    /// The environment of this process.
    pub fn from_environment() -> Self {
        Self { read: |name| std::env::var_os(name) }
    }

    /// A text that must be there.
    pub fn required(&self, name: &'static str) -> Result<String, ConfigError> {
        self.optional(name)?.ok_or(ConfigError { name, why: "is not set" })
    }

    /// A text that may be absent; an empty one counts as absent.
    pub fn optional(&self, name: &'static str) -> Result<Option<String>, ConfigError> {
        let Some(value) = (self.read)(name) else { return Ok(None) };
        let text = value.into_string().map_err(|_| ConfigError { name, why: "is not UTF-8" })?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// `true` or `false`; absent is false.
    pub fn flag(&self, name: &'static str) -> Result<bool, ConfigError> {
        match self.optional(name)?.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(ConfigError { name, why: "must be true or false" }),
        }
    }

    /// A text that must be there, read with `parse`.
    pub fn parsed<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(String) -> Option<T>,
    ) -> Result<T, ConfigError> {
        parse(self.required(name)?).ok_or(ConfigError { name, why: "has a value that cannot be used" })
    }

    /// A text that may be absent, read with `parse` where it is there.
    pub fn parsed_if_set<T>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(text) = self.optional(name)? else { return Ok(None) };
        parse(&text).map(Some).ok_or(ConfigError { name, why: "has a value that cannot be used" })
    }
}
