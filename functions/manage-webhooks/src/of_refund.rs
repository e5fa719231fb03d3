//! A page of one refund's events. The refund itself knows their ids, so each is read where it lies.

use futures_util::{StreamExt, TryStreamExt, stream};
use recoup_domain::event::Event;
use recoup_domain::ids::EventId;
use recoup_domain::refund::Refund;
use recoup_ports::ReadError;
use recoup_ports::events::{Events, Recorded};

use crate::events::{FeedPage, Wanted};
use crate::feed::Told;

/// Most events that are read side by side.
const AT_ONCE: usize = 10;

/// A page; at most [`Refund::CHANGES_KEPT`] and one are looked at. An event of which no try was made yet is absent.
pub(crate) async fn page<S: Events + Sync>(
    store: &S,
    refund: &Refund,
    wanted: &Wanted,
) -> Result<FeedPage, ReadError> {
    let limit = usize::from(wanted.limit);
    let mut ids: Vec<EventId> = refund.event_ids().filter(|id| wanted.spans(id)).collect();
    // Changes of the same millisecond have their order from their ids, as in the feed.
    ids.sort_by(|one, other| other.cmp(one));
    let (mut told, mut next) = (Vec::new(), None);
    for some in ids.chunks(limit) {
        let reads: Vec<_> = some.iter().map(|id| event(store, refund, id)).collect();
        let found: Vec<_> = stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
        for (id, recorded) in some.iter().zip(found) {
            if told.len() == limit {
                return Ok(FeedPage { told, next });
            }
            next = Some(id.clone());
            told.extend(recorded.filter(|one| one.is_in(wanted)));
        }
        if told.len() == limit {
            break;
        }
    }
    let more = next.as_ref().is_some_and(|next| ids.last().is_some_and(|last| last < next));
    Ok(FeedPage { told, next: next.filter(|_| more) })
}

async fn event<S: Events>(store: &S, refund: &Refund, id: &EventId) -> Result<Option<Told>, ReadError> {
    match store.event(&refund.tenant, id).await {
        Ok(Some(recorded)) => return Ok(Some(Told::Recorded(recorded))),
        Ok(None) => {}
        Err(ReadError::Unreadable { .. }) => return Ok(Some(Told::Unreadable(id.clone()))),
        Err(error @ ReadError::Unavailable(_)) => return Err(error),
    }
    let beginning = Event::of_beginning(refund);
    let begun = || Told::Recorded(Recorded { event: beginning.clone(), deliveries: Vec::new() });
    Ok((beginning.id == *id).then(begun))
}
