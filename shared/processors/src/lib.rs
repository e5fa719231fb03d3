//! What is said between us and the processors, as pure values: no connection, no clock.
//!
//! [`stripe`] and [`adapter`] hold one processor's words each; [`notification`] is what both may tell us by
//! themselves. Whatever is unclear is `Outcome::Unknown`: a guess here would move money twice or lose it.

use recoup_domain::refund::{Failure, FailureCode};
use recoup_domain::text::Text;

pub mod adapter;
pub mod notification;
pub mod stripe;

/// A failure in a sentence of ours: a processor's own words may hold anything.
fn failure(code: FailureCode, message: &'static str) -> Failure {
    Failure { code, message: Text::cut(message) }
}
