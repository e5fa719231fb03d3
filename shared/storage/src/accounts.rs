//! Whether an account exists: half a read unit, and nothing of its item but the key.

use recoup_domain::ids::Tenant;
use recoup_ports::ReadError;
use recoup_ports::accounts::KnowTenants;

use crate::keys::{Key, PK};
use crate::table::{Table, unavailable};

impl KnowTenants for Table {
    async fn is_tenant(&self, tenant: &Tenant) -> Result<bool, ReadError> {
        let request = self.client.get_item().table_name(&self.name).projection_expression(PK);
        let found = request.set_key(Some(Key::account(tenant).attributes())).send().await;
        Ok(found.map_err(unavailable)?.item.is_some())
    }
}
