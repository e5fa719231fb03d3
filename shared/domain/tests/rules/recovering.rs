//! The actors' parts: which are taken apart, and how far each may go.

use std::time::Duration;

use proptest::prelude::*;
use recoup_domain::payment::Terms;
use recoup_domain::recovery::{Part, PartState, Recovery, Shape, SplitTerms, Taken};
use recoup_domain::refund::{Outcome, Refund};
use recoup_domain::text::Metadata;
use recoup_testing::fixtures::{
    self, SELLER, SUPPLIER, decided, failed, getpaid_payment, later, stepped, succeeded, text,
};

fn refund(shape: Option<Shape>, merchants: &[(&str, u64)], parts: (u64, &[(&str, u64)])) -> Refund {
    let whole = fixtures::split(100, merchants);
    let mut terms = Terms { routing: Some(whole.clone()), ..fixtures::terms(whole.total().minor()) };
    terms.processor.split = shape.map(|shape| SplitTerms { shape, transfers: Vec::new() });
    let payment = fixtures::registered("pay_1", terms);
    decided(&payment, &fixtures::wanted_of(&payment, parts.0, parts.1), "key").refund
}

fn apart() -> Refund {
    refund(Some(Shape::Apart), &[(SELLER, 2_500), (SUPPLIER, 500)], (10, &[(SELLER, 1_000), (SUPPLIER, 500)]))
}

fn positions(refund: &Refund) -> Vec<usize> {
    refund.open_parts().map(|part| part.position).collect()
}

fn yes() -> Taken {
    Taken::Yes { reference: text("trr_1") }
}

#[test]
fn the_shape_says_which_parts_are_taken_apart() {
    let one: &[(&str, u64)] = &[(SELLER, 900)];
    for (shape, parts, expected) in [
        (None, (100, one), vec![]),
        (Some(Shape::BooksOnly), (100, one), vec![]),
        (Some(Shape::WithRefund), (50, one), vec![]),
        (Some(Shape::Apart), (50, one), vec![1]),
        (Some(Shape::Destination), (100, one), vec![]),
        (Some(Shape::Destination), (50, one), vec![1]),
        (Some(Shape::Destination), (50, &[]), vec![]),
        (Some(Shape::Direct), (100, one), vec![]),
        (Some(Shape::Direct), (50, one), vec![0]),
        (Some(Shape::Direct), (0, one), vec![]),
    ] {
        let refund = refund(shape, one, parts);
        assert!(!refund.has_open_parts(), "the customer comes first");
        let paid = stepped(&refund, succeeded());
        assert_eq!(positions(&paid), expected, "{shape:?} {parts:?}");
        assert_eq!(paid.wait.is_some(), !expected.is_empty(), "the next question is asked at once");
        let is_executed = !matches!(shape, None | Some(Shape::BooksOnly));
        let recovered = (0..=1).any(|position| matches!(paid.recovery_of(position), Recovery::Recovered(_)));
        let all_open = expected == [1] && parts.0 == 0;
        assert_eq!(recovered, is_executed && !all_open, "{shape:?} {parts:?}");
    }
}

#[test]
fn an_answer_moves_its_part_alone() {
    let paid = stepped(&apart(), succeeded());
    let marked = Refund { recovery: paid.parts_asked(later(1)), ..paid };
    let asked = PartState::Open { refusals: 0, asked_at: Some(later(1)) };
    assert!(marked.recovery.iter().all(|part| part.state == asked));
    for (answer, expected) in [
        (yes(), PartState::Taken { reference: text("trr_1") }),
        (Taken::Short, PartState::Open { refusals: 1, asked_at: None }),
        (Taken::Refused, PartState::Refused),
        (Taken::Unknown, asked.clone()),
        (Taken::No, asked.clone()),
    ] {
        let after = marked.parts_after(&[(2, answer.clone())], later(2));
        let expected =
            vec![Part { position: 1, state: asked.clone() }, Part { position: 2, state: expected }];
        assert_eq!(after, expected, "{answer:?}");
    }
}

#[test]
fn a_late_failure_asks_only_about_what_may_have_been_taken() {
    let paid = stepped(&apart(), succeeded());
    let failed_before = stepped(&paid, failed());
    assert!(positions(&failed_before).is_empty() && failed_before.recovery_of(1) == Recovery::None);
    assert_eq!(failed_before.parts_asked(later(9)), failed_before.recovery, "nothing more is asked for");
    let marked = Refund { recovery: paid.parts_asked(later(1)), ..paid };
    let after = stepped(&marked, failed());
    assert_eq!((positions(&after), after.recovery_of(1)), (vec![1, 2], Recovery::Pending));
    assert!(after.wait.is_some());
    // A request that was on its way when the refund failed may still arrive.
    let soon = after.parts_after(&[(1, Taken::No)], later(60_000));
    assert_eq!(soon, after.recovery);
    let long = Duration::from_mins(6);
    let nothing = Refund {
        recovery: after.parts_after(&[(1, Taken::No), (2, yes())], fixtures::now().plus(long)),
        ..after
    };
    assert!(!nothing.has_open_parts());
    assert!(
        matches!(nothing.recovery_of(2), Recovery::Recovered(Some(_))),
        "it is said, though the refund failed"
    );
    // The money went back after all: what was never taken is asked for again, and what was taken is not.
    let again = stepped(&nothing, succeeded());
    assert_eq!(positions(&again), [1]);
}

#[test]
fn other_metadata_leave_the_question_about_parts_alone() {
    let paid = stepped(&apart(), succeeded());
    let metadata = Metadata::new([("k".to_owned(), "v".to_owned())].into()).unwrap();
    let next = paid.with_metadata(metadata, None, later(9)).unwrap().into_refund();
    assert_eq!((next.wait, next.turn, &next.recovery), (paid.wait, paid.turn, &paid.recovery));
}

#[test]
fn a_refund_of_an_earlier_version_says_that_nothing_was_taken() {
    let payment = getpaid_payment();
    let refund = decided(&payment, &fixtures::getpaid_wanted(), "key").refund;
    let paid = stepped(&refund, succeeded());
    assert!((0..3).all(|position| paid.recovery_of(position) == Recovery::None));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Stripe rounds proportions; so only where there is nothing to round is the proportion left to it.
    #[test]
    fn what_is_left_to_stripe_has_nothing_to_round(platform in 0_u64..200, seller in 0_u64..2_000, of in 1_u64..2_000) {
        let (platform, seller) = (platform.min(100), seller.min(of));
        prop_assume!(platform + seller > 0);
        let refund = refund(Some(Shape::Destination), &[(SELLER, of)], (platform, &[(SELLER, seller)]));
        let is_whole = refund.processor.split.as_ref().unwrap().shape == Shape::WithRefund;
        let (amount, whole) = (platform + seller, 100 + of);
        prop_assert_eq!(is_whole, amount * of == seller * whole);
        if is_whole {
            prop_assert_eq!((amount * of / whole, amount * 100 / whole), (seller, platform));
        }
    }
}

#[test]
fn an_outcome_without_a_success_begins_no_part() {
    for outcome in [Outcome::Pending, Outcome::Unknown, failed()] {
        let next = stepped(&apart(), outcome);
        assert!(next.recovery.is_empty());
    }
}
