//! Events: their ids, what each tells, and the refund as it was.

use proptest::prelude::*;
use recoup_domain::by::By;
use recoup_domain::event::{Event, EventType, Subject};
use recoup_domain::ids::EventId;
use recoup_domain::refund::{Outcome, Pending, Refund, State, Status, Version};
use recoup_domain::time::Timestamp;
use recoup_domain::wanted::Wanted;
use recoup_testing::fixtures::{self, later};

fn refund() -> Refund {
    fixtures::decided(&fixtures::getpaid_payment(), &fixtures::getpaid_wanted(), "key-1").refund
}

fn stepped(refund: &Refund, outcome: Outcome, at: Timestamp) -> Refund {
    refund.step(outcome, at).expect("something changes").into_refund()
}

/// A refund with all its states in turn.
fn life() -> Vec<Refund> {
    let made = refund();
    let noted = fixtures::renamed(&made, "1", later(10)).into_refund();
    let processing = stepped(&noted, Outcome::Pending, later(20));
    let noted_again = fixtures::renamed(&processing, "2", later(20)).into_refund();
    let succeeded = stepped(&noted_again, fixtures::succeeded(), later(30));
    let failed = stepped(&succeeded, fixtures::failed(), later(40));
    vec![made, noted, processing, noted_again, succeeded, failed]
}

fn events() -> Vec<Event> {
    let life = life();
    let before = std::iter::once(None).chain(life.iter().map(Some));
    life.iter().zip(before).map(|(refund, before)| Event::of_change(before, refund)).collect()
}

#[test]
fn every_change_announces_its_status_or_that_something_else_changed() {
    use EventType::{Failed, Initiated, Processing, Succeeded, Updated};
    let types: Vec<EventType> = events().iter().map(|event| event.r#type).collect();
    assert_eq!(types, [Initiated, Updated, Processing, Updated, Succeeded, Failed]);
}

#[test]
fn the_refund_of_today_shows_itself_as_it_was_at_each_change() {
    let life = life();
    let today = life.last().unwrap();
    for then in &life {
        // What nobody is shown is the only difference.
        let shown = Refund {
            history: then.history.clone(),
            handed_over_at: then.handed_over_at,
            ..today.at(&then.version)
        };
        assert_eq!(&shown, then);
    }
}

#[test]
fn a_refund_that_begins_at_its_end_announces_that_and_is_borne_out() {
    let payment = fixtures::payment("pay_1", 5000);
    let wanted = Wanted { external: Some(fixtures::external()), ..fixtures::wanted(&payment, None) };
    let made = fixtures::decided(&payment, &wanted, "key-1").refund;
    let told = Event::of_change(None, &made);
    assert_eq!((told.r#type, told.refund_status()), (EventType::Succeeded, Some(Status::Succeeded)));
    let today = fixtures::renamed(&made, "1", later(10)).into_refund();
    assert_eq!(
        today.event(&told.id),
        Some(Event::of_change(
            None,
            &today.at(&Version { metadata: today.version.metadata.clone(), ..made.version.clone() })
        ))
    );
    assert!(today.bears_out(&told));
    assert!(!today.bears_out(&fixtures::beginning(&refund())));
}

#[test]
fn an_event_from_history_has_the_metadata_of_today() {
    let life = life();
    let today = life.last().unwrap();
    for event in events() {
        let told = today.event(&event.id).unwrap();
        let Subject::Refund { id, version } = event.subject.clone() else { panic!("{event:?}") };
        let version = Version { metadata: today.version.metadata.clone(), ..version };
        assert_eq!(told, Event { subject: Subject::Refund { id, version }, ..event });
    }
    let stranger = Refund { id: fixtures::refund_id("other"), ..today.clone() };
    assert_eq!(today.event(&Event::of_change(None, &stranger).id), None);
}

#[test]
fn a_change_without_a_state_is_not_announced_and_the_next_one_is() {
    let mut today = life().pop().unwrap();
    let ids: Vec<EventId> = today.event_ids().collect();
    let types: Vec<EventType> = events().iter().rev().map(|event| event.r#type).collect();
    today.history[2].state = None;
    let told: Vec<Option<EventType>> =
        ids.iter().map(|id| today.event(id).map(|event| event.r#type)).collect();
    // The one behind it tells its status, for nobody knows what stood before.
    let mut expected: Vec<Option<EventType>> = types.into_iter().map(Some).collect();
    (expected[2], expected[1]) = (None, Some(EventType::Succeeded));
    assert_eq!(told[2], None);
    assert_eq!(told[1], Some(EventType::Succeeded));
}

#[test]
fn a_refund_knows_the_ids_of_its_events() {
    let life = life();
    let mut ids: Vec<EventId> = events().into_iter().map(|event| event.id).collect();
    ids.reverse();
    assert_eq!(life.last().unwrap().event_ids().collect::<Vec<_>>(), ids);
    assert_eq!(life[0].event_ids().count(), 1);
}

#[test]
fn of_very_many_changes_the_last_and_the_first_are_known() {
    let mut refund = refund();
    for number in 1..=250_u64 {
        refund = fixtures::renamed(&refund, &number.to_string(), later(number)).into_refund();
    }
    let ids: Vec<EventId> = refund.event_ids().collect();
    assert_eq!(ids.len(), Refund::CHANGES_KEPT + 1);
    assert_eq!(ids[0], Event::of_change(Some(&refund), &refund).id);
    assert_eq!(ids.last(), Some(&fixtures::beginning(&refund).id));
    let oldest = &ids[Refund::CHANGES_KEPT - 1];
    assert_eq!(*oldest, EventId::of_change(&refund.tenant, &refund.id, 152, later(151)));
}

proptest! {
    #[test]
    fn an_event_id_tells_its_time_and_sorts_by_it(one in 0..253_402_300_799_999_u64, other in 0..253_402_300_799_999_u64) {
        let at = |millis| Timestamp::from_unix_millis(millis).unwrap();
        let refund = refund();
        let id = |millis| EventId::of_change(&refund.tenant, &refund.id, 1, at(millis));
        prop_assert_eq!(id(one).time(), at(one));
        prop_assert!(EventId::earliest_at(at(one)) <= id(one));
        if one < other {
            prop_assert!(id(one) < EventId::earliest_at(at(other)));
        }
        prop_assert_eq!(EventId::try_from(id(one).as_str()).unwrap(), id(one));
    }
}

/// An event with this state in place of its own, and the type that goes with it.
fn saying(event: &Event, state: &State, r#type: EventType) -> Event {
    let mut said = event.clone();
    let Subject::Refund { version, .. } = &mut said.subject else { panic!("{event:?}") };
    version.state = state.clone();
    said.r#type = r#type;
    said
}

#[test]
fn a_refund_bears_out_each_of_its_events_and_none_that_says_otherwise() {
    let life = life();
    let today = life.last().unwrap();
    let states = [State::Succeeded, life[5].version.state.clone(), State::Processing(Pending::Processor)];
    for (event, then) in events().iter().zip(&life) {
        assert!(today.bears_out(event), "{event:?}");
        for state in &states {
            let r#type = EventType::parse(&format!("refund.{}", state.as_str())).unwrap();
            let told = saying(event, state, r#type);
            assert_eq!(today.bears_out(&told), *state == then.version.state, "{told:?}");
        }
        let untrue = EventType::Cancelled;
        assert!(!today.bears_out(&saying(event, &then.version.state, untrue)));
        assert!(!refund().at(&today.version).bears_out(&Event { tenant: other(), ..event.clone() }));
    }
}

fn other() -> recoup_domain::ids::Tenant {
    fixtures::tenant_of(recoup_domain::ids::Environment::Live, 1)
}

#[test]
fn a_change_that_never_was_is_not_borne_out_whatever_its_id() {
    let today = life().pop().unwrap();
    for (sequence, at) in [(7, later(40)), (7, later(99)), (5, later(31)), (6, later(39))] {
        let version = Version { sequence, updated_at: at, state: State::Succeeded, ..today.version.clone() };
        let told = Event::of_change(None, &today.at(&version));
        assert!(!today.bears_out(&told), "{told:?}");
        // Nor under the id of a change that was.
        let id = today.event_ids().next().unwrap();
        assert!(!today.bears_out(&Event { id, ..told }));
    }
}

#[test]
fn where_states_were_not_kept_no_end_is_believed_but_one_that_was() {
    // Version 0.1 kept the times alone.
    let life = life();
    let mut today = life[4].clone();
    for change in &mut today.history {
        change.state = None;
    }
    for event in &events()[..5] {
        assert!(today.bears_out(event), "{event:?}");
    }
    let failed = &life[5].version.state;
    for event in &events()[..5] {
        assert!(!today.bears_out(&saying(event, failed, EventType::Failed)), "{event:?}");
    }
    // What is older than the changes that are kept is judged alike.
    let mut today = life[4].clone();
    today.history.drain(..3);
    for event in &events()[..5] {
        assert!(today.bears_out(event), "{event:?}");
    }
    let forged = saying(&events()[1], failed, EventType::Failed);
    assert!(!today.bears_out(&forged));
}

#[test]
fn an_event_that_names_another_than_made_the_change_is_not_borne_out() {
    let life = life();
    let today = life.last().unwrap();
    for event in events() {
        assert!(event.by.is_some());
        let told = |by| today.bears_out(&Event { by, ..event.clone() });
        assert!(!told(Some(By::admin(fixtures::text("mallory")))), "{event:?}");
        // An earlier version recorded nobody.
        assert!(told(None));
    }
    let mut earlier = today.clone();
    earlier.created_by = None;
    assert!(earlier.bears_out(&events()[0]));
}
