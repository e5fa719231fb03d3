//! Backoff while other writers conflict on the same item: with jitter, a bounded number of times.

use std::time::Duration;

use tokio::time::sleep;

/// Most waits of one operation; all together at most about 2.5 s, well inside a request's time.
const WAITS_MAX: u32 = 8;
const WAIT_FIRST_MS: u64 = 20;
const WAIT_LONGEST_MS: u64 = 500;

/// Exponential waits with full jitter.
#[derive(Debug)]
pub(crate) struct Backoff {
    waits: u32,
}

impl Backoff {
    pub(crate) fn new() -> Self {
        Self { waits: 0 }
    }

    /// Waits and returns true; returns false at once after [`WAITS_MAX`] waits.
    pub(crate) async fn wait(&mut self) -> bool {
        if self.waits >= WAITS_MAX {
            return false;
        }
        let doubled = WAIT_FIRST_MS.saturating_mul(1_u64.checked_shl(self.waits).unwrap_or(u64::MAX));
        self.waits = self.waits.saturating_add(1);
        sleep(Duration::from_millis(fastrand::u64(1..=doubled.min(WAIT_LONGEST_MS)))).await;
        true
    }
}
