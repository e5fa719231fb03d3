//! What the getpaid document asks, row by row, with its own sample requests (without the `//` remarks in them).
//!
//! Where a refund is really made, the host of the printed webhook is our own receiver's: a test does not call
//! a stranger. That the printed URL is taken as it stands is shown by a quote, which reads the same body.

use futures_util::future::join_all;
use recoup_deployed_tests::{Account, Answer, Receiver, Stack};
use serde_json::{Value, json};

const PAYMENT: &str = "pay_926ap9a2ioesd1p0qsfjuk1bvv";
const SELLER: &str = "acc_4zjjxn0nm1tnweqbttedkvnsc8";
const SUPPLIER: &str = "acc_4djj3n0hm1tn2eqwetedkvnsc3";

/// The document's first sample.
fn full() -> Value {
    json!({
        "payment_id": "pay_926ap9a2ioesd1p0qsfjuk1bvv",
        "description": "Refund for ORD-123456",
        "reference": "REFUND-123456",
        "urls": { "webhook": "https://webhooks.haircutz.co/getpaid" }
    })
}

/// The document's second sample.
fn partial() -> Value {
    json!({
        "payment_id": "pay_926ap9a2ioesd1p0qsfjuk1bvv",
        "description": "Refund for ORD-123456",
        "routing": {
            "merchants": [
                { "id": "acc_4zjjxn0nm1tnweqbttedkvnsc8", "amount": 1000 },
                { "id": "acc_4djj3n0hm1tn2eqwetedkvnsc3", "amount": 500 }
            ]
        },
        "reference": "REFUND-123456",
        "urls": { "webhook": "https://webhooks.haircutz.co/getpaid" }
    })
}

/// A sample with another host for its webhook.
fn told_to(mut sample: Value, receiver: &Receiver) -> Value {
    sample["urls"]["webhook"] = json!(receiver.url);
    sample
}

async fn with_payment() -> Account {
    let account = Stack::running().new_account().await;
    account.register_example(PAYMENT, "sandbox_succeed").await;
    account
}

/// What platform, seller and supplier can still give back.
async fn refundable(account: &Account) -> [u64; 3] {
    let routing = account.payment(PAYMENT).await["routing"].clone();
    assert_eq!(routing["merchants"][0]["account_id"], SELLER);
    assert_eq!(routing["merchants"][1]["account_id"], SUPPLIER);
    [&routing["platform"], &routing["merchants"][0], &routing["merchants"][1]]
        .map(|actor| actor["refundable_amount"].as_u64().expect("an amount"))
}

async fn quote(account: &Account, wish: &Value) -> Answer {
    account.send("POST", "/v1/refunds/quote", &[], Some(wish.to_string())).await
}

/// A refund of these amounts from platform, seller and supplier.
fn from_each(amounts: [u64; 3]) -> Value {
    let [platform, seller, supplier] = amounts;
    json!({ "payment_id": PAYMENT, "routing": {
        "platform": { "amount": platform },
        "merchants": [{ "id": SELLER, "amount": seller }, { "account_id": SUPPLIER, "amount": supplier }],
    }})
}

#[tokio::test]
async fn g1_an_access_token_comes_from_api_credentials_of_one_environment() {
    let stack = Stack::running();
    let made = stack.admin(json!({ "command": "create_account", "name": "Tokens" })).await.unwrap();
    let anyone = stack.with_authorization(None);
    let mut callers = Vec::new();
    for environment in ["sandbox", "live"] {
        let id = made["account_id"].as_str().unwrap();
        let client = stack.credential("create_client", id, environment).await;
        let (id, secret) = (client["client_id"].as_str().unwrap(), client["client_secret"].as_str().unwrap());
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        let token = anyone.form("/v1/oauth/token", &[], &form).await;
        assert_eq!((token.status, token.body["expires_in"].as_u64()), (200, Some(3_600)), "{:?}", token.body);
        callers.push(stack.with_authorization(Some(&format!("Bearer {}", token.text("access_token")))));
    }
    let [sandbox, live] = callers.as_slice() else { panic!("two callers") };
    sandbox.register_example(PAYMENT, "sandbox_succeed").await;
    let quoted = quote(sandbox, &full()).await;
    assert_eq!((quoted.status, quoted.body["amount"].as_u64()), (200, Some(3_100)), "{:?}", quoted.body);
    assert_eq!(quote(live, &full()).await.status, 404);
}

#[tokio::test]
async fn g2_a_full_refund_needs_only_the_payment_and_answers_with_id_and_links() {
    let account = with_payment().await;
    let printed = quote(&account, &full()).await;
    assert_eq!((printed.status, printed.body["amount"].as_u64()), (200, Some(3_100)), "{:?}", printed.body);

    let receiver = Receiver::start().await;
    let refund = account.refund(None, told_to(full(), &receiver)).await;
    assert_eq!((refund.status, refund.text("status")), (201, "initiated"), "{:?}", refund.body);
    let id = refund.text("id");
    assert!(id.starts_with("rfd_") && id.len() == "rfd_473cr1y0ghbyc3m1yfbwvn3nxx".len(), "{id}");
    let link = refund.body["_links"]["self"]["href"].as_str().expect("a link");
    assert!(link.ends_with(&format!("/v1/refunds/{id}")), "{link}");
    for field in ["description", "reference"] {
        assert_eq!(refund.body[field], full()[field]);
    }
    let bare = with_payment().await.refund(None, json!({ "payment_id": PAYMENT })).await;
    assert_eq!((bare.status, bare.body["amount"].as_u64()), (201, Some(3_100)), "{:?}", bare.body);
}

#[tokio::test]
async fn g3_a_full_refund_takes_from_every_actor_by_the_original_routing() {
    let account = with_payment().await;
    let receiver = Receiver::start().await;
    let refund = account.refund(None, told_to(full(), &receiver)).await;
    let routing = &refund.body["routing"];
    assert_eq!(routing["platform"]["amount"], 100);
    assert_eq!(
        (&routing["merchants"][0]["account_id"], &routing["merchants"][0]["amount"]),
        (&json!(SELLER), &json!(2_500))
    );
    assert_eq!(
        (&routing["merchants"][1]["account_id"], &routing["merchants"][1]["amount"]),
        (&json!(SUPPLIER), &json!(500))
    );
    assert_eq!(refundable(&account).await, [0, 0, 0]);
    account.refund_in(refund.text("id"), "succeeded").await;
    let routing = account.payment(PAYMENT).await["routing"].clone();
    assert_eq!(routing["platform"]["refunded_amount"], 100);
    assert_eq!(routing["merchants"][0]["refunded_amount"], 2_500);
    assert_eq!(routing["merchants"][1]["refunded_amount"], 500);
}

#[tokio::test]
async fn g3_a_full_refund_after_a_partial_one_takes_what_each_actor_has_left() {
    let account = with_payment().await;
    assert_eq!(account.refund(None, from_each([0, 1_000, 500])).await.status, 201);
    let rest = account.refund(None, json!({ "payment_id": PAYMENT })).await;
    assert_eq!((rest.status, rest.body["amount"].as_u64()), (201, Some(1_600)), "{:?}", rest.body);
    assert_eq!(rest.body["routing"]["platform"]["amount"], 100);
    assert_eq!(rest.body["routing"]["merchants"][0]["amount"], 1_500);
    assert_eq!(refundable(&account).await, [0, 0, 0]);
}

#[tokio::test]
async fn g4_any_number_of_partial_refunds_by_platform_and_merchants() {
    let account = with_payment().await;
    let mut left = [100, 2_500, 500];
    for parts in [[1, 0, 0], [0, 1, 0], [0, 0, 1], [9, 90, 9], [10, 400, 0], [0, 9, 90], [80, 0, 400]] {
        let refund = account.refund(None, from_each(parts)).await;
        assert_eq!(refund.status, 201, "{:?}", refund.body);
        assert_eq!(refund.body["amount"], parts.iter().sum::<u64>());
        for (left, part) in left.iter_mut().zip(parts) {
            *left -= part;
        }
        assert_eq!(refundable(&account).await, left);
    }
    assert_eq!(left, [0, 2_000, 0]);
    let unrouted = account.refund(None, json!({ "payment_id": PAYMENT, "amount": 100 })).await;
    assert_eq!((unrouted.status, unrouted.text("code")), (422, "routing_required"));
}

#[tokio::test]
async fn g5_no_actor_gives_back_more_than_was_routed_to_it() {
    let account = with_payment().await;
    for (parts, short) in [
        ([101, 0, 0], vec![json!("platform")]),
        ([0, 2_501, 0], vec![json!(SELLER)]),
        ([0, 0, 501], vec![json!(SUPPLIER)]),
        ([101, 100, 501], vec![json!("platform"), json!(SUPPLIER)]),
    ] {
        let refused = account.refund(Some("short"), from_each(parts)).await;
        assert_eq!((refused.status, refused.text("code")), (422, "actor_amount_exceeds_refundable"));
        let named: Vec<Value> = refused.body["actors"].as_array().unwrap().iter().map(who).collect();
        assert_eq!(named, short);
        assert_eq!(refundable(&account).await, [100, 2_500, 500]);
    }
    // What counts is what the actor has left now, also if the payment as a whole has more.
    assert_eq!(account.refund(Some("short"), from_each([0, 0, 400])).await.status, 201);
    let refused = account.refund(None, from_each([0, 0, 101])).await;
    assert_eq!(refused.body["actors"][0]["refundable_amount"], 100, "{:?}", refused.body);
    let stranger =
        json!({ "payment_id": PAYMENT, "routing": { "merchants": [{ "id": "acc_x", "amount": 1 }] } });
    assert_eq!(account.refund(None, stranger).await.text("code"), "routing_mismatch");
}

fn who(actor: &Value) -> Value {
    actor.get("account_id").unwrap_or(&actor["actor"]).clone()
}

#[tokio::test]
async fn g6_no_partial_refund_before_the_payout_has_started() {
    let account = Stack::running().new_account().await;
    let payment = |payout: &str| {
        json!({
            "amount": 3100, "currency": "EUR", "partial_refunds": "after_payout", "payout": payout,
            "routing": { "platform": { "amount": 100 }, "merchants": [
                { "account_id": SELLER, "amount": 2500 }, { "account_id": SUPPLIER, "amount": 500 },
            ]},
        })
    };
    assert_eq!(account.register(PAYMENT, payment("not_started")).await.status, 201);
    for wish in [partial(), from_each([1, 0, 0])] {
        let refused = account.refund(Some("payout"), wish).await;
        assert_eq!((refused.status, refused.text("code")), (422, "partial_refund_before_payout"));
    }
    // All of it may go back at any time.
    assert_eq!(quote(&account, &full()).await.status, 200);
    assert_eq!(account.register(PAYMENT, payment("started")).await.status, 200);
    let refund = account.refund(Some("payout"), from_each([0, 1_000, 500])).await;
    assert_eq!(refund.status, 201, "{:?}", refund.body);

    // A payment without that policy does not wait.
    let free = json!({ "amount": 100, "currency": "EUR", "payout": "not_started" });
    account.register("pay_free", free).await;
    assert_eq!(account.refund(None, json!({ "payment_id": "pay_free", "amount": 1 })).await.status, 201);
}

#[tokio::test]
async fn g6_before_the_payout_the_full_refund_is_made() {
    let account = Stack::running().new_account().await;
    let payment = json!({
        "amount": 3100, "currency": "EUR", "partial_refunds": "after_payout", "payout": "not_started",
    });
    account.register(PAYMENT, payment).await;
    let refund = account.refund(None, json!({ "payment_id": PAYMENT })).await;
    assert_eq!((refund.status, refund.body["amount"].as_u64()), (201, Some(3_100)), "{:?}", refund.body);
    account.refund_in(refund.text("id"), "succeeded").await;
}

#[tokio::test]
async fn g7_what_each_actor_can_give_back_is_shown_and_deducted_at_the_request() {
    let account = with_payment().await;
    assert_eq!(refundable(&account).await, [100, 2_500, 500]);
    // Many at once: each answer is followed by a read in which its own deduction is there already.
    let one = |number: u64| {
        let account = account.clone();
        async move {
            let refund = account.refund(None, from_each([number, 10, 0])).await;
            assert_eq!(refund.status, 201, "{:?}", refund.body);
            refundable(&account).await
        }
    };
    for [platform, seller, supplier] in join_all((1..=5).map(one)).await {
        assert!(platform < 100 && seller <= 2_490 && supplier == 500);
    }
    assert_eq!(refundable(&account).await, [85, 2_450, 500]);
}

#[tokio::test]
async fn g8_the_worked_example_100_2500_500_minus_1000_500_is_100_1500_0() {
    let account = with_payment().await;
    let receiver = Receiver::start().await;
    assert_eq!(refundable(&account).await, [100, 2_500, 500]);
    let printed = quote(&account, &partial()).await;
    assert_eq!((printed.status, printed.body["amount"].as_u64()), (200, Some(1_500)), "{:?}", printed.body);

    let refund = account.refund(None, told_to(partial(), &receiver)).await;
    assert_eq!((refund.status, refund.text("status")), (201, "initiated"), "{:?}", refund.body);
    assert_eq!(refund.text("amount_decimal"), "15.00");
    assert_eq!(refundable(&account).await, [100, 1_500, 0]);
    account.refund_in(refund.text("id"), "succeeded").await;
    assert_eq!(refundable(&account).await, [100, 1_500, 0]);
}

#[tokio::test]
async fn g9_the_url_given_with_the_refund_is_told() {
    let account = with_payment().await;
    let (mut receiver, mut other) = (Receiver::start().await, Receiver::start().await);
    let refund = account.refund(None, told_to(partial(), &receiver)).await;
    let another = account.refund(None, told_to(full(), &other)).await;
    for (refund, receiver) in [(&refund, &mut receiver), (&another, &mut other)] {
        for webhook in receiver.take(2).await {
            webhook.assert_signed_by(&account.webhook_secret);
            assert_eq!(webhook.body["data"]["id"], refund.body["id"]);
            assert_eq!(webhook.body["data"]["reference"], "REFUND-123456");
        }
    }
}
