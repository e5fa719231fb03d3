//! Changes a refund's metadata, or cancels a refund before it is handed to the processor.

mod metadata;

use lambda_http::http::StatusCode;
use lambda_http::{Body, Request, Response};
use recoup_domain::api_key::Scope;
use recoup_domain::ids::RefundId;
use recoup_domain::refund::{Refund, Withdrawn};
use recoup_domain::time::Timestamp;
use recoup_http::problem::{Code, Problem};
use recoup_http::refund::{named, not_found};
use recoup_http::request::{self, Caller};
use recoup_http::respond::{Answer, respond};
use recoup_http::route::Updating;
use recoup_ports::settlement::{Settle, Settled};
use recoup_views::{Acknowledgement, PublicUrl, RefundView};

/// Most decisions on one change; another is needed when the refund has changed meanwhile.
const TRIES_MAX: usize = 5;

/// What the function needs.
pub struct Context<S> {
    /// The store of refunds.
    pub store: S,
    /// The API's own address.
    pub public_url: PublicUrl,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// `PATCH /v1/refunds/{refund_id}` and `POST /v1/refunds/{refund_id}/cancel`.
pub async fn handle<S: Settle + Sync>(context: &Context<S>, request: Request) -> Response<Body> {
    let answer = async {
        let route = Updating::of(&request)?;
        let caller = Caller::with_scope(&request, Scope::RefundsWrite)?;
        let id = named(&request)?;
        let wish = match route {
            Updating::Metadata => Wish::Metadata(metadata::parse(&request)?),
            Updating::Cancel => {
                request::body(&request, &[])?.finish()?;
                Wish::Cancel
            }
        };
        change(context, &caller, &id, &wish).await
    };
    respond(&request, answer).await
}

enum Wish {
    Metadata(metadata::Change),
    Cancel,
}

async fn change<S: Settle>(
    context: &Context<S>,
    caller: &Caller,
    id: &RefundId,
    wish: &Wish,
) -> Result<Answer, Problem> {
    for _ in 0..TRIES_MAX {
        let refund = context.store.refund(&caller.tenant, id).await?.ok_or_else(not_found)?;
        let now = (context.now)();
        let change = match wish {
            Wish::Metadata(change) => {
                let metadata = change.applied_to(&refund.version.metadata)?;
                let change = refund.with_metadata(metadata, caller.by.clone(), now);
                if change.is_some() && !refund.takes_metadata() {
                    return Err(too_many_changes());
                }
                change
            }
            Wish::Cancel => match refund.withdraw(caller.by.clone(), now) {
                Withdrawn::Already => None,
                Withdrawn::TooLate => return Err(too_late(caller, &refund)),
                Withdrawn::Now(change) => Some(change),
            },
        };
        let Some(change) = change else { return answer(context, caller, &refund) };
        match context.store.carry_out(&change).await? {
            Settled::Applied => return answer(context, caller, change.to()),
            Settled::Overtaken | Settled::NothingLeft => {}
        }
    }
    let detail = "The refund keeps changing. The same request may be sent again.";
    Err(Problem::new(Code::Unavailable, detail))
}

/// The refund, or only which one it was: a write reads nothing.
fn answer<S>(context: &Context<S>, caller: &Caller, refund: &Refund) -> Result<Answer, Problem> {
    if caller.has(Scope::RefundsRead) {
        return Answer::new(StatusCode::OK, &RefundView::of(refund, &context.public_url));
    }
    Answer::new(StatusCode::OK, &Acknowledgement::of_refund(refund, &context.public_url))
}

fn too_many_changes() -> Problem {
    let detail = "The refund has changed a hundred times, so its metadata stay as they are.";
    Problem::new(Code::TooManyChanges, detail)
}

fn too_late(caller: &Caller, refund: &Refund) -> Problem {
    let detail = if !caller.has(Scope::RefundsRead) {
        "The refund can no longer be cancelled.".to_owned()
    } else if refund.version.state.holds_money() {
        "The refund has been handed to the processor and can no longer be cancelled.".to_owned()
    } else {
        format!("The refund has ended as {} and can no longer be cancelled.", refund.version.state.as_str())
    };
    Problem::new(Code::RefundNotCancellable, detail)
}
