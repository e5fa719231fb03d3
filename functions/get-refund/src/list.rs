//! Pages of refunds, newest first: of the account, or of one payment.
//!
//! A page is stable under new refunds, because they come before its cursor. Under a status filter it may be
//! shorter than its limit while `has_more` is true: so many refunds are looked through, and no more.

use lambda_http::Request;
use lambda_http::http::StatusCode;
use recoup_domain::ids::{PaymentId, RefundId, Tenant};
use recoup_domain::payment::Payment;
use recoup_domain::refund::{Refund, State};
use recoup_http::fields::invalid;
use recoup_http::list::{Page, Parameters};
use recoup_http::payment::not_found;
use recoup_http::problem::Problem;
use recoup_http::respond::Answer;
use recoup_http::view::RefundView;
use recoup_ports::lists::{Place, RefundList, Stretch};
use recoup_ports::payments::Payments;
use recoup_ports::refunds::Refunds;

use crate::Context;
use crate::expand::{self, Expand};

/// Most stretches that one page looks through.
const LOOKS_MAX: usize = 10;

/// What is listed.
pub(crate) struct Wanted {
    payment: Option<PaymentId>,
    status: Option<&'static str>,
    stretch: Stretch,
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
        let known = State::NAMES.iter().find(|name| **name == text);
        known.copied().ok_or_else(|| format!("must be one of {}", State::NAMES.join(", ")))
    })?;
    let (from, to) = (parameters.moment("created_from")?, parameters.moment("created_to")?);
    let stretch = Stretch { from, to, behind: parameters.cursor()? };
    let limit = parameters.limit()?;
    let wanted = Wanted { payment, status, stretch, limit, expand: expand::take(&mut parameters)? };
    parameters.finish()?;
    Ok(wanted)
}

/// Where the ids come from.
enum Source {
    Account,
    /// All refunds of one payment, oldest first, as the payment itself lists them.
    Payment(Box<Payment>),
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
    let limit = usize::from(wanted.limit);
    let mut found: Vec<Refund> = Vec::new();
    let mut more = true;
    for _ in 0..LOOKS_MAX {
        let ids = next_ids(context, tenant, &source, &wanted).await?;
        more = ids.len() > limit;
        let some = ids.get(..limit).unwrap_or(&ids);
        let mut refunds = context.store.refunds(tenant, some).await?;
        refunds.sort_by_key(|refund| std::cmp::Reverse(Place::of(refund)));
        for refund in refunds {
            if found.len() == limit {
                more = true;
                break;
            }
            wanted.stretch.behind = Some(Place::of(&refund));
            if wanted.accepts(&refund) {
                found.push(refund);
            }
        }
        if !more || found.len() == limit {
            break;
        }
    }
    let next = wanted.stretch.behind.filter(|_| more);
    let (views, cut) = shown(context, tenant, found, wanted.expand, source).await?;
    let next = cut.or(next);
    Answer::new(StatusCode::OK, &Page::new(views, next.as_ref()))
}

/// The page's refunds as they are shown, and where it was cut, for with their payments there may be fewer.
async fn shown<S: Payments + Refunds>(
    context: &Context<S>,
    tenant: &Tenant,
    mut found: Vec<Refund>,
    expand: Expand,
    source: Source,
) -> Result<(Vec<RefundView>, Option<Place>), Problem> {
    let public_url = &context.public_url;
    if !expand.any() {
        return Ok((found.iter().map(|refund| RefundView::of(refund, public_url)).collect(), None));
    }
    let read = match source {
        Source::Account => None,
        Source::Payment(payment) => Some(*payment),
    };
    let all = found.len();
    let payments = expand::payments(&context.store, tenant, &mut found, read, public_url).await?;
    let cut = found.last().map(Place::of).filter(|_| found.len() < all);
    let view = |refund: &Refund| {
        let view = RefundView::of(refund, public_url);
        let Some(payment) = payments.get(&refund.payment_id) else {
            tracing::error!(refund.id = %refund.id, "the payment of a refund does not exist");
            return view;
        };
        expand.apply(view, payment.clone())
    };
    Ok((found.iter().map(view).collect(), cut))
}

impl Wanted {
    fn accepts(&self, refund: &Refund) -> bool {
        self.status.is_none_or(|status| refund.state.as_str() == status)
            && self.stretch.spans(refund.created_at)
    }
}

/// The ids behind the cursor, newest first: one more than the limit, to know whether there are more.
async fn next_ids<S: RefundList>(
    context: &Context<S>,
    tenant: &Tenant,
    source: &Source,
    wanted: &Wanted,
) -> Result<Vec<RefundId>, Problem> {
    let count = wanted.limit.saturating_add(1);
    match source {
        Source::Account => {
            let places = context.store.places(tenant, &wanted.stretch, count).await?;
            Ok(places.into_iter().map(|place| place.id).collect())
        }
        Source::Payment(payment) => {
            let ids = &payment.refunds;
            let older = match &wanted.stretch.behind {
                None => ids.as_slice(),
                Some(behind) => {
                    let position = ids.iter().position(|id| *id == behind.id);
                    let older = position.and_then(|position| ids.get(..position));
                    older.ok_or_else(|| invalid("cursor", "belongs to another list"))?
                }
            };
            Ok(older.iter().rev().take(usize::from(count)).cloned().collect())
        }
    }
}
