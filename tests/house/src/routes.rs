//! The routes of the template and those of the code are the same, each led to the function that knows it.

use std::collections::{BTreeMap, BTreeSet};

use recoup_http::route::SERVED;

use crate::sources::{read, sources};

/// The template's resources: each name with its lines.
fn resources() -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut within = None;
    for line in read("template.yaml").lines() {
        let name = line.strip_prefix("  ").and_then(|rest| rest.strip_suffix(':'));
        if let Some(name) = name.filter(|name| name.starts_with(char::is_alphabetic)) {
            within = Some(name.to_owned());
        } else if let Some(name) = &within {
            found.entry(name.clone()).or_default().push(line.trim().to_owned());
        }
    }
    found
}

/// What stands behind a label, up to the next blank, brace or comma.
fn value<'a>(lines: &'a [String], label: &str) -> Option<&'a str> {
    let rest = lines.iter().find_map(|line| Some(line.split_once(label)?.1))?;
    rest.split(['}', ',']).next().map(str::trim)
}

/// Each route's key, with the function it is led to and its authorization.
fn deployed() -> BTreeSet<(String, String, String)> {
    let resources = resources();
    let routes = resources.values().filter_map(|route| {
        let key = route.iter().find_map(|line| line.strip_prefix("RouteKey: "))?;
        let integration = value(route, "Target: !Sub integrations/${").expect("a target");
        let function = value(&resources[integration], "IntegrationUri: !GetAtt ").expect("a function");
        let function = &resources[function.strip_suffix(".Arn").expect("an address")];
        let binary = value(function, "Binary: ").expect("a binary");
        let authorization = value(route, "AuthorizationType: ").expect("an authorization");
        Some((key.to_owned(), binary.to_owned(), authorization.to_owned()))
    });
    routes.collect()
}

#[test]
fn the_templates_routes_are_those_of_the_code_and_lead_to_who_serves_them() {
    let known = SERVED.iter().flat_map(|(function, keys)| keys.iter().map(move |key| (*key, *function)));
    let known: BTreeSet<(String, String)> =
        known.map(|(key, function)| (key.to_owned(), function.to_owned())).collect();
    let led = deployed().into_iter().map(|(key, function, _)| (key, function));
    assert_eq!(led.collect::<BTreeSet<_>>(), known);
}

#[test]
fn only_who_asks_for_a_token_and_who_signs_passes_without_the_authorizer() {
    let open = deployed().into_iter().filter(|(_, _, authorization)| authorization != "CUSTOM");
    let open: BTreeSet<String> = open.map(|(key, _, _)| key).collect();
    assert_eq!(
        open.iter().map(String::as_str).collect::<Vec<_>>(),
        ["POST /v1/oauth/token", "POST /v1/processors/{name}/notifications"]
    );
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
