//! Bytes that are stored: whatever is made anew under a later version has to be found under them.

use data_encoding::HEXLOWER;
use recoup_domain::api_key::{ApiKey, Scope};
use recoup_domain::ids::{AccountId, EndpointId, Environment, EventId, RefundId, Tenant};
use recoup_domain::keyring::{Keyring, RingKey};
use recoup_domain::money::{Currency, WrittenAmount};
use recoup_domain::signing::Secret;
use recoup_domain::stored_key::Proof;
use recoup_domain::time::Timestamp;
use recoup_domain::token::Claims;
use recoup_domain::wanted::{Wanted, WantedLine, WantedPart, WantedParts, WantedRouting};
use recoup_testing::fixtures::{
    actor_id, external, getpaid_wanted, now, part_of_line, stored_key, text, whole_line,
};

fn fingerprint(wanted: &Wanted) -> String {
    HEXLOWER.encode(&wanted.fingerprint("POST /v1/refunds", Currency::parse("EUR").unwrap()))
}

/// A wish that leaves nothing out.
fn wanted() -> Wanted {
    let mut wanted = getpaid_wanted();
    wanted.currency = Currency::parse("EUR");
    wanted.lines = ["l1", "l2"].map(whole_line).to_vec();
    wanted.expected_refundable = Some(WrittenAmount::Major("31.00".to_owned()));
    wanted.notes.reason = Some(text("customer_request"));
    wanted.notes.information = Some(text("two of three came broken"));
    let part = WantedPart { account: actor_id("acc_1"), amount: WrittenAmount::Major("4.20".to_owned()) };
    let platform = Some(WrittenAmount::Minor(30));
    wanted.routing = Some(WantedRouting::Parts(WantedParts { platform, merchants: vec![part] }));
    wanted
}

#[test]
fn a_request_has_the_fingerprint_it_always_had() {
    let whole = wanted();
    let proportional = Wanted { routing: Some(WantedRouting::Proportional), ..whole.clone() };
    let beyond = Wanted { amount: Some(WrittenAmount::Major("1.005".to_owned())), ..whole.clone() };
    let external = Wanted { external: Some(external()), ..whole.clone() };
    for (wanted, expected) in [
        (external, "05f6849f0c460411d51e827efc77d7dd93f571c17bbbf94d883af797acc92f00"),
        (whole, "2eac857b409b05627a7a05d91fc67216772c646ea752f3abf4a937f781907c8a"),
        (proportional, "4ff59d52af8fc202e0f987c85f163ace94db0d7e5d75472a9ddf2a918755c85f"),
        (beyond, "e9c8b27f998599ce89c8a60ba927e073a64b90b31349285b10ca6064d96eeffb"),
    ] {
        assert_eq!(fingerprint(&wanted), expected, "{wanted:?}");
    }
}

#[test]
fn how_much_of_a_line_is_asked_for_tells_requests_apart() {
    let of = |lines| fingerprint(&Wanted { lines, ..wanted() });
    let part = of(vec![part_of_line("l1", 500)]);
    let written = WrittenAmount::Major("5.00".to_owned());
    let same = WantedLine { amount: Some(written), ..whole_line("l1") };
    assert_eq!(part, of(vec![same]));
    for other in [vec![part_of_line("l1", 501)], vec![part_of_line("l2", 500)], vec![whole_line("l1")]] {
        assert_ne!(part, of(other));
    }
    assert_eq!(part, "83fe11bd65c305e68777b3ad472d0ed5c0c0c6bab3f2fda08bec0be027c120b2");
}

#[test]
fn an_id_is_the_one_it_always_was() {
    let tenant = Tenant { environment: Environment::Live, account: AccountId::from_bits(u128::MAX) };
    let refund = RefundId::of_key(&tenant, &"REFUND-123456".try_into().unwrap());
    assert_eq!(tenant.account.as_str(), "acct_7zzzzzzzzzzzzzzzzzzzzzzzzz");
    assert_eq!(refund.as_str(), "rfd_0nar588d3db72t4d2bn8a5q3b2");
    let change = EventId::of_change(&tenant, &refund, 2, now());
    let disabled = EventId::of_disabled(&tenant, &EndpointId::from_bits(7), now());
    let last = Timestamp::parse("9999-12-31T23:59:59.999Z").unwrap();
    for (id, expected, at) in [
        (change, "evt_01m819eke0e6m1wz5vbdncww45", now()),
        (disabled, "evt_01m819eke0kdyycvvxs5ykdy37", now()),
        (EventId::earliest_at(last), "evt_76ez91zpzz0000000000000000", last),
    ] {
        assert_eq!((id.as_str(), id.time()), (expected, at));
    }
}

#[test]
fn a_credential_that_was_given_out_stays_good() {
    let key = ApiKey::random(Environment::Sandbox, 1, u128::MAX);
    assert_eq!(key.reveal(), "sk_sandbox_000000000000000000000000017zzzzzzzzzzzzzzzzzzzzzzzzz0khkkr8");
    let peppers = Keyring::first(RingKey::new(String::from_utf8((0..32).collect()).unwrap()).unwrap());
    assert_eq!(peppers.current.id(), "027fef4670d73da2");
    let mut stored = stored_key(&key, &[Scope::RefundsRead, Scope::PaymentsWrite], &peppers.current);
    let proof = "5d3a98d257b6d363825ef079124f9173d552f92f8fe3135e177cdc5fb5bec782";
    assert_eq!(HEXLOWER.encode(&stored.proof.mac), proof);
    // As version 0.1 proved it.
    let before = "f6c2646061f4130bcaba383ca3444bcd0d1ca8533076a31877adcb6fc99dc260";
    let mac = HEXLOWER.decode(before.as_bytes()).unwrap().try_into().unwrap();
    stored.proof = Proof { pepper: None, mac };
    assert!(stored.is_proof_of(&key, &peppers));
    let token = "at_sandbox_acct_00000000000000000000000003~key_00000000000000000000000004\
        ~refunds:read+payments:write~1798761600000~027fef4670d73da2\
        .95ef755325c531a0dd25240240c752f8da495ea6374413db7a4d9cdebca5fe37";
    let claims =
        Claims::read(token, &peppers, Timestamp::from_unix_millis(1_798_761_599_000).unwrap()).unwrap();
    assert_eq!(claims.sign(&peppers.current), token);
    let secret = Secret::of_256_bits([1, u128::MAX]);
    assert_eq!(secret.reveal(), "whsec_AAAAAAAAAAAAAAAAAAAAAf////////////////////8=");
}
