//! The running stack, as `.local/env` describes it: its API, and its queues and table from behind.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::types::{AttributeAction, AttributeValue, AttributeValueUpdate};
use recoup_config::{Aws, Settings};
use recoup_domain::api_key::Scope;
use recoup_storage::Table;
use serde_json::{Value, json};

use crate::Account;

/// How long something may take that happens by itself on a healthy stack.
const PATIENCE: Duration = Duration::from_mins(1);

/// The stack under test.
#[derive(Clone)]
pub struct Stack {
    url: String,
    sqs: aws_sdk_sqs::Client,
    dynamodb: aws_sdk_dynamodb::Client,
    lambda: aws_sdk_lambda::Client,
    secrets: aws_sdk_secretsmanager::Client,
    http: reqwest::Client,
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run `make deployed`, or this under `.local/on-stack`, once `make up` has made it")
    })
}

impl Stack {
    /// The stack that the environment names.
    pub fn running() -> Self {
        let aws = Aws::from_settings(&Settings::from_environment()).expect("the stack's values");
        // Functions that look at every account take their time, and an invocation is not repeated behind the test's back.
        let patient = TimeoutConfig::builder().operation_attempt_timeout(PATIENCE).build();
        let invoking = aws.config_at(None).to_builder().timeout_config(patient);
        let invoking = invoking.retry_config(RetryConfig::disabled()).build();
        let http = reqwest::Client::builder().timeout(PATIENCE).build().expect("an HTTP client");
        Self {
            url: variable("RECOUP_URL"),
            sqs: aws.sqs(),
            dynamodb: aws.dynamodb(),
            lambda: aws_sdk_lambda::Client::new(&invoking),
            secrets: aws.secrets(),
            http,
        }
    }

    /// The same API with another `Authorization` header, or none.
    pub fn with_authorization(&self, authorization: Option<&str>) -> Account {
        Account::new(self.http.clone(), self.url.clone(), authorization.map(str::to_owned))
    }

    /// Runs one command of `admin`, by `tests` unless it says by whom; the error is its own sentence.
    pub async fn admin(&self, mut command: Value) -> Result<Value, String> {
        if let Some(fields) = command.as_object_mut() {
            fields.entry("operator").or_insert("tests".into());
        }
        let request = self.lambda.invoke().function_name(variable("RECOUP_ADMIN_FUNCTION"));
        let request = request.payload(command.to_string().into_bytes().into());
        let answer = request.send().await.expect("admin answers");
        let payload = answer.payload.expect("a payload").into_inner();
        let payload: Value = serde_json::from_slice(&payload).expect("JSON");
        match answer.function_error {
            None => Ok(payload),
            Some(_) => Err(payload["errorMessage"].as_str().unwrap_or_default().to_owned()),
        }
    }

    /// A new account with a sandbox key that may do everything.
    pub async fn new_account(&self) -> Account {
        let made =
            self.admin(json!({ "command": "create_account", "name": "Test" })).await.expect("an account");
        let webhook_secret = made["webhook_secrets"]["sandbox"].as_str().unwrap().to_owned();
        let mut account = self.caller(made["account_id"].as_str().unwrap(), "sandbox").await;
        account.webhook_secret = webhook_secret;
        account
    }

    /// A caller of an account in an environment, with a new key that may do everything.
    pub async fn caller(&self, id: &str, environment: &str) -> Account {
        let key = self.credential("create_api_key", id, environment).await;
        let bearer = format!("Bearer {}", key["secret"].as_str().unwrap());
        let mut caller = self.with_authorization(Some(&bearer));
        id.clone_into(&mut caller.id);
        caller
    }

    /// A secret of the stack itself, by its logical id: what whoever has read it knows.
    pub async fn secret(&self, logical_id: &str) -> String {
        let listed = self.secrets.list_secrets().send().await.expect("the secrets are listed").secret_list;
        let listed = listed.unwrap_or_default();
        let of_stack = |name: &str| name.contains(logical_id);
        let secret = listed.iter().find(|secret| secret.name().is_some_and(of_stack));
        let arn = secret.and_then(|secret| secret.arn()).expect("the stack has that secret");
        let value = self.secrets.get_secret_value().secret_id(arn).send().await.expect("the secret is read");
        value.secret_string.expect("a text")
    }

    /// Runs `create_api_key` or `create_client` for a credential that may do everything.
    pub async fn credential(&self, command: &str, account_id: &str, environment: &str) -> Value {
        // In live, scopes must be named.
        let scopes = Scope::ALL.map(Scope::as_str);
        let wanted = json!({
            "command": command, "account_id": account_id, "environment": environment, "scopes": scopes,
        });
        self.admin(wanted).await.expect("a credential")
    }

    /// Stores an account's keys at a processor, as an operator would; `of` is `{environment}/{account}/{processor}`.
    pub async fn store_keys(&self, of: &str, keys: &Value) {
        let stack = variable("RECOUP_ADMIN_FUNCTION").replace("-admin", "");
        let request = self.secrets.create_secret().name(format!("{stack}/processors/{of}"));
        request.secret_string(keys.to_string()).send().await.expect("the secret is stored");
    }

    /// Puts a message on a queue, named by its variable in `.local/env`.
    pub async fn send(&self, queue: &str, body: &str) {
        let request = self.sqs.send_message().queue_url(variable(queue)).message_body(body);
        request.send().await.expect("the queue takes a message");
    }

    /// Waits for a message on a queue that `wanted` accepts; the others stay.
    pub async fn message(&self, queue: &str, wanted: impl Fn(&str) -> bool) -> String {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let request = self.sqs.receive_message().queue_url(variable(queue)).wait_time_seconds(1);
            let request = request.max_number_of_messages(10).visibility_timeout(1);
            let received = request.send().await.expect("the queue gives messages").messages;
            for message in received.unwrap_or_default() {
                let body = message.body.unwrap_or_default();
                if wanted(&body) {
                    return body;
                }
            }
        }
        panic!("no such message on {queue} within {PATIENCE:?}");
    }

    /// Lets release-due run now instead of at the next minute.
    pub async fn release_due(&self) -> Value {
        self.invoke("release-due", &json!({})).await
    }

    /// Compares the books now instead of at the next hour.
    pub async fn reconcile(&self, scope: Value) -> Value {
        self.invoke("reconcile", &scope).await
    }

    async fn invoke(&self, function: &str, payload: &Value) -> Value {
        let name = variable("RECOUP_ADMIN_FUNCTION").replace("-admin", &format!("-{function}"));
        let request =
            self.lambda.invoke().function_name(name).payload(payload.to_string().into_bytes().into());
        let answer = request.send().await.expect("the function answers");
        let payload = answer.payload.expect("a payload").into_inner();
        serde_json::from_slice(&payload).expect("JSON")
    }

    /// Writes a number into an item, behind everybody's back.
    pub async fn set_number(&self, pk: &str, sk: &str, name: &str, value: u64) {
        let update = AttributeValueUpdate::builder().value(AttributeValue::N(value.to_string()));
        let request = self.dynamodb.update_item().table_name(variable("RECOUP_TABLE"));
        let request = request.key("pk", AttributeValue::S(pk.to_owned()));
        let request = request.key("sk", AttributeValue::S(sk.to_owned()));
        let request = request.attribute_updates(name, update.action(AttributeAction::Put).build());
        request.send().await.expect("the table takes a change");
    }

    /// Makes a delivery one that rests in the table, behind everybody's back.
    pub async fn rest(&self, pk: &str, sk: &str, texts: &[(&str, &str)]) {
        let set = |text: &str| {
            let value = AttributeValueUpdate::builder().value(AttributeValue::S(text.to_owned()));
            value.action(AttributeAction::Put).build()
        };
        let mut changes: HashMap<String, AttributeValueUpdate> =
            texts.iter().map(|(name, text)| ((*name).to_owned(), set(text))).collect();
        let rests = AttributeValueUpdate::builder().value(AttributeValue::Bool(true));
        changes.insert("rests".to_owned(), rests.action(AttributeAction::Put).build());
        let request = self.dynamodb.update_item().table_name(variable("RECOUP_TABLE"));
        let request = request.key("pk", AttributeValue::S(pk.to_owned()));
        let request =
            request.key("sk", AttributeValue::S(sk.to_owned())).set_attribute_updates(Some(changes));
        request.send().await.expect("the table takes a change");
    }

    /// Makes a refund that has succeeded one that was never worked on, behind everybody's back: no change is announced
    /// and no job is sent.
    pub async fn undo_end(&self, account_id: &str, refund: &str) {
        let key = AttributeValue::S(format!("sandbox#{account_id}#refund#{refund}"));
        let request = self.dynamodb.update_item().table_name(variable("RECOUP_TABLE")).key("pk", key);
        let request = request.key("sk", AttributeValue::S("refund".to_owned()));
        let request =
            request.update_expression("SET #status = :to REMOVE handed_over_at, processor_reference");
        let request = request.expression_attribute_names("#status", "status");
        let request = request.expression_attribute_values(":to", AttributeValue::S("initiated".to_owned()));
        request.send().await.expect("the table takes a change");
    }

    /// The table, as the functions use it.
    pub fn table(&self) -> Table {
        Table::new(self.dynamodb.clone(), variable("RECOUP_TABLE"))
    }

    /// Writes an item into the table, behind everybody's back.
    pub async fn put_item(&self, texts: &[(&str, &str)]) {
        let item: HashMap<String, AttributeValue> = texts
            .iter()
            .map(|(name, text)| ((*name).to_owned(), AttributeValue::S((*text).to_owned())))
            .collect();
        let request = self.dynamodb.put_item().table_name(variable("RECOUP_TABLE")).set_item(Some(item));
        request.send().await.expect("the table takes an item");
    }
}
