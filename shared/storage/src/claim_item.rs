//! Claims: each name of a charge at a processor is an item of its own, so that one charge is one payment.

use aws_sdk_dynamodb::types::{
    CancellationReason, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use recoup_domain::ids::PaymentId;
use recoup_domain::payment::Payment;
use recoup_ports::{BoxError, ReadError};

use crate::expression::text;
use crate::keys::{Key, PK};
use crate::table::{Table, key_text, unreadable};
use crate::write::condition_failed;

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

/// The payment that has a claim which a transaction was refused; `None` if none was the reason.
pub(crate) fn holder(reasons: &[CancellationReason]) -> Result<Option<PaymentId>, ReadError> {
    let Some(item) = reasons.iter().find(|reason| condition_failed(reason)).and_then(|reason| reason.item())
    else {
        return Ok(None);
    };
    let id = PaymentId::try_from(key_text(item, PAYMENT_ID));
    id.map(Some).map_err(|why| unreadable(key_text(item, PK), why))
}
