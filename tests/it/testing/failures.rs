//! What the assertions say when they fail.

use std::panic::{self, AssertUnwindSafe};

use axum::{Router, body::Body, response::Response, routing::get};
use http::{Request, StatusCode};
use tower::ServiceExt;
use tower_jwt_auth::{
    ErrorKind, JwtAuthLayer, RequireLayer,
    testing::{
        TestIssuer, TestRequest, assert_accepted, assert_challenge, assert_insufficient_scope,
        assert_refused,
    },
};

fn issuer() -> TestIssuer {
    TestIssuer::new()
}

async fn ask(token: Option<String>) -> Response {
    let app = Router::new()
        .route("/", get(async || "hello"))
        .route_layer(RequireLayer::scopes(["read"]))
        .route("/gone", get(async || StatusCode::GONE))
        .layer(JwtAuthLayer::new(issuer().verifier()));
    let mut request = Request::get("/");
    if let Some(token) = token {
        request = request.bearer(token);
    }
    app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

/// The message of an assertion that must fail.
#[track_caller]
fn message(assertion: impl FnOnce()) -> String {
    let panic = panic::catch_unwind(AssertUnwindSafe(assertion)).expect_err("it must fail");
    panic.downcast_ref::<String>().cloned().expect("it has a message")
}

#[tokio::test]
async fn they_tell_what_happened() {
    let expired = issuer().token().expired().sign();
    let response = ask(Some(expired.clone())).await;
    assert_refused(&response, "expired");
    assert_refused(&response, ErrorKind::Expired);
    for said in [
        message(|| assert_accepted(&response)),
        message(|| assert_refused(&response, "audience")),
        message(|| assert_refused(&response, ErrorKind::Audience)),
        message(|| assert_challenge(&response, None)),
        message(|| assert_challenge(&response, "insufficient_scope")),
        message(|| assert_insufficient_scope(&response, ["read"])),
    ] {
        for part in [
            "status: 401 Unauthorized",
            "challenge: Bearer error=\"invalid_token\"",
            "kind: expired",
            "reason: the token has expired",
        ] {
            assert!(said.contains(part), "{said}");
        }
        assert!(expired.split('.').all(|part| !said.contains(part)), "{said}");
    }
}

#[tokio::test]
async fn good_answers_and_other_refusals_are_told_apart() {
    let good = ask(Some(issuer().token().scopes(["read"]).sign())).await;
    assert_accepted(&good);
    let said = message(|| assert_refused(&good, "expired"));
    assert!(said.contains("not refused") && said.contains("200 OK"), "{said}");
    assert!(said.contains("challenge: none"), "{said}");

    let scope = ask(Some(issuer().token().scopes(["write"]).sign())).await;
    assert_insufficient_scope(&scope, ["read"]);
    assert_refused(&scope, "insufficient_scope");
    message(|| assert_insufficient_scope(&scope, ["write"]));
    message(|| assert_insufficient_scope(&scope, ["read", "write"]));

    let missing = ask(None).await;
    assert_challenge(&missing, None);
    message(|| assert_challenge(&missing, "invalid_token"));

    // A failure of the application is no refusal, and nothing that was accepted.
    let gone: Response = http::Response::builder().status(410).body(Body::empty()).unwrap();
    let said = message(|| assert_accepted(&gone));
    assert!(said.contains("410") && said.contains("no error of this crate"), "{said}");
    message(|| assert_refused(&gone, "expired"));

    assert!(said.starts_with("the service answered 410 Gone, and not this crate"), "{said}");

    // A name that no kind has is a fault of the test.
    let said = message(|| assert_refused(&scope, "insuficient_scope"));
    assert!(said.contains("did you mean `insufficient_scope`?"), "{said}");
    let said = message(|| assert_accepted(&missing));
    assert!(said.contains("`JwtAuthLayer` does not look at claims of `with_claims`"), "{said}");

    let verified = issuer().verifier().verify(&issuer().token().wrong_audience().sign()).await;
    assert_refused(&verified, "audience");
    let said = message(|| assert_accepted(&verified));
    assert!(said.contains("kind: audience") && !said.contains("status"), "{said}");
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn they_show_the_log_and_what_was_expected() {
    use tower_jwt_auth::testing::TestLog;

    let response = ask(Some(issuer().token().wrong_audience().sign())).await;
    let said = message(|| assert_accepted(&response));
    assert!(said.contains("log: not recorded, see `TestLog`"), "{said}");

    let log = TestLog::start();
    let token = issuer().token().wrong_audience().sign();
    let response = ask(Some(token.clone())).await;
    let said = message(|| assert_accepted(&response));
    for part in [
        "the verifier expects: https://api.test",
        "the token has: https://another-api.test",
        "INFO request refused kind=audience",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert!(token.split('.').all(|part| !said.contains(part)), "{said}");
    // Only what comes while it records.
    drop(log);
    let log = TestLog::start();
    assert_eq!(log.text(), "");
    ask(None).await;
    assert!(log.text().starts_with("DEBUG request refused kind=missing_token"), "{log}");
    assert_eq!(log.text().lines().count(), 1);
}
