//! Any headers and any address before a layer with every source.

#![no_main]

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    pin::pin,
    sync::LazyLock,
    task::{Context, Poll, Waker},
};

use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use libfuzzer_sys::fuzz_target;
use tower_jwt_auth::{JwtAuthLayer, Key, RegisteredClaims, TokenSource, Verifier, layer::JwtAuth};
use tower_layer::Layer;
use tower_service::Service;

/// Must not be reached: no token is good.
#[derive(Clone)]
struct Secret;

impl Service<Request<()>> for Secret {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(())))
    }
}

static GATE: LazyLock<JwtAuth<Secret, RegisteredClaims>> = LazyLock::new(|| {
    let verifier =
        Verifier::builder().any_issuer().any_audience().keys(Key::hs256([7; 32])).build();
    JwtAuthLayer::new(verifier.expect("a verifier"))
        .source(TokenSource::cookie("at").trusted_origin("https://a.example").build().expect("an origin"))
        .source(TokenSource::header(HeaderName::from_static("x-token")))
        .source(TokenSource::query())
        .source(TokenSource::websocket_protocol("bearer"))
        .strip_token()
        .layer(Secret)
});

const NAMES: [&str; 8] = [
    "authorization",
    "cookie",
    "x-token",
    "sec-websocket-protocol",
    "origin",
    "sec-fetch-site",
    "host",
    "upgrade",
];

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut request = Request::new(());
    if let Some(uri) = lines.next().and_then(|line| Uri::try_from(line).ok()) {
        *request.uri_mut() = uri;
    }
    for line in lines {
        let Some((first, value)) = line.split_first() else { continue };
        let name = NAMES[usize::from(first & 7)];
        if let Ok(value) = HeaderValue::from_bytes(value) {
            request.headers_mut().append(name, value);
        }
        if first & 8 != 0 {
            *request.method_mut() = Method::POST;
        }
    }
    let mut gate = GATE.clone();
    let response = pin!(gate.call(request));
    let Poll::Ready(Ok(response)) = response.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("nothing waits here");
    };
    assert!(matches!(response.status().as_u16(), 400 | 401 | 403), "{}", response.status());
});
