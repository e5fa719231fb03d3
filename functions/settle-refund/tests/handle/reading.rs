//! What is read, what is not for us, and what no repeat would make any clearer.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use recoup_domain::ids::Tenant;
use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::{Flag, Pending, Refund, State};
use recoup_domain::time::Timestamp;
use recoup_ports::processor_keys::{Access, KeysError, ProcessorKeys};
use recoup_testing::{TestTable, fixtures};
use serde_json::{Value, json};
use settle_refund::{BODY_BYTES_MAX, Context, handle};

use crate::doubles::{Books, adapter_secret, stripe_secret};
use crate::gateway::{Event, Reply};
use crate::signed::{Word, event, news, notice, noticed_with, to, told_with};
use crate::{RECORDED, World, now};

const BOTH: [ProcessorName; 2] = [ProcessorName::Stripe, ProcessorName::Http];

#[tokio::test]
async fn a_processors_word_settles_its_refund_in_two_calls() {
    for name in BOTH {
        for (word, state, left, write, units) in [
            (Word::Succeeded, "succeeded", 1_600, "UpdateItem", 1.0),
            (Word::Failed, "failed", 3_100, "TransactWriteItems", 4.0),
            (Word::Pending, "processing", 1_600, "UpdateItem", 1.0),
        ] {
            let (world, refund) = World::with_refund(name).await;
            let reply = world.tell(&news(&refund, word)).await;
            let expected = json!({
                "object": "notification", "outcome": "applied", "refund_id": refund.id.as_str(), "status": state,
            });
            assert_eq!((reply.status, &reply.body), (200, &expected), "{name:?} {word:?}");
            let calls = world.table.take_calls();
            assert_eq!(calls.operations(), ["GetItem", write], "{calls}");
            assert!(calls.read_units() <= 1.0 && calls.write_units() <= units, "{calls}");
            assert!(calls.index_units() <= 0.0, "{calls}");
            let stored = world.refund(&refund).await;
            assert_eq!(
                (stored.version.state.as_str(), stored.version.sequence),
                (state, 2),
                "{name:?} {word:?}"
            );
            assert_eq!(stored.version.updated_at, now());
            assert_eq!(world.left().await, left);
            assert_eq!((world.context.processor.asked(), world.context.keys.reads()), (0, 1));
            world.check_books().await;
        }
    }
}

#[tokio::test]
async fn what_the_processor_says_of_a_refund_is_kept() {
    let (world, refund) = World::with_refund(ProcessorName::Stripe).await;
    world.tell(&news(&refund, Word::Pending)).await;
    assert_eq!(world.refund(&refund).await.version.state, State::Processing(Pending::Processor));
    world.tell(&news(&refund, Word::Succeeded)).await;
    let reference = world.refund(&refund).await.version.processor_reference.unwrap();
    assert_eq!(reference.as_str(), "re_1Nispe2eZvKYlo2Cd31jOCgZ");

    let (world, refund) = World::with_refund(ProcessorName::Http).await;
    world.tell(&news(&refund, Word::Failed)).await;
    let State::Failed(failure) = world.refund(&refund).await.version.state else { panic!("it did not fail") };
    assert_eq!((failure.code.as_str(), failure.message.as_str()), ("declined", "The bank refused."));
}

#[tokio::test]
async fn live_money_is_told_of_like_any_other() {
    let mut live = crate::payment(ProcessorName::Stripe);
    live.tenant = crate::doubles::customers()[1].clone();
    let world = World::with(live).await;
    let refund = world.reserve("key", &fixtures::wanted(&world.payment, None)).await;
    let reply = world.tell(&news(&refund, Word::Succeeded)).await;
    assert_eq!((reply.status, &reply.body["outcome"]), (200, &json!("applied")), "{}", reply.text);
    assert_eq!(world.refund(&refund).await.version.state, State::Succeeded);
}

/// One account's keys, as they were when the event was recorded.
struct Recorded;

impl ProcessorKeys for Recorded {
    async fn access<A: Access>(&self, tenant: &Tenant) -> Result<Option<A>, KeysError> {
        assert_eq!(A::PROCESSOR, ProcessorName::Stripe, "the event is Stripe's");
        assert_eq!(tenant.account.as_str(), "acct_01j9x4mzt5r8v3kq7w2bnd6hcg");
        let secret = json!({ "key": "sk_test_not_a_real_key", "signing_secrets": ["whsec_recorded"] });
        Ok(Some(A::parse(&secret.to_string()).unwrap()))
    }
}

#[tokio::test]
async fn the_recorded_event_is_genuine_and_its_refund_is_not_here() {
    let table = TestTable::new();
    let now = || Timestamp::from_unix_millis(1_795_345_200_000).unwrap();
    let context = Context { store: table.store(), keys: Recorded, processor: Books::silent(), now };
    let event = Event::as_recorded(RECORDED);
    let reply = Reply::read(&event, handle(&context, event.request()).await);
    assert_eq!(reply.problem(), (404, "refund_not_found"));
}

#[tokio::test]
async fn a_refund_that_is_not_here_is_not_found_once_the_sender_is_known() {
    let (world, mut refund) = World::with_refund(ProcessorName::Http).await;
    refund.id = fixtures::refund_id("another");
    assert_eq!(world.tell(&news(&refund, Word::Succeeded)).await.problem(), (404, "refund_not_found"));
}

#[tokio::test]
async fn notifications_are_taken_from_two_processors_only() {
    let (world, refund) = World::with_refund(ProcessorName::Http).await;
    let genuine = news(&refund, Word::Succeeded);
    for name in ["sandbox", "paypal", "Stripe", "stripe ", "", "%2e"] {
        let reply = world.tell(&genuine.clone().with("/pathParameters/name", name)).await;
        assert_eq!(reply.problem(), (404, "processor_not_found"), "{name}");
    }
    assert_eq!((world.context.keys.reads(), world.table.take_calls().count()), (0, 0));
}

fn signed_by_stripe(body: &str) -> Event {
    told_with(body, &stripe_secret(&fixtures::tenant()), now())
}

fn signed_by_adapter(body: &str) -> Event {
    noticed_with(body, &adapter_secret(&fixtures::tenant()), now())
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_the_reason_before_keys_are_read() {
    let (world, refund) = World::with_refund(ProcessorName::Stripe).await;
    let changed = |of: fn(&Refund, Word) -> Value, change: fn(&mut Value)| {
        let mut body = of(&refund, Word::Succeeded);
        change(&mut body);
        body.to_string()
    };
    let cases = [
        (signed_by_stripe(""), "it is no event of Stripe's"),
        (signed_by_stripe("[]"), "it is no event of Stripe's"),
        (
            signed_by_stripe(&changed(event, |event| event["data"]["object"]["object"] = json!("charge"))),
            "its object is no refund of Stripe's",
        ),
        (
            signed_by_stripe(&changed(event, |event| event["livemode"] = json!(true))),
            "test mode and sandbox, or live mode and live, do not agree",
        ),
        (
            signed_by_stripe(&changed(event, |event| {
                event["data"]["object"]["metadata"]["recoup_account_id"] = json!("acct_1");
            })),
            "it names no refund as we do",
        ),
        (signed_by_adapter("{}"), "it is no notice as documented"),
        (
            signed_by_adapter(&changed(notice, |notice| notice["amount"] = json!(1))),
            "it is no notice as documented",
        ),
        (
            signed_by_adapter(&changed(notice, |notice| notice["refund_id"] = json!("re_1"))),
            "it names no refund as we do",
        ),
        (
            signed_by_adapter(&changed(notice, |notice| notice["reference"] = json!(null))),
            "its status, reference and failure do not agree",
        ),
        // 0xff, in base64 as the gateway hands over what is no text.
        (signed_by_adapter("/w==").with("/isBase64Encoded", true), "it is not UTF-8"),
    ];
    for (event, why) in cases {
        let reply = world.tell(&event).await;
        assert_eq!(reply.problem(), (400, "invalid_notification"), "{why}");
        assert_eq!(reply.body["detail"], format!("The notification cannot be read: {why}."));
    }
    assert_eq!((world.context.keys.reads(), world.table.take_calls().count()), (0, 0));
}

#[tokio::test]
async fn a_body_of_256_kib_is_read_and_a_longer_one_is_not() {
    let (world, refund) = World::with_refund(ProcessorName::Stripe).await;
    let mut long = event(&refund, Word::Succeeded);
    long["padding"] = json!("");
    let room = BODY_BYTES_MAX - long.to_string().len();
    for (length, status) in [(room + 1, 413), (room, 200)] {
        long["padding"] = json!("x".repeat(length));
        let reply = world.tell(&signed_by_stripe(&long.to_string())).await;
        assert_eq!(reply.status, status);
        if status == 413 {
            assert_eq!(reply.problem(), (413, "body_too_large"));
        }
    }
}

#[tokio::test]
async fn a_body_in_base64_is_the_same_body() {
    let (world, refund) = World::with_refund(ProcessorName::Http).await;
    let body = notice(&refund, Word::Pending).to_string();
    let event = signed_by_adapter(&body);
    let encoded = STANDARD.encode(&body);
    let reply = world.tell(&event.with("/body", encoded).with("/isBase64Encoded", true)).await;
    assert_eq!((reply.status, &reply.body["outcome"]), (200, &json!("applied")), "{}", reply.text);
}

#[tokio::test]
async fn what_is_not_for_us_is_acknowledged_and_nothing_else() {
    let (world, refund) = World::with_refund(ProcessorName::Stripe).await;
    let before = world.everything().await;
    let mut charge = event(&refund, Word::Succeeded);
    charge["type"] = json!("charge.refunded");
    let mut foreign = event(&refund, Word::Succeeded);
    foreign["data"]["object"]["metadata"] = json!({ "order": "1" });
    for body in [charge, foreign] {
        // Whose it is nobody knows, so neither does anybody know whose signature it has to bear.
        let reply = world.tell(&to("stripe").text(&body.to_string()).header("stripe-signature", "t=1")).await;
        assert_eq!(
            (reply.status, reply.body),
            (200, json!({ "object": "notification", "outcome": "ignored" }))
        );
    }
    assert_eq!((world.context.keys.reads(), world.table.take_calls().count()), (0, 0));
    assert_eq!(world.everything().await, before);
}

#[tokio::test]
async fn what_no_repeat_makes_clearer_changes_nothing() {
    let (world, refund) = World::with_refund(ProcessorName::Stripe).await;
    let before = world.everything().await;
    let changed = |pointer: &str, value: Value| {
        let mut event = event(&refund, Word::Succeeded);
        *event.pointer_mut(pointer).unwrap() = value;
        signed_by_stripe(&event.to_string())
    };
    for (case, event) in [
        ("a currency of which nobody knows how it counts", changed("/data/object/currency", json!("zzz"))),
        ("a status of the future", changed("/data/object/status", json!("settling"))),
        // The account's own adapter, about a refund that is Stripe's.
        ("another processor", signed_by_adapter(&notice(&refund, Word::Succeeded).to_string())),
    ] {
        let reply = world.tell(&event).await;
        let ignored = json!({ "object": "notification", "outcome": "ignored" });
        assert_eq!((reply.status, &reply.body), (200, &ignored), "{case}");
        assert_eq!(world.everything().await, before, "{case}");
    }
    assert_eq!(world.context.processor.asked(), 0);

    let sandbox = World::with(crate::payment(ProcessorName::Sandbox)).await;
    let refund = sandbox.reserve("key", &fixtures::getpaid_wanted()).await;
    let reply = sandbox.tell(&signed_by_adapter(&notice(&refund, Word::Failed).to_string())).await;
    assert_eq!((reply.status, &reply.body["outcome"]), (200, &json!("ignored")));
    assert_eq!(sandbox.left().await, 1_600);
}

#[tokio::test]
async fn another_amount_than_was_asked_for_is_named_and_the_refund_stays_held() {
    let (world, refund) = World::with_refund(ProcessorName::Stripe).await;
    let mut told = event(&refund, Word::Succeeded);
    told["data"]["object"]["amount"] = json!(1_400);
    for outcome in ["applied", "unchanged"] {
        let reply = world.tell(&signed_by_stripe(&told.to_string())).await;
        assert_eq!((reply.status, &reply.body["outcome"]), (200, &json!(outcome)));
        let stands = world.refund(&refund).await;
        assert_eq!(stands.version.state, State::Processing(Pending::OutcomeUnknown));
        assert_eq!(
            (stands.flag, stands.processor_amount),
            (Some(Flag::AmountDiffers), Some(fixtures::eur(1_400)))
        );
        assert!(stands.version.processor_reference.is_some());
        assert_eq!((stands.version.sequence, world.left().await), (2, 1_600));
    }
    world.check_books().await;
    // The right one, after all.
    let reply = world.tell(&signed_by_stripe(&event(&refund, Word::Succeeded).to_string())).await;
    assert_eq!(reply.body["status"], "succeeded");
    assert_eq!(world.refund(&refund).await.flag, None);
}
