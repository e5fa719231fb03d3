//! Records a payment, or moves its facts forward. What has been fixed and what has been refunded stays.

mod body;
mod import;
mod splits;
mod verify;

use std::time::Duration;

use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, Response};
use recoup_domain::api_key::Scope;
use recoup_domain::ids::PaymentId;
use recoup_domain::payment::{CaptureStatus, Payment, Processor, ProcessorName};
use recoup_domain::seal::Sealed;
use recoup_domain::time::Timestamp;
use recoup_http::fields::invalid;
use recoup_http::payment::show;
use recoup_http::problem::{Code, Problem};
use recoup_http::request::{self, Caller, routed_parameter};
use recoup_http::respond::{Answer, internal, respond_within};
use recoup_http::route::Registering;
use recoup_ports::charges::{ChargeQuestion, ChargeRead, ReadCharges};
use recoup_ports::limits::Slots;
use recoup_ports::payments::{Moved, Register, Registered};
use recoup_ports::refunds::Refunds;
use recoup_ports::seal_keys::SealKeys;
use recoup_views::{Acknowledgement, PublicUrl};

use body::Wanted;

/// How often newer facts are tried again because others were written meanwhile.
const TRIES_MAX: usize = 5;

/// Longest work on one request: a second less than the function's time in `template.yaml`.
const WORK_MAX: Duration = Duration::from_secs(19);

/// What the function needs.
pub struct Context<S, K, C, L> {
    /// Where payments lie.
    pub store: S,
    /// The key that seals them.
    pub seal_keys: K,
    /// Who reads charges at processors.
    pub charges: C,
    /// Who spreads the questions that imports bring.
    pub slots: L,
    /// The API's own address.
    pub public_url: PublicUrl,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// `PUT /v1/payments/{payment_id}`, and `POST /v1/payments/import`.
pub async fn handle<S, K, C, L>(context: &Context<S, K, C, L>, request: Request) -> Response<Body>
where
    S: Register + Refunds + Sync,
    K: SealKeys,
    C: ReadCharges,
    L: Slots,
{
    // On the heap: what may be written, a payment or a transaction with its claims, is large.
    respond_within(WORK_MAX, &request, Box::pin(route(context, &request))).await
}

async fn route<S: Register + Refunds + Sync, K: SealKeys, C: ReadCharges, L: Slots>(
    context: &Context<S, K, C, L>,
    request: &Request,
) -> Result<Answer, Problem> {
    let route = Registering::of(request)?;
    let caller = Caller::with_scope(request, Scope::PaymentsWrite)?;
    match route {
        Registering::Payment => register(context, &caller, request).await,
        Registering::Import => import::import(context, &caller, request).await,
    }
}

async fn register<S: Register + Refunds + Sync, K: SealKeys, C: ReadCharges, L>(
    context: &Context<S, K, C, L>,
    caller: &Caller,
    request: &Request,
) -> Result<Answer, Problem> {
    let id = payment_id("payment_id", &routed_parameter(request, "payment_id")?)?;
    let wanted = body::parse(request::body(request, body::KNOWN)?)?;
    match put(context, caller, (&id, Known::Unread), &wanted, Asking::Now).await? {
        // What the caller said is no secret to it; what the processor said is.
        (Done::Created, new) if wanted.amount().is_some() => shown(context, StatusCode::CREATED, &new).await,
        (Done::Created, new) => answer(context, caller, StatusCode::CREATED, &new).await,
        (Done::Updated | Done::Unchanged, payment) => {
            let Context { store, seal_keys, charges, now, .. } = context;
            let payment = verify::again(store, seal_keys, charges, payment, now()).await;
            answer(context, caller, StatusCode::OK, &payment).await
        }
    }
}

/// Clients and proxies take some segments out of a path, so nobody could ask for such a payment again.
fn payment_id(param: &str, id: &str) -> Result<PaymentId, Problem> {
    let id = PaymentId::try_from(id).map_err(|why| invalid(param, why))?;
    if [".", ".."].contains(&id.as_str()) {
        return Err(invalid(param, "must not be . or .., which clients take out of a path"));
    }
    Ok(id)
}

/// When a processor is asked for its word on what is new.
#[derive(Clone, Copy)]
enum Asking {
    /// Before a payment is registered, and after each newer fact.
    Now,
    /// Behind the answer, at this moment. Until then the payment is not refunded.
    Behind(Timestamp),
}

/// What came of a registration.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    Created,
    Updated,
    Unchanged,
}

/// What was read of a payment a moment ago.
enum Known {
    Unread,
    Absent,
    Stands(Box<Payment>),
}

/// Registers a payment, or moves its facts.
async fn put<S: Register, K: SealKeys, C: ReadCharges, L>(
    context: &Context<S, K, C, L>,
    caller: &Caller,
    (id, known): (&PaymentId, Known),
    wanted: &Wanted,
    asking: Asking,
) -> Result<(Done, Payment), Problem> {
    let tenant = &caller.tenant;
    let mut known = known;
    for _ in 0..TRIES_MAX {
        let now = (context.now)();
        let found = match std::mem::replace(&mut known, Known::Unread) {
            Known::Unread => context.store.payment(tenant, id).await?,
            Known::Absent => None,
            Known::Stands(payment) => Some(*payment),
        };
        let payment = if let Some(payment) = found {
            payment
        } else {
            let new = first(context, (caller, id), wanted, asking, now).await?;
            match context.store.register(&new).await? {
                Registered::New => return Ok((Done::Created, new)),
                Registered::Existing(payment) => *payment,
                Registered::ChargeTaken(other) => return Err(charge_taken(&other)),
            }
        };
        let corrected = wanted.corrected_terms(&payment)?;
        let facts = wanted.later_facts(&payment.facts);
        if payment.facts.loosened_to(&facts) {
            caller.require(Scope::PaymentsAdmin)?;
        }
        let mut is_corrected = corrected.is_some();
        let moved = match corrected {
            Some(terms) => Some(body::corrected(&payment, terms, facts, now)?),
            None => payment.moved_to(facts, now)?,
        };
        let Some(mut moved) = moved else { return Ok((Done::Unchanged, payment)) };
        let is_captured = moved.facts.status == CaptureStatus::Completed;
        let is_new = is_corrected || payment.facts.status != CaptureStatus::Completed;
        if let Asking::Behind(at) = asking
            && moved.is_unverified()
            && is_captured
            && is_new
        {
            moved = moved.awaiting(at, now);
            is_corrected = true;
        }
        let moved = sealed_again(&context.seal_keys, &payment, moved).await?;
        let written = if is_corrected {
            context.store.correct(&moved).await?
        } else {
            context.store.move_facts(&moved).await?
        };
        match written {
            Moved::Applied => return Ok((Done::Updated, moved)),
            Moved::Overtaken => {}
        }
    }
    let detail = "The payment keeps changing. The same request may be sent again.";
    Err(Problem::new(Code::Unavailable, detail))
}

/// The payment as it is registered, once its processor was asked for what it tells of charges, or is to be.
async fn first<S, K: SealKeys, C: ReadCharges, L>(
    context: &Context<S, K, C, L>,
    (caller, id): (&Caller, &PaymentId),
    wanted: &Wanted,
    asking: Asking,
    now: Timestamp,
) -> Result<Payment, Problem> {
    let tenant = &caller.tenant;
    let (processor, facts) = (wanted.first_processor(tenant.environment)?, wanted.first_facts());
    let registered = |amount| {
        let terms = wanted.first_terms(&processor, amount, tenant.environment)?;
        Ok::<_, Problem>(Payment::registered(tenant.clone(), id.clone(), terms, facts.clone(), now))
    };
    let new = match asking {
        Asking::Behind(at) if wanted.needs_word() => registered(wanted.amount())?.awaiting(at, now),
        Asking::Now | Asking::Behind(_) => {
            let charge = Processor::of(processor.name, processor.reference.clone());
            let question = ChargeQuestion::new(tenant, &charge);
            let is_captured = facts.status == CaptureStatus::Completed;
            let read = match wanted.amount() {
                // Whose amount is said and still to be captured is asked about later.
                Some(_) if !is_captured && processor.name == ProcessorName::Stripe => ChargeRead::Unclear,
                _ => verify::read(&context.charges, &question).await,
            };
            let amount = match wanted.amount() {
                Some(amount) => amount,
                None => verify::captured(&read, &question)?,
            };
            verify::first(registered(Some(amount))?, &read, now)?
        }
    };
    let new = Payment { registered_by: caller.by.clone(), ..new };
    Ok(new.sealed(&context.seal_keys.seal_key().await?))
}

fn charge_taken(other: &PaymentId) -> Problem {
    let detail = format!(
        "The payment {other} is the same charge at the processor. One charge is one payment: refund that one."
    );
    let problem = Problem::new(Code::ProcessorReferenceInUse, detail).about("processor.reference");
    problem.with("payment_id", other.as_str().into())
}

/// Newer facts are sealed only over terms whose seal is intact: what somebody bent must not get a good seal. A payment
/// without a seal gets none until an administrator adopts it.
async fn sealed_again(keys: &impl SealKeys, before: &Payment, moved: Payment) -> Result<Payment, Problem> {
    if before.seal.is_none() {
        return Ok(moved);
    }
    let key = keys.seal_key().await?;
    if before.seal_under(&key) == Sealed::Intact {
        return Ok(moved.sealed(&key));
    }
    tracing::error!(payment.id = %before.id, account.id = %before.tenant.account, "a payment whose seal is broken is not changed");
    Err(internal())
}

/// A payment that was registered before, or only which one it was: a write reads nothing.
async fn answer<S: Register + Refunds + Sync, K, C, L>(
    context: &Context<S, K, C, L>,
    caller: &Caller,
    status: StatusCode,
    payment: &Payment,
) -> Result<Answer, Problem> {
    if caller.has(Scope::PaymentsRead) {
        return shown(context, status, payment).await;
    }
    Answer::new(status, &Acknowledgement::of_payment(payment, &context.public_url))
}

async fn shown<S: Register + Refunds + Sync, K, C, L>(
    context: &Context<S, K, C, L>,
    status: StatusCode,
    payment: &Payment,
) -> Result<Answer, Problem> {
    Answer::new(status, &show(&context.store, payment, &context.public_url).await?)
}
