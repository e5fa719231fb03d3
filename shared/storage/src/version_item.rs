//! A refund's version as stored: the same attributes in the refund's item and in those of its events.

use recoup_domain::refund::{Change, Failure, FailureCode, Pending, State, Status, Version};
use recoup_domain::text::{Metadata, Text};
use recoup_domain::time::Timestamp;
use recoup_ports::BoxError;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::table::Item;

pub(crate) const STATUS: &str = "status";
pub(crate) const SEQUENCE: &str = "sequence";
pub(crate) const UPDATED_AT: &str = "updated_at";
/// Every attribute of a version; a test fails if one is missing.
const ATTRIBUTES: [&str; 8] = [
    STATUS,
    "pending_reason",
    "failure_code",
    "failure_message",
    SEQUENCE,
    "processor_reference",
    "metadata",
    UPDATED_AT,
];

#[skip_serializing_none]
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct StateItem {
    status: Status,
    pending_reason: Option<Pending>,
    failure_code: Option<FailureCode>,
    failure_message: Option<Text<255>>,
}

#[skip_serializing_none]
#[derive(Debug, Serialize, Deserialize)]
struct VersionItem {
    status: Status,
    pending_reason: Option<Pending>,
    failure_code: Option<FailureCode>,
    failure_message: Option<Text<255>>,
    sequence: u32,
    processor_reference: Option<Text<255>>,
    #[serde(default, skip_serializing_if = "is_empty")]
    metadata: Metadata,
    updated_at: Timestamp,
}

/// A change in a refund's history, as stored.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ChangeItem {
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<StateItem>,
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
        }
    }
}

impl StateItem {
    pub(crate) fn read(self) -> Result<State, &'static str> {
        let failure = self.failure_code.zip(self.failure_message);
        let failure = failure.map(|(code, message)| Failure { code, message });
        State::of_parts(self.status, self.pending_reason, failure)
    }
}

impl From<&Change> for ChangeItem {
    fn from(change: &Change) -> Self {
        let Change { at, state } = change;
        Self { at: *at, state: state.as_ref().map(StateItem::from) }
    }
}

impl ChangeItem {
    pub(crate) fn read(self) -> Result<Change, &'static str> {
        Ok(Change { at: self.at, state: self.state.map(StateItem::read).transpose()? })
    }
}

/// The attributes of a version.
pub(crate) fn to_attributes(version: &Version) -> Result<Item, BoxError> {
    let Version { sequence, state, processor_reference, metadata, updated_at } = version;
    let StateItem { status, pending_reason, failure_code, failure_message } = state.into();
    Ok(serde_dynamo::to_item(VersionItem {
        status,
        pending_reason,
        failure_code,
        failure_message,
        sequence: *sequence,
        processor_reference: processor_reference.clone(),
        metadata: metadata.clone(),
        updated_at: *updated_at,
    })?)
}

/// Takes a version's attributes out of an item.
pub(crate) fn take_attributes(item: &mut Item) -> Item {
    ATTRIBUTES.iter().filter_map(|name| item.remove_entry(*name)).collect()
}

/// Reads a version's attributes; the error says what is wrong.
pub(crate) fn from_attributes(attributes: Item) -> Result<Version, String> {
    let item: VersionItem = serde_dynamo::from_item(attributes).map_err(|error| error.to_string())?;
    let VersionItem { status, pending_reason, failure_code, failure_message, .. } = item;
    let state = StateItem { status, pending_reason, failure_code, failure_message }.read()?;
    let VersionItem { sequence, processor_reference, metadata, updated_at, .. } = item;
    Ok(Version { sequence, state, processor_reference, metadata, updated_at })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_attribute_of_a_version_is_known_by_name_and_read_back() {
        let failure = Failure { code: FailureCode::Declined, message: Text::cut("No.") };
        let metadata = Metadata::new(BTreeMap::from([("k".to_owned(), "v".to_owned())])).unwrap();
        let first =
            Version::first(State::Initiated, metadata, Timestamp::parse("2026-11-22T09:30:00Z").unwrap());
        let with = |state| Version { state, processor_reference: Some(Text::cut("re_1")), ..first.clone() };
        let versions = [
            with(State::Failed(failure)),
            with(State::Processing(Pending::Processor)),
            Version { metadata: Metadata::default(), ..with(State::Succeeded) },
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
        let mut known = ATTRIBUTES.map(str::to_owned);
        known.sort();
        assert_eq!(names, known);
    }
}
