//! Routes of every kind, and what a run says if it cannot attack one.

use std::convert::Infallible;

use axum::{
    Json, Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, Method, Response, StatusCode, header},
    response::{IntoResponse, Redirect},
    routing::{get, post},
};
use tower::{ServiceExt, service_fn};
use tower_jwt_auth::{
    Algorithm, Claims, JwtAuthLayer, Key, RequireLayer, TokenSource, Verifier,
    response::Rejection,
    testing::{AttackReport, AttackRun, TestClock, TestIssuer, attacks},
};

use super::routers::names;

fn issuer() -> TestIssuer {
    TestIssuer::new()
}

fn layer() -> JwtAuthLayer {
    JwtAuthLayer::new(issuer().verifier())
}

fn run() -> AttackRun {
    AttackRun::new(&issuer())
}

fn with_origin(origin: &str) -> Router {
    let cookie = TokenSource::cookie("__Host-at").public_origin(origin).build().unwrap();
    let me = async || "hello";
    Router::new().route("/me", get(me).post(me)).layer(layer().source(cookie))
}

/// The first recipe of the crate: one key as PEM, without an id.
#[tokio::test]
async fn a_verifier_with_a_key_without_an_id_refuses_all() {
    for algorithm in Algorithm::ALL {
        let issuer = issuer().with_algorithm(*algorithm);
        if algorithm.name().starts_with("HS")
            || (*algorithm == Algorithm::ES512 && !cfg!(feature = "aws_lc_rs"))
        {
            continue;
        }
        let verifier = Verifier::builder()
            .issuer(issuer.issuer())
            .audience(issuer.audience())
            .keys(Key::from_pem(issuer.public_key_pem()))
            .build()
            .unwrap();
        let app = Router::new().route("/me", get(async || "hi")).layer(JwtAuthLayer::new(verifier));
        AttackRun::new(&issuer).run(app, "/me").await.assert_all_refused();
    }
}

/// A service that takes a key of the name in `kid` for a secret that is empty.
#[tokio::test]
async fn a_key_that_kid_chooses_is_named() {
    let inner = Router::new().route("/me", get(async || "hello")).layer(layer());
    let service = service_fn(move |request: Request<Body>| {
        let empty = attacks(&issuer()).find(|one| one.name() == "a12_kid_path_hs256").unwrap();
        let empty = empty.request(Method::GET, "/me");
        let part = |request: &axum::http::HeaderMap, at: usize| {
            let value = request.get(header::AUTHORIZATION)?.to_str().ok()?;
            value.split('.').nth(at).map(str::to_owned)
        };
        let is_hole = part(request.headers(), 0).is_some()
            && part(request.headers(), 0) == part(empty.headers(), 0);
        let inner = inner.clone();
        async move {
            if is_hole {
                return Ok::<_, Infallible>(Response::new(Body::empty()));
            }
            inner.oneshot(request).await
        }
    });
    let report = run().body::<Body>().run(service, "/me").await;
    assert_eq!(names(&report), ["a12_kid_path_hs256".to_owned()].into());
}

#[derive(serde::Deserialize)]
struct Order {
    item: String,
}

fn orders() -> Router {
    Router::new()
        .route("/orders", post(async |Json(order): Json<Order>| order.item))
        .layer(JwtAuthLayer::new(issuer().verifier()))
}

#[tokio::test]
async fn a_route_with_a_body_is_attacked() {
    let run = run().method(Method::POST);
    let fault = run.run(orders(), "/orders").await;
    let text = fault.to_string();
    assert!(text.contains("got 415 Unsupported Media Type for `POST /orders`"), "{text}");
    assert!(text.contains("`.json(…)`"), "{text}");

    let item = serde_json::json!({"item": "tea"});
    let report = run.clone().json(&item).run(orders(), "/orders").await;
    report.assert_all_refused();
    assert_eq!(report.sent(), attacks(&issuer()).count());

    // The same with the type of another stack, and with a function.
    let report = run.clone().requests(|attack| {
        let mut request = attack.map(|()| Body::from(r#"{"item":"tea"}"#));
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(header::CONTENT_TYPE, json);
        request
    });
    report.run(orders(), "/orders").await.assert_all_refused();
    let report = run.body::<String>().json(&item).run(orders(), "/orders").await;
    report.assert_all_refused();
}

#[tokio::test]
async fn a_cookie_with_another_origin_is_attacked() {
    let origin = "https://app.example.com";
    let run = run().cookie("__Host-at", Method::POST);
    let text = run.run(with_origin(origin), "/me").await.to_string();
    assert!(text.contains("got 403 Forbidden for `POST /me`"), "{text}");
    assert!(text.contains("kind: cross_site") && text.contains("`.origin(…)`"), "{text}");

    run.clone().origin(origin).run(with_origin(origin), "/me").await.assert_all_refused();
    let origin = "https://app.example.com:8443";
    run.origin(origin).run(with_origin(origin), "/me").await.assert_all_refused();
}

#[test]
#[should_panic(expected = "is no origin: write it as `https://app.example.com`")]
fn an_origin_has_no_path() {
    let _ = run().origin("https://app.example.com/");
}

#[tokio::test]
async fn a_page_that_is_only_read_is_attacked() {
    let cookie = TokenSource::cookie("__Host-at").build().unwrap();
    let app = Router::new().route("/page", get(async || "hi")).layer(layer().source(cookie));
    let report = run().cookie("__Host-at", Method::GET).run(app, "/page").await;
    report.assert_all_refused();
    let text = report.to_string();
    assert!(text.contains("no request of another site was sent (w02): `GET`"), "{text}");
}

#[tokio::test]
async fn a_route_that_only_changes_is_attacked() {
    let cookie = TokenSource::cookie("__Host-at").build().unwrap();
    let app = Router::new().route("/do", post(async || "done")).layer(layer().source(cookie));
    let run = run().method(Method::POST).cookie("__Host-at", Method::POST);
    run.run(app, "/do").await.assert_all_refused();
}

/// A service that reads tokens only from its cookie.
#[tokio::test]
async fn a_service_that_reads_only_a_cookie_is_attacked() {
    let app = |verifier| {
        let cookie = TokenSource::cookie("__Host-at").build().unwrap();
        let layer = JwtAuthLayer::new(verifier).sources([cookie]);
        let me = async || "hello";
        Router::new().route("/me", get(me).post(me)).layer(layer)
    };
    let run = run().cookie("__Host-at", Method::POST);
    let text = run.run(app(issuer().verifier()), "/me").await.to_string();
    assert!(text.contains("`.without_authorization()`"), "{text}");

    let run = run.without_authorization();
    let report = run.run(app(issuer().verifier()), "/me").await;
    report.assert_all_refused();
    assert!(report.sent() > 250, "{report}");
    // The bad tokens are in the cookie now.
    let hole = issuer().verifier_builder().any_audience().build().unwrap();
    let found = names(&run.run(app(hole), "/me").await);
    assert!(found.contains("c05_aud_missing") && found.contains("c05_aud_other"), "{found:?}");

    let both = Router::new()
        .route("/me", get(async || "hi").post(async || "hi"))
        .layer(layer().source(TokenSource::cookie("__Host-at").build().unwrap()));
    let found = names(&run.run(both, "/me").await);
    assert_eq!(found, ["t16_authorization".to_owned()].into());
}

/// Sends browsers without a session to the login.
fn to_login(_: &Rejection) -> Response<Body> {
    Redirect::to("/login").into_response()
}

#[tokio::test]
async fn a_redirection_of_a_layer_is_a_refusal() {
    let app = || {
        Router::new()
            .route("/me", get(async || "hello"))
            .layer(JwtAuthLayer::new(issuer().verifier()).respond_with(to_login))
    };
    run().run(app(), "/me").await.assert_all_refused();
    // A valid request that is sent there was not accepted.
    let other = TestIssuer::new().with_audience("https://other.test");
    let report = AttackRun::new(&other).run(app(), "/me").await;
    let fault = report.fault().expect("it trusts another audience");
    assert!(fault.contains("got 303") && fault.contains("kind: audience"), "{fault}");
}

/// A service that is not of this crate, and sends those whom it refuses to the login.
#[tokio::test]
async fn a_redirection_of_others_is_a_refusal_if_that_is_said() {
    let inner = Router::new().route("/me", get(async || "hello")).layer(layer());
    let service = || {
        let inner = inner.clone();
        service_fn(move |request: Request<Body>| {
            let inner = inner.clone();
            async move {
                let response = inner.oneshot(request).await?;
                Ok::<_, Infallible>(match response.status() {
                    StatusCode::OK => response,
                    _ => Redirect::to("/login").into_response(),
                })
            }
        })
    };
    let run = run().body::<Body>();
    let report = run.run(service(), "/me").await;
    assert_eq!(report.not_refused().count(), report.sent());
    let text = report.to_string();
    assert!(text.contains("303 See Other: if the service refuses them so"), "{text}");
    assert!(text.lines().count() < 10, "{text}");
    let run = run.refusal(StatusCode::SEE_OTHER);
    run.run(service(), "/me").await.assert_all_refused();
    // The valid request must not be sent there.
    let always = Router::new().route("/me", get(async || Redirect::to("/login")));
    assert!(run.run(always, "/me").await.fault().is_some());
}

/// A service that reads tokens only from the query.
#[tokio::test]
async fn tokens_can_be_moved_to_another_place() {
    let app = |verifier| {
        let layer = JwtAuthLayer::new(verifier).sources([TokenSource::query()]);
        Router::new().route("/file", get(async || "bytes")).layer(layer)
    };
    let run = run().requests(|mut attack| {
        if let Some(value) = attack.headers_mut().remove(header::AUTHORIZATION) {
            let token = value.to_str().unwrap_or_default().strip_prefix("Bearer ");
            let token = token.unwrap_or_default().replace([' ', '"', '<', '>', '`', '\t'], "%20");
            let uri = format!("{}?access_token={token}", attack.uri().path());
            *attack.uri_mut() = uri.parse().unwrap_or_default();
        }
        attack.map(|()| Body::empty())
    });
    let run = run.allow("t10_query_access_token", "the service reads it there");
    let report = run.run(app(issuer().verifier()), "/file").await;
    assert!(report.sent() > 250, "{report}");
    let found = names(&report);
    // Only attacks on the form of the header itself.
    assert!(found.len() < 6 && !found.iter().any(|name| name.starts_with(['a', 'c'])), "{report}");
    let hole = issuer().verifier_builder().any_audience().build().unwrap();
    assert!(names(&run.run(app(hole), "/file").await).contains("c05_aud_missing"));
}

#[tokio::test]
async fn the_values_of_the_application_cause_no_alarm() {
    // An issuer and an audience without letters, and the subject and the id that attacks have.
    let issuer = issuer().with_issuer("7").with_audience("4711");
    let app = || {
        let layer = JwtAuthLayer::new(issuer.verifier());
        Router::new().route("/me", get(async || "hello")).layer(layer)
    };
    for token in [
        issuer.token().subject("admin"),
        issuer.token().claim("jti", "another"),
        issuer.token().without("jti"),
    ] {
        AttackRun::new(&issuer).token(token).run(app(), "/me").await.assert_all_refused();
    }
}

#[cfg(feature = "remote")]
#[tokio::test]
async fn a_key_that_may_still_come_is_a_refusal() {
    let server = issuer().serve();
    let keys = tower_jwt_auth::RemoteKeys::discover(server.url()).build().await.unwrap();
    let verifier = Verifier::builder().audience(server.audience()).keys(keys).build().unwrap();
    let layer = JwtAuthLayer::new(verifier);
    let app = Router::new().route("/me", get(async || "hello")).layer(layer);
    AttackRun::new(server.issuer()).run(app, "/me").await.assert_all_refused();
}

#[tokio::test]
async fn a_service_that_panics_is_named() {
    let inner = Router::new().route("/me", get(async || "hello")).layer(layer());
    let service = service_fn(move |request: Request<Body>| {
        let inner = inner.clone();
        async move {
            if let Some(value) = request.headers().get(header::AUTHORIZATION) {
                value.to_str().expect("it is ASCII");
            }
            inner.oneshot(request).await
        }
    });
    let report = run().body::<Body>().run(service, "/me").await;
    let found = names(&report);
    assert!(found.contains("t06_non_ascii") && found.len() < 5, "{found:?}");
    assert!(report.to_string().contains("a panic: it is ASCII"), "{report}");
}

#[tokio::test]
async fn a_websocket_of_another_site_is_named() {
    let inner = with_origin("https://app.test");
    let service = service_fn(move |request: Request<Body>| {
        let mut inner = inner.clone();
        async move {
            let is_websocket = request.headers().contains_key(header::UPGRADE);
            match is_websocket {
                true => Ok::<_, Infallible>(StatusCode::SWITCHING_PROTOCOLS.into_response()),
                false => tower::Service::call(&mut inner, request).await,
            }
        }
    });
    let run = run().body::<Body>().cookie("__Host-at", Method::POST);
    let found = names(&run.run(service, "/me").await);
    assert_eq!(found, ["w03_websocket_cross_site".to_owned()].into());
}

#[tokio::test]
async fn a_scope_that_nobody_requires_is_named() {
    let routes = || Router::new().route("/orders", get(async || "orders"));
    let run = run().token(issuer().token().scopes(["orders"]));
    let report = run.run(routes().layer(layer()), "/orders").await;
    assert_eq!(names(&report), ["c12_scope_missing".to_owned()].into());
    assert!(report.to_string().contains("`RequireLayer::scopes(…)` around the route"), "{report}");

    let app = routes().route_layer(RequireLayer::scopes(["orders"])).layer(layer());
    run.run(app, "/orders").await.assert_all_refused();
}

#[tokio::test]
async fn other_types_of_tokens_are_named() {
    let app = |verifier| {
        Router::new().route("/me", get(async || "hi")).layer(JwtAuthLayer::new(verifier))
    };
    let run = run().access_tokens_only();
    let report = run.run(app(issuer().verifier()), "/me").await;
    assert_eq!(names(&report), ["a10_typ_jwt".to_owned(), "a10_typ_missing".to_owned()].into());
    let strict = issuer().verifier_builder().access_tokens_only().build().unwrap();
    run.run(app(strict), "/me").await.assert_all_refused();
}

#[derive(serde::Deserialize)]
struct User {
    tenant: String,
}

fn users() -> Router {
    let verifier = issuer().verifier_builder().claims::<User>().build().unwrap();
    Router::new()
        .route("/me", get(async |user: Claims<User>| user.tenant.clone()))
        .layer(JwtAuthLayer::new(verifier))
}

/// What a fault says, and what it is to be mended with.
#[tokio::test]
async fn a_fault_has_the_real_reason() {
    let said = async |run: AttackRun, app: Router, path: &str, parts: &[&str]| {
        let report: AttackReport = run.run(app, path).await;
        assert_eq!(report.sent(), 0);
        let text = report.to_string();
        for part in parts {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
        text
    };
    let me = || Router::new().route("/me", get(async |_: Claims| "hello"));
    let parts = ["500", "kind: missing_layer", "put a `JwtAuthLayer`"];
    said(run(), me(), "/me", &parts).await;
    let parts = ["kind: insufficient_scope", "`.token(…)`"];
    let scoped = me().route_layer(RequireLayer::scopes(["a"])).layer(layer());
    let text = said(run(), scoped, "/me", &parts).await;
    assert!(!text.contains("must trust"), "{text}");
    said(run(), users(), "/me", &["kind: claims_type", "tenant", "`.token(…)`"]).await;
    let run_of_user = run().token(issuer().token().claim("tenant", "acme"));
    run_of_user.run(users(), "/me").await.assert_all_refused();
    let parts = ["404 Not Found for `GET /you`", "give `run` a path"];
    said(run(), me().layer(layer()), "/you", &parts).await;
    let parts = ["405 Method Not Allowed for `PUT /me`", "`.method(…)`"];
    said(run().method(Method::PUT), me().layer(layer()), "/me", &parts).await;

    let other = AttackRun::new(&issuer().with_issuer("https://other.test"));
    let text = said(other, me().layer(layer()), "/me", &["must trust", "https://other.test"]).await;
    assert!(text.contains("kind: issuer") || text.contains("kind: unknown_key"), "{text}");

    let clock = TestClock::new();
    clock.rewind(std::time::Duration::from_secs(24 * 60 * 60));
    let past = AttackRun::new(&issuer().with_clock(clock));
    said(past, me().layer(layer()), "/me", &["kind: expired", "`TestIssuer::with_clock(…)`"]).await;

    let denied = Router::new().route("/me", get(async || StatusCode::FORBIDDEN));
    let text = said(run(), denied, "/me", &["not of this crate", "must trust"]).await;
    assert!(text.contains("status: 403"), "{text}");
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn a_fault_has_the_log() {
    let _log = tower_jwt_auth::testing::TestLog::start();
    let other = AttackRun::new(&issuer().with_audience("https://other.test"));
    let app = Router::new().route("/me", get(async || "hello")).layer(layer());
    let text = other.run(app, "/me").await.to_string();
    assert!(text.contains("the token has: https://other.test"), "{text}");
    assert!(text.contains("log: INFO request refused kind=audience"), "{text}");
}
