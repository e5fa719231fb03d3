//! A refund's version as stored: the same attributes in the refund's item and in those of its events.

use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::{
    BankReference, BankReferenceKind, Change, Failure, FailureCode, Pending, Said, State, Status, Version,
};
use recoup_domain::text::{Metadata, Text};
use recoup_domain::time::Timestamp;
use recoup_ports::BoxError;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::by_item::ChangedByItem;
use crate::table::Item;

pub(crate) const STATUS: &str = "status";
pub(crate) const SEQUENCE: &str = "sequence";
pub(crate) const UPDATED_AT: &str = "updated_at";
/// Every attribute of a version's state, and every other; a test fails if one is missing.
const OF_STATE: [&str; 7] = [
    STATUS,
    "pending_reason",
    "failure_code",
    "failure_message",
    "failure_processor_code",
    "failure_processor_message",
    "failure_request_id",
];
const OTHERS: [&str; 5] = [SEQUENCE, "processor_reference", "bank_reference", "metadata", UPDATED_AT];

#[skip_serializing_none]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StateItem {
    status: Status,
    pending_reason: Option<Pending>,
    failure_code: Option<FailureCode>,
    failure_message: Option<Text<255>>,
    failure_processor_code: Option<Text<64>>,
    failure_processor_message: Option<Text<500>>,
    failure_request_id: Option<Text<64>>,
}

#[skip_serializing_none]
#[derive(Debug, Serialize, Deserialize)]
struct BankReferenceItem {
    kind: BankReferenceKind,
    value: Option<Text<255>>,
}

#[skip_serializing_none]
#[derive(Debug, Serialize, Deserialize)]
struct VersionItem {
    sequence: u32,
    processor_reference: Option<Text<255>>,
    bank_reference: Option<BankReferenceItem>,
    #[serde(default, skip_serializing_if = "is_empty")]
    metadata: Metadata,
    updated_at: Timestamp,
}

/// A change in a refund's history, as stored.
#[skip_serializing_none]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ChangeItem {
    at: Timestamp,
    state: Option<StateItem>,
    by: Option<ChangedByItem>,
}

fn is_empty(metadata: &Metadata) -> bool {
    metadata.pairs().is_empty()
}

impl From<&State> for StateItem {
    fn from(state: &State) -> Self {
        let failure = state.failure();
        Self {
            status: state.status(),
            pending_reason: state.pending(),
            failure_code: failure.map(|failure| failure.code),
            failure_message: failure.map(|failure| failure.message.clone()),
            failure_processor_code: failure.and_then(|failure| failure.said.code.clone()),
            failure_processor_message: failure.and_then(|failure| failure.said.message.clone()),
            failure_request_id: failure.and_then(|failure| failure.said.request_id.clone()),
        }
    }
}

impl StateItem {
    pub(crate) fn read(self) -> Result<State, &'static str> {
        let failure = self.failure_code.zip(self.failure_message);
        let said = Said {
            code: self.failure_processor_code,
            message: self.failure_processor_message,
            request_id: self.failure_request_id,
        };
        let failure = failure.map(|(code, message)| Failure { code, message, said });
        State::of_parts(self.status, self.pending_reason, failure)
    }
}

impl ChangeItem {
    /// A change of a refund that this processor carries out.
    pub(crate) fn new(Change { at, state, by }: &Change, processor: ProcessorName) -> Self {
        let by = by.as_ref().map(|by| ChangedByItem::new(by, processor));
        Self { at: *at, state: state.as_ref().map(StateItem::from), by }
    }

    pub(crate) fn read(self, processor: ProcessorName) -> Result<Change, &'static str> {
        let state = self.state.map(StateItem::read).transpose()?;
        Ok(Change { at: self.at, state, by: self.by.map(|by| by.read(processor)) })
    }
}

/// The attributes of a version.
pub(crate) fn to_attributes(version: &Version) -> Result<Item, BoxError> {
    let Version { sequence, state, processor_reference, bank_reference, metadata, updated_at } = version;
    let told = bank_reference.as_ref();
    let mut item: Item = serde_dynamo::to_item(StateItem::from(state))?;
    let others: Item = serde_dynamo::to_item(VersionItem {
        sequence: *sequence,
        processor_reference: processor_reference.clone(),
        bank_reference: told
            .map(|BankReference { kind, value }| BankReferenceItem { kind: *kind, value: value.clone() }),
        metadata: metadata.clone(),
        updated_at: *updated_at,
    })?;
    item.extend(others);
    Ok(item)
}

/// Takes a version's attributes out of an item.
pub(crate) fn take_attributes(item: &mut Item) -> Item {
    OF_STATE.iter().chain(&OTHERS).filter_map(|name| item.remove_entry(*name)).collect()
}

/// Reads a version's attributes; the error says what is wrong.
pub(crate) fn from_attributes(mut attributes: Item) -> Result<Version, String> {
    let state: Item = OF_STATE.iter().filter_map(|name| attributes.remove_entry(*name)).collect();
    let state: StateItem = serde_dynamo::from_item(state).map_err(|error| error.to_string())?;
    let item: VersionItem = serde_dynamo::from_item(attributes).map_err(|error| error.to_string())?;
    let VersionItem { sequence, processor_reference, bank_reference, metadata, updated_at } = item;
    let bank_reference =
        bank_reference.map(|BankReferenceItem { kind, value }| BankReference { kind, value });
    Ok(Version { sequence, state: state.read()?, processor_reference, bank_reference, metadata, updated_at })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_attribute_of_a_version_is_known_by_name_and_read_back() {
        let said = |text: &str| (Text::cleaned(text), Text::cleaned(text), Text::cleaned(text));
        let (code, message, request_id) = said("told");
        let said = Said { code, message, request_id };
        let failure = Failure { code: FailureCode::Declined, message: Text::cut("No."), said };
        let told = |value: Option<&str>| {
            Some(BankReference { kind: BankReferenceKind::Arn, value: value.map(Text::cut) })
        };
        let metadata = Metadata::new(BTreeMap::from([("k".to_owned(), "v".to_owned())])).unwrap();
        let first =
            Version::first(State::Initiated, metadata, Timestamp::parse("2026-11-22T09:30:00Z").unwrap());
        let with = |state| Version { state, processor_reference: Some(Text::cut("re_1")), ..first.clone() };
        let versions = [
            with(State::Failed(failure)),
            with(State::Processing(Pending::Processor)),
            Version { metadata: Metadata::default(), ..with(State::Succeeded) },
            Version { bank_reference: told(None), ..with(State::Succeeded) },
            Version { bank_reference: told(Some("7454")), ..with(State::Succeeded) },
        ];
        let mut names = Vec::new();
        for version in versions {
            let mut item = to_attributes(&version).unwrap();
            names.extend(item.keys().cloned());
            assert_eq!(from_attributes(take_attributes(&mut item)), Ok(version));
            assert!(item.is_empty());
        }
        names.sort();
        names.dedup();
        let mut known: Vec<&str> = OF_STATE.into_iter().chain(OTHERS).collect();
        known.sort_unstable();
        assert_eq!(names, known);
    }
}
