//! What an import does not ask of Stripe, and how it is asked for it afterwards.

use recoup_domain::seal::Sealed;
use recoup_domain::verification::{Awaited, Difference, Term, Verification};
use recoup_domain::waiting::Wait;
use recoup_ports::charges::ChargeRead;
use recoup_ports::limits::SLOT;
use recoup_ports::payments::{KeepVerifications, Register};
use recoup_testing::{Fault, fixtures};
use serde_json::{Value, json};

use crate::charges::charge;
use crate::importing::{adopting, import_of, outcomes, plain, said};
use crate::{PAYMENT, World, recorded, saying};

#[tokio::test]
async fn what_stripe_has_to_say_is_awaited_and_not_asked_in_the_call() {
    let world = World::new();
    world.context.charges.tell(charge(&["ch_1"], 777, 0));
    let lines = [adopting("a", "pi_1"), said("b", "ch_2"), plain("c")];
    assert_eq!(outcomes(&world.put(&import_of(&lines)).await), [("created", "-"); 3]);
    assert_eq!(world.context.charges.take_asked(), 0);
    for (id, at) in [("a", fixtures::now()), ("b", fixtures::now().plus(SLOT))] {
        let payment = world.imported(id).await.unwrap();
        let awaited = Awaited { turn: 0, wait: Wait { at, rests: false, woken_at: None } };
        assert_eq!(payment.verification, Some(Verification::Awaited(awaited)), "{id}");
        assert_eq!(payment.claims.len(), 1, "the charge is taken at once");
        assert_eq!(payment.seal_under(&fixtures::seal_key()), Sealed::Intact);
        let wanted = fixtures::wanted(&payment, Some(100));
        let refused =
            recoup_domain::decide::decide(&payment, &wanted, fixtures::identity("key")).unwrap_err();
        let problem = recoup_http::problem::Problem::from(refused);
        assert_eq!(problem.code(), recoup_http::problem::Code::PaymentNotVerified);
    }
    assert_eq!(world.imported("c").await.unwrap().verification, None);
    // A PUT asks at once, and shows what it heard.
    let put = |id, reference| {
        let mut body = adopting(id, reference);
        body.as_object_mut().unwrap().remove("id");
        recorded().json(&body).of_payment(id)
    };
    world.context.charges.tell(ChargeRead::Unclear);
    let pending = world.put(&put("a", "pi_1")).await;
    let shown = (&pending.body["processor_verification"]["status"], &pending.body["amount"]);
    assert_eq!((shown, &pending.body["currency"]), ((&json!("pending"), &json!(0)), &json!("XXX")));
    world.context.charges.tell(charge(&["ch_1", "pi_1"], 777, 0));
    let verified = world.put(&put("a", "pi_1")).await;
    let shown = (&verified.body["processor_verification"]["status"], &verified.body["amount"]);
    assert_eq!((shown, &verified.body["currency"]), ((&json!("verified"), &json!(777)), &json!("EUR")));
    let payment = world.imported("a").await.unwrap();
    assert_eq!(payment.seal_under(&fixtures::seal_key()), Sealed::Intact);
    let items = world.table.items().await;
    let item = items.iter().find(|item| item["pk"].as_s().unwrap().ends_with("payment#a")).unwrap();
    for gone in ["due_pk", "due_sk", "ask_at", "rests"] {
        assert!(!item.contains_key(gone), "it is in no index of waits: {gone}");
    }
    assert_eq!(outcomes(&world.put(&import_of(&lines[..1])).await), [("unchanged", "-")]);
}

#[tokio::test]
async fn questions_are_spread_over_calls_and_over_time() {
    let world = World::new();
    let lines = |call: usize| (0..150).map(move |n| said(&format!("{call}-{n}"), &format!("pi_{call}_{n}")));
    for call in 0..3 {
        let lines: Vec<Value> = lines(call).collect();
        assert_eq!(world.put(&import_of(&lines)).await.body["created"], 150);
    }
    let mut due = Vec::new();
    for item in world.table.items().await {
        due.extend(item.get("ask_at").map(|at| at.as_s().unwrap().clone()));
    }
    due.sort();
    let slots = (0..450).map(|slot| fixtures::now().plus(SLOT * slot).rfc3339()).collect::<Vec<_>>();
    assert_eq!(due, slots);
    // A repeat takes none of them.
    let again: Vec<Value> = lines(0).chain([said("new", "pi_new")]).collect();
    assert_eq!(world.put(&import_of(&again)).await.body["unchanged"], 150);
    let new = world.imported("new").await.unwrap();
    assert!(
        matches!(new.verification, Some(Verification::Awaited(it)) if it.wait.at == fixtures::now().plus(SLOT * 450))
    );
}

#[tokio::test(start_paused = true)]
async fn without_slots_the_questions_are_not_spread_and_nothing_is_refused() {
    let world = World::new();
    world.table.fail("UpdateItem", 3, Fault::LoseRequest);
    let reply = world.put(&import_of(&[said("a", "pi_1"), said("b", "pi_2")])).await;
    assert_eq!(outcomes(&reply), [("created", "-"); 2]);
    assert!(world.imported("a").await.unwrap().verification.is_some());
}

#[tokio::test]
async fn what_stripe_contradicted_is_put_again_rightly_and_only_then_refunded() {
    let world = World::new();
    assert_eq!(outcomes(&world.put(&import_of(&[said(PAYMENT, "pi_1")])).await), [("created", "-")]);
    let awaited = world.payment().await;
    let differs = Difference::new(Term::Amount, "50.00", Some("40.00"));
    let failed = Verification::Failed(fixtures::now(), differs);
    let failed = recoup_domain::payment::Payment { verification: Some(failed), ..awaited.clone() };
    world.context.store.keep_verification(&failed, &awaited).await.unwrap();
    // The same again changes nothing, and is not asked again.
    assert_eq!(outcomes(&world.put(&import_of(&[said(PAYMENT, "pi_1")])).await), [("unchanged", "-")]);
    assert_eq!(world.payment().await, failed);
    // By an import it is awaited again; by a PUT it is asked for at once. In another currency, even.
    let mut right = said(PAYMENT, "pi_1");
    right["amount"] = json!("40.00");
    right["currency"] = json!("USD");
    assert_eq!(outcomes(&world.put(&import_of(&[right.clone()])).await), [("updated", "-")]);
    let again = world.payment().await;
    assert!(matches!(again.verification, Some(Verification::Awaited(_))), "{:?}", again.verification);
    assert_eq!((again.amount.minor(), again.amount.currency().code()), (4000, "USD"));
    assert_eq!(again.seal_under(&fixtures::seal_key()), Sealed::Intact);
    right.as_object_mut().unwrap().remove("id");
    right["currency"] = json!("EUR");
    world.context.charges.tell(charge(&["ch_1", "pi_1"], 4000, 0));
    let put = world.put(&recorded().json(&right)).await;
    assert_eq!(put.body["processor_verification"]["status"], "verified", "{}", put.text);
    // Now they are Stripe's, and fixed.
    right["amount"] = json!("50.00");
    assert_eq!(world.put(&recorded().json(&right)).await.problem(), (409, "payment_conflict"));
}

#[tokio::test]
async fn what_was_verified_meanwhile_is_not_corrected_and_stays_verified() {
    let world = World::new();
    assert_eq!(outcomes(&world.put(&import_of(&[said(PAYMENT, "pi_1")])).await), [("created", "-")]);
    let awaited = world.payment().await;
    let corrected = awaited.corrected_to(
        recoup_domain::payment::Terms { amount: fixtures::eur(1), ..awaited.terms() },
        awaited.facts.clone(),
        fixtures::later(1),
    );
    let verified = Verification::Verified(fixtures::now());
    let verified = recoup_domain::payment::Payment { verification: Some(verified), ..awaited.clone() };
    world.context.store.keep_verification(&verified, &awaited).await.unwrap();
    world.context.store.correct(&corrected.unwrap()).await.unwrap();
    let payment = world.payment().await;
    assert!(
        !matches!(payment.verification, Some(Verification::Verified(_))),
        "what was said was said of other terms: {:?}",
        payment.verification
    );
}

#[tokio::test]
async fn a_payment_that_is_captured_later_is_asked_about_then() {
    let world = World::new();
    let mut line = said(PAYMENT, "pi_1");
    line["status"] = json!("processing");
    assert_eq!(outcomes(&world.put(&import_of(&[line.clone()])).await), [("created", "-")]);
    assert_eq!(world.payment().await.verification, Some(Verification::Pending));
    line["status"] = json!("completed");
    assert_eq!(outcomes(&world.put(&import_of(&[line.clone()])).await), [("updated", "-")]);
    assert!(matches!(world.payment().await.verification, Some(Verification::Awaited(_))));
    // What was promised to be refundable stays so: newer facts alone take nothing back.
    let pending = World::saying(&json!({"processor": {"name": "stripe", "reference": "pi_1"}})).await;
    let disputed = json!({"id": PAYMENT, "amount": 5000, "currency": "EUR", "disputed": true});
    assert_eq!(outcomes(&pending.put(&import_of(&[disputed])).await), [("updated", "-")]);
    assert_eq!(pending.payment().await.verification, Some(Verification::Pending));
    // What a PUT registers is asked about in the call, as before.
    assert_eq!(pending.context.charges.take_asked(), 1);
    assert_eq!(saying(&json!({})).request().method(), "PUT");
}
