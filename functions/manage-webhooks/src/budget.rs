//! How often an endpoint may be tested.

use recoup_domain::endpoint::Endpoint;
use recoup_domain::ids::{EndpointId, Tenant};
use recoup_domain::time::Timestamp;
use recoup_http::endpoint::not_found;
use recoup_http::problem::Problem;
use recoup_ports::endpoints::{TestBudget, Tested};

/// Counts a test before it is made, or refuses it.
pub(crate) async fn spend_test<S: TestBudget>(
    store: &S,
    tenant: &Tenant,
    id: &EndpointId,
    now: Timestamp,
) -> Result<(), Problem> {
    match store.count_test(tenant, id, now).await? {
        Tested::Yes => Ok(()),
        Tested::Missing => Err(not_found()),
        Tested::NotBefore(next) => {
            let detail =
                format!("A webhook endpoint is tested {} times a minute at most.", Endpoint::TESTS_MAX);
            Err(Problem::rate_limited(detail, next.since(now)))
        }
    }
}
