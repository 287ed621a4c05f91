//! An identity provider on loopback that can be told to misbehave. It runs on threads
//! of its own, so that it goes on whatever becomes of a test's runtime.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use tower_jwt_auth::RemoteKeys;

use crate::support::TestKey;

/// How a request for the keys is answered.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// 200 with this body, and these headers.
    Body(Vec<u8>, Vec<(&'static str, String)>),
    /// A status, and the document of the keys that would be right.
    Status(u16),
    /// A redirect to this address.
    Redirect(String),
    /// The document with this `ETag`, and 304 to who has it.
    Etag(String),
    /// Nothing, until the provider is told something else.
    Hang,
    /// One byte of a good answer each 100 ms.
    Drip,
    /// A good answer that breaks off.
    Truncated,
    /// An answer that never ends.
    Endless,
    /// The connection is closed.
    Close,
    /// The good document.
    Good,
}

pub(crate) struct Provider {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    listens: AtomicBool,
}

struct State {
    keys: Vec<Value>,
    answer: Answer,
    /// Answers for some paths alone.
    at: HashMap<String, Answer>,
    /// How often each path was asked for.
    hits: HashMap<String, usize>,
    /// The headers of the last request.
    last: Vec<String>,
}

impl Provider {
    /// A provider with these keys.
    pub(crate) fn new<'k>(keys: impl IntoIterator<Item = &'k TestKey>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let provider = Self {
            address: listener.local_addr().unwrap(),
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    keys: Vec::new(),
                    answer: Answer::Good,
                    at: HashMap::new(),
                    hits: HashMap::new(),
                    last: Vec::new(),
                }),
                changed: Condvar::new(),
                listens: AtomicBool::new(true),
            }),
        };
        provider.publish(keys);
        provider.listen(listener);
        provider
    }

    /// The issuer, which is the provider's address.
    pub(crate) fn issuer(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn jwks_url(&self) -> String {
        format!("http://{}/jwks", self.address)
    }

    /// Keys from here for the issuer of the usual claims, which change once a minute at
    /// the most, and not by chance.
    pub(crate) fn remote(&self) -> tower_jwt_auth::keys::remote::RemoteKeysBuilder {
        RemoteKeys::at(self.jwks_url()).issuer(crate::support::ISSUER).jitter(0.0)
    }

    /// From now on, these are the keys.
    pub(crate) fn publish<'k>(&self, keys: impl IntoIterator<Item = &'k TestKey>) {
        self.publish_jwks(keys.into_iter().map(TestKey::jwk).collect());
    }

    pub(crate) fn publish_jwks(&self, keys: Vec<Value>) {
        self.state().keys = keys;
    }

    /// From now on, requests for the keys are answered so.
    pub(crate) fn answer(&self, answer: Answer) {
        self.state().answer = answer;
        self.shared.changed.notify_all();
    }

    /// From now on, requests for this path are answered so.
    pub(crate) fn answer_at(&self, path: &str, answer: Answer) {
        self.state().at.insert(path.into(), answer);
        self.shared.changed.notify_all();
    }

    /// How often this path was asked for.
    pub(crate) fn hits(&self, path: &str) -> usize {
        self.state().hits.get(path).copied().unwrap_or_default()
    }

    /// How often the keys were.
    pub(crate) fn fetches(&self) -> usize {
        self.hits("/jwks")
    }

    /// The headers of the last request, in lower case.
    pub(crate) fn last_request(&self) -> Vec<String> {
        self.state().last.clone()
    }

    /// Refuses connections from now on.
    pub(crate) fn stop(&self) {
        self.shared.listens.store(false, Ordering::SeqCst);
        // Wakes it, and is the last one that it takes.
        while TcpStream::connect(self.address).is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Takes connections again, at the same address.
    pub(crate) fn start(&self) {
        self.shared.listens.store(true, Ordering::SeqCst);
        self.listen(TcpListener::bind(self.address).unwrap());
    }

    fn listen(&self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if !shared.listens.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), shared) = (stream, Arc::clone(&shared)) else { continue };
                // Who hangs up in the middle is none of the provider's business.
                thread::spawn(move || drop(shared.serve(&stream)));
            }
        });
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.answer(Answer::Close);
        self.shared.listens.store(false, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if reader.by_ref().take(8192).read_line(&mut line)? == 0 {
                return Ok(());
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_ascii_lowercase()),
            }
        }
        let path = lines[0].split(' ').nth(1).unwrap_or_default().to_owned();
        let path = path.split('?').next().unwrap_or_default();
        // A proxy is sent the whole URL (RFC 9112 §3.2.2).
        let behind =
            path.strip_prefix("http://").and_then(|rest| rest.find('/').map(|at| &rest[at..]));
        let path = behind.unwrap_or(path).to_owned();
        let mut state = self.state.lock().unwrap();
        *state.hits.entry(path.clone()).or_default() += 1;
        state.last.clone_from(&lines);

        let issuer = format!("http://{}", stream.local_addr()?);
        let answer = loop {
            let answer = state.at.get(&path).unwrap_or(&state.answer).clone();
            let hangs = matches!(answer, Answer::Hang);
            if !hangs || (path != "/jwks" && !state.at.contains_key(&path)) {
                break answer;
            }
            state = self.changed.wait(state).unwrap();
        };
        let document = match &*path {
            "/jwks" => json!({"keys": state.keys}),
            "/.well-known/openid-configuration" => {
                json!({"issuer": issuer, "jwks_uri": format!("{issuer}/jwks")})
            }
            _ if state.at.contains_key(&path) => Value::Null,
            _ => return respond(stream, 404, &[], b"not here"),
        };
        let own = path == "/jwks" || state.at.contains_key(&path);
        drop(state);

        let body = document.to_string().into_bytes();
        let json = [("content-type", "application/json".to_owned())];
        match answer {
            _ if !own => respond(stream, 200, &json, &body),
            Answer::Good => respond(stream, 200, &json, &body),
            Answer::Body(body, headers) => respond(stream, 200, &headers, &body),
            Answer::Status(status) => respond(stream, status, &json, &body),
            Answer::Redirect(to) => respond(stream, 302, &[("location", to)], &body),
            Answer::Etag(etag) => {
                let same = lines.iter().any(|line| *line == format!("if-none-match: {etag}"));
                let headers = [("etag", etag), ("cache-control", "max-age=120".into())];
                match same {
                    true => respond(stream, 304, &headers, b""),
                    false => respond(stream, 200, &headers, &body),
                }
            }
            Answer::Drip => {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                for byte in head.as_bytes().iter().chain(&body) {
                    stream.write_all(&[*byte])?;
                    thread::sleep(Duration::from_millis(100));
                }
                Ok(())
            }
            Answer::Truncated => {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                stream.write_all(head.as_bytes())?;
                stream.write_all(&body[..body.len() / 2])
            }
            Answer::Endless => {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n{\"keys\":[")?;
                loop {
                    stream.write_all(&[b' '; 4096])?;
                }
            }
            Answer::Hang | Answer::Close => Ok(()),
        }
    }
}

fn respond(
    mut stream: &TcpStream,
    status: u16,
    headers: &[(&str, String)],
    body: &[u8],
) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} Status\r\nconnection: close\r\n");
    if status != 304 {
        head += &format!("content-length: {}\r\n", body.len());
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += "\r\n";
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)
}
