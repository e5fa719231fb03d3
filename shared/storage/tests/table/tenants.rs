//! Another account's object does not exist, and the sandbox never touches live.

use recoup_domain::decide::Reservation;
use recoup_domain::ids::{Environment, Tenant};
use recoup_domain::payment::Payment;
use recoup_domain::refund::Refund;
use recoup_ports::payments::{Payments, Register, Registered};
use recoup_ports::refunds::{Refunds, Reserve, Reserved};
use recoup_ports::settlement::{HandedOver, Settle, SettleError};
use recoup_testing::fixtures::{eur, later, moved, succeeded, tenant_of};

use crate::bench::Bench;

/// Live of the same account, and another account of the same environment.
fn others() -> [Tenant; 2] {
    [tenant_of(Environment::Live, 1), tenant_of(Environment::Sandbox, 2)]
}

#[tokio::test]
async fn the_same_ids_under_another_account_or_environment_do_not_exist() {
    let (bench, refund) = Bench::with_refund().await;
    for other in others() {
        assert_eq!(bench.store.payment(&other, &refund.payment_id).await.unwrap(), None);
        assert_eq!(bench.store.refund(&other, &refund.id).await.unwrap(), None);
        assert_eq!(bench.store.refunds(&other, std::slice::from_ref(&refund.id)).await.unwrap().read, []);
        let found =
            bench.store.payment_and_refund(&other, &refund.payment_id, Some(&refund.id)).await.unwrap();
        assert!(found.payment.is_none() && found.refund.is_none());
    }
}

#[tokio::test]
async fn nobody_moves_the_refund_of_another() {
    let (bench, refund) = Bench::with_refund().await;
    for tenant in others() {
        let forged = Refund { tenant, ..refund.clone() };
        let moved = bench.store.carry_out(&moved(&forged, succeeded())).await;
        assert!(matches!(moved, Err(SettleError::Missing)), "{moved:?}");
        assert_eq!(bench.store.hand_over(&forged, later(1)).await.unwrap(), HandedOver::TooLate);
    }
    assert_eq!(bench.stored_refund(&refund).await, Some(refund));
}

#[tokio::test]
async fn the_same_payment_and_refund_ids_live_side_by_side_and_share_nothing() {
    let (bench, refund) = Bench::with_refund().await;
    for tenant in others() {
        let theirs = Payment { tenant: tenant.clone(), ..bench.payment.clone() };
        assert!(matches!(bench.store.register(&theirs).await, Ok(Registered::New)));
        let reservation = Reservation {
            refund: Refund { tenant: tenant.clone(), ..refund.clone() },
            revision: 1,
            disputes: 0,
            exactly: None,
            lines: None,
        };
        assert!(matches!(bench.store.reserve(&reservation).await, Ok(Reserved::New)));
        let gone = moved(&reservation.refund, recoup_testing::fixtures::failed());
        bench.store.carry_out(&gone).await.unwrap();
        let left = bench.store.payment(&tenant, &theirs.id).await.unwrap().unwrap();
        assert_eq!(left.refundable, eur(3100));
    }
    assert_eq!(bench.stored_payment().await.refundable, eur(1600));
    assert_eq!(bench.stored_refund(&refund).await, Some(refund));
}
