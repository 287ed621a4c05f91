//! The service that publishes the keys.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use http::{HeaderValue, Method, Request, Response, header};
use tower_service::Service;

use super::{
    access::TokenIssuer,
    body::{Body, method_not_allowed},
};

/// Answers `GET` and `HEAD` with the JWK set of an issuer (RFC 7517 §5); made by
/// [`TokenIssuer::jwks_service`].
///
/// # Example
/// ```
/// use axum::Router;
/// use tower_jwt_auth::issue::TokenIssuer;
///
/// fn keys(issuer: &TokenIssuer) -> Router {
///     Router::new().route_service("/.well-known/jwks.json", issuer.jwks_service())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct JwksService {
    issuer: TokenIssuer,
    cache_control: HeaderValue,
}

impl TokenIssuer {
    /// Makes a service that answers `GET` with the [JWK set](Self::jwks), for
    /// `/.well-known/jwks.json`.
    pub fn jwks_service(&self) -> JwksService {
        JwksService::new(self.clone())
    }
}

impl JwksService {
    fn new(issuer: TokenIssuer) -> Self {
        let text = format!("public, max-age={}", issuer.jwks_max_age());
        // The text is a valid header value, so the fallback is never used.
        let cache_control =
            HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("no-cache"));
        Self { issuer, cache_control }
    }
}

impl<B> Service<Request<B>> for JwksService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let mut response = Response::new(Body::default());
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            *response.body_mut() = self.issuer.jwks().into();
            let json = HeaderValue::from_static("application/jwk-set+json");
            response.headers_mut().insert(header::CONTENT_TYPE, json);
            response.headers_mut().insert(header::CACHE_CONTROL, self.cache_control.clone());
        } else {
            response = method_not_allowed("GET, HEAD");
        }
        ready(Ok(response))
    }
}
