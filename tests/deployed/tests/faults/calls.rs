//! Whatever call of `process-refund` fails, before its effect or after it, once or at every try: its refund ends as one
//! whose calls all succeed.
#![cfg(test)]

use std::collections::BTreeSet;

use futures_util::future::join_all;
use recoup_deployed_tests::faults::{Fault, Proxy, TRIES};
use recoup_deployed_tests::{Account, Receiver, Stack};
use recoup_domain::ids::{AccountId, Environment, IdempotencyKey, RefundId, Tenant};
use serde_json::{Value, json};

/// What is done to one refund: its call number, from 1, and how often that fails.
#[derive(Clone, Copy, Debug)]
struct Case {
    call: usize,
    fault: Fault,
    times: u32,
    /// Whether its job comes again after the refund has ended.
    comes_again: bool,
}

struct World {
    proxy: Proxy,
    tenant: Tenant,
    account: Account,
    /// The `processor.reference` of every payment.
    reference: &'static str,
    /// The status in which every refund ends.
    end: &'static str,
}

impl World {
    async fn new(reference: &'static str, end: &'static str) -> Self {
        let (proxy, account) = (Proxy::running(), Stack::running().new_account().await);
        let id = AccountId::try_from(account.id.as_str()).unwrap();
        let tenant = Tenant { environment: Environment::Sandbox, account: id };
        Self { proxy, tenant, account, reference, end }
    }

    /// The refund of that name, known before it is made, so that its first call can fail already.
    fn id(&self, name: &str) -> RefundId {
        RefundId::of_key(&self.tenant, &IdempotencyKey::try_from(name).unwrap())
    }

    /// Makes a refund of a payment of its own, sees it end and be told, and says how both stand then.
    async fn ends(&self, name: &str) -> Value {
        let mut receiver = Receiver::start().await;
        self.account.register_example(name, self.reference).await;
        let merchants = json!([{ "id": "acc_4zjjxn0nm1tnweqbttedkvnsc8", "amount": 1_000 }]);
        let wanted = json!({
            "payment_id": name, "routing": { "platform": { "amount": 50 }, "merchants": merchants },
            "urls": { "webhook": receiver.url },
        });
        let made = self.account.refund(Some(name), wanted).await;
        let id = self.id(name);
        assert_eq!((made.status, made.text("id")), (201, id.as_str()), "{:?}", made.body);
        self.account.refund_in(id.as_str(), self.end).await;
        let mut told = BTreeSet::new();
        // A webhook may come twice under its id.
        while told.len() < self.steps() {
            told.insert(receiver.next().await.id().to_owned());
        }
        for event in &told {
            self.account.recorded(event).await;
        }
        self.stands(name).await
    }

    /// How a refund, its payment and its events stand.
    async fn stands(&self, name: &str) -> Value {
        let id = self.id(name);
        let refund = self.account.get(&format!("/v1/refunds/{id}")).await.body;
        let payment = self.account.payment(name).await;
        let events = self.account.get(&format!("/v1/events?refund_id={id}")).await.body;
        let mut events: Vec<String> =
            events["data"].as_array().unwrap().iter().map(|event| event["type"].to_string()).collect();
        events.sort();
        let balances =
            |of: &Value| json!([of["refundable_amount"], of["held_amount"], of["refunded_amount"]]);
        let routing = &payment["routing"];
        let merchants: Vec<Value> = routing["merchants"].as_array().unwrap().iter().map(balances).collect();
        json!({
            "refund": [refund["status"], refund["failure"]["code"], refund["pending_reason"], refund["amount"]],
            // The sandbox makes it of the id under which it was asked.
            "processor_reference": refund["processor_reference"].to_string().replace(id.as_str(), "{id}"),
            "payment": [balances(&payment), balances(&routing["platform"]), merchants, payment["refund_status"]],
            "events": events,
        })
    }

    /// How many announced steps a refund takes.
    fn steps(&self) -> usize {
        if self.reference == "sandbox_timeout_lost" { 3 } else { 2 }
    }

    /// The same end, though this happens.
    async fn ends_though(&self, case: Case, expected: &Value) {
        let Case { call, fault, times, comes_again } = case;
        let name = format!("{call}-{fault:?}-{times}");
        let (failing, later) = self.proxy.fail(self.id(&name).as_str(), call, fault, times).await;
        assert_eq!(&self.ends(&name).await, expected, "{case:?} of {}", self.reference);
        let times = usize::try_from(times).unwrap();
        let failed = self.proxy.applied_times(failing, times).await.len();
        assert_eq!(failed, times, "{case:?} of {} did not happen", self.reference);
        if comes_again {
            assert_eq!(
                self.proxy.applied_times(later, 1).await,
                ["GetItem"],
                "{case:?} of {}",
                self.reference
            );
        }
        // Whatever was tried after the end has changed nothing.
        assert_eq!(&self.stands(&name).await, expected, "{case:?} of {}, later", self.reference);
    }

    /// Fails every call in every way, each for a refund of its own.
    async fn ends_whatever_fails(&self, calls: &[&str]) {
        let watched = self.proxy.watch(self.id("undisturbed").as_str()).await;
        let expected = self.ends("undisturbed").await;
        assert_eq!(expected["events"].as_array().unwrap().len(), self.steps(), "{expected}");
        assert_eq!(self.proxy.applied(watched).await, calls, "the calls of {}", self.reference);
        let cases = (1..=calls.len()).flat_map(|call| {
            let ways = Fault::ALL.into_iter().flat_map(|fault| [(fault, 1), (fault, TRIES)]);
            ways.map(move |(fault, times)| {
                // Of the end nobody heard, so the job comes again, reads it and stops.
                let comes_again = call == calls.len() && (fault, times) == (Fault::AnswerLost, TRIES);
                Case { call, fault, times, comes_again }
            })
        });
        join_all(cases.map(|case| self.ends_though(case, &expected))).await;
    }
}

#[tokio::test]
async fn a_refund_that_succeeds_does_so_once_whatever_call_fails() {
    let world = World::new("sandbox_succeed", "succeeded").await;
    world.ends_whatever_fails(&["GetItem", "UpdateItem", "UpdateItem"]).await;
}

#[tokio::test]
async fn a_refund_that_fails_gives_back_once_whatever_call_fails() {
    let world = World::new("sandbox_fail", "failed").await;
    world.ends_whatever_fails(&["GetItem", "UpdateItem", "TransactWriteItems"]).await;
}

/// Unknown at first, then never received: it is asked, looked up and sent again.
#[tokio::test]
async fn a_refund_whose_order_was_lost_ends_once_whatever_call_fails() {
    let world = World::new("sandbox_timeout_lost", "succeeded").await;
    world.ends_whatever_fails(&["GetItem", "UpdateItem", "UpdateItem", "GetItem", "UpdateItem"]).await;
}

/// A job that could not be worked on is told to wait. Which refund's call that is nobody can tell from the call; all
/// that are on their way have to end well.
#[tokio::test]
async fn a_refund_ends_though_the_queue_is_not_heard_when_it_is_told_to_wait() {
    let world = World::new("sandbox_succeed", "succeeded").await;
    let expected = world.ends("undisturbed").await;
    for fault in Fault::ALL {
        let name = format!("{fault:?}");
        world.proxy.fail(world.id(&name).as_str(), 1, fault, TRIES).await;
        let rule = world.proxy.fail_sqs("ChangeMessageVisibility", fault).await;
        assert_eq!(world.ends(&name).await, expected, "{fault:?}");
        assert_eq!(world.proxy.applied(rule).await, ["ChangeMessageVisibility"], "{fault:?}");
    }
}
