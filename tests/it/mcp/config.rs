//! What is refused when the layer is built, and the origins of pages.

use std::time::Duration;

use http::HeaderName;
use tower_jwt_auth::{
    ConfigError, TokenSource,
    authorize::{Scopes, authenticated},
    mcp::{
        McpAuth, McpAuthFuture, McpEntry, McpGuard, McpGuardFuture, RequestBody, SessionBinding,
    },
    resource::ProtectedResource,
};

use super::*;

fn fault<M>(layer: JwtAuthLayer<RegisteredClaims, DefaultRespond, M>) -> String {
    McpAuthLayer::builder(layer).build().unwrap_err().to_string()
}

fn layer() -> JwtAuthLayer {
    JwtAuthLayer::new(verifier())
}

#[test]
fn c11_tokens_in_the_query_are_refused_at_build() {
    for source in [TokenSource::query(), TokenSource::query_named("t")] {
        assert!(fault(layer().source(source)).contains("`TokenSource::query()`"));
    }
    let sources = [TokenSource::authorization(), TokenSource::query()];
    assert!(fault(layer().sources(sources)).contains("query"));
    let header = TokenSource::header(HeaderName::from_static("x-token"));
    assert!(McpAuthLayer::builder(layer().source(header)).build().is_ok());
}

#[test]
fn c10_every_audience_is_refused_at_build() {
    let verifier = Verifier::builder().issuer("https://i.example").any_audience();
    let verifier = verifier.keys(key(Algorithm::ES256).key()).build().unwrap();
    assert!(fault(JwtAuthLayer::new(verifier)).contains("`.any_audience()`"));
}

#[test]
fn layers_that_let_requests_without_a_token_pass_are_refused_at_build() {
    assert!(fault(layer().optional()).contains("`.optional()`"));
    assert!(fault(layer().pass_through()).contains("`.pass_through()`"));
    assert!(fault(layer().allow_preflight()).contains("`.allow_preflight()`"));
}

#[test]
fn tables_and_limits_that_cannot_be_meant_are_refused_at_build() {
    let none: [&str; 0] = [];
    for (scopes, word) in [
        (McpScopes::new().tool("a", none), "the tool a has no scope"),
        (McpScopes::new().tool("a", none), "`.require(…, authenticated())`"),
        (McpScopes::new().resource("a:b", [""]), "the resource a:b has no scope"),
        (McpScopes::new().resources_under("a:b", ["a"]), "ends with a slash"),
        (
            McpScopes::new().resources_under("a:/B/", ["a"]).resources_under("a:/b/", ["b"]),
            "only in its case",
        ),
        (
            McpScopes::new().require(McpEntry::tool("a"), authenticated()).tool("a", ["a"]),
            "tool a has two entries",
        ),
        (McpScopes::new().resources_under("a:/%61/", ["a"]), "an entry for each URI"),
        (McpScopes::new().default_scopes(none), "`.without_default_scopes()`"),
        (McpScopes::new().method("tools/call", ["a"]), "`McpEntry::tool(…)`"),
        (McpScopes::new().method("resources/read", ["a"]), "`McpEntry::resource(…)`"),
        (
            McpScopes::new().require(McpEntry::tool("a"), Scopes::any_of(["a", "ä"])),
            "is not a scope",
        ),
        (McpScopes::new().tool("a", ["ä"]), "is not a scope"),
        (McpScopes::new().base(["a\"b"]), "is not a scope"),
        (McpScopes::new().base(["offline_access"]), "offline_access"),
    ] {
        let error = preset().scopes(scopes).build().unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    let error = |built: Result<McpAuthLayer, ConfigError>| built.unwrap_err().to_string();
    assert!(error(preset().max_body(0).build()).contains("`max_body`"));
    assert!(error(preset().max_batch(0).build()).contains("`max_batch`"));
    assert!(error(preset().body_timeout(Duration::ZERO).build()).contains("`body_timeout`"));
    assert!(preset().body_timeout(Duration::MAX).build().is_ok());
    assert!(error(preset().allowed_origin("app.example.com").build()).contains("origin"));
    let binding = SessionBinding::new().capacity(0);
    assert!(error(preset().session_binding(binding).build()).contains("SessionBinding"));
}

#[test]
fn the_metadata_is_derived_or_that_of_the_layer() {
    let derived = preset().scopes(scopes()).build().unwrap();
    assert_eq!(derived.resource().resource(), "https://api.example.com");
    let own = ProtectedResource::builder(&verifier()).resource("https://a.example/mcp");
    let own = own.scopes_supported(["x"]).build().unwrap();
    let layer = McpAuthLayer::builder(layer().resource_metadata(own)).scopes(scopes()).build();
    let document: Value = serde_json::from_str(layer.unwrap().resource().json()).unwrap();
    assert_eq!(document["resource"], "https://a.example/mcp");
    assert_eq!(document["scopes_supported"], json!(["x"]));
    let all: Vec<_> = scopes().scopes().map(str::to_owned).collect();
    assert_eq!(all, ["admin", "mcp", "prompt", "read", "resource", "task", "write"]);
}

#[tokio::test]
async fn c12_only_pages_of_allowed_origins_come_in() {
    let layer = preset().allowed_origin("https://app.example.com:8443").build().unwrap();
    let server = Server::new(layer);
    for (origin, status) in [
        ("https://app.example.com:8443", 200),
        // That of the resource itself.
        ("https://api.example.com", 200),
        ("https://app.example.com", 403),
        ("http://api.example.com", 403),
        ("https://evil.example", 403),
        ("http://localhost:3000", 403),
        ("null", 403),
    ] {
        let headers = [("origin", origin)];
        assert_eq!(server.status(post("", &headers, &message("ping"))).await.0, status, "{origin}");
        assert_eq!(server.status(request("GET", "", &headers, "")).await.0, status, "{origin}");
        // Before the token is looked at.
        let mut bare = post("", &headers, "");
        bare.headers_mut().remove("authorization");
        let expected = if status == 200 { 401 } else { 403 };
        assert_eq!(server.status(bare).await.0, expected, "{origin}");
        let metadata = Request::get("/.well-known/oauth-protected-resource");
        let metadata = metadata.header("origin", origin).body(Full::default()).unwrap();
        let (response, reached) = server.send(metadata).await;
        assert_eq!((response.status().as_u16(), reached), (200, false), "{origin}");
    }
}

#[tokio::test]
async fn c12_the_own_origin_is_that_of_the_resource() {
    for (resource, origin, status) in [
        ("https://mcp.example.com/mcp", "https://mcp.example.com", 200),
        ("https://mcp.example.com/mcp", "https://meta.example.net", 403),
        ("urn:example:mcp", "https://meta.example.net", 403),
        ("app://mcp.example.com/mcp", "app://mcp.example.com", 403),
        ("http://[0:0::1]:3000/mcp", "http://[::1]:3000", 200),
    ] {
        let metadata = "https://meta.example.net/.well-known/oauth-protected-resource";
        let own = ProtectedResource::builder(&verifier()).resource(resource).metadata_url(metadata);
        let layer = layer().resource_metadata(own.build().unwrap());
        let server = Server::new(McpAuthLayer::builder(layer).build().unwrap());
        let headers = [("origin", origin)];
        let seen = server.status(post("", &headers, &message("ping"))).await.0;
        assert_eq!(seen, status, "{resource} {origin}");
    }
}

#[tokio::test]
async fn c13_a_token_in_any_source_is_taken_out() {
    let header = TokenSource::header(HeaderName::from_static("x-token"));
    let layer = McpAuthLayer::builder(layer().source(header)).build().unwrap();
    let server = service_fn(async |request: Request<Full<Bytes>>| {
        Ok::<_, Infallible>(Response::new(format!("{:?}", request.headers().get("x-token"))))
    });
    let mut request = post("", &[("x-token", &token(""))], &message("ping"));
    request.headers_mut().remove("authorization");
    let response = layer.layer(server).oneshot(request).await.unwrap();
    assert_eq!(response.body(), "None");
}

#[test]
fn the_observers_are_told_of_origins_and_messages() {
    use std::sync::Mutex;

    use tower_jwt_auth::observe::{Decision, Observer};

    #[derive(Clone, Default)]
    struct Reasons(Arc<Mutex<Vec<&'static str>>>);

    impl Observer for Reasons {
        fn decided(&self, decision: &Decision<'_>) {
            self.0.lock().unwrap().push(decision.reason());
        }
    }

    let reasons = Reasons::default();
    let verifier = builder().observer(reasons.clone()).build().unwrap();
    let layer = McpAuthLayer::builder(JwtAuthLayer::new(verifier)).scopes(scopes());
    let server = Server::new(layer.build().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        server.status(post("mcp", &[("origin", "null")], "")).await;
        server.status(post("mcp", &[], "x")).await;
        server.status(post("mcp", &[], &call("read"))).await;
        server.status(post("mcp", &[("mcp-session-id", "x")], "")).await;
        server.status(post("mcp", &[], &message("ping"))).await;
    });
    let expected = [
        "cross_site",
        "none",
        "mcp_message",
        "none",
        "insufficient_scope",
        "none",
        "mcp_session",
        "none",
    ];
    assert_eq!(*reasons.0.lock().unwrap(), expected);
}

#[test]
fn the_types_can_be_sent_and_shown() {
    fn shared<T: Send + Sync + Unpin + std::fmt::Debug>() {}
    fn sent<T: Send>() {}
    type Inner = BoxCloneSyncService<Request<Full<Bytes>>, Response<String>, Infallible>;
    shared::<McpAuthLayer>();
    shared::<McpScopes>();
    shared::<SessionBinding>();
    shared::<RequestBody<Full<Bytes>>>();
    shared::<McpAuth<Inner, RegisteredClaims>>();
    shared::<McpGuard<Inner, RegisteredClaims>>();
    sent::<McpGuardFuture<Inner, RegisteredClaims, Full<Bytes>, String>>();
    sent::<McpAuthFuture<std::future::Ready<()>, String>>();
    // The table may be shown: it has no secrets.
    let shown = format!("{:?}", preset().scopes(scopes()).build().unwrap());
    assert!(shown.contains("admin") && shown.contains("Sessions"), "{shown}");
}
