//! Whatever call of `settle-refund` fails, before its effect or after it, once or at every try: the notice that is sent
//! again, as processors do, ends its refund as one whose calls all succeed.
#![cfg(test)]

use futures_util::future::join_all;
use recoup_deployed_tests::faults::{Fault, Proxy, TRIES};
use recoup_deployed_tests::{Account, Stack};
use recoup_domain::signing::{Secret, Secrets, sign};
use recoup_domain::time::Timestamp;
use serde_json::{Value, json};

/// Nobody listens there: the processor is heard through its notices alone.
const NOBODY: &str = "http://127.0.0.1:9";
/// How often a processor sends a notice that is not answered with 2xx, at most.
const SENDS_MAX: usize = 4;

/// A refund whose processor did not answer, of an account of its own: no circuit holds up another's.
struct World {
    stack: Stack,
    account: Account,
    secret: Secret,
    refund: String,
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Timestamp::from_unix_millis(u64::try_from(since.as_millis()).unwrap()).unwrap()
}

impl World {
    async fn new() -> Self {
        let stack = Stack::running();
        let account = stack.new_account().await;
        let secret = Secret::new(vec![7; 32]).unwrap();
        let keys = json!({ "base_url": NOBODY, "secrets": [secret.reveal()] });
        stack.store_keys(&format!("sandbox/{}/http", account.id), &keys).await;
        let processor = json!({ "name": "http", "reference": "bank-1" });
        let payment = json!({ "amount": 1_000, "currency": "EUR", "processor": processor });
        assert_eq!(account.register("pay_1", payment).await.status, 201);
        let refund = account.refund(None, json!({ "payment_id": "pay_1", "amount": 400 })).await;
        let refund = refund.text("id").to_owned();
        account.refund_in(&refund, "processing").await;
        Self { stack, account, secret, refund }
    }

    /// Sends the notice until it is taken; so often it was sent.
    async fn tell(&self, says: &Value) -> usize {
        let mut notice =
            json!({ "environment": "sandbox", "account_id": self.account.id, "refund_id": self.refund });
        notice.as_object_mut().unwrap().extend(says.as_object().unwrap().clone());
        let nobody = self.stack.with_authorization(None);
        for sent in 1..=SENDS_MAX {
            let signed = sign("msg_1", now(), notice.to_string(), &Secrets::first(self.secret.clone()));
            let headers = [
                ("webhook-id", signed.id.as_str()),
                ("webhook-timestamp", signed.timestamp.as_str()),
                ("webhook-signature", signed.signature.as_str()),
            ];
            let path = "/v1/processors/http/notifications";
            let answer = nobody.send("POST", path, &headers, Some(signed.body)).await;
            if answer.status == 200 {
                return sent;
            }
            assert_eq!(answer.status, 503, "{:?}", answer.body);
        }
        panic!("the notice was not taken after {SENDS_MAX} times");
    }

    /// How the refund and its payment stand.
    async fn stands(&self) -> Value {
        let refund = self.account.get(&format!("/v1/refunds/{}", self.refund)).await.body;
        let payment = self.account.payment("pay_1").await;
        json!({
            "refund": [refund["status"], refund["failure"], refund["processor_reference"], refund["sequence"]],
            "payment": [payment["refundable_amount"], payment["held_amount"], payment["refunded_amount"]],
        })
    }
}

/// Fails every call in every way, each for a refund of its own.
async fn ends_whatever_fails(says: Value, calls: &[&str]) {
    let proxy = Proxy::running();
    let world = World::new().await;
    let watched = proxy.watch(&world.refund).await;
    assert_eq!(world.tell(&says).await, 1);
    assert_eq!(proxy.applied(watched).await, calls);
    let expected = world.stands().await;
    let cases = (1..=calls.len()).flat_map(|call| {
        Fault::ALL.into_iter().flat_map(move |fault| [(call, fault, 1), (call, fault, TRIES)])
    });
    let (proxy, says, expected) = (&proxy, &says, &expected);
    join_all(cases.map(|(call, fault, times)| async move {
        let world = World::new().await;
        let (failing, _) = proxy.fail(&world.refund, call, fault, times).await;
        let sent = world.tell(says).await;
        let case = format!("{fault:?} of call {call}, {times} times");
        assert_eq!(proxy.applied(failing).await.len(), usize::try_from(times).unwrap(), "{case}");
        // The SDK tries again by itself; past its tries the processor has to.
        assert_eq!(sent, if times == TRIES { 2 } else { 1 }, "{case}");
        assert_eq!(&world.stands().await, expected, "{case}");
        // Old news changes nothing.
        world.tell(says).await;
        assert_eq!(&world.stands().await, expected, "{case}, told again");
    }))
    .await;
}

#[tokio::test]
async fn a_notice_of_success_ends_its_refund_once_whatever_call_fails() {
    let says = json!({ "status": "succeeded", "reference": "bank-7" });
    ends_whatever_fails(says, &["GetItem", "UpdateItem"]).await;
}

#[tokio::test]
async fn a_notice_of_failure_gives_back_once_whatever_call_fails() {
    let failure = json!({ "code": "declined", "message": "No." });
    let says = json!({ "status": "failed", "failure": failure });
    ends_whatever_fails(says, &["GetItem", "TransactWriteItems"]).await;
}
