//! The clock and the system's randomness: only a `main.rs` hands them in.

use std::time::{SystemTime, UNIX_EPOCH};

use recoup_domain::time::Timestamp;
use recoup_domain::waiting::JITTER_PERMILLE;

/// The current time. A clock outside the years 1970 to 9999 ends the process: every time would be a lie.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).ok();
    let millis = since.and_then(|since| u64::try_from(since.as_millis()).ok());
    millis.and_then(Timestamp::from_unix_millis).unwrap_or_else(|| std::process::abort())
}

/// 128 bits from the system. Without randomness the process ends: ids and secrets would be guessable.
pub fn random() -> u128 {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        std::process::abort();
    }
    u128::from_ne_bytes(bytes)
}

/// The jitter of a wait, in thousandths. It need not be unpredictable, so any randomness will do.
pub fn jitter_permille() -> u32 {
    fastrand::u32(JITTER_PERMILLE)
}
