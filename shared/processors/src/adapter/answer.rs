//! How an adapter says where a refund stands.

use recoup_domain::ids::ActorId;
use recoup_domain::recovery::Taken;
use recoup_domain::refund::{BankReference, BankReferenceKind, Failure, FailureCode, Outcome, Refund, Said};
use recoup_domain::split::Actor;
use recoup_domain::text::Text;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerWire {
    status: Status,
    reference: Option<String>,
    bank_reference: Option<BankReferenceWire>,
    failure: Option<FailureWire>,
    recovery: Option<Vec<PartWire>>,
}

/// What an adapter says of one merchant's part.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartWire {
    account_id: ActorId,
    status: PartStatus,
    reference: Option<Text<255>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PartStatus {
    Pending,
    Recovered,
    Failed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BankReferenceWire {
    kind: BankReferenceKind,
    value: Option<Text<255>>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Succeeded,
    Failed,
    Pending,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FailureWire {
    code: String,
    message: String,
    processor_code: Option<String>,
    processor_message: Option<String>,
}

/// Reads an answer's body, `{status, reference, bank_reference, failure}`; [`parts`] reads what it may say besides. `None`
/// where anything in it is unclear: an unknown field, status or code, a success without its reference or with a failure, a
/// failure without its reason.
pub fn answer(body: &[u8]) -> Option<Outcome> {
    let AnswerWire { status, reference, bank_reference, failure, recovery: _ } =
        serde_json::from_slice(body).ok()?;
    outcome(status, reference, bank_reference, failure)
}

/// Reads what an answer says of a refund's open parts. An adapter that says nothing of parts has carried the split out
/// by itself; one that leaves an actor out says that the actor has not given yet.
pub fn parts(body: &[u8], refund: &Refund) -> Option<Vec<(usize, Taken)>> {
    let AnswerWire { reference, recovery, .. } = serde_json::from_slice(body).ok()?;
    let reference = Text::<255>::new(reference?).ok()?;
    let told = |position: usize| {
        let Some(parts) = &recovery else { return Taken::Yes { reference: reference.clone() } };
        let actor = refund.giver(position).map(|(actor, _)| actor);
        let is_its = |part: &&PartWire| actor == Some(Actor::Merchant(part.account_id.clone()));
        match parts.iter().find(is_its).map(|part| (part.status, &part.reference)) {
            Some((PartStatus::Recovered, own)) => {
                Taken::Yes { reference: own.clone().unwrap_or_else(|| reference.clone()) }
            }
            Some((PartStatus::Pending, _)) | None => Taken::Short,
            Some((PartStatus::Failed, _)) => Taken::Refused,
        }
    };
    Some(refund.open_parts().map(|part| (part.position, told(part.position))).collect())
}

pub(super) fn outcome(
    status: Status,
    reference: Option<String>,
    bank_reference: Option<BankReferenceWire>,
    failure: Option<FailureWire>,
) -> Option<Outcome> {
    let reference = reference.map(Text::<255>::new).transpose().ok()?;
    let bank_reference =
        bank_reference.map(|BankReferenceWire { kind, value }| BankReference { kind, value });
    match (status, reference, failure) {
        (Status::Succeeded, Some(reference), None) => Some(Outcome::Succeeded { reference, bank_reference }),
        (Status::Failed, _, Some(failure)) => {
            let code = FailureCode::parse(&failure.code)?;
            let message = Text::new(failure.message).ok()?;
            let (said, words) = (failure.processor_code, failure.processor_message);
            let said = Said {
                code: said.as_deref().and_then(Text::cleaned),
                message: words.as_deref().and_then(Text::cleaned),
                request_id: None,
            };
            Some(Outcome::Failed(Failure { code, message, said }))
        }
        (Status::Pending, _, None) => Some(Outcome::Pending),
        (Status::Succeeded, None, _)
        | (Status::Succeeded | Status::Pending, _, Some(_))
        | (Status::Failed, _, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> Option<Outcome> {
        answer(body.as_bytes())
    }

    #[test]
    fn an_answer_is_a_success_a_failure_or_a_wait() {
        let reference = Text::new("bank-7".to_owned()).unwrap();
        let succeeded = said(r#"{"status":"succeeded","reference":"bank-7"}"#);
        assert_eq!(
            succeeded,
            Some(Outcome::Succeeded { reference: reference.clone(), bank_reference: None })
        );
        let number =
            r#"{"status":"succeeded","reference":"bank-7","bank_reference":{"kind":"trace_id","value":"9"}}"#;
        let told = BankReference { kind: BankReferenceKind::TraceId, value: Some(Text::cut("9")) };
        assert_eq!(said(number), Some(Outcome::Succeeded { reference, bank_reference: Some(told) }));
        let words = r#"{"status":"failed","failure":{"code":"declined","message":"No.","processor_code":"D7","processor_message":"Nope"}}"#;
        let Some(Outcome::Failed(Failure { said: kept, .. })) = said(words) else { panic!("{words}") };
        assert_eq!((kept.code.unwrap().as_str(), kept.message.unwrap().as_str()), ("D7", "Nope"));
        assert_eq!(said(r#"{"status":"pending"}"#), Some(Outcome::Pending));
        let waiting = r#"{"status":"pending","reference":"bank-7","failure":null}"#;
        assert_eq!(said(waiting), Some(Outcome::Pending));
        for code in FailureCode::NAMES {
            let body = format!(r#"{{"status":"failed","failure":{{"code":"{code}","message":"No."}}}}"#);
            let Some(Outcome::Failed(failure)) = said(&body) else { panic!("{body}") };
            assert_eq!((failure.code.as_str(), failure.message.as_str()), (*code, "No."));
        }
    }

    #[test]
    fn anything_unclear_says_nothing() {
        let long = "x".repeat(256);
        for body in [
            "",
            "null",
            "[]",
            "{}",
            "<html>",
            r#"{"status":"SUCCEEDED","reference":"bank-7"}"#,
            r#"{"status":"done","reference":"bank-7"}"#,
            r#"{"status":"succeeded"}"#,
            r#"{"status":"succeeded","reference":""}"#,
            r#"{"status":"succeeded","reference":7}"#,
            &format!(r#"{{"status":"succeeded","reference":"{long}"}}"#),
            r#"{"status":"succeeded","reference":"bank-7","amount":1}"#,
            r#"{"status":"succeeded","reference":"bank-7","failure":{"code":"declined","message":"No."}}"#,
            r#"{"status":"failed"}"#,
            r#"{"status":"failed","failure":{"code":"declined"}}"#,
            r#"{"status":"failed","failure":{"code":"declined","message":""}}"#,
            r#"{"status":"failed","failure":{"code":"no_such_code","message":"No."}}"#,
            r#"{"status":"failed","failure":{"code":"declined","message":"No.","more":1}}"#,
            r#"{"status":"pending","failure":{"code":"declined","message":"No."}}"#,
            r#"{"status":"pending","status":"failed"}"#,
            r#"{"status":"succeeded","reference":"bank-7","bank_reference":{"kind":"iban","value":"9"}}"#,
            r#"{"status":"pending"} {"status":"pending"}"#,
        ] {
            assert_eq!(said(body), None, "{body}");
        }
    }
}
