//! For cases that the surrounding code rules out, though the compiler cannot see it.

/// Takes a value that cannot be absent.
///
/// A made-up value in its place (an empty body, a time of zero) would be stored and believed. Aborting loses nothing:
/// the caller, the queue or the stream tries again. Whatever a caller, a row or another system decides is a `Result`
/// instead.
pub trait OrAbort<T> {
    /// The value. If it is absent, the process aborts with `why`, the reason it cannot be.
    fn or_abort(self, why: &'static str) -> T;
}

impl<T> OrAbort<T> for Option<T> {
    #[track_caller]
    #[expect(clippy::expect_used, reason = "this is the only place that may abort")]
    fn or_abort(self, why: &'static str) -> T {
        self.expect(why)
    }
}

impl<T, E> OrAbort<T> for Result<T, E> {
    /// The error is not printed: it may hold secrets or personal data.
    #[track_caller]
    fn or_abort(self, why: &'static str) -> T {
        self.ok().or_abort(why)
    }
}
