//! The words between us and a team's own adapter. `docs/processors.md` tells the other side of them.

mod answer;
mod notice;
mod order;

pub use answer::answer;
pub use notice::{SignatureHeaders, UnverifiedNotice};
pub use order::order;
