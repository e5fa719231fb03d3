//! Eight at once on one payment, with faults in between: the books agree with the pure rules at the end.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::join_all;
use proptest::prelude::*;
use recoup_domain::decide::{Refusal, Reservation, decide};
use recoup_domain::dispute::DisputeStatus;
use recoup_domain::enter::{Made, Reversal, enter};
use recoup_domain::ids::RefundId;
use recoup_domain::money::WrittenAmount;
use recoup_domain::payment::Payment;
use recoup_domain::refund::{Outcome, Refund, State, Withdrawn};
use recoup_domain::wanted::Wanted;
use recoup_ports::images::{Images, Shown};
use recoup_ports::payments::Payments;
use recoup_ports::refunds::{Refunds, Reserve, ReserveError, Reserved};
use recoup_ports::settlement::{HandedOver, Settle, SettleError, Settled};
use recoup_storage::TableImages;
use recoup_testing::Fault;
use recoup_testing::fixtures::{
    SELLER, SUPPLIER, decided, dispute, eur, external, failed, getpaid_payment, identity, later,
    part_of_line, refund_id, registered, succeeded, text, wanted, wanted_of, whole_line,
};

use crate::bench::Bench;
use crate::faults_in_reserve::paused;

const TASKS: usize = 8;
/// Few keys, so that tasks share them.
const KEYS: [&str; 6] = ["k0", "k1", "k2", "k3", "k4", "k5"];
/// How often a decision is made again when the payment has changed meanwhile.
const DECISIONS_MAX: u32 = 20;

#[derive(Clone, Debug)]
enum Deed {
    Request {
        key: usize,
        wish: usize,
        amount: u64,
    },
    Settle {
        key: usize,
        outcome: Outcome,
    },
    Cancel {
        key: usize,
    },
    /// A refund was made at the processor: by its event, or found by reconcile, told any number of times.
    Made {
        number: usize,
        amount: u64,
        outcome: Outcome,
    },
    /// A word on a dispute, of one moment of a few.
    Dispute {
        number: u8,
        status: DisputeStatus,
        amount: u64,
        second: u64,
    },
}

fn deed() -> impl Strategy<Value = Deed> {
    let outcome = prop_oneof![
        3 => Just(succeeded()), 3 => Just(failed()), 1 => Just(Outcome::Pending), 1 => Just(Outcome::Unknown),
    ];
    prop_oneof![
        3 => (0..KEYS.len(), 0_usize..9, 1_u64..900)
            .prop_map(|(key, wish, amount)| Deed::Request { key, wish, amount }),
        4 => (0..KEYS.len(), outcome).prop_map(|(key, outcome)| Deed::Settle { key, outcome }),
        1 => (0..KEYS.len()).prop_map(|key| Deed::Cancel { key }),
        1 => (0_usize..3, 1_u64..1_500, prop_oneof![Just(succeeded()), Just(Outcome::Pending)])
            .prop_map(|(number, amount, outcome)| Deed::Made { number, amount, outcome }),
        1 => (0..2_u8, prop::sample::select(DisputeStatus::ALL), 1_u64..4_000, 0_u64..9)
            .prop_map(|(number, status, amount, second)| Deed::Dispute { number, status, amount, second }),
    ]
}

fn fault() -> impl Strategy<Value = (&'static str, Fault)> {
    prop_oneof![
        3 => Just(("TransactWriteItems", Fault::conflict([false, true]))),
        1 => Just(("TransactWriteItems", Fault::conflict([true, true]))),
        3 => Just(("TransactWriteItems", Fault::LoseAnswer)),
        1 => Just(("TransactWriteItems", Fault::throttled())),
        3 => Just(("UpdateItem", Fault::LoseAnswer)),
        1 => Just(("UpdateItem", Fault::write_conflict())),
    ]
}

/// What decides how a payment may be refunded: whether it is routed, and whether it has lines.
fn kinds() -> impl Strategy<Value = Payment> {
    (any::<bool>(), any::<bool>()).prop_map(|(routed, lined)| kind(routed, lined))
}

fn kind(routed: bool, lined: bool) -> Payment {
    let full = getpaid_payment();
    let mut terms = full.terms();
    terms.routing = terms.routing.filter(|_| routed);
    terms.lines.retain(|_| lined);
    registered(full.id.as_str(), terms)
}

impl Bench {
    /// All of it, a part, or a line; by whom, where the payment is routed.
    fn wish(&self, wish: usize, amount: u64) -> Wanted {
        let payment = &self.payment;
        let of = |platform, merchants: &[(&str, u64)]| match payment.routing {
            Some(_) => wanted_of(payment, platform, merchants),
            None => wanted(payment, Some(platform + merchants.iter().map(|(_, part)| part).sum::<u64>())),
        };
        let line = |line, part| {
            let whole = of(0, &[(SELLER, part)]);
            let lines = if payment.lines.is_empty() { Vec::new() } else { vec![line] };
            Wanted { amount: Some(WrittenAmount::Minor(part)), lines, ..whole }
        };
        match wish {
            0 => wanted(payment, None),
            1 => of(amount % 50, &[(SUPPLIER, amount / 2)]),
            2 => line(whole_line("iid_2"), 1100),
            3 => line(whole_line("iid_1"), 1 + amount % 700),
            4 => line(part_of_line("iid_1", amount), amount),
            8 => Wanted { external: Some(external()), ..of(0, &[(SELLER, amount)]) },
            // A fee was kept: more of the line is given up than is paid.
            5 => line(part_of_line("iid_2", amount), 1 + amount / 2),
            _ => of(0, &[(SELLER, amount), (SUPPLIER, amount / 4)]),
        }
    }

    /// As create-refund does it.
    pub(crate) async fn request(&self, key: &str, wish: &Wanted) {
        let id = refund_id(key);
        let found = self.store.payment_and_refund(&self.payment.tenant, &self.payment.id, Some(&id)).await;
        let Ok(found) = found else { return };
        if found.refund.is_some() {
            return;
        }
        let mut payment = found.payment.unwrap();
        for _ in 0..DECISIONS_MAX {
            let granted = match decide(&payment, wish, identity(key)) {
                Ok(granted) => granted,
                Err(Refusal::NotCompleted(_) | Refusal::CurrencyMismatch(_)) => {
                    panic!("it is completed, in EUR")
                }
                Err(_) => return,
            };
            match self.store.reserve(&granted).await {
                Ok(Reserved::New | Reserved::Existing(_)) => return,
                Ok(Reserved::PaymentChanged(now)) => payment = *now,
                Err(ReserveError::Unreadable { key, why }) => panic!("{key} {why}"),
                Err(ReserveError::KeyInUse | ReserveError::Contended | ReserveError::Unavailable(_)) => {
                    return;
                }
            }
        }
    }

    /// As process-refund does it, on a read that may be old by the time of the write.
    async fn answer(&self, key: &str, outcome: Outcome) {
        let Ok(Some(refund)) = self.store.refund(&self.payment.tenant, &refund_id(key)).await else { return };
        // What has ended may still be taken back; what is on its way is handed over first.
        let handed_over = self.store.hand_over(&refund, later(1)).await;
        if refund.version.state.holds_money() && !matches!(handed_over, Ok(HandedOver::Yes)) {
            return;
        }
        let Some(change) = refund.step(outcome, later(2)) else { return };
        match self.store.carry_out(&change).await {
            Err(SettleError::Missing | SettleError::Unreadable { .. }) => panic!("the books lack something"),
            Ok(Settled::Applied | Settled::Overtaken | Settled::NothingLeft)
            | Err(SettleError::Contended | SettleError::Unavailable(_)) => {}
        }
    }

    /// As settle-refund and reconcile do it, each on the payment as it finds it.
    async fn enter(&self, number: usize, amount: u64, outcome: Outcome) {
        let (reference, amount) = (text(&format!("re_{number}")), Some(eur(amount)));
        let made = Made { reference, amount, outcome, reversal: Reversal::None };
        for _ in 0..DECISIONS_MAX {
            let read = self.store.payment(&self.payment.tenant, &self.payment.id).await;
            let Ok(Some(payment)) = read else { return };
            let entered = enter(&payment, &made, later(1)).unwrap();
            match self.store.reserve(&entered).await {
                Ok(Reserved::PaymentChanged(_)) | Err(ReserveError::KeyInUse | ReserveError::Contended) => {}
                Ok(Reserved::New | Reserved::Existing(_)) | Err(ReserveError::Unavailable(_)) => return,
                Err(ReserveError::Unreadable { key, why }) => panic!("{key} {why}"),
            }
        }
    }

    /// As update-refund does it.
    async fn cancel(&self, key: &str) {
        let Ok(Some(refund)) = self.store.refund(&self.payment.tenant, &refund_id(key)).await else { return };
        let Withdrawn::Now(change) = refund.withdraw(None, later(3)) else { return };
        let settled = self.store.carry_out(&change).await;
        assert!(!matches!(settled, Err(SettleError::Missing)), "the books lack something");
    }

    async fn perform(&self, deeds: Vec<Deed>) {
        for deed in deeds {
            match deed {
                Deed::Request { key, wish, amount } => {
                    self.request(KEYS[key], &self.wish(wish, amount)).await;
                }
                Deed::Settle { key, outcome } => self.answer(KEYS[key], outcome).await,
                Deed::Cancel { key } => self.cancel(KEYS[key]).await,
                Deed::Made { number, amount, outcome } => self.enter(number, amount, outcome).await,
                Deed::Dispute { number, status, amount, second } => {
                    self.tell_of_dispute(&dispute(&format!("dp_{number}"), status, amount, second)).await;
                }
            }
        }
    }

    /// The stream must tell every state of every refund once, in order and only by permitted steps.
    fn check_announcements(&self) {
        let event = self.table.stream_event();
        let mut changes: HashMap<RefundId, BTreeMap<u32, Refund>> = HashMap::new();
        for record in event["Records"].as_array().unwrap() {
            let image = record["dynamodb"]["NewImage"].as_object().unwrap();
            let Shown::Refund(refund) = TableImages.shown(image).unwrap() else { continue };
            let of_refund = changes.entry(refund.id.clone()).or_default();
            let before = of_refund.insert(refund.version.sequence, (*refund).clone());
            assert!(
                before.is_none_or(|before| before.version.state == refund.version.state),
                "one number, one state"
            );
        }
        for states in changes.values() {
            let numbers: Vec<u32> = states.keys().copied().collect();
            let complete = (1..).take(states.len()).collect::<Vec<u32>>();
            assert_eq!(numbers, complete, "no change is missing");
            // What gave its money back changes only if it takes it again.
            let ends = |refund: &Refund| matches!(refund.version.state, State::Failed(_) | State::Cancelled);
            let pairs = states.values().zip(states.values().skip(1));
            let changes_after_an_end = pairs.filter(|(before, _)| ends(before));
            for (_, after) in changes_after_an_end {
                assert_eq!(after.version.state, State::Succeeded, "nothing else follows an end");
            }
            let cancelled = states.values().filter(|refund| refund.version.state == State::Cancelled);
            assert!(
                cancelled.clone().all(|refund| refund.handed_over_at.is_none()),
                "the money may be moving"
            );
        }
    }
}

/// So many requests at the same moment, each decided on the payment as it was before any of them.
async fn at_once(bench: &Bench, wishes: impl IntoIterator<Item = (&str, Wanted)>) -> usize {
    let decided = wishes.into_iter().map(|(key, wish)| decided(&bench.payment, &wish, key));
    let decided: Vec<Reservation> = decided.collect();
    let reserved = join_all(decided.iter().map(|granted| bench.reserve(granted))).await;
    bench.check_books().await;
    reserved.iter().filter(|reserved| matches!(reserved, Ok(Reserved::New))).count()
}

const KINDS: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

#[test]
fn of_full_refunds_decided_at_once_one_wins_on_every_kind_of_payment() {
    paused(async {
        for (routed, lined) in KINDS {
            let bench = Bench::with(kind(routed, lined)).await;
            let wish = wanted(&bench.payment, None);
            assert_eq!(at_once(&bench, KEYS.map(|key| (key, wish.clone()))).await, 1);
            assert_eq!(bench.stored_payment().await.refundable.minor(), 0);
        }
    });
}

/// Each is less than all that is left, so nothing but the amounts' own conditions keeps them apart.
#[test]
fn partial_refunds_at_once_never_take_more_than_there_is() {
    paused(async {
        for (routed, lined) in KINDS {
            let bench = Bench::with(kind(routed, lined)).await;
            let wish = if routed {
                wanted_of(&bench.payment, 0, &[(SELLER, 1_000)])
            } else {
                wanted(&bench.payment, Some(1_300))
            };
            assert_eq!(at_once(&bench, KEYS.map(|key| (key, wish.clone()))).await, 2);
        }
    });
}

#[test]
fn one_line_is_refunded_once_however_many_want_it_at_once() {
    paused(async {
        for routed in [false, true] {
            let bench = Bench::with(kind(routed, true)).await;
            let wish = bench.wish(3, 99);
            assert_eq!(at_once(&bench, KEYS.map(|key| (key, wish.clone()))).await, 1);
            assert_eq!(bench.stored_payment().await.refundable.minor(), 3_000);
        }
    });
}

/// Two requests for all of it, one of them under each key, at the same moment.
#[test]
fn of_eight_full_refunds_at_once_one_wins() {
    paused(async {
        for (routed, lined) in KINDS {
            let bench = Bench::with(kind(routed, lined)).await;
            let wish = wanted(&bench.payment, None);
            join_all(KEYS.iter().chain(&KEYS[..2]).map(|key| bench.request(key, &wish))).await;
            let payment = bench.stored_payment().await;
            assert_eq!((payment.refunds.len(), payment.refundable.minor()), (1, 0));
            bench.check_books().await;
        }
    });
}

/// Without the condition on the refund the second would take its amount once more, under the same id.
#[test]
fn one_key_decided_at_once_holds_its_amount_once() {
    paused(async {
        for (routed, lined) in KINDS {
            let bench = Bench::with(kind(routed, lined)).await;
            let wish = bench.wish(9, 100);
            assert_eq!(at_once(&bench, [("k0", wish.clone()), ("k0", wish)]).await, 1);
            assert_eq!(bench.stored_payment().await.refundable.minor(), 3_100 - 125);
        }
    });
}

#[test]
fn twenty_requests_with_one_key_at_once_leave_one_refund() {
    paused(async {
        let bench = Bench::with(getpaid_payment()).await;
        let wish = bench.wish(9, 100);
        join_all((0..20).map(|_| bench.request("k0", &wish))).await;
        let payment = bench.stored_payment().await;
        assert_eq!((payment.refunds.len(), payment.refundable.minor()), (1, 3100 - 125));
        bench.check_books().await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn eight_at_once_lose_no_cent_no_key_and_no_announcement(
        payment in kinds(),
        deeds in prop::collection::vec(prop::collection::vec(deed(), 1..8), TASKS),
        faults in prop::collection::vec(fault(), 0..12),
    ) {
        paused(async {
            let bench = Bench::with(payment).await;
            for (operation, fault) in faults {
                bench.table.fail(operation, 1, fault);
            }
            join_all(deeds.into_iter().map(|deeds| bench.perform(deeds))).await;
            bench.table.heal();
            bench.check_books().await;
            bench.check_announcements();
        });
    }
}
