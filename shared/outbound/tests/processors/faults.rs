//! Every way in which an answer can be none.

use crate::server::Reply;

/// What happens to a request: to the doing, to the answer, or to both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// The connection is cut before anything was done.
    CutBefore,
    /// It was done, and then the connection is cut.
    CutAfter,
    /// Nothing is done, and nothing is said.
    StallBefore,
    /// It was done, and nothing is said.
    StallAfter,
    /// It was not done; this is said instead.
    Says(&'static str),
    /// It was not done; this is said instead, and then megabytes more.
    SaysEndlessly(&'static str),
}

/// Spaces behind an answer: more than any answer may have.
const FILLER_BYTES: usize = 8 * 1024 * 1024;

/// A body that says yes, in three clothes in which it does not count: too long, of another kind, and under another
/// status.
pub(crate) fn disguised(yes: &str) -> [Fault; 3] {
    let said = |status: u16, kind: &str, length: usize| -> &'static str {
        let head = format!("HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\ncontent-length: {length}");
        format!("{head}\r\n\r\n{yes}").leak()
    };
    [
        Fault::SaysEndlessly(said(200, "application/json", yes.len() + FILLER_BYTES)),
        Fault::Says(said(200, "text/html", yes.len())),
        Fault::Says(said(206, "application/json", yes.len())),
    ]
}

/// Answers from which nothing follows, whoever gives them.
pub(crate) const UNCLEAR: &[Fault] = &[
    Fault::Says("garbage"),
    Fault::Says("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
    Fault::Says("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"),
    Fault::Says("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{\"status\""),
    Fault::Says("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{\"status\""),
    Fault::Says("HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 15\r\n\r\n<html>hi</html>"),
    Fault::Says("HTTP/1.1 204 No Content\r\n\r\n"),
    Fault::Says("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"),
    Fault::Says("HTTP/1.1 500 Oops\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"),
    Fault::Says("HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\n\r\n"),
    Fault::SaysEndlessly(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\n\r\n",
    ),
    Fault::SaysEndlessly("HTTP/1.1 200 OK\r\nx-long: "),
    Fault::CutBefore,
];

impl Fault {
    /// What the server does with a request, of which `work` is the doing.
    pub(crate) fn apply(self, work: impl FnOnce() -> Reply) -> Reply {
        match self {
            Self::CutBefore => Reply::Cut,
            Self::StallBefore => Reply::Stall,
            Self::CutAfter => {
                work();
                Reply::Cut
            }
            Self::StallAfter => {
                work();
                Reply::Stall
            }
            Self::Says(text) => Reply::Raw { text: text.to_owned(), filler_bytes: 0 },
            Self::SaysEndlessly(text) => Reply::Raw { text: text.to_owned(), filler_bytes: FILLER_BYTES },
        }
    }
}
