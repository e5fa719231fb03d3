//! The faulty proxy does what its words say: else the tests beside this one would prove nothing.
#![cfg(test)]

use aws_sdk_dynamodb::types::AttributeValue;
use recoup_config::{Aws, Settings};
use recoup_deployed_tests::faults::{Fault, Proxy, TRIES};

#[tokio::test]
async fn a_lost_answer_is_lost_behind_the_effect_and_all_else_fails_before_it() {
    let (proxy, table) = (Proxy::running(), std::env::var("RECOUP_TABLE").unwrap());
    let aws = Aws::from_settings(&Settings::from_environment()).unwrap();
    let through = aws_sdk_dynamodb::Client::new(&aws.config_at(Some(&proxy.url)));
    for fault in Fault::ALL {
        let name = format!("{fault:?}-{:?}", std::time::SystemTime::now());
        let (pk, sk) = (AttributeValue::S(name.clone()), AttributeValue::S("nothing of ours".to_owned()));
        let (rule, _) = proxy.fail(&name, 1, fault, TRIES).await;
        let put = || through.put_item().table_name(&table).item("pk", pk.clone()).item("sk", sk.clone());
        assert!(put().send().await.is_err(), "{fault:?} was not noticed");
        assert_eq!(proxy.applied(rule).await, ["PutItem", "PutItem", "PutItem"], "{fault:?}");
        let get = aws.dynamodb().get_item().table_name(&table).key("pk", pk.clone()).key("sk", sk.clone());
        let there = get.send().await.unwrap().item.is_some();
        assert_eq!(there, fault == Fault::AnswerLost, "{fault:?}");
        // The fourth try passes.
        assert!(put().send().await.is_ok(), "{fault:?} does not end");
    }
}
