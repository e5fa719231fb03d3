//! Records events and chooses their receivers: every endpoint of the account that listens, and the refund's own URL.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use recoup_domain::delivery::Target;
use recoup_domain::endpoint::Endpoint;
use recoup_domain::event::Event;
use recoup_domain::ids::Tenant;
use recoup_ports::WriteError;
use recoup_ports::endpoints::Endpoints;
use recoup_ports::events::RecordEvents;
use recoup_ports::jobs::{Job, Lane, WebhookJob};
use recoup_ports::rows::Rows;
use tokio::sync::OnceCell;

/// The endpoints of each account in one batch, read once.
pub(crate) struct FanOut<'store, S> {
    store: &'store S,
    known: Mutex<HashMap<Tenant, Arc<OnceCell<Rows<Endpoint>>>>>,
}

impl<'store, S: Endpoints + RecordEvents> FanOut<'store, S> {
    pub(crate) fn new(store: &'store S) -> Self {
        Self { store, known: Mutex::default() }
    }

    /// Records an event with its receivers, and returns the job of the first attempt to each. An event recorded before
    /// keeps the receivers chosen then.
    pub(crate) async fn first_tries(&self, event: &Event, has_url: bool) -> Result<Vec<Job>, WriteError> {
        let endpoints = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(event.tenant.clone()).or_default())
        };
        let endpoints = endpoints.get_or_try_init(|| self.store.endpoints(&event.tenant)).await?;
        let chosen = endpoints.receivers(|endpoint| endpoint.receives(event.r#type), has_url);
        let recorded = self.store.record_event(event, &chosen).await?;
        let job = |target: Target| {
            // A failing receiver has its own lane, so that the others do not wait for it.
            let lane = if is_failing(endpoints, &target) { Lane::Retries } else { Lane::First };
            Job::Webhook { job: WebhookJob::first(event, target), lane, delay: Duration::ZERO }
        };
        Ok(recorded.into_iter().map(job).collect())
    }
}

fn is_failing(endpoints: &Rows<Endpoint>, target: &Target) -> bool {
    let mut failing = endpoints.read.iter().filter(|endpoint| endpoint.failing_since.is_some());
    failing.any(|endpoint| matches!(target, Target::Endpoint(id) if *id == endpoint.id))
}
