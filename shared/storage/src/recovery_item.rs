//! The parts of a refund that are taken from its actors, as stored in the refund's item.

use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::recovery::{Part, PartState};
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;
use recoup_ports::BoxError;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

pub(crate) const RECOVERY: &str = "recovery";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PartStatus {
    Open,
    Taken,
    Refused,
}

/// A part, as stored.
#[skip_serializing_none]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RecoveryItem {
    position: usize,
    status: PartStatus,
    refusals: Option<u32>,
    asked_at: Option<Timestamp>,
    reference: Option<Text<255>>,
}

impl From<&Part> for RecoveryItem {
    fn from(part: &Part) -> Self {
        let item = |status| Self {
            position: part.position,
            status,
            refusals: None,
            asked_at: None,
            reference: None,
        };
        match &part.state {
            PartState::Open { refusals, asked_at } => {
                let refusals = (*refusals > 0).then_some(*refusals);
                Self { refusals, asked_at: *asked_at, ..item(PartStatus::Open) }
            }
            PartState::Taken { reference } => {
                Self { reference: Some(reference.clone()), ..item(PartStatus::Taken) }
            }
            PartState::Refused => item(PartStatus::Refused),
        }
    }
}

impl RecoveryItem {
    pub(crate) fn read(self) -> Result<Part, &'static str> {
        let state = match self.status {
            PartStatus::Open => {
                PartState::Open { refusals: self.refusals.unwrap_or(0), asked_at: self.asked_at }
            }
            PartStatus::Taken => PartState::Taken {
                reference: self.reference.ok_or("a part that was taken has no reference")?,
            },
            PartStatus::Refused => PartState::Refused,
        };
        Ok(Part { position: self.position, state })
    }
}

/// The attribute that holds the parts.
pub(crate) fn to_attribute(parts: &[Part]) -> Result<AttributeValue, BoxError> {
    let parts: Vec<RecoveryItem> = parts.iter().map(RecoveryItem::from).collect();
    Ok(serde_dynamo::to_attribute_value(parts)?)
}
