//! Whatever is requested, answered and repeated, in whatever order: no cent appears or disappears.

use proptest::prelude::*;
use recoup_domain::balance::{Balances, Posting, SeenStatus};
use recoup_domain::dispute::{DisputeStatus, DisputeWord};
use recoup_domain::enter::{Made, Reversal, enter};
use recoup_domain::money::Money;
use recoup_domain::payment::Payment;
use recoup_domain::refund::{Amounts, Outcome, Refund, State};
use recoup_domain::split::Actor;
use recoup_testing::fixtures::{dispute, eur, later, text};

use crate::strategies::{Wish, judge, outcome, payment, wish};

#[derive(Clone, Debug)]
enum Deed {
    /// Somebody wants a refund.
    Request(Wish),
    /// A processor's answer for one of the refunds, judged on it as it is.
    Answer(prop::sample::Index, Outcome),
    /// The same, by somebody who read the refund earlier: the write must refuse it if it has changed.
    Late(prop::sample::Index, Outcome),
    /// A refund was made at the processor: of so many thousandths of the payment, of which so many came back from the
    /// merchant.
    Made(u64, Option<u64>, Outcome),
    /// A processor's word on a dispute, in any order.
    Dispute(DisputeWord),
    /// The lost disputes take what came back.
    ChargeBack,
}

fn deed() -> impl Strategy<Value = Deed> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        3 => wish().prop_map(Deed::Request),
        3 => (index(), outcome()).prop_map(|(index, outcome)| Deed::Answer(index, outcome)),
        1 => (index(), outcome()).prop_map(|(index, outcome)| Deed::Late(index, outcome)),
        1 => (0_u64..=1_200, prop::option::of(0_u64..=1_000), outcome())
            .prop_map(|(share, reversed, outcome)| Deed::Made(share, reversed, outcome)),
        1 => word().prop_map(Deed::Dispute),
        1 => Just(Deed::ChargeBack),
    ]
}

fn word() -> impl Strategy<Value = DisputeWord> {
    let status = prop::sample::select(DisputeStatus::ALL);
    (0..3_u8, status, 1..5_000_u64, 0..20_u64, any::<bool>()).prop_map(
        |(number, status, amount, second, blocks_refunds)| DisputeWord {
            blocks_refunds,
            ..dispute(&format!("dp_{number}"), status, amount, second)
        },
    )
}

/// The table as a value: a payment, its refunds, and what others have read of them before.
struct Books {
    payment: Payment,
    refunds: Vec<Refund>,
    read_before: Vec<Refund>,
}

impl Books {
    fn of(payment: Payment) -> Self {
        Self { payment, refunds: Vec::new(), read_before: Vec::new() }
    }

    fn request(&mut self, wish: &Wish) {
        let wanted = wish.of(&self.payment);
        let Ok(granted) = judge(&self.payment, &wanted, self.refunds.len()) else { return };
        self.payment = self.payment.after_reserving(&granted.refund).expect("what is granted can be taken");
        self.refunds.push(granted.refund.clone());
        self.read_before.push(granted.refund);
    }

    /// The conditional write: only on the state that was read.
    fn settle(&mut self, index: usize, from: &Refund, outcome: Outcome) {
        let Some(change) = from.step(outcome, later(1)) else { return };
        if self.refunds[index].version.sequence != from.version.sequence {
            return;
        }
        match change.amounts() {
            Amounts::Stay => {}
            Amounts::Return => {
                self.payment = self.payment.after_giving_back(from).expect("what is given back was taken");
            }
            // What is not there any more is not taken: a person has to look.
            Amounts::TakeAgain => match self.payment.after_taking(from) {
                Some(payment) => self.payment = payment,
                None => return,
            },
        }
        self.read_before[index] = std::mem::replace(&mut self.refunds[index], change.into_refund());
    }

    fn make(&mut self, share: u64, reversed: Option<u64>, outcome: Outcome) {
        let amount = self.payment.amount.minor() * share / 1_000;
        let reversal = reversed.map_or(Reversal::None, |share| {
            let amount = eur(amount * share / 1_000);
            Reversal::Made { reference: text("trr_1"), amount }
        });
        let reference = text(&format!("re_{}", self.refunds.len()));
        let made = Made { reference, amount: Some(eur(amount)), outcome, reversal };
        let Ok(entered) = enter(&self.payment, &made, later(1)) else { return };
        self.payment = self.payment.after_reserving(&entered.refund).expect("what enters can be taken");
        self.refunds.push(entered.refund.clone());
        self.read_before.push(entered.refund);
    }

    fn run(&mut self, deed: Deed) {
        match deed {
            Deed::Made(share, reversed, outcome) => self.make(share, reversed, outcome),
            Deed::Request(wish) => self.request(&wish),
            Deed::Answer(index, outcome) if !self.refunds.is_empty() => {
                let index = index.index(self.refunds.len());
                let from = self.refunds[index].clone();
                self.settle(index, &from, outcome);
            }
            Deed::Late(index, outcome) if !self.refunds.is_empty() => {
                let index = index.index(self.refunds.len());
                let from = self.read_before[index].clone();
                self.settle(index, &from, outcome);
            }
            Deed::Answer(..) | Deed::Late(..) => {}
            Deed::Dispute(word) => {
                let amount = Money::of_minor(word.amount.minor(), self.payment.amount.currency()).unwrap();
                let next = self.payment.told_of_dispute(&DisputeWord { amount, ..word }).unwrap();
                self.payment = next.unwrap_or_else(|| self.payment.clone());
            }
            Deed::ChargeBack => {
                let next = self.payment.charged_back_again();
                self.payment = next.unwrap_or_else(|| self.payment.clone());
            }
        }
    }

    /// The sum of one actor's parts (of the whole, for none) in the refunds that are in such a state.
    fn sum(&self, actor: Option<&Actor>, state: fn(&State) -> bool) -> Money {
        let refunds = self.refunds.iter().filter(|refund| state(&refund.version.state));
        let parts = refunds.map(|refund| match actor {
            None => refund.taken(),
            Some(actor) => refund.split.as_ref().expect("a routed refund has a split").part_of(actor),
        });
        Money::sum(self.payment.amount.currency(), parts).expect("the sum is within the bound")
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let succeeded: fn(&State) -> bool = |state| *state == State::Succeeded;
        let balances =
            Balances::of(&self.payment, &self.refunds.iter().map(Posting::from).collect::<Vec<_>>());
        prop_assert!(balances.is_some(), "more went back than ever left");
        let balances = balances.unwrap();
        let total = std::iter::once((None, &balances.total));
        let actors = balances.actors.iter().map(|(actor, balance)| (Some(actor), balance));
        for (actor, balance) in total.chain(actors) {
            prop_assert_eq!(balance.held, self.sum(actor, State::holds_money));
            prop_assert_eq!(balance.refunded, self.sum(actor, succeeded));
            let together = Money::sum(
                eur(0).currency(),
                [balance.refundable, balance.held, balance.refunded, balance.charged_back],
            );
            prop_assert_eq!(together, Some(balance.amount));
        }
        if let Some(routing) = &self.payment.routing {
            prop_assert_eq!(routing.refundable.total(), self.payment.refundable);
            prop_assert_eq!(balances.actors.len(), routing.original.merchants().len() + 1);
        }
        let all_back = balances.total.refunded == self.payment.amount;
        prop_assert_eq!(all_back, !matches!(balances.status, SeenStatus::Captured(_)));
        for line in &self.payment.lines {
            let alive = self
                .refunds
                .iter()
                .filter(|refund| refund.version.state.holds_money() || succeeded(&refund.version.state));
            let parts = alive.flat_map(|refund| &refund.lines).filter(|part| part.id == line.id);
            let taken: u64 = parts.map(|part| part.taken.expect("how much is known").1.minor()).sum();
            prop_assert_eq!(line.refundable().minor() + taken, line.amount.minor(), "line {}", &line.id);
            prop_assert!(!self.payment.refundable_of(line).exceeds(self.payment.refundable));
        }
        for dispute in &self.payment.disputes.list {
            prop_assert!(dispute.word.status == DisputeStatus::Lost || dispute.charged_back.is_zero());
            prop_assert!(!dispute.charged_back.exceeds(dispute.word.amount));
        }
        prop_assert_eq!(self.payment.contradiction(), None);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_cent_of_any_actor_or_line_appears_or_is_lost(
        payment in payment(), deeds in prop::collection::vec(deed(), 1..40),
    ) {
        let mut books = Books::of(payment);
        for deed in deeds {
            books.run(deed);
            books.check()?;
        }
    }

    #[test]
    fn once_every_refund_has_failed_the_payment_is_as_it_was(
        payment in payment(), wishes in prop::collection::vec(wish(), 1..12),
    ) {
        let mut books = Books::of(payment.clone());
        for wish in &wishes {
            books.request(wish);
        }
        for index in 0..books.refunds.len() {
            let from = books.refunds[index].clone();
            books.settle(index, &from, recoup_testing::fixtures::failed());
        }
        books.check()?;
        prop_assert_eq!(Payment { refunds: Vec::new(), ..books.payment }, payment);
    }

    #[test]
    fn money_that_was_never_taken_cannot_be_given_back(payment in payment(), wish in wish()) {
        let Ok(granted) = judge(&payment, &wish.of(&payment), 0) else { return Ok(()) };
        prop_assert_eq!(payment.after_giving_back(&granted.refund), None);
    }
}
