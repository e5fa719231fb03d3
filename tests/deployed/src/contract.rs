//! `openapi.yaml` as a judge: an answer with an undocumented status, media type, header or field fails the
//! test that caused it, whatever that test was about.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::Answer;

static DESCRIPTION: LazyLock<Value> = LazyLock::new(|| {
    serde_saphyr::from_str(include_str!("../../../openapi.yaml")).expect("openapi.yaml is YAML")
});

/// One validator for each schema that was needed, by its pointer.
static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// Fails unless `openapi.yaml` describes this answer to this request.
pub(crate) fn assert_described(method: &str, path: &str, answer: &Answer) {
    if let Err(why) = described(method, path, answer) {
        panic!("openapi.yaml, {method} {path}, {}: {why}; the body was {:#}", answer.status, answer.body);
    }
}

fn described(method: &str, path: &str, answer: &Answer) -> Result<(), String> {
    let path = path.split('?').next().unwrap_or_default();
    let response = match operation(method, path) {
        Some(operation) => format!("{operation}/responses/{}", answer.status),
        // Where there is no route, one has to say so.
        None => match answer.status {
            401 => "/components/responses/NoCredential".to_owned(),
            403 => "/components/responses/Forbidden".to_owned(),
            404 => "/components/responses/NoRoute".to_owned(),
            405 => "/components/responses/MethodNotAllowed".to_owned(),
            _ => return Err("the route is not described".into()),
        },
    };
    let (pointer, response) = resolved(&response).ok_or("the status is not described")?;
    for (name, header) in entries(&response["headers"]) {
        let (header, _) = resolved_value(header);
        match answer.headers.get(name).map(|value| value.to_str().unwrap_or_default()) {
            Some(value) => {
                conforms(&json!({ "allOf": [header["schema"]] }), &json!(value))
                    .map_err(|why| format!("header {name}: {why}"))?;
            }
            None if header["required"] == true => return Err(format!("header {name} is absent")),
            None => {}
        }
    }
    if method == "HEAD" {
        return if answer.body.is_null() { Ok(()) } else { Err("an answer to HEAD has a body".into()) };
    }
    if response["content"].is_null() {
        // Nothing may be said; a gateway may give even that a media type.
        return if answer.body.is_null() { Ok(()) } else { Err("a body is not described".into()) };
    }
    let media_type = answer.header("content-type").split(';').next().unwrap_or_default().trim();
    let content = format!("{pointer}/content/{}/schema", escaped(media_type));
    DESCRIPTION.pointer(&content).ok_or_else(|| format!("the media type {media_type:?} is not described"))?;
    conforms(&reference(&content), &answer.body)
}

/// The pointer to the operation that a request is; a path without parameters goes first.
fn operation(method: &str, path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').collect();
    let matches = |template: &&String| {
        let wanted: Vec<&str> = template.split('/').collect();
        let fits =
            |(wanted, part): (&&str, &&str)| wanted == part || (wanted.starts_with('{') && !part.is_empty());
        wanted.len() == parts.len() && wanted.iter().zip(&parts).all(fits)
    };
    let templates = entries(&DESCRIPTION["paths"]).map(|(template, _)| template).filter(matches);
    let template = templates.min_by_key(|template| template.matches('{').count())?;
    let pointer = format!("/paths/{}/{}", escaped(template), method.to_lowercase());
    DESCRIPTION.pointer(&pointer).is_some().then_some(pointer)
}

/// Says what is wrong with a value under a schema that may refer to the whole description.
fn conforms(schema: &Value, value: &Value) -> Result<(), String> {
    let key = schema.to_string();
    let cached = VALIDATORS.lock().expect("a whole map").get(&key).cloned();
    let validator = cached.unwrap_or_else(|| {
        let mut whole = schema.clone();
        for part in ["paths", "components"] {
            whole[part] = DESCRIPTION[part].clone();
        }
        let options = jsonschema::draft202012::options().should_validate_formats(true);
        let validator = Arc::new(options.build(&whole).expect("openapi.yaml has readable schemas"));
        VALIDATORS.lock().expect("a whole map").insert(key, validator.clone());
        validator
    });
    let errors = validator.iter_errors(value).map(|error| format!("{} {error}", error.instance_path()));
    let errors: Vec<String> = errors.collect();
    if errors.is_empty() { Ok(()) } else { Err(errors.join("; ").trim().to_owned()) }
}

/// What stands at a pointer, and where: a reference there is followed.
fn resolved(pointer: &str) -> Option<(String, &'static Value)> {
    let (value, elsewhere) = resolved_value(DESCRIPTION.pointer(pointer)?);
    Some((elsewhere.unwrap_or_else(|| pointer.to_owned()), value))
}

fn resolved_value(value: &'static Value) -> (&'static Value, Option<String>) {
    let Some(reference) = value["$ref"].as_str() else { return (value, None) };
    let pointer = reference.strip_prefix('#').expect("a reference within openapi.yaml");
    let target = DESCRIPTION.pointer(pointer).unwrap_or_else(|| panic!("openapi.yaml has no {reference}"));
    (target, Some(pointer.to_owned()))
}

fn entries(object: &'static Value) -> impl Iterator<Item = (&'static String, &'static Value)> {
    object.as_object().into_iter().flat_map(Map::iter)
}

/// The schema at a pointer; a URI has no braces.
fn reference(pointer: &str) -> Value {
    json!({ "$ref": format!("#{}", pointer.replace('{', "%7B").replace('}', "%7D")) })
}

/// A name as a JSON pointer has it.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use recoup_domain::money::Currency;

    use super::*;
    use crate::Stack;

    #[test]
    fn an_answer_that_is_not_described_is_told_by_name() {
        let judged = |status: u16, media_type: &str, body: &Value| {
            let mut headers = http::HeaderMap::new();
            headers.insert("content-type", media_type.parse().unwrap());
            if status != 400 {
                headers.insert("request-id", "1".parse().unwrap());
            }
            let answer = Answer { status, headers, body: body.clone() };
            described("GET", "/v1/refunds?limit=1", &answer)
        };
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
        let nowhere = Answer { status: 200, headers: http::HeaderMap::new(), body: page };
        assert!(described("DELETE", "/v1/refunds", &nowhere).is_err());
    }

    fn operations() -> Vec<(String, String)> {
        let methods = ["get", "put", "post", "patch", "delete"];
        let paths = entries(&DESCRIPTION["paths"]);
        let all = paths.flat_map(|(path, item)| entries(item).map(move |(method, _)| (method, path)));
        all.filter(|(method, _)| methods.contains(&method.as_str()))
            .map(|(method, path)| (method.to_uppercase(), path.clone()))
            .collect()
    }

    #[test]
    fn every_route_of_the_template_is_described_and_no_other() {
        let template = include_str!("../../../template.yaml");
        let routes = template.lines().filter_map(|line| line.trim().strip_prefix("RouteKey: "));
        // What has no route of its own is described in prose.
        let routes: BTreeSet<String> = routes.filter(|key| *key != "$default").map(str::to_owned).collect();
        // One route; what each processor sends is described by itself.
        let route = |path: String| {
            let (stripe, http) = ("/v1/processors/stripe/", "/v1/processors/http/");
            path.replace(stripe, "/v1/processors/{name}/").replace(http, "/v1/processors/{name}/")
        };
        let described = operations().into_iter().map(|(method, path)| format!("{method} {}", route(path)));
        assert_eq!(routes, described.collect());
    }

    #[test]
    fn every_problem_code_is_described_under_its_status_and_no_other() {
        let source = include_str!("../../../shared/http/src/problem.rs");
        let codes = source.lines().filter_map(|line| {
            let (status, rest) = line.split_once(" = ")?.1.split_at_checked(3)?;
            Some((status.parse().ok()?, rest.split('"').nth(1)?.to_owned()))
        });
        let codes: BTreeSet<(u64, String)> = codes.collect();
        assert!(codes.len() > 20, "the table of problem.rs is read: {codes:?}");
        let mut described = BTreeSet::new();
        for (_, response) in entries(&DESCRIPTION["components"]["responses"]) {
            let properties = &response["content"]["application/problem+json"]["schema"]["properties"];
            for code in properties["code"]["enum"].as_array().into_iter().flatten() {
                let status = properties["status"]["const"].as_u64().expect("a status");
                described.insert((status, code.as_str().expect("a code").to_owned()));
            }
        }
        assert_eq!(codes, described);
    }

    #[test]
    fn the_currencies_are_those_that_the_domain_reads() {
        let letters = || (b'A'..=b'Z').map(char::from);
        let codes = letters().flat_map(|a| letters().flat_map(move |b| letters().map(move |c| (a, b, c))));
        let codes = codes.map(|(a, b, c)| format!("{a}{b}{c}"));
        let known: Vec<Value> =
            codes.filter(|code| Currency::parse(code).is_some()).map(Value::from).collect();
        assert_eq!(DESCRIPTION["components"]["schemas"]["Currency"]["enum"], json!(known));
    }

    #[test]
    fn every_example_is_what_its_schema_says() {
        let mut seen = 0;
        for (method, path) in operations() {
            let operation = operation(&method, &path).expect("an operation");
            let statuses = entries(&DESCRIPTION.pointer(&operation).expect("an operation")["responses"]);
            let responses = statuses.map(|(status, _)| format!("{operation}/responses/{status}"));
            for holder in responses.chain([format!("{operation}/requestBody")]) {
                let Some((holder, value)) = resolved(&holder) else { continue };
                for (media_type, content) in entries(&value["content"]) {
                    let schema = reference(&format!("{holder}/content/{}/schema", escaped(media_type)));
                    for (name, example) in entries(&content["examples"]) {
                        let (example, _) = resolved_value(example);
                        let judged = conforms(&schema, &example["value"]);
                        assert_eq!(judged, Ok(()), "{method} {path}, {name}");
                        seen += 1;
                    }
                }
            }
        }
        assert!(seen > 15, "only {seen} examples");
    }

    /// The samples of the source documents, each on a payment of its own; the names tell which.
    #[tokio::test]
    async fn every_example_of_a_refund_works_as_it_is_printed() {
        let paths = &DESCRIPTION["paths"];
        let body = |path: &str, method: &str| {
            entries(&paths[path][method]["requestBody"]["content"]["application/json"]["examples"])
        };
        let ids = &DESCRIPTION["components"]["parameters"]["PaymentId"]["examples"];
        let payments: Vec<_> = body("/v1/payments/{payment_id}", "put").collect();
        let mut tried = 0;
        for path in ["/v1/refunds/quote", "/v1/refunds", "/v1/payments/{payment_id}/refunds"] {
            for (name, example) in body(path, "post") {
                let account = Stack::running().new_account().await;
                let (source, payment) =
                    payments.iter().find(|(source, _)| name.starts_with(*source)).expect("a payment for it");
                let id = ids[source]["value"].as_str().expect("an id");
                let payment = account.register(id, resolved_value(payment).0["value"].clone()).await;
                assert_eq!(payment.status, 201, "{name}: {:#}", payment.body);
                let mut wanted = resolved_value(example).0["value"].clone();
                if let Some(url) = wanted.pointer_mut("/urls/webhook") {
                    // Nobody else's receiver is told of our tests; this name never resolves.
                    *url = json!("https://receiver.invalid/getpaid");
                }
                let path = path.replace("{payment_id}", id);
                let answer = account.send("POST", &path, &[], Some(wanted.to_string())).await;
                let status = if path.ends_with("/quote") { 200 } else { 201 };
                assert_eq!(answer.status, status, "{name}: {:#}", answer.body);
                tried += 1;
            }
        }
        assert!(tried > 10, "only {tried} examples");
    }
}
