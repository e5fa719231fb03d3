//! Checks from outside that a payment's amounts agree with its refunds: the invariant of conservation.

use crate::ids::{LineId, RefundId};
use crate::money::Money;
use crate::payment::Payment;
use crate::refund::{Refund, State};
use crate::split::{Actor, Split};

/// One disagreement between a payment and its refunds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Imbalance {
    /// The amount of the payment, or of one actor, is not the sum of refundable, held, refunded and charged back.
    Amount {
        /// The actor; `None` means the whole payment.
        actor: Option<Actor>,
        /// What was paid.
        amount: Money,
        /// What the payment says is refundable.
        refundable: Money,
        /// What lost disputes took; `None` if that is more than any amount can be.
        charged_back: Option<Money>,
        /// What its refunds hold; `None` if that is more than any amount can be.
        held: Option<Money>,
        /// What its refunds gave back; `None` if that is more than any amount can be.
        refunded: Option<Money>,
    },
    /// The amounts in the payment's own item contradict each other.
    Contradiction(&'static str),
    /// The payment names a refund that does not exist, or that belongs to another payment.
    Refund(RefundId),
    /// The amount of a line is not what it has left with what its refunds took of it.
    Line(LineId),
}

/// Every disagreement between a payment and its refunds, which are read after it; none on a healthy system.
///
/// A refund that settled between the two reads looks like a disagreement, so a caller that finds one reads both again.
pub fn audit(payment: &Payment, refunds: &[Refund]) -> Vec<Imbalance> {
    let is_ours = |refund: &&Refund| refund.payment_id == payment.id && refund.tenant == payment.tenant;
    let ours: Vec<&Refund> =
        refunds.iter().filter(is_ours).filter(|refund| payment.refunds.contains(&refund.id)).collect();
    let missing = payment.refunds.iter().filter(|id| !ours.iter().any(|refund| refund.id == **id));
    let mut found: Vec<Imbalance> = missing.cloned().map(Imbalance::Refund).collect();

    let whole = Books {
        actor: None,
        amount: payment.amount,
        refundable: payment.refundable,
        charged_back: payment.charged_back(),
    };
    let actors = payment.routing.iter().flat_map(|routing| {
        let books = |(actor, amount): (Actor, Money)| {
            let refundable = routing.refundable.part_of(&actor);
            let charged_back = payment.charged_back_of(&actor);
            Books { actor: Some(actor), amount, refundable, charged_back }
        };
        routing.original.parts().map(books)
    });
    let amounts: Vec<Imbalance> =
        std::iter::once(whole).chain(actors).filter_map(|books| books.judged(&ours)).collect();
    // A sum that is named says more.
    let contradiction = payment.contradiction().filter(|_| amounts.is_empty());
    found.extend(contradiction.map(Imbalance::Contradiction));
    found.extend(amounts);

    let lines = payment.lines.iter().filter(|line| {
        let parts = ours.iter().filter(|refund| keeps_money(refund)).flat_map(|refund| &refund.lines);
        let taken = parts.filter(|part| part.id == line.id);
        let taken = taken.map(|part| part.taken.map_or(line.amount, |(_, amount)| amount));
        let together = Money::sum(line.amount.currency(), taken.chain([line.refundable()]));
        together != Some(line.amount)
    });
    found.extend(lines.map(|line| Imbalance::Line(line.id.clone())));
    found
}

/// The amounts of the payment, or of one of its actors.
struct Books {
    actor: Option<Actor>,
    amount: Money,
    refundable: Money,
    charged_back: Option<Money>,
}

impl Books {
    fn judged(self, refunds: &[&Refund]) -> Option<Imbalance> {
        let Self { actor, amount, refundable, charged_back } = self;
        let zero = Money::zero(amount.currency());
        let part = |refund: &&Refund| match &actor {
            None => refund.taken(),
            Some(actor) => refund.split.as_ref().map_or(zero, |split: &Split| split.part_of(actor)),
        };
        let sum = |state: fn(&State) -> bool| {
            let parts = refunds.iter().filter(|refund| state(&refund.version.state)).map(part);
            Money::sum(amount.currency(), parts)
        };
        let held = sum(State::holds_money);
        let refunded = sum(|state| *state == State::Succeeded);
        let parts: Option<Vec<Money>> =
            [Some(refundable), held, refunded, charged_back].into_iter().collect();
        let together = parts.and_then(|parts| Money::sum(amount.currency(), parts));
        let astray = Imbalance::Amount { actor, amount, refundable, charged_back, held, refunded };
        (together != Some(amount)).then_some(astray)
    }
}

fn keeps_money(refund: &Refund) -> bool {
    refund.version.state.holds_money() || refund.version.state == State::Succeeded
}
