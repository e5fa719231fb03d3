//! The body of a create, parsed into domain values. No later code checks a string again.

use lambda_http::Request;
use recoup_domain::ids::PaymentId;
use recoup_domain::payment::Payment;
use recoup_domain::refund::{External, Notes};
use recoup_domain::split::Split;
use recoup_domain::wanted::{Wanted, WantedLine, WantedPart, WantedParts, WantedRouting};
use recoup_http::fields::{Entry, Fields, invalid};
use recoup_http::payment::not_found;
use recoup_http::problem::{Code, Problem};
use recoup_http::request;
use recoup_http::webhook::target_url;
use recoup_ports::webhooks::Reach;

/// Each name that the body may have.
const KNOWN: &[&str] = &[
    "payment_id",
    "transaction_id",
    "amount",
    "currency",
    "invoice_detail_ids",
    "lines[].id",
    "lines[].amount",
    "routing.split",
    "routing.platform.amount",
    "routing.merchants[].id",
    "routing.merchants[].account_id",
    "routing.merchants[].amount",
    "expected_refundable_amount",
    "external.method",
    "external.reference",
    "reason",
    "information",
    "description",
    "reference",
    "metadata.*",
    "urls.webhook",
];

pub(crate) fn parse(request: &Request, reach: Reach) -> Result<Wanted, Problem> {
    let mut fields = request::body(request, KNOWN)?;
    let wanted = Wanted {
        payment_id: payment_id(request, &mut fields)?,
        amount: fields.take_said("amount")?.map(Entry::amount).transpose()?,
        currency: fields.take_said("currency")?.map(Entry::currency).transpose()?,
        lines: lines(&mut fields)?,
        routing: fields.take_said("routing")?.map(routing).transpose()?,
        expected_refundable: fields
            .take_said("expected_refundable_amount")?
            .map(Entry::amount)
            .transpose()?,
        external: fields.take_said("external")?.map(external).transpose()?,
        notes: Notes {
            reason: fields.take("reason").map(Entry::text).transpose()?,
            information: fields.take("information").map(Entry::text).transpose()?,
            description: fields.take("description").map(Entry::text).transpose()?,
            reference: fields.take("reference").map(Entry::text).transpose()?,
            webhook_url: match fields.take("urls") {
                None => None,
                Some(entry) => {
                    let mut urls = entry.object()?;
                    let webhook = urls.take("webhook");
                    urls.finish()?;
                    webhook.map(|url| url.read(|text| target_url(text, reach))).transpose()?
                }
            },
        },
        metadata: fields.take("metadata").map(Entry::metadata).transpose()?.unwrap_or_default(),
    };
    fields.finish()?;
    Ok(wanted)
}

/// The payment of the path, the body, or both, which then must agree.
fn payment_id(request: &Request, fields: &mut Fields) -> Result<PaymentId, Problem> {
    let mut found: Option<PaymentId> = None;
    if let Some(id) = request::path_parameter(request, "payment_id") {
        // An invalid id cannot be a payment's, so this is a 404.
        found = Some(PaymentId::try_from(id.as_str()).map_err(|_| not_found())?);
    }
    for name in ["payment_id", "transaction_id"] {
        let Some(entry) = fields.take(name) else { continue };
        let id: PaymentId = entry.id()?;
        if found.as_ref().is_some_and(|found| *found != id) {
            return Err(invalid(name, "names another payment than the rest of the request"));
        }
        found = Some(id);
    }
    found.ok_or_else(|| {
        Problem::new(Code::MissingParameter, "payment_id (or transaction_id) is required.")
            .about("payment_id")
    })
}

/// The lines that are refunded as far as they are left, then those of which the request says how much.
fn lines(fields: &mut Fields) -> Result<Vec<WantedLine>, Problem> {
    let mut lines: Vec<WantedLine> = Vec::new();
    for name in ["invoice_detail_ids", "lines"] {
        let Some(list) = fields.take_said(name)? else { continue };
        let entries = list.list(Payment::LINES_MAX)?;
        // Taken for an absent field, a list that came out empty would refund all that is left.
        if entries.is_empty() {
            return Err(invalid(name, "must name at least one line"));
        }
        for entry in entries {
            let line = if name == "lines" {
                part_of_line(entry)?
            } else {
                WantedLine { id: entry.id()?, amount: None }
            };
            if lines.iter().any(|other| other.id == line.id) {
                return Err(invalid(name, format_args!("names {} twice", line.id)));
            }
            lines.push(line);
        }
    }
    Ok(lines)
}

fn part_of_line(entry: Entry) -> Result<WantedLine, Problem> {
    let mut fields = entry.object()?;
    let line =
        WantedLine { id: fields.require("id")?.id()?, amount: Some(fields.require("amount")?.amount()?) };
    fields.finish()?;
    Ok(line)
}

fn routing(entry: Entry) -> Result<WantedRouting, Problem> {
    let mut fields = entry.object()?;
    if let Some(split) = fields.take("split") {
        split.one_of(&["proportional"], |name| (name == "proportional").then_some(()))?;
        // Anything else in the routing would contradict it.
        fields.finish()?;
        return Ok(WantedRouting::Proportional);
    }
    let platform = match fields.take("platform") {
        None => None,
        Some(entry) => {
            let mut platform = entry.object()?;
            let amount = platform.require("amount")?.amount()?;
            platform.finish()?;
            Some(amount)
        }
    };
    let mut merchants: Vec<WantedPart> = Vec::new();
    let listed = fields.take("merchants").map(|entry| entry.list(Split::MERCHANTS_MAX)).transpose()?;
    for entry in listed.unwrap_or_default() {
        let path = entry.path().to_owned();
        let part = merchant(entry)?;
        if merchants.iter().any(|other| other.account == part.account) {
            return Err(invalid(&path, format_args!("names {} a second time", part.account)));
        }
        merchants.push(part);
    }
    fields.finish()?;
    Ok(WantedRouting::Parts(WantedParts { platform, merchants }))
}

/// How a refund was paid already.
fn external(entry: Entry) -> Result<External, Problem> {
    let mut fields = entry.object()?;
    let external = External {
        method: fields.require("method")?.text()?,
        reference: fields.take("reference").map(Entry::text).transpose()?,
    };
    fields.finish()?;
    Ok(external)
}

/// A merchant's part: `account_id` as in a payment, or its synonym `id`.
fn merchant(entry: Entry) -> Result<WantedPart, Problem> {
    let mut fields = entry.object()?;
    let synonym = fields.take("id");
    let entry = match (synonym, fields.has("account_id")) {
        (Some(entry), false) => entry,
        (Some(entry), true) => return Err(entry.invalid("is a synonym of account_id; one of them is enough")),
        (None, _) => fields.require("account_id")?,
    };
    let part = WantedPart { account: entry.id()?, amount: fields.require("amount")?.amount()? };
    fields.finish()?;
    Ok(part)
}
