//! The sandbox processor: what becomes of a refund is chosen by its payment's `processor.reference`.

use recoup_domain::ids::Environment;
use recoup_domain::refund::{Failure, FailureCode, Outcome, Refund};
use recoup_domain::text::Text;
use recoup_ports::processor::Processor;

/// The refund succeeds.
pub const SUCCEED: &str = "sandbox_succeed";
/// The refund is declined.
pub const FAIL: &str = "sandbox_fail";

/// A processor without memory: the same refund always gets the same answer, so asking twice is harmless.
///
/// Any other reference, and any refund of live money, fails as `processor_rejected`: nothing pretends
/// that money moved.
#[derive(Clone, Copy, Debug)]
pub struct Sandbox;

impl Processor for Sandbox {
    async fn refund(&self, refund: &Refund) -> Outcome {
        if refund.tenant.environment == Environment::Live {
            return failed(FailureCode::ProcessorRejected, "The sandbox processor moves no live money.");
        }
        match refund.processor.reference.as_str() {
            SUCCEED => succeeded(refund),
            FAIL => failed(FailureCode::Declined, "The customer's bank declined the refund."),
            _ => {
                failed(FailureCode::ProcessorRejected, "The sandbox processor does not know this reference.")
            }
        }
    }
}

/// Within a text's bounds always; past them it would be unknown, not failed.
fn succeeded(refund: &Refund) -> Outcome {
    let reference = Text::new(format!("sandbox_{}", refund.id));
    reference.map_or(Outcome::Unknown, |reference| Outcome::Succeeded { reference })
}

fn failed(code: FailureCode, message: &str) -> Outcome {
    Text::new(message.to_owned())
        .map_or(Outcome::Unknown, |message| Outcome::Failed(Failure { code, message }))
}
