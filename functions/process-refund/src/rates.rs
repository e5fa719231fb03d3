//! How often this process asks for one account, so that all of its processes together stay below the processor's limit.
//!
//! Stripe takes 25 requests a second for one kind of question, and in its sandboxes for all of them together. At most
//! ten processes work on the queue (`MaximumConcurrency` in `template.yaml`). A question is counted as one request: what it
//! takes beyond that is a look-up, of another kind. Who is turned away all the same is busy, and comes again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use recoup_domain::ids::Tenant;
use recoup_domain::payment::ProcessorName;
use recoup_domain::time::Timestamp;

/// The time that one question takes up.
const EACH: Duration = Duration::from_millis(450);
/// So much may be taken up in advance: three questions at once.
const AHEAD: Duration = Duration::from_millis(900);
/// Most accounts that are kept; past them, those that have not asked lately are forgotten.
const ACCOUNTS_MAX: usize = 1_000;

/// A bucket of tokens for each account, as the time until which they are taken.
#[derive(Default)]
pub(crate) struct Rates {
    taken_until: Mutex<HashMap<Tenant, Timestamp>>,
}

impl Rates {
    /// How long to wait before an account's processor is asked, if it is not longer than `left`; else the error says how
    /// long, and nothing is taken.
    pub(crate) fn reserve(
        &self,
        (tenant, name): (&Tenant, ProcessorName),
        now: Timestamp,
        left: Duration,
    ) -> Result<Duration, Duration> {
        match name {
            ProcessorName::Stripe => {}
            ProcessorName::Sandbox | ProcessorName::Http => return Ok(Duration::ZERO),
        }
        let mut taken = self.taken_until.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.len() >= ACCOUNTS_MAX {
            taken.retain(|_, until| *until > now);
        }
        let until = taken.get(tenant).copied().unwrap_or(now).max(now);
        let wait = until.since(now).saturating_sub(AHEAD);
        if wait > left {
            return Err(wait);
        }
        taken.insert(tenant.clone(), until.plus(EACH));
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use recoup_testing::fixtures;

    use super::*;

    use recoup_domain::refund::Refund;

    fn of(refund: &Refund) -> (&Tenant, ProcessorName) {
        (&refund.tenant, refund.processor.name)
    }

    #[test]
    fn an_account_asks_three_at_once_and_then_two_a_second() {
        let (rates, now) = (Rates::default(), fixtures::now());
        let mut refund =
            fixtures::decided(&fixtures::getpaid_payment(), &fixtures::getpaid_wanted(), "key").refund;
        let left = Duration::from_secs(1);
        let waits = |refund: &Refund, now| {
            let waits: Vec<_> = (0..6).map(|_| rates.reserve(of(refund), now, left)).collect();
            waits.into_iter().map(|wait| wait.map(|wait| wait.as_millis())).collect::<Vec<_>>()
        };
        assert_eq!(waits(&refund, now), [Ok(0); 6], "the sandbox has no limit");
        refund.processor.name = ProcessorName::Stripe;
        let late = Duration::from_millis(1_350);
        let expected = [Ok(0), Ok(0), Ok(0), Ok(450), Ok(900), Err(late.as_millis())];
        let told = waits(&refund, now).into_iter().map(|wait| wait.map_err(|wait| wait.as_millis()));
        assert_eq!(told.collect::<Vec<_>>(), expected);
        // Who was put off took nothing, and what was taken comes back.
        assert_eq!(rates.reserve(of(&refund), now.plus(EACH), left), Ok(Duration::from_millis(900)));
        let other = Refund { tenant: fixtures::tenant_of(refund.tenant.environment, 2), ..refund };
        assert_eq!(rates.reserve(of(&other), now, left), Ok(Duration::ZERO));
    }

    #[test]
    fn the_processes_together_stay_below_stripes_limit() {
        let template = include_str!("../../../template.yaml");
        let mapping = template.split("Queue: !GetAtt RefundJobs.Arn").nth(1).unwrap();
        let most = mapping.split("MaximumConcurrency: ").nth(1).unwrap().split(' ').next().unwrap();
        let each_second = 1_000 / EACH.as_millis();
        assert!(most.parse::<u128>().unwrap() * each_second < 25);
    }
}
