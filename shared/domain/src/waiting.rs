//! What waits for its time: a short wait in a queue, a longer one in the table.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::or_abort::OrAbort;
use crate::time::Timestamp;

/// A wait is up to a tenth longer or shorter, so that what failed together comes back apart.
pub const JITTER_PERMILLE: RangeInclusive<u32> = 900..=1_100;
/// Longest wait that a queue holds; a longer one rests in the table.
pub const QUEUE_WAIT_MAX: Duration = Duration::from_mins(15);
/// How long after its time a try may take to be worked on before it is sent for again: a lost message costs an
/// hour, and not what it was about.
pub const GRACE: Duration = Duration::from_hours(1);

/// A wait with its jitter.
pub fn jittered(wait: Duration, jitter_permille: u32) -> Duration {
    let permille = jitter_permille.clamp(*JITTER_PERMILLE.start(), *JITTER_PERMILLE.end());
    wait.saturating_mul(permille).checked_div(1_000).or_abort("a thousand is not zero")
}

/// A wait for one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// When it ends.
    pub at: Timestamp,
    /// Whether it rests in the table, to be found by its due time, instead of in a queue.
    pub rests: bool,
    /// When its message was last sent for by the index of waits, if it was.
    pub woken_at: Option<Timestamp>,
}

impl Wait {
    /// A wait of so long from now on.
    pub fn of(now: Timestamp, wait: Duration) -> Self {
        Self { at: now.plus(wait), rests: wait > QUEUE_WAIT_MAX, woken_at: None }
    }

    /// When the index of waits gives it out: one that rests at its time, any other after [`GRACE`].
    pub fn found_at(self) -> Timestamp {
        if self.rests {
            return self.at;
        }
        self.woken_at.map_or(self.at, |woken_at| woken_at.max(self.at)).plus(GRACE)
    }

    /// Whether its message has to be sent, now that this wait stands where another one stood before; `same_turn` tells
    /// whether both are about the same try.
    pub fn is_to_be_sent(self, before: Option<Self>, same_turn: bool) -> bool {
        let sent_before =
            before.is_some_and(|before| same_turn && before.woken_at == self.woken_at && !before.rests);
        !self.rests && !sent_before
    }
}
