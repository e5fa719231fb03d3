//! Who is told of an event: every endpoint of its account that listens, and the refund's own URL.

use std::collections::HashMap;
use std::time::Duration;

use recoup_domain::delivery::{Delivery, Standing, Target};
use recoup_domain::endpoint::Endpoint;
use recoup_domain::event::Event;
use recoup_domain::ids::Tenant;
use recoup_domain::time::Timestamp;
use recoup_ports::ReadError;
use recoup_ports::endpoints::Endpoints;
use recoup_ports::jobs::{Job, Lane, WebhookJob};
use recoup_ports::rows::{Rows, UnreadableRow};

/// The endpoints of the accounts of one batch, read once each.
pub(crate) struct FanOut<'store, S> {
    store: &'store S,
    known: HashMap<Tenant, Rows<Endpoint>>,
}

/// Who is told first, and who may have to be.
pub(crate) struct FirstTries {
    pub(crate) jobs: Vec<Job>,
    pub(crate) unreadable: Vec<UnreadableRow>,
}

impl<'store, S: Endpoints> FanOut<'store, S> {
    pub(crate) fn new(store: &'store S) -> Self {
        Self { store, known: HashMap::new() }
    }

    async fn endpoints(&mut self, tenant: &Tenant) -> Result<&Rows<Endpoint>, ReadError> {
        if !self.known.contains_key(tenant) {
            let endpoints = self.store.endpoints(tenant).await?;
            self.known.insert(tenant.clone(), endpoints);
        }
        Ok(self.known.entry(tenant.clone()).or_default())
    }

    /// The first try of an event to each who is told, and the endpoints that cannot be read: they may listen, too.
    pub(crate) async fn first_tries(
        &mut self,
        event: &Event,
        has_url: bool,
    ) -> Result<FirstTries, ReadError> {
        let endpoints = self.endpoints(&event.tenant).await?;
        let unreadable = endpoints.unreadable.clone();
        let listening = endpoints.read.iter().filter(|endpoint| endpoint.hears(event.r#type));
        let endpoints = listening.map(|endpoint| {
            // One that fails has its tries beside the others', so that they do not wait for it.
            let lane = if endpoint.failing_since.is_some() { Lane::Retries } else { Lane::First };
            (Target::Endpoint(endpoint.id.clone()), lane)
        });
        let own = has_url.then_some((Target::RefundUrl, Lane::First));
        let targets = endpoints.chain(own);
        let jobs = targets
            .map(|(target, lane)| {
                let job = WebhookJob { event: event.clone(), target, turn: 1 };
                Job::Webhook { job, lane, delay: Duration::ZERO }
            })
            .collect();
        Ok(FirstTries { jobs, unreadable })
    }
}

/// The try for which a delivery waits.
pub(crate) fn next_try(delivery: Delivery, now: Timestamp) -> Job {
    let delay = match delivery.standing {
        Standing::Scheduled(at) => at.since(now),
        Standing::Delivered | Standing::DeadLettered(_) => Duration::ZERO,
    };
    let Delivery { event, target, turn, .. } = delivery;
    Job::Webhook { job: WebhookJob { event, target, turn }, lane: Lane::Retries, delay }
}
