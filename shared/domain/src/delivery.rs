//! Deliveries: one event for one receiver, with the attempts made and what comes next.

use std::time::Duration;

use crate::event::Event;
use crate::ids::{EndpointId, EventId, RefundId, Tenant};
use crate::payment::fact;
use crate::text_form::text_form;
use crate::time::Timestamp;
use crate::waiting::{QUEUE_WAIT_MAX, Wait, jittered};

/// Most attempts in one round of a delivery.
pub const TRIES_MAX: u32 = 10;
/// Longest wait that a receiver can ask for.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);
/// Most attempts kept in a delivery: the last ones.
const ATTEMPTS_KEPT: usize = 30;

/// The wait after each attempt but the last: 75 h 35 min 5 s in all.
const WAITS: [Duration; 9] = [
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];

/// The wait after attempt number `made`, from 1, with jitter; `None` after the last.
pub fn wait_after(made: u32, jitter_permille: u32) -> Option<Duration> {
    let index = usize::try_from(made.checked_sub(1)?).ok()?;
    Some(jittered(*WAITS.get(index)?, jitter_permille))
}

/// The receiver of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// One of the account's endpoints.
    Endpoint(EndpointId),
    /// The refund's own URL, given when it was requested.
    RefundUrl,
}

impl Target {
    const REFUND_URL: &str = "refund";

    /// The receiver's name in keys and messages.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Endpoint(id) => id.as_str(),
            Self::RefundUrl => Self::REFUND_URL,
        }
    }

    /// Reads a receiver's name.
    pub fn parse(name: &str) -> Option<Self> {
        if name == Self::REFUND_URL {
            return Some(Self::RefundUrl);
        }
        EndpointId::try_from(name).ok().map(Self::Endpoint)
    }
}

text_form!([] Target, this => this.as_str(), text => Self::parse(&text).ok_or("unknown Target"));

/// The outcome of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The receiver answered.
    Status {
        /// The HTTP status.
        status: u16,
        /// The first bytes of the body.
        head: String,
    },
    /// The receiver did not answer; the reason, as a sentence for the endpoint's owner.
    Nothing(String),
}

impl AttemptOutcome {
    /// Whether the receiver accepted the event: only 2xx counts.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Status { status: 200..=299, .. })
    }

    /// Whether the receiver wants no more events: 410.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Status { status: 410, .. })
    }
}

/// One attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When the attempt began.
    pub at: Timestamp,
    /// How long the attempt took.
    pub took: Duration,
    /// The attempt's outcome.
    pub outcome: AttemptOutcome,
}

fact!(
    /// Why a delivery was dead-lettered.
    GivenUp {
        /// All attempts failed.
        Exhausted = "exhausted",
        /// The receiver answered 410.
        Gone = "gone",
        /// The endpoint was switched off.
        EndpointDisabled = "endpoint_disabled",
        /// The endpoint was deleted.
        EndpointDeleted = "endpoint_deleted"
    }
);

/// The status of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The next attempt is due at this moment.
    Scheduled(Timestamp),
    /// The receiver accepted the event.
    Delivered,
    /// No further attempt is made, unless the event is redelivered.
    DeadLettered(GivenUp),
}

impl Standing {
    /// The name in the API and the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled(_) => "scheduled",
            Self::Delivered => "delivered",
            Self::DeadLettered(_) => "dead_lettered",
        }
    }
}

/// The delivery of one event to one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The tenant.
    pub tenant: Tenant,
    /// The event.
    pub event: EventId,
    /// The refund that the event is about, if it is about one.
    pub refund: Option<RefundId>,
    /// The receiver.
    pub target: Target,
    /// The delivery's status.
    pub standing: Standing,
    /// The number of the attempt that is due, over all rounds, from 1: a message about another attempt is stale.
    pub turn: u32,
    /// The number of attempts made in this round; a redelivery begins another round.
    pub tries: u32,
    /// Whether the wait rests in the table, to be found by its due time, instead of in a queue.
    pub rests: bool,
    /// When the index of waits last woke it, if it did.
    pub woken_at: Option<Timestamp>,
    /// The last attempts of all rounds, oldest first.
    pub attempts: Vec<Attempt>,
}

impl Delivery {
    /// Most turns of a delivery that may be sent again, over all rounds.
    const TURNS_MAX: u32 = 100;

    /// Whether it may be sent again.
    pub fn may_go_again(&self) -> bool {
        self.turn < Self::TURNS_MAX
    }

    /// A delivery whose first attempt is due.
    pub fn first(event: &Event, target: Target, now: Timestamp) -> Self {
        Self {
            tenant: event.tenant.clone(),
            event: event.id.clone(),
            refund: event.refund().cloned(),
            target,
            standing: Standing::Scheduled(now),
            turn: 1,
            tries: 0,
            rests: false,
            woken_at: None,
            attempts: Vec::new(),
        }
    }

    /// The delivery after an attempt.
    #[must_use]
    pub fn after(&self, attempt: Attempt, retry_after: Option<Duration>, jitter_permille: u32) -> Self {
        let ended = attempt.at.plus(attempt.took);
        let tries = self.tries.saturating_add(1);
        let mut next = Self { tries, ..self.turned() };
        next.standing = if attempt.outcome.is_success() {
            Standing::Delivered
        } else if attempt.outcome.is_gone() {
            Standing::DeadLettered(GivenUp::Gone)
        } else if let Some(wait) = wait_after(tries, jitter_permille) {
            // Never sooner than the receiver asks, up to the bound.
            let wait = wait.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX));
            next.rests = wait > QUEUE_WAIT_MAX;
            Standing::Scheduled(ended.plus(wait))
        } else {
            Standing::DeadLettered(GivenUp::Exhausted)
        };
        next.attempts.push(attempt);
        let forgotten = next.attempts.len().saturating_sub(ATTEMPTS_KEPT);
        next.attempts.drain(..forgotten);
        next
    }

    /// The delivery, dead-lettered without an attempt.
    #[must_use]
    pub fn given_up(&self, why: GivenUp) -> Self {
        Self { standing: Standing::DeadLettered(why), ..self.turned() }
    }

    /// A new round of attempts, the first of them now.
    #[must_use]
    pub fn again(&self, now: Timestamp) -> Self {
        Self { standing: Standing::Scheduled(now), tries: 0, ..self.turned() }
    }

    /// The delivery with its wait woken, because its time has come or its message is overdue.
    #[must_use]
    pub fn woken(&self, now: Timestamp) -> Self {
        Self { rests: false, woken_at: Some(now), ..self.clone() }
    }

    /// The wait for the next attempt, if one is scheduled.
    pub fn wait(&self) -> Option<Wait> {
        match self.standing {
            Standing::Scheduled(at) => Some(Wait { at, rests: self.rests, woken_at: self.woken_at }),
            Standing::Delivered | Standing::DeadLettered(_) => None,
        }
    }

    /// When the index of waits returns it, if it waits.
    pub fn found_at(&self) -> Option<Timestamp> {
        self.wait().map(Wait::found_at)
    }

    /// The delivery with the number of the next attempt.
    fn turned(&self) -> Self {
        // A row says the number, so the largest there is must not end the process.
        Self { turn: self.turn.saturating_add(1), rests: false, woken_at: None, ..self.clone() }
    }

    /// Whether attempt number `turn` is the one still to be made; a message about any other is stale.
    pub fn awaits(&self, turn: u32) -> bool {
        matches!(self.standing, Standing::Scheduled(_)) && self.turn == turn
    }
}
