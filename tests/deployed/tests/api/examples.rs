//! What `openapi.yaml` prints works.

use recoup_deployed_tests::Stack;
use recoup_testing::contract::{DESCRIPTION, entries, resolved};
use serde_json::json;

/// The samples of the source documents, each on a payment of its own; the names tell which.
#[tokio::test]
async fn every_example_of_a_refund_works_as_it_is_printed() {
    let paths = &DESCRIPTION["paths"];
    let body = |path: &str, method: &str| {
        entries(&paths[path][method]["requestBody"]["content"]["application/json"]["examples"])
    };
    let ids = &DESCRIPTION["components"]["parameters"]["PaymentId"]["examples"];
    let payments: Vec<_> = body("/v1/payments/{payment_id}", "put").collect();
    let mut tried = 0;
    for path in ["/v1/refunds/quote", "/v1/refunds", "/v1/payments/{payment_id}/refunds"] {
        for (name, example) in body(path, "post") {
            let account = Stack::running().new_account().await;
            let (source, payment) =
                payments.iter().find(|(source, _)| name.starts_with(*source)).expect("a payment for it");
            let id = ids[source]["value"].as_str().expect("an id");
            let payment = account.register(id, resolved(payment).unwrap()["value"].clone()).await;
            assert_eq!(payment.status, 201, "{name}: {:#}", payment.body);
            let mut wanted = resolved(example).unwrap()["value"].clone();
            if let Some(url) = wanted.pointer_mut("/urls/webhook") {
                // Nobody else's receiver is told of our tests; this name never resolves.
                *url = json!("https://receiver.invalid/getpaid");
            }
            let path = path.replace("{payment_id}", id);
            let answer = account.send("POST", &path, &[], Some(wanted.to_string())).await;
            let status = if path.ends_with("/quote") { 200 } else { 201 };
            assert_eq!(answer.status, status, "{name}: {:#}", answer.body);
            tried += 1;
        }
    }
    assert!(tried > 10, "only {tried} examples");
}
