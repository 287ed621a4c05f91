//! An application as a user of the crate has it, and its tests: nothing but the kit, axum and tower.

use std::time::Duration;

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::{Path, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::{Request, request::Parts};
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;
use tower_jwt_auth::{
    Claims, ConfigError, Error, JwtAuthLayer, RequireLayer, Verifier,
    extract::Subject,
    issue::{TokenCookies, TokenIssuer},
    response::ProblemJson,
    revocation::Denylist,
    sessions::{Login, Sessions},
    testing::{
        CookieSession, TestClock, TestDenylist, TestIssuer, TestRequest, assert_accepted,
        assert_challenge, assert_insufficient_scope, assert_refused,
    },
    verifier::VerifierBuilder,
};

// The application: notes of several tenants.

#[derive(Deserialize)]
struct User {
    tenant: String,
}

/// What differs between production and tests is what the builder comes with: keys, issuer, audience.
fn verifier(
    builder: VerifierBuilder,
    denylist: impl Denylist,
) -> Result<Verifier<User>, ConfigError> {
    builder
        .claims::<User>()
        .access_tokens_only()
        .max_age(Duration::from_secs(3600))
        .denylist(denylist)
        .build()
}

fn notes(verifier: Verifier<User>) -> Router {
    let own_tenant = RequireLayer::for_request(|request, user: &Claims<User>| {
        match request.uri().path().split('/').nth(1) {
            Some(tenant) if tenant == user.tenant => Ok(()),
            _ => Err(Error::forbidden("another tenant")),
        }
    });
    Router::new()
        .route("/{tenant}/notes", post(async |subject: Subject| format!("saved by {subject}")))
        .route_layer(RequireLayer::scopes(["notes:write"]))
        .route("/{tenant}/notes", get(async |Path(tenant): Path<String>| format!("of {tenant}")))
        .route_layer(own_tenant)
        .layer(JwtAuthLayer::new(verifier).respond_with(ProblemJson))
        .route("/health", get(async || "good"))
}

// Its tests.

struct Notes {
    app: Router,
    issuer: TestIssuer,
    clock: TestClock,
    denylist: TestDenylist,
}

impl Notes {
    fn new() -> Self {
        let (clock, denylist) = (TestClock::new(), TestDenylist::new());
        let issuer = TestIssuer::new().with_clock(clock.clone());
        let verifier = verifier(issuer.verifier_builder(), denylist.clone()).unwrap();
        Self { app: notes(verifier), issuer, clock, denylist }
    }

    async fn get(&self, path: &str, token: &str) -> Response {
        let request = Request::get(path).bearer(token).body(Body::empty()).unwrap();
        self.app.clone().oneshot(request).await.unwrap()
    }

    async fn post(&self, path: &str, token: &str) -> Response {
        let request = Request::post(path).bearer(token).body(Body::empty()).unwrap();
        self.app.clone().oneshot(request).await.unwrap()
    }
}

#[tokio::test]
async fn a_user_reads_and_writes_the_notes_of_their_tenant() {
    let notes = Notes::new();
    let ada = || notes.issuer.token().subject("ada").claim("tenant", "acme");
    assert_accepted(&notes.get("/acme/notes", &ada().sign()).await);
    let response = notes.post("/acme/notes", &ada().scopes(["notes:write"]).sign()).await;
    assert_accepted(&response);
    assert_eq!(to_bytes(response.into_body(), 100).await.unwrap(), "saved by ada");

    let response = notes.post("/acme/notes", &ada().scopes(["notes:read"]).sign()).await;
    assert_insufficient_scope(&response, ["notes:write"]);
    let response = notes.get("/umbrella/notes", &ada().sign()).await;
    assert_refused(&response, "forbidden");
    assert_challenge(&response, "insufficient_scope");
    let body = to_bytes(response.into_body(), 1000).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["status"], 403, "{body}");
}

#[tokio::test]
async fn every_bad_token_is_refused_with_its_reason() {
    let notes = Notes::new();
    let token = || notes.issuer.token().claim("tenant", "acme");
    for (bad, kind) in [
        (token().expired(), "expired"),
        (token().not_yet_valid(), "not_yet_valid"),
        (token().issued_in_future(), "issued_in_future"),
        (token().wrong_issuer(), "issuer"),
        (token().wrong_audience(), "audience"),
        (token().wrong_key(), "signature"),
        (token().tampered(), "signature"),
        (token().unsigned(), "unsigned"),
        (token().hs256_with_public_key(), "algorithm_not_allowed"),
        (token().token_type("JWT"), "token_type"),
        (token().key_id("unknown"), "unknown_key"),
        (token().without("jti"), "missing_claim"),
        (token().without("tenant"), "claims_type"),
        (token().claim("tenant", 7), "claims_type"),
        (token().claim("cnf", json!({"jkt": "x"})), "sender_constrained"),
    ] {
        let response = notes.get("/acme/notes", &bad.sign()).await;
        assert_refused(&response, kind);
        assert_challenge(&response, "invalid_token");
    }
    let request = Request::get("/acme/notes").body(Body::empty()).unwrap();
    let response = notes.app.clone().oneshot(request).await.unwrap();
    assert_refused(&response, "missing_token");
    assert_challenge(&response, None);
    let request = Request::get("/health").body(Body::empty()).unwrap();
    assert_accepted(&notes.app.clone().oneshot(request).await.unwrap());
}

#[tokio::test]
async fn a_token_gets_too_old_and_keys_are_withdrawn() {
    let notes = Notes::new();
    let token = || {
        let token = notes.issuer.token().claim("tenant", "acme");
        token.expires_in(Duration::from_secs(24 * 3600)).sign()
    };
    let old = token();
    notes.clock.advance(Duration::from_secs(3600 + 61));
    assert_refused(&notes.get("/acme/notes", &old).await, "too_old");

    let before = token();
    notes.issuer.rotate();
    assert_accepted(&notes.get("/acme/notes", &before).await);
    assert_accepted(&notes.get("/acme/notes", &token()).await);
    notes.issuer.withdraw_old();
    assert_refused(&notes.get("/acme/notes", &before).await, "unknown_key");
    assert_accepted(&notes.get("/acme/notes", &token()).await);
}

#[tokio::test]
async fn nobody_is_let_in_while_the_denylist_is_down() {
    let notes = Notes::new();
    let token = notes.issuer.token().claim("tenant", "acme").sign();
    assert_accepted(&notes.get("/acme/notes", &token).await);
    notes.denylist.fail();
    let response = notes.get("/acme/notes", &token).await;
    assert_refused(&response, "unavailable");
    assert!(response.headers().contains_key("retry-after"));
    notes.denylist.recover();
    assert_accepted(&notes.get("/acme/notes", &token).await);
}

// The same application with a login of its own, for browsers.

const ORIGIN: &str = "https://notes.example.com";

fn with_login(issuer: TokenIssuer) -> Result<Router, ConfigError> {
    let cookies = TokenCookies::builder().public_origin(ORIGIN).build()?;
    let sessions = Sessions::builder(issuer).cookies(cookies).build()?;
    let login = async |State(sessions): State<Sessions>, parts: Parts, Json(user): Json<String>| {
        sessions.login(&parts, Login::new(user)).await.into_response()
    };
    let me = async |subject: Subject| subject.to_string();
    Ok(Router::new()
        .route("/me", get(me).post(me))
        .route_layer(sessions.layer()?)
        .route("/auth/login", post(login))
        .route_service("/auth/refresh", sessions.refresh_service())
        .route_service("/auth/logout", sessions.logout_service())
        .with_state(sessions))
}

struct Browser {
    app: Router,
    session: CookieSession,
}

impl Browser {
    async fn send(&mut self, request: http::request::Builder, body: Body) -> Response {
        let request = request.cookie_session(&self.session).body(body).unwrap();
        let response = self.app.clone().oneshot(request).await.unwrap();
        self.session.update(response.headers());
        response
    }
}

#[tokio::test]
async fn a_session_in_a_browser_from_the_login_to_the_logout() {
    let clock = TestClock::new();
    let issuer = TestIssuer::new().with_clock(clock.clone()).token_issuer().build().unwrap();
    let session = CookieSession::new().with_origin(ORIGIN);
    let mut browser = Browser { app: with_login(issuer).unwrap(), session };

    let login = Request::post("/auth/login").header("content-type", "application/json");
    assert_accepted(&browser.send(login, Body::from("\"ada\"")).await);
    assert!(browser.session.get("__Secure-rt").is_some());
    let me = browser.send(Request::post("/me"), Body::empty()).await;
    assert_accepted(&me);
    assert_eq!(to_bytes(me.into_body(), 100).await.unwrap(), "ada");

    let forged = Request::post("/me").cookie_session(&browser.session).cross_site();
    let forged = browser.app.clone().oneshot(forged.body(Body::empty()).unwrap()).await.unwrap();
    assert_refused(&forged, "cross_site");

    clock.advance(Duration::from_secs(15 * 60 + 61));
    assert_refused(&browser.send(Request::get("/me"), Body::empty()).await, "expired");
    assert_accepted(&browser.send(Request::post("/auth/refresh"), Body::empty()).await);
    assert_accepted(&browser.send(Request::get("/me"), Body::empty()).await);

    let stolen = browser.session.clone();
    assert_accepted(&browser.send(Request::post("/auth/logout"), Body::empty()).await);
    assert!(browser.session.is_empty(), "{:?}", browser.session);
    let mut thief = Browser { app: browser.app, session: stolen };
    assert_refused(&thief.send(Request::get("/me"), Body::empty()).await, "revoked");
    let refresh = thief.send(Request::post("/auth/refresh"), Body::empty()).await;
    assert_refused(&refresh, "refresh_token");
}
