//! Wakes what has waited in the table for its time: once a minute, everything that falls due until the next one.
//!
//! It only marks it as woken; the table's stream tells `relay-events`, which sends the message, with the rest of the
//! wait as the queue's delay. Nothing is lost by a crash here: what was not woken is still in the index a minute
//! later, and what was woken stays in it for an hour, to be found again should its message be lost on the way.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use lambda_runtime::Diagnostic;
use recoup_domain::time::Timestamp;
use recoup_ports::due::{Due, SHARDS};
use recoup_ports::{ReadError, WriteError, causes};
use serde::Serialize;
use thiserror::Error;

/// How far ahead it looks: past the next run, so that a wait ends in time even if that one is late.
pub const AHEAD: Duration = Duration::from_secs(90);
/// Most of one shard that is read at once.
const PAGE: u16 = 100;
/// Most writes at once in each part of the index.
const WAKES_AT_ONCE: usize = 4;
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
        tracing::error!(error = causes(&error), "not all was released; the next run goes on");
        Self { error_type: "Unavailable".to_owned(), error_message: error.to_string() }
    }
}

/// One run over all parts of the index, side by side. What fails is logged and left to the next run; it stands in
/// nobody's way.
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

/// What became of one part of the index.
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
