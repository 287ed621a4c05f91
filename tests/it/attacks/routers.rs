//! Routers of this crate: one without a hole, and some with one each.

use std::{collections::HashSet, convert::Infallible, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderMap, Method, Response, StatusCode, header},
    routing::get,
};
use tower::{Service, service_fn};
use tower_jwt_auth::{
    Algorithm, JwtAuthLayer, Key, TokenSource, Verifier,
    source::CookieSourceBuilder,
    testing::{AttackReport, AttackRun, TestIssuer, assert_refuses_all, attacks},
    verifier::VerifierBuilder,
};

fn app(verifier: Verifier) -> Router {
    routes().layer(JwtAuthLayer::new(verifier))
}

fn routes() -> Router {
    Router::new().route("/me", get(async || "hello").post(async || "done"))
}

/// The names of those that were not refused.
pub(super) fn names(report: &AttackReport) -> HashSet<String> {
    assert_eq!(report.fault(), None);
    report.not_refused().map(|one| one.attack().name().to_owned()).collect()
}

async fn passed(router: Router) -> HashSet<String> {
    names(&AttackRun::new(&TestIssuer::new()).run(router, "/me").await)
}

async fn passed_by(change: impl FnOnce(VerifierBuilder) -> VerifierBuilder) -> HashSet<String> {
    passed(app(change(TestIssuer::new().verifier_builder()).build().unwrap())).await
}

fn rows(names: &HashSet<String>) -> Vec<&str> {
    let rows: HashSet<_> = names.iter().map(|name| name.split('_').next().unwrap()).collect();
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_unstable();
    rows
}

#[test]
fn each_has_a_name_of_its_own() {
    let issuer = TestIssuer::new();
    let all: Vec<_> = attacks(&issuer).collect();
    let names: HashSet<_> = all.iter().map(|attack| attack.name().to_owned()).collect();
    assert_eq!(names.len(), all.len());
    for attack in &all {
        let (row, _) = attack.name().split_once('_').unwrap();
        assert!(row.len() == 3, "{}", attack.name());
        assert!(!attack.description().ends_with('.') && !attack.stopped_by().is_empty());
        assert_eq!(attack.request(Method::PUT, "/a?b=c").uri().path(), "/a");
    }
    // The names do not depend on what is random.
    let again: HashSet<_> = attacks(&issuer).map(|attack| attack.name().to_owned()).collect();
    assert_eq!(again, names);
    let shown = format!("{:?}", all[0]);
    assert!(!shown.contains("Bearer"), "{shown}");
}

#[tokio::test]
async fn our_router_refuses_all_with_every_algorithm() {
    for algorithm in
        Algorithm::ALL.iter().filter(|it| cfg!(feature = "aws_lc_rs") || **it != Algorithm::ES512)
    {
        let issuer = TestIssuer::new().with_algorithm(*algorithm);
        let report = AttackRun::new(&issuer).run(app(issuer.verifier()), "/me").await;
        report.assert_all_refused();
    }
    assert_refuses_all(app(TestIssuer::new().verifier()), "/me").await;
}

fn with_cookie(source: CookieSourceBuilder) -> Router {
    let layer = JwtAuthLayer::new(TestIssuer::new().verifier());
    routes().layer(layer.source(source.build().unwrap()))
}

#[tokio::test]
async fn our_router_with_a_cookie_refuses_all() {
    let run = AttackRun::new(&TestIssuer::new()).cookie("__Host-at", Method::POST);
    let report = run.run(with_cookie(TokenSource::cookie("__Host-at")), "/me").await;
    report.assert_all_refused();
    let text = report.to_string();
    assert!(text.starts_with("/me refused all of 3"), "{text}");
}

#[tokio::test]
async fn a_cookie_without_the_cross_site_check_is_named() {
    let source = TokenSource::cookie("__Host-at").dangerous().without_cross_site_check();
    let router = with_cookie(source);
    let run = AttackRun::new(&TestIssuer::new()).cookie("__Host-at", Method::POST);
    let passed = names(&run.run(router, "/me").await);
    assert_eq!(rows(&passed), ["w02", "w03"], "{passed:?}");
    assert!(passed.contains("w02_cross_site") && passed.contains("w02_nothing_said"));
}

#[tokio::test]
async fn an_unprotected_route_is_named() {
    let router = app(TestIssuer::new().verifier()).route("/open", get(async || "hello"));
    let report = AttackRun::new(&TestIssuer::new()).run(router, "/open").await;
    assert_eq!(names(&report).len(), report.sent());
    let text = report.to_string();
    assert!(text.contains("the route answers requests without a token"), "{text}");
    assert!(text.contains("\nt01_no_token: the request has no token\n  answer: 200 OK"), "{text}");
    // The others have the same reason, so they are only named.
    assert!(text.contains("\nwith the same answer: ") && text.lines().count() < 10, "{text}");
    assert!(text.contains("stopped by: a `JwtAuthLayer` around the route"), "{text}");
}

#[tokio::test]
async fn a_router_that_lets_guests_in_is_named() {
    let layer = JwtAuthLayer::new(TestIssuer::new().verifier()).optional();
    let passed = passed(routes().layer(layer)).await;
    assert!(passed.contains("t01_no_token") && !passed.contains("c01_exp_an_hour_ago"));
}

#[tokio::test]
async fn settings_that_loosen_a_check_are_named() {
    let passed = passed_by(VerifierBuilder::any_audience).await;
    assert_eq!(rows(&passed), ["c05"], "{passed:?}");
    assert!(passed.contains("c05_aud_missing") && passed.contains("c05_aud_other"));
    assert!(!passed.contains("c05_aud_number"), "a claim of a wrong type is still refused");

    let passed = passed_by(|builder| builder.dangerous().ignore_confirmation()).await;
    assert_eq!(rows(&passed), ["c11"]);

    let day = Duration::from_secs(24 * 60 * 60);
    let passed = passed_by(|builder| builder.dangerous().any_leeway(day)).await;
    assert_eq!(rows(&passed), ["c01", "c02", "c03"], "{passed:?}");
    assert!(passed.contains("c01_exp_an_hour_ago"));

    let passed = passed_by(VerifierBuilder::any_events).await;
    assert_eq!(rows(&passed), ["a10"]);
    assert!(!passed.contains("a10_logout_token"), "its type is still refused");

    let passed = passed_by(VerifierBuilder::any_padding).await;
    assert_eq!(passed, HashSet::from(["f02_padding_all_parts".to_owned()]));

    let passed = passed_by(VerifierBuilder::without_subject).await;
    assert_eq!(rows(&passed), ["c06"]);
}

/// The keys of the issuer as a static set, so that nothing binds them.
fn static_keys() -> tower_jwt_auth::KeySet {
    tower_jwt_auth::KeySet::from_jwks(TestIssuer::new().jwks()).unwrap()
}

#[tokio::test]
async fn any_issuer_is_named() {
    let issuer = TestIssuer::new();
    let builder = Verifier::builder().keys(static_keys()).audience(issuer.audience());
    let passed = passed(app(builder.any_issuer().build().unwrap())).await;
    assert_eq!(rows(&passed), ["c04"], "{passed:?}");
    assert!(passed.contains("c04_iss_missing") && passed.contains("c04_iss_other"));
}

#[tokio::test]
async fn a_public_key_as_a_shared_secret_is_named() {
    let issuer = TestIssuer::new();
    // PEM, DER and JWK are refused when the key is made.
    let keys: serde_json::Value = serde_json::from_str(&issuer.jwks()).unwrap();
    let secret = Key::hs256(keys["keys"][0]["x"].as_str().unwrap());
    let builder = Verifier::builder().keys(static_keys()).keys(secret);
    let builder = builder.issuer(issuer.issuer()).audience(issuer.audience());
    let passed = passed(app(builder.build().unwrap())).await;
    assert_eq!(passed, HashSet::from(["a03_hs256_number_base64url".to_owned()]));
}

/// A service that trusts a cookie without any check, as a fallback for the header.
async fn fallback(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let headers: &HeaderMap = request.headers();
    let is_in_cookie =
        headers.get(header::COOKIE).is_some_and(|it| it.as_bytes().starts_with(b"at="));
    if is_in_cookie {
        return Ok(Response::new(Body::empty()));
    }
    Ok(app(TestIssuer::new().verifier()).call(request).await.unwrap())
}

#[tokio::test]
async fn a_fallback_to_a_cookie_is_named() {
    let run = AttackRun::new(&TestIssuer::new()).cookie("at", Method::POST);
    let report = run.body::<Body>().run(service_fn(fallback), "/me").await;
    let passed = names(&report);
    assert_eq!(rows(&passed), ["t07", "t08", "t09", "w02", "w03", "w04"], "{passed:?}");
}

#[tokio::test]
async fn a_service_that_fails_is_named() {
    let service = service_fn(async |request: Request<Body>| {
        let headers = request.headers();
        let is_valid =
            headers.get(header::AUTHORIZATION).is_some_and(|it| it.as_bytes().len() > 100);
        if !headers.contains_key(header::AUTHORIZATION) {
            return Err("it has failed");
        }
        let mut response = Response::new(Body::empty());
        if !is_valid {
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        }
        Ok(response)
    });
    let report = AttackRun::new(&TestIssuer::new()).body::<Body>().run(service, "/me").await;
    let text = report.to_string();
    assert!(text.contains("the service has failed: \"it has failed\""), "{text}");
    assert!(
        text.contains("500 Internal Server Error: the request made the service fail"),
        "{text}"
    );
}

#[tokio::test]
#[should_panic(expected = "c05_aud_missing: `aud` is missing\n  answer: 200 OK")]
async fn the_message_of_the_assertion_names_them() {
    let verifier = TestIssuer::new().verifier_builder().any_audience().build().unwrap();
    assert_refuses_all(app(verifier), "/me").await;
}

#[tokio::test]
async fn a_router_that_trusts_others_is_not_attacked() {
    let issuer = TestIssuer::new().with_audience("https://other.test");
    let report = AttackRun::new(&issuer).run(app(TestIssuer::new().verifier()), "/me").await;
    assert!(!report.all_refused() && report.sent() == 0);
    let text = report.to_string();
    assert!(
        text.contains("a valid token got 401") && text.contains("https://other.test"),
        "{text}"
    );

    // The cookie is not read, or the method is not one of the route.
    for (name, method) in [("other", Method::POST), ("__Host-at", Method::DELETE)] {
        let run = AttackRun::new(&TestIssuer::new()).cookie(name, method);
        let router = with_cookie(TokenSource::cookie("__Host-at"));
        let report = run.run(router, "/me").await;
        assert!(report.fault().unwrap().contains("a valid token in the cookie"), "{report}");
    }
}

#[tokio::test]
async fn what_is_allowed_is_not_sent_and_is_said() {
    let layer = JwtAuthLayer::new(TestIssuer::new().verifier());
    let layer = layer.source(TokenSource::query());
    let router = routes().layer(layer);
    let run = AttackRun::new(&TestIssuer::new())
        .allow("t10_query_access_token", "a download link has the token");
    let passed = run.run(router, "/me").await;
    assert!(
        passed
            .to_string()
            .contains("t10_query_access_token: allowed and not sent, a download link"),
        "{passed}"
    );
    assert!(!names(&passed).contains("t10_query_access_token"));
}

#[tokio::test]
#[should_panic(expected = "no attack is called \"t99\"")]
async fn what_does_not_exist_cannot_be_allowed() {
    let run = AttackRun::new(&TestIssuer::new()).allow("t99", "it does not exist");
    let _ = run.run(app(TestIssuer::new().verifier()), "/me").await;
}
