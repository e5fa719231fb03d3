//! The checks: each is a function from what was read to what is wrong with it.

use std::time::Duration;

use recoup_domain::audit::{Imbalance, audit};
use recoup_domain::delivery::Target;
use recoup_domain::endpoint::Endpoint;
use recoup_domain::event::Event;
use recoup_domain::ids::{EventId, PaymentId, RefundId};
use recoup_domain::money::Money;
use recoup_domain::payment::{Payment, ProcessorName};
use recoup_domain::refund::{Flag, Move, Outcome, Refund, State};
use recoup_domain::report::Mismatch;
use recoup_domain::split::Actor;
use recoup_domain::time::Timestamp;
use recoup_ports::events::Recorded;
use recoup_ports::processor::Listed;
use recoup_ports::rows::{Rows, UnreadableRow};

use crate::reader::Record;
use crate::scope::Scope;

/// A refund that is on its way for longer is named to a person, though its processor is asked again and again.
const UNSETTLED_AFTER: Duration = Duration::from_hours(14 * 24);
/// The processor whose list answers at once what otherwise takes a hundred questions.
pub(crate) const KEEPS_A_LIST: ProcessorName = ProcessorName::Stripe;

/// One thing that is not as it should be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Discrepancy<'a> {
    pub(crate) mismatch: Mismatch,
    pub(crate) refund: Option<RefundId>,
    pub(crate) payment: Option<PaymentId>,
    pub(crate) detail: String,
    pub(crate) repair: Repair<'a>,
}

/// What puts a discrepancy right.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Repair<'a> {
    /// Nothing: a person has to look.
    None,
    /// The job that was sent for within the last hour.
    AlreadySentFor,
    /// A job for this refund.
    SendFor(&'a Refund),
    /// This event in the table, with these receivers unless it was recorded meanwhile, and a delivery to each of them.
    Record(Event, Vec<Target>),
    /// A delivery of this recorded event to each of these receivers.
    Deliver(Event, Vec<Target>),
    /// This change of this refund.
    Settle(&'a Refund, Move),
    /// This payment with the disputes that it lacks, instead of that one.
    Dispute(Box<(Payment, Payment)>),
}

impl Discrepancy<'_> {
    pub(crate) fn of_refund(mismatch: Mismatch, refund: &Refund, detail: impl Into<String>) -> Self {
        let payment = Some(refund.payment_id.clone());
        Self { payment, ..Self::new(mismatch, Some(refund.id.clone()), detail) }
    }

    pub(crate) fn of_payment(mismatch: Mismatch, id: &PaymentId, detail: impl Into<String>) -> Self {
        Self { payment: Some(id.clone()), ..Self::new(mismatch, None, detail) }
    }

    /// About a refund of which at most the id is known.
    pub(crate) fn new(mismatch: Mismatch, refund: Option<RefundId>, detail: impl Into<String>) -> Self {
        Self { mismatch, refund, payment: None, detail: detail.into(), repair: Repair::None }
    }
}

pub(crate) fn unreadable_endpoint<'a>(row: &UnreadableRow) -> Discrepancy<'a> {
    let (id, why) = (&row.id, &row.why);
    let detail = format!("the item of endpoint {id} cannot be read, so no attempt to it succeeds: {why}");
    Discrepancy::new(Mismatch::Unreadable, None, detail)
}

pub(crate) fn unreadable_event<'a>(id: &EventId) -> Discrepancy<'a> {
    let detail = format!("an item of event {id} cannot be read, so it is not compared");
    Discrepancy::new(Mismatch::Unreadable, None, detail)
}

pub(crate) fn unreadable_refund<'a>(row: &UnreadableRow) -> Discrepancy<'a> {
    let detail = format!("the refund's item cannot be read: {}", row.why);
    Discrepancy::new(Mismatch::Unreadable, RefundId::try_from(row.id.as_str()).ok(), detail)
}

/// Whether a person has to look at the refund, as its flag says.
pub(crate) fn flag(refund: &Refund) -> Option<Discrepancy<'_>> {
    let (mismatch, detail) = match refund.flag? {
        Flag::SucceededAfterFailure => {
            let detail = "the processor says that it succeeded after it had failed, and its money is not there any more";
            (Mismatch::SucceededAfterFailure, detail.to_owned())
        }
        Flag::AmountDiffers => {
            let theirs = refund.processor_amount.map(in_words).unwrap_or_default();
            let detail = format!("its processor has refunded {theirs}, not {}", in_words(refund.amount));
            (Mismatch::OutcomeDiffers, detail)
        }
        Flag::ExceedsRefundable => {
            let excess = refund.origin.excess().map(Money::decimal).unwrap_or_default();
            let amount = in_words(refund.amount);
            let detail = format!("made at the processor: {excess} of its {amount} were no longer refundable");
            (Mismatch::ExceedsRefundable, detail)
        }
    };
    Some(Discrepancy::of_refund(mismatch, refund, detail))
}

fn in_words(money: Money) -> String {
    format!("{} {}", money.decimal(), money.currency().code())
}

/// Whether the refund is on its way and has a job, or waits for one that is not due.
pub(crate) fn is_waiting(refund: &Refund, scope: &Scope) -> bool {
    refund.version.state.holds_money() && lost_job(refund, scope).is_none()
}

/// Whether a refund on its way, or one whose parts are still to be taken, has a job; if not, one is sent for.
pub(crate) fn job<'a>(refund: &'a Refund, scope: &Scope) -> Option<Discrepancy<'a>> {
    if !refund.version.state.holds_money() && !refund.has_open_parts() {
        return None;
    }
    let state = refund.version.state.as_str();
    if let Some((mismatch, what, since)) = lost_job(refund, scope) {
        let detail = format!("{state}: {what} {}", since.rfc3339());
        let is_sent_for = refund.wait.and_then(|wait| wait.woken_at).is_some_and(|at| at > scope.until);
        let repair = if is_sent_for { Repair::AlreadySentFor } else { Repair::SendFor(refund) };
        return Some(Discrepancy { repair, ..Discrepancy::of_refund(mismatch, refund, detail) });
    }
    let is_old = scope.started.since(refund.created_at) > UNSETTLED_AFTER;
    (is_old && refund.version.state.holds_money()).then(|| {
        let asked = refund.turn.saturating_sub(refund.postponed);
        let detail = format!("{state} since {}, asked about {asked} times", refund.created_at.rfc3339());
        Discrepancy::of_refund(Mismatch::Unsettled, refund, detail)
    })
}

/// What is wrong with a refund's job, and since when. When it was last sent for does not matter: release-due sends for
/// what is overdue every hour, and a refund whose every job comes to nothing is stuck all the same.
fn lost_job(refund: &Refund, scope: &Scope) -> Option<(Mismatch, &'static str, Timestamp)> {
    let (mismatch, what, since) = match refund.wait {
        None => {
            let since = refund.handed_over_at.unwrap_or(refund.created_at).max(refund.version.updated_at);
            (Mismatch::JobMissing, "no job has come to anything since", since)
        }
        Some(wait) => (Mismatch::JobOverdue, "its next question was due at", wait.at),
    };
    (since <= scope.until).then_some((mismatch, what, since))
}

/// Whether everybody who was to hear of a change was sent it.
///
/// An event's item names its receivers, so a lost message is a receiver without an attempt. A change without an item was
/// lost before receivers were chosen: it is announced from what the refund kept of it.
pub(crate) fn event<'a>(
    refund: &Refund,
    id: &EventId,
    record: Record,
    endpoints: &Rows<Endpoint>,
) -> Option<Discrepancy<'a>> {
    let (what, repair) = match record {
        Record::NothingToDo => return None,
        Record::Found(recorded) if recorded.untried().next().is_none() => return None,
        Record::Found(recorded) => {
            let untried: Vec<Target> = recorded.untried().cloned().collect();
            (untold(&recorded.event, untried.len()), Repair::Deliver(recorded.event, untried))
        }
        Record::Missing => match refund.event(id) {
            None => ("a change whose state was not kept, was not announced at all".to_owned(), Repair::None),
            Some(event) => {
                let what = format!("{}, was not announced at all", event.r#type.as_str());
                let was_there = |endpoint: &Endpoint| endpoint.created_at <= event.at();
                let listens = |endpoint: &Endpoint| endpoint.receives(event.r#type) && was_there(endpoint);
                let receivers = endpoints.receivers(listens, refund.notes.webhook_url.is_some());
                (what, Repair::Record(event, receivers))
            }
        },
    };
    let detail = format!("{id} of {}, {what}", id.time().rfc3339());
    Some(Discrepancy { repair, ..Discrepancy::of_refund(Mismatch::EventMissing, refund, detail) })
}

/// An event that says of a refund what its history does not. Nothing of it is sent.
pub(crate) fn astray_event<'a>(refund: &Refund, id: &EventId) -> Discrepancy<'a> {
    let detail = format!("the refund's history does not bear out its recorded event {id}, which is not sent");
    Discrepancy::of_refund(Mismatch::EventAstray, refund, detail)
}

fn untold(event: &Event, receivers: usize) -> String {
    format!("{}, was not announced to {receivers} receivers", event.r#type.as_str())
}

/// An event about an endpoint, of which some receivers were not sent.
pub(crate) fn endpoint_event<'a>(recorded: &Recorded) -> Discrepancy<'a> {
    let (event, untried) = (&recorded.event, recorded.untried().cloned().collect::<Vec<Target>>());
    let detail = format!("{} of {}, {}", event.id, event.at().rfc3339(), untold(event, untried.len()));
    let repair = Repair::Deliver(event.clone(), untried);
    Discrepancy { repair, ..Discrepancy::new(Mismatch::EventMissing, None, detail) }
}

/// Whether a refund ended long enough ago to ask its processor about it, and not too long.
pub(crate) fn asks_processor(refund: &Refund, scope: &Scope) -> bool {
    let ended_at = refund.version.updated_at;
    let is_recent = refund.processor.name == ProcessorName::Sandbox || ended_at >= scope.ask_from;
    let has_ended = matches!(refund.version.state, State::Succeeded | State::Failed(_));
    let is_known_there = refund.origin.external().is_none();
    has_ended && is_known_there && is_recent && ended_at <= scope.until
}

/// Whether the processor says that the refund ended in another way. It knows best: the refund goes to where it says.
pub(crate) fn outcome(refund: &Refund, outcome: Outcome, now: Timestamp) -> Option<Discrepancy<'_>> {
    if !refund.contradicts(&outcome) {
        return None;
    }
    let change = refund.step(outcome, now)?;
    let theirs = change.to().version.state.as_str();
    let detail = format!("here it has {}, at its processor {theirs}", refund.version.state.as_str());
    let repair = Repair::Settle(refund, change);
    Some(Discrepancy { repair, ..Discrepancy::of_refund(Mismatch::OutcomeDiffers, refund, detail) })
}

/// A refund that is not in its processor's list.
pub(crate) fn unlisted(refund: &Refund) -> Option<Discrepancy<'_>> {
    let detail = format!("{} does not list it, though it said that it had succeeded", KEEPS_A_LIST.as_str());
    (refund.version.state == State::Succeeded)
        .then(|| Discrepancy::of_refund(Mismatch::MissingAtProcessor, refund, detail))
}

/// A refund of ours that only its processor has.
pub(crate) fn unknown<'a>(id: &RefundId) -> Discrepancy<'a> {
    let detail = format!("{} has made a refund of ours that we do not have", KEEPS_A_LIST.as_str());
    Discrepancy::new(Mismatch::UnknownHere, Some(id.clone()), detail)
}

/// What only a person can put right between a refund and its entries in the processor's list.
pub(crate) fn listed<'a>(refund: &Refund, entries: &[Listed]) -> Option<Discrepancy<'a>> {
    let name = KEEPS_A_LIST.as_str();
    let found = |mismatch, detail: String| Some(Discrepancy::of_refund(mismatch, refund, detail));
    let count = entries.iter().filter(|entry| has_moved(entry)).count();
    if count > 1 {
        return found(Mismatch::TwiceAtProcessor, format!("{name} lists {count} refunds under its id"));
    }
    let amount = decisive(entries)?.amount.filter(|amount| *amount != refund.amount)?;
    let detail = format!("{name} refunded {}, not {}", amount.decimal(), refund.amount.decimal());
    found(Mismatch::OutcomeDiffers, detail)
}

/// Whether the list says that a refund ended in another way. The list is minutes old, so the processor is asked before
/// anything is put right. A refund on its way has its own questions.
pub(crate) fn list_contradicts(refund: &Refund, entries: &[Listed], scope: &Scope) -> bool {
    let is_judged = refund.version.updated_at <= scope.until;
    is_judged && decisive(entries).is_some_and(|entry| refund.contradicts(&entry.outcome))
}

fn decisive(entries: &[Listed]) -> Option<&Listed> {
    entries.iter().find(|entry| has_moved(entry)).or(entries.first())
}

fn has_moved(entry: &Listed) -> bool {
    !matches!(entry.outcome, Outcome::Failed(_))
}

/// Everything that does not add up between a payment and its refunds. Nothing is put right by itself: somebody wrote
/// behind the conditions, and only a person can know what is true.
pub(crate) fn books<'a>(payment: &Payment, refunds: &[Refund]) -> Vec<Discrepancy<'a>> {
    let described = |imbalance| match imbalance {
        Imbalance::Amount { actor, amount, refundable, charged_back, held, refunded } => {
            let whose = match &actor {
                None => "in total".to_owned(),
                Some(Actor::Platform) => "of the platform".to_owned(),
                Some(Actor::Merchant(id)) => format!("of {id}"),
            };
            let figure = |money: Option<Money>| money.map_or("too much".to_owned(), Money::decimal);
            let (held, refunded, refundable) = (figure(held), figure(refunded), refundable.decimal());
            let (amount, currency) = (amount.decimal(), amount.currency().code());
            // The sentence of payments that no dispute took anything of stays what it was.
            let taken = charged_back.is_none_or(|taken| !taken.is_zero());
            let charged_back =
                if taken { format!(" + {} charged back", figure(charged_back)) } else { String::new() };
            let detail = format!(
                "{whose}: {amount} {currency} is not {refundable} refundable + {held} held + {refunded} refunded{charged_back}"
            );
            Discrepancy::of_payment(Mismatch::AmountAstray, &payment.id, detail)
        }
        Imbalance::Contradiction(why) => Discrepancy::of_payment(Mismatch::AmountAstray, &payment.id, why),
        Imbalance::Refund(refund) => {
            let detail = "the payment names a refund that does not exist or is not its own";
            let found = Discrepancy::of_payment(Mismatch::RefundAstray, &payment.id, detail);
            Discrepancy { refund: Some(refund), ..found }
        }
        Imbalance::Line(line) => {
            let detail = format!("what line {line} has left and what refunds take of it are not its amount");
            Discrepancy::of_payment(Mismatch::LineAstray, &payment.id, detail)
        }
    };
    audit(payment, refunds).into_iter().map(described).collect()
}
