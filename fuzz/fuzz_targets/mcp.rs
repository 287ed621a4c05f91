//! Any body and any headers of a message before the preset for MCP servers: a server that reads the body with
//! `serde_json` finds no tool in it that the token does not allow.

#![no_main]

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    pin::pin,
    sync::LazyLock,
    task::{Context, Poll, Waker},
};

use aws_lc_rs::hmac;
use base64_simd::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tower_jwt_auth::{
    JwtAuthLayer, Key, RegisteredClaims, Verifier,
    mcp::{McpAuth, McpAuthLayer, McpScopes},
};
use tower_layer::Layer;
use tower_service::Service;

const SECRET: [u8; 32] = [7; 32];

/// The server, which must not be asked for more than the token allows.
#[derive(Clone)]
struct Server;

impl Service<Request<Full<Bytes>>> for Server {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let body = pin!(request.into_body().collect());
        let Poll::Ready(Ok(body)) = body.poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("the body is whole");
        };
        let read: Value = serde_json::from_slice(&body.to_bytes()).expect("the body is JSON");
        match &read {
            Value::Array(all) => all.iter().for_each(check),
            one => check(one),
        }
        ready(Ok(Response::new(String::new())))
    }
}

fn check(message: &Value) {
    let name = message.get("params").and_then(|params| params.get("name"));
    match message.get("method").map(|method| method.as_str()) {
        Some(Some("tools/call")) => assert_eq!(name.and_then(Value::as_str), Some("open")),
        Some(Some(method)) => assert_ne!(method, "tools/list"),
        Some(None) => panic!("a method that is no text"),
        None => assert!(message.get("result").is_some() || message.get("error").is_some()),
    }
}

static GATE: LazyLock<McpAuth<Server, RegisteredClaims>> = LazyLock::new(|| {
    let verifier = Verifier::builder()
        .issuer("i")
        .audience("https://a.example/mcp")
        .keys(Key::hs256(SECRET))
        .build()
        .expect("a verifier");
    let scopes = McpScopes::new()
        .base(["base"])
        .tool("open", ["base"])
        .tool("closed", ["more"])
        .method("tools/list", ["more"]);
    let layer = McpAuthLayer::builder(JwtAuthLayer::new(verifier)).scopes(scopes);
    layer.max_body(4096).build().expect("a layer").layer(Server)
});

static TOKEN: LazyLock<HeaderValue> = LazyLock::new(|| {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode_to_string(bytes);
    let claims = br#"{"iss":"i","aud":"https://a.example/mcp","sub":"s","exp":9999999999,"scope":"base"}"#;
    let input = format!("{}.{}", encode(br#"{"alg":"HS256"}"#), encode(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, &SECRET);
    let signature = encode(hmac::sign(&key, input.as_bytes()).as_ref());
    HeaderValue::try_from(format!("Bearer {input}.{signature}")).expect("a token")
});

const NAMES: [&str; 6] =
    ["mcp-method", "mcp-name", "mcp-protocol-version", "mcp-session-id", "origin", "content-encoding"];

fuzz_target!(|data: &[u8]| {
    let mut parts = data.split(|byte| *byte == 0);
    let body = Bytes::copy_from_slice(parts.next().unwrap_or_default());
    let mut request = Request::post("/mcp").body(Full::new(body)).expect("a request");
    request.headers_mut().insert("authorization", TOKEN.clone());
    request.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    for part in parts {
        let Some((first, value)) = part.split_first() else { continue };
        let name = NAMES[usize::from(*first) % NAMES.len()];
        if let Ok(value) = HeaderValue::from_bytes(value) {
            request.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    let mut gate = GATE.clone();
    let response = pin!(gate.call(request));
    let Poll::Ready(Ok(response)) = response.poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("nothing waits here");
    };
    let status = response.status().as_u16();
    assert!(matches!(status, 200 | 400 | 403 | 404 | 413 | 415), "{status}");
});
