//! Limits the attempts at once to one receiver.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use recoup_domain::delivery::Target;
use recoup_ports::jobs::WebhookJob;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::AT_ONCE_TO_ONE;

/// The places of each receiver in a batch.
#[derive(Default)]
pub(crate) struct Places(Mutex<HashMap<String, Arc<Semaphore>>>);

impl Places {
    /// Waits for a place. The own URLs of one account's refunds share their places: they usually are one receiver.
    pub(crate) async fn take(&self, job: &WebhookJob) -> Option<OwnedSemaphorePermit> {
        let receiver = match &job.target {
            Target::Endpoint(id) => id.to_string(),
            Target::RefundUrl => {
                let tenant = &job.tenant;
                format!("{} {}", tenant.environment.as_str(), tenant.account)
            }
        };
        let semaphore = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(receiver).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE_TO_ONE))))
        };
        // The semaphore is never closed, so this always gets a place in the end.
        semaphore.acquire_owned().await.ok()
    }
}
