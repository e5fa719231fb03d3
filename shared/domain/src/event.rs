//! What is announced: one event for each change of a refund, and for an endpoint that was switched off.

use crate::endpoint::DisabledReason;
use crate::ids::{EndpointId, EventId, RefundId, Tenant};
use crate::or_abort::OrAbort;
use crate::payment::fact;
use crate::refund::{Refund, State, Status, Version};
use crate::time::Timestamp;

fact!(
    /// What an event tells.
    EventType {
        /// A refund was made.
        Initiated = "refund.initiated",
        /// It is with the processor.
        Processing = "refund.processing",
        /// The money went back.
        Succeeded = "refund.succeeded",
        /// It did not.
        Failed = "refund.failed",
        /// It was withdrawn.
        Cancelled = "refund.cancelled",
        /// Something else about it changed, such as its metadata.
        Updated = "refund.updated",
        /// Another endpoint of the account was switched off because it failed.
        EndpointDisabled = "endpoint.disabled",
        /// A sample that was asked for; sent to one endpoint, and never kept.
        EndpointTest = "endpoint.test"
    }
);

impl EventType {
    /// What a change tells: the status a refund has come to, or `updated` where that stayed.
    fn of_change(before: Option<Status>, status: Status) -> Self {
        if before == Some(status) {
            return Self::Updated;
        }
        match status {
            Status::Initiated => Self::Initiated,
            Status::Processing => Self::Processing,
            Status::Succeeded => Self::Succeeded,
            Status::Failed => Self::Failed,
            Status::Cancelled => Self::Cancelled,
        }
    }
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A refund, as it was then.
    Refund {
        /// Which.
        id: RefundId,
        /// As it was.
        version: Version,
    },
    /// An endpoint that was switched off. Its URL is not told: it may hold a token.
    Endpoint {
        /// Which.
        id: EndpointId,
        /// Why.
        reason: DisabledReason,
        /// When.
        disabled_at: Timestamp,
    },
}

/// One announcement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whose.
    pub tenant: Tenant,
    /// Its id, derived from what happened: the same however often it is announced.
    pub id: EventId,
    /// What it tells.
    pub r#type: EventType,
    /// What it is about.
    pub subject: Subject,
}

impl Event {
    /// Days for which an event can be read.
    pub const DAYS_KEPT: u64 = 30;

    /// The event of a refund's last change.
    pub fn of_change(before: Option<&Refund>, refund: &Refund) -> Self {
        let before = before.map(|before| before.version.state.status());
        Self::of_version(refund, before, refund.version.clone())
    }

    fn of_version(refund: &Refund, before: Option<Status>, version: Version) -> Self {
        Self {
            tenant: refund.tenant.clone(),
            id: EventId::of_change(&refund.tenant, &refund.id, version.sequence, version.updated_at),
            r#type: EventType::of_change(before, version.state.status()),
            subject: Subject::Refund { id: refund.id.clone(), version },
        }
    }

    /// The event of an endpoint that was switched off.
    pub fn of_disabled(
        tenant: &Tenant,
        id: &EndpointId,
        reason: DisabledReason,
        disabled_at: Timestamp,
    ) -> Self {
        Self {
            tenant: tenant.clone(),
            id: EventId::of_disabled(tenant, id, disabled_at),
            r#type: EventType::EndpointDisabled,
            subject: Subject::Endpoint { id: id.clone(), reason, disabled_at },
        }
    }

    /// When it happened.
    pub fn at(&self) -> Timestamp {
        match &self.subject {
            Subject::Refund { version, .. } => version.updated_at,
            Subject::Endpoint { disabled_at, .. } => *disabled_at,
        }
    }

    /// The refund it is about, if it is about one.
    pub fn refund(&self) -> Option<&RefundId> {
        match &self.subject {
            Subject::Refund { id, .. } => Some(id),
            Subject::Endpoint { .. } => None,
        }
    }
}

impl Refund {
    /// The refund as it was at a version.
    #[must_use]
    pub fn at(&self, version: &Version) -> Self {
        Self { version: version.clone(), ..self.clone() }
    }

    /// Every change that is still known, oldest first: its number, its time and the state it led to.
    fn changes(&self) -> impl DoubleEndedIterator<Item = (u32, Timestamp, Option<State>)> {
        let kept = u32::try_from(self.history.len()).or_abort("a history is bounded");
        let numbers = self.version.sequence.saturating_sub(kept).saturating_add(1)..=self.version.sequence;
        let later =
            numbers.zip(&self.history).map(|(sequence, change)| (sequence, change.at, change.state.clone()));
        [(1, self.created_at, Some(State::Initiated))].into_iter().chain(later.collect::<Vec<_>>())
    }

    /// The ids of its events, newest first, as far back as they are known: the last
    /// [`Refund::CHANGES_KEPT`] changes and the beginning.
    pub fn event_ids(&self) -> impl Iterator<Item = EventId> {
        let ids = self.changes().rev();
        ids.map(|(sequence, at, _)| EventId::of_change(&self.tenant, &self.id, sequence, at))
    }

    /// The event of one of its changes, told from what the refund itself kept. Where the metadata changed since, they
    /// are told as they are now. `None` if the state of that change was not kept.
    pub fn event(&self, id: &EventId) -> Option<Event> {
        let (mut before, mut paid) = (None, false);
        for (sequence, at, state) in self.changes() {
            let follows = before.take().filter(|(last, _)| sequence.checked_sub(1) == Some(*last));
            let previous = follows.and_then(|(_, state): (u32, Option<State>)| state);
            paid |= state == Some(State::Succeeded);
            if EventId::of_change(&self.tenant, &self.id, sequence, at) == *id {
                let version = Version {
                    sequence,
                    state: state?,
                    processor_reference: self.version.processor_reference.clone().filter(|_| paid),
                    metadata: self.version.metadata.clone(),
                    updated_at: at,
                };
                return Some(Event::of_version(self, previous.as_ref().map(State::status), version));
            }
            before = Some((sequence, state));
        }
        None
    }
}
