//! Disputes: what blocks, what a lost one takes, and what comes back.

use recoup_domain::dispute::{DisputeStatus, DisputeWord, Disputes};
use recoup_domain::enter::NotEntered;
use recoup_domain::payment::Payment;
use recoup_domain::split::Actor;
use recoup_testing::fixtures::{
    self, SELLER, decided, dispute, eur, getpaid_payment, payment, wanted, wanted_of,
};

use DisputeStatus::{Closed, Inquiry, Lost, Open, Won};

fn actor(id: &str) -> Actor {
    Actor::Merchant(fixtures::actor_id(id))
}

fn told(payment: &Payment, words: &[DisputeWord]) -> Payment {
    let tell = |payment: Payment, word| payment.told_of_dispute(word).unwrap().unwrap_or(payment);
    words.iter().fold(payment.clone(), tell)
}

fn left_and_taken(payment: &Payment) -> (u64, u64) {
    assert_eq!(payment.contradiction(), None);
    (payment.refundable.minor(), payment.charged_back().unwrap().minor())
}

#[test]
fn a_dispute_blocks_refunds_while_it_is_open_and_its_processor_says_so() {
    let payment = payment("pay_1", 1_000);
    for (status, blocks, disputed) in [
        (Inquiry, true, true),
        (Inquiry, false, false),
        (Open, true, true),
        (Open, false, false),
        (Closed, true, false),
        (Won, true, false),
        (Lost, true, false),
    ] {
        let word = DisputeWord { blocks_refunds: blocks, ..dispute("dp_1", status, 400, 1) };
        assert_eq!(told(&payment, &[word]).is_disputed(), disputed, "{status:?} {blocks}");
    }
}

#[test]
fn a_lost_dispute_takes_what_is_left_and_a_won_one_gives_it_back_once() {
    let fresh = payment("pay_1", 1_000);
    let lost = told(&fresh, &[dispute("dp_1", Lost, 400, 1)]);
    assert_eq!(left_and_taken(&lost), (600, 400));
    assert_eq!(lost.told_of_dispute(&dispute("dp_1", Lost, 400, 1)), Ok(None));
    let won = told(&lost, &[dispute("dp_1", Won, 400, 2), dispute("dp_1", Won, 400, 3)]);
    assert_eq!(left_and_taken(&won), (1_000, 0));
    let two = told(&lost, &[dispute("dp_2", Lost, 700, 2)]);
    assert_eq!(left_and_taken(&two), (0, 1_000));
    assert_eq!(two.disputes.list[1].excess(), eur(100));
    // What one gives back, the other has lost long ago.
    let back = told(&two, &[dispute("dp_1", Won, 400, 3)]);
    assert_eq!(left_and_taken(&back), (300, 700));
}

#[test]
fn words_may_come_in_any_order_and_any_number_of_times() {
    let fresh = payment("pay_1", 1_000);
    let words = [
        dispute("dp_1", Open, 400, 1),
        dispute("dp_1", Lost, 400, 2),
        dispute("dp_1", Won, 400, 3),
        dispute("dp_1", Won, 400, 3),
    ];
    let same_second = words.clone().map(|word| DisputeWord { told_at: fixtures::now(), ..word });
    for words in [words, same_second] {
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 2, 3], [2, 0, 3, 1], [2, 3, 1, 0], [1, 2, 0, 3]] {
            let after = told(&fresh, &order.map(|index| words[index].clone()));
            assert_eq!(left_and_taken(&after), (1_000, 0), "{order:?}");
            assert_eq!(after.disputes.list.len(), 1);
            assert!(!after.is_disputed());
        }
    }
    // One that opens again after it was won.
    let again = told(&fresh, &[dispute("dp_1", Won, 400, 1), dispute("dp_1", Open, 400, 2)]);
    assert!(again.is_disputed());
}

#[test]
fn of_a_routed_payment_each_gives_in_proportion_and_gets_its_own_back() {
    let fresh = getpaid_payment();
    let lost = told(&fresh, &[dispute("dp_1", Lost, 1_550, 1)]);
    assert_eq!(left_and_taken(&lost), (1_550, 1_550));
    let of = |who| lost.charged_back_of(&who).unwrap().minor();
    assert_eq!([of(Actor::Platform), of(actor(SELLER)), of(actor(fixtures::SUPPLIER))], [50, 1_250, 250]);
    assert_eq!(told(&lost, &[dispute("dp_1", Won, 1_550, 2)]).routing, fresh.routing);
}

#[test]
fn what_comes_back_from_a_refund_waits_for_the_lost_dispute() {
    let fresh = getpaid_payment();
    let granted = decided(&fresh, &wanted_of(&fresh, 0, &[(SELLER, 1_000)]), "key").refund;
    let held = fresh.after_reserving(&granted).unwrap();
    let lost = told(&held, &[dispute("dp_1", Lost, 3_100, 1)]);
    assert_eq!(left_and_taken(&lost), (0, 2_100));
    assert_eq!((lost.disputes.list[0].excess(), lost.charged_back_again()), (eur(1_000), None));
    let failed = lost.after_giving_back(&granted).unwrap();
    assert!(failed.is_disputed());
    let taken = failed.charged_back_again().unwrap();
    assert_eq!((left_and_taken(&taken), taken.is_disputed()), ((0, 3_100), false));
    assert_eq!(taken.charged_back_of(&actor(SELLER)), Some(eur(2_500)));
    // A word that says nothing new does the same.
    assert_eq!(failed.told_of_dispute(&dispute("dp_1", Open, 3_100, 0)).unwrap(), Some(taken));
}

#[test]
fn a_word_that_the_books_cannot_take_is_refused() {
    let fresh = payment("pay_1", 1_000);
    let dollars = recoup_domain::money::Currency::parse("USD").unwrap();
    let amount = recoup_domain::money::Money::of_minor(400, dollars).unwrap();
    let foreign = DisputeWord { amount, ..dispute("dp_1", Lost, 400, 1) };
    assert_eq!(fresh.told_of_dispute(&foreign), Err(NotEntered::Currency));
    let many: Vec<_> = (0..Disputes::MAX).map(|n| dispute(&format!("dp_{n}"), Open, 1, 1)).collect();
    let full = told(&fresh, &many);
    assert_eq!(full.told_of_dispute(&dispute("one_more", Lost, 1, 2)), Err(NotEntered::TooManyDisputes));
    assert_eq!(left_and_taken(&told(&full, &[dispute("dp_0", Lost, 1, 2)])), (999, 1));
    let mut bent = told(&fresh, &[dispute("dp_1", Lost, 400, 1)]);
    bent.refundable = eur(700);
    assert!(matches!(bent.told_of_dispute(&many[0]), Err(NotEntered::Contradiction(_))));
    assert_eq!(bent.charged_back_again(), None);
}

#[test]
fn a_disputed_payment_is_not_refunded_and_a_quote_says_what_is_left() {
    let fresh = payment("pay_1", 1_000);
    let open = told(&fresh, &[dispute("dp_1", Open, 400, 1)]);
    let refused = crate::strategies::judge(&open, &wanted(&open, Some(100)), 1);
    assert_eq!(refused, Err(recoup_domain::decide::Refusal::Disputed));
    let lost = told(&open, &[dispute("dp_1", Lost, 400, 2)]);
    assert_eq!(decided(&lost, &wanted(&lost, None), "key").refund.amount, eur(600));
}
