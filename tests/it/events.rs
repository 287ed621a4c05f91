//! Which events a request causes, and of which level.

use axum::{Router, body::Body, routing::get as on_get};
use http::{Request, header};
use serde_json::json;
use tower::ServiceExt;
use tower_jwt_auth::{
    Claims, Error, JwtAuthLayer, RegisteredClaims, RequireLayer, TokenSource,
    authorize::Policy,
    extract::{Authorized, Subject},
    response::Rejection,
    verifier::RuleError,
};

use crate::{
    privacy::events,
    requests::bearer,
    support::{builder, claims_with, key},
};

/// What is told of a request with these headers, a line for each event: level, text and kind.
fn told(app: &Router, path: &str, headers: &[(&str, &str)]) -> (u16, Vec<String>) {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut status = 0;
    let told = events(|| {
        let response = runtime.block_on(app.clone().oneshot(request)).unwrap();
        status = response.status().as_u16();
    });
    let brief = |line: &str| {
        let (front, rest) =
            line.split_once(" tower_jwt_auth::observe: ").expect("an event of ours");
        let level = front.rsplit(' ').next().unwrap();
        let (text, rest) = rest.split_once(" kind=\"").expect("it has a kind");
        let kind = rest.split('"').next().unwrap();
        format!("{level} {text}: {kind}")
    };
    (status, told.lines().map(brief).collect())
}

#[derive(Default)]
struct Anybody;

impl Policy<RegisteredClaims> for Anybody {
    fn authorize(&self, _: &Claims) -> Result<(), Error> {
        Ok(())
    }
}

fn routes() -> Router {
    Router::new()
        .route("/require", on_get(async || "in"))
        .route_layer(RequireLayer::new(|_: &Claims| true))
        .route("/admin", on_get(async || "in").layer(RequireLayer::scopes(["admin"])))
        .route("/claims", on_get(async |_: Claims| "in"))
        .route("/subject", on_get(async |_: Subject| "in"))
        .route("/authorized", on_get(async |_: Authorized<Anybody>| "in"))
        .route("/result", on_get(async |_: Result<Claims, Rejection>| "in"))
        .route("/option", on_get(async |_: Option<Claims>| "in"))
        .route("/open", on_get(async || "in"))
        .route("/hand", on_get(async || Rejection::from(Error::forbidden("not yours"))))
        .route("/again", on_get(async |claims: Result<Claims, Rejection>| claims.map(|_| "in")))
}

fn layer() -> JwtAuthLayer {
    let verifier = builder::<RegisteredClaims>().rule(|claims| match claims.subject() {
        Some("broken") => Err(RuleError::fail("it is broken")),
        _ => Ok(()),
    });
    JwtAuthLayer::new(verifier.build().unwrap()).source(TokenSource::cookie("at").build().unwrap())
}

const NEEDS_CLAIMS: [&str; 5] = ["/require", "/admin", "/claims", "/subject", "/authorized"];

#[test]
fn a_refusal_is_one_event_wherever_it_is_made() {
    let passed = |kind: &str| format!("DEBUG request passes without claims: {kind}");
    let no_token = "DEBUG request refused: missing_token";
    let bad = "INFO request refused: malformed_token";
    let same_origin = ("sec-fetch-site", "same-origin");
    let (no, token) = (&[][..], &[("authorization", "Bearer x")][..]);
    let cookie = &[("cookie", "at=x"), same_origin][..];

    let required = routes().layer(layer());
    let optional = routes().layer(layer().optional());
    let report = routes().layer(layer().pass_through());
    for path in NEEDS_CLAIMS {
        for (headers, event) in [(no, no_token), (token, bad), (cookie, bad)] {
            assert_eq!(told(&required, path, headers), (401, vec![event.into()]), "{path}");
        }
        for (app, headers, events) in [
            (&optional, no, vec![passed("missing_token"), no_token.into()]),
            (&optional, token, vec![bad.into()]),
            (&optional, cookie, vec![passed("malformed_token"), bad.into()]),
            (&report, no, vec![passed("missing_token"), no_token.into()]),
            (&report, token, vec![passed("malformed_token"), bad.into()]),
        ] {
            assert_eq!(told(app, path, headers), (401, events), "{path} {headers:?}");
        }
    }
    // Guests are welcome there, and a bad token that is not in a cookie is not a guest's.
    for (path, headers, answer) in [
        ("/option", no, (200, vec![passed("missing_token")])),
        ("/option", token, (401, vec![passed("malformed_token"), bad.into()])),
        ("/open", token, (200, vec![passed("malformed_token")])),
        ("/result", token, (200, vec![passed("malformed_token"), bad.into()])),
    ] {
        assert_eq!(told(&report, path, headers), answer, "{path}");
    }
    assert_eq!(told(&optional, "/option", cookie), (200, vec![passed("malformed_token")]));

    let alice = bearer("alice");
    let alice = &[("authorization", &*alice)];
    for app in [&required, &optional, &report] {
        assert_eq!(told(app, "/claims", alice), (200, vec![]));
        let forbidden = "INFO request refused: insufficient_scope";
        assert_eq!(told(app, "/admin", alice), (403, vec![forbidden.into()]));
    }
    // A handler that refuses makes one event, and so does one that passes a refusal on.
    let forbidden = "INFO request refused: forbidden";
    for app in [&required, &optional, &report, &routes()] {
        assert_eq!(told(app, "/hand", alice), (403, vec![forbidden.into()]));
    }
    assert_eq!(
        told(&optional, "/again", no),
        (401, vec![passed("missing_token"), no_token.into()])
    );
    // Without a layer, it is the operator's fault.
    for path in NEEDS_CLAIMS.into_iter().chain(["/option"]) {
        let missing = "ERROR request not decided: missing_layer";
        assert_eq!(told(&routes(), path, alice), (500, vec![missing.into()]), "{path}");
    }
}

#[test]
fn a_fault_of_the_server_is_one_event_too() {
    let token = key(tower_jwt_auth::Algorithm::HS256).token(&claims_with(json!({"sub": "broken"})));
    let token = format!("Bearer {token}");
    let headers = &[(header::AUTHORIZATION.as_str(), &*token)];
    let event = "ERROR request not decided: failed";
    for layer in [layer(), layer().optional(), layer().pass_through()] {
        let app = routes().layer(layer);
        for path in NEEDS_CLAIMS {
            assert_eq!(told(&app, path, headers), (500, vec![event.into()]), "{path}");
        }
    }
}

/// The operator is told how to say which layer is meant.
#[test]
fn the_log_tells_that_there_are_several_layers() {
    #[derive(serde::Deserialize)]
    struct One {}
    #[derive(serde::Deserialize)]
    struct Two {}
    let app = routes()
        .layer(JwtAuthLayer::new(builder::<One>().build().unwrap()))
        .layer(JwtAuthLayer::new(builder::<Two>().build().unwrap()));
    let alice = bearer("alice");
    let request = Request::builder().uri("/claims").header("authorization", &alice);
    let request = request.body(Body::empty()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let told = events(|| {
        let response = runtime.block_on(app.oneshot(request)).unwrap();
        assert_eq!(response.status(), 500);
    });
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("several layers") && told.contains("for_claims"), "{told}");
}
