//! Pages of events: of the whole account, or of one refund.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use lambda_http::Request;
use recoup_domain::event::{Event, EventType, Subject};
use recoup_domain::ids::{EventId, RefundId, Tenant};
use recoup_domain::refund::Refund;
use recoup_domain::time::Timestamp;
use recoup_http::list::Parameters;
use recoup_http::problem::Problem;
use recoup_ports::ReadError;
use recoup_ports::events::{EventWindow, Events, InFeed};

const MILLISECOND: Duration = Duration::from_millis(1);
/// Most reads of the list for one page.
const LOOKS_MAX: usize = 10;
/// Bytes of metadata after which a page makes no further read: large events take time and memory, shown or not.
const READ_BYTES_MAX: usize = 4_000_000;
/// Events per read where only some types are wanted.
const FILTERED: u16 = 100;
/// Most events of one refund that are read concurrently.
const AT_ONCE: usize = 10;

/// The requested page.
#[derive(Debug)]
pub(crate) struct Wanted {
    r#type: Option<EventType>,
    pub(crate) refund: Option<RefundId>,
    /// Only events with this id or a later one.
    from: EventId,
    /// Only events with an earlier id.
    before: Option<EventId>,
    limit: u16,
}

/// Events, newest first, and the cursor of the next page if there may be more.
pub(crate) struct EventPage {
    pub(crate) events: Vec<InFeed>,
    pub(crate) next: Option<EventId>,
}

/// The time of the oldest event that is shown; older ones are not, even if the table still has them.
pub(crate) fn oldest(now: Timestamp) -> Timestamp {
    let kept = Duration::from_hours(Event::DAYS_KEPT.saturating_mul(24)).saturating_sub(MILLISECOND);
    now.minus(kept)
}

impl Wanted {
    pub(crate) fn parse(request: &Request, now: Timestamp) -> Result<Self, Problem> {
        let mut parameters = Parameters::of(request)?;
        let listed = |r#type: &EventType| *r#type != EventType::EndpointTest;
        let r#type = parameters.take("type", |text| {
            let names = EventType::ALL.iter().filter(|one| listed(one)).map(|one| one.as_str());
            let what = || format!("must be one of {}", names.collect::<Vec<_>>().join(", "));
            EventType::parse(text).filter(listed).ok_or_else(what)
        })?;
        let refund = parameters.take("refund_id", |text| RefundId::try_from(text))?;
        let (from, to) = (parameters.moment("created_from")?, parameters.moment("created_to")?);
        let cursor: Option<EventId> = parameters.cursor()?;
        let limit = parameters.limit()?;
        parameters.finish()?;
        let from = from.unwrap_or_else(|| oldest(now)).max(oldest(now));
        let before = [to.map(EventId::earliest_at), cursor].into_iter().flatten().min();
        Ok(Self { r#type, refund, from: EventId::earliest_at(from), before, limit })
    }

    /// Whether an event with this id lies between the bounds.
    fn spans(&self, id: &EventId) -> bool {
        *id >= self.from && self.before.as_ref().is_none_or(|before| id < before)
    }

    /// Whether an event matches the filter; an unreadable one may.
    fn accepts(&self, event: &InFeed) -> bool {
        match event {
            InFeed::Recorded(recorded) => self.r#type.is_none_or(|wanted| wanted == recorded.event.r#type),
            InFeed::Unreadable(_) => true,
        }
    }
}

/// A page of the account's events. It may be shorter than its limit although more follow, since the number of events
/// that are searched is bounded.
pub(crate) async fn of_account<S: Events>(
    store: &S,
    tenant: &Tenant,
    wanted: &Wanted,
) -> Result<EventPage, ReadError> {
    let limit = usize::from(wanted.limit);
    // One beyond the limit, to know whether more follow.
    let count = if wanted.r#type.is_some() { FILTERED } else { wanted.limit.saturating_add(1) };
    let mut window = EventWindow { from: wanted.from.clone(), before: wanted.before.clone() };
    let (mut events, mut bytes) = (Vec::new(), 0_usize);
    for _ in 0..LOOKS_MAX {
        if window.before.as_ref().is_some_and(|before| *before <= window.from) {
            return Ok(EventPage { events, next: None });
        }
        let found = store.recorded_events(tenant, &window, count).await?;
        let is_last = found.len() < usize::from(count);
        for event in found {
            if events.len() == limit {
                return Ok(EventPage { events, next: window.before });
            }
            window.before = Some(event.id().clone());
            bytes = bytes.saturating_add(metadata_bytes(&event));
            if wanted.accepts(&event) {
                events.push(event);
            }
        }
        if is_last {
            return Ok(EventPage { events, next: None });
        }
        if bytes > READ_BYTES_MAX {
            break;
        }
    }
    Ok(EventPage { events, next: window.before })
}

fn metadata_bytes(event: &InFeed) -> usize {
    match event {
        InFeed::Recorded(recorded) => match &recorded.event.subject {
            Subject::Refund { version, .. } => version.metadata.bytes(),
            Subject::Endpoint { .. } => 0,
        },
        InFeed::Unreadable(_) => 0,
    }
}

/// A page of one refund's events, each read by its id, which the refund knows. There are at most
/// [`Refund::CHANGES_KEPT`] and one.
pub(crate) async fn of_refund<S: Events + Sync>(
    store: &S,
    refund: &Refund,
    wanted: &Wanted,
) -> Result<EventPage, ReadError> {
    let limit = usize::from(wanted.limit);
    let mut ids: Vec<EventId> = refund.event_ids().filter(|id| wanted.spans(id)).collect();
    // Changes in the same millisecond are ordered by their ids, as in the account's list.
    ids.sort_by(|one, other| other.cmp(one));
    let (mut events, mut next) = (Vec::new(), None);
    for some in ids.chunks(limit) {
        let reads: Vec<_> = some.iter().map(|id| event(store, &refund.tenant, id)).collect();
        let found: Vec<_> = stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
        for (id, event) in some.iter().zip(found) {
            if events.len() == limit {
                return Ok(EventPage { events, next });
            }
            next = Some(id.clone());
            events.extend(event.filter(|one| wanted.accepts(one)));
        }
        if events.len() == limit {
            break;
        }
    }
    let more = next.as_ref().is_some_and(|next| ids.last().is_some_and(|last| last < next));
    Ok(EventPage { events, next: next.filter(|_| more) })
}

async fn event<S: Events>(store: &S, tenant: &Tenant, id: &EventId) -> Result<Option<InFeed>, ReadError> {
    match store.event(tenant, id).await {
        Ok(recorded) => Ok(recorded.map(Box::new).map(InFeed::Recorded)),
        Err(ReadError::Unreadable { .. }) => Ok(Some(InFeed::Unreadable(id.clone()))),
        Err(error @ ReadError::Unavailable(_)) => Err(error),
    }
}
