//! `admin` over a real table.

use std::sync::Mutex;

use admin::Context;
use recoup_domain::time::Timestamp;
use recoup_ports::direct::{CheckKeys, CheckKeysError, KeysCheck, KeysChecked};
use recoup_storage::{CredentialsTable, Table, TableImages};
use recoup_testing::seals::TestKey;
use recoup_testing::{TestKeyrings, TestTable};

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
