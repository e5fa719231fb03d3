//! Reports of reconciliations, read through the gateway: by their account, by nobody else, and by the administrator.

use recoup_deployed_tests::Stack;
use recoup_domain::ids::{AccountId, Environment, RefundId, Tenant};
use recoup_domain::report::{Checked, Finding, Mismatch, Remedy, Report};
use recoup_domain::text::Text;
use recoup_domain::time::Timestamp;
use recoup_ports::reports::KeepReports;
use serde_json::json;

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

fn report(account: &str, day: &str) -> Report {
    let at = Timestamp::of_day(day).unwrap();
    let finding = Finding {
        mismatch: Mismatch::AmountAstray,
        refund: Some(RefundId::from_bits(1)),
        payment: None,
        detail: Text::new("<b>3100</b> is 1600 + 1400 + 0".to_owned()).unwrap(),
        remedy: Remedy::None,
        found_at: at,
    };
    Report {
        tenant: Tenant { environment: Environment::Sandbox, account: AccountId::try_from(account).unwrap() },
        started_at: at,
        ended_at: at,
        from: at,
        complete: true,
        checked: Checked { refunds: 1, ..Checked::default() },
        drift: 1,
        findings: vec![finding],
    }
}

#[tokio::test]
async fn a_report_is_read_as_json_and_as_a_page_by_its_account_alone() {
    let stack = Stack::running();
    let (owner, other) = (stack.new_account().await, stack.new_account().await);
    // A run of the stack's own may be faster than this test, but it is never on these days.
    for day in ["9999-12-30", "9999-12-31"] {
        stack.table().keep_report(&report(&owner.id, day)).await.unwrap();
    }
    let [latest, first] = ["latest", "9999-12-30"].map(|day| format!("/v1/reports/reconciliation/{day}"));
    let answer = owner.get(&first).await;
    assert_eq!((answer.status, answer.text("date")), (200, "9999-12-30"), "{:?}", answer.body);
    assert_eq!(answer.text("account_id"), owner.id);
    assert_eq!(answer.body["findings"][0]["detail"], "<b>3100</b> is 1600 + 1400 + 0");
    let newest = owner.get(&latest).await;
    assert_eq!((newest.status, newest.text("date")), (200, "9999-12-31"), "{:?}", newest.body);

    let page = owner.send("GET", &latest, &[BROWSER], None).await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert_eq!(page.header("content-security-policy"), "default-src 'none'; style-src 'unsafe-inline'");
    let page = page.body.as_str().expect("a page");
    assert!(page.contains(">1 mismatch</h1>") && page.contains("&lt;b&gt;3100&lt;/b&gt;"), "{page}");

    for stranger in [other, stack.caller(&owner.id, "live").await] {
        for headers in [&[][..], &[BROWSER]] {
            let answer = stranger.send("GET", &first, headers, None).await;
            assert_eq!((answer.status, answer.text("code")), (404, "report_not_found"), "{:?}", answer.body);
        }
        assert_ne!(stranger.get(&latest).await.text("date"), "9999-12-31");
    }
}

#[tokio::test]
async fn the_administrator_sees_what_was_found_in_any_account() {
    let stack = Stack::running();
    let before = stack.admin(json!({ "command": "latest_reports" })).await.unwrap();
    let account_id = stack.new_account().await.id;
    stack.table().keep_report(&report(&account_id, "9999-12-31")).await.unwrap();
    let told = stack.admin(json!({ "command": "latest_reports" })).await.unwrap();
    let grown = |name: &str| told[name].as_u64().unwrap() - before[name].as_u64().unwrap();
    assert!(grown("accounts") >= 2 && grown("with_drift") >= 1, "{told} after {before}");
    let index = json!({ "command": "index_accounts", "account_ids": [account_id] });
    assert_eq!(stack.admin(index).await.unwrap(), json!({ "indexed": [account_id], "unknown": [] }));
}
