//! Issuing, refreshing and revoking; in a browser, they are tested by `tests/browser`.

#[cfg(all(feature = "axum", feature = "redis", feature = "remote"))]
pub(crate) mod app;
#[cfg(feature = "axum")]
mod bound;
#[cfg(feature = "test-util")]
mod bound_logins;
#[cfg(feature = "axum")]
mod client;
#[cfg(feature = "axum")]
mod clients;
#[cfg(all(feature = "axum", feature = "test-util"))]
mod dpop_in_browsers;
mod interop;
mod issue;
#[cfg(unix)]
mod key_directory;
mod keys;
mod lifetimes;
mod metadata;
#[cfg(feature = "axum")]
mod pages;
mod refresh;
mod revocation;
#[cfg(feature = "axum")]
mod routes;
#[cfg(all(feature = "axum", feature = "redis", feature = "remote", feature = "test-util"))]
mod server;
mod setup;
mod step_up;
#[cfg(feature = "test-util")]
mod stores;
#[cfg(feature = "test-util")]
mod token_endpoint;
mod tokens;

use std::convert::Infallible;

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use tower::{Service, ServiceExt};
use tower_jwt_auth::issue::Body;

#[cfg(all(feature = "axum", feature = "test-util"))]
pub(crate) use self::issue::part;
pub(crate) use self::setup::{issuer, set};

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
