//! Events: one, or a page of them.
//!
//! Most are read from the feed. The beginning of a refund of which nobody was told is not there: the list of
//! refunds tells it, and the refund itself says how it was.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use lambda_http::Request;
use lambda_http::http::StatusCode;
use recoup_domain::event::{Event, EventType};
use recoup_domain::ids::{EventId, RefundId, Tenant};
use recoup_domain::refund::Refund;
use recoup_domain::time::Timestamp;
use recoup_http::event::{EventView, named, not_found};
use recoup_http::list::{Entries, Parameters};
use recoup_http::problem::{Code, Problem};
use recoup_http::respond::Answer;
use recoup_ports::ReadError;
use recoup_ports::events::Recorded;
use recoup_ports::lists::{Place, RefundList, Window};
use recoup_ports::refunds::Refunds;

use crate::feed::{self, Told};
use crate::{Context, Store, of_refund};

pub(crate) const MILLISECOND: Duration = Duration::from_millis(1);
/// Refunds of one millisecond that are read at once, and how often.
pub(crate) const SAME_MOMENT: u16 = 100;
pub(crate) const SAME_MOMENT_LOOKS_MAX: usize = 10;

/// What is listed.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) r#type: Option<EventType>,
    pub(crate) refund: Option<RefundId>,
    /// From this id on.
    pub(crate) from: EventId,
    /// Before this one.
    pub(crate) before: Option<EventId>,
    pub(crate) limit: u16,
}

impl Wanted {
    fn parse(request: &Request, now: Timestamp) -> Result<Self, Problem> {
        let mut parameters = Parameters::of(request)?;
        let listed = |r#type: &EventType| *r#type != EventType::EndpointTest;
        let r#type = parameters.take("type", |text| {
            let names =
                EventType::NAMES.iter().filter(|name| EventType::parse(name).is_some_and(|one| listed(&one)));
            let what = || format!("must be one of {}", names.copied().collect::<Vec<_>>().join(", "));
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

    /// Whether an event of this id lies between the bounds.
    pub(crate) fn spans(&self, id: &EventId) -> bool {
        *id >= self.from && self.before.as_ref().is_none_or(|before| id < before)
    }

    /// Whether events of a type are asked for.
    pub(crate) fn accepts(&self, r#type: EventType) -> bool {
        self.r#type.is_none_or(|wanted| wanted == r#type)
    }
}

/// What happened before it is told no more, whether or not the table has forgotten it yet.
fn oldest(now: Timestamp) -> Timestamp {
    let kept = Duration::from_hours(Event::DAYS_KEPT.saturating_mul(24)).saturating_sub(MILLISECOND);
    let kept = u64::try_from(kept.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_unix_millis(now.unix_millis().saturating_sub(kept)).unwrap_or(now)
}

/// Events in order, and where the page behind them starts if there may be more.
pub(crate) struct FeedPage {
    pub(crate) told: Vec<Told>,
    pub(crate) next: Option<EventId>,
}

pub(crate) async fn list<S: Store, R>(
    context: &Context<S, R>,
    request: &Request,
    tenant: &Tenant,
) -> Result<Answer, Problem> {
    let wanted = Wanted::parse(request, (context.now)())?;
    let (page, known) = match &wanted.refund {
        None => (feed::page(&context.store, tenant, wanted).await?, None),
        Some(id) => match context.store.refund(tenant, id).await? {
            Some(refund) => (of_refund::page(&context.store, &refund, &wanted).await?, Some(refund)),
            None => (FeedPage { told: Vec::new(), next: None }, None),
        },
    };
    let refunds = match known {
        Some(refund) => {
            Subjects { read: HashMap::from([(refund.id.clone(), refund)]), ..Subjects::default() }
        }
        None => refunds_of(&context.store, tenant, &page.told).await?,
    };
    let (entries, next) = fitting(context, page, &refunds)?;
    Answer::new(StatusCode::OK, &entries.page(next.as_ref()))
}

/// As much of a page as an answer may hold; the next page starts behind it.
fn fitting<S, R>(
    context: &Context<S, R>,
    page: FeedPage,
    refunds: &Subjects,
) -> Result<(Entries<EventView>, Option<EventId>), Problem> {
    let (mut entries, mut last) = (Entries::default(), None);
    for told in page.told {
        let id = told.id().clone();
        if told.is_unreadable() || told.refund().is_some_and(|id| refunds.unreadable.contains(id.as_str())) {
            entries.name_unreadable(id.to_string());
        } else if let Some(view) = view(context, told, &refunds.read)
            && !entries.takes(view)?
        {
            return Ok((entries, last));
        }
        last = Some(id);
    }
    Ok((entries, page.next))
}

/// The refunds that events are about, and the ids of those that cannot be read.
#[derive(Default)]
struct Subjects {
    read: HashMap<RefundId, Refund>,
    unreadable: HashSet<String>,
}

/// The refunds that events are about, in as few calls as can be.
async fn refunds_of<S: Refunds>(store: &S, tenant: &Tenant, told: &[Told]) -> Result<Subjects, ReadError> {
    let mut ids: Vec<RefundId> = told.iter().filter_map(Told::refund).cloned().collect();
    ids.sort();
    ids.dedup();
    if ids.is_empty() {
        return Ok(Subjects::default());
    }
    let refunds = store.refunds(tenant, &ids).await?;
    Ok(Subjects {
        read: refunds.read.into_iter().map(|refund| (refund.id.clone(), refund)).collect(),
        unreadable: refunds.unreadable.into_iter().map(|row| row.id).collect(),
    })
}

fn view<S, R>(context: &Context<S, R>, told: Told, refunds: &HashMap<RefundId, Refund>) -> Option<EventView> {
    let refund = told.refund().and_then(|id| refunds.get(id));
    let id = told.id().clone();
    let view = told.recorded(refund).and_then(|event| EventView::of(&event, refund, &context.public_url));
    if view.is_none() {
        tracing::error!(event.id = %id, "the refund of an event does not exist");
    }
    view
}

/// An event, with the refund it is about as that is now.
pub(crate) struct Found {
    pub(crate) recorded: Recorded,
    pub(crate) refund: Option<Refund>,
}

impl Found {
    /// Shows it.
    pub(crate) fn answer<S, R>(
        &self,
        context: &Context<S, R>,
        status: StatusCode,
    ) -> Result<Answer, Problem> {
        let view = EventView::of(&self.recorded, self.refund.as_ref(), &context.public_url);
        let Some(view) = view else {
            tracing::error!(event.id = %self.recorded.event.id, "the refund of an event does not exist");
            return Err(Problem::new(Code::Internal, "The event's refund could not be found."));
        };
        Answer::new(status, &view)
    }
}

pub(crate) async fn get<S: Store, R>(
    context: &Context<S, R>,
    request: &Request,
    tenant: &Tenant,
) -> Result<Answer, Problem> {
    let id = named(request)?;
    Parameters::of(request)?.finish()?;
    found(context, tenant, &id).await?.answer(context, StatusCode::OK)
}

/// The event of an id: recorded, or the beginning of a refund of which nobody was told.
pub(crate) async fn found<S: Store, R>(
    context: &Context<S, R>,
    tenant: &Tenant,
    id: &EventId,
) -> Result<Found, Problem> {
    if id.time() < oldest((context.now)()) {
        return Err(not_found());
    }
    let store = &context.store;
    if let Some(recorded) = store.event(tenant, id).await? {
        let refund = match recorded.event.refund() {
            Some(id) => store.refund(tenant, id).await?,
            None => None,
        };
        return Ok(Found { recorded, refund });
    }
    let Some(place) = begun(store, tenant, id).await? else { return Err(not_found()) };
    let refund = store.refund(tenant, &place.id).await?.ok_or_else(not_found)?;
    let recorded = Recorded { event: Event::of_beginning(&refund), deliveries: Vec::new() };
    Ok(Found { recorded, refund: Some(refund) })
}

/// The refund whose beginning has this id. The id tells when that was, and few refunds are made in a millisecond.
async fn begun<S: RefundList>(store: &S, tenant: &Tenant, id: &EventId) -> Result<Option<Place>, ReadError> {
    let time = id.time();
    let mut window = Window { from: Some(time), to: Some(time.plus(MILLISECOND)), behind: None };
    for _ in 0..SAME_MOMENT_LOOKS_MAX {
        let places = store.places(tenant, &window, SAME_MOMENT).await?;
        let is_last = places.len() < usize::from(SAME_MOMENT);
        window.behind = places.last().cloned();
        let found = places.into_iter().find(|place| feed::beginning(tenant, place) == *id);
        if found.is_some() || is_last {
            return Ok(found);
        }
    }
    Ok(None)
}
