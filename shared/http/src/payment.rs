//! A payment with its money sorted, as two functions show it.

use recoup_domain::balance::Balances;
use recoup_domain::payment::Payment;
use recoup_ports::payments::Payments;
use recoup_ports::refunds::Refunds;

use crate::problem::{Code, Problem};
use crate::view::{PaymentView, PublicUrl};

/// How often a payment and its refunds are read again where they did not belong together.
const READS_MAX: usize = 3;

/// Shows a payment that was just read.
///
/// Its refunds are read after it, in one call for each hundred; a payment without refunds costs no call.
pub async fn show(
    store: &(impl Payments + Refunds + Sync),
    mut payment: Payment,
    public_url: &PublicUrl,
) -> Result<PaymentView, Problem> {
    for _ in 0..READS_MAX {
        let refunds = match payment.refunds.as_slice() {
            [] => Vec::new(),
            ids => store.refunds(&payment.tenant, ids).await?,
        };
        if let Some(balances) = Balances::of(&payment, &refunds) {
            return Ok(PaymentView::of(&payment, &balances, public_url));
        }
        // A refund took its amount again between the two reads.
        let again = store.payment(&payment.tenant, &payment.id).await?;
        payment = again.ok_or_else(not_found)?;
    }
    tracing::error!(payment.id = %payment.id, "the payment and its refunds do not add up");
    Err(Problem::new(Code::Internal, "The payment's refunds do not add up. We have been told."))
}

/// The problem of a payment that this tenant does not have.
pub fn not_found() -> Problem {
    Problem::new(Code::PaymentNotFound, "There is no such payment in this account and environment.")
}
