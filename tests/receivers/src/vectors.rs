//! Requests as a receiver may get them, signed by the code that signs.

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use recoup_domain::signing::{Secret, Secrets, Signed, sign};
use recoup_domain::time::Timestamp;
use serde_json::{Value, json};

/// A request, and what its receiver has to make of it.
#[derive(Clone)]
pub(crate) struct Vector {
    pub(crate) name: &'static str,
    /// The receiver's, `whsec_…`.
    pub(crate) secret: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    /// Whether it is to be taken.
    pub(crate) is_right: bool,
}

const BODY: &str = r#"{"type":"refund.succeeded","data":{"id":"rfd_1","amount":1000}}"#;
/// Two, three and four bytes of UTF-8, a line separator, an escape, and white space that JSON does not need.
const NOT_ASCII: &str =
    "{\"type\": \"refund.updated\",\n\t\"data\": {\"description\": \"Für Ærø €5 🦀\u{2028} \\u00e9\"}}";

pub(crate) fn seconds_ago(seconds: u64) -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let then = now.checked_sub(Duration::from_secs(seconds)).unwrap();
    Timestamp::from_unix_millis(u64::try_from(then.as_millis()).unwrap()).unwrap()
}

pub(crate) fn secret(byte: u8) -> Secret {
    Secret::new((0..32).map(|place: u8| byte ^ place.wrapping_mul(37)).collect()).unwrap()
}

fn signed(body: &str, seconds: u64, secrets: &Secrets) -> Signed {
    sign("evt_01j9x4mzt5r8v3kq7w2bnd6hcg", seconds_ago(seconds), body.to_owned(), secrets)
}

impl Vector {
    /// All of them, made once: they are fresh for five minutes.
    pub(crate) fn all() -> &'static [Self] {
        static ALL: OnceLock<Vec<Vector>> = OnceLock::new();
        ALL.get_or_init(|| [rightly_signed(), changed(), stale(), of_strange_headers()].concat())
    }

    fn new(name: &'static str, is_right: bool, secret: &Secret, signed: Signed) -> Self {
        let Signed { id, timestamp, signature, body } = signed;
        let headers =
            vec![("webhook-id", id), ("webhook-timestamp", timestamp), ("webhook-signature", signature)];
        Self { name, secret: secret.reveal(), headers, body, is_right }
    }

    pub(crate) fn json(&self) -> Value {
        let headers: Value =
            self.headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        json!({ "secret": self.secret, "headers": headers, "body": self.body })
    }
}

fn rightly_signed() -> Vec<Vector> {
    let (old, new) = (Secrets::first(secret(1)), secret(2));
    let both = old.rotated(new.clone(), seconds_ago(60), Duration::from_hours(24)).unwrap();
    let over = old.rotated(new.clone(), seconds_ago(90_000), Duration::from_hours(24)).unwrap();
    vec![
        Vector::new("valid", true, &secret(1), signed(BODY, 0, &old)),
        Vector::new("valid, not ASCII", true, &secret(1), signed(NOT_ASCII, 0, &old)),
        Vector::new("valid, four minutes old", true, &secret(1), signed(BODY, 240, &old)),
        Vector::new("rotating, read with the old secret", true, &secret(1), signed(NOT_ASCII, 0, &both)),
        Vector::new("rotating, read with the new secret", true, &new, signed(BODY, 0, &both)),
        Vector::new("rotated, read with the new secret", true, &new, signed(BODY, 0, &over)),
        Vector::new("rotated, read with the old secret", false, &secret(1), signed(BODY, 0, &over)),
        Vector::new("another's secret", false, &secret(3), signed(BODY, 0, &both)),
    ]
}

fn changed() -> Vec<Vector> {
    let change = |name, change: fn(Signed) -> Signed| {
        Vector::new(name, false, &secret(1), change(signed(BODY, 30, &Secrets::first(secret(1)))))
    };
    vec![
        change("another body", |signed| Signed { body: BODY.replace("1000", "9000"), ..signed }),
        change("a body with one space more", |signed| Signed { body: BODY.replace(':', ": "), ..signed }),
        change("another id", |signed| Signed { id: "evt_01j9x4mzt5r8v3kq7w2bnd6hch".to_owned(), ..signed }),
        change("a fresher timestamp", |signed| Signed {
            timestamp: (seconds_ago(0).unix_millis() / 1_000).to_string(),
            ..signed
        }),
        change("a dot between id and timestamp moved", |signed| Signed {
            id: format!("{}.{}", signed.id, &signed.timestamp[..1]),
            timestamp: signed.timestamp[1..].to_owned(),
            ..signed
        }),
    ]
}

fn stale() -> Vec<Vector> {
    let secrets = Secrets::first(secret(1));
    let future = seconds_ago(0).plus(Duration::from_mins(10));
    vec![
        Vector::new("more than five minutes old", false, &secret(1), signed(BODY, 310, &secrets)),
        Vector::new("a day old", false, &secret(1), signed(BODY, 86_400, &secrets)),
        Vector::new("of the future", false, &secret(1), sign("evt_1", future, BODY.to_owned(), &secrets)),
    ]
}

fn of_strange_headers() -> Vec<Vector> {
    let right = signed(BODY, 0, &Secrets::first(secret(1)));
    let with = |name, is_right, signature: String| {
        Vector::new(name, is_right, &secret(1), Signed { signature, ..right.clone() })
    };
    let bare = right.signature.strip_prefix("v1,").unwrap();
    let mut vectors = vec![
        with("only another version", false, format!("v2,{bare}")),
        with("only the asymmetric version", false, format!("v1a,{bare}")),
        with("another version beside ours", true, format!("v2,AAAA v1a,{bare} v1,{bare}")),
        with("a wrong one beside ours", true, format!("v1,{} v1,{bare}", bare.replace(&bare[..4], "////"))),
        with("no version", false, bare.to_owned()),
        with("an empty header", false, String::new()),
        with("a word", false, "garbage".to_owned()),
        with("a version alone", false, "v1".to_owned()),
        with("an empty signature", false, "v1,".to_owned()),
        with("what is no base64", false, "v1,%%% \u{7e}".to_owned()),
        with("the start of ours", false, right.signature[..20].to_owned()),
        with("commas", false, ",,, v1,,, ,v1".to_owned()),
    ];
    for timestamp in ["", "soon", "-1", "99999999999999999999999999"] {
        let timestamp = timestamp.to_owned();
        let signed = Signed { timestamp, ..right.clone() };
        vectors.push(Vector::new("a timestamp that is none", false, &secret(1), signed));
    }
    for left_out in 0..3 {
        let mut vector = Vector::new("a header missing", false, &secret(1), right.clone());
        vector.headers.remove(left_out);
        vectors.push(vector);
    }
    vectors
}
