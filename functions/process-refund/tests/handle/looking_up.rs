//! What was asked before is looked up, and only what never arrived is sent again.

use std::sync::Mutex;

use recoup_domain::refund::{Outcome, Pending, Refund, State};
use recoup_ports::processor::{LookedUp, Processor};
use recoup_testing::fixtures;

use crate::{World, context, failed, job, message};

#[tokio::test]
async fn the_sandbox_rehearses_what_is_pending_and_what_times_out() {
    for (reference, first) in [
        ("sandbox_pending", Pending::Processor),
        ("sandbox_timeout", Pending::OutcomeUnknown),
        ("sandbox_timeout_lost", Pending::OutcomeUnknown),
    ] {
        let (world, refund) = World::with_refund(reference).await;
        let context = world.sandbox();
        assert!(failed(&context, vec![message("m1", 1, &job(&refund))]).await.is_empty(), "{reference}");
        assert_eq!(world.refund(&refund).await.version.state, State::Processing(first), "{reference}");
        assert_eq!(world.left().await.0, 1600, "{reference}: held");
        let again = job(&world.refund(&refund).await);
        assert!(failed(&context, vec![message("m2", 1, &again)]).await.is_empty(), "{reference}");
        let done = world.refund(&refund).await;
        assert_eq!((done.version.state, done.version.sequence), (State::Succeeded, 3), "{reference}");
        assert_eq!(world.left().await.0, 1600, "{reference}");
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    Refund,
    LookUp,
}

/// Answers the two questions with what it was given, and notes which was asked.
struct Books {
    refund: Outcome,
    look_up: LookedUp,
    asked: Mutex<Vec<Question>>,
}

impl Processor for Books {
    async fn refund(&self, _: &Refund) -> Outcome {
        self.asked.lock().unwrap().push(Question::Refund);
        self.refund.clone()
    }

    async fn look_up(&self, _: &Refund) -> LookedUp {
        self.asked.lock().unwrap().push(Question::LookUp);
        self.look_up.clone()
    }
}

/// The questions of two jobs, and where the refund stands after them.
async fn twice(refund: Outcome, look_up: LookedUp) -> (Vec<Question>, State) {
    let (world, made) = World::with_refund("any").await;
    let context = context(&world.table, Books { refund, look_up, asked: Mutex::default() });
    for _ in 1..=2 {
        let stands = world.refund(&made).await;
        failed(&context, vec![message("m1", 1, &job(&stands))]).await;
    }
    let asked = context.processor.asked.lock().unwrap().clone();
    (asked, world.refund(&made).await.version.state)
}

#[tokio::test]
async fn an_unknown_outcome_is_looked_up_and_resent_only_if_it_never_arrived() {
    use Question::{LookUp, Refund};
    let unknown = || Outcome::Unknown;
    let stands = |outcome| LookedUp::Stands(outcome);
    let (asked, state) = twice(unknown(), stands(fixtures::succeeded())).await;
    assert_eq!((asked, state), (vec![Refund, LookUp], State::Succeeded));
    let (asked, state) = twice(unknown(), stands(Outcome::Unknown)).await;
    assert_eq!((asked, state), (vec![Refund, LookUp], State::Processing(Pending::OutcomeUnknown)));
    let (asked, state) = twice(unknown(), LookedUp::NeverReceived).await;
    assert_eq!((asked, state), (vec![Refund, LookUp, Refund], State::Processing(Pending::OutcomeUnknown)));
}

#[tokio::test]
async fn what_the_processor_said_it_has_is_never_sent_again() {
    use Question::{LookUp, Refund};
    let pending = State::Processing(Pending::Processor);
    for look_up in
        [LookedUp::NeverReceived, LookedUp::Stands(Outcome::Unknown), LookedUp::Stands(Outcome::Pending)]
    {
        let (asked, state) = twice(Outcome::Pending, look_up).await;
        assert_eq!((asked, state), (vec![Refund, LookUp], pending.clone()));
    }
}
