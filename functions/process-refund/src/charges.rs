//! The order within one batch: refunds of one charge go one after another, those of different charges side by side.
//!
//! A processor lets one request at a time near a charge, and turns the others away. Between the function's processes there
//! is no order: who is turned away there is busy, moved nothing, and comes again within seconds, apart from the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use recoup_domain::ids::{PaymentId, Tenant};
use recoup_domain::refund::Refund;
use recoup_domain::time::Timestamp;
use tokio::sync::{Mutex as Turns, OwnedMutexGuard, Semaphore, SemaphorePermit};

/// Most questions at once: with more, one slow processor would hold the whole function for longer than it may run.
const QUESTIONS_AT_ONCE: usize = 5;
/// No job of a batch begins to ask later than this: its two questions of 6 s each, and the writes, end within the
/// function's 30 s.
const LATEST_START: Duration = Duration::from_secs(14);

/// A place among those who ask.
pub(crate) type Place<'batch> = Option<SemaphorePermit<'batch>>;

/// One batch.
pub(crate) struct Charges {
    started: Timestamp,
    turns: Mutex<HashMap<(Tenant, PaymentId), Line>>,
    places: Semaphore,
}

/// The jobs of one charge, one behind the other.
type Line = Arc<Turns<()>>;

/// One charge.
pub(crate) struct Charge(Line);

/// One job's turn, for as long as it lives.
pub(crate) struct Turn {
    /// Whether another job had its turn first: what was read before may have changed.
    pub(crate) waited: bool,
    _until_dropped: OwnedMutexGuard<()>,
}

impl Charges {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { started: now, turns: Mutex::default(), places: Semaphore::new(QUESTIONS_AT_ONCE) }
    }

    /// The charge of a refund: one payment is one charge.
    pub(crate) fn of(&self, refund: &Refund) -> Charge {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let charge = (refund.tenant.clone(), refund.payment_id.clone());
        Charge(Arc::clone(turns.entry(charge).or_default()))
    }

    /// How long a job may still wait before it asks; `None` once it is too late.
    pub(crate) fn time_left(&self, now: Timestamp) -> Option<Duration> {
        LATEST_START.checked_sub(now.since(self.started))
    }

    /// Waits for a place among those who ask.
    pub(crate) async fn place(&self) -> Place<'_> {
        // Nobody closes it.
        self.places.acquire().await.ok()
    }
}

impl Charge {
    /// Waits until the charge's other jobs in this batch are done, in the order in which they came.
    pub(crate) async fn turn(&self) -> Turn {
        match Arc::clone(&self.0).try_lock_owned() {
            Ok(guard) => Turn { waited: false, _until_dropped: guard },
            Err(_) => Turn { waited: true, _until_dropped: Arc::clone(&self.0).lock_owned().await },
        }
    }
}
