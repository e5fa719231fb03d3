//! A change of metadata: pairs to set, and keys to remove, which are set to null.

use std::collections::BTreeMap;

use lambda_http::Request;
use recoup_domain::text::Metadata;
use recoup_http::fields::{Given, invalid};
use recoup_http::problem::Problem;
use recoup_http::request;

/// The new value of each named key; `None` removes the key.
pub(crate) struct Change(BTreeMap<String, Option<String>>);

pub(crate) fn parse(request: &Request) -> Result<Change, Problem> {
    let mut fields = request::body(request, &["metadata.*"])?;
    let mut pairs = fields.require("metadata")?.object()?;
    fields.finish()?;
    let mut change = BTreeMap::new();
    for name in pairs.names() {
        let value = match pairs.take_nullable(&name) {
            Given::Value(entry) => Some(entry.string()?.0),
            Given::Null | Given::Absent => None,
        };
        change.insert(name, value);
    }
    Ok(Change(change))
}

impl Change {
    /// The changed metadata. Their bounds are those of a new refund, unless the stored metadata already exceed them.
    pub(crate) fn applied_to(&self, metadata: &Metadata) -> Result<Metadata, Problem> {
        let mut pairs = metadata.pairs().clone();
        for (key, value) in &self.0 {
            match value {
                Some(value) => drop(pairs.insert(key.clone(), value.clone())),
                None => drop(pairs.remove(key)),
            }
        }
        metadata.changed_to(pairs).map_err(|why| invalid("metadata", why))
    }
}
