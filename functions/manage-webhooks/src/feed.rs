//! A page of all events: the recorded ones and the beginnings of refunds, merged by their ids and so by time.
//!
//! Both sources are read a window at a time. Where one of them was not read to its end, nothing is known below the
//! last that it told, so the page goes no further than that floor and looks again from there.

use std::collections::HashSet;

use futures_util::future::try_join;
use recoup_domain::event::{Event, EventType};
use recoup_domain::ids::{EventId, RefundId, Tenant};
use recoup_domain::refund::Refund;
use recoup_domain::time::Timestamp;
use recoup_ports::ReadError;
use recoup_ports::events::{EventWindow, Events, InFeed, Recorded};
use recoup_ports::lists::{Place, RefundList, Window};

use crate::events::{FeedPage, MILLISECOND, SAME_MOMENT, SAME_MOMENT_LOOKS_MAX, Wanted};

/// Most windows that one page looks through.
const LOOKS_MAX: usize = 10;
/// So many are read at once where only some are wanted.
const FILTERED: u16 = 100;

/// An event, as far as it was read.
#[derive(Debug)]
pub(crate) enum Told {
    /// A recorded one.
    Recorded(Recorded),
    /// The beginning of this refund, whatever was recorded of it.
    Beginning(EventId, RefundId),
    /// One that cannot be read.
    Unreadable(EventId),
}

impl From<InFeed> for Told {
    fn from(one: InFeed) -> Self {
        match one {
            InFeed::Recorded(recorded) => Self::Recorded(recorded),
            InFeed::Unreadable(id) => Self::Unreadable(id),
        }
    }
}

impl Told {
    pub(crate) fn id(&self) -> &EventId {
        match self {
            Self::Recorded(recorded) => &recorded.event.id,
            Self::Beginning(id, _) | Self::Unreadable(id) => id,
        }
    }

    pub(crate) fn refund(&self) -> Option<&RefundId> {
        match self {
            Self::Recorded(recorded) => recorded.event.refund(),
            Self::Beginning(_, refund) => Some(refund),
            Self::Unreadable(_) => None,
        }
    }

    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self, Self::Unreadable(_))
    }

    /// Whether it is asked for; what cannot be read may be.
    pub(crate) fn is_in(&self, wanted: &Wanted) -> bool {
        match self {
            Self::Recorded(recorded) => wanted.accepts(recorded.event.r#type),
            Self::Beginning(..) => wanted.accepts(EventType::Initiated),
            Self::Unreadable(_) => true,
        }
    }

    /// The whole of it, with the refund it is about.
    pub(crate) fn recorded(self, refund: Option<&Refund>) -> Option<Recorded> {
        match self {
            Self::Recorded(recorded) => Some(recorded),
            Self::Beginning(..) => {
                Some(Recorded { event: Event::of_beginning(refund?), deliveries: Vec::new() })
            }
            Self::Unreadable(_) => None,
        }
    }
}

/// The id of the event with which the refund at a place began.
pub(crate) fn beginning(tenant: &Tenant, place: &Place) -> EventId {
    EventId::of_change(tenant, &place.id, 1, place.created_at)
}

/// What one look told, newest first. Below the floor nothing is known yet; none is the end.
struct Look<T> {
    told: Vec<T>,
    floor: Option<EventId>,
}

/// A page. It may hold fewer than its limit although there are more: so much is looked through, and no more.
pub(crate) async fn page<S: Events + RefundList + Sync>(
    store: &S,
    tenant: &Tenant,
    mut wanted: Wanted,
) -> Result<FeedPage, ReadError> {
    let limit = usize::from(wanted.limit);
    let mut told = Vec::new();
    for _ in 0..LOOKS_MAX {
        if wanted.before.as_ref().is_some_and(|before| *before <= wanted.from) {
            return Ok(FeedPage { told, next: None });
        }
        let look = look(store, tenant, &wanted).await?;
        for one in look.told {
            if told.len() == limit {
                return Ok(FeedPage { told, next: wanted.before });
            }
            wanted.before = Some(one.id().clone());
            if one.is_in(&wanted) {
                told.push(one);
            }
        }
        if look.floor.is_none() {
            return Ok(FeedPage { told, next: None });
        }
        wanted.before = look.floor;
        if told.len() == limit {
            break;
        }
    }
    Ok(FeedPage { told, next: wanted.before })
}

async fn look<S: Events + RefundList + Sync>(
    store: &S,
    tenant: &Tenant,
    wanted: &Wanted,
) -> Result<Look<Told>, ReadError> {
    // One more than asked for tells whether there are more.
    let count = if wanted.r#type.is_some() { FILTERED } else { wanted.limit.saturating_add(1) };
    let (recorded, begun) =
        try_join(recorded(store, tenant, wanted, count), begun(store, tenant, wanted, count)).await?;
    let known: HashSet<EventId> = recorded.told.iter().map(|one| one.id().clone()).collect();
    let begun_only = begun.told.into_iter().filter(|(id, _)| !known.contains(id));
    let mut told: Vec<Told> = begun_only.map(|(id, refund)| Told::Beginning(id, refund)).collect();
    told.extend(recorded.told.into_iter().map(Told::from));
    let floor = recorded.floor.max(begun.floor);
    told.retain(|one| floor.as_ref().is_none_or(|floor| one.id() >= floor));
    told.sort_by(|one, other| other.id().cmp(one.id()));
    Ok(Look { told, floor })
}

async fn recorded<S: Events>(
    store: &S,
    tenant: &Tenant,
    wanted: &Wanted,
    count: u16,
) -> Result<Look<InFeed>, ReadError> {
    let window = EventWindow { from: wanted.from.clone(), before: wanted.before.clone() };
    let told = store.recorded_events(tenant, &window, count).await?;
    let is_full = told.len() >= usize::from(count);
    let floor = told.last().filter(|_| is_full).map(|last| last.id().clone());
    Ok(Look { told, floor })
}

/// The beginnings that the list of refunds tells. Its order within a millisecond is not that of the events, so a
/// millisecond is read as a whole or left for the next look.
async fn begun<S: RefundList>(
    store: &S,
    tenant: &Tenant,
    wanted: &Wanted,
    count: u16,
) -> Result<Look<(EventId, RefundId)>, ReadError> {
    if !wanted.accepts(EventType::Initiated) {
        return Ok(Look { told: Vec::new(), floor: None });
    }
    let to = wanted.before.as_ref().map(end_of_moment);
    let window = Window { from: Some(wanted.from.time()), to, behind: None };
    let mut places = store.places(tenant, &window, count).await?;
    let mut floor = None;
    if places.len() >= usize::from(count)
        && let (Some(first), Some(last)) = (places.first().cloned(), places.last().cloned())
    {
        let mut whole = last.created_at;
        if first.created_at == last.created_at {
            places.extend(rest_of_moment(store, tenant, last).await?);
        } else {
            places.retain(|place| place.created_at != whole);
            whole = whole.plus(MILLISECOND);
        }
        floor = Some(EventId::earliest_at(whole));
    }
    let told = places.into_iter().map(|place| (beginning(tenant, &place), place.id));
    Ok(Look { told: told.filter(|(id, _)| wanted.spans(id)).collect(), floor })
}

/// The first moment of which nothing lies before an id. Of the least id of its millisecond that is this very one:
/// to read it again would bring a page no further.
fn end_of_moment(before: &EventId) -> Timestamp {
    let time = before.time();
    if *before == EventId::earliest_at(time) { time } else { time.plus(MILLISECOND) }
}

/// What else was made in the same millisecond, behind a place.
async fn rest_of_moment<S: RefundList>(
    store: &S,
    tenant: &Tenant,
    last: Place,
) -> Result<Vec<Place>, ReadError> {
    let mut window = Window { from: Some(last.created_at), to: None, behind: Some(last) };
    let mut rest = Vec::new();
    for _ in 0..SAME_MOMENT_LOOKS_MAX {
        let places = store.places(tenant, &window, SAME_MOMENT).await?;
        let is_last = places.len() < usize::from(SAME_MOMENT);
        window.behind = places.last().cloned();
        rest.extend(places);
        if is_last {
            break;
        }
    }
    Ok(rest)
}
