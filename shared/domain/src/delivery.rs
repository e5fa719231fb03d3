//! One event on its way to one receiver: which tries it has had, and what comes next.

use std::time::Duration;

use crate::event::Event;
use crate::ids::{EndpointId, EventId, RefundId, Tenant};
use crate::payment::fact;
use crate::text_form::text_form;
use crate::time::Timestamp;
use crate::waiting::{QUEUE_WAIT_MAX, Wait, jittered};

/// Most tries of a delivery.
pub const TRIES_MAX: u32 = 10;
/// Longest wait that a receiver can ask for.
pub const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);
/// Most attempts that are kept of a delivery: the last ones.
const ATTEMPTS_KEPT: usize = 30;

/// After each try but the last: 75 h 35 min 5 s in all.
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

/// The wait after try number `made`, from 1, with jitter; `None` after the last.
pub fn wait_after(made: u32, jitter_permille: u32) -> Option<Duration> {
    let index = usize::try_from(made.checked_sub(1)?).ok()?;
    Some(jittered(*WAITS.get(index)?, jitter_permille))
}

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// One of the account's endpoints.
    Endpoint(EndpointId),
    /// The URL that the refund itself was given.
    RefundUrl,
}

impl Target {
    const REFUND_URL: &str = "refund";

    /// The name in keys and messages.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Endpoint(id) => id.as_str(),
            Self::RefundUrl => Self::REFUND_URL,
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        if name == Self::REFUND_URL {
            return Some(Self::RefundUrl);
        }
        EndpointId::try_from(name).ok().map(Self::Endpoint)
    }
}

text_form!([] Target, this => this.as_str(), text => Self::parse(&text).ok_or("unknown Target"));

/// What a try brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The receiver answered.
    Status {
        /// With this HTTP status.
        status: u16,
        /// And these first bytes.
        head: String,
    },
    /// It did not; a sentence fit for the endpoint's owner.
    Nothing(String),
}

impl Heard {
    /// Whether the receiver took it: 2xx, and nothing else.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Status { status: 200..=299, .. })
    }

    /// Whether it wants no more: 410.
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::Status { status: 410, .. })
    }
}

/// One try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// What it brought.
    pub heard: Heard,
}

fact!(
    /// Why a delivery was given up.
    GivenUp {
        /// All tries failed.
        Exhausted = "exhausted",
        /// The receiver answered 410.
        Gone = "gone",
        /// The endpoint was switched off.
        EndpointDisabled = "endpoint_disabled",
        /// The endpoint was deleted.
        EndpointDeleted = "endpoint_deleted"
    }
);

/// Where a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The next try is due at this moment.
    Scheduled(Timestamp),
    /// The receiver has it.
    Delivered,
    /// Nobody tries again, unless it is redelivered.
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

/// One event on its way to one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Whose.
    pub tenant: Tenant,
    /// What is told.
    pub event: EventId,
    /// The refund that the event is about, if it is about one.
    pub refund: Option<RefundId>,
    /// To whom.
    pub target: Target,
    /// Where it stands.
    pub standing: Standing,
    /// The number of the try that is due, over all rounds, from 1: a message about another try is stale.
    pub turn: u32,
    /// The tries made in this round; a redelivery begins another.
    pub tries: u32,
    /// Whether the wait rests in the table, to be found by its due time, instead of in a queue.
    pub rests: bool,
    /// When its message was last sent for by the index of waits, if it was.
    pub woken_at: Option<Timestamp>,
    /// The tries, oldest first, the last ones of all rounds.
    pub attempts: Vec<Attempt>,
}

impl Delivery {
    /// A delivery whose first try is due.
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

    /// What a try makes of it.
    #[must_use]
    pub fn after(&self, attempt: Attempt, retry_after: Option<Duration>, jitter_permille: u32) -> Self {
        let ended = attempt.at.plus(attempt.took);
        let tries = self.tries.saturating_add(1);
        let mut next = Self { tries, ..self.turned() };
        next.standing = if attempt.heard.is_success() {
            Standing::Delivered
        } else if attempt.heard.is_gone() {
            Standing::DeadLettered(GivenUp::Gone)
        } else if let Some(wait) = wait_after(tries, jitter_permille) {
            // Never sooner than the receiver asks, within the bound.
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

    /// The delivery given up without a try.
    #[must_use]
    pub fn given_up(&self, why: GivenUp) -> Self {
        Self { standing: Standing::DeadLettered(why), ..self.turned() }
    }

    /// Another round of tries, the first of them now.
    #[must_use]
    pub fn again(&self, now: Timestamp) -> Self {
        Self { standing: Standing::Scheduled(now), tries: 0, ..self.turned() }
    }

    /// The same wait, sent for: its time has come, or its message is overdue.
    #[must_use]
    pub fn woken(&self, now: Timestamp) -> Self {
        Self { rests: false, woken_at: Some(now), ..self.clone() }
    }

    /// What it waits for, if it does.
    pub fn wait(&self) -> Option<Wait> {
        match self.standing {
            Standing::Scheduled(at) => Some(Wait { at, rests: self.rests, woken_at: self.woken_at }),
            Standing::Delivered | Standing::DeadLettered(_) => None,
        }
    }

    /// When the index of waits gives it out, if it waits.
    pub fn found_at(&self) -> Option<Timestamp> {
        self.wait().map(Wait::found_at)
    }

    /// With the number of the next try.
    fn turned(&self) -> Self {
        // A row says the number, so the largest there is must not end the process.
        Self { turn: self.turn.saturating_add(1), rests: false, woken_at: None, ..self.clone() }
    }

    /// Whether a message about try number `turn` is still to be worked on.
    pub fn awaits(&self, turn: u32) -> bool {
        matches!(self.standing, Standing::Scheduled(_)) && self.turn == turn
    }
}
