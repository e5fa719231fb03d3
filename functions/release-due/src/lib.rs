//! Wakes waits that rest in the table: once a minute, all that fall due before the next run.
//!
//! It only marks a wait as woken; the table's stream has `relay-events` send the message, with the rest of the wait as
//! the queue's delay. A crash here loses nothing: a wait that was not woken is still in the index a minute later, and a
//! woken one is found again after an hour if its message was lost.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use lambda_runtime::Diagnostic;
use recoup_domain::time::Timestamp;
use recoup_ports::due::{Due, SHARDS};
use recoup_ports::{ReadError, WriteError, causes};
use serde::Serialize;
use thiserror::Error;

/// How far ahead a run looks: past the next run, so that a wait ends in time even if that run is late.
pub const AHEAD: Duration = Duration::from_secs(90);
/// Most waits in one read of a shard.
const PAGE: u16 = 100;
/// Most writes at once in each shard.
const WAKES_AT_ONCE: usize = 4;
/// After so long a run starts nothing new; the function's time in `template.yaml` is longer.
pub const BUDGET: Duration = Duration::from_secs(45);

/// What the function needs.
pub struct Context<D> {
    /// The index of waits.
    pub due: D,
    /// The clock.
    pub now: fn() -> Timestamp,
}

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Released {
    /// The number of waits woken.
    pub woken: usize,
    /// Whether more waits were due than there was time for; the next run continues.
    pub more: bool,
}

/// Why a run did not wake everything. What it has woken stays woken.
#[derive(Debug, Error)]
pub enum ReleaseError {
    /// The index cannot be read.
    #[error("the index of waits cannot be read")]
    Read(#[from] ReadError),
    /// The table cannot be written.
    #[error("a due wait cannot be woken")]
    Write(#[from] WriteError),
}

impl From<ReleaseError> for Diagnostic {
    fn from(error: ReleaseError) -> Self {
        tracing::error!(error = causes(&error), "not every due wait was woken; the next run continues");
        Self { error_type: "Unavailable".to_owned(), error_message: error.to_string() }
    }
}

/// One run over all shards of the index, concurrently. A failure is logged and left to the next run; it does not stop
/// the other shards.
pub async fn handle<D: Due>(context: &Context<D>) -> Result<Released, ReleaseError> {
    let started = (context.now)();
    let shards = stream::iter(0..SHARDS).map(|shard| release(context, shard, started));
    let shards: Vec<Shard> = shards.buffer_unordered(usize::from(SHARDS)).collect().await;
    let mut released = Released::default();
    let mut first_error = None;
    for shard in shards {
        released.woken = released.woken.saturating_add(shard.released.woken);
        released.more |= shard.released.more;
        first_error = first_error.or(shard.error);
    }
    tracing::info!(due.woken = released.woken, due.more = released.more, "released");
    first_error.map_or(Ok(released), Err)
}

/// What a run did in one shard of the index.
#[derive(Default)]
struct Shard {
    released: Released,
    error: Option<ReleaseError>,
}

async fn release<D: Due>(context: &Context<D>, shard: u8, started: Timestamp) -> Shard {
    let by = started.plus(AHEAD);
    let mut done = Shard::default();
    let mut last = None;
    loop {
        if (context.now)().since(started) > BUDGET {
            done.released.more = true;
            return done;
        }
        let page = match context.due.due(shard, last.as_ref(), by, PAGE).await {
            Ok(page) => page,
            Err(error) => {
                done.error = Some(error.into());
                return done;
            }
        };
        let wakes = stream::iter(&page).map(|resting| context.due.wake(resting, (context.now)()));
        let mut wakes = wakes.buffer_unordered(WAKES_AT_ONCE);
        while let Some(woken) = wakes.next().await {
            match woken {
                Ok(()) => done.released.woken = done.released.woken.saturating_add(1),
                Err(error) => done.error = Some(error.into()),
            }
        }
        if page.len() < usize::from(PAGE) {
            return done;
        }
        last = page.last().cloned();
    }
}
