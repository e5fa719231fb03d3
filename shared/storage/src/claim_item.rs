//! Claims: each name of a charge at a processor is an item of its own, so that one charge is one payment.

use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use recoup_domain::ids::PaymentId;
use recoup_domain::payment::Payment;
use recoup_ports::{BoxError, ReadError, WriteError};

use crate::expression::{Expression, text};
use crate::keys::{Key, PK};
use crate::payment_item::CLAIMS;
use crate::table::{Table, key_text, unreadable};
use crate::write::{Transacted, condition_failed};

const PAYMENT_ID: &str = "payment_id";

impl Table {
    /// Takes each of a payment's claims that it does not have yet, as parts of a transaction.
    pub(crate) fn transact_claims(&self, payment: &Payment) -> Result<Vec<TransactWriteItem>, BoxError> {
        let claim = |reference| {
            let mut item = Key::charge(&payment.tenant, payment.processor.name, reference).attributes();
            item.insert(PAYMENT_ID.to_owned(), text(payment.id.as_str()));
            let put = Put::builder()
                .table_name(&self.name)
                .set_item(Some(item))
                .condition_expression(format!("attribute_not_exists({PK}) OR {PAYMENT_ID} = :payment"))
                .expression_attribute_values(":payment", text(payment.id.as_str()))
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            Ok(TransactWriteItem::builder().put(put.build()?).build())
        };
        payment.claims.iter().map(claim).collect()
    }
}

/// The outcome of a change of a payment that takes its claims.
pub(crate) enum Claimed {
    Yes,
    Changed,
    Taken(PaymentId),
}

impl Table {
    /// Changes a payment as this expression says and takes its claims, or neither.
    pub(crate) async fn change_with_claims(
        &self,
        payment: &Payment,
        mut expression: Expression,
    ) -> Result<Claimed, WriteError> {
        if !payment.claims.is_empty() {
            let claims = payment.claims.iter().map(|reference| text(reference.as_str())).collect();
            expression.assign(CLAIMS, Some(AttributeValue::L(claims)));
        }
        let update = self.transact_update(&Key::payment(&payment.tenant, &payment.id), expression);
        let mut writes = vec![update.map_err(|error| WriteError::Unavailable(error.into()))?];
        writes.extend(self.transact_claims(payment).map_err(WriteError::Unavailable)?);
        let reasons = match self.transact(writes).await {
            Transacted::Done => return Ok(Claimed::Yes),
            Transacted::Refused(reasons) => reasons,
            Transacted::Contended(_) => return Err(WriteError::Unavailable("others kept writing".into())),
            Transacted::Failed(cause) => return Err(WriteError::Unavailable(cause)),
        };
        if reasons.first().is_some_and(condition_failed) {
            return Ok(Claimed::Changed);
        }
        let holder =
            holder(&reasons)?.ok_or_else(|| WriteError::Unavailable("no reason was given".into()))?;
        Ok(Claimed::Taken(holder))
    }
}

/// The payment that has a claim which a transaction was refused; `None` if none was the reason.
pub(crate) fn holder(reasons: &[CancellationReason]) -> Result<Option<PaymentId>, ReadError> {
    let Some(item) = reasons.iter().find(|reason| condition_failed(reason)).and_then(|reason| reason.item())
    else {
        return Ok(None);
    };
    let id = PaymentId::try_from(key_text(item, PAYMENT_ID));
    id.map(Some).map_err(|why| unreadable(key_text(item, PK), why))
}
