//! `admin` over a real table.

use admin::Context;
use recoup_domain::time::Timestamp;
use recoup_storage::{CredentialsTable, Table, TableImages};
use recoup_testing::seals::TestKey;
use recoup_testing::{TestKeyrings, TestTable};

use crate::given_up::GivenUp;

pub(crate) type Admin = Context<Table, CredentialsTable, TestKeyrings, TestKey, GivenUp, TableImages>;

pub(crate) fn admin(table: &TestTable, now: fn() -> Timestamp, random: fn() -> u128) -> Admin {
    Context {
        accounts: table.store(),
        keys: table.credentials(),
        keyrings: TestKeyrings::default(),
        seal: TestKey::default(),
        dead_letters: GivenUp::default(),
        names: TableImages,
        now,
        random,
    }
}
