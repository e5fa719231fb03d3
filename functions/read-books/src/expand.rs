//! `?expand=`: which ids in a refund are replaced by the objects they name.

use std::collections::HashMap;

use recoup_domain::ids::{PaymentId, Tenant};
use recoup_domain::payment::Payment;
use recoup_domain::refund::Refund;
use recoup_http::list::{EXPAND, Parameters};
use recoup_http::problem::Problem;
use recoup_ports::payments as ports;
use recoup_ports::refunds::Refunds;
use recoup_views::{PaymentView, PublicUrl, RefundView};

use crate::payments::{Payments, Shown};

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
        match self.of(payment) {
            Shown::Whole(payment) => Expanded::Whole(Box::new(expand.apply(view, payment.clone()))),
            Shown::NextPage => Expanded::NextPage,
            Shown::Unreadable => Expanded::Unreadable,
        }
    }
}

/// Reads the payments of a page of refunds, each once.
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
    // In the order of the page. A payment that is missing here was already taken, or cannot be read.
    let ordered = page.iter().filter_map(|refund| by_id.remove(&refund.payment_id)).collect();
    Payments::shown(store, tenant, ordered, public_url).await
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
