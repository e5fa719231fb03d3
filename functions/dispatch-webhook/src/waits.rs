//! How long a message waits for its next try.

use std::ops::RangeInclusive;

/// Most tries of a message: the queue's `maxReceiveCount` in `template.yaml`.
pub const TRIES_MAX: u32 = 8;
/// A wait is stretched or shortened by up to a tenth, so that what failed together comes back apart.
pub const JITTER_PERMILLE: RangeInclusive<u32> = 900..=1_100;

/// After each try but the last. A queue hides a message for 12 hours at most, which bounds the longest.
const WAITS_SECONDS: [u32; 7] = [5, 5 * 60, 30 * 60, 2 * 3_600, 5 * 3_600, 10 * 3_600, 10 * 3_600];

/// The seconds after a message's try number `receive_count`, from 1; none after the last, because the next
/// receipt moves the message to the dead letters, and somebody waits for it there.
pub fn wait_seconds(receive_count: u32, jitter_permille: u32) -> u32 {
    let done = usize::try_from(receive_count.saturating_sub(1)).unwrap_or(usize::MAX);
    let seconds = WAITS_SECONDS.get(done).copied().unwrap_or(0);
    let permille = jitter_permille.clamp(*JITTER_PERMILLE.start(), *JITTER_PERMILLE.end());
    seconds.saturating_mul(permille).div_ceil(1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_are_those_of_the_design() {
        let minutes_and_hours = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000, 0, 0];
        for (count, expected) in (1..).zip(minutes_and_hours) {
            assert_eq!(wait_seconds(count, 1_000), expected, "after try {count}");
        }
    }

    #[test]
    fn jitter_moves_a_wait_by_a_tenth_at_most() {
        assert_eq!(wait_seconds(2, 900), 270);
        assert_eq!(wait_seconds(2, 1_100), 330);
        assert_eq!(wait_seconds(2, 0), 270);
        assert_eq!(wait_seconds(2, u32::MAX), 330);
        assert_eq!(wait_seconds(6, 1_100), 39_600);
        assert_eq!(wait_seconds(u32::MAX, 1_100), 0);
    }
}
