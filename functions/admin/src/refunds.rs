//! What a person decides about a refund: how it ended, that its processor is asked now, that somebody has looked at it.

use std::time::Duration;

use recoup_domain::ids::{RefundId, Tenant};
use recoup_domain::refund::{Flag, Judged, Refund, Ruling, Verdict};
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;
use recoup_ports::settlement::{Settle, Settled};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{AdminError, tenant};

/// The refund that a command is about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    account_id: String,
    environment: String,
    refund_id: String,
}

/// A person's word on how a refund ended.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    account_id: String,
    environment: String,
    refund_id: String,
    outcome: String,
    reason: String,
    reference: Option<String>,
}

impl Named {
    fn parse(&self) -> Result<(Tenant, RefundId), AdminError> {
        let tenant = tenant(&self.account_id, &self.environment)?;
        let id =
            RefundId::try_from(self.refund_id.as_str()).map_err(|why| AdminError::Id("refund_id", why))?;
        Ok((tenant, id))
    }
}

/// Ends a refund as a person says.
pub(crate) async fn settle(
    store: &impl Settle,
    now: Timestamp,
    operator: Text<64>,
    said: Said,
) -> Result<Value, AdminError> {
    let Said { account_id, environment, refund_id, outcome, reason, reference } = said;
    let (tenant, id) = Named { account_id, environment, refund_id }.parse()?;
    let reference = reference.map(Text::new).transpose().map_err(|_| AdminError::Reference)?;
    let verdict = Verdict {
        ruling: Ruling::parse(&outcome).ok_or(AdminError::Outcome)?,
        operator,
        reason: Text::new(reason).map_err(|_| AdminError::Reason)?,
        reference,
        at: now,
    };
    let refund = store.refund(&tenant, &id).await?.ok_or(AdminError::NoSuchRefund)?;
    let change = match refund.judged(verdict.clone()) {
        Judged::Now(change) => change,
        Judged::Already => return Ok(shown(&refund)),
        Judged::Contradicted(why) => return Err(AdminError::Contradicted(why)),
    };
    match store.carry_out(&change).await? {
        Settled::Applied => {}
        Settled::Overtaken => return Err(AdminError::RefundChanged),
        Settled::NothingLeft => return Err(AdminError::Contradicted("its payment no longer has the money")),
    }
    let reason = verdict.reason.as_str();
    tracing::warn!(reason, refund.id = %id, account.id = %tenant.account, refund.status = outcome, "a person settled a refund");
    Ok(shown(change.to()))
}

/// Has the processor of a refund on its way asked at once.
pub(crate) async fn ask_now(store: &impl Settle, now: Timestamp, named: Named) -> Result<Value, AdminError> {
    let (tenant, id) = named.parse()?;
    let refund = store.refund(&tenant, &id).await?.ok_or(AdminError::NoSuchRefund)?;
    if !refund.version.state.holds_money() {
        return Err(AdminError::Contradicted("it has ended; its processor is asked about it every night"));
    }
    match store.schedule(&refund, refund.asked_after(now, Duration::ZERO)).await? {
        Settled::Applied => {}
        Settled::Overtaken | Settled::NothingLeft => return Err(AdminError::RefundChanged),
    }
    tracing::warn!(refund.id = %id, account.id = %tenant.account, "a refund's processor is asked at once");
    Ok(shown(&refund))
}

/// Takes a refund's flag away: somebody has looked at it.
pub(crate) async fn clear_flag(store: &impl Settle, named: Named) -> Result<Value, AdminError> {
    let (tenant, id) = named.parse()?;
    let refund = store.refund(&tenant, &id).await?.ok_or(AdminError::NoSuchRefund)?;
    if let Some(flag) = refund.flag {
        if store.clear_flag(&refund).await? != Settled::Applied {
            return Err(AdminError::RefundChanged);
        }
        tracing::warn!(flag = flag.as_str(), refund.id = %id, account.id = %tenant.account, "a refund's flag was cleared");
    }
    Ok(shown(&Refund { flag: None, ..refund }))
}

fn shown(refund: &Refund) -> Value {
    json!({
        "refund_id": refund.id.as_str(),
        "status": refund.version.state.as_str(),
        "sequence": refund.version.sequence,
        "flag": refund.flag.map(Flag::as_str),
    })
}
