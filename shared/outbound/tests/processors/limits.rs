//! No question takes longer than it may, and nothing unclear is taken for an answer.

use std::future::pending;
use std::time::Duration;

use recoup_domain::ids::Tenant;
use recoup_domain::refund::Outcome;
use recoup_outbound::http_adapter::HttpAdapter;
use recoup_outbound::stripe::Stripe;
use recoup_ports::processor::{ANSWER_SECONDS_MAX, LookedUp, Processor};
use recoup_ports::processor_keys::{Access, KeysError, ProcessorKeys};
use recoup_testing::fixtures;
use serde_json::json;
use tokio::time::Instant;

use crate::adapter::AtAdapter;
use crate::contract::Subject;
use crate::fake_stripe::{CHARGE, object};
use crate::faults::{Fault, UNCLEAR, disguised};
use crate::stripe::AtStripe;
use crate::world::{fresh, handed_over};

/// Never reached where an answer comes, always where none does.
pub(crate) const SHORT: Duration = Duration::from_millis(200);

/// A store that never answers.
pub(crate) struct Silent;

impl ProcessorKeys for Silent {
    async fn access<A: Access>(&self, _: &Tenant) -> Result<Option<A>, KeysError> {
        pending().await
    }
}

async fn both_end_in_time<P: Processor>(processor: P) {
    let refund = handed_over(&fresh("key", CHARGE));
    let began = Instant::now();
    assert_eq!(processor.refund(&refund).await, Outcome::Unknown);
    let first = began.elapsed().as_secs();
    assert_eq!(processor.look_up(&refund).await, LookedUp::Stands(Outcome::Unknown));
    assert_eq!((first, began.elapsed().as_secs()), (ANSWER_SECONDS_MAX, 2 * ANSWER_SECONDS_MAX));
}

#[tokio::test(start_paused = true)]
async fn stripe_is_given_six_seconds_in_all() {
    both_end_in_time(Stripe::new(Silent, fixtures::now).unwrap()).await;
}

#[tokio::test(start_paused = true)]
async fn an_adapter_is_given_six_seconds_in_all() {
    both_end_in_time(HttpAdapter::new(Silent, fixtures::now).unwrap()).await;
}

#[test]
fn ten_jobs_that_look_up_and_send_fit_into_the_functions_time() {
    let template = include_str!("../../../../template.yaml");
    let function = template.split("ProcessRefundFunction:").nth(1).unwrap();
    let number = |key: &str| -> u64 {
        function.lines().find_map(|line| line.trim().strip_prefix(key)).unwrap().trim().parse().unwrap()
    };
    let rounds = number("BatchSize:").div_ceil(5);
    assert!(rounds * 2 * ANSWER_SECONDS_MAX < number("Timeout:"));
}

#[tokio::test]
async fn a_silent_stripe_is_unknown_before_and_after_the_effect() {
    for fault in [Fault::StallBefore, Fault::StallAfter] {
        let AtStripe { stripe, client } = AtStripe::new().await;
        let client = client.within(SHORT);
        stripe.books.fail([fault, fault]);
        let refund = handed_over(&fresh("key", CHARGE));
        assert_eq!(client.refund(&refund).await, Outcome::Unknown);
        assert_eq!(client.look_up(&refund).await, LookedUp::Stands(Outcome::Unknown));
        assert_eq!(stripe.moved(&refund), usize::from(fault == Fault::StallAfter));
    }
}

#[tokio::test]
async fn a_silent_adapter_is_unknown_before_and_after_the_effect() {
    for fault in [Fault::StallBefore, Fault::StallAfter] {
        let AtAdapter { adapter, client } = AtAdapter::new().await;
        let client = client.within(SHORT);
        adapter.books.fail([fault, fault]);
        let refund = handed_over(&fresh("key", "bank-payment-1"));
        assert_eq!(client.refund(&refund).await, Outcome::Unknown);
        assert_eq!(client.look_up(&refund).await, LookedUp::Stands(Outcome::Unknown));
        assert_eq!(adapter.moved(&refund), usize::from(fault == Fault::StallAfter));
    }
}

#[tokio::test]
async fn nothing_unclear_is_stripes_word() {
    let at = AtStripe::new().await;
    let refund = handed_over(&fresh("key", CHARGE));
    for fault in UNCLEAR {
        at.stripe.books.fail([*fault]);
        assert_eq!(at.client.refund(&refund).await, Outcome::Unknown, "{fault:?}");
        at.stripe.books.fail([*fault]);
        assert_eq!(at.client.look_up(&refund).await, LookedUp::Stands(Outcome::Unknown), "{fault:?}");
    }
    assert_eq!(at.client.look_up(&refund).await, LookedUp::NeverReceived);
}

#[tokio::test]
async fn a_yes_of_stripes_counts_only_as_json_of_a_bounded_length_under_200() {
    let at = AtStripe::new().await;
    let refund = handed_over(&fresh("key", CHARGE));
    let made = object(1, 500, "succeeded", &json!({ "recoup_refund_id": refund.id.as_str() }));
    let page = json!({ "object": "list", "has_more": false, "data": [made] }).to_string();
    for (fault, of_page) in disguised(&made.to_string()).into_iter().zip(disguised(&page)) {
        at.stripe.books.fail([fault, of_page]);
        assert_eq!(at.client.refund(&refund).await, Outcome::Unknown, "{fault:?}");
        assert_eq!(at.client.look_up(&refund).await, LookedUp::Stands(Outcome::Unknown), "{of_page:?}");
    }
    at.stripe.books.open().refusal = Some((200, made));
    assert!(matches!(at.client.refund(&refund).await, Outcome::Succeeded { .. }), "undisguised it counts");
}

#[tokio::test]
async fn an_adapters_yes_counts_only_as_bounded_json_under_its_statuses() {
    let at = AtAdapter::new().await;
    let refund = handed_over(&fresh("key", "bank-payment-1"));
    let yes = json!({ "status": "succeeded", "reference": "bank-7" });
    for fault in disguised(&yes.to_string()) {
        at.adapter.books.fail([fault, fault]);
        assert_eq!(at.client.refund(&refund).await, Outcome::Unknown, "{fault:?}");
        assert_eq!(at.client.look_up(&refund).await, LookedUp::Stands(Outcome::Unknown), "{fault:?}");
    }
    at.adapter.books.open().refusal = Some((200, yes));
    assert!(matches!(at.client.refund(&refund).await, Outcome::Succeeded { .. }), "undisguised it counts");
}

#[tokio::test]
async fn nothing_unclear_is_an_adapters_word() {
    let at = AtAdapter::new().await;
    let refund = handed_over(&fresh("key", "bank-payment-1"));
    for fault in UNCLEAR {
        at.adapter.books.fail([*fault]);
        assert_eq!(at.client.refund(&refund).await, Outcome::Unknown, "{fault:?}");
        at.adapter.books.fail([*fault]);
        assert_eq!(at.client.look_up(&refund).await, LookedUp::Stands(Outcome::Unknown), "{fault:?}");
    }
    assert_eq!(at.client.look_up(&refund).await, LookedUp::NeverReceived);
}
