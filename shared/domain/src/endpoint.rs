//! Webhook endpoints: where an account receives events, and which ones.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::event::EventType;
use crate::ids::{EndpointId, Tenant};
use crate::or_abort::OrAbort;
use crate::payment::fact;
use crate::sealed::StoredSecrets;
use crate::text::{TargetUrl, Text};
use crate::time::Timestamp;

fact!(
    /// Why an endpoint is switched off.
    DisabledReason {
        /// Its owner switched it off.
        ByOwner = "by_owner",
        /// It answered 410.
        Gone = "gone",
        /// Its deliveries failed for days without one success.
        Failing = "failing"
    }
);

/// Which events an endpoint receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventFilter {
    /// All events, including types that later versions add.
    All,
    /// Events of these types.
    Only(BTreeSet<EventType>),
}

impl EventFilter {
    /// The name that stands for all events.
    pub const ALL: &str = "*";

    /// Whether an event passes.
    pub fn accepts(&self, r#type: EventType) -> bool {
        match self {
            Self::All => true,
            Self::Only(types) => types.contains(&r#type),
        }
    }

    /// The names, or [`EventFilter::ALL`] alone.
    pub fn names(&self) -> Vec<&'static str> {
        match self {
            Self::All => vec![Self::ALL],
            Self::Only(types) => types.iter().map(|one| one.as_str()).collect(),
        }
    }

    /// Reads stored names. A name that this version does not know is a later version's, and is ignored here.
    pub fn known<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut types = BTreeSet::new();
        for name in names {
            if name == Self::ALL {
                return Self::All;
            }
            types.extend(EventType::parse(name));
        }
        Self::Only(types)
    }

    /// Reads names; `None` if one is unknown or there are none.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut types = BTreeSet::new();
        let mut all = false;
        for name in names {
            match EventType::parse(name) {
                // A sample is sent to one endpoint on request, so nobody subscribes to it.
                Some(EventType::EndpointTest) => return None,
                Some(one) => drop(types.insert(one)),
                None if name == Self::ALL => all = true,
                None => return None,
            }
        }
        if all { Some(Self::All) } else { (!types.is_empty()).then_some(Self::Only(types)) }
    }
}

/// Whether an endpoint receives events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// The endpoint is switched on.
    On,
    /// The endpoint is switched off.
    Off {
        /// Why it was switched off.
        reason: DisabledReason,
        /// When it was switched off.
        at: Timestamp,
    },
}

/// A receiver of an account's events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The tenant.
    pub tenant: Tenant,
    /// The endpoint's id.
    pub id: EndpointId,
    /// The URL that deliveries are posted to.
    pub url: TargetUrl,
    /// What its owner calls it.
    pub description: Option<Text<255>>,
    /// The events that the endpoint receives.
    pub events: EventFilter,
    /// The secrets that sign what is sent to it.
    pub secrets: StoredSecrets,
    /// Whether the endpoint is switched on.
    pub switch: Switch,
    /// When its deliveries began to fail; none if the last one succeeded.
    pub failing_since: Option<Timestamp>,
    /// Counts the changes by its owner and by the automatic switch-off, from 1.
    pub revision: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Endpoint {
    /// Most endpoints that an account may have in one environment.
    pub const COUNT_MAX: u32 = 16;
    /// Most tests of an endpoint within [`Endpoint::TESTS_WINDOW`].
    pub const TESTS_MAX: u32 = 10;
    /// It opens with the first test that is not within another one.
    pub const TESTS_WINDOW: Duration = Duration::from_mins(1);
    /// An endpoint that fails for so long is switched off. It is longer than all attempts of one delivery take.
    pub const FAILING_MAX: Duration = Duration::from_hours(5 * 24);

    /// Whether the endpoint receives events of this type.
    pub fn receives(&self, r#type: EventType) -> bool {
        self.switch == Switch::On && self.events.accepts(r#type)
    }

    /// Whether the endpoint has failed for so long that it is to be switched off.
    pub fn has_failed_too_long(&self, now: Timestamp) -> bool {
        self.failing_since.is_some_and(|since| now.since(since) >= Self::FAILING_MAX)
    }

    /// The endpoint switched off.
    #[must_use]
    pub fn switched_off(&self, reason: DisabledReason, now: Timestamp) -> Self {
        Self { switch: Switch::Off { reason, at: now }, ..self.changed(now) }
    }

    /// The endpoint with its next revision.
    #[must_use]
    pub fn changed(&self, now: Timestamp) -> Self {
        let revision = self.revision.checked_add(1).or_abort("nobody changes an endpoint four billion times");
        Self { revision, updated_at: now.max(self.updated_at), ..self.clone() }
    }
}
