//! A decision is one that the payment can carry, or a reason.

use proptest::prelude::*;
use recoup_domain::audit::{Imbalance, audit};
use recoup_domain::decide::Refusal;
use recoup_domain::money::{Currency, Money, WrittenAmount};
use recoup_domain::payment::{CaptureStatus, Facts, PartialRefunds, Payment, Payout, Settlement};
use recoup_domain::refund::{Kind, State};
use recoup_domain::time::Timestamp;
use recoup_domain::wanted::{Wanted, WantedRouting};
use recoup_testing::fixtures::{
    self, eur, getpaid_payment, judged, line_id, now, part_of_line, wanted, wanted_lines, whole_line,
};

use crate::strategies::{any_facts, judge, payment, wish};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn whatever_is_granted_can_be_taken(payment in payment(), first in wish(), second in wish()) {
        let mut left = payment;
        for (id, wish) in [first, second].iter().enumerate() {
            let Ok(granted) = judge(&left, &wish.of(&left), id) else { continue };
            let after = left.after_reserving(&granted.refund);
            prop_assert!(after.is_some(), "{:?} cannot give {:?}", left, granted);
            left = after.unwrap();
        }
    }

    #[test]
    fn what_is_granted_adds_up_and_moves_something(payment in payment(), wish in wish()) {
        let wanted = wish.of(&payment);
        let Ok(granted) = judge(&payment, &wanted, 1) else { return Ok(()) };
        let refund = &granted.refund;
        prop_assert!(!refund.amount.is_zero());
        prop_assert!(!refund.amount.exceeds(payment.refundable));
        prop_assert_eq!(refund.split.is_some(), payment.routing.is_some());
        if let Some(split) = &refund.split {
            prop_assert_eq!(split.total(), refund.amount);
        }
        let taken = Money::sum(refund.amount.currency(), refund.takes().map(|(_, part)| part));
        prop_assert_eq!(taken, Some(if refund.split.is_some() { refund.amount } else { eur(0) }));
        let first = if wanted.external.is_some() { State::Succeeded } else { State::Initiated };
        prop_assert_eq!((&refund.version.state, &refund.first), (&first, &first));
        prop_assert_eq!((refund.version.sequence, granted.revision), (1, payment.revision));
    }

    #[test]
    fn a_full_refund_takes_exactly_what_each_actor_has_left(payment in payment(), first in wish(), second in wish()) {
        let mut left = payment;
        for (id, wish) in [first, second].iter().enumerate() {
            let Ok(granted) = judge(&left, &wish.of(&left), id) else { continue };
            prop_assert_eq!(granted.takes_all(), granted.refund.amount == left.refundable);
            if granted.takes_all() {
                prop_assert_eq!(granted.refund.split.as_ref(), left.routing.as_ref().map(|routing| &routing.refundable));
            }
            left = left.after_reserving(&granted.refund).unwrap();
            prop_assert_eq!(granted.takes_all(), left.refundable.is_zero());
        }
        if !left.refundable.is_zero() {
            let rest = judge(&left, &wanted(&left, None), 9).unwrap();
            prop_assert!(rest.takes_all());
            let empty = left.after_reserving(&rest.refund).unwrap();
            prop_assert!(empty.routing.is_none_or(|routing| routing.refundable.parts().all(|(_, part)| part.is_zero())));
            prop_assert_eq!(judge(&Payment { routing: None, ..empty }, &wanted(&left, None), 10), Err(Refusal::NothingLeft));
        }
    }

    #[test]
    fn a_decision_that_depends_on_all_that_is_left_says_so(payment in payment(), wish in wish()) {
        let wanted = wish.of(&payment);
        let Ok(granted) = judge(&payment, &wanted, 1) else { return Ok(()) };
        let depends = granted.refund.amount == payment.refundable
            || wanted.routing == Some(WantedRouting::Proportional)
            || wanted.expected_refundable.is_some();
        prop_assert_eq!(granted.exactly, depends.then_some(payment.refundable));
    }

    #[test]
    fn the_facts_of_a_payment_bind_every_refund_of_it(payment in payment(), facts in any_facts(), wish in wish()) {
        let payment = Payment { facts: facts.clone(), ..payment };
        match judge(&payment, &wish.of(&payment), 1) {
            Ok(granted) => {
                prop_assert_eq!(facts.status, CaptureStatus::Completed);
                prop_assert!(!facts.disputed);
                prop_assert!(facts.refundable_until.is_none_or(|until| now() <= until));
                let partial = match (facts.partial_refunds, facts.payout) {
                    (PartialRefunds::Allowed, _) | (PartialRefunds::AfterPayout, Payout::Started) => true,
                    (PartialRefunds::FullOnly, _) | (PartialRefunds::AfterPayout, Payout::NotStarted) => false,
                };
                prop_assert!(granted.takes_all() || partial);
                let reversal = facts.settlement == Settlement::Unsettled;
                prop_assert_eq!(granted.refund.kind == Kind::Reversal, reversal);
            }
            Err(Refusal::NotCompleted(_)) => prop_assert_ne!(facts.status, CaptureStatus::Completed),
            Err(Refusal::Disputed) => prop_assert!(facts.disputed),
            Err(Refusal::WindowExpired(until)) => prop_assert!(now() > until),
            Err(_) => {}
        }
    }

    #[test]
    fn a_refusal_for_want_of_money_tells_the_truth(payment in payment(), wish in wish()) {
        let wanted = wish.of(&payment);
        match judge(&payment, &wanted, 1) {
            Err(Refusal::ActorsShort(short)) => {
                let left = &payment.routing.unwrap().refundable;
                prop_assert!(!short.is_empty());
                for actor in short {
                    prop_assert!(actor.wanted.exceeds(actor.refundable));
                    prop_assert_eq!(left.part_of(&actor.actor), actor.refundable);
                }
            }
            Err(Refusal::ExceedsRefundable { left, .. }) => prop_assert!(!left.exceeds(payment.refundable)),
            Err(Refusal::RefundableChanged(left)) => prop_assert_eq!(left, payment.refundable),
            _ => {}
        }
    }

    #[test]
    fn a_proportional_refund_is_fair_to_the_minor_unit(payment in payment(), first in wish(), share in 1_u64..=1000) {
        let mut left = payment;
        if let Ok(granted) = judge(&left, &first.of(&left), 1) {
            left = left.after_reserving(&granted.refund).unwrap();
        }
        let (Some(routing), false) = (left.routing.clone(), left.refundable.is_zero()) else { return Ok(()) };
        let total = left.refundable.minor();
        let amount = (total * share).div_ceil(1000);
        let wish = Wanted { routing: Some(WantedRouting::Proportional), ..wanted(&left, Some(amount)) };
        let granted = judge(&left, &wish, 2);
        prop_assert!(granted.is_ok(), "{:?}", granted);
        let split = granted.unwrap().refund.split.unwrap();
        prop_assert_eq!(split.total(), eur(amount));
        let (mut up, mut down) = (Vec::new(), Vec::new());
        for (actor, has) in routing.refundable.parts() {
            let (gives, has) = (split.part_of(&actor).minor(), has.minor());
            prop_assert!(gives <= has);
            let remainder = has * amount % total;
            if gives == has * amount / total {
                down.push(remainder);
            } else {
                prop_assert_eq!(gives, has * amount / total + 1);
                up.push(remainder);
            }
        }
        // The larger remainders are rounded up.
        let (least_up, most_down) = (up.into_iter().min(), down.into_iter().max());
        prop_assert!(least_up.is_none_or(|up| up > 0 && most_down.is_none_or(|down| up >= down)));
    }

    #[test]
    fn a_line_gives_once_in_a_refund_and_no_more_than_it_has_left(
        payment in payment(), first in wish(), second in wish(),
    ) {
        let Ok(granted) = judge(&payment, &first.of(&payment), 1) else { return Ok(()) };
        let payment = payment.after_reserving(&granted.refund).unwrap();
        let Ok(granted) = judge(&payment, &second.of(&payment), 2) else { return Ok(()) };
        let parts = &granted.refund.lines;
        let mut sum = 0;
        for (index, part) in parts.iter().enumerate() {
            let (position, amount) = part.taken.unwrap();
            let line = &payment.lines[position];
            prop_assert_eq!(&line.id, &part.id);
            prop_assert!(!amount.is_zero() && !amount.exceeds(line.refundable()));
            prop_assert!(parts.iter().skip(index + 1).all(|other| other.id != part.id));
            sum += amount.minor();
        }
        prop_assert!(parts.is_empty() || granted.refund.amount.minor() <= sum);
        prop_assert_eq!(granted.lines.is_some(), !parts.is_empty());
    }
}

#[test]
fn the_same_line_twice_in_one_request_is_refused() {
    let payment = getpaid_payment();
    let mut twice = wanted_lines(&payment, &["iid_2", "iid_2"]);
    twice.routing = fixtures::wanted_of(&payment, 0, &[(fixtures::SELLER, 2200)]).routing;
    assert_eq!(judged(&payment, &twice, "key"), Err(Refusal::LineTaken(fixtures::line_id("iid_2"))));
}

#[test]
fn the_example_of_the_documents_is_granted_to_the_cent() {
    let payment = getpaid_payment();
    let granted = fixtures::decided(&payment, &fixtures::getpaid_wanted(), "key");
    let after = payment.after_reserving(&granted.refund).unwrap();
    let left: Vec<u64> = after.routing.unwrap().refundable.parts().map(|(_, part)| part.minor()).collect();
    assert_eq!((after.refundable, left), (eur(1600), vec![100, 1500, 0]));
}

/// Payments as only somebody writes them who writes past the conditions.
fn bent() -> Vec<(&'static str, Payment)> {
    let with = |change: fn(&mut Payment)| {
        let mut payment = getpaid_payment();
        change(&mut payment);
        payment
    };
    vec![
        ("more is refundable or charged back than was paid", with(|it| it.refundable = eur(3900))),
        (
            "the actors' parts do not add up to the amount",
            with(|it| (it.amount, it.refundable) = (eur(7000), eur(7000))),
        ),
        (
            "what the actors have left does not add up to what is refundable",
            with(|it| it.refundable = eur(3000)),
        ),
        (
            "an actor has more left than was routed to it",
            with(|it| {
                let split = fixtures::split(0, &[(fixtures::SELLER, 2600), (fixtures::SUPPLIER, 500)]);
                it.routing.as_mut().unwrap().refundable = split;
            }),
        ),
        ("the lines do not add up to the amount", with(|it| it.lines[0].amount = eur(2001))),
        ("a line has more left than it had", with(|it| it.lines[0].left = eur(2001))),
    ]
}

#[test]
fn a_payment_whose_amounts_contradict_each_other_gives_nothing_back() {
    for (expected, payment) in bent() {
        assert_eq!(payment.contradiction(), Some(expected));
        for amount in [None, Some(1)] {
            let refused = judged(&payment, &wanted(&payment, amount), "key-1");
            assert!(
                matches!(refused, Err(Refusal::Contradiction { why, .. }) if why == expected),
                "{refused:?}"
            );
        }
        let is_told = |one: &Imbalance| matches!(one, Imbalance::Contradiction(_) | Imbalance::Amount { .. });
        assert!(audit(&payment, &[]).iter().any(is_told), "{expected}");
    }
    assert_eq!(getpaid_payment().contradiction(), None);
}

#[test]
fn a_guard_refuses_at_its_bound_and_not_before() {
    let payment = fixtures::payment("pay_1", 1_000);
    let plain = fixtures::wanted(&payment, Some(100));
    let decision = |payment: &Payment, wanted: &Wanted| judged(payment, wanted, "key");
    let until = |until| {
        let facts = Facts { refundable_until: Some(until), ..payment.facts.clone() };
        Payment { facts, ..payment.clone() }
    };
    assert!(decision(&until(now()), &plain).is_ok(), "its last moment counts");
    let over = Timestamp::from_unix_millis(now().unix_millis() - 1).unwrap();
    assert_eq!(decision(&until(over), &plain), Err(Refusal::WindowExpired(over)));

    let in_currency = |code| Wanted { currency: Currency::parse(code), ..plain.clone() };
    assert!(decision(&payment, &in_currency("EUR")).is_ok());
    assert_eq!(decision(&payment, &in_currency("USD")), Err(Refusal::CurrencyMismatch(fixtures::euro())));

    let expecting =
        |minor| Wanted { expected_refundable: Some(WrittenAmount::Minor(minor)), ..plain.clone() };
    assert!(decision(&payment, &expecting(1_000)).is_ok());
    assert_eq!(decision(&payment, &expecting(999)), Err(Refusal::RefundableChanged(payment.refundable)));
}

#[test]
fn no_split_gives_more_than_it_has_or_another_currency() {
    let split = fixtures::split(100, &[(fixtures::SELLER, 200)]);
    assert_eq!(split.proportional(eur(300)), Some(split.clone()));
    assert_eq!(split.proportional(eur(301)), None);
    let dollars = Money::of_minor(3, Currency::parse("USD").unwrap()).unwrap();
    assert_eq!(split.proportional(dollars), None);
}

#[test]
fn a_line_gives_back_in_parts_until_nothing_of_it_is_left() {
    let mut terms = getpaid_payment().terms();
    terms.routing = None;
    let mut payment = fixtures::registered("pay_1", terms);
    let of = |payment: &Payment, lines| Wanted { lines, ..wanted(payment, None) };
    let part = |minor| vec![part_of_line("iid_1", minor)];
    for (number, minor, left) in [(1, 500, 1_500), (2, 1_500, 0)] {
        let refund = judge(&payment, &of(&payment, part(minor)), number).unwrap().refund;
        assert_eq!(refund.amount, eur(minor));
        payment = payment.after_reserving(&refund).unwrap();
        let line = &payment.lines[0];
        assert_eq!(payment.refundable_of(line), eur(left));
        let exceeds =
            |wanted| Refusal::LineExceeds { line: line_id("iid_1"), wanted: eur(wanted), left: eur(left) };
        let refused = judge(&payment, &of(&payment, part(left + 1)), 9);
        assert_eq!(refused, Err(exceeds(left + 1)));
    }
    let taken = judge(&payment, &of(&payment, vec![whole_line("iid_1")]), 9);
    assert_eq!(taken, Err(Refusal::LineTaken(line_id("iid_1"))));
    // After a refund of everything else, no line has anything left, though none of it was taken by lines.
    let rest = judge(&payment, &wanted(&payment, None), 3).unwrap().refund;
    let payment = payment.after_reserving(&rest).unwrap();
    assert_eq!(payment.lines[1].refundable(), eur(1_100));
    assert!(payment.lines.iter().all(|line| payment.refundable_of(line).is_zero()));
}

#[test]
fn what_is_wrong_with_a_line_is_named_by_its_place() {
    let payment = fixtures::payment("pay_1", 1_000);
    let lines = vec![(line_id("iid_1"), eur(600)), (line_id("iid_2"), eur(400))];
    let payment = fixtures::registered("pay_1", recoup_domain::payment::Terms { lines, ..payment.terms() });
    let refused = |lines| judge(&payment, &Wanted { lines, ..wanted(&payment, None) }, 1).unwrap_err();
    let zero = refused(vec![whole_line("iid_1"), part_of_line("iid_2", 0)]);
    assert!(matches!(&zero, Refusal::Amount { param, .. } if param == "lines[0].amount"), "{zero:?}");
    let unknown = refused(vec![part_of_line("iid_3", 1)]);
    assert_eq!(unknown, Refusal::LineUnknown { line: line_id("iid_3"), by_amount: true });
    let twice = refused(vec![whole_line("iid_1"), part_of_line("iid_1", 1)]);
    assert_eq!(twice, Refusal::LineTaken(line_id("iid_1")));
    let said = refused(vec![part_of_line("iid_2", 401)]).to_string();
    assert_eq!(said, "of line iid_2, the amount is 4.01 EUR, and at most 4.00 EUR can still be refunded");
}
