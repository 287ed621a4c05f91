//! Requests, verifiers and the handler that the tests of the layer share.

use std::convert::Infallible;

use http::{HeaderName, Request, Response, header};
use serde_json::json;
use tower_jwt_auth::{Algorithm, Claims, Verifier, response::Rejection};

use crate::support::{builder, claims_with, key};

/// A good token of this user.
pub(crate) fn token(user: &str) -> String {
    key(Algorithm::HS256).token(&claims_with(json!({"sub": user})))
}

/// The value of `Authorization` for this user.
pub(crate) fn bearer(user: &str) -> String {
    format!("Bearer {}", token(user))
}

/// A request to `/` with these headers.
pub(crate) fn get<B: Default>(headers: &[(HeaderName, &str)]) -> Request<B> {
    let mut request = Request::new(B::default());
    for (name, value) in headers {
        request.headers_mut().append(name, value.parse().unwrap());
    }
    request
}

/// A request to `/` with a good token in `Authorization`.
pub(crate) fn get_as<B: Default>(user: &str) -> Request<B> {
    get(&[(header::AUTHORIZATION, &bearer(user))])
}

/// A verifier that answers at once, and one that makes its caller wait.
pub(crate) fn verifiers() -> [Verifier; 2] {
    let waits = builder().async_rule(|_: Claims| async {
        tokio::task::yield_now().await;
        Ok(())
    });
    [builder().build().unwrap(), waits.build().unwrap()]
}

/// Answers with what the layer has left in the request.
pub(crate) async fn who<B>(request: Request<B>) -> Result<Response<String>, Infallible> {
    Ok(Response::new(seen(&request)))
}

/// The subject of the claims, or why there are none.
pub(crate) fn seen<B>(request: &Request<B>) -> String {
    let extensions = request.extensions();
    match (extensions.get::<Claims>(), extensions.get::<Rejection>()) {
        (Some(claims), _) => claims.subject().unwrap().to_owned(),
        (None, Some(rejection)) => rejection.error().to_string(),
        (None, None) => "nothing".into(),
    }
}

/// `WWW-Authenticate`, if there is just one.
pub(crate) fn challenge<B>(response: &Response<B>) -> Option<&str> {
    let mut values = response.headers().get_all(header::WWW_AUTHENTICATE).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    Some(value.to_str().unwrap())
}
