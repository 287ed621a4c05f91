//! A preset for MCP servers, seen by clients and by the server within.

mod agreement;
mod config;
mod messages;
mod policies;
mod sessions;
mod waiting;

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_jwt_auth::{
    Algorithm, Claims, Error, JwtAuthLayer, RegisteredClaims, Verifier,
    mcp::{McpAuthLayer, McpAuthLayerBuilder, McpScopes},
    response::DefaultRespond,
};

use crate::support::{builder, claims_with, key};

type Service = BoxCloneSyncService<Request<Full<Bytes>>, Response<String>, Infallible>;

/// A server behind a layer, and the number of requests that have reached it.
struct Server {
    service: Service,
    reached: Arc<AtomicUsize>,
}

fn verifier() -> Verifier {
    builder().build().unwrap()
}

fn preset()
-> McpAuthLayerBuilder<RegisteredClaims, DefaultRespond, tower_jwt_auth::layer::NoMetadata> {
    McpAuthLayer::builder(JwtAuthLayer::new(verifier()))
}

/// The usual table.
fn scopes() -> McpScopes {
    McpScopes::new()
        .base(["mcp"])
        .tool("read", ["read"])
        .tool("größe", ["write"])
        .tool("admin", ["read", "admin"])
        .prompt("p", ["prompt"])
        .resource("x:y", ["resource"])
        .method("tasks/get", ["task"])
}

impl Server {
    fn new(layer: McpAuthLayer) -> Self {
        let reached = Arc::new(AtomicUsize::new(0));
        let count = reached.clone();
        let server = service_fn(move |request: Request<Full<Bytes>>| {
            count.fetch_add(1, Ordering::Relaxed);
            answer(request)
        });
        Self { service: Service::new(layer.layer(server)), reached }
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> (Response<String>, bool) {
        let before = self.reached.load(Ordering::Relaxed);
        let response = self.service.clone().oneshot(request).await.unwrap();
        (response, self.reached.load(Ordering::Relaxed) != before)
    }

    /// The status, and the scopes that a refusal names.
    async fn status(&self, request: Request<Full<Bytes>>) -> (u16, Option<String>) {
        let (response, reached) = self.send(request).await;
        assert_eq!(reached, response.status() == StatusCode::OK, "{response:?}");
        (response.status().as_u16(), named_scopes(&response))
    }
}

/// The server within: it says back what it has got, and begins and ends the sessions that the request
/// wants.
async fn answer(request: Request<Full<Bytes>>) -> Result<Response<String>, Infallible> {
    assert!(!request.headers().contains_key("authorization"), "the token is not handed on");
    assert!(request.extensions().get::<Claims>().is_some());
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut response = Response::new(String::from_utf8(body.to_vec()).unwrap());
    if let Some(id) = parts.headers.get("x-begin") {
        response.headers_mut().insert("mcp-session-id", id.clone());
    }
    if let Some(upgrade) = parts.headers.get("upgrade") {
        response.headers_mut().insert("x-upgrade", upgrade.clone());
    }
    if let Some(status) = parts.headers.get("x-status") {
        *response.status_mut() = status.to_str().unwrap().parse().unwrap();
    }
    Ok(response)
}

/// The parameter `scope` of the challenge.
fn named_scopes(response: &Response<String>) -> Option<String> {
    let challenge = response.headers().get("www-authenticate")?.to_str().unwrap();
    let (_, rest) = challenge.split_once(" scope=\"")?;
    Some(rest.split('"').next().unwrap().to_owned())
}

fn token(scope: &str) -> String {
    token_with(json!({ "scope": scope }))
}

fn token_with(changes: Value) -> String {
    key(Algorithm::ES256).token(&claims_with(changes))
}

fn request(
    method: &str,
    scope: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri("/mcp");
    request = request.header("authorization", format!("Bearer {}", token(scope)));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::from(body.to_owned())).unwrap()
}

/// A message with a token of these scopes.
fn post(scope: &str, headers: &[(&str, &str)], body: &str) -> Request<Full<Bytes>> {
    request("POST", scope, &[&[("content-type", "application/json")], headers].concat(), body)
}

fn call(tool: &str) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool}}).to_string()
}

fn message(method: &str) -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": method}).to_string()
}

fn error(response: &Response<String>) -> &Error {
    response.extensions().get().expect("a refusal has its error")
}
