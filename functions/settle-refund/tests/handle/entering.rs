//! Refunds that were made at Stripe without us: once in the books, and nothing below zero.

use recoup_domain::decide::Reservation;
use recoup_domain::enter::{Made, Reversal};
use recoup_domain::ids::Tenant;
use recoup_domain::payment::{Payment, ProcessorName, Terms};
use recoup_domain::recovery::{Shape, SplitTerms};
use recoup_domain::refund::{Flag, Outcome, Refund, State};
use recoup_domain::verification::Verification;
use recoup_ports::charges::RefundOfCharge;
use recoup_ports::payments::{KeepVerifications, Kept};
use recoup_ports::refunds::{Refunds, Reserve, Reserved};
use recoup_ports::settlement::{Settle, Settled};
use recoup_testing::fixtures;
use serde_json::{Value, json};

use crate::charges::charge;
use crate::gateway::Event;
use crate::signed::{Word, event, told_with};
use crate::{World, now, payment};

/// Stripe's event about a refund that carries nothing of ours.
fn made(reference: &str, amount: u64, word: Word) -> Value {
    let refund =
        fixtures::decided(&payment(ProcessorName::Stripe), &fixtures::getpaid_wanted(), "any").refund;
    let mut told = event(&refund, word);
    let object = &mut told["data"]["object"];
    object["id"] = json!(reference);
    object["amount"] = json!(amount);
    object["metadata"] = json!({});
    (object["charge"], object["payment_intent"]) = (json!("ch_1"), json!("pi_unknown"));
    told
}

/// The event, sent to the address of this account and signed for it.
fn to_address(tenant: &Tenant, body: &Value) -> Event {
    let mut told = told_with(&body.to_string(), &crate::doubles::stripe_secret(tenant), now());
    let (environment, account) = (tenant.environment.as_str(), tenant.account.as_str());
    told.0["rawQueryString"] = json!(format!("environment={environment}&account_id={account}"));
    told.0["queryStringParameters"] = json!({ "environment": environment, "account_id": account });
    told
}

impl World {
    /// With the getpaid payment, its charge claimed as its registration does.
    pub(crate) async fn at_stripe() -> Self {
        Self::of_charge(payment(ProcessorName::Stripe)).await
    }

    /// So many refunds of ours, decided side by side.
    pub(crate) fn decided(&self, count: u64) -> Vec<Reservation> {
        let decided = |(n, amount)| {
            let wanted = fixtures::wanted_of(&self.payment, 0, &[(fixtures::SELLER, amount)]);
            fixtures::decided(&self.payment, &wanted, &format!("key-{n}"))
        };
        (0..count).zip(300..).map(decided).collect()
    }

    /// The payment as registered while its processor did not answer.
    async fn unverified(&self) -> Payment {
        let registered = self.payment().await;
        let pending = Payment { verification: Some(Verification::Pending), ..registered.clone() };
        let kept = self.context.store.keep_verification(&pending, &registered).await;
        assert_eq!(kept.unwrap(), Kept::Yes);
        pending
    }

    async fn of_charge(payment: Payment) -> Self {
        let world = Self::with(payment).await;
        let text = |text: String| aws_sdk_dynamodb::types::AttributeValue::S(text);
        let tenant = &world.payment.tenant;
        let pk = format!("{}#{}#charge#stripe#ch_1", tenant.environment.as_str(), tenant.account);
        let put = world.table.plain().put_item().table_name(world.table.name()).item("pk", text(pk));
        let put = put.item("sk", text("charge".to_owned()));
        put.item("payment_id", text(world.payment.id.to_string())).send().await.unwrap();
        world
    }

    pub(crate) async fn hear(&self, body: &Value) -> Value {
        let reply = self.tell(&to_address(&self.payment.tenant, body)).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        reply.body
    }

    async fn entered(&self, answer: &Value) -> Refund {
        let id = answer["refund_id"].as_str().unwrap().try_into().unwrap();
        self.table.store().refund(&self.payment.tenant, &id).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_refund_made_at_stripe_enters_the_books_once_however_often_it_is_told() {
    let world = World::at_stripe().await;
    let first = world.hear(&made("re_1", 1_100, Word::Succeeded)).await;
    assert_eq!((&first["outcome"], &first["status"]), (&json!("applied"), &json!("succeeded")));
    for word in [Word::Succeeded, Word::Pending] {
        assert_eq!(world.hear(&made("re_1", 1_100, word)).await["outcome"], "unchanged");
    }
    let refund = world.entered(&first).await;
    assert_eq!((refund.origin.name().as_str(), refund.version.sequence, refund.flag), ("processor", 1, None));
    assert_eq!((world.left().await, world.payment().await.refunds.len()), (2_000, 1));
    world.check_books().await;
    assert_eq!(world.hear(&made("re_2", 100, Word::Succeeded)).await["outcome"], "applied");
    assert_eq!(world.left().await, 1_900);
}

#[tokio::test]
async fn told_twice_at_the_same_moment_it_is_one_refund() {
    let world = World::at_stripe().await;
    let (one, other) = (made("re_1", 1_100, Word::Succeeded), made("re_1", 1_100, Word::Succeeded));
    tokio::join!(world.hear(&one), world.hear(&other));
    assert_eq!((world.left().await, world.payment().await.refunds.len()), (2_000, 1));
    world.check_books().await;
}

#[tokio::test]
async fn what_is_pending_there_is_held_and_goes_back_when_it_fails() {
    let world = World::at_stripe().await;
    let told = world.hear(&made("re_1", 1_100, Word::Pending)).await;
    let refund = world.entered(&told).await;
    assert!(refund.version.state.holds_money() && refund.wait.is_some());
    assert_eq!(world.left().await, 2_000);
    world.check_books().await;
    assert_eq!(world.hear(&made("re_1", 1_100, Word::Failed)).await["status"], "failed");
    assert_eq!(world.left().await, 3_100);
    world.check_books().await;
}

#[tokio::test]
async fn what_is_no_longer_refundable_is_named_and_stays_outside_the_sums() {
    let world = World::at_stripe().await;
    world.reserve("key-1", &fixtures::getpaid_wanted()).await;
    let told = world.hear(&made("re_1", 3_100, Word::Succeeded)).await;
    let refund = world.entered(&told).await;
    assert_eq!((refund.amount.minor(), refund.taken().minor()), (3_100, 1_600));
    assert_eq!(refund.flag, Some(Flag::ExceedsRefundable));
    assert_eq!(world.left().await, 0);
    let told = world.hear(&made("re_2", 500, Word::Pending)).await;
    let nothing = world.entered(&told).await;
    assert_eq!((nothing.taken().minor(), world.left().await), (0, 0));
    assert_eq!(world.hear(&made("re_2", 500, Word::Failed)).await["status"], "failed");
    assert_eq!((world.entered(&told).await.flag, world.left().await), (None, 0));
    let payment = world.payment().await;
    let stored = world.table.store().postings(&payment.tenant, &payment.refunds).await.unwrap().read;
    assert!(recoup_domain::balance::Balances::of(&payment, &stored).is_some());
}

/// As refunds of ours are reserved and settled while Stripe tells of its own.
#[tokio::test]
async fn refunds_made_there_race_ours_and_no_cent_is_lost() {
    let world = World::at_stripe().await;
    let ours = world.decided(6);
    let store = world.table.store();
    let reserved = futures_util::future::join_all(ours.iter().map(|ours| store.reserve(ours)));
    let events: Vec<Value> = (0..6).map(|n| made(&format!("re_{n}"), 200 + n, Word::Pending)).collect();
    let told = futures_util::future::join_all(events.iter().map(|event| world.tell_of(event)));
    let (reserved, told) = tokio::join!(reserved, told);
    assert!(reserved.iter().any(|reserved| matches!(reserved, Ok(Reserved::New))));
    for (event, status) in events.iter().zip(told) {
        // One that lost too many races is sent again by Stripe.
        if status == 503 {
            world.hear(event).await;
        }
    }
    world.check_books().await;
    let new = reserved.iter().filter(|one| matches!(one, Ok(Reserved::New))).count();
    assert_eq!(world.payment().await.refunds.len(), new.saturating_add(6));
    for (event, ours) in events.iter().zip(&ours) {
        let mut failed = event.clone();
        failed["data"]["object"]["status"] = json!("failed");
        world.hear(&failed).await;
        let stored = store.refund(&ours.refund.tenant, &ours.refund.id).await.unwrap();
        if let Some(stored) = stored {
            let change = fixtures::moved(&stored, fixtures::failed());
            assert_eq!(store.carry_out(&change).await.unwrap(), Settled::Applied);
        }
    }
    assert_eq!(world.left().await, 3_100);
    world.check_books().await;
}

impl World {
    pub(crate) async fn tell_of(&self, event: &Value) -> u16 {
        self.tell(&to_address(&self.payment.tenant, event)).await.status
    }
}

#[tokio::test]
async fn what_names_no_payment_or_no_account_of_ours_changes_nothing() {
    let world = World::at_stripe().await;
    let before = world.everything().await;
    let mut elsewhere = made("re_1", 1_100, Word::Succeeded);
    elsewhere["data"]["object"]["charge"] = json!("ch_2");
    for ignored in [elsewhere, made("re_1", 1_100, Word::Failed)] {
        assert_eq!(world.hear(&ignored).await["outcome"], "ignored");
    }
    let body = made("re_1", 1_100, Word::Succeeded);
    let nobody = told_with(&body.to_string(), &crate::doubles::stripe_secret(&world.payment.tenant), now());
    assert_eq!(world.tell(&nobody).await.body["outcome"], "ignored");
    // Signed for the account, sent to the address of another.
    let mut other = to_address(&world.payment.tenant, &body);
    let account = fixtures::tenant_of(recoup_domain::ids::Environment::Sandbox, 2).account;
    other.0["rawQueryString"] = json!(format!("environment=sandbox&account_id={account}"));
    other.0["queryStringParameters"]["account_id"] = json!(account.as_str());
    assert_eq!(world.tell(&other).await.problem(), (403, "invalid_signature"));
    for (name, value) in [("account_id", "acct_1"), ("environment", "production")] {
        let mut malformed = to_address(&world.payment.tenant, &body);
        malformed.0["queryStringParameters"][name] = json!(value);
        malformed.0["rawQueryString"] = json!(format!("{name}={value}"));
        assert_eq!(world.tell(&malformed).await.problem(), (400, "invalid_notification"));
    }
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn our_own_refund_is_heard_at_the_address_of_its_account_and_at_no_other() {
    let (world, refund) = World::with_refund(ProcessorName::Stripe).await;
    let told = event(&refund, Word::Pending);
    let other = fixtures::tenant_of(recoup_domain::ids::Environment::Sandbox, 2);
    assert_eq!(world.tell(&to_address(&other, &told)).await.body["outcome"], "ignored");
    assert_eq!(world.refund(&refund).await.version.state, State::Initiated);
    assert_eq!(world.hear(&told).await["outcome"], "applied");
    assert!(refund.step(Outcome::Pending, now()).is_some());
}

/// The getpaid payment as a destination charge: 100 for the platform, 3000 for the seller.
fn destination() -> Payment {
    let payment = payment(ProcessorName::Stripe);
    let mut terms =
        Terms { routing: Some(fixtures::split(100, &[(fixtures::SELLER, 3_000)])), ..payment.terms() };
    terms.processor.split = Some(SplitTerms { shape: Shape::Destination, transfers: Vec::new() });
    fixtures::registered(payment.id.as_str(), terms)
}

#[tokio::test]
async fn a_destination_charge_is_split_as_stripe_says_in_the_event_or_asked() {
    let listed = |reference: &str, amount: u64| RefundOfCharge {
        ours: None,
        made: Made {
            reference: fixtures::text(reference),
            amount: Some(fixtures::eur(1_100)),
            outcome: fixtures::succeeded_as(reference),
            reversal: Reversal::Made { reference: fixtures::text("trr_1"), amount: fixtures::eur(amount) },
        },
    };
    // What the event names, what Stripe lists, how often it is asked, and what the seller then gives.
    for (named, list, asked, seller) in [
        (json!(null), None, 0, 1_000),
        (json!("trr_1"), Some(vec![listed("re_0", 10), listed("re_1", 1_080)]), 1, 1_080),
        (json!("trr_1"), Some(vec![listed("re_0", 10)]), 1, 1_065),
        (json!("trr_1"), None, 1, 1_065),
    ] {
        let world = World::of_charge(destination()).await;
        world.context.processor.charges.list(list);
        let mut event = made("re_1", 1_100, Word::Succeeded);
        event["data"]["object"]["transfer_reversal"] = named.clone();
        let told = world.hear(&event).await;
        assert_eq!(world.context.processor.charges.take_listed(), asked, "{named}");
        let split = world.entered(&told).await.split.unwrap();
        assert_eq!(split.of(&fixtures::actor_id(fixtures::SELLER)), Some(fixtures::eur(seller)), "{named}");
        world.check_books().await;
        assert_eq!(world.hear(&event).await["outcome"], "unchanged");
        assert_eq!(world.context.processor.charges.take_listed(), 0, "what is in the books is not asked for");
    }
}

#[tokio::test]
async fn an_adopted_payment_is_verified_once_its_earlier_refund_is_heard_of() {
    let world = World::at_stripe().await;
    let charge = charge(&["ch_1"], 3_100, 1_100);
    let pending = world.unverified().await;
    let told = charge.told_of(pending.clone(), now());
    assert_eq!(world.context.store.keep_verification(&told, &pending).await.unwrap(), Kept::Yes);
    assert!(matches!(world.payment().await.verification, Some(Verification::Failed(..))));
    world.context.processor.charges.tell(charge);
    for (reference, amount, verified, asked) in
        [("re_1", 1_000, false, 1), ("re_2", 100, true, 1), ("re_3", 5, true, 0)]
    {
        world.hear(&made(reference, amount, Word::Succeeded)).await;
        let found = matches!(world.payment().await.verification, Some(Verification::Verified(_)));
        assert_eq!((found, world.context.processor.charges.take_asked()), (verified, asked), "{reference}");
    }
}
