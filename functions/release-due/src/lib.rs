//! Wakes what has waited in the table for its time: once a minute, everything that falls due until the next one.
//!
//! It only takes it out of the index of waits; the table's stream tells `relay-events`, which sends the message,
//! with the rest of the wait as the queue's delay. So nothing is sent twice for a crash here, and nothing is lost:
//! what was not woken is still in the index a minute later.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use lambda_runtime::Diagnostic;
use recoup_domain::time::Timestamp;
use recoup_ports::due::{Due, SHARDS};
use recoup_ports::{ReadError, WriteError};
use serde::Serialize;
use thiserror::Error;

/// How far ahead it looks: past the next run, so that a wait ends in time even if that one is late.
pub const AHEAD: Duration = Duration::from_secs(90);
/// Most of one shard that is read at once.
const PAGE: u16 = 100;
/// Most writes at once.
const WAKES_AT_ONCE: usize = 16;
/// It starts nothing new after so long; the function's time in `template.yaml` is longer.
pub const BUDGET: Duration = Duration::from_secs(45);

/// What the function needs.
pub struct Context<D> {
    /// Where waits rest.
    pub due: D,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Released {
    /// So many were woken.
    pub woken: usize,
    /// Whether more was due than there was time for; the next run goes on.
    pub more: bool,
}

/// Why a run stopped. What it has woken until then is woken.
#[derive(Debug, Error)]
pub enum ReleaseError {
    /// The index cannot be read.
    #[error("what is due cannot be read")]
    Read(#[from] ReadError),
    /// The table cannot be written.
    #[error("what is due cannot be woken")]
    Write(#[from] WriteError),
}

impl From<ReleaseError> for Diagnostic {
    fn from(error: ReleaseError) -> Self {
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::error!(%error, cause, "the run stopped; the next one goes on");
        Self { error_type: "Unavailable".to_owned(), error_message: error.to_string() }
    }
}

/// One run.
pub async fn handle<D: Due>(context: &Context<D>) -> Result<Released, ReleaseError> {
    let started = (context.now)();
    let mut released = Released::default();
    for shard in 0..SHARDS {
        let woken = release(context, shard, started).await?;
        released.woken = released.woken.saturating_add(woken.woken);
        released.more |= woken.more;
    }
    tracing::info!(due.woken = released.woken, due.more = released.more, "released");
    Ok(released)
}

async fn release<D: Due>(
    context: &Context<D>,
    shard: u8,
    started: Timestamp,
) -> Result<Released, ReleaseError> {
    let by = started.plus(AHEAD);
    let mut released = Released::default();
    // The index follows the table within moments: what was just woken may still be in it.
    let mut last = None;
    loop {
        if (context.now)().since(started) > BUDGET {
            return Ok(Released { more: true, ..released });
        }
        let page = context.due.due(shard, last.as_ref(), by, PAGE).await?;
        let is_last = page.len() < usize::from(PAGE);
        let mut wakes =
            stream::iter(&page).map(|resting| context.due.wake(resting)).buffer_unordered(WAKES_AT_ONCE);
        while let Some(woken) = wakes.next().await {
            woken?;
            released.woken = released.woken.saturating_add(1);
        }
        if is_last {
            return Ok(released);
        }
        last = page.last().cloned();
    }
}
