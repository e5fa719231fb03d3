//! Sealed secrets: opened for their own receiver, once for many deliveries, and never lost to a key that is away.

use std::sync::atomic::Ordering;
use std::time::Duration;

use aws_sdk_kms::config::{Credentials, Region};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dispatch_webhook::{Answer as Answered, Context, handle};
use recoup_domain::delivery::Target;
use recoup_domain::endpoint::Endpoint;
use recoup_domain::sealed::StoredSecret;
use recoup_domain::signing::{Secrets, verifies};
use recoup_domain::text::TargetUrl;
use recoup_outbound::secrets_key::SecretsKey;
use recoup_outbound::webhooks::Webhooks;
use recoup_ports::endpoints::{Changed, KeepEndpoints};
use recoup_ports::seals::Purpose;
use recoup_ports::webhooks::Reach;
use recoup_testing::Fault;
use recoup_testing::fixtures::{self, later};
use recoup_views::PublicUrl;
use serde_json::json;

use crate::support::{Answer, Received, Receiver};
use crate::{CLOCK, World, answering, header, message, now, url};

fn signed_by(request: &Received, byte: u8) -> bool {
    let (id, timestamp) = (header(request, "webhook-id"), header(request, "webhook-timestamp"));
    let signature = header(request, "webhook-signature");
    verifies(&fixtures::secret(byte), id, timestamp, &request.body, signature)
}

#[tokio::test]
async fn a_row_of_version_0_1_signs_with_its_plain_secret_and_asks_no_key() {
    let receiver = answering("200 OK").await;
    let world = World::new(&url(&receiver)).await;
    let endpoint = Endpoint { url: TargetUrl::unchecked(url(&receiver)), ..fixtures::endpoint(1) };
    world.store.create_endpoint(&endpoint).await.unwrap();
    for (target, byte) in [(Target::Endpoint(endpoint.id), 1), (Target::RefundUrl, 100)] {
        world.work(&world.job(target, 1)).await;
        assert!(signed_by(&receiver.received().pop().unwrap(), byte));
    }
    assert_eq!(world.key.take_opens(), 0);
}

#[tokio::test]
async fn only_the_secrets_that_still_sign_are_opened() {
    let receiver = answering("200 OK").await;
    let world = World::new("https://unused.example.com/").await;
    let before = world.endpoint(1, &url(&receiver)).await;
    let purpose = Purpose::Endpoint(before.id.clone());
    let minute = Duration::from_mins(1);
    let ended = before.secrets.rotated(fixtures::plain_secret(2), later(0), minute).unwrap();
    let secrets = world.key.all_sealed(&before.tenant, &purpose, &ended);
    let after = Endpoint { secrets, ..before.changed(later(0)) };
    assert_eq!(world.store.change_endpoint(&before, &after).await.unwrap(), Changed::Yes);
    CLOCK.store(60_000, Ordering::Relaxed);
    world.work(&world.job(Target::Endpoint(after.id), 1)).await;
    let request = receiver.received().pop().unwrap();
    assert_eq!((signed_by(&request, 2), signed_by(&request, 1)), (true, false));
    assert_eq!(world.key.take_opens(), 1);
}

#[tokio::test]
async fn a_key_that_is_away_keeps_the_message_unsent_and_counts_no_try() {
    let receiver = answering("200 OK").await;
    let world = World::new("https://unused.example.com/").await;
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    let target = Target::Endpoint(endpoint.id.clone());
    let job = world.job(target.clone(), 1);
    world.key.set_away(true);
    assert_eq!(world.kept(vec![message("m1", serde_json::to_string(&job).unwrap())]).await, ["m1"]);
    assert_eq!((receiver.received().len(), world.delivery(&target).await), (0, None));
    assert_eq!(world.stored(&endpoint).await, endpoint, "the endpoint did not fail");
    world.key.set_away(false);
    world.work(&job).await;
    assert!(signed_by(&receiver.received().pop().unwrap(), 1));
}

/// Whoever can write the table gives an endpoint of his own the sealed secret of another tenant's, or of another
/// endpoint, to have messages signed with it.
#[tokio::test]
async fn a_sealed_secret_copied_from_another_row_signs_nothing() {
    let receiver = answering("200 OK").await;
    let world = World::new("https://unused.example.com/").await;
    let (tenant, stranger) = (fixtures::tenant(), fixtures::tenant_of(fixtures::tenant().environment, 2));
    let own = fixtures::endpoint(1);
    let own_purpose = Purpose::Endpoint(own.id.clone());
    for (number, (tenant, purpose)) in (3..).zip([
        (&stranger, own_purpose),
        (&tenant, Purpose::Endpoint(own.id.clone())),
        (&tenant, Purpose::Account),
    ]) {
        let sealed = world.key.sealed(tenant, &purpose, fixtures::secret(1).bytes());
        let thief = Endpoint {
            url: TargetUrl::unchecked(url(&receiver)),
            secrets: Secrets::first(StoredSecret::Sealed(sealed)),
            ..fixtures::endpoint(number)
        };
        world.store.create_endpoint(&thief).await.unwrap();
        let job = world.job(Target::Endpoint(thief.id), 1);
        assert_eq!(world.kept(vec![message("m1", serde_json::to_string(&job).unwrap())]).await, ["m1"]);
    }
    assert!(receiver.received().is_empty());
}

/// The real key, at a listener that opens everything as the fixtures' first secret.
#[tokio::test]
async fn many_deliveries_to_one_endpoint_decrypt_its_secret_once() {
    let kms = Receiver::answering(|_| {
        let body = json!({ "KeyId": "k", "Plaintext": STANDARD.encode([1; 32]) }).to_string();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\nconnection: close";
        let text = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        Answer { text, filler_bytes: 0, close: true }
    });
    let (kms, receiver) = (kms.await, answering("200 OK").await);
    let config = aws_sdk_kms::Config::builder()
        .behavior_version_latest()
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .endpoint_url(format!("http://127.0.0.1:{}", kms.port));
    let client = aws_sdk_kms::Client::from_conf(config.build());
    let world = World::new("https://unused.example.com/").await;
    let context = Context {
        store: world.store.clone(),
        receivers: Webhooks::new(Reach::Anywhere).unwrap(),
        open: SecretsKey::new(|| client, "k", now),
        public_url: PublicUrl::new("https://api.example.com"),
        now,
        jitter_permille: || 1_000,
    };
    let endpoint = world.endpoint(1, &url(&receiver)).await;
    let job = serde_json::to_string(&world.job(Target::Endpoint(endpoint.id), 1)).unwrap();
    let batch = json!({ "Records": (0..10).map(|id| message(&id.to_string(), &*job)).collect::<Vec<_>>() });
    for (at, decrypts) in [(0, 1), (299_000, 1), (300_000, 2)] {
        CLOCK.store(at, Ordering::Relaxed);
        // Nothing was recorded, so that the same messages are tried again.
        world.table.fail_always("PutItem", Fault::server_error());
        let Answered::Batch(answer) = handle(&context, &batch).await.unwrap() else { panic!("a batch") };
        assert_eq!(answer.failed().count(), 10);
        world.table.heal();
        assert_eq!(kms.received().len(), decrypts, "at {at} ms");
    }
    let requests = receiver.received();
    assert!(requests.len() == 30 && requests.iter().all(|request| signed_by(request, 1)));
}
