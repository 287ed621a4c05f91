//! Each layer does its part, also for an answer of another layer.

use std::{io::Read, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderValue, Request},
    response::Response,
};
use flate2::read::GzDecoder;
use serde_json::Value;
use tower::ServiceExt;
use tower_jwt_auth::testing::{
    TestIssuer, TestRequest, TestToken, assert_accepted, assert_challenge,
    assert_insufficient_scope, assert_refused,
};

use crate::{
    api, ask, get, log_in, once, preflight, program, request,
    server::{Server, command},
    slow_clients::{Process, check_half_open, closed, connection},
    token_of,
};

const ELSEWHERE: &str = "https://evil.example";
const PAGE: &str = "https://app.example.com";

fn start(variables: &[(&str, &str)]) -> Server {
    Server::start(program(), variables)
}

/// The page may read the answer, and the headers that say why.
fn is_readable(headers: &HeaderMap, page: &str) {
    assert_eq!(once(headers, "access-control-allow-origin"), Some(page));
    let exposed = once(headers, "access-control-expose-headers").unwrap();
    for name in ["www-authenticate", "retry-after", "x-request-id"] {
        assert!(exposed.split(',').any(|other| other.trim() == name), "{exposed}");
    }
    assert!(once(headers, "x-request-id").unwrap().len() >= 32);
    assert_eq!(once(headers, "access-control-allow-credentials"), None);
    // A cache must not give the answer to another origin.
    let vary = headers.get_all("vary").iter().map(|value| value.to_str().unwrap());
    assert!(vary.collect::<Vec<_>>().join(",").contains("origin"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_needs_no_token() {
    let server = start(&[]);
    for path in ["/me", "/reports", "/login"] {
        let answer = preflight(&server, &server.page, path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(&*server.page));
        assert_eq!(answer.header("access-control-allow-methods"), Some("GET,POST"));
        assert_eq!(
            answer.header("access-control-allow-headers"),
            Some("authorization,content-type")
        );
        assert_eq!(answer.header("access-control-max-age"), Some("600"));
        assert_eq!(answer.header("www-authenticate"), None);
        assert!(answer.header("x-request-id").is_some());
        assert!(answer.body.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_origin_is_not_allowed() {
    let server = start(&[]);
    let token = token_of(&server, "ada").await;
    let port = server.page.rsplit_once(':').unwrap().1;
    let localhost = format!("http://localhost:{port}");
    for origin in [ELSEWHERE, "null", &localhost, &server.api] {
        for answer in [
            preflight(&server, origin, "/me").await,
            get(&server, origin, "/me", None).await,
            get(&server, origin, "/me", Some(&token)).await,
        ] {
            assert_eq!(answer.header("access-control-allow-origin"), None, "{origin}");
        }
    }
}

/// A page that signs proofs reads all that it needs, through the layer of tower-http (RFC 9449 §8.2).
#[tokio::test]
async fn a14_a_page_sends_proofs_and_reads_the_nonce() {
    use axum::routing::get;
    use tower_http::cors::CorsLayer;
    use tower_jwt_auth::{
        JwtAuthLayer,
        proof::{DPoP, Nonces, cors_allowed_headers, cors_exposed_headers},
        testing::TestProofKey,
    };

    let issuer = TestIssuer::new();
    let dpop = DPoP::required()
        .public_url("https://api.example.com")
        .nonces(Nonces::new([7; 32]).unwrap())
        .build()
        .unwrap();
    let verifier = issuer.verifier_builder().dpop(dpop).build().unwrap();
    let cors = CorsLayer::new()
        .allow_origin([HeaderValue::from_static(PAGE)])
        .allow_headers(cors_allowed_headers())
        .expose_headers(cors_exposed_headers());
    let app: Router = Router::new()
        .route("/me", get(async || "hello"))
        .layer(JwtAuthLayer::new(verifier))
        .layer(cors);
    let names = |headers: &HeaderMap, header: &str| -> Vec<String> {
        let list = once(headers, header).unwrap().split(',').map(|name| name.trim().to_owned());
        list.collect()
    };

    // The browser asks whether the page may send these.
    let preflight = Request::options("/me")
        .header("origin", PAGE)
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "authorization,dpop");
    let preflight = preflight.body(Body::empty()).unwrap();
    let answer = app.clone().oneshot(preflight).await.unwrap();
    assert_eq!(answer.status(), 200);
    let allowed = names(answer.headers(), "access-control-allow-headers");
    assert_eq!(allowed, ["authorization", "dpop"]);

    let key = TestProofKey::new();
    let token = issuer.token().bound_to(&key).sign();
    let proof = || key.proof("GET", "https://api.example.com/me").token(&token);
    let ask = async |proof: String| {
        let request = Request::get("/me").header("origin", PAGE).dpop(&token, proof);
        app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    };
    let first = ask(proof().sign()).await;
    assert_challenge(&first, "use_dpop_nonce");
    assert_eq!(once(first.headers(), "access-control-allow-origin"), Some(PAGE));
    let exposed = names(first.headers(), "access-control-expose-headers");
    for name in ["dpop-nonce", "www-authenticate", "retry-after"] {
        assert!(exposed.iter().any(|exposed| exposed == name), "{exposed:?}");
    }
    assert_eq!(ask(proof().nonce_of(&first).sign()).await.status(), 200);
}

#[tokio::test]
async fn the_page_can_read_every_refusal() {
    let issuer = TestIssuer::new();
    let app = api::app(issuer.verifier(), HeaderValue::from_static(PAGE), Router::new(), false);
    let get = async |path: &str, token: Option<TestToken>| {
        let mut request = Request::get(path).header("origin", PAGE);
        if let Some(token) = token {
            request = request.bearer(token.sign());
        }
        let request = request.body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        is_readable(response.headers(), PAGE);
        response
    };
    let problem = async |response: Response| {
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body = to_bytes(response.into_body(), 1000).await.unwrap();
        serde_json::from_slice::<Value>(&body).unwrap()
    };
    let response = get("/me", None).await;
    assert_challenge(&response, None);
    assert_eq!(problem(response).await["status"], 401);
    for (token, kind) in
        [(issuer.token().expired(), "expired"), (issuer.token().tampered(), "signature")]
    {
        let response = get("/me", Some(token)).await;
        assert_refused(&response, kind);
        assert_challenge(&response, "invalid_token");
        assert_eq!(problem(response).await["status"], 401);
    }
    let response = get("/reports", Some(issuer.token().scopes(["profile"]))).await;
    assert_insufficient_scope(&response, ["reports"]);
    assert_eq!(problem(response).await["missing_scope"], "reports");
    assert_accepted(&get("/reports", Some(issuer.token().scopes(["reports"]))).await);
    assert_eq!(get("/nothing", None).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_can_read_that_a_login_has_failed() {
    let server = start(&[]);
    let answer = log_in(&server, "ada", "terces").await;
    assert_eq!((answer.status, answer.json()["status"].as_u64()), (401, Some(401)));
    is_readable(&answer.headers, &server.page);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lasts_for_the_time_that_is_set() {
    let server = start(&[("ACCESS_SECS", "1")]);
    let expired = token_of(&server, "ada").await;
    tokio::time::sleep(Duration::from_millis(2100)).await;
    let answer = get(&server, &server.page, "/me", Some(&expired)).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_compressed_if_the_client_wants_it() {
    let server = start(&[]);
    let grace = token_of(&server, "grace").await;
    for (path, token, status) in
        [("/reports", &*grace, 200), ("/me", &*grace, 200), ("/me", "not.a.token", 401)]
    {
        let plain = get(&server, &server.page, path, Some(token)).await;
        assert_eq!((plain.status, plain.header("content-encoding")), (status, None), "{path}");
        is_readable(&plain.headers, &server.page);

        let request = request(&server, reqwest::Method::GET, path).bearer_auth(token);
        let request = request.header("origin", &server.page).header("accept-encoding", "gzip");
        let small = ask(request).await;
        assert_eq!((small.status, small.header("content-encoding")), (status, Some("gzip")));
        is_readable(&small.headers, &server.page);
        let mut body = Vec::new();
        GzDecoder::new(&*small.body).read_to_end(&mut body).unwrap();
        assert_eq!(body, plain.body, "{path}");
    }
    let answer = log_in(&server, "ada", "secret").await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_can_read_that_a_request_took_too_long() {
    let server = start(&[]);
    let address = server.api.strip_prefix("http://").unwrap().parse().unwrap();
    // The rest of the body never comes.
    let half = format!(
        "POST /login HTTP/1.1\r\nhost: localhost\r\norigin: {}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: 99\r\n\r\n{{",
        server.page
    );
    let stream = connection(address, half.as_bytes()).await;
    let (answer, took) = closed(stream, Duration::from_secs(30)).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!((9..14).contains(&took.as_secs()), "{took:?}");
    let allowed = format!("\r\naccess-control-allow-origin: {}\r\n", server.page);
    assert!(answer.contains(&allowed) && answer.contains("\r\nx-request-id: "), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trace_has_the_request_id_and_no_token() {
    let server = start(&[("LOG", "debug")]);
    let ada = token_of(&server, "ada").await;
    let answer = get(&server, &server.page, "/me?key=hidden", Some(&ada)).await;
    let id = answer.header("x-request-id").unwrap();
    let lines = server.logged(&format!("id=\"{id}\"")).await.join("\n");
    assert!(lines.contains("method=GET") && lines.contains("path=\"/me\""), "{lines}");
    assert!(lines.contains("\"authorization\": Sensitive"), "{lines}");
    server.logged("status=200").await;

    let bad = format!("{ada}x");
    let answer = get(&server, &server.page, "/me", Some(&bad)).await;
    let id = answer.header("x-request-id").unwrap();
    let answered = server.logged("status=401").await.join("\n");
    assert!(answered.contains(&format!("id=\"{id}\"")), "{answered}");
    assert!(answered.contains("refused="), "{answered}");
    preflight(&server, &server.page, "/me").await;
    server.logged("method=OPTIONS").await;

    let log = server.log();
    // Every token begins with this.
    assert!(!log.contains("eyJ") && !log.contains("hidden") && !log.contains("secret"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trace_has_the_subject_only_if_it_is_asked_for() {
    for (value, is_there) in [("0", false), ("1", true)] {
        let server = start(&[("LOG_SUBJECT", value)]);
        let ada = token_of(&server, "ada").await;
        get(&server, &server.page, "/me", Some(&ada)).await;
        let lines = server.logged("path=\"/me\"").await.join("\n");
        assert_eq!(lines.contains("subject=\"ada\""), is_there, "{lines}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_connections_are_closed_and_the_server_goes_on() {
    let server = Process::start(program(), 200, &[("PAGE_BIND", "127.0.0.1:0")]);
    check_half_open(server.address, "/login").await;
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    for (name, value) in [
        ("BIND", "nonsense"),
        ("PAGE_BIND", "nonsense"),
        ("PAGE_ORIGIN", "https://app.example.com/"),
        ("PAGE_ORIGIN", "https://App.example.com"),
        ("PAGE_ORIGIN", "app.example.com"),
        ("PAGE_ORIGIN", "*"),
        ("PAGE_ORIGIN", "null"),
        ("ACCESS_SECS", "-1"),
        ("LOG_SUBJECT", "yes"),
        ("LOG", "loud"),
    ] {
        let output = command(program(), &[(name, value)]).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}={value}");
        assert!(text.starts_with("spa_api: ") && text.contains(name), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_origin_of_the_page_can_be_set() {
    let server = start(&[("PAGE_ORIGIN", "https://app.example.com")]);
    let answer = preflight(&server, "https://app.example.com", "/me").await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example.com"));
    let answer = preflight(&server, &server.page, "/me").await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[test]
fn the_guide_has_the_layers_of_the_example() {
    let code = include_str!("../api.rs");
    let guide = include_str!("../../../docs/guides/tower-http.md");
    for begin in ["fn app(", "fn span(", "fn received(", "fn answered<"] {
        let from = code.find(begin).unwrap();
        let part = &code[from..from + code[from..].find("\n}\n").unwrap()];
        assert!(guide.contains(part), "not in the guide:\n{part}");
    }
}
