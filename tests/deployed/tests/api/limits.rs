//! How often a caller may ask.

use recoup_deployed_tests::Stack;
use tokio::task::JoinSet;

const PATH: &str = "/v1/refunds/rfd_00000000000000000000000000";
/// Callers at once: fewer ask less often than the limit on a slow machine.
const AT_ONCE: usize = 40;
/// Far more than the burst and the allowances of all processes.
const REQUESTS_MAX: usize = 6_000;

#[tokio::test]
async fn every_answer_to_a_caller_says_what_is_left() {
    let stack = Stack::running();
    let account = stack.new_account().await;
    account.register_plain("pay_limits", 100, "sandbox_succeed").await;
    for path in ["/v1/payments/pay_limits", PATH, "/v1/webhook-endpoints", "/v1/nowhere"] {
        let answer = account.get(path).await;
        assert!(answer.header("ratelimit-policy").contains("\"key\";q="), "{path}: {:?}", answer.headers);
        assert!(answer.header("ratelimit").contains("\"account\";r="), "{path}: {:?}", answer.headers);
    }
    let nobody = stack.with_authorization(Some("Bearer sk_sandbox_wrong")).get(PATH).await;
    assert_eq!((nobody.status, nobody.header("ratelimit")), (403, ""));
}

#[tokio::test]
async fn a_key_that_asks_too_often_is_told_to_wait_and_goes_on_afterwards() {
    let stack = Stack::running();
    let account = stack.new_account().await;
    let mut running = JoinSet::new();
    let ask = |running: &mut JoinSet<_>| {
        let account = account.clone();
        running.spawn(async move { account.send_once("GET", PATH, &[], None).await });
    };
    (0..AT_ONCE).for_each(|_| ask(&mut running));
    let mut refused = None;
    for _ in 0..REQUESTS_MAX {
        let answer = running.join_next().await.unwrap().unwrap();
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        assert_eq!(answer.text("code"), "refund_not_found", "{:?}", answer.body);
        ask(&mut running);
    }
    let refused = refused.expect("one request too many");
    running.shutdown().await;
    assert_eq!(refused.text("code"), "rate_limited");
    assert!(refused.header("ratelimit").contains("r=0"), "{:?}", refused.headers);
    let wait = refused.retry_after();
    assert!((1..=5).contains(&wait.as_secs()), "{wait:?}");
    // Another account has noticed nothing.
    let other = stack.new_account().await.send_once("GET", PATH, &[], None).await;
    assert_eq!(other.status, 404);
    // What was under way when this stopped may have taken the first tokens; whoever waits as told goes on.
    assert_eq!(account.get(PATH).await.status, 404);
}
