//! Manages accounts, API keys and processors' keys, puts dead letters back, and reads reconciliation reports. It has no HTTP route:
//! whoever may invoke it under IAM is an administrator.
//!
//! Secrets appear once, in the answer, and nowhere else; the answer is never logged.

mod accounts;
mod command;
mod dead_letters;
mod keys;
mod refunds;
mod reports;
mod rotation;
mod seals;
mod secrets;

use std::fmt;

use lambda_runtime::{Diagnostic, LambdaEvent};
use recoup_domain::api_key::KeyUse;
use recoup_domain::ids::{AccountId, Environment, InvalidId, PaymentId, RefundId, Tenant};
use recoup_domain::signing::TooManySecrets;
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;
use recoup_ports::api_keys::KeepKeys;
use recoup_ports::audits::AdoptPayments;
use recoup_ports::credentials::Accounts;
use recoup_ports::dead_letters::{DeadLetters, DeadLettersError};
use recoup_ports::direct::{CheckKeys, CheckKeysError};
use recoup_ports::images::Names;
use recoup_ports::keyrings::{KeyringError, Keyrings, Ring, RotateKeyrings};
use recoup_ports::payments::Payments;
use recoup_ports::processor_keys::KeepSealedKeys;
use recoup_ports::reports::{ListTenants, Reports};
use recoup_ports::seal_keys::{SealKeyError, SealKeys};
use recoup_ports::seals::{KeepSecrets, Seal, SealError};
use recoup_ports::settlement::{Settle, SettleError};
use recoup_ports::webhooks::WebhookSecrets;
use recoup_ports::{ReadError, WriteError, causes};
use serde_json::Value;
use thiserror::Error;

use command::{Command, Invocation};

/// What the function needs.
pub struct Context<A, K, R, S, D, N, P> {
    /// The store of accounts and reports.
    pub accounts: A,
    /// The store of keys, and of the accounts' keys at their processors.
    pub keys: K,
    /// The pepper, the keys that sign tokens, and the key that seals payments.
    pub keyrings: R,
    /// Seals secrets.
    pub seal: S,
    /// The dead-letter queues.
    pub dead_letters: D,
    /// Identifies items that cannot be read.
    pub names: N,
    /// Has processors' keys tried.
    pub processors: P,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// 128 random bits.
    pub random: fn() -> u128,
}

/// Why a command was not carried out, as the administrator reads it.
#[derive(Error)]
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
    #[error("scopes must name one or more of {}; in live they must be named", keys::scopes())]
    Scopes,
    /// The key's name is empty or too long.
    #[error("name must have 1 to 64 characters")]
    KeyName,
    /// The key's end cannot be read, or has passed.
    #[error("expires_at must be a moment that is still to come, such as 2027-01-01T00:00:00Z")]
    ExpiresAt,
    /// The key's ranges of addresses cannot be read.
    #[error("ip_ranges must have at most 20 ranges such as 203.0.113.0/24 or 2001:db8::/32")]
    IpRanges,
    /// Neither an id nor a secret is given, or both are.
    #[error("name the key by its id or by its secret, not by both")]
    WhichKey,
    /// A keyring was replaced so recently that some function may not know it yet.
    #[error("this secret was rotated a short while ago; another rotation is possible from {}", .0.rfc3339())]
    TooSoon(Timestamp),
    /// Keys would end that were not used since the last rotation.
    #[error(
        "keys that were not used since the last rotation, and would end: {0}; \
         wait until they are used, revoke them, or say \"drop_unseen\": true"
    )]
    Unseen(String),
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
    /// The outcome is none that a person can give.
    #[error("outcome must be succeeded or failed")]
    Outcome,
    /// The reason is empty or too long.
    #[error("reason must have 1 to 255 characters")]
    Reason,
    /// The reference is empty or too long.
    #[error("reference must have 1 to 255 characters")]
    Reference,
    /// The account has no such refund.
    #[error("there is no such refund")]
    NoSuchRefund,
    /// What a person says of the refund contradicts what is known.
    #[error("the refund is left as it is: {0}")]
    Contradicted(&'static str),
    /// The refund was written at the same time.
    #[error("the refund changed at the same moment; look at it again")]
    RefundChanged,
    /// The refund could not be written.
    #[error("the refund was not written")]
    Settle(#[from] SettleError),
    /// Nobody is named who does this.
    #[error("operator must name who does this, in one line of 1 to 64 characters")]
    Operator,
    /// The cursor is none that was answered.
    #[error("cursor must be one that the same command answered")]
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
    /// The processor's key was not tried.
    #[error(transparent)]
    Check(#[from] CheckKeysError),
    /// The dead-letter queue did not answer.
    #[error("the dead letters cannot be read")]
    Queue(#[from] DeadLettersError),
    /// The store of secrets did not answer.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
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

/// The runtime logs it: the kind alone, since the causes hold raw answers of AWS.
impl fmt::Debug for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
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
            | Self::KeyName
            | Self::ExpiresAt
            | Self::IpRanges
            | Self::WhichKey
            | Self::Overlap
            | Self::Processor
            | Self::ProcessorKeys(_)
            | Self::NoJobs
            | Self::Operator
            | Self::Outcome
            | Self::Reason
            | Self::Reference
            | Self::Cursor
            | Self::AccountIds => "InvalidCommand",
            Self::TooManySecrets(_)
            | Self::Overtaken
            | Self::TooSoon(_)
            | Self::Unseen(_)
            | Self::PaymentChanged
            | Self::RefundChanged
            | Self::Contradicted(_)
            | Self::Contradiction(_) => "Conflict",
            Self::NoSuchAccount => "NoSuchAccount",
            Self::NoSuchKey | Self::NoSuchProcessorKeys => "NoSuchKey",
            Self::NoSuchPayment => "NoSuchPayment",
            Self::NoSuchRefund => "NoSuchRefund",
            Self::Queue(_)
            | Self::Keyring(_)
            | Self::SealKey(_)
            | Self::Seal(_)
            | Self::Check(_)
            | Self::Settle(_)
            | Self::Read(_)
            | Self::Write(_) => "Unavailable",
        }
    }
}

impl From<AdminError> for Diagnostic {
    fn from(error: AdminError) -> Self {
        // A command that cannot be read is not quoted: anything may stand in it, a secret too.
        let why = if matches!(error, AdminError::Command(_)) { None } else { Some(causes(&error)) };
        tracing::error!(error.kind = error.kind(), error = why, "command refused");
        Self { error_type: error.kind().to_owned(), error_message: error.to_string() }
    }
}

/// Carries out one command; see docs/credentials.md and docs/operations.md for each.
pub async fn handle<A, K, R, S, D, N, P>(
    context: &Context<A, K, R, S, D, N, P>,
    event: LambdaEvent<Value>,
) -> Result<Value, AdminError>
where
    A: Accounts
        + WebhookSecrets
        + KeepSecrets
        + ListTenants
        + Reports
        + AdoptPayments
        + Payments
        + Settle
        + Sync,
    K: KeepKeys + KeepSealedKeys,
    R: Keyrings + RotateKeyrings + SealKeys,
    D: DeadLetters,
    N: Names<dead_letters::Image>,
    S: Seal,
    P: CheckKeys,
{
    let Invocation { name, command, operator } = Invocation::parse(event)?;
    let by = operator.as_ref().map(Text::as_str);
    tracing::info!(command.name = name, operator = by, "command given");
    match command {
        Command::CreateAccount { name } => accounts::create(context, name).await,
        Command::ListAccounts { after } => accounts::list(&context.accounts, after.as_deref()).await,
        Command::CreateApiKey(wanted) => keys::create(context, KeyUse::Api, wanted).await,
        Command::CreateClient(wanted) => keys::create(context, KeyUse::Client, wanted).await,
        Command::ListApiKeys { account_id, environment } => {
            keys::list(context, &tenant(&account_id, &environment)?).await
        }
        Command::RevokeApiKey { id, secret } => keys::revoke(context, id.as_deref(), secret.as_deref()).await,
        Command::RotatePepper { drop_unseen } => {
            rotation::pepper(context, drop_unseen.unwrap_or_default()).await
        }
        Command::RotateSigningKey {} => rotation::rotate(context, Ring::TokenSigning).await,
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
        Command::CheckProcessor { account_id, environment, processor } => {
            let tenant = tenant(&account_id, &environment)?;
            secrets::check_processor(context, &tenant, &processor).await
        }
        Command::DeadLetters { queue } => dead_letters::show(context, queue).await,
        Command::PutBack { queue, refund_id } => {
            let of_refund = refund_id.map(|id| RefundId::try_from(id.as_str())).transpose();
            let of_refund = of_refund.map_err(|why| AdminError::Id("refund_id", why))?;
            dead_letters::put_back(context, queue, of_refund.as_ref()).await
        }
        Command::LatestReports {} => reports::latest(&context.accounts).await,
        Command::IndexAccounts { account_ids } => reports::index(&context.accounts, &account_ids).await,
        Command::SettleRefund(said) => {
            let operator = operator.ok_or(AdminError::Operator)?;
            refunds::settle(&context.accounts, (context.now)(), operator, said).await
        }
        Command::AskNow(named) => refunds::ask_now(&context.accounts, (context.now)(), named).await,
        Command::ClearFlag(named) => refunds::clear_flag(&context.accounts, named).await,
        Command::SealPayments { cursor } => {
            let Context { accounts, keyrings, now, .. } = context;
            seals::seal_payments(accounts, keyrings, *now, cursor).await
        }
        Command::SealSecrets { cursor } => secrets::seal_plain(context, cursor).await,
        Command::SealPayment { account_id, environment, payment_id } => {
            let tenant = tenant(&account_id, &environment)?;
            let id = PaymentId::try_from(payment_id.as_str());
            let id = id.map_err(|why| AdminError::Id("payment_id", why))?;
            seals::seal_payment(&context.accounts, &context.keyrings, &tenant, &id).await
        }
    }
}

fn tenant(account_id: &str, environment: &str) -> Result<Tenant, AdminError> {
    let account = AccountId::try_from(account_id).map_err(|why| AdminError::Id("account_id", why))?;
    let environment = Environment::parse(environment).ok_or(AdminError::Environment)?;
    Ok(Tenant { environment, account })
}
