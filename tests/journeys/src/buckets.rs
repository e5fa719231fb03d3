//! Limits under any interleaving of processes, on a clock of their own: never more than was promised, and nobody refused
//! who keeps to it.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test's answer to the unforeseen is to fail"
)]

use std::collections::HashMap;
use std::future::ready;
use std::sync::Mutex;
use std::time::Duration;

use lambda_http::{Body, Response};
use proptest::prelude::*;
use recoup_domain::ids::KeyId;
use recoup_domain::limit::{FullAt, Limit, Limits};
use recoup_domain::time::Timestamp;
use recoup_http::limits::Limiter;
use recoup_ports::WriteError;
use recoup_ports::limits::{Leased, Leases, Subject};
use recoup_testing::fixtures;
use serde_json::json;

use crate::door::asking;
use crate::limits::{now, pass};

/// The shared buckets, as the table keeps them (`storage/tests/table/limits.rs`).
#[derive(Default)]
struct Buckets(Mutex<HashMap<Subject, FullAt>>);

impl Leases for &Buckets {
    async fn lease(
        &self,
        subject: &Subject,
        limit: Limit,
        _: FullAt,
        now: Timestamp,
    ) -> Result<Leased, WriteError> {
        let mut buckets = self.0.lock().unwrap();
        let bucket = buckets.entry(subject.clone()).or_default();
        let tokens = limit.lease(*bucket, now);
        if tokens > 0 {
            *bucket = limit.taken(*bucket, tokens, now);
        }
        Ok(Leased { tokens, full_at: *bucket })
    }
}

/// Whether each request is granted: who gets it, and how long after the one before.
fn granted(limit: Limit, processes: usize, requests: &[(usize, u64)]) -> Vec<bool> {
    let buckets = Buckets::default();
    let limits = Limits { account: None, key: Some(limit) };
    let processes: Vec<_> = (0..processes).map(|_| Limiter::new(&buckets, limits, now)).collect();
    let told = json!({
        "account_id": fixtures::tenant().account.as_str(), "environment": "sandbox", "scopes": "",
        "key_id": KeyId::from_bits(1).as_str(),
    });
    let request = asking("GET /v1/refunds/{refund_id}", &told).request();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let outcome = |(process, gap): &(usize, u64)| {
        pass(*gap);
        let answer = processes[*process].guard(request.clone(), |_| ready(Response::new(Body::Empty)));
        runtime.block_on(answer).unwrap().status() == 200
    };
    requests.iter().map(outcome).collect()
}

fn limit() -> impl Strategy<Value = Limit> {
    (1..=200_u32, 1..=400_u32).prop_map(|(rate, burst)| Limit::new(rate, burst).unwrap())
}

/// So many processes, which serve in any order or in turn, and requests of a caller that is busy or quiet by turns.
fn requests(processes: usize, most: usize) -> impl Strategy<Value = (usize, Vec<(usize, u64)>)> {
    (1..=processes, any::<bool>()).prop_flat_map(move |(processes, in_turn)| {
        let gap = prop_oneof![40 => Just(0), 4 => 0..=5_u64, 2 => 0..=100_u64, 1 => 0..=5_000_u64];
        let requests = prop::collection::vec((0..processes, gap), 1..=most);
        let ordered = requests.prop_map(move |requests| {
            let turns = (0..processes).cycle();
            let pairs = requests.into_iter().zip(turns);
            pairs.map(|((any, gap), turn)| (if in_turn { turn } else { any }, gap)).collect()
        });
        (Just(processes), ordered)
    })
}

/// Most requests that any processes grant in a window.
fn promised(limit: Limit, processes: usize, window: Duration) -> u64 {
    let nanos = u64::try_from(window.as_nanos()).unwrap();
    let of_bucket = u64::from(limit.burst()) + nanos.div_ceil(limit.nanos_of(1));
    // The allowance, and a five-hundredth of the rate.
    let of_process = u64::from(limit.allowance()) + (nanos / 500).div_ceil(limit.nanos_of(1));
    of_bucket + u64::try_from(processes).unwrap() * of_process
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_window_sees_more_than_burst_rate_and_allowances(
        limit in limit(), (processes, requests) in requests(12, 400),
    ) {
        let outcomes = granted(limit, processes, &requests);
        let mut at = 0;
        let times: Vec<u64> = requests.iter().zip(outcomes).filter_map(|((_, gap), granted)| {
            at += gap;
            granted.then_some(at)
        }).collect();
        for (first, start) in times.iter().enumerate() {
            for (last, end) in times.iter().enumerate().skip(first) {
                let most = promised(limit, processes, Duration::from_millis(end - start));
                prop_assert!(u64::try_from(last - first + 1).unwrap() <= most, "{limit:?}: {start} to {end}");
            }
        }
    }

    /// To what a caller keeps: its rate, and no more at once than 38 or the burst.
    #[test]
    fn a_caller_that_keeps_to_its_rate_is_never_refused(
        limit in limit(), (processes, mut requests) in requests(40, 1_000),
    ) {
        let a_token = limit.nanos_of(1) + 1;
        let most = a_token * u64::from(limit.burst().min(38));
        let mut saved = most;
        // Where it has nothing left, it waits.
        for (_, gap) in &mut requests {
            saved = (saved + *gap * 1_000_000).min(most);
            let wait = a_token.saturating_sub(saved).div_ceil(1_000_000);
            *gap += wait;
            saved = (saved + wait * 1_000_000).min(most) - a_token;
        }
        let outcomes = granted(limit, processes, &requests);
        prop_assert!(outcomes.iter().all(|granted| *granted), "{limit:?} on {processes} processes");
    }
}
