//! The address that a processor is reached at, read once: nothing behind this checks a text again.

use std::fmt;

/// Where a processor listens: `https`, or plain `http` on this very machine. May hold a token, so it is never
/// printed.
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Most characters.
    pub const MAX: usize = 2048;

    /// Reads a URL without user, query and fragment, to which paths can be added; a slash at its end is dropped.
    pub fn parse(text: &str) -> Option<Self> {
        const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];
        let text = text.trim_end_matches('/');
        let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#@\\".contains(&byte));
        let (scheme, rest) = text.split_once("://")?;
        let authority = rest.split('/').next()?;
        let host = authority.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        let host = host.map_or(authority, |(host, _)| host);
        let allowed = !host.is_empty() && (scheme == "https" || scheme == "http" && LOOPBACK.contains(&host));
        (allowed && plain && text.len() <= Self::MAX).then(|| Self(text.to_owned()))
    }

    /// The URL of a path below it.
    pub fn join(&self, path: &str) -> String {
        format!("{}/{path}", self.0)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BaseUrl(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_is_reached_by_https_or_on_this_machine() {
        for (text, refunds) in [
            ("https://adapter.example", "https://adapter.example/refunds"),
            ("https://adapter.example:8443/recoup/", "https://adapter.example:8443/recoup/refunds"),
            ("https://10.0.0.7", "https://10.0.0.7/refunds"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/refunds"),
            ("http://localhost", "http://localhost/refunds"),
            ("http://[::1]:8080", "http://[::1]:8080/refunds"),
        ] {
            assert_eq!(BaseUrl::parse(text).unwrap().join("refunds"), refunds);
        }
        for text in [
            "",
            "https://",
            "adapter.example",
            "ftp://adapter.example",
            "http://adapter.example",
            "http://127.0.0.1.example",
            "https://user@adapter.example",
            "https://adapter.example?token=t",
            "https://adapter.example/#",
            "https://adapter example",
        ] {
            assert_eq!(BaseUrl::parse(text), None, "{text}");
        }
    }
}
