//! What one run looks at, as the schedule or a person asks for it.

use std::time::Duration;

use recoup_domain::ids::{AccountId, Environment, Tenant};
use recoup_domain::time::Timestamp;
use serde::Deserialize;
use thiserror::Error;

/// Most days that a run looks back: events are kept for thirty, and none of those that are compared may be gone.
pub const DAYS_MAX: u16 = 29;
/// What is younger is not judged: its job or its webhook may still be in a queue.
pub const OLDER_THAN_SECONDS: u64 = 3_600;

/// Most payments of an account that one run audits.
pub const AUDITED_MAX: u32 = 100_000;

/// A payload that asks for nothing this function does.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BadScope {
    /// It cannot be read.
    #[error("the payload cannot be read: {0}")]
    Unreadable(String),
    /// A number of days that is none.
    #[error("days must be 1 to {DAYS_MAX}, and ask_processors_days 0 to {DAYS_MAX}")]
    Days,
    /// An age that is none.
    #[error("older_than_seconds must be at most 86400")]
    Age,
    /// More payments than a run may audit.
    #[error("audit_payments must be at most {AUDITED_MAX}")]
    Payments,
    /// Half a name of an account.
    #[error("account_id and environment come together, and name an account")]
    Account,
}

/// What one run looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// When the run began.
    pub started: Timestamp,
    /// Refunds made before this are not looked at.
    pub from: Timestamp,
    /// What happened after this is not judged yet.
    pub until: Timestamp,
    /// Processors are not asked about refunds that ended before this; but the sandbox, which costs nothing, always is.
    pub ask_from: Timestamp,
    /// Of each account, so many payments are audited, from where the last audit ended.
    pub audit_payments: u32,
    /// One account's books instead of all.
    pub only: Option<Tenant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Payload {
    days: u16,
    older_than_seconds: u64,
    ask_processors_days: u16,
    audit_payments: u32,
    account_id: Option<String>,
    environment: Option<String>,
}

impl Default for Payload {
    fn default() -> Self {
        Self {
            days: 2,
            older_than_seconds: OLDER_THAN_SECONDS,
            ask_processors_days: 0,
            audit_payments: 0,
            account_id: None,
            environment: None,
        }
    }
}

impl Scope {
    /// Reads `{"days", "older_than_seconds", "ask_processors_days", "audit_payments", "account_id", "environment"}`, all
    /// optional.
    pub fn parse(payload: serde_json::Value, started: Timestamp) -> Result<Self, BadScope> {
        let payload: Payload =
            serde_json::from_value(payload).map_err(|error| BadScope::Unreadable(error.to_string()))?;
        if !(1..=DAYS_MAX).contains(&payload.days) || payload.ask_processors_days > DAYS_MAX {
            return Err(BadScope::Days);
        }
        if payload.older_than_seconds > 86_400 {
            return Err(BadScope::Age);
        }
        if payload.audit_payments > AUDITED_MAX {
            return Err(BadScope::Payments);
        }
        let only = match (payload.account_id, payload.environment) {
            (None, None) => None,
            (Some(account), Some(environment)) => {
                let account = AccountId::try_from(account.as_str()).map_err(|_| BadScope::Account)?;
                let environment = Environment::parse(&environment).ok_or(BadScope::Account)?;
                Some(Tenant { environment, account })
            }
            (Some(_), None) | (None, Some(_)) => return Err(BadScope::Account),
        };
        Ok(Self {
            started,
            from: started.minus(days(payload.days)),
            until: started.minus(Duration::from_secs(payload.older_than_seconds)),
            ask_from: started.minus(days(payload.ask_processors_days)),
            audit_payments: payload.audit_payments,
            only,
        })
    }
}

fn days(count: u16) -> Duration {
    Duration::from_hours(u64::from(count).saturating_mul(24))
}
