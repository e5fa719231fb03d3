//! A refund, as every endpoint and webhook shows it.

use std::collections::BTreeMap;

use recoup_domain::ids::Environment;
use recoup_domain::money::Money;
use recoup_domain::recovery::Recovery;
use recoup_domain::refund::{
    BankReference, External, Failure, Flag, LinePart, Pending, ReasonCode, Refund, State, Verdict,
};
use recoup_domain::split::Split;
use serde::Serialize;

use crate::payment::PaymentView;
use crate::{Amount, ByView, Link, PublicUrl};

#[derive(Clone, Debug, Serialize)]
struct RefundLinks {
    #[serde(rename = "self")]
    this: Link,
    payment: Link,
}

#[derive(Clone, Debug, Serialize)]
struct RecoveryView {
    status: &'static str,
    reference: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct PartView {
    #[serde(flatten)]
    amount: Amount,
    recovery: RecoveryView,
}

#[derive(Clone, Debug, Serialize)]
struct MerchantAmount {
    account_id: String,
    #[serde(flatten)]
    part: PartView,
}

#[derive(Clone, Debug, Serialize)]
struct RoutingView {
    platform: PartView,
    merchants: Vec<MerchantAmount>,
}

impl RoutingView {
    fn of(refund: &Refund, split: &Split) -> Self {
        let part = |position, amount: Money| PartView {
            amount: amount.into(),
            recovery: RecoveryView::of(&refund.recovery_of(position)),
        };
        let merchants = (1..).zip(split.merchants());
        let giving = merchants.filter(|(_, merchant)| !merchant.amount.is_zero());
        Self {
            platform: part(0, split.platform()),
            merchants: giving
                .map(|(position, merchant)| MerchantAmount {
                    account_id: merchant.account.to_string(),
                    part: part(position, merchant.amount),
                })
                .collect(),
        }
    }
}

/// A line of the invoice. How much of it is null where version 0.1 made the refund, which took lines whole.
#[derive(Clone, Debug, Serialize)]
struct LinePartView {
    id: String,
    amount: Option<u64>,
    amount_decimal: Option<String>,
}

impl From<&LinePart> for LinePartView {
    fn from(part: &LinePart) -> Self {
        let amount = part.taken.map(|(_, amount)| amount);
        Self {
            id: part.id.to_string(),
            amount: amount.map(Money::minor),
            amount_decimal: amount.map(Money::decimal),
        }
    }
}

impl RecoveryView {
    fn of(recovery: &Recovery<'_>) -> Self {
        let (status, reference) = match recovery {
            Recovery::None => ("none", None),
            Recovery::Pending => ("pending", None),
            Recovery::Recovered(reference) => ("recovered", *reference),
            Recovery::Failed => ("failed", None),
        };
        Self { status, reference: reference.map(|text| text.as_str().into()) }
    }
}

#[derive(Clone, Debug, Serialize)]
struct FailureView {
    code: &'static str,
    message: String,
    processor_code: Option<String>,
    processor_message: Option<String>,
    processor_request_id: Option<String>,
}

impl From<&Failure> for FailureView {
    fn from(Failure { code, message, said }: &Failure) -> Self {
        Self {
            code: code.as_str(),
            message: message.as_str().into(),
            processor_code: said.code.as_ref().map(|text| text.as_str().into()),
            processor_message: said.message.as_ref().map(|text| text.as_str().into()),
            processor_request_id: said.request_id.as_ref().map(|text| text.as_str().into()),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct BankReferenceView {
    kind: &'static str,
    value: Option<String>,
    status: &'static str,
}

impl From<&BankReference> for BankReferenceView {
    fn from(told: &BankReference) -> Self {
        let value = told.value.as_ref().map(|value| value.as_str().into());
        Self { kind: told.kind.as_str(), value, status: told.status() }
    }
}

#[derive(Clone, Debug, Serialize)]
struct MoneyView {
    #[serde(flatten)]
    amount: Amount,
    currency: &'static str,
}

impl From<Money> for MoneyView {
    fn from(money: Money) -> Self {
        Self { amount: money.into(), currency: money.currency().code() }
    }
}

#[derive(Clone, Debug, Serialize)]
struct ExternalView {
    method: String,
    reference: Option<String>,
}

impl From<&External> for ExternalView {
    fn from(External { method, reference }: &External) -> Self {
        let reference = reference.as_ref().map(|text| text.as_str().into());
        Self { method: method.as_str().into(), reference }
    }
}

/// What a person said of a refund's end.
#[derive(Clone, Debug, Serialize)]
struct VerdictView {
    outcome: &'static str,
    operator: Option<String>,
    reason: String,
    reference: Option<String>,
    at: String,
}

impl From<&Verdict> for VerdictView {
    fn from(Verdict { ruling, operator, reason, reference, at }: &Verdict) -> Self {
        Self {
            outcome: ruling.as_str(),
            operator: Some(operator.as_str().into()),
            reason: reason.as_str().into(),
            reference: reference.as_ref().map(|text| text.as_str().into()),
            at: at.rfc3339(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct UrlsView {
    webhook: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct ArrivalView {
    earliest: String,
    latest: String,
}

/// The payment's id, or the payment itself where the caller expands it.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Transaction {
    Id(String),
    Payment(Box<PaymentView>),
}

/// A refund, as every endpoint and webhook shows it.
#[derive(Clone, Debug, Serialize)]
pub struct RefundView {
    id: String,
    object: &'static str,
    payment_id: String,
    transaction_id: Transaction,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<Box<PaymentView>>,
    #[serde(flatten)]
    amount: Amount,
    currency: &'static str,
    kind: &'static str,
    status: &'static str,
    pending_reason: Option<&'static str>,
    has_failed: bool,
    failure: Option<FailureView>,
    flag: Option<&'static str>,
    verdict: Option<VerdictView>,
    origin: &'static str,
    external: Option<ExternalView>,
    excess_amount: u64,
    excess_amount_decimal: String,
    sandbox: bool,
    reason: Option<String>,
    reason_code: Option<&'static str>,
    information: Option<String>,
    description: Option<String>,
    reference: Option<String>,
    metadata: BTreeMap<String, String>,
    invoice_detail_ids: Vec<String>,
    lines: Vec<LinePartView>,
    routing: Option<RoutingView>,
    urls: UrlsView,
    processor_reference: Option<String>,
    processor_amount: Option<MoneyView>,
    bank_reference: Option<BankReferenceView>,
    sequence: u32,
    arrival_estimate: Option<ArrivalView>,
    created_at: String,
    created_by: Option<ByView>,
    updated_at: String,
    _links: RefundLinks,
}

impl RefundView {
    /// Business days (weekdays, UTC) until the money usually arrives.
    const ARRIVAL_DAYS: (u8, u8) = (3, 5);

    /// Shows a refund.
    pub fn of(refund: &Refund, public_url: &PublicUrl) -> Self {
        let (notes, version) = (&refund.notes, &refund.version);
        let excess = refund.origin.excess().unwrap_or(Money::zero(refund.amount.currency()));
        let (earliest, latest) = Self::ARRIVAL_DAYS;
        let failure = version.state.failure().map(FailureView::from);
        Self {
            id: refund.id.to_string(),
            object: "refund",
            payment_id: refund.payment_id.to_string(),
            transaction_id: Transaction::Id(refund.payment_id.to_string()),
            payment: None,
            amount: refund.amount.into(),
            currency: refund.amount.currency().code(),
            kind: refund.kind.as_str(),
            status: version.state.as_str(),
            pending_reason: version.state.pending().map(Pending::as_str),
            has_failed: failure.is_some(),
            failure,
            flag: refund.flag.map(Flag::as_str),
            verdict: refund.verdict.as_ref().map(VerdictView::from),
            origin: refund.origin.name().as_str(),
            external: refund.origin.external().map(ExternalView::from),
            excess_amount: excess.minor(),
            excess_amount_decimal: excess.decimal(),
            sandbox: refund.tenant.environment == Environment::Sandbox,
            reason: notes.reason.as_ref().map(|text| text.as_str().into()),
            reason_code: notes.reason.as_ref().map(|reason| ReasonCode::of(reason).as_str()),
            information: notes.information.as_ref().map(|text| text.as_str().into()),
            description: notes.description.as_ref().map(|text| text.as_str().into()),
            reference: notes.reference.as_ref().map(|text| text.as_str().into()),
            metadata: version.metadata.pairs().clone(),
            invoice_detail_ids: refund.lines.iter().map(|part| part.id.to_string()).collect(),
            lines: refund.lines.iter().map(LinePartView::from).collect(),
            routing: refund.split.as_ref().map(|split| RoutingView::of(refund, split)),
            urls: UrlsView { webhook: notes.webhook_url.as_ref().map(|url| url.as_str().into()) },
            processor_reference: version.processor_reference.as_ref().map(|text| text.as_str().into()),
            processor_amount: refund.processor_amount.map(MoneyView::from),
            bank_reference: version.bank_reference.as_ref().map(BankReferenceView::from),
            sequence: version.sequence,
            arrival_estimate: arrives(refund).then(|| ArrivalView {
                earliest: refund.created_at.business_days_later(earliest),
                latest: refund.created_at.business_days_later(latest),
            }),
            created_at: refund.created_at.rfc3339(),
            created_by: refund.created_by.as_ref().map(ByView::from),
            updated_at: version.updated_at.rfc3339(),
            _links: RefundLinks {
                this: public_url.refund(refund),
                payment: public_url.payment(refund.payment_id.as_str()),
            },
        }
    }
}

/// Whether the money is on its way to the customer through the processor, or may be.
fn arrives(refund: &Refund) -> bool {
    match &refund.version.state {
        State::Initiated | State::Processing(_) | State::Succeeded => refund.origin.external().is_none(),
        State::Failed(_) | State::Cancelled => false,
    }
}

impl RefundView {
    /// Without the name of the person who settled it: receivers of events are no readers of refunds.
    #[must_use]
    pub fn without_operator(mut self) -> Self {
        self.verdict = self.verdict.map(|verdict| VerdictView { operator: None, ..verdict });
        self
    }

    /// Shows the payment in place of its id.
    #[must_use]
    pub fn with_transaction(mut self, payment: PaymentView) -> Self {
        self.transaction_id = Transaction::Payment(Box::new(payment));
        self
    }

    /// Shows the payment beside its id.
    #[must_use]
    pub fn with_payment(mut self, payment: PaymentView) -> Self {
        self.payment = Some(Box::new(payment));
        self
    }
}
