//! Events: one for each change of a refund, and one for each endpoint that was switched off.

use crate::by::By;
use crate::endpoint::DisabledReason;
use crate::ids::{EndpointId, EventId, RefundId, Tenant};
use crate::or_abort::OrAbort;
use crate::payment::fact;
use crate::refund::{Change, Refund, State, Status, Version};
use crate::time::Timestamp;

fact!(
    /// The type of an event.
    EventType {
        /// A refund was created.
        Initiated = "refund.initiated",
        /// The refund is with the processor.
        Processing = "refund.processing",
        /// The refund succeeded.
        Succeeded = "refund.succeeded",
        /// The refund failed.
        Failed = "refund.failed",
        /// The refund was cancelled.
        Cancelled = "refund.cancelled",
        /// Something else about the refund changed, such as its metadata.
        Updated = "refund.updated",
        /// Another endpoint of the account was switched off because its deliveries failed.
        EndpointDisabled = "endpoint.disabled",
        /// A sample that its owner requested; sent to one endpoint and never stored.
        EndpointTest = "endpoint.test"
    }
);

impl EventType {
    /// Whether a change that left a refund in this status may be announced so.
    pub fn fits(self, status: Status) -> bool {
        self == Self::Updated || self == Self::of_change(None, status)
    }

    /// The type for a change: the refund's new status, or `updated` where the status stayed.
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
    /// A refund, as it was when the event happened.
    Refund {
        /// The refund.
        id: RefundId,
        /// The refund's version at that moment.
        version: Version,
    },
    /// An endpoint that was switched off. Its URL is left out, since it may hold a token.
    Endpoint {
        /// The endpoint.
        id: EndpointId,
        /// Why it was switched off.
        reason: DisabledReason,
        /// When it was switched off.
        disabled_at: Timestamp,
    },
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The tenant.
    pub tenant: Tenant,
    /// The event's id, derived from what happened: the same however often it is announced.
    pub id: EventId,
    /// The event's type.
    pub r#type: EventType,
    /// The refund or endpoint that the event is about.
    pub subject: Subject,
    /// Who made it happen; unknown where an earlier version wrote it.
    pub by: Option<By>,
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
            by: refund.changed_by(version.sequence),
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
            by: Some(By::recoup()),
        }
    }

    /// When it happened.
    pub fn at(&self) -> Timestamp {
        match &self.subject {
            Subject::Refund { version, .. } => version.updated_at,
            Subject::Endpoint { disabled_at, .. } => *disabled_at,
        }
    }

    /// The status that it tells of, if it is about a refund.
    pub fn refund_status(&self) -> Option<Status> {
        match &self.subject {
            Subject::Refund { version, .. } => Some(version.state.status()),
            Subject::Endpoint { .. } => None,
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
        // A flag and what it is about are no part of a version, and the same version is told in the same words.
        let verdict = self.verdict.clone().filter(|verdict| verdict.at <= version.updated_at);
        Self { version: version.clone(), flag: None, processor_amount: None, verdict, ..self.clone() }
    }

    /// Every change that the refund still records, oldest first, each with its number.
    fn changes(&self) -> impl DoubleEndedIterator<Item = (u32, Change)> {
        let kept = u32::try_from(self.history.len()).or_abort("a history is bounded");
        let numbers = self.version.sequence.saturating_sub(kept).saturating_add(1)..=self.version.sequence;
        let later: Vec<_> = numbers.zip(self.history.iter().cloned()).collect();
        let (at, state, by) = (self.created_at, Some(self.first.clone()), self.created_by.clone());
        [(1, Change { at, state, by })].into_iter().chain(later)
    }

    /// Who made the change of this number, as far as it is known.
    fn changed_by(&self, sequence: u32) -> Option<By> {
        self.changes().find(|(number, _)| *number == sequence)?.1.by
    }

    /// The ids of the refund's events, newest first: those of the last [`Refund::CHANGES_KEPT`] changes and of its
    /// creation.
    pub fn event_ids(&self) -> impl Iterator<Item = EventId> {
        let ids = self.changes().rev();
        ids.map(|(sequence, change)| EventId::of_change(&self.tenant, &self.id, sequence, change.at))
    }

    /// Whether the refund's own history says what an event says: at that time, a change to that state, made by the same.
    /// Metadata are not compared, since no history keeps them.
    ///
    /// Where that change's state was not kept, a state is believed that holds the amount, or that the refund is known to
    /// have been in: nobody is told of an end that never was.
    pub fn bears_out(&self, event: &Event) -> bool {
        let Subject::Refund { id, version } = &event.subject else { return false };
        let named = EventId::of_change(&self.tenant, &self.id, version.sequence, version.updated_at);
        if *id != self.id || event.tenant != self.tenant || event.id != named {
            return false;
        }
        let status = version.state.status();
        if !event.r#type.fits(status) {
            return false;
        }
        let changes: Vec<_> = self.changes().collect();
        let was_in = |state: &State| {
            *state == self.version.state || changes.iter().any(|(_, kept)| kept.state.as_ref() == Some(state))
        };
        let is_believable = || status.holds_money() || was_in(&version.state);
        let is_last = version.sequence == self.version.sequence;
        let change = changes.iter().find(|(sequence, _)| *sequence == version.sequence);
        match change.map(|(_, Change { at, state, by })| (*at, state, by)) {
            Some((at, ..)) if at != version.updated_at => false,
            // Earlier versions kept neither, and one of them may have written either.
            Some((.., Some(by))) if event.by.as_ref().is_some_and(|told| told != by) => false,
            Some((_, Some(kept), _)) => *kept == version.state,
            Some((_, None, _)) if is_last => version.state == self.version.state,
            Some((_, None, _)) => is_believable(),
            // Changes before the kept ones are forgotten; there are none after them.
            None => version.sequence < self.version.sequence && is_believable(),
        }
    }

    /// The event of one of the refund's changes, rebuilt from the refund's own history. The metadata are the current
    /// ones. `None` if the state of that change was not kept.
    pub fn event(&self, id: &EventId) -> Option<Event> {
        let (mut before, mut paid) = (None, false);
        for (sequence, Change { at, state, by: _ }) in self.changes() {
            let follows = before.take().filter(|(last, _)| sequence.checked_sub(1) == Some(*last));
            let previous = follows.and_then(|(_, state): (u32, Option<State>)| state);
            paid |= state == Some(State::Succeeded);
            if EventId::of_change(&self.tenant, &self.id, sequence, at) == *id {
                let version = Version {
                    sequence,
                    state: state?,
                    processor_reference: self.version.processor_reference.clone().filter(|_| paid),
                    bank_reference: self.version.bank_reference.clone().filter(|_| paid),
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
