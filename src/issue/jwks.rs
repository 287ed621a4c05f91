//! The service that publishes the keys.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use http::{Request, Response};
use tower_service::Service;

use super::{access::TokenIssuer, body::Body, document::Document};

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
    document: Document,
}

impl TokenIssuer {
    /// Makes a service that answers `GET` with the [JWK set](Self::jwks), for
    /// `/.well-known/jwks.json`.
    pub fn jwks_service(&self) -> JwksService {
        let document = Document::new("application/jwk-set+json", self.jwks_max_age());
        JwksService { issuer: self.clone(), document }
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
        ready(Ok(self.document.answer(request.method(), || self.issuer.jwks())))
    }
}
