//! A quote: what a refund would take, and what it would leave.

use recoup_domain::money::Money;
use recoup_domain::payment::Payment;
use recoup_domain::refund::Refund;
use recoup_domain::split::Actor;
use serde::Serialize;

use crate::problem::{Code, Problem};

#[derive(Debug, Serialize)]
struct Taken {
    amount: u64,
    amount_decimal: String,
    refundable_amount_after: u64,
    refundable_amount_after_decimal: String,
}

impl Taken {
    fn new(amount: Money, after: Money) -> Self {
        Self {
            amount: amount.minor(),
            amount_decimal: amount.decimal(),
            refundable_amount_after: after.minor(),
            refundable_amount_after_decimal: after.decimal(),
        }
    }
}

#[derive(Debug, Serialize)]
struct MerchantTaken {
    account_id: String,
    #[serde(flatten)]
    taken: Taken,
}

#[derive(Debug, Serialize)]
struct Routing {
    platform: Option<Taken>,
    merchants: Vec<MerchantTaken>,
}

/// A quote. It names every actor of the payment, even one that would give nothing.
#[derive(Debug, Serialize)]
pub struct QuoteView {
    object: &'static str,
    payment_id: String,
    #[serde(flatten)]
    taken: Taken,
    currency: &'static str,
    kind: &'static str,
    routing: Option<Routing>,
}

impl QuoteView {
    /// Shows a refund of a payment that was decided on but not written.
    pub fn of(payment: &Payment, refund: &Refund) -> Result<Self, Problem> {
        let after = payment.after_reserving(refund).ok_or_else(|| {
            tracing::error!(payment.id = %payment.id, "a decided refund does not fit its payment");
            Problem::new(Code::Internal, "The refund could not be quoted.")
        })?;
        let routing = match (&refund.split, &after.routing) {
            (Some(split), Some(left)) => {
                let mut routing = Routing { platform: None, merchants: Vec::new() };
                for (actor, amount) in split.parts() {
                    let taken = Taken::new(amount, left.refundable.part_of(&actor));
                    match actor {
                        Actor::Platform => routing.platform = Some(taken),
                        Actor::Merchant(id) => {
                            routing.merchants.push(MerchantTaken { account_id: id.to_string(), taken });
                        }
                    }
                }
                Some(routing)
            }
            _ => None,
        };
        Ok(Self {
            object: "quote",
            payment_id: payment.id.to_string(),
            taken: Taken::new(refund.amount, after.refundable),
            currency: refund.amount.currency().code(),
            kind: refund.kind.as_str(),
            routing,
        })
    }
}
