//! The faulty proxy between a function and AWS: it is told what to fail, and tells what it did.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How often a function asks AWS before it gives up, as `config` has it.
pub const TRIES: u32 = 3;
/// How long all tries of a call may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// The proxy does not say when it was asked, so whoever waits for that asks again this often.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// AWS refuses it for load.
    Throttled,
    /// The connection breaks before AWS has it.
    NeverArrived,
    /// AWS does it, and the connection breaks before the answer arrives.
    AnswerLost,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Throttled, Self::NeverArrived, Self::AnswerLost];

    /// In the proxy's words.
    fn rule(self) -> Value {
        match self {
            Self::Throttled => json!({ "error": { "code": "ThrottlingException" } }),
            Self::NeverArrived => json!({ "reset": true }),
            Self::AnswerLost => json!({ "response": { "abort_bytes": 0 } }),
        }
    }
}

/// The proxy.
pub struct Proxy {
    http: reqwest::Client,
    /// Where it listens.
    pub url: String,
}

impl Proxy {
    /// The proxy that `make faults` has started. Without it nothing would fail, and a test would prove nothing.
    pub fn running() -> Self {
        let url = std::env::var("RECOUP_FAULTS_URL").unwrap_or_else(|_| {
            panic!("RECOUP_FAULTS_URL is not set: run `make faults`, which starts the faulty proxy")
        });
        Self { http: reqwest::Client::new(), url }
    }

    /// Adds rules, the first of which that fits a call decides it; the answer names the last of them.
    async fn add(&self, rules: Value) -> u64 {
        let request = self.http.patch(format!("{}/_microburst/rules", self.url)).json(&rules);
        let added: Value = request.send().await.expect("the proxy answers").json().await.expect("JSON");
        let last = added.as_array().and_then(|added| added.last());
        last.and_then(|rule| rule["id"].as_u64()).unwrap_or_else(|| panic!("refused {rules}: {added}"))
    }

    /// Watches every call that tells of this text, and lets it pass.
    pub async fn watch(&self, text: &str) -> u64 {
        let pass = json!([{ "body": told(text), "latency": { "min": 0, "max": 0 } }]);
        self.add(pass).await
    }

    /// Fails the call number `call`, from 1, that tells of this text, and its next `times - 1` tries; watches what
    /// follows. The answer names the two rules.
    pub async fn fail(&self, text: &str, call: usize, fault: Fault, times: u32) -> (u64, u64) {
        let before = call.saturating_sub(1);
        if before > 0 {
            let pass = json!({ "body": told(text), "latency": { "min": 0, "max": 0 }, "times": before });
            self.add(json!([pass])).await;
        }
        let mut rule = fault.rule();
        rule["body"] = told(text).into();
        rule["times"] = times.into();
        let failing = self.add(json!([rule])).await;
        (failing, self.watch(text).await)
    }

    /// Fails the next call of this action of SQS, whatever it is about.
    pub async fn fail_sqs(&self, action: &str, fault: Fault) -> u64 {
        let mut rule = match fault {
            // The proxy writes SQS's own throttling with a code that SQS does not have.
            Fault::Throttled => json!({ "error": { "code": "ServiceUnavailable", "status": 503 } }),
            Fault::NeverArrived | Fault::AnswerLost => fault.rule(),
        };
        rule["service"] = "sqs".into();
        rule["operation"] = action.into();
        rule["times"] = 1.into();
        self.add(json!([rule])).await
    }

    /// The same, once there are so many: a refund may have ended before a function gives its last try up.
    pub async fn applied_times(&self, rule: u64, times: usize) -> Vec<String> {
        let started = Instant::now();
        loop {
            let applied = self.applied(rule).await;
            if applied.len() >= times || started.elapsed() > PATIENCE {
                return applied;
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }

    /// The actions of the calls that a rule was applied to.
    pub async fn applied(&self, rule: u64) -> Vec<String> {
        let url = format!("{}/_microburst/fired?limit=2000&rule_id={rule}", self.url);
        let fired = self.http.get(url).send().await.expect("the proxy answers");
        let fired: Value = fired.json().await.expect("what it did");
        let fired = fired.as_array().expect("a list").iter();
        fired.map(|call| call["operation"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

/// Whether a body tells of a text, as the proxy asks.
fn told(text: &str) -> String {
    format!("contains(to_string(@), '{text}')")
}
