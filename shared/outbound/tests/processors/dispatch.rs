//! Each refund reaches the processor that its payment names, and no other.

use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::{Outcome, Refund};
use recoup_outbound::processors::Processors;
use recoup_ports::processor::{Listing, LookedUp, Processor};
use recoup_testing::fixtures::{self, text};

use crate::fake_adapter::FakeAdapter;
use crate::fake_stripe::{CHARGE, FakeStripe};
use crate::world::{Keys, after, base, fresh, handed_over};

struct All {
    stripe: FakeStripe,
    adapter: FakeAdapter,
    processors: Processors<Keys>,
}

impl All {
    async fn new() -> Self {
        let (stripe, adapter) = (FakeStripe::new().await, FakeAdapter::new().await);
        let stripe_at = Some(base(stripe.server.port));
        let processors = Processors::new(Keys::to(adapter.server.port), fixtures::now, stripe_at).unwrap();
        Self { stripe, adapter, processors }
    }

    /// The calls at Stripe and at the adapter.
    fn calls(&self) -> [usize; 2] {
        [&self.stripe.server, &self.adapter.server].map(|server| server.take_calls().len())
    }
}

fn of(name: ProcessorName, reference: &str) -> Refund {
    let mut refund = handed_over(&fresh("key", reference));
    refund.processor.name = name;
    refund
}

#[tokio::test]
async fn each_name_reaches_its_own_processor_and_no_other() {
    for (name, reference, calls) in [
        (ProcessorName::Sandbox, "sandbox_succeed", [0, 0]),
        (ProcessorName::Stripe, CHARGE, [1, 0]),
        (ProcessorName::Http, "bank-payment-1", [0, 1]),
    ] {
        let all = All::new().await;
        let refund = of(name, reference);
        let outcome = all.processors.refund(&refund).await;
        assert!(matches!(outcome, Outcome::Succeeded { .. }), "{name:?}: {outcome:?}");
        assert_eq!(all.calls(), calls, "{name:?}");
        assert_eq!(all.processors.look_up(&refund).await, LookedUp::Stands(outcome), "{name:?}");
        assert_eq!(all.calls(), calls, "{name:?}");
    }
}

#[tokio::test]
async fn a_name_of_the_sandboxs_means_nothing_to_another_processor() {
    let all = All::new().await;
    let refund = of(ProcessorName::Stripe, "sandbox_succeed");
    assert!(matches!(all.processors.refund(&refund).await, Outcome::Failed(_)));
    let refund = of(ProcessorName::Http, "sandbox_fail");
    let outcome = all.processors.refund(&refund).await;
    assert!(matches!(outcome, Outcome::Succeeded { .. }), "{outcome:?}");
    let pending = after(&of(ProcessorName::Sandbox, CHARGE), &Outcome::Pending);
    assert!(matches!(all.processors.refund(&pending).await, Outcome::Failed(_)));
    assert_eq!(all.calls(), [0, 1]);
    assert_eq!(pending.processor.reference, text(CHARGE));
}

#[tokio::test]
async fn only_stripe_is_asked_for_a_list() {
    for (name, listing, calls) in [
        (ProcessorName::Sandbox, Listing::NotKept, [0, 0]),
        (ProcessorName::Stripe, Listing::Whole(Vec::new()), [1, 0]),
        (ProcessorName::Http, Listing::NotKept, [0, 0]),
    ] {
        let all = All::new().await;
        assert_eq!(
            all.processors.list(&fixtures::tenant(), name, fixtures::now()).await,
            listing,
            "{name:?}"
        );
        assert_eq!(all.calls(), calls, "{name:?}");
    }
}
