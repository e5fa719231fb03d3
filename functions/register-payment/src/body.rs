//! The body of a registration. What is omitted has a default at first, and later stays as it was.

use recoup_domain::ids::{Environment, LineId};
use recoup_domain::money::{Currency, Money};
use recoup_domain::payment::{
    CaptureStatus, Conflict, Facts, PartialRefunds, Payment, Payout, ProcessorName, Settlement, Terms,
};
use recoup_domain::text::Metadata;
use recoup_domain::time::Timestamp;
use recoup_http::fields::{Entry, Fields, Given, invalid};
use recoup_http::problem::{Code, Problem};

use crate::splits::{self, WantedProcessor, WantedRouting};

/// A registration as asked for; `None` where it says nothing.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// None where the processor tells it.
    amount: Option<Money>,
    routing: Option<WantedRouting>,
    lines: Option<Vec<(LineId, Money)>>,
    processor: Option<WantedProcessor>,
    status: Option<CaptureStatus>,
    settlement: Option<Settlement>,
    payout: Option<Payout>,
    disputed: Option<bool>,
    partial_refunds: Option<PartialRefunds>,
    /// Null takes the deadline away.
    refundable_until: Given<Timestamp>,
    metadata: Option<Metadata>,
}

/// Each name that the body may have.
pub(crate) const KNOWN: &[&str] = &[
    "currency",
    "amount",
    "routing.platform.amount",
    "routing.merchants[].account_id",
    "routing.merchants[].amount",
    "routing.merchants[].transfer",
    "invoice_details[].id",
    "invoice_details[].amount",
    "processor.name",
    "processor.reference",
    "processor.account",
    "processor.split",
    "status",
    "settlement",
    "payout",
    "disputed",
    "partial_refunds",
    "refundable_until",
    "metadata.*",
];

pub(crate) fn parse(mut fields: Fields) -> Result<Wanted, Problem> {
    let processor = fields.take("processor").map(splits::processor).transpose()?;
    let said = ["amount", "currency", "routing", "invoice_details"].iter().any(|name| fields.has(name));
    let amount = match &processor {
        Some(WantedProcessor { name: ProcessorName::Stripe, .. }) if !said => None,
        Some(_) | None => {
            let currency = fields.require("currency")?.currency()?;
            Some(positive(fields.require("amount")?, currency)?)
        }
    };
    let wanted = Wanted {
        amount,
        routing: fields
            .take("routing")
            .zip(amount)
            .map(|(entry, amount)| splits::routing(entry, amount))
            .transpose()?,
        lines: fields
            .take("invoice_details")
            .zip(amount)
            .map(|(entry, amount)| lines(entry, amount))
            .transpose()?,
        processor,
        status: one_of(&mut fields, "status", CaptureStatus::NAMES, CaptureStatus::parse)?,
        settlement: one_of(&mut fields, "settlement", Settlement::NAMES, Settlement::parse)?,
        payout: one_of(&mut fields, "payout", Payout::NAMES, Payout::parse)?,
        disputed: fields.take("disputed").map(Entry::boolean).transpose()?,
        partial_refunds: one_of(
            &mut fields,
            "partial_refunds",
            PartialRefunds::NAMES,
            PartialRefunds::parse,
        )?,
        refundable_until: match fields.take_nullable("refundable_until") {
            Given::Absent => Given::Absent,
            Given::Null => Given::Null,
            Given::Value(entry) => Given::Value(entry.read(|text| {
                Timestamp::parse(text).ok_or("must be an RFC 3339 time such as 2027-11-22T00:00:00.000Z")
            })?),
        },
        metadata: fields.take("metadata").map(Entry::metadata).transpose()?,
    };
    fields.finish()?;
    Ok(wanted)
}

impl Wanted {
    /// Who captured it. In live the processor has to be named, and the sandbox's is none there.
    pub(crate) fn first_processor(&self, environment: Environment) -> Result<WantedProcessor, Problem> {
        match (environment, &self.processor) {
            (Environment::Sandbox, Some(processor)) => Ok(processor.clone()),
            (Environment::Sandbox, None) => {
                let name = ProcessorName::Sandbox;
                Ok(WantedProcessor {
                    name,
                    reference: splits::reference(name, None)?,
                    account: None,
                    split: None,
                })
            }
            (Environment::Live, Some(processor)) if processor.name != ProcessorName::Sandbox => {
                Ok(processor.clone())
            }
            (Environment::Live, Some(_)) => {
                let what = "must name a processor that moves real money; the sandbox's does not";
                Err(invalid("processor.name", what))
            }
            (Environment::Live, None) => {
                let detail = "processor.name is required in live: it says who gives the money back.";
                Err(Problem::new(Code::MissingParameter, detail).about("processor.name"))
            }
        }
    }

    /// Whether its processor tells of charges and has to, before anything is refunded.
    pub(crate) fn needs_word(&self) -> bool {
        let is_captured = self.status.is_none_or(|status| status == CaptureStatus::Completed);
        let is_told = matches!(&self.processor, Some(processor) if processor.name == ProcessorName::Stripe);
        is_told && (is_captured || self.amount.is_none())
    }

    /// The charge, if it is one that no other payment may have.
    pub(crate) fn charge(&self) -> Option<(ProcessorName, &str)> {
        let processor = self.processor.as_ref().filter(|it| it.name != ProcessorName::Sandbox)?;
        Some((processor.name, processor.reference.as_str()))
    }

    /// What was paid, if the caller says it.
    pub(crate) fn amount(&self) -> Option<Money> {
        self.amount
    }

    /// What is fixed from now on, of an amount that was said or read, or that its processor has yet to tell.
    pub(crate) fn first_terms(
        &self,
        processor: &WantedProcessor,
        amount: Option<Money>,
        environment: Environment,
    ) -> Result<Terms, Problem> {
        if let Some(amount) = amount {
            may_be_registered(processor.name, amount)?;
        }
        let amount = amount.unwrap_or(Money::zero(Currency::UNKNOWN));
        let terms = processor.terms(self.routing.as_ref(), environment)?;
        let routing = self.routing.as_ref().map(|routing| routing.split.clone());
        Ok(Terms { amount, routing, lines: self.lines.clone().unwrap_or_default(), processor: terms })
    }

    pub(crate) fn first_facts(&self) -> Facts {
        self.later_facts(&Facts {
            status: CaptureStatus::Completed,
            settlement: Settlement::Settled,
            payout: Payout::Started,
            disputed: false,
            partial_refunds: PartialRefunds::Allowed,
            refundable_until: None,
            metadata: Metadata::default(),
        })
    }

    /// The facts as they were, with what this registration says.
    pub(crate) fn later_facts(&self, facts: &Facts) -> Facts {
        Facts {
            status: self.status.unwrap_or(facts.status),
            settlement: self.settlement.unwrap_or(facts.settlement),
            payout: self.payout.unwrap_or(facts.payout),
            disputed: self.disputed.unwrap_or(facts.disputed),
            partial_refunds: self.partial_refunds.unwrap_or(facts.partial_refunds),
            refundable_until: match self.refundable_until {
                Given::Absent => facts.refundable_until,
                Given::Null => None,
                Given::Value(until) => Some(until),
            },
            metadata: self.metadata.clone().unwrap_or_else(|| facts.metadata.clone()),
        }
    }

    /// The terms as this corrects them, which it may until the payment is captured, and as long as its processor has not
    /// confirmed them; none where it agrees with them.
    pub(crate) fn corrected_terms(&self, payment: &Payment) -> Result<Option<Terms>, Conflict> {
        let terms = payment.terms();
        let is_captured = payment.facts.status == CaptureStatus::Completed;
        let may_change = is_captured && payment.is_correctable() || payment.lacks_terms();
        if self.amount.is_some_and(|amount| amount.currency() != terms.amount.currency()) && !may_change {
            return Err(Conflict::Fixed("currency"));
        }
        if self.processor.as_ref().is_some_and(|processor| !processor.agrees_with(payment)) {
            return Err(Conflict::Fixed("processor"));
        }
        let routing = self.routing.as_ref();
        let processor = match routing.filter(|routing| !routing.agrees_with(&terms)) {
            Some(routing) => routing.corrects(&terms.processor).ok_or(Conflict::Fixed("routing"))?,
            None => terms.processor.clone(),
        };
        let said = Terms {
            amount: self.amount.unwrap_or(terms.amount),
            routing: routing.map(|routing| routing.split.clone()).or_else(|| terms.routing.clone()),
            lines: self.lines.clone().unwrap_or_else(|| terms.lines.clone()),
            processor,
        };
        let differs = [
            ("amount", said.amount != terms.amount),
            ("routing", said.routing != terms.routing || said.processor != terms.processor),
            ("invoice_details", said.lines != terms.lines),
        ];
        match differs.into_iter().find(|(_, differs)| *differs) {
            None => Ok(None),
            // What a dispute took is of the amount as it was.
            Some((fixed, _)) if !payment.is_correctable() || !payment.disputes.list.is_empty() => {
                Err(Conflict::Fixed(fixed))
            }
            Some(_) => Ok(Some(said)),
        }
    }
}

/// The payment with these terms, if they fit each other and its processor.
pub(crate) fn corrected(
    payment: &Payment,
    terms: Terms,
    facts: Facts,
    now: Timestamp,
) -> Result<Payment, Problem> {
    may_be_registered(terms.processor.name, terms.amount)?;
    let corrected = payment.corrected_to(terms, facts, now)?;
    match corrected.contradiction() {
        Some(why) => Err(invalid("amount", format_args!("cannot be corrected alone: {why}"))),
        None => Ok(corrected),
    }
}

fn may_be_registered(name: ProcessorName, amount: Money) -> Result<(), Problem> {
    let currency = amount.currency();
    if !currency.is_current() {
        let what = format!("{} is not in force; nothing new is registered in it", currency.code());
        return Err(invalid("currency", what));
    }
    let taken = recoup_processors::takes(name, amount);
    taken.map_err(|cannot| Problem::new(Code::ProcessorCannot, cannot.to_string()))
}

fn one_of<T>(
    fields: &mut Fields,
    name: &str,
    names: &[&str],
    parse: fn(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    fields.take(name).map(|entry| entry.one_of(names, parse)).transpose()
}

/// Only a part of a routing may be zero.
fn positive(entry: Entry, currency: Currency) -> Result<Money, Problem> {
    let path = entry.path().to_owned();
    entry.amount()?.positive_in(currency).map_err(|why| invalid(&path, why))
}

pub(crate) fn money(entry: Entry, currency: Currency) -> Result<Money, Problem> {
    let path = entry.path().to_owned();
    entry.amount()?.in_currency(currency).map_err(|why| invalid(&path, why))
}

fn lines(entry: Entry, amount: Money) -> Result<Vec<(LineId, Money)>, Problem> {
    let path = entry.path().to_owned();
    let mut lines: Vec<(LineId, Money)> = Vec::new();
    let mut sum = Money::zero(amount.currency());
    for entry in entry.list(Payment::LINES_MAX)? {
        let mut line = entry.object()?;
        let id: LineId = line.require("id")?.id()?;
        let part = positive(line.require("amount")?, amount.currency())?;
        line.finish()?;
        if lines.iter().any(|(other, _)| *other == id) {
            return Err(invalid(&path, format_args!("names {id} twice")));
        }
        sum = sum.plus(part).ok_or_else(|| invalid(&path, "adds up to more than the amount"))?;
        lines.push((id, part));
    }
    if !lines.is_empty() && sum != amount {
        return Err(invalid(&path, format_args!("adds up to {}, not to the amount", sum.decimal())));
    }
    Ok(lines)
}
