//! Whoever moves the money.

use recoup_domain::refund::{Outcome, Refund};

/// A processor. Both questions are safe to ask any number of times, and neither fails: no answer is
/// [`Outcome::Unknown`].
pub trait Processor {
    /// Asks for the money to be moved; the refund's id makes a repeat harmless.
    fn refund(&self, refund: &Refund) -> impl Future<Output = Outcome> + Send;
}
