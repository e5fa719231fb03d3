//! Stripe's own list of a tenant's refunds: whole or unclear, and nobody else's.

use std::time::Duration;

use recoup_domain::ids::{Environment, RefundId, Tenant};
use recoup_domain::money::{Currency, Money};
use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::Outcome;
use recoup_domain::time::Timestamp;
use recoup_outbound::stripe::Stripe;
use recoup_ports::processor::{ANSWER_SECONDS_MAX, Listed, Listing, Processor};
use recoup_testing::fixtures::{self, eur, tenant, tenant_of, text};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::contract::Subject;
use crate::fake_stripe::{CHARGE, error, object};
use crate::faults::{Fault, UNCLEAR};
use crate::limits::{SHORT, Silent};
use crate::logs::{listen, read, tells_nothing};
use crate::server::{Reply, Request, Server};
use crate::stripe::AtStripe;
use crate::world::{Keys, LIVE_KEY, TEST_KEY, base, fresh, handed_over};

const LIST: &str = "GET /base/v1/refunds";
const PAGES_MAX: usize = 200;

/// A minute after the first refund of the stand-in.
fn since() -> Timestamp {
    Timestamp::from_unix_millis(1_795_000_060_999).unwrap()
}

async fn list<P: Processor>(processor: &P, of: &Tenant) -> Listing {
    processor.list(of, ProcessorName::Stripe, since()).await
}

fn id(number: usize) -> RefundId {
    RefundId::from_bits(u128::try_from(number).unwrap())
}

/// A refund of 5.00 EUR that Stripe has under the id of this number.
fn made(number: usize, of: &Tenant) -> Value {
    let metadata = json!({ "recoup_refund_id": id(number).as_str(), "recoup_account_id": of.account.as_str(),
                           "recoup_environment": of.environment.as_str() });
    object(number, 500, "succeeded", &metadata)
}

/// The same in the list.
fn listed(number: usize) -> Listed {
    let name = format!("re_{number:024}");
    let outcome = fixtures::succeeded_as(&name);
    Listed { refund: id(number), reference: text(&name), outcome, amount: Some(eur(500)) }
}

fn page(refunds: &[Value], has_more: bool) -> Value {
    json!({ "object": "list", "url": "/v1/refunds", "has_more": has_more, "data": refunds })
}

/// A Stripe of which only the list is asked.
async fn answering(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> (Server, Stripe<Keys>) {
    let server = Server::answering(answer).await;
    let client = Stripe::new(Keys::to(server.port), fixtures::now).unwrap().at(base(server.port));
    (server, client)
}

/// The number of the refund behind which a page begins: one page has one refund.
fn asked_after(request: &Request) -> usize {
    request.path.split_once("starting_after=re_").map_or(0, |(_, number)| number.parse().unwrap())
}

#[tokio::test]
async fn what_stripe_refunded_is_in_its_list() {
    let at = AtStripe::new().await;
    let refund = handed_over(&fresh("key", CHARGE));
    let outcome = at.client.refund(&refund).await;
    let Outcome::Succeeded { reference, .. } = outcome.clone() else { panic!("{outcome:?}") };
    let one = Listed { refund: refund.id.clone(), reference, outcome, amount: Some(refund.amount) };
    assert_eq!(list(&at.client, &refund.tenant).await, Listing::Whole(vec![one]));
}

#[tokio::test]
async fn the_list_begins_a_minute_early_and_is_asked_for_with_the_tenants_key() {
    let at = AtStripe::new().await;
    let mut before = made(1, &tenant());
    before["created"] = json!(1_794_999_999);
    at.stripe.books.open().refunds = vec![before, made(0, &tenant()), made(2, &tenant())];
    assert_eq!(list(&at.client, &tenant()).await, Listing::Whole(vec![listed(2), listed(0)]));
    let requests = at.stripe.server.requests();
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    let asked = ("GET", "/base/v1/refunds?created%5Bgte%5D=1795000000&limit=100", "");
    assert_eq!((request.method.as_str(), request.path.as_str(), request.body.as_str()), asked);
    assert_eq!(request.header("authorization"), Some(format!("Bearer {TEST_KEY}").as_str()));
    assert_eq!(request.header("stripe-version"), Some("2025-04-30.basil"));
    assert_eq!(request.header("idempotency-key"), None);
}

#[tokio::test]
async fn every_page_is_read() {
    let at = AtStripe::new().await;
    for (count, pages) in [(0, 1), (100, 1), (101, 2), (250, 3)] {
        at.stripe.books.open().refunds = (0..count).map(|number| made(number, &tenant())).collect();
        let expected = (0..count).rev().map(listed).collect();
        assert_eq!(list(&at.client, &tenant()).await, Listing::Whole(expected), "{count}");
        assert_eq!(at.stripe.server.take_calls(), vec![LIST; pages], "{count}");
    }
}

#[tokio::test]
async fn only_our_own_refunds_of_this_account_and_environment_are_listed() {
    let at = AtStripe::new().await;
    let theirs = [tenant_of(Environment::Sandbox, 2), tenant_of(Environment::Live, 1)];
    let mut nobodys =
        vec![object(3, 500, "succeeded", &json!({})), object(4, 500, "succeeded", &Value::Null)];
    for missing in ["recoup_refund_id", "recoup_account_id", "recoup_environment"] {
        let mut refund = made(5, &tenant());
        refund["metadata"].as_object_mut().unwrap().remove(missing);
        nobodys.push(refund.clone());
        refund["metadata"][missing] = json!("something else");
        nobodys.push(refund);
    }
    let ours = made(6, &tenant());
    let others = theirs.iter().map(|theirs| made(1, theirs));
    at.stripe.books.open().refunds = others.chain(nobodys).chain([ours]).collect();
    assert_eq!(list(&at.client, &tenant()).await, Listing::Whole(vec![listed(6)]));
    assert_eq!(list(&at.client, &theirs[0]).await, Listing::Whole(vec![listed(1)]), "they have their own");
}

#[tokio::test]
async fn a_listed_refund_is_given_as_it_stands_with_its_amount_if_readable() {
    let at = AtStripe::new().await;
    let krona = |minor| Money::of_minor(minor, Currency::parse("ISK").unwrap()).unwrap();
    for (status, amount, currency, expected) in [
        ("succeeded", 499, "eur", Some(eur(499))),
        ("pending", 500, "eur", Some(eur(500))),
        ("failed", 500, "isk", Some(krona(5))),
        ("canceled", 500, "eur", Some(eur(500))),
        ("a new word", 500, "eur", Some(eur(500))),
        // Half a króna, and a currency of which Stripe does not say how it counts.
        ("succeeded", 550, "isk", None),
        ("failed", 500, "lyd", None),
    ] {
        let mut refund = made(1, &tenant());
        (refund["status"], refund["amount"], refund["currency"]) =
            (json!(status), json!(amount), json!(currency));
        at.stripe.books.open().refunds = vec![refund];
        let Listing::Whole(all) = list(&at.client, &tenant()).await else { panic!("{status} is unclear") };
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].amount, expected, "{status} {amount} {currency}");
        let as_it_stands = match (status, &all[0].outcome) {
            _ if expected.is_none() => all[0].outcome == Outcome::Unknown,
            ("succeeded", outcome) => *outcome == listed(1).outcome,
            ("pending", outcome) => *outcome == Outcome::Pending,
            ("failed" | "canceled", outcome) => matches!(outcome, Outcome::Failed(_)),
            (_, outcome) => *outcome == Outcome::Unknown,
        };
        assert!(as_it_stands, "{status} {amount} {currency}: {:?}", all[0].outcome);
    }
}

#[tokio::test]
async fn an_error_on_a_page_makes_the_list_unclear_and_is_logged_once() {
    let at = AtStripe::new().await;
    let first = page(&[made(7, &tenant())], true).to_string();
    let said = |status: u16, body: &str| -> Fault {
        let head = format!("HTTP/1.1 {status} Said\r\ncontent-type: application/json");
        Fault::Says(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).leak())
    };
    let refused = error("invalid_request_error", "parameter_unknown").to_string();
    let missing = error("invalid_request_error", "resource_missing").to_string();
    let endless = page(&[], true).to_string();
    let mut nameless = made(8, &tenant());
    nameless["id"] = json!("re_1&limit=1");
    let nameless = page(&[nameless], false).to_string();
    let own = [said(400, &refused), said(404, &missing), said(200, &endless), said(200, &nameless)];
    for fault in UNCLEAR.iter().chain(&own) {
        for before in [vec![], vec![said(200, &first)]] {
            let calls = before.len() + 1;
            at.stripe.books.fail(before.into_iter().chain([*fault]));
            let (log, guard) = listen();
            assert_eq!(list(&at.client, &tenant()).await, Listing::Unclear, "{fault:?}");
            drop(guard);
            assert_eq!(at.stripe.server.take_calls(), vec![LIST; calls], "{fault:?}: nothing is asked again");
            let text = read(&log);
            let lines: Vec<&str> = text.lines().filter(|line| line.contains("recoup_outbound")).collect();
            assert_eq!(lines.len(), 1, "{fault:?}: {text}");
            let line: Value = serde_json::from_str(lines[0]).unwrap();
            assert_eq!(line["fields"]["processor.name"], "stripe", "{line}");
            assert_eq!(line["fields"]["account.id"], tenant().account.as_str(), "{line}");
            assert_eq!(line["fields"]["environment"], "sandbox", "{line}");
            assert!(line["fields"]["why"].is_string(), "{line}");
            tells_nothing(&text, at.stripe.server.port);
        }
    }
    assert_eq!(list(&at.client, &tenant()).await, Listing::Whole(Vec::new()), "and then it is clear again");
}

#[tokio::test]
async fn a_list_without_an_end_is_read_for_two_hundred_pages() {
    for (has_end, clear) in [(true, true), (false, false)] {
        let (server, client) = answering(move |request| {
            let number = asked_after(request) + 1;
            Reply::json(200, &page(&[made(number, &tenant())], !has_end || number < PAGES_MAX))
        })
        .await;
        let (log, guard) = listen();
        let listing = list(&client, &tenant()).await;
        drop(guard);
        assert_eq!(server.take_calls().len(), PAGES_MAX);
        let expected = Listing::Whole((1..=PAGES_MAX).map(listed).collect());
        assert_eq!(listing, if clear { expected } else { Listing::Unclear });
        assert_eq!(read(&log).contains("the list has more refunds than are read"), !clear);
    }
}

#[tokio::test]
async fn no_list_is_asked_for_without_a_key_of_the_tenants_own_environment() {
    let live = tenant_of(Environment::Live, 1);
    let keys = |stripe, broken| move |keys: &mut Keys| (keys.stripe, keys.broken) = (stripe, broken);
    for (change, tenant, why) in [
        (keys(None, false), tenant(), "the account has no key"),
        (keys(Some(TEST_KEY), true), tenant(), "the keys cannot be read"),
        (keys(Some(LIVE_KEY), false), tenant(), "a live key is not sent to a stand-in"),
        (keys(Some(LIVE_KEY), false), live.clone(), "a live key is not sent to a stand-in"),
        (keys(Some(TEST_KEY), false), live.clone(), "the key belongs to the other environment"),
    ] {
        let at = AtStripe::with(change).await;
        let (log, guard) = listen();
        assert_eq!(list(&at.client, &tenant).await, Listing::Unclear);
        drop(guard);
        let text = read(&log);
        assert!(text.contains(why) && text.contains(tenant.account.as_str()), "{text}");
        tells_nothing(&text, at.stripe.server.port);
        assert_eq!(at.stripe.server.requests().len(), 0, "nothing is sent");
    }
}

#[tokio::test]
async fn a_silent_stripe_and_one_that_is_not_there_give_no_list() {
    let AtStripe { stripe, client } = AtStripe::new().await;
    let client = client.within(SHORT);
    stripe.books.fail([Fault::StallBefore]);
    assert_eq!(list(&client, &tenant()).await, Listing::Unclear);
    drop(stripe);
    assert_eq!(list(&client, &tenant()).await, Listing::Unclear);
}

#[tokio::test(start_paused = true)]
async fn no_question_for_the_list_takes_longer_than_any_other() {
    let began = Instant::now();
    assert_eq!(list(&Stripe::new(Silent, fixtures::now).unwrap(), &tenant()).await, Listing::Unclear);
    assert_eq!(began.elapsed().as_secs(), ANSWER_SECONDS_MAX);
}

#[tokio::test(start_paused = true)]
async fn a_list_whose_pages_are_slow_ends_after_a_minute() {
    let (server, client) = answering(|request| {
        let number = asked_after(request) + 1;
        let reply = Box::new(Reply::json(200, &page(&[made(number, &tenant())], true)));
        Reply::Late { after: Duration::from_millis(5_500), reply }
    })
    .await;
    let (log, guard) = listen();
    let began = Instant::now();
    assert_eq!(list(&client, &tenant()).await, Listing::Unclear);
    assert_eq!(began.elapsed().as_secs(), 60);
    drop(guard);
    assert_eq!(server.take_calls().len(), 11, "each page comes in its own time");
    assert!(read(&log).contains("too late"));
}

#[tokio::test]
async fn a_listed_refund_that_says_nothing_is_an_error_in_the_log() {
    let at = AtStripe::new().await;
    let mut silent = made(1, &tenant());
    silent["status"] = Value::Null;
    at.stripe.books.open().refunds = vec![silent, made(2, &tenant())];
    let (log, guard) = listen();
    list(&at.client, &tenant()).await;
    drop(guard);
    let text = read(&log);
    let errors: Vec<&str> = text.lines().filter(|line| line.contains("ERROR")).collect();
    assert!(errors.len() == 1 && errors[0].contains(id(1).as_str()), "{text}");
    tells_nothing(&text, at.stripe.server.port);
}
