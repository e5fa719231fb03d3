//! The stream's images are read with the same eyes as the table's items.

use recoup_domain::refund::{Outcome, Refund, State};
use recoup_ports::images::{Images, Names, Shown};
use recoup_ports::settlement::Settle;
use recoup_storage::{Image, TableImages};
use recoup_testing::fixtures::{failed, later, succeeded};
use serde_json::{Value, json};

use crate::bench::Bench;

fn images(event: &Value, name: &str) -> Vec<Image> {
    let records = event["Records"].as_array().unwrap().iter();
    records.filter_map(|record| record["dynamodb"][name].as_object().cloned()).collect()
}

fn refund(image: &Image) -> Option<Refund> {
    match TableImages.shown(image).unwrap() {
        Shown::Refund(refund) => Some(*refund),
        _ => None,
    }
}

#[tokio::test]
async fn every_change_of_a_refund_is_in_the_stream_as_the_table_had_it() {
    let (bench, made) = Bench::with_refund().await;
    let mut expected = vec![made.clone()];
    for outcome in [Outcome::Unknown, succeeded(), failed()] {
        let from = expected.last().unwrap().clone();
        bench.settle_on(&from, outcome).await;
        expected.push(bench.stored_refund(&made).await.unwrap());
    }
    let event = bench.table.stream_event();
    let refunds = |name| -> Vec<_> {
        let images = images(&event, name);
        images.iter().filter_map(refund).collect()
    };
    assert_eq!(refunds("NewImage"), expected);
    assert_eq!(refunds("OldImage"), expected[..3]);
    let sequences: Vec<u32> = expected.iter().map(|refund| refund.version.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4]);
    assert!(matches!(expected[3].version.state, State::Failed(_)));
}

impl Bench {
    async fn settle_on(&self, from: &recoup_domain::refund::Refund, outcome: Outcome) {
        self.settle(from, outcome).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn handing_over_is_seen_in_the_stream_but_is_no_announced_change() {
    let (bench, made) = Bench::with_refund().await;
    bench.store.hand_over(&made, later(1)).await.unwrap();
    let event = bench.table.stream_event();
    let last = images(&event, "NewImage").pop().unwrap();
    let refund = refund(&last).unwrap();
    assert_eq!((refund.version.sequence, refund.handed_over_at), (made.version.sequence, Some(later(1))));
}

#[tokio::test]
async fn a_payments_image_is_of_another_kind() {
    let (bench, _) = Bench::with_refund().await;
    let images = images(&bench.table.stream_event(), "NewImage");
    let payments = images.iter().filter(|image| image["sk"]["S"] == "payment");
    assert_eq!(payments.clone().count(), 2);
    for payment in payments {
        assert_eq!(TableImages.shown(payment), Ok(Shown::Other));
    }
}

#[tokio::test]
async fn an_image_of_ours_that_cannot_be_read_names_its_key() {
    let (bench, made) = Bench::with_refund().await;
    bench.settle_on(&made, succeeded()).await;
    let image = images(&bench.table.stream_event(), "NewImage").pop().unwrap();
    let key = image["pk"]["S"].as_str().unwrap().to_owned();
    let broken = [
        ("status", json!({ "S": "lost" })),
        ("amount", json!({ "S": "1500" })),
        ("currency", json!({ "S": "XTS" })),
        ("fingerprint", json!({ "B": "AAAA" })),
        ("sequence", json!({})),
    ];
    for (name, value) in broken {
        let mut image = image.clone();
        image.insert(name.to_owned(), value);
        assert_eq!(TableImages.shown(&image).unwrap_err().key, key, "{name}");
    }
    for name in ["payment_id", "created_at", "sk"] {
        let mut image = image.clone();
        image.remove(name);
        assert_eq!(TableImages.shown(&image).unwrap_err().key, key, "{name}");
    }
}

#[tokio::test]
async fn an_item_is_named_by_its_key_alone_even_if_it_cannot_be_read() {
    let (bench, made) = Bench::with_refund().await;
    let keys = images(&bench.table.stream_event(), "Keys");
    let keys = keys.into_iter().find(|keys| keys["sk"]["S"] == "refund").unwrap();
    let named = TableImages.named(&keys).unwrap();
    assert_eq!((named.tenant, named.refund, named.event), (made.tenant.clone(), Some(made.id.clone()), None));

    let tenant = format!("{}#{}", made.tenant.environment.as_str(), made.tenant.account);
    let event = format!("evt_{}", "0".repeat(26));
    let image = |pk: &str, sk: &str, refund: &str| {
        let image = json!({ "pk": { "S": pk }, "sk": { "S": sk }, "refund_id": { "S": refund } });
        image.as_object().unwrap().clone()
    };
    // A delivery tells its refund, and its key tells its event.
    let named =
        TableImages.named(&image(&format!("{tenant}#events"), &format!("{event}#refund"), made.id.as_str()));
    let named = named.unwrap();
    assert_eq!((named.tenant, named.refund), (made.tenant, Some(made.id)));
    assert_eq!(named.event.unwrap().as_str(), event);
    let account = TableImages.named(&image(&tenant, "account", "not an id")).unwrap();
    assert_eq!((account.refund, account.event), (None, None));
    for pk in ["", "poison", "poison#refund#rfd_1", "sandbox#acct_1#refund#rfd_1"] {
        assert_eq!(TableImages.named(&image(pk, "refund", "")), None, "{pk}");
    }
}
