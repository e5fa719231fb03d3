//! A payment whose processor's word is awaited: it is asked, and what it says is written over what was read, and no more.

use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::Duration;

use recoup_domain::money::{Currency, Money};
use recoup_domain::payment::{Facts, Payment, Processor as At, ProcessorName, Terms};
use recoup_domain::refund::{Outcome, Refund};
use recoup_domain::seal::Sealed;
use recoup_domain::verification::{Awaited, Difference, Term, Verification};
use recoup_ports::charges::{ChargeQuestion, ChargeRead};
use recoup_ports::jobs::PaymentJob;
use recoup_ports::payments::{KeepVerifications, Kept, Moved, Payments, Register, Registered};
use recoup_ports::processor::{LookedUp, Processor};
use recoup_storage::Table;
use recoup_testing::{Fault, TestTable, fixtures};

use crate::charges::{Charges, charge};
use crate::doubles::Waits;
use crate::seal_keys::KeyStore;
use crate::{Context, context, failed, message};

const NAMES: &[&str] = &["pi_1", "ch_1"];

/// Tells of charges as a test says. What comes in between happens before its first answer.
#[derive(Default)]
struct Told {
    charges: Charges,
    meanwhile: Mutex<Option<(Table, Payment)>>,
}

impl Processor for Told {
    async fn refund(&self, _: &Refund) -> Outcome {
        Outcome::Unknown
    }

    async fn look_up(&self, _: &Refund) -> LookedUp {
        LookedUp::Stands(Outcome::Unknown)
    }

    async fn read_charge(&self, _: &ChargeQuestion) -> ChargeRead {
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some((store, payment)) = meanwhile {
            assert_eq!(store.move_facts(&payment).await.unwrap(), Moved::Applied);
        }
        self.charges.answer()
    }
}

struct World {
    table: TestTable,
    context: Context<Table, Told, Waits, KeyStore>,
}

/// Half of the first minute, in which the function's clock stands.
fn at() -> recoup_domain::time::Timestamp {
    fixtures::later(5_000)
}

fn imported(id: &str, reference: &str, amount: Money) -> Payment {
    let processor = At::of(ProcessorName::Stripe, fixtures::text(reference));
    let terms = Terms { amount, routing: None, lines: Vec::new(), processor };
    let payment = fixtures::registered(id, terms).awaiting(fixtures::now(), fixtures::now());
    payment.sealed(&fixtures::seal_key())
}

/// Nothing is known of it but its charge.
fn adopted(id: &str, reference: &str) -> Payment {
    imported(id, reference, Money::zero(Currency::UNKNOWN))
}

fn job(payment: &Payment, turn: u32) -> String {
    let (tenant, payment) = (payment.tenant.clone(), payment.id.clone());
    serde_json::to_string(&PaymentJob { tenant, payment, turn }).unwrap()
}

impl World {
    async fn with(payments: &[&Payment], told: ChargeRead) -> Self {
        let table = TestTable::new();
        for payment in payments {
            assert!(matches!(table.store().register(payment).await, Ok(Registered::New)));
        }
        let context = context(&table, Told::default());
        context.processor.charges.tell(told);
        table.take_calls();
        Self { table, context }
    }

    /// The messages that come again.
    async fn works(&self, jobs: &[String]) -> Vec<String> {
        let messages = jobs.iter().enumerate().map(|(n, job)| message(&format!("m{n}"), 1, job));
        failed(&self.context, messages.collect()).await
    }

    async fn now(&self, payment: &Payment) -> Payment {
        self.table.store().payment(&payment.tenant, &payment.id).await.unwrap().unwrap()
    }

    fn asked(&self) -> u32 {
        self.context.processor.charges.take_asked()
    }
}

#[tokio::test(start_paused = true)]
async fn terms_that_are_the_charges_are_verified_once_however_often_it_comes() {
    let payment = imported("pay_1", "pi_1", fixtures::eur(5000));
    let world = World::with(&[&payment], charge(NAMES, 5000, 0)).await;
    let jobs = [job(&payment, 0), job(&payment, 0)];
    assert!(world.works(&jobs).await.is_empty());
    let verified = world.now(&payment).await;
    assert_eq!(verified.verification, Some(Verification::Verified(at())));
    assert_eq!((verified.revision, &verified.seal), (1, &payment.seal), "no term is new");
    assert_eq!(verified.claims, NAMES.iter().map(|name| fixtures::text(name)).collect::<Vec<_>>());
    world.asked();
    assert!(world.works(&jobs).await.is_empty());
    assert_eq!((world.asked(), world.now(&payment).await), (0, verified));
}

#[tokio::test(start_paused = true)]
async fn an_amount_that_is_told_is_registered_and_sealed() {
    let payment = adopted("pay_1", "pi_1");
    let world = World::with(&[&payment], charge(NAMES, 3100, 0)).await;
    assert!(world.works(&[job(&payment, 0)]).await.is_empty());
    let calls = world.table.take_calls();
    assert_eq!(calls.operations(), ["GetItem", "TransactWriteItems"]);
    let told = world.now(&payment).await;
    assert_eq!((told.amount, told.refundable, told.revision), (fixtures::eur(3100), fixtures::eur(3100), 2));
    assert_eq!(told.verification, Some(Verification::Verified(at())));
    assert_eq!(told.seal_under(&fixtures::seal_key()), Sealed::Intact);
    assert_eq!(world.context.seal_keys.asked.load(Ordering::Relaxed), 1);
    let item = world.table.item("payment").await;
    assert!(["due_pk", "due_sk", "ask_at", "rests"].iter().all(|name| !item.contains_key(*name)));
}

#[tokio::test(start_paused = true)]
async fn what_differs_is_said_and_is_not_asked_about_again() {
    let said = imported("pay_1", "pi_1", fixtures::eur(5000));
    let failure = |term, ours, theirs| Verification::Failed(at(), Difference::new(term, ours, theirs));
    for (payment, told, expected, amount) in [
        (&said, charge(NAMES, 4000, 0), failure(Term::Amount, "50.00", Some("40.00")), 5000),
        (&said, charge(NAMES, 5000, 700), failure(Term::RefundedAmount, "0.00", Some("7.00")), 5000),
        (&said, ChargeRead::NoSuchCharge, failure(Term::Reference, "pi_1", None), 5000),
        (&adopted("pay_1", "pi_1"), charge(&[], 0, 0), failure(Term::Amount, "0", None), 0),
        (
            &adopted("pay_1", "pi_1"),
            charge(NAMES, 900, 700),
            failure(Term::RefundedAmount, "0.00", Some("7.00")),
            900,
        ),
    ] {
        let world = World::with(&[payment], told).await;
        assert!(world.works(&[job(payment, 0)]).await.is_empty());
        let failed = world.now(payment).await;
        assert_eq!((failed.verification.as_ref(), failed.amount.minor()), (Some(&expected), amount));
        let wanted = fixtures::wanted(&failed, Some(100));
        assert!(recoup_domain::decide::decide(&failed, &wanted, fixtures::identity("key")).is_err());
        world.asked();
        assert!(world.works(&[job(payment, 0), job(payment, 1)]).await.is_empty());
        assert_eq!(world.asked(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn no_clear_answer_is_asked_for_again_and_each_message_is_of_one_question() {
    let payment = adopted("pay_1", "pi_1");
    for told in [ChargeRead::Unclear, ChargeRead::NotConfigured, ChargeRead::NotTold] {
        let world = World::with(&[&payment], told).await;
        let mut waits = Vec::new();
        for turn in 0..8 {
            // The second message of a question finds that the next one is due.
            assert!(world.works(&[job(&payment, turn), job(&payment, turn)]).await.is_empty());
            let Some(Verification::Awaited(Awaited { turn: next, wait })) =
                world.now(&payment).await.verification
            else {
                panic!("it is awaited")
            };
            assert_eq!((next, wait.rests), (turn + 1, wait.at.since(at()) > Duration::from_mins(15)));
            waits.push(wait.at.since(at()).as_secs());
            world.asked();
            assert!(world.works(&[job(&payment, turn)]).await.is_empty());
            assert_eq!(world.asked(), 0, "a stale message asks nobody");
        }
        assert_eq!(waits, [10, 60, 300, 900, 3_600, 14_400, 43_200, 43_200]);
        world.context.processor.charges.tell(charge(NAMES, 100, 0));
        assert!(world.works(&[job(&payment, 8)]).await.is_empty());
        assert_eq!(world.now(&payment).await.verification, Some(Verification::Verified(at())));
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_word_is_not_written_over_a_newer_one() {
    let payment = adopted("pay_1", "pi_1");
    let world = World::with(&[&payment], charge(NAMES, 3100, 0)).await;
    assert!(world.works(&[job(&payment, 0)]).await.is_empty());
    let verified = world.now(&payment).await;
    // Each as a worker has it that read the payment before.
    let again = Verification::Awaited(Awaited {
        turn: 1,
        wait: recoup_domain::waiting::Wait::of(at(), Duration::from_secs(10)),
    });
    let no_charge = Verification::Failed(at(), Difference::new(Term::Reference, "pi_1", None));
    for late in [again, no_charge] {
        let late = Payment { verification: Some(late), ..payment.clone() };
        let kept = world.table.store().keep_verification(&late, &payment).await.unwrap();
        assert_eq!(kept, Kept::Overtaken);
    }
    assert_eq!(world.now(&payment).await, verified);
    // Terms that were said, whose revision a verification does not raise.
    let said = imported("pay_2", "pi_2", fixtures::eur(100));
    let world = World::with(&[&said], charge(&["pi_2"], 100, 0)).await;
    assert!(world.works(&[job(&said, 0)]).await.is_empty());
    let late = Verification::Failed(at(), Difference::new(Term::Amount, "1.00", Some("0.00")));
    let late = Payment { verification: Some(late), ..said.clone() };
    assert_eq!(world.table.store().keep_verification(&late, &said).await.unwrap(), Kept::Overtaken);
    assert_eq!(world.now(&said).await.verification, Some(Verification::Verified(at())));
}

#[tokio::test(start_paused = true)]
async fn newer_facts_that_come_in_between_are_kept_and_so_is_the_word() {
    for payment in [adopted("pay_1", "pi_1"), imported("pay_1", "pi_1", fixtures::eur(3100))] {
        let world = World::with(&[&payment], charge(NAMES, 3100, 0)).await;
        let facts = Facts { disputed: true, ..payment.facts.clone() };
        let moved = payment.moved_to(facts, at()).unwrap().unwrap().sealed(&fixtures::seal_key());
        *world.context.processor.meanwhile.lock().unwrap() = Some((world.table.store(), moved));
        assert!(world.works(&[job(&payment, 0)]).await.is_empty());
        let told = world.now(&payment).await;
        assert_eq!(told.verification, Some(Verification::Verified(at())));
        assert_eq!((told.facts.disputed, told.amount), (true, fixtures::eur(3100)));
        assert_eq!(told.seal_under(&fixtures::seal_key()), Sealed::Intact);
        assert_eq!(world.asked(), 1, "what was said is not asked for again");
    }
}

#[tokio::test(start_paused = true)]
async fn two_imported_payments_of_one_charge_are_not_both_verified() {
    let (one, other) = (adopted("pay_1", "pi_1"), adopted("pay_2", "ch_1"));
    let world = World::with(&[&one, &other], charge(NAMES, 3100, 0)).await;
    assert!(world.works(&[job(&one, 0)]).await.is_empty());
    let failed = Difference::new(Term::Reference, "pi_1", Some("pay_2"));
    let one = world.now(&one).await;
    assert_eq!(one.verification, Some(Verification::Failed(at(), failed)));
    assert!(one.lacks_terms(), "it has no amount of a charge that is not its own");
    assert_eq!(world.now(&other).await, other);
}

#[tokio::test(start_paused = true)]
async fn bent_terms_are_not_given_a_good_seal() {
    let payment = adopted("pay_1", "pi_1");
    let bent = Payment { amount: fixtures::eur(1), ..payment.clone() };
    let bent = Payment { seal: bent.sealed(&fixtures::seal_key()).seal, ..payment };
    let world = World::with(&[&bent], charge(NAMES, 3100, 0)).await;
    assert_eq!(world.works(&[job(&bent, 0)]).await, ["m0"], "a person has to look");
    assert_eq!(world.now(&bent).await, bent);
}

#[tokio::test(start_paused = true)]
async fn a_table_or_a_key_that_does_not_answer_brings_the_message_back() {
    let payment = adopted("pay_1", "pi_1");
    let world = World::with(&[&payment], charge(NAMES, 3100, 0)).await;
    for operation in ["GetItem", "TransactWriteItems"] {
        world.table.fail(operation, 3, Fault::LoseRequest);
        assert_eq!(world.works(&[job(&payment, 0)]).await, ["m0"], "{operation}");
    }
    world.context.seal_keys.is_away.store(true, Ordering::Relaxed);
    assert_eq!(world.works(&[job(&payment, 0)]).await, ["m0"]);
    assert_eq!(world.now(&payment).await, payment);
    world.context.seal_keys.is_away.store(false, Ordering::Relaxed);
    // A write whose answer was lost was made.
    world.table.fail("TransactWriteItems", 1, Fault::LoseAnswer);
    assert!(world.works(&[job(&payment, 0)]).await.is_empty());
    assert_eq!(world.now(&payment).await.verification, Some(Verification::Verified(at())));
    assert_eq!(world.works(&[job(&adopted("no_such", "pi_9"), 0)]).await, ["m0"]);
}

#[tokio::test(start_paused = true)]
async fn a_processor_that_is_busy_for_one_account_is_asked_later() {
    let payments: Vec<Payment> = (0..40).map(|n| adopted(&format!("pay_{n}"), &format!("pi_{n}"))).collect();
    let world = World::with(&payments.iter().collect::<Vec<_>>(), ChargeRead::Unclear).await;
    let jobs: Vec<String> = payments.iter().map(|payment| job(payment, 0)).collect();
    // More than a process may ask of one account in its time.
    assert!(world.works(&jobs).await.is_empty());
    let asked = world.asked();
    assert!((20..40).contains(&asked), "{asked}");
    for payment in &payments {
        let now = world.now(payment).await.verification;
        assert!(matches!(now, Some(Verification::Awaited(Awaited { turn: 1, .. }))), "{now:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_processor_that_is_down_is_left_alone_by_payments_too() {
    let mut payment = adopted("pay_1", "pi_1");
    let world = World::with(&[&payment], charge(NAMES, 3100, 0)).await;
    let stripe = At::of(ProcessorName::Stripe, fixtures::text("ch_2"));
    let refunded =
        fixtures::registered("pay_2", Terms { processor: stripe, ..fixtures::payment("pay_2", 900).terms() });
    world.table.store().register(&refunded).await.unwrap();
    for n in 0..process_refund::SILENCES_MAX {
        let reservation =
            fixtures::decided(&refunded, &fixtures::wanted(&refunded, Some(100)), &format!("key-{n}"));
        recoup_ports::refunds::Reserve::reserve(&world.table.store(), &reservation).await.unwrap();
        assert!(world.works(&[crate::job(&reservation.refund)]).await.is_empty());
    }
    assert!(world.works(&[job(&payment, 0)]).await.is_empty());
    assert_eq!(world.asked(), 0);
    payment = world.now(&payment).await;
    assert!(matches!(payment.verification, Some(Verification::Awaited(Awaited { turn: 1, .. }))));
}
