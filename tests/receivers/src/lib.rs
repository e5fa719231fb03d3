//! The receivers of docs/webhooks.md, each fed with the same requests: what we sign they take, and nothing else.
//! A language is run where it is installed; Rust and Python always are.
#![cfg(test)]

mod inbox;
mod vectors;

use std::fs;
use std::io::Write;
use std::process::{Command, ExitStatus, Stdio};

use http::HeaderMap;
use serde_json::Value;
use vectors::Vector;

/// The document's own.
#[expect(unreachable_pub, reason = "a reader's crate may well export it")]
mod receiver {
    include!(concat!(env!("OUT_DIR"), "/receiver.rs"));
}

const DRIVERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/drivers");

/// The Python of the tools, which has the package that the page wants.
fn python() -> String {
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/../../.local/venv/bin/python");
    assert!(fs::exists(python).unwrap(), "the Python tools are missing: run `make receivers`");
    python.to_owned()
}

fn document(file: &str) -> String {
    format!("{}/{file}", env!("OUT_DIR"))
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Has a driver say of each vector whether the document's receiver took it, and which event it gave.
fn run(language: &str, mut command: Command) -> (ExitStatus, Vec<Option<Value>>) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let told = serde_json::to_vec(&Vector::all().iter().map(Vector::json).collect::<Vec<_>>()).unwrap();
    child.stdin.take().unwrap().write_all(&told).unwrap();
    let output = child.wait_with_output().unwrap();
    let answers = serde_json::from_slice(&output.stdout);
    let printed = String::from_utf8_lossy(&output.stdout);
    (output.status, answers.unwrap_or_else(|error| panic!("{language}: {error}: {printed}")))
}

fn check(language: &str, answers: &[Option<Value>]) {
    let vectors = Vector::all();
    assert_eq!(answers.len(), vectors.len(), "{language}");
    for (vector, answer) in vectors.iter().zip(answers) {
        let expected = vector.is_right.then(|| serde_json::from_str::<Value>(&vector.body).unwrap());
        assert_eq!(*answer, expected, "{language}: {}", vector.name);
    }
    println!("{language}: run, {} requests judged rightly", vectors.len());
}

fn check_if_installed(language: &str, program: &str, driver: &str, file: &str) {
    if !is_installed(program) {
        println!("{language}: {program} not found, NOT run");
        return;
    }
    let mut command = Command::new(program);
    command.arg(format!("{DRIVERS}/{driver}")).arg(document(file));
    let (status, answers) = run(language, command);
    assert!(status.success(), "{language}: {status}");
    check(language, &answers);
}

#[test]
fn the_rust_receiver_takes_what_we_sign_and_nothing_else() {
    let verified = |vector: &Vector| {
        let mut headers = HeaderMap::new();
        for (name, value) in &vector.headers {
            headers.insert(*name, value.parse().unwrap());
        }
        receiver::verified(&vector.secret, &headers, vector.body.as_bytes()).ok()
    };
    check("rust", &Vector::all().iter().map(verified).collect::<Vec<_>>());
}

#[test]
fn the_python_receiver_takes_what_we_sign_and_nothing_else() {
    let mut command = Command::new(python());
    command.arg(format!("{DRIVERS}/python.py")).arg(document("receiver.py"));
    let (status, answers) = run("python", command);
    assert!(status.success(), "python: {status}");
    check("python", &answers);
}

#[test]
fn the_node_receiver_takes_what_we_sign_and_nothing_else() {
    check_if_installed("node", "node", "node.mjs", "receiver.mjs");
}

#[test]
fn the_php_receiver_takes_what_we_sign_and_nothing_else() {
    check_if_installed("php", "php", "php.php", "receiver.php");
}
