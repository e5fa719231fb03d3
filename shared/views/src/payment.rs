//! A payment with its balances.

use std::collections::BTreeMap;

use recoup_domain::balance::{Balance, Balances};
use recoup_domain::dispute::Dispute;
use recoup_domain::ids::Environment;
use recoup_domain::payment::{Line, Payment, Processor};
use recoup_domain::split::Actor;
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;
use recoup_domain::verification::Verification;
use serde::Serialize;

use crate::{Amount, ByView, PublicUrl, SelfLink};

#[derive(Clone, Debug, Serialize)]
struct BalanceView {
    #[serde(flatten)]
    amount: Amount,
    refundable_amount: u64,
    refundable_amount_decimal: String,
    held_amount: u64,
    held_amount_decimal: String,
    refunded_amount: u64,
    refunded_amount_decimal: String,
    charged_back_amount: u64,
    charged_back_amount_decimal: String,
}

impl From<&Balance> for BalanceView {
    fn from(balance: &Balance) -> Self {
        Self {
            amount: balance.amount.into(),
            refundable_amount: balance.refundable.minor(),
            refundable_amount_decimal: balance.refundable.decimal(),
            held_amount: balance.held.minor(),
            held_amount_decimal: balance.held.decimal(),
            refunded_amount: balance.refunded.minor(),
            refunded_amount_decimal: balance.refunded.decimal(),
            charged_back_amount: balance.charged_back.minor(),
            charged_back_amount_decimal: balance.charged_back.decimal(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct MerchantBalance {
    account_id: String,
    transfer: Option<String>,
    #[serde(flatten)]
    balance: BalanceView,
}

#[derive(Clone, Debug, Serialize)]
struct PaymentRouting {
    platform: Option<BalanceView>,
    merchants: Vec<MerchantBalance>,
}

#[derive(Clone, Debug, Serialize)]
struct LineView {
    id: String,
    #[serde(flatten)]
    amount: Amount,
    refundable_amount: u64,
    refundable_amount_decimal: String,
    refunded: bool,
}

impl LineView {
    fn of(payment: &Payment, line: &Line) -> Self {
        let left = payment.refundable_of(line);
        Self {
            id: line.id.to_string(),
            amount: line.amount.into(),
            refundable_amount: left.minor(),
            refundable_amount_decimal: left.decimal(),
            refunded: left.is_zero(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct DisputeView {
    reference: String,
    status: &'static str,
    reason: Option<String>,
    #[serde(flatten)]
    amount: Amount,
    charged_back_amount: u64,
    charged_back_amount_decimal: String,
    excess_amount: u64,
    excess_amount_decimal: String,
    blocks_refunds: bool,
    told_at: String,
}

impl From<&Dispute> for DisputeView {
    fn from(dispute: &Dispute) -> Self {
        let (word, excess) = (&dispute.word, dispute.excess());
        Self {
            reference: word.reference.as_str().into(),
            status: word.status.as_str(),
            reason: word.reason.as_ref().map(|reason| reason.as_str().into()),
            amount: word.amount.into(),
            charged_back_amount: dispute.charged_back.minor(),
            charged_back_amount_decimal: dispute.charged_back.decimal(),
            excess_amount: excess.minor(),
            excess_amount_decimal: excess.decimal(),
            blocks_refunds: dispute.blocks_refunds(),
            told_at: word.told_at.rfc3339(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct ProcessorView {
    name: &'static str,
    reference: String,
    account: Option<String>,
    split: Option<&'static str>,
}

#[derive(Clone, Debug, Serialize)]
struct VerificationView {
    status: &'static str,
    at: Option<String>,
    field: Option<&'static str>,
    ours: Option<String>,
    theirs: Option<String>,
}

impl From<&Verification> for VerificationView {
    fn from(verification: &Verification) -> Self {
        let (status, at, difference) = match verification {
            Verification::Pending | Verification::Awaited(_) => ("pending", None, None),
            Verification::Verified(at) => ("verified", Some(at), None),
            Verification::Failed(at, difference) => ("failed", Some(at), Some(difference)),
        };
        let text = |text: &Text<255>| text.as_str().to_owned();
        Self {
            status,
            at: at.map(|at| at.rfc3339()),
            field: difference.map(|difference| difference.term.as_str()),
            ours: difference.map(|difference| text(&difference.ours)),
            theirs: difference.and_then(|difference| difference.theirs.as_ref()).map(text),
        }
    }
}

/// A payment with its balances.
#[derive(Clone, Debug, Serialize)]
pub struct PaymentView {
    id: String,
    object: &'static str,
    #[serde(flatten)]
    balance: BalanceView,
    currency: &'static str,
    status: &'static str,
    refund_status: &'static str,
    settlement: &'static str,
    payout: &'static str,
    disputed: bool,
    disputes: Vec<DisputeView>,
    partial_refunds: &'static str,
    refundable_until: Option<String>,
    routing: Option<PaymentRouting>,
    invoice_details: Vec<LineView>,
    processor: ProcessorView,
    processor_verification: Option<VerificationView>,
    metadata: BTreeMap<String, String>,
    sandbox: bool,
    created_at: String,
    registered_by: Option<ByView>,
    updated_at: String,
    _links: SelfLink,
}

impl PaymentView {
    /// Shows a payment.
    pub fn of(payment: &Payment, balances: &Balances, public_url: &PublicUrl) -> Self {
        let facts = &payment.facts;
        let total = &balances.total;
        Self {
            id: payment.id.to_string(),
            object: "payment",
            balance: total.into(),
            currency: payment.amount.currency().code(),
            status: balances.status.as_str(),
            refund_status: if total.refunded.is_zero() {
                "none"
            } else if total.refunded == total.amount {
                "full"
            } else {
                "partial"
            },
            settlement: facts.settlement.as_str(),
            payout: facts.payout.as_str(),
            disputed: payment.is_disputed(),
            disputes: payment.disputes.list.iter().map(DisputeView::from).collect(),
            partial_refunds: facts.partial_refunds.as_str(),
            refundable_until: facts.refundable_until.map(Timestamp::rfc3339),
            routing: payment.routing.is_some().then(|| routing(balances, &payment.processor)),
            invoice_details: payment.lines.iter().map(|line| LineView::of(payment, line)).collect(),
            processor: ProcessorView {
                name: payment.processor.name.as_str(),
                reference: payment.processor.reference.as_str().into(),
                account: payment.processor.account.as_ref().map(|text| text.as_str().into()),
                split: payment.routing.is_some().then(|| payment.processor.shape().as_said()),
            },
            processor_verification: payment.verification.as_ref().map(VerificationView::from),
            metadata: facts.metadata.pairs().clone(),
            sandbox: payment.tenant.environment == Environment::Sandbox,
            created_at: payment.created_at.rfc3339(),
            registered_by: payment.registered_by.as_ref().map(ByView::from),
            updated_at: payment.updated_at.rfc3339(),
            _links: SelfLink { this: public_url.payment(payment.id.as_str()) },
        }
    }
}

fn routing(balances: &Balances, processor: &Processor) -> PaymentRouting {
    let transfer = |id| Some(processor.split.as_ref()?.transfer_to(id)?.as_str().to_owned());
    let mut view = PaymentRouting { platform: None, merchants: Vec::new() };
    for (actor, balance) in &balances.actors {
        match actor {
            Actor::Platform => view.platform = Some(balance.into()),
            Actor::Merchant(id) => {
                let (account_id, transfer) = (id.to_string(), transfer(id));
                view.merchants.push(MerchantBalance { account_id, transfer, balance: balance.into() });
            }
        }
    }
    view
}
