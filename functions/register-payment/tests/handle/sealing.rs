//! What is registered is sealed, and nothing that was bent gets a good seal.

use std::sync::atomic::Ordering;

use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::seal::Sealed;
use recoup_testing::fixtures::seal_key;
use serde_json::json;

use crate::{World, recorded, saying};

impl World {
    async fn sealed(&self) -> Sealed {
        self.payment().await.seal_under(&seal_key())
    }

    /// Writes past the conditions.
    pub(crate) async fn edit(&self, update: &str, value: Option<AttributeValue>) {
        let item = self.table.item("payment").await;
        let request =
            self.table.plain().update_item().table_name(self.table.name()).update_expression(update);
        let request = request.key("pk", item["pk"].clone()).key("sk", item["sk"].clone());
        let values = value.map(|value| [(":it".to_owned(), value)].into());
        request.set_expression_attribute_values(values).send().await.unwrap();
    }

    fn asked(&self) -> u32 {
        self.context.seal_keys.asked.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn a_payment_is_sealed_when_it_is_registered_and_with_each_newer_fact() {
    let world = World::new();
    assert_eq!(world.put(&recorded()).await.status, 201);
    assert_eq!(world.sealed().await, Sealed::Intact);
    let first = world.payment().await.seal;
    world.table.take_calls();
    assert_eq!(world.put(&saying_of_recorded(&json!({"disputed": true}))).await.status, 200);
    assert_eq!(world.table.take_calls().operations(), ["GetItem", "UpdateItem"]);
    assert_eq!(world.sealed().await, Sealed::Intact);
    assert_ne!(world.payment().await.seal, first);
}

/// The recorded payment again, with these facts.
fn saying_of_recorded(fields: &serde_json::Value) -> crate::gateway::Event {
    let mut body = json!({"amount": 3100, "currency": "EUR"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    recorded().json(&body)
}

#[tokio::test]
async fn a_repeat_that_writes_nothing_asks_for_no_key() {
    let world = World::saying(&json!({})).await;
    assert_eq!(world.asked(), 1);
    assert_eq!(world.put(&saying(&json!({}))).await.status, 200);
    assert_eq!(world.asked(), 1);
}

#[tokio::test]
async fn while_the_secret_store_is_away_nothing_is_registered_and_no_fact_moves() {
    let world = World::new();
    world.context.seal_keys.is_away.store(true, Ordering::Relaxed);
    let refused = world.put(&saying(&json!({}))).await;
    assert_eq!(refused.problem(), (503, "unavailable"));
    assert_eq!(refused.body["retryable"], true);
    assert!(world.table.items().await.is_empty());

    world.context.seal_keys.is_away.store(false, Ordering::Relaxed);
    assert_eq!(world.put(&saying(&json!({}))).await.status, 201);
    let before = world.table.item("payment").await;
    world.context.seal_keys.is_away.store(true, Ordering::Relaxed);
    assert_eq!(world.put(&saying(&json!({"disputed": true}))).await.problem(), (503, "unavailable"));
    assert_eq!(world.table.item("payment").await, before);
}

#[tokio::test]
async fn a_bent_payment_is_not_sealed_anew_by_whoever_moves_its_facts() {
    let world = World::saying(&json!({})).await;
    world.edit("SET processor_payment = :it", Some(AttributeValue::S("sandbox_fail".into()))).await;
    let before = world.table.item("payment").await;
    let refused = world.put(&saying(&json!({"disputed": true}))).await;
    assert_eq!(refused.problem(), (500, "internal_error"));
    assert_eq!(world.table.item("payment").await, before);
}

#[tokio::test]
async fn a_payment_without_a_seal_keeps_none_until_it_is_adopted() {
    let world = World::saying(&json!({})).await;
    world.edit("REMOVE seal", None).await;
    assert_eq!(world.put(&saying(&json!({"disputed": true}))).await.status, 200);
    assert_eq!((world.sealed().await, world.asked()), (Sealed::Absent, 1));
    assert!(world.payment().await.facts.disputed);
}

#[tokio::test]
async fn facts_moved_over_a_term_that_was_bent_meanwhile_do_not_cover_it_up() {
    let world = World::saying(&json!({})).await;
    let read = world.payment().await;
    world.edit("SET processor_payment = :it", Some(AttributeValue::S("sandbox_fail".into()))).await;
    let facts = recoup_domain::payment::Facts { disputed: true, ..read.facts.clone() };
    let moved =
        read.moved_to(facts, recoup_testing::fixtures::later(1)).unwrap().unwrap().sealed(&seal_key());
    recoup_ports::payments::Register::move_facts(&world.table.store(), &moved).await.unwrap();
    assert_eq!(world.sealed().await, Sealed::Broken);
}

#[tokio::test]
async fn who_registered_a_payment_is_kept_shown_and_sealed() {
    let world = World::saying(&json!({})).await;
    let lambda = "/requestContext/authorizer/lambda";
    let other = saying(&json!({"disputed": true})).with(&format!("{lambda}/key_name"), "back office");
    let by = json!({ "kind": "api_key", "id": "key_01j9x4n0q2s6fy8tm5vgb3wkzd", "name": "shop backend" });
    assert_eq!(world.put(&other).await.body["registered_by"], by);
    assert_eq!(world.sealed().await, Sealed::Intact);
    world.edit("REMOVE registered_by", None).await;
    assert_eq!(world.sealed().await, Sealed::Broken);
}
