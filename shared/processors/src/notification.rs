//! What a processor reports unasked, and how we know that the processor sent it.

use http::HeaderMap;
use recoup_domain::dispute::DisputeWord;
use recoup_domain::enter::Made;
use recoup_domain::ids::{AccountId, Environment, RefundId, Tenant};
use recoup_domain::refund::{Outcome, Refund};
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;
use recoup_ports::processor_keys::{Access, KeysError, ProcessorKeys};
use thiserror::Error;

use crate::stripe::StripeAmount;

/// Seconds that a signature may lie in the past or the future. Within them a message may be replayed; that is
/// harmless, since a repeat changes nothing (`Refund::step`).
pub const TOLERANCE_SECONDS: u64 = 300;

/// Why a notification is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NotGenuine {
    /// A header of the signature is missing or cannot be read.
    #[error("the signature cannot be read")]
    Malformed,
    /// None of the account's secrets made the signature.
    #[error("no secret of the account made the signature")]
    Forged,
    /// It was signed, but not within [`TOLERANCE_SECONDS`].
    #[error("the signature is too old, or the sender's clock is wrong")]
    Stale,
}

/// A body that is no notification at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("unreadable notification: {0}")]
pub struct Unreadable(pub &'static str);

/// Why a message is not taken as a notification.
#[derive(Debug)]
pub enum Refused {
    /// This processor sends none.
    SendsNone,
    /// It is not signed; nothing else of it was read.
    Unsigned,
    /// It is no notification.
    Unreadable(Unreadable),
    /// The keys of the account that it names cannot be read now: the same message may be sent again.
    KeysUnread(Tenant, KeysError),
    /// The account that it names does not exist, or has no such processor.
    NoKeys(Tenant),
    /// No secret of the account that it names made its signature, or not within the tolerance.
    NotGenuine(Tenant, NotGenuine),
}

/// A message as it arrived.
#[derive(Clone, Copy, Debug)]
pub struct Message<'request> {
    /// The text that was signed.
    pub body: &'request str,
    /// Its headers; the signature is among them.
    pub headers: &'request HeaderMap,
    /// The account to whose address it was sent, where that names one.
    pub account: Option<&'request Tenant>,
}

/// A refund that was made at the processor without us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MadeThere {
    /// What it is.
    pub made: Made,
    /// The names of its payment there, any of which may be the registered one.
    pub payments: Vec<Text<255>>,
}

impl<'request> Message<'request> {
    /// One header of its signature.
    pub(crate) fn signature(&self, header: &str) -> Result<&'request str, Refused> {
        let value = self.headers.get(header).and_then(|value| value.to_str().ok());
        value.filter(|value| !value.is_empty()).ok_or(Refused::Unsigned)
    }
}

/// The keys of the account that a message names.
pub(crate) async fn keys_of<A: Access, K: ProcessorKeys>(keys: &K, tenant: &Tenant) -> Result<A, Refused> {
    let access = keys.access(tenant).await.map_err(|error| Refused::KeysUnread(tenant.clone(), error))?;
    access.ok_or_else(|| Refused::NoKeys(tenant.clone()))
}

/// What a processor tells of, unasked; it was signed by whom it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A refund.
    Refund(Box<Notification>),
    /// A dispute of this tenant's.
    Dispute(Tenant, DisputeNotice),
}

impl Told {
    /// Whose it is.
    pub fn tenant(&self) -> &Tenant {
        match self {
            Self::Refund(notification) => &notification.tenant,
            Self::Dispute(tenant, _) => tenant,
        }
    }
}

/// A processor's word on a dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisputeNotice {
    /// The names of its payment there, any of which may be the registered one.
    pub payments: Vec<Text<255>>,
    /// What it says, if that can be told.
    pub word: Option<DisputeWord>,
}

/// A processor's word on a refund; it was signed by whom it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// Whose refund.
    pub tenant: Tenant,
    /// Which one.
    pub refund: RefundId,
    /// What it is where it was made without us.
    pub made: Option<MadeThere>,
    pub(crate) outcome: Outcome,
    pub(crate) amount: Option<StripeAmount>,
}

impl Notification {
    /// The outcome, whatever refund it is about.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// What it means for this refund. [`Outcome::Unknown`] if it is about another refund.
    pub fn outcome_of(&self, refund: &Refund) -> Outcome {
        let same_amount = self.amount.is_none() || self.amount == StripeAmount::of(refund.amount);
        let same =
            self.tenant == refund.tenant && self.refund == refund.id && refund.origin.external().is_none();
        match (&self.outcome, self.amount.as_ref().and_then(StripeAmount::money)) {
            (outcome, _) if same && same_amount => outcome.clone(),
            (Outcome::Succeeded { reference, .. }, Some(amount)) if same => {
                Outcome::Differs { reference: reference.clone(), amount }
            }
            _ => Outcome::Unknown,
        }
    }
}

pub(crate) fn judge_age(signed_at_seconds: u64, now: Timestamp) -> Result<(), NotGenuine> {
    if now.unix_seconds().abs_diff(signed_at_seconds) <= TOLERANCE_SECONDS {
        Ok(())
    } else {
        Err(NotGenuine::Stale)
    }
}

/// Our own names, as the processor hands them back.
pub(crate) fn names(environment: &str, account: &str, refund: &str) -> Option<(Tenant, RefundId)> {
    let environment = Environment::parse(environment)?;
    let account = AccountId::try_from(account).ok()?;
    Some((Tenant { environment, account }, RefundId::try_from(refund).ok()?))
}
