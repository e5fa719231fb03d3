//! The example adapter of the documentation, as a process of its own.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../adapter/adapter.py");

/// It runs until it is dropped.
pub(crate) struct Adapter {
    /// Where it listens.
    pub(crate) base: String,
    process: Child,
}

impl Adapter {
    pub(crate) fn running(secret: &str, notify: &str) -> Self {
        let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let mut process = Command::new(python)
            .arg(PROGRAM)
            .env("ADAPTER_SECRET", secret)
            .env("NOTIFY_URL", notify)
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python 3 runs the example adapter");
        let mut port = String::new();
        let output = process.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut port).expect("the adapter says its port");
        Self { base: format!("http://127.0.0.1:{}", port.trim()), process }
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
