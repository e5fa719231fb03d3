//! The house's rules, read off its sources: who may use whom, how long a file may be, who reads the clock.
//! ARCHITECTURE.md says why; here they fail a build.
#![cfg(test)]

mod custody;
mod pages;
mod queues;
mod routes;
mod sources;

use std::collections::BTreeSet;

use sources::{Manifest, crates, read, sources};

const LINES_MAX: usize = 400;
const MAIN_LINES_MAX: usize = 25;
const NAME_MAX: usize = 70;

/// Who may use whom of ours. A function's `main.rs` wires, so its manifest has more than its `lib.rs` may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("ports", &["domain"]),
    ("views", &["domain"]),
    ("http", &["views", "ports", "domain"]),
    ("storage", &["ports", "domain"]),
    ("processors", &["ports", "domain"]),
    ("outbound", &["processors", "ports", "domain"]),
    ("batch", &[]),
    ("config", &["domain"]),
    ("telemetry", &[]),
    ("testing", &["domain", "ports", "storage"]),
];
const A_FUNCTIONS_LIB_MAY_USE: &[&str] = &["http", "views", "batch", "processors", "ports", "domain"];
const A_FUNCTIONS_MAIN_MAY_USE: &[&str] = &[
    "http",
    "views",
    "batch",
    "processors",
    "ports",
    "domain",
    "storage",
    "outbound",
    "config",
    "telemetry",
];
/// What the rules about money are made of: nothing that reads, writes, waits or serializes.
const THE_DOMAIN_MAY_USE: &[&str] = &[
    "base64",
    "data-encoding",
    "hmac",
    "ipnet",
    "iso_currency",
    "rust_decimal",
    "serde",
    "sha2",
    "thiserror",
    "time",
    "ulid",
];

fn short(names: &BTreeSet<String>) -> Vec<&str> {
    names.iter().filter_map(|name| name.strip_prefix("recoup-")).collect()
}

fn is_function(manifest: &Manifest) -> bool {
    manifest.folder.starts_with("functions/")
}

#[test]
fn every_crate_depends_only_on_those_it_may_use() {
    for manifest in crates() {
        let allowed = if is_function(&manifest) {
            A_FUNCTIONS_MAIN_MAY_USE
        } else {
            let name = manifest.folder.strip_prefix("shared/").unwrap();
            let found = MAY_USE.iter().find(|(of, _)| *of == name);
            found.unwrap_or_else(|| panic!("say whom {name} may use, here and in ARCHITECTURE.md")).1
        };
        for used in short(&manifest.dependencies) {
            assert!(allowed.contains(&used), "{} may not use {used}", manifest.folder);
        }
    }
}

#[test]
fn no_function_depends_on_another() {
    let functions: BTreeSet<String> =
        crates().into_iter().filter(is_function).map(|manifest| manifest.name).collect();
    assert!(functions.len() >= 8, "{functions:?}");
    for manifest in crates() {
        for used in manifest.dependencies.iter().chain(&manifest.dev_dependencies) {
            assert!(!functions.contains(used), "{} may not use the function {used}", manifest.folder);
        }
    }
}

#[test]
fn only_tests_use_what_is_for_tests() {
    for manifest in crates() {
        assert!(!manifest.dependencies.contains("recoup-testing"), "{}", manifest.folder);
    }
}

#[test]
fn a_function_uses_its_ports_and_only_its_main_wires() {
    let of_functions = sources(&["functions"]);
    let parts = of_functions.iter().filter(|source| source.is_production());
    let (mains, libs): (Vec<_>, Vec<_>) = parts.partition(|source| source.path.ends_with("src/main.rs"));
    assert!(mains.len() >= 8 && libs.len() >= mains.len(), "{} and {}", mains.len(), libs.len());
    for source in libs {
        for used in source.used_of_ours() {
            assert!(A_FUNCTIONS_LIB_MAY_USE.contains(&used.as_str()), "{} may not use {used}", source.path);
        }
        for sdk in ["aws_sdk_", "aws_smithy_", "aws_types", "hyper", "reqwest"] {
            assert!(!source.mentions(sdk), "{} names {sdk}: a handler knows only ports", source.path);
        }
    }
}

#[test]
fn the_domain_neither_reads_nor_writes_nor_waits() {
    let manifest = crates().into_iter().find(|manifest| manifest.folder == "shared/domain").unwrap();
    let allowed = THE_DOMAIN_MAY_USE.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(manifest.dependencies, allowed);
    for source in sources(&["shared/domain/src"]) {
        for foreign in ["std::env", "std::fs", "std::io", "std::net", "std::thread", "async fn", "serde_json"]
        {
            assert!(!source.mentions(foreign), "{} uses {foreign}", source.path);
        }
        // Plain values have one text form; how what is composed of them is laid out is not the domain's.
        let is_plain = ["ids.rs", "text.rs", "text_form.rs"].iter().any(|name| source.path.ends_with(name));
        assert!(is_plain || !source.mentions("serde"), "{} uses serde", source.path);
    }
}

#[test]
fn money_is_never_a_float() {
    for source in sources(&["functions", "shared"]).iter().filter(|source| source.is_production()) {
        for float in ["f32", "f64"] {
            // The strict JSON reader has to name the visitor that refuses floats.
            let refuses = source.path == "shared/http/src/json.rs";
            assert!(refuses || !source.mentions(float), "{} uses {float}", source.path);
        }
    }
}

#[test]
fn time_randomness_and_settings_come_in_as_arguments() {
    for source in sources(&["functions", "shared"]).iter().filter(|source| source.is_production()) {
        let path = source.path.as_str();
        for clock in ["SystemTime", "OffsetDateTime::now", "Utc::now", "UNIX_EPOCH"] {
            assert!(
                path == "shared/config/src/surroundings.rs" || !source.mentions(clock),
                "{path}: {clock}"
            );
        }
        // A stopwatch is no clock: it bounds the whole of one delivery over its addresses.
        let stopwatch = path == "shared/outbound/src/webhooks.rs";
        assert!(stopwatch || !source.mentions("Instant::now"), "{path} reads the clock");
        let random = path == "shared/config/src/surroundings.rs";
        assert!(random || !source.mentions("getrandom"), "{path} draws secrets");
        let settings = ["shared/config/src/lib.rs", "shared/telemetry/src/lib.rs"].contains(&path);
        assert!(settings || !source.mentions("env::var"), "{path} reads the environment");
    }
}

#[test]
fn nothing_is_printed_beside_the_log() {
    for source in sources(&["functions", "shared"]).iter().filter(|source| source.is_production()) {
        for print in ["println!", "eprintln!", "print!", "dbg!", "todo!", "unimplemented!"] {
            assert!(!source.mentions(print), "{} uses {print}", source.path);
        }
    }
}

/// An SDK's error holds the raw answer, and its Debug prints it: the texts and the secrets of an item.
#[test]
fn no_error_is_logged_as_it_debugs() {
    for source in sources(&["functions", "shared"]).iter().filter(|source| source.is_production()) {
        for name in ["error", "cause", "source", "why"] {
            for form in
                [format!("?{name},"), format!("?{name})"), format!("{{{name}:?}}"), format!("= ?{name}")]
            {
                assert!(!source.text.contains(&form), "{} logs {form}", source.path);
            }
        }
        assert!(!source.text.contains("?std::error::Error::source"), "{}", source.path);
        for line in source.code().lines().filter(|line| line.contains(":?}") || line.contains(":#?}")) {
            // Neither is more than a kind of error, or the caller's own words told to that caller alone.
            let told =
                ["error.classify()", "the key {key:?} stands twice"].iter().any(|known| line.contains(known));
            assert!(told, "{} prints a value as it debugs: {line}", source.path);
        }
    }
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    let all = sources(&["functions", "shared", "tests"]);
    assert!(all.len() > 100, "{} sources", all.len());
    for source in all {
        let lines = source.text.lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines", source.path);
        if source.path.starts_with("functions/") && source.path.ends_with("src/main.rs") {
            assert!(lines <= MAIN_LINES_MAX, "{} has {lines} lines: it should only wire", source.path);
        }
    }
}

/// A test's name is a sentence that one reads at once.
#[test]
fn no_function_has_a_name_longer_than_a_line_of_prose() {
    for source in sources(&["functions", "shared", "tests"]).iter().filter(|source| source.is_rust()) {
        let names = source.text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
        let long = names.filter(|name| name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()));
        for name in long {
            assert!(name.len() <= NAME_MAX, "{}: {name}", source.path);
        }
    }
}

#[test]
fn every_file_opens_with_its_purpose() {
    for source in sources(&["functions", "shared", "tests"]) {
        if source.is_rust() {
            assert!(source.text.starts_with("//! "), "{} does not say what it is for", source.path);
        }
    }
}

#[test]
fn every_crate_takes_the_houses_lints() {
    for manifest in crates() {
        let lints = manifest.text.split("[lints]").nth(1).map(str::trim);
        assert_eq!(lints, Some("workspace = true"), "{}", manifest.folder);
    }
}

#[test]
fn every_function_is_deployed_and_nothing_else_is() {
    let template = read("template.yaml");
    let deployed: BTreeSet<&str> =
        template.split("Binary: ").skip(1).filter_map(|rest| rest.split([' ', '}', '\n']).next()).collect();
    let built: Vec<Manifest> = crates().into_iter().filter(is_function).collect();
    let built: BTreeSet<&str> = built.iter().map(|manifest| manifest.name.as_str()).collect();
    assert_eq!(built, deployed);
}

#[test]
fn a_functions_folder_has_its_name_and_its_two_parts() {
    for manifest in crates().iter().filter(|manifest| is_function(manifest)) {
        assert_eq!(manifest.folder, format!("functions/{}", manifest.name));
        for part in ["main.rs", "lib.rs"] {
            assert!(!read(&format!("{}/src/{part}", manifest.folder)).is_empty());
        }
    }
}

/// Whoever may list functions, as every read-only role may, reads their configuration.
#[test]
fn no_functions_configuration_holds_a_secret() {
    let template = read("template.yaml");
    for way in ["{{resolve:", "NoEcho", ".SecretString"] {
        assert!(!template.contains(way), "{way} brings a secret into the template");
    }
}
