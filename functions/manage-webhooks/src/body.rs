//! The bodies of requests about endpoints, parsed into domain values.

use std::time::Duration;

use lambda_http::Request;
use recoup_domain::endpoint::{DisabledReason, Endpoint, EventFilter, Switch};
use recoup_domain::event::EventType;
use recoup_domain::ids::{EndpointId, Tenant};
use recoup_domain::or_abort::OrAbort;
use recoup_domain::sealed::StoredSecrets;
use recoup_domain::signing::Secrets;
use recoup_domain::text::{TargetUrl, Text};
use recoup_domain::time::Timestamp;
use recoup_http::fields::{Entry, Fields, Given};
use recoup_http::problem::{Code, Problem};
use recoup_http::request;
use recoup_http::webhook::target_url;
use recoup_ports::webhooks::Reach;

/// Most entries in a list of event types; there are fewer types.
const EVENTS_MAX: usize = 16;

/// The wanted fields of an endpoint. An absent one keeps its value, or has its default in a new endpoint.
#[derive(Debug)]
pub(crate) struct WantedEndpoint {
    url: Option<TargetUrl>,
    events: Option<EventFilter>,
    enabled: Option<bool>,
    description: Given<Text<255>>,
}

pub(crate) fn parse(request: &Request, reach: Reach) -> Result<WantedEndpoint, Problem> {
    let mut fields = request::body(request, &["url", "events", "enabled", "description"])?;
    let wanted = WantedEndpoint {
        url: fields.take("url").map(|url| url.read(|text| target_url(text, reach))).transpose()?,
        events: fields.take("events").map(filter).transpose()?,
        enabled: fields.take("enabled").map(Entry::boolean).transpose()?,
        description: description(&mut fields)?,
    };
    fields.finish()?;
    Ok(wanted)
}

fn description(fields: &mut Fields) -> Result<Given<Text<255>>, Problem> {
    Ok(match fields.take_nullable("description") {
        Given::Absent => Given::Absent,
        Given::Null => Given::Null,
        Given::Value(entry) => Given::Value(entry.text()?),
    })
}

/// The types of events that an endpoint may receive.
fn types() -> impl Iterator<Item = &'static str> {
    let sample = EventType::EndpointTest.as_str();
    EventType::NAMES.iter().copied().filter(move |name| *name != sample)
}

fn filter(entry: Entry) -> Result<EventFilter, Problem> {
    let none = entry.invalid("must name at least one type of event, or \"*\"");
    let mut names = Vec::new();
    for entry in entry.list(EVENTS_MAX)? {
        names.push(entry.read(|name| {
            let known = EventFilter::parse([name]).is_some();
            let all = || types().chain([EventFilter::ALL]).collect::<Vec<_>>().join(", ");
            if known { Ok(name.to_owned()) } else { Err(format!("must be one of {}", all())) }
        })?);
    }
    EventFilter::parse(names.iter().map(String::as_str)).ok_or(none)
}

fn off_by_owner(now: Timestamp) -> Switch {
    Switch::Off { reason: DisabledReason::ByOwner, at: now }
}

impl WantedEndpoint {
    /// A new endpoint.
    pub(crate) fn endpoint(
        self,
        tenant: &Tenant,
        id: EndpointId,
        secrets: StoredSecrets,
        now: Timestamp,
    ) -> Result<Endpoint, Problem> {
        let missing = || Problem::new(Code::MissingParameter, "url is required.").about("url");
        Ok(Endpoint {
            tenant: tenant.clone(),
            id,
            url: self.url.ok_or_else(missing)?,
            description: match self.description {
                Given::Value(text) => Some(text),
                Given::Absent | Given::Null => None,
            },
            events: self.events.unwrap_or(EventFilter::All),
            secrets,
            switch: if self.enabled == Some(false) { off_by_owner(now) } else { Switch::On },
            failing_since: None,
            revision: 1,
            created_at: now,
            updated_at: now,
        })
    }

    /// The changed endpoint; `None` if nothing changes.
    pub(crate) fn applied_to(&self, endpoint: &Endpoint, now: Timestamp) -> Option<Endpoint> {
        let mut next = endpoint.clone();
        if let Some(url) = self.url.as_ref().filter(|url| **url != endpoint.url) {
            next.url.clone_from(url);
            // The health of the old URL says nothing about the new one.
            next.failing_since = None;
        }
        if let Some(events) = &self.events {
            next.events.clone_from(events);
        }
        match &self.description {
            Given::Absent => {}
            Given::Null => next.description = None,
            Given::Value(text) => next.description = Some(text.clone()),
        }
        match (self.enabled, endpoint.switch) {
            (Some(true), Switch::Off { .. }) => {
                next.switch = Switch::On;
                next.failing_since = None;
            }
            (Some(false), Switch::On) => next.switch = off_by_owner(now),
            (Some(true), Switch::On) | (Some(false), Switch::Off { .. }) | (None, _) => {}
        }
        (next != *endpoint).then(|| next.changed(now))
    }
}

/// How long the replaced secret still signs.
pub(crate) fn overlap(request: &Request) -> Result<Duration, Problem> {
    let mut fields = request::body(request, &["overlap_hours"])?;
    let hours =
        fields.take("overlap_hours").map(|hours| hours.whole(Secrets::OVERLAP_HOURS_MAX)).transpose()?;
    fields.finish()?;
    Ok(Secrets::overlap(hours).or_abort("more hours than the most are refused above"))
}

/// The only endpoint to which an event is sent again, if the body names one.
pub(crate) fn only_endpoint(request: &Request) -> Result<Option<EndpointId>, Problem> {
    let mut fields = request::body(request, &["endpoint_id"])?;
    let only = fields.take("endpoint_id").map(Entry::id).transpose()?;
    fields.finish()?;
    Ok(only)
}
