//! `?expand=`: which references of a refund are shown as the objects they name.

use lambda_http::Request;
use recoup_http::list::Parameters;
use recoup_http::problem::Problem;
use recoup_http::view::{PaymentView, RefundView};

/// What is to be expanded.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Expand {
    payment: bool,
    transaction_id: bool,
}

/// Reads `expand=payment`, `expand=transaction_id`, or both with a comma.
pub(crate) fn parse(request: &Request) -> Result<Expand, Problem> {
    let mut parameters = Parameters::of(request)?;
    let expand = parameters.take("expand", |text| {
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
    parameters.finish()?;
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
