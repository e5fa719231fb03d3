//! A registered payment on a table of its own, and the questions that most tests ask of it.

use recoup_domain::balance::{Balances, Posting};
use recoup_domain::decide::Reservation;
use recoup_domain::payment::Payment;
use recoup_domain::refund::{Outcome, Refund};
use recoup_ports::payments::{Payments, Register, Registered};
use recoup_ports::refunds::{Refunds, Reserve, ReserveError, Reserved};
use recoup_ports::settlement::{Settle, SettleError, Settled};
use recoup_storage::Table;
use recoup_testing::fixtures::{self, later};
use recoup_testing::{Calls, TestTable};

pub(crate) struct Bench {
    pub(crate) table: TestTable,
    pub(crate) store: Table,
    /// The payment as it was registered.
    pub(crate) payment: Payment,
}

impl Bench {
    pub(crate) async fn with(payment: Payment) -> Self {
        let table = TestTable::new();
        let store = table.store();
        let registered = store.register(&payment).await;
        assert!(matches!(registered, Ok(Registered::New)), "{registered:?}");
        table.take_calls();
        Self { table, store, payment }
    }

    /// The getpaid payment with the refund of its example reserved.
    pub(crate) async fn with_refund() -> (Self, Refund) {
        let bench = Self::with(fixtures::getpaid_payment()).await;
        let granted = fixtures::decided(&bench.payment, &fixtures::getpaid_wanted(), "key");
        bench.make(&granted).await;
        bench.table.take_calls();
        (bench, granted.refund)
    }

    pub(crate) async fn reserve(&self, reservation: &Reservation) -> Result<Reserved, ReserveError> {
        self.store.reserve(reservation).await
    }

    /// Reserves what must be possible.
    pub(crate) async fn make(&self, reservation: &Reservation) {
        let reserved = self.reserve(reservation).await;
        assert!(matches!(reserved, Ok(Reserved::New)), "{reserved:?}");
    }

    /// Reserves what the payment no longer allows, and gives the payment as it is said to be.
    pub(crate) async fn refused(&self, reservation: &Reservation) -> Payment {
        match self.reserve(reservation).await {
            Ok(Reserved::PaymentChanged(payment)) => *payment,
            other => panic!("the payment was to be changed: {other:?}"),
        }
    }

    /// Writes what an outcome makes of a refund, as a function would; `None` where it changes nothing.
    pub(crate) async fn settle(
        &self,
        from: &Refund,
        outcome: Outcome,
    ) -> Option<Result<Settled, SettleError>> {
        let change = from.step(outcome, later(5_000))?;
        Some(self.store.carry_out(&change).await)
    }

    pub(crate) async fn stored_payment(&self) -> Payment {
        self.store.payment(&self.payment.tenant, &self.payment.id).await.unwrap().unwrap()
    }

    pub(crate) async fn stored_refund(&self, refund: &Refund) -> Option<Refund> {
        self.store.refund(&refund.tenant, &refund.id).await.unwrap()
    }

    /// Compares the table's payment with what the pure rules make of the refunds' ends.
    pub(crate) async fn check_books(&self) {
        let payment = self.stored_payment().await;
        let refunds = self.store.refunds(&payment.tenant, &payment.refunds).await.unwrap().read;
        assert_eq!(refunds.len(), payment.refunds.len(), "each refund is noted once, and exists");
        let alive = refunds.iter().filter(|refund| refund.version.state.holds_money() || succeeded(refund));
        let expected = alive.clone().fold(self.payment.clone(), |payment, refund| {
            payment.after_reserving(refund).expect("what the refunds hold was there to take")
        });
        let lost = payment.charged_back().expect("it is no more than there was");
        assert_eq!(Some(payment.refundable), expected.refundable.minus(lost));
        let splits = payment.disputes.list.iter().filter_map(|dispute| dispute.split.as_ref());
        let left = expected.routing.map(|routing| {
            splits.fold(routing.refundable, |left, split| left.minus(split).expect("each gave what it had"))
        });
        assert_eq!(payment.routing.as_ref().map(|routing| &routing.refundable), left.as_ref());
        assert_eq!(payment.contradiction(), None);
        assert_eq!(payment.lines, expected.lines);
        for line in &payment.lines {
            let parts = alive.clone().flat_map(|refund| &refund.lines).filter(|part| part.id == line.id);
            let taken = parts.map(|part| part.taken.map_or(line.amount, |(_, amount)| amount).minor());
            assert_eq!(line.refundable().minor() + taken.sum::<u64>(), line.amount.minor(), "{}", line.id);
        }
        let balances = Balances::of(&payment, &refunds.iter().map(Posting::from).collect::<Vec<_>>())
            .expect("the reads belong together");
        let held = refunds.iter().filter(|refund| refund.version.state.holds_money());
        let held: u64 = held.map(|refund| refund.taken().minor()).sum();
        assert_eq!(balances.total.held.minor(), held);
        // The payment's list names every refund item that there is.
        let items = self.table.items().await;
        let items = items.iter().filter(|item| item["sk"].as_s().is_ok_and(|sk| sk == "refund"));
        assert_eq!(items.count(), refunds.len());
    }
}

fn succeeded(refund: &Refund) -> bool {
    refund.version.state == recoup_domain::refund::State::Succeeded
}

/// Whether these were the only requests.
#[track_caller]
pub(crate) fn assert_operations(calls: &Calls, operations: &[&str]) {
    assert_eq!(calls.operations(), operations, "{calls}");
}
