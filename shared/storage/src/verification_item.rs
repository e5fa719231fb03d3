//! A payment's verification as attributes of its item.

use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::payment::Payment;
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;
use recoup_domain::verification::{Awaited, Difference, Term, Verification};
use recoup_domain::waiting::Wait;
use recoup_ports::BoxError;
use serde::{Deserialize, Serialize};

use crate::expression::text;
use crate::keys::{DUE_PK, DUE_SK, Key, RESTS, WOKEN_AT, found_in_index};
use crate::refund_item::ASK_AT;

pub(crate) const VERIFICATION: &str = "verification";

/// What the processor said of the terms.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(crate) enum VerificationItem {
    Pending,
    /// Until when is an attribute of its own: `release-due` finds and wakes it there.
    Awaited {
        turn: u32,
    },
    Verified {
        at: Timestamp,
    },
    Failed {
        at: Timestamp,
        term: Term,
        ours: Text<255>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        theirs: Option<Text<255>>,
    },
}

impl From<&Verification> for VerificationItem {
    fn from(verification: &Verification) -> Self {
        match verification.clone() {
            Verification::Pending => Self::Pending,
            Verification::Awaited(Awaited { turn, wait: _ }) => Self::Awaited { turn },
            Verification::Verified(at) => Self::Verified { at },
            Verification::Failed(at, Difference { term, ours, theirs }) => {
                Self::Failed { at, term, ours, theirs }
            }
        }
    }
}

impl VerificationItem {
    pub(crate) fn read(self, wait: Option<Wait>) -> Result<Verification, &'static str> {
        Ok(match self {
            Self::Pending => Verification::Pending,
            Self::Awaited { turn } => {
                let wait = wait.ok_or("a verification is awaited until no moment")?;
                Verification::Awaited(Awaited { turn, wait })
            }
            Self::Verified { at } => Verification::Verified(at),
            Self::Failed { at, term, ours, theirs } => {
                Verification::Failed(at, Difference { term, ours, theirs })
            }
        })
    }
}

/// A payment's verification and until when it is awaited, by attribute; none for what it does not have.
pub(crate) fn verification_attributes(
    payment: &Payment,
) -> Result<[(&'static str, Option<AttributeValue>); 6], BoxError> {
    let verification = payment.verification.as_ref();
    let item = verification.map(|it| serde_dynamo::to_attribute_value(VerificationItem::from(it)));
    let wait = verification.and_then(awaited).map(|awaited| awaited.wait);
    let key = Key::payment(&payment.tenant, &payment.id);
    let (shard, place) = wait.map(|wait| found_in_index(wait.found_at(), &key)).unzip();
    let woken_at = wait.and_then(|wait| wait.woken_at);
    Ok([
        (VERIFICATION, item.transpose()?),
        (ASK_AT, wait.map(|wait| text(wait.at.rfc3339()))),
        (RESTS, wait.filter(|wait| wait.rests).map(|_| AttributeValue::Bool(true))),
        (WOKEN_AT, woken_at.map(|at| text(at.rfc3339()))),
        (DUE_PK, shard.map(text)),
        (DUE_SK, place.map(text)),
    ])
}

fn awaited(verification: &Verification) -> Option<&Awaited> {
    match verification {
        Verification::Awaited(awaited) => Some(awaited),
        Verification::Pending | Verification::Verified(_) | Verification::Failed(..) => None,
    }
}
