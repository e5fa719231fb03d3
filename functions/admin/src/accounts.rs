//! Accounts.

use recoup_domain::ids::{AccountId, Environment, Tenant};
use recoup_domain::sealed::StoredSecret;
use recoup_domain::signing::Secret;
use recoup_ports::credentials::{Accounts, NewAccount};
use recoup_ports::reports::Tenants;
use recoup_ports::seals::{Purpose, Seal};
use serde_json::{Value, json};

use crate::{AdminError, Context};

/// Most characters in an account's name.
const NAME_MAX: usize = 100;
/// Most accounts in one answer.
const ACCOUNTS_MAX: u16 = 100;

pub(crate) async fn create<A: Accounts, K, R, S: Seal, D, N, P>(
    context: &Context<A, K, R, S, D, N, P>,
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
        "webhook_secrets": { "sandbox": sandbox.reveal(), "live": live.reveal() },
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

/// A secret of 256 random bits.
pub(crate) fn secret(random: fn() -> u128) -> Secret {
    Secret::of_256_bits([random(), random()])
}
