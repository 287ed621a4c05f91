//! Issuing, refreshing and revoking; in a browser, they are tested by `tests/browser`.

#[cfg(all(feature = "axum", feature = "redis"))]
pub(crate) mod app;
mod interop;
mod issue;
mod keys;
pub(crate) mod model;
mod refresh;
mod revocation;
#[cfg(feature = "axum")]
mod routes;
#[cfg(all(feature = "axum", feature = "redis"))]
mod server;

use std::{
    convert::Infallible,
    time::{Duration, UNIX_EPOCH},
};

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use tower::{Service, ServiceExt};
use tower_jwt_auth::{
    Algorithm,
    issue::{Body, SigningKey, TokenIssuer, TokenIssuerBuilder},
};

use crate::support::{AUDIENCE, FixedClock, ISSUER, NOW};

/// A builder with the usual issuer and audience, a key of its own and this clock.
pub(crate) fn issuer(clock: &FixedClock) -> TokenIssuerBuilder {
    TokenIssuer::builder()
        .issuer(ISSUER)
        .audience(AUDIENCE)
        .key(SigningKey::generate(Algorithm::ES256).unwrap())
        .clock(clock.clone())
}

/// Puts a clock so many seconds behind [`NOW`].
pub(crate) fn set(clock: &FixedClock, seconds: u64) {
    clock.set(UNIX_EPOCH + Duration::from_secs(NOW + seconds));
}

/// An answer: status, headers and body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// Asks a service that answers with a body of this crate.
pub(crate) async fn ask<S>(service: S, request: Request<String>) -> Answer
where
    S: Service<Request<String>, Response = Response<Body>, Error = Infallible>,
{
    let (parts, body) = service.oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes().to_vec();
    let (status, headers) = (parts.status.as_u16(), parts.headers);
    Answer { status, headers, body: String::from_utf8(body).unwrap() }
}

/// A `POST` of a refresh token as JSON.
pub(crate) fn presenting(token: &str) -> Request<String> {
    Request::post("/auth/refresh")
        .header("content-type", "application/json")
        .body(serde_json::json!({"refresh_token": token}).to_string())
        .unwrap()
}
