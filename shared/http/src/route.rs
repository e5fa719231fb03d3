//! Every route of the API by the gateway's own key, and the function that serves it.
//!
//! The gateway has already chosen the route. To guess it again from the path would take a payment called `refunds` for
//! a list.

use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};

use crate::fields::invalid;
use crate::problem::{Code, Problem};

macro_rules! routes {
    (
        $($(#[$doc:meta])* $function:literal $name:ident { $($route:ident = $key:literal,)+ })+
        alone { $($single:literal = $single_key:literal,)+ }
    ) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            #[allow(missing_docs, reason = "the route's key describes each")]
            pub enum $name { $($route),+ }

            impl $name {
                /// The route that the gateway chose for a request.
                pub fn of(request: &Request) -> Result<Self, Problem> {
                    let route = Self::parse(key(request)).ok_or_else(|| stray(request))?;
                    refuse_nul(request)?;
                    Ok(route)
                }

                /// Reads the gateway's route key.
                pub fn parse(key: &str) -> Option<Self> {
                    match key {
                        $($key => Some(Self::$route),)+
                        _ => None,
                    }
                }
            }
        )+

        /// Each function behind the API, with the keys of its routes.
        pub const SERVED: &[(&str, &[&str])] =
            &[$(($function, &[$($key),+]),)+ $(($single, &[$single_key])),+];
    };
}

routes! {
    /// Reads, and every request that no other route takes.
    "read-books" Reading {
        Refund = "GET /v1/refunds/{refund_id}",
        Refunds = "GET /v1/refunds",
        Payment = "GET /v1/payments/{payment_id}",
        Payments = "GET /v1/payments",
        RefundsOfPayment = "GET /v1/payments/{payment_id}/refunds",
        Report = "GET /v1/reports/reconciliation/{date}",
        LatestReport = "GET /v1/reports/reconciliation/latest",
        Unrouted = "$default",
    }
    /// Creating or quoting a refund.
    "create-refund" Creating {
        Refund = "POST /v1/refunds",
        RefundOfPayment = "POST /v1/payments/{payment_id}/refunds",
        Quote = "POST /v1/refunds/quote",
    }
    /// Changing or cancelling a refund.
    "update-refund" Updating {
        Metadata = "PATCH /v1/refunds/{refund_id}",
        Cancel = "POST /v1/refunds/{refund_id}/cancel",
    }
    /// Webhook endpoints and events.
    "manage-webhooks" Managing {
        CreateEndpoint = "POST /v1/webhook-endpoints",
        ListEndpoints = "GET /v1/webhook-endpoints",
        GetEndpoint = "GET /v1/webhook-endpoints/{endpoint_id}",
        ChangeEndpoint = "PATCH /v1/webhook-endpoints/{endpoint_id}",
        DeleteEndpoint = "DELETE /v1/webhook-endpoints/{endpoint_id}",
        RotateSecret = "POST /v1/webhook-endpoints/{endpoint_id}/rotate-secret",
        SendSample = "POST /v1/webhook-endpoints/{endpoint_id}/test",
        ListEvents = "GET /v1/events",
        GetEvent = "GET /v1/events/{event_id}",
        Redeliver = "POST /v1/events/{event_id}/redeliver",
    }
    /// Registering payments, one or many.
    "register-payment" Registering {
        Payment = "PUT /v1/payments/{payment_id}",
        Import = "POST /v1/payments/import",
    }
    // Functions with only one route, which need not be told apart.
    alone {
        "issue-token" = "POST /v1/oauth/token",
        "settle-refund" = "POST /v1/processors/{name}/notifications",
    }
}

/// The gateway's key of the route that a request took; empty if there is none.
pub(crate) fn key(request: &Request) -> &str {
    match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.route_key.as_deref().unwrap_or_default(),
        _ => "",
    }
}

/// The problem of a route that belongs to another function, or lacks its parameter: a fault of the deployment.
pub(crate) fn stray(request: &Request) -> Problem {
    tracing::error!(http.route = key(request), "the request took a route that this function does not serve");
    Problem::new(Code::Internal, "The request was led astray here.")
}

fn refuse_nul(request: &Request) -> Result<(), Problem> {
    let parameters = request.path_parameters_ref();
    let found = parameters.and_then(|all| all.iter().find(|(_, value)| value.contains('\0')));
    found.map_or(Ok(()), |(name, _)| Err(invalid(name, "must not contain NUL (U+0000)")))
}

/// The problem of a request that no route takes: 405 where the path is known, else 404.
pub fn unrouted(request: &Request) -> Problem {
    // A custom domain may map this API under a path of its own, which then comes first.
    let path = request.raw_http_path();
    let path = path.find("/v1/").and_then(|at| path.get(at..)).unwrap_or(path);
    let methods = methods_of(path);
    if methods.is_empty() || methods.contains(&request.method().as_str()) {
        let detail = match nearest(path) {
            Some(near) => format!("There is no such path. {near} is one; openapi.yaml describes all of them."),
            None => "There is no such path. openapi.yaml describes all of them, and docs/ has a page for each task."
                .to_owned(),
        };
        return Problem::new(Code::UnknownRoute, detail);
    }
    let allowed = methods.join(", ");
    let detail = format!("This path takes {allowed}, not {}; see openapi.yaml.", request.method());
    Problem::new(Code::MethodNotAllowed, detail).allowing(allowed)
}

/// A known path that differs only in a missing `/v1` or a slash at the end.
fn nearest(path: &str) -> Option<String> {
    let bare = path.trim_matches('/');
    let candidates = [format!("/{bare}"), format!("/v1/{bare}")];
    candidates.into_iter().find(|near| near != path && !methods_of(near).is_empty())
}

/// The methods that a path takes.
fn methods_of(path: &str) -> Vec<&'static str> {
    let keys = SERVED.iter().flat_map(|(_, keys)| *keys);
    let mut methods: Vec<&str> = keys
        .filter_map(|key| key.split_once(' '))
        .filter(|(_, template)| fits(template, path))
        .map(|(method, _)| method)
        .collect();
    methods.sort_unstable();
    methods.dedup();
    methods
}

/// Whether a path matches a template: a parameter matches any segment that is not empty.
fn fits(template: &str, path: &str) -> bool {
    let (mut wanted, mut found) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), found.next()) {
            (None, None) => return true,
            (Some(name), Some(segment))
                if name == segment || (name.starts_with('{') && !segment.is_empty()) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_takes_the_methods_of_its_routes_and_of_no_other() {
        assert_eq!(methods_of("/v1/refunds"), ["GET", "POST"]);
        assert_eq!(methods_of("/v1/payments"), ["GET"]);
        assert_eq!(methods_of("/v1/payments/refunds"), ["GET", "PUT"]);
        assert_eq!(methods_of("/v1/payments/refunds/refunds"), ["GET", "POST"]);
        assert_eq!(methods_of("/v1/payments/import"), ["GET", "POST", "PUT"]);
        // `quote` could be a refund's id, too.
        assert_eq!(methods_of("/v1/refunds/quote"), ["GET", "PATCH", "POST"]);
        for path in ["", "/", "/v1", "/v1/", "/v1/payments/", "/v1/refunds/a/b", "/v2/refunds"] {
            assert_eq!(methods_of(path), [""; 0], "{path}");
        }
    }

    #[test]
    fn a_path_that_is_nearly_known_is_told() {
        for (path, near) in
            [("/refunds", "/v1/refunds"), ("/v1/refunds/", "/v1/refunds"), ("payments/a", "/v1/payments/a")]
        {
            assert_eq!(nearest(path).as_deref(), Some(near), "{path}");
        }
        assert_eq!(nearest("/v1/refund"), None);
    }
}
