//! The routes of the template and those of the code are the same, each led to the function that knows it.

use std::collections::BTreeSet;

use recoup_http::route::SERVED;
use recoup_testing::routes::ROUTES;

use crate::sources::{read, sources};

#[test]
fn the_templates_routes_are_those_of_the_code_and_lead_to_who_serves_them() {
    let known = SERVED.iter().flat_map(|(function, keys)| keys.iter().map(move |key| (*key, *function)));
    let led = ROUTES.iter().map(|route| (route.key.as_str(), route.function.as_str()));
    assert_eq!(led.collect::<BTreeSet<_>>(), known.collect::<BTreeSet<_>>());
}

#[test]
fn only_who_asks_for_a_token_and_who_signs_passes_without_the_authorizer() {
    let open = ROUTES.iter().filter(|route| !route.authorized).map(|route| route.key.as_str());
    assert_eq!(
        open.collect::<BTreeSet<_>>(),
        BTreeSet::from(["POST /v1/oauth/token", "POST /v1/processors/{name}/notifications"])
    );
}

#[test]
fn every_function_that_a_caller_reaches_stands_behind_the_limits() {
    let reached = ROUTES.iter().filter(|route| route.authorized).map(|route| route.function.as_str());
    for function in reached.collect::<BTreeSet<_>>() {
        let main = read(&format!("functions/{function}/src/main.rs"));
        assert!(main.contains("limiter.guard(request, "), "{function} answers without asking the limiter");
    }
}

#[test]
fn no_function_guesses_its_route_from_a_path_or_a_method() {
    for source in sources(&["functions", "shared"]).iter().filter(|source| source.is_production()) {
        for guess in ["uri().path().ends_with", "request.method() == Method", "match *method"] {
            assert!(!source.mentions(guess), "{}: {guess}; ask recoup_http::route", source.path);
        }
    }
    for (function, keys) in SERVED.iter().filter(|(_, keys)| keys.len() > 1) {
        let asks = sources(&[&format!("functions/{function}/src")])
            .iter()
            .any(|source| source.mentions("recoup_http::route"));
        assert!(asks, "{function} serves {keys:?} and does not ask which of them a request took");
    }
}
