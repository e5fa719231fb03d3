//! `openapi.yaml` as a judge: an answer with an undocumented status, media type, header or field fails the
//! test that caused it, whatever that test was about.
//!
//! Callers are told that answers may gain fields, so the description leaves its objects open. Here they are closed:
//! what we say ourselves is described before it is said.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex};

use http::HeaderMap;
use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// All of `openapi.yaml`.
pub static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    serde_saphyr::from_str(include_str!("../../../openapi.yaml")).expect("openapi.yaml is YAML")
});

/// One validator for each schema that was needed.
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

const SCHEMAS: &str = "#/components/schemas/";

/// Fails unless `openapi.yaml` describes this answer to this request.
pub fn assert_described(method: &str, path: &str, status: u16, headers: &HeaderMap, body: &Value) {
    if let Err(why) = described(method, path, status, headers, body) {
        panic!("openapi.yaml, {method} {path}, {status}: {why}; the body was {body:#}");
    }
}

/// Says what `openapi.yaml` does not describe about an answer.
pub fn described(
    method: &str,
    path: &str,
    status: u16,
    headers: &HeaderMap,
    body: &Value,
) -> Result<(), String> {
    let path = path.split('?').next().unwrap_or_default();
    let response = match operation(method, path) {
        Some(operation) => &operation["responses"][status.to_string()],
        None => elsewhere(status).ok_or("the route is not described")?,
    };
    let response = resolved(response).ok_or("the status is not described")?;
    for (name, header) in entries(&response["headers"]) {
        let header = resolved(header).ok_or("a header is not described")?;
        match headers.get(name).map(|value| value.to_str().unwrap_or_default()) {
            Some(value) => conforms(&header["schema"], &json!(value), Fields::Closed)
                .map_err(|why| format!("header {name}: {why}"))?,
            None if header["required"] == true => return Err(format!("header {name} is absent")),
            None => {}
        }
    }
    // What has a request id is an answer of ours, and all of ours are private.
    if headers.contains_key("request-id") {
        for (name, value) in [("cache-control", "no-store"), ("x-content-type-options", "nosniff")] {
            if headers.get(name).is_none_or(|found| found != value) {
                return Err(format!("header {name} is not {value}"));
            }
        }
    }
    // Described once, and not with each answer.
    for (name, described) in [("ratelimit-policy", "RateLimitPolicy"), ("ratelimit", "RateLimit")] {
        if let Some(value) = headers.get(name) {
            let schema = &DESCRIPTION["components"]["headers"][described]["schema"];
            let value = json!(value.to_str().unwrap_or_default());
            conforms(schema, &value, Fields::Closed).map_err(|why| format!("header {name}: {why}"))?;
        }
    }
    if method == "HEAD" {
        return if body.is_null() { Ok(()) } else { Err("an answer to HEAD has a body".into()) };
    }
    if response["content"].is_null() {
        // Nothing may be said; a gateway may give even that a media type.
        return if body.is_null() { Ok(()) } else { Err("a body is not described".into()) };
    }
    let media_type = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let content = &response["content"][media_type];
    if content.is_null() {
        return Err(format!("the media type {media_type:?} is not described"));
    }
    let whole = conforms(&content["schema"], body, Fields::Closed);
    // A credential that may not read the object is only told which one it was.
    let acknowledgement = Some(&response["x-acknowledgement"]).filter(|schema| !schema.is_null());
    let acknowledged = acknowledgement.map(|schema| conforms(schema, body, Fields::Closed));
    if acknowledged != Some(Ok(())) {
        whole?;
    }
    if media_type == "application/problem+json" { says_so(response, status, body) } else { Ok(()) }
}

/// What may be said where there is no route.
fn elsewhere(status: u16) -> Option<&'static Value> {
    let name = match status {
        401 => "NoCredential",
        403 => "Forbidden",
        404 => "NoRoute",
        405 => "MethodNotAllowed",
        429 => "TooManyRequests",
        500 => "Internal",
        503 => "Unavailable",
        _ => return None,
    };
    Some(&DESCRIPTION["components"]["responses"][name])
}

/// A problem has its answer's status, and one of the codes that are described for it.
fn says_so(response: &Value, status: u16, problem: &Value) -> Result<(), String> {
    if problem["status"] != status {
        return Err(format!("the problem's status is {}", problem["status"]));
    }
    let codes = response["x-codes"].as_array().ok_or("no problem is described")?;
    if codes.contains(&problem["code"]) {
        Ok(())
    } else {
        Err(format!("{} is not described", problem["code"]))
    }
}

/// Fails unless `openapi.yaml` describes the body of this webhook.
pub fn assert_webhook_described(body: &Value) {
    let webhooks = entries(&DESCRIPTION["webhooks"]).map(|(_, item)| &item["post"]["requestBody"]["content"]);
    let judged =
        webhooks.map(|content| conforms(&content["application/json"]["schema"], body, Fields::Closed));
    let judged: Vec<_> = judged.collect();
    assert!(judged.iter().any(Result::is_ok), "openapi.yaml, webhooks: {judged:?}; the body was {body:#}");
}

/// The operation that a request is; a path without parameters goes first.
pub fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let parts: Vec<&str> = path.split('/').collect();
    let matches = |(template, _): &(&String, &Value)| {
        let wanted: Vec<&str> = template.split('/').collect();
        let fits =
            |(wanted, part): (&&str, &&str)| wanted == part || (wanted.starts_with('{') && !part.is_empty());
        wanted.len() == parts.len() && wanted.iter().zip(&parts).all(fits)
    };
    let items = entries(&DESCRIPTION["paths"]).filter(matches);
    let (_, item) = items.min_by_key(|(template, _)| template.matches('{').count())?;
    item.get(method.to_lowercase())
}

/// Whether a value may have fields that its schema does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fields {
    /// As the schema says.
    Described,
    /// No others, whatever the schema says by its silence.
    Closed,
}

/// Says what is wrong with a value under a schema of `openapi.yaml`.
pub fn conforms(schema: &Value, value: &Value, fields: Fields) -> Result<(), String> {
    let key = format!("{fields:?} {schema}");
    let cached = VALIDATORS.lock().expect("a whole map").get(&key).cloned();
    let validator = cached.unwrap_or_else(|| {
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        let whole = standing_alone(schema, fields);
        let validator = Arc::new(options.build(&whole).expect("openapi.yaml has readable schemas"));
        VALIDATORS.lock().expect("a whole map").insert(key, validator.clone());
        validator
    });
    let errors = validator.iter_errors(value).map(|error| format!("{} {error}", error.instance_path()));
    let errors: Vec<String> = errors.collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.join("; ").trim().to_owned()) }
}

/// A schema with those it refers to, and no more: a test's process compiles what it needs.
fn standing_alone(schema: &Value, fields: Fields) -> Value {
    let mut schemas = BTreeMap::new();
    let mut missing = BTreeSet::new();
    refer(schema, &mut missing);
    while let Some(name) = missing.pop_first() {
        let mut found = DESCRIPTION["components"]["schemas"][&name].clone();
        refer(&found, &mut missing);
        if fields == Fields::Closed {
            close_within(&mut found);
        }
        schemas.insert(name, found);
        missing.retain(|name| !schemas.contains_key(name));
    }
    let mut whole = schema.clone();
    if fields == Fields::Closed {
        close(&mut whole);
    }
    whole["components"] = json!({ "schemas": schemas });
    whole
}

/// Collects the names of the schemas that a value refers to.
fn refer(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            let name =
                members.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix(SCHEMAS));
            names.extend(name.map(str::to_owned));
            members.values().for_each(|value| refer(value, names));
        }
        Value::Array(values) => values.iter().for_each(|value| refer(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Closes a schema and what is below it, where it is the whole schema of a value.
fn close(schema: &mut Value) {
    if is_object(schema) && schema.get("additionalProperties").is_none() {
        schema["unevaluatedProperties"] = false.into();
    }
    close_within(schema);
}

/// Closes what is below a schema; parts of an `allOf` stay open for each other.
fn close_within(schema: &mut Value) {
    let Some(schema) = schema.as_object_mut() else { return };
    for (keyword, below) in schema {
        match (keyword.as_str(), below) {
            ("properties", Value::Object(properties)) => properties.values_mut().for_each(close),
            ("items", items) => close(items),
            ("oneOf" | "anyOf", Value::Array(branches)) => branches.iter_mut().for_each(close),
            ("allOf", Value::Array(parts)) => parts.iter_mut().for_each(close_within),
            _ => {}
        }
    }
}

/// Whether a schema names the fields of an object.
fn is_object(schema: &Value) -> bool {
    let target = resolved(schema).unwrap_or(&Value::Null);
    let open = target.get("additionalProperties").is_some();
    !open && (target.get("properties").is_some() || target.get("allOf").is_some())
}

/// What a value is, or refers to; nothing, if it is null.
pub fn resolved(value: &Value) -> Option<&Value> {
    if value.is_null() {
        return None;
    }
    let Some(reference) = value["$ref"].as_str() else { return Some(value) };
    let pointer = reference.strip_prefix('#').expect("a reference within openapi.yaml");
    Some(DESCRIPTION.pointer(pointer).unwrap_or_else(|| panic!("openapi.yaml has no {reference}")))
}

/// The members of an object.
pub fn entries(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flat_map(Map::iter)
}
