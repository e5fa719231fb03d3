//! Several payments with their balances: those of the account, newest first, and those of a page of refunds.

use std::collections::{HashMap, HashSet};

use lambda_http::Request;
use lambda_http::http::StatusCode;
use recoup_domain::api_key::Scope;
use recoup_domain::balance::Posting;
use recoup_domain::ids::{PaymentId, RefundId, Tenant};
use recoup_domain::payment::Payment;
use recoup_http::list::{Entries, Parameters};
use recoup_http::payment::view;
use recoup_http::problem::Problem;
use recoup_http::request::Caller;
use recoup_http::respond::Answer;
use recoup_ports::lists::{PaymentList, Window};
use recoup_ports::payments as ports;
use recoup_ports::refunds::Refunds;
use recoup_ports::rows::Rows;
use recoup_views::{PaymentView, PublicUrl};

use crate::Context;

/// Most refunds read for the balances of a page's payments, not counting those of its first payment. Beyond so many the
/// page ends.
const REFUNDS_READ_MAX: usize = 1_000;

/// The payments of a page.
#[derive(Default)]
pub(crate) struct Payments {
    views: HashMap<PaymentId, PaymentView>,
    /// Payments for which this page has no room.
    put_off: HashSet<PaymentId>,
}

/// One payment of a page.
pub(crate) enum Shown<'a> {
    Whole(&'a PaymentView),
    /// The page ends before it.
    NextPage,
    /// It is not there, or it cannot be shown.
    Unreadable,
}

impl Payments {
    /// Shows these payments in their order, until they have too many refunds for one page.
    pub(crate) async fn shown<S: Refunds>(
        store: &S,
        tenant: &Tenant,
        read: Vec<Payment>,
        public_url: &PublicUrl,
    ) -> Result<Self, Problem> {
        let mut payments = Self::default();
        let (mut fitting, mut ids): (Vec<Payment>, Vec<RefundId>) = (Vec::new(), Vec::new());
        for payment in read {
            let full =
                !fitting.is_empty() && ids.len().saturating_add(payment.refunds.len()) > REFUNDS_READ_MAX;
            if full || !payments.put_off.is_empty() {
                payments.put_off.insert(payment.id);
                continue;
            }
            ids.extend(payment.refunds.iter().cloned());
            fitting.push(payment);
        }
        let rows = if ids.is_empty() { Rows::default() } else { store.postings(tenant, &ids).await? };
        let lost: HashSet<&str> = rows.unreadable.iter().map(|row| row.id.as_str()).collect();
        // A payment's balances need all its refunds. One that cannot be read is logged, and affects no other payment.
        fitting.retain(|payment| !payment.refunds.iter().any(|id| lost.contains(id.as_str())));
        let mut by_payment: HashMap<PaymentId, Vec<Posting>> = HashMap::new();
        for posting in rows.read {
            by_payment.entry(posting.payment.clone()).or_default().push(posting);
        }
        for payment in fitting {
            let refunds = by_payment.remove(&payment.id).unwrap_or_default();
            // A payment that does not add up is logged, too.
            if let Ok(view) = view(&payment, &refunds, public_url) {
                payments.views.insert(payment.id, view);
            }
        }
        Ok(payments)
    }

    pub(crate) fn of(&self, id: &PaymentId) -> Shown<'_> {
        match self.views.get(id) {
            Some(view) => Shown::Whole(view),
            None if self.put_off.contains(id) => Shown::NextPage,
            None => Shown::Unreadable,
        }
    }
}

/// A page of the account's payments. One that was just registered may be missing.
pub(crate) async fn page<S: ports::Payments + Refunds + PaymentList>(
    context: &Context<S>,
    request: &Request,
) -> Result<Answer, Problem> {
    let tenant = Caller::with_scope(request, Scope::PaymentsRead)?.tenant;
    let mut parameters = Parameters::of(request)?;
    let (from, to) = (parameters.moment("created_from")?, parameters.moment("created_to")?);
    let window = Window { from, to, behind: parameters.cursor()? };
    let limit = parameters.limit()?;
    parameters.finish()?;
    // One beyond the limit, to know whether more follow.
    let mut places = context.store.payment_places(&tenant, &window, limit.saturating_add(1)).await?;
    let mut next = if places.len() > usize::from(limit) {
        places.truncate(usize::from(limit));
        places.last().cloned()
    } else {
        None
    };
    let ids: Vec<PaymentId> = places.iter().map(|place| place.id.clone()).collect();
    let read = if ids.is_empty() { Vec::new() } else { context.store.payments(&tenant, &ids).await?.read };
    let mut by_id: HashMap<PaymentId, Payment> =
        read.into_iter().map(|payment| (payment.id.clone(), payment)).collect();
    let ordered = ids.iter().filter_map(|id| by_id.remove(id)).collect();
    let payments = Payments::shown(&context.store, &tenant, ordered, &context.public_url).await?;
    let (mut entries, mut last) = (Entries::default(), None);
    for place in places {
        let fits = match payments.of(&place.id) {
            Shown::Whole(view) => entries.takes(view.clone())?,
            Shown::NextPage => false,
            Shown::Unreadable => {
                entries.name_unreadable(place.id.to_string());
                true
            }
        };
        if !fits {
            next = last;
            break;
        }
        last = Some(place);
    }
    Answer::new(StatusCode::OK, &entries.page(next.as_ref()))
}
