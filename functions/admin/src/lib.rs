//! Manages accounts and API keys, puts dead letters back, and reads reconciliation reports. It has no HTTP route:
//! whoever may invoke it under IAM is an administrator.
//!
//! Secrets appear once, in the answer, and nowhere else; the answer is never logged.

mod dead_letters;
mod reports;
mod seals;

use lambda_runtime::Diagnostic;
use recoup_domain::api_key::{ApiKey, KeyUse, Pepper, Scope, StoredKey};
use recoup_domain::ids::{AccountId, Environment, InvalidId, KeyId, PaymentId, RefundId, Tenant};
use recoup_domain::signing::{Secret, Secrets, TooManySecrets};
use recoup_domain::time::Timestamp;
use recoup_ports::audits::AdoptPayments;
use recoup_ports::credentials::{Accounts, NewAccount, Revoked, Rotated};
use recoup_ports::dead_letters::{DeadLetters, DeadLettersError};
use recoup_ports::images::Names;
use recoup_ports::payments::Payments;
use recoup_ports::reports::{ListTenants, Reports};
use recoup_ports::seals::{SealKeyError, SealKeys};
use recoup_ports::webhooks::WebhookSecrets;
use recoup_ports::{ReadError, WriteError, causes};
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;

use dead_letters::QueueName;

/// Most characters in an account's name.
const NAME_MAX: usize = 100;

/// What the function needs.
pub struct Context<A, D, N, K> {
    /// The store of accounts, keys and reports.
    pub accounts: A,
    /// The dead-letter queues.
    pub dead_letters: D,
    /// Identifies items that cannot be read.
    pub names: N,
    /// The key that seals payments.
    pub seal_keys: K,
    /// The secret that hashes keys.
    pub pepper: Pepper,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// 128 random bits.
    pub random: fn() -> u128,
}

#[derive(Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
enum Command {
    CreateAccount { name: String },
    CreateApiKey { account_id: String, environment: String, scopes: Option<Vec<String>> },
    CreateClient { account_id: String, environment: String, scopes: Option<Vec<String>> },
    RevokeApiKey { id: String },
    RotateWebhookSecret { account_id: String, environment: String, overlap_hours: Option<u32> },
    DeadLetters { queue: QueueName },
    PutBack { queue: QueueName, refund_id: Option<String> },
    LatestReports {},
    IndexAccounts { account_ids: Vec<String> },
    SealPayments { operator: String, cursor: Option<String> },
    SealPayment { account_id: String, environment: String, payment_id: String, operator: String },
}

/// Why a command was not carried out, as the administrator reads it.
#[derive(Debug, Error)]
pub enum AdminError {
    /// The command itself is wrong.
    #[error("the command cannot be read: {0}")]
    Command(String),
    /// The name is empty or too long.
    #[error("name must have 1 to 100 characters")]
    Name,
    /// An id is malformed.
    #[error("{0} {1}")]
    Id(&'static str, InvalidId),
    /// The environment is neither sandbox nor live.
    #[error("environment must be sandbox or live")]
    Environment,
    /// A scope does not exist, or none is named.
    #[error(
        "scopes must name one or more of payments:read, payments:write, refunds:read, refunds:write, webhooks:manage"
    )]
    Scopes,
    /// The overlap is out of bounds.
    #[error("overlap_hours must be 0 to 168")]
    Overlap,
    /// No account is named, or too many are.
    #[error("account_ids must have 1 to 100 ids")]
    AccountIds,
    /// Nobody is named who seals payments.
    #[error("operator must name who does this, in 1 to 64 characters")]
    Operator,
    /// The cursor is none that was answered.
    #[error("cursor must be one that seal_payments answered")]
    Cursor,
    /// Too many earlier secrets are still valid.
    #[error(transparent)]
    TooManySecrets(#[from] TooManySecrets),
    /// The account has no such payment.
    #[error("there is no such payment")]
    NoSuchPayment,
    /// The payment's amounts contradict each other.
    #[error("{0}: put the item right before it is sealed")]
    Contradiction(&'static str),
    /// The payment was written at the same time.
    #[error("the payment changed at the same moment; look at it again")]
    PaymentChanged,
    /// Another rotation was written at the same time.
    #[error("somebody else rotated the secret at the same time; check whether another rotation is needed")]
    Overtaken,
    /// The account does not exist.
    #[error("there is no such account")]
    NoSuchAccount,
    /// The key does not exist.
    #[error("there is no such key")]
    NoSuchKey,
    /// The dead letters of the relay are not jobs, so they cannot be sent again.
    #[error(
        "messages in relay are not jobs and cannot be put back; \
         the function reconcile announces the changes that they were about"
    )]
    NoJobs,
    /// The dead-letter queue did not answer.
    #[error("the dead letters cannot be read")]
    Queue(#[from] DeadLettersError),
    /// The key that seals payments cannot be read.
    #[error(transparent)]
    SealKey(#[from] SealKeyError),
    /// A read of the table failed.
    #[error("the table cannot be read")]
    Read(#[from] ReadError),
    /// A write to the table failed.
    #[error("the table cannot be written")]
    Write(#[from] WriteError),
}

impl AdminError {
    /// The error's kind, as Lambda reports it.
    fn kind(&self) -> &'static str {
        match self {
            Self::Command(_)
            | Self::Name
            | Self::Id(..)
            | Self::Environment
            | Self::Scopes
            | Self::Overlap
            | Self::NoJobs
            | Self::Operator
            | Self::Cursor
            | Self::AccountIds => "InvalidCommand",
            Self::TooManySecrets(_) | Self::Overtaken | Self::PaymentChanged | Self::Contradiction(_) => {
                "Conflict"
            }
            Self::NoSuchAccount => "NoSuchAccount",
            Self::NoSuchKey => "NoSuchKey",
            Self::NoSuchPayment => "NoSuchPayment",
            Self::Queue(_) | Self::SealKey(_) | Self::Read(_) | Self::Write(_) => "Unavailable",
        }
    }
}

impl From<AdminError> for Diagnostic {
    fn from(error: AdminError) -> Self {
        tracing::error!(error = causes(&error), "command refused");
        Self { error_type: error.kind().to_owned(), error_message: error.to_string() }
    }
}

/// Carries out one command; see the README for each.
pub async fn handle<A, D, N, K>(context: &Context<A, D, N, K>, event: Value) -> Result<Value, AdminError>
where
    A: Accounts + WebhookSecrets + ListTenants + Reports + AdoptPayments + Payments + Sync,
    D: DeadLetters,
    N: Names<dead_letters::Image>,
    K: SealKeys,
{
    // The reason may be shown: commands carry no secrets.
    let command: Command =
        serde_json::from_value(event).map_err(|error| AdminError::Command(error.to_string()))?;
    match command {
        Command::CreateAccount { name } => create_account(context, name).await,
        Command::CreateApiKey { account_id, environment, scopes } => {
            create_key(context, KeyUse::Api, tenant(&account_id, &environment)?, scopes).await
        }
        Command::CreateClient { account_id, environment, scopes } => {
            create_key(context, KeyUse::Client, tenant(&account_id, &environment)?, scopes).await
        }
        Command::RevokeApiKey { id } => {
            let id = KeyId::try_from(id.as_str()).map_err(|why| AdminError::Id("id", why))?;
            match context.accounts.revoke_key(&id, (context.now)()).await? {
                Revoked::Yes => {
                    tracing::info!(key.id = %id, "key revoked");
                    Ok(json!({ "id": id.as_str(), "revoked": true }))
                }
                Revoked::NoSuchKey => Err(AdminError::NoSuchKey),
            }
        }
        Command::RotateWebhookSecret { account_id, environment, overlap_hours } => {
            rotate(context, &tenant(&account_id, &environment)?, overlap_hours).await
        }
        Command::DeadLetters { queue } => dead_letters::show(context, queue).await,
        Command::PutBack { queue, refund_id } => {
            let of_refund = refund_id.map(|id| RefundId::try_from(id.as_str())).transpose();
            let of_refund = of_refund.map_err(|why| AdminError::Id("refund_id", why))?;
            dead_letters::put_back(context, queue, of_refund.as_ref()).await
        }
        Command::LatestReports {} => reports::latest(&context.accounts).await,
        Command::IndexAccounts { account_ids } => reports::index(&context.accounts, &account_ids).await,
        Command::SealPayments { operator, cursor } => {
            let Context { accounts, seal_keys, now, .. } = context;
            seals::seal_payments(accounts, seal_keys, *now, &operator, cursor).await
        }
        Command::SealPayment { account_id, environment, payment_id, operator } => {
            let tenant = tenant(&account_id, &environment)?;
            let id = PaymentId::try_from(payment_id.as_str());
            let id = id.map_err(|why| AdminError::Id("payment_id", why))?;
            seals::seal_payment(&context.accounts, &context.seal_keys, &operator, (&tenant, &id)).await
        }
    }
}

async fn rotate<A: Accounts + WebhookSecrets, D, N, K>(
    context: &Context<A, D, N, K>,
    tenant: &Tenant,
    overlap_hours: Option<u32>,
) -> Result<Value, AdminError> {
    let now = (context.now)();
    let overlap = Secrets::overlap(overlap_hours).ok_or(AdminError::Overlap)?;
    let from = context.accounts.webhook_secrets(tenant).await?.ok_or(AdminError::NoSuchAccount)?;
    let to = from.rotated(secret(context.random), now, overlap)?;
    match context.accounts.rotate_webhook_secret(tenant, &from, &to).await? {
        Rotated::Yes => {
            tracing::info!(account.id = %tenant.account, "webhook secret rotated");
            Ok(json!({
                "account_id": tenant.account.as_str(),
                "environment": tenant.environment.as_str(),
                "webhook_secret": to.current.reveal(),
                "previous_secret_valid_until": now.plus(overlap).rfc3339(),
            }))
        }
        Rotated::Overtaken => Err(AdminError::Overtaken),
    }
}

fn tenant(account_id: &str, environment: &str) -> Result<Tenant, AdminError> {
    let account = AccountId::try_from(account_id).map_err(|why| AdminError::Id("account_id", why))?;
    let environment = Environment::parse(environment).ok_or(AdminError::Environment)?;
    Ok(Tenant { environment, account })
}

async fn create_account<A: Accounts, D, N, K>(
    context: &Context<A, D, N, K>,
    name: String,
) -> Result<Value, AdminError> {
    if name.is_empty() || name.chars().nth(NAME_MAX).is_some() {
        return Err(AdminError::Name);
    }
    let account = NewAccount {
        id: AccountId::from_bits((context.random)()),
        name,
        sandbox_secret: secret(context.random),
        live_secret: secret(context.random),
        created_at: (context.now)(),
    };
    context.accounts.create_account(&account).await?;
    tracing::info!(account.id = %account.id, "account created");
    Ok(json!({
        "account_id": account.id.as_str(),
        "webhook_secrets": {
            "sandbox": account.sandbox_secret.reveal(),
            "live": account.live_secret.reveal(),
        },
    }))
}

/// A secret of 256 random bits.
fn secret(random: fn() -> u128) -> Secret {
    Secret::of_256_bits([random(), random()])
}

async fn create_key<A: Accounts, D, N, K>(
    context: &Context<A, D, N, K>,
    r#use: KeyUse,
    tenant: Tenant,
    scopes: Option<Vec<String>>,
) -> Result<Value, AdminError> {
    let scopes: Option<Vec<Scope>> = match scopes {
        None => Some(Scope::ALL.to_vec()),
        Some(names) => names.iter().map(|name| Scope::parse(name)).collect(),
    };
    let scopes = scopes.filter(|scopes| !scopes.is_empty()).ok_or(AdminError::Scopes)?;
    if !context.accounts.account_exists(&tenant.account, tenant.environment).await? {
        return Err(AdminError::NoSuchAccount);
    }
    let key = ApiKey::random_for(r#use, tenant.environment, (context.random)(), (context.random)());
    let stored =
        StoredKey { id: key.id().clone(), hash: key.hash(&context.pepper), tenant, scopes, revoked: false };
    context.accounts.create_key(&stored, (context.now)()).await?;
    tracing::info!(key.id = %stored.id, account.id = %stored.tenant.account, "key created");
    let scopes: Vec<&str> = stored.scopes.iter().copied().map(Scope::as_str).collect();
    let (id_name, secret_name) = match r#use {
        KeyUse::Api => ("id", "secret"),
        KeyUse::Client => ("client_id", "client_secret"),
    };
    Ok(json!({
        id_name: stored.id.as_str(),
        secret_name: key.reveal(),
        "account_id": stored.tenant.account.as_str(),
        "environment": stored.tenant.environment.as_str(),
        "scopes": scopes,
    }))
}
