//! Samples asked of their sender, through the real SDK, at a listener that answers as Lambda does.
#![cfg(test)]

mod support;

use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::{Credentials, Region};
use recoup_domain::ids::{EndpointId, EventId};
use recoup_outbound::invoked::Invoked;
use recoup_ports::causes;
use recoup_ports::samples::{SampleError, SampleJob, Sampled, SendSamples};
use recoup_testing::fixtures::tenant;
use serde_json::{Value, json};
use support::{Answer, Receiver};

const FUNCTION: &str = "recoup-dispatch-webhook";

fn job() -> SampleJob {
    SampleJob { tenant: tenant(), endpoint: EndpointId::from_bits(1), event: EventId::from_bits(2) }
}

/// Lambda's answer: a status, headers and what the function said.
async fn lambda(status: u16, headers: &'static str, said: &str) -> Receiver {
    let head = format!("HTTP/1.1 {status} Said\r\nconnection: close\r\n{headers}");
    let text = format!("{head}content-length: {}\r\n\r\n{said}", said.len());
    Receiver::answering(move |_| Answer { text: text.clone(), filler_bytes: 0, close: true }).await
}

async fn asks(lambda: &Receiver) -> Result<Sampled, SampleError> {
    let config = aws_sdk_lambda::Config::builder()
        .behavior_version_latest()
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(RetryConfig::disabled())
        .endpoint_url(format!("http://127.0.0.1:{}", lambda.port));
    let client = aws_sdk_lambda::Client::from_conf(config.build());
    Invoked::new(|| client, FUNCTION.to_owned()).send_sample(&job()).await
}

#[tokio::test]
async fn the_sender_is_invoked_once_and_its_answer_awaited() {
    for sampled in [
        Sampled::Sent { status: Some(204), said: String::new(), duration_ms: 7 },
        Sampled::Sent { status: None, said: "no answer".to_owned(), duration_ms: 15_000 },
        Sampled::NoSuchEndpoint,
        Sampled::Unreadable,
    ] {
        let lambda = lambda(200, "", &serde_json::to_string(&sampled).unwrap()).await;
        assert_eq!(asks(&lambda).await.unwrap(), sampled);
        let received = lambda.received();
        assert_eq!(received.len(), 1);
        let first = received[0].head.lines().next().unwrap();
        assert_eq!(first, format!("POST /2015-03-31/functions/{FUNCTION}/invocations HTTP/1.1"));
        assert!(!received[0].head.to_lowercase().contains("x-amz-invocation-type: event"), "it is awaited");
        let expected = json!({ "sample": {
            "environment": "sandbox", "account_id": tenant().account.as_str(),
            "endpoint_id": job().endpoint.as_str(), "event_id": job().event.as_str(),
        } });
        assert_eq!(serde_json::from_str::<Value>(&received[0].body).unwrap(), expected);
    }
}

#[tokio::test]
async fn whatever_else_happens_is_no_outcome_and_holds_nothing_that_was_said() {
    let failed = "x-amz-function-error: Unhandled\r\n";
    let throttled = "x-amzn-errortype: TooManyRequestsException\r\n";
    let secret = "SaidByAReceiver";
    for (status, headers, said, why) in [
        (200, failed, format!(r#"{{"errorMessage": "{secret}"}}"#), "it failed"),
        (200, "", format!(r#"{{"outcome": "{secret}"}}"#), "unreadable at column"),
        (200, "", secret.to_owned(), "unreadable at column"),
        (429, throttled, r#"{"message": "SaidByAReceiver"}"#.to_owned(), "TooManyRequestsException"),
        (500, "", secret.to_owned(), "Lambda did not answer"),
        (403, "x-amzn-errortype: AccessDeniedException\r\n", "{}".to_owned(), "AccessDeniedException"),
    ] {
        let lambda = lambda(status, headers, &said).await;
        let told = causes(&asks(&lambda).await.unwrap_err());
        assert!(told.contains(why) && !told.contains(secret), "{told}");
    }
}
