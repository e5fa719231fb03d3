//! Finds what is stuck or does not add up, puts right what can be put right safely, and reports.
//!
//! It trusts no queue and no stream: it walks the refunds themselves, through the index by time, and checks of each
//! whether it has ended or has a job, whether every change was announced, whether its payment's books add up, and whether
//! its processor agrees with how it ended. `reader` reads, `checks` compares, `findings` puts right. It sends
//! nothing itself: the stream sends what it writes into the table, so a run that is cut off leaves nothing half done.

mod audit;
mod charges;
mod checks;
mod disputes;
mod findings;
mod missed;
mod parts;
mod reader;
mod run;
mod scope;
mod seals;

use std::time::Duration;

use lambda_runtime::Diagnostic;
use recoup_domain::ids::Tenant;
use recoup_domain::time::Timestamp;
use recoup_ports::audits::AuditPayments;
use recoup_ports::endpoints::Endpoints;
use recoup_ports::events::{Events, RecordDeliveries, RecordEvents};
use recoup_ports::lists::RefundList;
use recoup_ports::payments::{KeepDisputes, KeepVerifications};
use recoup_ports::processor::Processor;
use recoup_ports::refunds::Reserve;
use recoup_ports::reports::{KeepReports, Tenants};
use recoup_ports::seal_keys::SealKeys;
use recoup_ports::settlement::Settle;
use recoup_ports::{ReadError, WriteError, causes};
use serde::Serialize;
use serde_json::Value;
use thiserror::Error;

use run::Run;
pub use scope::{AUDITED_MAX, BadScope, DAYS_MAX, OLDER_THAN_SECONDS, Scope};
use seals::Seals;

/// It starts nothing new after so long; the function's time in `template.yaml` is longer.
pub const BUDGET: Duration = Duration::from_mins(13);
/// Accounts that are read at once.
const TENANTS_PAGE: u16 = 100;

/// Everything that is compared.
pub trait Store:
    Tenants
    + KeepReports
    + RefundList
    + AuditPayments
    + KeepVerifications
    + KeepDisputes
    + Settle
    + Reserve
    + Events
    + RecordDeliveries
    + RecordEvents
    + Endpoints
    + Sync
{
}

impl<T> Store for T where
    T: Tenants
        + KeepReports
        + RefundList
        + AuditPayments
        + KeepVerifications
        + KeepDisputes
        + Settle
        + Reserve
        + Events
        + RecordDeliveries
        + RecordEvents
        + Endpoints
        + Sync
{
}

/// What the function needs.
pub struct Context<S, P, K> {
    /// The table.
    pub store: S,
    /// Those who moved the money.
    pub processor: P,
    /// The key that seals payments.
    pub seal_keys: K,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// What one run found, over all accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Accounts that were looked at; an account is two, one in each environment.
    pub accounts: usize,
    /// Mismatches found, in all of them.
    pub drift: u64,
    /// The accounts with mismatches, `{environment}/{account}`: their reports say more.
    pub astray: Vec<String>,
    /// Accounts whose books could not be read or written to the end.
    pub failed: Vec<String>,
    /// Whether all were looked at before the time was over.
    pub complete: bool,
}

/// Why a run came to nothing, or not to its end.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// The payload is wrong.
    #[error(transparent)]
    Scope(#[from] BadScope),
    /// The table cannot be read.
    #[error("the books cannot be read")]
    Read(#[from] ReadError),
    /// The table cannot be written.
    #[error("the report cannot be written")]
    Write(#[from] WriteError),
    /// Some accounts failed; the others have their reports.
    #[error("the books of {} accounts could not be compared to the end: {}", .0.failed.len(), .0.failed.join(", "))]
    Partly(Summary),
}

impl From<ReconcileError> for Diagnostic {
    fn from(error: ReconcileError) -> Self {
        let error_type = match &error {
            ReconcileError::Scope(_) => "InvalidScope",
            ReconcileError::Read(_) | ReconcileError::Write(_) | ReconcileError::Partly(_) => "Unavailable",
        };
        tracing::error!(error = causes(&error), "the reconciliation did not come to its end");
        Self { error_type: error_type.to_owned(), error_message: error.to_string() }
    }
}

/// One run: every account's books, or those of the one that is named.
pub async fn handle<S, P, K>(context: &Context<S, P, K>, payload: Value) -> Result<Summary, ReconcileError>
where
    S: Store,
    P: Processor + Sync,
    K: SealKeys + Sync,
{
    let started = (context.now)();
    let scope = Scope::parse(payload, started)?;
    let tenants = match &scope.only {
        Some(tenant) => vec![tenant.clone()],
        None => all_tenants(context, started).await?,
    };
    let mut summary = Summary { complete: true, ..Summary::default() };
    let seals = Seals::new(&context.seal_keys);
    for (done, tenant) in tenants.iter().enumerate() {
        let elapsed = (context.now)().since(started);
        if elapsed > BUDGET {
            summary.complete = false;
            break;
        }
        let audit_time = share(BUDGET.saturating_sub(elapsed), tenants.len().saturating_sub(done));
        let name = format!("{}/{}", tenant.environment.as_str(), tenant.account);
        let run = Run::new(context, &scope, tenant, &seals, audit_time).await;
        match reconciled(context, run).await {
            Ok((drift, complete)) => {
                summary.drift = summary.drift.saturating_add(drift);
                summary.complete &= complete;
                if drift > 0 {
                    summary.astray.push(name);
                }
            }
            // A failure in one account stops no other.
            Err(error) => {
                tracing::error!(error = causes(&error), account = name, "its books were not compared");
                summary.failed.push(name);
            }
        }
        summary.accounts = summary.accounts.saturating_add(1);
    }
    if !summary.complete {
        // Counted with the mismatches by the metric of `template.yaml`: what was not looked at may not add up.
        tracing::error!(mismatch = "incomplete", "not all books were compared before the time was over");
    }
    tracing::info!(
        drift = summary.drift,
        accounts = summary.accounts,
        complete = summary.complete,
        "reconciled"
    );
    if summary.failed.is_empty() { Ok(summary) } else { Err(ReconcileError::Partly(summary)) }
}

/// Every account, beginning with a random one: if the time does not suffice, it is not always the same that miss out.
async fn all_tenants<S: Store, P, K>(
    context: &Context<S, P, K>,
    started: Timestamp,
) -> Result<Vec<Tenant>, ReadError> {
    let mut tenants: Vec<Tenant> = Vec::new();
    loop {
        let page = context.store.tenants(tenants.last(), TENANTS_PAGE).await?;
        let is_last = page.len() < usize::from(TENANTS_PAGE);
        tenants.extend(page);
        if is_last {
            break;
        }
    }
    // The millisecond in which a run begins is random enough.
    let random = usize::try_from(started.unix_millis()).unwrap_or(0);
    if let Some(first) = random.checked_rem(tenants.len()) {
        tenants.rotate_left(first);
    }
    Ok(tenants)
}

/// Half of what each account that is left could have of the time that is left: the other half is for their refunds.
fn share(left: Duration, accounts: usize) -> Duration {
    let parts = u32::try_from(accounts).unwrap_or(u32::MAX).saturating_mul(2);
    left.checked_div(parts).unwrap_or_default()
}

/// One account's books; how many mismatches, and whether all was looked at.
async fn reconciled<S, P, K>(
    context: &Context<S, P, K>,
    run: Result<Run<'_, S, P, K>, ReadError>,
) -> Result<(u64, bool), ReconcileError>
where
    S: Store,
    P: Processor + Sync,
    K: SealKeys + Sync,
{
    let (report, error) = run?.over_all_days().await;
    let earlier = match context.store.report(&report.tenant, &report.date()).await {
        // One that a newer version wrote, perhaps: a new one begins.
        Err(ReadError::Unreadable { key, why }) => {
            tracing::error!(report = key, why, "the day's earlier report cannot be read and is replaced");
            None
        }
        earlier => earlier?,
    };
    let (drift, complete) = (report.drift, report.complete);
    context.store.keep_report(&report.after(earlier).bounded()).await?;
    error.map_or(Ok((drift, complete)), Err)
}
