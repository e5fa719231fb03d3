//! The largest of everything, within what DynamoDB takes: the test table refuses each request that AWS would.

use recoup_domain::by::{By, ByKind};
use recoup_domain::decide::{Identity, Reservation, decide};
use recoup_domain::dispute::{DisputeStatus, DisputeWord, Disputes};
use recoup_domain::ids::{ActorId, LineId, RefundId};
use recoup_domain::money::WrittenAmount;
use recoup_domain::payment::{Facts, Payment, Terms};
use recoup_domain::refund::{Change, Failure, FailureCode, Notes, Outcome, Refund, Said, State};
use recoup_domain::split::{MerchantPart, Split};
use recoup_domain::text::{Metadata, TargetUrl};
use recoup_domain::wanted::{Wanted, WantedLine, WantedRouting};
use recoup_ports::settlement::Settled;
use recoup_testing::fixtures::{self, dispute, eur, facts, identity, later, succeeded, text, wanted};
use recoup_testing::item_bytes;

use crate::bench::Bench;

const ITEM_BYTES_MAX: usize = 400 * 1_024;

/// As long as an id of a caller's may be.
fn long(number: usize) -> String {
    format!("{number:0>64}")
}

fn metadata() -> Metadata {
    let pair = |number: usize| (format!("{number:0>40}"), "x".repeat(500));
    Metadata::new((0..50).map(pair).collect()).unwrap()
}

/// 50 merchants and the platform, 100 lines, each with a name as long as it may be.
fn payment() -> Payment {
    let merchant = |number| MerchantPart {
        account: ActorId::try_from(long(number).as_str()).unwrap(),
        amount: eur(100_000),
    };
    let split = Split::new(eur(5_000_000), (0..Split::MERCHANTS_MAX).map(merchant).collect()).unwrap();
    let line = |number: usize| (LineId::try_from(long(number).as_str()).unwrap(), eur(100_000));
    let lines = (0..Payment::LINES_MAX).map(line).collect();
    let terms = Terms { amount: split.total(), routing: Some(split), lines, ..fixtures::terms(1) };
    let facts = Facts { metadata: metadata(), ..facts() };
    Payment { facts, registered_by: Some(by()), ..fixtures::registered("pay_1", terms) }
}

fn failure() -> Failure {
    Failure {
        code: FailureCode::ExpiredOrClosedAccount,
        message: text(&"ü".repeat(255)),
        said: Said::default(),
    }
}

fn by() -> By {
    By { kind: ByKind::Processor, id: text(&"ü".repeat(64)), name: Some(text(&"ü".repeat(64))) }
}

/// Something of every actor and of every line, with every text, and a history of as many changes as are kept.
fn refund_of(payment: &Payment) -> Reservation {
    let part = |id: &LineId| WantedLine { id: id.clone(), amount: Some(WrittenAmount::Minor(99_999)) };
    let notes = Notes {
        reason: Some(text(&"ü".repeat(255))),
        information: Some(text(&"ü".repeat(1_000))),
        description: Some(text(&"ü".repeat(255))),
        reference: Some(text(&"ü".repeat(128))),
        webhook_url: Some(TargetUrl::unchecked(format!("https://example.com/{}", "x".repeat(2_000)))),
    };
    let wish = Wanted {
        lines: payment.lines.iter().map(|line| part(&line.id)).collect(),
        routing: Some(WantedRouting::Proportional),
        notes,
        metadata: metadata(),
        ..wanted(payment, None)
    };
    let reservation = decide(payment, &wish, Identity { by: Some(by()), ..identity("key") }).unwrap();
    let change = Change { at: later(1), state: Some(State::Failed(failure())), by: Some(by()) };
    let history = vec![change; Refund::CHANGES_KEPT];
    Reservation { refund: Refund { history, ..reservation.refund }, ..reservation }
}

#[tokio::test]
async fn the_largest_refund_is_made_returned_and_taken_again() {
    let bench = Bench::with(payment()).await;
    let granted = refund_of(&bench.payment);
    assert_eq!((granted.refund.takes().count(), granted.refund.lines.len()), (51, 100));
    bench.make(&granted).await;
    let mut refund = granted.refund;
    for (outcome, left) in
        [(Outcome::Failed(failure()), 100_000), (succeeded(), 1), (Outcome::Failed(failure()), 100_000)]
    {
        assert_eq!(bench.settle(&refund, outcome).await.unwrap().unwrap(), Settled::Applied);
        assert!(bench.stored_payment().await.lines.iter().all(|line| line.refundable() == eur(left)));
        refund = bench.stored_refund(&refund).await.unwrap();
        assert!(item_bytes(&bench.table.item("refund").await) <= ITEM_BYTES_MAX);
        bench.check_books().await;
    }
}

#[tokio::test]
async fn the_largest_payment_fits_into_an_item_with_all_its_refunds() {
    let refunds = (0..5_000).map(RefundId::from_bits).collect();
    let lost = |number| DisputeWord {
        reason: Some(text(&"ü".repeat(64))),
        ..dispute(&format!("{number:0>255}"), DisputeStatus::Lost, 99_999, 1)
    };
    let disputed = (0..Disputes::MAX)
        .map(lost)
        .fold(payment(), |payment, word| payment.told_of_dispute(&word).unwrap().unwrap());
    let payment = Payment { refunds, ..disputed };
    assert_eq!(payment.refunds.len(), Payment::REFUNDS_MAX);
    let bench = Bench::with(payment).await;
    let bytes = item_bytes(&bench.table.item("payment").await);
    assert!(bytes <= ITEM_BYTES_MAX, "{bytes}");
    // What is left of each line comes with the first refund of any.
    let left = Payment::LINES_MAX * 8;
    assert!(bytes + left <= ITEM_BYTES_MAX, "{bytes}");
}
