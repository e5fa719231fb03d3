//! Adopts payments that were registered before there were seals or claims: seals each as it stands, lists it, and claims
//! its charge.

use std::time::Duration;

use recoup_domain::ids::{PaymentId, Tenant};
use recoup_domain::payment::Payment;
use recoup_domain::seal::{SealKey, Sealed};
use recoup_domain::time::Timestamp;
use recoup_ports::audits::{AdoptPayments, Adopted, Unsealed};
use recoup_ports::payments::Payments;
use recoup_ports::seal_keys::SealKeys;
use serde_json::{Value, json};

use crate::AdminError;

/// No further page of the table is read after this long; the function's time in `template.yaml` is twice as long.
const READ_FOR: Duration = Duration::from_secs(20);
/// No further page is read after so many payments, or receivers, were sealed.
const SEALED_MAX: u64 = 1_000;
/// Most rows that one answer names.
pub(crate) const NAMED_MAX: usize = 100;

/// Whether one command's walk through the table reads another page.
pub(crate) fn goes_on(next: Option<&String>, sealed: u64, took: Duration) -> bool {
    next.is_some() && sealed < SEALED_MAX && took <= READ_FOR
}

#[derive(Default)]
struct Done {
    sealed: u64,
    changed: u64,
    astray: Vec<Value>,
    more_astray: u64,
}

impl Done {
    fn name(&mut self, payment: &str, tenant: Option<&Payment>, why: &str) {
        tracing::error!(payment.id = payment, why, "a payment was not sealed");
        if self.astray.len() >= NAMED_MAX {
            self.more_astray = self.more_astray.saturating_add(1);
            return;
        }
        self.astray.push(json!({
            "environment": tenant.map(|payment| payment.tenant.environment.as_str()),
            "account_id": tenant.map(|payment| payment.tenant.account.as_str()),
            "payment_id": payment,
            "why": why,
        }));
    }
}

/// Seals one payment as it now stands, whatever its seal says: somebody has looked at it.
pub(crate) async fn seal_payment(
    store: &(impl AdoptPayments + Payments),
    keys: &impl SealKeys,
    tenant: &Tenant,
    id: &PaymentId,
) -> Result<Value, AdminError> {
    let payment = store.payment(tenant, id).await?.ok_or(AdminError::NoSuchPayment)?;
    if let Some(why) = payment.contradiction() {
        return Err(AdminError::Contradiction(why));
    }
    let payment = payment.sealed(&keys.seal_key().await?);
    let other = match store.adopt(&payment.claiming()).await? {
        Adopted::Changed => return Err(AdminError::PaymentChanged),
        Adopted::Yes => None,
        Adopted::ChargeTaken(other) => Some(other),
    };
    tracing::warn!(payment.id = %id, account.id = %tenant.account, "payment sealed as it stands");
    let other = other.as_ref().map(PaymentId::as_str);
    Ok(json!({ "payment_id": id.as_str(), "sealed": true, "same_charge_as": other }))
}

/// One command's part of the walk through the table, from `cursor` on.
pub(crate) async fn seal_payments(
    store: &(impl AdoptPayments + Sync),
    keys: &impl SealKeys,
    now: fn() -> Timestamp,
    cursor: Option<String>,
) -> Result<Value, AdminError> {
    let key = keys.seal_key().await?;
    let (started, mut done, mut cursor) = (now(), Done::default(), cursor);
    loop {
        let page = store.unsealed(cursor.as_deref()).await?.ok_or(AdminError::Cursor)?;
        let next = page.next.clone();
        adopt_page(store, &key, page, &mut done).await?;
        cursor = next;
        if !goes_on(cursor.as_ref(), done.sealed, now().since(started)) {
            break;
        }
    }
    let Done { sealed, changed, astray, more_astray } = done;
    tracing::info!(sealed, changed, astray = astray.len(), more_astray, "payments sealed");
    Ok(json!({
        "sealed": sealed, "changed": changed, "astray": astray, "more_astray": more_astray, "cursor": cursor,
    }))
}

async fn adopt_page(
    store: &impl AdoptPayments,
    key: &SealKey,
    page: Unsealed,
    done: &mut Done,
) -> Result<(), AdminError> {
    for row in &page.payments.unreadable {
        done.name(&row.id, None, "the item cannot be read");
    }
    for payment in page.payments.read {
        if let Some(why) = payment.contradiction() {
            done.name(PaymentId::as_str(&payment.id), Some(&payment), why);
            continue;
        }
        let payment = match payment.seal_under(key) {
            // It is not in the list, or has no claim.
            Sealed::Intact => payment,
            Sealed::Absent => payment.sealed(key),
            Sealed::Broken => {
                done.name(payment.id.as_str(), Some(&payment), "its seal is broken");
                continue;
            }
        };
        match store.adopt(&payment.clone().claiming()).await? {
            Adopted::Yes => done.sealed = done.sealed.saturating_add(1),
            Adopted::ChargeTaken(other) => {
                let why = format!("it is the same charge as the payment {other}");
                done.name(payment.id.as_str(), Some(&payment), &why);
            }
            Adopted::Changed => done.changed = done.changed.saturating_add(1),
        }
    }
    Ok(())
}
