//! Waits: a short one is spent in a queue, a longer one in the table.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::or_abort::OrAbort;
use crate::time::Timestamp;

/// Jitter makes a wait up to a tenth longer or shorter, so that what failed together is retried apart.
pub const JITTER_PERMILLE: RangeInclusive<u32> = 900..=1_100;
/// Longest wait spent in a queue; a longer one rests in the table.
pub const QUEUE_WAIT_MAX: Duration = Duration::from_mins(15);
/// How long an attempt may be overdue before its message is sent again: a lost message costs an hour, never the
/// attempt.
pub const GRACE: Duration = Duration::from_hours(1);

/// A wait with its jitter.
pub fn jittered(wait: Duration, jitter_permille: u32) -> Duration {
    let permille = jitter_permille.clamp(*JITTER_PERMILLE.start(), *JITTER_PERMILLE.end());
    wait.saturating_mul(permille).checked_div(1_000).or_abort("a thousand is not zero")
}

/// A wait of half as long to half as long again, by the same draw: what was turned away together comes back apart.
pub fn spread(wait: Duration, jitter_permille: u32) -> Duration {
    let drawn = jitter_permille.clamp(*JITTER_PERMILLE.start(), *JITTER_PERMILLE.end());
    let permille = drawn.saturating_sub(*JITTER_PERMILLE.start()).saturating_mul(5).saturating_add(500);
    wait.saturating_mul(permille).checked_div(1_000).or_abort("a thousand is not zero")
}

/// A wait until one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// When the wait ends.
    pub at: Timestamp,
    /// Whether the wait rests in the table, to be found by its due time, instead of in a queue.
    pub rests: bool,
    /// When the index of waits last woke it, if it did.
    pub woken_at: Option<Timestamp>,
}

impl Wait {
    /// A wait that starts now.
    pub fn of(now: Timestamp, wait: Duration) -> Self {
        Self { at: now.plus(wait), rests: wait > QUEUE_WAIT_MAX, woken_at: None }
    }

    /// When the index of waits returns it: a resting wait at its time, any other after [`GRACE`].
    pub fn found_at(self) -> Timestamp {
        if self.rests {
            return self.at;
        }
        self.woken_at.map_or(self.at, |woken_at| woken_at.max(self.at)).plus(GRACE)
    }

    /// Whether this wait's message must be sent now that it replaces the wait `before`; `same_turn` says whether both
    /// wait for the same attempt.
    pub fn is_to_be_sent(self, before: Option<Self>, same_turn: bool) -> bool {
        let sent_before =
            before.is_some_and(|before| same_turn && before.woken_at == self.woken_at && !before.rests);
        !self.rests && !sent_before
    }
}
