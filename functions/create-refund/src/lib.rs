//! Decides on a refund and reserves its amount: one read, a decision, one transaction.

mod body;
mod losses;

use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, Response};
use recoup_domain::api_key::Scope;
use recoup_domain::by::By;
use recoup_domain::decide::{Identity, Reservation, decide};
use recoup_domain::ids::RefundId;
use recoup_domain::payment::Payment;
use recoup_domain::refund::{Fingerprint, Refund};
use recoup_domain::time::Timestamp;
use recoup_domain::wanted::Wanted;
use recoup_http::idempotency::idempotency_key;
use recoup_http::payment::not_found;
use recoup_http::problem::{Code, Problem};
use recoup_http::quote::QuoteView;
use recoup_http::request::{Caller, routed_parameter};
use recoup_http::respond::{Answer, respond, unknown_outcome};
use recoup_http::route::Creating;
use recoup_ports::refunds::{Reserve, ReserveError, Reserved};
use recoup_ports::webhooks::Reach;
use recoup_views::{Acknowledgement, PublicUrl, RefundView};

use losses::Losses;

/// What the function needs.
pub struct Context<S> {
    /// The store of payments and refunds.
    pub store: S,
    /// The API's own address.
    pub public_url: PublicUrl,
    /// Which webhook URLs are accepted.
    pub reach: Reach,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// 128 random bits.
    pub random: fn() -> u128,
}

/// `POST /v1/refunds`, `POST /v1/payments/{payment_id}/refunds` and `POST /v1/refunds/quote`.
pub async fn handle<S: Reserve>(context: &Context<S>, request: Request) -> Response<Body> {
    let answer = async {
        match Creating::of(&request)? {
            Creating::Quote => quote(context, &request).await,
            Creating::Refund => create(context, &request, "POST /v1/refunds".to_owned()).await,
            Creating::RefundOfPayment => {
                let id = routed_parameter(&request, "payment_id")?;
                create(context, &request, format!("POST /v1/payments/{id}/refunds")).await
            }
        }
    };
    respond(&request, answer).await
}

/// Shows what a create with the same body would do, decided by the same function. Writes nothing.
async fn quote<S: Reserve>(context: &Context<S>, request: &Request) -> Result<Answer, Problem> {
    let tenant = Caller::with_scope(request, Scope::RefundsWrite)?.tenant;
    let wanted = body::parse(request, context.reach)?;
    let found = context.store.payment_and_refund(&tenant, &wanted.payment_id, None).await?;
    let payment = found.payment.ok_or_else(not_found)?;
    let id = RefundId::from_bits((context.random)());
    let identity = Identity { id, fingerprint: Fingerprint::default(), by: None, now: (context.now)() };
    let refund = granted(&payment, &wanted, identity)?.refund;
    Answer::new(StatusCode::OK, &QuoteView::of(&payment, &refund)?)
}

/// The decision on a refund that its processor can carry out, if it has to.
fn granted(payment: &Payment, wanted: &Wanted, identity: Identity) -> Result<Reservation, Problem> {
    let reservation = decide(payment, wanted, identity)?;
    if wanted.external.is_some() {
        return Ok(reservation);
    }
    let taken = recoup_processors::takes(payment.processor.name, reservation.refund.amount);
    taken.map_err(|cannot| Problem::new(Code::ProcessorCannot, cannot.to_string()))?;
    Ok(reservation)
}

/// Creates a refund. `endpoint` is method and path: the same body sent to another endpoint is another request.
async fn create<S: Reserve>(
    context: &Context<S>,
    request: &Request,
    endpoint: String,
) -> Result<Answer, Problem> {
    let caller = Caller::with_scope(request, Scope::RefundsWrite)?;
    let (tenant, reads) = (&caller.tenant, caller.has(Scope::RefundsRead));
    let key = idempotency_key(request)?;
    let body = body::parse(request, context.reach)?;
    let wanted = RefundRequest { endpoint, body, by: caller.by.clone(), reads };
    let id = match &key {
        Some(key) => RefundId::of_key(tenant, key),
        None => RefundId::from_bits((context.random)()),
    };
    let keyed = key.is_some().then_some(&id);
    let found = context.store.payment_and_refund(tenant, &wanted.body.payment_id, keyed).await?;
    if let Some(refund) = found.refund {
        return wanted.replay(&refund, &context.public_url);
    }
    let mut payment = found.payment.ok_or_else(not_found)?;
    let (started, mut losses) = ((context.now)(), Losses::default());
    loop {
        let reservation = wanted.decided(&payment, &id, (context.now)())?;
        let reserved = context.store.reserve(&reservation).await;
        match reserved.map_err(|error| no_outcome(error, keyed))? {
            Reserved::New => return created(&reservation.refund, &context.public_url),
            Reserved::Existing(refund) => return wanted.replay(&refund, &context.public_url),
            // If the changed payment no longer allows the refund, the refusal is answered at once.
            Reserved::PaymentChanged(changed) => drop(wanted.decided(&changed, &id, (context.now)())?),
        }
        let elapsed = (context.now)().since(started);
        tokio::time::sleep(losses.wait(elapsed, (context.random)()).ok_or_else(keeps_changing)?).await;
        // After the wait the payment seen before it is stale, and deciding on it would lose the next race, too.
        let found = context.store.payment_and_refund(tenant, &wanted.body.payment_id, keyed).await?;
        if let Some(refund) = found.refund {
            return wanted.replay(&refund, &context.public_url);
        }
        payment = found.payment.ok_or_else(not_found)?;
    }
}

/// The problem after too many lost races. Nothing was written, so the request may be sent again, even without a key.
fn keeps_changing() -> Problem {
    Problem::new(Code::Unavailable, "The payment keeps changing. The same request may be sent again.")
}

/// The problem of a failed reservation. If the refund may exist, a request without a key must not simply be repeated.
fn no_outcome(error: ReserveError, keyed: Option<&RefundId>) -> Problem {
    let unknown = matches!(error, ReserveError::KeyInUse | ReserveError::Unavailable(_));
    let problem = Problem::from(error);
    if keyed.is_some() || !unknown {
        return problem;
    }
    unknown_outcome()
}

/// A request to create a refund, by which a replay is recognised.
struct RefundRequest {
    endpoint: String,
    body: Wanted,
    /// Who sends it, which is no part of what is asked for: whoever repeats it gets the same refund.
    by: Option<By>,
    /// Whether its caller may read refunds.
    reads: bool,
}

impl RefundRequest {
    /// The refund that this request makes of a payment as it is now.
    fn decided(&self, payment: &Payment, id: &RefundId, now: Timestamp) -> Result<Reservation, Problem> {
        let fingerprint = self.body.fingerprint(&self.endpoint, payment.amount.currency());
        let identity = Identity { id: id.clone(), fingerprint, by: self.by.clone(), now };
        granted(payment, &self.body, identity)
    }

    /// The refund as it is now, if this request made it; else the key was used for another request.
    fn replay(&self, refund: &Refund, public_url: &PublicUrl) -> Result<Answer, Problem> {
        if self.body.fingerprint(&self.endpoint, refund.amount.currency()) != refund.fingerprint {
            let detail = "This Idempotency-Key was used for a request with another path or other parameters.";
            return Err(Problem::new(Code::IdempotencyKeyReused, detail));
        }
        let answer = if self.reads {
            created(refund, public_url)?
        } else {
            // What became of the refund since it was made is read, not written.
            Answer::new(StatusCode::CREATED, &Acknowledgement::of_refund(refund, public_url))?
        };
        Ok(answer.replayed())
    }
}

fn created(refund: &Refund, public_url: &PublicUrl) -> Result<Answer, Problem> {
    Answer::new(StatusCode::CREATED, &RefundView::of(refund, public_url))
}
