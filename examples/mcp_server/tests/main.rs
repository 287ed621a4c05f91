//! The server within this process, and as a process of its own with clients that others wrote.

#[path = "../app.rs"]
mod app;
mod clients;
#[allow(dead_code, reason = "its `main` needs an authorization server")]
mod guide;
#[path = "../notes.rs"]
mod notes;

use axum::{
    Router,
    body::Body,
    http::{Request, Response},
};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_jwt_auth::testing::TestIssuer;

const URL: &str = "https://api.example.com/mcp";

/// The server, and who issues its tokens.
struct Server {
    app: Router,
    issuer: TestIssuer,
}

impl Server {
    fn new() -> Self {
        let issuer = TestIssuer::new().with_issuer("https://login.example.com").with_audience(URL);
        Self { app: app::app(issuer.verifier(), URL).unwrap(), issuer }
    }

    fn token(&self, user: &str, scope: &str) -> String {
        self.issuer.token().subject(user).scopes(scope.split(' ')).sign()
    }

    async fn send(&self, token: &str, headers: &[(&str, &str)], message: &Value) -> Response<Body> {
        let mut request = Request::post("/mcp")
            .header("host", "api.example.com")
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(message.to_string())).unwrap();
        self.app.clone().oneshot(request).await.unwrap()
    }

    /// Begins a session of the revision 2025-11-25, and gives its id.
    async fn initialize(&self, token: &str) -> String {
        let message = json!({
            "jsonrpc": "2.0", "id": 0, "method": "initialize",
            "params": {
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"},
            },
        });
        let response = self.send(token, &[], &message).await;
        assert_eq!(response.status(), 200);
        let session = response.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
        let response = self.send(token, &[("mcp-session-id", &session)], &initialized).await;
        assert_eq!(response.status(), 202);
        session
    }

    async fn call(&self, token: &str, session: &str, tool: &str) -> Response<Body> {
        let message = json!({
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": tool, "arguments": {"text": "milk"}},
        });
        self.send(token, &[("mcp-session-id", session)], &message).await
    }
}

/// The text that a tool has answered with.
async fn text(response: Response<Body>) -> String {
    let mut body = response.into_body();
    let mut all = String::new();
    while let Some(frame) = body.frame().await {
        all += std::str::from_utf8(frame.unwrap().data_ref().unwrap()).unwrap();
        for line in all.lines() {
            let message = line.strip_prefix("data: ").and_then(|json| {
                serde_json::from_str::<Value>(json).ok().filter(|json| json.get("result").is_some())
            });
            if let Some(message) = message {
                return message["result"]["content"][0]["text"].as_str().unwrap().to_owned();
            }
        }
    }
    panic!("no answer in {all}");
}

#[tokio::test]
async fn c17_a_tool_reads_the_claims_of_each_request() {
    let server = Server::new();
    let token = server.token("alice", "read");
    let session = server.initialize(&token).await;
    let me: Value =
        serde_json::from_str(&text(server.call(&token, &session, "whoami").await).await).unwrap();
    assert_eq!((&me["sub"], &me["scopes"]), (&json!("alice"), &json!(["read"])));
    // The same session with the token of a step-up: the claims are those of the request, and not those
    // with which the session began.
    let token = server.token("alice", "read write");
    let me: Value =
        serde_json::from_str(&text(server.call(&token, &session, "whoami").await).await).unwrap();
    assert_eq!(me["scopes"], json!(["read", "write"]));
    assert_eq!(text(server.call(&token, &session, "add_note").await).await, "alice has 1 notes");
}

#[tokio::test]
async fn c14_a_tool_of_another_scope_is_refused_with_all_scopes() {
    let server = Server::new();
    let token = server.token("alice", "read");
    let session = server.initialize(&token).await;
    let response = server.call(&token, &session, "add_note").await;
    assert_eq!(response.status(), 403);
    let challenge = response.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    assert!(challenge.contains("scope=\"read write\""), "{challenge}");
    assert!(challenge.contains("/.well-known/oauth-protected-resource/mcp\""), "{challenge}");
    let unknown = server.call(&token, &session, "other").await;
    assert_eq!(unknown.status(), 403);
}

#[tokio::test]
async fn c16_the_session_of_another_user_is_unknown() {
    let server = Server::new();
    let alice = server.token("alice", "read write");
    let session = server.initialize(&alice).await;
    let bob = server.token("bob", "read write");
    let stolen = server.call(&bob, &session, "whoami").await;
    let made_up = server.call(&bob, "00000000-0000-0000-0000-000000000000", "whoami").await;
    assert_eq!((stolen.status(), made_up.status()), (made_up.status(), 404.try_into().unwrap()));
    assert_eq!(server.call(&alice, &session, "whoami").await.status(), 200);
}

#[tokio::test]
async fn c14_a_request_of_the_revision_2026_07_28_has_no_session() {
    let server = Server::new();
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {
            "name": "whoami",
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
                "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            },
        },
    });
    let headers = [
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "whoami"),
    ];
    let token = server.token("alice", "read");
    let response = server.send(&token, &headers, &message).await;
    assert_eq!(response.status(), 200);
    assert!(!response.headers().contains_key("mcp-session-id"));
    assert!(text(response).await.contains("alice"));
    // A version that is not true does not get a tool past the layer.
    let mut lie = message;
    lie["params"]["name"] = "add_note".into();
    assert_eq!(server.send(&token, &headers, &lie).await.status(), 400);
    let legacy = [("mcp-protocol-version", "2025-06-18"), ("mcp-name", "whoami")];
    assert_eq!(server.send(&token, &legacy, &lie).await.status(), 400);
    assert_eq!(server.send(&token, &[], &lie).await.status(), 403);
}

/// The program of the guide is the one that is compiled here, and it works.
#[tokio::test]
async fn the_program_of_the_guide_checks_the_scopes_of_its_tools() {
    let guide = include_str!("../../../docs/guides/mcp.md");
    assert!(guide.contains(include_str!("guide.rs")), "copy tests/guide.rs into the guide");
    let mut server = Server::new();
    server.app = guide::app(server.issuer.verifier()).unwrap();
    let token = server.token("alice", "notes");
    let session = server.initialize(&token).await;
    assert_eq!(text(server.call(&token, &session, "whoami").await).await, "alice");
    let refused = server.call(&token, &session, "clear").await;
    assert_eq!(refused.status(), 403);
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("scope=\"notes notes:write\""), "{challenge}");
    let writer = server.token("alice", "notes notes:write");
    assert_eq!(text(server.call(&writer, &session, "clear").await).await, "removed");
}

#[tokio::test]
async fn c01_the_metadata_is_answered_without_a_token() {
    let server = Server::new();
    let request = Request::get("/.well-known/oauth-protected-resource/mcp").body(Body::empty());
    let response = server.app.clone().oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let document: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(document["resource"], URL);
    assert_eq!(document["authorization_servers"], json!(["https://login.example.com"]));
    assert_eq!(document["scopes_supported"], json!(["read"]));
}
