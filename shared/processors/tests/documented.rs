//! What `docs/processors.md` shows is what goes over the wire.
#![cfg(test)]

use recoup_domain::ids::Environment;
use recoup_domain::payment::ProcessorName;
use recoup_domain::recovery::{Shape, SplitTerms};
use recoup_domain::refund::Outcome;
use recoup_processors::adapter::{UnverifiedNotice, order};
use recoup_processors::check_keys;
use recoup_testing::fixtures;
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/processors.md");

/// The first `json` block behind a heading.
fn example(heading: &str) -> &'static str {
    let section = PAGE.split_once(&format!("\n{heading}\n")).unwrap().1;
    let block = section.split_once("```json\n").unwrap().1;
    block.split_once("```").unwrap().0
}

/// The field names of an object and of all objects in it.
fn names(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let below = |(key, value): (&String, &Value)| {
                names(value).into_iter().map(|name| format!("{key}.{name}")).collect::<Vec<_>>()
            };
            fields.keys().cloned().chain(fields.iter().flat_map(below)).collect()
        }
        Value::Array(items) => items.first().map(names).unwrap_or_default(),
        _ => Vec::new(),
    }
}

#[test]
fn the_order_of_the_page_has_the_fields_of_ours() {
    let mut refund =
        fixtures::decided(&fixtures::getpaid_payment(), &fixtures::getpaid_wanted(), "key").refund;
    refund.processor.split = Some(SplitTerms { shape: Shape::Apart, transfers: Vec::new() });
    let ours = names(&serde_json::from_str(&order(&refund)).unwrap());
    let shown = names(&serde_json::from_str(example("### The order")).unwrap());
    assert_eq!(shown, ours);
    for name in ours.iter().filter(|name| !name.contains('.')) {
        assert!(PAGE.contains(&format!("`{name}`")), "the page does not explain {name}");
    }
}

#[test]
fn the_notice_of_the_page_is_one() {
    let notice = UnverifiedNotice::parse(example("### The notice")).unwrap();
    assert_eq!(notice.tenant().environment.as_str(), "sandbox");
}

#[test]
fn the_keys_of_the_page_are_accepted_as_they_are_stored() {
    let command: Value = serde_json::from_str(example("## Storing the keys")).unwrap();
    assert_eq!(
        (&command["command"], &command["environment"]),
        (&"set_processor_keys".into(), &"live".into())
    );
    let secret = command["secret"].as_str().unwrap().replace('…', "12345678");
    assert_eq!(check_keys(ProcessorName::Stripe, Environment::Live, &secret), Ok(()));
    assert!(check_keys(ProcessorName::Stripe, Environment::Sandbox, &secret).is_err());
    assert!(check_keys(ProcessorName::Http, Environment::Live, &secret).is_err());
    assert!(check_keys(ProcessorName::Sandbox, Environment::Sandbox, &secret).is_err());
}

#[test]
fn every_failure_code_is_on_the_page() {
    for code in recoup_domain::refund::FailureCode::NAMES {
        assert!(PAGE.contains(&format!("`{code}`")), "{code}");
    }
    // The states an answer leads to, by the names of the API.
    for outcome in [Outcome::Pending, Outcome::Unknown] {
        let refund =
            fixtures::decided(&fixtures::getpaid_payment(), &fixtures::getpaid_wanted(), "key").refund;
        let state = fixtures::stepped(&refund, outcome).version.state;
        let recoup_domain::refund::State::Processing(pending) = state else { panic!("{state:?}") };
        assert!(PAGE.contains(&format!("`{}`", pending.as_str())));
    }
}
