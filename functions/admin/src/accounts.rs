//! Accounts, and the secret that signs to their refunds' own URLs.

use recoup_domain::ids::{AccountId, Environment, Tenant};
use recoup_domain::signing::{Secret, Secrets};
use recoup_ports::credentials::{Accounts, NewAccount, Rotated};
use recoup_ports::reports::Tenants;
use recoup_ports::webhooks::WebhookSecrets;
use serde_json::{Value, json};

use crate::{AdminError, Context};

/// Most characters in an account's name.
const NAME_MAX: usize = 100;
/// Most accounts in one answer.
const ACCOUNTS_MAX: u16 = 100;

pub(crate) async fn create<A: Accounts, K, R, D, N>(
    context: &Context<A, K, R, D, N>,
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

/// The accounts after one, in the order of their ids.
pub(crate) async fn list<A: Accounts + Tenants>(store: &A, after: Option<&str>) -> Result<Value, AdminError> {
    let after = after.map(AccountId::try_from).transpose().map_err(|why| AdminError::Id("after", why))?;
    let live = |account| Tenant { environment: Environment::Live, account };
    // Each account has a tenant in live, and these come first.
    let mut tenants = store.tenants(after.map(live).as_ref(), ACCOUNTS_MAX).await?;
    tenants.retain(|tenant| tenant.environment == Environment::Live);
    let accounts = store.accounts(&tenants).await?;
    let next = tenants.last().filter(|_| tenants.len() == usize::from(ACCOUNTS_MAX));
    let shown = accounts.read.iter().map(|account| {
        let created_at = account.created_at.rfc3339();
        json!({ "account_id": account.id.as_str(), "name": account.name, "created_at": created_at })
    });
    Ok(json!({
        "accounts": shown.collect::<Vec<_>>(),
        "unreadable": accounts.unreadable.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(),
        "next_after": next.map(|tenant| tenant.account.as_str()),
    }))
}

pub(crate) async fn rotate_secret<A: Accounts + WebhookSecrets, K, R, D, N>(
    context: &Context<A, K, R, D, N>,
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

/// A secret of 256 random bits.
fn secret(random: fn() -> u128) -> Secret {
    Secret::of_256_bits([random(), random()])
}
