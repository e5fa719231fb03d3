//! What the code around it rules out, though the compiler cannot see it.

/// Takes a value that cannot be absent.
///
/// A made-up value in its place (an empty body, a time of zero) would be written down and believed. Ending the process
/// loses nothing: the caller, the queue or the stream comes again. Whatever a caller, a row or another system decides
/// is a `Result` instead.
pub trait OrAbort<T> {
    /// The value; without one the process ends and says why there always is one.
    fn or_abort(self, why: &'static str) -> T;
}

impl<T> OrAbort<T> for Option<T> {
    #[track_caller]
    #[expect(clippy::expect_used, reason = "this is the one place for it")]
    fn or_abort(self, why: &'static str) -> T {
        self.expect(why)
    }
}

impl<T, E> OrAbort<T> for Result<T, E> {
    /// The error is not printed: it may hold what nobody should read.
    #[track_caller]
    fn or_abort(self, why: &'static str) -> T {
        self.ok().or_abort(why)
    }
}
