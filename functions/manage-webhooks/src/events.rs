//! Events: one event, or a page of them, each with the refund it is about.

use std::collections::{HashMap, HashSet};

use lambda_http::Request;
use lambda_http::http::StatusCode;
use recoup_domain::api_key::Scope;
use recoup_domain::event::Event;
use recoup_domain::ids::{EventId, RefundId, Tenant};
use recoup_domain::refund::Refund;
use recoup_http::event::{EventView, named, not_found};
use recoup_http::list::{Entries, Parameters};
use recoup_http::problem::{Code, Problem};
use recoup_http::request::Caller;
use recoup_http::respond::Answer;
use recoup_ports::ReadError;
use recoup_ports::events::{InFeed, Recorded};
use recoup_ports::refunds::Refunds;

use crate::pages::{EventPage, Wanted, of_account, of_refund, oldest};
use crate::{Context, Store};

pub(crate) async fn list<S: Store, P, K>(
    context: &Context<S, P, K>,
    request: &Request,
    caller: &Caller,
) -> Result<Answer, Problem> {
    let tenant = &caller.tenant;
    let wanted = Wanted::parse(request, (context.now)())?;
    let store = &context.store;
    let (page, refunds) = match &wanted.refund {
        None => {
            let page = of_account(store, tenant, &wanted).await?;
            let refunds = if shows_refunds(caller) {
                Some(refunds_of(store, tenant, &page.events).await?)
            } else {
                None
            };
            (page, refunds)
        }
        Some(id) => match store.refund(tenant, id).await? {
            Some(refund) => {
                let page = of_refund(store, &refund, &wanted).await?;
                (page, shows_refunds(caller).then(|| Subjects::one(refund)))
            }
            None => (EventPage { events: Vec::new(), next: None }, None),
        },
    };
    let (entries, next) = fitting(context, page, refunds.as_ref())?;
    Answer::new(StatusCode::OK, &entries.page(next.as_ref()))
}

/// Whether events show the refunds they are about: whoever manages webhooks need not be allowed to read refunds.
fn shows_refunds(caller: &Caller) -> bool {
    caller.has(Scope::RefundsRead)
}

/// The entries that fit in one answer, and the last one if the page goes on after it.
fn fitting<S, P, K>(
    context: &Context<S, P, K>,
    page: EventPage,
    refunds: Option<&Subjects>,
) -> Result<(Entries<EventView>, Option<EventId>), Problem> {
    let (mut entries, mut last) = (Entries::default(), None);
    for event in page.events {
        let id = event.id().clone();
        match event {
            InFeed::Recorded(recorded) if refunds.is_none_or(|all| !all.cannot_read(&recorded.event)) => {
                let view = match refunds {
                    Some(refunds) => view(context, &recorded, refunds.of(&recorded.event)),
                    None => Some(EventView::without_refund(&recorded, &context.public_url)),
                };
                if let Some(view) = view
                    && !entries.takes(view)?
                {
                    return Ok((entries, last));
                }
            }
            InFeed::Recorded(_) | InFeed::Unreadable(_) => entries.name_unreadable(id.to_string()),
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

impl Subjects {
    fn one(refund: Refund) -> Self {
        Self { read: HashMap::from([(refund.id.clone(), refund)]), unreadable: HashSet::new() }
    }

    fn of(&self, event: &Event) -> Option<&Refund> {
        event.refund().and_then(|id| self.read.get(id))
    }

    fn cannot_read(&self, event: &Event) -> bool {
        event.refund().is_some_and(|id| self.unreadable.contains(id.as_str()))
    }
}

/// Reads the refunds that events are about, in as few calls as possible.
async fn refunds_of<S: Refunds>(
    store: &S,
    tenant: &Tenant,
    events: &[InFeed],
) -> Result<Subjects, ReadError> {
    let recorded = events.iter().filter_map(|event| match event {
        InFeed::Recorded(recorded) => recorded.event.refund(),
        InFeed::Unreadable(_) => None,
    });
    let mut ids: Vec<RefundId> = recorded.cloned().collect();
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

fn view<S, P, K>(
    context: &Context<S, P, K>,
    recorded: &Recorded,
    refund: Option<&Refund>,
) -> Option<EventView> {
    let view = EventView::of(recorded, refund, &context.public_url);
    if view.is_none() {
        tracing::error!(event.id = %recorded.event.id, "the refund of an event does not exist");
    }
    view
}

/// An event, and the refund it is about as it is now.
pub(crate) struct Found {
    pub(crate) recorded: Recorded,
    pub(crate) refund: Option<Refund>,
}

impl Found {
    /// The answer that shows the event.
    pub(crate) fn answer<S, P, K>(
        &self,
        context: &Context<S, P, K>,
        caller: &Caller,
        status: StatusCode,
    ) -> Result<Answer, Problem> {
        if !shows_refunds(caller) {
            return Answer::new(status, &EventView::without_refund(&self.recorded, &context.public_url));
        }
        match view(context, &self.recorded, self.refund.as_ref()) {
            Some(view) => Answer::new(status, &view),
            None => Err(Problem::new(Code::Internal, "The event's refund could not be found.")),
        }
    }
}

pub(crate) async fn get<S: Store, P, K>(
    context: &Context<S, P, K>,
    request: &Request,
    caller: &Caller,
) -> Result<Answer, Problem> {
    let id = named(request)?;
    Parameters::of(request)?.finish()?;
    found(context, &caller.tenant, &id).await?.answer(context, caller, StatusCode::OK)
}

/// The event with this id, or a 404 if there is none or it is no longer shown.
pub(crate) async fn found<S: Store, P, K>(
    context: &Context<S, P, K>,
    tenant: &Tenant,
    id: &EventId,
) -> Result<Found, Problem> {
    if id.time() < oldest((context.now)()) {
        return Err(not_found());
    }
    let recorded = context.store.event(tenant, id).await?.ok_or_else(not_found)?;
    let refund = match recorded.event.refund() {
        Some(id) => context.store.refund(tenant, id).await?,
        None => None,
    };
    Ok(Found { recorded, refund })
}
