//! Refunds of payments that name a processor: through the team's own adapter, through Stripe, and without keys.

mod adapter;
mod imports;
mod notices;
mod stand_in;

use adapter::Adapter;
use recoup_deployed_tests::{Account, Receiver, Stack};
use serde_json::{Value, json};
use stand_in::StandIn;

const SECRET: &str = "whsec_U2VjcmV0U2hhcmVkV2l0aFRoZUFkYXB0ZXI=";
const OLD_SECRET: &str = "whsec_QW5vdGhlclNlY3JldE9mVGhlQWRhcHRlcg==";
const STRIPE_KEY: &str = "sk_test_51KeyOfTheDeployedTests";

/// An account with keys for its callers, and none for its processors yet.
struct Shop {
    stack: Stack,
    id: String,
}

impl Shop {
    async fn new() -> Self {
        let stack = Stack::running();
        let made = stack.admin(json!({ "command": "create_account", "name": "Shop" })).await.unwrap();
        Self { id: made["account_id"].as_str().unwrap().to_owned(), stack }
    }

    async fn caller(&self, environment: &str) -> Account {
        self.stack.caller(&self.id, environment).await
    }

    /// Has `admin` seal the keys, as operators do who want no secret of their own for each account.
    async fn seal_keys(&self, environment: &str, processor: &str, keys: Value) {
        let command = json!({
            "command": "set_processor_keys", "account_id": self.id, "environment": environment,
            "processor": processor, "secret": keys.to_string(),
        });
        let answer = self.stack.admin(command).await.expect("the keys are sealed");
        assert_eq!(answer["set"], true, "{answer}");
    }

    async fn store_keys(&self, environment: &str, processor: &str, keys: Value) {
        self.stack.store_keys(&format!("{environment}/{}/{processor}", self.id), &keys).await;
    }
}

/// A payment of 10.00 EUR at a processor.
async fn registered(caller: &Account, id: &str, processor: &str, reference: &str) {
    let processor = json!({ "name": processor, "reference": reference });
    let payment = json!({ "amount": 1_000, "currency": "EUR", "processor": processor });
    let answer = caller.register(id, payment).await;
    let shown = json!({ "name": processor["name"], "reference": reference, "account": null, "split": null });
    assert_eq!((answer.status, &answer.body["processor"]), (201, &shown), "{:?}", answer.body);
}

/// The id of a refund of 4.00 EUR.
async fn refunded(caller: &Account, payment: &str, webhook: Option<&str>) -> String {
    let mut wanted = json!({ "payment_id": payment, "amount": 400 });
    if let Some(url) = webhook {
        wanted["urls"] = json!({ "webhook": url });
    }
    let answer = caller.refund(None, wanted).await;
    assert_eq!((answer.status, answer.text("status")), (201, "initiated"), "{:?}", answer.body);
    answer.text("id").to_owned()
}

/// What is left of a payment, held and refunded.
async fn balance(caller: &Account, payment: &str) -> [u64; 3] {
    let payment = caller.payment(payment).await;
    ["refundable_amount", "held_amount", "refunded_amount"].map(|field| payment[field].as_u64().unwrap())
}

/// The refund was pending, and then succeeded, as its owner was told.
async fn pending_first(told: &mut Receiver) {
    let webhooks = told.take(3).await;
    let kinds: Vec<&str> = webhooks.iter().map(recoup_deployed_tests::Webhook::kind).collect();
    assert_eq!(kinds, ["refund.initiated", "refund.processing", "refund.succeeded"]);
    assert_eq!(webhooks[1].body["data"]["pending_reason"], "processor_pending");
}

#[tokio::test]
async fn the_teams_own_adapter_says_yes_no_and_later() {
    let shop = Shop::new().await;
    let mut notified = Receiver::start().await;
    let adapter = Adapter::running(SECRET, &notified.url);
    // While a secret is being replaced the new one stands first, and the adapter may still know the old one alone.
    let new = "whsec_VGhlTmV3U2VjcmV0T2ZUaGVBZGFwdGVy";
    shop.seal_keys("sandbox", "http", json!({ "base_url": adapter.base, "secrets": [new, SECRET] })).await;
    let caller = shop.caller("sandbox").await;

    registered(&caller, "pay_yes", "http", "bank payment 1").await;
    let id = refunded(&caller, "pay_yes", None).await;
    let refund = caller.refund_in(&id, "succeeded").await;
    assert_eq!(refund["processor_reference"], format!("bank-{id}"));
    assert_eq!(balance(&caller, "pay_yes").await, [600, 0, 400]);

    registered(&caller, "pay_no", "http", "closed-1").await;
    let id = refunded(&caller, "pay_no", None).await;
    let refund = caller.refund_in(&id, "failed").await;
    let said = json!({
        "code": "expired_or_closed_account", "message": "Closed.", "processor_code": "AC04",
        "processor_message": "Closed account number", "processor_request_id": null,
    });
    assert_eq!(refund["failure"], said);
    assert_eq!(balance(&caller, "pay_no").await, [1_000, 0, 0]);

    registered(&caller, "pay_later", "http", "slow-1").await;
    let mut told = Receiver::start().await;
    let id = refunded(&caller, "pay_later", Some(&told.url)).await;
    pending_first(&mut told).await;
    let refund = caller.refund_in(&id, "succeeded").await;
    assert_eq!(refund["processor_reference"], format!("bank-{id}"));
    assert_eq!(balance(&caller, "pay_later").await, [600, 0, 400]);
    let notice = notified.next().await;
    notice.assert_signed_by(SECRET);
    assert_eq!((&notice.body["refund_id"], &notice.body["account_id"]), (&json!(id), &json!(shop.id)));
}

#[tokio::test]
async fn live_money_goes_through_the_live_keys_alone() {
    let shop = Shop::new().await;
    let notified = Receiver::start().await;
    let adapter = Adapter::running(SECRET, &notified.url);
    shop.store_keys("live", "http", json!({ "base_url": adapter.base, "secrets": [SECRET] })).await;
    let (live, sandbox) = (shop.caller("live").await, shop.caller("sandbox").await);
    for caller in [&live, &sandbox] {
        registered(caller, "pay_1", "http", "bank-payment-1").await;
    }
    let id = refunded(&live, "pay_1", None).await;
    assert_eq!(live.refund_in(&id, "succeeded").await["sandbox"], false);
    let id = refunded(&sandbox, "pay_1", None).await;
    let refund = sandbox.refund_in(&id, "processing").await;
    assert_eq!(refund["pending_reason"], "processor_not_configured");
    assert_eq!(balance(&sandbox, "pay_1").await, [600, 400, 0]);
}

#[tokio::test]
async fn without_keys_that_work_a_refund_waits_and_its_amount_is_held() {
    let notified = Receiver::start().await;
    let adapter = Adapter::running(SECRET, &notified.url);
    let mut waiting = Vec::new();
    for (processor, reference, keys) in [
        ("http", "bank-payment-1", None),
        ("stripe", "pi_1", None),
        ("http", "bank-payment-1", Some(json!({ "url": adapter.base, "secrets": [SECRET] }))),
        ("http", "bank-payment-1", Some(json!({ "base_url": adapter.base, "secrets": [OLD_SECRET] }))),
        ("stripe", "pi_1", Some(json!({ "key": "sk_live_51NotForTheSandbox", "signing_secrets": [] }))),
    ] {
        let shop = Shop::new().await;
        if let Some(keys) = keys {
            shop.store_keys("sandbox", processor, keys).await;
        }
        let caller = shop.caller("sandbox").await;
        registered(&caller, "pay_1", processor, reference).await;
        let id = refunded(&caller, "pay_1", None).await;
        waiting.push((caller, id));
    }
    for (caller, id) in waiting {
        let why = |refund: &Value| refund["pending_reason"] == "processor_not_configured";
        let refund = caller.refund_once(&id, why).await;
        assert_eq!((&refund["failure"], &refund["processor_reference"]), (&Value::Null, &Value::Null));
        assert_eq!(balance(&caller, "pay_1").await, [600, 400, 0]);
    }
}

/// What is compared with Stripe when a payment is registered.
async fn claims_and_terms(caller: &Account) {
    // Another of a charge's names is the same payment, and nothing but a name adopts one.
    let adopt = |reference: &str| json!({ "processor": { "name": "stripe", "reference": reference } });
    let again = caller.register("pay_again", adopt("pi_yes")).await;
    assert_eq!((again.status, again.text("code")), (409, "processor_reference_in_use"), "{:?}", again.body);
    assert_eq!(again.body["payment_id"], "pay_yes");
    let adopted = caller.register("pay_old", adopt("pi_old")).await;
    assert_eq!((adopted.status, &adopted.body["amount"]), (201, &json!(1_000)), "{:?}", adopted.body);
    let other = json!({ "amount": 999, "currency": "EUR", "processor": adopt("pi_other")["processor"] });
    let other = caller.register("pay_other", other).await;
    assert_eq!((other.status, other.text("code")), (422, "terms_differ_at_processor"), "{:?}", other.body);
}

#[tokio::test]
async fn stripe_says_yes_no_and_later_and_an_answer_that_was_lost_is_looked_up() {
    let stripe = StandIn::listening().await;
    let shop = Shop::new().await;
    let keys = json!({ "key": STRIPE_KEY, "signing_secrets": ["whsec_OfTheDeployedTests"] });
    shop.store_keys("sandbox", "stripe", keys).await;
    let caller = shop.caller("sandbox").await;

    for (payment, reference) in
        [("pay_yes", "ch_yes"), ("pay_no", "pi_no"), ("pay_later", "ch_later"), ("pay_lost", "pi_lost")]
    {
        registered(&caller, payment, "stripe", reference).await;
        let seen = caller.payment(payment).await;
        assert_eq!(seen["processor_verification"]["status"], "verified", "{seen}");
    }
    claims_and_terms(&caller).await;
    imports::are_verified_behind_the_answer(&caller).await;
    let yes = refunded(&caller, "pay_yes", None).await;
    let refund = caller.refund_in(&yes, "succeeded").await;
    assert_eq!(refund["processor_reference"], stripe.name_of(&yes));

    let no = refunded(&caller, "pay_no", None).await;
    let refund = caller.refund_in(&no, "failed").await;
    assert_eq!(refund["failure"]["code"], "processor_rejected");
    assert_eq!(balance(&caller, "pay_no").await, [1_000, 0, 0]);

    let mut told = Receiver::start().await;
    let later = refunded(&caller, "pay_later", Some(&told.url)).await;
    pending_first(&mut told).await;

    let lost = refunded(&caller, "pay_lost", None).await;
    let refund = caller.refund_in(&lost, "succeeded").await;
    assert_eq!(refund["processor_reference"], stripe.name_of(&lost));

    for (payment, id) in [("pay_yes", yes), ("pay_later", later), ("pay_lost", lost)] {
        assert_eq!(balance(&caller, payment).await, [600, 0, 400]);
        assert_eq!(stripe.orders(&id), 1, "{payment} is asked for once");
    }
    each_actor_gives_its_part(&stripe, &caller).await;
    the_dashboards_refunds_enter_the_books(&stripe, &shop, &caller).await;
    assert!(stripe.bearers().iter().all(|bearer| *bearer == format!("Bearer {STRIPE_KEY}")));
}

/// No event of them came: they are found by the audit, also those from before the payment was adopted.
async fn the_dashboards_refunds_enter_the_books(stripe: &StandIn, shop: &Shop, caller: &Account) {
    registered(caller, "pay_dash", "stripe", "ch_dash").await;
    stripe.make("ch_dash", 250);
    stripe.make("ch_before", 100);
    let adopt = json!({ "processor": { "name": "stripe", "reference": "ch_before" } });
    assert_eq!(caller.register("pay_before", adopt).await.status, 201);
    assert_eq!(caller.payment("pay_before").await["processor_verification"]["status"], "failed");
    let scope = json!({
        "days": 1, "older_than_seconds": 0, "audit_payments": 100, "account_id": shop.id, "environment": "sandbox",
    });
    for _ in 0..2 {
        let summary = shop.stack.reconcile(scope.clone()).await;
        assert_eq!(summary["failed"], json!([]), "{summary}");
        assert_eq!(balance(caller, "pay_dash").await, [750, 0, 250]);
        assert_eq!(balance(caller, "pay_before").await, [900, 0, 100]);
    }
    assert_eq!(caller.payment("pay_before").await["processor_verification"]["status"], "verified");
    let made = caller.get("/v1/refunds?payment_id=pay_dash").await;
    assert_eq!(made.body["data"][0]["origin"], "processor", "{:?}", made.body);
}

/// The customer is paid at once; the merchant who lacks the money gives it when it is asked again.
async fn each_actor_gives_its_part(stripe: &StandIn, caller: &Account) {
    let merchant =
        |id: &str, amount: u64| json!({ "account_id": id, "amount": amount, "transfer": format!("tr_{id}") });
    let payment = json!({
        "amount": 1_000, "currency": "EUR", "processor": { "name": "stripe", "reference": "ch_split" },
        "routing": { "platform": { "amount": 100 }, "merchants": [merchant("rich", 500), merchant("short", 400)] },
    });
    let answer = caller.register("pay_split", payment).await;
    assert_eq!(
        (answer.status, &answer.body["processor"]["split"]),
        (201, &json!("executed")),
        "{:?}",
        answer.body
    );
    let parts = json!({ "merchants": [{ "id": "rich", "amount": 300 }, { "id": "short", "amount": 200 }] });
    let answer = caller.refund(None, json!({ "payment_id": "pay_split", "routing": parts })).await;
    let id = answer.text("id").to_owned();
    let paid = caller.refund_in(&id, "succeeded").await;
    assert_ne!(paid["routing"]["merchants"][1]["recovery"]["status"], "recovered");
    let done = caller
        .refund_once(&id, |refund| {
            let merchants = refund["routing"]["merchants"].as_array().unwrap();
            merchants.iter().all(|merchant| merchant["recovery"]["status"] == "recovered")
        })
        .await;
    assert_eq!(
        (done["status"].as_str(), done["sequence"].as_u64()),
        (Some("succeeded"), paid["sequence"].as_u64())
    );
    assert_eq!((stripe.taken_of("tr_rich"), stripe.taken_of("tr_short")), (vec![300], vec![200]));
}
