//! A clock of each test's own, which passes time only when it is told to.

use std::cell::Cell;
use std::time::Duration;

use recoup_domain::time::Timestamp;
use recoup_testing::fixtures;

thread_local! {
    static SECONDS: Cell<u64> = const { Cell::new(0) };
}

pub(crate) fn now() -> Timestamp {
    fixtures::now().plus(Duration::from_secs(SECONDS.get()))
}

pub(crate) fn pass(seconds: u64) {
    SECONDS.set(SECONDS.get() + seconds);
}
