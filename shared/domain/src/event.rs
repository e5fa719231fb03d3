//! What is announced: one event for each change of a refund, and for an endpoint that was switched off.

use crate::endpoint::DisabledReason;
use crate::ids::{EndpointId, EventId, RefundId, Tenant};
use crate::payment::fact;
use crate::refund::{Refund, State};
use crate::text::{Metadata, Text};
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
    pub fn of_change(before: Option<&Refund>, refund: &Refund) -> Self {
        if before.is_some_and(|before| before.state.as_str() == refund.state.as_str()) {
            return Self::Updated;
        }
        match refund.state {
            State::Initiated => Self::Initiated,
            State::Processing(_) => Self::Processing,
            State::Succeeded => Self::Succeeded,
            State::Failed(_) => Self::Failed,
            State::Cancelled => Self::Cancelled,
        }
    }
}

/// What can change about a refund, as it was after one change. With the refund itself, whose other facts never
/// change, it shows the refund as it was at that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The number of the change.
    pub sequence: u32,
    /// Where the refund stood.
    pub state: State,
    /// The processor's name for the refund, if it had given one.
    pub processor_reference: Option<Text<255>>,
    /// The caller's pairs.
    pub metadata: Metadata,
    /// When it changed.
    pub updated_at: Timestamp,
}

/// What an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A refund, as it was then.
    Refund {
        /// Which.
        id: RefundId,
        /// As it was.
        moment: Moment,
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
        Self::of_moment(refund, EventType::of_change(before, refund), refund.moment())
    }

    /// The event with which a refund began.
    pub fn of_beginning(refund: &Refund) -> Self {
        Self::of_moment(refund, EventType::Initiated, refund.first_moment())
    }

    fn of_moment(refund: &Refund, r#type: EventType, moment: Moment) -> Self {
        Self {
            tenant: refund.tenant.clone(),
            id: EventId::of_change(&refund.tenant, &refund.id, moment.sequence, moment.updated_at),
            r#type,
            subject: Subject::Refund { id: refund.id.clone(), moment },
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
            Subject::Refund { moment, .. } => moment.updated_at,
            Subject::Endpoint { disabled_at, .. } => *disabled_at,
        }
    }

    /// Whether it tells that a refund was made. The list of refunds tells that, too, so nobody has to record it.
    pub fn is_beginning(&self) -> bool {
        self.r#type == EventType::Initiated
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
    /// What can change about it, as it is now.
    pub fn moment(&self) -> Moment {
        Moment {
            sequence: self.sequence,
            state: self.state.clone(),
            processor_reference: self.processor_reference.clone(),
            metadata: self.notes.metadata.clone(),
            updated_at: self.updated_at,
        }
    }

    /// The same as it was when the refund was made.
    pub fn first_moment(&self) -> Moment {
        Moment {
            sequence: 1,
            state: State::Initiated,
            processor_reference: None,
            metadata: self.first_metadata.clone().unwrap_or_else(|| self.notes.metadata.clone()),
            updated_at: self.created_at,
        }
    }

    /// The refund as it was at a moment.
    #[must_use]
    pub fn at(&self, moment: &Moment) -> Self {
        let mut then = self.clone();
        then.sequence = moment.sequence;
        then.state = moment.state.clone();
        then.processor_reference.clone_from(&moment.processor_reference);
        then.notes.metadata = moment.metadata.clone();
        then.updated_at = moment.updated_at;
        then
    }

    /// The ids of its events, newest first, as far back as they are known: the last
    /// [`Refund::CHANGES_KEPT`] changes and the beginning.
    pub fn event_ids(&self) -> impl Iterator<Item = EventId> {
        let later = self.changed_at.iter().rev().zip((2..=self.sequence).rev());
        let later = later.map(|(at, sequence)| (sequence, *at));
        later
            .chain([(1, self.created_at)])
            .map(|(sequence, at)| EventId::of_change(&self.tenant, &self.id, sequence, at))
    }
}
