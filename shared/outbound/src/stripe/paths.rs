//! The paths of what is read.

use url::form_urlencoded::Serializer;

use super::PAGE_SIZE;

/// A page of a payment's refunds, newest first.
pub(super) fn list_path(parameter: &str, payment: &str, after: Option<&str>) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair(parameter, payment);
    query.append_pair("limit", &PAGE_SIZE.to_string());
    if let Some(after) = after {
        query.append_pair("starting_after", after);
    }
    format!("v1/refunds?{}", query.finish())
}
