//! `latest_reports` and `index_accounts`, driven with commands over a real table.

use std::sync::atomic::{AtomicU64, Ordering};

use lambda_runtime::Diagnostic;
use recoup_domain::ids::{AccountId, Environment, Tenant};
use recoup_domain::report::{Finding, Mismatch, Remedy, Report};
use recoup_ports::credentials::{Accounts, NewAccount};
use recoup_ports::reports::{KeepReports, Tenants};
use recoup_testing::fixtures;
use recoup_testing::reports::{clean_report, finding, report_with};
use recoup_testing::{Fault, TestTable};
use serde_json::{Value, json};

use crate::world::{Admin, admin, handle};

fn random() -> u128 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    u128::from(LAST.fetch_add(1, Ordering::Relaxed)) << 64
}

struct World {
    table: TestTable,
    context: Admin,
}

impl World {
    /// So many accounts, each in both environments.
    async fn with(accounts: u128) -> Self {
        let table = TestTable::new();
        for number in 1..=accounts {
            let account = NewAccount {
                id: AccountId::from_bits(number),
                name: "Shop".to_owned(),
                sandbox_secret: fixtures::plain_secret(1),
                live_secret: fixtures::plain_secret(2),
                created_at: fixtures::now(),
            };
            table.store().create_account(&account).await.unwrap();
        }
        let context = admin(&table, fixtures::now, random);
        Self { table, context }
    }

    async fn keep(&self, report: &Report) {
        self.table.store().keep_report(report).await.unwrap();
    }

    async fn does(&self, command: Value) -> Value {
        handle(&self.context, command).await.unwrap()
    }

    async fn refuses(&self, command: Value) -> Diagnostic {
        handle(&self.context, command).await.unwrap_err().into()
    }

    async fn latest(&self) -> Value {
        self.does(json!({ "command": "latest_reports" })).await
    }

    /// Takes an account out of the index, as a version before it left it.
    async fn unlist(&self, tenant: &Tenant) {
        let pk = format!("{}#{}", tenant.environment.as_str(), tenant.account);
        let update = self.table.plain().update_item().table_name(self.table.name());
        let update = update.key("pk", text(&pk)).key("sk", text("account"));
        update.update_expression("REMOVE list_pk, list_sk").send().await.unwrap();
    }
}

fn text(text: &str) -> aws_sdk_dynamodb::types::AttributeValue {
    aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned())
}

fn live(account: u128) -> Tenant {
    fixtures::tenant_of(Environment::Live, account)
}

fn sandbox(account: u128) -> Tenant {
    fixtures::tenant_of(Environment::Sandbox, account)
}

fn missing_job() -> Vec<Finding> {
    vec![finding(Mismatch::JobMissing, Remedy::SentFor, "initiated for two hours", 1)]
}

#[tokio::test]
async fn only_reports_with_findings_are_shown_and_all_accounts_are_counted() {
    let world = World::with(30).await;
    let nothing = json!({
        "accounts": 60, "without_report": 60, "incomplete": 0, "with_drift": 0, "reports": [], "more": false,
    });
    assert_eq!(world.latest().await, nothing);

    world.keep(&clean_report(live(1))).await;
    world.keep(&Report { complete: false, ..clean_report(sandbox(2)) }).await;
    world.keep(&report_with(live(3), missing_job())).await;
    // What an earlier run of the day had found is worth a look, too, and is no drift any more.
    world.keep(&Report { drift: 0, ..report_with(sandbox(30), missing_job()) }).await;
    let told = world.latest().await;
    let counts =
        ["accounts", "without_report", "incomplete", "with_drift"].map(|name| told[name].as_u64().unwrap());
    assert_eq!((counts, &told["more"]), ([60, 56, 1, 1], &json!(false)));
    let of = |report: &Value| {
        (report["environment"].clone(), report["account_id"].clone(), report["drift"].clone())
    };
    let reports: Vec<_> = told["reports"].as_array().unwrap().iter().map(of).collect();
    let expected = [(live(3), 1), (sandbox(30), 0)].map(|(tenant, drift)| {
        (json!(tenant.environment.as_str()), json!(tenant.account.as_str()), json!(drift))
    });
    assert_eq!(reports, expected);
    // Whole, as the account itself would see it, but for the link.
    assert_eq!(
        told["reports"][0],
        json!({
            "object": "reconciliation_report", "date": "2026-11-22",
            "environment": "live", "account_id": live(3).account.as_str(),
            "started_at": "2026-11-22T09:30:00.000Z", "ended_at": "2026-11-22T09:30:02.000Z",
            "from": "2026-11-19T09:30:00.000Z", "complete": true,
            "checked": { "refunds": 1204, "payments": 890, "events": 2611, "asked": 37, "waiting": 12 },
            "drift": 1,
            "findings": [{
                "mismatch": "job_missing", "refund_id": missing_job()[0].refund.as_ref().unwrap().as_str(),
                "payment_id": "pay_926ap9a2ioesd1p0qsfjuk1bvv", "detail": "initiated for two hours",
                "remedy": "sent_for", "found_at": "2026-11-22T09:30:00.001Z",
            }],
        })
    );
}

#[tokio::test]
async fn only_the_newest_report_of_an_account_counts() {
    let world = World::with(1).await;
    world.keep(&report_with(live(1), missing_job())).await;
    let next_day = fixtures::later(24 * 3_600_000);
    world.keep(&Report { started_at: next_day, ..clean_report(live(1)) }).await;
    let told = world.latest().await;
    assert_eq!((&told["with_drift"], &told["reports"]), (&json!(0), &json!([])));
}

#[tokio::test]
async fn at_most_fifty_reports_are_told_and_that_there_are_more() {
    let world = World::with(26).await;
    for account in 1..=25 {
        world.keep(&report_with(live(account), missing_job())).await;
        world.keep(&report_with(sandbox(account), missing_job())).await;
    }
    let told = world.latest().await;
    assert_eq!((told["reports"].as_array().unwrap().len(), &told["more"]), (50, &json!(false)));
    world.keep(&report_with(live(26), missing_job())).await;
    let told = world.latest().await;
    assert_eq!((told["reports"].as_array().unwrap().len(), &told["more"]), (50, &json!(true)));
    assert_eq!(told["with_drift"], 51, "all of them are counted");
}

#[tokio::test]
async fn reports_full_of_findings_still_fit_into_an_answer() {
    let world = World::with(9).await;
    let detail = "\"".repeat(255);
    let many: Vec<Finding> =
        (0..500).map(|number| finding(Mismatch::AmountAstray, Remedy::None, &detail, number)).collect();
    for account in 1..=9 {
        world.keep(&report_with(live(account), many.clone())).await;
    }
    let told = world.latest().await;
    assert_eq!((&told["with_drift"], &told["more"]), (&json!(9), &json!(true)));
    assert!(told["reports"].as_array().unwrap().len() >= 5);
    let bytes = told.to_string().len();
    assert!(bytes < 6_000_000, "{bytes}");
}

#[tokio::test]
async fn an_account_of_an_earlier_version_is_counted_once_it_is_indexed() {
    let world = World::with(2).await;
    for tenant in [live(1), sandbox(1)] {
        world.unlist(&tenant).await;
    }
    assert_eq!(world.latest().await["accounts"], 2);
    let (known, nobody) = (live(1).account, AccountId::from_bits(9));
    let index = json!({ "command": "index_accounts", "account_ids": [known.as_str(), nobody.as_str()] });
    for _ in 0..2 {
        let told = world.does(index.clone()).await;
        assert_eq!(told, json!({ "indexed": [known.as_str()], "unknown": [nobody.as_str()] }));
        assert_eq!(world.latest().await["accounts"], 4);
    }
    let tenants = world.table.store().tenants(None, 10).await.unwrap();
    assert_eq!(tenants, [live(1), live(2), sandbox(1), sandbox(2)]);
}

#[tokio::test]
async fn a_command_about_reports_that_is_wrong_is_told_why() {
    let world = World::with(1).await;
    world.unlist(&live(1)).await;
    let account = live(1).account;
    let many = vec![account.as_str(); 101];
    for (command, told) in [
        (json!({ "command": "latest_reports", "account_id": account.as_str() }), "account_id"),
        (json!({ "command": "index_accounts" }), "account_ids"),
        (json!({ "command": "index_accounts", "account_ids": [] }), "1 to 100"),
        (json!({ "command": "index_accounts", "account_ids": many }), "1 to 100"),
        (json!({ "command": "index_accounts", "account_ids": [account.as_str(), "me"] }), "must be acct_"),
    ] {
        let diagnostic = world.refuses(command.clone()).await;
        assert_eq!(diagnostic.error_type, "InvalidCommand", "{command}");
        assert!(diagnostic.error_message.contains(told), "{command}: {}", diagnostic.error_message);
    }
    assert_eq!(world.latest().await["accounts"], 1, "nothing was written");
}

#[tokio::test(start_paused = true)]
async fn a_table_that_fails_while_reports_are_read_is_told_as_that() {
    let world = World::with(1).await;
    world.table.fail_always("Query", Fault::throttled());
    assert_eq!(world.refuses(json!({ "command": "latest_reports" })).await.error_type, "Unavailable");
    world.table.fail_always("UpdateItem", Fault::throttled());
    let index = json!({ "command": "index_accounts", "account_ids": [live(1).account.as_str()] });
    assert_eq!(world.refuses(index).await.error_type, "Unavailable");
}
