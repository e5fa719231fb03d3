//! Records a payment, or moves its facts forward. What has been fixed and what has been refunded stays.

mod body;

use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, Response};
use recoup_domain::api_key::Scope;
use recoup_domain::ids::PaymentId;
use recoup_domain::payment::Payment;
use recoup_domain::seal::Sealed;
use recoup_domain::time::Timestamp;
use recoup_http::fields::invalid;
use recoup_http::payment::show;
use recoup_http::problem::{Code, Problem};
use recoup_http::request::{Caller, routed_parameter};
use recoup_http::respond::{Answer, internal, respond};
use recoup_ports::payments::{Moved, Register, Registered};
use recoup_ports::refunds::Refunds;
use recoup_ports::seal_keys::SealKeys;
use recoup_views::{Acknowledgement, PublicUrl};

/// How often newer facts are tried again because others were written meanwhile.
const TRIES_MAX: usize = 5;

/// What the function needs.
pub struct Context<S, K> {
    /// Where payments lie.
    pub store: S,
    /// The key that seals them.
    pub seal_keys: K,
    /// The API's own address.
    pub public_url: PublicUrl,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// `PUT /v1/payments/{payment_id}`.
pub async fn handle<S, K>(context: &Context<S, K>, request: Request) -> Response<Body>
where
    S: Register + Refunds + Sync,
    K: SealKeys,
{
    // On the heap: what may be written, a payment or a transaction with its claims, is large.
    respond(&request, Box::pin(register(context, &request))).await
}

async fn register<S: Register + Refunds + Sync, K: SealKeys>(
    context: &Context<S, K>,
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
            let terms = wanted.first_terms(tenant.environment)?;
            let new = Payment::registered(tenant.clone(), id.clone(), terms, wanted.first_facts(), now);
            let new = new.sealed(&context.seal_keys.seal_key().await?);
            match context.store.register(&new).await? {
                Registered::New => return shown(context, StatusCode::CREATED, &new).await,
                Registered::Existing(payment) => *payment,
                Registered::ChargeTaken(other) => return Err(charge_taken(&other)),
            }
        };
        wanted.agrees_with(&payment)?;
        let facts = wanted.later_facts(&payment.facts);
        if payment.facts.loosened_to(&facts) {
            caller.require(Scope::PaymentsAdmin)?;
        }
        let Some(moved) = payment.moved_to(facts, now)? else {
            return answer(context, &caller, &payment).await;
        };
        let moved = sealed_again(&context.seal_keys, &payment, moved).await?;
        match context.store.move_facts(&moved).await? {
            Moved::Applied => return answer(context, &caller, &moved).await,
            Moved::Overtaken => {}
        }
    }
    let detail = "The payment keeps changing. The same request may be sent again.";
    Err(Problem::new(Code::Unavailable, detail))
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
async fn answer<S: Register + Refunds + Sync, K>(
    context: &Context<S, K>,
    caller: &Caller,
    payment: &Payment,
) -> Result<Answer, Problem> {
    if caller.has(Scope::PaymentsRead) {
        return shown(context, StatusCode::OK, payment).await;
    }
    Answer::new(StatusCode::OK, &Acknowledgement::of_payment(payment, &context.public_url))
}

async fn shown<S: Register + Refunds + Sync, K>(
    context: &Context<S, K>,
    status: StatusCode,
    payment: &Payment,
) -> Result<Answer, Problem> {
    Answer::new(status, &show(&context.store, payment, &context.public_url).await?)
}
