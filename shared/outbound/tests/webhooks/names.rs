//! Names whose owner means harm: whatever they answer, and however often they change their mind, nothing that is
//! not public is dialled.

use std::io;
use std::net::{IpAddr, TcpListener};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use recoup_domain::text::TargetUrl;
use recoup_outbound::names::{Found, Names};
use recoup_outbound::webhooks::Webhooks;
use recoup_ports::webhooks::{Deliver, Reach, SendError};
use rustls::ClientConfig;
use rustls::crypto::ring;
use tokio::time::timeout;

use super::{SHORT, closing, deliver, hook, message, receiver, status};

/// Global unicast of the experimental 6bone, given back to IANA (RFC 3701): it looks public and is nobody's.
const PUBLIC: &str = "3ffe::1";
const NOT_PUBLIC: SendError = SendError::Forbidden("it has no public address");
/// For a connection that has to come.
const PATIENCE: Duration = Duration::from_secs(30);
/// Of these, Linux leads the first three to a listener on 127.0.0.1.
const OURS: [&str; 7] = [
    "127.0.0.1",
    "::ffff:127.0.0.1",
    "0.0.0.0",
    "::1",
    "fd00:ec2::254",
    "169.254.169.254",
    "64:ff9b::7f00:1",
];

/// Gives its answers in turn, and begins anew.
#[derive(Debug)]
struct Changing {
    answers: Vec<Vec<IpAddr>>,
    asked: AtomicUsize,
    names: Mutex<Vec<String>>,
}

impl Changing {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let parsed = |texts: &&[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let answers = answers.iter().map(parsed).collect();
        Arc::new(Self { answers, asked: AtomicUsize::new(0), names: Mutex::default() })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Names for Changing {
    fn addresses(&self, name: &str) -> Found {
        self.names.lock().unwrap().push(name.to_owned());
        let asked = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers.iter().cycle().nth(asked).unwrap().clone();
        Box::pin(async move { Ok(answer) })
    }
}

#[derive(Debug)]
struct Nobody;

impl Names for Nobody {
    fn addresses(&self, _: &str) -> Found {
        Box::pin(async { Err(io::Error::other("no such name")) })
    }
}

/// Counts who connected. A connection stands in its queue before the one who made it knows, so there is nothing
/// to wait for.
struct Trap(TcpListener);

impl Trap {
    fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    fn caught(&self) -> usize {
        std::iter::from_fn(|| self.0.accept().ok()).count()
    }

    /// Lets one who may go anywhere go into it: waits for the connection, and breaks it.
    async fn catch(&self, address: &str) {
        let webhooks = webhooks(Changing::new(&[&[address]]), Reach::Anywhere);
        let listener = tokio::net::TcpListener::from_std(self.0.try_clone().unwrap()).unwrap();
        let caught = async {
            let caught = timeout(PATIENCE, listener.accept()).await;
            drop(caught.unwrap_or_else(|_| panic!("nobody came to {address}")).unwrap());
        };
        let (told, ()) = tokio::join!(told(&webhooks, self), caught);
        assert!(matches!(told, Err(SendError::Connection(_))), "it speaks no TLS: {told:?}");
    }
}

fn webhooks(names: Arc<dyn Names>, reach: Reach) -> Webhooks {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let tls = tls.with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth();
    Webhooks::asking(names, reach, tls)
}

async fn told(webhooks: &Webhooks, trap: &Trap) -> Result<u16, SendError> {
    let url = TargetUrl::unchecked(format!("https://hooks.example:{}/hook", trap.port()));
    webhooks.deliver(&url, &message()).await.map(|reply| reply.status)
}

#[tokio::test]
async fn the_trap_catches_whoever_may_go_anywhere() {
    let trap = Trap::set();
    for address in &OURS[..3] {
        trap.catch(address).await;
    }
}

#[tokio::test]
async fn a_name_that_is_public_first_and_private_next_leads_nowhere() {
    let trap = Trap::set();
    for ours in OURS {
        let names = Changing::new(&[&[PUBLIC], &[ours]]);
        let webhooks = webhooks(names.clone(), Reach::Public).within(SHORT);
        let first = told(&webhooks, &trap).await;
        // It was dialled: that ends in silence or in a connection that fails, not in a refusal.
        assert!(matches!(first, Err(SendError::TimedOut | SendError::Connection(_))), "{first:?}");
        assert_eq!(names.asked(), 1, "what was judged is dialled, without another question");
        assert_eq!(told(&webhooks, &trap).await, Err(NOT_PUBLIC), "{ours}");
        assert_eq!(names.asked(), 2);
        assert_eq!(trap.caught(), 0, "{ours}");
    }
}

#[tokio::test]
async fn of_a_mixed_answer_nothing_of_ours_is_dialled_even_if_the_rest_fails() {
    let trap = Trap::set();
    for ours in OURS {
        for answer in [[ours, PUBLIC, ours], [PUBLIC, ours, ours]] {
            let webhooks = webhooks(Changing::new(&[&answer]), Reach::Public).within(SHORT);
            let told = told(&webhooks, &trap).await;
            assert!(matches!(told, Err(SendError::TimedOut | SendError::Connection(_))), "{told:?}");
            assert_eq!(trap.caught(), 0, "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_name_with_only_private_addresses_or_none_is_refused() {
    let trap = Trap::set();
    for answer in [&OURS[..], &[]] {
        let webhooks = webhooks(Changing::new(&[answer]), Reach::Public);
        assert_eq!(told(&webhooks, &trap).await, Err(NOT_PUBLIC), "{answer:?}");
    }
    let told = told(&webhooks(Arc::new(Nobody), Reach::Public), &trap).await;
    let Err(SendError::Connection(why)) = told else { panic!("{told:?}") };
    assert!(why.contains("no such name") && !why.contains("hooks.example"), "{why}");
    assert_eq!(trap.caught(), 0);
}

#[tokio::test]
async fn a_name_that_answers_differently_each_time_never_gets_through() {
    let trap = Trap::set();
    let answers: Vec<[&str; 1]> = OURS.iter().map(|ours| [*ours]).collect();
    let answers: Vec<&[&str]> = answers.iter().map(<[&str; 1]>::as_slice).collect();
    let names = Changing::new(&answers);
    let webhooks = webhooks(names.clone(), Reach::Public);
    for _ in 0..20 {
        assert_eq!(told(&webhooks, &trap).await, Err(NOT_PUBLIC));
    }
    assert_eq!(names.asked(), 20, "nothing is remembered");
    assert_eq!(names.names.lock().unwrap()[0], "hooks.example");
    assert_eq!(trap.caught(), 0);
}

#[tokio::test]
async fn an_address_written_out_asks_nobody() {
    let names = Changing::new(&[&["127.0.0.1"]]);
    let webhooks = webhooks(names.clone(), Reach::Anywhere);
    let to = receiver(status("200 OK")).await;
    let told = webhooks.deliver(&TargetUrl::unchecked(hook(&to)), &message()).await;
    assert_eq!(told.map(|reply| reply.status), Ok(200));
    assert_eq!(names.asked(), 0);
}

#[tokio::test]
async fn no_redirect_is_followed_to_an_address_of_ours() {
    let trap = Trap::set();
    for status in [301, 302, 303, 307, 308] {
        for ours in ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost"] {
            let location = format!("http://{ours}:{}/", trap.port());
            let head = format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\n");
            let answer = closing(format!("{head}content-length: 0\r\nconnection: close\r\n\r\n"));
            let to = receiver(answer).await;
            let told = deliver(Reach::Anywhere, hook(&to)).await;
            assert_eq!(told.map(|reply| reply.status), Ok(status));
            assert_eq!(trap.caught(), 0, "{status} to {ours}");
        }
    }
}

/// The environment of a process is set when it is started, so this test starts itself.
#[tokio::test]
async fn no_proxy_of_the_environment_is_used() {
    const WITHIN: &str = "RECOUP_TEST_BEHIND_A_PROXY";
    if std::env::var_os(WITHIN).is_some() {
        let to = receiver(status("200 OK")).await;
        assert_eq!(deliver(Reach::Anywhere, hook(&to)).await.map(|reply| reply.status), Ok(200));
        return Trap::set().catch("127.0.0.1").await;
    }
    let proxy = Trap::set();
    let mut itself = Command::new(std::env::current_exe().unwrap());
    itself.args(["--exact", "names::no_proxy_of_the_environment_is_used"]).env(WITHIN, "1");
    for name in ["http_proxy", "https_proxy", "all_proxy"] {
        let url = format!("http://127.0.0.1:{}", proxy.port());
        itself.env(name, &url).env(name.to_uppercase(), &url);
    }
    let ended = itself.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap();
    let printed = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success() && printed.contains("1 passed"), "{printed}");
    assert_eq!(proxy.caught(), 0);
}
