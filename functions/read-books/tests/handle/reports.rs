//! `GET /v1/reports/reconciliation/{date}` and `/latest`: what was found, for programs and for people.

use lambda_http::Body;
use recoup_domain::ids::{AccountId, Environment, Tenant};
use recoup_domain::report::{Finding, Mismatch, Remedy, Report};
use recoup_domain::time::Timestamp;
use recoup_ports::reports::KeepReports;
use recoup_testing::fixtures::{self, tenant, tenant_of};
use recoup_testing::reports::{clean_report, finding, report_with};
use recoup_testing::{Fault, TestTable};

use crate::gateway::{Event, Reply};
use crate::{World, context, handle};

const GET_REPORT: &str = include_str!("../../../../tests/events/get-report.json");
const BROWSER: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// A function over a table with these reports.
async fn with(reports: &[Report]) -> World {
    let table = TestTable::new();
    for report in reports {
        table.store().keep_report(report).await.unwrap();
    }
    table.take_calls();
    World { context: context(table.store()), table, payment: fixtures::getpaid_payment() }
}

/// The recorded read of a report, for another day, as the gateway tells it three times over.
fn reading(day: &str) -> Event {
    let path = format!("/v1/reports/reconciliation/{day}");
    Event::of_fixtures_tenant(GET_REPORT)
        .with("/pathParameters/date", day)
        .with("/requestContext/http/path", path.as_str())
        .with("/rawPath", path)
}

/// The read of the latest one by its own route, which has no parameter.
fn reading_latest() -> Event {
    reading("latest").without("/pathParameters").route("GET /v1/reports/reconciliation/latest")
}

fn of(event: Event, tenant: &Tenant) -> Event {
    let lambda = "/requestContext/authorizer/lambda";
    event
        .with(&format!("{lambda}/account_id"), tenant.account.as_str())
        .with(&format!("{lambda}/environment"), tenant.environment.as_str())
}

/// What a browser is shown.
async fn page(world: &World, event: &Event) -> String {
    let event = event.clone().header("accept", BROWSER);
    let (parts, body) = handle(&world.context, event.request()).await.into_parts();
    let header = |name: &str| parts.headers.get(name).map_or("", |value| value.to_str().unwrap());
    assert_eq!(parts.status, 200);
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!(header("content-security-policy"), "default-src 'none'; style-src 'unsafe-inline'");
    assert_eq!((header("cache-control"), header("vary")), ("no-store", "accept"));
    assert_eq!(header("request-id"), event.0["requestContext"]["requestId"].as_str().unwrap());
    let Body::Text(page) = body else { panic!("the body is no text: {body:?}") };
    page
}

fn found() -> Vec<Finding> {
    vec![
        finding(
            Mismatch::JobMissing,
            Remedy::SentFor,
            "initiated since 2026-11-22T08:00:00.000Z, never handed over",
            900,
        ),
        finding(
            Mismatch::AmountAstray,
            Remedy::None,
            "3100 is 1600 refundable + 1400 held + 0 refunded",
            1_000,
        ),
        Finding {
            refund: None,
            payment: None,
            ..finding(Mismatch::Unreadable, Remedy::Failed, "an item has no status", 1_500)
        },
    ]
}

#[tokio::test]
async fn a_report_is_shown_to_programs_with_everything_that_was_found() {
    let world = with(&[report_with(tenant(), found())]).await;
    let reply = world.get(&reading("2026-11-22")).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(world.table.take_calls().operations(), ["GetItem"]);
    insta::assert_json_snapshot!(reply.body);
}

#[tokio::test]
async fn a_report_is_shown_to_people_as_a_page_with_its_verdict_on_top() {
    let world = with(&[report_with(tenant(), found())]).await;
    let page = page(&world, &reading("2026-11-22")).await;
    let without_style = {
        let (before, rest) = page.split_once("<style>").unwrap();
        format!("{before}{}", rest.split_once("</style>").unwrap().1)
    };
    insta::assert_snapshot!(without_style);
    // What waits for a person stands first.
    let places =
        ["do not add up", "cannot be read", "no job on its way"].map(|text| page.find(text).unwrap());
    assert!(places.is_sorted(), "{places:?}");
}

#[tokio::test]
async fn the_page_needs_nothing_from_anywhere_and_runs_nothing() {
    let world = with(&[report_with(tenant(), found())]).await;
    let page = page(&world, &reading("2026-11-22")).await;
    for foreign in ["<script", "<link", "<img", "src=", "href=", "url(", "@import", "javascript:", "http"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    for wanted in ["width=device-width", "prefers-color-scheme: dark", "max-width: 44rem"] {
        assert!(page.contains(wanted), "{wanted}");
    }
}

#[tokio::test]
async fn markup_in_what_was_found_stays_text() {
    let hostile =
        r#"</td></table><script>alert("1")</script><img src=x onerror='alert(2)'>&lt;b&gt; {x} %3Cb%3E"#;
    let world =
        with(&[report_with(tenant(), vec![finding(Mismatch::Unreadable, Remedy::None, hostile, 1)])]).await;
    let page = page(&world, &reading("2026-11-22")).await;
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("onerror='"), "{page}");
    let escaped = "&lt;/td&gt;&lt;/table&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;\
        &lt;img src=x onerror=&#39;alert(2)&#39;&gt;&amp;lt;b&amp;gt; {x} %3Cb%3E";
    assert!(page.contains(&format!("<bdi>{escaped}</bdi>")), "{page}");
    assert_eq!(page.matches("</table>").count(), 1);
    // A program is told what was found, letter by letter.
    let told = world.get(&reading("2026-11-22")).await.body["findings"][0]["detail"].clone();
    assert_eq!(told, hostile);
}

#[tokio::test]
async fn the_verdict_says_what_the_last_run_of_the_day_found() {
    let clean = clean_report(tenant());
    let one = report_with(tenant(), found()[..1].to_vec());
    for (report, verdict, also) in [
        (clean.clone(), "Nothing astray.", ""),
        (Report { complete: false, ..clean.clone() }, "Nothing astray so far.", "out of time"),
        (one.clone(), "1 mismatch", "No finding of the day waits for a person."),
        (Report { complete: false, ..one.clone() }, "1 mismatch", "out of time"),
        (Report { drift: 0, ..one }, "Nothing astray.", "found by earlier runs"),
        (report_with(tenant(), found()), "3 mismatches", "1 finding of the day waits for a person."),
    ] {
        let page = page(&with(&[report]).await, &reading_latest()).await;
        assert!(page.contains(&format!(">{verdict}</h1>")), "{verdict} in {page}");
        assert!(page.contains(also), "{also} in {page}");
        assert_eq!(page.contains("<table>"), page.contains("Found that day"));
    }
}

#[tokio::test]
async fn every_mismatch_and_every_remedy_has_a_sentence_of_its_own() {
    let mut sentences = std::collections::BTreeSet::new();
    for mismatch in Mismatch::NAMES {
        for remedy in Remedy::NAMES {
            let (mismatch, remedy) = (Mismatch::parse(mismatch).unwrap(), Remedy::parse(remedy).unwrap());
            let world = with(&[report_with(tenant(), vec![finding(mismatch, remedy, "detail", 1)])]).await;
            let page = page(&world, &reading_latest()).await;
            let done = page.split("data-label=\"Done\">").nth(1).unwrap().split('<').next().unwrap();
            let what = page.split("<strong>").nth(1).unwrap().split('<').next().unwrap();
            assert!(what.ends_with('.') && done.ends_with('.'), "{what} {done}");
            sentences.extend([what.to_owned(), done.to_owned()]);
        }
    }
    assert_eq!(sentences.len(), Mismatch::NAMES.len() + Remedy::NAMES.len());
}

#[tokio::test]
async fn the_latest_report_is_found_by_either_route_and_names_its_date() {
    let newest = Report {
        started_at: Timestamp::parse("2026-11-24T00:00:00.000Z").unwrap(),
        ..clean_report(tenant())
    };
    let world = with(&[newest, clean_report(tenant())]).await;
    for event in [reading_latest(), reading("latest")] {
        let body = world.get(&event).await.body;
        assert_eq!(body["date"], "2026-11-24");
        let link = "https://api.example.com/v1/reports/reconciliation/2026-11-24";
        assert_eq!(body["_links"]["self"]["href"], link);
        assert_eq!(world.table.take_calls().operations(), ["Query"]);
    }
    assert_eq!(world.get(&reading("2026-11-22")).await.body["date"], "2026-11-22");
}

#[tokio::test]
async fn json_is_for_everybody_who_does_not_prefer_a_page() {
    let world = with(&[clean_report(tenant())]).await;
    for accept in ["application/json", "*/*", "application/json, text/html", "image/png", ""] {
        let reply = world.get(&reading_latest().header("accept", accept)).await;
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")), "{accept}");
        assert_eq!(reply.header("content-security-policy"), None);
    }
    assert_eq!(world.get(&reading_latest().without("/headers/accept")).await.status, 200);
}

#[tokio::test]
async fn what_is_no_day_is_told_and_a_day_without_a_report_is_not_found() {
    let world = with(&[clean_report(tenant())]).await;
    for day in ["yesterday", "2026-11-31", "2026-11-2", "20261122", "1969-12-31", "2026-11-22T00:00:00.000Z"]
    {
        let reply = world.get(&reading(day)).await;
        assert_eq!(reply.problem(), (400, "invalid_parameter"), "{day}");
        assert_eq!(reply.body["param"], "date");
    }
    assert_eq!(world.table.take_calls().count(), 0);
    for day in ["2026-11-21", "1970-01-01", "9999-12-31"] {
        assert_eq!(world.get(&reading(day)).await.problem(), (404, "report_not_found"), "{day}");
    }
    // Also to a browser: a refusal has one form.
    let event = reading("2026-11-21").header("accept", BROWSER);
    assert_eq!(world.get(&event).await.problem(), (404, "report_not_found"));
    let event = reading_latest().with("/rawQueryString", "colour=red");
    let event = event.with("/queryStringParameters", serde_json::json!({ "colour": "red" }));
    assert_eq!(world.get(&event).await.problem(), (400, "unknown_parameter"));
}

#[tokio::test]
async fn a_key_sees_its_own_accounts_report_in_its_own_environment_and_no_other() {
    let world = with(&[report_with(tenant(), found())]).await;
    let strangers = [
        tenant_of(Environment::Live, 1),
        tenant_of(Environment::Sandbox, 2),
        Tenant { environment: Environment::Live, account: AccountId::from_bits(2) },
    ];
    for stranger in strangers {
        for event in [reading("2026-11-22"), reading_latest(), reading_latest().header("accept", BROWSER)] {
            let reply = world.get(&of(event, &stranger)).await;
            assert_eq!(reply.problem(), (404, "report_not_found"), "{stranger:?}");
            assert!(!reply.text.contains(tenant().account.as_str()));
        }
    }
    assert_eq!(world.get(&reading_latest()).await.status, 200);
}

#[tokio::test]
async fn a_report_is_read_with_the_scope_for_refunds() {
    let world = with(&[clean_report(tenant())]).await;
    let scopes = "/requestContext/authorizer/lambda/scopes";
    let with = |given: &str| reading_latest().with(scopes, given);
    let reply = world.get(&with("payments:read payments:write refunds:write webhooks:manage")).await;
    assert_eq!(reply.problem(), (403, "insufficient_scope"));
    assert_eq!(world.table.take_calls().count(), 0);
    assert_eq!(world.get(&with("refunds:read")).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn a_table_that_does_not_answer_for_a_report_says_come_back() {
    let world = with(&[clean_report(tenant())]).await;
    for operation in ["GetItem", "Query"] {
        world.table.fail_always(operation, Fault::throttled());
    }
    for event in [reading("2026-11-22"), reading_latest()] {
        let reply: Reply = world.get(&event).await;
        assert_eq!(reply.problem(), (503, "unavailable"));
    }
}
