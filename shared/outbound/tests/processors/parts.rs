//! The actors' parts at Stripe: taken once, under ids of their own, however the charge was made.

use recoup_domain::payment::{Payment, Terms};
use recoup_domain::recovery::{PartState, Recovery, Shape, SplitTerms, Taken};
use recoup_domain::refund::{Outcome, Refund};
use recoup_ports::processor::Processor;
use recoup_testing::fixtures::{self, SELLER, SUPPLIER, actor_id, split, text};

use crate::contract::Subject;
use crate::fake_stripe::{CHARGE, FEE, TRANSFER};
use crate::faults::{Fault, UNCLEAR};
use crate::stripe::AtStripe;
use crate::world::{handed_over, tried};

/// A payment of 5.00 at Stripe, of which 1.00 is the platform's.
fn payment(shape: Shape, account: Option<&str>, merchants: &[(&str, u64)]) -> Payment {
    let transfers = [(SELLER, "tr_seller"), (SUPPLIER, "tr_supplier")];
    let transfers = transfers.into_iter().filter(|_| shape == Shape::Apart);
    let transfers = transfers.map(|(to, transfer)| (actor_id(to), text(transfer))).collect();
    let terms = fixtures::terms(500);
    let processor = recoup_domain::payment::Processor {
        account: account.map(text),
        split: Some(SplitTerms { shape, transfers }),
        ..recoup_domain::payment::Processor::of(recoup_domain::payment::ProcessorName::Stripe, text(CHARGE))
    };
    let routing = Some(split(100, merchants));
    fixtures::registered("pay_1", Terms { routing, processor, ..terms })
}

fn separate() -> Payment {
    payment(Shape::Apart, None, &[(SELLER, 300), (SUPPLIER, 100)])
}

fn destination() -> Payment {
    payment(Shape::Destination, None, &[(SELLER, 400)])
}

fn direct() -> Payment {
    payment(Shape::Direct, Some("acct_1"), &[(SELLER, 400)])
}

fn wanted(payment: &Payment, platform: u64, merchants: &[(&str, u64)]) -> Refund {
    let wanted = fixtures::wanted_of(payment, platform, merchants);
    handed_over(&fixtures::decided(payment, &wanted, "key").refund)
}

/// The refund once the customer is paid.
async fn paid(at: &AtStripe, refund: &Refund) -> Refund {
    let outcome = at.client.refund(refund).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    fixtures::stepped(refund, outcome)
}

async fn recovered(at: &AtStripe, refund: &Refund) -> Refund {
    tried(&at.client, refund).await
}

/// Where parts were taken, and how much.
fn taken(at: &AtStripe) -> Vec<(String, u64)> {
    let books = at.stripe.books.open();
    books.parts.iter().map(|(path, part)| (path.clone(), part["amount"].as_u64().unwrap())).collect()
}

fn flags(at: &AtStripe) -> Vec<String> {
    let requests = at.stripe.server.requests();
    let pairs = requests[0].body.split('&').filter(|pair| pair.ends_with("=true"));
    pairs.map(str::to_owned).collect()
}

#[tokio::test]
async fn each_transfer_is_reversed_by_exactly_its_merchants_part() {
    let at = AtStripe::new().await;
    let refund = paid(&at, &wanted(&separate(), 10, &[(SELLER, 250), (SUPPLIER, 40)])).await;
    assert_eq!(refund.open_parts().count(), 2, "the platform has paid");
    let done = recovered(&at, &refund).await;
    let expected = [
        ("transfers/tr_seller/reversals".to_owned(), 250),
        ("transfers/tr_supplier/reversals".to_owned(), 40),
    ];
    assert_eq!(taken(&at), expected);
    assert!(!done.has_open_parts() && flags(&at).is_empty());
    let reference = text("trr_000000000000000000000000");
    assert_eq!(done.recovery_of(1), Recovery::Recovered(Some(&reference)));
    let request = &at.stripe.server.requests()[1];
    assert_eq!(request.header("idempotency-key"), Some(format!("{}/{SELLER}", refund.id).as_str()));
    assert!(request.body.contains(&format!("metadata%5Brecoup_actor%5D={SELLER}")), "{}", request.body);
    assert_eq!(at.stripe.server.requests().len(), 3, "nothing is looked up that cannot be there");
}

#[tokio::test]
async fn a_destination_charge_gives_in_proportion_or_exactly_its_part() {
    let at = AtStripe::new().await;
    let whole = paid(&at, &wanted(&destination(), 100, &[(SELLER, 400)])).await;
    assert_eq!(flags(&at), ["reverse_transfer=true", "refund_application_fee=true"]);
    assert_eq!((whole.has_open_parts(), taken(&at)), (false, Vec::new()));
    assert!(matches!(whole.recovery_of(1), Recovery::Recovered(Some(_))));

    let at = AtStripe::new().await;
    let refund = paid(&at, &wanted(&destination(), 0, &[(SELLER, 150)])).await;
    assert!(flags(&at).is_empty(), "Stripe would take 1.20");
    let done = recovered(&at, &refund).await;
    assert_eq!(taken(&at), [(format!("transfers/{TRANSFER}/reversals"), 150)]);
    assert!(!done.has_open_parts());
}

#[tokio::test]
async fn a_direct_charge_is_refunded_in_the_merchants_account() {
    for (platform, seller, in_one) in [(20, 80, true), (0, 100, false), (50, 50, false)] {
        let at = AtStripe::new().await;
        let refund = paid(&at, &wanted(&direct(), platform, &[(SELLER, seller)])).await;
        let done = recovered(&at, &refund).await;
        let requests = at.stripe.server.requests();
        assert_eq!(requests[0].header("stripe-account"), Some("acct_1"));
        assert_eq!(flags(&at) == ["refund_application_fee=true"], in_one);
        let apart = (!in_one && platform > 0).then(|| (format!("application_fees/{FEE}/refunds"), platform));
        assert_eq!(taken(&at), Vec::from_iter(apart));
        assert!(!done.has_open_parts() && matches!(done.recovery_of(1), Recovery::Recovered(_)));
    }
}

#[tokio::test]
async fn an_actor_without_money_is_asked_again_under_a_new_key() {
    let at = AtStripe::new().await;
    let refund = paid(&at, &wanted(&separate(), 0, &[(SELLER, 250)])).await;
    at.stripe.books.open().short = true;
    let short = recovered(&at, &recovered(&at, &refund).await).await;
    assert_eq!(short.recovery[0].state, PartState::Open { refusals: 2, asked_at: None });
    assert_eq!((short.recovery_of(1), taken(&at)), (Recovery::Pending, Vec::new()));
    at.stripe.books.open().short = false;
    let done = recovered(&at, &short).await;
    assert_eq!(taken(&at).len(), 1, "Stripe repeats a refusal under the same key");
    assert!(!done.has_open_parts());
}

#[tokio::test]
async fn a_part_whose_answer_was_lost_is_found_and_not_taken_twice() {
    let unclear = UNCLEAR.iter().copied().chain([Fault::CutAfter]);
    for fault in unclear {
        let at = AtStripe::new().await;
        let refund = paid(&at, &wanted(&separate(), 0, &[(SELLER, 250)])).await;
        at.stripe.books.fail([fault]);
        let unknown = recovered(&at, &refund).await;
        assert!(unknown.has_open_parts(), "{fault:?}");
        // A day later Stripe has forgotten every key.
        at.stripe.books.open().answers.clear();
        let done = recovered(&at, &unknown).await;
        assert_eq!((taken(&at).len(), done.has_open_parts()), (1, false), "{fault:?}");
    }
}

#[tokio::test]
async fn of_a_refund_that_failed_after_all_nothing_more_is_taken() {
    let at = AtStripe::new().await;
    let refund = paid(&at, &wanted(&separate(), 0, &[(SELLER, 250), (SUPPLIER, 50)])).await;
    at.stripe.books.fail([Fault::CutAfter, Fault::CutBefore]);
    let unknown = recovered(&at, &refund).await;
    let failed = fixtures::stepped(&unknown, fixtures::failed());
    let answers = at.client.recover(&failed).await;
    let is_found = |(_, answer): &&(usize, Taken)| matches!(answer, Taken::Yes { .. });
    assert_eq!(answers.iter().filter(is_found).count(), 1, "{answers:?}");
    assert!(answers.iter().any(|(_, answer)| *answer == Taken::No), "{answers:?}");
    assert_eq!(taken(&at).len(), 1);
}

#[tokio::test]
async fn what_is_refused_for_good_is_for_a_person_and_a_missing_one_is_not() {
    let at = AtStripe::new().await;
    let mut refund = paid(&at, &wanted(&separate(), 0, &[(SELLER, 250)])).await;
    refund.processor.split.as_mut().unwrap().transfers[0].1 = text("tr_gone");
    assert_eq!(at.client.recover(&refund).await, [(1, Taken::Unknown)], "perhaps another account's key");
    refund.processor.split.as_mut().unwrap().transfers[0].1 = text("tr_1/../x");
    assert_eq!(at.client.recover(&refund).await, [(1, Taken::Refused)]);
    assert!(taken(&at).is_empty());
}

#[tokio::test]
async fn a_busy_stripe_takes_no_part_and_what_it_did_before_is_found() {
    let busy = Taken::Busy { retry_after: None };
    let at = AtStripe::new().await;
    let refund = paid(&at, &wanted(&separate(), 0, &[(SELLER, 250)])).await;
    let lock = (429, crate::fake_stripe::error("invalid_request_error", "lock_timeout"));
    at.stripe.books.open().part_refusal = Some(lock);
    assert_eq!(at.client.recover(&refund).await, [(1, busy.clone())]);
    let marked = recovered(&at, &refund).await;
    assert!(matches!(marked.recovery[0].state, PartState::Open { refusals: 0, asked_at: Some(_) }));
    assert_eq!(at.client.recover(&marked).await, [(1, busy.clone())], "nor when it is looked up");
    at.stripe.books.open().part_refusal = None;
    let done = recovered(&at, &marked).await;
    assert_eq!((taken(&at).len(), done.has_open_parts()), (1, false));
}
