//! `seal_payments`: what an earlier version registered is adopted once, and what was bent is not.

use admin::AdminError;
use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::seal::Sealed;
use recoup_ports::payments::{Payments, Register, Registered};
use recoup_testing::fixtures::{self, eur, payment_id, seal_key, tenant};
use recoup_testing::{Fault, TestTable};
use serde_json::{Value, json};

use crate::world::{Admin, admin, handle};

struct World {
    table: TestTable,
    context: Admin,
}

impl World {
    /// So many payments, as version 0.1 registered them.
    async fn with(payments: u64) -> Self {
        let table = TestTable::new();
        let context = admin(&table, fixtures::now, || 1);
        let world = Self { table, context };
        for number in 0..payments {
            let id = format!("pay_{number}");
            let registered = world.table.others().register(&fixtures::payment(&id, 500)).await;
            assert!(matches!(registered, Ok(Registered::New)));
            world.edit(&id, "REMOVE list_pk, list_sk", None).await;
        }
        world
    }

    async fn edit(&self, id: &str, update: &str, value: Option<AttributeValue>) {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let pk = format!("sandbox#{}#payment#{id}", tenant().account);
        let request =
            self.table.plain().update_item().table_name(self.table.name()).update_expression(update);
        let request = request.key("pk", text(&pk)).key("sk", text("payment"));
        let values = value.map(|value| [(":it".to_owned(), value)].into());
        request.set_expression_attribute_values(values).send().await.unwrap();
    }

    async fn sealed(&self, id: &str) -> Sealed {
        let payment = self.table.others().payment(&tenant(), &payment_id(id)).await.unwrap().unwrap();
        payment.seal_under(&seal_key())
    }

    async fn seals(&self, command: Value) -> Result<Value, AdminError> {
        handle(&self.context, command).await
    }
}

fn command() -> Value {
    json!({ "command": "seal_payments", "operator": "jo" })
}

#[tokio::test]
async fn payments_of_an_earlier_version_are_sealed_and_listed_once() {
    let world = World::with(3).await;
    let whole = |sealed: u32| json!({ "sealed": sealed, "changed": 0, "astray": [], "more_astray": 0, "cursor": null });
    assert_eq!(world.seals(command()).await.unwrap(), whole(3));
    for id in ["pay_0", "pay_1", "pay_2"] {
        assert_eq!(world.sealed(id).await, Sealed::Intact);
    }
    let listed = world.table.items().await.into_iter().filter(|item| item.contains_key("list_sk")).count();
    assert_eq!(listed, 3);
    assert_eq!(world.seals(command()).await.unwrap(), whole(0));
}

#[tokio::test]
async fn payments_of_one_charge_are_sealed_and_all_but_one_named() {
    let world = World::with(2).await;
    for id in ["pay_0", "pay_1"] {
        let text = |text: &str| Some(AttributeValue::S(text.to_owned()));
        world.edit(id, "SET processor = :it", text("http")).await;
        world.edit(id, "SET processor_payment = :it", text("ORD-1")).await;
    }
    for sealed in [1, 0] {
        let answer = world.seals(command()).await.unwrap();
        assert_eq!(answer["sealed"], sealed, "{answer}");
        let [named] = answer["astray"].as_array().unwrap().as_slice() else { panic!("{answer}") };
        let why = named["why"].as_str().unwrap();
        assert!(why.starts_with("it is the same charge as the payment pay_"), "{why}");
    }
    assert_eq!((world.sealed("pay_0").await, world.sealed("pay_1").await), (Sealed::Intact, Sealed::Intact));
}

#[tokio::test]
async fn whoever_seals_says_who_he_is_and_goes_on_only_where_an_answer_ended() {
    let world = World::with(1).await;
    let long = "x".repeat(65);
    for operator in ["", " ", "j\no", &long] {
        let refused = world.seals(json!({ "command": "seal_payments", "operator": operator })).await;
        assert!(matches!(refused, Err(AdminError::Operator)), "{operator:?}");
    }
    let nowhere = json!({ "command": "seal_payments", "operator": "jo", "cursor": "anywhere" });
    assert!(matches!(world.seals(nowhere).await, Err(AdminError::Cursor)));
    assert_eq!(world.sealed("pay_0").await, Sealed::Absent);
}

#[tokio::test]
async fn a_large_table_is_sealed_in_several_commands() {
    let world = World::with(1_200).await;
    let first = world.seals(command()).await.unwrap();
    assert!(first["cursor"].is_string(), "{first}");
    let mut next = command();
    next["cursor"] = first["cursor"].clone();
    let second = world.seals(next).await.unwrap();
    assert_eq!(second["cursor"], Value::Null);
    assert_eq!(first["sealed"].as_u64().unwrap() + second["sealed"].as_u64().unwrap(), 1_200);
}

#[tokio::test]
async fn what_contradicts_itself_or_has_a_broken_seal_is_named_and_left() {
    let world = World::with(3).await;
    let number = |value: u64| AttributeValue::N(value.to_string());
    world.edit("pay_0", "SET refundable = :it", Some(number(900))).await;
    let other = fixtures::payment("pay_9", 1).sealed(&seal_key()).seal.unwrap();
    world.edit("pay_1", "SET seal = :it", Some(AttributeValue::B(other.0.to_vec().into()))).await;
    let answer = world.seals(command()).await.unwrap();
    assert_eq!(answer["sealed"], 1);
    let mut why: Vec<_> =
        answer["astray"].as_array().unwrap().iter().map(|one| (&one["payment_id"], &one["why"])).collect();
    why.sort_by_key(|(id, _)| id.to_string());
    assert_eq!(
        why,
        [
            (&json!("pay_0"), &json!("more is refundable or charged back than was paid")),
            (&json!("pay_1"), &json!("its seal is broken"))
        ]
    );
    assert_eq!((world.sealed("pay_0").await, world.sealed("pay_1").await), (Sealed::Absent, Sealed::Broken));
    let stored = world.table.others().payment(&tenant(), &payment_id("pay_0")).await.unwrap().unwrap();
    assert_eq!(stored.refundable, eur(900));
}

#[tokio::test(start_paused = true)]
async fn while_the_key_or_the_table_is_away_the_command_says_so() {
    let world = World::with(1).await;
    world.context.keyrings.go_away();
    assert!(matches!(world.seals(command()).await, Err(AdminError::SealKey(_))));
    world.context.keyrings.come_back();
    world.table.fail_always("UpdateItem", Fault::throttled());
    assert!(matches!(world.seals(command()).await, Err(AdminError::Write(_))));
    assert_eq!(world.sealed("pay_0").await, Sealed::Absent);
}

#[tokio::test]
async fn one_payment_is_sealed_as_it_stands_once_somebody_has_looked_at_it() {
    let world = World::with(1).await;
    world.seals(command()).await.unwrap();
    let text = AttributeValue::S("sandbox_fail".to_owned());
    world.edit("pay_0", "SET processor_payment = :it", Some(text)).await;
    assert_eq!(world.sealed("pay_0").await, Sealed::Broken);
    let account = tenant().account.to_string();
    let of = |payment: &str, operator: &str| {
        json!({
            "command": "seal_payment", "account_id": account, "environment": "sandbox", "payment_id": payment,
            "operator": operator,
        })
    };
    assert!(matches!(world.seals(of("pay_0", "")).await, Err(AdminError::Operator)));
    assert!(matches!(world.seals(of("pay_1", "jo")).await, Err(AdminError::NoSuchPayment)));
    assert_eq!(world.sealed("pay_0").await, Sealed::Broken);
    let answer = world.seals(of("pay_0", "jo")).await.unwrap();
    assert_eq!(answer, json!({ "payment_id": "pay_0", "sealed": true, "same_charge_as": null }));
    assert_eq!(world.sealed("pay_0").await, Sealed::Intact);

    world.edit("pay_0", "SET refundable = :it", Some(AttributeValue::N("900".to_owned()))).await;
    assert!(matches!(world.seals(of("pay_0", "jo")).await, Err(AdminError::Contradiction(_))));
}
