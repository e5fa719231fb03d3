//! What a question brought that brought no word on a refund.

use std::error::Error;
use std::time::Duration;

use recoup_domain::recovery::Taken;
use recoup_domain::refund::Outcome;
use recoup_ports::processor_keys::KeysError;

use crate::calls::CallError;
use crate::unclear::Unclear;

/// Why there is no word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wordless {
    /// It was sent, or may have been, and not clearly answered.
    Unknown,
    /// Nothing was done: not now, or nothing could be sent.
    Busy(Option<Duration>),
    /// Nothing was done for want of a key.
    NotConfigured,
}

impl Wordless {
    /// The keys cannot be read now, or what is stored is no key.
    pub(crate) fn unread(unclear: Unclear<'_>, error: &KeysError) -> Self {
        unclear.not_asked("the keys cannot be read");
        match error {
            KeysError::Unavailable(_) => Self::Busy(None),
            KeysError::NoKey(_) => Self::NotConfigured,
        }
    }

    /// There is no key, or it is of no use here.
    pub(crate) fn no_key(unclear: Unclear<'_>, why: &'static str) -> Self {
        unclear.not_asked(why);
        Self::NotConfigured
    }

    /// No whole answer came. Where the connection was refused, nothing was sent.
    pub(crate) fn broken(unclear: Unclear<'_>, error: &CallError) -> Self {
        unclear.broken(error);
        if error.refused { Self::Busy(None) } else { Self::Unknown }
    }
}

impl From<Wordless> for Outcome {
    fn from(why: Wordless) -> Self {
        match why {
            Wordless::Unknown => Self::Unknown,
            Wordless::Busy(retry_after) => Self::Busy { retry_after },
            Wordless::NotConfigured => Self::NotConfigured,
        }
    }
}

impl From<Wordless> for Taken {
    fn from(why: Wordless) -> Self {
        match why {
            Wordless::Busy(retry_after) => Self::Busy { retry_after },
            Wordless::Unknown | Wordless::NotConfigured => Self::Unknown,
        }
    }
}

/// Whether an error means that nobody listened: then nothing was sent.
pub(crate) fn is_refused(error: &(dyn Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused)
    })
}
