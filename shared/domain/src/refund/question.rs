//! When the processor of a refund is asked again.

use std::time::Duration;

use super::{Outcome, Refund};
use crate::time::Timestamp;
use crate::waiting::{Wait, jittered, spread};

/// After each question that brought no end; past the last, [`ASKED_AGAIN_AFTER`] for as long as it takes.
const WAITS: [Duration; 9] = [
    Duration::from_secs(2),
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
    Duration::from_hours(2),
    Duration::from_hours(4),
    Duration::from_hours(8),
];
/// The longest wait between two questions about a refund, before jitter.
const ASKED_AGAIN_AFTER: Duration = Duration::from_hours(12);
/// After each time that a busy processor put the question off; past the last, the last.
const BUSY_WAITS: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(10),
    Duration::from_secs(30),
    Duration::from_mins(1),
];
/// As long as a processor may ask us to wait.
const RETRY_AFTER_MAX: Duration = Duration::from_mins(5);
/// The longest wait for a key, before jitter: whoever sets one does not wait for hours.
const KEY_WAIT_MAX: Duration = Duration::from_mins(15);

/// The next question to the processor about a refund: its number, and when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    turn: u32,
    postponed: u32,
    wait: Wait,
}

impl Question {
    /// Its number, as in [`Refund::turn`].
    pub fn turn(self) -> u32 {
        self.turn
    }

    /// How many before it were put off, as in [`Refund::postponed`].
    pub fn postponed(self) -> u32 {
        self.postponed
    }

    /// When it is asked.
    pub fn wait(self) -> Wait {
        self.wait
    }
}

impl Refund {
    /// The next question to the processor after an outcome that is no end: seconds after the first, hours after many.
    /// What was put off without a word on the refund comes again soon, and spends no step of these waits.
    pub fn asked_again(&self, outcome: &Outcome, now: Timestamp, jitter_permille: u32) -> Question {
        let put_off = usize::try_from(self.postponed).unwrap_or(usize::MAX);
        match outcome {
            Outcome::Busy { retry_after } => {
                let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
                let wait = BUSY_WAITS.get(put_off).copied().unwrap_or(Duration::from_mins(1));
                self.put_off(now, asked.saturating_add(spread(wait, jitter_permille)))
            }
            Outcome::NotConfigured => {
                let wait = WAITS.get(put_off).copied().unwrap_or(KEY_WAIT_MAX).min(KEY_WAIT_MAX);
                self.put_off(now, jittered(wait, jitter_permille))
            }
            Outcome::Succeeded { .. }
            | Outcome::Failed(_)
            | Outcome::Pending
            | Outcome::PendingFunds
            | Outcome::Differs { .. }
            | Outcome::Unknown => {
                let asked = usize::try_from(self.turn.saturating_sub(self.postponed)).unwrap_or(usize::MAX);
                let wait = WAITS.get(asked).copied().unwrap_or(ASKED_AGAIN_AFTER);
                self.asked_after(now, jittered(wait, jitter_permille))
            }
        }
    }

    /// The next question after so long, whatever came before.
    pub fn asked_after(&self, now: Timestamp, wait: Duration) -> Question {
        let turn = self.turn.saturating_add(1);
        Question { turn, postponed: self.postponed, wait: Wait::of(now, wait) }
    }

    fn put_off(&self, now: Timestamp, wait: Duration) -> Question {
        Question { postponed: self.postponed.saturating_add(1), ..self.asked_after(now, wait) }
    }

    /// The question that is due, sent for at once: its job was lost. Since when it has been due stays told, so that one
    /// whose every job is lost does not look new each time.
    pub fn sent_for(&self, now: Timestamp) -> Question {
        let at = self.wait.map_or(now, |wait| wait.at);
        let wait = Wait { at, rests: false, woken_at: Some(now) };
        Question { turn: self.turn, postponed: self.postponed, wait }
    }

    /// The refund once a question is scheduled.
    #[must_use]
    pub fn asking(&self, Question { turn, postponed, wait }: Question) -> Self {
        Self { turn, postponed, wait: Some(wait), ..self.clone() }
    }
}
