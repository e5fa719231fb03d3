//! Lambda's runtime API, for one process that is measured.

use std::collections::VecDeque;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::Notify;

/// What a process runs under.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Plain,
    Callgrind,
}

/// What one process did.
pub(crate) struct Run {
    pub(crate) answers: Vec<String>,
    /// Zero without callgrind.
    pub(crate) instructions: u64,
    pub(crate) peak_bytes: u64,
}

/// Whether callgrind can be used.
pub(crate) fn has_callgrind() -> bool {
    std::process::Command::new("valgrind").arg("--version").output().is_ok()
}

#[derive(Default)]
struct Calls {
    events: Mutex<VecDeque<String>>,
    answers: Mutex<Vec<String>>,
    /// The process asks, and there is nothing left to do.
    idle: Notify,
}

/// Starts a function, gives it these events one after the other, and ends it when it asks for one more.
pub(crate) async fn run(tool: Tool, binary: &Path, endpoint: &str, events: Vec<String>) -> Run {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = listener.local_addr().unwrap().to_string();
    let calls = Arc::new(Calls { events: Mutex::new(events.into()), ..Calls::default() });
    let serving = tokio::spawn(serve(listener, Arc::clone(&calls)));
    let mut child = start(tool, binary, endpoint, &api);
    let mut said = BufReader::new(child.stderr.take().unwrap());
    tokio::select! {
        () = calls.idle.notified() => {}
        ended = child.wait() => {
            let mut why = String::new();
            said.read_to_string(&mut why).await.unwrap();
            panic!("{} ended, {ended:?}: {why}", binary.display());
        }
    }
    let pid = child.id().unwrap().to_string();
    let peak_bytes = peak_bytes(&pid);
    assert!(Command::new("kill").arg(&pid).status().await.unwrap().success());
    let mut text = String::new();
    said.read_to_string(&mut text).await.unwrap();
    child.wait().await.unwrap();
    serving.abort();
    let counted = text.lines().find_map(|line| line.split_once("Collected : "));
    let instructions = counted.map_or(0, |(_, count)| count.trim().parse().unwrap());
    assert_eq!(instructions > 0, tool == Tool::Callgrind, "{text}");
    let answers = std::mem::take(&mut *calls.answers.lock().unwrap());
    Run { answers, instructions, peak_bytes }
}

fn start(tool: Tool, binary: &Path, endpoint: &str, api: &str) -> Child {
    let mut command = match tool {
        Tool::Plain => Command::new(binary),
        Tool::Callgrind => {
            let mut valgrind = Command::new("valgrind");
            valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(binary);
            valgrind
        }
    };
    command.env_clear().envs([
        ("PATH", std::env::var("PATH").unwrap().as_str()),
        ("AWS_LAMBDA_RUNTIME_API", api),
        ("AWS_LAMBDA_FUNCTION_NAME", "measured"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", "measured"),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "measured"),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "token"),
        ("AWS_ENDPOINT_URL", endpoint),
        ("TABLE_NAME", "recoup"),
        ("CREDENTIALS_TABLE_NAME", "recoup-credentials"),
        ("LIMITS_TABLE_NAME", "recoup-limits"),
        ("LIMITS", "1000/10000 1000/10000"),
        ("PUBLIC_URL", "https://api.example.com"),
        ("REFUND_JOBS_QUEUE_URL", "https://sqs.example.com/refunds"),
        ("WEBHOOK_JOBS_QUEUE_URL", "https://sqs.example.com/webhooks"),
        ("WEBHOOK_RETRIES_QUEUE_URL", "https://sqs.example.com/retries"),
        ("RELAY_DEAD_LETTER_QUEUE_URL", "https://sqs.example.com/dead"),
        ("PROCESSOR_SECRETS_PREFIX", "recoup/"),
        ("TERMS_SEAL_KEY_SECRET", "recoup-seal"),
        ("SECRETS_KEY_ID", "0dcaac19-7075-4870-bd1a-afee2af3cc81"),
    ]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn().unwrap()
}

/// The most memory that a process has had, as Linux tells it.
fn peak_bytes(pid: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}

async fn serve(listener: TcpListener, calls: Arc<Calls>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        tokio::spawn(connection(BufReader::new(stream), Arc::clone(&calls)));
    }
}

/// One kept connection.
async fn connection(mut stream: BufReader<TcpStream>, calls: Arc<Calls>) {
    while let Some((request, body)) = request(&mut stream).await {
        let answer = if request.starts_with("GET ") {
            let event = calls.events.lock().unwrap().pop_front();
            let Some(event) = event else {
                calls.idle.notify_one();
                return std::future::pending().await;
            };
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\
                lambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
                lambda-runtime-deadline-ms: 9999999999999\r\n\
                lambda-runtime-invoked-function-arn: arn:aws:lambda:eu-central-1:123456789012:function:measured\r\n\
                lambda-runtime-trace-id: Root=1-5bef4de7-";
            // No two calls have the same, as no two have on Lambda.
            let trace = calls.events.lock().unwrap().len();
            format!(
                "{head}{trace:024};Parent=9a9197af755a6419;Sampled=1\r\ncontent-length: {}\r\n\r\n{event}",
                event.len()
            )
        } else {
            calls.answers.lock().unwrap().push(body);
            "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n".to_owned()
        };
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

/// The next request's first line and body; `None` once the process has closed.
async fn request(stream: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let (mut first, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(": ")
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.parse().unwrap();
        }
        first.get_or_insert_with(|| line.to_owned());
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some((first?, String::from_utf8(body).unwrap()))
}
