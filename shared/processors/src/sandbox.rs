//! The references of the sandbox: each chooses what becomes of its payment's refunds.

/// The refund succeeds.
pub const SUCCEED: &str = "sandbox_succeed";
/// The refund is pending at first, and succeeds when it is asked about.
pub const PENDING: &str = "sandbox_pending";
/// The refund is declined.
pub const FAIL: &str = "sandbox_fail";
/// The refund succeeds; asked about once more after that, which happens within 30 s of its request, it has failed.
pub const FAIL_LATE: &str = "sandbox_fail_late";
/// The answer is lost, the refund is not: it has succeeded when it is asked about.
pub const TIMEOUT: &str = "sandbox_timeout";
/// The refund never arrives, and succeeds when it is sent again.
pub const TIMEOUT_LOST: &str = "sandbox_timeout_lost";
/// The refund succeeds, and each merchant lacks the money for its part at first; asked again, it gives it.
pub const ACTOR_SHORT: &str = "sandbox_actor_short";
