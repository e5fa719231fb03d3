//! What is said between us and the processors, as pure values: no connection, no clock.
//!
//! [`stripe`], [`adapter`] and [`sandbox`] hold one processor's words each; here each question is put to the one that it
//! is about. Whatever is unclear is `Outcome::Unknown`: a guess here would move money twice or lose it.

use recoup_domain::ids::{ActorId, Environment};
use recoup_domain::money::{Currency, Money};
use recoup_domain::payment::{Processor, ProcessorName};
use recoup_domain::recovery::Shape;
use recoup_domain::refund::{Failure, FailureCode, Said};
use recoup_domain::split::{Actor, Split};
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;
use recoup_ports::processor_keys::{Access, ProcessorKeys};
use thiserror::Error;

use self::adapter::AdapterAccess;
use self::notification::{Message, Refused, Told};
use self::stripe::StripeAccess;

pub mod adapter;
pub mod notification;
pub mod sandbox;
mod secret;
pub mod stripe;

/// Why a payment's reference is not taken.
#[derive(Clone, Copy, Debug)]
pub enum BadReference {
    /// This processor's payments have to name one.
    Missing,
    /// No refund could ever be made of it.
    Malformed(&'static str),
}

/// The reference of a payment at this processor, as its registration gives it. What no refund could ever be made of is
/// refused here, and not when the customer waits for the money.
pub fn reference(name: ProcessorName, given: Option<Text<255>>) -> Result<Text<255>, BadReference> {
    match name {
        ProcessorName::Sandbox => Ok(given.unwrap_or_else(|| Text::cut(sandbox::SUCCEED))),
        ProcessorName::Stripe => stripe::reference(given.ok_or(BadReference::Missing)?),
        ProcessorName::Http => given.ok_or(BadReference::Missing),
    }
}

/// What a processor cannot give back, in a sentence for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Cannot {
    /// Nothing in this currency.
    #[error("The processor, {}, makes no refunds in {}.", processor.as_str(), currency.code())]
    Currency {
        /// Who.
        processor: ProcessorName,
        /// The currency.
        currency: Currency,
    },
    /// An amount that is no multiple of this one.
    #[error(
        "The processor, {}, refunds {} only in multiples of {}.",
        processor.as_str(), of.currency().code(), of.decimal()
    )]
    Amount {
        /// Who.
        processor: ProcessorName,
        /// The least amount, of which every other is a multiple.
        of: Money,
    },
}

/// Whether this processor could ever give this amount back. Asked before a promise is made, since a refund that can only
/// fail is worse than a refusal.
pub fn takes(name: ProcessorName, amount: Money) -> Result<(), Cannot> {
    match name {
        ProcessorName::Stripe => stripe::takes(amount),
        // An adapter's currencies are the team's own.
        ProcessorName::Sandbox | ProcessorName::Http => Ok(()),
    }
}

/// How a payment's processor can carry this split out; `None` where it cannot.
pub fn shape(processor: &Processor, split: &Split, transfers: &[(ActorId, Text<255>)]) -> Option<Shape> {
    let has_transfer = |actor: &Actor| match actor {
        Actor::Platform => false,
        Actor::Merchant(id) => transfers.iter().any(|(to, _)| to == id),
    };
    match processor.name {
        ProcessorName::Sandbox if processor.reference.as_str() == sandbox::ACTOR_SHORT => Some(Shape::Apart),
        ProcessorName::Sandbox => Some(Shape::WithRefund),
        ProcessorName::Stripe => stripe::shape(processor, split, has_transfer),
        // It is told who gives what, and tells who has given it.
        ProcessorName::Http => Some(Shape::Apart),
    }
}

/// What a message from this processor says, once one of the account's own secrets is known to have signed it; `None`
/// where it is about nothing of ours.
pub async fn notification<K: ProcessorKeys>(
    name: ProcessorName,
    keys: &K,
    message: Message<'_>,
    now: Timestamp,
) -> Result<Option<Told>, Refused> {
    match name {
        ProcessorName::Sandbox => Err(Refused::SendsNone),
        ProcessorName::Stripe => stripe::notification(keys, message, now).await,
        ProcessorName::Http => {
            Ok(adapter::notification(keys, message, now).await?.map(|refund| Told::Refund(Box::new(refund))))
        }
    }
}

/// Whether an account's secret opens this processor in this environment. An error says what is wrong with the secret,
/// and repeats nothing of it.
pub fn check_keys(name: ProcessorName, environment: Environment, secret: &str) -> Result<(), &'static str> {
    match name {
        ProcessorName::Sandbox => Err("the sandbox takes no keys"),
        ProcessorName::Stripe if StripeAccess::parse(secret)?.key.environment() != environment => {
            Err("key belongs to the other environment")
        }
        ProcessorName::Stripe => Ok(()),
        ProcessorName::Http => AdapterAccess::parse(secret).map(drop),
    }
}

/// A failure in a sentence of ours: a processor's own words may hold anything, and stand beside it.
fn failure(code: FailureCode, message: &'static str) -> Failure {
    Failure { code, message: Text::cut(message), said: Said::default() }
}
