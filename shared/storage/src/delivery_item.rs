//! A delivery as stored beside its event: the attempts made, and when the next one is due.

use std::time::Duration;

use recoup_domain::delivery::{Attempt, AttemptOutcome, Delivery, GivenUp, Standing};
use recoup_domain::ids::RefundId;
use recoup_domain::time::{Timestamp, whole_millis};
use recoup_ports::BoxError;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::event_item::{named, seconds, shown_until};
use crate::keys::{Key, found_in_index};
use crate::table::Item;

/// How long an item is kept beyond the attempt it waits for.
const KEPT_AFTER_TRY: Duration = Duration::from_hours(4 * 24);

#[skip_serializing_none]
#[derive(Debug, Serialize, Deserialize)]
struct AttemptItem {
    at: Timestamp,
    took_ms: u64,
    status: Option<u16>,
    head: Option<String>,
    error: Option<String>,
}

/// A delivery's attributes. The event and the receiver are in the key.
#[skip_serializing_none]
#[derive(Debug, Serialize, Deserialize)]
struct DeliveryItem {
    pk: String,
    sk: String,
    refund_id: Option<RefundId>,
    delivery: String,
    next_try_at: Option<Timestamp>,
    given_up: Option<GivenUp>,
    turn: u32,
    tries: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attempts: Vec<AttemptItem>,
    rests: Option<bool>,
    woken_at: Option<Timestamp>,
    due_pk: Option<String>,
    due_sk: Option<String>,
    expires_at: u64,
}

/// The item of a delivery.
pub(crate) fn to_item(delivery: &Delivery) -> Result<Item, BoxError> {
    let Delivery { tenant, event, refund, target, standing, turn, tries, rests, woken_at, attempts } =
        delivery;
    let key = Key::delivery(tenant, event, target);
    let (shard, place) = delivery.found_at().map(|at| found_in_index(at, &key)).unzip();
    let (next_try_at, given_up) = match standing {
        Standing::Scheduled(at) => (Some(*at), None),
        Standing::DeadLettered(why) => (None, Some(*why)),
        Standing::Delivered => (None, None),
    };
    let kept = shown_until(event);
    let kept = next_try_at.map_or(kept, |at| kept.max(at.plus(KEPT_AFTER_TRY)));
    Ok(serde_dynamo::to_item(DeliveryItem {
        pk: key.pk,
        sk: key.sk,
        refund_id: refund.clone(),
        delivery: standing.as_str().to_owned(),
        next_try_at,
        given_up,
        turn: *turn,
        tries: *tries,
        attempts: attempts.iter().map(AttemptItem::from).collect(),
        rests: rests.then_some(true),
        woken_at: *woken_at,
        due_pk: shard,
        due_sk: place,
        expires_at: seconds(kept),
    })?)
}

/// Reads a delivery; the error says what is wrong.
pub(crate) fn from_item(item: Item) -> Result<Delivery, String> {
    let item: DeliveryItem = serde_dynamo::from_item(item).map_err(|error| error.to_string())?;
    let (tenant, event, target) = named(&item.pk, &item.sk)?;
    let standing = item.standing()?;
    let attempts = item.attempts.into_iter().map(AttemptItem::read).collect::<Option<_>>();
    Ok(Delivery {
        tenant,
        event,
        refund: item.refund_id,
        target: target.ok_or("sk has no target")?,
        standing,
        turn: item.turn,
        tries: item.tries,
        // Stored only where it is true.
        rests: item.rests.unwrap_or(false),
        woken_at: item.woken_at,
        attempts: attempts.ok_or("an attempt has neither status nor error")?,
    })
}

impl DeliveryItem {
    fn standing(&self) -> Result<Standing, &'static str> {
        match self.delivery.as_str() {
            "scheduled" => self.next_try_at.map(Standing::Scheduled).ok_or("next_try_at is missing"),
            "delivered" => Ok(Standing::Delivered),
            "dead_lettered" => self.given_up.map(Standing::DeadLettered).ok_or("given_up is missing"),
            _ => Err("delivery is unknown"),
        }
    }
}

impl From<&Attempt> for AttemptItem {
    fn from(attempt: &Attempt) -> Self {
        let Attempt { at, took, outcome } = attempt;
        let (status, head, error) = match outcome {
            AttemptOutcome::Status { status, head } => (Some(*status), Some(head.clone()), None),
            AttemptOutcome::Nothing(why) => (None, None, Some(why.clone())),
        };
        let took_ms = whole_millis(*took);
        Self { at: *at, took_ms, status, head: head.filter(|head| !head.is_empty()), error }
    }
}

impl AttemptItem {
    fn read(self) -> Option<Attempt> {
        let outcome = match self.status {
            // An empty head is not stored.
            Some(status) => AttemptOutcome::Status { status, head: self.head.unwrap_or_default() },
            None => AttemptOutcome::Nothing(self.error?),
        };
        Some(Attempt { at: self.at, took: Duration::from_millis(self.took_ms), outcome })
    }
}
