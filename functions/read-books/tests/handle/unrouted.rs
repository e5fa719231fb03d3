//! What has no route: a known path is told its methods, another one where to look.

use lambda_http::Body;
use recoup_testing::fixtures;

use crate::gateway::Event;
use crate::{GET_REFUND, World, context, handle};

/// A request that the gateway sends here because no route takes it.
fn asking(method: &str, path: &str) -> Event {
    Event::of_fixtures_tenant(GET_REFUND)
        .route("$default")
        .without("/pathParameters")
        .with("/requestContext/http/method", method)
        .with("/requestContext/http/path", path)
        .with("/rawPath", path)
}

#[tokio::test]
async fn a_known_path_with_a_wrong_method_is_told_its_methods() {
    let world = World::with(fixtures::getpaid_payment()).await;
    for (method, path, methods) in [
        ("DELETE", "/v1/refunds", "GET, POST"),
        ("POST", "/v1/payments/pay_1", "GET, PUT"),
        ("PUT", "/v1/payments/refunds/refunds", "GET, POST"),
        ("GET", "/v1/oauth/token", "POST"),
        ("GET", "/v1/processors/stripe/notifications", "POST"),
        ("PATCH", "/v1/webhook-endpoints/whe_1/rotate-secret", "POST"),
        ("OPTIONS", "/v1/events", "GET"),
        // Below a path that a domain maps to this API.
        ("DELETE", "/refunds/v1/events", "GET"),
    ] {
        let reply = world.get(&asking(method, path)).await;
        assert_eq!(reply.problem(), (405, "method_not_allowed"), "{method} {path}");
        assert_eq!(reply.header("allow"), Some(methods), "{method} {path}");
        assert!(reply.body["detail"].as_str().unwrap().contains(methods), "{}", reply.text);
    }
    assert_eq!(world.table.take_calls().count(), 0);
}

#[tokio::test]
async fn an_unknown_path_is_told_where_all_of_them_stand() {
    let world = World::with(fixtures::getpaid_payment()).await;
    for (path, told) in [
        ("/", "openapi.yaml"),
        ("/v1/payments", "openapi.yaml"),
        ("/v2/refunds", "openapi.yaml"),
        ("/v1/payments/a\0b/c/d", "openapi.yaml"),
        ("/v1/payments/../refunds/", "openapi.yaml"),
        ("/v1/refunds/", "/v1/refunds is one"),
        ("/payments/pay_1", "/v1/payments/pay_1 is one"),
    ] {
        let reply = world.get(&asking("GET", path)).await;
        assert_eq!(reply.problem(), (404, "unknown_route"), "{path}");
        assert_eq!(reply.header("allow"), None);
        assert!(reply.body["detail"].as_str().unwrap().contains(told), "{}", reply.text);
    }
}

#[tokio::test]
async fn head_is_told_the_methods_without_a_body() {
    let event = asking("HEAD", "/v1/refunds");
    let store = World::with(fixtures::getpaid_payment()).await.context.store;
    let (parts, body) = handle(&context(store), event.request()).await.into_parts();
    assert_eq!((parts.status.as_u16(), parts.headers["allow"].to_str().unwrap()), (405, "GET, POST"));
    assert!(matches!(body, Body::Empty), "{body:?}");
}

#[tokio::test]
async fn a_route_of_another_function_is_a_fault_of_the_deployment() {
    let world = World::with(fixtures::getpaid_payment()).await;
    for key in ["POST /v1/refunds", "GET /v1/refunds/{id}", ""] {
        let reply = world.get(&Event::of_fixtures_tenant(GET_REFUND).route(key)).await;
        assert_eq!(reply.problem(), (500, "internal_error"), "{key}");
    }
    assert_eq!(world.table.take_calls().count(), 0);
}
