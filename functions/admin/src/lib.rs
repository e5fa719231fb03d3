//! Manages accounts, API keys and processors' keys, puts dead letters back, and reads reconciliation reports. It has no HTTP route:
//! whoever may invoke it under IAM is an administrator.
//!
//! Secrets appear once, in the answer, and nowhere else; the answer is never logged.

mod dead_letters;
mod reports;
mod secrets;

use lambda_runtime::Diagnostic;
use recoup_domain::api_key::{ApiKey, KeyUse, Pepper, Scope, StoredKey};
use recoup_domain::ids::{AccountId, Environment, InvalidId, KeyId, RefundId, Tenant};
use recoup_domain::sealed::StoredSecret;
use recoup_domain::signing::{Secret, TooManySecrets};
use recoup_domain::time::Timestamp;
use recoup_ports::credentials::{Accounts, NewAccount, Revoked};
use recoup_ports::dead_letters::{DeadLetters, DeadLettersError};
use recoup_ports::images::Names;
use recoup_ports::processor_keys::KeepSealedKeys;
use recoup_ports::reports::{ListTenants, Reports};
use recoup_ports::seals::{Purpose, Seal, SealError};
use recoup_ports::webhooks::WebhookSecrets;
use recoup_ports::{ReadError, WriteError, causes};
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;

use dead_letters::QueueName;
use secrets::Given;

/// Most characters in an account's name.
const NAME_MAX: usize = 100;

/// What the function needs.
pub struct Context<A, D, N, C, K> {
    /// The store of accounts, keys and reports.
    pub accounts: A,
    /// The store of the accounts' keys at their processors.
    pub credentials: C,
    /// Seals secrets.
    pub seal: K,
    /// The dead-letter queues.
    pub dead_letters: D,
    /// Identifies items that cannot be read.
    pub names: N,
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
    SetProcessorKeys { account_id: String, environment: String, processor: String, secret: Given },
    DeleteProcessorKeys { account_id: String, environment: String, processor: String },
    DeadLetters { queue: QueueName },
    PutBack { queue: QueueName, refund_id: Option<String> },
    LatestReports {},
    IndexAccounts { account_ids: Vec<String> },
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
    /// The processor has no keys, or does not exist.
    #[error("processor must be stripe or http")]
    Processor,
    /// The processor's keys are not what it takes.
    #[error("the secret cannot be used: {0}")]
    ProcessorKeys(&'static str),
    /// `admin` has stored no keys of this processor.
    #[error("the account has no keys of this processor here; Secrets Manager may have some")]
    NoSuchProcessorKeys,
    /// The key that seals did not answer.
    #[error("nothing was stored: the secret cannot be sealed")]
    Seal(#[from] SealError),
    /// No account is named, or too many are.
    #[error("account_ids must have 1 to 100 ids")]
    AccountIds,
    /// Too many earlier secrets are still valid.
    #[error(transparent)]
    TooManySecrets(#[from] TooManySecrets),
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
            | Self::Processor
            | Self::ProcessorKeys(_)
            | Self::NoJobs
            | Self::AccountIds => "InvalidCommand",
            Self::TooManySecrets(_) | Self::Overtaken => "Conflict",
            Self::NoSuchAccount => "NoSuchAccount",
            Self::NoSuchKey | Self::NoSuchProcessorKeys => "NoSuchKey",
            Self::Queue(_) | Self::Seal(_) | Self::Read(_) | Self::Write(_) => "Unavailable",
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
pub async fn handle<A, D, N, C, K>(
    context: &Context<A, D, N, C, K>,
    event: Value,
) -> Result<Value, AdminError>
where
    A: Accounts + WebhookSecrets + ListTenants + Reports + Sync,
    D: DeadLetters,
    N: Names<dead_letters::Image>,
    C: KeepSealedKeys,
    K: Seal,
{
    // The reason may be shown: it names fields, and a secret hides itself (`secrets::Given`).
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
            secrets::rotate(context, &tenant(&account_id, &environment)?, overlap_hours).await
        }
        Command::SetProcessorKeys { account_id, environment, processor, secret } => {
            let tenant = tenant(&account_id, &environment)?;
            secrets::set_processor_keys(context, &tenant, &processor, &secret).await
        }
        Command::DeleteProcessorKeys { account_id, environment, processor } => {
            let tenant = tenant(&account_id, &environment)?;
            secrets::delete_processor_keys(context, &tenant, &processor).await
        }
        Command::DeadLetters { queue } => dead_letters::show(context, queue).await,
        Command::PutBack { queue, refund_id } => {
            let of_refund = refund_id.map(|id| RefundId::try_from(id.as_str())).transpose();
            let of_refund = of_refund.map_err(|why| AdminError::Id("refund_id", why))?;
            dead_letters::put_back(context, queue, of_refund.as_ref()).await
        }
        Command::LatestReports {} => reports::latest(&context.accounts).await,
        Command::IndexAccounts { account_ids } => reports::index(&context.accounts, &account_ids).await,
    }
}

fn tenant(account_id: &str, environment: &str) -> Result<Tenant, AdminError> {
    let account = AccountId::try_from(account_id).map_err(|why| AdminError::Id("account_id", why))?;
    let environment = Environment::parse(environment).ok_or(AdminError::Environment)?;
    Ok(Tenant { environment, account })
}

async fn create_account<A: Accounts, D, N, C, K: Seal>(
    context: &Context<A, D, N, C, K>,
    name: String,
) -> Result<Value, AdminError> {
    if name.is_empty() || name.chars().nth(NAME_MAX).is_some() {
        return Err(AdminError::Name);
    }
    let id = AccountId::from_bits((context.random)());
    let (sandbox, live) = (secret(context.random), secret(context.random));
    let seal = async |environment, secret: &Secret| {
        let tenant = Tenant { environment, account: id.clone() };
        context.seal.seal(&tenant, &Purpose::Account, secret.bytes()).await.map(StoredSecret::Sealed)
    };
    let account = NewAccount {
        sandbox_secret: seal(Environment::Sandbox, &sandbox).await?,
        live_secret: seal(Environment::Live, &live).await?,
        id,
        name,
        created_at: (context.now)(),
    };
    context.accounts.create_account(&account).await?;
    tracing::info!(account.id = %account.id, "account created");
    Ok(json!({
        "account_id": account.id.as_str(),
        "webhook_secrets": {
            "sandbox": sandbox.reveal(),
            "live": live.reveal(),
        },
    }))
}

/// A secret of 256 random bits.
fn secret(random: fn() -> u128) -> Secret {
    Secret::of_256_bits([random(), random()])
}

async fn create_key<A: Accounts, D, N, C, K>(
    context: &Context<A, D, N, C, K>,
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
