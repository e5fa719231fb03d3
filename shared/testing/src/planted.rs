//! Texts that nobody may repeat: planted in answers that are broken on purpose, and looked for in the log and in refusals.
//!
//! ```no_run
//! # async fn example(table: recoup_testing::TestTable) {
//! use recoup_testing::planted::{self, Log};
//!
//! for broken in planted::answers() {
//!     table.heal();
//!     table.fail_everything(&broken);
//!     let log = Log::listen();
//!     let answer = "…";                          // what the function under test answers now
//!     log.assert_tells_nothing(&broken);
//!     planted::assert_untold(answer, &broken);
//! }
//! # }
//! ```

use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex};

#[cfg(feature = "table")]
use serde_json::{Value, json};
use tracing_subscriber::filter::LevelFilter;

#[cfg(feature = "table")]
use crate::faults::Fault;

/// A name, an IBAN, a webhook secret, an API key, and a customer's address.
const PLANTED: [&str; 5] = [
    "Erika Mustermann",
    "DE89370400440532013000",
    "whsec_cGxhbnRlZC1zZWNyZXQ",
    "sk_live_planted0000000000",
    "erika@example.com",
];

/// All of them, as one text that fits everywhere.
pub fn text() -> String {
    PLANTED.join(" ")
}

/// What a service may answer that is out of order: no JSON, half of it, JSON of another kind, and refusals that quote
/// what was sent or stored.
#[cfg(feature = "table")]
pub fn answers() -> Vec<Fault> {
    let text = text();
    let aws = |name: &str| format!("com.amazonaws.dynamodb.v20120810#{name}");
    let refused = |status, name: &str| Fault::Refuse(status, json!({ "__type": name, "message": text }));
    let planted: Value = PLANTED.iter().map(|one| json!({ "S": one })).collect();
    let reason = json!({ "Code": "ValidationError", "Message": text, "Item": { "name": { "S": text } } });
    vec![
        Fault::Garble(200, format!("<html>{text}</html>")),
        Fault::Garble(200, format!("{{\"Item\":{{\"pk\":{{\"S\":\"{text}")),
        Fault::Garble(200, format!("{{\"Item\":{{\"pk\":{{\"N\":[\"{text}\"]}}}}}}")),
        Fault::Refuse(200, json!({ "Item": text, "Items": text, "Responses": text })),
        Fault::Refuse(200, json!({ "Items": planted, "Responses": { "recoup": planted } })),
        refused(400, &aws("ValidationException")),
        refused(400, &text),
        refused(500, &aws("InternalServerError")),
        Fault::Refuse(
            400,
            json!({ "__type": aws("TransactionCanceledException"), "message": text, "CancellationReasons": [reason] }),
        ),
        Fault::Garble(503, text.clone()),
    ]
}

/// Fails if a text holds anything that was planted.
pub fn assert_untold(told: &str, when: &impl fmt::Debug) {
    for planted in PLANTED {
        assert!(!told.contains(planted), "{planted} is told after {when:?}: {told}");
    }
}

/// Everything that is logged on this thread (`LOG_LEVEL=debug`), by anybody, until it is dropped.
pub struct Log {
    lines: Lines,
    _guard: tracing::subscriber::DefaultGuard,
}

impl Log {
    /// Begins to listen.
    pub fn listen() -> Self {
        let lines = Lines::default();
        let writer = lines.clone();
        let logs = tracing_subscriber::fmt().json().flatten_event(true).with_max_level(LevelFilter::DEBUG);
        let logs = logs.with_writer(move || writer.clone()).finish();
        Self { lines, _guard: tracing::subscriber::set_default(logs) }
    }

    /// What was logged so far.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lines.0.lock().expect("no writer panics")).into_owned()
    }

    /// Fails if a line holds anything that was planted.
    pub fn assert_tells_nothing(&self, when: &impl fmt::Debug) {
        for line in self.text().lines() {
            assert_untold(line, when);
        }
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no writer panics").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
