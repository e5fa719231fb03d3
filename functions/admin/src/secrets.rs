//! An account's secrets: what signs to refunds' own URLs, and the keys at its processors.

use std::fmt;

use recoup_domain::delivery::Target;
use recoup_domain::ids::Tenant;
use recoup_domain::payment::ProcessorName;
use recoup_domain::sealed::StoredSecret;
use recoup_domain::signing::Secrets;
use recoup_ports::credentials::Accounts;
use recoup_ports::direct::{CheckKeys, KeysCheck, KeysChecked};
use recoup_ports::processor_keys::{Deleted, KeepSealedKeys};
use recoup_ports::seals::{KeepSecrets, PlainSecrets, Purpose, Replaced, Seal, sealed};
use recoup_ports::webhooks::WebhookSecrets;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::accounts::secret;
use crate::seals::{NAMED_MAX, goes_on};
use crate::{AdminError, Context};

/// Most bytes that KMS seals at once.
const SECRET_BYTES_MAX: usize = 4_096;

/// A secret in a command; never printed by accident.
pub(crate) struct Given(String);

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Given(…)")
    }
}

impl<'de> Deserialize<'de> for Given {
    /// The error repeats nothing of what was given.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer) {
            Ok(Value::String(text)) => Ok(Self(text)),
            Ok(_) | Err(_) => Err(D::Error::custom("secret must be a text that holds JSON")),
        }
    }
}

/// Replaces the secret that signs to refunds' own URLs.
pub(crate) async fn rotate<A, K, R, S, D, N, P>(
    context: &Context<A, K, R, S, D, N, P>,
    tenant: &Tenant,
    overlap_hours: Option<u32>,
) -> Result<Value, AdminError>
where
    A: KeepSecrets + WebhookSecrets,
    S: Seal,
{
    let now = (context.now)();
    let overlap = Secrets::overlap(overlap_hours).ok_or(AdminError::Overlap)?;
    let from = context.accounts.webhook_secrets(tenant).await?.ok_or(AdminError::NoSuchAccount)?;
    let secret = secret(context.random);
    let to = from.rotated(StoredSecret::Plain(secret.clone()), now, overlap)?;
    let to = sealed(&context.seal, tenant, &Purpose::Account, to).await?;
    match context.accounts.replace_secrets(tenant, &Target::RefundUrl, &from, &to).await? {
        Replaced::Yes => {
            tracing::info!(account.id = %tenant.account, "webhook secret rotated");
            Ok(json!({
                "account_id": tenant.account.as_str(),
                "environment": tenant.environment.as_str(),
                "webhook_secret": secret.reveal(),
                "previous_secret_valid_until": now.plus(overlap).rfc3339(),
            }))
        }
        Replaced::Overtaken => Err(AdminError::Overtaken),
    }
}

/// One command's part of a walk through the table, from `cursor` on: seals the webhook secrets that version 0.1 stored
/// plain. They sign as before. Whoever rotates one at the same moment wins, and has sealed it.
pub(crate) async fn seal_plain<A: KeepSecrets, K, R, S: Seal, D, N, P>(
    context: &Context<A, K, R, S, D, N, P>,
    cursor: Option<String>,
) -> Result<Value, AdminError> {
    let (started, mut cursor) = ((context.now)(), cursor);
    let (mut done, mut changed, mut unreadable) = (0_u64, 0_u64, Vec::new());
    loop {
        let page = context.accounts.plain_secrets(cursor.as_deref()).await?.ok_or(AdminError::Cursor)?;
        unreadable.extend(page.found.unreadable.into_iter().map(|row| row.id));
        for PlainSecrets { tenant, receiver, secrets: from } in page.found.read {
            let to = sealed(&context.seal, &tenant, &Purpose::from(&receiver), from.clone()).await?;
            match context.accounts.replace_secrets(&tenant, &receiver, &from, &to).await? {
                Replaced::Yes => done = done.saturating_add(1),
                Replaced::Overtaken => changed = changed.saturating_add(1),
            }
        }
        cursor = page.next;
        if !goes_on(cursor.as_ref(), done, (context.now)().since(started)) {
            break;
        }
    }
    let more_unreadable = unreadable.len().saturating_sub(NAMED_MAX);
    unreadable.truncate(NAMED_MAX);
    tracing::info!(sealed = done, changed, unreadable = unreadable.len(), "webhook secrets sealed");
    Ok(json!({
        "sealed": done, "changed": changed, "unreadable": unreadable, "more_unreadable": more_unreadable,
        "cursor": cursor,
    }))
}

/// A processor that has keys.
fn processor(name: &str) -> Result<ProcessorName, AdminError> {
    match ProcessorName::parse(name) {
        Some(name @ (ProcessorName::Stripe | ProcessorName::Http)) => Ok(name),
        Some(ProcessorName::Sandbox) | None => Err(AdminError::Processor),
    }
}

/// Stores the keys of an account at a processor, in the place of earlier ones.
pub(crate) async fn set_processor_keys<A: Accounts, K: KeepSealedKeys, R, S: Seal, D, N, P>(
    context: &Context<A, K, R, S, D, N, P>,
    tenant: &Tenant,
    name: &str,
    Given(secret): &Given,
) -> Result<Value, AdminError> {
    let processor = processor(name)?;
    recoup_processors::check_keys(processor, tenant.environment, secret)
        .map_err(AdminError::ProcessorKeys)?;
    if secret.len() > SECRET_BYTES_MAX {
        return Err(AdminError::ProcessorKeys("it has more than 4,096 bytes"));
    }
    if !context.accounts.account_exists(&tenant.account, tenant.environment).await? {
        return Err(AdminError::NoSuchAccount);
    }
    let sealed = context.seal.seal(tenant, &Purpose::Processor(processor), secret.as_bytes()).await?;
    context.keys.keep_sealed_keys(tenant, processor, &sealed, (context.now)()).await?;
    tracing::info!(
        account.id = %tenant.account, environment = tenant.environment.as_str(),
        processor.name = processor.as_str(), "processor keys set"
    );
    Ok(shown(tenant, processor, "set"))
}

/// Deletes the keys that [`set_processor_keys`] stored.
pub(crate) async fn delete_processor_keys<A, K: KeepSealedKeys, R, S, D, N, P>(
    context: &Context<A, K, R, S, D, N, P>,
    tenant: &Tenant,
    name: &str,
) -> Result<Value, AdminError> {
    let processor = processor(name)?;
    match context.keys.delete_sealed_keys(tenant, processor).await? {
        Deleted::Missing => Err(AdminError::NoSuchProcessorKeys),
        Deleted::Yes => {
            tracing::info!(
                account.id = %tenant.account, environment = tenant.environment.as_str(),
                processor.name = processor.as_str(), "processor keys deleted"
            );
            Ok(shown(tenant, processor, "deleted"))
        }
    }
}

/// Has an account's key tried at its processor, by a function that may open it.
pub(crate) async fn check_processor<A: Accounts, K, R, S, D, N, P: CheckKeys>(
    context: &Context<A, K, R, S, D, N, P>,
    tenant: &Tenant,
    name: &str,
) -> Result<Value, AdminError> {
    let check = KeysCheck { tenant: tenant.clone(), processor: processor(name)? };
    if !context.accounts.account_exists(&tenant.account, tenant.environment).await? {
        return Err(AdminError::NoSuchAccount);
    }
    let checked = context.processors.check_keys(&check).await?;
    let detail = match checked {
        KeysChecked::Works => "the processor accepts the key, for reading refunds",
        KeysChecked::Missing => "the account has no key of this processor",
        KeysChecked::Refused => {
            "the processor does not accept the key, or it belongs to the other environment"
        }
        KeysChecked::Unreadable => "what is stored cannot be read now, or is no key; the log says which",
        KeysChecked::Unclear => "the processor did not answer clearly; try again",
    };
    Ok(json!({
        "account_id": tenant.account.as_str(),
        "environment": tenant.environment.as_str(),
        "processor": check.processor.as_str(),
        "works": checked == KeysChecked::Works,
        "key": checked,
        "detail": detail,
    }))
}

fn shown(tenant: &Tenant, processor: ProcessorName, done: &str) -> Value {
    json!({
        "account_id": tenant.account.as_str(),
        "environment": tenant.environment.as_str(),
        "processor": processor.as_str(),
        done: true,
    })
}
