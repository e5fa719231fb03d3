//! Whether payments' terms are those that were sealed.

use recoup_domain::payment::Payment;
use recoup_domain::report::Mismatch;
use recoup_domain::seal::{SealKey, Sealed};
use recoup_ports::causes;
use recoup_ports::seal_keys::SealKeys;
use tokio::sync::OnceCell;

use crate::checks::Discrepancy;

/// The key that seals payments, asked for once in a run, when it is first needed.
pub(crate) struct Seals<'a, K> {
    keys: &'a K,
    asked: OnceCell<Option<SealKey>>,
}

impl<'a, K: SealKeys> Seals<'a, K> {
    pub(crate) fn new(keys: &'a K) -> Self {
        Self { keys, asked: OnceCell::new() }
    }

    /// The key; `None` in the whole run if it could not be read.
    pub(crate) async fn key(&self) -> Option<&SealKey> {
        let ask = async || match self.keys.seal_key().await {
            Ok(key) => Some(key),
            Err(error) => {
                tracing::error!(error = causes(&error), "the terms of payments are not checked in this run");
                None
            }
        };
        self.asked.get_or_init(ask).await.as_ref()
    }
}

/// What is wrong with a payment's seal.
pub(crate) fn terms<'a>(payment: &Payment, key: &SealKey) -> Option<Discrepancy<'a>> {
    let (mismatch, detail) = match payment.seal_under(key) {
        Sealed::Intact => return None,
        Sealed::Broken => (Mismatch::TermsChanged, "its terms or facts are not those that were sealed"),
        Sealed::Absent => {
            (Mismatch::TermsUnsealed, "it has no seal, so whether its terms are as registered is unknown")
        }
    };
    Some(Discrepancy::of_payment(mismatch, &payment.id, detail))
}

/// That terms were not checked.
pub(crate) fn unchecked<'a>() -> Discrepancy<'a> {
    let detail = "the key that seals payments cannot be read, so their terms were not checked";
    Discrepancy::new(Mismatch::TermsUnchecked, None, detail)
}
