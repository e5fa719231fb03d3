//! What tests share: fixtures of the domain, and a real DynamoDB endpoint inside the process.
//!
//! Only ever a dev-dependency. `recoup-testing.workspace = true` brings all of it; the domain, which needs
//! no table, takes the fixtures alone (`default-features = false`).
//!
//! # Fixtures
//!
//! [`fixtures`] has the example of the getpaid documents (100 for the platform, 2500 for the seller, 500 for
//! the supplier, in EUR cents) and small functions to vary it:
//!
//! ```
//! use recoup_testing::fixtures::{self, eur};
//!
//! let payment = fixtures::getpaid_payment();
//! let wanted = fixtures::getpaid_wanted();                        // 1000 of the seller, 500 of the supplier
//! let reservation = fixtures::decided(&payment, &wanted, "key-1"); // panics if refused
//! assert_eq!(reservation.refund.amount, eur(1500));
//!
//! let plain = fixtures::payment("pay_1", 5000);                    // no routing, no lines
//! let part = fixtures::decided(&plain, &fixtures::wanted(&plain, Some(700)), "key-2");
//! assert_eq!(part.refund.amount, eur(700));
//! ```
//!
//! # The table
//!
//! [`TestTable::new`] starts an endpoint of dynoxide on a loopback port, with the table, its index and its
//! stream as `template.yaml` describes them. It lives as long as the value, and needs no runtime to start:
//! the endpoint has its own thread, so it also answers under a paused clock (see below).
//!
//! ```no_run
//! # async fn example() {
//! use recoup_testing::{Fault, TestTable, fixtures};
//!
//! let table = TestTable::new();
//! let store = table.store();                 // recoup_storage::Table: clone it, hand it to handle()
//! // … call the store …
//! let calls = table.take_calls();            // every HTTP request since the last take
//! assert_eq!(calls.operations(), ["BatchGetItem", "TransactWriteItems"]);
//! assert!(calls.write_units() <= 5.0);       // as DynamoDB would charge: ReturnConsumedCapacity
//!
//! // Nothing below counts as a call.
//! let items = table.items().await;           // every item, as the SDK has it
//! let refund = table.item("refund").await;   // the only item of that sort key
//! let bytes = recoup_testing::item_bytes(&refund);
//! let event = table.stream_event();          // every change so far, as Lambda gets it: {"Records": […]}
//!
//! // The next TransactWriteItems is written, and its answer lost; the two after it are refused.
//! table.fail("TransactWriteItems", 1, Fault::LoseAnswer);
//! table.fail("TransactWriteItems", 2, Fault::conflict([false, true]));
//! # }
//! ```
//!
//! # The contract
//!
//! [`contract`] holds answers and webhooks against `openapi.yaml`: what is not described fails the test. [`routes`]
//! reads `template.yaml`.
//!
//! # What nobody may tell
//!
//! [`planted`] has answers that hold secrets and personal data, and listens to the log.
//!
//! # Time
//!
//! A test under `#[tokio::test(start_paused = true)]` waits for nothing: backoff, SDK retries and timeouts
//! pass at once. Requests still travel over the real socket. They do so on the endpoint's runtime, inside
//! a blocking task, and Tokio does not advance a paused clock while one runs (current-thread runtime only,
//! which is `#[tokio::test]`'s default). The test's own crate must have Tokio's feature `test-util`.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::float_arithmetic,
    clippy::arithmetic_side_effects,
    clippy::missing_panics_doc,
    reason = "only ever linked into tests, where a panic is the answer"
)]

#[cfg(feature = "contract")]
pub mod contract;
pub mod fixtures;
pub mod reports;
#[cfg(feature = "contract")]
pub mod routes;
pub mod seals;

#[cfg(feature = "table")]
mod calls;
#[cfg(feature = "table")]
mod faults;
#[cfg(feature = "table")]
mod keyrings;
#[cfg(feature = "table")]
mod limits;
#[cfg(feature = "planted")]
pub mod planted;
#[cfg(feature = "table")]
mod size;
#[cfg(feature = "table")]
mod table;
#[cfg(feature = "table")]
mod wire;

#[cfg(feature = "table")]
pub use calls::{Answer, Call, Calls};
#[cfg(feature = "table")]
pub use faults::Fault;
#[cfg(feature = "table")]
pub use keyrings::TestKeyrings;
#[cfg(feature = "table")]
pub use limits::operators;
#[cfg(feature = "table")]
pub use size::item_bytes;
#[cfg(feature = "table")]
pub use table::{Item, TestTable};
