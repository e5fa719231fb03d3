//! What has to be done about one record of the stream.

use recoup_batch::{Image, StreamRecord};
use recoup_domain::delivery::Delivery;
use recoup_domain::endpoint::{DisabledReason, Endpoint, Switch};
use recoup_domain::event::Event;
use recoup_domain::payment::Payment;
use recoup_domain::refund::{Refund, State};
use recoup_domain::time::Timestamp;
use recoup_domain::verification::{Awaited, Verification};
use recoup_ports::images::{Images, Shown, UnreadableImage};
use recoup_ports::jobs::{PaymentJob, RefundJob};

/// What has to be done about a change.
#[derive(Debug)]
pub(crate) enum Change {
    /// A change of a refund.
    Refund {
        /// The event, if the change is announced.
        event: Option<Event>,
        /// Whether the refund has a URL of its own for webhooks.
        has_url: bool,
        /// The job that asks the processor, and when it is due, if it has to be sent.
        ask: Option<(RefundJob, Timestamp)>,
    },
    /// A message for an attempt has to be sent.
    Attempt {
        /// The delivery.
        delivery: Box<Delivery>,
        /// When the attempt is due.
        at: Timestamp,
    },
    /// A processor has to be asked about a payment.
    Payment {
        /// The job that asks.
        job: PaymentJob,
        /// When it is due.
        at: Timestamp,
    },
    /// An endpoint was switched off because its deliveries failed.
    SwitchedOff(Event),
    /// Nothing has to be done.
    Nothing,
}

/// Reads a record.
pub(crate) fn change(
    images: &impl Images<Image>,
    record: &StreamRecord<'_>,
) -> Result<Change, UnreadableImage> {
    let Some(image) = record.new_image else { return Ok(Change::Nothing) };
    let new = images.shown(image)?;
    if matches!(new, Shown::Other) {
        return Ok(Change::Nothing);
    }
    let old = record.old_image.map(|image| images.shown(image)).transpose()?;
    Ok(match (old, new) {
        (None, Shown::Refund(refund)) => refund_changed(None, &refund),
        (Some(Shown::Refund(before)), Shown::Refund(refund)) => refund_changed(Some(&before), &refund),
        (None, Shown::Delivery(delivery)) => due(None, delivery),
        (Some(Shown::Delivery(before)), Shown::Delivery(delivery)) => due(Some(&before), delivery),
        (Some(Shown::Payment(before)), Shown::Payment(payment)) => awaited(Some(&before), &payment),
        (_, Shown::Payment(payment)) => awaited(None, &payment),
        (Some(Shown::Endpoint(before)), Shown::Endpoint(endpoint)) => switched_off(&before, &endpoint),
        _ => Change::Nothing,
    })
}

fn refund_changed(before: Option<&Refund>, refund: &Refund) -> Change {
    // A change that is not announced, such as the hand-over, does not raise the sequence.
    let is_announced = before.is_none_or(|before| before.version.sequence != refund.version.sequence);
    let event = is_announced.then(|| Event::of_change(before, refund));
    let is_new = before.is_none() && refund.version.state == State::Initiated && refund.wait.is_none();
    let ask_at = if is_new { Some(refund.created_at) } else { asked_again_at(before, refund) };
    let ask = ask_at.map(|at| (RefundJob::of(refund), at));
    if event.is_none() && ask.is_none() {
        return Change::Nothing;
    }
    Change::Refund { event, has_url: refund.notes.webhook_url.is_some(), ask }
}

fn asked_again_at(before: Option<&Refund>, refund: &Refund) -> Option<Timestamp> {
    let wait = refund.wait?;
    let same_turn = before.is_some_and(|before| before.turn == refund.turn);
    wait.is_to_be_sent(before.and_then(|before| before.wait), same_turn).then_some(wait.at)
}

/// A message for the attempt that became due. A wait that rests in the table is left alone until it is woken.
fn due(before: Option<&Delivery>, delivery: Box<Delivery>) -> Change {
    let same_turn = before.is_some_and(|before| before.turn == delivery.turn);
    match delivery.wait() {
        Some(wait) if wait.is_to_be_sent(before.and_then(Delivery::wait), same_turn) => {
            Change::Attempt { delivery, at: wait.at }
        }
        Some(_) | None => Change::Nothing,
    }
}

/// A message for the question about a payment that became due.
fn awaited(before: Option<&Payment>, payment: &Payment) -> Change {
    let of = |payment: &Payment| match payment.verification {
        Some(Verification::Awaited(awaited)) => Some(awaited),
        Some(Verification::Pending | Verification::Verified(_) | Verification::Failed(..)) | None => None,
    };
    let before = before.and_then(of);
    let Some(Awaited { turn, wait }) = of(payment) else { return Change::Nothing };
    let same_turn = before.is_some_and(|before| before.turn == turn);
    if !wait.is_to_be_sent(before.map(|before| before.wait), same_turn) {
        return Change::Nothing;
    }
    let (tenant, payment) = (payment.tenant.clone(), payment.id.clone());
    Change::Payment { job: PaymentJob { tenant, payment, turn }, at: wait.at }
}

fn switched_off(before: &Endpoint, endpoint: &Endpoint) -> Change {
    match (before.switch, endpoint.switch) {
        (Switch::On, Switch::Off { reason, at }) if reason != DisabledReason::ByOwner => {
            Change::SwitchedOff(Event::of_disabled(&endpoint.tenant, &endpoint.id, reason, at))
        }
        _ => Change::Nothing,
    }
}
