//! Which form of an answer a caller prefers, by the `Accept` header (RFC 9110, section 12.5.1).

use lambda_http::Request;
use lambda_http::http::header::ACCEPT;
use mediatype::names::{APPLICATION, HTML, JSON, Q, TEXT};
use mediatype::{MediaType, MediaTypeList, ReadParams};
use rust_decimal::Decimal;

/// Whether the caller prefers a page to JSON; without a preference, the answer is JSON.
pub fn prefers_html(request: &Request) -> bool {
    let values = request.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges: Vec<MediaType> = values.flat_map(MediaTypeList::new).filter_map(Result::ok).collect();
    quality(&ranges, &MediaType::new(TEXT, HTML)) > quality(&ranges, &MediaType::new(APPLICATION, JSON))
}

/// The weight of a media type, 0 to 1: that of the range which matches it most precisely.
fn quality(ranges: &[MediaType], media_type: &MediaType) -> Decimal {
    let fitting = ranges.iter().filter_map(|range| {
        let of_type = range.ty == media_type.ty;
        let precision = match range.subty.as_str() {
            "*" if range.ty == "*" => 0,
            "*" if of_type => 1,
            _ if of_type && range.subty == media_type.subty => 2,
            _ => return None,
        };
        Some((precision, weight(range)?))
    });
    fitting.max_by_key(|(precision, _)| *precision).map_or(Decimal::ZERO, |(_, weight)| weight)
}

/// The weight of a range, such as `0.8`, with at most three decimal places; 1 by default.
fn weight(range: &MediaType) -> Option<Decimal> {
    let Some(weight) = range.get_param(Q) else { return Some(Decimal::ONE) };
    let weight = Decimal::from_str_exact(weight.as_str()).ok()?;
    (weight.scale() <= 3 && (Decimal::ZERO..=Decimal::ONE).contains(&weight)).then_some(weight)
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
            "text/html;q=-1",
            "text/html;q=1.001",
            "text/html, application/json",
            "html",
            "",
            ";;,,/",
        ] {
            assert!(!prefers(&[accept]), "{accept}");
        }
        assert!(!prefers(&[]));
    }
}
