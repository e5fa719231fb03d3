//! Payments, wishes and refunds to start a test from.

use std::collections::BTreeMap;

use recoup_domain::api_key::{ApiKey, KeyUse, Scope};
use recoup_domain::by::By;
use recoup_domain::decide::{Identity, Refusal, Reservation, decide};
use recoup_domain::dispute::{DisputeStatus, DisputeWord};
use recoup_domain::endpoint::{Endpoint, EventFilter, Switch};
use recoup_domain::event::Event;
use recoup_domain::ids::{
    AccountId, ActorId, EndpointId, Environment, IdempotencyKey, KeyId, LineId, PaymentId, RefundId, Tenant,
};
use recoup_domain::keyring::RingKey;
use recoup_domain::money::{Currency, Money, WrittenAmount};
use recoup_domain::payment::{
    CaptureStatus, Facts, PartialRefunds, Payment, Payout, Processor, ProcessorName, Settlement, Terms,
};
use recoup_domain::refund::{
    External, Failure, FailureCode, Fingerprint, Move, Notes, Outcome, Refund, Said, Withdrawn,
};
use recoup_domain::seal::SealKey;
use recoup_domain::sealed::StoredSecret;
use recoup_domain::signing::{Secret, Secrets};
use recoup_domain::split::{MerchantPart, Split};
use recoup_domain::stored_key::{Grants, Proof, StoredKey};
use recoup_domain::text::{Metadata, TargetUrl, Text};
use recoup_domain::time::Timestamp;
use recoup_domain::wanted::{Wanted, WantedLine, WantedPart, WantedParts, WantedRouting};

/// The seller of the getpaid example.
pub const SELLER: &str = "acc_4zjjxn0nm1tnweqbttedkvnsc8";
/// The supplier of the getpaid example.
pub const SUPPLIER: &str = "acc_4djj3n0hm1tn2eqwetedkvnsc3";

/// The tenant to whom every fixture belongs: account 1 in the sandbox.
pub fn tenant() -> Tenant {
    tenant_of(Environment::Sandbox, 1)
}

/// Any other tenant.
pub fn tenant_of(environment: Environment, account: u128) -> Tenant {
    Tenant { environment, account: AccountId::from_bits(account) }
}

/// A key of a keyring: one letter, again and again.
pub fn ring_key(letter: &str) -> RingKey {
    RingKey::new(letter.repeat(RingKey::LENGTH_MIN)).expect("the key is long enough")
}

/// A key as it is stored, proven under this pepper, for the fixtures' account.
pub fn stored_key(key: &ApiKey, scopes: &[Scope], pepper: &RingKey) -> StoredKey {
    let tenant = tenant_of(key.environment(), 1);
    let grants = Grants { tenant, scopes: scopes.to_vec(), expires_at: None, ip_ranges: Vec::new() };
    granting(key, grants, pepper)
}

/// A key that grants this.
pub fn granting(key: &ApiKey, grants: Grants, pepper: &RingKey) -> StoredKey {
    let proof = Proof::new(key, &grants, pepper);
    let (id, r#use) = (key.id().clone(), Some(key.r#use()));
    StoredKey { id, r#use, name: None, grants, proof, created_at: now(), revoked_at: None }
}

/// Euros.
pub fn euro() -> Currency {
    Currency::parse("EUR").expect("EUR is a currency")
}

/// So many cents.
pub fn eur(minor: u64) -> Money {
    Money::of_minor(minor, euro()).expect("the amount is within the bound")
}

/// The moment at which the fixtures happen: Sunday, 22 November 2026, 09:30 UTC.
pub fn now() -> Timestamp {
    Timestamp::parse("2026-11-22T09:30:00.000Z").expect("the time is valid")
}

/// So many milliseconds after [`now`].
pub fn later(millis: u64) -> Timestamp {
    Timestamp::from_unix_millis(now().unix_millis() + millis).expect("the time is within the bound")
}

/// A text that is not too long.
pub fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text.to_owned()).expect("the text is within the bound")
}

/// What a processor says of a dispute, so many seconds after [`now`]; one that is open blocks refunds.
pub fn dispute(reference: &str, status: DisputeStatus, minor: u64, seconds: u64) -> DisputeWord {
    DisputeWord {
        reference: text(reference),
        status,
        blocks_refunds: true,
        amount: eur(minor),
        reason: Some(text("fraudulent")),
        told_at: later(seconds * 1_000),
    }
}

/// A payment's id.
pub fn payment_id(id: &str) -> PaymentId {
    PaymentId::try_from(id).expect("the payment id is valid")
}

/// A merchant's id.
pub fn actor_id(id: &str) -> ActorId {
    ActorId::try_from(id).expect("the merchant id is valid")
}

/// An invoice line's id.
pub fn line_id(id: &str) -> LineId {
    LineId::try_from(id).expect("the line id is valid")
}

/// The refund that this idempotency key means for [`tenant`].
pub fn refund_id(key: &str) -> RefundId {
    RefundId::of_key(&tenant(), &IdempotencyKey::try_from(key).expect("the idempotency key is valid"))
}

/// A split: the platform's part, then each merchant's.
pub fn split(platform: u64, merchants: &[(&str, u64)]) -> Split {
    let merchants = merchants
        .iter()
        .map(|(id, minor)| MerchantPart { account: actor_id(id), amount: eur(*minor) })
        .collect();
    Split::new(eur(platform), merchants).expect("the split is valid")
}

/// The facts of a payment that may be refunded in any way.
pub fn facts() -> Facts {
    Facts {
        status: CaptureStatus::Completed,
        settlement: Settlement::Settled,
        payout: Payout::Started,
        disputed: false,
        partial_refunds: PartialRefunds::Allowed,
        refundable_until: None,
        metadata: Metadata::default(),
    }
}

/// The terms of an unrouted payment without lines, whose refunds succeed in the sandbox.
pub fn terms(amount: u64) -> Terms {
    let processor = Processor::of(ProcessorName::Sandbox, text("sandbox_succeed"));
    Terms { amount: eur(amount), routing: None, lines: Vec::new(), processor }
}

/// The key that seals the fixtures' payments.
pub fn seal_key() -> SealKey {
    SealKey::new(vec![7; SealKey::BYTES_MIN]).expect("the key is long enough")
}

/// An unrouted payment without lines.
pub fn payment(id: &str, amount: u64) -> Payment {
    registered(id, terms(amount))
}

/// A payment of these terms.
pub fn registered(id: &str, terms: Terms) -> Payment {
    Payment::registered(tenant(), payment_id(id), terms, facts(), now())
}

/// The payment of the getpaid example: 100 + 2500 + 500, and two lines of 2000 and 1100.
pub fn getpaid_payment() -> Payment {
    let terms = Terms {
        routing: Some(split(100, &[(SELLER, 2500), (SUPPLIER, 500)])),
        lines: vec![(line_id("iid_1"), eur(2000)), (line_id("iid_2"), eur(1100))],
        ..terms(3100)
    };
    registered("pay_4c4xwtzjr2tfrj7t8p7j7xjkra", terms)
}

/// A wish for that many cents of a payment, or for all that is left, and nothing else said.
pub fn wanted(payment: &Payment, amount: Option<u64>) -> Wanted {
    Wanted {
        payment_id: payment.id.clone(),
        amount: amount.map(WrittenAmount::Minor),
        currency: None,
        lines: Vec::new(),
        routing: None,
        expected_refundable: None,
        external: None,
        notes: Notes::default(),
        metadata: Metadata::default(),
    }
}

/// A bank transfer that was made already.
pub fn external() -> External {
    External { method: text("bank_transfer"), reference: Some(text("SEPA-1")) }
}

/// A wish for these parts, whose sum is the amount.
pub fn wanted_of(payment: &Payment, platform: u64, merchants: &[(&str, u64)]) -> Wanted {
    let merchants = merchants
        .iter()
        .map(|(id, minor)| WantedPart { account: actor_id(id), amount: WrittenAmount::Minor(*minor) })
        .collect();
    let platform = Some(WrittenAmount::Minor(platform));
    Wanted {
        routing: Some(WantedRouting::Parts(WantedParts { platform, merchants })),
        ..wanted(payment, None)
    }
}

/// All that is left of a line.
pub fn whole_line(id: &str) -> WantedLine {
    WantedLine { id: line_id(id), amount: None }
}

/// So many cents of a line.
pub fn part_of_line(id: &str, minor: u64) -> WantedLine {
    WantedLine { id: line_id(id), amount: Some(WrittenAmount::Minor(minor)) }
}

/// A wish for these lines.
pub fn wanted_lines(payment: &Payment, lines: &[&str]) -> Wanted {
    Wanted { lines: lines.iter().map(|id| whole_line(id)).collect(), ..wanted(payment, None) }
}

/// The getpaid partial refund: 1000 of the seller and 500 of the supplier, with all its texts.
pub fn getpaid_wanted() -> Wanted {
    let notes = Notes {
        reason: Some(text("customer_request")),
        description: Some(text("Refund for ORD-123456")),
        reference: Some(text("REFUND-123456")),
        webhook_url: Some(TargetUrl::unchecked(
            "https://shop.example.com/webhooks/getpaid/refunds".to_owned(),
        )),
        ..Notes::default()
    };
    let payment = getpaid_payment();
    let parts = wanted_of(&payment, 0, &[(SELLER, 1000), (SUPPLIER, 500)]);
    let metadata = Metadata::new(BTreeMap::from([("order".to_owned(), "ORD-123456".to_owned())]));
    let metadata = metadata.expect("the metadata is within the bounds");
    Wanted { amount: Some(WrittenAmount::Minor(1500)), notes, metadata, ..parts }
}

/// The event with which a refund began.
pub fn beginning(refund: &Refund) -> Event {
    let id = refund.event_ids().last().expect("every refund has a beginning");
    refund.event(&id).expect("the beginning is always known")
}

/// The identity of the refund of an idempotency key, made at [`now`]; the fingerprint is of the key alone.
pub fn identity(key: &str) -> Identity {
    Identity { id: refund_id(key), fingerprint: fingerprint(key), by: Some(by_key()), now: now() }
}

/// The key that asks for the fixtures' refunds.
pub fn by_key() -> By {
    By::key(KeyUse::Api, &KeyId::from_bits(1), None)
}

/// A fingerprint that differs where the text does (in its first 32 bytes).
pub fn fingerprint(of: &str) -> Fingerprint {
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(of.bytes()).for_each(|(to, from)| *to = from);
    bytes
}

/// What [`decide`] says about a wish under an idempotency key.
pub fn judged(payment: &Payment, wanted: &Wanted, key: &str) -> Result<Reservation, Refusal> {
    decide(payment, wanted, identity(key))
}

/// The decision on a wish that is granted.
pub fn decided(payment: &Payment, wanted: &Wanted, key: &str) -> Reservation {
    judged(payment, wanted, key).expect("the refund is granted")
}

/// The processor's good word.
pub fn succeeded() -> Outcome {
    succeeded_as("re_3MmlLrLkdIwHu7ix0uke3Ezy")
}

/// The same, under this name of the processor's.
pub fn succeeded_as(reference: &str) -> Outcome {
    Outcome::Succeeded { reference: text(reference), bank_reference: None }
}

/// The processor's bad word.
pub fn failed() -> Outcome {
    Outcome::Failed(Failure {
        code: FailureCode::Declined,
        message: text("the customer's bank refused the refund"),
        said: Said::default(),
    })
}

/// What an outcome that changes a refund makes of it, a second later.
pub fn moved(refund: &Refund, outcome: Outcome) -> Move {
    let at = Timestamp::from_unix_millis(refund.version.updated_at.unix_millis() + 1000);
    let step = refund.step(outcome, at.expect("the time is within the bound"));
    step.expect("the outcome changes something")
}

/// The refund after that.
pub fn stepped(refund: &Refund, outcome: Outcome) -> Refund {
    moved(refund, outcome).into_refund()
}

/// What a cancel makes of a refund that can be cancelled.
pub fn cancelled(refund: &Refund, at: Timestamp) -> Move {
    match refund.withdraw(Some(by_key()), at) {
        Withdrawn::Now(change) => change,
        other => panic!("it can be withdrawn: {other:?}"),
    }
}

/// What other metadata make of a refund.
pub fn renamed(refund: &Refund, value: &str, at: Timestamp) -> Move {
    refund.with_metadata(metadata(value), Some(by_key()), at).expect("the metadata are others")
}

/// Metadata with this one value.
pub fn metadata(value: &str) -> Metadata {
    Metadata::new([("k".to_owned(), value.to_owned())].into()).expect("the value is short")
}

/// An endpoint of [`tenant`] that receives everything; its secret is 32 times its number, and plain, as version 0.1
/// stored it.
pub fn endpoint(number: u8) -> Endpoint {
    Endpoint {
        tenant: tenant(),
        id: EndpointId::from_bits(u128::from(number)),
        url: TargetUrl::unchecked(format!("https://shop.example.com/hooks/{number}")),
        description: None,
        events: EventFilter::All,
        secrets: Secrets::first(plain_secret(number)),
        switch: Switch::On,
        failing_since: None,
        revision: 1,
        created_at: later(u64::from(number)),
        updated_at: later(u64::from(number)),
    }
}

/// A webhook secret: 32 times this byte.
pub fn secret(byte: u8) -> Secret {
    Secret::new(vec![byte; 32]).expect("the secret has a good length")
}

/// The same secret as version 0.1 stored it.
pub fn plain_secret(byte: u8) -> StoredSecret {
    StoredSecret::Plain(secret(byte))
}
