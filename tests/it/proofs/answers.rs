//! What clients are told (RFC 9449 §7.1, §7.2).

use http::{Request, Response};
use tower_jwt_auth::{RequireLayer, proof::DPoP, testing::TestRequest};

use super::*;

const BEARER: &str = "Bearer";
const DPOP: &str = "DPoP algs=\"ES256 EdDSA\"";

fn with(scheme: &str, code: &str) -> String {
    let comma = if scheme == BEARER { "" } else { "," };
    format!("{scheme}{comma} error=\"{code}\"")
}

#[tokio::test]
async fn the_error_goes_with_the_scheme() {
    let setup = Setup::new(DPoP::optional());
    let token = setup.bound();
    let expired = setup.issuer.token().bound_to(&setup.key).expired().sign();
    let ask = async |request: http::request::Builder| {
        challenges(&setup.ask(request.body(String::new()).unwrap()).await)
    };
    assert_eq!(ask(Request::get("/me")).await, [BEARER, DPOP]);
    assert_eq!(
        ask(Request::get("/me").bearer(&token)).await,
        [with(BEARER, "invalid_token"), DPOP.into()]
    );
    let proof = setup.proof(&expired);
    assert_eq!(ask(Request::get("/me").dpop(&expired, proof)).await, [with(DPOP, "invalid_token")]);
    let empty = Request::get("/me").header("authorization", "DPoP ");
    assert_eq!(ask(empty).await, [with(DPOP, "invalid_request")]);
}

#[tokio::test]
async fn refusals_within_have_the_scheme_that_was_used() {
    let setup = Setup::new(DPoP::optional());
    let token = setup.bound();
    let bearer = setup.issuer.token().sign();
    let inner = RequireLayer::scopes(["admin"]).layer(service_fn(async |_: Request<String>| {
        Ok::<_, Infallible>(Response::new(String::new()))
    }));
    let service = setup.layer.clone().realm("api").layer(inner);
    let ask = async |request: http::request::Builder| {
        let request = request.body(String::new()).unwrap();
        challenges(&service.clone().oneshot(request).await.unwrap())
    };
    let scope = "error=\"insufficient_scope\", scope=\"admin\"";
    let dpop = "DPoP realm=\"api\", algs=\"ES256 EdDSA\"";
    let proof = setup.proof(&token);
    assert_eq!(ask(Request::get("/me").dpop(&token, proof)).await, [format!("{dpop}, {scope}")]);
    let both = [format!("Bearer realm=\"api\", {scope}"), dpop.into()];
    assert_eq!(ask(Request::get("/me").bearer(&bearer)).await, both);
}

#[cfg(feature = "axum")]
#[tokio::test]
async fn refusals_by_hand_have_it_too() {
    use axum::{Router, body::Body, routing::get};
    use tower_jwt_auth::{Error, response::Rejection};

    let setup = Setup::new(DPoP::optional());
    let refuse = async || Err::<(), _>(Rejection::from(Error::forbidden("no")));
    let app: Router = Router::new().route("/me", get(refuse)).layer(setup.layer.clone());
    let token = setup.bound();
    let proof = setup.proof(&token);
    let request = Request::get("/me").dpop(&token, proof).body(Body::empty()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    assert_eq!(challenges(&response), [with(DPOP, "insufficient_scope")]);
    let bearer = setup.issuer.token().sign();
    let request = Request::get("/me").bearer(&bearer).body(Body::empty()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    assert_eq!(challenges(&response), [with(BEARER, "insufficient_scope"), DPOP.into()]);
}

#[tokio::test]
async fn a_guest_is_no_client_with_a_bad_proof() {
    let setup = Setup::new(DPoP::optional());
    let layer = setup.layer.clone().optional();
    let response = ask(&layer, Request::get("/me").body(String::new()).unwrap()).await;
    assert_eq!((response.status().as_u16(), &**response.body()), (200, "guest"));
    let token = setup.bound();
    let request = Request::get("/me").dpop(&token, "x").body(String::new()).unwrap();
    assert_eq!(ask(&layer, request).await.status(), 401);
    // A proof without a token shows nothing.
    let request = Request::get("/me").header("dpop", setup.proof(&token)).body(String::new());
    assert_eq!(ask(&layer, request.unwrap()).await.body(), "guest");
}
