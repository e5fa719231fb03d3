//! What a person says of a refund that no processor will end.

use super::steps::{Amounts, Move};
use super::{Failure, FailureCode, Refund, Said, State};
use crate::by::By;
use crate::payment::fact;
use crate::text::Text;
use crate::time::Timestamp;

fact!(
    /// How a person says that a refund ended.
    Ruling {
        /// The money went back.
        Succeeded = "succeeded",
        /// It did not and will not.
        Failed = "failed"
    }
);

/// A person's word on a refund, kept with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How it ended.
    pub ruling: Ruling,
    /// Who says so.
    pub operator: Text<64>,
    /// Why.
    pub reason: Text<255>,
    /// The name of the payment that gave the money back, or of what shows that none did.
    pub reference: Option<Text<255>>,
    /// When it was said.
    pub at: Timestamp,
}

impl Verdict {
    /// Whether both say the same, whenever it was said.
    fn repeats(&self, other: &Self) -> bool {
        Self { at: other.at, ..self.clone() } == *other
    }
}

/// What a verdict means for a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// The refund ends by this change.
    Now(Move),
    /// It was given before.
    Already,
    /// It contradicts what is known.
    Contradicted(&'static str),
}

impl Refund {
    /// What a person's verdict makes of this refund. Of an end that its processor told, only the rule for late successes
    /// is left: whoever doubts it asks the processor.
    pub fn judged(&self, verdict: Verdict) -> Judged {
        if self.verdict.as_ref().is_some_and(|given| given.repeats(&verdict)) {
            return Judged::Already;
        }
        let no_processor_said = self.origin.external().is_some() || self.succeeded_by_verdict();
        let (state, amounts) = match (&self.version.state, verdict.ruling) {
            (State::Initiated | State::Processing(_), Ruling::Succeeded) => (State::Succeeded, Amounts::Stay),
            (State::Failed(_) | State::Cancelled, Ruling::Succeeded) => {
                (State::Succeeded, Amounts::TakeAgain)
            }
            (State::Initiated | State::Processing(_), Ruling::Failed) => (failed(), Amounts::Return),
            (State::Succeeded, Ruling::Failed) if no_processor_said => (failed(), Amounts::Return),
            (State::Succeeded, Ruling::Failed) => {
                return Judged::Contradicted("its processor said that it succeeded");
            }
            (State::Succeeded, Ruling::Succeeded) => return Judged::Contradicted("it has succeeded already"),
            (State::Failed(_) | State::Cancelled, Ruling::Failed) => {
                return Judged::Contradicted("it has failed or was cancelled already");
            }
        };
        let by = By::admin(verdict.operator.clone());
        Judged::Now(self.moved_to(state, amounts, verdict.at).made_by(Some(by)).ruled(verdict))
    }

    /// Whether its success is a person's word alone: nothing else has moved it since.
    fn succeeded_by_verdict(&self) -> bool {
        self.verdict.as_ref().is_some_and(|verdict| {
            let failed_since = self.history.iter().any(|change| {
                change.at >= verdict.at
                    && change.state.as_ref().is_some_and(|state| state.failure().is_some())
            });
            verdict.ruling == Ruling::Succeeded && !failed_since
        })
    }
}

fn failed() -> State {
    let message = Text::cut("A person settled it as failed; the verdict says why.");
    State::Failed(Failure { code: FailureCode::Unknown, message, said: Said::default() })
}
