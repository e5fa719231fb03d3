//! Keeps a processor that does not answer from being asked by every job: one circuit per account and processor.
//!
//! It lives in the process: each of the function's few instances finds out by itself, which costs it
//! [`SILENCES_MAX`] questions, and no table is read or written for it. The waits of the refunds themselves grow to
//! hours in any case; the circuit is for the many refunds whose time has come while their processor is down.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use recoup_domain::ids::Tenant;
use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::Refund;
use recoup_domain::time::Timestamp;

/// So many questions without a clear answer, one after the other, open the circuit.
pub const SILENCES_MAX: u32 = 5;
/// So long it stays open; then one question is let through, and for as long no other.
pub const OPEN_FOR: Duration = Duration::from_mins(1);
/// Most circuits that are kept; past them, those that are not open are forgotten.
const CIRCUITS_MAX: usize = 1_000;

/// What is known of one account's processor: there is an entry only while it is silent.
struct Silence {
    questions: u32,
    open_until: Option<Timestamp>,
}

/// The circuits of this process.
#[derive(Default)]
pub struct Circuits {
    silent: Mutex<HashMap<(Tenant, ProcessorName), Silence>>,
}

impl Circuits {
    /// Whether the refund's processor may be asked now; if not, until when its circuit is open.
    pub(crate) fn admit(&self, refund: &Refund, now: Timestamp) -> Result<(), Timestamp> {
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(silence) = silent.get_mut(&of(refund)) else { return Ok(()) };
        let Some(until) = silence.open_until else { return Ok(()) };
        if now < until {
            return Err(until);
        }
        silence.open_until = Some(now.plus(OPEN_FOR));
        Ok(())
    }

    /// Takes note of whether there was a clear answer.
    pub(crate) fn record_answer(&self, refund: &Refund, answered: bool, now: Timestamp) {
        // Nothing leaves the function for it: it is silent only where a rehearsal asks for that.
        if refund.processor.name == ProcessorName::Sandbox {
            return;
        }
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        if answered {
            let closed = silent.remove(&of(refund)).is_some_and(|silence| silence.open_until.is_some());
            if closed {
                log(refund, "circuit closed");
            }
            return;
        }
        if silent.len() >= CIRCUITS_MAX {
            silent.retain(|_, silence| silence.open_until.is_some_and(|until| until > now));
        }
        let silence = silent.entry(of(refund)).or_insert(Silence { questions: 0, open_until: None });
        silence.questions = silence.questions.saturating_add(1);
        if silence.questions >= SILENCES_MAX {
            if silence.open_until.is_none() {
                log(refund, "circuit opened");
            }
            silence.open_until = Some(now.plus(OPEN_FOR));
        }
    }
}

fn of(refund: &Refund) -> (Tenant, ProcessorName) {
    (refund.tenant.clone(), refund.processor.name)
}

/// The metric `CircuitsOpened` in `template.yaml` counts the first of these sentences.
fn log(refund: &Refund, what: &'static str) {
    let Tenant { environment, account } = &refund.tenant;
    let processor = refund.processor.name.as_str();
    tracing::warn!(account.id = %account, environment = environment.as_str(), processor.name = processor, "{what}");
}

#[cfg(test)]
mod tests {
    use recoup_testing::fixtures;

    use super::*;

    fn refund(environment: recoup_domain::ids::Environment, name: ProcessorName) -> Refund {
        let mut refund =
            fixtures::decided(&fixtures::getpaid_payment(), &fixtures::getpaid_wanted(), "key").refund;
        refund.tenant.environment = environment;
        refund.processor.name = name;
        refund
    }

    fn at(seconds: u64) -> Timestamp {
        fixtures::now().plus(Duration::from_secs(seconds))
    }

    fn silent(circuits: &Circuits, refund: &Refund, questions: u32) {
        for _ in 0..questions {
            circuits.record_answer(refund, false, at(0));
        }
    }

    #[test]
    fn it_opens_after_silences_in_a_row_and_lets_one_through_a_minute() {
        use recoup_domain::ids::Environment::{Live, Sandbox};
        let (circuits, down) = (Circuits::default(), refund(Live, ProcessorName::Http));
        silent(&circuits, &down, SILENCES_MAX - 1);
        circuits.record_answer(&down, true, at(0));
        silent(&circuits, &down, SILENCES_MAX - 1);
        assert_eq!(circuits.admit(&down, at(0)), Ok(()), "not in a row");
        silent(&circuits, &down, 1);
        assert_eq!(circuits.admit(&down, at(1)), Err(at(60)));
        for other in [refund(Sandbox, ProcessorName::Http), refund(Live, ProcessorName::Stripe)] {
            assert_eq!(circuits.admit(&other, at(1)), Ok(()));
        }
        assert_eq!((circuits.admit(&down, at(60)), circuits.admit(&down, at(60))), (Ok(()), Err(at(120))));
        circuits.record_answer(&down, true, at(61));
        assert_eq!((circuits.admit(&down, at(61)), circuits.admit(&down, at(61))), (Ok(()), Ok(())));
    }

    #[test]
    fn it_remembers_a_bounded_number_of_processors() {
        let (circuits, mut refund) =
            (Circuits::default(), refund(recoup_domain::ids::Environment::Live, ProcessorName::Http));
        for number in 0..CIRCUITS_MAX + 10 {
            refund.tenant.account = recoup_domain::ids::AccountId::from_bits(u128::try_from(number).unwrap());
            circuits.record_answer(&refund, false, at(0));
        }
        assert!(circuits.silent.lock().unwrap().len() <= CIRCUITS_MAX);
    }
}
