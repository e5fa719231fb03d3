//! The body of a registration. What is omitted has a default at first, and later stays as it was.

use lambda_http::Request;
use recoup_domain::ids::{ActorId, Environment, LineId};
use recoup_domain::money::{Currency, Money};
use recoup_domain::payment::{
    CaptureStatus, Conflict, Facts, PartialRefunds, Payment, Payout, Processor, ProcessorName, Settlement,
    Terms,
};
use recoup_domain::split::{MerchantPart, Split};
use recoup_domain::text::{Metadata, Text};
use recoup_domain::time::Timestamp;
use recoup_http::fields::{Entry, Fields, Given, invalid};
use recoup_http::problem::{Code, Problem};
use recoup_http::request;
use recoup_processors::BadReference;

/// A registration as asked for; `None` where it says nothing.
#[derive(Debug)]
pub(crate) struct Wanted {
    amount: Money,
    routing: Option<Split>,
    lines: Option<Vec<(LineId, Money)>>,
    processor: Option<Processor>,
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
const KNOWN: &[&str] = &[
    "currency",
    "amount",
    "routing.platform.amount",
    "routing.merchants[].account_id",
    "routing.merchants[].amount",
    "invoice_details[].id",
    "invoice_details[].amount",
    "processor.name",
    "processor.reference",
    "status",
    "settlement",
    "payout",
    "disputed",
    "partial_refunds",
    "refundable_until",
    "metadata.*",
];

pub(crate) fn parse(request: &Request) -> Result<Wanted, Problem> {
    let mut fields = request::body(request, KNOWN)?;
    let currency = fields.require("currency")?.currency()?;
    let amount = positive(fields.require("amount")?, currency)?;
    let wanted = Wanted {
        amount,
        routing: fields.take("routing").map(|entry| routing(entry, amount)).transpose()?,
        lines: fields.take("invoice_details").map(|entry| lines(entry, amount)).transpose()?,
        processor: fields.take("processor").map(processor).transpose()?,
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
    /// What is fixed from now on. In live the processor has to be named, and the sandbox's is none there.
    pub(crate) fn first_terms(&self, environment: Environment) -> Result<Terms, Problem> {
        let currency = self.amount.currency();
        if !currency.is_current() {
            let what = format!(
                "{} has been withdrawn from ISO 4217; nothing new is registered in it",
                currency.code()
            );
            return Err(invalid("currency", what));
        }
        let processor = match (environment, &self.processor) {
            (Environment::Sandbox, Some(processor)) => processor.clone(),
            (Environment::Sandbox, None) => {
                let name = ProcessorName::Sandbox;
                Processor { name, reference: reference(name, None)? }
            }
            (Environment::Live, Some(processor)) if processor.name != ProcessorName::Sandbox => {
                processor.clone()
            }
            (Environment::Live, Some(_)) => {
                let what = "must name a processor that moves real money; the sandbox's does not";
                return Err(invalid("processor.name", what));
            }
            (Environment::Live, None) => {
                let detail = "processor.name is required in live: it says who gives the money back.";
                return Err(Problem::new(Code::MissingParameter, detail).about("processor.name"));
            }
        };
        let taken = recoup_processors::takes(processor.name, self.amount);
        taken.map_err(|cannot| Problem::new(Code::ProcessorCannot, cannot.to_string()))?;
        Ok(Terms {
            amount: self.amount,
            routing: self.routing.clone(),
            lines: self.lines.clone().unwrap_or_default(),
            processor,
        })
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

    /// Refuses anything that was fixed otherwise.
    pub(crate) fn agrees_with(&self, payment: &Payment) -> Result<(), Conflict> {
        let terms = payment.terms();
        if self.amount.currency() != terms.amount.currency() {
            return Err(Conflict::Fixed("currency"));
        }
        if self.amount != terms.amount {
            return Err(Conflict::Fixed("amount"));
        }
        if self.routing.is_some() && self.routing != terms.routing {
            return Err(Conflict::Fixed("routing"));
        }
        if self.lines.as_ref().is_some_and(|lines| *lines != terms.lines) {
            return Err(Conflict::Fixed("invoice_details"));
        }
        if self.processor.as_ref().is_some_and(|processor| !payment.is_charge(processor)) {
            return Err(Conflict::Fixed("processor"));
        }
        Ok(())
    }
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

fn money(entry: Entry, currency: Currency) -> Result<Money, Problem> {
    let path = entry.path().to_owned();
    entry.amount()?.in_currency(currency).map_err(|why| invalid(&path, why))
}

fn routing(entry: Entry, amount: Money) -> Result<Split, Problem> {
    let path = entry.path().to_owned();
    let mut fields = entry.object()?;
    let platform = match fields.take("platform") {
        None => Money::zero(amount.currency()),
        Some(entry) => {
            let mut platform = entry.object()?;
            let part = money(platform.require("amount")?, amount.currency())?;
            platform.finish()?;
            part
        }
    };
    let mut merchants = Vec::new();
    let listed = fields.take("merchants").map(|entry| entry.list(Split::MERCHANTS_MAX)).transpose()?;
    for entry in listed.unwrap_or_default() {
        let mut merchant = entry.object()?;
        let account: ActorId = merchant.require("account_id")?.id()?;
        let part = money(merchant.require("amount")?, amount.currency())?;
        merchant.finish()?;
        merchants.push(MerchantPart { account, amount: part });
    }
    fields.finish()?;
    let split = Split::new(platform, merchants).map_err(|why| invalid(&path, why))?;
    if split.total() != amount {
        return Err(invalid(
            &path,
            format_args!("adds up to {}, not to the amount", split.total().decimal()),
        ));
    }
    Ok(split)
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

fn processor(entry: Entry) -> Result<Processor, Problem> {
    let mut fields = entry.object()?;
    let name = fields.require("name")?.one_of(ProcessorName::NAMES, ProcessorName::parse)?;
    let reference = reference(name, fields.take("reference").map(Entry::text).transpose()?)?;
    fields.finish()?;
    Ok(Processor { name, reference })
}

fn reference(name: ProcessorName, given: Option<Text<255>>) -> Result<Text<255>, Problem> {
    const PATH: &str = "processor.reference";
    recoup_processors::reference(name, given).map_err(|bad| match bad {
        BadReference::Missing => {
            Problem::new(Code::MissingParameter, format!("{PATH} is required.")).about(PATH)
        }
        BadReference::Malformed(why) => invalid(PATH, why),
    })
}
