//! `?expand=`: which ids in a refund are replaced by the objects they name.

use std::collections::{HashMap, HashSet};

use recoup_domain::balance::Posting;
use recoup_domain::ids::{PaymentId, RefundId, Tenant};
use recoup_domain::payment::Payment;
use recoup_domain::refund::Refund;
use recoup_http::list::{EXPAND, Parameters};
use recoup_http::payment::view;
use recoup_http::problem::Problem;
use recoup_ports::payments as ports;
use recoup_ports::refunds::Refunds;
use recoup_ports::rows::Rows;
use recoup_views::{PaymentView, PublicUrl, RefundView};

/// Most refunds read for the balances of a page's payments, not counting those of its first payment. Beyond so many the
/// page ends.
const REFUNDS_READ_MAX: usize = 1_000;

/// Which ids are to be expanded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Expand {
    payment: bool,
    transaction_id: bool,
}

/// Takes `expand=payment`, `expand=transaction_id`, or both.
pub(crate) fn take(parameters: &mut Parameters) -> Result<Expand, Problem> {
    let expand = parameters.take(EXPAND, |text| {
        let mut expand = Expand::default();
        for name in text.split(',') {
            match name {
                "payment" => expand.payment = true,
                "transaction_id" => expand.transaction_id = true,
                _ => return Err("must be payment or transaction_id"),
            }
        }
        Ok(expand)
    })?;
    Ok(expand.unwrap_or_default())
}

impl Expand {
    pub(crate) fn any(self) -> bool {
        self.payment || self.transaction_id
    }

    pub(crate) fn apply(self, view: RefundView, payment: PaymentView) -> RefundView {
        match (self.transaction_id, self.payment) {
            (true, true) => view.with_transaction(payment.clone()).with_payment(payment),
            (true, false) => view.with_transaction(payment),
            (false, true) => view.with_payment(payment),
            (false, false) => view,
        }
    }
}

/// The payments of a page of refunds.
#[derive(Default)]
pub(crate) struct Payments {
    views: HashMap<PaymentId, PaymentView>,
    /// Payments for which this page has no room.
    put_off: HashSet<PaymentId>,
}

/// A refund with its payment.
pub(crate) enum Expanded {
    Whole(Box<RefundView>),
    /// The page ends before this refund.
    NextPage,
    /// The refund's payment cannot be shown.
    Unreadable,
}

impl Payments {
    pub(crate) fn expanded(&self, expand: Expand, view: RefundView, payment: &PaymentId) -> Expanded {
        if !expand.any() {
            return Expanded::Whole(Box::new(view));
        }
        match self.views.get(payment) {
            Some(payment) => Expanded::Whole(Box::new(expand.apply(view, payment.clone()))),
            None if self.put_off.contains(payment) => Expanded::NextPage,
            None => Expanded::Unreadable,
        }
    }
}

/// Reads the payments of a page of refunds, each once, until they have too many refunds for one page.
///
/// `read` is the payment of all these refunds, if they have the same one.
pub(crate) async fn payments<S: ports::Payments + Refunds>(
    store: &S,
    tenant: &Tenant,
    page: &[&Refund],
    read: Option<Payment>,
    public_url: &PublicUrl,
) -> Result<Payments, Problem> {
    let read = match read {
        Some(payment) => vec![payment],
        None => read_of(store, tenant, page).await?,
    };
    let mut by_id: HashMap<PaymentId, Payment> =
        read.into_iter().map(|payment| (payment.id.clone(), payment)).collect();
    let mut payments = Payments::default();
    let (mut fitting, mut ids): (Vec<Payment>, Vec<RefundId>) = (Vec::new(), Vec::new());
    for refund in page {
        // A payment that is missing here was already taken, or cannot be read.
        let Some(payment) = by_id.remove(&refund.payment_id) else { continue };
        if !fitting.is_empty() && ids.len().saturating_add(payment.refunds.len()) > REFUNDS_READ_MAX {
            payments.put_off.insert(payment.id);
            payments.put_off.extend(by_id.into_keys());
            break;
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

async fn read_of<S: ports::Payments>(
    store: &S,
    tenant: &Tenant,
    page: &[&Refund],
) -> Result<Vec<Payment>, Problem> {
    let mut ids: Vec<PaymentId> = page.iter().map(|refund| refund.payment_id.clone()).collect();
    ids.sort();
    ids.dedup();
    if ids.is_empty() { Ok(Vec::new()) } else { Ok(store.payments(tenant, &ids).await?.read) }
}
