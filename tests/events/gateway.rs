//! The gateway's events in this directory as requests, whole or varied, and what a function answers.
//! Included by the tests of the functions behind the HTTP API.

#![allow(dead_code, reason = "each test binary that includes this uses its own part of it")]

use lambda_http::{Body, Request, Response, request};
use recoup_testing::{contract, fixtures};
use serde_json::{Value, json};

/// A gateway event, as JSON.
#[derive(Clone)]
pub(crate) struct Event(pub(crate) Value);

impl Event {
    /// The event as it stands in its file, with the account that the file names.
    pub(crate) fn as_recorded(file: &str) -> Self {
        Self(serde_json::from_str(file).unwrap())
    }

    /// The event as [`fixtures::tenant`] would have sent it.
    pub(crate) fn of_fixtures_tenant(file: &str) -> Self {
        Self::as_recorded(file)
            .with("/requestContext/authorizer/lambda/account_id", fixtures::tenant().account.as_str())
    }

    /// Replaces what stands at a JSON pointer.
    pub(crate) fn with(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        self.0.pointer_mut(parent).unwrap()[name] = value.into();
        self
    }

    /// Takes away what stands at a JSON pointer.
    pub(crate) fn without(mut self, pointer: &str) -> Self {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        self.0.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
        self
    }

    /// Another route, as the gateway tells it twice over, with its method.
    pub(crate) fn route(self, key: &str) -> Self {
        let method = key.split_once(' ').map_or("GET", |(method, _)| method);
        self.with("/routeKey", key)
            .with("/requestContext/routeKey", key)
            .with("/requestContext/http/method", method)
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        self.with(&format!("/headers/{name}"), value)
    }

    /// Another payment in the path, as the gateway tells it three times over.
    pub(crate) fn of_payment(self, id: &str) -> Self {
        let path = self.0["rawPath"].as_str().unwrap();
        let before = self.0["pathParameters"]["payment_id"].as_str().unwrap();
        let path = path.replace(before, id);
        self.with("/pathParameters/payment_id", id)
            .with("/requestContext/http/path", path.as_str())
            .with("/rawPath", path)
    }

    /// Another refund in the path.
    pub(crate) fn of_refund(self, id: &str) -> Self {
        let path = format!("/v1/refunds/{id}");
        self.with("/pathParameters/refund_id", id)
            .with("/requestContext/http/path", path.as_str())
            .with("/rawPath", path)
    }

    /// A JSON body, with the headers a client sets for it.
    pub(crate) fn json(self, body: &Value) -> Self {
        self.text(&body.to_string()).header("content-type", "application/json")
    }

    /// A body as it stands, with its length.
    pub(crate) fn text(self, body: &str) -> Self {
        self.header("content-length", &body.len().to_string()).with("/body", body)
    }

    /// What the function gets.
    pub(crate) fn request(&self) -> Request {
        request::from_str(&self.0.to_string()).unwrap()
    }
}

/// An answer, read.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) text: String,
    headers: lambda_http::http::HeaderMap,
}

impl Reply {
    /// Reads an answer and holds it against `openapi.yaml`; every one has the gateway's request id and, but for a
    /// 204, a JSON body.
    pub(crate) fn read(event: &Event, response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let text = match body {
            Body::Text(text) => text,
            // Nothing to say, and nothing said about it.
            Body::Empty => {
                assert_eq!(parts.status, 204);
                assert!(!parts.headers.contains_key("content-type"));
                "null".to_owned()
            }
            other => panic!("the body is no text: {other:?}"),
        };
        let reply = Self {
            status: parts.status.as_u16(),
            body: serde_json::from_str(&text).unwrap(),
            text,
            headers: parts.headers,
        };
        let problem = if reply.status < 400 { "" } else { "problem+" };
        if reply.status != 204 {
            assert_eq!(reply.header("content-type"), Some(format!("application/{problem}json").as_str()));
        }
        assert_eq!(reply.header("request-id"), event.0["requestContext"]["requestId"].as_str());
        let (method, path) = (&event.0["requestContext"]["http"]["method"], &event.0["rawPath"]);
        let (method, path) = (method.as_str().unwrap(), path.as_str().unwrap());
        contract::assert_described(method, path, reply.status, &reply.headers, &reply.body);
        reply
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Status and code of a problem, whose other members must fit them.
    pub(crate) fn problem(&self) -> (u16, &str) {
        let body = &self.body;
        let code = body["code"].as_str().unwrap_or_else(|| panic!("no problem: {body}"));
        assert_eq!(body["status"], self.status, "{body}");
        assert_eq!(body["type"], format!("urn:recoup:problem:{code}"), "{body}");
        assert_eq!(body["request_id"].as_str(), self.header("request-id"), "{body}");
        assert_eq!(body["retryable"], json!(self.header("retry-after").is_some()), "{body}");
        for member in ["title", "detail", "instance"] {
            assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{member} in {body}");
        }
        (self.status, code)
    }
}
