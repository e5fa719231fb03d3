//! Who names accounts at random learns nothing and costs next to nothing.

use std::sync::atomic::Ordering;

use recoup_domain::ids::{AccountId, Environment, Tenant};
use recoup_domain::payment::ProcessorName;
use recoup_domain::refund::Refund;
use recoup_ports::credentials::{Accounts, NewAccount};
use recoup_testing::{Fault, fixtures};
use settle_refund::{Context, KeysOfAccounts, handle};

use crate::doubles::{Books, KeyRing};
use crate::gateway::{Event, Reply};
use crate::signed::{Word, news};
use crate::{World, now};

type Guarded = Context<recoup_storage::Table, KeysOfAccounts<recoup_storage::Table, KeyRing>, Books>;

/// The function as it is wired, over a table that knows the tenant's account.
async fn guarded(name: ProcessorName) -> (World, Refund, Guarded) {
    let (world, refund) = World::with_refund(name).await;
    let (sandbox_secret, live_secret) = (fixtures::plain_secret(1), fixtures::plain_secret(2));
    let (id, created_at) = (fixtures::tenant().account, fixtures::now());
    let account = NewAccount { id, name: "n".to_owned(), sandbox_secret, live_secret, created_at };
    world.table.store().create_account(&account).await.unwrap();
    world.table.take_calls();
    let keys = KeysOfAccounts::new(world.table.store(), KeyRing::default());
    let context = Context { store: world.table.store(), keys, processor: Books::silent(), now };
    (world, refund, context)
}

async fn tell(context: &Guarded, event: &Event) -> Reply {
    Reply::read(event, handle(context, event.request()).await)
}

/// The same refund in the name of an account that nobody has.
fn guessed(refund: &Refund, account: u128) -> Refund {
    let tenant = Tenant { environment: Environment::Sandbox, account: AccountId::from_bits(account) };
    Refund { tenant, ..refund.clone() }
}

#[tokio::test]
async fn a_guessed_account_costs_half_a_unit_and_no_look_at_a_secret() {
    for name in [ProcessorName::Stripe, ProcessorName::Http] {
        let (world, refund, context) = guarded(name).await;
        for account in 100..110 {
            let told = tell(&context, &news(&guessed(&refund, account), Word::Succeeded)).await;
            assert_eq!(told.problem(), (403, "invalid_signature"));
            let calls = world.table.take_calls();
            assert_eq!((calls.operations(), calls.read_units()), (vec!["GetItem"], 0.5));
        }
        assert_eq!(context.keys.inner().reads(), 0);
    }
}

#[tokio::test]
async fn an_account_that_exists_is_looked_up_once() {
    let (world, refund, context) = guarded(ProcessorName::Stripe).await;
    assert_eq!(tell(&context, &news(&refund, Word::Pending)).await.status, 200);
    // The account, the refund, and its next state.
    assert_eq!(world.table.take_calls().operations(), ["GetItem", "GetItem", "UpdateItem"]);
    assert_eq!(tell(&context, &news(&refund, Word::Succeeded)).await.status, 200);
    assert_eq!(world.table.take_calls().operations(), ["GetItem", "UpdateItem"]);
    assert_eq!(context.keys.inner().reads(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_away_makes_the_processor_repeat() {
    let (world, refund, context) = guarded(ProcessorName::Stripe).await;
    world.table.fail_always("GetItem", Fault::LoseRequest);
    assert_eq!(tell(&context, &news(&refund, Word::Succeeded)).await.problem(), (503, "unavailable"));
    world.table.heal();
    context.keys.inner().broken.store(true, Ordering::Relaxed);
    assert_eq!(tell(&context, &news(&refund, Word::Succeeded)).await.problem(), (503, "unavailable"));
}
