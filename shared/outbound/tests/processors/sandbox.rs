//! The sandbox keeps the contract.

use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::Refund;
use recoup_outbound::sandbox::Sandbox;

use crate::contract::{Case, Subject, contract};
use crate::world::{fresh, routed};

struct Rehearsal;

impl Subject for Rehearsal {
    type Asked = Sandbox;

    async fn new() -> Self {
        Self
    }

    fn processor(&self) -> &Sandbox {
        &Sandbox
    }

    fn refund(&self, case: Case) -> Refund {
        let reference = match case {
            Case::Succeeds => "sandbox_succeed",
            Case::Fails => "sandbox_fail",
            Case::Pends => "sandbox_pending",
            Case::AnswerLost => "sandbox_timeout",
            Case::NeverReached => "sandbox_timeout_lost",
        };
        fresh("key", reference)
    }

    fn settle(&self) {}

    /// It moves none.
    fn moved(&self, _: &Refund) -> Option<usize> {
        None
    }

    fn routed(&self) -> Refund {
        routed(ProcessorName::Sandbox, "sandbox_actor_short")
    }

    fn lack(&self, _: bool) {}
}

contract!(Rehearsal);
