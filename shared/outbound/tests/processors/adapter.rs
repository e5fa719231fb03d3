//! A team's own adapter keeps the contract if it does what `docs/processors.md` says.

use recoup_domain::payment::ProcessorName;
use recoup_domain::recovery::{PartState, Recovery};
use recoup_domain::refund::{FailureCode, Outcome, Refund};
use recoup_outbound::http_adapter::HttpAdapter;
use recoup_ports::processor::{LookedUp, Processor};
use recoup_testing::fixtures;
use serde_json::{Value, json};

use crate::contract::{Case, Subject, contract};
use crate::fake_adapter::FakeAdapter;
use crate::faults::Fault;
use crate::world::{Change, Keys, after, fresh, handed_over, routed, tried};

/// An adapter, and the client that asks it.
pub(crate) struct AtAdapter {
    pub(crate) adapter: FakeAdapter,
    pub(crate) client: HttpAdapter<Keys>,
}

impl AtAdapter {
    pub(crate) async fn with(change: impl FnOnce(&mut Keys)) -> Self {
        let adapter = FakeAdapter::new().await;
        let mut keys = Keys::to(adapter.server.port);
        change(&mut keys);
        Self { client: HttpAdapter::new(keys, fixtures::now).unwrap(), adapter }
    }
}

impl Subject for AtAdapter {
    type Asked = HttpAdapter<Keys>;

    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    fn processor(&self) -> &HttpAdapter<Keys> {
        &self.client
    }

    fn refund(&self, case: Case) -> Refund {
        match case {
            Case::Succeeds => {}
            Case::Fails => self.adapter.books.open().status = Some("failed"),
            Case::Pends => self.adapter.books.open().status = Some("pending"),
            Case::AnswerLost => self.adapter.books.fail([Fault::CutAfter]),
            Case::NeverReached => self.adapter.books.fail([Fault::CutBefore]),
        }
        fresh("key", "bank-payment-1")
    }

    fn settle(&self) {
        self.adapter.books.turn("succeeded");
    }

    fn moved(&self, refund: &Refund) -> Option<usize> {
        Some(self.adapter.moved(refund))
    }

    fn routed(&self) -> Refund {
        routed(ProcessorName::Http, "bank-payment-1")
    }

    fn lack(&self, lack: bool) {
        self.adapter.books.open().short = lack;
    }
}

contract!(AtAdapter);

#[tokio::test]
async fn an_adapter_gets_a_signed_order_under_our_id() {
    let at = AtAdapter::new().await;
    let refund = handed_over(&fresh("key", "bank-payment-1"));
    assert_eq!(at.client.refund(&refund).await, fixtures::succeeded_as("bank-7"));
    let requests = at.adapter.server.requests();
    let request = &requests[0];
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/base/refunds"));
    for (header, value) in [
        ("content-type", "application/json"),
        ("webhook-id", refund.id.as_str()),
        ("webhook-timestamp", "1795339800"),
        ("user-agent", "Recoup/0.1.0"),
    ] {
        assert_eq!(request.header(header), Some(value));
    }
    let order: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!((&order["amount"], &order["payment_reference"]), (&json!(500), &json!("bank-payment-1")));
}

#[tokio::test]
async fn a_look_up_is_signed_over_nothing_but_its_id() {
    let at = AtAdapter::new().await;
    let refund = handed_over(&fresh("key", "bank-payment-1"));
    assert_eq!(at.client.look_up(&refund).await, LookedUp::NeverReceived);
    let requests = at.adapter.server.requests();
    assert_eq!(
        (requests[0].path.clone(), requests[0].body.as_str()),
        (format!("/base/refunds/{}", refund.id), "")
    );
}

#[tokio::test]
async fn a_failure_is_told_in_the_adapters_own_words() {
    let at = AtAdapter::new().await;
    let refund = handed_over(&at.refund(Case::Fails));
    let Outcome::Failed(failure) = at.client.refund(&refund).await else { panic!("it did not fail") };
    assert_eq!((failure.code, failure.message.as_str()), (FailureCode::Declined, "The bank says no."));
}

#[tokio::test]
async fn only_the_documented_statuses_decide() {
    let refund = handed_over(&fresh("key", "bank-payment-1"));
    let success = json!({ "status": "succeeded", "reference": "bank-7" });
    let failure = json!({ "status": "failed", "failure": { "code": "declined", "message": "No." } });
    for status in [200, 201, 202] {
        let at = AtAdapter::new().await;
        at.adapter.books.open().refusal = Some((status, success.clone()));
        assert_eq!(at.client.refund(&refund).await, fixtures::succeeded_as("bank-7"));
    }
    for status in [203, 206, 300, 400, 404, 409, 410, 422, 500] {
        for body in [&success, &failure] {
            let at = AtAdapter::new().await;
            at.adapter.books.open().refusal = Some((status, body.clone()));
            assert_eq!(at.client.refund(&refund).await, Outcome::Unknown, "{status}");
        }
    }
}

#[tokio::test]
async fn what_an_adapter_had_and_no_longer_has_is_for_a_person() {
    let at = AtAdapter::new().await;
    let refund = handed_over(&fresh("key", "bank-payment-1"));
    for outcome in [Outcome::Pending, fixtures::succeeded()] {
        let looked_up = at.client.look_up(&after(&refund, &outcome)).await;
        assert_eq!(looked_up, LookedUp::Stands(Outcome::Unknown));
    }
}

#[tokio::test]
async fn without_an_adapter_nothing_is_sent_and_nothing_is_decided() {
    let nobodys: [(Change, Outcome); 2] = [
        (|keys| keys.adapter = None, Outcome::NotConfigured),
        (|keys| keys.broken = true, Outcome::Busy { retry_after: None }),
    ];
    for (change, expected) in nobodys {
        let at = AtAdapter::with(change).await;
        let refund = handed_over(&fresh("key", "bank-payment-1"));
        assert_eq!(at.client.refund(&refund).await, expected);
        assert_eq!(at.client.look_up(&refund).await, LookedUp::Stands(expected));
        assert_eq!(at.adapter.server.requests().len(), 0);
    }
}

#[tokio::test]
async fn an_adapter_that_says_nothing_of_parts_has_carried_them_out() {
    let at = AtAdapter::new().await;
    let refund = handed_over(&at.routed());
    let paid = after(&refund, &at.client.refund(&refund).await);
    let order: Value = serde_json::from_str(&at.adapter.server.requests()[0].body).unwrap();
    assert_eq!(order["split"], "executed");
    let done = tried(&at.client, &paid).await;
    assert_eq!(done.recovery_of(1), Recovery::Recovered(Some(&fixtures::text("bank-7"))));
}

#[tokio::test]
async fn an_adapter_tells_of_each_actor_and_leaves_out_who_has_not_given() {
    let at = AtAdapter::new().await;
    let refund = handed_over(&at.routed());
    let paid = after(&refund, &at.client.refund(&refund).await);
    let told =
        |status: &str| json!([{ "account_id": fixtures::SELLER, "status": status, "reference": "t-1" }]);
    for (recovery, seller) in [
        (told("recovered"), Some(PartState::Taken { reference: fixtures::text("t-1") })),
        (told("failed"), Some(PartState::Refused)),
        (told("pending"), None),
        (json!([]), None),
        (json!([{ "account_id": fixtures::SELLER, "status": "gone" }]), None),
        (json!([{ "account_id": fixtures::SELLER }]), None),
    ] {
        at.adapter.books.open().recovery = Some(recovery.clone());
        let next = tried(&at.client, &paid).await;
        let state = (!matches!(next.recovery[0].state, PartState::Open { .. }))
            .then(|| next.recovery[0].state.clone());
        assert_eq!(state, seller, "{recovery}");
        assert!(matches!(next.recovery[1].state, PartState::Open { .. }), "{recovery}");
    }
}
