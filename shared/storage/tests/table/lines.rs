//! Lines give back in parts, each as much as it has left, whoever wants it at once and whichever version began it.

use futures_util::future::join_all;
use recoup_domain::decide::Refusal;
use recoup_domain::payment::{Line, Payment};
use recoup_domain::refund::{Flag, LinePart, Refund};
use recoup_domain::wanted::{Wanted, WantedLine};
use recoup_ports::payments::Payments;
use recoup_ports::settlement::Settled;
use recoup_testing::fixtures::{
    self, decided, eur, failed, getpaid_payment, judged, part_of_line, succeeded, wanted, whole_line,
};

use crate::bench::{Bench, assert_operations};
use crate::faults_in_reserve::paused;

/// The getpaid payment without routing: two lines, of 20.00 and of 11.00.
fn payment() -> Payment {
    let terms = getpaid_payment().terms();
    fixtures::registered("pay_1", recoup_domain::payment::Terms { routing: None, ..terms })
}

fn of(payment: &Payment, line: WantedLine) -> Wanted {
    Wanted { lines: vec![line], ..wanted(payment, None) }
}

async fn left(bench: &Bench) -> [u64; 2] {
    let payment = bench.stored_payment().await;
    [0, 1].map(|line| payment.lines[line].refundable().minor())
}

/// Decides on the payment as it is stored, and reserves.
async fn made(bench: &Bench, line: WantedLine, key: &str) -> Refund {
    let payment = bench.stored_payment().await;
    let granted = decided(&payment, &of(&payment, line), key);
    bench.make(&granted).await;
    granted.refund
}

#[tokio::test]
async fn a_line_gives_back_in_parts_and_gets_each_of_them_back() {
    let bench = Bench::with(payment()).await;
    let first = made(&bench, part_of_line("iid_1", 500), "one").await;
    assert_eq!(left(&bench).await, [1_500, 1_100]);
    assert_eq!(bench.stored_refund(&first).await, Some(first.clone()));
    let rest = made(&bench, whole_line("iid_1"), "two").await;
    assert_eq!((rest.amount, left(&bench).await), (eur(1_500), [0, 1_100]));
    bench.check_books().await;
    bench.settle(&first, failed()).await.unwrap().unwrap();
    assert_eq!(left(&bench).await, [500, 1_100]);
    bench.settle(&rest, failed()).await.unwrap().unwrap();
    assert_eq!(bench.stored_payment().await.lines, bench.payment.lines);
    // Seen as it was at first, though the list of what is left was written meanwhile.
    bench.make(&decided(&bench.payment, &of(&bench.payment, part_of_line("iid_2", 1)), "three")).await;
    bench.check_books().await;
}

#[test]
fn parts_of_a_line_wanted_at_once_are_never_more_than_it_has() {
    paused(async {
        let bench = Bench::with(payment()).await;
        let wish = of(&bench.payment, part_of_line("iid_1", 700));
        join_all(["a", "b", "c", "d", "e", "f"].map(|key| bench.request(key, &wish))).await;
        assert_eq!((left(&bench).await, bench.stored_payment().await.refunds.len()), ([600, 1_100], 2));
        bench.check_books().await;
    });
}

#[tokio::test]
async fn what_was_decided_on_lines_that_changed_meanwhile_is_not_written() {
    let bench = Bench::with(payment()).await;
    let [one, two] = ["one", "two"]
        .map(|key| decided(&bench.payment, &of(&bench.payment, part_of_line("iid_1", 1_500)), key));
    bench.make(&one).await;
    let now = bench.refused(&two).await;
    let refused = judged(&now, &of(&now, part_of_line("iid_1", 1_500)), "two");
    assert!(matches!(refused, Err(Refusal::LineExceeds { left, .. }) if left == eur(500)), "{refused:?}");
    bench.check_books().await;
}

#[tokio::test]
async fn a_success_after_a_failure_takes_its_part_again_or_calls_a_person() {
    for (others, told) in [(1_500, Settled::Applied), (1_501, Settled::NothingLeft)] {
        let bench = Bench::with(payment()).await;
        let refund = made(&bench, part_of_line("iid_1", 500), "one").await;
        bench.settle(&refund, failed()).await.unwrap().unwrap();
        made(&bench, part_of_line("iid_1", others), "others").await;
        let failed = bench.stored_refund(&refund).await.unwrap();
        bench.table.take_calls();
        assert_eq!(bench.settle(&failed, succeeded()).await.unwrap().unwrap(), told);
        let last = if told == Settled::Applied { "TransactWriteItems" } else { "UpdateItem" };
        assert_operations(&bench.table.take_calls(), &["GetItem", last]);
        let flag = bench.stored_refund(&refund).await.unwrap().flag;
        assert_eq!(flag, (told == Settled::NothingLeft).then_some(Flag::SucceededAfterFailure));
        // A repeat is recognised, whatever the line has by now.
        if told == Settled::Applied {
            assert_eq!(bench.settle(&failed, succeeded()).await.unwrap().unwrap(), told);
        }
        bench.check_books().await;
    }
}

#[test]
fn a_taking_again_reads_the_lines_again_that_others_change_meanwhile() {
    paused(async {
        let bench = Bench::with(payment()).await;
        let refund = made(&bench, part_of_line("iid_1", 500), "one").await;
        bench.settle(&refund, failed()).await.unwrap().unwrap();
        let (others, id) = (bench.table.others(), bench.payment.id.clone());
        let another = move || {
            let (others, id) = (others.clone(), id.clone());
            async move {
                let now = others.payment(&fixtures::tenant(), &id).await.unwrap().unwrap();
                let granted = decided(&now, &of(&now, part_of_line("iid_2", 1)), "another");
                recoup_ports::refunds::Reserve::reserve(&others, &granted).await.unwrap();
            }
        };
        let failed = bench.stored_refund(&refund).await.unwrap();
        bench.table.fail("GetItem", 1, recoup_testing::Fault::meanwhile(another));
        assert_eq!(bench.settle(&failed, succeeded()).await.unwrap().unwrap(), Settled::Applied);
        assert_eq!(left(&bench).await, [1_500, 1_099]);
        bench.check_books().await;
    });
}

/// A refund of the first line as version 0.1 made it: whole, and without a word of how much.
async fn with_refund_of_version_0_1() -> (Bench, Refund) {
    let bench = Bench::with(payment()).await;
    let refund = made(&bench, whole_line("iid_1"), "old").await;
    let mut item = bench.table.item("refund").await;
    item.remove("line_parts").unwrap();
    bench.table.put(item).await;
    let mut item = bench.table.item("payment").await;
    item.remove("lines_left").unwrap();
    let covered = aws_sdk_dynamodb::types::AttributeValue::Ss(vec!["iid_1".to_owned()]);
    item.insert("lines_refunded".to_owned(), covered);
    bench.table.put(item).await;
    let stored = bench.stored_refund(&refund).await.unwrap();
    assert_eq!(stored.lines, [LinePart { taken: None, ..refund.lines[0].clone() }]);
    bench.check_books().await;
    (bench, stored)
}

#[tokio::test]
async fn lines_that_version_0_1_covered_go_on_beside_parts_of_others() {
    let (bench, old) = with_refund_of_version_0_1().await;
    assert_eq!(left(&bench).await, [0, 1_100]);
    let part = made(&bench, part_of_line("iid_2", 100), "part").await;
    assert_eq!(left(&bench).await, [0, 1_000]);
    bench.check_books().await;
    // It fails: its line is whole again, and then gives a part, so it cannot be taken whole again.
    bench.settle(&old, failed()).await.unwrap().unwrap();
    assert_eq!(left(&bench).await, [2_000, 1_000]);
    let first = made(&bench, part_of_line("iid_1", 1), "first").await;
    let failed_old = bench.stored_refund(&old).await.unwrap();
    assert_eq!(bench.settle(&failed_old, succeeded()).await.unwrap().unwrap(), Settled::NothingLeft);
    bench.check_books().await;
    for refund in [first, part] {
        bench.settle(&refund, failed()).await.unwrap().unwrap();
    }
    let flagged = bench.stored_refund(&old).await.unwrap();
    assert_eq!(bench.settle(&flagged, succeeded()).await.unwrap().unwrap(), Settled::Applied);
    let lines = bench.stored_payment().await.lines;
    assert_eq!(lines.iter().map(Line::refundable).collect::<Vec<_>>(), [eur(0), eur(1_100)]);
    bench.check_books().await;
}

#[tokio::test]
async fn of_a_line_that_version_0_1_covers_meanwhile_nothing_is_taken() {
    let (bench, old) = with_refund_of_version_0_1().await;
    let before = decided(&bench.payment, &of(&bench.payment, part_of_line("iid_1", 1)), "one");
    bench.refused(&before).await;
    bench.settle(&old, failed()).await.unwrap().unwrap();
    bench.make(&before).await;
    bench.check_books().await;
}
