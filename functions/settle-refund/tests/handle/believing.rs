//! Who is believed: whoever has the account's own secret for this environment, and signs now.

use std::sync::atomic::Ordering;

use recoup_domain::ids::{Environment, Tenant};
use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::{Refund, State};
use recoup_domain::signing::{Retired, Secrets};
use recoup_domain::time::Timestamp;
use recoup_processors::stripe::StripeSigningSecret;
use recoup_testing::fixtures;
use serde_json::json;

use crate::doubles::{adapter_secret, customers, stripe_secret};
use crate::gateway::Event;
use crate::signed::{Word, event, news, notice, noticed, noticed_with, told, told_with};
use crate::{World, now};

/// What every forger reads, whatever was guessed.
const NOBODY: &str =
    "The notification is not signed with a secret that is valid here for its account and environment.";

fn of(refund: &Refund, tenant: &Tenant) -> Refund {
    Refund { tenant: tenant.clone(), ..refund.clone() }
}

/// Each forgery, of the notification that a refund has succeeded.
fn forgeries(refund: &Refund) -> Vec<(&'static str, Event)> {
    let [_, live, other] = customers();
    let stranger = fixtures::tenant_of(Environment::Sandbox, 999);
    let (told_body, notice_body) =
        (event(refund, Word::Succeeded).to_string(), notice(refund, Word::Succeeded).to_string());
    let invented = StripeSigningSecret::parse("whsec_forged_1234").unwrap();
    let guessed = Secrets::first(fixtures::secret(66));
    let bare = |event: Event, header: &str| event.without(&format!("/headers/{header}"));
    let mut cases = vec![
        ("Stripe's, with a forger's secret", told_with(&told_body, &invented, now())),
        ("with the live secret of the account", told_with(&told_body, &stripe_secret(&live), now())),
        ("with another account's secret", told_with(&told_body, &stripe_secret(&other), now())),
        ("of another body", told(refund, Word::Failed).text(&told_body)),
        ("of no known form", told(refund, Word::Succeeded).header("stripe-signature", "genuine")),
        ("empty", told(refund, Word::Succeeded).header("stripe-signature", "")),
        ("none", bare(told(refund, Word::Succeeded), "stripe-signature")),
        ("of nobody's account", told(&of(refund, &stranger), Word::Succeeded)),
        ("the adapter's, with a forger's secret", noticed_with(&notice_body, &guessed, now())),
        ("with the live secret", noticed_with(&notice_body, &adapter_secret(&live), now())),
        ("with another's", noticed_with(&notice_body, &adapter_secret(&other), now())),
        ("of another notice", noticed(refund, Word::Failed).text(&notice_body)),
        ("under another id", noticed(refund, Word::Succeeded).header("webhook-id", "msg_2")),
        ("at no time", noticed(refund, Word::Succeeded).header("webhook-timestamp", "now")),
        ("nobody's", noticed(&of(refund, &stranger), Word::Succeeded)),
    ];
    for header in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        cases.push((header, bare(noticed(refund, Word::Succeeded), header)));
    }
    cases
}

#[tokio::test]
async fn a_forged_notification_changes_nothing_and_learns_nothing() {
    for name in [ProcessorName::Stripe, ProcessorName::Http] {
        let (world, refund) = World::with_refund(name).await;
        let before = world.everything().await;
        for (case, event) in forgeries(&refund) {
            let reply = world.tell(&event).await;
            assert_eq!(reply.problem(), (403, "invalid_signature"), "{case}");
            // Whether the account, the refund or the secret exists: the answer is the same.
            assert_eq!(reply.body["detail"], NOBODY, "{case}");
        }
        assert_eq!(world.table.take_calls().count(), 0, "strangers reach no table");
        assert_eq!(world.everything().await, before);
    }
}

#[tokio::test]
async fn who_does_not_even_try_to_sign_costs_no_read_of_a_secret() {
    let (world, refund) = World::with_refund(ProcessorName::Http).await;
    for header in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        world.tell(&noticed(&refund, Word::Succeeded).without(&format!("/headers/{header}"))).await;
    }
    world.tell(&told(&refund, Word::Succeeded).without("/headers/stripe-signature")).await;
    assert_eq!(world.context.keys.reads(), 0);
}

#[tokio::test]
async fn a_signature_is_good_for_five_minutes_either_way() {
    for name in [ProcessorName::Stripe, ProcessorName::Http] {
        // Notifications arrive at 60 s: what is stale was signed five minutes and a second before or after.
        let at = |seconds: u64| fixtures::later(seconds * 1_000);
        let before = Timestamp::from_unix_millis(now().unix_millis() - 301_000).unwrap();
        let oldest = Timestamp::from_unix_millis(now().unix_millis() - 300_000).unwrap();
        for (signed_at, good) in [(before, false), (oldest, true), (at(360), true), (at(361), false)] {
            let (world, refund) = World::with_refund(name).await;
            let event = if name == ProcessorName::Stripe {
                let body = event(&refund, Word::Succeeded).to_string();
                told_with(&body, &stripe_secret(&refund.tenant), signed_at)
            } else {
                let body = notice(&refund, Word::Succeeded).to_string();
                noticed_with(&body, &adapter_secret(&refund.tenant), signed_at)
            };
            let reply = world.tell(&event).await;
            if good {
                assert_eq!((reply.status, &reply.body["outcome"]), (200, &json!("applied")));
                continue;
            }
            assert_eq!(reply.problem(), (403, "invalid_signature"));
            let detail =
                "The signature is more than 300 seconds off: it is too old, or the sender's clock is wrong.";
            assert_eq!(reply.body["detail"], detail, "only who has the secret reads this");
            assert_eq!(world.refund(&refund).await.version.state, State::Initiated);
        }
    }
}

#[tokio::test]
async fn while_a_secret_is_replaced_either_is_good() {
    let (world, refund) = World::with_refund(ProcessorName::Stripe).await;
    let earlier = StripeSigningSecret::parse("whsec_that_was_replaced").unwrap();
    let reply = world.tell(&told_with(&event(&refund, Word::Pending).to_string(), &earlier, now())).await;
    assert_eq!(reply.status, 200, "{}", reply.text);

    // An adapter that already signs with the next secret, too.
    let (world, refund) = World::with_refund(ProcessorName::Http).await;
    let current = adapter_secret(&refund.tenant).current;
    let retired = vec![Retired { secret: current, until: fixtures::later(100_000) }];
    let both = Secrets { current: fixtures::secret(9), retired };
    let reply = world.tell(&noticed_with(&notice(&refund, Word::Pending).to_string(), &both, now())).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
}

#[tokio::test]
async fn keys_that_cannot_be_read_make_the_processor_repeat() {
    for name in [ProcessorName::Stripe, ProcessorName::Http] {
        let (world, refund) = World::with_refund(name).await;
        world.context.keys.broken.store(true, Ordering::Relaxed);
        let reply = world.tell(&news(&refund, Word::Succeeded)).await;
        assert_eq!(reply.problem(), (503, "unavailable"));
        assert_eq!(reply.header("retry-after"), Some("1"));
        assert_eq!(world.table.take_calls().count(), 0);
        world.context.keys.broken.store(false, Ordering::Relaxed);
        assert_eq!(world.tell(&news(&refund, Word::Succeeded)).await.body["outcome"], "applied");
    }
}

#[tokio::test]
async fn a_notification_of_another_account_about_the_same_id_finds_nothing() {
    let (world, refund) = World::with_refund(ProcessorName::Http).await;
    let before = world.everything().await;
    for tenant in &customers()[1..] {
        let reply = world.tell(&noticed(&of(&refund, tenant), Word::Failed)).await;
        assert_eq!(reply.problem(), (404, "refund_not_found"));
    }
    assert_eq!(world.everything().await, before);
}
