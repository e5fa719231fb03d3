//! Registers a payment, refunds a part of it, reads, lists, makes an endpoint and tries a wrong key.

use recoup_client::apis::configuration::Configuration;
use recoup_client::apis::{Error, payments_api, refunds_api, webhooks_api};
use recoup_client::models::{
    Currency, EndpointRequest, Expansion, GivenAmount, GivenPart, GivenRouting, HeardType, MerchantPart,
    PaymentRegistration, PaymentRouting, PlatformPart, RefundMerchantPart, RefundParts, RefundRequest,
};

fn caller(key: &str) -> Configuration {
    let base_path = std::env::var("RECOUP_URL").expect("RECOUP_URL");
    Configuration { base_path, bearer_access_token: Some(key.to_owned()), ..Configuration::default() }
}

fn main() {
    let caller = caller_of_the_stack();
    let moment = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let payment_id = format!("pay_rust_{}", moment.as_nanos());
    register(&caller, &payment_id);
    refund_in_part(&caller, &payment_id);
    make_an_endpoint(&caller);
    refuse_too_much(&caller, &payment_id);
    refuse_a_wrong_key(&payment_id);
}

fn caller_of_the_stack() -> Configuration {
    caller(&std::env::var("RECOUP_API_KEY").expect("RECOUP_API_KEY"))
}

fn register(caller: &Configuration, payment_id: &str) {
    let mut registration = PaymentRegistration::new();
    registration.amount = Some(Box::new(GivenAmount::Integer(3100)));
    registration.currency = Some(Currency::Eur);
    let mut routing = PaymentRouting::new();
    routing.platform = Some(Some(Box::new(PlatformPart::new(GivenPart::Integer(100)))));
    let seller = MerchantPart::new("seller".to_owned(), GivenPart::GivenDecimal("30.00".to_owned()));
    routing.merchants = Some(Some(vec![seller]));
    registration.routing = Some(Some(Box::new(routing)));
    let payment = payments_api::register_payment(caller, payment_id, registration).expect("registered");
    assert_eq!((payment.refundable_amount, payment.id.as_str()), (3100, payment_id));
    assert_eq!(payment.routing.expect("routed").merchants[0].amount_decimal, "30.00");
}

fn refund_in_part(caller: &Configuration, payment_id: &str) {
    let mut seller = RefundMerchantPart::new(GivenPart::Integer(1500));
    seller.account_id = Some("seller".to_owned());
    let mut parts = RefundParts::new();
    parts.merchants = Some(Some(vec![seller]));
    let mut wanted = RefundRequest::new();
    wanted.payment_id = Some(Some(payment_id.to_owned()));
    wanted.routing = Some(Box::new(GivenRouting::RefundParts(Box::new(parts))));
    let quote = refunds_api::quote_refund(caller, wanted.clone()).expect("a quote");
    assert_eq!((quote.amount, quote.refundable_amount_after), (1500, 1600));
    let refund = refunds_api::create_refund(caller, wanted, Some(payment_id)).expect("refunded");
    assert_eq!((refund.amount, refund.transaction_id.as_str()), (1500, payment_id));
    let read = refunds_api::get_refund(caller, &refund.id, Some(vec![Expansion::Payment])).expect("read");
    assert_eq!(read.payment.expect("expanded").refundable_amount, 1600);
    let page = refunds_api::list_refunds(caller, Some(payment_id), None, None, None, None, None, None, None);
    let page = page.expect("a page");
    assert_eq!(page.data.into_iter().map(|refund| refund.id).collect::<Vec<_>>(), [refund.id]);
}

fn make_an_endpoint(caller: &Configuration) {
    let mut wanted = EndpointRequest::new("https://receiver.invalid/".to_owned());
    wanted.events = Some(Some(vec![HeardType::RefundSucceeded]));
    let endpoint = webhooks_api::create_webhook_endpoint(caller, wanted).expect("an endpoint");
    assert!(endpoint.secret.starts_with("whsec_"));
    webhooks_api::delete_webhook_endpoint(caller, &endpoint.id).expect("deleted");
}

fn refuse_too_much(caller: &Configuration, payment_id: &str) {
    let mut wanted = RefundRequest::new();
    wanted.payment_id = Some(Some(payment_id.to_owned()));
    wanted.amount = Some(Box::new(GivenAmount::GivenDecimal("31.01".to_owned())));
    let Err(Error::ResponseError(refused)) = refunds_api::create_refund(caller, wanted, None) else {
        panic!("more than there is was refunded");
    };
    assert_eq!(refused.status.as_u16(), 422);
    let entity = format!("{:?}", refused.entity.expect("a typed error"));
    assert!(entity.contains("code: ") && !entity.contains("UnknownValue"), "{entity}");
}

fn refuse_a_wrong_key(payment_id: &str) {
    let stranger = caller("sk_sandbox_wrong");
    let Err(Error::ResponseError(refused)) = payments_api::get_payment(&stranger, payment_id) else {
        panic!("a wrong key was let in");
    };
    assert_eq!(refused.status.as_u16(), 403, "{}", refused.content);
    let entity = format!("{:?}", refused.entity.expect("a typed error"));
    assert!(entity.contains("InvalidCredential"), "{entity}");
}
