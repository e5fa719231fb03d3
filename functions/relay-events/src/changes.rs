//! What one record of the stream asks for.

use recoup_batch::StreamRecord;
use recoup_domain::delivery::{Delivery, Standing};
use recoup_domain::endpoint::{DisabledReason, Endpoint, Switch};
use recoup_domain::event::Event;
use recoup_domain::refund::{Refund, State};
use recoup_ports::images::{Images, Shown, UnreadableImage};
use recoup_ports::jobs::RefundJob;

/// What is to be done about a change.
#[derive(Debug)]
pub(crate) enum Change {
    /// An announced change of a refund.
    Refund {
        /// The announcement.
        event: Event,
        /// Whether the refund has a URL of its own that is told.
        has_url: bool,
        /// The job of a refund that is new.
        job: Option<RefundJob>,
    },
    /// A try is due, or will be before a queue would give it back.
    Try(Box<Delivery>),
    /// An endpoint was switched off because it failed.
    SwitchedOff(Event),
    /// Nothing.
    Nothing,
}

/// Reads a record.
pub(crate) fn change(images: &impl Images, record: &StreamRecord<'_>) -> Result<Change, UnreadableImage> {
    let Some(image) = record.new_image else { return Ok(Change::Nothing) };
    let new = images.shown(image)?;
    if matches!(new, Shown::Other) {
        return Ok(Change::Nothing);
    }
    let old = record.old_image.map(|image| images.shown(image)).transpose()?;
    Ok(match (old, new) {
        (None, Shown::Refund(refund)) => announced(None, &refund),
        (Some(Shown::Refund(before)), Shown::Refund(refund)) => announced(Some(&before), &refund),
        (None, Shown::Delivery(delivery)) => due(None, delivery),
        (Some(Shown::Delivery(before)), Shown::Delivery(delivery)) => due(Some(&before), delivery),
        (Some(Shown::Endpoint(before)), Shown::Endpoint(endpoint)) => switched_off(&before, &endpoint),
        _ => Change::Nothing,
    })
}

fn announced(before: Option<&Refund>, refund: &Refund) -> Change {
    // A change that is not announced, such as the hand-over, leaves the sequence as it was.
    if before.is_some_and(|before| before.sequence == refund.sequence) {
        return Change::Nothing;
    }
    let is_new = before.is_none() && refund.state == State::Initiated;
    let job = is_new.then(|| RefundJob { tenant: refund.tenant.clone(), refund: refund.id.clone() });
    let event = Event::of_change(before, refund);
    Change::Refund { event, has_url: refund.notes.webhook_url.is_some(), job }
}

/// A wait that rests in the table is nobody's business until it is woken.
fn due(before: Option<&Delivery>, delivery: Box<Delivery>) -> Change {
    let waits = matches!(delivery.standing, Standing::Scheduled(_)) && !delivery.rests;
    let is_the_same =
        |before: &Delivery| before.turn == delivery.turn && before.woken_at == delivery.woken_at;
    let sent_before = before.is_some_and(|before| is_the_same(before) && !before.rests);
    if waits && !sent_before { Change::Try(delivery) } else { Change::Nothing }
}

fn switched_off(before: &Endpoint, endpoint: &Endpoint) -> Change {
    match (before.switch, endpoint.switch) {
        (Switch::On, Switch::Off { reason, at }) if reason != DisabledReason::ByOwner => {
            Change::SwitchedOff(Event::of_disabled(&endpoint.tenant, &endpoint.id, reason, at))
        }
        _ => Change::Nothing,
    }
}
