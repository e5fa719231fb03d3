//! Stripe keeps the contract, and is asked as it documents.

use recoup_domain::money::{Currency, Money};
use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::{FailureCode, Outcome, Refund};
use recoup_outbound::stripe::Stripe;
use recoup_ports::processor::{LookedUp, Processor};
use recoup_testing::fixtures::{self, text};
use serde_json::json;

use crate::contract::{Case, Subject, contract};
use crate::fake_stripe::{CHARGE, FakeStripe, PAYMENT_INTENT, error, object};
use crate::faults::Fault;
use crate::world::{Change, Keys, LIVE_KEY, TEST_KEY, after, base, fresh, handed_over, live, routed};

/// Stripe, and the client that asks it.
pub(crate) struct AtStripe {
    pub(crate) stripe: FakeStripe,
    pub(crate) client: Stripe<Keys>,
}

impl AtStripe {
    pub(crate) async fn with(keys: impl FnOnce(&mut Keys)) -> Self {
        Self::asked(FakeStripe::new().await, keys, fixtures::now)
    }

    fn asked(
        stripe: FakeStripe,
        change: impl FnOnce(&mut Keys),
        now: fn() -> recoup_domain::time::Timestamp,
    ) -> Self {
        let mut keys = Keys::to(stripe.server.port);
        change(&mut keys);
        let client = Stripe::new(keys, now).unwrap().at(base(stripe.server.port));
        Self { stripe, client }
    }

    /// The same a day after everything was handed over.
    fn a_day_later(self) -> Self {
        Self::asked(self.stripe, |_| {}, || fixtures::later(86_400_000))
    }
}

impl Subject for AtStripe {
    type Asked = Stripe<Keys>;

    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    fn processor(&self) -> &Stripe<Keys> {
        &self.client
    }

    fn refund(&self, case: Case) -> Refund {
        match case {
            Case::Succeeds => {}
            Case::Fails => {
                let disputed = error("invalid_request_error", "charge_disputed");
                self.stripe.books.open().refusal = Some((400, disputed));
            }
            Case::Pends => self.stripe.books.open().status = Some("pending"),
            Case::AnswerLost => self.stripe.books.fail([Fault::CutAfter]),
            Case::NeverReached => self.stripe.books.fail([Fault::CutBefore]),
        }
        fresh("key", CHARGE)
    }

    fn settle(&self) {
        self.stripe.books.turn("succeeded");
    }

    fn moved(&self, refund: &Refund) -> Option<usize> {
        Some(self.stripe.moved(refund))
    }

    fn routed(&self) -> Refund {
        routed(ProcessorName::Stripe, CHARGE)
    }

    fn lack(&self, lack: bool) {
        self.stripe.books.open().short = lack;
    }
}

contract!(AtStripe);

const POST: &str = "POST /base/v1/refunds";
const LIST: &str = "GET /base/v1/refunds";

fn code(outcome: &Outcome) -> FailureCode {
    let Outcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
    failure.code
}

#[tokio::test]
async fn stripe_is_asked_under_our_id_with_its_own_header_and_a_pinned_version() {
    for (reference, parameter) in [(CHARGE, "charge"), (PAYMENT_INTENT, "payment_intent")] {
        let at = AtStripe::new().await;
        let refund = handed_over(&fresh("key", reference));
        let outcome = at.client.refund(&refund).await;
        assert_eq!(outcome, fixtures::succeeded_as("re_000000000000000000000000"));
        let requests = at.stripe.server.requests();
        assert_eq!(requests.len(), 1, "a success is one call");
        let request = &requests[0];
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/base/v1/refunds"));
        for (header, value) in [
            ("authorization", format!("Bearer {TEST_KEY}")),
            ("idempotency-key", refund.id.to_string()),
            ("stripe-version", "2025-04-30.basil".to_owned()),
            ("content-type", "application/x-www-form-urlencoded".to_owned()),
            ("user-agent", "Recoup/0.1.0".to_owned()),
        ] {
            assert_eq!(request.header(header), Some(value.as_str()));
        }
        let account = &refund.tenant.account;
        let expected = format!(
            "{parameter}={reference}&amount=500&metadata%5Brecoup_refund_id%5D={}\
             &metadata%5Brecoup_account_id%5D={account}&metadata%5Brecoup_environment%5D=sandbox",
            refund.id
        );
        assert_eq!(request.body, expected);
    }
}

#[tokio::test]
async fn a_look_up_reads_the_refunds_of_the_payment() {
    let at = AtStripe::new().await;
    let refund = handed_over(&fresh("key", PAYMENT_INTENT));
    assert_eq!(at.client.look_up(&refund).await, LookedUp::NeverReceived);
    let requests = at.stripe.server.requests();
    assert_eq!(requests[0].path, format!("/base/v1/refunds?payment_intent={PAYMENT_INTENT}&limit=100"));
    assert_eq!(requests[0].header("authorization"), Some(format!("Bearer {TEST_KEY}").as_str()));
    assert_eq!(requests[0].header("idempotency-key"), None);
    assert_eq!(requests.len(), 1);
}

#[tokio::test]
async fn a_key_moves_money_only_in_its_own_environment() {
    let (sandbox, live) = (fresh("key", CHARGE), live(&fresh("key", CHARGE)));
    // The last: a live key is not sent to a stand-in, whatever the base of requests says.
    for (key, refund) in [(LIVE_KEY, &sandbox), (TEST_KEY, &live), (LIVE_KEY, &live)] {
        let at = AtStripe::with(|keys| keys.stripe = Some(key)).await;
        assert_eq!(at.client.refund(&handed_over(refund)).await, Outcome::NotConfigured);
        assert_eq!(at.client.look_up(refund).await, LookedUp::Stands(Outcome::NotConfigured));
        assert_eq!(at.stripe.server.requests().len(), 0, "nothing is sent");
    }
}

#[tokio::test]
async fn without_a_key_nothing_is_sent_and_nothing_is_decided() {
    let nobodys: [(Change, Outcome); 2] = [
        (|keys| keys.stripe = None, Outcome::NotConfigured),
        (|keys| keys.broken = true, Outcome::Busy { retry_after: None }),
    ];
    for (change, expected) in nobodys {
        let at = AtStripe::with(change).await;
        let refund = handed_over(&fresh("key", CHARGE));
        assert_eq!(at.client.refund(&refund).await, expected);
        assert_eq!(at.client.look_up(&refund).await, LookedUp::Stands(expected));
        assert_eq!(at.stripe.server.requests().len(), 0);
    }
}

#[tokio::test]
async fn what_stripe_could_never_do_fails_without_asking() {
    let at = AtStripe::new().await;
    for reference in ["sandbox_succeed", "re_1", "ch_1/../charges"] {
        let refund = handed_over(&fresh("key", reference));
        assert_eq!(code(&at.client.refund(&refund).await), FailureCode::ProcessorRejected);
        assert_eq!(at.client.look_up(&refund).await, LookedUp::NeverReceived);
    }
    let mut dinars = handed_over(&fresh("key", CHARGE));
    let currency = recoup_domain::money::Currency::parse("LYD").unwrap();
    dinars.amount = recoup_domain::money::Money::of_minor(500, currency).unwrap();
    assert_eq!(code(&at.client.refund(&dinars).await), FailureCode::ProcessorRejected);
    assert_eq!(at.stripe.server.requests().len(), 0);
}

#[tokio::test]
async fn a_refusal_counts_once_stripes_books_show_nothing_of_ours() {
    for (status, refusal, expected) in [
        (400, error("invalid_request_error", "charge_disputed"), FailureCode::ProcessorRejected),
        (400, error("invalid_request_error", "balance_insufficient"), FailureCode::InsufficientFunds),
        (402, error("card_error", "expired_card"), FailureCode::ExpiredOrClosedAccount),
        (402, error("card_error", "card_declined"), FailureCode::Declined),
    ] {
        let at = AtStripe::new().await;
        at.stripe.books.open().refusal = Some((status, refusal));
        let refund = handed_over(&fresh("key", CHARGE));
        assert_eq!(code(&at.client.refund(&refund).await), expected);
        assert_eq!(at.stripe.server.take_calls(), [POST, LIST]);
    }
}

#[tokio::test]
async fn a_refusal_whose_books_cannot_be_read_does_not_count() {
    let at = AtStripe::new().await;
    let disputed = error("invalid_request_error", "charge_disputed").to_string();
    let refusal = format!(
        "HTTP/1.1 400 Bad\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{disputed}",
        disputed.len()
    );
    at.stripe.books.fail([Fault::Says(refusal.leak()), Fault::CutBefore]);
    assert_eq!(at.client.refund(&handed_over(&fresh("key", CHARGE))).await, Outcome::Unknown);
    assert_eq!(at.stripe.server.take_calls(), [POST, LIST]);
}

#[tokio::test]
async fn our_own_refund_of_yesterday_is_no_reason_to_fail() {
    let at = AtStripe::new().await;
    let refund = handed_over(&fresh("key", CHARGE));
    at.stripe.books.fail([Fault::CutAfter]);
    assert_eq!(at.client.refund(&refund).await, Outcome::Unknown);
    // Stripe forgets the key; the charge is refunded, by us.
    at.stripe.books.open().answers.clear();
    at.stripe.server.take_calls();
    let outcome = at.client.refund(&refund).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    assert_eq!(at.stripe.server.take_calls(), [POST, LIST]);
    assert_eq!(at.stripe.moved(&refund), 1);
}

#[tokio::test]
async fn a_day_later_stripe_is_looked_up_before_anything_is_sent() {
    let at = AtStripe::new().await;
    let mut refund = handed_over(&fresh("key", CHARGE));
    // Half of the payment, so that Stripe itself would not refuse a second time.
    refund.amount = fixtures::eur(250);
    at.stripe.books.fail([Fault::CutAfter]);
    assert_eq!(at.client.refund(&refund).await, Outcome::Unknown);
    let at = at.a_day_later();
    at.stripe.books.open().answers.clear();
    at.stripe.server.take_calls();
    let outcome = at.client.refund(&after(&refund, &Outcome::Unknown)).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    assert_eq!((at.stripe.server.take_calls(), at.stripe.moved(&refund)), (vec![LIST.to_owned()], 1));

    // One that never came is sent; one of which nobody knows is not.
    let mut lost = handed_over(&fresh("lost", CHARGE));
    lost.amount = fixtures::eur(250);
    at.stripe.books.fail([Fault::CutBefore]);
    assert_eq!(at.client.refund(&lost).await, Outcome::Unknown);
    assert_eq!(at.stripe.server.take_calls(), [LIST]);
    let outcome = at.client.refund(&lost).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    assert_eq!(
        (at.stripe.server.take_calls(), at.stripe.moved(&lost)),
        (vec![LIST.to_owned(), POST.to_owned()], 1)
    );
}

/// A worker that died after the money moved leaves a refund that is `initiated` and was handed over; if its key has been
/// exchanged for another account's since, neither question finds anything there.
#[tokio::test]
async fn an_unknown_payment_fails_only_a_refund_that_was_never_asked_for() {
    let at = AtStripe::new().await;
    let never_asked = fresh("key", "ch_of_another_account");
    assert_eq!(code(&at.client.refund(&never_asked).await), FailureCode::ProcessorRejected);
    let asked = handed_over(&never_asked);
    for asked in [asked.clone(), after(&asked, &Outcome::Unknown)] {
        assert_eq!(at.client.look_up(&asked).await, LookedUp::Stands(Outcome::Unknown));
        assert_eq!(at.client.refund(&asked).await, Outcome::Unknown, "{:?}", asked.version.state);
    }
}

#[tokio::test]
async fn an_id_that_was_used_with_other_words_is_not_a_failure() {
    let at = AtStripe::new().await;
    let refund = handed_over(&fresh("key", CHARGE));
    let Outcome::Succeeded { reference, .. } = at.client.refund(&refund).await else {
        panic!("it was not made")
    };
    let mut other = refund.clone();
    other.amount = fixtures::eur(1);
    let differs = Outcome::Differs { reference, amount: refund.amount };
    assert_eq!(at.client.refund(&other).await, Outcome::Unknown);
    // Nor is it the refund that was asked for.
    assert_eq!(at.client.look_up(&other).await, LookedUp::Stands(differs));
}

#[tokio::test]
async fn another_amount_or_currency_than_was_asked_for_is_named() {
    let usd = Currency::parse("USD").unwrap();
    let in_usd = Money::of_minor(500, usd).unwrap();
    for (amount, currency, status, named) in [
        (499, "eur", "succeeded", Some(fixtures::eur(499))),
        (499, "eur", "pending", Some(fixtures::eur(499))),
        (500, "usd", "succeeded", Some(in_usd)),
        // What moved nothing does not differ, and what cannot be told is not named.
        (499, "eur", "failed", None),
        (500, "zzz", "succeeded", None),
    ] {
        let at = AtStripe::new().await;
        let refund = handed_over(&fresh("key", CHARGE));
        let mut wrong = object(1, amount, status, &json!({ "recoup_refund_id": refund.id.as_str() }));
        wrong["currency"] = json!(currency);
        let reference = text(wrong["id"].as_str().unwrap());
        let expected = named.map_or(Outcome::Unknown, |amount| Outcome::Differs { reference, amount });
        at.stripe.books.open().refunds.push(wrong.clone());
        assert_eq!(at.client.look_up(&refund).await, LookedUp::Stands(expected.clone()));
        at.stripe.books.open().refusal = Some((200, wrong));
        assert_eq!(at.client.refund(&refund).await, expected, "{amount} {currency} {status}");
    }
}

#[tokio::test]
async fn anothers_refund_is_not_taken_for_ours() {
    let at = AtStripe::new().await;
    let (ours, others) = (handed_over(&fresh("key", CHARGE)), handed_over(&fresh("another-key", CHARGE)));
    let done = at.client.refund(&others).await;
    // Stripe's name for it stands in our refund by mistake.
    assert_eq!(at.client.look_up(&after(&ours, &done)).await, LookedUp::Stands(Outcome::Unknown));
    let made = at.stripe.books.open().refunds[0].clone();
    at.stripe.books.open().refusal = Some((200, made));
    assert_eq!(at.client.refund(&ours).await, Outcome::Unknown);
}

#[tokio::test]
async fn every_page_of_a_payment_is_read_and_no_more_than_ten() {
    let at = AtStripe::new().await;
    let refund = after(&handed_over(&fresh("key", CHARGE)), &Outcome::Unknown);
    let ours = json!({ "recoup_refund_id": refund.id.as_str() });
    let others = |count: usize| (1..=count).map(|number| object(number, 1, "succeeded", &json!({})));
    at.stripe.books.open().refunds =
        std::iter::once(object(0, 500, "succeeded", &ours)).chain(others(200)).collect();
    let looked_up = at.client.look_up(&refund).await;
    assert!(matches!(looked_up, LookedUp::Stands(Outcome::Succeeded { .. })), "{looked_up:?}");
    assert_eq!(at.stripe.server.take_calls(), [LIST; 3]);

    at.stripe.books.open().refunds = others(1_000).collect();
    assert_eq!(at.client.look_up(&refund).await, LookedUp::NeverReceived);
    assert_eq!(at.stripe.server.take_calls(), [LIST; 10]);
    at.stripe.books.open().refunds = others(1_001).collect();
    assert_eq!(at.client.look_up(&refund).await, LookedUp::Stands(Outcome::Unknown), "it may be on the next");
    assert_eq!(at.stripe.server.take_calls(), [LIST; 10]);
}

#[tokio::test]
async fn a_success_that_stripe_takes_back_is_a_failure_by_its_own_name() {
    let at = AtStripe::new().await;
    let refund = handed_over(&fresh("key", CHARGE));
    let done = after(&refund, &at.client.refund(&refund).await);
    at.stripe.books.turn("failed");
    at.stripe.server.take_calls();
    let LookedUp::Stands(outcome) = at.client.look_up(&done).await else { panic!("it is not there") };
    assert_eq!(code(&outcome), FailureCode::Unknown);
    assert_eq!(at.stripe.server.take_calls(), ["GET /base/v1/refunds/re_000000000000000000000000"]);
}

#[tokio::test]
async fn what_stripe_had_and_no_longer_has_is_for_a_person() {
    let at = AtStripe::new().await;
    let refund = handed_over(&fresh("key", CHARGE));
    let done = after(&refund, &at.client.refund(&refund).await);
    at.stripe.books.open().refunds.clear();
    assert_eq!(at.client.look_up(&done).await, LookedUp::Stands(Outcome::Unknown));
    let pending = after(&refund, &Outcome::Pending);
    assert_eq!(at.client.look_up(&pending).await, LookedUp::Stands(Outcome::Unknown));
}
