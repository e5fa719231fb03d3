//! A payment with its balances, as two functions show it.

use recoup_domain::balance::{Balances, Posting};
use recoup_domain::payment::Payment;
use recoup_ports::refunds::Refunds;

use crate::problem::{Code, Problem};
use recoup_views::{PaymentView, PublicUrl};

/// Shows a payment that was just read.
///
/// Its refunds are read after it, in one call for each hundred; a payment without refunds costs no call.
pub async fn show(
    store: &impl Refunds,
    payment: &Payment,
    public_url: &PublicUrl,
) -> Result<PaymentView, Problem> {
    let refunds = match payment.refunds.as_slice() {
        [] => Vec::new(),
        // The balances need every refund.
        ids => store.postings(&payment.tenant, ids).await?.whole()?,
    };
    view(payment, &refunds, public_url)
}

/// Shows a payment with all its refunds, which must have been read after it.
pub fn view(payment: &Payment, refunds: &[Posting], public_url: &PublicUrl) -> Result<PaymentView, Problem> {
    let balances = Balances::of(payment, refunds).ok_or_else(|| {
        tracing::error!(payment.id = %payment.id, "the payment and its refunds do not add up");
        Problem::new(Code::Internal, "The payment's refunds do not add up.")
    })?;
    Ok(PaymentView::of(payment, &balances, public_url))
}

/// The problem of a payment that this tenant does not have.
pub fn not_found() -> Problem {
    let detail = "There is no such payment in this account and environment. A payment is registered, with \
        PUT /v1/payments/{payment_id}, before it can be refunded.";
    Problem::new(Code::PaymentNotFound, detail)
}
