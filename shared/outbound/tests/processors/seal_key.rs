//! The key that seals payments, read through the real SDK when it is first needed.

use std::sync::Arc;
use std::sync::Mutex;

use recoup_domain::seal::SealKey;
use recoup_outbound::seal_key::StoredSealKey;
use recoup_ports::causes;
use recoup_ports::seal_keys::SealKeys;
use serde_json::json;

use crate::server::{Reply, Server};
use crate::stored_keys::{raw, secret_store};

const TEXT: &str = "0123456789abcdef0123456789abcdefPLANTED";

struct World {
    server: Server,
    says: Arc<Mutex<Reply>>,
    key: StoredSealKey,
}

fn secret(text: &str) -> Reply {
    let arn = "arn:aws:secretsmanager:eu-central-1:000000000000:secret:Seal-AbCdEf";
    raw(200, &json!({"ARN": arn, "Name": "Seal", "VersionId": "v", "SecretString": text}).to_string())
}

impl World {
    async fn saying(reply: Reply) -> Self {
        let says = Arc::new(Mutex::new(reply));
        let of_server = says.clone();
        let server = Server::answering(move |_| of_server.lock().unwrap().clone()).await;
        let key = StoredSealKey::new(secret_store(server.port), "the-arn".to_owned());
        Self { server, says, key }
    }
}

#[tokio::test]
async fn the_key_is_read_once_when_it_is_needed() {
    let world = World::saying(secret(TEXT)).await;
    assert_eq!(world.server.take_calls().len(), 0);
    for _ in 0..3 {
        assert_eq!(Some(world.key.seal_key().await.unwrap()), SealKey::new(TEXT.into()));
    }
    *world.says.lock().unwrap() = Reply::Cut;
    assert!(world.key.seal_key().await.is_ok(), "kept for the process's life");
    assert_eq!(world.server.take_calls().len(), 1);
}

#[tokio::test]
async fn a_key_that_cannot_be_read_is_an_error_and_is_read_again() {
    let refusal = |kind: &str| raw(400, &json!({"__type": kind, "Message": "A sentence."}).to_string());
    let whole = json!({"Name": "Seal", "SecretString": TEXT}).to_string();
    for (reply, why) in [
        (refusal("ResourceNotFoundException"), "there is no such secret"),
        (refusal("AccessDeniedException"), "the secret store refused (AccessDeniedException: A sentence.)"),
        (raw(200, whole.split_once('}').unwrap().0), "the secret store"),
        (secret("PLANTED"), "the secret is too short"),
        (Reply::Stall, "too late"),
        (Reply::Cut, "did not answer"),
    ] {
        let world = World::saying(reply).await;
        let error = world.key.seal_key().await.unwrap_err();
        let told = causes(&error);
        assert!(told.contains(why), "{told}");
        assert!(!format!("{told} {error:?} {:?}", world.key).contains("PLANTED"), "{error:?}");
        *world.says.lock().unwrap() = secret(TEXT);
        assert!(world.key.seal_key().await.is_ok());
    }
}
