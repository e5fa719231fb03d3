//! A processor that says what it is told to, and a queue that only notes its waits.

use std::collections::VecDeque;
use std::sync::Mutex;

use recoup_domain::ids::RefundId;
use recoup_domain::refund::{Outcome, Refund};
use recoup_ports::jobs::{Pace, SendJobError};
use recoup_ports::processor::{LookedUp, Processor};

/// Answers in turn; the last answer stands for all that follow.
pub(crate) struct Script {
    outcomes: Mutex<VecDeque<Outcome>>,
    asked: Mutex<Vec<RefundId>>,
}

impl Script {
    pub(crate) fn new(outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        Self { outcomes: Mutex::new(outcomes.into_iter().collect()), asked: Mutex::default() }
    }

    /// The refunds it was asked about, in turn.
    pub(crate) fn asked(&self) -> Vec<RefundId> {
        self.asked.lock().unwrap().clone()
    }
}

impl Processor for Script {
    async fn refund(&self, refund: &Refund) -> Outcome {
        self.asked.lock().unwrap().push(refund.id.clone());
        // Whoever asks at the same time gets his turn.
        tokio::task::yield_now().await;
        let mut outcomes = self.outcomes.lock().unwrap();
        if outcomes.len() > 1 { outcomes.pop_front().unwrap() } else { outcomes[0].clone() }
    }

    async fn look_up(&self, refund: &Refund) -> LookedUp {
        LookedUp::Stands(self.refund(refund).await)
    }
}

/// Notes the waits it is asked for, and refuses them if it is broken.
#[derive(Default)]
pub(crate) struct Waits {
    asked: Mutex<Vec<(String, u32)>>,
    pub(crate) broken: bool,
}

impl Waits {
    /// Receipt handles and seconds since the last time, sorted.
    pub(crate) fn take(&self) -> Vec<(String, u32)> {
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.sort();
        asked
    }
}

impl Pace for Waits {
    async fn again_in(&self, receipt_handle: &str, seconds: u32) -> Result<(), SendJobError> {
        self.asked.lock().unwrap().push((receipt_handle.to_owned(), seconds));
        if self.broken { Err(SendJobError("throttled".into())) } else { Ok(()) }
    }
}
