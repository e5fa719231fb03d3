//! Reading a payment's charge at its processor: its terms there, whichever of its names was asked for.

use recoup_domain::enter::Made;
use recoup_domain::ids::{RefundId, Tenant};
use recoup_domain::money::{Currency, Money, MoneyError};
use recoup_domain::payment::{Payment, Processor, ProcessorName};
use recoup_domain::seal::Sealed;
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;
use recoup_domain::verification::{Difference, Term, Verification};
use serde::{Deserialize, Serialize};

use crate::WriteError;
use crate::payments::{KeepVerifications, Kept};
use crate::seal_keys::SealKeys;

/// Which charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeQuestion {
    /// Whose it is.
    #[serde(flatten)]
    pub tenant: Tenant,
    /// Who made it.
    pub processor: ProcessorName,
    /// One of its names there.
    pub reference: Text<255>,
    /// The merchant's account there, if it was made in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Text<255>>,
}

impl ChargeQuestion {
    /// The charge of a payment.
    pub fn new(tenant: &Tenant, processor: &Processor) -> Self {
        let Processor { name, reference, account, split: _ } = processor;
        Self { tenant: tenant.clone(), processor: *name, reference: reference.clone(), at: account.clone() }
    }
}

/// A charge as its processor tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// All its names there; none while nothing is captured, for then another charge may take its place.
    pub names: Vec<Text<255>>,
    /// The currency of the amounts.
    pub currency: Currency,
    /// What was captured, in our minor units.
    pub captured_minor: u64,
    /// What was refunded of it, pending refunds included.
    pub refunded_minor: u64,
    /// Whether it is, or was, disputed.
    #[serde(default)]
    pub disputed: bool,
    /// The connected account that the charge was transferred to.
    pub destination: Option<Text<255>>,
    /// That transfer.
    pub transfer: Option<Text<255>>,
    /// The account in whose name it was made.
    pub on_behalf_of: Option<Text<255>>,
    /// The fee that the platform took of it.
    pub application_fee: Option<Text<255>>,
}

impl Charge {
    /// What was captured, and what was refunded of it.
    pub fn amounts(&self) -> Result<(Money, Money), MoneyError> {
        let money = |minor| Money::of_minor(minor, self.currency);
        Ok((money(self.captured_minor)?, money(self.refunded_minor)?))
    }
}

/// One refund of a charge, as its processor lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundOfCharge {
    /// Which of the tenant's own it says that it is.
    pub ours: Option<RefundId>,
    /// What it is there.
    pub made: Made,
}

/// The outcome of reading a charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ChargeRead {
    /// This processor tells of no charges.
    NotTold,
    /// The charge.
    Found(Box<Charge>),
    /// The processor knows no such charge under the account's key.
    NoSuchCharge,
    /// The account has no key that works there.
    NotConfigured,
    /// There was no answer, or no clear one.
    Unclear,
}

impl ChargeRead {
    /// The payment with what this says of its terms, and with all names of its charge among its claims.
    #[must_use]
    pub fn told_of(&self, mut payment: Payment, now: Timestamp) -> Payment {
        let told = match self {
            Self::NotTold => return payment,
            Self::NotConfigured | Self::Unclear => None,
            Self::NoSuchCharge => {
                let ours = payment.processor.reference.as_str();
                Some(Verification::Failed(now, Difference::new(Term::Reference, ours, None)))
            }
            Self::Found(charge) => {
                let unclaimed = charge.names.iter().filter(|name| !payment.claims.contains(name));
                payment.claims = payment.claims.iter().chain(unclaimed).cloned().collect();
                charge.amounts().ok().map(|(captured, refunded)| {
                    let difference = if !payment.lacks_terms() {
                        payment.differs_from(captured, refunded)
                    } else if captured.is_zero() {
                        Some(Difference::new(Term::Amount, "0", None))
                    } else {
                        payment = payment.with_told_amount(captured, now);
                        payment.differs_from(captured, refunded)
                    };
                    match difference {
                        None => Verification::Verified(now),
                        Some(difference) => Verification::Failed(now, difference),
                    }
                })
            }
        };
        let verification = told.or(payment.verification.take()).unwrap_or(Verification::Pending);
        Payment { verification: Some(verification), ..payment.claiming() }
    }
}

/// Keeps what a processor told of a payment, and returns the payment as it then stands. One whose charge is another
/// payment's is not verified. What an earlier version registered was promised to be refundable without being compared:
/// of that, only good news is kept. Terms that were told are sealed as those were that they take the place of.
pub async fn keep(
    store: &impl KeepVerifications,
    seal_keys: &impl SealKeys,
    payment: Payment,
    told: &ChargeRead,
    now: Timestamp,
) -> Result<Payment, WriteError> {
    let is_old = payment.verification.is_none();
    let mut told = told.told_of(payment.clone(), now);
    let is_good = matches!(told.verification, Some(Verification::Verified(_)));
    if told == payment || (is_old && !is_good) {
        return Ok(told);
    }
    if told.revision != payment.revision && payment.seal.is_some() {
        let key = seal_keys.seal_key().await.map_err(|error| WriteError::Unavailable(error.into()))?;
        // What somebody bent must not get a good seal; reconcile names it.
        if payment.seal_under(&key) != Sealed::Intact {
            return Ok(payment);
        }
        told = told.sealed(&key);
    }
    match store.keep_verification(&told, &payment).await? {
        Kept::Yes => Ok(told),
        Kept::Overtaken => Ok(payment),
        Kept::ChargeTaken(other) => {
            let ours = payment.processor.reference.as_str();
            let taken = Difference::new(Term::Reference, ours, Some(other.as_str()));
            let verification = Some(Verification::Failed(now, taken));
            let failed = Payment { verification, ..payment.clone() };
            if !is_old {
                store.keep_verification(&failed, &payment).await?;
            }
            Ok(failed)
        }
    }
}

/// Reads charges through `process-refund`, for whoever may open no key at a processor.
pub trait ReadCharges {
    /// The charge that the processor has under this name. Moves no money.
    fn read_charge(&self, question: &ChargeQuestion) -> impl Future<Output = ChargeRead> + Send;
}
