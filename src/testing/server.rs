//! An identity provider on loopback.

use std::{
    fmt,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use http::StatusCode;
use serde_json::{Value, json};

use super::{issuer::TestIssuer, token::TestToken};

/// An identity provider on a free port of loopback, made by [`TestIssuer::serve`]. It ends when it
/// is dropped.
///
/// It has a [`TestIssuer`] whose name is [its URL](Self::url): [`issuer`](Self::issuer). The methods that
/// a test needs most are its own, such as `server.token()` and `server.rotate()`. It publishes:
///
/// | path | document |
/// |---|---|
/// | `/.well-known/openid-configuration` | the metadata of OpenID Connect Discovery 1.0 |
/// | `/.well-known/oauth-authorization-server` | the metadata of RFC 8414 |
/// | `/.well-known/jwks.json` | the key set |
///
/// It has threads of its own, so it also answers while a test blocks its runtime, such as while it
/// waits for a process.
///
/// # Faults
///
/// A fault lasts until another one or [`recover`](Self::recover). All of them concern the key set.
/// [`unreachable`](Self::unreachable) and [`delay`](Self::delay) concern the metadata, too.
///
/// # Example: keys that rotate, and a provider that fails
#[cfg_attr(
    feature = "remote",
    doc = r#"```
use std::time::Duration;
use tower_jwt_auth::{
    RemoteKeys, Verifier,
    testing::{TestIssuer, assert_accepted, assert_refused},
};

# #[tokio::main(flavor = "current_thread")]
# async fn main() -> Result<(), Box<dyn std::error::Error>> {
let server = TestIssuer::new().serve();
let keys = RemoteKeys::discover(server.url()).cooldown(Duration::from_millis(50)).build().await?;
let verifier = Verifier::builder().audience(server.audience()).keys(keys).build()?;
assert_accepted(&verifier.verify(&server.token().sign()).await);
assert_eq!(server.fetches(), 1);

server.rotate(); // the first token of the new key causes a fetch
assert_accepted(&verifier.verify(&server.token().sign()).await);
assert_eq!(server.fetches(), 2);

server.fail_keys(503);
server.rotate();
let undecided = verifier.verify(&server.token().sign()).await;
assert!(undecided.unwrap_err().is_server_fault()); // 503, and not 401
# Ok(()) }
```"#
)]
#[must_use = "it ends when it is dropped"]
pub struct TestServer {
    issuer: TestIssuer,
    shared: Arc<Shared>,
}

struct Shared {
    issuer: TestIssuer,
    address: SocketAddr,
    fault: Mutex<Fault>,
    /// Notified when the fault changes, and at the end.
    changed: Condvar,
    ended: AtomicBool,
    fetches: AtomicUsize,
    metadata_fetches: AtomicUsize,
}

/// A fault of the server.
#[derive(Clone, Copy, Debug)]
enum Fault {
    None,
    /// The key set has this status.
    Status(StatusCode),
    /// Every answer is late.
    Delay(Duration),
    /// The key set is no JSON.
    Garbage,
    /// Every connection is closed.
    Unreachable,
}

impl TestIssuer {
    /// Starts an identity provider with the audience, the algorithm and the clock of this issuer.
    /// It has its own name and keys.
    ///
    /// # Panics
    ///
    /// There is no free port on `127.0.0.1`.
    pub fn serve(&self) -> TestServer {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
        let address = listener.local_addr().expect("it is bound");
        let issuer = self.clone().with_issuer(format!("http://{address}"));
        let shared = Arc::new(Shared {
            issuer: issuer.clone(),
            address,
            fault: Mutex::new(Fault::None),
            changed: Condvar::new(),
            ended: AtomicBool::new(false),
            fetches: AtomicUsize::new(0),
            metadata_fetches: AtomicUsize::new(0),
        });
        let listening = Arc::clone(&shared);
        thread::spawn(move || listening.listen(&listener));
        TestServer { issuer, shared }
    }
}

impl TestServer {
    /// Its URL, such as `http://127.0.0.1:49152`, which is the `iss` of its tokens: the issuer to
    /// give to `RemoteKeys::discover`, which accepts `http` on loopback.
    #[must_use]
    pub fn url(&self) -> &str {
        self.issuer.issuer()
    }

    /// The issuer of its tokens.
    #[must_use]
    pub fn issuer(&self) -> &TestIssuer {
        &self.issuer
    }

    /// The audience of its tokens: `aud`.
    #[must_use]
    pub fn audience(&self) -> &str {
        self.issuer.audience()
    }

    /// Starts to make a token; see [`TestIssuer::token`].
    pub fn token(&self) -> TestToken {
        self.issuer.token()
    }

    /// Signs with a new key from now on; see [`TestIssuer::rotate`].
    pub fn rotate(&self) {
        self.issuer.rotate();
    }

    /// Publishes only the key that signs; see [`TestIssuer::withdraw_old`].
    pub fn withdraw_old(&self) {
        self.issuer.withdraw_old();
    }

    /// The URL of the key set, for `RemoteKeys::at`.
    #[must_use]
    pub fn jwks_url(&self) -> String {
        format!("{}{JWKS}", self.url())
    }

    /// How many requests for the key set have come, those of a fault included.
    #[must_use]
    pub fn fetches(&self) -> usize {
        self.shared.fetches.load(Ordering::SeqCst)
    }

    /// How many requests for metadata have come, at either path.
    #[must_use]
    pub fn metadata_fetches(&self) -> usize {
        self.shared.metadata_fetches.load(Ordering::SeqCst)
    }

    /// Answers requests for the key set with this status, such as 503 or 429.
    ///
    /// # Panics
    ///
    /// It is no status.
    pub fn fail_keys<S>(&self, status: S)
    where
        StatusCode: TryFrom<S>,
    {
        let Ok(status) = StatusCode::try_from(status) else {
            panic!("a status is from 100 to 999")
        };
        self.set(Fault::Status(status));
    }

    /// Waits for this time before each answer.
    pub fn delay(&self, time: Duration) {
        self.set(Fault::Delay(time));
    }

    /// Answers requests for the key set with 200 and a body that is no JSON, such as the page of a
    /// proxy.
    pub fn garbage(&self) {
        self.set(Fault::Garbage);
    }

    /// Closes each connection without an answer. The port stays taken, so that it is still this
    /// server's after [`recover`](Self::recover).
    pub fn unreachable(&self) {
        self.set(Fault::Unreachable);
    }

    /// Ends a fault. Answers that are delayed come at once.
    pub fn recover(&self) {
        self.set(Fault::None);
    }

    fn set(&self, fault: Fault) {
        *self.shared.fault() = fault;
        self.shared.changed.notify_all();
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.shared.changed.notify_all();
        // Wakes the thread that listens, and is the last connection.
        drop(TcpStream::connect(self.shared.address));
    }
}

impl fmt::Debug for TestServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestServer")
            .field("issuer", &self.issuer)
            .field("fault", &*self.shared.fault())
            .field("fetches", &self.fetches())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn listen(self: Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            let (Ok(stream), shared) = (stream, Arc::clone(&self)) else { continue };
            // A client that hangs up half way is not the server's fault.
            thread::spawn(move || drop(shared.serve(&stream)));
        }
    }

    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        if matches!(*self.fault(), Fault::Unreachable) {
            return Ok(());
        }
        stream.set_read_timeout(Some(PATIENCE))?;
        let Some((method, path)) = request_line(stream)? else { return Ok(()) };
        match &*path {
            JWKS => _ = self.fetches.fetch_add(1, Ordering::SeqCst),
            OIDC | OAUTH => _ = self.metadata_fetches.fetch_add(1, Ordering::SeqCst),
            _ => {}
        }
        let fault = self.wait();
        let (status, body) = match (&*method, &*path, fault) {
            (_, _, Fault::Unreachable) => return Ok(()),
            ("GET" | "HEAD", JWKS, Fault::Status(status)) => (status.as_u16(), "{}".to_owned()),
            ("GET" | "HEAD", JWKS, Fault::Garbage) => (200, "<html>Bad Gateway</html>".to_owned()),
            ("GET" | "HEAD", JWKS, _) => (200, self.issuer.jwks()),
            ("GET" | "HEAD", OIDC | OAUTH, _) => (200, self.metadata().to_string()),
            (_, JWKS | OIDC | OAUTH, _) => (405, "{}".to_owned()),
            _ => (404, "{}".to_owned()),
        };
        let kind = if body.starts_with('<') { "text/html" } else { "application/json" };
        let mut answer = format!(
            "HTTP/1.1 {status} Status\r\nconnection: close\r\ncontent-type: {kind}\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        if method != "HEAD" {
            answer.push_str(&body);
        }
        (&mut &*stream).write_all(answer.as_bytes())
    }

    /// Waits while answers are delayed, and returns the fault to answer with.
    fn wait(&self) -> Fault {
        let begin = Instant::now();
        let mut fault = self.fault();
        while let Fault::Delay(delay) = *fault
            && !self.ended.load(Ordering::SeqCst)
        {
            let Some(left) = delay.checked_sub(begin.elapsed()).filter(|left| !left.is_zero())
            else {
                break;
            };
            let woken = self.changed.wait_timeout(fault, left);
            fault = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        *fault
    }

    fn metadata(&self) -> Value {
        let url = self.issuer.issuer();
        let key = self.issuer.signing_key();
        let mut metadata = json!({
            "issuer": url,
            "jwks_uri": format!("{url}{JWKS}"),
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
        });
        // OpenID Connect Discovery 1.0 §3 requires it, and a shared secret is not published.
        if key.public_jwk().is_some() {
            let name = "id_token_signing_alg_values_supported";
            metadata[name] = json!([key.algorithm().name()]);
        }
        metadata
    }

    fn fault(&self) -> MutexGuard<'_, Fault> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The method and the path of a request, whose head is read to its end; `None` if it has no end.
fn request_line(stream: &TcpStream) -> io::Result<Option<(String, String)>> {
    let mut reader = BufReader::new(stream.take(LONGEST_HEAD));
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if line.trim_end().is_empty() {
            break;
        }
    }
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    Ok(Some((method.to_owned(), path.to_owned())))
}

const JWKS: &str = "/.well-known/jwks.json";
const OIDC: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";

/// How long a client may take for its request.
const PATIENCE: Duration = Duration::from_secs(10);

/// In bytes.
const LONGEST_HEAD: u64 = 64 * 1024;
