//! The sandbox processor: what becomes of a refund is chosen by its payment's `processor.reference`.

use std::time::Duration;

use recoup_domain::ids::Environment;
use recoup_domain::recovery::{PartState, Taken};
use recoup_domain::refund::{Failure, FailureCode, Outcome, Pending, Refund, Said, State};
use recoup_domain::text::Text;
use recoup_ports::processor::{LookedUp, Processor};
use recoup_processors::sandbox::{ACTOR_SHORT, FAIL, FAIL_LATE, PENDING, SUCCEED, TIMEOUT, TIMEOUT_LOST};

/// How long a success that fails late stands.
pub const FAILS_LATE_AFTER: Duration = Duration::from_secs(15);

/// A processor without memory: its answer depends on the refund as it stands and on the question alone, so it
/// is the same in every process and at every repeat.
///
/// Any other reference, and any refund of live money, fails as `processor_rejected`: nothing pretends
/// that money moved.
#[derive(Clone, Copy, Debug)]
pub struct Sandbox;

/// One of the rehearsals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    Succeed,
    Pending,
    Fail,
    FailLate,
    Timeout,
    TimeoutLost,
}

impl Script {
    /// What the refund's payment asks for, or why nothing is moved.
    fn of(refund: &Refund) -> Result<Self, &'static str> {
        if refund.tenant.environment == Environment::Live {
            return Err("The sandbox processor moves no live money.");
        }
        match refund.processor.reference.as_str() {
            SUCCEED | ACTOR_SHORT => Ok(Self::Succeed),
            PENDING => Ok(Self::Pending),
            FAIL => Ok(Self::Fail),
            FAIL_LATE => Ok(Self::FailLate),
            TIMEOUT => Ok(Self::Timeout),
            TIMEOUT_LOST => Ok(Self::TimeoutLost),
            _ => Err("The sandbox processor does not know this reference."),
        }
    }

    /// Whether the refund has reached the sandbox, as far as its own state tells.
    fn has(self, refund: &Refund) -> bool {
        match refund.version.state {
            State::Processing(Pending::Processor | Pending::InsufficientFunds)
            | State::Succeeded
            | State::Failed(_) => true,
            State::Processing(Pending::OutcomeUnknown) => self != Self::TimeoutLost,
            State::Initiated => refund.handed_over_at.is_some() && self != Self::TimeoutLost,
            State::Processing(Pending::Busy | Pending::NotConfigured) | State::Cancelled => false,
        }
    }
}

impl Processor for Sandbox {
    async fn refund(&self, refund: &Refund) -> Outcome {
        let first = matches!(refund.version.state, State::Initiated | State::Processing(Pending::Busy));
        match Script::of(refund) {
            Err(why) => failed(FailureCode::ProcessorRejected, why),
            Ok(Script::Fail) => declined(),
            Ok(Script::Pending) if first => Outcome::Pending,
            Ok(Script::Timeout | Script::TimeoutLost) if first => Outcome::Unknown,
            Ok(_) => succeeded(refund),
        }
    }

    async fn look_up(&self, refund: &Refund) -> LookedUp {
        let ended = matches!(refund.version.state, State::Succeeded | State::Failed(_));
        match Script::of(refund) {
            Err(why) => LookedUp::Stands(failed(FailureCode::ProcessorRejected, why)),
            Ok(script) if !script.has(refund) => LookedUp::NeverReceived,
            Ok(Script::Fail) => LookedUp::Stands(declined()),
            Ok(Script::FailLate) if ended => LookedUp::Stands(failed(
                FailureCode::ExpiredOrClosedAccount,
                "The customer's bank returned the money: the account is closed.",
            )),
            Ok(Script::Pending) if refund.version.state == State::Initiated => {
                LookedUp::Stands(Outcome::Pending)
            }
            Ok(_) => LookedUp::Stands(succeeded(refund)),
        }
    }

    async fn recover(&self, refund: &Refund) -> Vec<(usize, Taken)> {
        let answers = refund.open_parts().map(|part| {
            let is_short = matches!(part.state, PartState::Open { refusals: 0, .. });
            let reference = Text::new(format!("sandbox_{}_{}", refund.id, part.position));
            let taken = reference.map_or(Taken::Unknown, |reference| Taken::Yes { reference });
            (part.position, if is_short { Taken::Short } else { taken })
        });
        answers.collect()
    }

    fn asked_once_more_after(&self, refund: &Refund) -> Option<Duration> {
        let fails_late =
            refund.version.state == State::Succeeded && Script::of(refund) == Ok(Script::FailLate);
        fails_late.then_some(FAILS_LATE_AFTER)
    }
}

/// Within a text's bounds always; past them it would be unknown, not failed.
fn succeeded(refund: &Refund) -> Outcome {
    let reference = Text::new(format!("sandbox_{}", refund.id));
    reference.map_or(Outcome::Unknown, |reference| Outcome::Succeeded { reference, bank_reference: None })
}

fn declined() -> Outcome {
    failed(FailureCode::Declined, "The customer's bank declined the refund.")
}

fn failed(code: FailureCode, message: &str) -> Outcome {
    Outcome::Failed(Failure { code, message: Text::cut(message), said: Said::default() })
}
