//! Many registrations in one call: each line is a PUT with its id, and fails alone.
//!
//! What needs a processor's word is registered without, and not refunded until `process-refund` has it: the payment's own
//! item says when it is asked for. Slots spread that over time, so that an import keeps nobody's refund waiting.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use lambda_http::Request;
use lambda_http::http::StatusCode;
use recoup_domain::ids::PaymentId;
use recoup_domain::payment::{Payment, ProcessorName};
use recoup_domain::time::Timestamp;
use recoup_http::fields::Fields;
use recoup_http::problem::{Code, Problem};
use recoup_http::request::{BODY_BYTES_MAX, Caller, plain_body};
use recoup_http::respond::Answer;
use recoup_ports::causes;
use recoup_ports::charges::ReadCharges;
use recoup_ports::limits::{SLOT, Slots};
use recoup_ports::payments::Register;
use recoup_ports::seal_keys::SealKeys;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::body::{self, Wanted};
use crate::{Asking, Context, Done, Known, payment_id, put};

/// Most lines of a call.
const LINES_MAX: usize = 500;
/// Most bytes of a call: 1 MiB.
const BYTES_MAX: usize = 1_048_576;
/// Lines whose payments are read in one call, and held at once.
const READ_AT_ONCE: usize = 100;
/// Lines that are written at once.
const WRITTEN_AT_ONCE: usize = 25;
/// No line is begun later than this, so that the answer comes in the function's time.
const LATEST_START: Duration = Duration::from_secs(12);

/// A line, as far as it can be read.
struct Line {
    number: usize,
    /// As it was sent, for the answer.
    id: Option<String>,
    read: Result<(PaymentId, Wanted), Problem>,
}

/// What came of a line.
#[derive(Serialize)]
struct LineView {
    line: usize,
    payment_id: Option<String>,
    outcome: &'static str,
    problem: Option<Map<String, Value>>,
}

#[derive(Serialize)]
struct ImportView {
    object: &'static str,
    created: usize,
    updated: usize,
    unchanged: usize,
    refused: usize,
    lines: Vec<LineView>,
}

/// `POST /v1/payments/import`.
pub(crate) async fn import<S: Register + Sync, K: SealKeys, C: ReadCharges, L: Slots>(
    context: &Context<S, K, C, L>,
    caller: &Caller,
    request: &Request,
) -> Result<Answer, Problem> {
    let lines = lines(request)?;
    let started = (context.now)();
    let (mut views, mut seen) = (Vec::with_capacity(lines.len()), Seen::default());
    for some in lines.chunks(READ_AT_ONCE) {
        views.extend(import_some(context, caller, started, (some, &mut seen)).await?);
    }
    views.sort_by_key(|view| view.line);
    let count = |outcome: &str| views.iter().filter(|view| view.outcome == outcome).count();
    let view = ImportView {
        object: "payment_import",
        created: count("created"),
        updated: count("updated"),
        unchanged: count("unchanged"),
        refused: count("refused"),
        lines: views,
    };
    let ImportView { created, updated, unchanged, refused, .. } = view;
    tracing::info!(
        lines.created = created,
        lines.updated = updated,
        lines.unchanged = unchanged,
        lines.refused = refused,
        "payments imported"
    );
    Answer::new(StatusCode::OK, &view)
}

/// The lines that are not blank, with their numbers in the body.
fn lines(request: &Request) -> Result<Vec<Line>, Problem> {
    let bytes = plain_body(request, BYTES_MAX, "application/x-ndjson")?;
    let Some(bytes) = bytes else { return Err(Problem::new(Code::InvalidJson, "The body has no line.")) };
    let lines = bytes.split(|byte| *byte == b'\n').zip(1..);
    let lines: Vec<_> = lines.filter(|(line, _)| !line.iter().all(u8::is_ascii_whitespace)).collect();
    if lines.len() > LINES_MAX {
        let detail = format!("The body has {} lines; {LINES_MAX} is the most.", lines.len());
        return Err(Problem::new(Code::BodyTooLarge, detail));
    }
    Ok(lines.into_iter().map(|(line, number)| Line::read(line, number)).collect())
}

impl Line {
    fn read(line: &[u8], number: usize) -> Self {
        let mut id = None;
        let read = read(line, &mut id);
        Self { number, id, read }
    }

    /// Whether a line before this one is about the same payment or the same charge.
    fn follows<'lines>(&'lines self, seen: &mut Seen<'lines>) -> bool {
        let Ok((id, wanted)) = &self.read else { return false };
        let is_new = seen.payments.insert(id);
        let charge = wanted.charge();
        !charge.is_none_or(|charge| seen.charges.insert(charge)) || !is_new
    }

    fn view(&self, outcome: Result<Done, Problem>) -> LineView {
        let (outcome, problem) = match outcome {
            Ok(Done::Created) => ("created", None),
            Ok(Done::Updated) => ("updated", None),
            Ok(Done::Unchanged) => ("unchanged", None),
            Err(problem) => ("refused", Some(problem.as_part())),
        };
        LineView { line: self.number, payment_id: self.id.clone(), outcome, problem }
    }
}

fn read(line: &[u8], sent: &mut Option<String>) -> Result<(PaymentId, Wanted), Problem> {
    if line.len() > BODY_BYTES_MAX {
        let detail = format!("The line has more than {BODY_BYTES_MAX} bytes.");
        return Err(Problem::new(Code::BodyTooLarge, detail));
    }
    let known: Vec<&str> = body::KNOWN.iter().copied().chain(["id"]).collect();
    let mut fields = Fields::parse(line, &known)?;
    let (text, param) = fields.require("id")?.string()?;
    let id = payment_id(&param, &text)?;
    *sent = Some(text);
    Ok((id, body::parse(fields)?))
}

/// The payments and charges of the lines before.
#[derive(Default)]
struct Seen<'lines> {
    payments: HashSet<&'lines PaymentId>,
    charges: HashSet<(ProcessorName, &'lines str)>,
}

/// These lines: those of different payments and charges side by side; what is about the same as a line before comes after
/// all of them, in order, as if each were a call of its own.
async fn import_some<'lines, S: Register + Sync, K: SealKeys, C: ReadCharges, L: Slots>(
    context: &Context<S, K, C, L>,
    caller: &Caller,
    started: Timestamp,
    (lines, seen): (&'lines [Line], &mut Seen<'lines>),
) -> Result<Vec<LineView>, Problem> {
    let ids: HashSet<PaymentId> =
        lines.iter().filter_map(|line| Some(line.read.as_ref().ok()?.0.clone())).collect();
    let found = context.store.payments(&caller.tenant, &ids.into_iter().collect::<Vec<_>>()).await?;
    // One that cannot be read is no other line's trouble: its own line reads it again.
    let all_are_readable = found.unreadable.is_empty();
    let mut known: HashMap<PaymentId, Payment> =
        found.read.into_iter().map(|payment| (payment.id.clone(), payment)).collect();
    let asks = |line: &Line| match &line.read {
        Ok((id, wanted)) => wanted.needs_word() && !known.contains_key(id),
        Err(_) => false,
    };
    let count = lines.iter().filter(|line| asks(line)).count();
    let mut slot = first_slot(context, caller, count).await;
    let (mut first, mut later) = (Vec::new(), Vec::new());
    for line in lines {
        let at = slot;
        if asks(line) {
            slot = slot.plus(SLOT);
        }
        if line.follows(seen) { later.push((line, at)) } else { first.push((line, at)) }
    }
    let first: Vec<_> = first
        .into_iter()
        .map(|(line, at)| {
            let found = line.read.as_ref().ok().and_then(|(id, _)| known.remove(id));
            let known = match found {
                Some(payment) => Known::Stands(Box::new(payment)),
                None if all_are_readable => Known::Absent,
                None => Known::Unread,
            };
            // On the heap, for there are many.
            Box::pin(import_one(context, caller, started, (line, known), at))
        })
        .collect();
    let mut views: Vec<LineView> = stream::iter(first).buffer_unordered(WRITTEN_AT_ONCE).collect().await;
    for (line, at) in later {
        views.push(Box::pin(import_one(context, caller, started, (line, Known::Unread), at)).await);
    }
    Ok(views)
}

async fn import_one<S: Register + Sync, K: SealKeys, C: ReadCharges, L: Slots>(
    context: &Context<S, K, C, L>,
    caller: &Caller,
    started: Timestamp,
    (line, known): (&Line, Known),
    at: Timestamp,
) -> LineView {
    let (id, wanted) = match &line.read {
        Ok(read) => read,
        Err(problem) => return line.view(Err(problem.clone())),
    };
    if (context.now)().since(started) > LATEST_START {
        let detail = "There was no time for this line. It may be sent again.";
        return line.view(Err(Problem::new(Code::Unavailable, detail)));
    }
    let done = put(context, caller, (id, known), wanted, Asking::Behind(at)).await;
    line.view(done.map(|(done, _)| done))
}

/// When the first of so many questions is due. If nobody says, none of them waits: the processor's own rate is left.
async fn first_slot<S, K, C, L: Slots>(
    context: &Context<S, K, C, L>,
    caller: &Caller,
    count: usize,
) -> Timestamp {
    let now = (context.now)();
    let Some(count) = u32::try_from(count).ok().filter(|count| *count > 0) else { return now };
    context.slots.take_slots(&caller.tenant, count, now).await.unwrap_or_else(|error| {
        tracing::error!(error = causes(&error), "the questions of an import are not spread");
        now
    })
}
