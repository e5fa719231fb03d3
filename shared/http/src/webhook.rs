//! Which URLs may receive webhooks.

use recoup_domain::text::TargetUrl;
use recoup_ports::webhooks::Reach;
use url::{Host, Url};

/// Reads a URL to be told: https, port 443 or from 1024, a host, no credentials. The address behind a
/// name is judged when it is dialled.
pub fn target_url(text: &str, reach: Reach) -> Result<TargetUrl, String> {
    if text.len() > TargetUrl::MAX {
        return Err(format!("must have at most {} characters", TargetUrl::MAX));
    }
    let url = Url::parse(text).map_err(|_| "must be an https URL".to_owned())?;
    let scheme_allowed = url.scheme() == "https" || (reach == Reach::Anywhere && url.scheme() == "http");
    if !scheme_allowed || url.host().is_none() {
        return Err("must be an https URL".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not carry credentials".to_owned());
    }
    let port_allowed = url.port_or_known_default().is_some_and(|port| port == 443 || port >= 1024);
    if reach == Reach::Public && !port_allowed {
        return Err("must use port 443 or one from 1024".to_owned());
    }
    let is_localhost = |name: &str| {
        let name = name.strip_suffix('.').unwrap_or(name);
        name == "localhost" || name.ends_with(".localhost")
    };
    if reach == Reach::Public && matches!(url.host(), Some(Host::Domain(name)) if is_localhost(name)) {
        return Err("must lead to a public address".to_owned());
    }
    // Percent-encoding makes a URL longer.
    if url.as_str().len() > TargetUrl::MAX {
        return Err(format!("must have at most {} characters when it is percent-encoded", TargetUrl::MAX));
    }
    Ok(TargetUrl::unchecked(url.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_urls_without_credentials_are_told() {
        let refused = [
            "http://example.com/",
            "ftp://example.com/",
            "https://user:secret@example.com/",
            "https://user@example.com/",
            "https://example.com:80/",
            "https://example.com:22/",
            "not a url",
            "https://localhost/",
            "https://localhost./",
            "https://a.localhost/",
        ];
        for url in refused {
            assert!(target_url(url, Reach::Public).is_err(), "{url}");
        }
        assert!(target_url(&format!("https://example.com/{}", "€".repeat(600)), Reach::Anywhere).is_err());
        for url in ["https://example.com/", "https://example.com:8443/hook?token=1", "HTTPS://EXAMPLE.com"] {
            assert!(target_url(url, Reach::Public).is_ok(), "{url}");
        }
        assert!(target_url("http://127.0.0.1:8788/", Reach::Anywhere).is_ok());
    }
}
