//! What every account's secret has in common: it is JSON with exactly the documented fields, and an error says what is
//! wrong with it without repeating any of it.

use recoup_domain::signing::Secrets;
use serde::Deserialize;
use serde_json::error::Category;

/// Most signing secrets at once: the current one, and those that it is replacing.
pub(crate) const SECRETS_MAX: usize = Secrets::RETIRED_MAX + 1;

/// The parser's own words are dropped: they quote the text that they reject.
pub(crate) fn json<'text, T: Deserialize<'text>>(
    text: &'text str,
    fields: &'static str,
) -> Result<T, &'static str> {
    serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => fields,
        Category::Io | Category::Syntax | Category::Eof => "it is not JSON",
    })
}
