//! Whether each actor has given what the books say that it gave, and no more.

use recoup_domain::recovery::PartState;
use recoup_domain::refund::{Refund, State};
use recoup_domain::report::Mismatch;
use recoup_domain::split::Actor;

use crate::checks::Discrepancy;
use crate::scope::Scope;

/// The parts that are not where the books have them. What is open is asked for again and again; all else is for a
/// person.
pub(crate) fn astray<'a>(refund: &Refund, scope: &Scope) -> Vec<Discrepancy<'a>> {
    if refund.version.updated_at > scope.until {
        return Vec::new();
    }
    let found = refund.recovery.iter().filter_map(|part| {
        let (mismatch, what) = match (&refund.version.state, &part.state) {
            (State::Succeeded, PartState::Open { .. }) => {
                (Mismatch::NotRecovered, "is not taken from it yet")
            }
            (State::Succeeded, PartState::Refused) => {
                (Mismatch::NotRecovered, "is never taken from it by its processor")
            }
            (State::Failed(_), PartState::Taken { .. }) => {
                (Mismatch::NotReturned, "was taken from it for a refund that failed after all")
            }
            (_, PartState::Open { .. } | PartState::Taken { .. } | PartState::Refused) => return None,
        };
        let (actor, amount) = refund.giver(part.position)?;
        let whose = match &actor {
            Actor::Platform => "the platform",
            Actor::Merchant(id) => id.as_str(),
        };
        let detail = format!("{whose}: {} {} {what}", amount.decimal(), amount.currency().code());
        Some(Discrepancy::of_refund(mismatch, refund, detail))
    });
    found.collect()
}
