//! Moving a refund on: one conditional write each, recognised when it is repeated.
//!
//! The condition is the refund's `sequence`: every announced change counts it up, so whoever decided on an
//! older state is told so. A success is the refund's own write alone, because the payment keeps only what
//! is refundable; a failure gives its amounts back in the same transaction.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::payment::LinesTaken;
use recoup_domain::refund::{Amounts, Flag, Move, Question, Refund, State, Status};
use recoup_domain::time::Timestamp;
use recoup_ports::payments::Payments;
use recoup_ports::refunds::Refunds;
use recoup_ports::settlement::{HandedOver, Settle, SettleError, Settled};
use recoup_ports::{BoxError, WriteError};

use crate::expression::{Expression, number, text};
use crate::keys::{DUE_PK, DUE_SK, Key, PK, RESTS, TURN, WOKEN_AT, found_in_index};
use crate::payment_item::{ACTORS, LINES_LEFT, LINES_REFUNDED, REFUNDABLE};
use crate::recovery_item::{RECOVERY, to_attribute};
use crate::refund_item::{
    ASK_AT, CHANGED_AT, FLAG, HANDED_OVER_AT, HISTORY, MoneyItem, POSTPONED, PROCESSOR_AMOUNT, VERDICT,
    VerdictItem,
};
use crate::reserve::{amounts_taken, covered};
use crate::table::{Item, Table, cause, read_refund};
use crate::version_item::{ChangeItem, SEQUENCE, STATUS, to_attributes};
use crate::write::{Transacted, condition_failed, past_transactions};

/// How often lines are read again that others change meanwhile; then the caller's own retry comes.
const TAKINGS_MAX: usize = 5;

/// The write of a refund's next state, if it still is where the move starts.
fn next_state(change: &Move) -> Result<Expression, BoxError> {
    let (from, next) = (change.from(), change.to());
    let mut expression = Expression::default();
    let sequence = expression.name(SEQUENCE);
    let started = expression.value(number(from.version.sequence));
    expression.require(format!("{sequence} = {started}"));
    let is_ruled = next.verdict != from.verdict;
    // Who rules on what was never handed over has not seen that the money may be moving now.
    if next.version.state == State::Cancelled || (is_ruled && from.handed_over_at.is_none()) {
        // The hand-over leaves the sequence as it is, so it has a condition of its own.
        let handed_over_at = expression.name(HANDED_OVER_AT);
        expression.require(format!("attribute_not_exists({handed_over_at})"));
    }
    assign_version(&mut expression, from, next)?;
    if is_ruled {
        let verdict =
            next.verdict.as_ref().map(|verdict| serde_dynamo::to_attribute_value(VerdictItem::from(verdict)));
        expression.assign(VERDICT, verdict.transpose()?);
    }
    // A mark leaves the sequence as it is, so who ends it may not have seen it.
    if next.flag != from.flag || next.version.state == State::Succeeded {
        expression.assign(FLAG, next.flag.map(|flag| text(flag.as_str())));
    }
    if next.processor_amount != from.processor_amount {
        let amount = next.processor_amount.map(MoneyItem::from).map(serde_dynamo::to_attribute_value);
        expression.assign(PROCESSOR_AMOUNT, amount.transpose()?);
    }
    // Parts come with the first success, and no step touches them again: they have writes of their own.
    if next.recovery != from.recovery {
        expression.assign(RECOVERY, Some(to_attribute(&next.recovery)?));
    }
    // A wait is scheduled without a step of the sequence: who did not change it leaves what stands there, and an end
    // ends it, whoever scheduled it.
    let ends = !next.version.state.holds_money() && next.version.state != from.version.state;
    if next.wait != from.wait || ends {
        assign_wait(&mut expression, next);
    }
    Ok(expression)
}

/// Writes what differs between two versions, and the history. The condition on the sequence holds that the first of
/// them is what lies in the table.
fn assign_version(expression: &mut Expression, from: &Refund, next: &Refund) -> Result<(), BoxError> {
    let (mut old, new) = (to_attributes(&from.version)?, to_attributes(&next.version)?);
    for (name, value) in new {
        if old.remove(&name).as_ref() != Some(&value) {
            expression.assign(&name, Some(value));
        }
    }
    for name in old.keys() {
        expression.assign(name, None);
    }
    let history: Vec<ChangeItem> =
        next.history.iter().map(|it| ChangeItem::new(it, next.processor.name)).collect();
    expression.assign(HISTORY, Some(serde_dynamo::to_attribute_value(history)?));
    expression.assign(CHANGED_AT, None);
    Ok(())
}

/// Writes a refund's wait, and its place in the index of waits.
fn assign_wait(expression: &mut Expression, refund: &Refund) {
    let Refund { turn, postponed, wait, .. } = *refund;
    let key = Key::refund(&refund.tenant, &refund.id);
    let (shard, place) = wait.map(|wait| found_in_index(wait.found_at(), &key)).unzip();
    expression.assign(DUE_PK, shard.map(text));
    expression.assign(DUE_SK, place.map(text));
    expression.assign(ASK_AT, wait.map(|wait| text(wait.at.rfc3339())));
    expression.assign(RESTS, wait.and_then(|wait| wait.rests.then_some(AttributeValue::Bool(true))));
    expression.assign(WOKEN_AT, wait.and_then(|wait| wait.woken_at).map(|at| text(at.rfc3339())));
    for (name, count) in [(TURN, turn), (POSTPONED, postponed)] {
        if count > 0 {
            expression.assign(name, Some(number(count)));
        }
    }
}

/// Requires that a refund still is on its way.
fn require_on_its_way(expression: &mut Expression) {
    let status = expression.name(STATUS);
    let holding = Status::ALL.iter().filter(|status| status.holds_money());
    let holding: Vec<String> = holding.map(|status| expression.value(text(status.as_str()))).collect();
    expression.require(format!("{status} IN ({})", holding.join(", ")));
}

/// Requires that a refund still is on its way, or has ended as it had, and that the same question is due.
fn require_turn(expression: &mut Expression, from: &Refund) {
    if from.version.state.holds_money() {
        require_on_its_way(expression);
    } else {
        let (status, ended) = (expression.name(STATUS), expression.value(text(from.version.state.as_str())));
        expression.require(format!("{status} = {ended}"));
    }
    let turn = expression.name(TURN);
    if from.turn == 0 {
        expression.require(format!("attribute_not_exists({turn})"));
    } else {
        let due = expression.value(number(from.turn));
        expression.require(format!("{turn} = {due}"));
    }
}

/// The write that puts every amount back where it came from.
fn amounts_back(refund: &Refund) -> Expression {
    let mut expression = Expression::default();
    expression.require(format!("attribute_exists({PK})"));
    let refundable = expression.name(REFUNDABLE);
    let amount = expression.value(number(refund.taken().minor()));
    expression.set(format!("{refundable} = {refundable} + {amount}"));
    for (position, part) in refund.takes() {
        let actors = expression.name(ACTORS);
        let part = expression.value(number(part.minor()));
        let left = format!("{actors}[{position}].{refundable}");
        expression.set(format!("{left}={left}+{part}"));
    }
    for (position, part) in refund.lines.iter().filter_map(|part| part.taken) {
        let lines = expression.name(LINES_LEFT);
        let part = expression.value(number(part.minor()));
        expression.set(format!("{lines}[{position}]={lines}[{position}]+{part}"));
    }
    if let Some(covered) = covered(refund) {
        let lines = expression.name(LINES_REFUNDED);
        let covered = expression.value(covered);
        expression.delete(format!("{lines} {covered}"));
    }
    expression
}

/// What a refused condition means: an earlier try of this very move, or somebody else's.
fn refused(old: Option<Item>, next: &Refund) -> Result<Settled, SettleError> {
    let Some(item) = old else { return Err(SettleError::Missing) };
    let stored = read_refund(item)?;
    Ok(if stored.version == next.version { Settled::Applied } else { Settled::Overtaken })
}

impl Settle for Table {
    async fn hand_over(&self, refund: &Refund, now: Timestamp) -> Result<HandedOver, WriteError> {
        let mut expression = Expression::default();
        require_on_its_way(&mut expression);
        let handed_over_at = expression.name(HANDED_OVER_AT);
        let now = expression.value(text(now.rfc3339()));
        // Whoever hands it over knows that nobody did so before; a repeat of this write is this write.
        expression.require(format!("(attribute_not_exists({handed_over_at}) OR {handed_over_at} = {now})"));
        expression.set(format!("{handed_over_at} = {now}"));
        match self.update_refund(refund, expression).await {
            Ok(()) => Ok(HandedOver::Yes),
            Err(UpdateRefused::Condition(_)) => Ok(HandedOver::TooLate),
            Err(UpdateRefused::Unavailable(cause)) => Err(WriteError::Unavailable(cause)),
        }
    }

    async fn carry_out(&self, change: &Move) -> Result<Settled, SettleError> {
        match change.amounts() {
            Amounts::Stay => self.move_alone(change).await,
            Amounts::Return => match self.move_with_amounts(change, amounts_back(change.from())).await? {
                // The only condition of what returns is that the payment is there.
                Settled::NothingLeft => Err(SettleError::Missing),
                settled @ (Settled::Applied | Settled::Overtaken) => Ok(settled),
            },
            // Boxed, since its rare way would make every future larger that settles a refund.
            Amounts::TakeAgain => Box::pin(self.take_again(change)).await,
        }
    }

    async fn clear_flag(&self, refund: &Refund) -> Result<Settled, SettleError> {
        self.mark(refund, None).await
    }

    async fn schedule(&self, from: &Refund, next: Question) -> Result<Settled, SettleError> {
        let mut expression = Expression::default();
        require_turn(&mut expression, from);
        assign_wait(&mut expression, &from.asking(next));
        match self.update_refund(from, expression).await {
            Ok(()) => Ok(Settled::Applied),
            Err(UpdateRefused::Condition(None)) => Err(SettleError::Missing),
            Err(UpdateRefused::Condition(Some(item))) => {
                let stored = read_refund(item)?;
                let ours = stored.turn == next.turn() && stored.wait == Some(next.wait());
                Ok(if ours { Settled::Applied } else { Settled::Overtaken })
            }
            Err(UpdateRefused::Unavailable(cause)) => Err(SettleError::Unavailable(cause)),
        }
    }

    async fn record_parts(&self, from: &Refund, to: &Refund) -> Result<Settled, SettleError> {
        let mut expression = Expression::default();
        require_turn(&mut expression, from);
        // Who asked for a part, or heard of it, must not be overwritten: the part could be taken twice.
        let recovery = expression.name(RECOVERY);
        let seen = expression.value(to_attribute(&from.recovery).map_err(SettleError::Unavailable)?);
        expression.require(format!("{recovery} = {seen}"));
        if to.recovery != from.recovery {
            expression.assign(RECOVERY, Some(to_attribute(&to.recovery).map_err(SettleError::Unavailable)?));
        }
        if (to.turn, to.wait) != (from.turn, from.wait) {
            assign_wait(&mut expression, to);
        }
        match self.update_refund(from, expression).await {
            Ok(()) => Ok(Settled::Applied),
            Err(UpdateRefused::Condition(None)) => Err(SettleError::Missing),
            Err(UpdateRefused::Condition(Some(item))) => {
                let stored = read_refund(item)?;
                let ours = stored.recovery == to.recovery && stored.turn == to.turn && stored.wait == to.wait;
                Ok(if ours { Settled::Applied } else { Settled::Overtaken })
            }
            Err(UpdateRefused::Unavailable(cause)) => Err(SettleError::Unavailable(cause)),
        }
    }
}

enum UpdateRefused {
    Condition(Option<Item>),
    Unavailable(BoxError),
}

impl Table {
    /// Writes a refund's next state.
    async fn move_alone(&self, change: &Move) -> Result<Settled, SettleError> {
        let write = next_state(change).map_err(SettleError::Unavailable)?;
        match self.update_refund(change.from(), write).await {
            Ok(()) => Ok(Settled::Applied),
            Err(UpdateRefused::Condition(old)) => refused(old, change.to()),
            Err(UpdateRefused::Unavailable(cause)) => Err(SettleError::Unavailable(cause)),
        }
    }

    /// Takes every amount again that had gone back. Lines must be as they were seen, so they are read first, and again
    /// while others change them.
    async fn take_again(&self, change: &Move) -> Result<Settled, SettleError> {
        let from = change.from();
        for _ in 0..TAKINGS_MAX {
            let lines = if from.lines.is_empty() {
                None
            } else {
                let payment = self.payment(&from.tenant, &from.payment_id).await?;
                let payment = payment.ok_or(SettleError::Missing)?;
                let Some(after) = payment.after_taking(from) else { return self.nothing_left(change).await };
                Some(LinesTaken { seen: payment.lines, after: after.lines })
            };
            let mut amounts = Expression::default();
            amounts_taken(&mut amounts, from, lines.as_ref());
            match self.move_with_amounts(change, amounts).await? {
                Settled::NothingLeft if lines.is_some() => {}
                Settled::NothingLeft => return self.nothing_left(change).await,
                settled @ (Settled::Applied | Settled::Overtaken) => return Ok(settled),
            }
        }
        Err(SettleError::Contended)
    }

    /// Writes a refund's next state and its payment's amounts, both or neither; [`Settled::NothingLeft`] if the refund
    /// could move and the payment could not.
    async fn move_with_amounts(&self, change: &Move, amounts: Expression) -> Result<Settled, SettleError> {
        let from = change.from();
        let refund = Key::refund(&from.tenant, &from.id);
        let payment = Key::payment(&from.tenant, &from.payment_id);
        let unavailable = |error: aws_sdk_dynamodb::error::BuildError| SettleError::Unavailable(error.into());
        let write = next_state(change).map_err(SettleError::Unavailable)?;
        let writes = vec![
            self.transact_update(&refund, write).map_err(unavailable)?,
            self.transact_update(&payment, amounts).map_err(unavailable)?,
        ];
        match self.transact(writes).await {
            Transacted::Done => Ok(Settled::Applied),
            Transacted::Refused(reasons) => match <[_; 2]>::try_from(reasons) {
                Ok([of_refund, _]) if condition_failed(&of_refund) => refused(of_refund.item, change.to()),
                Ok([_, of_payment]) if of_payment.item.is_some() => Ok(Settled::NothingLeft),
                _ => Err(SettleError::Missing),
            },
            Transacted::Contended(_) => Err(SettleError::Contended),
            Transacted::Failed(cause) => Err(SettleError::Unavailable(cause)),
        }
    }

    /// Calls a person to a refund whose money is gone, unless this very change was written before.
    async fn nothing_left(&self, change: &Move) -> Result<Settled, SettleError> {
        let from = change.from();
        if self.mark(from, Some(Flag::SucceededAfterFailure)).await? == Settled::Applied {
            return Ok(Settled::NothingLeft);
        }
        let stored = self.refund(&from.tenant, &from.id).await?;
        let is_ours = stored.is_some_and(|stored| stored.version == change.to().version);
        Ok(if is_ours { Settled::Applied } else { Settled::Overtaken })
    }

    /// Marks a refund for a person, or takes the mark away, if it is still as it was. A mark that did not stick is
    /// no news for anybody: whoever settles it looks again.
    async fn mark(&self, refund: &Refund, flag: Option<Flag>) -> Result<Settled, SettleError> {
        let mut expression = Expression::default();
        let sequence = expression.name(SEQUENCE);
        let seen = expression.value(number(refund.version.sequence));
        expression.require(format!("{sequence} = {seen}"));
        expression.assign(FLAG, flag.map(|flag| text(flag.as_str())));
        match self.update_refund(refund, expression).await {
            Ok(()) => Ok(Settled::Applied),
            Err(UpdateRefused::Condition(None)) => Err(SettleError::Missing),
            Err(UpdateRefused::Condition(Some(_))) => Ok(Settled::Overtaken),
            Err(UpdateRefused::Unavailable(cause)) => Err(SettleError::Unavailable(cause)),
        }
    }

    async fn update_refund(&self, refund: &Refund, expression: Expression) -> Result<(), UpdateRefused> {
        let key = Key::refund(&refund.tenant, &refund.id);
        let update = self.update(&key, expression);
        let sent = past_transactions(|| update.clone().send()).await;
        let Err(error) = sent else { return Ok(()) };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                Err(UpdateRefused::Condition(failed.item.clone()))
            }
            _ => Err(UpdateRefused::Unavailable(cause(&error))),
        }
    }
}
