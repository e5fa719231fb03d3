//! Where an account wants to be told, and what it wants to hear.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::event::EventType;
use crate::ids::{EndpointId, Tenant};
use crate::or_abort::OrAbort;
use crate::payment::fact;
use crate::signing::Secrets;
use crate::text::{TargetUrl, Text};
use crate::time::Timestamp;

fact!(
    /// Why an endpoint is switched off.
    DisabledReason {
        /// Its owner did it.
        ByOwner = "by_owner",
        /// It answered 410.
        Gone = "gone",
        /// It failed for days without one success.
        Failing = "failing"
    }
);

/// Which events an endpoint is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventFilter {
    /// All, those that later versions add included.
    All,
    /// These.
    Only(BTreeSet<EventType>),
}

impl EventFilter {
    /// The word for all of them.
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

    /// Reads stored names. One that this version does not know is of a later one, and is not heard here.
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
                // A sample goes to the one endpoint for which it was asked.
                Some(EventType::EndpointTest) => return None,
                Some(one) => drop(types.insert(one)),
                None if name == Self::ALL => all = true,
                None => return None,
            }
        }
        if all { Some(Self::All) } else { (!types.is_empty()).then_some(Self::Only(types)) }
    }
}

/// Whether an endpoint is told anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// It is.
    On,
    /// It is not.
    Off {
        /// Why.
        reason: DisabledReason,
        /// Since when.
        at: Timestamp,
    },
}

/// A receiver of an account's events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whose.
    pub tenant: Tenant,
    /// Its id.
    pub id: EndpointId,
    /// Where.
    pub url: TargetUrl,
    /// What its owner calls it.
    pub description: Option<Text<255>>,
    /// What it is told.
    pub events: EventFilter,
    /// With what it verifies.
    pub secrets: Secrets,
    /// Whether it is told.
    pub switch: Switch,
    /// Since when no delivery has succeeded, if the last one failed.
    pub failing_since: Option<Timestamp>,
    /// Counts what its owner and the switch-off changed, from 1.
    pub revision: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Endpoint {
    /// Most endpoints of an account in one environment.
    pub const COUNT_MAX: u32 = 16;
    /// After so long without one success an endpoint is switched off: longer than one message's tries take.
    pub const FAILING_MAX: Duration = Duration::from_hours(5 * 24);

    /// Whether it is told of such events.
    pub fn hears(&self, r#type: EventType) -> bool {
        self.switch == Switch::On && self.events.accepts(r#type)
    }

    /// Whether a failure now is one too many.
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
