//! Backoff while other requests change the same payment: with full jitter, so that they part, and for a bounded time.

use std::time::Duration;

use recoup_domain::or_abort::OrAbort;

/// The longest time for new decisions on a refund; a write that begins within it ends within the request's own time.
pub(crate) const TRYING_MAX: Duration = Duration::from_secs(6);
const CEILING_FIRST_MS: u64 = 20;
const CEILING_LONGEST_MS: u64 = 1_000;

/// The races that one request has lost.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    count: u32,
    waited: Duration,
}

impl Losses {
    /// How long to wait after another loss, `elapsed` after the first decision; `None` once the time is used up.
    pub(crate) fn wait(&mut self, elapsed: Duration, random: u128) -> Option<Duration> {
        let doubled = CEILING_FIRST_MS.saturating_mul(1_u64.checked_shl(self.count).unwrap_or(u64::MAX));
        let ceiling = doubled.min(CEILING_LONGEST_MS);
        let below = random.checked_rem(u128::from(ceiling)).and_then(|below| u64::try_from(below).ok());
        let below = below.or_abort("the ceiling is above zero, and a remainder is below it");
        let wait = Duration::from_millis(below.saturating_add(1));
        self.count = self.count.saturating_add(1);
        // The waits count even if the clock stands still.
        let elapsed = elapsed.max(self.waited).saturating_add(wait);
        self.waited = self.waited.saturating_add(wait);
        (elapsed <= TRYING_MAX).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_anything_up_to_a_ceiling_that_doubles() {
        let (mut shortest, mut longest) = (Losses::default(), Losses::default());
        for ceiling in [20, 40, 80, 160, 320, 640, 1_000, 1_000] {
            assert_eq!(shortest.wait(Duration::ZERO, 0), Some(Duration::from_millis(1)));
            let top = u128::from(ceiling - 1_u64);
            assert_eq!(longest.wait(Duration::ZERO, top), Some(Duration::from_millis(ceiling)));
        }
    }

    #[test]
    fn the_time_ends_it_by_the_clock_or_by_the_waits_alone() {
        assert_eq!(Losses::default().wait(TRYING_MAX, 0), None);
        let mut losses = Losses::default();
        let waits = std::iter::from_fn(|| losses.wait(Duration::ZERO, u128::MAX)).take(1_000);
        assert!(waits.sum::<Duration>() <= TRYING_MAX);
    }
}
