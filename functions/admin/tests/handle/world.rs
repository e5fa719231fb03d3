//! `admin` over a real table.

use std::sync::Mutex;

use admin::{AdminError, Context};
use lambda_runtime::{Context as Invocation, LambdaEvent};
use recoup_domain::time::Timestamp;
use recoup_ports::direct::{CheckKeys, CheckKeysError, KeysCheck, KeysChecked};
use recoup_storage::{CredentialsTable, Table, TableImages};
use recoup_testing::seals::TestKey;
use recoup_testing::{TestKeyrings, TestTable};
use serde_json::Value;

use crate::given_up::GivenUp;

pub(crate) type Admin =
    Context<Table, CredentialsTable, TestKeyrings, TestKey, GivenUp, TableImages, Processors>;

/// Notes whose key is tried, and says what came of it.
pub(crate) struct Processors {
    pub(crate) says: Option<KeysChecked>,
    pub(crate) asked: Mutex<Vec<KeysCheck>>,
}

impl CheckKeys for Processors {
    async fn check_keys(&self, check: &KeysCheck) -> Result<KeysChecked, CheckKeysError> {
        self.asked.lock().unwrap().push(check.clone());
        self.says.ok_or_else(|| CheckKeysError("it is away".into()))
    }
}

/// Gives a command; by `jo`, unless it says by whom.
pub(crate) async fn handle(admin: &Admin, mut command: Value) -> Result<Value, AdminError> {
    if let Some(fields) = command.as_object_mut() {
        fields.entry("operator").or_insert("jo".into());
    }
    admin::handle(admin, LambdaEvent::new(command, Invocation::default())).await
}

pub(crate) fn admin(table: &TestTable, now: fn() -> Timestamp, random: fn() -> u128) -> Admin {
    Context {
        accounts: table.store(),
        keys: table.credentials(),
        keyrings: TestKeyrings::default(),
        seal: TestKey::default(),
        dead_letters: GivenUp::default(),
        names: TableImages,
        processors: Processors { says: Some(KeysChecked::Works), asked: Mutex::default() },
        now,
        random,
    }
}
