//! What `process-refund` is asked directly, by functions that may open no key at a processor: it is invoked, and its
//! answer awaited.

use recoup_domain::ids::Tenant;
use recoup_domain::payment::ProcessorName;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::BoxError;
use crate::charges::ChargeQuestion;

/// A direct question. Its one field names its kind; a batch of messages has no such field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DirectRequest {
    /// Whether an account's key works. Answered with [`KeysChecked`].
    CheckProcessor(KeysCheck),
    /// A charge. Answered with [`crate::charges::ChargeRead`].
    ReadCharge(ChargeQuestion),
}

/// Whose key at which processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysCheck {
    /// The tenant.
    #[serde(flatten)]
    pub tenant: Tenant,
    /// The processor.
    pub processor: ProcessorName,
}

/// What came of trying a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeysChecked {
    /// The processor accepts it, for reading refunds. Whether it may make one is seen when one is made.
    Works,
    /// The account has none.
    Missing,
    /// It belongs to the other environment, or the processor does not accept it.
    Refused,
    /// What is stored cannot be read now, or is no key.
    Unreadable,
    /// The processor did not answer, or not clearly.
    Unclear,
}

/// `process-refund` did not answer.
#[derive(Debug, Error)]
#[error("process-refund did not answer")]
pub struct CheckKeysError(#[source] pub BoxError);

/// Has keys tried.
pub trait CheckKeys {
    /// Tries one account's key at one processor. Moves no money.
    fn check_keys(
        &self,
        check: &KeysCheck,
    ) -> impl Future<Output = Result<KeysChecked, CheckKeysError>> + Send;
}
