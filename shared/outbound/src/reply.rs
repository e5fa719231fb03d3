//! What is kept of a receiver's answer: when it wants to be asked again, and the start of what it says.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, HeaderName, RETRY_AFTER};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use recoup_ports::webhooks::Reply;

/// Most bytes read of an answer's body.
const BODY_BYTES_MAX: usize = 4 * 1024;
const EPOCH: &str = "Thu, 01 Jan 1970 00:00:00 GMT";

/// Reads an answer's body as far as we care: closing on unread bytes would look like a broken connection to the
/// receiver. What was read so far is kept when this is given up.
pub(crate) async fn read(mut body: Incoming, kept: &mut Vec<u8>) {
    while kept.len() < BODY_BYTES_MAX
        && let Some(Ok(frame)) = body.frame().await
    {
        let data = frame.into_data().unwrap_or_else(|_| Bytes::new());
        let left = BODY_BYTES_MAX.saturating_sub(kept.len());
        kept.extend(data.into_iter().take(left));
    }
}

/// The start of a body as text that is safe to show: what is not UTF-8, and what a terminal would obey, is
/// replaced.
pub(crate) fn head(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let harmless = |character: char| !character.is_control() || character == '\n' || character == '\t';
    let text: String = text
        .chars()
        .take(Reply::HEAD_MAX)
        .map(|character| if harmless(character) { character } else { char::REPLACEMENT_CHARACTER })
        .collect();
    text.split_at(text.floor_char_boundary(Reply::HEAD_MAX)).0.to_owned()
}

/// How long a receiver asks us to wait: seconds, or until a date (RFC 9110, 10.2.3). A date is held against the
/// answer's own, since both come from one clock; an answer without one, against `now` in seconds since 1970.
pub(crate) fn retry_after(headers: &HeaderMap, now: u64) -> Option<Duration> {
    let asked = text(headers, RETRY_AFTER)?;
    if !asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit()) {
        // Only a number that is too large cannot be read now.
        return Some(Duration::from_secs(asked.parse().unwrap_or(u64::MAX)));
    }
    let now = text(headers, DATE).and_then(seconds).unwrap_or(now);
    seconds(asked)?.checked_sub(now).map(Duration::from_secs)
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// An HTTP-date, in any of its three forms, as seconds since 1970.
fn seconds(date: &str) -> Option<u64> {
    let epoch = httpdate::parse_http_date(EPOCH).ok()?;
    Some(httpdate::parse_http_date(date).ok()?.duration_since(epoch).ok()?.as_secs())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_head_is_short_and_obeyed_by_no_terminal(body in prop::collection::vec(any::<u8>(), 0..=600)) {
            let head = head(&body);
            prop_assert!(head.len() <= Reply::HEAD_MAX, "{} bytes", head.len());
            prop_assert!(body.is_empty() || !head.is_empty());
            prop_assert!(head.chars().all(|one| !one.is_control() || one == '\n' || one == '\t'), "{head:?}");
        }

        #[test]
        fn a_harmless_text_is_kept_to_its_last_whole_character(body in "[ -~äß€😀\n\t]{0,300}") {
            let head = head(body.as_bytes());
            prop_assert!(body.starts_with(&head));
            let cut = head.len() < body.len();
            prop_assert!(!cut || head.len() > Reply::HEAD_MAX - 4, "{} of {}", head.len(), body.len());
        }

        #[test]
        fn no_header_breaks_us(asked in "\\PC{0,60}", date in "\\PC{0,40}", now in any::<u64>()) {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, asked.as_bytes().try_into().unwrap());
            headers.insert(DATE, date.as_bytes().try_into().unwrap());
            let number = asked.is_ascii() && !asked.trim().is_empty() && asked.trim().bytes().all(|byte| byte.is_ascii_digit());
            prop_assert_eq!(retry_after(&headers, now).is_some(), number);
        }
    }
}
