//! What an audit of a payment finds, and that it finds nothing where nothing is wrong.

use recoup_domain::audit::{Imbalance, audit};
use recoup_domain::balance::{Balances, Posting};
use recoup_domain::decide::Refusal;
use recoup_domain::payment::{Line, Payment};
use recoup_domain::refund::{Amounts, Kind, Outcome, Refund, Status};
use recoup_domain::split::Actor;
use recoup_domain::wanted::Wanted;
use recoup_testing::fixtures::{
    self, decided, eur, failed, getpaid_payment, getpaid_wanted, part_of_line, succeeded, wanted,
};

/// The getpaid example after a refund of 1,500 of the first line, and how that refund stands.
fn books(outcome: Outcome) -> (Payment, Refund) {
    let payment = getpaid_payment();
    let mut wanted = getpaid_wanted();
    wanted.lines = vec![part_of_line("iid_1", 1_500)];
    let refund = decided(&payment, &wanted, "key-1").refund;
    let mut payment = payment.after_reserving(&refund).unwrap();
    payment.refunds = vec![refund.id.clone()];
    let change = refund.step(outcome, fixtures::later(1)).unwrap();
    if matches!(change.amounts(), Amounts::Return) {
        payment = payment.after_giving_back(&refund).unwrap();
    }
    (payment, change.into_refund())
}

fn outcomes() -> [Outcome; 3] {
    [Outcome::Unknown, succeeded(), failed()]
}

#[test]
fn books_that_agree_have_no_finding_however_a_refund_stands() {
    for outcome in outcomes() {
        let (payment, refund) = books(outcome.clone());
        assert_eq!(audit(&payment, &[refund]), [], "{outcome:?}");
    }
    assert_eq!(audit(&getpaid_payment(), &[]), []);
}

#[test]
fn a_refund_that_is_missing_or_anothers_is_named() {
    let (payment, refund) = books(Outcome::Unknown);
    let elsewhere = Refund { payment_id: fixtures::payment_id("pay_2"), ..refund.clone() };
    let strangers =
        Refund { tenant: fixtures::tenant_of(fixtures::tenant().environment, 2), ..refund.clone() };
    for refunds in [vec![], vec![elsewhere], vec![strangers]] {
        let found = audit(&payment, &refunds);
        assert!(found.contains(&Imbalance::Refund(refund.id.clone())), "{found:?}");
    }
}

#[test]
fn a_refund_that_the_payment_does_not_name_counts_for_nothing() {
    let (payment, refund) = books(Outcome::Unknown);
    let unnamed = Refund { id: fixtures::refund_id("another"), ..refund.clone() };
    assert_eq!(audit(&payment, &[refund, unnamed]), []);
}

#[test]
fn a_sum_that_is_off_is_named_for_the_payment_and_for_its_actor() {
    for outcome in outcomes() {
        let (payment, refund) = books(outcome);
        let mut raised = payment.clone();
        raised.refundable = eur(payment.refundable.minor() + 1);
        let found = audit(&raised, std::slice::from_ref(&refund));
        assert!(
            matches!(&found[..], [Imbalance::Amount { actor: None, amount, .. }] if *amount == eur(3_100)),
            "{found:?}"
        );
        let mut moved = payment.clone();
        let routing = moved.routing.as_mut().unwrap();
        let seller = routing.refundable.part_of(&Actor::Merchant(fixtures::actor_id(fixtures::SELLER)));
        routing.refundable = fixtures::split(
            routing.refundable.part_of(&Actor::Platform).minor(),
            &[
                (fixtures::SELLER, seller.minor() - 1),
                (fixtures::SUPPLIER, routing.refundable.part_of(&supplier()).minor() + 1),
            ],
        );
        let found = audit(&moved, &[refund]);
        let actors = found.iter().map(|imbalance| match imbalance {
            Imbalance::Amount { actor, .. } => actor.clone(),
            other => panic!("{other:?}"),
        });
        assert_eq!(
            actors.collect::<Vec<_>>(),
            [Some(Actor::Merchant(fixtures::actor_id(fixtures::SELLER))), Some(supplier())]
        );
    }
}

fn supplier() -> Actor {
    Actor::Merchant(fixtures::actor_id(fixtures::SUPPLIER))
}

#[test]
fn what_is_held_and_what_was_given_back_are_told_apart() {
    let amounts = |outcome| {
        let (mut payment, refund) = books(outcome);
        payment.refundable = eur(3_100);
        let found = audit(&payment, &[refund]);
        match &found[0] {
            Imbalance::Amount { actor: None, held, refunded, .. } => (*held, *refunded),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(amounts(Outcome::Unknown), (Some(eur(1_500)), Some(eur(0))));
    assert_eq!(amounts(succeeded()), (Some(eur(0)), Some(eur(1_500))));
}

#[test]
fn a_line_has_left_what_no_refund_that_keeps_its_money_takes_of_it() {
    for (outcome, left) in [(Outcome::Unknown, 500), (succeeded(), 500), (failed(), 2_000)] {
        let (payment, refund) = books(outcome);
        assert_eq!(payment.lines[0].refundable(), eur(left));
        for line in 0..2 {
            let less = |line: &mut Line| line.left = eur(line.left.minor() - 1);
            for wrong in [less, |line: &mut Line| line.covered = true] {
                let mut bent = payment.clone();
                wrong(&mut bent.lines[line]);
                let found = audit(&bent, std::slice::from_ref(&refund));
                assert_eq!(found, [Imbalance::Line(payment.lines[line].id.clone())]);
            }
        }
    }
}

#[test]
fn a_refund_of_version_0_1_takes_its_lines_whole() {
    let before = fixtures::getpaid_payment();
    let (_, mut refund) = books(succeeded());
    refund.lines.iter_mut().for_each(|part| part.taken = None);
    let payment = before.after_reserving(&refund).unwrap();
    assert_eq!(payment.lines.iter().map(Line::refundable).collect::<Vec<_>>(), [eur(0), eur(1_100)]);
    assert_eq!(audit(&payment, std::slice::from_ref(&refund)), []);
    assert_eq!(payment.after_giving_back(&refund).unwrap().lines, before.lines);
    // Nobody else takes anything of such a line, nor does such a refund of a line that has given something.
    let part = Wanted { lines: vec![part_of_line("iid_1", 1)], ..wanted(&payment, None) };
    let refused = fixtures::judged(&payment, &part, "another");
    assert!(matches!(refused, Err(Refusal::LineExceeds { left, .. }) if left.is_zero()), "{refused:?}");
    let mut given = before.clone();
    given.lines[0].left = eur(1_999);
    assert_eq!((payment.after_taking(&refund), given.after_taking(&refund)), (None, None));
}

#[test]
fn a_payment_is_reversed_only_by_reversals_alone() {
    let mut payment = fixtures::payment("pay_1", 1_000);
    payment.refundable = eur(0);
    payment.refunds = vec![fixtures::refund_id("key-1"), fixtures::refund_id("key-2")];
    let status = |kinds: [Kind; 2]| {
        let postings = payment.refunds.iter().zip(kinds).map(|(refund, kind)| Posting {
            refund: refund.clone(),
            payment: payment.id.clone(),
            status: Status::Succeeded,
            amount: eur(500),
            kind,
            split: None,
        });
        Balances::of(&payment, &postings.collect::<Vec<_>>()).unwrap().status.as_str()
    };
    assert_eq!(status([Kind::Reversal, Kind::Reversal]), "reversed");
    assert_eq!(status([Kind::Reversal, Kind::Refund]), "refunded");
    assert_eq!(status([Kind::Refund, Kind::Refund]), "refunded");
}
