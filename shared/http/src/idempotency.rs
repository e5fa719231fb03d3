//! The idempotency key of a request. A misspelt header is refused: ignored, it would let a retry refund twice.

use lambda_http::Request;
use recoup_domain::ids::IdempotencyKey;

use crate::problem::{Code, Problem};

/// The header that names the key.
pub(crate) const HEADER: &str = "idempotency-key";

/// The idempotency key, bare or as a quoted string; both name the same key.
pub fn idempotency_key(request: &Request) -> Result<Option<IdempotencyKey>, Problem> {
    let headers = request.headers();
    let mut values = headers.get_all(HEADER).iter();
    let first = values.next();
    let near =
        headers.iter().find(|(name, value)| is_nearly_its_name(name.as_str()) && Some(*value) != first);
    if let Some((name, _)) = near {
        let detail = format!("The header {name} is not read here. The key is sent as Idempotency-Key.");
        return Err(Problem::new(Code::InvalidIdempotencyKey, detail));
    }
    let Some(value) = first else { return Ok(None) };
    if values.next().is_some() {
        return Err(problem("stands twice; send one"));
    }
    let text = value.to_str().map_err(|_| problem("must be 1 to 255 visible ASCII characters"))?.trim();
    let key = match text.strip_prefix('"') {
        // HTTP lets a proxy join two headers of one name, so `a,b` may be two keys.
        None if text.contains(',') => {
            let what =
                "stands twice, or holds a comma; send one, and a key with a comma within quotes: \"a,b\"";
            return Err(problem(what));
        }
        None => text,
        Some(rest) => {
            let inner = rest.strip_suffix('"').filter(|inner| !inner.contains('"'));
            // Half a quoted key, taken as it is, would be a different key, and a retry a second refund.
            inner.ok_or_else(|| problem("begins with a quote and is not one quoted string"))?
        }
    };
    IdempotencyKey::try_from(key).map(Some).map_err(|why| problem(&why.to_string()))
}

fn problem(why: &str) -> Problem {
    Problem::new(Code::InvalidIdempotencyKey, format!("The Idempotency-Key {why}."))
}

/// Whether a name is a misspelling of the header: `X-Idempotency-Key`, `idempotency_key`, `Idempotent-Key`.
pub(crate) fn is_nearly_its_name(name: &str) -> bool {
    name != HEADER && name.to_ascii_lowercase().contains("idempot")
}
