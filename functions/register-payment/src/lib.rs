//! Records a payment, or moves its facts forward. What has been fixed and what has been refunded stays.

mod body;
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
use recoup_http::request::{Caller, routed_parameter};
use recoup_http::respond::{Answer, internal, respond_within};
use recoup_ports::charges::{ChargeQuestion, ChargeRead, ReadCharges};
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
pub struct Context<S, K, C> {
    /// Where payments lie.
    pub store: S,
    /// The key that seals them.
    pub seal_keys: K,
    /// Who reads charges at processors.
    pub charges: C,
    /// The API's own address.
    pub public_url: PublicUrl,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// `PUT /v1/payments/{payment_id}`.
pub async fn handle<S, K, C>(context: &Context<S, K, C>, request: Request) -> Response<Body>
where
    S: Register + Refunds + Sync,
    K: SealKeys,
    C: ReadCharges,
{
    // On the heap: what may be written, a payment or a transaction with its claims, is large.
    respond_within(WORK_MAX, &request, Box::pin(register(context, &request))).await
}

async fn register<S: Register + Refunds + Sync, K: SealKeys, C: ReadCharges>(
    context: &Context<S, K, C>,
    request: &Request,
) -> Result<Answer, Problem> {
    let caller = Caller::with_scope(request, Scope::PaymentsWrite)?;
    let tenant = &caller.tenant;
    let id = routed_parameter(request, "payment_id")?;
    let id = PaymentId::try_from(id.as_str()).map_err(|why| invalid("payment_id", why))?;
    // Clients and proxies take such segments out of a path, so nobody could ask for the payment again.
    if [".", ".."].contains(&id.as_str()) {
        return Err(invalid("payment_id", "must not be . or .., which clients take out of a path"));
    }
    let wanted = body::parse(request)?;
    for _ in 0..TRIES_MAX {
        let now = (context.now)();
        let payment = if let Some(payment) = context.store.payment(tenant, &id).await? {
            payment
        } else {
            let new = first(context, &caller, &id, &wanted, now).await?;
            match context.store.register(&new).await? {
                // What the caller said is no secret to it; what the processor said is.
                Registered::New if wanted.amount().is_some() => {
                    return shown(context, StatusCode::CREATED, &new).await;
                }
                Registered::New => return answer(context, &caller, StatusCode::CREATED, &new).await,
                Registered::Existing(payment) => *payment,
                Registered::ChargeTaken(other) => return Err(charge_taken(&other)),
            }
        };
        let corrected = wanted.corrected_terms(&payment)?;
        let facts = wanted.later_facts(&payment.facts);
        if payment.facts.loosened_to(&facts) {
            caller.require(Scope::PaymentsAdmin)?;
        }
        let is_corrected = corrected.is_some();
        let moved = match corrected {
            Some(terms) => Some(body::corrected(&payment, terms, facts, now)?),
            None => payment.moved_to(facts, now)?,
        };
        let Some(moved) = moved else {
            let payment = verify::again(&context.store, &context.charges, payment, now).await;
            return answer(context, &caller, StatusCode::OK, &payment).await;
        };
        let moved = sealed_again(&context.seal_keys, &payment, moved).await?;
        let written = if is_corrected {
            context.store.correct(&moved).await?
        } else {
            context.store.move_facts(&moved).await?
        };
        match written {
            Moved::Applied => {
                let moved = verify::again(&context.store, &context.charges, moved, now).await;
                return answer(context, &caller, StatusCode::OK, &moved).await;
            }
            Moved::Overtaken => {}
        }
    }
    let detail = "The payment keeps changing. The same request may be sent again.";
    Err(Problem::new(Code::Unavailable, detail))
}

/// The payment as it is registered, once its processor was asked for what it tells of charges.
async fn first<S, K: SealKeys, C: ReadCharges>(
    context: &Context<S, K, C>,
    caller: &Caller,
    id: &PaymentId,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<Payment, Problem> {
    let tenant = &caller.tenant;
    let (processor, facts) = (wanted.first_processor(tenant.environment)?, wanted.first_facts());
    let question = ChargeQuestion::new(tenant, &Processor::of(processor.name, processor.reference.clone()));
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
    let terms = wanted.first_terms(&processor, amount, tenant.environment)?;
    let new = Payment::registered(tenant.clone(), id.clone(), terms, facts, now);
    let new = Payment { registered_by: caller.by.clone(), ..new };
    Ok(verify::first(new, &read, now)?.sealed(&context.seal_keys.seal_key().await?))
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
async fn answer<S: Register + Refunds + Sync, K, C>(
    context: &Context<S, K, C>,
    caller: &Caller,
    status: StatusCode,
    payment: &Payment,
) -> Result<Answer, Problem> {
    if caller.has(Scope::PaymentsRead) {
        return shown(context, status, payment).await;
    }
    Answer::new(status, &Acknowledgement::of_payment(payment, &context.public_url))
}

async fn shown<S: Register + Refunds + Sync, K, C>(
    context: &Context<S, K, C>,
    status: StatusCode,
    payment: &Payment,
) -> Result<Answer, Problem> {
    Answer::new(status, &show(&context.store, payment, &context.public_url).await?)
}
