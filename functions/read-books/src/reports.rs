//! One day's reconciliation report: JSON for programs, a page for people.

use lambda_http::Request;
use lambda_http::http::StatusCode;
use recoup_domain::api_key::Scope;
use recoup_domain::report::Report;
use recoup_domain::time::Timestamp;
use recoup_http::accept::prefers_html;
use recoup_http::fields::invalid;
use recoup_http::list::Parameters;
use recoup_http::problem::Problem;
use recoup_http::report::{ReportView, not_found};
use recoup_http::request::{Caller, routed_parameter};
use recoup_http::respond::Answer;
use recoup_ports::reports::Reports;

use crate::{Context, page};

/// The word in place of a date that names the newest report. It has its own route, but arrives here if percent-encoded.
const LATEST: &str = "latest";

/// The report of the day in the path.
pub(crate) async fn of_day<S: Reports>(context: &Context<S>, request: &Request) -> Result<Answer, Problem> {
    let day = routed_parameter(request, "date")?;
    if day == LATEST {
        return latest(context, request).await;
    }
    let caller = allowed(request)?;
    let day = Timestamp::of_day(&day);
    let day = day.ok_or_else(|| invalid("date", "must be latest, or a day such as 2026-11-22"))?;
    let found = context.store.report(&caller.tenant, &day.date()).await?;
    shown(context, request, &caller, found)
}

/// The newest report, whatever its date.
pub(crate) async fn latest<S: Reports>(context: &Context<S>, request: &Request) -> Result<Answer, Problem> {
    let caller = allowed(request)?;
    let found = context.store.latest_report(&caller.tenant).await?;
    shown(context, request, &caller, found)
}

fn allowed(request: &Request) -> Result<Caller, Problem> {
    let caller = Caller::with_scope(request, Scope::RefundsRead)?;
    Parameters::of(request)?.finish()?;
    Ok(caller)
}

fn shown<S>(
    context: &Context<S>,
    request: &Request,
    caller: &Caller,
    found: Option<Report>,
) -> Result<Answer, Problem> {
    let mut report = found.ok_or_else(not_found)?;
    if !caller.has(Scope::PaymentsRead) {
        report = report.without_payments();
    }
    if prefers_html(request) {
        return Ok(Answer::page(page::of(&report)));
    }
    Answer::new(StatusCode::OK, &ReportView::of(&report, &context.public_url))
}
