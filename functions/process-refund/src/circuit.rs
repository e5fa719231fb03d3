//! Keeps a processor that does not answer from being asked by every job: one circuit per account and processor, and one
//! for all of Stripe, whose outage is learnt once. An adapter is its account's own, and so is its host.
//!
//! They live in the process: each of the function's few instances finds out by itself, which costs it
//! [`SILENCES_MAX`] questions, and no table is read or written for it. The waits of the refunds themselves grow to
//! hours in any case; the circuit is for the many refunds whose time has come while their processor is down. A busy
//! processor is none that is down.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use recoup_domain::ids::Tenant;
use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::{Outcome, Refund};
use recoup_domain::time::Timestamp;

/// So many questions without a clear answer, one after the other, open a circuit.
pub const SILENCES_MAX: u32 = 5;
/// So long it stays open; then one question is let through, and for as long no other.
pub const OPEN_FOR: Duration = Duration::from_mins(1);
/// Most circuits that are kept; past them, those that are not open are forgotten.
const CIRCUITS_MAX: usize = 1_000;

/// Whose circuit it is.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Whose {
    Account(Tenant, ProcessorName),
    Host(ProcessorName),
}

/// What is known of a processor: there is an entry only while it is silent.
struct Silence {
    questions: u32,
    /// Whose question was the first; a host is down only if others hear nothing, either.
    first: Tenant,
    others: bool,
    open_until: Option<Timestamp>,
}

/// The circuits of this process.
#[derive(Default)]
pub(crate) struct Circuits {
    silent: Mutex<HashMap<Whose, Silence>>,
}

impl Circuits {
    /// Whether the refund's processor may be asked now; if not, until when its circuit is open.
    pub(crate) fn admit(&self, refund: &Refund, now: Timestamp) -> Result<(), Timestamp> {
        let circuits = circuits(&refund.tenant, refund.processor.name);
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = open_until(&silent, &circuits, now) {
            return Err(until);
        }
        for whose in &circuits {
            if let Some(silence) = silent.get_mut(whose)
                && silence.open_until.is_some()
            {
                silence.open_until = Some(now.plus(OPEN_FOR));
            }
        }
        Ok(())
    }

    /// Whether a processor is to be left alone, by who is no question of whether it is up again.
    pub(crate) fn is_open(&self, tenant: &Tenant, name: ProcessorName, now: Timestamp) -> bool {
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        open_until(&silent, &circuits(tenant, name), now).is_some()
    }

    /// Takes note of what a question brought.
    pub(crate) fn record(&self, refund: &Refund, outcome: &Outcome, now: Timestamp) {
        // Nothing leaves the function for it: it is silent only where a rehearsal asks for that.
        if refund.processor.name == ProcessorName::Sandbox {
            return;
        }
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        if silent.len() >= CIRCUITS_MAX {
            silent.retain(|_, silence| silence.open_until.is_some_and(|until| until > now));
        }
        for whose in circuits(&refund.tenant, refund.processor.name) {
            match outcome {
                Outcome::Succeeded { .. }
                | Outcome::Failed(_)
                | Outcome::Pending
                | Outcome::PendingFunds
                | Outcome::Differs { .. } => {
                    if silent.remove(&whose).is_some_and(|silence| silence.open_until.is_some()) {
                        log(&whose, "circuit closed");
                    }
                }
                // It is no word on whether it is down, so another may ask.
                Outcome::Busy { .. } | Outcome::NotConfigured => {
                    if let Some(silence) = silent.get_mut(&whose)
                        && silence.open_until.is_some()
                    {
                        silence.open_until = Some(now);
                    }
                }
                Outcome::Unknown => silent
                    .entry(whose.clone())
                    .or_insert_with(|| Silence::of(&refund.tenant))
                    .heard_nothing(&whose, &refund.tenant, now),
            }
        }
    }
}

impl Silence {
    fn of(tenant: &Tenant) -> Self {
        Self { questions: 0, first: tenant.clone(), others: false, open_until: None }
    }

    fn heard_nothing(&mut self, whose: &Whose, tenant: &Tenant, now: Timestamp) {
        self.questions = self.questions.saturating_add(1);
        self.others |= self.first != *tenant;
        let is_down = match whose {
            Whose::Account(..) => true,
            Whose::Host(_) => self.others,
        };
        if self.questions >= SILENCES_MAX && is_down {
            if self.open_until.is_none() {
                log(whose, "circuit opened");
            }
            self.open_until = Some(now.plus(OPEN_FOR));
        }
    }
}

fn open_until(silent: &HashMap<Whose, Silence>, circuits: &[Whose], now: Timestamp) -> Option<Timestamp> {
    let open_until = circuits.iter().filter_map(|whose| silent.get(whose)?.open_until);
    open_until.filter(|until| now < *until).max()
}

fn circuits(tenant: &Tenant, name: ProcessorName) -> Vec<Whose> {
    let mut circuits = vec![Whose::Account(tenant.clone(), name)];
    match name {
        ProcessorName::Stripe => circuits.push(Whose::Host(name)),
        ProcessorName::Sandbox | ProcessorName::Http => {}
    }
    circuits
}

/// The metric `CircuitsOpened` in `template.yaml` counts the first of these sentences.
fn log(whose: &Whose, what: &'static str) {
    match whose {
        Whose::Account(Tenant { environment, account }, name) => {
            tracing::warn!(account.id = %account, environment = environment.as_str(), processor.name = name.as_str(), "{what}");
        }
        Whose::Host(name) => tracing::warn!(processor.name = name.as_str(), "{what}"),
    }
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
            circuits.record(refund, &Outcome::Unknown, at(0));
        }
    }

    #[test]
    fn it_opens_after_silences_in_a_row_and_lets_one_through_a_minute() {
        use recoup_domain::ids::Environment::{Live, Sandbox};
        let (circuits, down) = (Circuits::default(), refund(Live, ProcessorName::Http));
        silent(&circuits, &down, SILENCES_MAX - 1);
        circuits.record(&down, &Outcome::Pending, at(0));
        silent(&circuits, &down, SILENCES_MAX - 1);
        assert_eq!(circuits.admit(&down, at(0)), Ok(()), "not in a row");
        silent(&circuits, &down, 1);
        assert_eq!(circuits.admit(&down, at(1)), Err(at(60)));
        for other in [refund(Sandbox, ProcessorName::Http), refund(Live, ProcessorName::Stripe)] {
            assert_eq!(circuits.admit(&other, at(1)), Ok(()));
        }
        assert_eq!((circuits.admit(&down, at(60)), circuits.admit(&down, at(60))), (Ok(()), Err(at(120))));
        circuits.record(&down, &Outcome::Pending, at(61));
        assert_eq!((circuits.admit(&down, at(61)), circuits.admit(&down, at(61))), (Ok(()), Ok(())));
    }

    #[test]
    fn an_outage_of_the_host_is_learnt_once_and_one_account_makes_none() {
        use recoup_domain::ids::Environment::Live;
        let (circuits, first) = (Circuits::default(), refund(Live, ProcessorName::Stripe));
        let of = |number| Refund { tenant: fixtures::tenant_of(Live, number), ..first.clone() };
        silent(&circuits, &of(2), SILENCES_MAX * 2);
        assert_eq!(circuits.admit(&of(3), at(1)), Ok(()), "one account alone hears nothing");
        silent(&circuits, &of(3), 1);
        assert_eq!(circuits.admit(&of(4), at(1)), Err(at(60)), "who never asked is told");
        assert_eq!(circuits.admit(&refund(Live, ProcessorName::Http), at(1)), Ok(()));
        // Busy is not down, and does not say that it is up; the next one may ask.
        assert_eq!((circuits.admit(&of(4), at(60)), circuits.admit(&of(5), at(60))), (Ok(()), Err(at(120))));
        circuits.record(&of(4), &Outcome::Busy { retry_after: None }, at(61));
        assert_eq!(circuits.admit(&of(5), at(61)), Ok(()));
        circuits.record(&of(5), &Outcome::Pending, at(62));
        assert_eq!((circuits.admit(&of(4), at(62)), circuits.admit(&of(6), at(62))), (Ok(()), Ok(())));
        for number in 7..20 {
            circuits.record(&of(number), &Outcome::Busy { retry_after: None }, at(63));
        }
        assert_eq!(circuits.admit(&of(4), at(63)), Ok(()), "no burst of busy answers opens it");
    }

    #[test]
    fn it_remembers_a_bounded_number_of_processors() {
        let (circuits, mut refund) =
            (Circuits::default(), refund(recoup_domain::ids::Environment::Live, ProcessorName::Http));
        for number in 0..CIRCUITS_MAX + 10 {
            refund.tenant.account = recoup_domain::ids::AccountId::from_bits(u128::try_from(number).unwrap());
            circuits.record(&refund, &Outcome::Unknown, at(0));
        }
        assert!(circuits.silent.lock().unwrap().len() <= CIRCUITS_MAX);
    }
}
