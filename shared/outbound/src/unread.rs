//! Why AWS did not give what was asked of it, in words that hold no secret.

use aws_sdk_secretsmanager::config::http::HttpResponse;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};

/// What AWS says when it is asked too often; some of it with a 400.
const THROTTLED: [&str; 3] = ["ThrottlingException", "Throttling", "TooManyRequestsException"];

/// Why something was not read or done.
pub(crate) struct Unread {
    pub(crate) why: &'static str,
    pub(crate) cause: Option<String>,
    /// There was no answer, so what was said before still counts.
    pub(crate) away: bool,
}

impl Unread {
    /// There was no answer in time.
    pub(crate) fn too_late() -> Self {
        Self { why: "too late", cause: None, away: true }
    }

    /// What was answered cannot be used.
    pub(crate) fn unusable(why: &'static str) -> Self {
        Self { why, cause: None, away: false }
    }

    /// The same in one text, for the log.
    pub(crate) fn into_text(self) -> String {
        let Self { why, cause, away: _ } = self;
        cause.map_or(why.to_owned(), |cause| format!("{why} ({cause})"))
    }
}

/// The two things that are told of who was asked.
pub(crate) struct Words {
    pub(crate) did_not_answer: &'static str,
    pub(crate) refused: &'static str,
}

/// What is told of an error. Never its debug form: an answer that could not be parsed is part of it.
pub(crate) fn unread<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>, words: &Words) -> Unread {
    let Some(refusal) = error.as_service_error() else {
        return Unread { why: words.did_not_answer, cause: None, away: true };
    };
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let throttled = status == 429 || refusal.code().is_some_and(|code| THROTTLED.contains(&code));
    // A 200 that cannot be parsed is an error of the service to the SDK.
    let away = throttled || !(400..500).contains(&status);
    let why = if away { words.did_not_answer } else { words.refused };
    let cause = Some(recoup_ports::refusal(refusal.code(), refusal.message()));
    Unread { why, cause, away }
}
