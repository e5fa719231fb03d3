//! The report of one day's reconciliation: JSON for programs, a page for people.

use lambda_http::Request;
use lambda_http::http::StatusCode;
use recoup_domain::api_key::Scope;
use recoup_domain::time::Timestamp;
use recoup_http::accept::prefers_html;
use recoup_http::fields::invalid;
use recoup_http::list::Parameters;
use recoup_http::problem::Problem;
use recoup_http::report::{ReportView, not_found};
use recoup_http::request::{Caller, path_parameter};
use recoup_http::respond::Answer;
use recoup_ports::reports::Reports;

use crate::{Context, page};

/// Names the newest report, whatever its date.
const LATEST: &str = "latest";

/// What stands in the place of the date, if the path is that of a report.
pub(crate) fn named(request: &Request) -> Option<String> {
    // The latest one has a route of its own, without a parameter.
    let latest = || request.uri().path().ends_with("/reports/reconciliation/latest");
    path_parameter(request, "date").or_else(|| latest().then(|| LATEST.to_owned()))
}

pub(crate) async fn report<S: Reports>(
    context: &Context<S>,
    request: &Request,
    day: &str,
) -> Result<Answer, Problem> {
    let tenant = Caller::with_scope(request, Scope::RefundsRead)?.tenant;
    Parameters::of(request)?.finish()?;
    let found = if day == LATEST {
        context.store.latest_report(&tenant).await?
    } else {
        let day = Timestamp::of_day(day);
        let day = day.ok_or_else(|| invalid("date", "must be latest, or a day such as 2026-11-22"))?;
        context.store.report(&tenant, &day.date()).await?
    };
    let report = found.ok_or_else(not_found)?;
    if prefers_html(request) {
        return Ok(Answer::page(page::of(&report)));
    }
    Answer::new(StatusCode::OK, &ReportView::of(&report, &context.public_url))
}
