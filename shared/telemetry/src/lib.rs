//! Logs, as JSON lines on standard output, which Lambda sends to `CloudWatch`.

use tracing_subscriber::filter::LevelFilter;

/// Starts logging, once per process. `LOG_LEVEL` is `error`, `warn`, `info` (the default) or `debug`.
///
/// `trace` counts as `debug`: at that level the Lambda runtime prints whole events, secrets included.
pub fn init() {
    // A level that cannot be read is the default: a typing error stops no refund.
    let level = std::env::var("LOG_LEVEL").ok().and_then(|level| level.parse().ok());
    let level = level.map(|level: LevelFilter| level.min(LevelFilter::DEBUG));
    let logs = tracing_subscriber::fmt().json().flatten_event(true).with_target(false);
    let logs =
        logs.with_current_span(true).with_span_list(false).with_max_level(level.unwrap_or(LevelFilter::INFO));
    // Only a second start can fail, and then logging is already on.
    let _ = logs.try_init();
}
