//! Claims without a token.

use std::panic;

use axum::{Router, body::Body, body::to_bytes, routing::get};
use http::Request;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tower::ServiceExt;
use tower_jwt_auth::{
    Claims, Error, JwtAuthLayer, RegisteredClaims, RequireLayer,
    authorize::{Policy, Roles, Scopes},
    extract::{Authorized, Subject},
    testing::{
        TestClaims, TestIssuer, TestRequest, assert_accepted, assert_challenge, assert_refused,
    },
};

#[derive(Clone, Deserialize, Serialize)]
struct User {
    tenant: String,
}

#[derive(Default)]
struct Writer;

impl Policy<RegisteredClaims> for Writer {
    fn authorize(&self, claims: &Claims) -> Result<(), Error> {
        Scopes::all_of(["write"]).authorize(claims)
    }
}

#[derive(Default)]
struct Acme;

impl Policy<User> for Acme {
    fn authorize(&self, user: &Claims<User>) -> Result<(), Error> {
        match &*user.tenant {
            "acme" => Ok(()),
            _ => Err(Error::forbidden("another tenant")),
        }
    }
}

/// Routes that need claims, each in another way, without the layer that verifies.
fn routes() -> Router {
    let admin = RequireLayer::new(Roles::at("realm.roles").any_of(["admin"]));
    let acme = RequireLayer::for_claims(|user: &Claims<User>| user.tenant == "acme");
    Router::new()
        .route("/admin", get(async || "admin"))
        .route_layer(admin)
        .merge(Router::new().route("/acme", get(async || "acme")).route_layer(acme))
        .route("/claims", get(async |claims: Claims| format!("{:?}", claims.get::<u8>("x"))))
        .route("/user", get(async |user: Claims<User>| user.tenant.clone()))
        .route("/subject", get(async |subject: Subject| subject.to_string()))
        .route("/writer", get(async |_: Authorized<Writer>| "writer"))
        .route("/authorized", get(async |_: Authorized<Acme, User>| "acme"))
        .route(
            "/guest",
            get(async |claims: Option<Claims>| match claims {
                Some(claims) => claims.subject().unwrap_or_default().to_owned(),
                None => "guest".into(),
            }),
        )
}

async fn answer(request: Request<Body>) -> (u16, String) {
    let response = routes().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 1000).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn ada() -> TestClaims {
    let roles = json!({"roles": ["admin"]});
    TestClaims::new("ada").scopes(["read", "write"]).claim("realm", roles).claim("x", 7)
}

#[tokio::test]
async fn handlers_extractors_and_layers_take_them() {
    let registered = |path| Request::get(path).with_claims(ada()).body(Body::empty()).unwrap();
    let typed = |path, tenant: &str| {
        let claims = ada().claim("tenant", tenant).build_as::<User>();
        Request::get(path).with_claims(claims).body(Body::empty()).unwrap()
    };
    for (path, body) in
        [("/admin", "admin"), ("/claims", "Some(7)"), ("/subject", "ada"), ("/writer", "writer")]
    {
        for request in [registered(path), typed(path, "acme")] {
            assert_eq!(answer(request).await, (200, body.to_owned()), "{path}");
        }
    }
    for path in ["/acme", "/user", "/authorized"] {
        assert_eq!(answer(typed(path, "acme")).await, (200, "acme".to_owned()), "{path}");
        // Of another type, as behind a layer for that type.
        assert_eq!(answer(registered(path)).await.0, 500, "{path}");
    }
    for path in ["/acme", "/authorized"] {
        assert_eq!(answer(typed(path, "umbrella")).await.0, 403, "{path}");
    }
    let nobody = TestClaims::new("eve");
    for path in ["/admin", "/writer"] {
        let request = Request::get(path).with_claims(nobody.clone()).body(Body::empty());
        assert_eq!(answer(request.unwrap()).await.0, 403, "{path}");
    }
    let without = nobody.without("sub");
    let request = Request::get("/subject").with_claims(without).body(Body::empty()).unwrap();
    assert_eq!(answer(request).await.0, 401);
}

#[tokio::test]
async fn a_request_that_is_made_takes_them_as_well() {
    let request = Request::new(Body::empty()).with_claims(ada());
    let (mut parts, body) = request.into_parts();
    parts.uri = "/subject".parse().unwrap();
    assert_eq!(answer(Request::from_parts(parts, body)).await, (200, "ada".into()));
    // By value, whatever the value is.
    let user = User { tenant: "acme".into() };
    let claims = TestClaims::new("ada").build_with(user.clone());
    let request = Request::get("/user").with_claims(claims).body(Body::empty()).unwrap();
    assert_eq!(answer(request).await, (200, "acme".into()));
    // And as its own JSON, so that both are the same.
    let claims = TestClaims::new("ada").claims(&user).build_as::<User>();
    assert_eq!(claims.get::<String>("tenant").as_deref(), Some("acme"));
    let registered = TestClaims::new("ada").build_as::<RegisteredClaims>();
    assert_eq!(registered.subject(), Some("ada"));
}

#[tokio::test]
async fn a_guest_is_known_from_a_missing_layer() {
    let get = |request: http::request::Builder| request.body(Body::empty()).unwrap();
    let guest = get(Request::get("/guest").without_claims::<RegisteredClaims>());
    assert_eq!(answer(guest).await, (200, "guest".into()));
    let user = get(Request::get("/guest").without_claims::<RegisteredClaims>().with_claims(ada()));
    assert_eq!(answer(user).await, (200, "ada".into()));
    let again = get(Request::get("/guest").with_claims(ada()).without_claims::<RegisteredClaims>());
    assert_eq!(answer(again).await, (200, "guest".into()));
    assert_eq!(answer(get(Request::get("/guest"))).await.0, 500, "no layer");
    // A handler that needs a user refuses a guest.
    let guest = get(Request::get("/subject").without_claims::<RegisteredClaims>());
    let response = routes().oneshot(guest).await.unwrap();
    assert_refused(&response, "missing_token");
    assert_challenge(&response, None);
}

#[tokio::test]
async fn a_layer_that_verifies_takes_no_claims_that_it_has_not_verified() {
    let issuer = TestIssuer::new();
    for layer in [
        JwtAuthLayer::new(issuer.verifier()),
        JwtAuthLayer::new(issuer.verifier()).optional(),
        JwtAuthLayer::new(issuer.verifier()).pass_through(),
    ] {
        let app = routes().layer(layer);
        for request in [
            Request::get("/subject").with_claims(ada()),
            Request::get("/subject").with_claims(ada()).bearer("a.b.c"),
        ] {
            let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            assert_eq!(response.status(), 401);
        }
        // Those of the token count, and no others.
        let token = issuer.token().subject("grace").sign();
        let request = Request::get("/subject").with_claims(ada()).bearer(&token);
        let response = app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_accepted(&response);
        assert_eq!(to_bytes(response.into_body(), 100).await.unwrap(), "grace");
    }
}

#[test]
fn what_does_not_fit_says_so() {
    let message = |work: fn()| {
        let panic = panic::catch_unwind(work).unwrap_err();
        panic.downcast_ref::<String>().cloned().unwrap_or_default()
    };
    let misfit = message(|| drop(TestClaims::new("ada").claim("tenant", 7).build_as::<User>()));
    assert!(misfit.contains("User") && misfit.contains("tenant"), "{misfit}");
    let malformed = message(|| drop(TestClaims::new("ada").claim("exp", "soon").build()));
    assert!(malformed.contains("registered claims"), "{malformed}");
    assert!(!format!("{:?}", TestClaims::new("hunter2")).contains("hunter2"));
}
