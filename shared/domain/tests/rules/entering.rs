//! Refunds that were made at the processor: whose money they were, as far as that is told.

use recoup_domain::enter::{Made, NotEntered, Reversal, enter};
use recoup_domain::ids::RefundId;
use recoup_domain::payment::{Payment, Terms};
use recoup_domain::recovery::{PartState, Recovery, Shape, SplitTerms};
use recoup_domain::refund::{Outcome, Refund};
use recoup_testing::fixtures::{self, SELLER, SUPPLIER, eur, failed, later, succeeded_as, text};

fn payment(shape: Shape, platform: u64, merchants: &[(&str, u64)]) -> Payment {
    let whole = fixtures::split(platform, merchants);
    let mut terms = Terms { routing: Some(whole.clone()), ..fixtures::terms(whole.total().minor()) };
    terms.processor.split = Some(SplitTerms { shape, transfers: Vec::new() });
    fixtures::registered("pay_1", terms)
}

fn made(amount: u64, reversal: Reversal) -> Made {
    let amount = Some(eur(amount));
    Made { reference: text("re_1"), amount, outcome: succeeded_as("re_1"), reversal }
}

fn reversed(amount: u64) -> Reversal {
    Reversal::Made { reference: text("trr_1"), amount: eur(amount) }
}

fn entered(payment: &Payment, made: &Made) -> Refund {
    enter(payment, made, later(1)).unwrap().refund
}

/// What each actor gives, the platform first.
fn gives(refund: &Refund) -> Vec<u64> {
    refund.split.as_ref().unwrap().parts().map(|(_, part)| part.minor()).collect()
}

#[test]
fn a_destination_charges_actors_give_what_stripe_took_from_them() {
    let destination = payment(Shape::Destination, 100, &[(SELLER, 900)]);
    for (amount, reversal, parts, status) in [
        // Nothing came back from the merchant: the platform has paid, as far as the books let it.
        (80, Reversal::None, [80, 0], "none"),
        (500, Reversal::None, [100, 400], "failed"),
        // The charge's own share of the transfer.
        (500, reversed(450), [50, 450], "recovered"),
        (500, reversed(480), [20, 480], "recovered"),
        // Less than the platform could bear besides.
        (500, reversed(100), [100, 400], "failed"),
        // All of it, from a merchant who had paid a fee.
        (500, reversed(500), [50, 450], "recovered"),
        (500, Reversal::NotTold, [50, 450], "none"),
    ] {
        let refund = entered(&destination, &made(amount, reversal.clone()));
        assert_eq!(gives(&refund), parts, "{amount} {reversal:?}");
        let found = match refund.recovery_of(1) {
            Recovery::None => "none",
            Recovery::Pending => "pending",
            Recovery::Recovered(reference) => {
                assert_eq!(reference, Some(&text("trr_1")));
                "recovered"
            }
            Recovery::Failed => "failed",
        };
        assert_eq!(found, status, "{amount} {reversal:?}");
        assert!(!refund.has_open_parts() && refund.wait.is_none(), "nobody is asked for it");
    }
}

#[test]
fn no_actor_gives_more_than_it_has_left_whatever_was_reversed() {
    let whole = payment(Shape::Destination, 100, &[(SELLER, 900)]);
    let first = entered(&whole, &made(850, reversed(800)));
    let rest = whole.after_reserving(&first).unwrap();
    let second = entered(&rest, &made(300, reversed(290)));
    assert_eq!((gives(&first), gives(&second)), (vec![50, 800], vec![50, 100]));
    assert_eq!(second.origin.excess(), Some(eur(150)));
    assert_eq!(rest.after_reserving(&second).unwrap().refundable, eur(0));
    // In another currency than the charge's it is no measure of the books.
    let krona = recoup_domain::money::Currency::parse("SEK").unwrap();
    let amount = recoup_domain::money::Money::of_minor(450, krona).unwrap();
    let other = Reversal::Made { reference: text("trr_1"), amount };
    assert_eq!(gives(&entered(&whole, &made(500, other))), [50, 450]);
}

#[test]
fn a_transfer_of_its_own_has_not_come_back_and_the_view_says_so() {
    let apart = payment(Shape::Apart, 100, &[(SELLER, 800), (SUPPLIER, 100)]);
    let refund = entered(&apart, &made(500, Reversal::None));
    assert_eq!(gives(&refund), [50, 400, 50]);
    let states: Vec<_> = refund.recovery.iter().map(|part| (part.position, part.state.clone())).collect();
    assert_eq!(states, [(1, PartState::Refused), (2, PartState::Refused)]);
    for shape in [Shape::BooksOnly, Shape::Direct] {
        let refund = entered(&payment(shape, 100, &[(SELLER, 900)]), &made(500, Reversal::None));
        assert_eq!((gives(&refund), refund.recovery.len()), (vec![50, 450], 0), "{shape:?}");
    }
}

#[test]
fn what_is_not_told_for_certain_enters_nobodys_books() {
    let payment = payment(Shape::BooksOnly, 100, &[(SELLER, 900)]);
    let told = |outcome| Made { outcome, ..made(500, Reversal::None) };
    for (made, why) in [
        (told(failed()), NotEntered::MovedNothing),
        (told(Outcome::Unknown), NotEntered::Unclear),
        (told(Outcome::Busy { retry_after: None }), NotEntered::Unclear),
        (Made { amount: None, ..made(500, Reversal::None) }, NotEntered::Amount),
    ] {
        assert_eq!(enter(&payment, &made, later(1)).unwrap_err(), why);
    }
    let refund = entered(&payment, &told(Outcome::PendingFunds));
    assert!(refund.version.state.holds_money() && refund.wait.is_some());
    let name = payment.processor.name;
    assert_eq!(refund.id, RefundId::of_processor(&payment.tenant, name, &text("re_1")));
}
