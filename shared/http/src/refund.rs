//! The refund that a path names.

use lambda_http::Request;
use recoup_domain::ids::RefundId;

use crate::problem::{Code, Problem};
use crate::request::routed_parameter;

/// The id in the path. A text that is not a refund id is a 404.
pub fn named(request: &Request) -> Result<RefundId, Problem> {
    let id = routed_parameter(request, "refund_id")?;
    RefundId::try_from(id.as_str()).map_err(|_| not_found())
}

/// The problem of a refund that this tenant does not have.
pub fn not_found() -> Problem {
    Problem::new(Code::RefundNotFound, "There is no such refund in this account and environment.")
}
