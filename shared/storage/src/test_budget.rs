//! How often an endpoint was tested lately: two attributes of its item, which nothing else reads.

use recoup_domain::endpoint::Endpoint;
use recoup_domain::ids::{EndpointId, Tenant};
use recoup_domain::time::Timestamp;
use recoup_ports::WriteError;
use recoup_ports::endpoints::{TestBudget, Tested};

use crate::endpoints::Updated;
use crate::expression::{Expression, number, text};
use crate::keys::{Key, PK};
use crate::table::{Table, key_text};

const TESTS: &str = "tests";
const TESTS_UNTIL: &str = "tests_until";

impl TestBudget for Table {
    async fn count_test(
        &self,
        tenant: &Tenant,
        id: &EndpointId,
        now: Timestamp,
    ) -> Result<Tested, WriteError> {
        let key = Key::endpoint(tenant, id);
        let open = match self.update_endpoint(&key, first_of_window(now)).await? {
            Updated::Yes => return Ok(Tested::Yes),
            Updated::Refused(None) => return Ok(Tested::Missing),
            Updated::Refused(Some(item)) => item,
        };
        let until = key_text(&open, TESTS_UNTIL);
        match self.update_endpoint(&key, another_within(until)).await? {
            Updated::Yes => Ok(Tested::Yes),
            Updated::Refused(None) => Ok(Tested::Missing),
            // A window that nobody can read ends with the next one.
            Updated::Refused(Some(_)) => Ok(Tested::NotBefore(Timestamp::parse(until).unwrap_or(now))),
        }
    }
}

/// Opens a window, if none is open.
fn first_of_window(now: Timestamp) -> Expression {
    let mut expression = Expression::default();
    let until = expression.name(TESTS_UNTIL);
    let at = expression.value(text(now.rfc3339()));
    expression.require(format!("attribute_exists({PK})"));
    expression.require(format!("(attribute_not_exists({until}) OR {until} <= {at})"));
    expression.assign(TESTS, Some(number(1_u32)));
    expression.assign(TESTS_UNTIL, Some(text(now.plus(Endpoint::TESTS_WINDOW).rfc3339())));
    expression
}

/// Counts another test within the window that ends then.
fn another_within(end: &str) -> Expression {
    let mut expression = Expression::default();
    let (until, tests) = (expression.name(TESTS_UNTIL), expression.name(TESTS));
    let (end, most) = (expression.value(text(end)), expression.value(number(Endpoint::TESTS_MAX)));
    expression.require(format!("{until} = {end}"));
    expression.require(format!("{tests} < {most}"));
    let one = expression.value(number(1_u32));
    expression.set(format!("{tests} = {tests} + {one}"));
    expression
}
