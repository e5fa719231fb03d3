//! Reports of reconciliations, and the accounts they are made for.

use aws_sdk_dynamodb::types::AttributeValue;
use recoup_domain::ids::{AccountId, Environment, RefundId, Tenant};
use recoup_domain::report::{Finding, Mismatch, Remedy, Report};
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;
use recoup_ports::credentials::{Accounts, NewAccount};
use recoup_ports::images::{Images, Shown};
use recoup_ports::reports::{KeepReports, ListTenants, Listed, Reports, Tenants};
use recoup_ports::webhooks::WebhookSecrets;
use recoup_ports::{ReadError, WriteError};
use recoup_storage::TableImages;
use recoup_testing::fixtures::{self, later, now, payment_id, tenant, tenant_of};
use recoup_testing::reports::{clean_report, finding, report_with};
use recoup_testing::{Fault, TestTable, item_bytes};

fn account(number: u128) -> NewAccount {
    NewAccount {
        id: AccountId::from_bits(number),
        name: "Shop".to_owned(),
        sandbox_secret: fixtures::plain_secret(1),
        live_secret: fixtures::plain_secret(2),
        created_at: now(),
    }
}

/// Two accounts in two environments, in the order of the index.
fn four_tenants() -> Vec<Tenant> {
    let environments = [Environment::Live, Environment::Sandbox];
    environments
        .into_iter()
        .flat_map(|environment| [1, 2].map(|number| tenant_of(environment, number)))
        .collect()
}

fn on(report: Report, day: &str) -> Report {
    Report { started_at: Timestamp::parse(&format!("{day}T23:59:59.999Z")).unwrap(), ..report }
}

fn every_kind_of_finding() -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, mismatch) in Mismatch::NAMES.iter().enumerate() {
        for remedy in Remedy::NAMES {
            let mismatch = Mismatch::parse(mismatch).unwrap();
            let millis = u64::try_from(number).unwrap();
            findings.push(finding(mismatch, Remedy::parse(remedy).unwrap(), "3100 is 3000 + 0 + 0", millis));
        }
    }
    findings[0].refund = None;
    findings[1].payment = None;
    (findings[2].refund, findings[2].payment) = (None, None);
    findings
}

/// As large as findings can be, in this letter.
fn largest(letter: &str) -> Report {
    let one = |number: u128| Finding {
        mismatch: Mismatch::SucceededAfterFailure,
        refund: Some(RefundId::from_bits(number)),
        payment: Some(payment_id(&"p".repeat(64))),
        detail: Text::new(letter.repeat(255)).unwrap(),
        remedy: Remedy::Announced,
        found_at: later(1),
    };
    report_with(tenant(), (0..500).map(one).collect())
}

#[tokio::test]
async fn a_report_comes_back_as_it_was_kept_in_one_call() {
    let table = TestTable::new();
    let store = table.store();
    let mut report = report_with(tenant(), every_kind_of_finding());
    (report.complete, report.drift) = (false, u64::MAX);
    store.keep_report(&report).await.unwrap();
    assert_eq!(table.take_calls().operations(), ["PutItem"]);
    assert_eq!(store.report(&tenant(), "2026-11-22").await.unwrap(), Some(report.clone()));
    assert_eq!(table.take_calls().operations(), ["GetItem"]);
    assert_eq!(store.latest_report(&tenant()).await.unwrap(), Some(report));
    assert_eq!(table.take_calls().operations(), ["Query"]);
    assert_eq!(store.report(&tenant(), "2026-11-21").await.unwrap(), None);
}

#[tokio::test]
async fn a_later_run_of_the_day_takes_the_place_of_the_one_before() {
    let table = TestTable::new();
    let store = table.store();
    store.keep_report(&report_with(tenant(), every_kind_of_finding())).await.unwrap();
    let later = Report { started_at: later(3_600_000), ..clean_report(tenant()) };
    store.keep_report(&later).await.unwrap();
    assert_eq!(store.report(&tenant(), "2026-11-22").await.unwrap(), Some(later));
    assert_eq!(table.items().await.len(), 1);
}

#[tokio::test]
async fn the_latest_report_is_that_of_the_newest_date_whenever_it_was_written() {
    let table = TestTable::new();
    let store = table.store();
    assert_eq!(store.latest_report(&tenant()).await.unwrap(), None);
    for day in ["2026-09-30", "2027-01-01", "2026-12-31", "2026-10-01"] {
        store.keep_report(&on(clean_report(tenant()), day)).await.unwrap();
    }
    assert_eq!(store.latest_report(&tenant()).await.unwrap().unwrap().date(), "2027-01-01");
}

#[tokio::test]
async fn nobody_sees_the_reports_of_another_account_or_environment() {
    let table = TestTable::new();
    let store = table.store();
    let tenants = four_tenants();
    for (drift, tenant) in (1..).zip(&tenants) {
        let found = store.report(tenant, "2026-11-22").await.unwrap();
        assert_eq!((found, store.latest_report(tenant).await.unwrap()), (None, None), "{tenant:?}");
        let report = Report { drift, ..clean_report(tenant.clone()) };
        store.keep_report(&report).await.unwrap();
    }
    for (drift, tenant) in (1..).zip(&tenants) {
        let found = store.report(tenant, "2026-11-22").await.unwrap().unwrap();
        assert_eq!((&found.tenant, found.drift), (tenant, drift));
        assert_eq!(store.latest_report(tenant).await.unwrap(), Some(found));
    }
}

#[tokio::test]
async fn a_report_goes_after_four_hundred_days() {
    let table = TestTable::new();
    table.store().keep_report(&clean_report(tenant())).await.unwrap();
    let item = table.item("2026-11-22").await;
    let expires_at: u64 = item["expires_at"].as_n().unwrap().parse().unwrap();
    assert_eq!(expires_at, now().unix_millis() / 1_000 + 400 * 24 * 3_600);
    assert!(!item.contains_key("list_pk") && !item.contains_key("due_pk"), "no index lists it");
}

#[tokio::test]
async fn a_report_full_of_findings_stays_far_below_what_an_item_may_have() {
    // One byte a letter: all of them are kept.
    let table = TestTable::new();
    let (plain, four_bytes) = (largest("a"), largest("\u{1f4b6}"));
    table.store().keep_report(&plain).await.unwrap();
    let bytes = item_bytes(&table.item("2026-11-22").await);
    println!("500 findings: {bytes} B");
    assert!((200_000..300_000).contains(&bytes), "{bytes}");
    assert_eq!(table.store().report(&tenant(), "2026-11-22").await.unwrap(), Some(plain));

    // Four bytes a letter: the last ones are kept.
    table.store().keep_report(&four_bytes).await.unwrap();
    let bytes = item_bytes(&table.item("2026-11-22").await);
    assert!((200_000..310_000).contains(&bytes), "{bytes}");
    let kept = table.store().report(&tenant(), "2026-11-22").await.unwrap().unwrap();
    let forgotten = 500 - kept.findings.len();
    assert!((1..300).contains(&forgotten), "{forgotten}");
    assert_eq!(kept.findings, four_bytes.findings[forgotten..]);
    assert_eq!(kept.drift, 500);
}

#[tokio::test]
async fn a_report_is_nothing_that_the_stream_has_to_tell() {
    let table = TestTable::new();
    table.store().keep_report(&clean_report(tenant())).await.unwrap();
    for record in table.stream_records(None) {
        let image = record["dynamodb"]["NewImage"].as_object().unwrap();
        assert!(matches!(TableImages.shown(image), Ok(Shown::Other)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_that_does_not_answer_is_told_as_that() {
    let table = TestTable::new();
    let store = table.store();
    for operation in ["GetItem", "Query", "PutItem", "UpdateItem"] {
        table.fail_always(operation, Fault::throttled());
    }
    assert!(matches!(store.report(&tenant(), "2026-11-22").await, Err(ReadError::Unavailable(_))));
    assert!(matches!(store.latest_report(&tenant()).await, Err(ReadError::Unavailable(_))));
    assert!(matches!(store.tenants(None, 1).await, Err(ReadError::Unavailable(_))));
    assert!(matches!(store.list_tenant(&tenant()).await, Err(WriteError::Unavailable(_))));
    let kept = store.keep_report(&clean_report(tenant())).await;
    assert!(matches!(kept, Err(WriteError::Unavailable(_))));
}

#[tokio::test]
async fn every_account_is_listed_in_each_environment_page_by_page() {
    let table = TestTable::new();
    let store = table.store();
    assert_eq!(store.tenants(None, 10).await.unwrap(), []);
    for number in [2, 1] {
        store.create_account(&account(number)).await.unwrap();
    }
    let all = four_tenants();
    table.take_calls();
    assert_eq!(store.tenants(None, 10).await.unwrap(), all);
    assert_eq!(table.take_calls().operations(), ["Query"]);
    for limit in 1..=4 {
        let (mut found, mut behind) = (Vec::new(), None);
        loop {
            let page = store.tenants(behind.as_ref(), limit).await.unwrap();
            assert!(page.len() <= usize::from(limit));
            let Some(last) = page.last() else { break };
            behind = Some(last.clone());
            found.extend(page);
        }
        assert_eq!(found, all, "{limit} at a time");
    }
    assert_eq!(store.tenants(None, 0).await.unwrap(), []);
}

#[tokio::test]
async fn no_refund_is_listed_among_the_accounts() {
    let (bench, _) = crate::bench::Bench::with_refund().await;
    assert_eq!(bench.store.tenants(None, 10).await.unwrap(), []);
}

#[tokio::test]
async fn an_account_of_an_earlier_version_is_listed_once_that_is_asked_for() {
    let table = TestTable::new();
    let store = table.store();
    store.create_account(&account(1)).await.unwrap();
    let (sandbox, live) = (tenant_of(Environment::Sandbox, 1), tenant_of(Environment::Live, 1));
    for tenant in [&sandbox, &live] {
        let pk = format!("{}#{}", tenant.environment.as_str(), tenant.account);
        let update = table.plain().update_item().table_name(table.name());
        let update =
            update.key("pk", AttributeValue::S(pk)).key("sk", AttributeValue::S("account".to_owned()));
        update.update_expression("REMOVE list_pk, list_sk").send().await.unwrap();
    }
    assert_eq!(store.tenants(None, 10).await.unwrap(), []);
    let secrets = store.webhook_secrets(&sandbox).await.unwrap();
    assert!(secrets.is_some(), "it is read as before");
    for _ in 0..2 {
        assert_eq!(store.list_tenant(&sandbox).await.unwrap(), Listed::Yes);
        assert_eq!(store.tenants(None, 10).await.unwrap(), std::slice::from_ref(&sandbox));
    }
    assert_eq!(store.webhook_secrets(&sandbox).await.unwrap(), secrets);
    let nobody = tenant_of(Environment::Sandbox, 9);
    assert_eq!(store.list_tenant(&nobody).await.unwrap(), Listed::NoSuchAccount);
    assert_eq!(table.items().await.len(), 2, "nothing was made by listing nothing");
}
