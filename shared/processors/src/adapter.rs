//! The words between us and a team's own adapter. `docs/processors.md` tells the other side of them.

mod answer;
mod keys;
mod notice;
mod order;

pub use answer::{answer, parts};
pub use keys::AdapterAccess;
pub(crate) use notice::notification;
pub use notice::{SignatureHeaders, UnverifiedNotice};
pub use order::order;
