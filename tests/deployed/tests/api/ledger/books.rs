//! The books: the rules as the contract tells them, sharing no code with the service.
//!
//! They do not say in which order rules are checked: a refused wish must be refused for any reason that
//! really applies. Nor do they say which of two equal remainders gets the cent.

use std::collections::BTreeSet;

use recoup_deployed_tests::Account;
use serde_json::{Value, json};

use super::random::Random;

/// The platform, under the name by which problems call it, and two merchants.
const ACTORS: [&str; 3] = ["platform", "acc_seller", "acc_supplier"];

/// How a wish says who gives.
#[derive(Clone, Debug)]
pub(crate) enum Who {
    Unsaid,
    Each([u64; 3]),
    Proportional,
}

/// What a refund is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) amount: Option<u64>,
    pub(crate) lines: Vec<usize>,
    pub(crate) who: Who,
}

impl Wish {
    pub(crate) fn body(&self, payment: &str) -> Value {
        let mut body = json!({ "payment_id": payment });
        if let Some(amount) = self.amount {
            body["amount"] = json!(amount);
        }
        if !self.lines.is_empty() {
            body["invoice_detail_ids"] = self.lines.iter().map(|line| format!("line_{line}")).collect();
        }
        match self.who {
            Who::Unsaid => {}
            Who::Each([platform, seller, supplier]) => {
                let merchant = |name: &str, amount: u64| json!({ "id": name, "amount": amount });
                body["routing"] = json!({
                    "platform": { "amount": platform },
                    "merchants": [merchant(ACTORS[1], seller), merchant(ACTORS[2], supplier)],
                });
            }
            Who::Proportional => body["routing"] = json!({ "split": "proportional" }),
        }
        body
    }
}

/// A refund that was made.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) id: String,
    pub(crate) key: String,
    pub(crate) wish: Wish,
    pub(crate) amount: u64,
    pub(crate) parts: [u64; 3],
    pub(crate) cancelled: bool,
}

/// One payment as it has to be.
pub(crate) struct Ledger {
    pub(crate) id: &'static str,
    /// Whether every refund of it fails in the end.
    pub(crate) fails: bool,
    pub(crate) routed: bool,
    pub(crate) amount: u64,
    pub(crate) left: u64,
    pub(crate) left_of: [u64; 3],
    /// Each line with whether it is taken.
    pub(crate) lines: Vec<(u64, bool)>,
    pub(crate) made: Vec<Made>,
}

impl Ledger {
    /// A payment like this one, of random amounts.
    pub(crate) fn new(id: &'static str, fails: bool, random: &mut Random) -> Self {
        let left_of = [random.up_to(300), random.up_to(3_000), random.up_to(700).saturating_add(1)];
        let amount: u64 = left_of.iter().sum();
        let first = random.up_to(amount / 2);
        let second = random.up_to(amount.saturating_sub(first) / 2);
        let rest = amount.saturating_sub(first).saturating_sub(second);
        let lines = [first, second, rest].into_iter().filter(|line| *line > 0).map(|line| (line, false));
        let routed = !random.one_in(3);
        Self { id, fails, routed, amount, left: amount, left_of, lines: lines.collect(), made: Vec::new() }
    }

    pub(crate) async fn register(&self, account: &Account) {
        let [platform, seller, supplier] = self.left_of;
        let lines = self.lines.iter().enumerate();
        let mut payment = json!({
            "amount": self.amount, "currency": "EUR",
            "invoice_details": lines
                .map(|(index, (amount, _))| json!({ "id": format!("line_{index}"), "amount": amount }))
                .collect::<Value>(),
            "processor": {
                "name": "sandbox", "reference": if self.fails { "sandbox_fail" } else { "sandbox_succeed" },
            },
        });
        if self.routed {
            payment["routing"] = json!({ "platform": { "amount": platform }, "merchants": [
                { "account_id": ACTORS[1], "amount": seller }, { "account_id": ACTORS[2], "amount": supplier },
            ]});
        }
        let answer = account.register(self.id, payment).await;
        assert_eq!(answer.status, 201, "{:?}", answer.body);
    }

    pub(crate) fn lines_sum(&self, wish: &Wish) -> Option<u64> {
        let sum = wish.lines.iter().filter_map(|line| self.lines.get(*line)).map(|(amount, _)| amount).sum();
        (!wish.lines.is_empty()).then_some(sum)
    }

    /// How much the wish means.
    pub(crate) fn amount_of(&self, wish: &Wish) -> u64 {
        let routed = match wish.who {
            Who::Each(parts) => Some(parts.iter().sum()),
            Who::Unsaid | Who::Proportional => None,
        };
        wish.amount.or(self.lines_sum(wish)).or(routed).unwrap_or(self.left)
    }

    /// Every reason for which the wish may be refused; none if it has to be granted.
    pub(crate) fn reasons_against(&self, wish: &Wish) -> BTreeSet<&'static str> {
        let amount = self.amount_of(wish);
        let takes_taken_line =
            wish.lines.iter().any(|line| self.lines.get(*line).is_none_or(|(_, taken)| *taken));
        let beyond_lines = self.lines_sum(wish).is_some_and(|sum| amount > sum);
        let (mismatch, short) = match wish.who {
            Who::Each(parts) => {
                let short = parts.iter().zip(self.left_of).any(|(part, left)| *part > left);
                (!self.routed || parts.iter().sum::<u64>() != amount, self.routed && short)
            }
            Who::Proportional => (!self.routed, false),
            Who::Unsaid => (false, false),
        };
        let unsaid = matches!(wish.who, Who::Unsaid) && self.routed && amount != self.left;
        let reasons = [
            (self.left == 0, "payment_already_refunded"),
            (takes_taken_line, "invoice_detail_already_refunded"),
            (amount > self.left || beyond_lines, "amount_exceeds_refundable"),
            (amount == 0, "invalid_parameter"),
            (mismatch, "routing_mismatch"),
            (short, "actor_amount_exceeds_refundable"),
            (unsaid, "routing_required"),
        ];
        reasons.into_iter().filter(|(applies, _)| *applies).map(|(_, code)| code).collect()
    }

    /// Whether these parts are a right answer to the wish: where it leaves a choice, what must hold of any.
    pub(crate) fn assert_parts(&self, wish: &Wish, amount: u64, parts: [u64; 3]) {
        if !self.routed {
            assert_eq!(parts, [0, 0, 0]);
            return;
        }
        assert_eq!(parts.iter().sum::<u64>(), amount, "{wish:?}");
        match wish.who {
            Who::Each(wanted) => assert_eq!(parts, wanted),
            Who::Unsaid => assert_eq!(parts, self.left_of),
            Who::Proportional => {
                let exact = self.left_of.map(|left| u128::from(left) * u128::from(amount));
                let total = u128::from(self.left);
                let pairs = exact.iter().zip(parts);
                // Each share is its exact one rounded down, or up where its remainder is among the largest.
                let up: Vec<bool> = pairs.map(|(exact, part)| u128::from(part) * total > *exact).collect();
                for ((exact, part), up) in exact.iter().zip(parts).zip(&up) {
                    assert_eq!(exact / total + u128::from(*up), u128::from(part), "{wish:?} {parts:?}");
                }
                let remainders = |wanted: bool| {
                    exact
                        .iter()
                        .zip(&up)
                        .filter(move |(_, up)| **up == wanted)
                        .map(|(exact, _)| exact % total)
                };
                assert!(remainders(true).min() >= remainders(false).max() || !up.contains(&true));
            }
        }
    }

    /// Books a refund, or takes the booking back.
    pub(crate) fn book(&mut self, made: &Made, back: bool) {
        let change = |left: &mut u64, amount: u64| {
            let changed = if back { left.checked_add(amount) } else { left.checked_sub(amount) };
            *left = changed.expect("no more than there is");
        };
        change(&mut self.left, made.amount);
        for (left, part) in self.left_of.iter_mut().zip(made.parts) {
            change(left, part);
        }
        for line in &made.wish.lines {
            self.lines[*line].1 = !back;
        }
    }

    /// A wish, often one that fits, sometimes one that does not.
    pub(crate) fn wish(&self, random: &mut Random) -> Wish {
        let amount = Some(random.up_to(self.left.saturating_add(self.left / 8)));
        let parts = self.left_of.map(|left| random.up_to(left / 2));
        let line = usize::try_from(random.up_to(2)).unwrap_or(0).min(self.lines.len().saturating_sub(1));
        let mut wish = Wish { amount: None, lines: Vec::new(), who: Who::Unsaid };
        match random.up_to(9) {
            // All that is left.
            0 if random.one_in(2) => {}
            0 | 1 => wish.amount = amount,
            2 | 3 => wish.who = Who::Each(parts),
            4 => (wish.amount, wish.who) = (amount, Who::Each(parts)),
            5 => {
                let one_too_much = self.left_of.map(|left| left.saturating_add(1));
                wish.who = Who::Each([parts[0], parts[1], one_too_much[2]]);
            }
            6 => (wish.lines, wish.who) = (vec![line], Who::Proportional),
            7 => wish.lines = vec![line],
            _ => (wish.amount, wish.who) = (amount.map(|amount| amount / 3), Who::Proportional),
        }
        // Mostly in the form that the payment takes.
        let fits = self.routed != matches!(wish.who, Who::Unsaid);
        if !fits && !random.one_in(4) {
            let all_that_is_left = wish.amount.is_none() && wish.lines.is_empty();
            wish.who = match self.routed {
                true if all_that_is_left => Who::Unsaid,
                true => Who::Proportional,
                false => Who::Unsaid,
            };
            if !self.routed && all_that_is_left {
                wish.amount = Some(parts.iter().sum());
            }
        }
        wish
    }
}

/// What a refund, a quote or a payment says of the three actors.
pub(crate) fn parts_of(answer: &Value, field: &str) -> [u64; 3] {
    let routing = &answer["routing"];
    let merchants = routing["merchants"].as_array().cloned().unwrap_or_default();
    ACTORS.map(|name| {
        let merchant = merchants.iter().find(|merchant| merchant["account_id"] == name);
        let part = if name == ACTORS[0] { Some(&routing["platform"]) } else { merchant };
        part.and_then(|part| part[field].as_u64()).unwrap_or(0)
    })
}
