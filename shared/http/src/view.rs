//! What a caller sees of refunds and payments: amounts both ways, times in RFC 3339.

use std::collections::BTreeMap;

use recoup_domain::balance::Balances;
use recoup_domain::money::Money;
use recoup_domain::payment::Payment;
use recoup_domain::refund::{Pending, ReasonCode, Refund, State};
use recoup_domain::split::{Actor, Split};
use serde::Serialize;

/// The API's own address, to which links are added.
#[derive(Clone, Debug)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Takes the address, without the slash at its end.
    pub fn new(address: &str) -> Self {
        Self(address.trim_end_matches('/').to_owned())
    }

    /// A link to an object, by its collection and its id.
    pub(crate) fn link(&self, collection: &str, id: &str) -> Link {
        Link { href: format!("{}/v1/{collection}/{id}", self.0) }
    }

    fn refund(&self, refund: &Refund) -> Link {
        self.link("refunds", refund.id.as_str())
    }

    fn payment(&self, id: &str) -> Link {
        self.link("payments", id)
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Link {
    href: String,
}

/// Where an object itself is found.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SelfLink {
    #[serde(rename = "self")]
    pub(crate) this: Link,
}

#[derive(Clone, Debug, Serialize)]
struct RefundLinks {
    #[serde(rename = "self")]
    this: Link,
    payment: Link,
}

#[derive(Clone, Debug, Serialize)]
struct Amount {
    amount: u64,
    amount_decimal: String,
}

impl From<Money> for Amount {
    fn from(money: Money) -> Self {
        Self { amount: money.minor(), amount_decimal: money.decimal() }
    }
}

#[derive(Clone, Debug, Serialize)]
struct MerchantAmount {
    account_id: String,
    #[serde(flatten)]
    amount: Amount,
}

#[derive(Clone, Debug, Serialize)]
struct RoutingView {
    platform: Amount,
    merchants: Vec<MerchantAmount>,
}

impl From<&Split> for RoutingView {
    fn from(split: &Split) -> Self {
        let giving = split.merchants().iter().filter(|part| !part.amount.is_zero());
        Self {
            platform: split.platform().into(),
            merchants: giving
                .map(|part| MerchantAmount {
                    account_id: part.account.to_string(),
                    amount: part.amount.into(),
                })
                .collect(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct FailureView {
    code: &'static str,
    message: String,
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

/// The payment by its id, or the payment itself where it was asked for.
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
    sandbox: bool,
    reason: Option<String>,
    reason_code: Option<&'static str>,
    information: Option<String>,
    description: Option<String>,
    reference: Option<String>,
    metadata: BTreeMap<String, String>,
    invoice_detail_ids: Vec<String>,
    routing: Option<RoutingView>,
    urls: UrlsView,
    processor_reference: Option<String>,
    sequence: u32,
    arrival_estimate: Option<ArrivalView>,
    created_at: String,
    updated_at: String,
    _links: RefundLinks,
}

impl RefundView {
    /// Business days (weekdays, UTC) until the money is usually there.
    const ARRIVAL_DAYS: (u8, u8) = (3, 5);

    /// Shows a refund.
    pub fn of(refund: &Refund, public_url: &PublicUrl) -> Self {
        let (notes, version) = (&refund.notes, &refund.version);
        let (earliest, latest) = Self::ARRIVAL_DAYS;
        let failure = version.state.failure().map(|failure| FailureView {
            code: failure.code.as_str(),
            message: failure.message.as_str().into(),
        });
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
            sandbox: refund.tenant.environment == recoup_domain::ids::Environment::Sandbox,
            reason: notes.reason.as_ref().map(|text| text.as_str().into()),
            reason_code: notes.reason.as_ref().map(|reason| ReasonCode::of(reason).as_str()),
            information: notes.information.as_ref().map(|text| text.as_str().into()),
            description: notes.description.as_ref().map(|text| text.as_str().into()),
            reference: notes.reference.as_ref().map(|text| text.as_str().into()),
            metadata: version.metadata.pairs().clone(),
            invoice_detail_ids: refund.lines.iter().map(ToString::to_string).collect(),
            routing: refund.split.as_ref().map(RoutingView::from),
            urls: UrlsView { webhook: notes.webhook_url.as_ref().map(|url| url.as_str().into()) },
            processor_reference: version.processor_reference.as_ref().map(|text| text.as_str().into()),
            sequence: version.sequence,
            arrival_estimate: arrives(&version.state).then(|| ArrivalView {
                earliest: refund.created_at.business_days_later(earliest),
                latest: refund.created_at.business_days_later(latest),
            }),
            created_at: refund.created_at.rfc3339(),
            updated_at: version.updated_at.rfc3339(),
            _links: RefundLinks {
                this: public_url.refund(refund),
                payment: public_url.payment(refund.payment_id.as_str()),
            },
        }
    }
}

/// Whether the money is on its way to the customer, or may be.
fn arrives(state: &State) -> bool {
    match state {
        State::Initiated | State::Processing(_) | State::Succeeded => true,
        State::Failed(_) | State::Cancelled => false,
    }
}

impl RefundView {
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
}

impl From<&recoup_domain::balance::Balance> for BalanceView {
    fn from(balance: &recoup_domain::balance::Balance) -> Self {
        Self {
            amount: balance.amount.into(),
            refundable_amount: balance.refundable.minor(),
            refundable_amount_decimal: balance.refundable.decimal(),
            held_amount: balance.held.minor(),
            held_amount_decimal: balance.held.decimal(),
            refunded_amount: balance.refunded.minor(),
            refunded_amount_decimal: balance.refunded.decimal(),
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct MerchantBalance {
    account_id: String,
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
    refunded: bool,
}

#[derive(Clone, Debug, Serialize)]
struct ProcessorView {
    name: &'static str,
    reference: String,
}

/// A payment, with its money sorted.
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
    partial_refunds: &'static str,
    refundable_until: Option<String>,
    routing: Option<PaymentRouting>,
    invoice_details: Vec<LineView>,
    processor: ProcessorView,
    metadata: BTreeMap<String, String>,
    sandbox: bool,
    created_at: String,
    updated_at: String,
    _links: SelfLink,
}

impl PaymentView {
    /// Shows a payment.
    pub fn of(payment: &Payment, balances: &Balances, public_url: &PublicUrl) -> Self {
        let facts = &payment.facts;
        let total = &balances.total;
        let lines = payment.lines.iter();
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
            disputed: facts.disputed,
            partial_refunds: facts.partial_refunds.as_str(),
            refundable_until: facts.refundable_until.map(recoup_domain::time::Timestamp::rfc3339),
            routing: payment.routing.is_some().then(|| routing(balances)),
            invoice_details: lines
                .map(|line| LineView {
                    id: line.id.to_string(),
                    amount: line.amount.into(),
                    refunded: line.refunded,
                })
                .collect(),
            processor: ProcessorView {
                name: payment.processor.name.as_str(),
                reference: payment.processor.reference.as_str().into(),
            },
            metadata: facts.metadata.pairs().clone(),
            sandbox: payment.tenant.environment == recoup_domain::ids::Environment::Sandbox,
            created_at: payment.created_at.rfc3339(),
            updated_at: payment.updated_at.rfc3339(),
            _links: SelfLink { this: public_url.payment(payment.id.as_str()) },
        }
    }
}

fn routing(balances: &Balances) -> PaymentRouting {
    let mut view = PaymentRouting { platform: None, merchants: Vec::new() };
    for (actor, balance) in &balances.actors {
        match actor {
            Actor::Platform => view.platform = Some(balance.into()),
            Actor::Merchant(id) => {
                view.merchants.push(MerchantBalance { account_id: id.to_string(), balance: balance.into() });
            }
        }
    }
    view
}
