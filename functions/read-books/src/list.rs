//! Pages of refunds, newest first: of the account, or of one payment.
//!
//! New refunds do not change a page, since they come before its cursor. A page may be shorter than its limit while
//! `has_more` is true: with a filter, because the number of refunds that are searched is bounded; and because
//! the size of an answer is.

use std::collections::{HashMap, HashSet};

use lambda_http::Request;
use lambda_http::http::StatusCode;
use recoup_domain::ids::{PaymentId, RefundId, Tenant};
use recoup_domain::payment::Payment;
use recoup_domain::refund::{Refund, Status};
use recoup_domain::text::Text;
use recoup_http::fields::invalid;
use recoup_http::list::{Entries, Parameters};
use recoup_http::payment::not_found;
use recoup_http::problem::Problem;
use recoup_http::respond::Answer;
use recoup_ports::lists::{Place, RefundList, Window};
use recoup_ports::payments::Payments;
use recoup_ports::refunds::Refunds;
use recoup_ports::rows::Rows;
use recoup_views::RefundView;

use crate::Context;
use crate::expand::{self, Expand, Expanded};

/// Most reads of the list for one page.
const LOOKS_MAX: usize = 10;
/// Refunds of one read that looks for a reference, so that a page searches a thousand.
const LOOK_FOR_REFERENCE: u16 = 100;
/// Bytes of metadata after which a page makes no further read: large refunds take time and memory, shown or not.
const READ_BYTES_MAX: usize = 4_000_000;

/// The requested page.
pub(crate) struct Wanted {
    payment: Option<PaymentId>,
    status: Option<Status>,
    reference: Option<Text<128>>,
    window: Window,
    limit: u16,
    pub(crate) expand: Expand,
}

/// Reads the query string. `payment` is the payment of the path, if there is one.
pub(crate) fn parse(request: &Request, payment: Option<PaymentId>) -> Result<Wanted, Problem> {
    let mut parameters = Parameters::of(request)?;
    let payment = match payment {
        Some(payment) => Some(payment),
        None => parameters.take("payment_id", |text| PaymentId::try_from(text))?,
    };
    let status = parameters.take("status", |text| {
        Status::parse(text).ok_or_else(|| format!("must be one of {}", Status::NAMES.join(", ")))
    })?;
    let reference = parameters.take("reference", |text| Text::new(text.to_owned()))?;
    let (from, to) = (parameters.moment("created_from")?, parameters.moment("created_to")?);
    let window = Window { from, to, behind: parameters.cursor()? };
    let limit = parameters.limit()?;
    let wanted = Wanted { payment, status, reference, window, limit, expand: expand::take(&mut parameters)? };
    parameters.finish()?;
    Ok(wanted)
}

/// The list that is paged.
enum Source {
    Account,
    /// All refunds of one payment, oldest first, as the payment itself lists them.
    Payment(Box<Payment>),
}

/// One entry of the page.
struct Entry {
    place: Place,
    /// The refund; `None` if it cannot be read.
    refund: Option<Refund>,
}

pub(crate) async fn page<S: Payments + Refunds + RefundList>(
    context: &Context<S>,
    tenant: &Tenant,
    mut wanted: Wanted,
) -> Result<Answer, Problem> {
    let source = match &wanted.payment {
        None => Source::Account,
        Some(id) => {
            Source::Payment(Box::new(context.store.payment(tenant, id).await?.ok_or_else(not_found)?))
        }
    };
    let mut found = Vec::new();
    let (mut more, mut bytes) = (true, 0_usize);
    for _ in 0..LOOKS_MAX {
        let look = look(context, tenant, &source, &wanted).await?;
        more = look.more;
        bytes = bytes.saturating_add(look.metadata_bytes());
        if gather(&mut wanted, &mut found, look) {
            more = true;
            break;
        }
        if !more || found.len() == usize::from(wanted.limit) || bytes > READ_BYTES_MAX {
            break;
        }
    }
    let next = wanted.window.behind.clone().filter(|_| more);
    let (entries, cut) = shown(context, tenant, found, wanted.expand, source).await?;
    Answer::new(StatusCode::OK, &entries.page(cut.or(next).as_ref()))
}

/// One read of the list.
struct Look {
    places: Vec<Place>,
    refunds: HashMap<RefundId, Refund>,
    unreadable: HashSet<String>,
    /// Whether more refunds follow.
    more: bool,
}

impl Look {
    fn metadata_bytes(&self) -> usize {
        self.refunds.values().map(|refund| refund.version.metadata.bytes()).sum()
    }
}

async fn look<S: Refunds + RefundList>(
    context: &Context<S>,
    tenant: &Tenant,
    source: &Source,
    wanted: &Wanted,
) -> Result<Look, Problem> {
    let mut places = next_places(context, tenant, source, wanted).await?;
    let more = places.len() > usize::from(wanted.per_look());
    places.truncate(usize::from(wanted.per_look()));
    let ids: Vec<RefundId> = places.iter().map(|place| place.id.clone()).collect();
    let Rows { read, unreadable } = context.store.refunds(tenant, &ids).await?;
    Ok(Look {
        places,
        refunds: read.into_iter().map(|refund| (refund.id.clone(), refund)).collect(),
        unreadable: unreadable.into_iter().map(|row| row.id).collect(),
        more,
    })
}

/// Adds the refunds that one read found; true if the page was full before all of them were used.
fn gather(wanted: &mut Wanted, found: &mut Vec<Entry>, mut look: Look) -> bool {
    for place in look.places {
        if found.len() == usize::from(wanted.limit) {
            return true;
        }
        let refund = look.refunds.remove(&place.id).filter(|refund| wanted.accepts(refund));
        if refund.is_some() || look.unreadable.contains(place.id.as_str()) {
            found.push(Entry { place: place.clone(), refund });
        }
        wanted.window.behind = Some(place);
    }
    false
}

/// The page's entries as shown, and the last place if the page was cut because not all fit.
async fn shown<S: Payments + Refunds>(
    context: &Context<S>,
    tenant: &Tenant,
    found: Vec<Entry>,
    expand: Expand,
    source: Source,
) -> Result<(Entries<RefundView>, Option<Place>), Problem> {
    let payments = if expand.any() {
        let refunds: Vec<&Refund> = found.iter().filter_map(|entry| entry.refund.as_ref()).collect();
        let read = match source {
            Source::Account => None,
            Source::Payment(payment) => Some(*payment),
        };
        expand::payments(&context.store, tenant, &refunds, read, &context.public_url).await?
    } else {
        crate::payments::Payments::default()
    };
    let mut entries = Entries::default();
    let mut last = None;
    for Entry { place, refund } in found {
        let view = refund.map(|refund| {
            let view = RefundView::of(&refund, &context.public_url);
            payments.expanded(expand, view, &refund.payment_id)
        });
        match view {
            Some(Expanded::Whole(view)) => {
                if !entries.takes(*view)? {
                    return Ok((entries, last));
                }
            }
            Some(Expanded::NextPage) => return Ok((entries, last)),
            None | Some(Expanded::Unreadable) => entries.name_unreadable(place.id.to_string()),
        }
        last = Some(place);
    }
    Ok((entries, None))
}

impl Wanted {
    /// Refunds of one read. Few have the reference that is looked for, whatever the limit.
    fn per_look(&self) -> u16 {
        if self.reference.is_some() { LOOK_FOR_REFERENCE } else { self.limit }
    }

    fn accepts(&self, refund: &Refund) -> bool {
        self.status.is_none_or(|status| refund.version.state.status() == status)
            && self.reference.as_ref().is_none_or(|wanted| refund.notes.reference.as_ref() == Some(wanted))
            && self.window.spans(refund.created_at)
    }
}

/// The places after the cursor, newest first: one beyond the limit, to know whether more follow.
async fn next_places<S: RefundList>(
    context: &Context<S>,
    tenant: &Tenant,
    source: &Source,
    wanted: &Wanted,
) -> Result<Vec<Place>, Problem> {
    let count = wanted.per_look().saturating_add(1);
    match source {
        Source::Account => Ok(context.store.places(tenant, &wanted.window, count).await?),
        Source::Payment(payment) => {
            let ids = &payment.refunds;
            let older = match &wanted.window.behind {
                None => ids.as_slice(),
                Some(behind) => {
                    let position = ids.iter().position(|id| *id == behind.id);
                    let older = position.and_then(|position| ids.get(..position));
                    older.ok_or_else(|| invalid("cursor", "belongs to another list"))?
                }
            };
            // In a payment's list a place is found by its id alone.
            let place = |id: &RefundId| Place { created_at: payment.created_at, id: id.clone() };
            Ok(older.iter().rev().take(usize::from(count)).map(place).collect())
        }
    }
}
