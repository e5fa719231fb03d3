//! Random payments, wishes and answers, weighted so that something interesting happens.

use proptest::prelude::*;
use recoup_domain::decide::{Identity, Refusal, Reservation, decide};
use recoup_domain::ids::RefundId;
use recoup_domain::money::{Money, WrittenAmount};
use recoup_domain::payment::{
    CaptureStatus, Facts, PartialRefunds, Payment, Payout, Processor, Settlement, Terms,
};
use recoup_domain::recovery::{Shape, SplitTerms};
use recoup_domain::refund::{BankReference, BankReferenceKind, External, Notes, Outcome};
use recoup_domain::split::{MerchantPart, Split};
use recoup_domain::text::Metadata;
use recoup_domain::wanted::{Wanted, WantedLine, WantedPart, WantedParts, WantedRouting};
use recoup_testing::fixtures::{
    self, actor_id, eur, external, facts, later, line_id, now, registered, terms, text,
};

/// Cuts an amount at random places into so many parts, some of them empty.
fn parts(amount: u64, cuts: &[prop::sample::Index]) -> Vec<u64> {
    let mut places: Vec<u64> = cuts.iter().map(|cut| cut.index(amount as usize + 1) as u64).collect();
    places.sort_unstable();
    places.push(amount);
    let mut from = 0;
    places.into_iter().map(|to| to - std::mem::replace(&mut from, to)).collect()
}

fn cuts(most: usize) -> impl Strategy<Value = Option<Vec<prop::sample::Index>>> {
    prop::option::weighted(0.7, prop::collection::vec(any::<prop::sample::Index>(), 0..=most))
}

/// A payment that may be refunded in any way: routed or not, with lines or without.
pub(crate) fn payment() -> impl Strategy<Value = Payment> {
    (1_u64..=9_999, cuts(4), cuts(4)).prop_map(|(amount, actors, lines)| {
        let routing = actors.map(|cuts| {
            let parts = parts(amount, &cuts);
            let merchants = parts.iter().skip(1).enumerate().map(|(index, part)| MerchantPart {
                account: actor_id(&format!("acc_{index}")),
                amount: eur(*part),
            });
            Split::new(eur(parts[0]), merchants.collect()).unwrap()
        });
        let lines = lines.map(|cuts| parts(amount, &cuts)).unwrap_or_default();
        let lines = lines.iter().enumerate().map(|(index, part)| (line_id(&format!("l{index}")), eur(*part)));
        let terms = Terms { routing, lines: lines.collect(), ..terms(amount) };
        registered("pay_1", Terms { processor: processor(&terms), ..terms })
    })
}

/// One merchant is paid by the charge itself, several by transfers of their own.
fn processor(terms: &Terms) -> Processor {
    let merchants = terms.routing.as_ref().map(|split| split.merchants().len());
    let shape = merchants.map(|merchants| if merchants == 1 { Shape::Destination } else { Shape::Apart });
    let split = shape.map(|shape| SplitTerms { shape, transfers: Vec::new() });
    Processor { split, ..terms.processor.clone() }
}

/// Facts that forbid or allow.
pub(crate) fn any_facts() -> impl Strategy<Value = Facts> {
    (
        prop_oneof![3 => Just(CaptureStatus::Completed), 1 => Just(CaptureStatus::Processing)],
        prop::sample::select(vec![Settlement::Unsettled, Settlement::Settled]),
        prop::sample::select(vec![Payout::NotStarted, Payout::Started]),
        prop::bool::weighted(0.1),
        prop::sample::select(vec![
            PartialRefunds::Allowed,
            PartialRefunds::FullOnly,
            PartialRefunds::AfterPayout,
        ]),
        prop::option::weighted(0.3, 0_u64..2_000_000),
    )
        .prop_map(|(status, settlement, payout, disputed, partial_refunds, until)| Facts {
            status,
            settlement,
            payout,
            disputed,
            partial_refunds,
            refundable_until: until.map(later),
            ..facts()
        })
}

/// A wish that a payment turns into numbers: shares are thousandths of what is left.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    amount: Option<u64>,
    routing: Option<(u64, Vec<u64>)>,
    proportional: bool,
    lines: Vec<(usize, Option<u64>)>,
    stranger: bool,
    expected: Option<bool>,
    in_major: bool,
    external: Option<External>,
}

pub(crate) fn wish() -> impl Strategy<Value = Wish> {
    let share = || prop_oneof![Just(0), Just(1000), 1_u64..=1000, 1000_u64..=1100];
    (
        prop::option::weighted(0.6, share()),
        prop::option::weighted(0.5, (share(), prop::collection::vec(share(), 0..=4))),
        prop::bool::weighted(0.4),
        prop_oneof![
            4 => Just(Vec::new()),
            5 => prop::collection::vec((0_usize..5, prop::option::weighted(0.6, share())), 1..=3),
        ],
        prop::bool::weighted(0.03),
        prop::option::weighted(0.1, prop::bool::weighted(0.8)),
        any::<bool>(),
        prop::option::weighted(0.2, Just(external())),
    )
        .prop_map(|(amount, routing, proportional, lines, stranger, expected, in_major, external)| {
            Wish { amount, routing, proportional, lines, stranger, expected, in_major, external }
        })
}

impl Wish {
    /// What is wanted of this payment as it stands.
    pub(crate) fn of(&self, payment: &Payment) -> Wanted {
        let written = |money| self.written(money);
        let share = |of: Money, share: u64| eur((of.minor() * share).div_ceil(1000));
        let mut sum = 0;
        let routing = self.routing.as_ref().map(|(platform, merchants)| {
            let left = payment.routing.as_ref().map(|routing| routing.refundable.clone());
            let left = left.unwrap_or_else(|| Split::new(payment.refundable, Vec::new()).unwrap());
            let mut take = |of: Money, part: u64| {
                let part = share(of, part);
                sum += part.minor();
                written(part)
            };
            let platform = Some(take(left.platform(), *platform));
            let merchants = left.merchants().iter().zip(merchants);
            let mut merchants: Vec<WantedPart> = merchants
                .map(|(left, part)| WantedPart {
                    account: left.account.clone(),
                    amount: take(left.amount, *part),
                })
                .collect();
            if self.stranger {
                merchants.push(WantedPart { account: actor_id("stranger"), amount: WrittenAmount::Minor(1) });
            }
            WantedRouting::Parts(WantedParts { platform, merchants })
        });
        let amount = self.amount.map(|part| share(payment.refundable, part));
        // Mostly an amount that agrees with the routing, for else every such wish is refused.
        let amount = if routing.is_some() && sum % 8 != 7 { amount.map(|_| eur(sum)) } else { amount };
        let routing = routing.or(self.proportional.then_some(WantedRouting::Proportional));
        Wanted {
            payment_id: payment.id.clone(),
            amount: amount.map(written),
            currency: None,
            lines: self.lines.iter().map(|(line, part)| self.line(payment, *line, *part)).collect(),
            routing,
            expected_refundable: self.expected.map(|right| {
                let expected = if right { payment.refundable } else { eur(payment.refundable.minor() + 1) };
                written(expected)
            }),
            external: self.external.clone(),
            notes: Notes::default(),
            metadata: Metadata::default(),
        }
    }
}

impl Wish {
    /// A line, and a share of what it has left where the wish says how much.
    fn line(&self, payment: &Payment, line: usize, part: Option<u64>) -> WantedLine {
        let left = payment.lines.get(line).map_or(1_000, |line| line.refundable().minor());
        let amount = part.map(|part| eur((left * part).div_ceil(1000)));
        WantedLine { id: line_id(&format!("l{line}")), amount: amount.map(|amount| self.written(amount)) }
    }

    fn written(&self, money: Money) -> WrittenAmount {
        if self.in_major {
            WrittenAmount::Major(money.decimal())
        } else {
            WrittenAmount::Minor(money.minor())
        }
    }
}

/// The decision on a wish, under the id number `id`.
pub(crate) fn judge(payment: &Payment, wanted: &Wanted, id: usize) -> Result<Reservation, Refusal> {
    let id = RefundId::from_bits(id as u128);
    decide(payment, wanted, Identity { id, fingerprint: [0; 32], by: None, now: now() })
}

/// Anything a processor may say, at any time and any number of times.
pub(crate) fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        3 => Just(fixtures::succeeded_as("re_1")),
        1 => Just(Outcome::Succeeded {
            reference: text("re_1"),
            bank_reference: Some(BankReference { kind: BankReferenceKind::Arn, value: None }),
        }),
        2 => Just(fixtures::failed()),
        1 => Just(Outcome::Pending),
        1 => Just(Outcome::PendingFunds),
        1 => (1_u64..100).prop_map(|amount| Outcome::Differs { reference: text("re_1"), amount: eur(amount) }),
        1 => Just(Outcome::Unknown),
        1 => Just(Outcome::Busy { retry_after: None }),
        1 => Just(Outcome::NotConfigured),
    ]
}
