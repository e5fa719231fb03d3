//! The clock and the system's randomness: only a `main.rs` reads them.

use std::time::{SystemTime, UNIX_EPOCH};

use recoup_domain::or_abort::OrAbort;
use recoup_domain::time::{Timestamp, whole_millis};
use recoup_domain::waiting::JITTER_PERMILLE;

/// The current time. The process aborts if the clock is outside the years 1970 to 9999.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    let now = since.map(whole_millis).and_then(Timestamp::from_unix_millis);
    now.or_abort("the clock is between the years 1970 and 9999")
}

/// 128 random bits from the system. Without randomness the process aborts: ids and secrets would be guessable.
pub fn random() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).or_abort("the system has randomness");
    u128::from_ne_bytes(bytes)
}

/// The jitter of a wait, in thousandths. It need not be unpredictable, so any randomness will do.
pub fn jitter_permille() -> u32 {
    fastrand::u32(JITTER_PERMILLE)
}
