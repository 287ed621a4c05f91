//! Sessions belong to a principal.

use std::time::{Duration, UNIX_EPOCH};

use tower_jwt_auth::{ErrorKind, error::McpFault, mcp::SessionBinding};

use super::*;
use crate::support::{FixedClock, NOW};

fn of(claims: Value, method: &str, headers: &[(&str, &str)]) -> Request<Full<Bytes>> {
    let mut request = match method {
        "POST" => post("", headers, &message("ping")),
        method => request(method, "", headers, ""),
    };
    let value = format!("Bearer {}", token_with(claims)).parse().unwrap();
    request.headers_mut().insert("authorization", value);
    request
}

const BEGIN: [(&str, &str); 1] = [("x-begin", "s1")];
const WITHIN: [(&str, &str); 1] = [("mcp-session-id", "s1")];

#[tokio::test]
async fn c16_a_session_is_unknown_to_every_other_principal() {
    let server = Server::new(preset().build().unwrap());
    let alice = || json!({"sub": "alice", "client_id": "app", "jti": "1"});
    assert_eq!(server.status(of(alice(), "POST", &BEGIN)).await.0, 200);
    for method in ["POST", "GET"] {
        assert_eq!(server.status(of(alice(), method, &WITHIN)).await.0, 200);
        // A refreshed token is another text, and has the same principal.
        let refreshed = json!({"sub": "alice", "client_id": "app", "jti": "2", "exp": NOW + 900});
        assert_eq!(server.status(of(refreshed, method, &WITHIN)).await.0, 200);
        for other in [
            json!({"sub": "bob", "client_id": "app"}),
            json!({"sub": "alice", "client_id": "other"}),
            json!({"sub": "alice"}),
            json!({"sub": "alice ", "client_id": "app"}),
        ] {
            let (response, reached) = server.send(of(other.clone(), method, &WITHIN)).await;
            assert_eq!((response.status().as_u16(), reached), (404, false), "{other}");
            let kind = error(&response).kind();
            assert!(matches!(kind, ErrorKind::Mcp(McpFault::UnknownSession)));
            assert!(!response.headers().contains_key("www-authenticate"));
        }
    }
    // Nobody else can end it, either.
    let bob = json!({"sub": "bob", "client_id": "app"});
    assert_eq!(server.status(of(bob, "DELETE", &WITHIN)).await.0, 404);
    assert_eq!(server.status(of(alice(), "DELETE", &WITHIN)).await.0, 200);
    assert_eq!(server.status(of(alice(), "POST", &WITHIN)).await.0, 404);
}

#[tokio::test]
async fn c16_only_the_server_begins_and_ends_a_session() {
    let server = Server::new(preset().build().unwrap());
    let alice = || json!({"sub": "alice"});
    // An id that the client has made up.
    assert_eq!(server.status(of(alice(), "POST", &WITHIN)).await.0, 404);
    // A failure begins nothing.
    let failed = [("x-begin", "s1"), ("x-status", "500")];
    server.send(of(alice(), "POST", &failed)).await;
    assert_eq!(server.status(of(alice(), "POST", &WITHIN)).await.0, 404);
    assert_eq!(server.status(of(alice(), "POST", &BEGIN)).await.0, 200);
    // A server that refuses to end it keeps it; one that does not know it has ended it.
    let refuses = [("mcp-session-id", "s1"), ("x-status", "405")];
    server.send(of(alice(), "DELETE", &refuses)).await;
    assert_eq!(server.status(of(alice(), "POST", &WITHIN)).await.0, 200);
    let ended = [("mcp-session-id", "s1"), ("x-status", "404")];
    server.send(of(alice(), "POST", &ended)).await;
    assert_eq!(server.status(of(alice(), "POST", &WITHIN)).await.0, 404);
    // An id that comes twice.
    assert_eq!(server.status(of(alice(), "POST", &BEGIN)).await.0, 200);
    let twice = [("mcp-session-id", "s1"), ("mcp-session-id", "s1")];
    assert_eq!(server.status(of(alice(), "POST", &twice)).await.0, 404);
}

/// A server answers other requests 404, too: a session ends by one only if the request was in it.
#[tokio::test]
async fn c16_a_404_ends_only_the_session_of_its_request() {
    let server = Server::new(preset().build().unwrap());
    let alice = || json!({"sub": "alice"});
    let second = ("mcp-session-id", "s2");
    assert_eq!(server.status(of(alice(), "POST", &BEGIN)).await.0, 200);
    assert_eq!(server.status(of(alice(), "POST", &[("x-begin", "s2")])).await.0, 200);
    for method in ["POST", "GET", "DELETE"] {
        let (response, _) = server.send(of(alice(), method, &[("x-status", "404")])).await;
        assert_eq!(response.status(), 404);
        // Also one that names a session, as a new one would.
        let named = [("x-status", "404"), ("x-begin", "s1")];
        assert_eq!(server.send(of(alice(), method, &named)).await.0.status(), 404);
    }
    for within in [WITHIN[0], second] {
        assert_eq!(server.status(of(alice(), "POST", &[within])).await.0, 200);
    }
    // A 404 to somebody else who names it is that of the layer, and changes nothing.
    let stolen = [WITHIN[0], ("x-status", "404")];
    let (response, reached) = server.send(of(json!({"sub": "bob"}), "POST", &stolen)).await;
    assert_eq!((response.status().as_u16(), reached), (404, false));
    let (response, reached) =
        server.send(of(alice(), "POST", &[second, ("x-status", "404")])).await;
    assert_eq!((response.status().as_u16(), reached), (404, true));
    assert_eq!(server.status(of(alice(), "POST", &WITHIN)).await.0, 200);
    assert_eq!(server.status(of(alice(), "POST", &[second])).await.0, 404);
}

#[tokio::test]
async fn c16_sessions_are_forgotten_in_time() {
    let clock = FixedClock::default();
    let verifier = builder().clock(clock.clone()).build().unwrap();
    let binding = SessionBinding::new().ttl(Duration::from_secs(60));
    let layer = McpAuthLayer::builder(JwtAuthLayer::new(verifier)).session_binding(binding);
    let server = Server::new(layer.build().unwrap());
    let alice = || json!({"sub": "alice"});
    assert_eq!(server.status(of(alice(), "POST", &BEGIN)).await.0, 200);
    for (after, status) in [(59, 200), (118, 200), (178, 404)] {
        clock.set(UNIX_EPOCH + Duration::from_secs(NOW + after));
        assert_eq!(server.status(of(alice(), "POST", &WITHIN)).await.0, status, "{after}");
    }
}

#[tokio::test]
async fn c16_a_token_without_a_principal_has_no_session() {
    let verifier = builder().without_subject().build().unwrap();
    let server = Server::new(McpAuthLayer::builder(JwtAuthLayer::new(verifier)).build().unwrap());
    let nobody = || json!({"sub": null});
    assert_eq!(server.status(of(nobody(), "POST", &BEGIN)).await.0, 200);
    assert_eq!(server.status(of(nobody(), "POST", &WITHIN)).await.0, 404);
    let client = || json!({"sub": null, "client_id": "app"});
    assert_eq!(server.status(of(client(), "POST", &BEGIN)).await.0, 200);
    assert_eq!(server.status(of(client(), "POST", &WITHIN)).await.0, 200);
}

#[tokio::test]
async fn a_binding_can_be_left_to_the_server() {
    let server = Server::new(preset().without_session_binding().build().unwrap());
    assert_eq!(server.status(of(json!({"sub": "bob"}), "POST", &WITHIN)).await.0, 200);
}

#[tokio::test]
async fn c16_the_client_is_the_one_that_the_provider_names() {
    for name in ["client_id", "azp", "cid", "appid"] {
        let server = Server::new(preset().build().unwrap());
        let of_client = |client: &str| json!({"sub": "alice", name: client});
        assert_eq!(server.status(of(of_client("app"), "POST", &BEGIN)).await.0, 200);
        assert_eq!(server.status(of(of_client("app"), "POST", &WITHIN)).await.0, 200, "{name}");
        assert_eq!(server.status(of(of_client("other"), "POST", &WITHIN)).await.0, 404, "{name}");
    }
}
