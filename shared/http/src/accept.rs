//! Which form of an answer a caller would rather have, by the `Accept` header (RFC 9110, section 12.5.1).

use lambda_http::Request;
use lambda_http::http::header::ACCEPT;

/// Whether a page is wanted more than JSON; who has no preference gets JSON.
pub fn prefers_html(request: &Request) -> bool {
    let values = request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<&str> = values.flat_map(|value| value.split(',')).collect();
    quality(&ranges, "text", "html") > quality(&ranges, "application", "json")
}

/// How much a media type is wanted, 0 to 1000: as the range says that names it most precisely.
fn quality(ranges: &[&str], of_type: &str, subtype: &str) -> u32 {
    let fitting = ranges.iter().filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let (range_type, range_subtype) = parts.next()?.split_once('/')?;
        let precision = match (range_type, range_subtype) {
            ("*", "*") => 0,
            (named, "*") if named.eq_ignore_ascii_case(of_type) => 1,
            (named, exact) if named.eq_ignore_ascii_case(of_type) && exact.eq_ignore_ascii_case(subtype) => 2,
            _ => return None,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some((precision, weight.map_or(Some(1_000), permille)?))
    });
    fitting.max_by_key(|(precision, _)| *precision).map_or(0, |(_, weight)| weight)
}

/// `0.8` is 800; at most three decimal places.
fn permille(weight: &str) -> Option<u32> {
    let (whole, places) = weight.split_once('.').unwrap_or((weight, ""));
    let whole: u32 = whole.parse().ok().filter(|whole| *whole <= 1)?;
    if places.len() > 3 || !places.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let places: u32 = format!("{places:0<3}").parse().ok()?;
    Some(whole.saturating_mul(1_000).saturating_add(places).min(1_000))
}

#[cfg(test)]
mod tests {
    use lambda_http::Body;

    use super::*;

    fn prefers(accept: &[&str]) -> bool {
        let mut request = Request::new(Body::Empty);
        for value in accept {
            request.headers_mut().append(ACCEPT, value.parse().unwrap());
        }
        prefers_html(&request)
    }

    #[test]
    fn a_browser_gets_a_page() {
        for accept in [
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/html",
            "TEXT/HTML",
            "text/*",
            "application/json;q=0.5, text/html;q=0.9",
            "text/html;level=1;q=0.4, */*;q=0.3",
            "application/json;q=0, */*",
        ] {
            assert!(prefers(&[accept]), "{accept}");
        }
        assert!(prefers(&["application/json;q=0.1", "text/html"]), "two headers are one list");
    }

    #[test]
    fn whoever_has_no_preference_gets_json() {
        for accept in [
            "*/*",
            "application/json",
            "application/json, text/html",
            "application/json, text/html;q=0.9",
            "text/html;q=0, */*",
            "text/html;q=0",
            "image/png",
            "text/html;q=much",
            "text/html;q=1.0000",
            "html",
            "",
            ";;,,/",
        ] {
            assert!(!prefers(&[accept]), "{accept}");
        }
        assert!(!prefers(&[]));
    }
}
