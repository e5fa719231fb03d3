//! Registering payments and writing newer facts. What is captured never changes its amount.

use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use recoup_domain::or_abort::OrAbort;
use recoup_domain::payment::Payment;
use recoup_domain::seal::Seal;
use recoup_ports::payments::{KeepVerifications, Kept, Moved, Register, Registered};
use recoup_ports::{ReadError, WriteError};

use crate::claim_item::{Claimed, holder};
use crate::dispute_item::disputes_unchanged;
use crate::expression::{Expression, number};
use crate::keys::{Key, PK};
use crate::payment_item::{
    ACTORS, AMOUNT, CURRENCY, FactsItem, LINES, REFUNDABLE, REFUNDABLE_UNTIL, REFUNDS, REVISION, SEAL, SHAPE,
    to_item,
};
use crate::table::{Item, Table, cause, read_payment, unavailable};
use crate::verification_item::{VERIFICATION, verification_attributes};
use crate::write::{Transacted, condition_failed, past_transactions};

impl Table {
    /// A payment and its claims, or nothing: of two payments of one charge at once, one is registered.
    async fn register_with_claims(&self, payment: &Payment, item: Item) -> Result<Registered, ReadError> {
        let mut writes = vec![self.transact_put(item).map_err(ReadError::Unavailable)?];
        writes.extend(self.transact_claims(payment).map_err(ReadError::Unavailable)?);
        let reasons = match self.transact(writes).await {
            Transacted::Done => return Ok(Registered::New),
            Transacted::Refused(reasons) => reasons,
            Transacted::Contended(_) => return Err(ReadError::Unavailable("others kept writing".into())),
            Transacted::Failed(cause) => return Err(ReadError::Unavailable(cause)),
        };
        // The payment comes first: a repeat is none of the charge's other payments.
        if let Some(first) = reasons.first().filter(|first| condition_failed(first)) {
            let item = first.item().cloned().unwrap_or_default();
            return Ok(Registered::Existing(Box::new(read_payment(item)?)));
        }
        let holder = holder(&reasons)?.ok_or_else(|| ReadError::Unavailable("no reason was given".into()))?;
        Ok(Registered::ChargeTaken(holder))
    }
}

impl KeepVerifications for Table {
    async fn keep_verification(&self, payment: &Payment, seen: &Payment) -> Result<Kept, WriteError> {
        let mut expression = if payment.revision == seen.revision {
            let mut expression = Expression::default();
            let (revision, as_seen) = (expression.name(REVISION), expression.value(number(seen.revision)));
            expression.require(format!("{revision} = {as_seen}"));
            expression
        } else {
            let mut expression = newer_facts(payment)?;
            correct_terms(&mut expression, payment)?;
            expression
        };
        // A word that came meanwhile is the newer one.
        let [(_, as_seen), ..] = verification_attributes(seen).map_err(WriteError::Unavailable)?;
        let verification = expression.name(VERIFICATION);
        let as_seen = match as_seen.map(|as_seen| expression.value(as_seen)) {
            Some(as_seen) => format!("{verification} = {as_seen}"),
            None => format!("attribute_not_exists({verification})"),
        };
        expression.require(as_seen);
        for (attribute, value) in verification_attributes(payment).map_err(WriteError::Unavailable)? {
            expression.assign(attribute, value);
        }
        if payment.claims == seen.claims {
            return Ok(match self.change_facts(payment, expression).await? {
                Moved::Applied => Kept::Yes,
                Moved::Overtaken => Kept::Overtaken,
            });
        }
        Ok(match self.change_with_claims(payment, expression).await? {
            Claimed::Yes => Kept::Yes,
            Claimed::Changed => Kept::Overtaken,
            Claimed::Taken(holder) => Kept::ChargeTaken(holder),
        })
    }
}

impl Register for Table {
    async fn register(&self, payment: &Payment) -> Result<Registered, ReadError> {
        let item = to_item(payment).map_err(ReadError::Unavailable)?;
        if !payment.claims.is_empty() {
            return self.register_with_claims(payment, item).await;
        }
        let request = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression(format!("attribute_not_exists({PK})"))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let sent = past_transactions(|| request.clone().send()).await;
        let Err(error) = sent else { return Ok(Registered::New) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => match failed.item.clone() {
                Some(item) => Ok(Registered::Existing(Box::new(read_payment(item)?))),
                None => Err(unavailable(error)),
            },
            _ => Err(unavailable(error)),
        }
    }

    async fn correct(&self, payment: &Payment) -> Result<Moved, WriteError> {
        let mut expression = newer_facts(payment)?;
        correct_terms(&mut expression, payment)?;
        // Whatever was said meanwhile was said of the terms before.
        for (attribute, value) in verification_attributes(payment).map_err(WriteError::Unavailable)? {
            expression.assign(attribute, value);
        }
        self.change_facts(payment, expression).await
    }

    async fn move_facts(&self, payment: &Payment) -> Result<Moved, WriteError> {
        self.change_facts(payment, newer_facts(payment)?).await
    }
}

impl Table {
    async fn change_facts(&self, payment: &Payment, expression: Expression) -> Result<Moved, WriteError> {
        let update = self.update(&Key::payment(&payment.tenant, &payment.id), expression);
        let sent = past_transactions(|| update.clone().send()).await;
        let Err(error) = sent else { return Ok(Moved::Applied) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(_)) => Ok(Moved::Overtaken),
            _ => Err(WriteError::Unavailable(cause(&error))),
        }
    }
}

/// A payment's terms, if nothing was refunded of it.
fn correct_terms(expression: &mut Expression, payment: &Payment) -> Result<(), WriteError> {
    let mut item = to_item(payment).map_err(WriteError::Unavailable)?;
    let (refunds, none) = (expression.name(REFUNDS), expression.value(number(0_u32)));
    expression.require(format!("size({refunds}) = {none}"));
    // What a dispute took is of the amount as it was.
    disputes_unchanged(expression, 0);
    for attribute in [AMOUNT, REFUNDABLE, CURRENCY, ACTORS, LINES, SHAPE] {
        expression.assign(attribute, item.remove(attribute));
    }
    Ok(())
}

/// A payment's facts and their seal, if the stored ones are those of the revision before.
fn newer_facts(payment: &Payment) -> Result<Expression, WriteError> {
    let facts: Result<Item, _> =
        serde_dynamo::to_item(FactsItem::new(&payment.facts, payment.revision, payment.updated_at));
    let facts = facts.map_err(|error| WriteError::Unavailable(error.into()))?;
    let mut expression = Expression::default();
    let revision = expression.name(REVISION);
    let before = payment.revision.checked_sub(1).or_abort("facts that moved have a revision before");
    let before = expression.value(number(before));
    expression.require(format!("{revision} = {before}"));
    if payment.facts.refundable_until.is_none() {
        expression.assign(REFUNDABLE_UNTIL, None);
    }
    if let Some(Seal(seal)) = payment.seal {
        expression.assign(SEAL, Some(AttributeValue::B(seal.to_vec().into())));
    }
    for (attribute, value) in facts {
        expression.assign(&attribute, Some(value));
    }
    Ok(expression)
}
