//! `openapi.yaml` describes what there is, and judges by what it describes.
#![cfg(test)]

use std::collections::BTreeSet;

use http::HeaderMap;
use recoup_domain::money::Currency;
use recoup_testing::contract::{DESCRIPTION, Fields, conforms, described, entries, operation, resolved};
use recoup_testing::routes::ROUTES;
use serde_json::{Value, json};

const METHODS: [&str; 5] = ["get", "put", "post", "patch", "delete"];

/// The headers of every answer of ours.
const PRIVATE: [(&str, &str); 3] =
    [("request-id", "1"), ("cache-control", "no-store"), ("x-content-type-options", "nosniff")];

fn judged(status: u16, media_type: &str, body: &Value) -> Result<(), String> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", media_type.parse().unwrap());
    if status != 400 {
        for (name, value) in PRIVATE {
            headers.insert(name, value.parse().unwrap());
        }
    }
    described("GET", "/v1/refunds?limit=1", status, &headers, body)
}

fn problem(status: u16, code: &str) -> Value {
    json!({ "type": format!("urn:recoup:problem:{code}"), "title": "t", "status": status, "detail": "d",
            "instance": "/v1/refunds", "code": code, "request_id": "1", "retryable": false })
}

#[test]
fn an_answer_that_is_not_described_is_told_by_name() {
    let page = json!({ "object": "list", "data": [], "has_more": false, "next_cursor": null });
    let (mut larger, mut smaller) = (page.clone(), page.clone());
    larger["total"] = json!(0);
    smaller.as_object_mut().unwrap().remove("has_more");
    assert_eq!(judged(200, "application/json; charset=utf-8", &page), Ok(()));
    for (status, media_type, body, name) in [
        (200, "application/json", &larger, "'total' was unexpected"),
        (200, "application/json", &smaller, "\"has_more\" is a required property"),
        (200, "text/html", &page, "text/html"),
        (204, "application/json", &page, "the status is not described"),
        (400, "application/problem+json", &page, "header request-id is absent"),
    ] {
        let why = judged(status, media_type, body).expect_err("not described");
        assert!(why.contains(name), "{why}");
    }
    assert!(described("DELETE", "/v1/refunds", 200, &HeaderMap::new(), &page).is_err());
}

#[test]
fn an_answer_that_others_may_keep_or_guess_at_is_none_of_ours() {
    let page = json!({ "object": "list", "data": [], "has_more": false, "next_cursor": null });
    for (missing, _) in &PRIVATE[1..] {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        for (name, value) in PRIVATE.iter().filter(|(name, _)| name != missing) {
            headers.insert(*name, value.parse().unwrap());
        }
        let why = described("GET", "/v1/refunds", 200, &headers, &page).expect_err("not private");
        assert!(why.contains(missing), "{why}");
    }
}

#[test]
fn a_problem_has_its_answers_status_and_a_code_that_is_described_for_it() {
    let media_type = "application/problem+json";
    assert_eq!(judged(404, media_type, &problem(404, "payment_not_found")), Ok(()));
    for (body, name) in [
        (problem(404, "refund_not_found"), "\"refund_not_found\" is not described"),
        (problem(409, "payment_not_found"), "the problem's status is 409"),
        (json!({ "message": "Not Found" }), "\"type\" is a required property"),
    ] {
        let why = judged(404, media_type, &body).expect_err("not described");
        assert!(why.contains(name), "{why}");
    }
    assert!(judged(404, "application/json", &problem(404, "payment_not_found")).is_err());
}

/// Callers tolerate new fields: only what is sent to us is closed.
#[test]
fn an_answer_may_gain_fields_by_its_description() {
    let schemas = &DESCRIPTION["components"]["schemas"];
    let page = json!({ "object": "list", "data": [], "has_more": false, "next_cursor": null, "total": 0 });
    assert_eq!(conforms(&schemas["RefundList"], &page, Fields::Described), Ok(()));
    for (_, response) in entries(&DESCRIPTION["components"]["responses"]) {
        for (_, content) in entries(&response["content"]) {
            assert_open(&content["schema"], &mut BTreeSet::new());
        }
    }
    for (_, item) in entries(&DESCRIPTION["webhooks"]) {
        let content = &item["post"]["requestBody"]["content"];
        assert_open(&content["application/json"]["schema"], &mut BTreeSet::new());
    }
}

fn assert_open(schema: &Value, seen: &mut BTreeSet<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        if seen.insert(name.to_owned()) {
            assert_open(resolved(schema).unwrap(), seen);
        }
        return;
    }
    for (keyword, below) in entries(schema) {
        assert!(keyword != "unevaluatedProperties", "{schema}");
        assert!(keyword != "additionalProperties" || below.is_object(), "{schema}");
        below.as_array().into_iter().flatten().for_each(|below| assert_open(below, seen));
        assert_open(below, seen);
    }
}

/// Generators read no boolean schemas, and lose what stands beside a reference or within `anyOf`.
#[test]
fn the_description_keeps_to_what_generators_read() {
    fn check(value: &Value, at: &str) {
        let beside = |name: &str| name != "$ref" && name != "description";
        assert!(value["$ref"].is_null() || !entries(value).any(|(name, _)| beside(name)), "{at}");
        for (name, below) in entries(value) {
            let at = format!("{at}/{name}");
            assert!(name != "properties" || entries(below).all(|(_, schema)| schema.is_object()), "{at}");
            assert!(name != "enum" || value["type"] == "string", "{at} is not named");
            assert!(name != "const" || value["type"].is_string(), "{at} has no type");
            if name == "allOf" {
                // One of them would be read as if it stood alone.
                assert!(below.as_array().is_some_and(|parts| parts.len() > 1), "{at}");
                assert!(value["properties"].is_null() && value["required"].is_null(), "{at}");
            }
            if name == "anyOf" {
                let null = |branch: &Value| branch["type"] == "null";
                assert!(below.as_array().is_some_and(|branches| branches.iter().any(null)), "{at}");
            }
            check(below, &at);
        }
        value.as_array().into_iter().flatten().for_each(|below| check(below, at));
    }
    for part in ["paths", "webhooks"] {
        check(&DESCRIPTION[part], part);
    }
    for part in ["parameters", "headers", "responses", "schemas"] {
        check(&DESCRIPTION["components"][part], part);
    }
}

#[test]
fn every_operation_and_webhook_has_a_name_of_its_own() {
    let mut names = BTreeSet::new();
    for (path, item) in entries(&DESCRIPTION["paths"]).chain(entries(&DESCRIPTION["webhooks"])) {
        for (method, operation) in entries(item).filter(|(method, _)| METHODS.contains(&method.as_str())) {
            let name = operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path}"));
            assert!(names.insert(name), "{name} twice");
        }
    }
}

fn operations() -> Vec<(String, String)> {
    let paths = entries(&DESCRIPTION["paths"]);
    let all = paths.flat_map(|(path, item)| entries(item).map(move |(method, _)| (method, path)));
    all.filter(|(method, _)| METHODS.contains(&method.as_str()))
        .map(|(method, path)| (method.to_uppercase(), path.clone()))
        .collect()
}

#[test]
fn every_route_of_the_template_is_described_and_no_other() {
    // What has no route of its own is described in prose.
    let routes = ROUTES.iter().map(|route| route.key.clone()).filter(|key| key != "$default");
    let routes: BTreeSet<String> = routes.collect();
    // One route; what each processor sends is described by itself.
    let route = |path: String| {
        let (stripe, http) = ("/v1/processors/stripe/", "/v1/processors/http/");
        path.replace(stripe, "/v1/processors/{name}/").replace(http, "/v1/processors/{name}/")
    };
    let described = operations().into_iter().map(|(method, path)| format!("{method} {}", route(path)));
    assert_eq!(routes, described.collect());
}

/// The table of the enum `Code`.
fn codes() -> Vec<(u64, String)> {
    let source = include_str!("../../http/src/problem.rs");
    let codes = source.lines().filter_map(|line| {
        let (status, rest) = line.split_once(" = ")?.1.split_at_checked(3)?;
        Some((status.parse().ok()?, rest.split('"').nth(1)?.to_owned()))
    });
    let codes: Vec<_> = codes.collect();
    assert!(codes.len() > 20, "the table of problem.rs is read: {codes:?}");
    codes
}

#[test]
fn every_problem_code_is_described_under_its_status_and_no_other() {
    let mut described = BTreeSet::new();
    for (method, path) in operations() {
        let responses = &operation(&method, &path).expect("an operation")["responses"];
        for (status, response) in entries(responses) {
            let response = resolved(response).unwrap();
            for code in response["x-codes"].as_array().into_iter().flatten() {
                described.insert((status.parse().unwrap(), code.as_str().unwrap().to_owned()));
            }
            let problem = !response["content"]["application/problem+json"].is_null();
            assert_eq!(problem, response["x-codes"].is_array(), "{method} {path} {status}");
        }
    }
    // What any path says to a method that it does not take.
    for code in DESCRIPTION["components"]["responses"]["MethodNotAllowed"]["x-codes"].as_array().unwrap() {
        described.insert((405, code.as_str().unwrap().to_owned()));
    }
    assert_eq!(codes().into_iter().collect::<BTreeSet<_>>(), described);
}

#[test]
fn the_named_problem_codes_are_those_of_the_enum() {
    let codes: Vec<Value> = codes().into_iter().map(|(_, code)| code.into()).collect();
    assert_eq!(DESCRIPTION["components"]["schemas"]["ProblemCode"]["enum"], json!(codes));
}

#[test]
fn the_currencies_are_those_that_the_domain_reads() {
    let letters = || (b'A'..=b'Z').map(char::from);
    let codes = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| (a, b, c))));
    let codes = codes.map(|(a, b, c)| format!("{a}{b}{c}"));
    let known: Vec<Value> = codes.filter(|code| Currency::parse(code).is_some()).map(Value::from).collect();
    assert_eq!(DESCRIPTION["components"]["schemas"]["Currency"]["enum"], json!(known));
}

#[test]
fn every_example_is_what_its_schema_says() {
    let mut seen = 0;
    for (method, path) in operations() {
        let operation = operation(&method, &path).expect("an operation");
        let responses = entries(&operation["responses"]).map(|(_, response)| (response, Fields::Closed));
        for (holder, fields) in responses.chain([(&operation["requestBody"], Fields::Described)]) {
            let Some(holder) = resolved(holder) else { continue };
            for (_, content) in entries(&holder["content"]) {
                for (name, example) in entries(&content["examples"]) {
                    let example = resolved(example).unwrap();
                    let judged = conforms(&content["schema"], &example["value"], fields);
                    assert_eq!(judged, Ok(()), "{method} {path}, {name}");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 15, "only {seen} examples");
}
