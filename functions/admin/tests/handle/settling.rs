//! `settle_refund`, `ask_now` and `clear_flag`: what a person may decide about a refund, and what not.

use admin::AdminError;
use recoup_domain::refund::{Flag, Outcome, Refund, State};
use recoup_ports::payments::{Payments, Register};
use recoup_ports::refunds::{Refunds, Reserve};
use recoup_ports::settlement::{HandedOver, Settle, Settled};
use recoup_storage::Table;
use recoup_testing::TestTable;
use recoup_testing::fixtures::{self, decided, eur, payment, tenant, wanted};
use serde_json::{Value, json};

use crate::world::{Admin, admin, handle};

struct World {
    table: TestTable,
    context: Admin,
}

impl World {
    /// A payment of 50.00 with this refund of 30.00, on its way.
    async fn new() -> (Self, Refund) {
        let table = TestTable::new();
        let world = Self { context: admin(&table, || fixtures::later(60_000), || 1), table };
        world.store().register(&payment("pay_1", 5_000)).await.unwrap();
        let refund = world.reserve("key-1", 3_000).await;
        let handed_over = world.store().hand_over(&refund, fixtures::later(1)).await.unwrap();
        assert_eq!(handed_over, HandedOver::Yes);
        let refund = world.moved(&world.stored(&refund).await, Outcome::Unknown).await;
        (world, refund)
    }

    fn store(&self) -> Table {
        self.table.others()
    }

    async fn reserve(&self, key: &str, amount: u64) -> Refund {
        let payment = self.store().payment(&tenant(), &fixtures::payment_id("pay_1")).await.unwrap().unwrap();
        let made = decided(&payment, &wanted(&payment, Some(amount)), key);
        self.store().reserve(&made).await.unwrap();
        made.refund
    }

    async fn moved(&self, refund: &Refund, outcome: Outcome) -> Refund {
        let change = fixtures::moved(refund, outcome);
        assert_eq!(self.store().carry_out(&change).await.unwrap(), Settled::Applied);
        self.stored(refund).await
    }

    async fn stored(&self, refund: &Refund) -> Refund {
        self.store().refund(&refund.tenant, &refund.id).await.unwrap().unwrap()
    }

    async fn refundable(&self) -> u64 {
        let payment = self.store().payment(&tenant(), &fixtures::payment_id("pay_1")).await.unwrap();
        payment.unwrap().refundable.minor()
    }

    async fn tell(&self, command: Value) -> Result<Value, String> {
        handle(&self.context, command).await.map_err(|error: AdminError| error.to_string())
    }
}

fn named(command: &str, refund: &Refund) -> Value {
    json!({
        "command": command, "account_id": refund.tenant.account.as_str(), "environment": "sandbox",
        "refund_id": refund.id.as_str(), "operator": "jo",
    })
}

fn settled(refund: &Refund, outcome: &str) -> Value {
    let mut command = named("settle_refund", refund);
    command["outcome"] = json!(outcome);
    command["reason"] = json!("seen at the bank");
    command["reference"] = json!("SEPA-7");
    command
}

#[tokio::test]
async fn a_person_ends_a_stuck_refund_once_and_is_recorded() {
    for (outcome, left) in [("succeeded", 2_000), ("failed", 5_000)] {
        let (world, refund) = World::new().await;
        let first = world.tell(settled(&refund, outcome)).await.unwrap();
        assert_eq!((&first["status"], &first["sequence"]), (&json!(outcome), &json!(3)));
        assert_eq!(world.tell(settled(&refund, outcome)).await, Ok(first));
        let stored = world.stored(&refund).await;
        let verdict = stored.verdict.clone().unwrap();
        assert_eq!((verdict.operator.as_str(), verdict.reason.as_str()), ("jo", "seen at the bank"));
        assert_eq!(stored.version.processor_reference, Some(fixtures::text("SEPA-7")));
        assert_eq!((stored.version.sequence, stored.wait, world.refundable().await), (3, None, left));
    }
}

#[tokio::test]
async fn what_contradicts_an_end_is_refused_and_changes_nothing() {
    let (world, refund) = World::new().await;
    let done = world.moved(&refund, fixtures::succeeded()).await;
    for outcome in ["succeeded", "failed"] {
        let refused = world.tell(settled(&refund, outcome)).await.unwrap_err();
        assert!(refused.starts_with("the refund is left as it is"), "{refused}");
    }
    assert_eq!((world.stored(&refund).await, world.refundable().await), (done.clone(), 2_000));
    let failed = world.moved(&done, fixtures::failed()).await;
    assert!(world.tell(settled(&refund, "failed")).await.is_err());
    assert_eq!(world.stored(&refund).await, failed);
}

#[tokio::test]
async fn a_person_takes_back_what_a_person_said() {
    let (world, refund) = World::new().await;
    world.tell(settled(&refund, "succeeded")).await.unwrap();
    let mut bounced = settled(&refund, "failed");
    bounced["reason"] = json!("the transfer bounced");
    assert_eq!(world.tell(bounced).await.unwrap()["status"], "failed");
    assert_eq!(world.refundable().await, 5_000);
}

/// What the processor said after a person did outweighs the person: its money has moved.
#[tokio::test]
async fn a_person_takes_back_nothing_that_the_processor_said_later() {
    for before in ["failed", "succeeded"] {
        let (world, refund) = World::new().await;
        world.tell(settled(&refund, before)).await.unwrap();
        let mut stands = world.stored(&refund).await;
        if before == "succeeded" {
            stands = world.moved(&stands, fixtures::failed()).await;
        }
        let paid = world.moved(&stands, fixtures::succeeded()).await;
        let mut doubted = settled(&refund, "failed");
        doubted["reason"] = json!("the customer says so");
        let refused = world.tell(doubted).await.unwrap_err();
        assert!(refused.contains("its processor said that it succeeded"), "{refused}");
        assert_eq!((world.stored(&refund).await, world.refundable().await), (paid, 2_000));
    }
}

#[tokio::test]
async fn a_late_success_takes_the_money_again_or_is_flagged_until_it_is_cleared() {
    let (world, refund) = World::new().await;
    world.moved(&refund, fixtures::failed()).await;
    let other = world.reserve("key-2", 2_500).await;
    let refused = world.tell(settled(&refund, "succeeded")).await.unwrap_err();
    assert!(refused.contains("no longer has the money"), "{refused}");
    assert_eq!(world.stored(&refund).await.flag, Some(Flag::SucceededAfterFailure));
    let cleared = world.tell(named("clear_flag", &refund)).await.unwrap();
    assert_eq!((&cleared["flag"], world.stored(&refund).await.flag), (&Value::Null, None));
    assert_eq!(world.tell(named("clear_flag", &refund)).await, Ok(cleared));
    world.store().carry_out(&fixtures::cancelled(&other, fixtures::later(9))).await.unwrap();
    assert_eq!(world.tell(settled(&refund, "succeeded")).await.unwrap()["status"], "succeeded");
    assert_eq!(world.refundable().await, 2_000);
}

/// Decided before the hand-over, written after it: the money may be moving now.
#[tokio::test]
async fn a_verdict_that_raced_the_hand_over_is_not_written() {
    let table = TestTable::new();
    let world = World { context: admin(&table, fixtures::now, || 1), table };
    world.store().register(&payment("pay_1", 5_000)).await.unwrap();
    let seen = world.reserve("key-1", 3_000).await;
    let verdict = recoup_domain::refund::Verdict {
        ruling: recoup_domain::refund::Ruling::Succeeded,
        operator: fixtures::text("jo"),
        reason: fixtures::text("paid in cash"),
        reference: None,
        at: fixtures::later(5),
    };
    let recoup_domain::refund::Judged::Now(change) = seen.judged(verdict) else { panic!("it is on its way") };
    world.store().hand_over(&seen, fixtures::later(4)).await.unwrap();
    assert_eq!(world.store().carry_out(&change).await.unwrap(), Settled::Overtaken);
    assert_eq!(world.stored(&seen).await.version.state, State::Initiated);
}

#[tokio::test]
async fn a_processor_is_asked_at_once_about_what_is_on_its_way() {
    let (world, refund) = World::new().await;
    world.tell(named("ask_now", &refund)).await.unwrap();
    let asked = world.stored(&refund).await;
    assert_eq!((asked.turn, asked.wait.unwrap().at), (refund.turn + 1, fixtures::later(60_000)));
    assert!(!asked.wait.unwrap().rests);
    world.moved(&asked, fixtures::succeeded()).await;
    assert!(world.tell(named("ask_now", &refund)).await.is_err());
}

#[tokio::test]
async fn a_command_about_a_refund_is_read_in_full_or_refused() {
    let (world, refund) = World::new().await;
    let before = world.stored(&refund).await;
    for (field, value) in [
        ("operator", json!(" ")),
        ("operator", json!("j".repeat(65))),
        ("outcome", json!("pending")),
        ("reason", json!("")),
        ("reference", json!("r".repeat(256))),
        ("refund_id", json!("rfd_1")),
        ("refund_id", json!(fixtures::refund_id("no-such").as_str())),
        ("environment", json!("live")),
        ("reason", Value::Null),
    ] {
        let mut command = settled(&refund, "succeeded");
        command[field] = value;
        assert!(world.tell(command).await.is_err(), "{field}");
    }
    assert_eq!(world.stored(&refund).await, before);
    assert_eq!(
        world.store().payment(&tenant(), &before.payment_id).await.unwrap().unwrap().refundable,
        eur(2_000)
    );
}
