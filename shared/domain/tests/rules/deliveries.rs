//! The table of tries, under a virtual clock, and what each answer makes of a delivery.

use std::time::Duration;

use proptest::prelude::*;
use recoup_domain::delivery::{
    Attempt, AttemptOutcome, Delivery, GivenUp, RETRY_AFTER_MAX, Standing, TRIES_MAX, Target, wait_after,
};
use recoup_domain::event::Event;
use recoup_domain::ids::EndpointId;
use recoup_domain::time::Timestamp;
use recoup_domain::waiting::{GRACE, QUEUE_WAIT_MAX};
use recoup_testing::fixtures;

const HOUR: u64 = 3_600;

fn delivery() -> Delivery {
    let refund = fixtures::decided(&fixtures::getpaid_payment(), &fixtures::getpaid_wanted(), "key-1").refund;
    let event = Event::of_change(None, &refund);
    Delivery::first(&event, Target::Endpoint(EndpointId::from_bits(1)), fixtures::now())
}

fn answer(at: Timestamp, status: u16) -> Attempt {
    Attempt { at, took: Duration::ZERO, outcome: AttemptOutcome::Status { status, head: String::new() } }
}

fn due(delivery: &Delivery) -> Timestamp {
    match delivery.standing {
        Standing::Scheduled(at) => at,
        Standing::Delivered | Standing::DeadLettered(_) => panic!("{:?}", delivery.standing),
    }
}

#[test]
fn ten_tries_over_75_h_35_min_each_wait_exactly_that_of_the_table() {
    let mut delivery = delivery();
    let mut waits = Vec::new();
    for attempt in 1..=TRIES_MAX {
        let at = due(&delivery);
        assert!(delivery.awaits(attempt), "each try has the next number");
        delivery = delivery.after(answer(at, 500), None, 1_000);
        if attempt < TRIES_MAX {
            let wait = due(&delivery).since(at);
            assert_eq!(
                delivery.rests,
                wait > QUEUE_WAIT_MAX,
                "only a wait that no queue holds rests in the table"
            );
            waits.push(wait.as_secs());
        }
    }
    let hours = [2, 5, 10, 14, 20, 24].map(|hours| hours * HOUR);
    assert_eq!(waits[..3], [5, 300, 1_800]);
    assert_eq!(waits[3..], hours);
    assert_eq!(waits.iter().sum::<u64>(), 75 * HOUR + 35 * 60 + 5);
    assert_eq!(delivery.standing, Standing::DeadLettered(GivenUp::Exhausted));
    assert_eq!((delivery.tries, delivery.attempts.len()), (10, 10));
}

#[test]
fn a_redelivery_is_another_round_of_ten_and_the_last_tries_are_kept() {
    let mut delivery = delivery();
    let mut seen = vec![delivery.turn];
    for _ in 0..5 {
        for _ in 0..TRIES_MAX {
            delivery = delivery.after(answer(due(&delivery), 500), None, 1_000);
            seen.push(delivery.turn);
        }
        delivery = delivery.again(fixtures::later(1));
        seen.push(delivery.turn);
        assert_eq!((delivery.tries, due(&delivery)), (0, fixtures::later(1)));
    }
    assert_eq!(delivery.attempts.len(), 30);
    assert!(seen.is_sorted_by(|one, next| one < next), "no number of a try is used twice");
}

#[test]
fn a_gone_receiver_is_not_tried_again() {
    let after = delivery().after(answer(fixtures::now(), 410), None, 1_000);
    assert_eq!(after.standing, Standing::DeadLettered(GivenUp::Gone));
}

#[test]
fn a_message_about_another_try_is_stale() {
    let first = delivery();
    let second = first.after(answer(fixtures::now(), 500), None, 1_000);
    assert!(first.awaits(1) && !first.awaits(2));
    assert!(second.awaits(2) && !second.awaits(1));
    let delivered = second.after(answer(fixtures::now(), 200), None, 1_000);
    assert!(!delivered.awaits(3));
    assert!(!first.given_up(GivenUp::EndpointDeleted).awaits(2));
}

#[test]
fn what_is_scheduled_is_found_once_it_is_due_and_what_has_ended_is_not() {
    let failed = |delivery: &Delivery| delivery.after(answer(fixtures::now(), 500), None, 1_000);
    let short = failed(&delivery());
    assert_eq!(short.found_at(), Some(due(&short).plus(GRACE)));
    let resting = failed(&failed(&short));
    assert_eq!((resting.rests, resting.found_at()), (true, Some(due(&resting))));
    // Sent for: should its message be lost, it is sent for again.
    let woken = resting.woken(due(&resting));
    assert_eq!((woken.rests, woken.found_at()), (false, Some(due(&resting).plus(GRACE))));
    let early = resting.woken(fixtures::now());
    assert_eq!(early.found_at(), Some(due(&resting).plus(GRACE)), "woken ahead of its time");
    for next in [failed(&woken), woken.again(fixtures::now())] {
        assert_eq!(next.woken_at, None, "another try, another message");
    }
    assert_eq!(delivery().given_up(GivenUp::Gone).found_at(), None);
}

proptest! {
    #[test]
    fn only_2xx_is_success_and_everything_else_waits_or_ends(status in 100..600_u16) {
        let after = delivery().after(answer(fixtures::now(), status), None, 1_000);
        match after.standing {
            Standing::Delivered => prop_assert!((200..300).contains(&status)),
            Standing::DeadLettered(why) => prop_assert_eq!((status, why), (410, GivenUp::Gone)),
            Standing::Scheduled(at) => {
                prop_assert!(!(200..300).contains(&status) && status != 410);
                prop_assert_eq!(at, fixtures::later(5_000));
            }
        }
    }

    #[test]
    fn jitter_moves_a_wait_by_a_tenth_at_most(made in 1..TRIES_MAX, permille in any::<u32>()) {
        let exact = wait_after(made, 1_000).unwrap();
        let wait = wait_after(made, permille).unwrap();
        prop_assert!(wait * 10 >= exact * 9 && wait * 10 <= exact * 11);
        prop_assert_eq!(wait_after(TRIES_MAX, permille), None);
        prop_assert_eq!(wait_after(0, permille), None);
    }

    #[test]
    fn a_receiver_is_not_tried_sooner_than_it_asks_nor_forgotten(
        made in 0..TRIES_MAX - 1, seconds in any::<u64>(), took in 0..15_000_u64,
    ) {
        let mut delivery = delivery();
        for _ in 0..made {
            delivery = delivery.after(answer(fixtures::now(), 500), None, 1_000);
        }
        let asked = Duration::from_secs(seconds);
        let attempt = Attempt { took: Duration::from_millis(took), ..answer(fixtures::now(), 503) };
        let next = delivery.after(attempt, Some(asked), 1_000);
        let wait = due(&next).since(fixtures::later(took));
        prop_assert!(wait >= asked.min(RETRY_AFTER_MAX));
        prop_assert_eq!(wait, wait_after(made + 1, 1_000).unwrap().max(asked.min(RETRY_AFTER_MAX)));
        prop_assert_eq!(next.rests, wait > QUEUE_WAIT_MAX);
    }
}
