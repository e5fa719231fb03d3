//! Random sequences of refunds, compared with books of our own after every step.
//!
//! `RECOUP_LEDGER_SEED` repeats a run that failed.

#![expect(clippy::arithmetic_side_effects, reason = "a sum that overflows here ends the test")]

mod books;
mod random;

use std::collections::BTreeSet;

use futures_util::future::join_all;
use recoup_deployed_tests::{Account, Answer, Stack};
use serde_json::json;

use self::books::{Ledger, Made, Wish, parts_of};
use self::random::Random;

const SEQUENCES: u64 = 6;
const STEPS: usize = 15;

/// A ledger and the API, side by side.
struct Run {
    account: Account,
    ledger: Ledger,
    random: Random,
    keys: u64,
}

impl Run {
    async fn step(&mut self) {
        match self.random.up_to(9) {
            0 => self.quote().await,
            1 => self.replay().await,
            2 => self.cancel_an_earlier_one().await,
            3 => self.create(true).await,
            _ => self.create(false).await,
        }
        self.compare().await;
    }

    fn assert_refused(&self, wish: &Wish, answer: &Answer, reasons: &BTreeSet<&str>) {
        assert!(reasons.contains(answer.text("code")), "{wish:?} for {reasons:?}: {:?}", answer.body);
        if answer.text("code") == "amount_exceeds_refundable" && wish.lines.is_empty() {
            assert_eq!(answer.body["refundable_amount"], self.ledger.left);
        }
    }

    async fn quote(&mut self) {
        let wish = self.ledger.wish(&mut self.random);
        let body = wish.body(self.ledger.id).to_string();
        let quote = self.account.send("POST", "/v1/refunds/quote", &[], Some(body)).await;
        let reasons = self.ledger.reasons_against(&wish);
        if !reasons.is_empty() {
            return self.assert_refused(&wish, &quote, &reasons);
        }
        let amount = self.ledger.amount_of(&wish);
        assert_eq!((quote.status, quote.body["amount"].as_u64()), (200, Some(amount)), "{wish:?} {quote:?}");
        let parts = parts_of(&quote.body, "amount");
        self.ledger.assert_parts(&wish, amount, parts);
        assert_eq!(quote.body["refundable_amount_after"], self.ledger.left - amount);
        if self.ledger.routed {
            let mut after = self.ledger.left_of;
            after.iter_mut().zip(parts).for_each(|(left, part)| *left -= part);
            assert_eq!(parts_of(&quote.body, "refundable_amount_after"), after);
        }
    }

    /// Makes a refund, and withdraws it at once if `cancel`.
    async fn create(&mut self, cancel: bool) {
        let wish = self.ledger.wish(&mut self.random);
        // A refused request leaves its key to the next one.
        let key = format!("key-{}", self.keys);
        let answer = self.account.refund(Some(&key), wish.body(self.ledger.id)).await;
        let reasons = self.ledger.reasons_against(&wish);
        if !reasons.is_empty() {
            return self.assert_refused(&wish, &answer, &reasons);
        }
        let amount = self.ledger.amount_of(&wish);
        assert_eq!(
            (answer.status, answer.body["amount"].as_u64()),
            (201, Some(amount)),
            "{wish:?} {answer:?}"
        );
        self.keys += 1;
        let parts = parts_of(&answer.body, "amount");
        self.ledger.assert_parts(&wish, amount, parts);
        let made = Made { id: answer.text("id").to_owned(), key, wish, amount, parts, cancelled: false };
        self.ledger.book(&made, false);
        self.ledger.made.push(made);
        let last = self.ledger.made.len() - 1;
        if cancel {
            self.cancel(last).await;
        }
        // Every refund of such a payment gives its money back, unless that was done by cancelling it.
        if self.ledger.fails && !self.ledger.made[last].cancelled {
            let made = self.ledger.made[last].clone();
            self.account.refund_in(&made.id, "failed").await;
            self.ledger.book(&made, true);
        }
    }

    fn earlier(&mut self) -> Option<usize> {
        let count = u64::try_from(self.ledger.made.len()).unwrap();
        (count > 0).then(|| usize::try_from(self.random.up_to(count - 1)).unwrap())
    }

    async fn replay(&mut self) {
        let Some(index) = self.earlier() else { return };
        let Made { id, key, mut wish, .. } = self.ledger.made[index].clone();
        let again = self.account.refund(Some(&key), wish.body(self.ledger.id)).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (201, "true"), "{again:?}");
        assert_eq!(again.text("id"), id);
        wish.amount = Some(wish.amount.unwrap_or(self.ledger.amount) + 1);
        let other = self.account.refund(Some(&key), wish.body(self.ledger.id)).await;
        assert_eq!((other.status, other.text("code")), (422, "idempotency_key_reused"));
    }

    async fn cancel_an_earlier_one(&mut self) {
        if let Some(index) = self.earlier() {
            self.cancel(index).await;
        }
    }

    /// Who wins, the cancel or the processor, is the service's to say; the books follow.
    async fn cancel(&mut self, index: usize) {
        let made = self.ledger.made[index].clone();
        let path = format!("/v1/refunds/{}/cancel", made.id);
        let answer = self.account.send("POST", &path, &[], None).await;
        if answer.status == 200 {
            assert_eq!(answer.text("status"), "cancelled");
            if !made.cancelled {
                self.ledger.made[index].cancelled = true;
                self.ledger.book(&made, true);
            }
        } else {
            assert_eq!((answer.status, answer.text("code")), (409, "refund_not_cancellable"));
            assert!(!made.cancelled, "{} was cancelled before", made.id);
        }
    }

    async fn compare(&self) {
        let ledger = &self.ledger;
        // Conservation, in total and for each actor, is checked where the payment is read.
        let payment = self.account.payment(ledger.id).await;
        assert_eq!(
            (&payment["amount"], &payment["refundable_amount"]),
            (&json!(ledger.amount), &json!(ledger.left))
        );
        if ledger.routed {
            assert_eq!(parts_of(&payment, "refundable_amount"), ledger.left_of);
        }
        let lines = payment["invoice_details"].as_array().unwrap();
        let taken: Vec<bool> = lines.iter().map(|line| line["refunded"].as_bool().unwrap()).collect();
        // No line gives more than the payment has.
        let nothing_left = ledger.left == 0;
        assert_eq!(taken, ledger.lines.iter().map(|(_, taken)| *taken || nothing_left).collect::<Vec<_>>());
    }

    /// When nothing is on its way any more, nothing is held, and what went back is what the books say.
    async fn compare_at_the_end(&self) {
        let ledger = &self.ledger;
        for made in &ledger.made {
            let ended = match (made.cancelled, ledger.fails) {
                (true, _) => "cancelled",
                (false, true) => "failed",
                (false, false) => "succeeded",
            };
            let refund = self.account.refund_in(&made.id, ended).await;
            assert_eq!((&refund["amount"], parts_of(&refund, "amount")), (&json!(made.amount), made.parts));
        }
        self.compare().await;
        let payment = self.account.payment(ledger.id).await;
        let refunded = ledger.amount - ledger.left;
        assert_eq!((&payment["held_amount"], &payment["refunded_amount"]), (&json!(0), &json!(refunded)));
        let status = if refunded == ledger.amount { "refunded" } else { "completed" };
        assert_eq!(payment["status"], status);
        let listed = self.account.get(&format!("/v1/payments/{}/refunds?limit=100", ledger.id)).await;
        let listed =
            listed.body["data"].as_array().unwrap().iter().map(|refund| refund["id"].as_str().unwrap());
        assert!(listed.eq(ledger.made.iter().rev().map(|made| made.id.as_str())));
    }
}

#[tokio::test]
async fn any_sequence_of_refunds_leaves_what_the_books_say() {
    let given = std::env::var("RECOUP_LEDGER_SEED").ok().and_then(|seed| seed.parse().ok());
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let seed = given.unwrap_or(u64::from(since_1970.subsec_nanos()));
    println!("RECOUP_LEDGER_SEED={seed}");
    let stack = Stack::running();
    let sequence = async |number: u64| {
        let mut random = Random(seed.wrapping_add(number));
        let ledger = Ledger::new("pay_ledger", number % 3 == 2, &mut random);
        let mut run = Run { account: stack.new_account().await, ledger, random, keys: 0 };
        run.ledger.register(&run.account).await;
        for _ in 0..STEPS {
            run.step().await;
        }
        run.compare_at_the_end().await;
    };
    join_all((0..SEQUENCES).map(sequence)).await;
}
