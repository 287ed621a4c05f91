//! The layer in servers: hyper over loopback, HTTP/1.1 and HTTP/2.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use http::{HeaderName, Request, Response, Version, header};
use http_body_util::BodyExt;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};
use tower::{Layer, Service, service_fn};
use tower_jwt_auth::{Claims, JwtAuthLayer, TokenSource, Verifier};

use crate::{
    requests::{bearer, challenge, get, token, verifiers, who},
    support::builder,
};

const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

/// A server of this service, for as long as the test runs.
pub(crate) async fn serve<S>(service: S) -> SocketAddr
where
    S: Service<Request<Incoming>, Response = Response<String>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let server = auto::Builder::new(TokioExecutor::new());
                // A test may close the connection whenever it likes.
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

/// One connection.
enum Client {
    Http1(http1::SendRequest<String>),
    Http2(http2::SendRequest<String>),
}

impl Client {
    async fn connect(version: Version, to: SocketAddr) -> Self {
        let stream = TokioIo::new(TcpStream::connect(to).await.unwrap());
        if version == Version::HTTP_2 {
            let (client, connection) =
                http2::handshake(TokioExecutor::new(), stream).await.unwrap();
            tokio::spawn(connection);
            Self::Http2(client)
        } else {
            let (client, connection) = http1::handshake(stream).await.unwrap();
            tokio::spawn(connection);
            Self::Http1(client)
        }
    }

    /// Sends a request, and gives its status, its challenge and its body.
    async fn send(&mut self, headers: &[(HeaderName, &str)]) -> (u16, Option<String>, String) {
        let mut request = get::<String>(headers);
        let response = match self {
            Self::Http1(client) => {
                request.headers_mut().insert(header::HOST, "localhost".parse().unwrap());
                client.ready().await.unwrap();
                client.send_request(request).await
            }
            Self::Http2(client) => {
                *request.uri_mut() = "http://localhost/".parse().unwrap();
                client.ready().await.unwrap();
                client.send_request(request).await
            }
        };
        let response = response.unwrap();
        let status = response.status().as_u16();
        let challenge = challenge(&response).map(str::to_owned);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, challenge, String::from_utf8(body.to_vec()).unwrap())
    }
}

fn guarded(
    verifier: Verifier,
) -> impl Service<Request<Incoming>, Response = Response<String>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    JwtAuthLayer::new(verifier).layer(service_fn(who))
}

#[tokio::test]
async fn t15_each_request_of_a_connection_is_on_its_own() {
    const AUTHORIZATION: HeaderName = header::AUTHORIZATION;
    for verifier in verifiers() {
        let address = serve(guarded(verifier)).await;
        for version in VERSIONS {
            let mut client = Client::connect(version, address).await;
            for user in ["alice", "bob"] {
                let good = client.send(&[(AUTHORIZATION, &bearer(user))]).await;
                assert_eq!(good, (200, None, user.into()), "{version:?}");

                let missing = client.send(&[]).await;
                assert_eq!(missing, (401, Some("Bearer".into()), String::new()), "{version:?}");

                let bad = format!("{}x", bearer(user));
                let (status, challenge, body) = client.send(&[(AUTHORIZATION, &bad)]).await;
                assert_eq!((status, &*body), (401, ""), "{version:?}");
                assert!(challenge.unwrap().contains(r#"error="invalid_token""#), "{version:?}");
            }
        }
    }
}

#[tokio::test]
async fn t15_pipelined_requests_are_each_on_their_own() {
    for verifier in verifiers() {
        let address = serve(guarded(verifier)).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = |rest: &str| format!("GET / HTTP/1.1\r\nhost: localhost\r\n{rest}\r\n");
        let with = |user| request(&format!("authorization: {}\r\n", bearer(user)));
        let last = request("connection: close\r\n");
        let all = [with("alice"), request(""), with("bob"), last].concat();
        stream.write_all(all.as_bytes()).await.unwrap();

        let mut answers = String::new();
        stream.read_to_string(&mut answers).await.unwrap();
        let answers: Vec<_> = answers.split("HTTP/1.1 ").skip(1).collect();
        let expected = [("200", "alice"), ("401", ""), ("200", "bob"), ("401", "")];
        assert_eq!(answers.len(), expected.len());
        for (answer, (status, body)) in answers.iter().zip(expected) {
            assert!(answer.starts_with(status), "{answer}");
            assert!(answer.ends_with(&format!("\r\n\r\n{body}")), "{answer}");
        }
    }
}

#[tokio::test]
async fn t14_split_cookie_headers_are_read_as_one() {
    let verifier: Verifier = builder().build().unwrap();
    let layer =
        JwtAuthLayer::new(verifier).source(TokenSource::cookie("__Host-at").build().unwrap());
    let address = serve(layer.layer(service_fn(who))).await;
    let ours = format!("__Host-at={}", token("alice"));
    for version in VERSIONS {
        let mut client = Client::connect(version, address).await;
        for (cookies, status) in [
            (&["a=1", &*ours, "b=2"][..], 200),
            (&["a=1; c=3", &*ours], 200),
            (&["a=1", "b=2"], 401),
            (&[&*ours, "a=1", &*ours], 200),
            (&[&*ours, "__Host-at=planted"], 400),
        ] {
            let headers: Vec<_> = cookies.iter().map(|one| (header::COOKIE, *one)).collect();
            let (answered, ..) = client.send(&headers).await;
            assert_eq!(answered, status, "{version:?} {}", cookies.len());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn users_at_the_same_time_are_never_mixed() {
    for verifier in verifiers() {
        let slow = service_fn(|request: Request<Incoming>| async {
            tokio::task::yield_now().await;
            who(request).await
        });
        let address = serve(JwtAuthLayer::new(verifier).layer(slow)).await;
        // All on one HTTP/2 connection, and each on one of its own.
        let Client::Http2(shared) = Client::connect(Version::HTTP_2, address).await else {
            unreachable!("asked for HTTP/2")
        };
        let mut users = JoinSet::new();
        for user in 0..40 {
            let shared = Client::Http2(shared.clone());
            users.spawn(async move {
                let name = format!("user-{user}");
                let authorization = bearer(&name);
                let own = Client::connect(Version::HTTP_11, address).await;
                for mut client in [shared, own] {
                    for _ in 0..10 {
                        let headers = [(header::AUTHORIZATION, &*authorization)];
                        assert_eq!(client.send(&headers).await, (200, None, name.clone()));
                        assert_eq!(client.send(&[]).await.0, 401);
                    }
                }
            });
        }
        users.join_all().await;
    }
}

/// Says so when it is dropped.
struct OnDrop(mpsc::UnboundedSender<&'static str>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

fn never(events: &mpsc::UnboundedSender<&'static str>) -> impl Future<Output = ()> + use<> {
    let guard = OnDrop(events.clone());
    async move {
        let _ = guard.0.send("waiting");
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_the_rule_it_waits_for() {
    let (events, mut happened) = mpsc::unbounded_channel();
    let called = Arc::new(Mutex::new(0));
    let verifier = builder().async_rule(move |_: Claims| {
        let wait = never(&events);
        async move {
            wait.await;
            Ok(())
        }
    });
    let counter = Arc::clone(&called);
    let handler = service_fn(move |request: Request<Incoming>| {
        *counter.lock().unwrap() += 1;
        who(request)
    });
    let address = serve(JwtAuthLayer::new(verifier.build().unwrap()).layer(handler)).await;
    for version in VERSIONS {
        let mut client = Client::connect(version, address).await;
        let waiting =
            tokio::spawn(
                async move { client.send(&[(header::AUTHORIZATION, &bearer("alice"))]).await },
            );
        assert_eq!(happened.recv().await, Some("waiting"), "{version:?}");
        waiting.abort();
        assert_eq!(happened.recv().await, Some("dropped"), "{version:?}");
    }
    assert_eq!(*called.lock().unwrap(), 0);
}
